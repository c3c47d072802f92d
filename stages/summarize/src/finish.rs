//! From the result of the scan to the figures of every period: joins, rectangles, sums.

use std::sync::Arc;

use anyhow::Result;
use hashbrown::HashMap;
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};
use schema::collation::hash;
use schema::{Opt, Period, Stamp, number};

use crate::axis::{Axis, Moment, Visibility, Window};
use crate::count::{Counts, Tally};
use crate::row::NO_ID;
use crate::scan::{First, Ground, Numbers, Scan, Session, Shape, Starts, day_text, ip_key};
use crate::state::chunks::{Meaning, Part, count_parts};
use crate::twins;

/// Columns 1 to 6 of rows 7 and 3.
const LONG: usize = 0;
/// Columns 1 to 6 of rows 8 and 4.
const DOWNLOAD: usize = 6;
/// Visitors of any kind.
pub(crate) const VISITOR: usize = 12;
/// Then the classes of rows 7 and 3, then those of rows 8 and 4.
pub(crate) const CLASSES: usize = 13;

/// What a column of rows 7 and 3, or of rows 8 and 4 (`downloads`), is the sum of: one kind of event for
/// a residence, one for each class of organisations that the column has.
pub(crate) fn dimensions(downloads: bool, colid: u8, classes: &[i64]) -> Vec<usize> {
    let column = usize::from(colid) - 1;
    let first = CLASSES + if downloads { classes.len() } else { 0 };
    match colid {
        1..=6 => vec![if downloads { DOWNLOAD } else { LONG } + column],
        7 => (first..first + classes.len()).collect(),
        _ => {
            let class = [1, 2, 3, 6][column - 7];
            classes.binary_search(&class).map_or_else(|_| Vec::new(), |at| vec![first + at])
        }
    }
}

/// CPU seconds that make a middleware user a heavy one.
pub(crate) const HEAVY_SECS: f64 = 600.0;
/// Starts that make a user a regular one.
pub(crate) const REGULAR_STARTS: u64 = 10;
/// Days between first and last start that make a user a faithful one.
const FAITHFUL_DAYS: i64 = 90;

/// Sums of seconds over one period.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seconds {
    /// CPU time of sessions of other tools.
    pub cpu_sessions: f64,
    /// CPU time of jobs of Rappture tools.
    pub cpu_jobs: f64,
    pub wall: f64,
    pub view: f64,
    pub heavy_users: i64,
}

/// The busiest day between two bounds: distinct users and the day.
type Busy = Option<(u32, u32)>;

/// Everything shown in the cells.
#[derive(Debug)]
pub(crate) struct Figures {
    ground: Arc<Ground>,
    visitors: Counts<i32>,
    joined: Counts<i32>,
    registered: Counts<i32>,
    simulating: Counts<i32>,
    domains: Counts<i32>,
    accounts: Counts<i32>,
    starts: Counts<i64>,
    user_starts: Tally,
    visits: Tally,
    stays: Tally,
    stay_secs: Tally,
    hits: Tally,
    hit_rows: Tally,
    seconds: HashMap<Window, Seconds, FxBuildHasher>,
    /// For each bound: with and without what happened exactly at it.
    busiest: Vec<(Busy, Busy)>,
}

/// Dimensions of [`Figures::starts`].
const DAYS: usize = 0;
const REGULAR: usize = 1;
const FAITHFUL: usize = 2;

impl Scan {
    /// The figures of all periods.
    ///
    /// # Errors
    /// The temporary files cannot be read.
    pub(crate) fn finish(self) -> Result<Figures> {
        self.finish_with(&[])
    }

