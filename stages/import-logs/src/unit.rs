//! A file to import: what kind of log it is, and which part of it is read.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logs::discovery;
use logs::fingerprint::{Fingerprint, Identity};
use logs::rotation::{self, Turn};
use schema::{Compat, Opt};

use crate::layout::Layout;

/// What kind of log a file is.
#[derive(Debug, Clone)]
pub(crate) enum Stream {
    /// Requests.
    Access(Layout),
    /// Logins.
    Auth,
}

impl Stream {
    /// The name of the layout of its lines.
    pub(crate) fn layout_name(&self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Access(layout) => layout.name(),
        }
    }

    /// The same without the layout.
    pub(crate) const fn kind(&self) -> discovery::Stream {
        match self {
            Self::Access(_) => discovery::Stream::Access,
            Self::Auth => discovery::Stream::Auth,
        }
    }
}

/// A stretch of a staging file to read, and the sources in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Where the sources end, in bytes from the beginning of the stretch.
    pub(crate) cuts: VecDeque<u64>,
}

/// One log within a staging file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Source {
    /// The path of the log.
    pub(crate) path: PathBuf,
    /// Its name in the ledger.
    pub(crate) name: String,
    /// What was read of it when it was staged.
    pub(crate) read: Option<Fingerprint>,
    /// Its first byte to import.
    pub(crate) offset: u64,
}

/// The parts of a staging file to import, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Staged {
    pub(crate) stretches: Vec<Stretch>,
    /// The sources, one per cut.
    pub(crate) sources: Vec<Source>,
    /// The file as it was when its content was compared with the list.
    pub(crate) checked: Option<Identity>,
}

/// One file to import.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// The file; standard input when absent.
    pub(crate) path: Option<PathBuf>,
    pub(crate) stream: Stream,
    /// Date in the name, from the `source` record.
    pub(crate) date: Option<String>,
    /// What to read of a staging file whose sources are known; otherwise everything.
    pub(crate) staged: Option<Staged>,
    /// Read the bytes as they are, compressed or not.
    pub(crate) plain: bool,
    /// What was imported of it earlier, if it has grown since.
    pub(crate) earlier: Option<Fingerprint>,
    /// Its name in the ledger, if that is not its base name.
    pub(crate) booked_as: Option<String>,
    /// The content by which that was decided.
    pub(crate) expected: Option<Fingerprint>,
    /// Whether a last line without a line end counts, in auth logs and in layouts other than those of hubs.
    pub(crate) is_ended: bool,
}

impl Unit {
    pub(crate) const fn new(path: Option<PathBuf>, stream: Stream, date: Option<String>) -> Self {
        Self {
            path,
            stream,
            date,
            staged: None,
            plain: false,
            earlier: None,
            booked_as: None,
            expected: None,
            is_ended: true,
        }
    }

    /// The name of the file in messages.
    pub(crate) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string())
    }

    /// Puts the first byte of a part of a grown log into its name, once it is known.
    pub(crate) fn begin_at(&mut self, offset: u64) {
        if self.earlier.is_some()
            && let Some(name) = &mut self.booked_as
            && let Some(at) = name.rfind('@')
        {
            name.replace_range(at + 1.., &offset.to_string());
        }
    }

    /// The same file, reading only these parts.
    pub(crate) fn of_staged(&self, staged: Staged) -> Self {
        Self { staged: Some(staged), ..self.clone() }
    }

    /// Whether a last line without a line end is left unread, because more of it may follow. In the
    /// layout of hubs it is read but not used; of auth logs in a staging file it is used, as in legacy.
    pub(crate) const fn has_open_tail(&self) -> bool {
        match &self.stream {
            Stream::Access(layout) => !self.is_ended && !layout.is_hub(),
            Stream::Auth => !self.is_ended && !self.plain,
        }
    }

    /// Whether a last line without a line end is left to the next import, in case the log grows.
    pub(crate) fn has_whole_lines(&self, compat: Compat) -> bool {
        matches!(self.stream, Stream::Auth) || !compat.has(Opt::LpParse)
    }
}

/// How long a rotated log must be unmodified before its last line counts without a line end.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// Whether the last line of a log counts without a line end: nothing more will be added, because the log
/// is compressed, or its name shows a rotation and it has not been modified for a while. An auth log that
/// has anything behind `.log` in its name counts at once, as in legacy, unless it may be written under that name:
/// some programs name a log by the time of its first line.
pub(crate) fn is_ended(path: &Path, meta: &Metadata, stream: &Stream) -> bool {
    let name = kit::path_text::base_name(path);
    let turn = rotation::of(&name).turn;
    let is_rotated = turn != Turn::Unknown || discovery::date_of(&name).is_some();
    let age = || meta.modified().ok()?.elapsed().ok();
    if discovery::is_called_compressed(path) {
        return true;
    }
    let may_count = match stream {
        Stream::Auth if may_be_live(&name, turn) => true,
        Stream::Auth => return is_rotated || !name.ends_with(".log"),
        Stream::Access(_) => is_rotated,
    };
    may_count && age().is_some_and(|age| age >= LEFT_ALONE)
}

/// Whether the time in a name may be that of the first line of a log that is still written to. That is not so if it
/// is a day in eight digits that is over.
fn may_be_live(name: &str, turn: Turn) -> bool {
    let Some(day) = discovery::date_of(name) else { return matches!(turn, Turn::At { .. }) };
    // the machine that writes the log may be in another time zone
    let yesterday = kit::today().map(|today| today.plus_days(-1).to_string());
    yesterday.map_or(true, |yesterday| day >= yesterday.replace('-', "").get(..8).unwrap_or_default())
}

/// Whether a log that is named without its stream is an auth log.
pub(crate) fn is_auth_log(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cmsauth"))
}
