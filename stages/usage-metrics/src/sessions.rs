//! Sessions of one month: which requests belong together, and which tool starts belong to them.
//!
//! A pure core on numbered texts and row numbers, used for both streams and tables. The rules are
//! those of the published counts, including their gaps: days 8, 16 and 24 are never examined, and
//! the last session open at the end of a month's run is never closed.

use rayon::prelude::*;
use schema::{Month, Stamp};

use crate::names::{Name, Weighed};

/// Seconds without a request after which a session is over.
const IDLE_SECS: i64 = 1800;
/// A tool start belongs to a session until this long after its last request.
const TOOL_SECS: i64 = 1799;
/// The maximum of the column `jobs`.
const MAX_JOBS: u32 = 127;

/// The four windows of a month that are examined: from, inclusive, and to, exclusive.
#[must_use]
pub(crate) fn windows(month: Month) -> [(Stamp, Stamp); 4] {
    let day = |day: u8| Stamp::from_parts(month.year(), month.month(), day, 0, 0, 0);
    [(day(1), day(8)), (day(9), day(16)), (day(17), day(24)), (day(25), month.next().start())]
}

/// A request that may become part of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Number of the row, ascending with its id.
    pub(crate) row: u32,
    /// Time of the request.
    pub(crate) stamp: Stamp,
    /// The same in seconds since 1970, `None` if there is no such number.
    pub(crate) epoch: Option<i64>,
    pub(crate) ip: Name,
    pub(crate) host: Name,
    pub(crate) domain: Name,
}

/// Whether a row without a session takes part at all.
pub(crate) fn is_candidate(ip: Name, host: Name, weighed: &Weighed) -> bool {
    !weighed.is_blank(ip) || !weighed.is_blank(host) && !weighed.is_question(host)
}

/// Sorts the rows of one window as the server would: by address, host, time, row number. `keys` are
/// (row number, stamp, ip, host); returns their indices in order.
pub(crate) fn sort_window(
    window: (Stamp, Stamp),
    rows: impl IndexedParallelIterator<Item = (u32, Stamp, Name, Name)>,
    weighed: &Weighed,
) -> Vec<u32> {
    let from = window.0.wall_seconds();
    let mut keys: Vec<(u64, u64)> = rows
        .map(|(row, stamp, ip, host)| {
            let names = u64::from(weighed.rank(ip)) << 32 | u64::from(weighed.rank(host));
            // a window has fewer than 2^20 seconds
            let seconds = stamp.wall_seconds().saturating_sub(from).unsigned_abs();
            (names, seconds << 32 | u64::from(row))
        })
        .collect();
    keys.par_sort_unstable();
    keys.into_iter().map(|(_, low)| low as u32).collect()
}

/// A finished session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: u32,
    pub(crate) start: Stamp,
    pub(crate) ip: Name,
    pub(crate) host: Name,
    pub(crate) domain: Name,
    pub(crate) duration: i64,
    pub(crate) jobs: u8,
}

/// A session as far as its requests are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenSession {
    pub(crate) start: Stamp,
    pub(crate) start_epoch: i64,
    pub(crate) ip: Name,
    pub(crate) host: Name,
    pub(crate) domain: Name,
    pub(crate) previous_epoch: Option<i64>,
}

impl OpenSession {
    /// One that begins with a request, which it has not taken in yet.
    pub(crate) fn at(row: &Row) -> Self {
        Self {
            start: row.stamp,
            start_epoch: row.epoch.unwrap_or(0),
            ip: Name::EMPTY,
            host: Name::EMPTY,
            domain: Name::EMPTY,
            previous_epoch: None,
        }
    }

    /// Takes in a request.
    pub(crate) fn absorb(&mut self, row: &Row) {
        self.learn([row.ip, row.host, row.domain]);
        self.previous_epoch = row.epoch;
    }

    /// Takes in the requests of another one, which come after its own.
    pub(crate) fn append(&mut self, other: &Self) {
        self.learn([other.ip, other.host, other.domain]);
        self.previous_epoch = other.previous_epoch;
    }

