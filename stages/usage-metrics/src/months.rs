//! Runs the months over rows in memory: domains, sessions, bots, month by month in the order in
//! which the monthly cron job would have processed them.
//!
//! Knows no files and no records. The effects of one month on rows of the next (the first midnight
//! is cleaned with both) and on session numbers (the highest remaining one counts) are reproduced.

use std::collections::BTreeSet;

use anyhow::Result;
use enrich::domain::{self, Length};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use schema::{Compat, Month, Opt, Stamp};

use crate::clock::Clock;
use crate::exclude::Filters;
use crate::names::{Name, Names, Weighed};
use crate::pieces::{Cutter, Order, Piece};
use crate::sessions::{self, Builder, OpenSession, Row, Session, ToolIndex, ToolRow};

/// What became of a row.
pub(crate) mod mark {
    /// The country is empty and wanted.
    pub(crate) const NO_COUNTRY: u8 = 1;
    /// The domain was filled in here.
    pub(crate) const DOMAIN: u8 = 2;
    /// The session was assigned here.
    pub(crate) const SESSION: u8 = 4;
    /// A session that no longer exists was removed.
    pub(crate) const UNSTAMPED: u8 = 8;
    /// The row was removed.
    pub(crate) const GONE: u8 = 16;
    /// The record has none of the fields that are set here.
    pub(crate) const BARE: u8 = 32;
}

/// The columns of one kind of rows, in input order: 25 bytes per row.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) stamp: Vec<Stamp>,
    pub(crate) ip: Vec<Name>,
    pub(crate) host: Vec<Name>,
    pub(crate) domain: Vec<Name>,
    /// Session of the row, 0 for none; for a session row, its own number.
    pub(crate) session: Vec<u32>,
    pub(crate) marks: Vec<u8>,
}

impl Rows {
    pub(crate) const fn len(&self) -> usize {
        self.stamp.len()
    }

    pub(crate) fn push(&mut self, stamp: Stamp, ip: Name, host: Name, domain: Name, session: u32, marks: u8) {
        self.stamp.push(stamp);
        self.ip.push(ip);
        self.host.push(host);
        self.domain.push(domain);
        self.session.push(session);
        self.marks.push(marks);
    }
}

/// Which steps run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) domains: bool,
    pub(crate) sessions: bool,
    pub(crate) bots: bool,
}

/// How much of the stream the run works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it.
    Whole,
    /// The requests of some visitors; sessions are left to the join.
    Part,
    /// The results of all parts; what is done with requests alone was done there.
    Joined,
}

/// What the run depends on besides the rows.
pub(crate) struct Rules<'a> {
    pub(crate) share: Share,
    pub(crate) steps: Steps,
    pub(crate) filters: &'a Filters,
    pub(crate) compat: Compat,
    /// The lowest number for a new session.
    pub(crate) first_id: u32,
    /// The first month that is not over yet, if sessions wait for the end of the month.
    pub(crate) open_month: Option<Month>,
}

/// Everything that the run works on.
pub(crate) struct AllRows {
    pub(crate) names: Names,
    pub(crate) web: Rows,
    pub(crate) tools: Rows,
    /// Which tool starts were successful.
    pub(crate) success: Vec<bool>,
    /// Sessions of earlier runs.
    pub(crate) old: Rows,
    /// Remaining sessions built here, in the order of their numbers.
    pub(crate) made: Vec<Session>,
    /// Instants of requests at a time that the clocks showed twice, in seconds since 1970, by row.
    pub(crate) instants: FxHashMap<u32, i64>,
    /// Pieces of sessions that a part made, or that are joined.
    pub(crate) pieces: Vec<Piece>,
    /// The piece of each request by index plus one, 0 for none; empty where there are no pieces.
    pub(crate) piece_of: Vec<u32>,
    /// Months that have rows somewhere else.
    pub(crate) other_months: BTreeSet<Month>,
    /// Months without rows here at whose run requests of the next first midnight would be removed.
    pub(crate) doubtful: Vec<Month>,
}

impl AllRows {
    pub(crate) fn new() -> Self {
        Self {
            names: Names::new(),
            web: Rows::default(),
            tools: Rows::default(),
            success: Vec::new(),
            old: Rows::default(),
            made: Vec::new(),
            instants: FxHashMap::default(),
            pieces: Vec::new(),
            piece_of: Vec::new(),
            other_months: BTreeSet::new(),
            doubtful: Vec::new(),
        }
    }

