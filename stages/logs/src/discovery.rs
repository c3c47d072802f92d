//! Finding rotated logs: which names count, their days, and the directories they are in.
//!
//! Used by the stages that list, stage and archive logs, and by the orchestrator to see what is
//! pending. Nothing is opened here.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use kit::{Compression, path_text};

use crate::rotation;

pub use crate::rotation::without_suffix;

/// The kind of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The web server's access log.
    Access,
    /// The CMS's log of logins.
    Auth,
}

impl Stream {
    /// The name in `source` and `receipt` records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Auth => "auth",
        }
    }

    /// The stream with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Access, Self::Auth].into_iter().find(|s| s.name() == name)
    }
}

/// Whether `name` begins with `head` and has `log` somewhere after it.
#[must_use]
pub fn is_log(name: &str, head: &str) -> bool {
    name.strip_prefix(head).is_some_and(|rest| rest.contains("log"))
}

/// Whether a file with this base name belongs to the stream. Without a site, access logs of all
/// sites do, except `new-` ones that are not rotated yet.
///
/// ```
/// use logs::discovery::{Stream, date_of, is_of};
///
/// let name = "myhub-access.log-20250710.gz";
/// assert!(is_of(Stream::Access, Some("myhub"), name) && !is_of(Stream::Access, Some("other"), name));
/// assert_eq!(date_of(name), Some("20250710"));
/// ```
#[must_use]
pub fn is_of(stream: Stream, site: Option<&str>, name: &str) -> bool {
    match (stream, site) {
        (Stream::Auth, _) => is_log(name, "cmsauth"),
        (Stream::Access, Some(site)) => is_log(name, &format!("{site}-access")),
        (Stream::Access, None) => {
            !name.starts_with("new-")
                && !name.starts_with('.')
                && name.match_indices("-access").any(|(at, _)| at > 0 && name[at + "-access".len()..].contains("log"))
        }
    }
}

/// The day in a base name: the first piece of exactly eight digits between `.`, `-` and `_`. Invalid
/// bytes also end a piece, as U+FFFD or as `/XX` from [`path_text::name`].
#[must_use]
pub fn date_of(name: &str) -> Option<&str> {
    let ends = ['.', '-', '_', '/', char::REPLACEMENT_CHARACTER];
    name.split(ends).find(|piece| piece.len() == 8 && piece.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a name has the suffix of a compressed file.
#[must_use]
pub fn is_called_compressed(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    Compression::ENDINGS.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending.as_bytes()))
}

/// A path without a compression suffix.
#[must_use]
pub fn plain(path: &Path) -> PathBuf {
    if is_called_compressed(path) { path.with_extension("") } else { path.to_owned() }
}

/// A log that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// Its kind.
    pub stream: Stream,
    /// Base name, as [`path_text::name`] writes it.
    pub name: String,
    /// Its size on disk.
    pub bytes: u64,
    /// The day in its name, `YYYYMMDD`.
    pub day: Option<String>,
}

impl Found {
    /// The day in its name, `YYYYMMDD`.
    #[must_use]
    pub fn date(&self) -> Option<&str> {
        self.day.as_deref()
    }

    /// A given file with any name; its stream is determined from the name, and its day by any
    /// convention for rotated names.
    ///
    /// # Errors
    /// It does not exist, or is a folder.
    pub fn given(path: &Path) -> Result<Self> {
        let shown = path.display();
        let meta = fs::metadata(path).with_context(|| format!("looking at {shown}"))?;
        if meta.is_dir() {
            anyhow::bail!("{shown} is a directory, not a log");
        }
        let name = path_text::base_name(path);
        let stream = if name.starts_with("cmsauth") { Stream::Auth } else { Stream::Access };
        let day = date_of(&name).map(str::to_owned).or_else(|| rotation::of(&name).day());
        Ok(Self { path: path.to_owned(), stream, name, bytes: meta.len(), day })
    }
}