    fn learn(&mut self, new: [Name; 3]) {
        for (known, new) in [&mut self.ip, &mut self.host, &mut self.domain].into_iter().zip(new) {
            if !known.is_value() && new.is_value() {
                *known = new;
            }
        }
    }

    /// Whether a request shows that it is over.
    pub(crate) fn is_over(&self, ip: Name, host: Name, epoch: Option<i64>) -> bool {
        if self.ip.is_value() {
            if self.ip != ip {
                return true;
            }
        } else if self.host.is_value() {
            if self.host != host {
                return true;
            }
        } else {
            return false; // neither is known: nothing ends it
        }
        let epoch = epoch.unwrap_or(0);
        // the second test only matters in the first half hour of 1970
        epoch - self.previous_epoch.unwrap_or(0) > IDLE_SECS && epoch > IDLE_SECS
    }

    /// The session, matched with its tool starts.
    pub(crate) fn close(&self, id: u32, tools: &mut ToolIndex, weighed: &Weighed) -> Session {
        let jobs = tools.take(self, id, weighed);
        Session {
            id,
            start: self.start,
            ip: self.ip.or_empty(),
            host: self.host.or_empty(),
            domain: self.domain.or_empty(),
            duration: self.previous_epoch.unwrap_or(0) - self.start_epoch,
            jobs: jobs.min(MAX_JOBS) as u8,
        }
    }
}

/// Builds sessions from rows in order; used across the windows of one run.
pub(crate) struct Builder {
    open: Option<OpenSession>,
    rows: Vec<u32>,
    next_id: u32,
}

impl Builder {
    /// The first session gets the number `next_id`.
    pub(crate) const fn new(next_id: u32) -> Self {
        Self { open: None, rows: Vec::new(), next_id }
    }

    /// Adds the next row. If it shows that the open session is over, the session is matched with
    /// the tool starts and passed to `emit` with its row numbers.
    pub(crate) fn push(
        &mut self,
        row: &Row,
        tools: &mut ToolIndex,
        weighed: &Weighed,
        emit: &mut impl FnMut(Session, &[u32]),
    ) {
        if let Some(open) = self.open.take_if(|open| open.is_over(row.ip, row.host, row.epoch)) {
            let session = open.close(self.next_id, tools, weighed);
            self.next_id = self.next_id.saturating_add(1);
            emit(session, &self.rows);
            self.rows.clear();
        }
        self.open.get_or_insert_with(|| OpenSession::at(row)).absorb(row);
        self.rows.push(row.row);
    }
}

/// A tool start, as needed for sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToolRow {
    /// Number of the row, ascending with its id.
    pub(crate) row: u32,
    pub(crate) stamp: Stamp,
    pub(crate) epoch: Option<i64>,
    pub(crate) ip: Name,
    pub(crate) host: Name,
}

/// Tool starts by address and by host, each list in time order. Only successful ones belong here.
pub(crate) struct ToolIndex {
    rows: Vec<ToolRow>,
    /// (rank of the address, index in `rows`)
    by_ip: Vec<(u32, u32)>,
    /// (rank of the host, index in `rows`)
    by_host: Vec<(u32, u32)>,
    /// The last session assigned to each row of `rows`, 0 for none.
    given: Vec<u32>,
    found: Vec<u32>,
}

impl ToolIndex {
    pub(crate) fn new(mut rows: Vec<ToolRow>, weighed: &Weighed) -> Self {
        rows.par_sort_by_key(|tool| tool.stamp); // stable: ties by row number
        let by = |name: fn(&ToolRow) -> Name| {
            let keyed = rows.iter().enumerate().map(|(at, tool)| (weighed.rank(name(tool)), at as u32));
            let mut index: Vec<_> = keyed.filter(|(rank, _)| *rank > 0).collect(); // NULL equals nothing
            index.par_sort_unstable();
            index
        };
        let (by_ip, by_host) = (by(|tool| tool.ip), by(|tool| tool.host));
        let given = vec![0; rows.len()];
        Self { rows, by_ip, by_host, given, found: Vec::new() }
    }

