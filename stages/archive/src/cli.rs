//! The command line.

use anyhow::{Result, bail};
use clap::Parser;
use kit::{Common, Describe, Io, Outcome, StageArgs};
use schema::Kind;

/// Moves imported logs to the archive directory.
#[derive(Debug, Parser)]
#[command(name = "archive", version, about)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "archive",
        about: "Moves imported logs to the archive directory",
        reads: &[Kind::Receipt],
        writes: &[Kind::Receipt],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Receipt,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

pub(crate) fn stage(_args: &Args, _io: &mut Io) -> Result<Outcome> {
    bail!("this release does not have this stage; see CHANGELOG.md for what it has");
}
