//! Where paths in lists and receipts may lead. Such a path comes from a file that others may have
//! written, so it is used only if it is below a log folder, without `..` and without links.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use kit::door::LOG_PLACES;

/// The folders that paths may be below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Only below these.
    Named(Vec<PathBuf>),
    /// No folders are named: any path without `..`.
    Any,
}

impl Roots {
    /// For a pipe: the folders named on the command line, or else those of the hub.
    #[must_use]
    pub fn of_pipe(named: &[PathBuf], of_hub: Option<Self>) -> Self {
        if named.is_empty() { of_hub.unwrap_or(Self::Any) } else { Self::Named(named.to_vec()) }
    }

    /// Whether the path may be used. It need not exist.
    ///
    /// # Errors
    /// Why it may not, in words.
    pub fn check(&self, path: &Path) -> Result<(), String> {
        let shown = path.display();
        if path.as_os_str().is_empty() || path.as_os_str().as_bytes().contains(&0) {
            return Err(format!("`{shown}` is not a path"));
        }
        let Self::Named(roots) = self else { return no_way_up(path) };
        let Some((root, rest)) = roots.iter().find_map(|root| Some((root, strip(path, root)?))) else {
            let roots: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
            return Err(format!("{shown} is not below {}", roots.join(" or ")));
        };
        check_below(root, &rest)
    }
}

/// The part of a path below a folder; both may be relative.
fn strip(path: &Path, root: &Path) -> Option<PathBuf> {
    if let Ok(rest) = path.strip_prefix(root) {
        return Some(rest.to_owned());
    }
    let (path, root) = (std::path::absolute(path).ok()?, std::path::absolute(root).ok()?);
    path.strip_prefix(root).ok().map(Path::to_owned)
}

/// A relative path may begin with `..`, because the caller's folder was named.
fn no_way_up(path: &Path) -> Result<(), String> {
    let mut rest = path.components().skip_while(|part| matches!(part, Component::ParentDir | Component::CurDir));
    if rest.any(|part| part == Component::ParentDir) {
        return Err(format!("{} goes up with `..`", path.display()));
    }
    Ok(())
}

/// Checks a path of normal components below `root`: no folder on the way is a link, and its end, if
/// it exists, is a regular file or a link to one below `root`.
///
/// # Errors
/// Why it may not be used, in words.
pub fn check_below(root: &Path, rest: &Path) -> Result<(), String> {
    let mut at = root.to_owned();
    let mut parts = rest.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err(format!("{} goes up with `..`", root.join(rest).display()));
        };
        at.push(name);
        let meta = match fs::symlink_metadata(&at) {
            Ok(meta) => meta,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(e) => return Err(format!("looking at {}: {e}", at.display())),
        };
        let is_last = parts.peek().is_none();
        if meta.is_symlink() && !is_last && is_moved_by_root(&at, root, &meta) {
            continue;
        }
        if meta.is_symlink() && !(is_last && leads_below(&at, root)) {
            return Err(format!("{} is a link out of the log folders", at.display()));
        }
        if is_last && !meta.is_symlink() && !meta.is_file() {
            return Err(format!("{} is not a regular file", at.display()));
        }
    }
    Ok(())
}

/// Whether root has moved `daily/` or a similar folder elsewhere.
fn is_moved_by_root(link: &Path, root: &Path, meta: &Metadata) -> bool {
    let is_place = link.strip_prefix(root).is_ok_and(|name| LOG_PLACES.iter().any(|place| name == Path::new(place)));
    is_place && meta.uid() == 0
}

fn leads_below(link: &Path, root: &Path) -> bool {
    let (Ok(target), Ok(root)) = (fs::canonicalize(link), fs::canonicalize(root)) else { return false };
    target.starts_with(root) && target.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_must_be_below_the_folders_without_links() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("logs");
        fs::create_dir_all(root.join("daily/2024")).unwrap();
        fs::create_dir_all(place.path().join("secret")).unwrap();
        fs::write(place.path().join("secret/key"), "x").unwrap();
        fs::write(root.join("daily/a"), "x").unwrap();
        let link = |to: &Path, at: &str| std::os::unix::fs::symlink(to, root.join(at)).unwrap();
        link(&place.path().join("secret"), "daily/out");
        link(&place.path().join("secret/key"), "daily/key");
        link(&root.join("daily"), "daily/round");
        link(&root.join("daily/a"), "daily/inside");
        let roots = Roots::Named(vec![place.path().join("other"), root.clone()]);
        for good in ["daily/a", "daily/2024/none", "daily/none/x", "daily/inside", "./daily/a"] {
            assert_eq!(roots.check(&root.join(good)), Ok(()), "{good}");
        }
        for bad in ["daily/out/key", "daily/key", "daily/../../secret/key", "daily/../daily/a", "daily/round/a"] {
            assert!(roots.check(&root.join(bad)).is_err(), "{bad}");
        }
        assert!(roots.check(&root.join("daily/2024")).is_err(), "a folder");
        for bad in ["/etc/passwd", "", "daily/a", "a\0b"] {
            assert!(roots.check(Path::new(bad)).is_err(), "{bad}");
        }
        // a log folder may be a link itself
        std::os::unix::fs::symlink(&root, place.path().join("other")).unwrap();
        assert_eq!(roots.check(&place.path().join("other/daily/a")), Ok(()));
    }

    #[test]
    fn folders_may_be_relative() {
        let roots = Roots::Named(vec!["../logs".into(), "./more".into()]);
        for good in ["../logs/x", "more/x", "./more/x"] {
            assert_eq!(roots.check(Path::new(good)), Ok(()), "{good}");
        }
        assert!(roots.check(Path::new("../logs/../x")).is_err() && roots.check(Path::new("less/x")).is_err());
        assert_eq!(Roots::Any.check(Path::new("../../x/y")), Ok(()));
        assert!(Roots::Any.check(Path::new("/x/../y")).is_err() && Roots::Any.check(Path::new("x/../y")).is_err());
    }
}
