//! The audit: looks for numbers that cannot be right, and says which command fixes them.
//!
//! Each table is read once ([`tables`]), whatever the number of months; the checks are pure
//! functions over what was read ([`checks`]); [`report`] says what was found. Nothing is changed
//! and no lock is taken.

mod checks;
mod ledger;
mod removed;
mod report;
mod scope;
mod shares;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use database::ledger::{self as imports, Entry, Target, files};
use database::pruned::{self, Group, Pruned};
use database::{Db, Which, tool_starts};
use logs::discovery::{self, Stream};
use schema::tables::PRUNED;
use schema::{Month, Opt, Stamp};

use crate::hub::Hub;
use crate::pipeline::decisions::day;
use crate::pipeline::facts::{SUMMARIES, has_data, incomplete};
use crate::pipeline::state::{self, State};
use report::Remedy;
pub(crate) use report::Report;
use scope::Scope;
use shares::Shares;
use tables::{Cell, Ids};

/// Where a scope begins when there is nothing to look at.
const NO_DATA: Stamp = Stamp::from_parts(2014, 1, 1, 0, 0, 0);

/// What is looked for in a table, with the step that fills it in, in the order of `MonthOfRows::missing`.
const COLUMNS: [(&str, &str); 3] =
    [("host", "resolve-dns"), ("domain", "fill-domain"), ("ipcountry", "fill-ipcountry")];

/// What an audit is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// How many months back.
    pub(crate) months: i64,
    /// All months that have data.
    pub(crate) all: bool,
    /// Smallest share of missing names that is a finding.
    pub(crate) floor: f64,
}

