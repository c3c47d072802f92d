//! Which visitors requested which paths in which month: what the usage of resources is counted from, whatever
//! resources there will be.

use anyhow::{Result, ensure};
use rustc_hash::FxHashMap;
use schema::Stamp;

use crate::andmore::{Matcher, Visit, visitor_key};
use crate::axis::{Axis, Moment};
use crate::state::record::records;
use crate::state::when::{self, NEVER};

records! {
    /// A visitor requested the path with this number in a month.
    Requested { path: u32, visitor: u128, month: u16 }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paths {
    pub paths: Vec<String>,
    pub requested: Vec<Requested>,
}

/// A request, reduced.
#[derive(Debug)]
pub(crate) struct Seen {
    path: Box<str>,
    visitor: u128,
    month: u16,
}

impl Seen {
    /// `None` for a request before 1995, which is in no period.
    pub(crate) fn of(t: Stamp, path: &str, ip: &str, host: &str) -> Option<Self> {
        let code = when::code(t);
        (code != NEVER).then(|| Self { path: path.into(), visitor: visitor_key(ip, host), month: code / 2 })
    }
}

/// Collects them: a path once, a visitor of it once a month.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    numbers: FxHashMap<Box<str>, u32>,
    requested: Vec<Requested>,
    settled: usize,
}

impl Collected {
    pub(crate) fn take(&mut self, Seen { path, visitor, month }: Seen) {
        let n = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let path = *self.numbers.entry(path).or_insert(n);
        self.requested.push(Requested { path, visitor, month });
        if self.requested.len() >= (2 * self.settled).max(1 << 16) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.requested.sort_unstable();
        self.requested.dedup();
        self.settled = self.requested.len();
    }

    pub(crate) fn finish(mut self) -> Paths {
        self.settle();
        let mut paths: Vec<_> = self.numbers.into_iter().collect();
        paths.sort_unstable_by_key(|(_, n)| *n);
        Paths { paths: paths.into_iter().map(|(path, _)| path.into()).collect(), requested: self.requested }
    }
}

impl Paths {
    /// Those of two times together.
    pub(crate) fn unite(self, other: Self) -> Self {
        let mut all = Collected::default();
        for Self { paths, requested } in [self, other] {
            let mut number = |path: String| {
                let n = u32::try_from(all.numbers.len()).unwrap_or(u32::MAX);
                *all.numbers.entry(path.into()).or_insert(n)
            };
            let new: Vec<u32> = paths.into_iter().map(&mut number).collect();
            let row = |row: Requested| Requested { path: new.get(row.path as usize).copied().unwrap_or(0), ..row };
            all.requested.extend(requested.into_iter().map(row));
        }
        all.finish()
    }

    /// Passes the visits of groups of URLs to `emit`.
    pub(crate) fn visits(&self, matcher: &Matcher, axis: &Axis, mut emit: impl FnMut(Visit)) {
        for rows in self.requested.chunk_by(|a, b| a.path == b.path) {
            let mut groups = Vec::new();
            let path = rows.first().and_then(|row| self.paths.get(row.path as usize));
            matcher.find(path.map_or("", String::as_str), |group| groups.push(group));
            if groups.is_empty() {
                continue;
            }
            for row in rows {
                let moment = when::instant(row.month * 2 + 1).and_then(|t| axis.moment(t));
                let Some(moment) = moment else { continue };
                let seen = axis.seen_at(Moment { at_bound: false, ..moment });
                if seen.row < axis.n_rows() {
                    groups.iter().for_each(|&group| emit(Visit::new(group, row.visitor, seen)));
                }
            }
        }
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    /// A record names a path that is not there.
    pub(crate) fn check(self) -> Result<Self> {
        let n = self.paths.len();
        ensure!(self.requested.iter().all(|row| (row.path as usize) < n), "a section is damaged");
        Ok(self)
    }
}
