//! Moves one log into the archive: compressed, with its name, keeping an older file of that name.
//!
//! A run killed at any point leaves the log either at its place, under a hidden working name next
//! to it, or in the archive; the next run for the same log finishes the work.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File, FileTimes};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use kit::{Messages, door, fill};
use logs::discovery;
use logs::fingerprint::{Fingerprint, Identity, Now};

/// Which file gets the plain name if the archive already has a file of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collision {
    /// The new file; the older one becomes `NAME.~N~`.
    NewKeepsName,
    /// The older file; the new one becomes `NAME.~N~`.
    OldKeepsName,
}

/// How logs are archived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) compress: bool,
    pub(crate) collision: Collision,
}

/// What became of a log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// It is in the archive now.
    Now(PathBuf),
    /// An earlier run moved it there.
    Earlier(PathBuf),
}

/// A log that has grown since it was read. It stays, and no action is needed: the next import reads the rest.
#[derive(Debug)]
struct HasGrown {
    path: PathBuf,
    /// How many bytes of it were imported.
    imported: u64,
}

impl fmt::Display for HasGrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, imported) = (self.path.display(), self.imported);
        write!(
            f,
            "{path} has grown since {imported} bytes of it were imported: it stays, and the next import reads the rest"
        )
    }
}

impl std::error::Error for HasGrown {}

/// Reports a log that was not moved; returns whether that is a failure, rather than growth.
pub(crate) fn is_failure(error: &anyhow::Error, messages: Messages) -> bool {
    let has_grown = error.is::<HasGrown>();
    if has_grown {
        messages.warn(error)
    } else {
        messages.error(format_args!("{error:#}"))
    }
    !has_grown
}

/// The `daily/` or `daily.holding/` above a log.
pub(crate) fn daily_of(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|a| a.file_name().is_some_and(|n| n == "daily" || n == "daily.holding"))
}

/// The archive directory of a log: `imported/` next to its folder.
pub(crate) fn imported_of(path: &Path) -> Option<PathBuf> {
    Some(daily_of(path)?.parent()?.join("imported"))
}

/// The working name of a log while it is being compressed, or of an incomplete file in the archive.
fn working_name(path: &Path) -> Result<PathBuf> {
    discovery::working_name(path).with_context(|| format!("{} has no name", path.display()))
}

fn name_of(path: &Path) -> Result<&OsStr> {
    path.file_name().with_context(|| format!("{} has no name", path.display()))
}

/// A name with a suffix.
fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut longer = name.to_owned();
    longer.push(suffix);
    longer
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether to compress the log: not if it is compressed already, is a link, or has a compressed
/// form next to it.
fn is_compressed_on_the_way(path: &Path, name: &OsStr, rules: Rules) -> bool {
    rules.compress
        && !discovery::is_called_compressed(path)
        && !exists(&path.with_file_name(with_suffix(name, ".gz")))
        && !fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink())
}

/// Where the log would go if nothing has its name there.
pub(crate) fn target(path: &Path, imported: &Path, rules: Rules) -> Result<PathBuf> {
    let name = name_of(path)?;
    let suffix = if is_compressed_on_the_way(path, name, rules) { ".gz" } else { "" };
    Ok(imported.join(with_suffix(name, suffix)))
}

/// Moves the log into the archive directory, which is created if it is missing. With `read`, only if
/// it is still what was read.
pub(crate) fn move_log(path: &Path, imported: &Path, rules: Rules, read: Option<&Fingerprint>) -> Result<Moved> {
    let working = working_name(path)?;
    if !exists(path) && !exists(&working) {
        let name = name_of(path)?;
        let there = [".gz", ""].map(|suffix| imported.join(with_suffix(name, suffix))).into_iter().find(|p| exists(p));
        return there.map(Moved::Earlier).with_context(|| {
            format!("{} is gone, and {} has no log of that name", path.display(), imported.display())
        });
    }
    door::make_log_folder(imported).with_context(|| format!("making {}", imported.display()))?;
    if exists(&working) {
        let done = finish_compressing(path, &working, imported, rules, read)?;
        if !exists(path) {
            return Ok(done); // otherwise a new log of that name has arrived in the meantime
        }
    }
    check(path, path, read)?;
    let to = target(path, imported, rules)?;
    if is_compressed_on_the_way(path, name_of(path)?, rules) {
        match door::rename_new(path, &working) {
            // another run was faster: wait for its result
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            done => done.with_context(|| format!("renaming {}", path.display()))?,
        }
        return finish_compressing(path, &working, imported, rules, read);
    }
    publish(path, &to, rules.collision).map(Moved::Now)
}