    /// Runs every month that has a row, ascending; returns these months.
    ///
    /// # Errors
    /// The pieces cannot be joined.
    pub(crate) fn run(&mut self, rules: &Rules<'_>, clock: &mut Clock) -> Result<Vec<Month>> {
        let (is_part, is_joined) = (rules.share == Share::Part, rules.share == Share::Joined);
        let weighed = self.names.weigh();
        let order = Order::of(if is_joined { &self.pieces } else { &[] }, &self.names, &weighed)?;
        if rules.steps.domains {
            // Each row is filled when its own month is processed. Nothing looks at the domain of a
            // row before that, except the cleaning of the previous month, which sees the old one.
            self.tools.fill_domains(&mut self.names, &weighed, rules, false);
        }
        let by_month = ByMonth::of(&self.web);
        let mut months: Vec<Month> = by_month.months().collect();
        months
            .extend([&self.tools, &self.old].into_iter().flat_map(|rows| rows.stamp.iter().filter_map(|s| s.month())));
        months.extend(&self.other_months);
        months.sort_unstable();
        months.dedup();
        let fills = rules.steps.domains && !is_joined;
        let old_domains = rules.steps.bots.then(|| self.web.domain.clone()).filter(|_| fills);
        if fills {
            self.web.fill_domains(&mut self.names, &weighed, rules, rules.compat.has(Opt::LpDomain));
        }
        let bots = (rules.steps.bots && !rules.filters.is_empty()).then(|| Bots {
            domain: self.names.test(|text| rules.filters.takes_domain(text)),
            host: self.names.test(|text| rules.filters.takes_host(text)),
        });
        if let Some(bots) = bots.as_ref().filter(|_| is_part) {
            self.doubtful = self.doubtful(&months, &by_month, bots, old_domains.as_deref());
        }
        let mut tools = self.tool_index(&weighed, clock);
        for &month in &months {
            let bots_first = rules.compat.has(Opt::BotsBeforeSessions);
            if bots_first
                && !is_joined
                && let Some(bots) = &bots
            {
                self.clean_web(month, &by_month, bots, old_domains.as_deref());
            }
            let from = self.made.len();
            if rules.steps.sessions && rules.open_month.is_none_or(|open| month < open) {
                match rules.share {
                    Share::Whole => {
                        self.build_sessions(month, &by_month, &weighed, clock, &mut tools, rules.first_id);
                    }
                    Share::Part => self.cut_pieces(month, &by_month, &weighed, clock),
                    Share::Joined => self.join_pieces(month, &by_month, &order, &weighed, &mut tools, rules.first_id),
                }
            }
            if let Some(bots) = &bots {
                if !bots_first && !is_joined {
                    self.clean_web(month, &by_month, bots, old_domains.as_deref());
                }
                self.clean_sessions(month, from, bots);
            }
            if rules.steps.sessions && !is_part && rules.compat.has(Opt::ClearOrphanStamps) {
                self.clear_orphans(month, &by_month, &mut tools);
            }
        }
        for (row, id) in tools.given() {
            let row = row as usize;
            self.tools.session[row] = id;
            self.tools.marks[row] = self.tools.marks[row] & !mark::UNSTAMPED | mark::SESSION;
        }
        if rules.compat.has(Opt::RefillWebsessions) && rules.steps.domains {
            let Self { made, names, .. } = self;
            for session in made {
                if weighed.is_blank(session.domain) || session.domain == Name::UNKNOWN {
                    let host = names.text(session.host).to_owned();
                    if !host.trim_end_matches(' ').is_empty() {
                        session.domain = names.intern(domain::domain_of(&domain::lower(&host), length(rules)));
                    }
                }
            }
            self.old.fill_domains(&mut self.names, &weighed, rules, false);
        }
        Ok(months)
    }

    fn tool_index(&self, weighed: &Weighed, clock: &mut Clock) -> ToolIndex {
        let rows = &self.tools;
        let successful = (0..rows.len()).filter(|&i| self.success[i]);
        let tools = successful.map(|i| ToolRow {
            row: i as u32,
            stamp: rows.stamp[i],
            epoch: clock.epoch(rows.stamp[i]),
            ip: rows.ip[i],
            host: rows.host[i],
        });
        ToolIndex::new(tools.collect(), weighed)
    }

