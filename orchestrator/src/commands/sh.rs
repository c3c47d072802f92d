//! `hzmetrics sh`: runs a text in the chain language.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;

use anyhow::{Context as _, Result};
use kit::Usage;
use kit::Uses;

use super::values::assignment;
use super::{Call, Command};
use crate::shell::Shell;

/// Run a chain of programs: a file, -c LINE, or standard input
///
/// The language is a subset of that of sh: pipes, `&&`, `;`, quotes, variables, file name patterns and
/// redirections. Anything else is refused before a program starts. A failure anywhere in a pipe counts,
/// and its exit code is that of the chain.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File with the chain (`-` or nothing: standard input), then NAME=VALUE for its variables
    #[arg(value_name = "FILE")]
    words: Vec<OsString>,

    /// The chain itself
    #[arg(short = 'c', long, value_name = "LINE")]
    line: Option<OsString>,
}

impl Command for Args {
    /// A chain leaves this to its stages.
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, call: &Call) -> Result<u8> {
        let (file, words) = match self.words.split_first() {
            Some((first, rest)) if self.line.is_none() && assignment(first).is_none() => (Some(first), rest),
            _ => (None, self.words.as_slice()),
        };
        let mut variables = Vec::new();
        for word in words {
            let variable = assignment(word);
            variables.push(variable.ok_or_else(|| Usage(format!("`{}` is not NAME=VALUE", word.to_string_lossy())))?);
        }
        let mut is_stdin = false;
        let (name, text) = match (&self.line, file) {
            (Some(line), _) => ("-c".to_owned(), line.clone().into_vec()),
            (None, Some(file)) if file != "-" => {
                let name = file.to_string_lossy().into_owned();
                let text = kit::door::named::read(file.as_ref()).with_context(|| format!("reading {name}"))?;
                (name, text)
            }
            _ => {
                is_stdin = true;
                let mut text = Vec::new();
                kit::stdin().and_then(|mut stdin| stdin.read_to_end(&mut text)).context("reading standard input")?;
                ("stdin".to_owned(), text)
            }
        };
        let mut shell = Shell::new(&name, call.overrides.with(variables).variables(), call.messages)?;
        shell.hand_on_if_there()?;
        if is_stdin {
            shell.stdin_is_used();
        }
        shell.run(&text).with_context(|| name)
    }
}
