//! Colours for the words that say whether something is well, on a terminal.
//!
//! There are none in a pipe or a file, with `NO_COLOR` (<https://no-color.org>) or with `TERM=dumb`.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";

/// The words, and their colours.
const WORDS: [(&str, &str); 6] =
    [("OK", GREEN), ("WARNING", YELLOW), ("WARN", YELLOW), ("CRITICAL", RED), ("FAIL", RED), ("UNKNOWN", "35")];

/// Colours the words at the beginning of lines for standard output.
pub(crate) fn states(text: &str) -> Cow<'_, str> {
    if is_wanted() { Cow::Owned(coloured(text)) } else { Cow::Borrowed(text) }
}

/// Whether standard output shows colours.
fn is_wanted() -> bool {
    io::stdout().is_terminal() && allows(|name| std::env::var_os(name))
}

fn allows(env: impl Fn(&str) -> Option<OsString>) -> bool {
    env("NO_COLOR").is_none_or(|value| value.is_empty()) && env("TERM").is_some_and(|term| term != "dumb")
}

fn coloured(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> Cow<'_, str> {
    let found = WORDS.iter().find_map(|(word, colour)| Some((word, colour, line.strip_prefix(word)?)));
    match found {
        Some((word, colour, rest)) if rest.starts_with([' ', '\n']) => {
            format!("\x1b[{colour}m{word}\x1b[0m{rest}").into()
        }
        _ => line.into(),
    }
}

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    Attention,
    Bad,
}

/// Colours a value for standard output.
pub(crate) fn value(mood: Mood, text: String) -> String {
    let colour = match mood {
        Mood::Good => GREEN,
        Mood::Attention => YELLOW,
        Mood::Bad => RED,
    };
    if is_wanted() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_at_the_beginning_of_lines_are_coloured() {
        let text = "OK    a\nFAIL  b OK\n      fix: OK\nOKAY x\nWARNING - c | 'd'=1\nall is well\n";
        let expected = "\x1b[32mOK\x1b[0m    a\n\x1b[31mFAIL\x1b[0m  b OK\n      fix: OK\nOKAY x\n\
                        \x1b[33mWARNING\x1b[0m - c | 'd'=1\nall is well\n";
        assert_eq!(coloured(text), expected);
    }

    #[test]
    fn the_environment_can_switch_colours_off() {
        let allowed = |no_color: Option<&str>, term: Option<&str>| {
            allows(|name| if name == "NO_COLOR" { no_color } else { term }.map(OsString::from))
        };
        assert!(allowed(None, Some("xterm")) && allowed(Some(""), Some("xterm")));
        assert!(!allowed(Some("1"), Some("xterm")) && !allowed(None, Some("dumb")) && !allowed(None, None));
    }
}
