//! The time of a request: the forms in which servers write it, as date, time of day and zone.
//!
//! Accepts only times that exist: no 29 February in a common year, no 24:00:00, nothing before
//! 1995. Zones are read and passed on, not applied.

use super::{Fault, What};

const LONG_MONTHS: [&[u8]; 12] = [
    b"January",
    b"February",
    b"March",
    b"April",
    b"May",
    b"June",
    b"July",
    b"August",
    b"September",
    b"October",
    b"November",
    b"December",
];

/// Times before this year are not believed: no web server is older.
const FIRST_YEAR: u32 = 1995;

/// A moment as written in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// `YYYY-MM-DD`.
    pub(crate) date: [u8; 10],
    /// `HH:MM:SS`.
    pub(crate) time: [u8; 8],
    /// Seconds east of Greenwich, if the zone is written as a number.
    pub(crate) offset: Option<i32>,
}

/// A moment, or why there is none, and the length of its text.
type Read = Result<(Moment, usize), Fault>;

const fn digit(byte: u8) -> u32 {
    (byte as u32).wrapping_sub(b'0' as u32)
}

/// A number of two digits.
fn two(text: &[u8]) -> Option<u32> {
    let &[a, b] = text else { return None };
    (a.is_ascii_digit() && b.is_ascii_digit()).then(|| digit(a) * 10 + digit(b))
}

/// A number of four digits.
fn four(text: &[u8]) -> Option<u32> {
    Some(two(text.get(..2)?)? * 100 + two(text.get(2..4).filter(|_| text.len() == 4)?)?)
}

/// The month whose English name begins the text, from 1.
pub(crate) fn month(text: &[u8]) -> Option<u32> {
    Some(match &text.first_chunk::<3>()?.map(|byte| byte | 0x20) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

const fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    }
}

impl Moment {
    /// A moment that exists in the calendar.
    fn new(date: (u32, u32, u32), clock: (u32, u32, u32), offset: Option<i32>) -> Result<Self, What> {
        let ((year, month, day), (hour, minute, second)) = (date, clock);
        if day == 0 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59 || year > 9999 {
            return Err(What::NoSuchTime);
        }
        if year < FIRST_YEAR {
            return Err(What::TooEarly);
        }
        let tens = |n: u32| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
        let ([a, b], [c, d]) = (tens(year / 100), tens(year % 100));
        let ([e, f], [g, h]) = (tens(month), tens(day));
        let ([i, j], [k, l], [m, n]) = (tens(hour), tens(minute), tens(second));
        let (date, time) = ([a, b, c, d, b'-', e, f, b'-', g, h], [i, j, b':', k, l, b':', m, n]);
        Ok(Self { date, time, offset })
    }

    /// The moment this many seconds after the beginning of 1970 in Greenwich.
    fn of_epoch(seconds: u64) -> Result<Self, What> {
        let (days, rest) = (seconds / 86_400, u32::try_from(seconds % 86_400).unwrap_or(0));
        let Some(days) = u32::try_from(days).ok().filter(|&days| days < 2_932_897) else {
            return Err(What::NoSuchTime);
        };
        // days since 1 March of the year 0, divided into eras of 400 years
        let z = days + 719_468;
        let (era, of_era) = (z / 146_097, z % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = era * 400 + year_of_era + u32::from(month <= 2);
        Self::new((year, month, day), (rest / 3600, rest / 60 % 60, rest % 60), Some(0))
    }
}

/// `HH:MM:SS`.
fn clock(text: &[u8]) -> Option<(u32, u32, u32)> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = text else { return None };
    Some((two(&[h1, h2])?, two(&[m1, m2])?, two(&[s1, s2])?))
}

/// The length of a fraction of a second at the start: a point or a comma, and digits.
fn fraction(text: &[u8]) -> usize {
    match text {
        [b'.' | b',', rest @ ..] => {
            let digits = rest.iter().take(12).take_while(|b| b.is_ascii_digit()).count();
            if digits > 0 { digits + 1 } else { 0 }
        }
        _ => 0,
    }
}

