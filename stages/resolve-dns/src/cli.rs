//! The command line.

use anyhow::{Result, bail};
use clap::Parser;
use kit::{Common, Describe, Io, Outcome, StageArgs};
use schema::Kind;

/// Fills in host names by reverse DNS.
#[derive(Debug, Parser)]
#[command(name = "resolve-dns", version, about)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "resolve-dns",
        about: "Fills in host names by reverse DNS",
        reads: &[Kind::Web, Kind::Toolstart, Kind::ToolSession],
        writes: &[Kind::Web, Kind::Toolstart, Kind::ToolSession],
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
