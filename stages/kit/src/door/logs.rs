//! Logs in the folders of the web server and the CMS, whose owners are not trusted.
//!
//! A log is opened component by component from the log folder down. A link is followed only if it
//! leads to a regular file below a log folder that the owner of the link may read.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Stat};

use super::folder::{Access, Folder};
use super::in_the_way::{NotAFile, other_than_file};

/// The maximum number of links that lead from one to the next.
const MAX_LINKS: u32 = 8;

/// Folders in a log folder that root may replace by a link.
pub const LOG_PLACES: [&str; 3] = ["daily", "daily.holding", "imported"];

/// The log folders of a run.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// Each with its own path and the path that links in it lead to.
    folders: Vec<PathBuf>,
    /// Links created by users other than root.
    refused: Vec<PathBuf>,
}

/// A user who may read some files and not others.
struct Reader {
    uid: u32,
}

impl Reader {
    /// Whether this user has the permission `bit` (4 read, 1 search). Our own permission shows when
    /// the file is opened; supplementary groups of others are not considered.
    fn may(&self, stat: &Stat, bit: u32) -> bool {
        let shift = if stat.st_uid == self.uid { 6 } else { 0 };
        self.uid == 0 || self.uid == rustix::process::geteuid().as_raw() || (stat.st_mode >> shift) & bit != 0
    }
}

impl Logs {
    /// The given log folders. A folder that is a link itself is accepted if root owns the link.
    #[must_use]
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let (refused, folders): (Vec<_>, Vec<_>) = folders.into_iter().partition(|folder| is_link_of_others(folder));
        let real: Vec<_> = folders.iter().filter_map(|folder| std::fs::canonicalize(folder).ok()).collect();
        Self { folders: folders.into_iter().chain(real).collect(), refused }
    }

    /// The given log folders, and the folders in them that may be elsewhere.
    #[must_use]
    pub fn within(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let places = |folder: PathBuf| LOG_PLACES.map(|name| folder.join(name)).into_iter().chain([folder]);
        Self::new(folders.into_iter().flat_map(places))
    }

    /// Opens a log for reading.
    ///
    /// # Errors
    /// It is not below a log folder, is missing, or must not be read ([`NotAFile`]).
    pub fn open(&self, path: &Path) -> io::Result<File> {
        let mut owner = None;
        let mut at = path.to_owned();
        for _ in 0..=MAX_LINKS {
            let (folder, name) = self.walk(&at, owner.as_ref())?;
            let stat = folder.look(&name)?.ok_or(rustix::io::Errno::NOENT)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                return regular(path, &folder, &name, &stat, owner.as_ref());
            }
            at = lexical(&folder.path().join(folder.link(&name)?));
            if owner.is_none() || stat.st_uid != 0 {
                owner = Some(Reader { uid: stat.st_uid });
            }
            if self.below(&at).is_none() {
                return Err(NotAFile::error(path, "a symbolic link out of the log folders"));
            }
        }
        Err(NotAFile::error(path, "one of too many symbolic links"))
    }

    /// Whether a path is below a log folder, judging by its text: without `..`.
    #[must_use]
    pub fn holds(&self, path: &Path) -> bool {
        self.below(path).is_some()
    }

    /// The log folder that a path is below, and the remaining components.
    fn below<'p>(&self, path: &'p Path) -> Option<(&Path, VecDeque<&'p OsStr>)> {
        let folders = self.folders.iter().filter_map(|folder| Some((folder, path.strip_prefix(folder).ok()?)));
        let (folder, rest) = folders.max_by_key(|(folder, _)| folder.as_os_str().len())?;
        let names = rest.components().map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let names: VecDeque<_> = names.collect::<Option<_>>()?;
        (!names.is_empty()).then_some((folder, names))
    }

    /// The folder of a path, opened component by component without following links.
    fn walk(&self, path: &Path, reader: Option<&Reader>) -> io::Result<(Folder, OsString)> {
        if let Some(refused) = self.refused.iter().find(|folder| path.starts_with(folder)) {
            return Err(NotAFile::error(refused, "a symbolic link that root does not own"));
        }
        let (top, mut names) = self.below(path).ok_or_else(|| NotAFile::error(path, "outside of the log folders"))?;
        let last = names.pop_back().unwrap_or_default().to_owned();
        let mut folder = Folder::open_log_folder(top)?;
        for name in names {
            folder = folder.folder(name)?;
            if reader.is_some_and(|reader| folder.stat().is_ok_and(|stat| !reader.may(&stat, 1))) {
                return Err(NotAFile::error(path, "behind a folder that the owner of its link may not search"));
            }
        }
        Ok((folder, last))
    }
}

/// Opens the file at the end of the path, if the owner of its name there may read it.
fn regular(path: &Path, folder: &Folder, name: &OsStr, seen: &Stat, link: Option<&Reader>) -> io::Result<File> {
    if let Some(what) = other_than_file(seen.st_mode) {
        return Err(NotAFile::error(path, what));
    }
    let file = folder.file(name, Access::Read)?;
    let stat = rustix::fs::fstat(&file)?;
    if link.is_some_and(|owner| !owner.may(&stat, 4)) {
        return Err(NotAFile::error(path, "a symbolic link to something that its owner may not read"));
    }
    // if the kernel does not protect hard links, anybody may give a file another name here
    let maker = Reader { uid: folder.stat()?.st_uid };
    if stat.st_nlink > 1 && rustix::process::geteuid().is_root() && !maker.may(&stat, 4) {
        return Err(NotAFile::error(path, "a hard link to something that the owner of its folder may not read"));
    }
    Ok(file)
}

/// Whether a path is a link created by a user other than root.
fn is_link_of_others(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink() && meta.uid() != 0)
}

/// A path without `.` and `..`, resolved as text: a link that needs more is not followed.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}
