//! Visitors and their sessions, cut by visitor into chunks that are read and counted one by one: all
//! sessions of a visitor are in the same chunk of every state.
//!
//! Sessions of one visitor that no cell tells apart are one event, with the downloads of all of them.

use std::ops::Range;

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::axis::{Axis, Visibility};
use crate::row::NO_ID;
use crate::scan::{Session, Shape};
use crate::state::record::{pack, records, unpack};
use crate::state::when;

/// How many chunks there are.
pub(crate) const N_CHUNKS: usize = 64;
/// A domain, or a condition of a download, that is not there.
pub(crate) const NONE: u32 = u32::MAX;

/// What matters of a session besides when, where and who, as bits.
pub(crate) mod flag {
    /// No tool was started and the duration is not negative.
    pub(crate) const PLAIN: u8 = 1;
    /// It was long.
    pub(crate) const LONG: u8 = 2;
    /// Its host is not NULL.
    pub(crate) const HOSTED: u8 = 4;
}

records! {
    /// Sessions that no cell tells apart; domain and country are numbers of the state.
    Event { visitor: u128, domain: u32, country: u16, when: u16, flags: u8 }
    /// A download of the event with this index; `tail` is the number of the text that decides, if any.
    Download { event: u32, when: u16, tail: u32 }
}

/// Some visitors, sorted, and their downloads, sorted by event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub events: Vec<Event>,
    pub downloads: Vec<Download>,
}

/// The chunk of a visitor.
pub(crate) const fn chunk_of(visitor: u128) -> usize {
    let mixed = ((visitor >> 64) as u64 ^ visitor as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 58) as usize
}

fn of_event(downloads: &[Download], event: usize) -> &[Download] {
    let from = downloads.partition_point(|d| (d.event as usize) < event);
    let n = downloads.get(from..).unwrap_or_default().iter().take_while(|d| d.event as usize == event).count();
    downloads.get(from..from + n).unwrap_or_default()
}

impl Chunk {
    /// The same visitors of several states, with the numbers of one.
    pub(crate) fn unite(list: &[Self]) -> Self {
        let mut order: Vec<(Event, usize, usize)> = Vec::new();
        for (source, chunk) in list.iter().enumerate() {
            order.extend(chunk.events.iter().enumerate().map(|(at, event)| (*event, source, at)));
        }
        order.sort();
        let mut all = Self::default();
        for (event, source, at) in order {
            if all.events.last() != Some(&event) {
                all.events.push(event);
            }
            let number = u32::try_from(all.events.len() - 1).unwrap_or(u32::MAX);
            let downloads = list.get(source).map_or(&[][..], |chunk| of_event(&chunk.downloads, at));
            all.downloads.extend(downloads.iter().map(|d| Download { event: number, ..*d }));
        }
        all.downloads.sort_unstable();
        all.downloads.dedup();
        all
    }
}

/// Where the chunks of a state are.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(Vec<Chunk>),
    /// A file by name and content, and where the events and the downloads of each chunk are in it.
    File(String, Vec<u8>, Vec<[Range<usize>; 2]>),
}

impl Store {
    /// One chunk.
    ///
    /// # Errors
    /// The file is damaged.
    pub(crate) fn chunk(&self, n: usize) -> Result<Chunk> {
        match self {
            Self::Memory(chunks) => Ok(chunks.get(n).cloned().unwrap_or_default()),
            Self::File(name, bytes, places) => {
                let read = || -> Result<Chunk> {
                    let [events, downloads] = places.get(n).context("a chunk is missing")?;
                    let section = |place: &Range<usize>| bytes.get(place.clone()).context("a chunk is missing");
                    Ok(Chunk { events: unpack(section(events)?)?, downloads: unpack(section(downloads)?)? })
                };
                read().with_context(|| format!("reading the state {name}"))
            }
        }
    }
}

/// A chunk as sections of a file.
///
/// # Errors
/// Never in practice: memory.
pub(crate) fn pack_chunk(chunk: &Chunk) -> Result<[Vec<u8>; 2]> {
    Ok([pack(&chunk.events)?, pack(&chunk.downloads)?])
}

