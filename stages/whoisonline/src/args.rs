//! The options, and the description for `--describe`. Uses nothing of the stage's work.

use clap::Parser;
use kit::Uses;
use kit::{Common, Describe, StageArgs};
use schema::Kind;

/// What follows the options in the long help.
const BACKGROUND: &str = "With `--db` the host names and places of new addresses are looked up. The file appears whole: readers \
    see the old one or the new one. A second run at the same time ends at once with code 75. `--from db --to \
    FILE` (or `-`) writes the map of the table as it is and changes nothing.\n\nThe live sessions are kept \
    in memory.";

/// Records where live sessions come from and writes the map of who is online.
///
/// Reads `online` records, the columns of the table session_geo, and writes their map as XML. With `--db`,
/// the cron form, it first updates the table from the live sessions of the CMS and then writes
/// whoisonline.xml to the hub's folder of maps.
#[derive(Debug, Parser)]
#[command(name = "whoisonline", version, after_long_help = BACKGROUND, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,

    /// With --db: print what would be written, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "whoisonline",
        about: "Records where live sessions come from and writes the map of who is online",
        reads: &[Kind::Online],
        writes: &[],
        reads_tables: &["jos_session", "jos_session_geo", "jos_metrics_ipgeo_cache", "exclude_list"],
        writes_tables: &["jos_session_geo", "jos_metrics_ipgeo_cache"],
        main_kind: Kind::Online,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }

    fn uses(&self) -> Option<Uses> {
        self.common.to_db().then_some(Uses { map: true, ..Uses::default() })
    }
}
