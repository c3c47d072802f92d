//! How far the reading side is, in bytes on disk, for the line of progress.

use std::fs;
use std::path::Path;

use kit::progress::Handle;
use logs::discovery::lying_at;

use crate::rules::Rules;
use crate::unit::{Stream, Unit};
use crate::unit_reader::UnitReader;

/// Advances the progress by what was read.
pub(crate) struct Shown {
    handle: Handle,
    /// The position in the current pass.
    last: u64,
}

impl Shown {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, last: 0 }
    }

    /// A file is read from its beginning.
    pub(crate) const fn begin(&mut self) {
        self.last = 0;
    }

    /// Notes how far the reader is.
    pub(crate) fn note(&mut self, pieces: &UnitReader) {
        let at = pieces.position().max(self.last);
        self.handle.advance(at - self.last);
        self.last = at;
    }

    /// Notes whether a file is read twice, if that was not expected.
    pub(crate) fn passes(&self, unit: &Unit, rules: &Rules, held: usize, is_read_twice: bool) {
        let size = size(unit);
        match (is_twice(unit, rules, held), is_read_twice) {
            (false, true) => self.handle.add_total(size),
            (true, false) => self.handle.advance(size),
            _ => {}
        }
    }
}

/// The bytes to read of all files, as far as it is known before; 0 if it is not. Files with more than
/// `held` bytes are read twice.
pub(crate) fn total(units: &[Unit], rules: &Rules, held: usize) -> u64 {
    if units.iter().any(|unit| unit.path.is_none()) {
        return 0;
    }
    units.iter().map(|unit| size(unit) * if is_twice(unit, rules, held) { 2 } else { 1 }).sum()
}

fn size(unit: &Unit) -> u64 {
    match (&unit.staged, &unit.path) {
        (Some(staged), _) => staged.stretches.iter().map(|stretch| stretch.end.saturating_sub(stretch.start)).sum(),
        (None, Some(path)) => fs::metadata(lying_at(path)).map_or(0, |meta| meta.len()),
        (None, None) => 0,
    }
}

fn is_twice(unit: &Unit, rules: &Rules, held: usize) -> bool {
    /// By how much logs are usually compressed.
    const PACKED: u64 = 10;
    let looks_ahead = matches!(unit.stream, Stream::Access(_)) && !rules.judge.exact;
    let is_packed = unit
        .path
        .as_deref()
        .and_then(Path::extension)
        .is_some_and(|ext| ["gz", "zst", "bz2", "xz", "lz4"].iter().any(|known| ext.eq_ignore_ascii_case(known)));
    looks_ahead && size(unit).saturating_mul(if is_packed { PACKED } else { 1 }) > held as u64
}
