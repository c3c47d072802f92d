//! One number of the report: what it is measured in, how it is shown, and whether it may be shown at all.
//!
//! What is hidden is gone: an [`Amount`] that may not be shown does not hold the number any more, so no
//! renderer, tooltip or chart can give it away.

use std::fmt::Write as _;

/// The smallest group of people whose number is shown to everybody.
pub(crate) const LEAST: u32 = 5;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// People, visits, runs.
    Count,
    /// Seconds, shown as hours.
    Hours,
    /// Seconds, shown as minutes.
    Minutes,
    /// A part of 1, shown in percent.
    Share,
}

impl Unit {
    /// What is written behind a number of this unit.
    const fn sign(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Hours => " h",
            Self::Minutes => " min",
            Self::Share => " %",
        }
    }

    /// From the unit of the records to the one that is shown.
    pub(crate) fn shown(self, value: f64) -> f64 {
        match self {
            Self::Count => value,
            Self::Hours => value / 3600.0,
            Self::Minutes => value / 60.0,
            Self::Share => value * 100.0,
        }
    }

    /// How many decimals are shown.
    fn decimals(self, shown: f64) -> usize {
        match self {
            Self::Count => 0,
            Self::Hours | Self::Minutes => usize::from(shown.abs() < 99.95 && shown != 0.0),
            Self::Share => 1,
        }
    }
}

/// A number, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Amount {
    /// In the unit of the records.
    Known(f64),
    /// Fewer people than may be shown.
    Few,
    /// Not shown, so that one that is too small cannot be found by subtraction.
    Withheld,
    /// The records do not have it.
    Missing,
}

impl Amount {
    /// The number, where it may be shown.
    pub(crate) const fn value(self) -> Option<f64> {
        if let Self::Known(value) = self { Some(value) } else { None }
    }

    pub(crate) const fn is_hidden(self) -> bool {
        matches!(self, Self::Few | Self::Withheld)
    }

    /// The share of a whole; hidden where one of both is.
    pub(crate) fn of(self, whole: Self) -> Self {
        match (self, whole) {
            (Self::Known(part), Self::Known(whole)) if whole > 0.0 => Self::Known(part / whole),
            (Self::Known(_), Self::Known(_)) | (Self::Missing, _) | (_, Self::Missing) => Self::Missing,
            (Self::Known(_), hidden) | (hidden, _) => hidden,
        }
    }

    /// As text with its unit: `12,345`, `3.4 h`, `< 5`.
    pub(crate) fn text(self, unit: Unit) -> String {
        match self {
            Self::Known(value) => format!("{}{}", number(value, unit), unit.sign()),
            Self::Few => format!("< {}", LEAST),
            Self::Withheld => "not shown".to_owned(),
            Self::Missing => "–".to_owned(),
        }
    }

    /// As text for a program: no thousands, no unit; empty when there is none.
    pub(crate) fn plain(self, unit: Unit) -> String {
        let Self::Known(value) = self else { return String::new() };
        let shown = unit.shown(value);
        match unit {
            Unit::Count => format!("{shown:.0}"),
            _ => format!("{shown:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        }
    }
}

/// A number with its thousands apart, in the unit that is shown.
pub(crate) fn number(value: f64, unit: Unit) -> String {
    let shown = unit.shown(value);
    grouped(shown, unit.decimals(shown))
}

fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (digits, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|b| b.is_ascii_digit() && b != b'0') {
        out.push('−');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        let _ = write!(out, ".{rest}");
    }
    out
}

/// How much something has changed, as a signed percentage; `None` when there is nothing to compare with.
pub(crate) fn change(now: Amount, before: Amount) -> Option<String> {
    let (now, before) = (now.value()?, before.value().filter(|before| *before > 0.0)?);
    let percent = (now / before - 1.0) * 100.0;
    let decimals = usize::from(percent.abs() < 9.95);
    let text = grouped(percent.abs(), decimals);
    let is_nothing = text.bytes().all(|b| !b.is_ascii_digit() || b == b'0');
    let sign = if is_nothing {
        "±"
    } else if percent > 0.0 {
        "+"
    } else {
        "−"
    };
    Some(format!("{sign}{text} %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_their_unit() {
        for (value, unit, text) in [
            (0.0, Unit::Count, "0"),
            (999.0, Unit::Count, "999"),
            (1000.0, Unit::Count, "1,000"),
            (1_234_567.0, Unit::Count, "1,234,567"),
            (-1234.0, Unit::Count, "−1,234"),
            (3600.0, Unit::Hours, "1.0 h"),
            (0.0, Unit::Hours, "0 h"),
            (359_999.0, Unit::Hours, "100 h"),
            (3_600_000.0, Unit::Hours, "1,000 h"),
            (150.0, Unit::Minutes, "2.5 min"),
            (0.125, Unit::Share, "12.5 %"),
            (1.0, Unit::Share, "100.0 %"),
        ] {
            assert_eq!(Amount::Known(value).text(unit), text);
        }
        assert_eq!(Amount::Few.text(Unit::Count), "< 5");
        assert_eq!(Amount::Known(5400.0).plain(Unit::Hours), "1.5");
        assert_eq!(Amount::Few.plain(Unit::Count), "");
    }

    #[test]
    fn a_share_of_something_hidden_is_hidden() {
        let (known, few, none) = (Amount::Known(8.0), Amount::Few, Amount::Missing);
        assert_eq!(Amount::Known(2.0).of(known), Amount::Known(0.25));
        assert_eq!(few.of(known), few);
        assert_eq!(known.of(few), few);
        assert_eq!(few.of(none), none);
        assert_eq!(known.of(Amount::Known(0.0)), none);
    }

    #[test]
    fn changes_have_a_sign() {
        let of = |now: f64, before: f64| change(Amount::Known(now), Amount::Known(before));
        assert_eq!(of(112.0, 100.0).as_deref(), Some("+12 %"));
        assert_eq!(of(97.0, 100.0).as_deref(), Some("−3.0 %"));
        assert_eq!(of(100.0, 100.0).as_deref(), Some("±0.0 %"));
        assert_eq!(of(2500.0, 100.0).as_deref(), Some("+2,400 %"));
        assert_eq!(of(1.0, 0.0), None);
        assert_eq!(change(Amount::Few, Amount::Known(1.0)), None);
    }
}