    /// (row number, session) of every row with a session.
    pub(crate) fn given(&self) -> impl Iterator<Item = (u32, u32)> {
        self.rows.iter().zip(&self.given).filter(|(_, given)| **given > 0).map(|(tool, given)| (tool.row, *given))
    }

    /// Removes the session from every row for which `gone` (row number, session) is true.
    pub(crate) fn take_back(&mut self, mut gone: impl FnMut(u32, u32) -> bool) {
        for (tool, given) in self.rows.iter().zip(&mut self.given) {
            if *given > 0 && gone(tool.row, *given) {
                *given = 0;
            }
        }
    }

    /// Assigns the number of a session to its tool starts, replacing older ones; returns how many.
    fn take(&mut self, open: &OpenSession, id: u32, weighed: &Weighed) -> u32 {
        let Some(last) = open.previous_epoch.map(|epoch| epoch + TOOL_SECS) else { return 0 };
        self.found.clear();
        for (name, index) in [(open.ip, &self.by_ip), (open.host, &self.by_host)] {
            if !name.is_value() {
                continue;
            }
            let rank = weighed.rank(name);
            let first = index.partition_point(|&(r, at)| {
                r < rank || r == rank && self.rows.get(at as usize).is_some_and(|tool| tool.stamp < open.start)
            });
            for &(_, at) in index[first..].iter().take_while(|(r, _)| *r == rank) {
                match self.rows.get(at as usize).map(|tool| tool.epoch) {
                    Some(Some(epoch)) if epoch <= last => self.found.push(at),
                    Some(None) => {}
                    _ => break,
                }
            }
        }
        self.found.sort_unstable();
        self.found.dedup();
        for &at in &self.found {
            self.given[at as usize] = id;
        }
        self.found.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schema::collation;

    use super::*;
    use crate::clock::Clock;
    use crate::names::Names;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(&format!("2025-07-{text}")).unwrap()
    }