    /// The figures, with the sessions of kept states.
    ///
    /// # Errors
    /// As [`Scan::finish`], and a state is damaged.
    pub(crate) fn finish_with(mut self, kept: &[Meaning<'_>]) -> Result<Figures> {
        self.settle_downloads();
        // the following needs memory, so finished data is dropped
        self.visitors.close();
        self.sessions.shrink_to_fit();
        twins::refuse(self.sessions.iter().map(|session| session.id))?;
        let seconds = self.seconds();
        (self.tool_sessions, self.jobs) = (Vec::new(), Vec::new());
        let starts = self.starts();
        let axis = &self.ground.axis;
        let take = |list: &mut crate::count::Distinct<_>| std::mem::replace(list, crate::count::Distinct::new());
        let per_key = |items: Vec<(u32, Visibility)>| {
            let mut counts = Counts::new(axis, 1);
            for group in items.chunk_by(|a, b| a.0 == b.0) {
                let seen: Vec<_> = group.iter().map(|item| item.1).collect();
                counts.key(0, &seen, &[], 1);
            }
            counts.settle()
        };
        let domains = per_key(take(&mut self.domain_seen).into_sorted());
        let mut accounts = Counts::new(axis, 1);
        let registrations = std::mem::replace(&mut self.registered, crate::count::Distinct::new()).into_sorted();
        for group in registrations.chunk_by(|a, b| a.0 == b.0) {
            let seen: Vec<_> = group.iter().map(|item| item.1).collect();
            accounts.key(0, &seen, &[], 1);
        }
        let accounts = accounts.settle();

        let mut registered = Counts::new(axis, 11);
        for group in take(&mut self.user_seen).into_sorted().chunk_by(|a, b| a.0 == b.0) {
            let name = self.users.keys()[group[0].0 as usize];
            let columns = self.profiles.get(&name).copied().unwrap_or(0) | 1;
            let seen: Vec<_> = group.iter().map(|item| item.1).collect();
            for column in (0..11).filter(|c| columns & (1 << c) != 0) {
                registered.key(column, &seen, &[], 1);
            }
        }
        let registered = registered.settle();

        let mut simulating = Counts::new(axis, 11);
        let starters = std::mem::replace(&mut self.starter_seen, crate::count::Distinct::new()).into_sorted();
        for group in starters.chunk_by(|a, b| a.0 == b.0) {
            for column in 0..11 {
                let mut seen: Vec<_> = group.iter().filter(|s| s.1 & (1 << column) != 0).map(|s| s.2).collect();
                seen.sort_unstable();
                simulating.key(column, &seen, &[], 1);
            }
        }
        let simulating = simulating.settle();

        let busiest = self.busiest();
        let (visitors, joined) = self.visitors(kept)?;
        Ok(Figures {
            visitors,
            joined,
            registered,
            simulating,
            domains,
            accounts,
            starts,
            user_starts: self.user_starts,
            visits: self.visits,
            stays: self.stays,
            stay_secs: self.stay_secs,
            hits: self.hits,
            hit_rows: self.hit_rows,
            seconds,
            busiest,
            ground: self.ground,
        })
    }

    /// Visitors by column and class, and users joined to them by address.
    fn visitors(&mut self, kept: &[Meaning<'_>]) -> Result<(Counts<i32>, Counts<i32>)> {
        if self.spill.is_some() {
            // including the rest: data that belongs together is in one place
            self.relieve(0)?;
        }
        let axis = &self.ground.axis;
        let n_classes = self.ground.places.classes().len();
        let n_dims = CLASSES + 2 * n_classes;
        let downloads = std::mem::replace(&mut self.downloads, crate::count::Distinct::new()).into_sorted();
        let logins = std::mem::replace(&mut self.ip_seen, crate::count::Distinct::new()).into_sorted();
        let mut barred: FxHashMap<u64, Vec<Visibility>> = FxHashMap::default();
        for (ip, seen) in logins {
            barred.entry(ip).or_default().push(seen);
        }
        let pairs = std::mem::replace(&mut self.ip_users, crate::count::Distinct::new()).into_sorted();
        let mut places: FxHashMap<u64, u32> = FxHashMap::default();
        for &(_, ip) in &pairs {
            let n = u32::try_from(places.len()).unwrap_or(u32::MAX);
            places.entry(ip).or_insert(n);
        }

        let mut visitors = Counts::new(axis, n_dims);
        let mut at_ip = Vec::new();
        let mut count = |sessions: &mut [Session], keys: &[u128], downloads: &[(i64, Option<Visibility>)]| {
            sessions.par_sort_unstable_by_key(|s| (s.visitor, s.shape));
            let join = Join { keys, shapes: &self.shapes, downloads, barred: &barred, places: &places, n_classes };
            let parts: Vec<_> = split(sessions, rayon::current_num_threads())
                .into_par_iter()
                .map(|part| join.count(part, Counts::new(axis, n_dims)))
                .collect();
            for (counts, seen) in parts {
                visitors.merge(&counts);
                at_ip.extend(seen);
            }
        };
        let spilled = self.spill.take();
        count(&mut std::mem::take(&mut self.sessions), self.visitors.keys(), &downloads);
        if let Some(spilled) = spilled {
            spilled.join(|part| {
                let mut numbers = Numbers::default();
                let mut sessions = Vec::with_capacity(part.len());
                let mut downloads = Vec::new();
                for (met, id) in part.into_iter().zip(0..) {
                    let visitor = numbers.of(met.visitor);
                    sessions.push(Session { id, visitor, shape: met.shape });
                    downloads.extend(met.downloads.into_iter().map(|seen| (id, seen)));
                }
                count(&mut sessions, numbers.keys(), &downloads);
                Ok(())
            })?;
        }
        if !kept.is_empty() {
            let count = |part: &Part| {
                let Part { keys, shapes, downloads, sessions } = part;
                let join = Join { keys, shapes, downloads, barred: &barred, places: &places, n_classes };
                join.count(sessions, Counts::new(axis, n_dims))
            };
            for (counts, seen) in count_parts(kept, axis, count)? {
                visitors.merge(&counts);
                at_ip.extend(seen);
            }
        }
        at_ip.par_sort_unstable();
        at_ip.dedup();
        Ok((visitors.settle(), self.joined(&pairs, &places, &at_ip, n_dims)))
    }

    /// Users by the sessions from any address that they ever logged in from.
    fn joined(
        &self,
        pairs: &[(u32, u64)],
        places: &FxHashMap<u64, u32>,
        at_ip: &[(u32, u16, Visibility)],
        n_dims: usize,
    ) -> Counts<i32> {
        let axis = &self.ground.axis;
        let localhost = ip_key("127.0.0.1");
        let ignored = self.ground.compat.has(Opt::LpSummary).then(|| ip_key(""));
        let mut ends = vec![0; places.len() + 1];
        for (ip, ..) in at_ip {
            ends[*ip as usize + 1] += 1;
        }
        for i in 1..ends.len() {
            ends[i] += ends[i - 1];
        }
        let mut counts = Counts::new(axis, n_dims);
        let mut found: Vec<(u16, Visibility)> = Vec::new();
        let mut seen = Vec::new();
        for user in pairs.chunk_by(|a, b| a.0 == b.0) {
            let always = user.iter().any(|(_, ip)| *ip == localhost);
            if always {
                for dim in LONG..VISITOR {
                    counts.add(dim, 0..axis.n_rows(), 0..u16::try_from(axis.n_bounds()).unwrap_or(u16::MAX), 1);
                }
            }
            found.clear();
            for (_, ip) in user {
                let place = places[ip] as usize;
                let here = at_ip[ends[place]..ends[place + 1]].iter().map(|e| (e.1, e.2));
                let of_columns = !always && Some(*ip) != ignored;
                found.extend(here.filter(|(dim, _)| of_columns || usize::from(*dim) >= CLASSES));
            }
            found.sort_unstable();
            for group in found.chunk_by(|a, b| a.0 == b.0) {
                seen.clear();
                seen.extend(group.iter().map(|e| e.1));
                counts.key(group[0].0.into(), &seen, &[], 1);
            }
        }
        counts.settle()
    }

    /// Days between starts, regular and faithful users.
    fn starts(&mut self) -> Counts<i64> {
        let nobody = self.starters.of(hash(""));
        let as_port = self.ground.compat.has(Opt::LpSummary);
        let axis = &self.ground.axis;
        let mut counts = Counts::new(axis, 3);
        let mut list: Vec<_> = std::mem::take(&mut self.starts).into_iter().collect();
        list.sort_unstable_by_key(|(key, _)| *key);
        for group in list.chunk_by(|a, b| a.0.0 == b.0.0) {
            let user = group[0].0.0;
            // for a missing user, legacy looks up the first start of an empty name
            let first = self.firsts.get(&user.or(Some(nobody))).copied().unwrap_or_default();
            for (i, ((_, bucket), starts)) in group.iter().enumerate() {
                let row_of = |bucket| axis.seen_at(Moment { bucket, at_bound: false }).row;
                let rows = row_of(*bucket)..group.get(i + 1).map_or(axis.n_rows(), |next| row_of(next.0.1));
                let Some(latest) = starts.latest.filter(|_| !rows.is_empty()) else { continue };
                counts.add(REGULAR, rows.clone(), 0..level(&group[..=i], REGULAR_STARTS), 1);
                if as_port && user.is_none() {
                    continue;
                }
                if is_faithful(first, latest) {
                    counts.add(FAITHFUL, rows.clone(), 0..level(&group[..=i], 1), 1);
                }
                counts.add(DAYS, rows, 0..level(&group[..=i], 2), days_between(first, latest, as_port));
            }
        }
        counts.settle()
    }

    /// The busiest day between any two bounds.
    fn busiest(&mut self) -> Vec<(Busy, Busy)> {
        let axis = &self.ground.axis;
        let mut busiest = vec![(None, None); axis.n_bounds()];
        let list = std::mem::replace(&mut self.day_users, crate::count::Distinct::new()).into_sorted();
        for day in list.chunk_by(|a, b| a.0 == b.0) {
            let code = day[0].0;
            let midnight = Stamp::from_parts((code >> 9) as u16, (code >> 5 & 15) as u8, (code & 31) as u8, 0, 0, 0);
            let Some(moment) = axis.moment(midnight) else { continue };
            let users = |day: &[(u32, u32, bool)], all: bool| {
                let users = day.chunk_by(|a, b| a.1 == b.1).filter(|user| all || user.iter().any(|u| u.2));
                u32::try_from(users.count()).unwrap_or(u32::MAX)
            };
            let (with, without) = (users(day, true), users(day, !moment.at_bound));
            let best = &mut busiest[usize::from(moment.bucket)];
            better(&mut best.0, Some((with, code)));
            better(&mut best.1, Some((without, code)));
        }
        busiest
    }

    /// Sums of seconds: one accumulator per period, fed in the order of the rows.
    fn seconds(&mut self) -> HashMap<Window, Seconds, FxBuildHasher> {
        let axis = &self.ground.axis;
        let mut windows: Vec<Window> = Vec::new();
        for row in 0..axis.months().len() {
            for window in Period::BY_CODE.map(|period| axis.window(row, period)) {
                if window.start < window.stop && !windows.contains(&window) {
                    windows.push(window);
                }
            }
        }
        let inside: Vec<[Vec<usize>; 2]> = (0..axis.n_bounds())
            .map(|bucket| {
                [false, true].map(|at_bound| {
                    let within = |w: &&(usize, &Window)| {
                        let start = usize::from(w.1.start);
                        usize::from(w.1.stop) > bucket && (start < bucket || start == bucket && !at_bound)
                    };
                    windows.iter().enumerate().filter(|w| within(&w)).map(|w| w.0).collect()
                })
            })
            .collect();
        let of = |moment: Moment| &inside[usize::from(moment.bucket)][usize::from(moment.at_bound)];
        let mut sums = vec![Seconds::default(); windows.len()];
        let rappture = self.rappture();
        let add = |sum: &mut f64, value: f64| {
            if !value.is_nan() {
                *sum = number::sum(*sum, value);
            }
        };
        for s in &self.tool_sessions {
            let person = !self.system_users.contains(&s.user);
            for &w in of(s.moment) {
                if !rappture[s.app as usize] {
                    add(&mut sums[w].cpu_sessions, s.cpu);
                }
                if person {
                    add(&mut sums[w].wall, s.wall);
                    add(&mut sums[w].view, s.view);
                }
            }
        }
        let mut by_number: Vec<_> = (0..self.tool_sessions.len()).collect();
        let number = |i: &usize| self.tool_sessions[*i].sessnum;
        by_number.sort_by_key(number);
        for (sessnum, cpu) in &self.jobs {
            let from = by_number.partition_point(|i| number(i) < *sessnum);
            let sessions = by_number[from..].iter().take_while(|i| number(i) == *sessnum && *sessnum != NO_ID);
            for s in sessions.map(|&i| &self.tool_sessions[i]) {
                if rappture[s.app as usize] && !self.system_users.contains(&s.user) {
                    for &w in of(s.moment) {
                        sums[w].cpu_jobs += cpu;
                    }
                }
            }
        }
        let mut by_user: Vec<_> = self.tool_sessions.iter().filter(|s| !self.system_users.contains(&s.user)).collect();
        by_user.sort_by_key(|s| s.user);
        let mut cpu = vec![0.0; windows.len()];
        for user in by_user.chunk_by(|a, b| a.user == b.user) {
            cpu.fill(0.0);
            for s in user {
                for &w in of(s.moment) {
                    add(&mut cpu[w], s.cpu);
                }
            }
            for (sum, cpu) in sums.iter_mut().zip(&cpu) {
                sum.heavy_users += i64::from(*cpu >= HEAVY_SECS);
            }
        }
        windows.into_iter().zip(sums).collect()
    }
}

/// Whether a user came back: the first start of all is [`FAITHFUL_DAYS`] before the latest.
pub(crate) fn is_faithful(first: First, latest: Stamp) -> bool {
    let days = |t: Stamp| t.day_number().unwrap_or(0);
    let ever = first.ever.filter(|&ever| ever < latest).and_then(Stamp::day_number);
    ever.is_some_and(|ever| days(latest) - ever >= FAITHFUL_DAYS)
}

/// Days between the first start since 1995 and the latest; without a first one all days of the calendar,
/// in the port none.
pub(crate) fn days_between(first: First, latest: Stamp, as_port: bool) -> i64 {
    let days = |t: Stamp| t.day_number().unwrap_or(0);
    let first = first.since_1995.filter(|&first| first < latest);
    if as_port {
        let numbers = latest.day_number().zip(first.and_then(Stamp::day_number));
        numbers.map_or(0, |(latest, first)| (latest - first).max(0))
    } else {
        days(latest) - first.map_or(0, days)
    }
}

/// Takes the other day if it was busier; on a tie the existing one is kept.
fn better(best: &mut Busy, other: Busy) {
    if other.is_some_and(|(n, _)| n > best.map_or(0, |(n, _)| n)) {
        *best = other;
    }
}

/// The greatest level that at least `n` starts have, 0 if there are fewer.
fn level(buckets: &[((Option<u32>, u16), Starts)], n: u64) -> u16 {
    let mut count = 0;
    for ((_, bucket), starts) in buckets.iter().rev() {
        for (here, level) in [(starts.inside, bucket + 1), (starts.at_bound, *bucket)] {
            count += u64::from(here);
            if count >= n {
                return level;
            }
        }
    }
    0
}

/// Splits sessions sorted by visitor into about `n` parts, never inside a visitor.
fn split(sessions: &[Session], n: usize) -> Vec<&[Session]> {
    let mut parts = Vec::with_capacity(n);
    let mut rest = sessions;
    for left in (1..=n.max(1)).rev() {
        let mut end = rest.len() / left;
        while end > 0 && end < rest.len() && rest[end].visitor == rest[end - 1].visitor {
            end += 1;
        }
        let (part, tail) = rest.split_at(end);
        parts.push(part);
        rest = tail;
    }
    parts
}

/// The data that a session is joined with.
struct Join<'a> {
    keys: &'a [u128],
    shapes: &'a [Shape],
    downloads: &'a [(i64, Option<Visibility>)],
    barred: &'a FxHashMap<u64, Vec<Visibility>>,
    places: &'a FxHashMap<u64, u32>,
    n_classes: usize,
}

impl Join<'_> {
    /// Counts the visitors of some sessions; returns also what was seen at addresses with logins.
    fn count(&self, sessions: &[Session], mut counts: Counts<i32>) -> (Counts<i32>, Vec<(u32, u16, Visibility)>) {
        let localhost = ip_key("127.0.0.1");
        let mut at_ip = Vec::new();
        let mut found: Vec<(u16, Visibility)> = Vec::new();
        let mut seen = Vec::new();
        for group in sessions.chunk_by(|a, b| a.visitor == b.visitor) {
            let ip = (self.keys[group[0].visitor as usize] >> 64) as u64;
            let place = self.places.get(&ip).copied();
            found.clear();
            for session in group {
                let shape = &self.shapes[session.shape as usize];
                let from = self.downloads.partition_point(|d| d.0 < session.id);
                let mine = self.downloads[from..].iter().take_while(|d| d.0 == session.id && d.0 != NO_ID);
                events(shape, mine.map(|d| d.1), self.n_classes, |dim, unregistered, seen| {
                    if unregistered {
                        found.push((dim, seen));
                    }
                    if let Some(place) = place.filter(|_| usize::from(dim) != VISITOR) {
                        at_ip.push((place, dim, seen));
                    }
                });
            }
            found.sort_unstable();
            let barred = self.barred.get(&ip).map_or(&[][..], Vec::as_slice);
            for group in found.chunk_by(|a, b| a.0 == b.0) {
                let dim = usize::from(group[0].0);
                if dim != VISITOR && ip == localhost {
                    continue;
                }
                seen.clear();
                seen.extend(group.iter().map(|e| e.1));
                counts.key(dim, &seen, if dim == VISITOR { &[] } else { barred }, 1);
            }
            if at_ip.len() > 1 << 20 && at_ip.len() == at_ip.capacity() {
                at_ip.sort_unstable();
                at_ip.dedup();
            }
        }
        (counts, at_ip)
    }
}

