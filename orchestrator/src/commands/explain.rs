//! `hzmetrics explain`: prints a chain as plain lines for `/bin/sh` that do the same.
//!
//! The text is kept, comments included; only programs found next to this executable get their full
//! path, and the exit code is determined as in the shell of chains.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result};
use kit::Usage;
use kit::Uses;

use super::chains::Named;
use super::{Call, Command, print};
use crate::chains::Chain;
use crate::overrides::Assignment;
use crate::shell::Programs;
use crate::shell::parse::{self, Word, WordPart};

/// Print a named chain as lines for sh that do the same
///
/// Takes the same arguments as `run-chain`. Programs found next to hzmetrics get their full path.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    named: Named,
}

impl Command for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, call: &Call) -> Result<u8> {
        let (chain, variables) = self.named.chain(call)?;
        let lines = explain(&chain, variables.list(), &Programs::new()).with_context(|| chain.place())?;
        print(&lines)
    }
}

/// The lines. `variables` are set before the chain.
///
/// # Errors
/// The chain cannot be understood.
fn explain(chain: &Chain, variables: &[Assignment], programs: &Programs) -> Result<Vec<u8>> {
    let script = parse::parse(&chain.text).map_err(|error| Usage(error.to_string()))?;
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
    for parameter in chain.parameters().iter().filter(|parameter| parameter.required) {
        if !variables.iter().any(|(name, _)| *name == parameter.name) {
            let about: String =
                parameter.about.chars().filter(|c| c.is_alphanumeric() || " .,-/".contains(*c)).collect();
            out.extend_from_slice(format!(": \"${{{}:?{about}}}\"\n", parameter.name).as_bytes());
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
            WordPart::Plain(plain) if plain.iter().any(|b| b"*?[".contains(b)) => return None,
            WordPart::Plain(part) | WordPart::Quoted(part) => text.extend_from_slice(part),
            WordPart::Variable { .. } => return None,
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
    fn texts_are_quoted_for_sh() {
        assert_eq!(quoted(b"it's"), b"'it'\\''s'");
        assert_eq!(quoted(b""), b"''");
    }
}
