//! `--stage`: concatenates the logs in `daily/` into the two staging files, as the legacy line did.
//!
//! Both files are written under temporary names and appear together with the list of their contents;
//! a run that fails leaves the old ones unchanged. Compressed logs are decompressed. If a log has
//! grown since an earlier import, only the rest is staged.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use hub::config::Config;
use kit::{Messages, Progress, WholeFile, counted, door, fill};
use logs::discovery::{self, Found, LeftOut, Stream, without_suffix};
use logs::fingerprint::{Fingerprint, Now};
use logs::staged;
use logs::staged::Outcome;
use schema::json;

use crate::find::{self, Wanted};
use crate::opener::Opener;
use crate::records;

/// The assumed ratio of a log's decompressed to its compressed size.
const EXPANSION: u64 = 15;
/// How many more bytes the port wants to be free.
const RESERVE: u64 = 500 << 20;

/// What to stage, and how.
pub(crate) struct Staging<'a> {
    pub(crate) config: &'a Config,
    pub(crate) wanted: Wanted,
    /// Whether to look below `daily/` and in `daily.holding/` too.
    pub(crate) deep: bool,
    pub(crate) dry_run: bool,
    /// Whether to keep as much space free as the port wants.
    pub(crate) reserve: bool,
    pub(crate) messages: Messages,
}

impl Staging<'_> {
    /// The logs of a stream in the order in which they are concatenated.
    fn logs(&self, stream: Stream) -> Result<Vec<Found>> {
        let paths = &self.config.paths;
        let root = match stream {
            Stream::Access => paths.web_logs(),
            Stream::Auth => paths.cms_logs(),
        };
        let wanted = self.wanted();
        let mut logs = if self.deep || wanted.one_per_day {
            find::of_stream(&root, stream, &wanted, self.messages)?
        } else {
            discovery::flat_unfinished(&root.join("daily"), stream, wanted.site.as_deref())?
        };
        logs.retain(|log| wanted.takes(log));
        Ok(logs)
    }

    /// What is wanted; without a site, the configured one.
    fn wanted(&self) -> Wanted {
        let mut wanted = self.wanted.clone();
        wanted.site.get_or_insert_with(|| self.config.site.name.clone());
        wanted
    }

    /// Leaves out what must not be read, such as a link out of the log folders, and names it.
    fn readable(&self, mut logs: Vec<Found>, opener: &Opener) -> (Vec<Found>, usize) {
        let n = logs.len();
        logs.retain(|log| {
            let opened = opener.open(&log.path);
            let refused = opened.err().filter(door::is_in_the_way);
            if let Some(error) = &refused {
                self.messages.error(format_args!("{error:#}: it is left out"));
            }
            refused.is_none()
        });
        let n_left = n - logs.len();
        (logs, n_left)
    }

    pub(crate) fn run(&self) -> Result<()> {
        let paths = &self.config.paths;
        let opener = Opener::new([paths.web_logs(), paths.cms_logs()]);
        let (access, n_access) = self.readable(self.logs(Stream::Access)?, &opener);
        let (auth, n_auth) = self.readable(self.logs(Stream::Auth)?, &opener);
        let n_left = n_access + n_auth + self.name_what_is_not_a_log();
        self.stage(access, auth, &opener).inspect_err(|_| {
            // if this fails too, report the first failure
            let _ = self.note_that_nothing_is_staged();
        })?;
        ensure!(n_left == 0, "{} left out", counted(n_left, "log was", "logs were"));
        Ok(())
    }

    /// Names everything in `daily/` that is not a log, and links to folders anywhere in it; returns the
    /// number of those named like a log that would be staged.
    fn name_what_is_not_a_log(&self) -> usize {
        let (paths, wanted) = (&self.config.paths, self.wanted());
        let mut n = 0;
        for (root, stream) in [(paths.web_logs(), Stream::Access), (paths.cms_logs(), Stream::Auth)] {
            let daily = root.join("daily");
            for LeftOut { path, what, is_called_log } in find::left_out(&daily, stream, &wanted) {
                let text = format!("{} {what}: it is left out", path.display());
                if !is_called_log {
                    self.messages.warn(text);
                } else if self.deep || path.parent() == Some(&daily) {
                    self.messages.error(text);
                    n += 1;
                }
            }
        }
        n
    }

    /// Without a list everything in `daily/` would be archived: an empty list says that nothing was
    /// read. An existing list of logs that are not archived yet is kept.
    fn note_that_nothing_is_staged(&self) -> Result<()> {
        let path = staged::list_path(&self.config.paths.staging());
        let is_there = door::look(&path).with_context(|| format!("looking at {}", path.display()))?.is_some();
        if self.dry_run || is_there { Ok(()) } else { kit::atomic_file(&path, |_| Ok(())) }
    }

    fn stage(&self, access: Vec<Found>, auth: Vec<Found>, opener: &Opener) -> Result<()> {
        let staging = self.config.paths.staging();
        if self.dry_run {
            for log in access.iter().chain(&auth) {
                self.messages.note(format_args!("would stage {}", log.path.display()));
            }
            return Ok(());
        }
        door::make_folder(&staging).with_context(|| format!("making {}", staging.display()))?;
        if access.is_empty() && auth.is_empty() {
            return self.note_that_nothing_is_staged();
        }
        self.check_space(&staging, access.iter().chain(&auth))?;
        let outcomes = staged::read_imported(&staging)?;
        let mut listed = Vec::new();
        let mut files = Vec::new();
        let total = access.iter().chain(&auth).map(|log| log.bytes).sum();
        let shown = Progress::bytes("staging", total);
        for (logs, path) in [(access, self.config.paths.staged_access()), (auth, self.config.paths.staged_auth())] {
            if !logs.is_empty() {
                files.push(self.concatenate(&logs, &path, &outcomes, opener, (&mut listed, &shown))?);
            }
        }
        // from here on a killed run leaves at worst a new staging file without a list
        let list_path = staged::list_path(&staging);
        match door::remove(&list_path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("removing {}", list_path.display()));
            }
            _ => {}
        }
        files.into_iter().try_for_each(WholeFile::publish)?;
        kit::atomic_file(&list_path, |file| {
            file.write_all(&listed).with_context(|| format!("writing {}", list_path.display()))
        })
    }

    /// Writes the logs one after the other with nothing between them, and lists where each one is.
    fn concatenate(
        &self,
        logs: &[Found],
        path: &Path,
        known: &[Outcome],
        opener: &Opener,
        (listed, shown): (&mut Vec<u8>, &Progress),
    ) -> Result<WholeFile> {
        let mut file = WholeFile::create(path)?;
        file.set_mode(mode_for(logs, opener)?)?;
        let place = file.place()?;
        let mut offset = 0;
        for log in logs {
            let same = logs
                .iter()
                .take_while(|earlier| *earlier != log)
                .find(|earlier| without_suffix(&earlier.name) == without_suffix(&log.name));
            let copied = match same {
                Some(earlier) if opener.same_content(&earlier.path, &log.path)? => {
                    let (kept, left) = (earlier.path.display(), log.path.display());
                    self.messages.note(format_args!("{left} holds the same as {kept}: staged once"));
                    Copied { read: opener.read_to_end(&log.path)?, ..Copied::default() }
                }
                _ => copy(log, known, opener, &mut file, path)?,
            };
            shown.advance(log.bytes);
            record(log, offset, &copied, place, opener, listed)?;
            offset += copied.bytes;
        }
        Ok(file)
    }

    /// Whether the staging directory's file system has room for the decompressed logs.
    fn check_space<'f>(&self, staging: &Path, logs: impl Iterator<Item = &'f Found>) -> Result<()> {
        let size = |log: &Found| {
            let factor = if without_suffix(&log.name) == log.name { 1 } else { EXPANSION };
            log.bytes.saturating_mul(factor)
        };
        let needed = logs.map(size).fold(if self.reserve { RESERVE } else { 0 }, u64::saturating_add);
        let system = rustix::fs::statvfs(staging).with_context(|| format!("looking at {}", staging.display()))?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        if needed > free {
            bail!(
                "[fetch-logs] insufficient staging space on {}: need ~{} MB, free {} MB; nothing was staged",
                staging.display(),
                needed.div_ceil(1 << 20),
                free >> 20
            );
        }
        Ok(())
    }
}