/// The path of a log while it is being archived: next to its place, with a hidden name. A killed
/// `archive` leaves it there, and the next one finishes it when given the log.
#[must_use]
pub fn working_name(path: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(path.file_name()?);
    name.push(".archiving");
    Some(path.with_file_name(name))
}

/// The name of the log whose file has this base name, which may be the hidden one.
#[must_use]
pub fn without_working_mark(name: &OsStr) -> &OsStr {
    let bytes = name.as_bytes();
    let log = bytes.strip_prefix(b".").and_then(|rest| rest.strip_suffix(b".archiving"));
    OsStr::from_bytes(log.unwrap_or(bytes))
}

/// Where the log's file is: at its place, or under its hidden name.
#[must_use]
pub fn lying_at(path: &Path) -> PathBuf {
    let hidden = || working_name(path).filter(|hidden| hidden.exists());
    if path.exists() { path.to_owned() } else { hidden().unwrap_or_else(|| path.to_owned()) }
}

/// The logs of a stream directly in `directory`, by name; none if it does not exist.
///
/// # Errors
/// The directory cannot be read.
pub fn flat(directory: &Path, stream: Stream, site: Option<&str>) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    collect(directory, stream, site, 0, false, &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Like [`flat`], but including logs whose archiving is not finished, under their own names.
///
/// # Errors
/// Those of [`flat`].
pub fn flat_unfinished(directory: &Path, stream: Stream, site: Option<&str>) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    collect(directory, stream, site, 0, true, &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

/// Like [`tree`], but including logs whose archiving is not finished, under their own names.
///
/// # Errors
/// Those of [`tree`].
pub fn tree_unfinished(directory: &Path, stream: Stream, site: Option<&str>) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    collect(directory, stream, site, 8, true, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

/// The logs of a stream anywhere below `directory`, by path.
///
/// # Errors
/// A directory cannot be read.
pub fn tree(directory: &Path, stream: Stream, site: Option<&str>) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    collect(directory, stream, site, 8, false, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Something that the functions above ignore.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Its path.
    pub path: PathBuf,
    /// What it is, such as "is not a regular file".
    pub what: String,
    /// Whether its name is that of a log of the stream.
    pub is_called_log: bool,
}

/// What has the name of a log below `directory` but is not one, and links to folders, which are not
/// followed because they may be loops; by path. The functions above report a folder that cannot be read.
#[must_use]
pub fn left_out(directory: &Path, stream: Stream, site: Option<&str>) -> Vec<LeftOut> {
    let mut left = Vec::new();
    note_left_out(directory, stream, site, 8, &mut left);
    left.sort();
    left
}

fn note_left_out(directory: &Path, stream: Stream, site: Option<&str>, depth: u32, left: &mut Vec<LeftOut>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_called_log = is_of(stream, site, &without_working_mark(&name).to_string_lossy());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            note_left_out(&path, stream, site, depth - 1, left);
        }
        if is_called_log || (kind.is_symlink() && path.is_dir()) {
            left.extend(why_no_log(&path).map(|what| LeftOut { path, what, is_called_log }));
        }
    }
}

fn collect(
    directory: &Path,
    stream: Stream,
    site: Option<&str>,
    depth: u32,
    unfinished: bool,
    found: &mut Vec<Found>,
) -> Result<()> {
    let reading = || format!("reading {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(e) => return Err(e).with_context(reading),
    };
    for entry in entries {
        let entry = entry.with_context(reading)?;
        let (lies_at, name) = (entry.path(), entry.file_name());
        if entry.file_type().with_context(reading)?.is_dir() {
            if depth > 0 {
                collect(&lies_at, stream, site, depth - 1, unfinished, found)?;
            }
            continue;
        }
        let name = if unfinished { without_working_mark(&name) } else { &name };
        if is_of(stream, site, &name.to_string_lossy()) {
            let path = lies_at.with_file_name(name);
            // follows links; a file that was moved away in the meantime is not an error
            match fs::metadata(&lies_at) {
                Ok(meta) if meta.is_file() => {
                    let name = path_text::base_name(&path);
                    let day = date_of(&name).map(str::to_owned);
                    found.push(Found { name, path, stream, bytes: meta.len(), day });
                }
                Ok(_) => {}
                // neither a loop of links nor a link to where we may not look is a log
                Err(e) if e.kind() == io::ErrorKind::NotFound || is_loop(&e) || is_link(&lies_at) => {}
                Err(e) => return Err(e).with_context(|| format!("looking at {}", path.display())),
            }
        }
    }
    Ok(())
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Why a path cannot be a log; `None` if it can, or no longer exists.
#[must_use]
pub fn why_no_log(path: &Path) -> Option<String> {
    let is_link = fs::symlink_metadata(path).ok()?.is_symlink();
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => None,
        Ok(meta) if meta.is_dir() && is_link => Some("is a link to a folder".to_owned()),
        Ok(meta) if meta.is_dir() => Some("is a folder, where a regular file is expected".to_owned()),
        Ok(_) => Some("is not a regular file".to_owned()),
        Err(e) if is_loop(&e) => Some("is a loop of links".to_owned()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => is_link.then(|| "is a link to nothing".to_owned()),
        Err(e) => Some(format!("cannot be examined ({e})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_logs_are_recognised() {
        let access = |site: Option<&str>, name: &str| is_of(Stream::Access, site, name);
        for name in
            ["hub-access.log", "hub-access_log-20260518", "hub-access.log-20260518.gz", "hub-access-ssl.log-20260101"]
        {
            assert!(access(Some("hub"), name) && access(None, name), "{name}");
        }
        for name in [
            "hub-access-20260106.txt",
            "new-hub-access.log",
            "hub-error.log",
            "cmsauth.log",
            ".hub-access.log",
            "-access.log",
        ] {
            assert!(!access(None, name), "{name}");
        }
        assert!(!access(Some("hub"), "other-access.log") && access(None, "other-access.log"));
        assert!(is_of(Stream::Auth, Some("hub"), "cmsauth.log-20250701") && !is_of(Stream::Auth, None, "cmsdebug.log"));
    }

    #[test]
    fn ignored_files_are_named() {
        let root = tempfile::tempdir().unwrap();
        let daily = root.path().join("daily");
        fs::create_dir_all(daily.join("2025/h-access.log-20250705")).unwrap();
        let link = |to: &Path, at: &str| std::os::unix::fs::symlink(to, daily.join(at)).unwrap();
        link(&daily, "2025/loop");
        link(Path::new("h-access.log-20250703"), "h-access.log-20250703");
        link(Path::new("none"), "2025/h-access.log-20250704");
        link(Path::new("/dev/null"), ".h-access.log-20250706.archiving");
        fs::write(daily.join("h-access.log-20250702"), "x\n").unwrap();
        let left: Vec<_> = left_out(&daily, Stream::Access, Some("h"))
            .into_iter()
            .map(|left| (left.path.strip_prefix(&daily).unwrap().to_owned(), left.what, left.is_called_log))
            .collect();
        let expected = [
            (".h-access.log-20250706.archiving", "is not a regular file", true),
            ("2025/h-access.log-20250704", "is a link to nothing", true),
            ("2025/h-access.log-20250705", "is a folder, where a regular file is expected", true),
            ("2025/loop", "is a link to a folder", false),
            ("h-access.log-20250703", "is a loop of links", true),
        ];
        assert_eq!(left, expected.map(|(path, what, is_log)| (PathBuf::from(path), what.to_owned(), is_log)));
        assert_eq!(tree(&daily, Stream::Access, Some("h")).unwrap().len(), 1);
        assert!(left_out(&root.path().join("nowhere"), Stream::Auth, None).is_empty());
    }

    #[test]
    fn names_that_are_not_utf8_are_found_and_distinguished() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(OsStr::from_bytes(b"2\xff"));
        fs::create_dir(&folder).unwrap();
        let of = |bytes: &[u8]| folder.join(OsStr::from_bytes(bytes));
        for name in
            [b"h-access.log-20250701\xfe" as &[u8], b"h-access.log-20250701\xff", b".h-access\xff.log.archiving"]
        {
            fs::write(of(name), "x\n").unwrap();
        }
        let found = tree_unfinished(root.path(), Stream::Access, Some("h")).unwrap();
        let seen: Vec<_> = found.iter().map(|log| (log.path.clone(), log.name.as_str(), log.date())).collect();
        assert_eq!(
            seen,
            [
                (of(b"h-access.log-20250701\xfe"), "h-access.log-20250701/FE", Some("20250701")),
                (of(b"h-access.log-20250701\xff"), "h-access.log-20250701/FF", Some("20250701")),
                (of(b"h-access\xff.log"), "h-access/FF.log", None),
            ]
        );
        assert_eq!(lying_at(&of(b"h-access\xff.log")), of(b".h-access\xff.log.archiving"));
        assert_eq!(plain(&of(b"a\xff.gz")), of(b"a\xff"));
        assert_eq!(
            Found::given(&of(b"h-access.log-20250701\xfe")).unwrap(),
            Found { stream: Stream::Access, ..found[0].clone() }
        );
        assert!(left_out(root.path(), Stream::Access, Some("h")).is_empty());
    }

    #[test]
    fn days_are_found_in_names() {
        for (name, date) in [
            ("hub-access.log-20260518.gz", Some("20260518")),
            ("hub-access_log-20260518", Some("20260518")),
            ("x-access-20250710.log.gz", Some("20250710")),
            ("x-99999999-access.log", Some("99999999")),
            ("hub-access.log-2026-05-18", None),
            ("hub-access.log", None),
            ("hub-access.log-2026051800", None),
            ("hub-access.log-20260518/FF", Some("20260518")),
            ("hub-access.log-20260518\u{FFFD}", Some("20260518")),
        ] {
            assert_eq!(date_of(name), date, "{name}");
        }
    }

    #[test]
    fn logs_are_found_in_directories() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x\n").unwrap();
        };
        for path in [
            "daily/h-access.log-20250702",
            "daily/h-access.log-20250701",
            "daily/2024/h-access.log-20241231.gz",
            "daily/cmsauth.log-1",
            "imported/h-access.log-20240101",
        ] {
            write(path);
        }
        let names = |found: Vec<Found>| found.into_iter().map(|f| f.name).collect::<Vec<_>>();
        let daily = root.path().join("daily");
        assert_eq!(
            names(flat(&daily, Stream::Access, None).unwrap()),
            ["h-access.log-20250701", "h-access.log-20250702"]
        );
        assert_eq!(names(tree(&daily, Stream::Access, Some("h")).unwrap())[0], "h-access.log-20241231.gz");
        assert_eq!(names(flat(&daily, Stream::Auth, None).unwrap()), ["cmsauth.log-1"]);
        write("daily/.h-access.log-20250703.archiving");
        write("daily/.h-access.log-20250702.archiving");
        assert_eq!(flat(&daily, Stream::Access, None).unwrap().len(), 2);
        let unfinished = ["h-access.log-20250701", "h-access.log-20250702", "h-access.log-20250703"];
        assert_eq!(names(flat_unfinished(&daily, Stream::Access, None).unwrap()), unfinished);
        assert_eq!(names(tree_unfinished(&daily, Stream::Access, Some("h")).unwrap()).len(), 4);
        assert!(lying_at(&daily.join(unfinished[1])).ends_with(unfinished[1]));
        assert!(lying_at(&daily.join(unfinished[2])).ends_with(".h-access.log-20250703.archiving"));
        assert!(lying_at(&daily.join("none")).ends_with("none"));
        assert!(flat(&root.path().join("nowhere"), Stream::Auth, None).unwrap().is_empty());
    }
}
