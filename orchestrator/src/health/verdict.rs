//! Compares readings with limits: gives the state of a check, and the output of a Nagios plugin.

use std::fmt::Write as _;

use super::ranges::{Limits, Range};
use super::reading::{Reading, State};
use super::signals::Signal;

/// A value with its unit and limits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Perf {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) warning: Option<Range>,
    pub(crate) critical: Option<Range>,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checked {
    pub(crate) name: &'static str,
    pub(crate) state: State,
    pub(crate) text: String,
    pub(crate) detail: Option<String>,
    pub(crate) perf: Vec<Perf>,
}

impl Checked {
    /// The text, followed by its detail.
    pub(crate) fn words(&self) -> String {
        self.detail.as_ref().map_or_else(|| self.text.clone(), |detail| format!("{}: {detail}", self.text))
    }
}

fn state_of(value: f64, limits: &Limits) -> State {
    let alarms = |range: &Option<Range>| range.as_ref().is_some_and(|range| range.alarms(value));
    match (alarms(&limits.critical), alarms(&limits.warning)) {
        (true, _) => State::Critical,
        (_, true) => State::Warning,
        _ => State::Ok,
    }
}

/// Compares a reading with the limits.
pub(crate) fn judge(signal: &Signal, reading: &Reading, limits: &Limits) -> Checked {
    let mut state = reading.at_least.unwrap_or(State::Ok);
    let mut perf = Vec::new();
    let is_usual = *limits == signal.limits();
    for (at, (label, value)) in reading.values.iter().enumerate() {
        // limits from the configuration take precedence
        let limits = reading.limits.get(at).filter(|_| is_usual).unwrap_or(limits);
        state = state.max(state_of(*value, limits));
        let (warning, critical) = (limits.warning.clone(), limits.critical.clone());
        perf.push(Perf { label: label.clone(), value: *value, unit: signal.unit, warning, critical });
    }
    Checked { name: signal.name, state, text: reading.text.clone(), detail: reading.detail.clone(), perf }
}

/// The worst state; `UNKNOWN` if there is no check.
pub(crate) fn worst(checks: &[Checked]) -> State {
    checks.iter().map(|check| check.state).max().unwrap_or(State::Unknown)
}

/// A number without superfluous digits.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Characters with a meaning in the output of a plugin.
fn plain(text: &str) -> String {
    let line = text.lines().collect::<Vec<_>>().join("; ");
    line.chars().map(|c| if c == '|' || kit::is_unseen(c) { '/' } else { c }).collect()
}

/// The output of a plugin: one line with the state, the text and the values, then a line for each
/// check.
pub(crate) fn plugin_output(checks: &[Checked]) -> String {
    let state = worst(checks);
    let bad: Vec<&Checked> = checks.iter().filter(|check| check.state > State::Ok).collect();
    let words = match (bad.as_slice(), checks) {
        ([], [only]) => only.words(),
        ([], all) => format!("{} checks", all.len()),
        (bad, _) => bad.iter().map(|check| format!("{}: {}", check.name, check.words())).collect::<Vec<_>>().join("; "),
    };
    let mut text = format!("{} - {}", state.word(), plain(&words));
    let perf: Vec<String> = checks.iter().flat_map(|check| &check.perf).map(perf_text).collect();
    if !perf.is_empty() {
        let _ = write!(text, " | {}", perf.join(" "));
    }
    text.push('\n');
    if checks.len() > 1 {
        for check in checks {
            let _ = writeln!(text, "{:<8} {}: {}", check.state.word(), check.name, plain(&check.words()));
        }
    }
    text
}

/// `'label'=value[UOM];warn;crit;min;max`
fn perf_text(perf: &Perf) -> String {
    let range = |range: &Option<Range>| range.as_ref().map(ToString::to_string).unwrap_or_default();
    let (warning, critical) = (range(&perf.warning), range(&perf.critical));
    let max = if perf.unit == "%" { "100" } else { "" };
    let label = perf.label.replace(['\'', '='], "_");
    format!("'{label}'={}{};{warning};{critical};0;{max}", number(perf.value), perf.unit)
}

#[cfg(test)]
mod tests {
    use super::super::signals;
    use super::*;

    #[test]
    fn plugin_output_has_state_text_and_values() {
        let signal = signals::find("pending").unwrap();
        let limits: Limits = "3,10".parse().unwrap();
        let check = |value, text: &str| judge(signal, &Reading::of("pending", value, text), &limits);
        let calm = check(2.0, "2 days wait");
        assert_eq!(plugin_output(std::slice::from_ref(&calm)), "OK - 2 days wait | 'pending'=2;3;10;0;\n");
        let bad = check(11.0, "a | b\n=c");
        assert_eq!(
            plugin_output(&[calm.clone(), bad]),
            "CRITICAL - pending: a / b; =c | 'pending'=2;3;10;0; 'pending'=11;3;10;0;\n\
             OK       pending: 2 days wait\nCRITICAL pending: a / b; =c\n"
        );
        assert_eq!(check(4.0, "").state, State::Warning);
        assert_eq!(
            plugin_output(&[calm.clone(), calm]).lines().next(),
            Some("OK - 2 checks | 'pending'=2;3;10;0; 'pending'=2;3;10;0;")
        );
        assert_eq!(worst(&[]).code(), 3);
    }

    #[test]
    fn a_reading_that_is_wrong_in_itself_ignores_limits() {
        let signal = signals::find("database").unwrap();
        let unknown = judge(signal, &Reading::unknown("x", "y"), &Limits::default());
        assert_eq!((unknown.state, unknown.words().as_str()), (State::Unknown, "x: y"));
        assert_eq!(judge(signal, &Reading::wrong(State::Critical, "x", ""), &Limits::default()).state, State::Critical);
        assert_eq!(judge(signal, &Reading::calm("x"), &"0,0".parse().unwrap()).state, State::Ok);
    }

    #[test]
    fn numbers_have_no_superfluous_digits() {
        for (value, text) in
            [(0.0, "0"), (10.0, "10"), (1.5, "1.5"), (0.0004, "0"), (100.0, "100"), (1e12, "1000000000000")]
        {
            assert_eq!(number(value), text);
        }
    }
}