    /// The number of the next session: after the highest that is left.
    fn next_id(&self, first_id: u32) -> u32 {
        let old = self.old.session.iter().zip(&self.old.marks).filter(|(_, m)| *m & mark::GONE == 0).map(|(id, _)| *id);
        let highest = old.chain(self.made.last().map(|s| s.id)).max().unwrap_or(0);
        highest.saturating_add(1).max(first_id)
    }

    fn build_sessions(
        &mut self,
        month: Month,
        by_month: &ByMonth,
        weighed: &Weighed,
        clock: &mut Clock,
        tools: &mut ToolIndex,
        first_id: u32,
    ) {
        let mut builder = Builder::new(self.next_id(first_id));
        let Self { web, made, instants, .. } = self;
        in_order(month, web, by_month.rows(month), instants, weighed, clock, |web, _, row| {
            builder.push(row, tools, weighed, &mut |session, rows| {
                for &row in rows {
                    web.session[row as usize] = session.id;
                    web.marks[row as usize] |= mark::SESSION;
                }
                made.push(session);
            });
        });
    }

    /// The pieces of a month's sessions, as far as this part can tell.
    fn cut_pieces(&mut self, month: Month, by_month: &ByMonth, weighed: &Weighed, clock: &mut Clock) {
        let Self { web, pieces, piece_of, instants, .. } = self;
        piece_of.resize(web.len(), 0);
        let mut keep = |piece: Piece, rows: &[u32]| {
            let number = u32::try_from(pieces.len() + 1).unwrap_or(u32::MAX);
            pieces.push(Piece { number, ..piece });
            for &row in rows {
                piece_of[row as usize] = number;
            }
        };
        let mut cutter = Cutter::default();
        in_order(month, web, by_month.rows(month), instants, weighed, clock, |_, window, row| {
            cutter.push(row, window, weighed, &mut keep);
        });
        cutter.flush(&mut keep);
    }

    /// The sessions of a month from the pieces of all parts; the last one stays open.
    fn join_pieces(
        &mut self,
        month: Month,
        by_month: &ByMonth,
        order: &Order,
        weighed: &Weighed,
        tools: &mut ToolIndex,
        first_id: u32,
    ) {
        let mut id = self.next_id(first_id);
        let Self { web, made, pieces, piece_of, .. } = self;
        let mut ids: FxHashMap<usize, u32> = FxHashMap::default();
        let (mut open, mut members): (Option<OpenSession>, Vec<usize>) = (None, Vec::new());
        for at in order.of_month(month) {
            let Some(piece) = pieces.get(at) else { continue };
            let (ip, host, begin) = (piece.first_ip, piece.first_host, Some(piece.open.start_epoch));
            if let Some(session) = open.take_if(|open| open.is_over(ip, host, begin)) {
                made.push(session.close(id, tools, weighed));
                ids.extend(members.drain(..).map(|piece| (piece, id)));
                id = id.saturating_add(1);
            }
            match &mut open {
                Some(open) => open.append(&piece.open),
                none => *none = Some(piece.open),
            }
            members.push(at);
        }
        for &row in by_month.rows(month) {
            let i = row as usize;
            let piece = piece_of.get(i).and_then(|piece| (*piece as usize).checked_sub(1));
            if let Some(&id) = piece.and_then(|piece| ids.get(&piece)) {
                web.session[i] = id;
                web.marks[i] |= mark::SESSION;
            }
        }
    }

    /// The months before a first midnight with requests to remove that have no rows here. If another
    /// part has some, these requests go with that month, before sessions are built of them.
    fn doubtful(&self, months: &[Month], by_month: &ByMonth, bots: &Bots, old: Option<&[Name]>) -> Vec<Month> {
        let is_taken = |&row: &u32| {
            let i = row as usize;
            bots.takes(self.web.host[i], old.map_or(self.web.domain[i], |domains| domains[i]))
        };
        let taken = by_month.midnights.iter().filter(|(_, rows)| rows.iter().any(is_taken));
        let before = taken.filter(|(month, _)| month.ordinal() > 0).map(|(month, _)| month.previous());
        before.filter(|month| months.binary_search(month).is_err()).collect()
    }

