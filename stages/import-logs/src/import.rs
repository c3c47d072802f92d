//! The run: file after file, block after block, results in the order of the input.
//!
//! One thread reads, the pool parses, the caller's thread writes.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use anyhow::Result;
use kit::Progress;

use crate::bots::list::BotList;
use crate::queue::Queue;
use crate::reader::{HELD, Reader};
use crate::rules::Rules;
use crate::shown;
use crate::sink::Sink;
use crate::totals::Tally;
use crate::unit::Unit;
use crate::writer::Writer;

/// Imports the files in order. `known` are the bots in the list before the first file. After an
/// error the remaining files may be tried again with the same `tally`.
///
/// # Errors
/// A file cannot be read, or the result cannot be written.
pub(crate) fn run<S: Sink>(
    units: &[Unit],
    rules: &Arc<Rules>,
    mut known: BotList,
    sink: &mut S,
    tally: &mut Tally<'_>,
) -> Result<()> {
    known.renew();
    let queue = Queue::new(known.clone());
    let progress = Progress::bytes("", shown::total(units, rules, HELD));
    // enough blocks in progress that no thread waits for the writer
    let (messages, receive) = sync_channel(2 * rayon::current_num_threads() + 2);
    std::thread::scope(|scope| {
        let reader = Reader::new(rules, &queue, messages, known, progress.handle());
        scope.spawn(|| reader.run(units));
        Writer::new(rules, &queue, sink, tally).run(units, receive)
    })
}
