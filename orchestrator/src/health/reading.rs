//! What a check measured, and the states that it can have.

use super::ranges::Limits;

/// The state of a check, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Ok,
    /// The check could not be made.
    Unknown,
    Warning,
    Critical,
}

impl State {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Unknown => "UNKNOWN",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }

    /// The exit code of a Nagios plugin.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

/// What a check measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// Values by label; the first label is usually the check's name.
    pub(crate) values: Vec<(String, f64)>,
    /// In words, without names of files, accounts or hosts, because the server may publish it.
    pub(crate) text: String,
    /// More, for people with an account on the machine.
    pub(crate) detail: Option<String>,
    /// The state is at least this, whatever the limits say.
    pub(crate) at_least: Option<State>,
    /// Limits of single values instead of those of the check, in the order of the values.
    pub(crate) limits: Vec<Limits>,
}

impl Reading {
    /// One value under the name of the check.
    pub(crate) fn of(name: &str, value: f64, text: impl Into<String>) -> Self {
        Self { values: vec![(name.to_owned(), value)], text: text.into(), ..Self::default() }
    }

    /// Nothing to measure, and nothing wrong.
    pub(crate) fn calm(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The check cannot be made.
    pub(crate) fn unknown(text: impl Into<String>, detail: &str) -> Self {
        let detail = Some(detail.to_owned()).filter(|detail| !detail.is_empty());
        Self { text: text.into(), detail, at_least: Some(State::Unknown), ..Self::default() }
    }

    /// Something is wrong, independently of any limit.
    pub(crate) fn wrong(state: State, text: impl Into<String>, detail: &str) -> Self {
        Self { at_least: Some(state), ..Self::unknown(text, detail) }
    }
}
