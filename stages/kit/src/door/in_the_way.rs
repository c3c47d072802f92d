//! Errors of the door: a name belongs to something that is not a regular file, or not a folder.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

/// Something other than a file has the name.
#[derive(Debug)]
pub struct NotAFile {
    path: PathBuf,
    what: &'static str,
}

impl fmt::Display for NotAFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, where a regular file is expected", self.path.display(), self.what)
    }
}

impl std::error::Error for NotAFile {}

impl NotAFile {
    pub(super) fn error(path: &Path, what: &'static str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, Self { path: path.to_owned(), what })
    }
}

/// Whether an error is [`NotAFile`].
#[must_use]
pub fn is_in_the_way(error: &anyhow::Error) -> bool {
    let inner = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<NotAFile>())
    };
    error.chain().any(inner)
}

/// Something other than a folder has the name.
pub(super) fn not_a_folder(path: &Path) -> io::Error {
    let text = format!("{} is a link or a file, where a folder is expected", path.display());
    io::Error::new(io::ErrorKind::NotADirectory, text)
}

/// What it is, in words; `None` for a regular file.
pub(super) const fn other_than_file(mode: u32) -> Option<&'static str> {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => None,
        FileType::Symlink => Some("a symbolic link"),
        FileType::Directory => Some("a folder"),
        FileType::Fifo => Some("a FIFO"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        FileType::Unknown => Some("something unknown"),
    }
}
