//! The command line.

use anyhow::{Result, bail};
use clap::Parser;
use kit::{Common, Describe, Io, Outcome, StageArgs};
use schema::Kind;

/// Turns access and auth logs into web, hits, bot and login records.
#[derive(Debug, Parser)]
#[command(name = "import-logs", version, about)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "import-logs",
        about: "Turns access and auth logs into web, hits, bot and login records",
        reads: &[Kind::Source],
        writes: &[Kind::Web, Kind::Login, Kind::Hits, Kind::Bot],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Web,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

pub(crate) fn stage(_args: &Args, _io: &mut Io) -> Result<Outcome> {
    bail!("this release does not have this stage; see CHANGELOG.md for what it has");
}