/// Whether the file at `at` is still what was read of `path`.
fn check(path: &Path, at: &Path, read: Option<&Fingerprint>) -> Result<()> {
    let Some(read) = read else { return Ok(()) };
    match read.compare(at)? {
        Now::Same | Now::Gone => Ok(()),
        Now::Grown => Err(HasGrown { path: path.to_owned(), imported: read.bytes }.into()),
        Now::Other => bail!("{} is not what was imported under this name: it stays", path.display()),
    }
}

/// Compresses the log under its working name into the archive, unless an earlier run has. If another
/// run is doing it, waits for it. A log that must stay gets its name back.
fn finish_compressing(
    path: &Path,
    working: &Path,
    imported: &Path,
    rules: Rules,
    read: Option<&Fingerprint>,
) -> Result<Moved> {
    let name = name_of(path)?;
    let target = imported.join(with_suffix(name, ".gz"));
    let Some(_held) = held(working)? else {
        ensure!(exists(&target) && !exists(path), "another run could not archive {}", path.display());
        return Ok(Moved::Earlier(target));
    };
    let part = working_name(&target)?;
    let published = exists(&target) && !exists(&part) && same_content(working, &target)?;
    let placed = if published {
        target
    } else {
        check(path, working, read).and_then(|()| compress(working, &part, name)).inspect_err(|_| {
            let _ = door::remove(&part);
            let _ = door::rename_new(working, path);
        })?;
        publish(&part, &target, rules.collision)?
    };
    door::remove(working).with_context(|| format!("removing {}", working.display()))?;
    Ok(Moved::Now(placed))
}

/// A file that no other run works on while the result is alive; `None` if another run did and the
/// file is gone.
fn held(path: &Path) -> Result<Option<File>> {
    let file = match door::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("opening {}", path.display())),
    };
    // without file locks, runs are as independent as before
    let _ = file.lock();
    Ok(door::is_at(&file, path).then_some(file))
}

/// A new file at `path`, private for now; replaces what a killed run left there.
fn begin(path: &Path) -> io::Result<File> {
    match door::remove(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    door::create_new(path, 0o600)
}

/// Writes the gzip form of `from`, with its times and permissions, and waits until it is on disk.
fn compress(from: &Path, to: &Path, name: &OsStr) -> Result<()> {
    let source = door::open(from).with_context(|| format!("opening {}", from.display()))?;
    let meta = source.metadata().with_context(|| format!("looking at {}", from.display()))?;
    let writing = || format!("writing {}", to.display());
    let file = begin(to).with_context(writing)?;
    let seconds = u32::try_from(meta.mtime()).unwrap_or(0);
    let header = flate2::GzBuilder::new().filename(name.as_bytes()).mtime(seconds);
    let mut gz = header.write(BufWriter::new(file), flate2::Compression::default());
    io::copy(&mut BufReader::with_capacity(256 << 10, &source), &mut gz).with_context(writing)?;
    let now = source.metadata().with_context(|| format!("looking at {}", from.display()))?;
    ensure!(Identity::of(&now) == Identity::of(&meta), "{} was written to while it was archived", from.display());
    let mut buffer = gz.finish().with_context(writing)?;
    buffer.flush().with_context(writing)?;
    let file = buffer.get_ref();
    let mut times = FileTimes::new();
    if let Ok(modified) = meta.modified() {
        times = times.set_modified(modified);
    }
    take_after(file, &meta).with_context(writing)?;
    file.set_times(times).with_context(writing)?;
    file.sync_all().with_context(writing)
}

/// Gives a new file the owner, the group and the permissions of its log, as far as we may; if the group
/// differs from the log's, it gets no permissions.
fn take_after(file: &File, log: &fs::Metadata) -> io::Result<()> {
    let has_group = std::os::unix::fs::fchown(file, None, Some(log.gid())).is_ok();
    let _ = std::os::unix::fs::fchown(file, Some(log.uid()), None);
    let mask = if has_group { 0o777 } else { 0o707 };
    file.set_permissions(fs::Permissions::from_mode(log.mode() & mask))
}

/// Renames a finished file to its name in the archive; nothing there is ever overwritten.
fn publish(from: &Path, to: &Path, collision: Collision) -> Result<PathBuf> {
    let mut to = to.to_owned();
    if exists(&to) {
        let name = name_of(&to)?.to_owned();
        match collision {
            Collision::NewKeepsName => {
                let backup = to.with_file_name(with_suffix(&name, &format!(".~{}~", highest_backup(&to, &name)? + 1)));
                door::rename_new(&to, &backup)
                    .with_context(|| format!("renaming {} to {}", to.display(), backup.display()))?;
            }
            Collision::OldKeepsName => {
                let numbered = |n| to.with_file_name(with_suffix(&name, &format!(".~{n}~")));
                let free = (1_u64..).map(numbered).find(|p| !exists(p));
                to = free.with_context(|| format!("no free name for {}", to.display()))?;
            }
        }
    }
    match door::rename_new(from, &to) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => across_devices(from, &to)?,
        Err(e) => return Err(e).with_context(|| format!("moving {} to {}", from.display(), to.display())),
    }
    Ok(to)
}

