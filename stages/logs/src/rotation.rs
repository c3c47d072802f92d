//! Names of rotated logs: logrotate with numbers, `dateext` and its formats, rotatelogs with
//! seconds, cronolog, IIS and Caddy.
//!
//! For logs of any web server. The logs of a hub have names of their own, see [`crate::discovery`].

use jiff::Timestamp;
use jiff::tz::TimeZone;

use kit::Compression;

/// When a log was rotated, as far as its name shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// On this day; several on one day are ordered by the second number.
    At {
        /// `YYYYMMDD` as a number.
        day: u32,
        /// `HHMMSS`, or clock seconds.
        within: u64,
    },
    /// This many rotations ago; 0 or 1 is the last one.
    Ago(u32),
    /// Not yet, or the name does not show it.
    Unknown,
}

/// The parts of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated<'a> {
    /// The log's name before its rotation, as far as it comes before the other parts.
    pub stem: &'a str,
    /// When it was rotated.
    pub turn: Turn,
}

/// What may remain at the end of a name when a log is rotated: `access-20250711.log`, `access.1.log`.
const EXTENSIONS: [&str; 3] = [".log", ".txt", ".json"];

fn without_extension(name: &str) -> &str {
    let stem = EXTENSIONS.iter().find_map(|extension| name.strip_suffix(extension));
    stem.filter(|stem| !stem.is_empty()).unwrap_or(name)
}

impl<'a> Rotated<'a> {
    /// What all names of a log have in common, whether its extension is before or behind the date.
    #[must_use]
    pub fn family(&self) -> &'a str {
        without_extension(self.stem)
    }

    /// Whether the name has a date.
    #[must_use]
    pub const fn is_dated(&self) -> bool {
        matches!(self.turn, Turn::At { .. })
    }

    /// The day in the name, `YYYYMMDD`.
    #[must_use]
    pub fn day(&self) -> Option<String> {
        if let Turn::At { day, .. } = self.turn { Some(format!("{day:08}")) } else { None }
    }
}

/// Splits a base name into its parts; a compression suffix is ignored.
#[must_use]
pub fn of(name: &str) -> Rotated<'_> {
    let name = without_suffix(name);
    let dated = pieces(name).find_map(|start| dated(name, start));
    let rotated = dated.or_else(|| numbered(name)).or_else(|| numbered(without_extension(name)));
    rotated.unwrap_or(Rotated { stem: name, turn: Turn::Unknown })
}

/// Whether two base names may belong to one log: equal names, compressed or not, or the name of a log
/// that was rotated in the meantime. Logs with two dates are two logs.
#[must_use]
pub fn may_be_one(a: &str, b: &str) -> bool {
    if without_suffix(a) == without_suffix(b) {
        return true;
    }
    let (a, b) = (of(a), of(b));
    a.family() == b.family() && !a.stem.is_empty() && !(a.is_dated() && b.is_dated())
}

/// A base name without its compression suffix.
#[must_use]
pub fn without_suffix(name: &str) -> &str {
    Compression::ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Where runs of digits begin.
fn pieces(name: &str) -> impl Iterator<Item = usize> {
    let bytes = name.as_bytes();
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).filter(move |&i| is_digit(i) && (i == 0 || !is_digit(i - 1)))
}

fn digits_at(name: &str, at: usize) -> &str {
    let rest = name.get(at..).unwrap_or_default();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    &rest[..end]
}

/// A date at `start`: `YYYYMMDD`, perhaps followed by hours, minutes and seconds; the same with
/// separators; seconds since 1970; `YYMMDD` as in IIS.
fn dated(name: &str, start: usize) -> Option<Rotated<'_>> {
    let stem = name[..start].trim_end_matches(['.', '-', '_']);
    let at = |day, within| Some(Rotated { stem, turn: Turn::At { day, within } });
    let run = digits_at(name, start);
    if is_iis(name, start) {
        let day = day_of(&format!("20{}", run.get(..6)?))?;
        return at(day, time_of(&run[6..]));
    }
    match run.len() {
        4 => {
            let separator = name[start + 4..].chars().next().filter(|c| ['-', '_', '.'].contains(c))?;
            let rest = &name[start + 5..];
            let (month, rest) = rest.split_at_checked(2)?;
            let (day, rest) = rest.strip_prefix(separator)?.split_at_checked(2)?;
            let is_over = !rest.starts_with(|c: char| c.is_ascii_digit());
            let day = day_of(&format!("{run}{month}{day}")).filter(|_| is_over)?;
            at(day, time_behind(rest))
        }
        8 => at(day_of(run)?, time_behind(&name[start + 8..])),
        10 | 12 | 14 if day_of(&run[..8]).is_some() => at(day_of(&run[..8])?, time_of(&run[8..])),
        9 | 10 => {
            let seconds = run.parse::<i64>().ok()?;
            let date = Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC).date();
            let day = format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
            at(day_of(&day)?, seconds.unsigned_abs())
        }
        _ => None,
    }
}

/// `u_ex250710.log`, `ex25071008.log`.
fn is_iis(name: &str, start: usize) -> bool {
    let len = digits_at(name, start).len();
    matches!(&name[..start], "u_ex" | "ex" | "u_nc" | "nc" | "u_in" | "in") && (len == 6 || len == 8)
}

