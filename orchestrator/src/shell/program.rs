//! Finds the program of a command: first next to this executable, then on PATH.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Finds programs.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    beside: Option<PathBuf>,
}

impl Programs {
    /// With the directory of this executable.
    pub(crate) fn new() -> Self {
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
        Self { beside }
    }

    /// The program next to this executable.
    pub(crate) fn beside(&self, name: &OsStr) -> Option<PathBuf> {
        let path = self.beside.as_ref()?.join(name);
        (!name.is_empty() && !name.as_bytes().contains(&b'/') && is_program(&path)).then_some(path)
    }

    /// The program, wherever it is found. A name with a slash is a path.
    pub(crate) fn find(&self, name: &OsStr, path: &OsStr) -> Option<PathBuf> {
        if name.as_bytes().contains(&b'/') {
            return Path::new(name).exists().then(|| PathBuf::from(name));
        }
        if name.is_empty() {
            return None;
        }
        let on_path = || std::env::split_paths(path).map(|folder| folder.join(name)).find(|path| is_program(path));
        self.beside(name).or_else(on_path)
    }

    /// The message if a program was not found.
    pub(crate) fn missing(&self, name: &OsStr) -> String {
        let name = name.to_string_lossy();
        match &self.beside {
            _ if name.contains('/') => format!("there is no program {name}"),
            Some(beside) => format!("there is no program `{name}` in {} or on PATH", beside.display()),
            None => format!("there is no program `{name}` on PATH"),
        }
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