/// What the numbers of a state mean for the cells.
#[derive(Debug)]
pub(crate) struct Meaning<'a> {
    pub store: &'a Store,
    /// By domain.
    pub classes: Vec<u8>,
    /// By country.
    pub columns: Vec<u8>,
    /// By tail: whether it makes a download.
    pub downloads: Vec<bool>,
}

/// Some visitors of all states, ready to be counted.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub keys: Vec<u128>,
    /// Sorted by visitor.
    pub sessions: Vec<Session>,
    pub shapes: Vec<Shape>,
    /// Sorted.
    pub downloads: Vec<(i64, Option<Visibility>)>,
}

/// Hands each part of the visitors of all states to `count`, several at a time.
///
/// # Errors
/// A file is damaged.
pub(crate) fn count_parts<T: Send>(
    states: &[Meaning<'_>],
    axis: &Axis,
    count: impl Fn(&Part) -> T + Sync,
) -> Result<Vec<T>> {
    let seen: Vec<Option<Visibility>> = (0..when::NEVER)
        .map_while(|code| Some(when::instant(code)).filter(|_| code < 4096))
        .map(|t| axis.seen(t?))
        .collect();
    let one = |n: usize| part(states, n, &seen).map(|part| count(&part));
    (0..N_CHUNKS).into_par_iter().map(one).collect()
}

fn part(states: &[Meaning<'_>], n: usize, seen: &[Option<Visibility>]) -> Result<Part> {
    let mut part = Part::default();
    let mut numbers: FxHashMap<Shape, u32> = FxHashMap::default();
    let mut list: Vec<(u128, u32, i64)> = Vec::new();
    let seen_at = |code: u16| seen.get(usize::from(code)).copied().flatten();
    for state in states {
        let chunk = state.store.chunk(n)?;
        let mut downloads = chunk.downloads.iter().peekable();
        for (at, event) in chunk.events.iter().enumerate() {
            let mut id = NO_ID;
            while let Some(download) = downloads.next_if(|d| d.event as usize <= at) {
                let is_one = download.tail == NONE || state.downloads.get(download.tail as usize) == Some(&true);
                if is_one && download.event as usize == at {
                    id = list.len() as i64;
                    part.downloads.push((id, seen_at(download.when)));
                }
            }
            let Some(seen) = seen_at(event.when) else {
                part.downloads.truncate(part.downloads.partition_point(|d| d.0 < list.len() as i64));
                continue;
            };
            let shape = Shape {
                seen,
                columns: state.columns.get(usize::from(event.country)).copied().unwrap_or_default(),
                class: state.classes.get(event.domain as usize).copied().unwrap_or_default(),
                plain: event.flags & flag::PLAIN != 0,
                long: event.flags & flag::LONG != 0,
                hosted: event.flags & flag::HOSTED != 0,
            };
            let next = part.shapes.len() as u32;
            let number = *numbers.entry(shape).or_insert(next);
            if number == next {
                part.shapes.push(shape);
            }
            list.push((event.visitor, number, id));
        }
    }
    // runs that are sorted already
    list.sort_by_key(|(visitor, ..)| *visitor);
    for (key, shape, id) in list {
        if part.keys.last() != Some(&key) {
            part.keys.push(key);
        }
        part.sessions.push(Session { id, visitor: part.keys.len() as u32 - 1, shape });
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(visitor: u128, when: u16) -> Event {
        Event { visitor, when, domain: 1, country: 2, flags: flag::HOSTED }
    }

    #[test]
    fn the_same_visitors_become_one() {
        let download = |event, when| Download { event, when, tail: NONE };
        let a = Chunk { events: vec![event(1, 5), event(9, 5)], downloads: vec![download(1, 7)] };
        let b = Chunk {
            events: vec![event(1, 5), event(1, 6), event(9, 5)],
            downloads: vec![download(0, 3), download(2, 7), download(2, 8)],
        };
        let expected = Chunk {
            events: vec![event(1, 5), event(1, 6), event(9, 5)],
            downloads: vec![download(0, 3), download(2, 7), download(2, 8)],
        };
        assert_eq!(Chunk::unite(&[a.clone(), b.clone()]), expected);
        assert_eq!(Chunk::unite(&[b, a]), expected);
        let [events, downloads] = pack_chunk(&expected).unwrap();
        assert_eq!((unpack(&events).unwrap(), unpack(&downloads).unwrap()), (expected.events, expected.downloads));
    }
}