    type Web<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>);
    type Tool<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

    /// Sessions as text, row numbers (from 1) per session, and the tool starts' sessions.
    fn build(web: &[Web<'_>], tools: &[Tool<'_>], first_id: u32) -> (Vec<String>, Vec<Vec<u32>>, Vec<u32>) {
        let mut names = Names::new();
        let mut clock = Clock::new(jiff::tz::TimeZone::UTC);
        let rows: Vec<Row> = web
            .iter()
            .enumerate()
            .map(|(i, (time, ip, host, domain))| Row {
                row: i as u32,
                stamp: stamp(time),
                epoch: clock.epoch(stamp(time)),
                ip: names.intern_option(*ip),
                host: names.intern_option(*host),
                domain: names.intern_option(*domain),
            })
            .collect();
        let tools: Vec<ToolRow> = tools
            .iter()
            .enumerate()
            .map(|(i, (time, ip, host))| ToolRow {
                row: i as u32,
                stamp: stamp(time),
                epoch: clock.epoch(stamp(time)),
                ip: names.intern_option(*ip),
                host: names.intern_option(*host),
            })
            .collect();
        let n_tools = tools.len();
        let weighed = names.weigh();
        let mut index = ToolIndex::new(tools, &weighed);
        let mut builder = Builder::new(first_id);
        let (mut sessions, mut members) = (Vec::new(), Vec::new());
        for window in windows("2025-07".parse().unwrap()) {
            let inside: Vec<_> = rows
                .iter()
                .filter(|r| r.stamp >= window.0 && r.stamp < window.1 && is_candidate(r.ip, r.host, &weighed))
                .map(|r| (r.row, r.stamp, r.ip, r.host))
                .collect();
            for row in sort_window(window, inside.into_par_iter(), &weighed) {
                builder.push(&rows[row as usize], &mut index, &weighed, &mut |s, rows| {
                    let text = |name| names.text(name);
                    sessions.push(format!(
                        "{} {} {} {} {} {} {}",
                        s.id,
                        s.start,
                        text(s.ip),
                        text(s.host),
                        s.duration,
                        text(s.domain),
                        s.jobs
                    ));
                    members.push(rows.iter().map(|row| row + 1).collect());
                });
            }
        }
        let mut given = vec![0; n_tools];
        for (row, id) in index.given() {
            given[row as usize] = id;
        }
        (sessions, members, given)
    }

    #[test]
    fn the_example_in_the_specification_is_reproduced() {
        let c = Some("c.example.com");
        let (q, b, alpha) = (Some("?"), Some("b.example.com"), Some("alpha.example.org"));
        let (sessions, members, given) = build(
            &[
                ("03 09:00:00", Some(""), alpha, Some("example.org")),
                ("03 09:10:00", Some("10.1.1.1"), alpha, Some("")),
                ("03 10:00:00", Some("10.1.1.10"), b, Some("example.com")),
                ("03 09:00:00", Some("10.1.1.10"), c, Some("example.net")),
                ("03 10:00:00", Some("10.1.1.2"), q, q),
                ("03 10:30:00", Some("10.1.1.2"), q, q),
                ("03 11:00:01", Some("10.1.1.2"), q, q),
                ("08 12:00:00", Some("10.1.1.2"), q, q),
                ("09 12:00:00", Some("10.1.1.3"), None, None),
                ("31 23:50:00", Some("10.1.9.9"), Some("z.example.com"), Some("example.com")),
            ],
            &[
                ("03 09:59:59", Some("10.1.1.2"), q),
                ("03 10:05:00", Some("99.9.9.9"), q),
                ("03 10:59:59", Some("10.1.1.2"), Some("")),
                ("03 11:00:00", Some("10.1.1.2"), q),
                ("03 11:20:00", Some("77.7.7.7"), q),
            ],
            41,
        );
        assert_eq!(
            sessions,
            [
                "41 2025-07-03 09:00:00 10.1.1.1 alpha.example.org 600 example.org 0",
                "42 2025-07-03 10:00:00 10.1.1.10 b.example.com -3600 example.com 0",
                "43 2025-07-03 10:00:00 10.1.1.2 ? 1800 ? 2",
                "44 2025-07-03 11:00:01 10.1.1.2 ? 0 ? 1",
                "45 2025-07-09 12:00:00 10.1.1.3  0  0",
            ]
        );
        assert_eq!(members, [&[1, 2][..], &[3, 4], &[5, 6], &[7], &[9]]);
        assert_eq!(given, [0, 43, 43, 0, 44]);
    }

    #[test]
    fn days_between_the_windows_are_never_examined() {
        let rows =
            ["08 00:00:00", "08 23:59:59", "16 12:00:00", "24 12:00:00"].map(|t| (t, Some("1.1.1.1"), None, None));
        let mut rows = rows.to_vec();
        rows.push(("07 23:59:59", Some("1.1.1.1"), None, None));
        rows.push(("25 00:00:00", Some("1.1.1.2"), None, None));
        let (_, members, _) = build(&rows, &[], 1);
        assert_eq!(members, [[5]]);
    }

    #[test]
    fn the_last_session_stays_open() {
        assert_eq!(build(&[("31 23:50:00", Some("1.1.1.1"), None, None)], &[], 1).0.len(), 0);
    }

    #[test]
    fn only_a_longer_pause_ends_a_session() {
        let ip = Some("1.1.1.1");
        let end = ("09 00:00:00", Some("2.2.2.2"), None, None);
        let (sessions, ..) = build(&[("01 00:00:00", ip, None, None), ("01 00:30:00", ip, None, None), end], &[], 1);
        assert_eq!(sessions, ["1 2025-07-01 00:00:00 1.1.1.1  1800  0"]);
        let (sessions, ..) = build(&[("01 00:00:00", ip, None, None), ("01 00:30:01", ip, None, None), end], &[], 1);
        assert_eq!(sessions, ["1 2025-07-01 00:00:00 1.1.1.1  0  0", "2 2025-07-01 00:30:01 1.1.1.1  0  0"]);
    }

    #[test]
    fn addresses_are_ordered_as_text_and_compared_as_bytes() {
        let (sessions, ..) = build(
            &[
                ("01 00:00:00", Some("1.1.1.2"), None, None),
                ("01 00:00:00", Some("1.1.1.10"), None, None),
                ("01 00:00:00", Some(""), Some("a"), None),
                ("01 00:00:01", Some(""), Some("A"), None), // equal in order, another host in bytes
                ("09 00:00:00", Some("3.3.3.3"), None, None),
            ],
            &[],
            1,
        );
        assert_eq!(
            sessions,
            [
                "1 2025-07-01 00:00:00  a 0  0",
                "2 2025-07-01 00:00:01  A 0  0",
                "3 2025-07-01 00:00:00 1.1.1.10  0  0",
                "4 2025-07-01 00:00:00 1.1.1.2  0  0",
            ]
        );
    }

    #[test]
    fn zero_counts_as_empty() {
        let (sessions, ..) = build(
            &[
                ("03 00:00:00", Some("0"), Some("h"), Some("0")),
                ("02 00:00:00", Some("0"), None, None), // comes first, and no pause ends it: nothing is known
                ("04 00:00:00", Some("1.1.1.1"), None, Some("d")),
                ("09 00:00:00", Some("2.2.2.2"), None, None),
            ],
            &[],
            1,
        );
        assert_eq!(sessions, ["1 2025-07-02 00:00:00  h 86400  0", "2 2025-07-04 00:00:00 1.1.1.1  0 d 0"]);
    }

    proptest! {
        /// Compares keys of two integers with the comparison that they encode.
        #[test]
        fn windows_are_sorted_as_the_server_sorts(
            rows in proptest::collection::vec(
                ("(|1|a|A|é|E ){0,2}", proptest::option::of("[ab_.-]{0,2}"), 0_u8..7, 0_u8..3, 0_u8..2), 0..40),
        ) {
            let mut names = Names::new();
            let rows: Vec<(u32, Stamp, Name, Name)> = rows
                .iter()
                .enumerate()
                .map(|(i, (ip, host, day, hour, second))| {
                    let stamp = Stamp::from_parts(2025, 7, day + 1, *hour, 0, *second);
                    (i as u32, stamp, names.intern(ip), names.intern_option(host.as_deref()))
                })
                .collect();
            let weighed = names.weigh();
            let window = windows("2025-07".parse().unwrap())[0];
            let order = sort_window(window, rows.clone().into_par_iter(), &weighed);
            let compare = |a: Name, b: Name| {
                let null = |name| name == Name::NULL;
                null(b).cmp(&null(a)).then_with(|| collation::compare(names.text(a), names.text(b)))
            };
            let mut expected = rows;
            expected.sort_by(|a, b| {
                compare(a.2, b.2).then_with(|| compare(a.3, b.3)).then(a.1.cmp(&b.1)).then(a.0.cmp(&b.0))
            });
            prop_assert_eq!(order, expected.iter().map(|row| row.0).collect::<Vec<_>>());
        }
    }

    #[test]
    fn tool_starts_belong_to_the_latest_session_and_are_counted_to_127() {
        let many: Vec<Tool<'_>> = (0..200).map(|_| ("01 00:00:10", Some("9.9.9.9"), Some("H "))).collect();
        let (sessions, _, given) = build(
            &[
                ("01 00:00:00", Some("1.1.1.1"), Some("h"), None),
                ("01 00:00:00", Some("1.1.1.2"), Some("h"), None),
                ("09 00:00:00", Some("2.2.2.2"), None, None),
            ],
            &many,
            1,
        );
        assert_eq!(sessions, ["1 2025-07-01 00:00:00 1.1.1.1 h 0  127", "2 2025-07-01 00:00:00 1.1.1.2 h 0  127"]);
        assert!(given.iter().all(|&id| id == 2));
    }
}