/// What a session is an event of: the dimension, whether the visitor may count as an unregistered one, and
/// when. `downloads` are the times of its downloads, as far as a period sees them.
pub(crate) fn events(
    shape: &Shape,
    downloads: impl Iterator<Item = Option<Visibility>>,
    n_classes: usize,
    mut emit: impl FnMut(u16, bool, Visibility),
) {
    let mut dim = |dim: usize, unregistered: bool, seen: Visibility| {
        emit(u16::try_from(dim).unwrap_or(u16::MAX), unregistered, seen);
    };
    if shape.hosted {
        dim(VISITOR, true, shape.seen);
    }
    if !shape.plain {
        return;
    }
    let columns = || (0..6).filter(|c| shape.columns & (1 << c) != 0);
    let class = usize::from(shape.class).checked_sub(1);
    if shape.long {
        columns().for_each(|c| dim(LONG + c, shape.hosted, shape.seen));
        if let Some(class) = class {
            dim(CLASSES + class, shape.hosted, shape.seen);
        }
    }
    let short = shape.hosted && !shape.long;
    for (i, when) in downloads.enumerate() {
        if i == 0 {
            columns().for_each(|c| dim(DOWNLOAD + c, short, shape.seen));
        }
        // the organisations ask for both times in the period
        if let (Some(class), Some(when)) = (class, when) {
            dim(CLASSES + n_classes + class, short, both(shape.seen, when));
        }
    }
}