    /// The cleaning of a month: from after the midnight before the last day of the previous month,
    /// up to and including the first midnight of the next month. Rows of that last day were cleaned
    /// with their own month.
    fn clean_web(&mut self, month: Month, by_month: &ByMonth, bots: &Bots, old_domains: Option<&[Name]>) {
        let web = &mut self.web;
        for &row in by_month.rows(month) {
            let i = row as usize;
            if bots.takes(web.host[i], web.domain[i]) {
                web.marks[i] |= mark::GONE;
            }
        }
        for &row in by_month.first_midnight(month.next()) {
            let i = row as usize;
            if bots.takes(web.host[i], old_domains.map_or(web.domain[i], |domains| domains[i])) {
                web.marks[i] |= mark::GONE;
            }
        }
    }

    fn clean_sessions(&mut self, month: Month, from: usize, bots: &Bots) {
        let mut at = 0;
        self.made.retain(|session| {
            at += 1;
            at <= from || !bots.takes(session.host, session.domain)
        });
        let after = month.start().plus_days(-1);
        let until = month.next().start();
        for i in 0..self.old.len() {
            let stamp = self.old.stamp[i];
            if stamp > after && stamp <= until && bots.takes(self.old.host[i], self.old.domain[i]) {
                self.old.marks[i] |= mark::GONE;
            }
        }
    }

    fn clear_orphans(&mut self, month: Month, by_month: &ByMonth, tools: &mut ToolIndex) {
        let left: rustc_hash::FxHashSet<u32> = self
            .made
            .iter()
            .map(|s| s.id)
            .chain((0..self.old.len()).filter(|&i| self.old.marks[i] & mark::GONE == 0).map(|i| self.old.session[i]))
            .collect();
        let Self { web, tools: rows, .. } = self;
        let clear = |rows: &mut Rows, i: usize| {
            if rows.session[i] != 0 && !left.contains(&rows.session[i]) {
                rows.session[i] = 0;
                rows.marks[i] = rows.marks[i] & !mark::SESSION | mark::UNSTAMPED;
            }
        };
        for &row in by_month.rows(month) {
            clear(web, row as usize);
        }
        // values assigned here count, not the old ones
        tools.take_back(|row, id| {
            let i = row as usize;
            rows.session[i] = id;
            if rows.stamp[i].month() == Some(month) {
                clear(rows, i);
            }
            rows.session[i] == 0
        });
        for i in 0..rows.len() {
            if rows.stamp[i].month() == Some(month) {
                clear(rows, i);
            }
        }
    }
}

/// Hands the requests of a month that take part in sessions to `each` in the order of the server,
/// with the index of their window.
fn in_order(
    month: Month,
    web: &mut Rows,
    rows: &[u32],
    instants: &FxHashMap<u32, i64>,
    weighed: &Weighed,
    clock: &mut Clock,
    mut each: impl FnMut(&mut Rows, usize, &Row),
) {
    for (number, window) in sessions::windows(month).into_iter().enumerate() {
        let inside: Vec<_> = rows
            .par_iter()
            .filter_map(|&row| {
                let i = row as usize;
                let takes_part = web.stamp[i] >= window.0
                    && web.stamp[i] < window.1
                    && web.session[i] == 0
                    && web.marks[i] & mark::GONE == 0
                    && sessions::is_candidate(web.ip[i], web.host[i], weighed);
                takes_part.then(|| (row, web.stamp[i], web.ip[i], web.host[i]))
            })
            .collect();
        // of times that the clocks showed twice the log says which is which
        let has_instants = !instants.is_empty() && inside.iter().any(|(row, ..)| instants.contains_key(row));
        let mut order = sessions::sort_window(window, inside.into_par_iter(), weighed);
        if has_instants {
            order.sort_by_cached_key(|row| {
                let i = *row as usize;
                let epoch = instants.get(row).copied().or_else(|| clock.epoch(web.stamp[i]));
                (weighed.rank(web.ip[i]), weighed.rank(web.host[i]), epoch)
            });
        }
        for row in order {
            let i = row as usize;
            let row = Row {
                row,
                stamp: web.stamp[i],
                epoch: instants.get(&row).copied().or_else(|| clock.epoch(web.stamp[i])),
                ip: web.ip[i],
                host: web.host[i],
                domain: web.domain[i],
            };
            each(web, number, &row);
        }
    }
}

