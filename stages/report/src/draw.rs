//! Charts as SVG: one function for each form, drawn from the table of the figure.
//!
//! Colours and fonts are classes (`data/page.css`), so that a page can be light, dark or printed. Bars
//! begin at zero. Whatever is hidden has no shape. Why no library for charts does this:
//! `docs/decisions/0012-charts-of-our-own.md`.

mod grid;
mod heat;
mod map;
mod months;
mod ranking;
mod spark;
mod svg;

use maud::{Markup, html};

use crate::document::{Chart, Figure};
use crate::words::Words;

pub(crate) use spark::spark;
use svg::Svg;

/// The chart of a figure.
pub(crate) fn chart(figure: &Figure, words: &Words) -> Markup {
    let table = &figure.table;
    let svg = Svg { id: figure.id, words };
    match &figure.chart {
        Chart::Columns(parts) => months::columns(&svg, table, parts),
        Chart::Lines(lines) => months::lines(&svg, table, lines),
        Chart::Shares(parts) => months::shares(&svg, table, parts),
        Chart::Multiples(columns) => months::multiples(&svg, table, columns),
        Chart::Ranking { value, trend } => ranking::ranking(&svg, table, *value, trend.clone()),
        Chart::Map(column) => map::map(&svg, table, *column),
        Chart::Heat => heat::heat(&svg, table),
        Chart::Plain => html! {},
    }
}
