//! Expands words into arguments: variables, splitting at blanks, file name patterns, in this order and
//! by the rules of `sh`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use super::glob::{self, Marked};
use super::parse::{Word, WordPart};

/// The variables of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    all: BTreeMap<String, Variable>,
}

#[derive(Debug, Clone)]
struct Variable {
    value: OsString,
    /// Whether programs see it in their environment.
    exported: bool,
    /// Whether its value differs from the one that this process was started with.
    changed: bool,
}

impl Variables {
    /// The variables of the environment.
    pub(crate) fn from_environment() -> Self {
        let all = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .map(|(name, value)| (name, Variable { value, exported: true, changed: false }))
            .collect();
        Self { all }
    }

    /// The value; empty for an unset variable.
    pub(crate) fn get(&self, name: &str) -> &OsStr {
        self.all.get(name).map_or_else(|| OsStr::new(""), |variable| &variable.value)
    }

    /// Sets a variable like an assignment of its own: programs see it if they saw it before.
    pub(crate) fn set(&mut self, name: &str, value: OsString) {
        let exported = self.all.get(name).is_some_and(|old| old.exported);
        self.all.insert(name.to_owned(), Variable { value, exported, changed: true });
    }

    /// Sets a variable that programs see.
    pub(crate) fn export(&mut self, name: &str, value: OsString) {
        self.all.insert(name.to_owned(), Variable { value, exported: true, changed: true });
    }

    /// The variables that programs need in addition to the environment of this process.
    pub(crate) fn for_programs(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.all
            .iter()
            .filter(|(_, variable)| variable.exported && variable.changed)
            .map(|(name, variable)| (name.as_str(), variable.value.as_os_str()))
    }
}

/// The arguments that a word expands to: none, one or more.
pub(crate) fn fields(word: &Word, variables: &Variables) -> Vec<OsString> {
    let mut fields: Vec<Vec<Marked>> = Vec::new();
    let mut open: Option<Vec<Marked>> = None;
    for part in &word.parts {
        match part {
            WordPart::Plain(text) => open.get_or_insert_default().extend(text.iter().map(|b| (*b, false))),
            WordPart::Quoted(text) => open.get_or_insert_default().extend(text.iter().map(|b| (*b, true))),
            WordPart::Variable { name, quoted: true } => {
                open.get_or_insert_default().extend(variables.get(name).as_bytes().iter().map(|b| (*b, true)));
            }
            WordPart::Variable { name, quoted: false } => {
                for byte in variables.get(name).as_bytes() {
                    if matches!(byte, b' ' | b'\t' | b'\n') {
                        fields.extend(open.take());
                    } else {
                        open.get_or_insert_default().push((*byte, false));
                    }
                }
            }
        }
    }
    fields.extend(open);
    fields.into_iter().flat_map(|field| glob::expand(&field)).collect()
}

/// The single text that an assigned value or the file name of a redirection expands to: not split, not
/// matched.
pub(crate) fn text(word: &Word, variables: &Variables) -> OsString {
    let mut bytes = Vec::new();
    for part in &word.parts {
        match part {
            WordPart::Plain(text) | WordPart::Quoted(text) => bytes.extend_from_slice(text),
            WordPart::Variable { name, .. } => bytes.extend_from_slice(variables.get(name).as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::parse::parse;

    fn check(text: &str, expected: &[&str]) {
        let mut variables = Variables::default();
        for (name, value) in [("E", ""), ("X", "one"), ("S", " a  b\t"), ("Q", "'x' \"y\" \\z $X")] {
            variables.set(name, value.into());
        }
        let script = parse(format!("p {text}").as_bytes()).unwrap();
        let words = &script.lists[0].pipelines[0].commands[0].words;
        let found: Vec<_> = words[1..].iter().flat_map(|word| fields(word, &variables)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_expand_to_arguments() {
        check("$E ${NONE}", &[]);
        check("\"$E\" '' $E''", &["", "", ""]);
        check("$X${X}y \"$X y\"", &["oneoney", "one y"]);
        check("$S", &["a", "b"]);
        check("x${S}y", &["x", "a", "b", "y"]);
        check("''$S''", &["", "a", "b", ""]);
        check("\"$S\"", &[" a  b\t"]);
        check("$Q", &["'x'", "\"y\"", "\\z", "$X"]);
        check("--month=$E --x=\"$S\"", &["--month=", "--x= a  b\t"]);
    }
}