/// The permissions of a staging file: those that all of its logs have in common, and none for
/// others.
fn mode_for(logs: &[Found], opener: &Opener) -> Result<u32> {
    let mut mode = 0o640;
    for log in logs {
        let meta = opener.open(&log.path)?.metadata().with_context(|| format!("looking at {}", log.path.display()))?;
        mode &= 0o600 | meta.mode();
    }
    Ok(mode)
}

/// What was copied of a log.
#[derive(Default)]
struct Copied {
    /// How many bytes.
    bytes: u64,
    /// The first of them in the decompressed log.
    begin: u64,
    /// How many bytes at the end are an incomplete line.
    open: u64,
    /// What was read; unknown for anything but a regular file.
    read: Option<Fingerprint>,
}

/// Adds a log to the list.
fn record(
    log: &Found,
    offset: u64,
    copied: &Copied,
    place: (u64, u64),
    opener: &Opener,
    listed: &mut Vec<u8>,
) -> Result<()> {
    let mut fields = vec![("staged_offset", offset.to_string()), ("staged_bytes", copied.bytes.to_string())];
    for (name, value) in [("staged_begin", copied.begin), ("staged_open", copied.open)] {
        if value > 0 {
            fields.push((name, value.to_string()));
        }
    }
    if let Some(read) = &copied.read {
        fields.push(("read", serde_json::to_string(read)?));
    }
    fields.extend([("staged_device", place.0.to_string()), ("staged_inode", place.1.to_string())]);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let mut source = Vec::new();
    records::source_record(log, opener, &mut source)?;
    if json::set_fields(&source, &fields, listed).is_err() {
        bail!("listing {}", log.path.display());
    }
    listed.push(b'\n');
    Ok(())
}

/// Copies a log, or the part added since it was imported.
fn copy(log: &Found, known: &[Outcome], opener: &Opener, to: &mut WholeFile, shown: &Path) -> Result<Copied> {
    let from = &log.path;
    let reading_it = || format!("reading {}", from.display());
    let mut reading = opener.reading(from)?;
    let mut copied = Copied::default();
    if let Some((earlier, Now::Grown)) = staged::imported_since(known, log.stream, from, || opener.open(from))?.last() {
        let whole_lines = earlier.resume < earlier.read.bytes;
        copied.begin = reading.skip(&earlier.read, whole_lines).with_context(reading_it)?;
    }
    let mut buffer = vec![0; 256 << 10];
    loop {
        let n = fill(&mut reading, &mut buffer).with_context(reading_it)?;
        if n == 0 {
            break;
        }
        to.write_all(&buffer[..n]).with_context(|| format!("writing {}", shown.display()))?;
        copied.bytes += n as u64;
        let after_line = buffer[..n].iter().rposition(|&byte| byte == b'\n').map(|end| n - end - 1);
        copied.open = after_line.map_or(copied.open + n as u64, |open| open as u64);
    }
    copied.read = reading.finish().with_context(reading_it)?;
    Ok(copied)
}
