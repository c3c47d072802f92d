//! The sections of a report in their order. To add one: implement [`Accumulator`] in a module of its own, and add
//! it to [`Sections::new`] and to `Part` in `args.rs`.

use schema::Month;

use crate::accumulator::Accumulator;
use crate::args::Part;
use crate::document::Section;
use crate::ground::Ground;
use crate::tools::Tools;
use crate::usage::Usage;

/// The sections that were asked for.
pub(crate) struct Sections(Vec<Box<dyn Accumulator>>);

impl Sections {
    pub(crate) fn new(parts: &[Part]) -> Self {
        let mut sections = Vec::new();
        for part in parts {
            sections.push(match part {
                Part::Usage => Box::new(Usage::default()) as Box<dyn Accumulator>,
                Part::Tools => Box::new(Tools::default()),
            });
        }
        Self(sections)
    }

    /// Offers a record to every section.
    ///
    /// # Errors
    /// The first reason why it cannot be used.
    pub(crate) fn take(&mut self, kind: &str, line: &[u8]) -> Result<(), String> {
        self.0.iter_mut().try_for_each(|section| section.take(kind, line))
    }

    /// The months of all, ascending.
    pub(crate) fn months(&self) -> Vec<Month> {
        let mut months: Vec<_> = self.0.iter().flat_map(|section| section.months()).collect();
        months.sort_unstable();
        months.dedup();
        months
    }

    /// Those that have something to show.
    pub(crate) fn finished(&self, ground: &Ground) -> Vec<Section> {
        self.0.iter().filter_map(|section| section.section(ground)).collect()
    }
}
