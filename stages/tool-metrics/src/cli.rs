//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use kit::{Common, Describe, Io, Outcome, StageArgs, Usage};
use schema::{Kind, Month, Opt};

use crate::stream;

/// The inner steps that a stream of records can be put through.
const STREAM_STEPS: [&str; 3] = ["tool-stats", "tool-tops", "tool-toplists"];

/// Computes tool statistics, top values and top lists.
///
/// Reads hub_resource, hub_tool_version, hub_session and hub_job records for the statistics,
/// tool_session and hub_profile records for the lists, in any order, and writes for every tool
/// and each of the six windows of the month one `toolstat` record with its copy for the resource
/// pages (`resource_stat`), then `toptool` and `toplist` records. Other kinds are ignored. Tools
/// are walked by title and number; rows are numbered from 1 in that order.
///
/// Everything that is read stays in memory, about 50 bytes a session and 60 a job, and every
/// distinct name once.
#[derive(Debug, Parser)]
#[command(name = "tool-metrics", version)]
pub(crate) struct Args {
    /// The month, YYYY-MM [default: the current one]
    #[arg(value_name = "YYYY-MM")]
    month: Option<Month>,

    /// The month, as an option
    #[arg(long = "month", value_name = "YYYY-MM", conflicts_with = "month")]
    month_option: Option<Month>,

    /// Run only these steps: tool-stats, tool-tops, tool-toplists
    #[arg(long, value_name = "STEP,…", value_delimiter = ',')]
    only: Vec<String>,

    /// Country names for the lists: CSV with the columns code and name [default: a built-in list]
    #[arg(long, value_name = "FILE")]
    countries: Option<PathBuf>,

    #[command(flatten)]
    common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "tool-metrics",
        about: "Computes tool statistics, top values and top lists",
        reads: &[
            Kind::HubResource,
            Kind::HubToolVersion,
            Kind::HubSession,
            Kind::HubJob,
            Kind::ToolSession,
            Kind::HubProfile,
        ],
        writes: &[Kind::ToolStat, Kind::ResourceStat, Kind::TopTool, Kind::TopList],
        reads_tables: &[
            "sessionlog",
            "joblog",
            "jos_resources",
            "jos_tool_version",
            "sessionlog_metrics",
            "jos_xprofiles_metrics",
            "countries",
        ],
        writes_tables: &[
            "jos_resource_stats_tools",
            "jos_resource_stats",
            "jos_resource_stats_tools_topvals",
            "jos_stats_topvals",
        ],
        main_kind: Kind::ToolStat,
        steps: &STREAM_STEPS,
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    if args.common.from_db() || args.common.to_db() {
        return Err(Usage("this release of tool-metrics works on record streams only, not on tables".to_owned()).into());
    }
    if let Some(unknown) = args.only.iter().find(|step| !STREAM_STEPS.contains(&step.as_str())) {
        return Err(Usage(format!("no step `{unknown}`; there are {}", STREAM_STEPS.join(", "))).into());
    }
    let steps: Vec<_> =
        STREAM_STEPS.into_iter().filter(|step| args.only.is_empty() || args.only.iter().any(|o| o == step)).collect();
    let month = args.month.or(args.month_option).map_or_else(kit::current_month, Ok)?;
    let countries = match &args.countries {
        Some(path) => stream::read_countries(path)?,
        None => stream::built_in_countries(),
    };
    stream::run(io, month, &steps, countries, args.common.compat.has(Opt::LpSummary))?;
    Ok(Outcome::default())
}