fn length(rules: &Rules<'_>) -> Length {
    if rules.compat.has(Opt::LpDomain) { Length::Chars } else { Length::Bytes }
}

/// Which names the filters match.
struct Bots {
    domain: Vec<bool>,
    host: Vec<bool>,
}

impl Bots {
    fn takes(&self, host: Name, domain: Name) -> bool {
        let test = |list: &[bool], name: Name| list.get(name.index()).copied().unwrap_or(false);
        test(&self.host, host) || test(&self.domain, domain)
    }
}

impl Rows {
    /// Fills empty and unknown domains from the hosts. `skip_upper`: leaves out hosts with an
    /// upper-case letter.
    fn fill_domains(&mut self, names: &mut Names, weighed: &Weighed, rules: &Rules<'_>, skip_upper: bool) {
        let mut domains: Vec<Option<Name>> = vec![None; names.len()];
        for i in 0..self.len() {
            let (host, old) = (self.host[i], self.domain[i]);
            if weighed.is_blank(host) || !(weighed.is_blank(old) || weighed.is_question(old)) {
                continue;
            }
            let domain = match domains[host.index()] {
                Some(domain) => domain,
                None => {
                    let text = names.text(host).to_owned();
                    let lower = domain::lower(&text);
                    let domain = if skip_upper && lower != text {
                        Name::NULL
                    } else {
                        names.intern(domain::domain_of(&lower, length(rules)))
                    };
                    domains[host.index()] = Some(domain);
                    domain
                }
            };
            if domain != Name::NULL && domain != old {
                self.domain[i] = domain;
                self.marks[i] |= mark::DOMAIN;
            }
        }
    }
}

/// Row numbers grouped by month: four bytes per row.
struct ByMonth {
    /// (month, start of its rows), ascending.
    months: Vec<(Month, usize)>,
    rows: Vec<u32>,
    /// Rows at the very first instant of a month.
    midnights: Vec<(Month, Vec<u32>)>,
}

impl ByMonth {
    fn of(rows: &Rows) -> Self {
        let mut counts: Vec<(Month, usize)> = Vec::new();
        let mut midnights: Vec<(Month, Vec<u32>)> = Vec::new();
        let month_of = |stamp: Stamp| stamp.month().filter(|_| stamp.day() > 0);
        for (i, &stamp) in rows.stamp.iter().enumerate() {
            let Some(month) = month_of(stamp) else { continue };
            // nearly always the month of the previous row
            match counts.iter_mut().rev().find(|(m, _)| *m == month) {
                Some((_, count)) => *count += 1,
                None => counts.push((month, 1)),
            }
            if stamp == month.start() {
                match midnights.iter_mut().rev().find(|(m, _)| *m == month) {
                    Some((_, list)) => list.push(i as u32),
                    None => midnights.push((month, vec![i as u32])),
                }
            }
        }
        counts.sort_unstable_by_key(|(month, _)| *month);
        let mut total = 0;
        for (_, count) in &mut counts {
            let begin = total;
            total += *count;
            *count = begin;
        }
        let mut next = counts.clone();
        let mut grouped = vec![0; total];
        for (i, &stamp) in rows.stamp.iter().enumerate() {
            let Some(month) = month_of(stamp) else { continue };
            if let Ok(at) = next.binary_search_by_key(&month, |(m, _)| *m) {
                grouped[next[at].1] = i as u32;
                next[at].1 += 1;
            }
        }
        Self { months: counts, rows: grouped, midnights }
    }

    fn months(&self) -> impl Iterator<Item = Month> {
        self.months.iter().map(|(month, _)| *month)
    }

    fn rows(&self, month: Month) -> &[u32] {
        let Ok(at) = self.months.binary_search_by_key(&month, |(m, _)| *m) else { return &[] };
        let end = self.months.get(at + 1).map_or(self.rows.len(), |(_, begin)| *begin);
        &self.rows[self.months[at].1..end]
    }

    fn first_midnight(&self, month: Month) -> &[u32] {
        self.midnights.iter().find(|(m, _)| *m == month).map_or(&[], |(_, rows)| rows)
    }
}
