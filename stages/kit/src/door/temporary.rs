//! A file that nobody sees until it is complete. It is created under a random name in its final
//! folder, and then renamed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{Gid, Mode, Uid};
use rustix::rand::{GetRandomFlags, getrandom};

use super::folder::{Folder, split};

/// An incomplete file. Dropping it removes it.
#[derive(Debug)]
pub struct Temporary {
    folder: Folder,
    file: File,
    /// Its temporary name; `None` once it has the final one.
    name: Option<OsString>,
}

impl Temporary {
    /// A file in the folder of `path`, with the permissions of any new file (according to the
    /// umask).
    ///
    /// # Errors
    /// No file can be created there.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let (folder, _) = split(path)?;
        Self::within(folder)
    }

    /// The same in a folder that is kept open.
    ///
    /// # Errors
    /// No file can be created there.
    pub fn within(folder: Folder) -> io::Result<Self> {
        let name = unguessable()?;
        let file = folder.create_masked(&name, 0o666)?;
        Ok(Self { folder, file, name: Some(name) })
    }

    /// The file itself.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// The file itself.
    pub const fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Sets the permissions, whatever the umask.
    ///
    /// # Errors
    /// The file system refuses it.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode))?)
    }

    /// Gives the file to another user or group.
    ///
    /// # Errors
    /// We are not allowed to.
    pub fn give(&self, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        Ok(rustix::fs::fchown(&self.file, uid.map(Uid::from_raw), gid.map(Gid::from_raw))?)
    }

    /// Renames the file to its final name in the folder; replaces a file with that name.
    ///
    /// # Errors
    /// Something other than a file has the name, or it cannot be renamed.
    pub fn publish(mut self, name: &OsStr) -> io::Result<()> {
        if let Some(ours) = &self.name {
            self.folder.rename(ours, &self.folder, name)?;
            self.name = None;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = self.folder.remove(name);
        }
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A hidden name with 128 random bits.
pub(super) fn unguessable() -> io::Result<OsString> {
    let mut bits = [0; 16];
    let n = getrandom(&mut bits, GetRandomFlags::empty())?;
    debug_assert_eq!(n, bits.len(), "so few bytes always come at once");
    Ok(format!(".hzmetrics-{:032x}.part", u128::from_ne_bytes(bits)).into())
}
