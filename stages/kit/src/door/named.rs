//! Files named by the user on the command line: links are followed, and devices and FIFOs are read
//! and written as by any Unix tool. Only a socket is refused.

use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, PROC_SUPER_MAGIC};

use super::folder::split;
use super::in_the_way::NotAFile;
use super::temporary::Temporary;

/// The same limit for links as the system's.
const MAX_LINKS: usize = 40;

/// Reads the whole file.
///
/// # Errors
/// Those of [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// Those of [`open`]; or the bytes are not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    io::read_to_string(open(path)?)
}

/// The same for a file that a person writes: one that is longer than 64 MB is refused.
///
/// # Errors
/// Those of [`read_to_string`]; or the file is too long.
pub fn read_short(path: &Path) -> io::Result<String> {
    io::read_to_string(at_most(open(path)?, LONGEST))
}

/// Reads the whole file if it has at most this many bytes. A longer one is an error, so that a device
/// without an end does not fill the memory.
///
/// # Errors
/// Those of [`open`]; or the file is longer.
pub fn read_at_most(path: &Path, n_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    at_most(open(path)?, n_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A stream that may have at most this many bytes: more are an error.
pub fn at_most(reader: impl io::Read, n_bytes: u64) -> impl io::Read {
    AtMost { reader: reader.take(n_bytes + 1), n_bytes }
}

struct AtMost<R> {
    reader: io::Take<R>,
    n_bytes: u64,
}

impl<R: io::Read> io::Read for AtMost<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        if self.reader.limit() == 0 {
            let text = format!("it is longer than {} MB", self.n_bytes >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(n)
    }
}

/// The longest file that a person writes.
const LONGEST: u64 = 64 << 20;

/// Opens a file for reading.
///
/// # Errors
/// It does not exist, is a folder or a socket, or we are not allowed to.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn open(path: &Path) -> io::Result<File> {
    refuse_socket(path)?;
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(NotAFile::error(path, "a folder"));
    }
    Ok(file)
}

/// Opens a file for writing, like `>` in a shell: it is created or emptied.
///
/// # Errors
/// It cannot be created, is a folder or a socket, or we are not allowed to.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn truncate(path: &Path) -> io::Result<File> {
    refuse_socket(path)?;
    File::create(path)
}

/// The same like `>>` in a shell: output is appended.
///
/// # Errors
/// Those of [`truncate`].
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn append(path: &Path) -> io::Result<File> {
    refuse_socket(path)?;
    File::options().append(true).create(true).open(path)
}

/// The same for private content: a new file has these permissions, whatever the umask, also where a link
/// leads to it. An existing file keeps its own.
///
/// # Errors
/// Those of [`truncate`].
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn append_with_mode(path: &Path, mode: u32) -> io::Result<File> {
    refuse_socket(path)?;
    let Some(path) = &destination(path)? else { return append(path) };
    match File::options().append(true).create_new(true).mode(mode).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(mode))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => append(path),
        Err(error) => Err(error),
    }
}

/// The destination of an output named by the user.
#[derive(Debug)]
pub enum Output {
    /// A regular file, or none yet: it appears complete, under the name that links lead to.
    Whole(Temporary, PathBuf),
    /// A device, a FIFO, an open descriptor: written directly.
    Direct(File),
}

impl Output {
    /// Renames a complete file to its final name; does nothing for direct output.
    ///
    /// # Errors
    /// Something other than a file now has the name, or it cannot be renamed.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Whole(file, path) => file.publish(path.file_name().unwrap_or_default()),
            Self::Direct(_) => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Whole(file, _) => file.write(bytes),
            Self::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Whole(file, _) => file.flush(),
            Self::Direct(file) => file.flush(),
        }
    }
}

/// Starts an output named by the user.
///
/// # Errors
/// The file cannot be created, or the name belongs to a folder or a socket.
pub fn output(path: &Path) -> io::Result<Output> {
    refuse_socket(path)?;
    let real = destination(path)?;
    let Some(real) = real else { return direct(path).map(Output::Direct) };
    let name = real.file_name().ok_or_else(|| NotAFile::error(path, "a folder"))?;
    let (folder, _) = split(&real)?;
    if let Some(stat) = folder.look(name)? {
        folder.refuse_other(name, stat.st_mode)?;
    }
    Ok(Output::Whole(Temporary::within(folder)?, real))
}

fn refuse_socket(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket { Err(NotAFile::error(path, "a socket")) } else { Ok(()) }
}

/// The target of the links in a path; `None` if it must be written directly.
fn destination(path: &Path) -> io::Result<Option<PathBuf>> {
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return Ok(None);
    }
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok((folder, name)) = split(&path) else { return Ok(Some(path)) };
        let Ok(target) = folder.link(name) else { return Ok(Some(path)) };
        // a descriptor of a process looks like a link, but is not one
        if rustix::fs::fstatfs(&folder)?.f_type == PROC_SUPER_MAGIC {
            return Ok(None);
        }
        path = folder.path().join(target);
    }
    Err(io::Error::from(rustix::io::Errno::LOOP))
}

/// Opens what is there, to continue writing at its current position.
fn direct(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(rustix::fs::CWD, path, flags, rustix::fs::Mode::empty())?.into())
}