/// Audits; the report says everything and keeps the findings.
///
/// # Errors
/// The server is lost, or the report cannot be written.
pub(crate) fn audit(hub: &Hub, args: Wanted, report: &mut Report<'_>) -> Result<()> {
    let floor = args.floor.max(0.0);
    let months = u32::try_from(args.months.max(1)).unwrap_or(u32::MAX);
    let today = kit::today()?;
    let current = today.month().context("the clock is set to a year outside 0 to 9999")?;
    let mut db = hub.db()?;
    let start = if args.all {
        tables::first_day(&mut db)?.unwrap_or(NO_DATA)
    } else {
        current.minus(months.min(current.ordinal())).start()
    };
    let scope = Scope { start, end: current.start(), today };
    // the port asks for totals and cells that shrink, and its server never finds a row: a label less
    // a month is NULL, and dates with day zero are not dates to it
    let as_port = hub.compat.has(Opt::LpCli);
    report.info(format_args!(
        "scope: {} .. {} (a share above 5 x the median and above {:.1}% is a finding)",
        day(scope.start),
        day(scope.end),
        floor * 100.0
    ))?;

    // the port compares months with each other and with nothing else
    let ceiling = if as_port { f64::INFINITY } else { shares::HALF };
    let pruned = Pruned::read(&mut db)?;
    kept_states(&mut db, &pruned, report)?;
    let sessions = Ids::of_sessions(&mut db)?;
    let mut web = tables::enriched(&mut db, "web", scope, Some(&sessions))?;
    let mut websessions = tables::enriched(&mut db, "websessions", scope, None)?;
    // what is left of removed months says nothing, and nothing is to be mended there
    for months in [&mut web, &mut websessions] {
        months.retain(|month, _| !pruned.has_lost_requests(*month));
    }
    for (table, months) in [("web", &web), ("websessions", &websessions)] {
        for (at, (column, step)) in COLUMNS.into_iter().enumerate() {
            let shares = Shares::of(months, at, floor, ceiling);
            report.shares(table, column, &shares)?;
            for share in &shares.bad {
                report.found(table, column, share.month, Remedy::Months(format!("{step} metrics {table}")));
            }
        }
    }

    if !as_port {
        checks::unnamed(&web, report)?;
    }

    let summaries: Vec<(&str, Vec<Cell>)> =
        SUMMARIES.into_iter().map(|table| Ok((table, tables::cells(&mut db, table)?))).collect::<Result<_>>()?;
    let cells = |name: &str| summaries.iter().find(|(table, _)| *table == name).map_or(&[][..], |(_, cells)| cells);
    let users = cells("summary_user_vals");
    let mut logins = tables::logins(&mut db, scope)?;
    logins.retain(|month, _| !pruned.has_lost_logins(*month) && !pruned.has_lost_requests(*month));
    checks::drops(users, scope, report)?;
    checks::one_sided(&web, &logins, report)?;
    let withheld = State::read(&mut db)?.withheld;
    if !withheld.is_empty() {
        let months: Vec<String> = withheld.iter().map(Month::to_string).collect();
        report
            .info(format_args!("withheld: {} (`hzmetrics summarize MONTH` publishes it again)", months.join(", ")))?;
    }
    checks::without_summary(&web, users, &withheld, report)?;
    checks::some_periods(&incomplete(&mut db, current)?, scope, report)?;

    let mut toolstart = tables::stamps_without_session(&mut db, "toolstart", scope, &sessions)?;
    toolstart.retain(|month, _| !pruned.has_lost_requests(*month));
    let orphans = web.iter().map(|(month, seen)| (*month, seen.orphans)).collect();
    checks::orphans("web", &orphans, report)?;
    checks::orphans("toolstart", &toolstart, report)?;

    if !as_port {
        checks::doubled(&doubled_starts(hub, &mut db, scope)?, report)?;
    }

    let hits = tables::hits(&mut db)?;
    // hits counted from the log are more than the requests that were kept, and rightly so
    let derived = [Opt::DerivedWebhits, Opt::LpWebhitsDerived].into_iter().any(|opt| hub.compat.has(opt));
    if derived {
        checks::hits_of_web(&web, &hits, scope, report)?;
    }
    let mends_hits = if derived { "rebuild-webhits --month" } else { "summarize-month" };
    let open = hub.compat.has(Opt::HitsStartExclusive);
    checks::hits_cells(cells("summary_misc_vals"), &hits, scope, &withheld, open, mends_hits, report)?;

    let mut entries = [Vec::new(), Vec::new()];
    if imports::is_there(&mut db)? {
        entries = [imports::of_target(&mut db, Target::Web)?, imports::of_target(&mut db, Target::Userlogin)?];
    } else {
        report.info("there is no ledger of imports (imported_sources) to compare with")?;
    }
    let [of_web, of_logins] = &entries;
    let streams = [(Target::Web, "apache", of_web), (Target::Userlogin, "cmsauth", of_logins)];
    for (target, label, entries) in streams {
        let mut days = tables::days(&mut db, target.name())?;
        days.extend(ledger::days(entries));
        checks::gaps(target.name(), label, &days, scope, report)?;
    }
    let published = published(hub, &mut db)?;
    let in_scope = published.keys().copied().filter(|month| month.start() >= scope.start && *month <= current);
    let no_source = without_source(hub, &mut db, in_scope, &entries)?;
    checks::impossible(&published, current, &no_source, report)?;
    let since = day(scope.start).replace('-', "");
    checks::day_shares(&files::shares_by_day(&mut db, &since)?, report)?;
    for (target, _, entries) in streams {
        ledger::check(&mut db, target, entries, report)?;
    }
    if pruned.logins.is_none() {
        ledger::check_reconstructed(&mut db, of_logins, report)?;
    }
    checks::next_ids(&tables::next_ids(&mut db)?, report)?;

    for text in checks::state(&state::pairs(&mut db)?) {
        report.warning(format_args!("pipeline_state: {text}"))?;
        let advice = "(correct the value: mark-dirty, clear-dirty and rebuild-from write it, or an UPDATE by hand)";
        report.found_in("pipeline_state", "(shape)", Remedy::Advice(advice.into()));
    }
    for (table, cells) in &summaries {
        let is_needless = *table == "summary_simusage_vals" && tables::is_empty(&mut db, "toolstart")?;
        if !withheld.contains(&current.previous()) {
            checks::freshness(table, cells, is_needless, current.previous(), report)?;
        }
    }
    if !as_port {
        checks::totals(users, scope, report)?;
    }
    if let Some((months, since)) = tables::long_dirty(&mut db)? {
        report.warning(format_args!("dirty_months stuck: '{months}' unchanged since {since} (>48h)"))?;
        let advice = format!("(look into the log why {months} was not caught up)");
        report.found_in("pipeline_state", "(dirty_stuck)", Remedy::Advice(advice));
    }
    if !as_port {
        for (table, cells) in &summaries {
            checks::shrunk(table, cells, scope, report)?;
        }
    }
    web.retain(|month, _| !pruned.has_lost_logins(*month));
    checks::without_logins(&web, &logins, report)?;
    if !as_port {
        removed::check(&mut db, &mut Db::connect(&hub.config.target(), Which::Hub)?, report)?;
    }

    let scope = if args.all { "all months".to_owned() } else { format!("{months} month(s)") };
    report.end(&scope)
}

