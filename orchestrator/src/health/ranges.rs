//! Ranges of values that raise no alarm, in the notation of Nagios plugins.
//!
//! `10` is 0 to 10, `10:` is 10 or more, `~:10` is 10 or less, `5:10` is 5 to 10, and `@5:10` is
//! everything else.

use std::fmt;
use std::str::FromStr;

/// A range, with its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Range {
    text: String,
    first: f64,
    last: f64,
    is_inverted: bool,
}

impl Range {
    /// Whether a value raises an alarm.
    pub(crate) fn alarms(&self, value: f64) -> bool {
        let is_inside = value >= self.first && value <= self.last;
        is_inside == self.is_inverted
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|n: &f64| n.is_finite())
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (bounds, is_inverted) = text.strip_prefix('@').map_or((text, false), |bounds| (bounds, true));
        let bounds = match bounds.split_once(':') {
            None => number(bounds).map(|last| (0.0, last)),
            Some((first, last)) => {
                let first = if first == "~" { Some(f64::NEG_INFINITY) } else { number(first) };
                let last = if last.is_empty() { Some(f64::INFINITY) } else { number(last) };
                first.zip(last)
            }
        };
        let (first, last) = bounds
            .filter(|(first, last)| first <= last)
            .ok_or_else(|| format!("`{text}` is not a range (such as 10, 10:, ~:10, 5:10 or @5:10)"))?;
        Ok(Self { text: text.to_owned(), first, last, is_inverted })
    }
}

/// When a value is a warning and when it is critical; without a range it never is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Limits {
    pub(crate) warning: Option<Range>,
    pub(crate) critical: Option<Range>,
}

impl FromStr for Limits {
    type Err = String;

    /// `WARNING,CRITICAL`; either may be empty, and a single range is used for both.
    fn from_str(text: &str) -> Result<Self, String> {
        let range = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some) };
        match text.split_once(',') {
            Some((warning, critical)) => Ok(Self { warning: range(warning)?, critical: range(critical)? }),
            None => {
                let both: Option<Range> = range(text)?;
                both.is_some()
                    .then(|| Self { warning: both.clone(), critical: both })
                    .ok_or_else(|| "no range".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_the_guidelines_for_plugins() {
        for (text, calm, alarming) in [
            ("10", &[0.0, 10.0][..], &[-1.0, 10.5][..]),
            ("10:", &[10.0, 1e9], &[9.9]),
            ("~:10", &[-5.0, 10.0], &[10.1]),
            ("10:20", &[10.0, 20.0], &[9.0, 21.0]),
            ("@10:20", &[9.0, 21.0], &[10.0, 15.0, 20.0]),
            ("0", &[0.0], &[1.0]),
        ] {
            let range: Range = text.parse().unwrap();
            assert_eq!(range.to_string(), text);
            assert!(calm.iter().all(|value| !range.alarms(*value)), "{text}");
            assert!(alarming.iter().all(|value| range.alarms(*value)), "{text}");
        }
        for text in ["", "x", "20:10", "~", "1:2:3", "nan", "inf", "@"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_range_or_two_are_understood() {
        let limits: Limits = "3,10".parse().unwrap();
        assert_eq!(limits, Limits { warning: "3".parse().ok(), critical: "10".parse().ok() });
        assert_eq!("3,".parse::<Limits>().unwrap().critical, None);
        assert_eq!(",9".parse::<Limits>().unwrap().warning, None);
        let both: Limits = "7".parse().unwrap();
        assert_eq!(both.warning, both.critical);
        assert!("".parse::<Limits>().is_err() && "a,b".parse::<Limits>().is_err());
    }
}