/// The time after a date, as written by logrotate's `-%H` and `-%s`, or by Caddy, `T08-15-30.123`.
fn time_behind(rest: &str) -> u64 {
    let clock = rest.strip_prefix('T').and_then(|rest| rest.get(..8)).filter(|rest| rest.split('-').count() == 3);
    if let Some(clock) = clock {
        return time_of(&clock.replace('-', ""));
    }
    rest.strip_prefix(['-', '_', 'T']).map_or(0, |rest| time_of(digits_at(rest, 0)))
}

/// Hours, hours and minutes, or all three as `HHMMSS`; other digits unchanged.
fn time_of(digits: &str) -> u64 {
    let number = digits.parse().unwrap_or(0);
    match digits.len() {
        2 => number * 10_000,
        4 => number * 100,
        _ => number,
    }
}

/// `YYYYMMDD` as a number, if it can be the day of a log.
fn day_of(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok().filter(|_| text.len() == 8)?;
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    let is_day = (1990..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_day.then_some(number)
}

/// `access.log.1`.
fn numbered(name: &str) -> Option<Rotated<'_>> {
    let (stem, number) = name.rsplit_once('.')?;
    let is_number = !stem.is_empty() && (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    Some(Rotated { stem, turn: Turn::Ago(number.parse().ok().filter(|_| is_number)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_logs_are_understood() {
        let at = |day, within| Turn::At { day, within };
        for (name, stem, turn) in [
            ("access.log", "access.log", Turn::Unknown),
            ("access.log.gz", "access.log", Turn::Unknown),
            ("access.log.1", "access.log", Turn::Ago(1)),
            ("access.log.12.gz", "access.log", Turn::Ago(12)),
            ("access.log.0.bz2", "access.log", Turn::Ago(0)),
            ("access_log-20250711", "access_log", at(20250711, 0)),
            ("access_log-20250711.xz", "access_log", at(20250711, 0)),
            ("access.log-2025071108.gz", "access.log", at(20250711, 80_000)),
            ("access.log-20250711-08.zst", "access.log", at(20250711, 80_000)),
            ("access.log-202507110815", "access.log", at(20250711, 81_500)),
            ("access.log-20250711-1752192000", "access.log", at(20250711, 1_752_192_000)),
            ("access.log_2025-07-11", "access.log", at(20250711, 0)),
            ("access.2025_07_11.log.lz4", "access", at(20250711, 0)),
            ("access.log.2025-07-11-08", "access.log", at(20250711, 80_000)),
            ("access-20250711.log", "access", at(20250711, 0)),
            ("access.log.1752105600", "access.log", at(20250710, 1_752_105_600)),
            ("u_ex250711.log", "u_ex", at(20250711, 0)),
            ("u_ex25071108.log", "u_ex", at(20250711, 80_000)),
            ("2025-07-11.log", "", at(20250711, 0)),
            ("access-2025-07-11T08-15-30.123.log.gz", "access", at(20250711, 81_530)),
            ("access-2025-07-11T08.log", "access", at(20250711, 80_000)),
            ("access.1.log", "access", Turn::Ago(1)),
            ("access.12.log.gz", "access", Turn::Ago(12)),
            ("access.20500.log", "access.20500.log", Turn::Unknown),
            (".log", ".log", Turn::Unknown),
            // not days: a site, a port, a size
            ("site-8080-access.log", "site-8080-access.log", Turn::Unknown),
            ("access.log-99999999", "access.log-99999999", Turn::Unknown),
            ("access.log-2025-13-01", "access.log-2025-13-01", Turn::Unknown),
            ("access.log-2025-07-111", "access.log-2025-07-111", Turn::Unknown),
            ("access.log.20500", "access.log.20500", Turn::Unknown),
            ("web2-access.log", "web2-access.log", Turn::Unknown),
            (".1", ".1", Turn::Unknown),
            ("", "", Turn::Unknown),
            ("é2025-é", "é2025-é", Turn::Unknown),
            ("2025-0é", "2025-0é", Turn::Unknown),
        ] {
            assert_eq!(of(name), Rotated { stem, turn }, "{name}");
        }
        assert_eq!(of("access.log_2025-07-11").day().as_deref(), Some("20250711"));
        assert_eq!(of("access.log.1").day(), None);
    }

    #[test]
    fn names_of_one_log_are_recognised() {
        for (a, b, may) in [
            ("access.log", "access.log", true),
            ("access.log", "access.log.1", true),
            ("access.log.1", "access.log.2.gz", true),
            ("access.log", "access.log-20250711.xz", true),
            ("access.log-20250711", "access.log-20250711.gz", true),
            ("access.log.1752105600", "access.log", true),
            ("access.log-20250711", "access.log-20250712", false),
            ("access.log", "access-2025-07-11T08-15-30.123.log.gz", true),
            ("access.log", "access-20250711.log", true),
            ("access.log", "access.1.log", true),
            ("access.json", "access.1.json.gz", true),
            ("access-20250711.log", "access-20250712.log", false),
            ("www.example.org", "www.example.com", false),
            ("access.log", "access_log", false),
            ("h-access.log-1", "h-access.log-2", false),
            ("2025-07-11.log", "2025", false),
        ] {
            assert_eq!((may_be_one(a, b), may_be_one(b, a)), (may, may), "{a} {b}");
        }
    }
}
