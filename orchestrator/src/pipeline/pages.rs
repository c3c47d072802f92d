//! The pages of the usage report (`[report] path`): which months need a new one, and the stage that writes it.
//!
//! A page is due if the cells that it shows, or the settings, are no longer those that it was written from,
//! whoever published them; the page of the running month is due once a day. What a page was written from is kept
//! in a file of our own, and noted when the page is complete: a run that is killed writes it again.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use database::Db;
use kit::{WholeFile, door};
use schema::{Month, Period};
use serde_json::{Map, Value};

use super::decisions;
use super::facts::{self, SUMMARIES};
use super::state::State;
use super::worker::Worker;
use crate::hub::Hub;

/// So many months get a page when they have none; older ones keep the page that they have.
const LATEST: usize = 12;
/// How many months a page looks back if nothing else is configured.
const MONTHS: u32 = 36;
/// A month is compared with the one a year before.
const YEAR: u32 = 12;
/// The largest file of notes.
const LONGEST: u64 = 1 << 20;

/// A page to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// Of a published month.
    Of(Month),
    /// Of the month that has not ended.
    Running(Month),
}

/// What the pages were written from.
#[derive(Debug, Default, PartialEq, Eq)]
struct Notes {
    settings: String,
    /// The cells of published months.
    months: BTreeMap<Month, String>,
    /// The day on which the page of the running month was written.
    running: String,
}

impl Notes {
    fn path(hub: &Hub) -> PathBuf {
        let paths = &hub.config.paths;
        let folders = [paths.staging(), paths.runtime()];
        let there = folders.iter().find(|folder| folder.is_dir()).unwrap_or(&folders[1]);
        there.join("_report.json")
    }

    /// Without a file, or with one that cannot be used, every page is due.
    fn read(hub: &Hub) -> Self {
        let text = door::read_to_string(&Self::path(hub), LONGEST).unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let months = value["months"].as_object().into_iter().flatten();
        Self {
            settings: text(&value["settings"]),
            months: months.filter_map(|(month, cells)| Some((month.parse().ok()?, text(cells)))).collect(),
            running: text(&value["running"]),
        }
    }

    fn write(&self, hub: &Hub) -> Result<()> {
        let months: Map<_, _> = self.months.iter().map(|(m, cells)| (m.to_string(), cells.clone().into())).collect();
        let value = serde_json::json!({"settings": self.settings, "months": months, "running": self.running});
        let mut file = WholeFile::create(&Self::path(hub))?;
        // what the cells sum up to says something about numbers that the public may not see
        file.set_mode(0o600)?;
        writeln!(file, "{value:#}").context("writing what the pages were written from")?;
        file.publish()
    }
}