/// A zone at the start, in seconds east of Greenwich, and its length: `Z`, `+hhmm`, `+hh:mm`,
/// `+hh`.
pub(crate) fn zone(text: &[u8]) -> Option<(i32, usize)> {
    let (sign, rest) = match text {
        [b'Z' | b'z', ..] => return Some((0, 1)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let hours = two(rest.get(..2)?)?;
    let (minutes, len) = match rest.get(2..) {
        Some([b':', m1, m2, ..]) => (two(&[*m1, *m2])?, 6),
        Some([m1, m2, ..]) if m1.is_ascii_digit() => (two(&[*m1, *m2])?, 5),
        _ => (0, 3),
    };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    (hours < 24 && minutes < 60).then_some((sign * seconds, len))
}

/// A zone after a time, with or without a blank before it; its length includes the blank.
fn zone_behind(text: &[u8]) -> (Option<i32>, usize) {
    let blank = usize::from(text.first() == Some(&b' '));
    match zone(&text[blank..]) {
        Some((offset, len)) => (Some(offset), blank + len),
        None => (None, 0),
    }
}

/// `dd/Mon/yyyy:HH:MM:SS`, perhaps followed by a fraction and a zone.
pub(crate) fn clf(text: &[u8]) -> Read {
    let usual = || {
        let head = text.first_chunk::<20>()?;
        let &[d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', ..] = head else { return None };
        let date = (four(&[y1, y2, y3, y4])?, month(&[m1, m2, m3])?, two(&[d1, d2])?);
        Some((date, clock(&head[12..])?))
    };
    let Some((date, time)) = usual() else { return Err(not_clf(text)) };
    let mut len = 20 + fraction(&text[20..]);
    let (offset, behind) = zone_behind(&text[len..]);
    len += behind;
    let moment = Moment::new(date, time, offset).map_err(|what| Fault::of(what, &text[..20]))?;
    Ok((moment, len))
}

/// What is wrong with a time that should be `dd/Mon/yyyy:HH:MM:SS`.
fn not_clf(text: &[u8]) -> Fault {
    let whole = &text[..text.iter().take(40).take_while(|b| !matches!(b, b']' | b'"')).count()];
    let date = &whole[..whole.iter().take_while(|b| !matches!(b, b':' | b' ')).count()];
    let mut parts = date.split(|&b| b == b'/');
    let (Some(day), Some(name), Some(year), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Fault::of(What::NotATime, whole);
    };
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if two(day).is_none() || four(year).is_none() || is_number(name) {
        Fault::of(What::NotADate, date)
    } else if month(name).is_none() || name.len() != 3 {
        Fault::of(What::NotAMonth, name)
    } else {
        Fault::of(What::NotATime, whole)
    }
}

/// `YYYY-MM-DDTHH:MM:SS`, or with a blank for the `T`, perhaps followed by a fraction and a zone.
pub(crate) fn iso(text: &[u8]) -> Read {
    let usual = || {
        let head = text.first_chunk::<19>()?;
        let &[y1, y2, y3, y4, a, m1, m2, b, d1, d2, b'T' | b't' | b' ' | b'_', ..] = head else { return None };
        if a != b || !matches!(a, b'-' | b'/') {
            return None;
        }
        let date = (four(&[y1, y2, y3, y4])?, two(&[m1, m2])?, two(&[d1, d2])?);
        Some((date, clock(&head[11..])?))
    };
    let Some((date, time)) = usual() else {
        let end = text.iter().take(40).take_while(|b| !matches!(b, b']' | b'"' | b'|')).count();
        return Err(Fault::of(What::NotIso, &text[..end]));
    };
    let mut len = 19 + fraction(&text[19..]);
    let (offset, behind) = zone_behind(&text[len..]);
    len += behind;
    let moment = Moment::new(date, time, offset).map_err(|what| Fault::of(what, &text[..19]))?;
    Ok((moment, len))
}

/// A moment whose month is a name, whatever the order and the marks between: `Thu Jul 10 08:00:01 2025`,
/// `July - 10, 2025:08:00:01`, perhaps with a zone. Dates with slashes are not of this form.
pub(crate) fn named(text: &[u8]) -> Result<Moment, What> {
    let is_day = |word: &[u8]| {
        const DAYS: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];
        word.get(..3).is_some_and(|name| DAYS.iter().any(|day| day.eq_ignore_ascii_case(name)))
    };
    let is_clock = |window: &[u8]| clock(window).is_some();
    let at = text.windows(8).rposition(is_clock).filter(|_| text.len() <= 64 && !text.contains(&b'/'));
    let (before, rest) = text.split_at(at.ok_or(What::NotATime)?);
    let (time, after) = rest.split_at(8);
    let (mut year, mut name, mut day) = (None, None, None);
    let behind = zone_behind(after);
    let words = before.split(|b| !b.is_ascii_alphanumeric());
    for word in words.chain(after[behind.1..].split(|b| !b.is_ascii_alphanumeric())).filter(|word| !word.is_empty()) {
        let is_long = LONG_MONTHS.iter().any(|long| long.eq_ignore_ascii_case(word));
        let place = match word.len() {
            4 if word[0].is_ascii_digit() => &mut year,
            1 | 2 if word[0].is_ascii_digit() => &mut day,
            _ if is_day(word) => continue,
            len if len == 3 || is_long => &mut name,
            _ => return Err(What::NotATime),
        };
        let value = if word[0].is_ascii_digit() { number(word) } else { month(word) };
        if place.replace(value.ok_or(What::NotATime)?).is_some() {
            return Err(What::NotATime);
        }
    }
    let (Some(year), Some(name), Some(day), Some(time)) = (year, name, day, clock(time)) else {
        return Err(What::NotATime);
    };
    Moment::new((year, name, day), time, behind.0)
}

/// A date `YYYY-MM-DD` and a time of day, perhaps with a fraction.
pub(crate) fn date_and_clock(date: &[u8], time: &[u8], offset: Option<i32>) -> Result<Moment, Fault> {
    let parts = || {
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
        Some((four(&[y1, y2, y3, y4])?, two(&[m1, m2])?, two(&[d1, d2])?))
    };
    let ymd = parts().ok_or(Fault::of(What::NotIso, date))?;
    let whole = time.get(8..).is_some_and(|rest| fraction(rest) == rest.len());
    let hms = time.get(..8).filter(|_| whole).and_then(clock).ok_or(Fault::of(What::NotAClock, time))?;
    Moment::new(ymd, hms, offset).map_err(|what| Fault::of(what, date))
}

/// Seconds since 1970 with or without a fraction; thousandths, millionths and so on if the number
/// is that long.
pub(crate) fn epoch(text: &[u8]) -> Result<Moment, Fault> {
    let fault = || Fault::of(What::NotATime, text);
    let digits = text.iter().take(21).take_while(|b| b.is_ascii_digit()).count();
    let rest = &text[digits..];
    if matches!(rest, [b'.', exponent @ ..] if exponent.iter().any(|b| matches!(b, b'e' | b'E'))) {
        let number: f64 = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(fault)?;
        // a number too large for any calendar stays a number of seconds
        return Moment::of_epoch(number as u64).map_err(|what| Fault::of(what, text));
    }
    let is_fraction = rest.is_empty() || fraction(rest) == rest.len();
    let number = text[..digits].iter().try_fold(0_u64, |n, d| n.checked_mul(10)?.checked_add(digit(*d).into()));
    let Some(number) = number.filter(|_| digits > 0 && is_fraction) else { return Err(fault()) };
    let seconds = match digits {
        0..=11 => number,
        12..=14 => number / 1_000,
        15..=17 => number / 1_000_000,
        _ => number / 1_000_000_000,
    };
    Moment::of_epoch(seconds).map_err(|what| Fault::of(what, text))
}

/// A time in any form that fills the whole text; brackets around it are ignored.
pub(crate) fn any(text: &[u8]) -> Result<Moment, Fault> {
    let text = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")).unwrap_or(text);
    let (moment, len) = match text {
        [_, _, b'/', ..] => clf(text)?,
        [_, _, _, _, b'-' | b'/', ..] => iso(text)?,
        _ => return epoch(text),
    };
    // a zone name, or whatever else a server adds
    let is_done = len == text.len() || text[len] == b' ';
    if is_done { Ok(moment) } else { Err(Fault::of(What::NotATime, text)) }
}

/// What one conversion of a `strftime` pattern means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimePart {
    Year,
    /// The last two digits of the year.
    ShortYear,
    Month,
    /// The name of a month, short or long.
    MonthName,
    Day,
    Hour,
    /// From 1 to 12.
    Hour12,
    /// AM or PM.
    Half,
    Minute,
    Second,
    /// Seconds, thousandths or millionths since 1970.
    Epoch,
    Zone,
    /// `dd/Mon/yyyy:HH:MM:SS zone`, with or without brackets.
    Clf,
    /// `YYYY-MM-DD`.
    IsoDate,
    /// `YYYY-MM-DD`, a `T` or a blank, `HH:MM:SS`, perhaps a zone.
    Iso,
    /// `MM/DD/YY`.
    AmericanDate,
    /// `HH:MM`.
    ShortClock,
    /// `HH:MM:SS`.
    Clock,
}

/// A time given in parts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TimeParts {
    whole: Option<Moment>,
    date: [Option<u32>; 3],
    clock: [Option<u32>; 3],
    hour12: Option<u32>,
    is_afternoon: bool,
    offset: Option<i32>,
}

