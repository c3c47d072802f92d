//! What all drawings share: how a picture is named, legends, coordinates, numbers in the unit that is shown.

use maud::{Markup, html};

use crate::amount::{Amount, Unit};
use crate::document::{Column, Label, Row, Table};
use crate::words::Words;

/// What a drawing needs besides its data.
pub(super) struct Svg<'a> {
    pub(super) id: &'a str,
    pub(super) words: &'a Words,
}

impl Svg<'_> {
    /// A picture that is named by the title of its figure and described by its summary.
    pub(super) fn picture(&self, width: f64, height: f64, content: &Markup) -> Markup {
        html! {
            svg class="chart" role="img" viewBox=(view_box(width, height)) aria-labelledby=(format!("{}-t", self.id))
                aria-describedby=(format!("{}-s", self.id)) { (content) }
        }
    }

    pub(super) fn label(&self, row: &Row) -> String {
        match &row.label {
            Label::Month(month) => self.words.month_name(*month),
            Label::Text(text) => text.clone(),
        }
    }

    /// What a tooltip says of a row: its label, and a line for each column.
    pub(super) fn tip(&self, table: &Table, row: &Row, columns: &[usize]) -> String {
        let mut tip = self.label(row);
        if row.is_incomplete() {
            tip.push_str(&format!(" ({})", self.words.incomplete));
        }
        for &column in columns {
            tip.push_str(&format!("\n{}: {}", table.title(column), row.cell(column).text(table.unit(column))));
        }
        tip
    }
}

pub(super) fn view_box(width: f64, height: f64) -> String {
    format!("0 0 {width:.0} {height:.0}")
}

/// A coordinate: one decimal at most.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// The names of the parts beside the colours that they are drawn in.
pub(super) fn legend(parts: &[usize], title: impl Fn(usize) -> String) -> Markup {
    html! {
        ul class="legend" {
            @for &part in parts {
                li {
                    svg viewBox="0 0 10 10" aria-hidden="true" {
                        rect class=(format!("f{}", part % N_COLOURS)) width="10" height="10" rx="2" {}
                    }
                    (title(part))
                }
            }
        }
    }
}

/// How many colours there are.
pub(super) const N_COLOURS: usize = 6;

/// The largest number of some columns, in the unit that is shown.
pub(super) fn most(table: &Table, columns: &[usize]) -> f64 {
    let values =
        table.rows.iter().flat_map(|row| columns.iter().filter_map(|&column| shown(table, row.cell(column), column)));
    values.fold(0.0, f64::max)
}

/// A number in the unit that is shown.
pub(super) fn shown(table: &Table, amount: Amount, column: usize) -> Option<f64> {
    amount.value().map(|value| table.unit(column).shown(value))
}

/// The title of a share without the word for it, which all of them have.
pub(super) fn part_title(column: Option<&Column>) -> String {
    let title = column.map(|column| column.title.as_str()).unwrap_or_default();
    title
        .rsplit_once(", ")
        .filter(|_| column.is_some_and(|column| column.unit == Unit::Share))
        .map_or(title, |(title, _)| title)
        .to_owned()
}
