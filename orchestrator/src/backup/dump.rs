//! Tables out of a database, into a compressed archive.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use hub::config::Target;
use kit::door::{self, Temporary};

use super::client::{self, Client};
use super::manifest::Archive;

/// The program by its names, the newest first.
const DUMP: [&str; 2] = ["mariadb-dump", "mysqldump"];
/// The last words of a complete dump.
const END: &[u8] = b"-- Dump completed";
/// How well archives are compressed.
const LEVEL: i32 = 3;

/// What is dumped.
pub(super) struct Dump<'d> {
    /// The server, the account and the database.
    pub(super) target: &'d Target,
    pub(super) database: &'d str,
    pub(super) tables: &'d [String],
    /// The file.
    pub(super) name: &'d str,
    /// Whether the tables are InnoDB: then nobody waits for the dump.
    pub(super) is_transactional: bool,
    /// Options about what is written.
    pub(super) options: &'d [&'d str],
}

impl Dump<'_> {
    /// Writes the archive and reads it back.
    ///
    /// # Errors
    /// The program is missing or fails, or the archive cannot be written or read.
    pub(super) fn write(&self, folder: &Path) -> Result<Archive> {
        let path = folder.join(self.name);
        let client = Client::new(self.target)?;
        let mut command = client.command(&DUMP)?;
        command.args(["--quick", "--no-tablespaces", "--skip-triggers", "--hex-blob", "--skip-add-locks"]);
        command.args(["--skip-disable-keys", "--no-autocommit", "--skip-dump-date", "--default-character-set=utf8mb4"]);
        command.arg(if self.is_transactional { "--single-transaction" } else { "--lock-tables" });
        command.args(self.options).arg(self.database).args(self.tables).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting mariadb-dump")?;
        let written = child.stdout.take().context("reading from mariadb-dump").and_then(|out| write(out, &path));
        client::wait(child, "mariadb-dump").with_context(|| format!("dumping {}", self.database))?;
        written.with_context(|| format!("writing {}", path.display()))?;
        verify(&path)?;
        let bytes = door::look(&path)?.map_or(0, |stat| stat.st_size.unsigned_abs());
        Ok(Archive { name: self.name.to_owned(), bytes, tables: self.tables.to_vec() })
    }
}

fn write(mut from: impl Read, path: &Path) -> Result<()> {
    let mut file = Temporary::beside(path)?;
    file.set_mode(0o600)?;
    let mut encoder = zstd::stream::write::Encoder::new(&mut file, LEVEL)?;
    encoder.include_checksum(true)?;
    io::copy(&mut from, &mut encoder)?;
    encoder.finish()?.flush()?;
    file.file().sync_all()?;
    file.publish(path.file_name().unwrap_or(OsStr::new("dump.sql.zst")))?;
    Ok(())
}

/// The text of an archive.
///
/// # Errors
/// It cannot be opened, or is not compressed.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read + Send>> {
    let file = door::open(path).with_context(|| format!("opening {}", path.display()))?;
    kit::open_reader(file).with_context(|| format!("reading {}", path.display()))
}

/// Reads an archive to its end, which must be that of a dump.
///
/// # Errors
/// It is damaged or cut off.
pub(super) fn verify(path: &Path) -> Result<()> {
    let mut tail = Tail::default();
    io::copy(&mut open(path)?, &mut tail).with_context(|| format!("reading {}", path.display()))?;
    let is_whole = tail.0.windows(END.len()).any(|words| words == END);
    ensure!(is_whole, "{} is cut off: it does not end as a dump does", path.display());
    Ok(())
}

/// Keeps the last bytes.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        let cut = self.0.len().saturating_sub(200);
        self.0.drain(..cut);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_and_cut_archives_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sql.zst");
        let text = format!("INSERT INTO t VALUES (1);\n{}-- Dump completed\n", "-- more\n".repeat(5000));
        write(text.as_bytes(), &path).unwrap();
        verify(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        for bytes in [&whole[..whole.len() - 4], &damaged] {
            std::fs::write(&path, bytes).unwrap();
            assert!(verify(&path).is_err());
        }
        write(&b"INSERT INTO t VALUES (1);\n"[..], &path).unwrap();
        assert!(verify(&path).unwrap_err().to_string().contains("is cut off"));
    }
}
