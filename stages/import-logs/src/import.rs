//! The run: file after file, block after block, results in the order of the input.
//!
//! One thread reads, the pool parses, the caller's thread writes. A file is the unit: the robots
//! that it holds are known before its first line is judged, so a look ahead precedes its main
//! pass; files of some megabytes are read once and held meanwhile, larger ones are read twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail};
use kit::door;
use kit::{Messages, Progress, Rejects};
use logs::discovery;
use logs::fingerprint::{Fingerprint, Identity, Reading};
use rayon::prelude::*;
use schema::Opt;

use crate::agents::LookAhead;
use crate::block::{self, Done, Rule, Rules};
use crate::line::Layout;
use crate::pieces::{BLOCK, Piece, Pieces, Spare};
use crate::reason;
use crate::report::Report;
use crate::robots::{HashList, Hashes, Known, Texts};
use crate::sink::Sink;

/// Files up to this size are held in memory between look ahead and main pass.
const HELD: usize = 16 << 20;

/// Blocks of so many bytes are read ahead of what is written.
const ON_THE_WAY: usize = 8 << 20;

/// Which log a file is.
#[derive(Debug, Clone)]
pub(crate) enum Stream {
    /// Requests.
    Access(Layout),
    /// Logins.
    Auth,
}

impl Stream {
    /// The same without the layout.
    pub(crate) const fn kind(&self) -> discovery::Stream {
        match self {
            Self::Access(_) => discovery::Stream::Access,
            Self::Auth => discovery::Stream::Auth,
        }
    }
}

/// A stretch of a staging file that is read, and the sources in it.
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
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its name in the ledger.
    pub(crate) name: String,
    /// What was read of it when it was staged.
    pub(crate) read: Option<Fingerprint>,
    /// Its first byte that is imported.
    pub(crate) offset: u64,
}

/// The parts of a staging file that are imported, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Staged {
    pub(crate) stretches: Vec<Stretch>,
    /// The sources, one for each cut.
    pub(crate) sources: Vec<Source>,
    /// The file whose content was compared with the list, as it was then.
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
    /// What to read of a staging file whose sources are known; everything otherwise.
    pub(crate) staged: Option<Staged>,
    /// Take the bytes as they are, compressed or not.
    pub(crate) plain: bool,
    /// What was imported of it, when it has grown since.
    pub(crate) earlier: Option<Fingerprint>,
    /// Its name in the ledger, when that is not its base name.
    pub(crate) booked_as: Option<String>,
    /// The content by which that was decided.
    pub(crate) expected: Option<Fingerprint>,
}

impl Unit {
    pub(crate) const fn new(path: Option<PathBuf>, stream: Stream, date: Option<String>) -> Self {
        Self { path, stream, date, staged: None, plain: false, earlier: None, booked_as: None, expected: None }
    }

    /// What the file is called in messages.
    pub(crate) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string())
    }

    /// The same file, of which only these parts are read.
    pub(crate) fn of_staged(&self, staged: Staged) -> Self {
        Self { staged: Some(staged), ..self.clone() }
    }

    fn open(&self, whole_lines: bool, spare: &Spare) -> Result<Opened> {
        let path = self.path.clone().unwrap_or_default();
        let mut opened = Opened { path, spare: spare.clone(), ..Opened::default() };
        match (&self.path, &self.staged) {
            (Some(_), Some(staged)) => {
                (opened.stretches, opened.checked) = (staged.stretches.clone().into(), staged.checked);
            }
            (Some(path), None) if self.plain => {
                let file = door::open(path).with_context(|| format!("opening {}", path.display()))?;
                let left = file.metadata()?.len();
                opened.pieces = Some(Pieces::new(Input::Part { file, left }, spare));
            }
            (Some(path), None) => {
                let mut reading = Reading::open(path)?;
                opened.offset = self.skip(&mut reading, whole_lines)?;
                opened.pieces = Some(Pieces::new(Input::Log(Box::new(reading)), spare));
            }
            (None, _) => {
                let reading = kit::stdin().and_then(Reading::of_stream).context("reading standard input")?;
                opened.pieces = Some(Pieces::new(Input::Log(Box::new(reading)), spare));
            }
        }
        Ok(opened)
    }

    /// Reads past what was imported earlier; the place of the next byte.
    fn skip(&self, reading: &mut Reading, whole_lines: bool) -> Result<u64> {
        self.earlier.as_ref().map_or(Ok(0), |earlier| reading.skip(earlier, whole_lines))
    }

    /// The same file for another pass.
    fn again(&self, opened: Opened, whole_lines: bool) -> Result<Opened> {
        let Opened { path, spare, offset, pieces, .. } = opened;
        match pieces.map(Pieces::into_reader) {
            Some(Input::Log(mut reading)) if reading.is_file() => {
                reading.rewind()?;
                self.skip(&mut reading, whole_lines)?;
                let pieces = Some(Pieces::new(Input::Log(reading), &spare));
                Ok(Opened { path, spare, offset, pieces, ..Opened::default() })
            }
            _ => self.open(whole_lines, &spare),
        }
    }
}

