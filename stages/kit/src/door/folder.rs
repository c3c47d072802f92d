//! A folder kept open. Its files are opened, created, renamed and removed by their names in it, even if
//! its path changes in the meantime.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::in_the_way::{NotAFile, not_a_folder, other_than_file};

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For reading; it must exist.
    Read,
    /// For appending; created if it is missing.
    Append,
    /// For reading and writing; created if it is missing.
    Update,
}

/// Permissions of files that we keep and others may read.
const OURS: Mode = Mode::from_raw_mode(0o644);

/// A folder kept open.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Folder {
    /// Opens a folder of our own; its path may contain links.
    ///
    /// # Errors
    /// It does not exist, or we are not allowed to search it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { fd: rustix::fs::openat(CWD, path, flags, Mode::empty())?, path: path.to_owned() })
    }

    /// Opens a log folder: if it is a link itself, it is followed only if root owns the link.
    ///
    /// # Errors
    /// Those of [`Folder::open`]; or it is somebody else's link.
    pub fn open_log_folder(path: &Path) -> io::Result<Self> {
        let Some(name) = path.file_name() else { return Self::open(path) };
        let (above, _) = split(path)?;
        match above.look(name)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink && stat.st_uid == 0 => {
                Self::open(path)
            }
            _ => above.folder(name),
        }
    }

    /// A subfolder, which must not be a link.
    ///
    /// # Errors
    /// It does not exist, is something else, or we are not allowed to search it.
    pub fn folder(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let path = self.path.join(name);
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path }),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(not_a_folder(&path)),
            Err(error) => Err(error.into()),
        }
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata of the folder itself.
    ///
    /// # Errors
    /// It cannot be examined.
    pub fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.fd)?)
    }

    /// The metadata of a name in the folder, without following links; `None` if nothing has the
    /// name.
    ///
    /// # Errors
    /// We may not search the folder.
    pub fn look(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The target of the link with this name.
    ///
    /// # Errors
    /// There is no link with this name.
    pub fn link(&self, name: &OsStr) -> io::Result<PathBuf> {
        let target = rustix::fs::readlinkat(&self.fd, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    /// Fails if `mode` is not that of a file.
    pub(super) fn refuse_other(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        other_than_file(mode).map_or(Ok(()), |what| Err(NotAFile::error(&self.path.join(name), what)))
    }

    /// Opens a file. A file to be written must not have hard links.
    ///
    /// # Errors
    /// It is missing and was to be read, or something other than a regular file has the name.
    pub fn file(&self, name: &OsStr, access: Access) -> io::Result<File> {
        // opening a device or a FIFO may have side effects
        if let Some(stat) = self.look(name)? {
            self.refuse_other(name, stat.st_mode)?;
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let flags = flags
            | match access {
                Access::Read => OFlags::RDONLY,
                Access::Append => OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE,
                Access::Update => OFlags::RDWR | OFlags::CREATE,
            };
        let file = rustix::fs::openat(&self.fd, name, flags, OURS).map_err(|error| self.why(name, error))?;
        let stat = rustix::fs::fstat(&file)?;
        self.refuse_other(name, stat.st_mode)?;
        if access != Access::Read && stat.st_nlink > 1 {
            return Err(NotAFile::error(&self.path.join(name), "a file that has further names (hard links)"));
        }
        Ok(file.into())
    }

    /// The reason why a name could not be opened: what has the name, if that is the reason.
    fn why(&self, name: &OsStr, error: Errno) -> io::Error {
        let there = self.look(name).ok().flatten();
        there.and_then(|stat| self.refuse_other(name, stat.st_mode).err()).unwrap_or_else(|| error.into())
    }

    /// Creates a new file with `mode`, whatever the umask.
    ///
    /// # Errors
    /// The name is already in use.
    pub fn create_new(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let file = self.create_masked(name, 0o600)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(file)
    }

    /// Creates a new file; the umask is subtracted from `mode`, as usual.
    pub(super) fn create_masked(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// Removes a file, or a link itself.
    ///
    /// # Errors
    /// It does not exist, is a folder, or we are not allowed to.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(|error| match error {
            Errno::ISDIR => self.why(name, error),
            other => other.into(),
        })
    }

    /// Creates a subfolder that others may search and read, but not write.
    ///
    /// # Errors
    /// The name is already in use, or we are not allowed to.
    pub fn make_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755))?)
    }

    /// Changes the owner; a link is not followed.
    ///
    /// # Errors
    /// Nothing has the name, or we are not allowed to.
    pub fn give(&self, name: &OsStr, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        Ok(rustix::fs::chownat(&self.fd, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Removes an empty subfolder.
    ///
    /// # Errors
    /// It does not exist, is not empty, or we are not allowed to.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// Renames a file, within this folder or to `other`. A file with the new name is replaced.
    ///
    /// # Errors
    /// Something other than a file has the old or the new name, or the file systems differ.
    pub fn rename(&self, from: &OsStr, other: &Self, to: &OsStr) -> io::Result<()> {
        for (folder, name) in [(self, from), (other, to)] {
            if let Some(stat) = folder.look(name)? {
                folder.refuse_other(name, stat.st_mode)?;
            }
        }
        Ok(rustix::fs::renameat(&self.fd, from, &other.fd, to)?)
    }

    /// The same, but nothing is ever replaced, and a link is renamed itself.
    ///
    /// # Errors
    /// Those of [`Folder::rename`]; or the new name is in use.
    pub fn rename_new(&self, from: &OsStr, other: &Self, to: &OsStr) -> io::Result<()> {
        if let Some(stat) = self.look(from)?
            && FileType::from_raw_mode(stat.st_mode) != FileType::Symlink
        {
            self.refuse_other(from, stat.st_mode)?;
        }
        match rustix::fs::renameat_with(&self.fd, from, &other.fd, to, RenameFlags::NOREPLACE) {
            // for file systems and kernels without this operation
            Err(Errno::INVAL | Errno::NOSYS) => {
                if other.look(to)?.is_some() {
                    return Err(Errno::EXIST.into());
                }
                Ok(rustix::fs::renameat(&self.fd, from, &other.fd, to)?)
            }
            done => Ok(done?),
        }
    }

    /// The names in the folder, in no particular order.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.fd, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }
}

/// The folder of a path, kept open, and the last component.
pub(super) fn split(path: &Path) -> io::Result<(Folder, &OsStr)> {
    let name = path.file_name().ok_or_else(|| NotAFile::error(path, "a folder"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((Folder::open(folder)?, name))
}
