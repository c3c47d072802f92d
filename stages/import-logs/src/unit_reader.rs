//! A file being read, in pieces: plain, compressed, or stretches of a staging file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::door;
use logs::discovery;
use logs::fingerprint::{Fingerprint, Identity, Reading};

use crate::beginning::{Beginning, behind_hole};
use crate::block::KEPT;
use crate::layout::{Layout, Misfit};
use crate::layouts::What;
use crate::layouts::named::State;
use crate::layouts::prefix::{self, Prefix};
use crate::parts::Parts;
use crate::pieces::{BLOCK, Piece, Pieces, Spare};
use crate::unit::{Stream, Stretch, Unit};

/// The input: bytes of a file that must all be there, or a log.
enum Input {
    Log(Box<Log>),
    Stretch { file: File, left: u64 },
}

/// A log whose beginning was read ahead.
struct Log {
    beginning: Cursor<Vec<u8>>,
    reading: Reading,
    /// Whether only carriage returns end lines: they are then read as line feeds.
    bare_returns: bool,
}

impl Read for Log {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.beginning.read(buffer)? {
            0 => {
                if !self.beginning.get_ref().is_empty() {
                    self.beginning = Cursor::default();
                }
                self.reading.read(buffer)?
            }
            n => n,
        };
        if self.bare_returns {
            buffer[..n].iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        }
        Ok(n)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (file, left) = match self {
            Self::Log(log) => return log.read(buffer),
            Self::Stretch { file, left } => (file, left),
        };
        let room = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
        let n = file.read(&mut buffer[..room])?;
        if n == 0 && room > 0 {
            let text = format!("the file shrank while it was read: {left} bytes are missing");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        *left -= n as u64;
        Ok(n)
    }
}

/// A file being read: the current stretch, and those that follow.
#[derive(Default)]
pub(crate) struct UnitReader {
    path: PathBuf,
    spare: Spare,
    /// The first byte to read.
    pub(crate) offset: u64,
    /// How many NUL bytes are skipped from there.
    pub(crate) hole: u64,
    stretches: VecDeque<Stretch>,
    /// The file with the stretches.
    checked: Option<Identity>,
    pieces: Option<Pieces<Input>>,
    /// Its layout, recognised if requested.
    pub(crate) layout: Layout,
    /// The state from the lines before the first byte.
    state: State,
    /// Whether a last line without an end is left unread.
    has_open_tail: bool,
    /// What stands before lines that may have been cut into parts.
    joins: Option<Prefix>,
    /// Whether the beginning was looked at for its layout, behind zeros that are skipped.
    is_looked_at: bool,
    /// Whether carriage returns alone end lines, where an earlier part of the log told it and its layout.
    before: Option<bool>,
    /// The rest of a line whose first part an earlier import has counted: its beginning, and how long
    /// it is.
    pub(crate) rest: Option<(Vec<u8>, u64)>,
}

