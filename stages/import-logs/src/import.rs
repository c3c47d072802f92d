//! The run: file after file, block after block, results in the order of the input.
//!
//! One thread reads, the pool parses, the caller's thread writes. A file is the unit: the robots
//! that it holds are known before its first line is judged, so a look ahead precedes its main
//! pass; files of some megabytes are read once and held meanwhile, larger ones are read twice.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use kit::{Messages, Output, Progress, Rejects};
use rayon::prelude::*;
use schema::{Opt, json};

use crate::agents::{Known, LookAhead};
use crate::block::{self, Done, Dropped, Rule, Rules};
use crate::line::Layout;
use crate::pieces::{BLOCK, Piece, Pieces};
use crate::reason;

/// Files up to this size are held in memory between look ahead and main pass.
const HELD: usize = 16 << 20;

/// Which log a file is.
#[derive(Debug, Clone)]
pub(crate) enum Stream {
    /// Requests.
    Access(Layout),
    /// Logins.
    Auth,
}

/// One file to import.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// The file; standard input when absent.
    pub(crate) path: Option<PathBuf>,
    pub(crate) stream: Stream,
    /// Date in the name, from the `source` record.
    pub(crate) date: Option<String>,
}

impl Unit {
    fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string())
    }

    fn open(&self) -> Result<Pieces<Box<dyn Read + Send>>> {
        let reader = match &self.path {
            Some(path) => kit::open(path)?,
            None => kit::open_reader(std::io::stdin()).context("reading standard input")?,
        };
        Ok(Pieces::new(reader))
    }
}

/// What was made of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) n_lines: u64,
    pub(crate) n_rows: u64,
    pub(crate) n_rejected: u64,
}

enum Message {
    Begin,
    Block(Receiver<Done>),
    TooLong(Vec<u8>),
    End,
    Failed(anyhow::Error),
}

