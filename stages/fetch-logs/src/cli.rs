//! The command line.

use anyhow::{Result, bail};
use clap::Parser;
use kit::{Common, Describe, Io, Outcome, StageArgs};
use schema::Kind;

/// Finds rotated access and auth logs and lists, prints or stages them.
#[derive(Debug, Parser)]
#[command(name = "fetch-logs", version, about)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "fetch-logs",
        about: "Finds rotated access and auth logs and lists, prints or stages them",
        reads: &[],
        writes: &[Kind::Source],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Source,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

pub(crate) fn stage(_args: &Args, _io: &mut Io) -> Result<Outcome> {
    bail!("this release does not have this stage; see CHANGELOG.md for what it has");
}
