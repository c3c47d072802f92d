//! Files that the run leaves out: counted in the last line, listed in a file on request.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::{Messages, counted, path_text};
use logs::discovery::Found;
use logs::rotation;
use schema::json;

/// The maximum depth of folders searched.
pub(crate) const DEPTH: u32 = 8;

/// How many patterns are suggested.
const SUGGESTED: usize = 4;

/// Why a file is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its name is not a wanted one.
    Name,
    /// Another stream is wanted.
    Stream,
    /// Another day or month is wanted, or its name has none.
    Day,
    /// Another log has the same content.
    Same(PathBuf),
    /// It cannot be read as a log.
    NoLog(String),
}

impl Why {
    /// How the last line counts it.
    const fn by(&self) -> &'static str {
        match self {
            Self::Name => "by name",
            Self::Stream => "by stream",
            Self::Day => "by day",
            Self::Same(_) => "as copies",
            Self::NoLog(_) => "as not readable",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("its name is not that of a log"),
            Self::Stream => f.write_str("it is of another stream"),
            Self::Day => f.write_str("its name does not have the day or month"),
            Self::Same(path) => write!(f, "it is the same log as {}", path.display()),
            Self::NoLog(what) => write!(f, "it {what}"),
        }
    }
}

/// The files left out.
#[derive(Debug, Default)]
pub(crate) struct Left {
    files: Vec<(PathBuf, Why)>,
}

impl Left {
    pub(crate) fn add(&mut self, path: PathBuf, why: Why) {
        self.files.push((path, why));
    }

    /// Keeps the wanted logs.
    pub(crate) fn filter(&mut self, logs: Vec<Found>, why: impl Fn(&Found) -> Option<Why>) -> Vec<Found> {
        let mut kept = Vec::with_capacity(logs.len());
        for log in logs {
            match why(&log) {
                None => kept.push(log),
                Some(why) => self.add(log.path, why),
            }
        }
        kept
    }

    /// Below folders whose logs are found by a hub's names: files with other names where logs are
    /// stored, and elsewhere files named like any web log.
    pub(crate) fn add_other_names(&mut self, roots: &[PathBuf], logs: &[Found]) {
        let known: BTreeSet<&Path> = logs.iter().map(|log| log.path.as_path()).collect();
        let mut others = BTreeSet::new();
        for root in roots {
            other_names(root, root, DEPTH, &mut others);
        }
        let is_new =
            |path: &PathBuf| !known.contains(path.as_path()) && !self.files.iter().any(|(known, _)| known == path);
        let others: Vec<_> = others.into_iter().filter(is_new).collect();
        self.files.extend(others.into_iter().map(|path| (path, Why::Name)));
    }

    /// Patterns for files named like any web log.
    pub(crate) fn suggested(&self) -> Vec<String> {
        let names = self.files.iter().filter(|(_, why)| *why == Why::Name).map(|(path, _)| path_text::base_name(path));
        let patterns: BTreeSet<String> = names
            .filter(|name| is_like_a_web_log(name))
            .map(|name| format!("'{}*'", rotation::of(&name).stem))
            .collect();
        patterns.into_iter().take(SUGGESTED).collect()
    }

    /// Prints the last line.
    pub(crate) fn say(&self, n_logs: usize, messages: Messages) {
        if self.files.is_empty() {
            return;
        }
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for (_, why) in &self.files {
            match counts.iter_mut().find(|(by, _)| *by == why.by()) {
                Some((_, n)) => *n += 1,
                None => counts.push((why.by(), 1)),
            }
        }
        let counts: Vec<_> = counts.into_iter().map(|(by, n)| format!("{n} {by}")).collect();
        let (logs, files) = (counted(n_logs, "log", "logs"), counted(self.files.len(), "file", "files"));
        messages.note(format_args!("{logs}; {files} left out: {}", counts.join(", ")));
    }

    /// Lists the files.
    ///
    /// # Errors
    /// The list cannot be written.
    pub(crate) fn list(&mut self, path: &Path) -> Result<()> {
        self.files.sort_by(|a, b| a.0.cmp(&b.0));
        kit::named_file(path, |out| {
            for (path, why) in &self.files {
                let mut line = b"{\"kind\":\"left_out\",".to_vec();
                path_text::push_fields(&mut line, path);
                line.extend_from_slice(b",\"reason\":");
                json::push_str(&mut line, &why.to_string());
                line.extend_from_slice(b"}\n");
                out.write_all(&line)?;
            }
            Ok(())
        })
        .with_context(|| format!("listing what was left out in {}", path.display()))
    }
}

fn other_names(root: &Path, at: &Path, depth: u32, others: &mut BTreeSet<PathBuf>) {
    let is_place =
        at == root || at.ancestors().any(|folder| folder.ends_with("daily") || folder.ends_with("daily.holding"));
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            if depth > 0 && name != "imported" {
                other_names(root, &path, depth - 1, others);
            }
        } else if kind.is_file() && (is_place || is_like_a_web_log(&name)) {
            others.insert(path);
        }
    }
}

/// Whether web servers name their access logs like this.
fn is_like_a_web_log(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    (name.contains("access") && !name.contains("error")) || name.starts_with("u_ex")
}