/// What sees the session and its download.
pub(crate) fn both(session: Visibility, download: Visibility) -> Visibility {
    Visibility { row: session.row.max(download.row), level: session.level.min(download.level) }
}

impl Figures {
    /// The periods.
    pub(crate) fn axis(&self) -> &Axis {
        &self.ground.axis
    }

    /// Whether to use the port's arithmetic.
    pub(crate) fn as_port(&self) -> bool {
        self.ground.compat.has(Opt::LpSummary)
    }

    /// A cell of `summary_user_vals`: rowid 1 to 8 without 5, colid 1 to 11.
    pub(crate) fn user(&self, rowid: u8, colid: u8, row: usize, period: Period) -> i64 {
        let start = self.axis().window(row, period).start;
        let column = usize::from(colid) - 1;
        let grouped = |counts: &Counts<i32>, downloads: bool| -> i64 {
            let dims = dimensions(downloads, colid, self.ground.places.classes());
            dims.into_iter().map(|dim| i64::from(counts.get(dim, row, start))).sum()
        };
        let again = |rowid| if colid <= 6 { self.user(rowid, colid, row, period) } else { 0 };
        match rowid {
            1 => [6, 7, 8].into_iter().map(|rowid| self.user(rowid, colid, row, period)).sum(),
            2 => self.simulating.get(column, row, start).into(),
            3 => again(7) + grouped(&self.joined, false),
            4 => again(8) + grouped(&self.joined, true),
            6 => self.registered.get(column, row, start).into(),
            7 => grouped(&self.visitors, false),
            8 => grouped(&self.visitors, true),
            _ => 0,
        }
    }

