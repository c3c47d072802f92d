//! The sections of a report in their order. To add one: implement [`Accumulator`] in a module of its own, and add
//! it to [`Sections::new`] and to `Part` in `args.rs`.

use kit::Batch;
use rayon::prelude::*;
use schema::{Kind, Month, json};

use crate::accumulator::Accumulator;
use crate::args::Part;
use crate::document::{Row, Section, Table};
use crate::ground::Ground;
use crate::tools::Tools;
use crate::traffic::Traffic;
use crate::usage::Usage;

/// The least number of lines that a core looks at.
const LINES: usize = 512;

/// The sections that were asked for.
pub(crate) struct Sections {
    list: Vec<Box<dyn Accumulator>>,
    /// What is left out, and why: a reader must not think that nobody came.
    pub(crate) left_out: Vec<String>,
}

impl Sections {
    /// Those of the private copy keep what the public may not see.
    pub(crate) fn new(parts: &[Part], is_private: bool) -> Self {
        let mut sections = Vec::new();
        for part in parts {
            sections.push(match part {
                Part::Usage => Box::new(Usage::default()) as Box<dyn Accumulator>,
                Part::Tools => Box::new(Tools::default()),
                Part::Traffic => Box::new(Traffic::new(is_private)),
            });
        }
        Self { list: sections, left_out: Vec::new() }
    }

    /// Offers a record to every section.
    ///
    /// # Errors
    /// The first reason why it cannot be used.
    pub(crate) fn take(&mut self, kind: &str, line: &[u8]) -> Result<(), String> {
        self.list.iter_mut().try_for_each(|section| section.take(kind, line))
    }

    /// Offers the lines of a batch to every section. Returns those that cannot be used, and why.
    pub(crate) fn take_batch(&mut self, batch: &Batch) -> Vec<(usize, String)> {
        let kind_of = |i| json::kind_of(batch.line(i)).map(|name| Kind::from_name(&name));
        // in parallel: the first look at a line waits for the memory
        let kinds: Vec<_> = (0..batch.len()).into_par_iter().with_min_len(LINES).map(kind_of).collect();
        let (mut lines, mut bad) = (Vec::with_capacity(batch.len()), Vec::new());
        for (i, kind) in kinds.into_iter().enumerate() {
            match kind {
                Ok(kind) => lines.extend(kind.map(|kind| (i, kind))),
                Err(reason) => bad.push((i, reason.reason().to_owned())),
            }
        }
        for section in &mut self.list {
            bad.extend(section.take_batch(batch, &lines));
        }
        bad.sort_by_key(|(i, _)| *i);
        bad.dedup_by_key(|(i, _)| *i);
        bad
    }

    /// The months of all, ascending.
    pub(crate) fn months(&self) -> Vec<Month> {
        let mut months: Vec<_> = self.list.iter().flat_map(|section| section.months()).collect();
        months.sort_unstable();
        months.dedup();
        months
    }

    /// The months of the first section that has any: those of the whole report.
    pub(crate) fn leading_months(&self) -> Vec<Month> {
        self.list.iter().map(|section| section.months()).find(|months| !months.is_empty()).unwrap_or_default()
    }

    /// The most important numbers of these months, a row for each.
    pub(crate) fn overview(&self, months: &[Month], ground: &Ground) -> Table {
        let known = self.list.iter().find_map(|section| section.overview(months, ground));
        let rows = || months.iter().map(|month| Row::of_month(*month, ground.state(*month), Vec::new())).collect();
        known.unwrap_or_else(|| Table { head: ground.words.month.to_owned(), rows: rows(), ..Table::default() })
    }

    /// Those that have something to show.
    pub(crate) fn finished(&self, ground: &Ground) -> Vec<Section> {
        self.list.iter().filter_map(|section| section.section(ground)).collect()
    }
}
