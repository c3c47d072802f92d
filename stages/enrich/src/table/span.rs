//! Which rows of a table a step examines: the dates given by an administrator, and the range that
//! each step derives from them. Only the defaults depend on the day of the run.

use std::fmt;

use anyhow::Result;
use kit::Usage;
use schema::{Dates, Month, Stamp};

/// The dates given by the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// None: every step has its own default.
    Usual,
    /// From the first to before the second, both midnights; an open side is `None`.
    Days(Option<Stamp>, Option<Stamp>),
    /// Everything, whatever its date.
    All,
}

impl When {
    /// A whole month.
    #[must_use]
    pub fn month(month: Month) -> Self {
        Dates::from(month).into()
    }
}

impl From<Dates> for When {
    fn from(dates: Dates) -> Self {
        Self::Days(dates.from, dates.to)
    }
}

/// A range of time, as a condition on a date column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    from: Option<Stamp>,
    to: Option<Stamp>,
    includes_from: bool,
    includes_to: bool,
    /// Instants inside that do not belong to it.
    except: Vec<Stamp>,
    all: bool,
}

impl Span {
    /// Everything.
    #[must_use]
    pub const fn all() -> Self {
        Self { from: None, to: None, includes_from: true, includes_to: false, except: Vec::new(), all: true }
    }

    const fn between(from: Option<Stamp>, to: Option<Stamp>) -> Self {
        Self { from, to, includes_from: true, includes_to: false, except: Vec::new(), all: false }
    }

    /// For host names: every instant of the days except midnights; by default the last seven days
    /// before today. The port (`port`) and half-open ranges include midnights.
    #[must_use]
    pub fn hosts(when: When, today: Stamp, port: bool) -> Self {
        let (from, to) = match when {
            When::All => return Self::all(),
            When::Usual => (Some(today.plus_days(-7)), Some(today)),
            When::Days(from, to) => (from, to),
        };
        let mut span = Self::between(from, to);
        if let (Some(from), Some(to), false) = (from, to, port) {
            span.includes_from = false;
            span.except = midnights(from, to);
        }
        span
    }

    /// For domains: from the day before the first day to the end; by default the current month up
    /// to today (`port`: up to tomorrow).
    #[must_use]
    pub fn domains(when: When, today: Stamp, port: bool) -> Self {
        match when {
            When::All => Self::all(),
            When::Usual => Self::domains(current(today, port), today, port),
            When::Days(from, to) => Self::between(from.map(|from| from.plus_days(-1)), to),
        }
    }

    /// For countries, users and bots: as for domains, but excluding the first instant and including
    /// the last. It is the union of the weeks that the original processes one by one, which overlap
    /// at their ends.
    #[must_use]
    pub fn weeks(when: When, today: Stamp, port: bool) -> Self {
        let mut span = Self::domains(when, today, port);
        (span.includes_from, span.includes_to) = (false, true);
        span
    }

    /// The same for steps that need both ends.
    ///
    /// # Errors
    /// An end is open ([`Usage`]).
    pub fn closed_weeks(when: When, today: Stamp, port: bool) -> Result<Self> {
        let span = Self::weeks(when, today, port);
        if span.from.is_none() || span.to.is_none() {
            return Err(Usage("this step needs a first and a last day: no --all, no open range".to_owned()).into());
        }
        Ok(span)
    }

    /// Exactly the given days, by default those of the current month up to today (`port`: up to
    /// tomorrow).
    ///
    /// # Errors
    /// An end is open ([`Usage`]).
    pub fn days(when: When, today: Stamp, port: bool) -> Result<Self> {
        Self::closed_weeks(when, today, port)?;
        Ok(match when {
            When::All => Self::all(),
            When::Usual => return Self::days(current(today, port), today, port),
            When::Days(from, to) => Self::between(from, to),
        })
    }

    /// How many weeks the original would process: for messages. 0 without both ends.
    #[must_use]
    pub fn n_weeks(&self) -> i64 {
        let days = |stamp: Option<Stamp>| stamp.and_then(Stamp::day_number);
        days(self.from).zip(days(self.to)).map_or(0, |(from, to)| (to - from + 6) / 7)
    }

    /// ` AND …` on the quoted column; empty for everything.
    #[must_use]
    pub fn and(&self, column: &str) -> String {
        let mut sql = String::new();
        if let Some(from) = self.from {
            let sign = if self.includes_from { ">=" } else { ">" };
            sql.push_str(&format!(" AND {column} {sign} '{from}'"));
        }
        if let Some(to) = self.to {
            let sign = if self.includes_to { "<=" } else { "<" };
            sql.push_str(&format!(" AND {column} {sign} '{to}'"));
        }
        if !self.except.is_empty() {
            let list: Vec<String> = self.except.iter().map(|at| format!("'{at}'")).collect();
            sql.push_str(&format!(" AND {column} NOT IN ({})", list.join(", ")));
        }
        sql
    }
}