    /// Starts by users.
    pub(crate) fn user_starts(&self, row: usize, period: Period) -> i64 {
        whole(self.user_starts.sum(self.axis().window(row, period), false))
    }

    /// Days between the first and the latest start, summed over users.
    pub(crate) fn start_days(&self, row: usize, period: Period) -> i64 {
        self.starts.get(DAYS, row, self.axis().window(row, period).start.max(self.axis().epoch()))
    }

    /// Users with ten starts or more.
    pub(crate) fn regular(&self, row: usize, period: Period) -> i64 {
        self.starts.get(REGULAR, row, self.axis().window(row, period).start)
    }

    /// Users whose first start was three months before their latest.
    pub(crate) fn faithful(&self, row: usize, period: Period) -> i64 {
        self.starts.get(FAITHFUL, row, self.axis().window(row, period).start)
    }

    /// Sums of seconds of the middleware.
    pub(crate) fn seconds(&self, row: usize, period: Period) -> Seconds {
        self.seconds.get(&self.axis().window(row, period)).copied().unwrap_or_default()
    }

    /// Distinct domains of sessions.
    pub(crate) fn domains(&self, row: usize, period: Period) -> i64 {
        self.domains.get(0, row, self.axis().window(row, period).start).into()
    }

    /// Sessions that are long or have jobs, and their seconds.
    pub(crate) fn stays(&self, row: usize, period: Period) -> (i64, i128) {
        let window = self.axis().window(row, period);
        (whole(self.stays.sum(window, false)), self.stay_secs.sum(window, false))
    }

