//! Every cell of a table as a shaded field: hours of the day by days of the week.

use maud::{Markup, html};

use super::map::{Classes, shades};
use super::svg::{Svg, n};
use crate::amount::Amount;
use crate::document::Table;

/// Rows from the top, columns from the left, the darkest the most.
pub(super) fn heat(svg: &Svg<'_>, table: &Table) -> Markup {
    const LEFT: f64 = 34.0;
    const CELL: (f64, f64) = (16.0, 20.0);
    let unit = table.unit(0);
    let values = table.rows.iter().flat_map(|row| row.cells.iter().filter_map(|cell| cell.value()));
    let classes = Classes::new(values, unit);
    let (width, height) = (LEFT + CELL.0 * table.columns.len() as f64, CELL.1 * table.rows.len() as f64 + 18.0);
    let has_zero = table.rows.iter().flat_map(|row| &row.cells).any(|cell| *cell == Amount::Known(0.0));
    let every = table.columns.len().div_ceil(8).max(1);
    let content = html! {
        @for (y, row) in table.rows.iter().enumerate() {
            @let top = CELL.1 * y as f64;
            text class="tick end" x=(n(LEFT - 6.0)) y=(n(top + CELL.1 / 2.0)) dy="0.32em" { (svg.label(row)) }
            @for (x, amount) in row.cells.iter().enumerate() {
                rect class=(classes.shade(*amount)) x=(n(LEFT + CELL.0 * x as f64)) y=(n(top)) width=(n(CELL.0 - 1.0)) height=(n(CELL.1 - 1.0)) {
                    title { (svg.label(row)) ", " (table.title(x)) ": " (amount.text(unit)) }
                }
            }
        }
        @for (x, column) in table.columns.iter().enumerate().step_by(every) {
            text class="tick mid" x=(n(LEFT + CELL.0 * (x as f64 + 0.5))) y=(n(height - 4.0)) { (column.title) }
        }
    };
    html! {
        (svg.picture(width, height, &content))
        (shades(&classes, false, has_zero.then_some(svg.words.legend_zero), svg.words))
    }
}
