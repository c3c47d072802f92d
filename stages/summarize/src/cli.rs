//! The command line.

use anyhow::{Result, bail};
use clap::Parser;
use kit::{Common, Describe, Io, Outcome, StageArgs};
use schema::Kind;

/// Computes the cells of the summary tables for the six windows of a month.
#[derive(Debug, Parser)]
#[command(name = "summarize", version, about)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "summarize",
        about: "Computes the cells of the summary tables for the six windows of a month",
        reads: &[
            Kind::Web,
            Kind::Session,
            Kind::Login,
            Kind::Hits,
            Kind::Toolstart,
            Kind::HubSession,
            Kind::HubJob,
            Kind::HubProfile,
            Kind::HubResource,
            Kind::HubToolVersion,
        ],
        writes: &[Kind::Cell],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Cell,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

pub(crate) fn stage(_args: &Args, _io: &mut Io) -> Result<Outcome> {
    bail!("this release does not have this stage; see CHANGELOG.md for what it has");
}
