//! `hzmetrics.conf`: sections with `key = value` or `key: value`.
//!
//! Comments may follow a value, except a password. `%` is an ordinary character. A line that the
//! port would silently join to the one before it is refused.

use std::collections::BTreeMap;

use super::malformed::Malformed;

/// The sections of a file.
#[derive(Debug, Default)]
pub(super) struct Ini {
    /// The values with their lines.
    values: BTreeMap<(String, String), (String, usize)>,
    /// Sections that mean nothing, with their lines.
    others: Vec<(String, usize)>,
}

/// Whether a section means something; others are not looked at.
fn is_known(section: &str) -> bool {
    schema::keys::SECTIONS.iter().any(|(name, _)| *name == section)
}

/// Whether a text has a `[section]` line.
pub(super) fn is_ini(text: &str) -> bool {
    text.lines().any(|line| section(line).is_some())
}

fn section(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('[')?;
    // a comment may follow the bracket
    let (name, tail) = name.split_once(']')?;
    let tail = tail.trim_start();
    (!name.is_empty() && (tail.is_empty() || tail.starts_with(['#', ';']))).then_some(name)
}

impl Ini {
    /// Parses the text of a file.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut ini = Self::default();
        let mut current: Option<String> = None;
        let mut after_key = false;
        for (i, whole) in text.trim_start_matches('\u{FEFF}').lines().enumerate() {
            let malformed = |what: String| Malformed { line: i + 1, what };
            let line = whole.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = section(line) {
                if !is_known(name) {
                    ini.others.push((name.to_owned(), i + 1));
                }
                current = Some(name.to_owned());
                after_key = false;
                continue;
            }
            let Some(name) = &current else {
                return Err(malformed("is before the first [section]".to_owned()));
            };
            if !is_known(name) {
                continue;
            }
            if after_key && whole.starts_with([' ', '\t']) {
                return Err(malformed(
                    "begins with a blank and would belong to the line before; remove the blank".to_owned(),
                ));
            }
            let (key, value) = line
                .split_once(['=', ':'])
                .filter(|(key, _)| !key.trim().is_empty())
                .ok_or_else(|| malformed("is neither a [section] nor `key = value`".to_owned()))?;
            let key = key.trim().to_lowercase();
            let value = if name == "db" && key == "password" { value } else { without_comment(value) };
            after_key = true;
            let place = (name.clone(), key);
            if ini.values.contains_key(&place) {
                return Err(malformed(format!("[{}] {} is given twice", place.0, place.1)));
            }
            ini.values.insert(place, (value.trim().to_owned(), i + 1));
        }
        Ok(ini)
    }

    /// The value of a key.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.values.get(&(section.to_owned(), key.to_owned())).map(|(value, _)| value.as_str())
    }

    /// Everything that is set: section, key, value and line.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, &str, usize)> {
        self.values
            .iter()
            .map(|((section, key), (value, line))| (section.as_str(), key.as_str(), value.as_str(), *line))
    }

    /// Sections that mean nothing, with their lines: what is in them is not looked at.
    pub(super) fn others(&self) -> &[(String, usize)] {
        &self.others
    }

    /// The keys of a section with their values.
    pub(super) fn section(&self, section: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.values.iter().filter(move |((name, _), _)| name == section);
        all.map(|((_, key), (value, _))| (key.as_str(), value.as_str()))
    }
}

/// Cuts at a blank followed by `#` or `;`.
fn without_comment(value: &str) -> &str {
    let starts = value.char_indices().zip(value.chars().skip(1));
    let mut comment = starts.filter(|((_, c), next)| matches!(c, ' ' | '\t') && matches!(next, '#' | ';'));
    comment.next().map_or(value, |((at, _), _)| &value[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, section: &str, key: &str, expected: Option<&str>) {
        assert_eq!(Ini::parse(text).unwrap().get(section, key), expected, "{text}");
    }

    #[test]
    fn keys_and_values_are_read() {
        check("[dns]\nnameserver = 127.0.0.1\n", "dns", "nameserver", Some("127.0.0.1"));
        check("[dns]\nNameServer: ::1\n", "dns", "nameserver", Some("::1"));
        check("\u{FEFF}[dns]\r\nconcurrency=7\r\n", "dns", "concurrency", Some("7"));
        check("[dns] ; names\n  timeout = 1\n", "dns", "timeout", Some("1"));
        check("[dns]\ntimeout =\n", "dns", "timeout", Some(""));
        check("[db]\nuser = a\n[dns]\ntimeout = 1\n[db]\nhost = h\n", "db", "host", Some("h"));
        check("[DNS]\ntimeout = 1\n", "dns", "timeout", None);
        check("[other]\nwords without a sign\n  more\n[dns]\ntimeout = 1\n", "dns", "timeout", Some("1"));
    }

    #[test]
    fn comments_are_ignored() {
        check("# x\n; y\n[dns]\n# timeout = 1\n  ; timeout = 2\n", "dns", "timeout", None);
        check("[dns]\nconcurrency = 500 # unbound\n", "dns", "concurrency", Some("500"));
        check("[dns]\nnameserver = system\t; or 127.0.0.1 # x\n", "dns", "nameserver", Some("system"));
        check("[dns]\nnameserver = # nothing\n", "dns", "nameserver", Some(""));
        check("[hub]\nhub_dir = /www/a#b;c # d\n", "hub", "hub_dir", Some("/www/a#b;c"));
        check("[db]\npassword = p # q ; r\n", "db", "password", Some("p # q ; r"));
        check("[db]\npassword = p%w=:%(x)s\n", "db", "password", Some("p%w=:%(x)s"));
        check("[db]\nhost = localhost ; here\n", "db", "host", Some("localhost"));
    }

    #[test]
    fn a_malformed_line_is_reported_with_its_number() {
        for (text, line, what) in [
            ("x = 1\n", 1, "before the first"),
            ("[dns]\n\nwords\n", 3, "neither a [section]"),
            ("[dns]\n= 3\n", 2, "neither a [section]"),
            ("[dns]\ntimeout = 1\nTimeout: 2\n", 3, "[dns] timeout is given twice"),
            ("[db]\nhost = a\n  user = b\n", 3, "begins with a blank"),
        ] {
            let error = Ini::parse(text).unwrap_err();
            assert!(error.line == line && error.what.contains(what), "{text}: {error:?}");
        }
    }

    #[test]
    fn a_section_line_makes_it_an_ini_file() {
        assert!(is_ini("# x\n [db]\n") && is_ini("[db]"));
        assert!(!is_ini("$a = '[db]';\n") && !is_ini("") && !is_ini("[]\n[x\n"));
    }
}
