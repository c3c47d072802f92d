//! The section about users and what they do: from the cells of the summaries, and from sessions for the
//! map.

mod cells;
mod growth;
mod headline;
mod map;
mod origin;
mod visitors;

use schema::{Kind, Month};

use crate::accumulator::Accumulator;
use crate::document::{Figure, Section, Table};
use crate::ground::Ground;
use crate::words::fill;
pub(crate) use cells::{Cell, Cells};
pub(crate) use origin::{RESIDENCE_ID, WORK_ID};
use visitors::{Visit, Visitors};

/// What the section keeps of the records.
#[derive(Default)]
pub(crate) struct Usage {
    cells: Cells,
    visitors: Visitors,
}

impl Accumulator for Usage {
    fn take(&mut self, kind: &str, line: &[u8]) -> Result<(), String> {
        if kind == Kind::Cell.name() {
            return self.cells.add(&Cell::from_line(line)?);
        }
        if kind == Kind::Session.name() {
            return self.visitors.add(&Visit::from_line(line)?);
        }
        Ok(())
    }

    fn section(&self, ground: &Ground) -> Option<Section> {
        let months = self.cells.months();
        let words = ground.words;
        let month = ground.month_among(&self.months())?;
        let span = ground.span(&months);
        let figures = growth::figures(&self.cells, &span, ground)
            .into_iter()
            .chain(origin::figures(&self.cells, &span, ground))
            .chain(self.map(month, ground))
            .filter(|figure| figure.table.has_numbers())
            .collect::<Vec<_>>();
        let cards = headline::cards(&self.cells, month, ground);
        let intro = match ground.month {
            Some(asked) if asked != month => {
                let (month, asked) = (words.month_name(month), words.month_name(asked));
                format!("{} {}", words.usage_intro, fill(words.usage_running, &[&month, &asked]))
            }
            _ => words.usage_intro.to_owned(),
        };
        let is_empty = figures.is_empty() && cards.is_empty();
        (!is_empty).then(|| Section { id: "usage", title: words.usage.to_owned(), intro, cards, figures })
    }

    fn overview(&self, months: &[Month], ground: &Ground) -> Option<Table> {
        Some(headline::overview(&self.cells, months, ground))
    }

    fn months(&self) -> Vec<Month> {
        let of_cells = self.cells.months();
        if of_cells.is_empty() { self.visitors.months() } else { of_cells }
    }
}

impl Usage {
    /// Countries where sessions say them, else the regions that the cells have.
    fn map(&self, month: Month, ground: &Ground) -> Option<Figure> {
        if self.visitors.is_empty() {
            map::regions(&self.cells, month, ground)
        } else {
            Some(map::countries(&self.visitors.by_country(month), month, ground))
        }
    }
}
