//! Pieces of sessions: what one part of a stream knows of them, and how pieces are joined.
//!
//! A part cuts its requests where sessions are cut. It also cuts wherever the address (or, without an
//! address, the host name) changes and at the end of each window, because another part may have
//! requests that come in between. The join sorts the pieces of all parts and applies the rule for
//! sessions at each of these cuts. Joining two pieces does not change the cuts inside them, because
//! those depend only on the piece's own first requests.

use anyhow::{Result, bail};
use schema::Month;

use crate::names::{Name, Names, Weighed};
use crate::sessions::{OpenSession, Row, windows};

/// Consecutive requests of one visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its part, and its number there, from 1.
    pub(crate) part: u32,
    pub(crate) number: u32,
    /// The time of its first request.
    pub(crate) first_ip: Name,
    pub(crate) first_host: Name,
    pub(crate) open: OpenSession,
}

/// Cuts requests in order into pieces.
#[derive(Default)]
pub(crate) struct Cutter {
    current: Option<(Piece, usize)>,
    rows: Vec<u32>,
}

impl Cutter {
    /// Takes the next request, of the window with this index; a finished piece is passed to `emit` with its
    /// rows.
    pub(crate) fn push(&mut self, row: &Row, window: usize, weighed: &Weighed, emit: &mut impl FnMut(Piece, &[u32])) {
        let goes_on = self.current.as_ref().is_some_and(|(piece, of)| {
            *of == window
                && group(piece.first_ip, piece.first_host, weighed) == group(row.ip, row.host, weighed)
                && !piece.open.is_over(row.ip, row.host, row.epoch)
        });
        if !goes_on {
            self.flush(emit);
        }
        let begin = || {
            let open = OpenSession::at(row);
            (Piece { part: 0, number: 0, first_ip: row.ip, first_host: row.host, open }, window)
        };
        self.current.get_or_insert_with(begin).0.open.absorb(row);
        self.rows.push(row.row);
    }

    /// Passes on the last piece.
    pub(crate) fn flush(&mut self, emit: &mut impl FnMut(Piece, &[u32])) {
        if let Some((piece, _)) = self.current.take() {
            emit(piece, &self.rows);
            self.rows.clear();
        }
    }
}

/// Equal for all requests of one visitor, and sorted as they are.
fn group(ip: Name, host: Name, weighed: &Weighed) -> (u32, u32) {
    (weighed.rank(ip), if weighed.is_blank(ip) { weighed.rank(host) } else { 0 })
}

/// The position of a piece among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    month: Month,
    window: u8,
    visitor: (u32, u32),
    part: u32,
    number: u32,
    index: u32,
}

/// The pieces of all parts in the order of their sessions.
#[derive(Default)]
pub(crate) struct Order(Vec<Place>);

impl Order {
    /// # Errors
    /// Two parts have requests of one visitor.
    pub(crate) fn of(pieces: &[Piece], names: &Names, weighed: &Weighed) -> Result<Self> {
        let mut places: Vec<_> = pieces.iter().zip(0..).filter_map(|(p, index)| place(p, index, weighed)).collect();
        places.sort_unstable();
        for pair in places.windows(2) {
            let [a, b] = pair else { continue };
            if (a.month, a.window, a.visitor) == (b.month, b.window, b.visitor) && a.part != b.part {
                let piece = pieces.get(b.index as usize);
                let ip = piece.map_or("", |piece| names.text(piece.first_ip));
                let host = piece.map_or("", |piece| names.text(piece.first_host));
                bail!(
                    "parts {} and {} both have requests of {}: cut requests by address, and by host name where the \
                     address is empty",
                    a.part,
                    b.part,
                    if ip.trim_end_matches(' ').is_empty() { host } else { ip }
                );
            }
        }
        Ok(Self(places))
    }

    /// Indices of the pieces of a month.
    pub(crate) fn of_month(&self, month: Month) -> impl Iterator<Item = usize> {
        let from = self.0.partition_point(|place| place.month < month);
        let places = self.0.get(from..).unwrap_or_default();
        places.iter().take_while(move |place| place.month == month).map(|place| place.index as usize)
    }
}

fn place(piece: &Piece, index: u32, weighed: &Weighed) -> Option<Place> {
    let start = piece.open.start;
    let month = start.month()?;
    let window = windows(month).iter().position(|window| start >= window.0 && start < window.1)?;
    Some(Place {
        month,
        window: u8::try_from(window).unwrap_or(u8::MAX),
        visitor: group(piece.first_ip, piece.first_host, weighed),
        part: piece.part,
        number: piece.number,
        index,
    })
}