    /// Distinct visitors and their visits.
    pub(crate) fn visits(&self, row: usize, period: Period) -> (i64, i64) {
        let window = self.axis().window(row, period);
        (self.visitors.get(VISITOR, row, window.start).into(), whole(self.visits.sum(window, false)))
    }

    /// New accounts.
    pub(crate) fn accounts(&self, row: usize, period: Period) -> i64 {
        self.accounts.get(0, row, self.axis().window(row, period).start).into()
    }

    /// The busiest day of logins: users and the day.
    pub(crate) fn busiest(&self, row: usize, period: Period) -> Option<(u32, String)> {
        let window = self.axis().window(row, period);
        let mut best = None;
        for bucket in window.start..window.stop {
            let (with, without) = self.busiest[usize::from(bucket)];
            better(&mut best, if bucket == window.start { without } else { with });
        }
        best.map(|(n, day)| (n, day_text(day)))
    }

    /// Requests answered by the web server; `None` if no day is known.
    pub(crate) fn hits(&self, row: usize, period: Period) -> Option<i128> {
        let window = self.axis().window(row, period);
        let with_start = !self.ground.compat.has(Opt::HitsStartExclusive);
        (self.hit_rows.sum(window, with_start) > 0).then(|| self.hits.sum(window, with_start))
    }
}

fn whole(n: i128) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
