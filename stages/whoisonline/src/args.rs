//! The options, and what `--describe` says. Imports nothing of the work.

use clap::Parser;
use kit::Uses;
use kit::{Common, Describe, StageArgs};
use schema::Kind;

/// Notes where live sessions come from and writes the map of who is online.
///
/// With --db, the cron form: takes the live sessions of the CMS into the hub's table session_geo,
/// looks up host names and places of new addresses, and writes whoisonline.xml among the maps of
/// the hub. The file appears whole; readers see the old one or the new one. A second run at the
/// same time ends at once with code 75.
///
/// With --from db --to FILE (or -) it writes the map of the table as it is and changes nothing.
/// Otherwise it reads `online` records, the columns of session_geo, and writes their map.
///
/// Held in memory are the live sessions.
#[derive(Debug, Parser)]
#[command(name = "whoisonline", version, about, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,

    /// With --db: say what would be written, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "whoisonline",
        about: "Notes where live sessions come from and writes the map of who is online",
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
