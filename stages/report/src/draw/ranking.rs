//! Rankings: a line of text for each row with its bar and its course. Text and not a picture, so that it
//! fits any width and can be read aloud.

use std::ops::Range;

use maud::{Markup, html};

use super::spark::spark;
use super::svg::{Svg, most, n, shown};
use crate::amount::Amount;
use crate::document::{Row, Table};
use crate::words::fill;

/// Bars from zero, the longest as wide as there is room.
pub(super) fn ranking(svg: &Svg<'_>, table: &Table, value: usize, trend: Option<Range<usize>>) -> Markup {
    let most = most(table, &[value]);
    let part = |row: &Row| {
        shown(table, row.cell(value), value).filter(|_| most > 0.0).map_or(0.0, |shown| 100.0 * shown.max(0.0) / most)
    };
    html! {
        ol class=(if trend.is_some() { "rank with-trend" } else { "rank" }) {
            @for row in &table.rows {
                li {
                    span class="rank-name" { (svg.label(row)) }
                    svg class="rank-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
                        rect class="f0" width=(n(part(row))) height="10" {}
                    }
                    span class="rank-value" { (row.cell(value).text(table.unit(value))) }
                    @if let Some(trend) = &trend {
                        @let trend: Vec<Amount> = trend.clone().map(|column| row.cell(column)).collect();
                        (spark(&trend))
                    }
                }
            }
        }
        @if table.n_more > 0 { p class="note" { (fill(svg.words.and_more, &[&table.n_more.to_string()])) } }
    }
}