/// What the writing side knows and the reading side may wait for.
#[derive(Default)]
struct Progressed {
    n_units: usize,
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
        let mut pieces = unit.open()?;
        if self.send(Message::Begin).is_err() {
            return Ok(Err(Stopped));
        }
        let mut held = Vec::new();
        if let Stream::Access(layout) = &unit.stream {
            if self.rules.judge.exact {
                self.known = Arc::new(self.shared.wait_for(index).robots.clone());
            } else {
                let mut ahead = LookAhead::default();
                let mut n_bytes = 0;
                let whole = loop {
                    let Some(piece) = pieces.next_piece()? else { break true };
                    n_bytes += if let Piece::Block(block) = &piece { block.len() } else { BLOCK };
                    held.push(piece);
                    if n_bytes > HELD {
                        break false;
                    }
                };
                ahead.merge(self.look_ahead(&held, layout));
                let again = !whole && unit.path.is_some();
                if again {
                    loop {
                        held.clear();
                        while held.len() < 16
                            && let Some(piece) = pieces.next_piece()?
                        {
                            held.push(piece);
                        }
                        if held.is_empty() {
                            break;
                        }
                        ahead.merge(self.look_ahead(&held, layout));
                    }
                    pieces = unit.open()?;
                }
                let suspects = self.suspects(index, &ahead, &held, layout, again.then_some(unit))?;
                if !ahead.special.is_empty() || !suspects.is_empty() {
                    let mut known = Known::clone(&self.known);
                    for stored in ahead.special.iter().chain(&suspects) {
                        known.insert(stored);
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
        Ok(self.send(Message::End))
    }

    fn look_ahead(&self, pieces: &[Piece], layout: &Layout) -> LookAhead {
        let one = |piece: &Piece| match piece {
            Piece::Block(block) => block::look_ahead(block, layout, self.rules),
            Piece::TooLong(_) => LookAhead::default(),
        };
        let all: Vec<_> = pieces.par_iter().map(one).collect();
        let mut ahead = LookAhead::default();
        for other in all {
            ahead.merge(other);
        }
        ahead
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
    ) -> Result<Vec<String>> {
        if ahead.suspects.is_empty() {
            return Ok(Vec::new());
        }
        let mut missing = ahead.suspects.clone();
        let mut found = Vec::new();
        {
            let state = self.shared.wait_for(index);
            missing.retain(|folded| {
                let known = state.robots.has_folded(folded);
                if known {
                    found.push(folded.clone());
                }
                !known
            });
        }
        let mut look = |piece: &Piece| {
            if let Piece::Block(block) = piece {
                found.extend(block::find_suspects(block, layout, self.rules, &missing));
            }
        };
        if let Some(unit) = unit {
            let mut pieces = unit.open()?;
            while let Some(piece) = pieces.next_piece()? {
                look(&piece);
            }
        } else {
            held.iter().for_each(look);
        }
        found.retain(|folded| !self.rules.judge.words.is_spared(folded));
        Ok(found)
    }

    fn dispatch(&mut self, piece: Piece, stream: &Stream) -> Result<(), Stopped> {
        let bytes = match piece {
            Piece::TooLong(bytes) => return self.send(Message::TooLong(bytes)),
            Piece::Block(bytes) => bytes,
        };
        self.n_blocks += 1;
        let (done, receive) = sync_channel(1);
        // the bounded channel is what keeps the reader from running away
        self.send(Message::Block(receive))?;
        let (rules, known, number) = (Arc::clone(self.rules), Arc::clone(&self.known), self.n_blocks);
        let stream = stream.clone();
        rayon::spawn(move || {
            let made = match &stream {
                Stream::Access(layout) => block::access(&bytes, number, layout, &rules, &known),
                Stream::Auth => block::auth(&bytes, &rules),
            };
            let _ = done.send(made);
        });
        Ok(())
    }
}

/// Identities that are hashes already.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

/// The writing side.
struct Writer<'a> {
    rules: &'a Rules,
    shared: &'a Shared,
    output: &'a mut Output,
    rejects: &'a mut Rejects,
    messages: Messages,
    dropped: Dropped,
    logins: HashSet<u128, BuildHasherDefault<Identity>>,
    reports: Vec<Report>,
    // of the current file
    report: Report,
    date: Option<[u8; 10]>,
    n_hits: u64,
    kept_days: BTreeMap<[u8; 10], u64>,
    robots: Vec<String>,
    any_robot: bool,
    months: BTreeSet<[u8; 7]>,
}

/// The figures of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    /// One report a file, in order.
    pub(crate) reports: Vec<Report>,
    /// Lines that each rule dropped.
    pub(crate) dropped: Dropped,
}

impl Summary {
    /// The figures in words.
    pub(crate) fn words(&self) -> String {
        let sum = |get: fn(&Report) -> u64| self.reports.iter().map(get).sum::<u64>();
        let mut words = format!(
            "{} lines, {} rows, {} not recognised",
            sum(|r| r.n_lines),
            sum(|r| r.n_rows),
            sum(|r| r.n_rejected)
        );
        let dropped: Vec<_> = Rule::ALL
            .iter()
            .filter(|(rule, _)| self.dropped[*rule as usize] > 0)
            .map(|(rule, name)| format!("{name} {}", self.dropped[*rule as usize]))
            .collect();
        if !dropped.is_empty() {
            words.push_str("; dropped: ");
            words.push_str(&dropped.join(", "));
        }
        words
    }
}

impl Writer<'_> {
    fn run(mut self, units: &[Unit], messages: Receiver<Message>, progress: &Progress) -> Result<Summary> {
        let mut current = units.iter();
        let mut unit = None;
        for message in messages {
            match message {
                Message::Begin => unit = current.next(),
                Message::Failed(error) => return Err(error),
                Message::TooLong(text) => {
                    self.report.n_lines += 1;
                    self.report.n_rejected += 1;
                    let name = unit.map(Unit::name).unwrap_or_default();
                    self.rejects.looked_at(1);
                    self.rejects.reject(&name, self.report.n_lines, "line too long", &text)?;
                }
                Message::Block(receive) => {
                    let done = receive.recv().map_err(|_| anyhow!("a worker thread ended early"))?;
                    let unit = unit.context("a block without its file")?;
                    self.block(&done, unit)?;
                }
                Message::End => {
                    let unit = unit.context("an end without its file")?;
                    self.end(unit)?;
                    self.shared.unit_done();
                    progress.advance(1);
                }
            }
        }
        Ok(Summary { reports: self.reports, dropped: self.dropped })
    }

    fn block(&mut self, done: &Done, unit: &Unit) -> Result<()> {
        if !done.rejected.is_empty() {
            let name = unit.name();
            for (n, text) in &done.rejected {
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                let reason = reason::of(text, &unit.stream);
                self.rejects.reject(&name, self.report.n_lines + n + 1, reason, text)?;
            }
        }
        self.rejects.looked_at(done.n_lines);
        self.report.n_lines += done.n_lines;
        self.report.n_rejected += done.rejected.len() as u64;
        for (total, n) in self.dropped.iter_mut().zip(done.dropped) {
            *total += n;
        }
        self.months.extend(&done.months);
        match unit.stream {
            Stream::Access(_) => self.access(done),
            Stream::Auth => self.auth(done),
        }
    }