/// Says which months have no rows any more, and whether the states that stand for them are whole.
fn kept_states(db: &mut Db, pruned: &Pruned, report: &mut Report<'_>) -> Result<()> {
    for group in Group::ALL {
        let Some(gone) = pruned.of(group) else { continue };
        let (what, through, made) = (group.what(), gone.rows, &gone.made);
        if let Err(error) = pruned::load(db, gone) {
            report.warning(format_args!("{what} through {through} were removed: {error:#}"))?;
            let advice = "(restore the table hz_pruned from a backup: without it no summary can be computed)";
            report.found_in(PRUNED, "(damaged)", Remedy::Advice(advice.into()));
        } else {
            report.info(format_args!(
                "{what} through {through} were removed; the state of {made} that stands for them is whole"
            ))?;
        }
    }
    Ok(())
}

/// How many rows of each month readers see: cells, and statistics of months that have not begun.
fn published(hub: &Hub, db: &mut Db) -> Result<BTreeMap<Month, u64>> {
    let current = kit::current_month()?;
    let mut months = BTreeMap::new();
    let cells = SUMMARIES.into_iter().chain(["summary_andmore_vals"]).map(str::to_owned).collect::<Vec<_>>();
    tables::published(db, &cells, &mut months)?;
    let names = ["resource_stats", "resource_stats_tools", "stats_topvals"];
    let statistics = names.map(|name| format!("{}{name}", hub.config.db_prefix));
    let mut of_hub = BTreeMap::new();
    tables::published(&mut Db::connect(&hub.config.target(), Which::Hub)?, &statistics, &mut of_hub)?;
    for (month, n) in of_hub.into_iter().filter(|(month, _)| *month > current) {
        *months.entry(month).or_default() += n;
    }
    Ok(months)
}

/// How many tool starts of each month are there more often than their jobs.
fn doubled_starts(hub: &Hub, db: &mut Db, scope: Scope) -> Result<BTreeMap<Month, u64>> {
    let mut of_hub = Db::connect(&hub.config.target(), Which::Hub)?;
    let mut months = BTreeMap::new();
    if of_hub.has_table("joblog")? && of_hub.has_table("sessionlog")? && db.has_table("toolstart")? {
        for row in tool_starts::surplus(db, &mut of_hub, scope.start, scope.end)? {
            if let Some(month) = row.stamp.month() {
                *months.entry(month).or_default() += 1;
            }
        }
    }
    Ok(months)
}

/// Those of the months of which there is neither a row nor a log, imported or in the ledger.
fn without_source(
    hub: &Hub,
    db: &mut Db,
    months: impl Iterator<Item = Month>,
    entries: &[Vec<Entry>; 2],
) -> Result<BTreeSet<Month>> {
    let booked: BTreeSet<Month> =
        entries.iter().flat_map(|entries| ledger::days(entries)).filter_map(month_of).collect();
    let mut found = BTreeSet::new();
    for month in months.filter(|month| !booked.contains(month)) {
        if !has_data(db, month)? && !tables::has_tool_starts(db, month)? && !has_log(hub, month)? {
            found.insert(month);
        }
    }
    Ok(found)
}

/// The month of a day number.
fn month_of(day: i64) -> Option<Month> {
    let first = Stamp::from_parts(1, 1, 1, 0, 0, 0);
    first.plus_days(day - first.day_number()?).month()
}

/// Whether a log of a month is in `imported/`.
fn has_log(hub: &Hub, month: Month) -> Result<bool> {
    let head = month.to_string().replace('-', "");
    let site = Some(hub.config.site.name.as_str());
    for stream in [Stream::Access, Stream::Auth] {
        let logs = discovery::flat(&hub.imported(stream), stream, site)?;
        if logs.iter().any(|log| log.date().is_some_and(|day| day.starts_with(&head))) {
            return Ok(true);
        }
    }
    Ok(false)
}
