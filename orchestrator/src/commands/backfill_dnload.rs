//! `hzmetrics backfill-dnload`: decides which requests without a verdict were downloads.
//!
//! The importer's rule decides for each URL, and one statement per range of ids writes the results back.
//! Each row is decided once, so the next run continues where a killed one ended.

use std::collections::BTreeMap;

use anyhow::Result;
use database::{Db, KeyTable};
use kit::Progress;
use logs::parse;
use schema::collation::Like;
use schema::{Month, Opt};

use super::HubCommand;
use super::values::DryRun;
use crate::hub::Hub;
use crate::pipeline::facts::month;
use crate::pipeline::state::add_dirty_months;

/// How many ids one statement covers: more would need more locks than a small server has room for.
const STRETCH: i64 = 250_000;

/// Requests without a verdict.
#[derive(Default)]
struct Undecided {
    months: BTreeMap<Month, i64>,
    /// Requests with a date outside any month.
    odd: i64,
    ids: Option<(i64, i64)>,
}

/// Decide which old requests were downloads
///
/// Judges the requests that have no verdict yet and marks their months as dirty.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// First month
    #[arg(long, value_name = "YYYY-MM")]
    start: Option<Month>,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let (start, dry_run) = (self.start, self.mode.dry_run);
        let _lock = hub.lock(!dry_run)?;
        let mut db = hub.db()?;
        let code = match work(hub, &mut db, start, dry_run) {
            Ok(()) => 0,
            Err(error) => {
                hub.log.error(format_args!("{error:#}"));
                // the port's command never fails
                u8::from(!hub.compat.has(Opt::LpCli))
            }
        };
        hub.log.info(">>> done");
        Ok(code)
    }
}

fn work(hub: &Hub, db: &mut Db, start: Option<Month>, dry_run: bool) -> Result<()> {
    let open = Undecided::find(db, start)?;
    let Some((lowest, highest)) = open.ids else {
        hub.log.info("  no months with unprocessed rows found");
        return Ok(());
    };
    if let Some((first, last)) = open.months.keys().next().zip(open.months.keys().next_back()) {
        hub.log.info(format_args!("  will backfill {} month(s): {first} .. {last}", open.months.len()));
    }
    let would = if dry_run { "[dry-run] would judge " } else { "" };
    for (month, rows) in &open.months {
        hub.log.info(format_args!("  {month}: {would}{rows} request(s)"));
    }
    if open.odd > 0 {
        hub.log.warning(format_args!("  {} request(s) have no month in their date; they are judged too", open.odd));
    }
    if dry_run {
        return Ok(());
    }
    // done first, so that a killed run leaves no month with new verdicts and old summaries
    add_dirty_months(db, open.months.keys().copied())?;
    hub.log.info(format_args!("  marked {} month(s) to be summarized again", open.months.len()));
    let (mut judged, mut downloads) = (0, 0);
    let shown = Progress::things("downloads", "rows", highest.abs_diff(lowest) + 1);
    let mut from = lowest;
    while from <= highest {
        let to = from.saturating_add(STRETCH - 1).min(highest);
        let (rows, yes) = db.transaction_with_retry("judging requests", &["web"], |db| {
            db.will_change(open.months.keys().copied())?;
            if open.odd > 0 {
                db.will_change_every_month()?;
            }
            stretch(db, from, to, start)
        })?;
        shown.advance(to.abs_diff(from) + 1);
        judged += rows;
        downloads += yes;
        from = to + 1;
    }
    hub.log.info(format_args!("  {judged} request(s) judged, {downloads} of them downloads"));
    Ok(())
}

impl Undecided {
    fn find(db: &mut Db, start: Option<Month>) -> Result<Self> {
        let mut open = Self::default();
        let since = start.map_or_else(String::new, |month| format!(" AND datetime >= '{}'", month.start()));
        let sql = format!(
            "SELECT YEAR(datetime), MONTH(datetime), COUNT(*), MIN(id), MAX(id) FROM web WHERE dnload IS NULL{since} \
             GROUP BY 1, 2"
        );
        db.each(&sql, (), |cells| {
            let number = |at| cells.int(at).unwrap_or(0);
            match month(cells.int(0), cells.int(1)) {
                Some(month) => *open.months.entry(month).or_default() += number(2),
                None => open.odd += number(2),
            }
            let (low, high) = open.ids.unwrap_or((i64::MAX, i64::MIN));
            open.ids = Some((low.min(number(3)), high.max(number(4))));
            Ok(())
        })?;
        Ok(open)
    }
}

/// The requests in a range of ids: how many were judged, and how many are downloads.
fn stretch(db: &mut Db, from: i64, to: i64, start: Option<Month>) -> Result<(u64, usize)> {
    let since = start.map_or_else(String::new, |month| format!(" AND w.datetime >= '{}'", month.start()));
    let open = format!("w.dnload IS NULL AND w.id BETWEEN ? AND ?{since}");
    let through = Like::new("/resources/%/download/%");
    let mut yes: Vec<i64> = Vec::new();
    let sql = format!("SELECT w.id, w.content FROM web w WHERE {open} AND w.content LIKE '/resources/%'");
    db.each(&sql, (from, to), |cells| {
        let content = cells.text(1).unwrap_or_default();
        if parse::is_download(content.as_bytes()) || through.matches(&content) {
            yes.extend(cells.int(0));
        }
        Ok(())
    })?;
    let keys = KeyTable { name: "hzmetrics_downloads", columns: &[("id", "bigint NOT NULL")], keys: 1 };
    let rows = db.with_key_table(&keys, yes.iter().map(|id| [(*id).into()]), |db| {
        let sql = format!(
            "UPDATE web w LEFT JOIN hzmetrics_downloads d ON d.id = w.id SET w.dnload = (d.id IS NOT NULL) WHERE {open}"
        );
        Ok(db.run(&sql, (from, to))?)
    })?;
    Ok((rows, yes.len()))
}
