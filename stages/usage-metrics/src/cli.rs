//! The command line.

use anyhow::{Result, bail};
use clap::Parser;
use kit::{Common, Describe, Io, Outcome, StageArgs};
use schema::Kind;

/// Fills in domains and countries, builds sessions, removes bots.
#[derive(Debug, Parser)]
#[command(name = "usage-metrics", version, about)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "usage-metrics",
        about: "Fills in domains and countries, builds sessions, removes bots",
        reads: &[Kind::Web, Kind::Toolstart],
        writes: &[Kind::Web, Kind::Toolstart, Kind::Session],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Session,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

pub(crate) fn stage(_args: &Args, _io: &mut Io) -> Result<Outcome> {
    bail!("this release does not have this stage; see CHANGELOG.md for what it has");
}