impl fmt::Display for Span {
    /// `start..end` in days, an open side left blank; `ALL` for everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all {
            return f.write_str("ALL");
        }
        let day = |stamp: Option<Stamp>| stamp.map_or(String::new(), |at| at.to_string().chars().take(10).collect());
        write!(f, "{}..{}", day(self.from), day(self.to))
    }
}

fn current(today: Stamp, port: bool) -> When {
    let first = Stamp::from_parts(today.year(), today.month_of_year(), 1, 0, 0, 0);
    When::Days(Some(first), Some(if port { today.plus_days(1) } else { today }))
}

/// The midnights between two midnights.
fn midnights(from: Stamp, to: Stamp) -> Vec<Stamp> {
    let mut list = Vec::new();
    let mut at = from.plus_days(1);
    while at < to && at > from {
        list.push(at);
        at = at.plus_days(1);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Stamp {
        Stamp::parse(text).unwrap()
    }

    fn when(text: &str) -> When {
        text.parse::<Dates>().unwrap().into()
    }

    fn shown(span: &Span) -> String {
        span.and("d").replace(" 00:00:00", "").replace('\'', "")
    }

    #[test]
    fn each_step_has_its_own_range() {
        let today = at("2025-07-08 00:00:00");
        let july = When::month("2025-07".parse().unwrap());
        assert_eq!(shown(&Span::domains(july, today, false)), " AND d >= 2025-06-30 AND d < 2025-08-01");
        assert_eq!(shown(&Span::weeks(july, today, false)), " AND d > 2025-06-30 AND d <= 2025-08-01");
        assert_eq!(shown(&Span::domains(When::Usual, today, false)), " AND d >= 2025-06-30 AND d < 2025-07-08");
        assert_eq!(shown(&Span::domains(When::Usual, today, true)), " AND d >= 2025-06-30 AND d < 2025-07-09");
        let first = at("2025-07-01 00:00:00");
        assert_eq!(shown(&Span::weeks(When::Usual, first, false)), " AND d > 2025-06-30 AND d <= 2025-07-01");
        let hosts = Span::hosts(july, today, false);
        assert!(
            shown(&hosts).starts_with(" AND d > 2025-07-01 AND d < 2025-08-01 AND d NOT IN (2025-07-02, 2025-07-03")
        );
        assert_eq!(hosts.except.len(), 30);
        assert_eq!(shown(&Span::hosts(july, today, true)), " AND d >= 2025-07-01 AND d < 2025-08-01");
        assert_eq!(Span::hosts(When::Usual, today, false).to_string(), "2025-07-01..2025-07-08");
        assert_eq!(Span::hosts(When::Usual, today, false).except.len(), 6);
        let open = when("2025-07..");
        assert_eq!(shown(&Span::hosts(open, today, false)), " AND d >= 2025-07-01");
        assert_eq!(shown(&Span::domains(open, today, false)), " AND d >= 2025-06-30");
        assert_eq!(shown(&Span::domains(When::All, today, false)), "");
        assert_eq!(Span::hosts(When::All, today, false).to_string(), "ALL");
        let day = when("2025-07-15");
        assert_eq!(shown(&Span::weeks(day, today, true)), " AND d > 2025-07-14 AND d <= 2025-07-16");
        let exactly = |when| shown(&Span::days(when, today, false).unwrap());
        assert_eq!(exactly(july), " AND d >= 2025-07-01 AND d < 2025-08-01");
        assert_eq!(exactly(When::Usual), " AND d >= 2025-07-01 AND d < 2025-07-08");
        assert!(Span::days(open, today, false).is_err() && Span::days(When::All, today, false).is_err());
        for no in [open, When::All, when("..2025")] {
            assert!(Span::closed_weeks(no, today, false).is_err());
        }
        assert_eq!(Span::closed_weeks(july, today, false).unwrap().n_weeks(), 5);
        let february = When::month("2025-02".parse().unwrap());
        assert_eq!(Span::weeks(february, today, false).n_weeks(), 5);
        assert_eq!(Span::weeks(When::Usual, today, false).n_weeks(), 2);
        assert_eq!(Span::weeks(When::Usual, first, false).n_weeks(), 1);
    }

    #[test]
    fn a_month_means_the_same_on_every_day() {
        // the original treated some dates of a short month as the next month
        for today in ["2026-03-29 00:00:00", "2026-03-30 00:00:00", "2026-03-31 00:00:00"] {
            let february = when("2026-02");
            assert_eq!(shown(&Span::weeks(february, at(today), false)), " AND d > 2026-01-31 AND d <= 2026-03-01");
        }
    }
}
