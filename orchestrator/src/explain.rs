//! A chain as plain lines for `/bin/sh`, which do the same.
//!
//! The text stays as it is, comments included; only the programs found beside this executable get
//! their whole path, and the exit code is kept as the shell of chains keeps it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use crate::chains::Chain;
use crate::shell::Programs;
use crate::shell::parse::{self, Bad, Part, Word};

/// The lines. `variables` are set before the chain.
///
/// # Errors
/// The chain cannot be understood.
pub(crate) fn explain(chain: &Chain, variables: &[(String, Vec<u8>)], programs: &Programs) -> Result<Vec<u8>, Bad> {
    let script = parse::parse(&chain.text)?;
    let mut out = String::from("#!/bin/sh\n");
    let _ = writeln!(out, "# {}, as plain sh", chain.place().replace('\n', " "));
    out.push_str("# a failure anywhere in a pipe counts, where sh knows how\n");
    out.push_str("if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\n");
    let mut out = out.into_bytes();
    for (name, value) in variables {
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(&quoted(value));
        out.extend_from_slice(format!("; export {name}\n").as_bytes());
    }
    for asked in chain.asked().iter().filter(|asked| asked.needed) {
        if !variables.iter().any(|(name, _)| *name == asked.name) {
            let about: String = asked.about.chars().filter(|c| c.is_alphanumeric() || " .,-/".contains(*c)).collect();
            out.extend_from_slice(format!(": \"${{{}:?{about}}}\"\n", asked.name).as_bytes());
        }
    }
    let several = script.lists.len() > 1;
    if several {
        out.extend_from_slice(b"unset hzmetrics_failed\n");
    }
    out.push(b'\n');
    let mut copied = 0;
    for list in &script.lists {
        for command in list.pipelines.iter().flat_map(|pipeline| &pipeline.commands) {
            if let Some(word) = command.words.first()
                && let Some(name) = literal(word)
                && let Some(path) = programs.beside(OsStr::from_bytes(&name))
            {
                out.extend_from_slice(&chain.text[copied..word.span.start]);
                out.extend_from_slice(&quoted(path.as_os_str().as_bytes()));
                copied = word.span.end;
            }
        }
        if several {
            out.extend_from_slice(&chain.text[copied..list.span.end]);
            copied = list.span.end;
            out.extend_from_slice(b" || : \"${hzmetrics_failed:=$?}\"");
        }
    }
    out.extend_from_slice(&chain.text[copied..]);
    if out.last() != Some(&b'\n') {
        out.push(b'\n');
    }
    if several {
        out.extend_from_slice(b"exit \"${hzmetrics_failed:-0}\"\n");
    }
    Ok(out)
}

/// The text of a word without variables and file name patterns.
fn literal(word: &Word) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for part in &word.parts {
        match part {
            Part::Plain(plain) if plain.iter().any(|b| b"*?[".contains(b)) => return None,
            Part::Plain(part) | Part::Quoted(part) => text.extend_from_slice(part),
            Part::Variable { .. } => return None,
        }
    }
    Some(text)
}

/// A text in single quotes.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for byte in text {
        if *byte == b'\'' {
            out.extend_from_slice(b"'\\''");
        } else {
            out.push(*byte);
        }
    }
    out.push(b'\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        assert_eq!(quoted(b"it's"), b"'it'\\''s'");
        assert_eq!(quoted(b""), b"''");
    }
}