/// Moves a file to another file system: copies it, then removes the original.
fn across_devices(from: &Path, to: &Path) -> Result<()> {
    let moving = || format!("moving {} to {}", from.display(), to.display());
    let Some(source) = held(from)? else { return Ok(()) };
    let meta = source.metadata().with_context(moving)?;
    let part = working_name(to)?;
    let mut copy = begin(&part).with_context(moving)?;
    io::copy(&mut &source, &mut copy).with_context(moving)?;
    let now = source.metadata().with_context(moving)?;
    ensure!(Identity::of(&now) == Identity::of(&meta), "{} was written to while it was moved", from.display());
    take_after(&copy, &meta).with_context(moving)?;
    if let Ok(modified) = meta.modified() {
        let _ = copy.set_times(FileTimes::new().set_modified(modified));
    }
    copy.sync_all().with_context(moving)?;
    door::rename_new(&part, to).with_context(moving)?;
    door::remove(from).with_context(moving)
}

fn highest_backup(to: &Path, name: &OsStr) -> Result<u64> {
    let directory = to.parent().unwrap_or(Path::new("."));
    let reading = || format!("reading {}", directory.display());
    let mut highest = 0;
    for entry in door::list(directory).with_context(reading)? {
        let rest = entry.as_bytes().strip_prefix(name.as_bytes()).and_then(|rest| std::str::from_utf8(rest).ok());
        let number = rest.and_then(|rest| rest.strip_prefix(".~")?.strip_suffix('~')?.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

/// Whether the compressed file contains exactly the same as the plain one.
fn same_content(plain: &Path, compressed: &Path) -> Result<bool> {
    let ours = door::open(plain).with_context(|| format!("opening {}", plain.display()))?;
    let mut ours = BufReader::with_capacity(64 << 10, ours);
    let Ok(mut theirs) = door::open(compressed).and_then(kit::open_reader) else { return Ok(false) };
    let (mut a, mut b) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let n = fill(&mut ours, &mut a).with_context(|| format!("reading {}", plain.display()))?;
        let Ok(m) = fill(&mut theirs, &mut b) else { return Ok(false) };
        if a[..n] != b[..m] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { compress: true, collision: Collision::NewKeepsName };

    struct Hub(tempfile::TempDir);

    impl Hub {
        fn new() -> Self {
            let hub = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(hub.daily("")).unwrap();
            fs::create_dir_all(hub.imported("")).unwrap();
            hub
        }
        fn daily(&self, name: &str) -> PathBuf {
            self.0.path().join("daily").join(name)
        }
        fn imported(&self, name: &str) -> PathBuf {
            self.0.path().join("imported").join(name)
        }
        fn read(&self, name: &str) -> String {
            let mut text = String::new();
            kit::open(&self.imported(name)).unwrap().read_to_string(&mut text).unwrap();
            text
        }
        fn put(&self, text: &str, rules: Rules) -> Moved {
            let path = self.daily("h-access.log-1");
            fs::write(&path, text).unwrap();
            move_log(&path, &imported_of(&path).unwrap(), rules, None).unwrap()
        }
        fn names(&self, of: &str) -> Vec<String> {
            let entries = fs::read_dir(self.0.path().join(of)).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_log_is_compressed_with_its_name_and_time() {
        let hub = Hub::new();
        let path = hub.daily("h-access.log-1");
        fs::write(&path, "lines\n").unwrap();
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::open(&path).unwrap().set_times(FileTimes::new().set_modified(then)).unwrap();
        assert_eq!(
            move_log(&path, &hub.imported(""), RULES, None).unwrap(),
            Moved::Now(hub.imported("h-access.log-1.gz"))
        );
        assert_eq!(hub.read("h-access.log-1.gz"), "lines\n");
        assert_eq!(fs::metadata(hub.imported("h-access.log-1.gz")).unwrap().modified().unwrap(), then);
        assert!(hub.names("daily").is_empty());
        assert_eq!(
            move_log(&path, &hub.imported(""), RULES, None).unwrap(),
            Moved::Earlier(hub.imported("h-access.log-1.gz"))
        );
    }

    #[test]
    fn an_older_file_is_kept_under_a_number() {
        let hub = Hub::new();
        for text in ["a", "b", "c"] {
            hub.put(text, RULES);
        }
        assert_eq!(
            ["h-access.log-1.gz", "h-access.log-1.gz.~1~", "h-access.log-1.gz.~2~"].map(|n| hub.read(n)),
            ["c", "a", "b"]
        );
        let port = Rules { collision: Collision::OldKeepsName, ..RULES };
        assert_eq!(hub.put("d", port), Moved::Now(hub.imported("h-access.log-1.gz.~3~")));
        assert_eq!(["h-access.log-1.gz", "h-access.log-1.gz.~3~"].map(|n| hub.read(n)), ["c", "d"]);
    }

    #[test]
    fn a_log_with_a_compressed_form_is_not_compressed_again() {
        let hub = Hub::new();
        fs::write(hub.daily("x.log.zst"), "z").unwrap();
        move_log(&hub.daily("x.log.zst"), &hub.imported(""), RULES, None).unwrap();
        fs::write(hub.daily("y.log"), "y").unwrap();
        fs::write(hub.daily("y.log.gz"), "not read").unwrap();
        move_log(&hub.daily("y.log"), &hub.imported(""), RULES, None).unwrap();
        let plain = Rules { compress: false, ..RULES };
        hub.put("p", plain);
        assert_eq!(hub.names("imported"), ["h-access.log-1", "x.log.zst", "y.log"]);
    }

    #[test]
    fn after_death_at_any_point_the_next_run_finishes() {
        let undisturbed = ["h-access.log-1.gz", "h-access.log-1.gz.~1~"];
        for point in 0..5 {
            let hub = Hub::new();
            hub.put("older", RULES);
            let path = hub.daily("h-access.log-1");
            let working = working_name(&path).unwrap();
            let part = hub.imported(".h-access.log-1.gz.archiving");
            let target = hub.imported("h-access.log-1.gz");
            fs::write(&working, "newer").unwrap();
            match point {
                0 => {}
                1 => fs::write(&part, "half a fi").unwrap(),
                2 => compress(&working, &part, "h-access.log-1".as_ref()).unwrap(),
                3 => {
                    compress(&working, &part, "h-access.log-1".as_ref()).unwrap();
                    fs::rename(&target, hub.imported("h-access.log-1.gz.~1~")).unwrap();
                }
                _ => {
                    compress(&working, &part, "h-access.log-1".as_ref()).unwrap();
                    fs::rename(&target, hub.imported("h-access.log-1.gz.~1~")).unwrap();
                    fs::rename(&part, &target).unwrap();
                }
            }
            move_log(&path, &hub.imported(""), RULES, None).unwrap();
            assert_eq!(hub.names("imported"), undisturbed, "point {point}");
            assert_eq!(undisturbed.map(|n| hub.read(n)), ["newer", "older"], "point {point}");
            assert!(hub.names("daily").is_empty(), "point {point}");
        }
    }

    #[test]
    fn runs_at_the_same_time_share_the_work() {
        for _ in 0..20 {
            let hub = Hub::new();
            let path = hub.daily("h-access.log-1");
            let text = "a line of a log that takes a while\n".repeat(20_000);
            fs::write(&path, &text).unwrap();
            let placed: Vec<Moved> = std::thread::scope(|scope| {
                let runs: Vec<_> =
                    (0..4).map(|_| scope.spawn(|| move_log(&path, &hub.imported(""), RULES, None))).collect();
                runs.into_iter().map(|run| run.join().unwrap().unwrap()).collect()
            });
            let target = hub.imported("h-access.log-1.gz");
            assert_eq!(placed.iter().filter(|placed| **placed == Moved::Now(target.clone())).count(), 1, "{placed:?}");
            assert_eq!(placed.iter().filter(|placed| **placed == Moved::Earlier(target.clone())).count(), 3);
            assert_eq!(hub.names("imported"), ["h-access.log-1.gz"]);
            assert!(hub.names("daily").is_empty() && hub.read("h-access.log-1.gz") == text);
        }
    }

    #[test]
    fn a_log_is_moved_only_if_it_is_what_was_read() {
        let hub = Hub::new();
        let path = hub.daily("h-access.log-1");
        let imported = hub.imported("");
        for (now, word) in [("one\ntwo\n", "grown"), ("other\n", "not what was imported"), ("on", "not what")] {
            fs::write(&path, "one\n").unwrap();
            let read = logs::fingerprint::of(&path).unwrap();
            fs::write(&path, now).unwrap();
            let error = move_log(&path, &imported, RULES, Some(&read)).unwrap_err();
            assert!(format!("{error:#}").contains(word), "{error:#}");
            // a log that a killed run left under its hidden name gets its own name back
            fs::rename(&path, working_name(&path).unwrap()).unwrap();
            assert!(move_log(&path, &imported, RULES, Some(&read)).is_err());
            assert_eq!((hub.names("daily"), hub.names("imported").len()), (vec!["h-access.log-1".to_owned()], 0));
            assert_eq!(fs::read_to_string(&path).unwrap(), now);
        }
        fs::write(&path, "one\n").unwrap();
        let read = logs::fingerprint::of(&path).unwrap();
        // another file with the same content: the content decides
        fs::remove_file(&path).unwrap();
        fs::write(&path, "one\n").unwrap();
        move_log(&path, &imported, RULES, Some(&read)).unwrap();
        assert_eq!(hub.read("h-access.log-1.gz"), "one\n");
    }

    #[test]
    fn owner_group_and_permissions_are_those_of_the_log() {
        let is_root = hub::identity::is_root();
        for (owner, group, mode) in [(0, 0, 0o600), (65534, 4, 0o640), (65534, 65534, 0o644), (0, 4, 0o640)] {
            let hub = Hub::new();
            let path = hub.daily("h-access.log-1");
            fs::write(&path, "lines\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            if is_root {
                std::os::unix::fs::chown(&path, Some(owner), Some(group)).unwrap();
            }
            let before = fs::metadata(&path).unwrap();
            move_log(&path, &hub.imported(""), RULES, None).unwrap();
            let meta = fs::metadata(hub.imported("h-access.log-1.gz")).unwrap();
            let of = |meta: &fs::Metadata| (meta.uid(), meta.gid(), meta.mode() & 0o777);
            assert_eq!(of(&meta), of(&before));
        }
    }

    #[test]
    fn a_log_that_cannot_be_archived_stays() {
        let hub = Hub::new();
        let path = hub.daily("h-access.log-1");
        fs::write(&path, "x").unwrap();
        // a directory in place of the compressed file
        fs::create_dir_all(hub.imported(".h-access.log-1.gz.archiving/x")).unwrap();
        let error = move_log(&path, &hub.imported(""), RULES, None).unwrap_err();
        assert!(format!("{error:#}").contains("imported"), "{error:#}");
        assert_eq!(hub.names("daily"), ["h-access.log-1"]);
        assert!(move_log(&hub.daily("never-there"), &hub.imported(""), RULES, None).is_err());
    }
}
