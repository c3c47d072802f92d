//! `--stage`: puts the logs of `daily/` together into the two staging files, as the legacy line did.
//!
//! Both files are written aside and appear together with the list of what is in them; a run that
//! fails leaves the old ones as they were. Compressed logs are decompressed.

use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use kit::config::Config;
use kit::discovery::{self, Found, Stream, without_suffix};
use kit::{Messages, WholeFile, staged};
use schema::json;

use crate::find::{self, Wanted};
use crate::list;

/// How much larger a compressed log is taken to be when it is decompressed.
const EXPANSION: u64 = 15;
/// What the later port wants to be free besides, in bytes.
const RESERVE: u64 = 500 << 20;

/// What a run stages, and how.
pub(crate) struct Staging<'a> {
    pub(crate) config: &'a Config,
    pub(crate) wanted: Wanted,
    /// Look below `daily/` and into `daily.holding/` too.
    pub(crate) deep: bool,
    pub(crate) dry_run: bool,
    /// Keep as much free as the later port wants.
    pub(crate) reserve: bool,
    pub(crate) messages: Messages,
}

impl Staging<'_> {
    /// The logs of a stream in the order in which they are put together.
    fn logs(&self, stream: Stream) -> Result<Vec<Found>> {
        let paths = &self.config.paths;
        let root = match stream {
            Stream::Access => paths.web_logs(),
            Stream::Auth => paths.cms_logs(),
        };
        let mut wanted = self.wanted.clone();
        wanted.site.get_or_insert_with(|| self.config.site.name.clone());
        let mut logs = if self.deep || wanted.one_per_day {
            find::of_stream(&root, stream, &wanted, self.messages)?
        } else {
            discovery::flat_unfinished(&root.join("daily"), stream, wanted.site.as_deref())?
        };
        logs.retain(|log| wanted.takes(log));
        Ok(logs)
    }

    pub(crate) fn run(&self) -> Result<()> {
        let access = self.logs(Stream::Access)?;
        let auth = self.logs(Stream::Auth)?;
        let staging = self.config.paths.staging();
        if self.dry_run {
            for log in access.iter().chain(&auth) {
                self.messages.note(format_args!("would stage {}", log.path.display()));
            }
            return Ok(());
        }
        if access.is_empty() && auth.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&staging).with_context(|| format!("making {}", staging.display()))?;
        self.check_space(&staging, access.iter().chain(&auth))?;
        let mut listed = Vec::new();
        let mut files = Vec::new();
        for (logs, path) in [(access, self.config.paths.staged_access()), (auth, self.config.paths.staged_auth())] {
            if !logs.is_empty() {
                files.push(self.concatenate(&logs, &path, &mut listed)?);
            }
        }
        // from here on a killed run leaves at worst a new staging file without a list
        let list_path = staged::list_path(&staging);
        match std::fs::remove_file(&list_path) {
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

    /// Writes the logs one after the other, nothing between them, and lists where each one is.
    fn concatenate(&self, logs: &[Found], path: &Path, listed: &mut Vec<u8>) -> Result<WholeFile> {
        let mut file = WholeFile::create(path)?;
        let mut offset = 0;
        for log in logs {
            let same = logs
                .iter()
                .take_while(|earlier| *earlier != log)
                .find(|earlier| without_suffix(&earlier.name) == without_suffix(&log.name));
            let bytes = match same {
                Some(earlier) if same_content(&earlier.path, &log.path)? => {
                    let (kept, left) = (earlier.path.display(), log.path.display());
                    self.messages.note(format_args!("{left} holds the same as {kept}: staged once"));
                    0
                }
                _ => copy(&log.path, &mut file, path)?,
            };
            let mut record = Vec::new();
            list::source_record(log, &mut record)?;
            let place = [("staged_offset", offset.to_string()), ("staged_bytes", bytes.to_string())];
            let fields = place.each_ref().map(|(name, value)| (*name, value.as_bytes()));
            if json::set_fields(&record, &fields, listed).is_err() {
                bail!("listing {}", log.path.display());
            }
            listed.push(b'\n');
            offset += bytes;
        }
        Ok(file)
    }

    /// Whether the staging directory's file system has room for the logs, decompressed.
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

fn copy(from: &Path, to: &mut WholeFile, shown: &Path) -> Result<u64> {
    let mut reader = kit::open(from)?;
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e).with_context(|| format!("reading {}", from.display())),
        };
        to.write_all(&buffer[..n]).with_context(|| format!("writing {}", shown.display()))?;
        bytes += n as u64;
    }
}

/// Whether two logs hold the same lines, one of them compressed.
fn same_content(a: &Path, b: &Path) -> Result<bool> {
    let (mut left, mut right) = (BufReader::new(kit::open(a)?), BufReader::new(kit::open(b)?));
    let (mut x, mut y) = (Vec::new(), Vec::new());
    loop {
        x.clear();
        y.clear();
        left.by_ref().take(1 << 16).read_to_end(&mut x).with_context(|| format!("reading {}", a.display()))?;
        right.by_ref().take(1 << 16).read_to_end(&mut y).with_context(|| format!("reading {}", b.display()))?;
        if x != y {
            return Ok(false);
        }
        if x.is_empty() {
            return Ok(true);
        }
    }
}
