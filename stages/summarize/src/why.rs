//! `--why`: lists the rows that cells are made of. Rows are read as for the cells and go to the same scan.
//! If a listing does not add up to the cell computed by the scan, the run ends.

mod kept;
mod listing;
mod rule;
pub(crate) mod usage;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, bail};
use rustc_hash::FxHashMap;
use schema::cells::Summary;
use schema::collation::equal;
use schema::{Month, Period, Place, json};

use crate::args::Of;
use crate::cells::{Section, cells};
use crate::scan::{Ground, Scan};
use kept::Sessions;
pub(crate) use kept::{KeepingEye, Record, Sight, record};
use listing::{Adds, Entry, View};

/// The requested cells.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub month: Month,
    pub periods: Vec<Period>,
    pub places: Vec<Place>,
    /// Whether all requests of the sessions are listed.
    pub requests: bool,
    /// The rows to list; empty for all.
    pub only: Vec<Of>,
    /// How many rows of a cell are written at most.
    pub first: usize,
}

impl Question {
    /// The groups of cells that contain the requested places.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let section = |place: &Place| match (place.summary, place.rowid) {
            (Summary::Users, 1) => Section::Total,
            (Summary::Users, 2) => Section::Sim,
            (Summary::Users, 6) => Section::Reg,
            (Summary::Users, 3 | 7) => Section::Int,
            (Summary::Users, _) => Section::Dl,
            (Summary::Simulation, _) => Section::SimUsage,
            (Summary::Misc, _) => Section::Misc,
        };
        Section::ALL.into_iter().filter(|known| self.places.iter().any(|place| section(place) == *known)).collect()
    }
}

/// Requests, by session.
pub(crate) type Requests = FxHashMap<i64, Vec<Record>>;

/// Takes rows and gives the answer.
pub(crate) struct Keeper {
    scan: Scan,
    kept: kept::Kept,
    question: Question,
}

impl Keeper {
    /// A state without any row.
    pub(crate) fn new(scan: Scan, question: Question) -> Self {
        Self { scan, kept: kept::Kept::default(), question }
    }

    /// The scan, which must know the extensions first.
    pub(crate) const fn scan(&mut self) -> &mut Scan {
        &mut self.scan
    }

    /// The lens through which rows are read, with the extensions known so far.
    pub(crate) fn eye(&self) -> KeepingEye {
        let axis = &self.scan.ground.axis;
        let start = self.question.periods.iter().map(|period| axis.window(0, *period).start).min().unwrap_or(0);
        let sessions = Sessions::of(&self.question.places, self.scan.ground.places.classes());
        KeepingEye { lens: Arc::clone(self.scan.lens()), start, sessions }
    }

    /// Takes a row.
    pub(crate) fn take(&mut self, (fact, record): Sight) {
        if let Some(record) = record {
            self.kept.take(fact.clone(), record);
        }
        self.scan.absorb(fact);
    }

    /// Passes the records of the answer to `put`, cell by cell. `requests` finds the requests of
    /// sessions.
    ///
    /// # Errors
    /// A listing does not give its cell, or `put` or `requests` fails.
    pub(crate) fn answer(
        mut self,
        mut requests: impl FnMut(&[i64]) -> Result<Requests>,
        mut put: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.kept.settle(self.scan.lens());
        let ground: Arc<Ground> = Arc::clone(&self.scan.ground);
        let rappture = self.scan.rappture_tools();
        let figures = self.scan.finish()?;
        let question = &self.question;
        let mut now: FxHashMap<(Place, u8), String> = FxHashMap::default();
        cells(&figures, &question.periods, &question.sections(), |cell| {
            if let Some(summary) = Summary::of_table(cell.table) {
                now.insert((Place::new(summary, cell.rowid, cell.colid), cell.period.code()), cell.value);
            }
        });
        let mut out = Vec::new();
        for &period in &question.periods {
            let window = ground.axis.window(0, period);
            let view = View { kept: &self.kept, ground: &ground, rappture: &rappture, window };
            for &place in &question.places {
                let mut listing = view.listing(place);
                let cell = now.get(&(place, period.code()));
                if listing.value.as_ref() != cell {
                    bail!(
                        "{place}, period {period}: the listing gives {:?}, the cell is {cell:?}; this is a defect of the \
                         program, please report it",
                        listing.value
                    );
                }
                if question.requests {
                    listing.entries.retain(|entry| entry.adds != Adds::Nothing || !is(entry, "web"));
                }
                if !question.only.is_empty() {
                    listing.entries.retain(|entry| question.only.iter().any(|of| is_of(entry, of)));
                    if listing.entries.is_empty() {
                        continue;
                    }
                }
                let rule = rule::rule(place, question.month, period, ground.compat);
                out.clear();
                write::cell(&mut out, (place, question.month, period), &listing, &rule);
                listing.entries.truncate(question.first);
                let mut found = Requests::default();
                if question.requests {
                    let sessions: BTreeSet<i64> = listing.entries.iter().filter_map(session_of).collect();
                    found = requests(&Vec::from_iter(sessions))?;
                }
                for entry in &listing.entries {
                    write::evidence(&mut out, (&place, period), entry);
                    for request in session_of(entry).and_then(|session| found.get(&session)).into_iter().flatten() {
                        let request = Entry { adds: Adds::Nothing, record: request, ..entry.clone() };
                        write::evidence(&mut out, (&place, period), &request);
                    }
                    if out.len() > 1 << 16 {
                        put(&out)?;
                        out.clear();
                    }
                }
                put(&out)?;
            }
        }
        Ok(())
    }
}

fn is(entry: &Entry<'_>, kind: &str) -> bool {
    json::kind_of(entry.record).is_ok_and(|known| known == kind)
}

/// Whether a row is one of the requested ones.
fn is_of(entry: &Entry<'_>, of: &Of) -> bool {
    let field = |name| {
        let at = json::find(entry.record, name).ok()??;
        json::text_or_digits(entry.record.get(at)?).ok()?
    };
    match of {
        Of::Ip(ip) => field("ip").is_some_and(|known| equal(&known, ip)),
        Of::Row(kind, id) => is(entry, kind) && field("id").is_some_and(|known| known == id.to_string()),
    }
}

/// The session number of an entry.
fn session_of(entry: &Entry<'_>) -> Option<i64> {
    let id = json::find(entry.record, "id").ok()?.filter(|_| is(entry, "session"))?;
    std::str::from_utf8(entry.record.get(id)?).ok()?.parse().ok()
}
