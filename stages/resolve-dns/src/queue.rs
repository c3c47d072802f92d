//! Records that wait for their own lookup or an earlier one, so that the order is kept.

use std::collections::VecDeque;

use anyhow::{Result, anyhow};
use enrich::hosts::{Hosts, Slot};
use kit::Output;
use schema::json;

/// Maximum number of waiting records.
const MAX_RECORDS: usize = 50_000;
/// Maximum size of waiting records in bytes.
const MAX_BYTES: usize = 64 << 20;
/// Finished lines are passed on in blocks of about this size.
const BLOCK: usize = 256 << 10;

/// The records between reading and writing.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: VecDeque<(Option<Slot>, Vec<u8>)>,
    n_bytes: usize,
    done: Vec<u8>,
    value: Vec<u8>,
}

impl Queue {
    /// Adds the next record; with a slot it gets the host in that slot.
    ///
    /// # Errors
    /// A lookup or the output fails.
    pub(crate) fn push(
        &mut self,
        line: &[u8],
        slot: Option<Slot>,
        hosts: &mut Hosts,
        output: &mut Output,
    ) -> Result<()> {
        if self.waiting.is_empty() {
            match slot.map(|slot| hosts.name(slot)) {
                None => {
                    self.pass(line);
                    return self.hand_over(output);
                }
                Some(Some(name)) => {
                    self.write(line, name)?;
                    return self.hand_over(output);
                }
                Some(None) => {}
            }
        }
        self.n_bytes += line.len();
        self.waiting.push_back((slot, line.to_vec()));
        while self.waiting.len() >= MAX_RECORDS || self.n_bytes >= MAX_BYTES {
            hosts.wait()?;
            self.advance(hosts, output)?;
        }
        Ok(())
    }

    /// Writes the records at the front whose names are known.
    ///
    /// # Errors
    /// The output fails.
    pub(crate) fn advance(&mut self, hosts: &Hosts, output: &mut Output) -> Result<()> {
        while let Some((slot, line)) = self.waiting.pop_front() {
            match slot.map(|slot| hosts.name(slot)) {
                None => self.pass(&line),
                Some(Some(name)) => self.write(&line, name)?,
                Some(None) => {
                    self.waiting.push_front((slot, line));
                    break;
                }
            }
            self.n_bytes -= line.len();
            self.hand_over(output)?;
        }
        Ok(())
    }

    /// Waits for all lookups and writes the rest.
    ///
    /// # Errors
    /// A lookup or the output fails.
    pub(crate) fn finish(&mut self, hosts: &mut Hosts, output: &mut Output) -> Result<()> {
        self.advance(hosts, output)?;
        while !self.waiting.is_empty() {
            hosts.wait()?;
            self.advance(hosts, output)?;
        }
        output.block(&self.done)?;
        self.done.clear();
        Ok(())
    }

    /// Flushes finished records before more are read.
    ///
    /// # Errors
    /// The output fails.
    pub(crate) fn flush(&mut self, output: &mut Output) -> Result<()> {
        output.block(&self.done)?;
        self.done.clear();
        output.flush()
    }

    fn pass(&mut self, line: &[u8]) {
        self.done.extend_from_slice(line);
        self.done.push(b'\n');
    }

    fn write(&mut self, line: &[u8], name: &str) -> Result<()> {
        self.value.clear();
        json::push_str(&mut self.value, name);
        json::set_fields(line, &[("host", &self.value)], &mut self.done)
            .map_err(|bad| anyhow!("writing a record: {}", bad.reason()))?;
        self.done.push(b'\n');
        Ok(())
    }

    fn hand_over(&mut self, output: &mut Output) -> Result<()> {
        if self.done.len() >= BLOCK {
            output.block(&self.done)?;
            self.done.clear();
        }
        Ok(())
    }
}