/// Bytes of a file, all of which must be there, or of a log.
enum Input {
    Log(Box<Reading>),
    Part { file: File, left: u64 },
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (file, left) = match self {
            Self::Log(reading) => return reading.read(buffer),
            Self::Part { file, left } => (file, left),
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
struct Opened {
    path: PathBuf,
    spare: Spare,
    /// The first byte that is read.
    offset: u64,
    stretches: VecDeque<Stretch>,
    /// The file that the stretches are of.
    checked: Option<Identity>,
    pieces: Option<Pieces<Input>>,
}

impl Opened {
    fn next_piece(&mut self) -> io::Result<Option<Piece>> {
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
            let input = Input::Part { file, left: next.end - next.start };
            self.pieces = Some(Pieces::with_cuts(input, &self.spare, next.cuts));
        }
    }

    /// Reads pieces until they have more than so many bytes; whether that was all.
    fn hold(&mut self, most: usize, held: &mut Vec<Piece>) -> io::Result<bool> {
        let mut n_bytes = 0;
        while n_bytes <= most {
            let Some(piece) = self.next_piece()? else { return Ok(true) };
            n_bytes += if let Piece::Block(block) = &piece { block.len() } else { BLOCK };
            held.push(piece);
        }
        Ok(false)
    }

    /// Takes no fingerprint of the rest of this pass.
    fn look(&mut self) {
        if let Some(Input::Log(reading)) = self.pieces.as_mut().map(Pieces::reader_mut) {
            reading.look();
        }
    }

    /// Whether another pass is possible.
    fn is_file(&self) -> bool {
        self.pieces.as_ref().is_none_or(|pieces| match pieces.reader() {
            Input::Log(reading) => reading.is_file(),
            Input::Part { .. } => true,
        })
    }

    /// What was read, once everything was.
    fn finish(&self) -> io::Result<Option<Fingerprint>> {
        match self.pieces.as_ref().map(Pieces::reader) {
            Some(Input::Log(reading)) => reading.finish(),
            Some(Input::Part { file, .. }) => self.check(file).map(|()| None),
            None => Ok(None),
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

enum Message {
    Begin,
    /// What becomes of a block of so many bytes.
    Block(Receiver<Done>, usize),
    TooLong(Vec<u8>),
    Cut,
    /// What was read, from which byte on.
    End(Option<Fingerprint>, u64),
    Failed(anyhow::Error),
}

/// What the writing side knows and the reading side may wait for.
#[derive(Default)]
struct Progressed {
    n_units: usize,
    /// Bytes of blocks that were read and not yet written.
    n_bytes: usize,
    robots: Known,
}

struct Shared {
    state: Mutex<Progressed>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progressed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the first `n` files are written.
    fn wait_for(&self, n: usize) -> MutexGuard<'_, Progressed> {
        let mut state = self.lock();
        while state.n_units < n {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Waits until there is room for a block. Many small ones have room beside each other, a large
    /// one alone.
    fn take(&self, n_bytes: usize) {
        let mut state = self.lock();
        while state.n_bytes > 0 && state.n_bytes + n_bytes > ON_THE_WAY && state.n_units < usize::MAX {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.n_bytes += n_bytes;
    }

    fn give_back(&self, n_bytes: usize) {
        self.lock().n_bytes -= n_bytes;
        self.changed.notify_all();
    }

    fn unit_done(&self) {
        self.lock().n_units += 1;
        self.changed.notify_all();
    }

    /// Lets a waiting reader go on, whatever it waits for: nobody writes any more.
    fn give_up(&self) {
        self.lock().n_units = usize::MAX;
        self.changed.notify_all();
    }
}

/// The channel's other end is gone: the writer has stopped.
struct Stopped;

struct Reader<'a> {
    rules: &'a Arc<Rules>,
    shared: &'a Shared,
    messages: SyncSender<Message>,
    known: Arc<Known>,
    n_blocks: u64,
    spare: Spare,
}

impl Reader<'_> {
    fn send(&self, message: Message) -> Result<(), Stopped> {
        self.messages.send(message).map_err(|_| Stopped)
    }

    fn run(mut self, units: &[Unit]) {
        for (i, unit) in units.iter().enumerate() {
            match self.unit(i, unit).with_context(|| format!("reading {}", unit.name())) {
                Ok(Ok(())) => {}
                Ok(Err(Stopped)) => return,
                Err(error) => {
                    let _ = self.send(Message::Failed(error));
                    return;
                }
            }
        }
    }

    fn unit(&mut self, index: usize, unit: &Unit) -> Result<Result<(), Stopped>> {
        let whole_lines = self.whole_lines(unit);
        let mut pieces = unit.open(whole_lines, &self.spare)?;
        if self.send(Message::Begin).is_err() {
            return Ok(Err(Stopped));
        }
        let mut held = Vec::new();
        if let Stream::Access(layout) = &unit.stream {
            if self.rules.judge.exact {
                self.known = Arc::new(self.shared.wait_for(index).robots.clone());
            } else {
                let mut ahead = LookAhead::default();
                let whole = pieces.hold(HELD, &mut held)?;
                ahead.merge(&self.look_ahead(&held, layout));
                let again = !whole && unit.path.is_some() && pieces.is_file();
                if again {
                    held.clear();
                    pieces.look();
                    ahead.merge(&self.look_through(&mut pieces, layout)?);
                    pieces = unit.again(pieces, whole_lines)?;
                }
                let suspects = self.suspects(index, &ahead, &held, layout, again.then_some(unit))?;
                if !ahead.special.is_empty() || !suspects.is_empty() {
                    let mut known = Known::clone(&self.known);
                    for key in ahead.special.iter().chain(suspects.iter()) {
                        known.insert_hash(key);
                    }
                    if known.version != self.known.version {
                        self.known = Arc::new(known);
                    }
                }
            }
        }
        for piece in held {
            if self.dispatch(piece, &unit.stream).is_err() {
                return Ok(Err(Stopped));
            }
        }
        while let Some(piece) = pieces.next_piece()? {
            if self.dispatch(piece, &unit.stream).is_err() {
                return Ok(Err(Stopped));
            }
        }
        let read = pieces.finish()?;
        if let (Some(expected), Some(read)) = (&unit.expected, &read)
            && !expected.is_same_content(read)
        {
            bail!("it changed while it was read");
        }
        Ok(self.send(Message::End(read, pieces.offset)))
    }

    /// Whether a last line without an end is left to the next import, when the log has grown by then.
    fn whole_lines(&self, unit: &Unit) -> bool {
        matches!(unit.stream, Stream::Auth) || !self.rules.compat.has(Opt::LpParse)
    }

    fn look_ahead(&self, pieces: &[Piece], layout: &Layout) -> LookAhead {
        let one = |piece: &Piece| match piece {
            Piece::Block(block) => block::look_ahead(block, layout, self.rules),
            Piece::TooLong(_) | Piece::Cut => LookAhead::default(),
        };
        let all: Vec<_> = pieces.par_iter().map(one).collect();
        let mut ahead = LookAhead::default();
        for other in all {
            ahead.merge(&other);
        }
        ahead
    }

    /// Looks ahead in the rest of a file, which is read once more afterwards.
    fn look_through(&self, pieces: &mut Opened, layout: &Layout) -> io::Result<LookAhead> {
        let found = Mutex::new(LookAhead::default());
        rayon::in_place_scope(|scope| {
            while let Some(piece) = pieces.next_piece()? {
                let Piece::Block(block) = piece else { continue };
                self.shared.take(block.len());
                let found = &found;
                scope.spawn(move |_| {
                    let ahead = block::look_ahead(&block, layout, self.rules);
                    found.lock().unwrap_or_else(PoisonError::into_inner).merge(&ahead);
                    self.shared.give_back(block.len());
                    self.spare.give_back(block);
                });
            }
            Ok(())
        })
        .map(|()| found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Agents beyond ASCII that equal a robot of plain ASCII, in this file or before it. They are
    /// so rare that looking for the robot may take another pass.
    fn suspects(
        &self,
        index: usize,
        ahead: &LookAhead,
        held: &[Piece],
        layout: &Layout,
        unit: Option<&Unit>,
    ) -> Result<HashList> {
        let (mut found, mut missing) = (HashList::default(), HashList::default());
        if ahead.suspects.is_empty() {
            return Ok(found);
        }
        {
            let state = self.shared.wait_for(index);
            for key in ahead.suspects.iter() {
                let list = if state.robots.has_hash(key) { &mut found } else { &mut missing };
                list.insert(key);
            }
        }
        let mut look = |piece: &Piece| {
            if let Piece::Block(block) = piece {
                let more = block::find_suspects(block, layout, self.rules, &missing);
                found.extend(more.iter());
            }
        };
        if let Some(unit) = unit {
            let mut pieces = unit.open(self.whole_lines(unit), &self.spare)?;
            while let Some(piece) = pieces.next_piece()? {
                look(&piece);
            }
        } else {
            held.iter().for_each(look);
        }
        Ok(found)
    }

    fn dispatch(&mut self, piece: Piece, stream: &Stream) -> Result<(), Stopped> {
        let bytes = match piece {
            Piece::TooLong(bytes) => return self.send(Message::TooLong(bytes)),
            Piece::Cut => return self.send(Message::Cut),
            Piece::Block(bytes) => bytes,
        };
        self.n_blocks += 1;
        let (done, receive) = sync_channel(1);
        // what keeps the reader from running away
        let n_bytes = bytes.len();
        self.shared.take(n_bytes);
        self.send(Message::Block(receive, n_bytes))?;
        let (rules, known, number) = (Arc::clone(self.rules), Arc::clone(&self.known), self.n_blocks);
        let (stream, spare) = (stream.clone(), self.spare.clone());
        rayon::spawn(move || {
            let mut made = match &stream {
                Stream::Access(layout) => block::access(&bytes, number, layout, &rules, &known),
                Stream::Auth => block::auth(&bytes, &rules),
            };
            if made.rejected.is_empty() {
                spare.give_back(bytes);
            } else {
                made.text = bytes;
            }
            let _ = done.send(made);
        });
        Ok(())
    }
}

/// The figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// One report a file, in order.
    pub(crate) reports: Vec<Report>,
    /// Files and sources that were refused.
    pub(crate) n_refused: u64,
}

impl Totals {
    /// The figures in words.
    pub(crate) fn words(&self) -> String {
        let sum = |get: fn(&Report) -> u64| self.reports.iter().map(get).sum::<u64>();
        let mut words = format!(
            "{} lines, {} rows, {} not recognised",
            sum(|r| r.n_lines),
            sum(|r| r.n_rows),
            sum(|r| r.n_rejected)
        );
        let n = |rule: Rule| self.reports.iter().map(|report| report.dropped[rule as usize]).sum::<u64>();
        let dropped: Vec<_> = Rule::ALL.iter().map(|(rule, name)| (n(*rule), name)).filter(|(n, _)| *n > 0).collect();
        if !dropped.is_empty() {
            let dropped: Vec<_> = dropped.iter().map(|(n, name)| format!("{name} {n}")).collect();
            words.push_str("; dropped: ");
            words.push_str(&dropped.join(", "));
        }
        words
    }
}

/// What outlives one try: the figures of the files that are done, and where rejects go.
pub(crate) struct Book<'a> {
    pub(crate) rejects: &'a mut Rejects,
    pub(crate) messages: Messages,
    pub(crate) totals: Totals,
    /// Refuse files with any reject.
    pub(crate) strict: bool,
    /// Files are imported whether they are understood or not.
    pub(crate) accept: bool,
    /// What earlier tries of the current file have reported.
    tried: Report,
}

impl<'a> Book<'a> {
    pub(crate) fn new(rejects: &'a mut Rejects, messages: Messages, strict: bool) -> Self {
        Self { rejects, messages, totals: Totals::default(), strict, accept: false, tried: Report::default() }
    }

    /// Says that a file is not imported, and why.
    pub(crate) fn refuse(&mut self, name: &str, why: &str) {
        self.totals.n_refused += 1;
        self.messages.error(format_args!("{name}: not imported: {why}"));
    }
}

/// The writing side.
struct Writer<'a, 'b, S> {
    rules: &'a Rules,
    shared: &'a Shared,
    sink: &'a mut S,
    book: &'a mut Book<'b>,
    logins: Hashes,
    // of the current file
    report: Report,
    /// The same when the current source of a staging file began.
    before: Report,
    date: Option<[u8; 10]>,
    n_hits: u64,
    kept_days: BTreeMap<[u8; 10], u64>,
    robots: Texts,
    /// The list before the current file.
    robots_before: Known,
    any_robot: bool,
    months: BTreeSet<[u8; 7]>,
}

impl<S: Sink> Writer<'_, '_, S> {
    fn run(&mut self, units: &[Unit], messages: Receiver<Message>, progress: &Progress) -> Result<()> {
        let mut current = units.iter();
        let mut unit = None;
        let mut wanted = true;
        for message in messages {
            match message {
                Message::Begin => {
                    unit = current.next();
                    self.robots_before = self.shared.lock().robots.clone();
                    wanted = self.sink.begin(unit.context("a beginning without its file")?)?;
                }
                Message::Failed(error) => return Err(error),
                Message::TooLong(text) if wanted => {
                    let name = unit.map(Unit::name).unwrap_or_default();
                    self.report.add_too_long(&text);
                    self.looked_at(1);
                    self.reject(&name, self.report.n_lines, "line too long", &text)?;
                }
                Message::Block(receive, n_bytes) => {
                    if wanted {
                        let mut done = receive.recv().map_err(|_| anyhow!("a worker thread ended early"))?;
                        self.block(&mut done, unit.context("a block without its file")?)?;
                    }
                    self.shared.give_back(n_bytes);
                }
                Message::Cut if wanted => self.cut(unit.context("a cut without its file")?)?,
                Message::TooLong(_) | Message::Cut => {}
                Message::End(read, offset) => {
                    let unit = unit.context("an end without its file")?;
                    if wanted {
                        (self.report.read, self.report.offset) = (read, offset);
                        self.end(unit)?;
                    }
                    self.shared.unit_done();
                    progress.advance(1);
                }
            }
        }
        Ok(())
    }

    /// Counts lines, once even when a file is tried again.
    fn looked_at(&mut self, n: u64) {
        self.report.n_lines += n;
        let new = self.report.n_lines.saturating_sub(self.book.tried.n_lines).min(n);
        self.book.rejects.looked_at(new);
    }

    fn reject(&mut self, name: &str, line: u64, reason: &str, text: &[u8]) -> Result<()> {
        self.report.n_rejected += 1;
        if self.report.n_rejected > self.book.tried.n_rejected {
            self.book.rejects.reject(name, line, reason, text)?;
        }
        Ok(())
    }

    fn block(&mut self, done: &mut Done, unit: &Unit) -> Result<()> {
        let n_before = self.report.n_lines;
        self.report.add(done);
        self.looked_at(done.n_lines);
        if !done.rejected.is_empty() {
            let name = unit.name();
            for line in &done.rejected {
                let text = line.of(&done.text);
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                let reason = reason::of(text, &unit.stream);
                self.reject(&name, n_before + line.number() + 1, reason, text)?;
            }
        }
        self.months.extend(&done.months);
        match unit.stream {
            Stream::Access(_) => self.access(done),
            Stream::Auth => self.auth(done),
        }
    }

    fn access(&mut self, done: &mut Done) -> Result<()> {
        for stored in &done.robots {
            self.any_robot = true;
            if self.shared.lock().robots.insert_new(stored, &self.rules.judge.words) {
                self.robots.push(stored)?;
            }
        }
        let derived = self.rules.compat.has(Opt::LpWebhitsDerived);
        let mut start = 0;
        for segment in &done.segments {
            self.report.n_rows += segment.n_kept;
            if derived {
                if segment.n_kept > 0 {
                    *self.kept_days.entry(segment.date).or_default() += segment.n_kept;
                }
                continue;
            }
            if self.date != Some(segment.date) {
                if let Some(date) = self.date.replace(segment.date) {
                    self.hits(&date, self.n_hits)?;
                }
                self.n_hits = 0;
            }
            self.n_hits += segment.n_hits;
            if self.rules.steps.web {
                self.sink.rows(&mut done.made, start..segment.end)?;
            }
            start = segment.end;
        }
        if self.rules.steps.web {
            let end = done.made.end();
            self.sink.rows(&mut done.made, start..end)?;
        }
        Ok(())
    }

    fn hits(&mut self, date: &[u8], n: u64) -> Result<()> {
        if self.rules.steps.webhits {
            self.sink.hits(logs::parse::datetime(date, b"00:00:00"), i64::try_from(n).unwrap_or(i64::MAX))?;
        }
        Ok(())
    }

    fn auth(&mut self, done: &mut Done) -> Result<()> {
        if S::KEYS_ARE_CHECKED {
            let end = done.made.end();
            self.report.n_rows += done.logins.len() as u64;
            return self.sink.rows(&mut done.made, 0..end);
        }
        // unique records lie beside each other most of the time: write them together
        let mut start = 0;
        let mut end = 0;
        for &(key, next) in &done.logins {
            if self.logins.insert(key) {
                self.report.n_rows += 1;
            } else {
                self.report.dropped[Rule::Duplicate as usize] += 1;
                self.sink.rows(&mut done.made, start..end)?;
                start = next;
            }
            end = next;
        }
        self.sink.rows(&mut done.made, start..end)
    }

    /// A source of a staging file ends.
    fn cut(&mut self, unit: &Unit) -> Result<()> {
        let mut part = self.report.since(&self.before);
        self.before = self.report.clone();
        let n_parts = self.report.parts.len();
        if let Some(source) = unit.staged.as_ref().and_then(|staged| staged.sources.get(n_parts)) {
            (part.read, part.offset) = (source.read.clone(), source.offset);
            self.sink.cut(unit, &part)?;
            self.warn(&source.path.display().to_string(), &part, unit);
            self.report.parts.push((source.path.clone(), part));
        }
        Ok(())
    }

    /// Names a file of which many lines do not fit.
    fn warn(&self, name: &str, report: &Report, unit: &Unit) {
        if let Some(warning) = report.warning(&unit.stream) {
            self.book.messages.warn(format_args!("{name}: {warning}"));
        }
    }

    fn end(&mut self, unit: &Unit) -> Result<()> {
        // sources of a staging file were judged before
        let refusal = self.report.refusal(&unit.stream, self.book.strict && unit.path.is_some());
        if let Some(why) = refusal.filter(|_| unit.staged.is_none() && !unit.plain) {
            if !self.book.accept {
                return self.refuse(unit, why);
            }
            self.report.is_accepted = true;
        }
        if let Stream::Access(_) = unit.stream {
            self.end_access()?;
        }
        self.before = Report::default();
        let mut report = std::mem::take(&mut self.report);
        if unit.staged.is_none() && unit.path.is_some() {
            self.warn(&unit.name(), &report, unit);
        }
        self.sink.end(unit, &mut report)?;
        self.book.tried = Report::default();
        self.book.totals.reports.push(report);
        self.say_months(unit);
        Ok(())
    }

    fn end_access(&mut self) -> Result<()> {
        if self.rules.compat.has(Opt::LpWebhitsDerived) {
            for (date, n) in std::mem::take(&mut self.kept_days) {
                self.hits(&date, n)?;
            }
        } else {
            let (date, n) = (self.date.take(), std::mem::take(&mut self.n_hits));
            // a file without a hit makes a row of the zero date all the same
            self.hits(date.as_ref().map_or(b"", |d| d), n)?;
        }
        let mut robots = std::mem::take(&mut self.robots);
        let any = std::mem::take(&mut self.any_robot);
        if self.rules.steps.robots {
            self.sink.robots(&mut robots, any)?;
        }
        if self.rules.judge.exact && any {
            self.shared.lock().robots.remove_spared();
        }
        Ok(())
    }

    /// Leaves out a file that was not understood, with all that was made of it.
    fn refuse(&mut self, unit: &Unit, why: String) -> Result<()> {
        (self.date, self.n_hits, self.any_robot) = (None, 0, false);
        self.kept_days.clear();
        self.robots = Texts::default();
        self.months.clear();
        let mut robots = std::mem::take(&mut self.robots_before);
        robots.renew();
        self.shared.lock().robots = robots;
        self.before = Report::default();
        self.book.refuse(&unit.name(), &why);
        let mut report = std::mem::take(&mut self.report);
        (report.refused, report.n_rows) = (Some(why), 0);
        self.sink.refuse(unit, &report)?;
        self.book.tried = Report::default();
        self.book.totals.reports.push(report);
        Ok(())
    }

    fn say_months(&mut self, unit: &Unit) {
        let months = std::mem::take(&mut self.months);
        if months.len() > 1 {
            let names: Vec<_> = months.iter().map(|m| String::from_utf8_lossy(m).into_owned()).collect();
            let what = if months.len() > 2 { "WARNING: spillover: " } else { "" };
            self.book.messages.note(format_args!(
                "{what}{} holds {} months: {}",
                unit.name(),
                names.len(),
                names.join(", ")
            ));
        }
    }
}

/// Imports the files in order. `known` are the robots in the list before the first. After an error
/// the same files may be tried again with the same `book`, without those that ended.
///
/// # Errors
/// A file cannot be read, or what was made cannot be written.
pub(crate) fn run<S: Sink>(
    units: &[Unit],
    rules: &Arc<Rules>,
    mut known: Known,
    sink: &mut S,
    book: &mut Book<'_>,
) -> Result<()> {
    known.renew();
    let shared = Shared {
        state: Mutex::new(Progressed { n_units: 0, n_bytes: 0, robots: known.clone() }),
        changed: Condvar::new(),
    };
    let progress = Progress::steps("import-logs", units.len() as u64);
    // enough blocks under way that no thread waits for the writer
    let (messages, receive) = sync_channel(2 * rayon::current_num_threads() + 2);
    std::thread::scope(|scope| {
        let reader =
            Reader { rules, shared: &shared, messages, known: Arc::new(known), n_blocks: 0, spare: Spare::default() };
        scope.spawn(|| reader.run(units));
        let mut writer = Writer {
            rules,
            shared: &shared,
            sink,
            book,
            logins: Hashes::default(),
            report: Report::default(),
            before: Report::default(),
            date: None,
            n_hits: 0,
            kept_days: BTreeMap::new(),
            robots: Texts::default(),
            robots_before: Known::default(),
            any_robot: false,
            months: BTreeSet::new(),
        };
        let done = writer.run(units, receive, &progress);
        if done.is_err() {
            let (report, tried) = (std::mem::take(&mut writer.report), &mut writer.book.tried);
            tried.n_lines = tried.n_lines.max(report.n_lines);
            tried.n_rejected = tried.n_rejected.max(report.n_rejected);
            shared.give_up();
        }
        done
    })
}
