//! The reading side of a run: looks ahead, cuts files into blocks, passes them to the pool.
//!
//! The bots of a file must be known before its first line is judged, so a look-ahead comes before
//! the main pass. Files of a few megabytes are read once and kept in memory meanwhile; larger ones
//! are read twice, plain ones by all threads at once in the first pass.

use std::io;
use std::ops::Range;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use kit::progress::Handle;
use rayon::prelude::*;

use crate::block::{self, Lines};
use crate::bots::LookAhead;
use crate::bots::hashes::HashList;
use crate::bots::list::BotList;
use crate::layout::Layout;
use crate::layouts::named::State;
use crate::parts::Parts;
use crate::pieces::{Piece, Pieces, Spare};
use crate::queue::{Message, Queue};
use crate::rules::Rules;
use crate::shown::Shown;
use crate::unit::{Stream, Unit};
use crate::unit_reader::UnitReader;

/// Files up to this size are kept in memory between the look-ahead and the main pass.
pub(crate) const HELD: usize = 16 << 20;

/// The other end of the channel is gone: the writer has stopped.
struct Stopped;

/// What applies to all lines of a file.
struct OfFile<'a> {
    stream: &'a Stream,
    /// Whether a last line without a line end is used.
    keep_last: bool,
}

/// The reading side.
pub(crate) struct Reader<'a> {
    rules: &'a Arc<Rules>,
    queue: &'a Queue,
    messages: SyncSender<Message>,
    known: Arc<BotList>,
    n_blocks: u64,
    spare: Spare,
    shown: Shown,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        rules: &'a Arc<Rules>,
        queue: &'a Queue,
        messages: SyncSender<Message>,
        known: BotList,
        progress: Handle,
    ) -> Self {
        let (known, spare, shown) = (Arc::new(known), Spare::default(), Shown::new(progress));
        Self { rules, queue, messages, known, n_blocks: 0, spare, shown }
    }

    fn send(&self, message: Message) -> Result<(), Stopped> {
        self.messages.send(message).map_err(|_| Stopped)
    }

    pub(crate) fn run(mut self, units: &[Unit]) {
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
        let whole_lines = unit.has_whole_lines(self.rules.compat);
        let mut pieces = UnitReader::open(unit, whole_lines, &self.spare)?;
        self.shown.begin();
        let stream = match &unit.stream {
            Stream::Auth => Stream::Auth,
            Stream::Access(_) => Stream::Access(pieces.layout.clone()),
        };
        if self.send(Message::Begin(stream.clone(), pieces.offset, pieces.hole)).is_err() {
            return Ok(Err(Stopped));
        }
        if let Some((text, n_bytes)) = pieces.rest.take()
            && self.send(Message::Rest(text, n_bytes)).is_err()
        {
            return Ok(Err(Stopped));
        }
        let mut held = Vec::new();
        let mut state = pieces.state();
        if let Stream::Access(layout) = &stream {
            if self.rules.judge.exact {
                self.known = Arc::new(self.queue.wait_for(index).bots.clone());
            } else {
                let parts = pieces.parts(HELD).filter(|_| unit.earlier.is_none());
                let looked = parts.map(|parts| self.look_through_parts(&parts, layout)).transpose()?;
                let is_in_parts = looked.is_some();
                let mut ahead = looked.unwrap_or_default();
                let again = if is_in_parts {
                    // the progress of the second pass alone is shown
                    self.shown.passes(unit, self.rules, HELD, false);
                    true
                } else {
                    let whole = pieces.hold(HELD, &mut held)?;
                    let behind = self.look_ahead(&held, layout, pieces.state(), &mut ahead);
                    let again = !whole && unit.path.is_some() && pieces.is_file();
                    self.shown.passes(unit, self.rules, HELD, again);
                    self.shown.note(&pieces);
                    if again {
                        held.clear();
                        pieces.look();
                        ahead.merge(&self.look_through(&mut pieces, layout, behind)?);
                        pieces = pieces.again(unit, whole_lines)?;
                        self.shown.begin();
                    }
                    again
                };
                let suspects = self.suspects(index, &ahead, &held, layout, (&pieces, again.then_some(unit)))?;
                if !ahead.special.is_empty() || !suspects.is_empty() {
                    let mut known = BotList::clone(&self.known);
                    for key in ahead.special.iter().chain(suspects.iter()) {
                        known.insert_hash(key);
                    }
                    if known.version != self.known.version {
                        self.known = Arc::new(known);
                    }
                }
            }
        }
        let keep_last = match &stream {
            Stream::Access(layout) => unit.is_ended && !layout.is_hub(),
            Stream::Auth => !unit.has_open_tail(),
        };
        let file = OfFile { stream: &stream, keep_last };
        for piece in held {
            if self.dispatch(piece, &file, &mut state).is_err() {
                return Ok(Err(Stopped));
            }
        }
        while let Some(piece) = pieces.next_piece()? {
            self.shown.note(&pieces);
            if self.dispatch(piece, &file, &mut state).is_err() {
                return Ok(Err(Stopped));
            }
        }
        let read = pieces.finish()?;
        if let (Some(expected), Some(read)) = (&unit.expected, &read)
            && !expected.is_same_content(read)
        {
            bail!("it changed while it was read");
        }
        // what was left unread is not entered in the ledger: it is the rest of a growing log
        let booked = if unit.has_open_tail() { pieces.of_whole_lines()?.or(read) } else { read };
        Ok(self.send(Message::End { read: booked, offset: pieces.offset, lacks_part: pieces.n_left() > 0 }))
    }

    /// Looks ahead in pieces that are kept; returns the state after them.
    fn look_ahead(&self, pieces: &[Piece], layout: &Layout, mut state: State, ahead: &mut LookAhead) -> State {
        let states: Vec<State> = pieces
            .iter()
            .map(|piece| {
                let next = layout.state_after(&state, if let Piece::Block(block) = piece { block } else { b"" });
                std::mem::replace(&mut state, next)
            })
            .collect();
        let one = |(piece, state): (&Piece, State)| match piece {
            Piece::Block(block) => block::look_ahead(block, layout, state, self.rules),
            Piece::TooLong(..) | Piece::Cut => LookAhead::default(),
        };
        let all: Vec<_> = pieces.par_iter().zip(states).map(one).collect();
        for other in all {
            ahead.merge(&other);
        }
        state
    }

    /// Looks ahead in all parts of a plain file at once, each of which is read by the thread that looks
    /// through it.
    fn look_through_parts(&self, parts: &Parts<'_>, layout: &Layout) -> io::Result<LookAhead> {
        let (rules, spare) = (&**self.rules, &self.spare);
        let one = |part: Range<u64>| -> io::Result<LookAhead> {
            let mut ahead = LookAhead::default();
            let mut pieces = Pieces::new(parts.lines_of(&part)?, spare);
            while let Some(piece) = pieces.next_piece()? {
                if let Piece::Block(block) = piece {
                    ahead.merge(&block::look_ahead(&block, layout, State::default(), rules));
                    spare.give_back(block);
                }
            }
            Ok(ahead)
        };
        let all: Vec<_> = parts.all().into_par_iter().map(one).collect::<io::Result<_>>()?;
        let mut ahead = LookAhead::default();
        all.iter().for_each(|other| ahead.merge(other));
        Ok(ahead)
    }

    /// Looks ahead in the rest of a file, which is read again afterwards.
    fn look_through(&mut self, pieces: &mut UnitReader, layout: &Layout, mut state: State) -> io::Result<LookAhead> {
        let found = Mutex::new(LookAhead::default());
        let (queue, rules, spare, shown) = (self.queue, &**self.rules, &self.spare, &mut self.shown);
        rayon::in_place_scope(|scope| {
            while let Some(piece) = pieces.next_piece()? {
                shown.note(pieces);
                let Piece::Block(block) = piece else { continue };
                queue.take(block.len());
                let found = &found;
                let next = layout.state_after(&state, &block);
                let state = std::mem::replace(&mut state, next);
                scope.spawn(move |_| {
                    let ahead = block::look_ahead(&block, layout, state, rules);
                    found.lock().unwrap_or_else(PoisonError::into_inner).merge(&ahead);
                    queue.give_back(block.len());
                    spare.give_back(block);
                });
            }
            Ok(())
        })
        .map(|()| found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Agents beyond ASCII that equal a bot of plain ASCII, in this file or before it. They are so
    /// rare that looking for the bot may take another pass.
    fn suspects(
        &self,
        index: usize,
        ahead: &LookAhead,
        held: &[Piece],
        layout: &Layout,
        (opened, unit): (&UnitReader, Option<&Unit>),
    ) -> Result<HashList> {
        let (mut found, mut missing) = (HashList::default(), HashList::default());
        if ahead.suspects.is_empty() {
            return Ok(found);
        }
        {
            let state = self.queue.wait_for(index);
            for key in ahead.suspects.iter() {
                let list = if state.bots.has_hash(key) { &mut found } else { &mut missing };
                list.insert(key);
            }
        }
        let mut state = opened.state();
        let mut look = |piece: &Piece| {
            if let Piece::Block(block) = piece {
                let next = layout.state_after(&state, block);
                let state = std::mem::replace(&mut state, next);
                let more = block::find_suspects(block, layout, state, self.rules, &missing);
                found.extend(more.iter());
            }
        };
        if let Some(unit) = unit {
            let mut pieces = UnitReader::open(unit, unit.has_whole_lines(self.rules.compat), &self.spare)?;
            while let Some(piece) = pieces.next_piece()? {
                look(&piece);
            }
        } else {
            held.iter().for_each(look);
        }
        Ok(found)
    }

    fn dispatch(&mut self, piece: Piece, file: &OfFile<'_>, state: &mut State) -> Result<(), Stopped> {
        let bytes = match piece {
            Piece::TooLong(bytes, n_bytes) => return self.send(Message::TooLong(bytes, n_bytes)),
            Piece::Cut => return self.send(Message::Cut),
            Piece::Block(bytes) => bytes,
        };
        self.n_blocks += 1;
        let (done, receive) = sync_channel(1);
        // limits how far the reader may get ahead
        let n_bytes = bytes.len();
        self.queue.take(n_bytes);
        self.send(Message::Block(receive, n_bytes))?;
        let (rules, known, number) = (Arc::clone(self.rules), Arc::clone(&self.known), self.n_blocks);
        let (stream, spare, keep_last) = (file.stream.clone(), self.spare.clone(), file.keep_last);
        let spare_rows = self.queue.rows.clone();
        let before = match &stream {
            Stream::Access(layout) => {
                let next = layout.state_after(state, &bytes);
                std::mem::replace(state, next)
            }
            Stream::Auth => State::default(),
        };
        rayon::spawn(move || {
            let mut result = match &stream {
                Stream::Access(layout) => {
                    let spare = spare_rows.take();
                    let lines = Lines { block: &bytes, number, layout, state: before, keep_last, spare };
                    block::access(lines, &rules, &known)
                }
                Stream::Auth => block::auth(&bytes, &rules, keep_last),
            };
            if result.rejected.is_empty() {
                spare.give_back(bytes);
            } else {
                result.text = bytes;
                result.text.append(&mut result.joined);
            }
            let _ = done.send(result);
        });
        Ok(())
    }
}
