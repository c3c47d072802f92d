//! Finds the program of a command: next to this executable, in `../libexec/hzmetrics` (where a package
//! installs the stages), then on PATH.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Finds programs.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The folder of this executable, and the one of a package's stages.
    ours: Vec<PathBuf>,
}

impl Programs {
    /// With the folders that belong to this executable.
    pub(crate) fn new() -> Self {
        Self::of(std::env::current_exe().unwrap_or_default().parent())
    }

    fn of(beside: Option<&Path>) -> Self {
        let ours = |beside: &Path| {
            let packaged = beside.parent().map(|prefix| prefix.join("libexec/hzmetrics"));
            std::iter::once(beside.to_owned()).chain(packaged).collect()
        };
        Self { ours: beside.map(ours).unwrap_or_default() }
    }

    /// The program that was installed with this executable.
    pub(crate) fn beside(&self, name: &OsStr) -> Option<PathBuf> {
        if name.is_empty() || name.as_bytes().contains(&b'/') {
            return None;
        }
        self.ours.iter().map(|folder| folder.join(name)).find(|path| is_program(path))
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
        match self.ours.first() {
            _ if name.contains('/') => format!("there is no program {name}"),
            Some(beside) => format!("there is no program `{name}` in {} or on PATH", beside.display()),
            None => format!("there is no program `{name}` on PATH"),
        }
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn stages_of_a_package_are_in_libexec() {
        let prefix = tempfile::tempdir().unwrap();
        let program = |path: &str| {
            let path = prefix.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let (libexec, bin) = (program("libexec/hzmetrics/archive"), prefix.path().join("bin"));
        let programs = Programs::of(Some(&bin));
        let found = |programs: &Programs| programs.find(OsStr::new("archive"), OsStr::new(""));
        assert_eq!(found(&programs), Some(libexec));
        assert_eq!(found(&Programs::of(Some(prefix.path()))), None, "only below the folder of the executable");
        let beside = program("bin/archive");
        assert_eq!(found(&programs), Some(beside), "a program next to the executable is preferred");
    }
}
