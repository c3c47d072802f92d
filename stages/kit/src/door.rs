//! The one door to files: lock, log, state, staged files, temporary names, caches, maps, archived logs.
//!
//! We chose the names of these files or found them in a folder, and others may be able to write to that
//! folder. So a link in the last component is never followed, only regular files are opened, and nothing
//! waits for the other end of a FIFO. For names given by the user, use [`named`]; for logs that may be
//! links into a log folder, use [`Logs`].

mod folder;
mod in_the_way;
mod logs;
pub mod named;
mod temporary;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rustix::fs::Stat;

use folder::split;
pub use folder::{Access, Folder};
pub use in_the_way::{NotAFile, is_in_the_way};
pub use logs::{LOG_PLACES, Logs};
pub use temporary::Temporary;

/// Opens a file for reading.
///
/// # Errors
/// It does not exist, or is not a regular file ([`NotAFile`]).
pub fn open(path: &Path) -> io::Result<File> {
    let (folder, name) = split(path)?;
    folder.file(name, Access::Read)
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// Those of [`open`]; or the file is longer.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let text = format!("{} is larger than {limit} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// Those of [`read`]; or the bytes are not UTF-8.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Opens a file for appending, and creates it if it is missing.
///
/// # Errors
/// Something else is there, or the file has hard links.
pub fn append(path: &Path) -> io::Result<File> {
    let (folder, name) = split(path)?;
    folder.file(name, Access::Append)
}

/// Opens a file for reading and writing with its content unchanged, and creates it if it is missing:
/// for locks and for state that is changed in place.
///
/// # Errors
/// Those of [`append`].
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let (folder, name) = split(path)?;
    folder.file(name, Access::Update)
}

/// Creates a new file with `mode`, whatever the umask.
///
/// # Errors
/// The name is already in use.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let (folder, name) = split(path)?;
    folder.create_new(name, mode)
}

/// Writes a whole file that only its owner may read, in place of the one with this name if there is one. Whoever
/// reads it sees all of one or all of the other, also after a crash.
///
/// # Errors
/// Something other than a file has the name, or it cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = split(path)?;
    let mut file = Temporary::within(folder)?;
    file.set_mode(0o600)?;
    file.write_all(bytes)?;
    file.file().sync_all()?;
    file.publish(name)
}

/// Removes a file, or a link itself.
///
/// # Errors
/// It does not exist, is a folder, or we are not allowed to.
pub fn remove(path: &Path) -> io::Result<()> {
    let (folder, name) = split(path)?;
    folder.remove(name)
}

/// Renames a file, in the same folder or to another one on the same file system. A file with the new
/// name is replaced.
///
/// # Errors
/// Something other than a file has the old or the new name, or the file systems differ
/// ([`io::ErrorKind::CrossesDevices`]).
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let (old, from) = split(from)?;
    let (new, to) = split(to)?;
    old.rename(from, &new, to)
}

/// The same, but a link is renamed itself, and a link with the new name is replaced.
///
/// # Errors
/// A folder has the new name, or the file systems differ ([`io::ErrorKind::CrossesDevices`]).
pub fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    let (old, from) = split(from)?;
    let (new, to) = split(to)?;
    Ok(rustix::fs::renameat(&old, from, &new, to)?)
}

/// The same, but nothing is ever replaced, and a link is renamed itself.
///
/// # Errors
/// Those of [`rename`]; or the new name is in use ([`io::ErrorKind::AlreadyExists`]).
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let (old, from) = split(from)?;
    let (new, to) = split(to)?;
    old.rename_new(from, &new, to)
}

/// What has this name, without following links; `None` if nothing has it.
///
/// # Errors
/// The folder cannot be searched.
pub fn look(path: &Path) -> io::Result<Option<Stat>> {
    match split(path) {
        Ok((folder, name)) => folder.look(name),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether an open file still has this name.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    let ours = rustix::fs::fstat(file).ok();
    let there = look(path).ok().flatten();
    ours.zip(there).is_some_and(|(ours, there)| (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino))
}

/// The names in a folder, in no particular order.
///
/// # Errors
/// It cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<OsString>> {
    Folder::open(folder)?.names()
}

/// Creates a folder and missing folders above it.
///
/// # Errors
/// One cannot be created, or something else is there.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn make_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Creates a folder; the one above it must exist.
///
/// # Errors
/// It cannot be created, or something else is there.
pub fn make_one_folder(path: &Path) -> io::Result<()> {
    let (above, name) = split(path)?;
    above.make_folder(name)
}

/// Removes an empty folder.
///
/// # Errors
/// It does not exist, is not empty, or we are not allowed to.
pub fn remove_one_folder(path: &Path) -> io::Result<()> {
    let (above, name) = split(path)?;
    above.remove_folder(name)
}

/// Creates a folder for archived logs if it is missing. A link is accepted if root owns it.
///
/// # Errors
/// Those of [`make_folder`]; or it is somebody else's link.
pub fn make_log_folder(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    Folder::open_log_folder(path).map(drop)
}
