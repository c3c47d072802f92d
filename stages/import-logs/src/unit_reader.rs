//! A file that is being read, in pieces: plain, compressed, or stretches of a staging file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use kit::door;
use logs::fingerprint::{Fingerprint, Identity, Reading};

use crate::beginning::{Beginning, behind_hole};
use crate::layout::Layout;
use crate::layouts::named::State;
use crate::pieces::{BLOCK, Piece, Pieces, Spare};
use crate::unit::{Stream, Stretch, Unit};

/// Bytes of a file, all of which must be there, or of a log.
enum Input {
    Log(Box<Log>),
    Stretch { file: File, left: u64 },
}

/// A log, of which the beginning was read ahead.
struct Log {
    beginning: Cursor<Vec<u8>>,
    reading: Reading,
    /// Whether carriage returns alone end lines: they are read as line feeds.
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

/// A file that is being read: the current stretch, and those that follow.
#[derive(Default)]
pub(crate) struct UnitReader {
    path: PathBuf,
    spare: Spare,
    /// The first byte that is read.
    pub(crate) offset: u64,
    /// How many NUL bytes are skipped from there.
    pub(crate) hole: u64,
    stretches: VecDeque<Stretch>,
    /// The file that the stretches are of.
    checked: Option<Identity>,
    pieces: Option<Pieces<Input>>,
    /// Its layout, recognised where that was asked for.
    pub(crate) layout: Layout,
    /// What the lines before the first byte say of those behind.
    state: State,
}

impl UnitReader {
    /// Opens a file; with `whole_lines` a grown log is read from where its last line began.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn open(unit: &Unit, whole_lines: bool, spare: &Spare) -> Result<Self> {
        let path = unit.path.clone().unwrap_or_default();
        let mut opened = Self { path, spare: spare.clone(), ..Self::default() };
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
                if unit.has_open_tail() {
                    reading.note_lines();
                }
                opened.offset = skip(unit, &mut reading, whole_lines)?;
                opened.log(unit, reading)?
            }
            (None, _) => {
                let reading = kit::stdin().and_then(Reading::of_stream).context("reading standard input")?;
                opened.log(unit, reading)?
            }
        };
        opened.pieces = Some(Pieces::new(input, spare).joining(opened.layout.joins()));
        Ok(opened)
    }

    /// Looks at the beginning of a log for its layout.
    fn log(&mut self, unit: &Unit, reading: Reading) -> Result<Input> {
        let mut log = Log { beginning: Cursor::default(), reading, bare_returns: false };
        if self.layout.is_hub() {
            return Ok(Input::Log(Box::new(log)));
        }
        let is_file = log.reading.is_file();
        let (hole, first) = behind_hole(&mut log.reading)?;
        self.hole = hole;
        let beginning = Beginning::read(&mut Cursor::new(first).chain(&mut log.reading), is_file)?;
        if unit.earlier.is_some() && self.offset > 0 {
            self.look_before(unit)?;
        } else {
            self.layout = beginning.layout(&self.layout);
        }
        log.bare_returns = beginning.has_bare_returns() && !self.layout.is_hub();
        log.beginning = Cursor::new(beginning.bytes);
        Ok(Input::Log(Box::new(log)))
    }

    /// Looks at what was imported of a log before: it has the layout, and may say how the lines
    /// behind it are read.
    fn look_before(&mut self, unit: &Unit) -> Result<()> {
        let mut earlier = Reading::open(&self.path)?;
        earlier.look();
        let (hole, first) = behind_hole(&mut earlier)?;
        let beginning = Beginning::read(&mut Cursor::new(first).chain(&mut earlier), true)?;
        self.layout = beginning.layout(&self.layout);
        if !self.layout.has_directives() {
            return Ok(());
        }
        let before = Cursor::new(beginning.bytes).chain(earlier).take(self.offset.saturating_sub(hole));
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

    /// The same file for another pass.
    ///
    /// # Errors
    /// It cannot be opened, or is another by now.
    pub(crate) fn again(self, unit: &Unit, whole_lines: bool) -> Result<Self> {
        let Self { path, spare, offset, hole, pieces, layout, state, .. } = self;
        match pieces.map(Pieces::into_reader) {
            Some(Input::Log(mut log)) if log.reading.is_file() => {
                log.reading.rewind()?;
                skip(unit, &mut log.reading, whole_lines)?;
                let is_asked_for_hub = matches!(&unit.stream, Stream::Access(layout) if layout.is_hub());
                let first = if is_asked_for_hub { Vec::new() } else { behind_hole(&mut log.reading)?.1 };
                log.beginning = Cursor::new(first);
                let pieces = Some(Pieces::new(Input::Log(log), &spare).joining(layout.joins()));
                Ok(Self { path, spare, offset, hole, pieces, layout, state, ..Self::default() })
            }
            _ => Self::open(unit, whole_lines, &spare),
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

    /// Reads pieces until they have more than so many bytes; whether that was all.
    pub(crate) fn hold(&mut self, most: usize, held: &mut Vec<Piece>) -> io::Result<bool> {
        let mut n_bytes = 0;
        while n_bytes <= most {
            let Some(piece) = self.next_piece()? else { return Ok(true) };
            n_bytes += if let Piece::Block(block) = &piece { block.len() } else { BLOCK };
            held.push(piece);
        }
        Ok(false)
    }

    /// Takes no fingerprint of the rest of this pass.
    pub(crate) fn look(&mut self) {
        if let Some(Input::Log(log)) = self.pieces.as_mut().map(Pieces::reader_mut) {
            log.reading.look();
        }
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

    /// The same without a last line that is left unread.
    pub(crate) fn of_whole_lines(&self) -> Option<Fingerprint> {
        match self.pieces.as_ref().map(Pieces::reader) {
            Some(Input::Log(log)) => log.reading.of_whole_lines(),
            Some(Input::Stretch { .. }) | None => None,
        }
    }

    /// Whether a staging file still is the one whose content was compared with the list.
    fn check(&self, file: &File) -> io::Result<()> {
        let Some(checked) = self.checked else { return Ok(()) };
        if Identity::of(&file.metadata()?) == checked {
            return Ok(());
        }
        Err(io::Error::other("the file was written to while it was imported"))
    }
}

/// Reads past what was imported earlier; the place of the next byte.
fn skip(unit: &Unit, reading: &mut Reading, whole_lines: bool) -> Result<u64> {
    unit.earlier.as_ref().map_or(Ok(0), |earlier| reading.skip(earlier, whole_lines))
}
