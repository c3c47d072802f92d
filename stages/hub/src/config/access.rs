//! `access.cfg`, the layout of the legacy scripts: `$name = 'value';`.
//!
//! A value is in single quotes, may span lines, and has no escapes. The last assignment of a name wins.
//! Anything else in the file is ignored.

use std::collections::BTreeMap;

use super::malformed::Malformed;

/// The assignments of a file.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// The values with their lines.
    values: BTreeMap<String, (String, usize)>,
    /// Names whose value is ignored because of the way it is written, with their lines.
    misquoted: BTreeMap<String, (usize, Quotes)>,
}

/// How an ignored value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// In double quotes.
    Double,
    /// Without quotes.
    None,
}

impl Quotes {
    /// Determines it from the text after the equals sign; nothing if it is not meant as a value.
    fn of(after: &str) -> Option<Self> {
        match after.chars().next()? {
            '"' => Some(Self::Double),
            c if c.is_alphanumeric() || matches!(c, '/' | '`' | '$' | '*' | '%' | '-' | '_') => Some(Self::None),
            _ => None,
        }
    }
}

impl Access {
    /// Parses the text of a file.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut access = Self::default();
        let mut rest = text;
        let mut at_line_start = true;
        while let Some(first) = rest.chars().next() {
            let trimmed = rest.trim_start_matches([' ', '\t']);
            if at_line_start && trimmed.starts_with('#') {
                rest = trimmed.split_once('\n').map_or("", |(_, next)| next);
                continue;
            }
            at_line_start = first == '\n';
            let line = || 1 + text[..text.len() - rest.len()].matches('\n').count();
            let Some((name, after)) = name(rest) else {
                rest = &rest[first.len_utf8()..];
                continue;
            };
            if let Some(value) = after.strip_prefix('\'') {
                let Some((value, next)) = value.split_once('\'') else {
                    return Err(Malformed {
                        line: line(),
                        what: format!("the value of ${name} has no closing quote (')"),
                    });
                };
                access.misquoted.remove(name);
                access.values.insert(name.to_owned(), (value.to_owned(), line()));
                // text after a statement on its line may be a comment
                let tail = next.trim_start_matches([' ', '\t', ';']);
                at_line_start = tail.starts_with('#');
                rest = if at_line_start { tail } else { next };
            } else {
                let quotes = Quotes::of(after).filter(|_| !access.values.contains_key(name));
                if let Some(quotes) = quotes {
                    access.misquoted.insert(name.to_owned(), (line(), quotes));
                }
                rest = after;
            }
        }
        Ok(access)
    }

    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(value, _)| value.as_str())
    }

    /// The value of a name, and its line.
    pub(super) fn place(&self, name: &str) -> Option<(&str, usize)> {
        self.values.get(name).map(|(value, line)| (value.as_str(), *line))
    }

    /// Where a name has a value that is ignored.
    pub(super) fn hint(&self, name: &str) -> Option<String> {
        let (line, quotes) = self.misquoted(name)?;
        let how = match quotes {
            Quotes::Double => "in double quotes",
            Quotes::None => "without quotes",
        };
        Some(format!("line {line} has it {how}, but only single quotes (') count"))
    }

    /// The line where a name has a value that is ignored, and how it is written.
    pub(super) fn misquoted(&self, name: &str) -> Option<(usize, Quotes)> {
        self.misquoted.get(name).copied()
    }
}

/// `$NAME =` at the beginning of the text: the name, and what follows the sign.
fn name(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('$')?;
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((name, after.trim_ascii_start().strip_prefix('=')?.trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, name: &str, expected: Option<&str>) {
        assert_eq!(Access::parse(text).unwrap().get(name), expected, "{text}");
    }

    #[test]
    fn assignments_in_single_quotes_are_read() {
        check("$hub_db = 'hub';", "hub_db", Some("hub"));
        check("$hub_db='hub'", "hub_db", Some("hub"));
        check("  $hub_db\t=\t'hub' ;\r\n", "hub_db", Some("hub"));
        check("<?php $hub_db = 'hub'; ?>", "hub_db", Some("hub"));
        check("$a = 'x'; $b = 'y';", "b", Some("y"));
        check("$a = 'x';\n$a = 'y';\n", "a", Some("y"));
        check("$a = '';", "a", Some(""));
        check("$a = ' #;\"$b = % \\';", "a", Some(" #;\"$b = % \\"));
        check("$a = 'two\nlines';\n$b = 'c';", "a", Some("two\nlines"));
        check("$a = 'two\n# lines';\n$b = 'c';", "b", Some("c"));
        check("$1a = 'x';", "1a", None);
        check("$a-b = 'x';", "a", None);
        check("a = 'x';", "a", None);
        check("$a == 'x';", "a", None);
        check("", "a", None);
        check("$a", "a", None);
        check("$ä = 'x'; $b = 'é';", "b", Some("é"));
    }

    #[test]
    fn comments_are_ignored() {
        check("# $a = 'x';\n", "a", None);
        check("$a = 'x';\n  # $a = 'y';\n", "a", Some("x"));
        check("$a = 'x'; # $a = 'y';\n$b = 'z';", "a", Some("x"));
        check("$a = 'x'; # $a = 'y';\n$b = 'z';", "b", Some("z"));
        check("# an odd ' quote\n$a = 'x';", "a", Some("x"));
        check("// an odd ' quote\n$a = 'x';", "a", Some("x"));
    }

    #[test]
    fn a_value_in_double_quotes_is_ignored() {
        let access = Access::parse("\n$a = \"x\";\n$b = \"y\";\n$b = 'z';\n").unwrap();
        assert_eq!((access.get("a"), access.get("b")), (None, Some("z")));
        assert_eq!(access.hint("a").unwrap(), "line 2 has it in double quotes, but only single quotes (') count");
        assert_eq!(access.hint("b"), None);
        let access = Access::parse("$a = x;\n$b == 'y';\n$c =\n'z';\n$d = ;\n").unwrap();
        assert_eq!(access.hint("a").unwrap(), "line 1 has it without quotes, but only single quotes (') count");
        assert_eq!(["b", "c", "d"].map(|name| access.hint(name)), [None, None, None]);
    }

    #[test]
    fn an_open_quote_is_reported_with_its_line() {
        let error = Access::parse("$a = 'x';\n\n$b = 'y;\n$c\n").unwrap_err();
        assert_eq!((error.line, error.what.as_str()), (3, "the value of $b has no closing quote (')"));
    }
}
