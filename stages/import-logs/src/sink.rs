//! Where rows go: the interface between the run and a stream of records or the tables.

use std::ops::Range;

use anyhow::Result;
use kit::Output;
use schema::{Stamp, json};

use crate::block::Made;
use crate::import::Unit;
use crate::report::Report;
use crate::robots::Texts;

/// Takes what is made of the files, file after file, in order.
pub(crate) trait Sink {
    /// Whether a row that is there already is found here, so that nobody else has to look.
    const KEYS_ARE_CHECKED: bool;

    /// A file begins; `false` when nothing of it is wanted.
    fn begin(&mut self, unit: &Unit) -> Result<bool>;

    /// Rows of the file's main table.
    fn rows(&mut self, made: &mut Made, range: Range<usize>) -> Result<()>;

    /// A run of hits.
    fn hits(&mut self, datetime: Stamp, n: i64) -> Result<()>;

    /// The robots that were new in the file; `any` when it had one at all.
    fn robots(&mut self, stored: &mut Texts, any: bool) -> Result<()>;

    /// A source within the file ends; these are its figures.
    fn cut(&mut self, unit: &Unit, part: &Report) -> Result<()>;

    /// The file ends. Corrects the number of rows where this side knows better.
    fn end(&mut self, unit: &Unit, report: &mut Report) -> Result<()>;

    /// The file ends, and nothing of it is wanted.
    fn refuse(&mut self, unit: &Unit, report: &Report) -> Result<()>;
}

/// Records to a stream.
pub(crate) struct Records<'o>(pub(crate) &'o mut Output);

impl Sink for Records<'_> {
    const KEYS_ARE_CHECKED: bool = false;

    fn begin(&mut self, _: &Unit) -> Result<bool> {
        Ok(true)
    }

    fn rows(&mut self, made: &mut Made, range: Range<usize>) -> Result<()> {
        match made {
            Made::Records(bytes) => self.0.block(bytes.get(range).unwrap_or_default()),
            Made::Rows(_) => Ok(()),
        }
    }

    fn hits(&mut self, datetime: Stamp, n: i64) -> Result<()> {
        let mut line = b"{\"kind\":\"hits\",\"datetime\":\"".to_vec();
        line.extend_from_slice(&datetime.to_ascii());
        line.extend_from_slice(b"\",\"hits\":");
        json::push_int(&mut line, n);
        line.push(b'}');
        self.0.record(&line)
    }

    fn robots(&mut self, stored: &mut Texts, _: bool) -> Result<()> {
        stored.take(|stored| {
            let mut line = b"{\"kind\":\"bot\",\"useragent\":".to_vec();
            json::push_str(&mut line, stored);
            line.push(b'}');
            self.0.record(&line)
        })
    }

    fn cut(&mut self, _: &Unit, _: &Report) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Unit, _: &mut Report) -> Result<()> {
        Ok(())
    }

    fn refuse(&mut self, _: &Unit, _: &Report) -> Result<()> {
        Ok(())
    }
}

/// Nothing goes anywhere: a dry run.
pub(crate) struct Nowhere;

impl Sink for Nowhere {
    const KEYS_ARE_CHECKED: bool = false;

    fn begin(&mut self, _: &Unit) -> Result<bool> {
        Ok(true)
    }

    fn rows(&mut self, _: &mut Made, _: Range<usize>) -> Result<()> {
        Ok(())
    }

    fn hits(&mut self, _: Stamp, _: i64) -> Result<()> {
        Ok(())
    }

    fn robots(&mut self, _: &mut Texts, _: bool) -> Result<()> {
        Ok(())
    }

    fn cut(&mut self, _: &Unit, _: &Report) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Unit, _: &mut Report) -> Result<()> {
        Ok(())
    }

    fn refuse(&mut self, _: &Unit, _: &Report) -> Result<()> {
        Ok(())
    }
}