/// Writes the pages that are due, until `is_time_up`. Without `[report] path` nothing is due.
///
/// # Errors
/// A page cannot be written, or the connection is lost; the others are written.
pub(crate) fn write_due(worker: &mut Worker<'_>, db: &mut Db, is_time_up: &dyn Fn() -> bool) -> Result<()> {
    let hub = worker.hub;
    let Some(folder) = folder(hub)? else { return Ok(()) };
    let facts = Facts::look(hub, db, folder)?;
    for month in &facts.to_remove {
        hub.log.info(format_args!("[report] {month} is withheld: its page is removed"));
        worker.remove_page(&page(folder, *month))?;
    }
    let mut failed = None;
    for due in facts.due() {
        if is_time_up() {
            hub.log.info("[report] the time is up; the next run writes the other pages");
            break;
        }
        match write(worker, due, folder, &facts) {
            Ok(()) => {}
            // the next page would fail for the same reason
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Writes the page of one month, whether it is due or not.
///
/// # Errors
/// Those of [`write_due`]; or there is no `[report] path`, or the month is not published.
pub(crate) fn write_one(worker: &mut Worker<'_>, db: &mut Db, month: Month) -> Result<()> {
    let hub = worker.hub;
    let folder = folder(hub)?.context("there is no `[report] path` in the configuration")?;
    let facts = Facts::look(hub, db, folder)?;
    let page = if month == facts.current { Page::Running(month) } else { Page::Of(month) };
    write(worker, page, folder, &facts)
}

/// The folder of the pages.
///
/// # Errors
/// It depends on the folder in which a run is started.
fn folder(hub: &Hub) -> Result<Option<&Path>> {
    let path = hub.config.report.path.as_deref();
    if let Some(path) = path {
        ensure!(path.is_absolute(), "[report] path: {} is not an absolute path", path.display());
    }
    Ok(path)
}

fn page(folder: &Path, month: Month) -> PathBuf {
    folder.join(format!("{month}.html"))
}

/// Starts the stage, and notes what the page was written from.
fn write(worker: &mut Worker<'_>, page: Page, folder: &Path, facts: &Facts) -> Result<()> {
    let hub = worker.hub;
    let mut args: Vec<String> = ["--from", "db", "--folder"].map(str::to_owned).into();
    args.push(folder.display().to_string());
    let of_report = &hub.config.report;
    for (option, value) in [("--mode", &of_report.mode), ("--owner", &of_report.owner)] {
        args.extend(value.iter().map(|value| format!("{option}={value}")));
    }
    args.push(match page {
        Page::Of(month) => month.to_string(),
        Page::Running(_) => "--running".to_owned(),
    });
    let is_written = worker.report(args)?;
    if !is_written {
        return Ok(());
    }
    let mut notes = Notes::read(hub);
    if notes.settings != facts.settings {
        notes = Notes { settings: facts.settings.clone(), ..Notes::default() };
    }
    match page {
        Page::Of(month) => {
            notes.months.insert(month, facts.cells_of(month));
        }
        Page::Running(month) => notes.running = format!("{month} {}", facts.today),
    }
    notes.write(hub)
}

/// What decides which pages are due.
struct Facts {
    notes: Notes,
    settings: String,
    current: Month,
    /// Whether the running month is withheld, too.
    is_running_withheld: bool,
    /// `YYYY-MM-DD`.
    today: String,
    n_months: u32,
    /// Published months.
    published: Vec<Month>,
    /// Number and checksum of the cells of each month.
    cells: BTreeMap<Month, (u64, u64)>,
    /// Months with a page.
    pages: Vec<Month>,
    /// Withheld months with a page.
    to_remove: Vec<Month>,
}

impl Facts {
    fn look(hub: &Hub, db: &mut Db, folder: &Path) -> Result<Self> {
        let today = kit::today()?;
        let current = today.month().context("the clock is set to a year outside 0 to 9999")?;
        let withheld = State::read(db)?.withheld;
        let mut published: Vec<_> = facts::published_months(db, current)?.difference(&withheld).copied().collect();
        published.retain(|month| *month < current);
        let names = if door::look(folder)?.is_some() { door::list(folder) } else { Ok(Vec::new()) };
        let names = names.with_context(|| format!("reading the folder {}", folder.display()))?;
        let month = |name: &std::ffi::OsString| name.to_str()?.strip_suffix(".html")?.parse::<Month>().ok();
        let (to_remove, pages) = names.iter().filter_map(month).partition(|month| withheld.contains(month));
        let of_key = |name: &str| hub.config.settings().iter().find(|s| s.key.section == "report" && s.name == name);
        let n_months = of_key("months").and_then(|setting| setting.shown().parse().ok()).unwrap_or(MONTHS);
        Ok(Self {
            notes: Notes::read(hub),
            settings: settings(hub),
            current,
            is_running_withheld: withheld.contains(&current),
            today: decisions::day(today),
            n_months,
            published,
            cells: cells(db)?,
            pages,
            to_remove,
        })
    }

    /// Number and checksum of all cells that the page of a month shows.
    fn cells_of(&self, month: Month) -> String {
        let first = month.minus(self.n_months.saturating_sub(1) + YEAR);
        let of_page = self.cells.range(first..=month).map(|(_, cells)| *cells);
        let (n, sum) = of_page.fold((0, 0_u64), |(n, sum), of| (n + of.0, sum.wrapping_add(of.1)));
        format!("{n} {sum}")
    }

    /// The pages that are due, the latest first.
    fn due(&self) -> Vec<Page> {
        let is_same = self.notes.settings == self.settings;
        let is_noted =
            |month: &Month| self.notes.months.get(month).is_some_and(|noted| *noted == self.cells_of(*month));
        let is_there = |month: &Month| self.pages.contains(month);
        let is_due = |(i, month): &(usize, Month)| {
            if is_there(month) { !is_same || !is_noted(month) } else { *i < LATEST }
        };
        let running = format!("{} {}", self.current, self.today);
        let is_old = !is_same || self.notes.running != running || !is_there(&self.current);
        // a page that is written takes those that were removed out of the index
        let removes = !self.to_remove.is_empty();
        let latest = || self.published.iter().rev().copied();
        let mut due = Vec::new();
        if (is_old || removes) && !self.is_running_withheld {
            due.push(Page::Running(self.current));
        }
        due.extend(latest().enumerate().filter(is_due).map(|(_, month)| Page::Of(month)));
        if due.is_empty() && removes {
            due.extend(latest().next().map(Page::Of));
        }
        due
    }
}

/// What is configured about the report, and who writes it.
fn settings(hub: &Hub) -> String {
    let of_report = hub.config.settings().iter().filter(|setting| setting.key.section == "report");
    let mut lines: Vec<_> = of_report.map(|setting| format!("{}={}", setting.name, setting.shown())).collect();
    lines.push(kit::VERSION.to_owned());
    lines.sort_unstable();
    lines.join("\n")
}

/// Number and checksum of the cells that pages show, by month.
fn cells(db: &mut Db) -> Result<BTreeMap<Month, (u64, u64)>> {
    let mut months = BTreeMap::new();
    for table in SUMMARIES {
        let sql = format!(
            "SELECT YEAR(datetime), MONTH(datetime), COUNT(*), \
             SUM(CRC32(CONCAT_WS('|', '{table}', datetime, rowid, colid, period, value))) FROM {table} \
             WHERE period IN ({}, {}) AND DAYOFMONTH(datetime) = 0 GROUP BY 1, 2",
            Period::Month,
            Period::TwelveMonths
        );
        db.each(&sql, (), |row| {
            if let Some(month) = facts::month(row.int(0), row.int(1)) {
                let sum = row.text(3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
                let entry: &mut (u64, u64) = months.entry(month).or_default();
                *entry = (entry.0 + row.uint(2).unwrap_or(0), entry.1.wrapping_add(sum));
            }
            Ok(())
        })?;
    }
    Ok(months)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    /// A hub on 10 May 2026 whose published months all have a page that is as it should be.
    fn calm() -> Facts {
        let published: Vec<Month> = month("2024-01").through(month("2026-04")).collect();
        let cells = published.iter().map(|month| (*month, (1, u64::from(month.ordinal())))).collect();
        let mut facts = Facts {
            notes: Notes::default(),
            settings: "s".to_owned(),
            current: month("2026-05"),
            is_running_withheld: false,
            today: "2026-05-10".to_owned(),
            n_months: 2,
            pages: published.iter().copied().chain([month("2026-05")]).collect(),
            published,
            cells,
            to_remove: Vec::new(),
        };
        let months = facts.published.iter().map(|month| (*month, facts.cells_of(*month))).collect();
        facts.notes = Notes { settings: "s".to_owned(), months, running: "2026-05 2026-05-10".to_owned() };
        facts
    }

    #[test]
    fn pages_are_due_when_what_they_show_has_changed() {
        let of = |facts: &Facts| {
            let name = |page: &Page| match page {
                Page::Of(month) => month.to_string(),
                Page::Running(_) => "running".to_owned(),
            };
            facts.due().iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(of(&calm()), [""; 0]);
        let changed = |change: fn(&mut Facts)| {
            let mut facts = calm();
            change(&mut facts);
            of(&facts)
        };
        assert_eq!(changed(|facts| facts.today = "2026-05-11".to_owned()), ["running"]);
        assert_eq!(changed(|facts| facts.pages.retain(|page| *page != month("2026-05"))), ["running"]);
        assert_eq!(changed(|facts| facts.to_remove = vec![month("2026-06")]), ["running"]);
        let withheld = |facts: &mut Facts| {
            facts.is_running_withheld = true;
            facts.pages.retain(|page| *page != month("2026-05"));
        };
        assert_eq!(changed(withheld), [""; 0]);
        let removed = |facts: &mut Facts| {
            facts.is_running_withheld = true;
            facts.to_remove = vec![month("2026-05")];
        };
        assert_eq!(changed(removed), ["2026-04"]);
        // a cell of April 2024 is in the charts of two months, and in what the next year is compared with
        let of_april = changed(|facts| {
            facts.cells.insert(month("2024-04"), (1, 7));
        });
        assert_eq!((of_april.len(), of_april.first().unwrap().as_str()), (14, "2025-05"));
        assert_eq!(of_april.last().unwrap(), "2024-04");
        assert_eq!(changed(|facts| facts.settings = "t".to_owned()).len(), 29);
        // a month that is published now had a page when it was the running one
        assert_eq!(changed(|facts| drop(facts.notes.months.remove(&month("2026-04")))), ["2026-04"]);
        // nobody wants ten years of pages at once
        let first = changed(|facts| facts.pages.clear());
        assert_eq!((first.len(), first.last().unwrap().as_str()), (13, "2025-05"));
        let old = changed(|facts| {
            facts.cells.insert(month("2024-01"), (1, 7));
            facts.pages.retain(|page| *page > month("2024-06"));
        });
        assert_eq!((old.first().unwrap().as_str(), old.last().unwrap().as_str()), ("2025-02", "2024-07"));
    }
}