    fn access(&mut self, done: &Done) -> Result<()> {
        for stored in &done.robots {
            self.any_robot = true;
            if self.shared.lock().robots.insert(stored) && !self.rules.judge.words.is_spared(stored) {
                self.robots.push(stored.clone());
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
            self.output.block(&done.records[start..segment.end])?;
            start = segment.end;
        }
        self.output.block(&done.records[start..])
    }

    fn hits(&mut self, date: &[u8], n: u64) -> Result<()> {
        let mut line = b"{\"kind\":\"hits\",\"datetime\":\"".to_vec();
        line.extend_from_slice(&kit::parse::datetime(date, b"00:00:00").to_ascii());
        line.extend_from_slice(b"\",\"hits\":");
        json::push_int(&mut line, i64::try_from(n).unwrap_or(i64::MAX));
        line.push(b'}');
        self.output.record(&line)
    }

    fn auth(&mut self, done: &Done) -> Result<()> {
        // unique records lie beside each other most of the time: write them together
        let mut start = 0;
        let mut end = 0;
        for &(key, next) in &done.logins {
            if self.logins.insert(key) {
                self.report.n_rows += 1;
            } else {
                self.output.block(&done.records[start..end])?;
                start = next;
            }
            end = next;
        }
        self.output.block(&done.records[start..end])
    }

    fn end(&mut self, unit: &Unit) -> Result<()> {
        if let Stream::Access(_) = unit.stream {
            if self.rules.compat.has(Opt::LpWebhitsDerived) {
                for (date, n) in std::mem::take(&mut self.kept_days) {
                    self.hits(&date, n)?;
                }
            } else {
                let (date, n) = (self.date.take(), std::mem::take(&mut self.n_hits));
                // a file without a hit makes a row of the zero date all the same
                self.hits(date.as_ref().map_or(b"", |d| d), n)?;
            }
            for stored in std::mem::take(&mut self.robots) {
                let mut line = b"{\"kind\":\"bot\",\"useragent\":".to_vec();
                json::push_str(&mut line, &stored);
                line.push(b'}');
                self.output.record(&line)?;
            }
            if self.rules.judge.exact && std::mem::take(&mut self.any_robot) {
                self.shared.lock().robots.remove_spared(&self.rules.judge.words);
            }
        }
        let months = std::mem::take(&mut self.months);
        if months.len() > 1 {
            let names: Vec<_> = months.iter().map(|m| String::from_utf8_lossy(m).into_owned()).collect();
            let what = if months.len() > 2 { "WARNING: spillover: " } else { "" };
            self.messages.note(format_args!(
                "{what}{} holds {} months: {}",
                unit.name(),
                names.len(),
                names.join(", ")
            ));
        }
        self.reports.push(std::mem::take(&mut self.report));
        Ok(())
    }
}

/// Imports the files in order. `known` are the robots in the list before the first.
///
/// # Errors
/// A file cannot be read, or the output cannot be written.
pub(crate) fn run(
    units: &[Unit],
    rules: &Arc<Rules>,
    known: Known,
    output: &mut Output,
    rejects: &mut Rejects,
    words: Messages,
) -> Result<Summary> {
    let shared =
        Shared { state: Mutex::new(Progressed { n_units: 0, robots: known.clone() }), changed: Condvar::new() };
    let progress = Progress::steps("import-logs", units.len() as u64);
    // enough blocks under way that no thread waits for the writer
    let (messages, receive) = sync_channel(2 * rayon::current_num_threads() + 2);
    std::thread::scope(|scope| {
        let reader = Reader { rules, shared: &shared, messages, known: Arc::new(known), n_blocks: 0 };
        scope.spawn(|| reader.run(units));
        let writer = Writer {
            rules,
            shared: &shared,
            output,
            rejects,
            messages: words,
            dropped: Dropped::default(),
            logins: HashSet::default(),
            reports: Vec::new(),
            report: Report::default(),
            date: None,
            n_hits: 0,
            kept_days: BTreeMap::new(),
            robots: Vec::new(),
            any_robot: false,
            months: BTreeSet::new(),
        };
        let summary = writer.run(units, receive, &progress);
        if summary.is_err() {
            shared.give_up();
        }
        summary
    })
}
