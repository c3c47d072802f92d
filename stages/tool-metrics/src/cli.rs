//! The command line.

use anyhow::{Result, bail};
use clap::Parser;
use kit::{Common, Describe, Io, Outcome, StageArgs};
use schema::Kind;

/// Computes tool statistics, top values and top lists.
#[derive(Debug, Parser)]
#[command(name = "tool-metrics", version, about)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "tool-metrics",
        about: "Computes tool statistics, top values and top lists",
        reads: &[
            Kind::HubSession,
            Kind::HubJob,
            Kind::HubResource,
            Kind::HubToolVersion,
            Kind::HubProfile,
            Kind::ToolSession,
        ],
        writes: &[Kind::ToolStat, Kind::TopTool, Kind::TopList],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::ToolStat,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

pub(crate) fn stage(_args: &Args, _io: &mut Io) -> Result<Outcome> {
    bail!("this release does not have this stage; see CHANGELOG.md for what it has");
}
