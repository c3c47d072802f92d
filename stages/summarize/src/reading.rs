//! Reads records and hands what they say to whoever keeps it.

mod digest;

use anyhow::{Result, ensure};
use kit::{Batch, Io};
use rayon::prelude::*;

use crate::row::{Keep, Look};
use digest::UNJOINED;
pub(crate) use digest::digest;

/// Fills `kept` with the records of the input.
///
/// # Errors
/// An input cannot be read, or its records cannot be used at all.
pub(crate) fn read<K: Keep>(mut kept: K, room: usize, io: &mut Io) -> Result<K> {
    io.input()?.each_batch(&mut io.rejects, |batch| {
        let bad = take_in(&mut kept, batch);
        ensure!(bad.iter().all(|(_, reason)| reason != UNJOINED), UNJOINED);
        kept.relieve(room)?;
        Ok(bad)
    })?;
    Ok(kept)
}

/// What the lines of one piece of a batch say, with their places.
type Digested<K> = Vec<(usize, Result<<<K as Keep>::Look as Look>::Fact, String>)>;

/// Takes in the lines of a batch: digested in parallel, absorbed in order. Returns the lines that
/// cannot be used and why.
fn take_in<K: Keep>(kept: &mut K, batch: &Batch) -> Vec<(usize, String)> {
    const LINES: usize = 512;
    let look = kept.look();
    let parts: Vec<Digested<K>> = (0..batch.len().div_ceil(LINES))
        .into_par_iter()
        .map(|part| {
            let lines = part * LINES..((part + 1) * LINES).min(batch.len());
            lines.filter_map(|i| digest(&*look, batch.line(i)).transpose().map(|outcome| (i, outcome))).collect()
        })
        .collect();
    // what is learned from rows changes it
    drop(look);
    let mut bad = Vec::new();
    for (i, outcome) in parts.into_iter().flatten() {
        match outcome {
            Ok(fact) => kept.absorb(fact),
            Err(reason) => bad.push((i, reason)),
        }
    }
    bad
}