impl UnitReader {
    /// Opens a file; with `whole_lines` a grown log of a hub is read from where its last line began.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn open(unit: &Unit, whole_lines: bool, spare: &Spare) -> Result<Self> {
        let path = unit.path.clone().unwrap_or_default();
        let has_open_tail = unit.has_open_tail();
        let mut opened = Self { path, spare: spare.clone(), has_open_tail, ..Self::default() };
        if let Stream::Access(layout) = &unit.stream {
            opened.layout = layout.clone();
        }
        let input = match (&unit.path, &unit.staged) {
            (Some(_), Some(staged)) => {
                (opened.stretches, opened.checked) = (staged.stretches.clone().into(), staged.checked);
                return Ok(opened);
            }
            (Some(path), None) if unit.plain => {
                let file = door::open(path).with_context(|| format!("opening {}", path.display()))?;
                let left = file.metadata()?.len();
                Input::Stretch { file, left }
            }
            (Some(path), None) => {
                let mut reading = Reading::open(path)?;
                if has_open_tail {
                    reading.note_lines();
                }
                let first = opened.go_on(unit, &mut reading, whole_lines)?;
                opened.log(reading, first)?
            }
            (None, _) => {
                let reading = kit::stdin().and_then(Reading::of_stream).context("reading standard input")?;
                opened.log(reading, Vec::new())?
            }
        };
        opened.pieces = Some(opened.cut(input));
        Ok(opened)
    }

    /// The pieces of a log or a file.
    fn cut(&self, input: Input) -> Pieces<Input> {
        let may_grow = self.has_open_tail && matches!(input, Input::Log(_));
        Pieces::new(input, &self.spare).joining(self.joins.or_else(|| self.layout.joins())).leaving_open(may_grow)
    }

    /// Looks at the beginning of a log for its layout; `first` was read of it already.
    fn log(&mut self, mut reading: Reading, first: Vec<u8>) -> Result<Input> {
        let mut beginning = Beginning::default();
        // another layout is known where an earlier part of the log was imported
        self.is_looked_at = !self.layout.is_hub() || self.before.is_some();
        if self.is_looked_at {
            let is_file = reading.is_file();
            let (hole, first) = behind_hole(&mut Cursor::new(first).chain(&mut reading))?;
            self.hole = hole;
            beginning = Beginning::read(&mut Cursor::new(first).chain(&mut reading), is_file)?;
            if self.has_open_tail {
                self.joins = beginning.without_tail(self.layout.prefixes());
            }
            if self.before.is_none() {
                self.layout = beginning.layout(&self.layout);
            }
            self.joins = self.joins.or_else(|| self.layout.joins());
        }
        let bare_returns = self.before.unwrap_or_else(|| beginning.has_bare_returns()) && !self.layout.is_hub();
        Ok(Input::Log(Box::new(Log { beginning: Cursor::new(beginning.bytes), reading, bare_returns })))
    }

    /// Goes behind what was imported of a log before. Returns what was read of the rest on the way.
    fn go_on(&mut self, unit: &Unit, reading: &mut Reading, whole_lines: bool) -> Result<Vec<u8>> {
        // a log of which nothing was read may have any layout
        let Some(earlier) = unit.earlier.as_ref().filter(|earlier| earlier.bytes > 0) else { return Ok(Vec::new()) };
        if !self.layout.is_hub() && self.before.is_none() {
            self.look_before()?;
        }
        if self.layout.is_hub() {
            self.offset = reading.skip(earlier, whole_lines)?;
            return Ok(Vec::new());
        }
        let bare_returns = self.before == Some(true);
        let mut line = reading.pass(earlier)?;
        if bare_returns && let Some(at) = memchr::memrchr(b'\r', &line) {
            line.drain(..=at);
        }
        self.offset = earlier.bytes;
        let begin = earlier.bytes.saturating_sub(line.len() as u64);
        if self.layout.has_directives() {
            self.state_before(unit, begin)?;
        }
        if line.is_empty() {
            return Ok(Vec::new());
        }
        let mut first = vec![0; PART];
        let n = kit::fill(reading, &mut first)?;
        first.truncate(n);
        let is_end = first.first().is_some_and(|byte| matches!(byte, b'\n' | b'\r'));
        if !is_end && !self.was_counted(&line) {
            // it was rejected, and may be a request now that it is whole
            self.offset = begin;
            line.append(&mut first);
            return Ok(line);
        }
        self.continued(reading, first, if bare_returns { b'\r' } else { b'\n' })
    }

    /// Whether the last line of an earlier part, which had no end, was counted.
    fn was_counted(&self, line: &[u8]) -> bool {
        if line.len() >= kit::MAX_LINE {
            return true;
        }
        let mut state = self.state();
        let found = self.layout.parse(line, &mut state);
        let is_none =
            |misfit: &Misfit| matches!(misfit, Misfit::Other(What::Blank | What::Comment | What::NotARequest));
        found.as_ref().map_or_else(is_none, |_| true)
    }

    /// Reads to the end of a line that was counted already; what follows its end. The rest of the line,
    /// if there is more than its end, is noted.
    fn continued(&mut self, reading: &mut Reading, mut bytes: Vec<u8>, end: u8) -> Result<Vec<u8>> {
        let (mut text, mut n_bytes) = (Vec::new(), 0);
        loop {
            let at = memchr::memchr(end, &bytes);
            let part = &bytes[..at.unwrap_or(bytes.len())];
            text.extend_from_slice(&part[..part.len().min(KEPT.saturating_sub(text.len()))]);
            n_bytes += part.len() as u64;
            if let Some(at) = at {
                n_bytes += 1;
                bytes.drain(..=at);
                break;
            }
            bytes.resize(PART, 0);
            let n = kit::fill(reading, &mut bytes)?;
            bytes.truncate(n);
            if n == 0 {
                break;
            }
        }
        if text.iter().all(|b| matches!(b, b'\r' | b'\n')) {
            self.offset += n_bytes;
        } else {
            self.rest = Some((text, n_bytes));
        }
        Ok(bytes)
    }

    /// Looks at what was imported of a log before: it has the layout, and how lines end.
    fn look_before(&mut self) -> Result<()> {
        let mut earlier = Reading::open(&self.path)?;
        earlier.look();
        let (_, first) = behind_hole(&mut earlier)?;
        let mut beginning = Beginning::read(&mut Cursor::new(first).chain(&mut earlier), true)?;
        if self.has_open_tail {
            beginning.without_tail(self.layout.prefixes());
        }
        self.layout = beginning.layout(&self.layout);
        if !self.layout.is_hub() {
            self.before = Some(beginning.has_bare_returns());
        }
        Ok(())
    }

    /// Reads what the lines before this byte say of those behind it.
    fn state_before(&mut self, unit: &Unit, end: u64) -> Result<()> {
        let mut earlier = Reading::open(&self.path)?;
        earlier.look();
        let (hole, first) = behind_hole(&mut earlier)?;
        self.state = State::default();
        let before = Cursor::new(first).chain(earlier).take(end.saturating_sub(hole));
        let mut pieces = Pieces::new(before, &self.spare);
        while let Some(piece) = pieces.next_piece().with_context(|| format!("reading {}", unit.name()))? {
            if let Piece::Block(block) = piece {
                self.state = self.layout.state_after(&self.state, &block);
            }
        }
        Ok(())
    }

    /// The state before the first line.
    pub(crate) fn state(&self) -> State {
        self.layout.state_after(&self.state, b"")
    }

    /// The same file, opened for another pass.
    ///
    /// # Errors
    /// It cannot be opened, or has been replaced.
    pub(crate) fn again(self, unit: &Unit, whole_lines: bool) -> Result<Self> {
        let mut again = self;
        match again.pieces.take().map(Pieces::into_reader) {
            Some(Input::Log(mut log)) if log.reading.is_file() => {
                log.reading.rewind()?;
                let mut first = again.go_on(unit, &mut log.reading, whole_lines)?;
                if again.is_looked_at {
                    first = behind_hole(&mut Cursor::new(first).chain(&mut log.reading))?.1;
                }
                log.beginning = Cursor::new(first);
                again.pieces = Some(again.cut(Input::Log(log)));
                Ok(again)
            }
            _ => Self::open(unit, whole_lines, &again.spare),
        }
    }

    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(pieces) = &mut self.pieces
                && let Some(piece) = pieces.next_piece()?
            {
                return Ok(Some(piece));
            }
            let Some(next) = self.stretches.pop_front() else { return Ok(None) };
            let mut file = door::open(&self.path)?;
            self.check(&file)?;
            file.seek(SeekFrom::Start(next.start))?;
            let input = Input::Stretch { file, left: next.end - next.start };
            let pieces = Pieces::with_cuts(input, &self.spare, next.cuts);
            self.pieces = Some(pieces.joining(self.layout.joins()));
        }
    }

    /// Reads pieces until they exceed this many bytes; returns whether that was everything.
    pub(crate) fn hold(&mut self, most: usize, held: &mut Vec<Piece>) -> io::Result<bool> {
        let mut n_bytes = 0;
        while n_bytes <= most {
            let Some(piece) = self.next_piece()? else { return Ok(true) };
            n_bytes += if let Piece::Block(block) = &piece { block.len() } else { BLOCK };
            held.push(piece);
        }
        Ok(false)
    }

    /// The parts of a plain log, where more than `most` bytes of it are to be read; none of any other log,
    /// or where lines say how to read later ones.
    pub(crate) fn parts(&self, most: usize) -> Option<Parts<'_>> {
        let (file, size) = match self.pieces.as_ref()?.reader() {
            Input::Log(log) if !log.bare_returns => log.reading.plain()?,
            Input::Log(_) | Input::Stretch { .. } => return None,
        };
        let start = self.offset + self.hole;
        let is_simple = self.joins.is_none() && self.layout.joins().is_none() && !self.layout.has_directives();
        (is_simple && size.saturating_sub(start) > most as u64).then(|| Parts::new(file, start..size))
    }

    /// Skips the fingerprint for the rest of this pass.
    pub(crate) fn look(&mut self) {
        if let Some(Input::Log(log)) = self.pieces.as_mut().map(Pieces::reader_mut) {
            log.reading.look();
        }
    }

    /// How far the file was read, in bytes on disk.
    pub(crate) fn position(&self) -> u64 {
        self.pieces.as_ref().map_or(0, |pieces| match pieces.reader() {
            Input::Log(log) => log.reading.disk_position(),
            Input::Stretch { file, .. } => (&*file).stream_position().unwrap_or(0),
        })
    }

    /// Whether another pass is possible.
    pub(crate) fn is_file(&self) -> bool {
        self.pieces.as_ref().is_none_or(|pieces| match pieces.reader() {
            Input::Log(log) => log.reading.is_file(),
            Input::Stretch { .. } => true,
        })
    }

    /// What was read, once everything was.
    pub(crate) fn finish(&self) -> io::Result<Option<Fingerprint>> {
        match self.pieces.as_ref().map(Pieces::reader) {
            Some(Input::Log(log)) => log.reading.finish(),
            Some(Input::Stretch { file, .. }) => self.check(file).map(|()| None),
            None => Ok(None),
        }
    }

    /// The same, without a last line that is left unread.
    ///
    /// # Errors
    /// The log was written over in the meantime.
    pub(crate) fn of_whole_lines(&mut self) -> io::Result<Option<Fingerprint>> {
        let n_left = self.n_left();
        match self.pieces.as_mut().map(Pieces::reader_mut) {
            Some(Input::Log(log)) if n_left > 0 => log.reading.without_last(n_left),
            Some(Input::Log(log)) => Ok(log.reading.of_whole_lines()),
            Some(Input::Stretch { .. }) | None => Ok(None),
        }
    }

    /// How many bytes at the end are left unread because the last part of a line is missing.
    pub(crate) fn n_left(&self) -> u64 {
        self.pieces.as_ref().map_or(0, |pieces| pieces.n_left)
    }

    /// Whether a staging file is still the one whose content was compared with the list.
    fn check(&self, file: &File) -> io::Result<()> {
        let Some(checked) = self.checked else { return Ok(()) };
        if Identity::of(&file.metadata()?) == checked {
            return Ok(());
        }
        Err(io::Error::other("the file was written to while it was imported"))
    }
}

/// How much of the rest of a log is read at once.
const PART: usize = 64 << 10;

/// Whether a grown log has a whole line behind what was imported of it: the last part of one that a
/// container runtime has cut may still be missing.
///
/// # Errors
/// The log cannot be read.
pub(crate) fn has_whole_line(unit: &Unit) -> Result<bool> {
    let (Some(path), Some(earlier)) = (&unit.path, &unit.earlier) else { return Ok(true) };
    let first = bytes_at(path, earlier.bytes).with_context(|| format!("reading {}", path.display()))?;
    let line = &first[..memchr::memchr(b'\n', &first).map_or(0, |at| at + 1)];
    let is_part = |prefix| prefix::entry(prefix, line).is_some_and(|entry| !entry.is_last);
    if !is_part(Prefix::Cri) && !is_part(Prefix::DockerJson) {
        return Ok(true);
    }
    Ok(UnitReader::open(unit, true, &Spare::default())?.next_piece()?.is_some())
}

/// The bytes at a position of a file, at most a long part of a line.
fn bytes_at(path: &Path, position: u64) -> Result<Vec<u8>> {
    let mut file = door::named::open(&discovery::lying_at(path))?;
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.take(4 * PART as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
