//! What a report says, before it has a form: sections of figures, each with its table.
//!
//! A section makes these values, the renderers in `render/` turn them into HTML, text, Markdown and CSV.
//! A chart draws columns of the table of its figure, so both always show the same numbers. Whatever
//! comes from the data as text goes through [`plain`] first.

use std::ops::Range;

use schema::Month;

use crate::amount::{Amount, Unit};
use crate::words::Rule;

/// The whole report.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// The line below the title: the month, and what the records cover.
    pub(crate) subtitle: String,
    /// Other pages beside this one: the name of the file, and what the page is.
    pub(crate) pages: Vec<(String, String)>,
    /// A picture as a `data:` address, already checked.
    pub(crate) logo: Option<String>,
    pub(crate) sections: Vec<Section>,
    /// Sentences at the end: what is hidden, where outlines come from.
    pub(crate) remarks: Vec<String>,
    /// Whether it is the administrator's own copy.
    pub(crate) is_private: bool,
    /// Whether tables are left out, where a form allows that.
    pub(crate) is_brief: bool,
}

/// One part of the report, with a heading and a place in the table of contents.
#[derive(Debug)]
pub(crate) struct Section {
    /// Letters, digits and hyphens: the anchor.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) intro: String,
    pub(crate) cards: Vec<Card>,
    pub(crate) figures: Vec<Figure>,
}

/// A headline figure.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) label: String,
    pub(crate) amount: Amount,
    pub(crate) unit: Unit,
    /// What it is compared with, and the change in percent.
    pub(crate) changes: Vec<(String, Option<String>)>,
    /// The last months, the one of the card at the end.
    pub(crate) trend: Vec<Amount>,
    pub(crate) rule: Rule,
}

/// A chart with its title, its summary, and the table that it draws.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Unique in the document: the anchor.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    /// One or two sentences that say what the chart shows.
    pub(crate) summary: String,
    pub(crate) chart: Chart,
    pub(crate) table: Table,
    pub(crate) notes: Vec<String>,
    pub(crate) rule: Rule,
    /// Whether it needs the whole width.
    pub(crate) is_wide: bool,
}

/// How a table is drawn. Numbers are columns of the table.
#[derive(Debug, Clone)]
pub(crate) enum Chart {
    /// A column for each row, parts on top of each other; a single part is a plain column chart.
    Columns(Vec<usize>),
    /// A line for each column of the table.
    Lines(Vec<usize>),
    /// Parts of a whole as full columns; a row whose parts are hidden has a gap.
    Shares(Vec<usize>),
    /// A small chart of columns for each column of the table.
    Multiples(Vec<usize>),
    /// A bar for each row, and the course of further columns beside it.
    Ranking { value: usize, trend: Option<Range<usize>> },
    /// Countries of the rows ([`Row::places`]) shaded by the value.
    Map(usize),
    /// No chart: the table itself.
    Plain,
    /// Every cell of the table as a square, shaded.
    Heat,
}

/// Numbers in rows and columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Heading of the labels of the rows.
    pub(crate) head: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    /// Rows that are left out at the end: "and M more".
    pub(crate) n_more: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) unit: Unit,
}

/// How far a month is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Whole,
    /// It has not ended, or parts of its logs are lost: hatched and named.
    Incomplete,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) label: Label,
    pub(crate) state: State,
    pub(crate) cells: Vec<Amount>,
    /// Country codes that the row stands for on a map.
    pub(crate) places: Vec<String>,
    /// The page beside this one that the row is about.
    pub(crate) page: Option<String>,
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Label {
    Month(Month),
    Text(String),
}

impl Row {
    pub(crate) fn new(label: impl Into<String>, cells: Vec<Amount>) -> Self {
        Self { label: Label::Text(label.into()), state: State::Whole, cells, places: Vec::new(), page: None }
    }

    /// About a month.
    pub(crate) const fn of_month(month: Month, state: State, cells: Vec<Amount>) -> Self {
        Self { label: Label::Month(month), state, cells, places: Vec::new(), page: None }
    }

    pub(crate) fn cell(&self, column: usize) -> Amount {
        self.cells.get(column).copied().unwrap_or(Amount::Missing)
    }

    pub(crate) fn is_incomplete(&self) -> bool {
        self.state == State::Incomplete
    }
}

impl Table {
    pub(crate) fn unit(&self, column: usize) -> Unit {
        self.columns.get(column).map_or(Unit::Count, |column| column.unit)
    }

    pub(crate) fn title(&self, column: usize) -> &str {
        self.columns.get(column).map_or("", |column| &column.title)
    }

    /// Whether some number is there that is not zero.
    pub(crate) fn has_numbers(&self) -> bool {
        let is_number = |amount: &Amount| amount.is_hidden() || amount.value().is_some_and(|value| value != 0.0);
        self.rows.iter().any(|row| row.cells.iter().any(is_number))
    }

    /// The last row whose month is whole, or the last of all.
    pub(crate) fn last(&self) -> Option<&Row> {
        self.rows.iter().rfind(|row| !row.is_incomplete()).or(self.rows.last())
    }
}

/// The longest text that is shown, in characters.
const LONGEST: usize = 120;

/// Text from the data as it may be shown: one line of visible characters, cut if it is long.
/// Control characters and those that change the direction of writing become `�`.
pub(crate) fn plain(text: &str) -> String {
    let is_unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(c, '\u{fdd0}'..='\u{fdef}')
            || u32::from(c) & 0xfffe == 0xfffe
    };
    let mut shown: String =
        text.trim().chars().map(|c| if is_unseen(c) { '\u{fffd}' } else { c }).take(LONGEST).collect();
    if text.trim().chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_data_is_one_line_that_can_be_seen() {
        for (text, expected) in [
            (" a b ", "a b"),
            ("a\u{1b}[31mb\nc", "a\u{fffd}[31mb\u{fffd}c"),
            ("abc\u{202e}fdp.exe", "abc\u{fffd}fdp.exe"),
            ("<script>", "<script>"),
            ("é 漢", "é 漢"),
        ] {
            assert_eq!(plain(text), expected);
        }
        assert_eq!(plain(&"x".repeat(500)).chars().count(), LONGEST + 1);
    }
}
