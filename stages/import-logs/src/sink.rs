//! Where rows go: the interface between the run and a stream of records or the tables.

use std::ops::Range;

use anyhow::Result;
use schema::Stamp;

use crate::bots::list::BotTexts;
use crate::report::Report;
use crate::rows::Rows;
use crate::unit::Unit;

/// Receives what the files give, file after file, in order. By default a method does nothing.
pub(crate) trait Sink {
    /// Whether this sink finds existing rows itself, so that the caller need not.
    const KEYS_ARE_CHECKED: bool = false;

    /// A file begins; returns `false` if nothing of it is needed.
    fn begin(&mut self, _: &Unit) -> Result<bool> {
        Ok(true)
    }

    /// Rows of the file's main table.
    fn rows(&mut self, _: &mut Rows, _: Range<usize>) -> Result<()> {
        Ok(())
    }

    /// A run of hits.
    fn hits(&mut self, _: Stamp, _: i64) -> Result<()> {
        Ok(())
    }

    /// The bots that were new in the file; `any` if it had any bot at all.
    fn bots(&mut self, _: &mut BotTexts, _any: bool) -> Result<()> {
        Ok(())
    }

    /// A source inside the file ends; these are its figures.
    fn cut(&mut self, _: &Unit, _: &Report) -> Result<()> {
        Ok(())
    }

    /// The file ends. Corrects the number of rows if this side knows better.
    fn end(&mut self, _: &Unit, _: &mut Report) -> Result<()> {
        Ok(())
    }

    /// The file ends, and nothing of it is to be kept.
    fn refuse(&mut self, _: &Unit, _: &Report) -> Result<()> {
        Ok(())
    }
}

/// Discards everything: a dry run.
pub(crate) struct Nowhere;

impl Sink for Nowhere {}
