//! Lists of agents that others publish or the administrator writes: what entries a file has.
//!
//! COUNTER-Robots, crawler-user-agents and ai.robots.txt are read as they are; any other file has
//! one pattern per line. What the entries match is decided elsewhere, see [`Patterns`].
//!
//! [`Patterns`]: super::patterns::Patterns

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use kit::door::named;
use serde_json::Value;

/// How to read an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A regular expression; `exact` if case matters.
    Expression { exact: bool },
    /// A text that may occur anywhere.
    Text,
}

/// An entry of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) text: String,
    pub(crate) meaning: Meaning,
    /// Its place: `line 3`, or `entry 3`.
    pub(crate) place: String,
}

/// Reads a list that the user named.
///
/// # Errors
/// The file cannot be read, is not UTF-8, or looks like JSON but is not valid.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>> {
    let reading = || format!("reading the list {}", path.display());
    let text = named::read_short(path).with_context(reading)?;
    entries(&text).with_context(reading)
}

/// The entries of a list, whose format is recognised from its text.
fn entries(text: &str) -> Result<Vec<Entry>> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut inside = text.trim_start().chars();
    let first = inside.next();
    // a pattern may also begin with a bracket: `[wW]get`
    let second = inside.as_str().trim_start().chars().next();
    match (first, second) {
        (Some('{'), Some('"' | '}')) => of_object(text),
        (Some('['), Some('{' | '"' | ']')) => of_array(text),
        _ => Ok(of_lines(text)),
    }
}

/// An object whose keys are names of bots, as in ai.robots.txt.
fn of_object(text: &str) -> Result<Vec<Entry>> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(text)?;
    let entries = object.into_iter().enumerate().map(|(i, (name, value))| {
        let place = format!("entry {}", i + 1);
        if !value.is_object() {
            bail!("{place}: `{name}` is not described by an object; is this a list of bots?");
        }
        Ok(Entry { text: name, meaning: Meaning::Text, place })
    });
    entries.collect()
}

/// An array of patterns, or of objects with a `pattern` each. Case matters in a list with `instances`
/// beside its patterns, as in crawler-user-agents; COUNTER says to ignore case.
fn of_array(text: &str) -> Result<Vec<Entry>> {
    let array: Vec<Value> = serde_json::from_str(text)?;
    let entries = array.into_iter().enumerate().map(|(i, value)| {
        let place = format!("entry {}", i + 1);
        let exact = value.get("instances").is_some();
        let pattern = match value {
            Value::String(pattern) => Some(pattern),
            Value::Object(mut object) => match object.remove("pattern") {
                Some(Value::String(pattern)) => Some(pattern),
                _ => None,
            },
            _ => None,
        };
        let text = pattern.ok_or_else(|| anyhow!("{place} has no `pattern`"))?;
        Ok(Entry { text, meaning: Meaning::Expression { exact }, place })
    });
    entries.collect()
}

/// One pattern per line: a regular expression if it has a character with a meaning there.
fn of_lines(text: &str) -> Vec<Entry> {
    let lines = text.lines().enumerate().map(|(i, line)| (i, line.trim()));
    let entries = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(i, line)| {
        let meaning = if line.bytes().any(is_meta) { Meaning::Expression { exact: false } } else { Meaning::Text };
        Entry { text: line.to_owned(), meaning, place: format!("line {}", i + 1) }
    });
    entries.collect()
}

/// Whether a byte has a meaning in a regular expression.
pub(crate) const fn is_meta(byte: u8) -> bool {
    matches!(byte, b'\\' | b'^' | b'$' | b'.' | b'|' | b'?' | b'*' | b'+' | b'(' | b')' | b'[' | b']' | b'{' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, Meaning)> {
        entries(text).unwrap().into_iter().map(|entry| (entry.text, entry.meaning)).collect()
    }

    const ANY_CASE: Meaning = Meaning::Expression { exact: false };

    #[test]
    fn the_format_of_a_list_is_recognised_by_its_content() {
        let counter = r#"[ {"pattern": "^ruby$", "last_changed": "2017-08-08"}, {"pattern": "bot"} ]"#;
        assert_eq!(of(counter), [("^ruby$".to_owned(), ANY_CASE), ("bot".to_owned(), ANY_CASE)]);
        let crawlers = r#"[{"pattern": "[wW]get", "url": "", "instances": ["wget/1"]}]"#;
        assert_eq!(of(crawlers), [("[wW]get".to_owned(), Meaning::Expression { exact: true })]);
        let ai = "\u{FEFF}{\n \"bigsur.ai\": {\"operator\": \"\"}}";
        assert_eq!(of(ai), [("bigsur.ai".to_owned(), Meaning::Text)]);
        assert_eq!(of(r#"["a b"]"#), [("a b".to_owned(), ANY_CASE)]);
        let lines = "# mine\r\n\r\n  python-requests\r\n[wW]get\n^curl/\n";
        assert_eq!(
            of(lines),
            [
                ("python-requests".to_owned(), Meaning::Text),
                ("[wW]get".to_owned(), ANY_CASE),
                ("^curl/".to_owned(), ANY_CASE)
            ]
        );
        assert_eq!(of("[wW]get\n"), [("[wW]get".to_owned(), ANY_CASE)]);
        assert_eq!(of(""), []);
        assert_eq!(entries("\n# x\n\nbot\n").unwrap()[0].place, "line 4");
    }

    #[test]
    fn a_file_that_is_not_a_list_of_bots_is_an_error() {
        for (text, why) in [
            (r#"[{"pattern": "a"}, {"url": ""}]"#, "entry 2 has no `pattern`"),
            (r#"[{"pattern": 5}]"#, "entry 1 has no `pattern`"),
            (r#"{"a": 1}"#, "`a` is not described by an object"),
            (r#"[{"pattern": "a""#, "line 1"),
        ] {
            let error = format!("{:#}", entries(text).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }
}