fn number(text: &[u8]) -> Option<u32> {
    // `%e`, `%k` and `%l` write a blank instead of a leading zero
    let text = text.trim_ascii_start();
    let is_short = (1..=9).contains(&text.len());
    (is_short && text.iter().all(u8::is_ascii_digit))
        .then(|| text.iter().fold(0, |n: u32, d| n.wrapping_mul(10).wrapping_add(digit(*d))))
}

impl TimeParts {
    /// Adds the text of a conversion.
    pub(crate) fn add(&mut self, part: TimePart, text: &[u8]) -> Result<(), Fault> {
        let fault = Fault::of(What::NotATime, text);
        let a_number = || number(text).ok_or(fault);
        match part {
            TimePart::Year => self.date[0] = Some(a_number()?),
            TimePart::ShortYear => {
                let year = a_number()?;
                self.date[0] = Some(if year < 69 { 2000 + year } else { 1900 + year });
            }
            TimePart::Month => self.date[1] = Some(a_number()?),
            TimePart::MonthName => {
                let is_long = LONG_MONTHS.iter().any(|name| name.eq_ignore_ascii_case(text));
                let found = month(text).filter(|_| text.len() == 3 || is_long);
                self.date[1] = Some(found.ok_or(Fault::of(What::NotAMonth, text))?);
            }
            TimePart::Day => self.date[2] = Some(a_number()?),
            TimePart::Hour => self.clock[0] = Some(a_number()?),
            TimePart::Hour12 => self.hour12 = Some(a_number()?),
            TimePart::Half => self.is_afternoon = text.eq_ignore_ascii_case(b"pm"),
            TimePart::Minute => self.clock[1] = Some(a_number()?),
            TimePart::Second => self.clock[2] = Some(a_number()?),
            TimePart::Epoch => self.whole = Some(epoch(text)?),
            TimePart::Zone => self.offset = zone(text).map(|(offset, _)| offset),
            TimePart::Clf | TimePart::Iso => self.whole = Some(any(text)?),
            TimePart::IsoDate => {
                let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
                    return Err(Fault::of(What::NotIso, text));
                };
                self.date = [four(&[y1, y2, y3, y4]), two(&[m1, m2]), two(&[d1, d2])];
            }
            TimePart::AmericanDate => {
                let &[m1, m2, b'/', d1, d2, b'/', y1, y2] = text else { return Err(fault) };
                self.add(TimePart::ShortYear, &[y1, y2]).map_err(|_| fault)?;
                (self.date[1], self.date[2]) = (two(&[m1, m2]), two(&[d1, d2]));
            }
            TimePart::ShortClock => {
                let &[h1, h2, b':', m1, m2] = text else { return Err(fault) };
                (self.clock[0], self.clock[1]) = (two(&[h1, h2]), two(&[m1, m2]));
            }
            TimePart::Clock => {
                let (h, m, s) = clock(text).ok_or(Fault::of(What::NotAClock, text))?;
                self.clock = [Some(h), Some(m), Some(s)];
            }
        }
        Ok(())
    }

    /// Whether these parts are enough for a moment: a date and at least the hour.
    pub(crate) fn suffice(parts: &[TimePart]) -> bool {
        let has = |some: &[TimePart]| parts.iter().any(|part| some.contains(part));
        let day = has(&[TimePart::IsoDate, TimePart::AmericanDate])
            || (has(&[TimePart::Year, TimePart::ShortYear])
                && has(&[TimePart::Month, TimePart::MonthName])
                && has(&[TimePart::Day]));
        let hour = has(&[TimePart::Hour, TimePart::Clock, TimePart::ShortClock])
            || (has(&[TimePart::Hour12]) && has(&[TimePart::Half]));
        has(&[TimePart::Epoch, TimePart::Clf, TimePart::Iso]) || (day && hour)
    }

    /// The moment they describe.
    pub(crate) fn moment(&self) -> Result<Moment, Fault> {
        if let Some(mut whole) = self.whole {
            whole.offset = self.offset.or(whole.offset);
            return Ok(whole);
        }
        let hour = self.clock[0].or_else(|| Some(self.hour12? % 12 + if self.is_afternoon { 12 } else { 0 }));
        let ([Some(year), Some(month), Some(day)], Some(hour)) = (self.date, hour) else {
            return Err(Fault::bare(What::NoTime));
        };
        let clock = (hour, self.clock[1].unwrap_or(0), self.clock[2].unwrap_or(0));
        Moment::new((year, month, day), clock, self.offset).map_err(Fault::bare)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(moment: Moment) -> String {
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
        let zone = moment.offset.map_or_else(String::new, |s| format!(" {s}"));
        format!("{} {}{zone}", text(&moment.date), text(&moment.time))
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        for (text, found) in [
            ("10/Jul/2025:08:00:01 +0000", "2025-07-10 08:00:01 0"),
            ("10/jul/2025:08:00:01 -0430", "2025-07-10 08:00:01 -16200"),
            ("[10/Jul/2025:08:00:01 +0530]", "2025-07-10 08:00:01 19800"),
            ("10/Jul/2025:08:00:01", "2025-07-10 08:00:01"),
            ("10/Jul/2025:08:00:01.584", "2025-07-10 08:00:01"),
            ("10/Jul/2025:08:00:01 EDT", "2025-07-10 08:00:01"),
            ("29/Feb/2024:10:00:00 +0000", "2024-02-29 10:00:00 0"),
            ("2025-07-10T08:00:01+00:00", "2025-07-10 08:00:01 0"),
            ("2025-07-10T08:00:01.147454Z", "2025-07-10 08:00:01 0"),
            ("2025-07-10 08:00:01,5 +0200", "2025-07-10 08:00:01 7200"),
            ("2025-07-10T08:00:01", "2025-07-10 08:00:01"),
            ("1752134401", "2025-07-10 08:00:01 0"),
            ("1752134401.5", "2025-07-10 08:00:01 0"),
            ("1752134401584", "2025-07-10 08:00:01 0"),
            ("1752134401584123", "2025-07-10 08:00:01 0"),
            ("1752134401584123999", "2025-07-10 08:00:01 0"),
            ("1.7521344015e9", "2025-07-10 08:00:01 0"),
            ("951782400", "2000-02-29 00:00:00 0"),
            ("2025/07/10 08:00:01", "2025-07-10 08:00:01"),
        ] {
            assert_eq!(any(text.as_bytes()).map(shown), Ok(found.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_invalid_time_says_what_is_wrong() {
        for (text, why) in [
            ("10/07/2025:08:00:01 +0000", "time `10/07/2025` is not day/month/year"),
            ("10/Mär/2025:08:00:01 +0000", "month `Mär` is not an English name"),
            ("10/Mai/2025:08:00:01 +0000", "month `Mai` is not an English name"),
            ("10/Jul/2025 08:00:01", "time `10/Jul/2025 08:00:01` is not day/month/year:hour:minute:second"),
            ("29/Feb/2025:10:00:00 +0000", "there is no time `29/Feb/2025:10:00:00`"),
            ("31/Apr/2025:10:00:00 +0000", "there is no time `31/Apr/2025:10:00:00`"),
            ("00/Jul/2025:10:00:00 +0000", "there is no time `00/Jul/2025:10:00:00`"),
            ("10/Jul/2025:24:00:00 +0000", "there is no time `10/Jul/2025:24:00:00`"),
            ("10/Jul/2025:23:59:60 +0000", "there is no time `10/Jul/2025:23:59:60`"),
            ("01/Jan/1970:00:00:00 +0000", "time `01/Jan/1970:00:00:00` is before 1995"),
            ("2025-02-29T10:00:00Z", "there is no time `2025-02-29T10:00:00`"),
            ("2025-07-10T8:00:01", "time `2025-07-10T8:00:01` is not year-month-day and hour:minute:second"),
            ("0", "time `0` is before 1995"),
            ("12x", "time `12x` is not day/month/year:hour:minute:second"),
            ("", "time `` is not day/month/year:hour:minute:second"),
        ] {
            let fault = any(text.as_bytes()).map(shown).unwrap_err();
            let fault = fault.within(text.as_bytes());
            assert_eq!(fault.say(text.as_bytes()), why, "{text}");
        }
    }

    #[test]
    fn times_are_assembled_from_their_parts() {
        let of = |parts: &[(TimePart, &str)]| {
            let mut all = TimeParts::default();
            for (part, text) in parts {
                all.add(*part, text.as_bytes())?;
            }
            all.moment().map(shown)
        };
        let date = [(TimePart::Day, " 9"), (TimePart::MonthName, "July"), (TimePart::ShortYear, "25")];
        let made =
            of(&[&date[..], &[(TimePart::Hour12, "12"), (TimePart::Half, "PM"), (TimePart::Minute, "05")]].concat());
        assert_eq!(made, Ok("2025-07-09 12:05:00".to_owned()));
        let made =
            of(&[(TimePart::AmericanDate, "07/09/25"), (TimePart::ShortClock, "08:30"), (TimePart::Zone, "+0200")]);
        assert_eq!(made, Ok("2025-07-09 08:30:00 7200".to_owned()));
        let made = of(&[(TimePart::Epoch, "1752134401"), (TimePart::Zone, "-0100")]);
        assert_eq!(made, Ok("2025-07-10 08:00:01 -3600".to_owned()));
        assert!(of(&[(TimePart::MonthName, "Maerz")]).is_err());
        assert!(of(&[(TimePart::Hour, "8")]).is_err());
        assert!(TimeParts::suffice(&[TimePart::IsoDate, TimePart::Clock]) && !TimeParts::suffice(&[TimePart::IsoDate]));
    }

    #[test]
    fn every_epoch_day_is_the_day_after_the_one_before() {
        let mut last = *b"1994-12-31";
        for day in 9131..40_000_u64 {
            let date = Moment::of_epoch(day * 86_400 + 86_399).unwrap().date;
            assert!(date > last, "{day}");
            last = date;
        }
        assert_eq!(&last, b"2079-07-07");
    }
}
