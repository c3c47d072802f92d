//! Distinct visitors by country, from sessions in any order: 24 bytes for each visitor of a month.

use std::borrow::Cow;

use rustc_hash::{FxHashMap, FxHashSet};
use schema::{Month, Period, Stamp, collation};
use serde::Deserialize;

/// A session as a record or a row has it, in the fields that count visitors.
#[derive(Debug, Deserialize)]
pub(crate) struct Visit<'a> {
    #[serde(borrow)]
    pub(crate) datetime: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) ip: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) host: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) ipcountry: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) duration: i64,
    #[serde(default)]
    pub(crate) jobs: i64,
}

impl<'a> Visit<'a> {
    /// # Errors
    /// A field is absent or of another type.
    pub(crate) fn from_line(line: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|e| e.to_string())
    }
}

/// A country code; blank where it is not known.
pub(crate) type Code = [u8; 2];

/// Visitors by month and country.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    seen: FxHashSet<(u128, Month, Code, bool)>,
}

impl Visitors {
    /// # Errors
    /// The session has no time.
    pub(crate) fn add(&mut self, visit: &Visit<'_>) -> Result<(), String> {
        let stamp = Stamp::parse(&visit.datetime).ok_or_else(|| format!("`{}` is not a time", visit.datetime))?;
        let Some(month) = stamp.counts_in() else { return Ok(()) };
        // as the summaries count visitors: both parts known, and a session that lasts or starts a tool
        let (Some(ip), Some(host)) = (&visit.ip, &visit.host) else { return Ok(()) };
        if visit.duration < 0 && visit.jobs <= 0 {
            return Ok(());
        }
        let code = code(visit.ipcountry.as_deref().unwrap_or_default());
        self.seen.insert((collation::hash_parts(&[ip, host]), month, code, stamp == month.start()));
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    pub(crate) fn months(&self) -> Vec<Month> {
        let mut months: Vec<_> = self.seen.iter().map(|seen| seen.1).collect();
        months.sort_unstable();
        months.dedup();
        months
    }

    /// Distinct visitors of the twelve months to this one, by country, most first.
    pub(crate) fn by_country(&self, last: Month) -> Vec<(Code, u32)> {
        let start = Period::TwelveMonths.start(last);
        let is_within = |month: Month, at_start: bool| {
            month <= last && month.start() >= start && !(at_start && month.start() == start)
        };
        let seen = self.seen.iter().filter(|seen| is_within(seen.1, seen.3));
        let distinct: FxHashSet<(u128, Code)> = seen.map(|seen| (seen.0, seen.2)).collect();
        let mut counts: FxHashMap<Code, u32> = FxHashMap::default();
        for (_, code) in distinct {
            *counts.entry(code).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        counts
    }
}

/// Two capital letters, or blank.
fn code(text: &str) -> Code {
    match text.as_bytes() {
        [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            [a.to_ascii_uppercase(), b.to_ascii_uppercase()]
        }
        _ => *b"  ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_counts_once_in_twelve_months() {
        let mut visitors = Visitors::default();
        let mut add = |datetime: &str, ip: &str, country: &str, duration| {
            let [datetime, ip, country] = [datetime, ip, country].map(|text| Cow::Owned(text.to_owned()));
            let host = Some(Cow::Borrowed("?"));
            visitors
                .add(&Visit { datetime, ip: Some(ip), host, ipcountry: Some(country), duration, jobs: 0 })
                .map_err(|e| e.to_string())
        };
        add("2025-06-02 10:00:00", "1.1.1.1", "US", 10).unwrap();
        add("2025-05-02 10:00:00", "1.1.1.1", "us", 0).unwrap();
        add("2025-06-02 10:00:00", "2.2.2.2", "DE", -1).unwrap();
        add("2024-07-01 00:00:00", "3.3.3.3", "DE", 1).unwrap();
        add("2024-07-01 00:00:01", "4.4.4.4", "-", 1).unwrap();
        add("2024-06-30 10:00:00", "5.5.5.5", "FR", 1).unwrap();
        assert!(add("yesterday", "6.6.6.6", "FR", 1).is_err());
        let by = visitors.by_country("2025-06".parse().unwrap());
        assert_eq!(by, [(*b"  ", 1), (*b"US", 1)]);
    }
}
