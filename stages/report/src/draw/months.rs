//! Charts over months: columns, lines with direct labels, shares, small multiples.

use maud::{Markup, html};

use super::grid::{Area, Scale, incomplete, months, scale};
use super::svg::{N_COLOURS, Svg, legend, most, n, part_title, shown, view_box};
use crate::document::{Row, Table};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 220.0;
/// How much of a month's width its column has.
const FILLED: f64 = 0.78;

fn area(right: f64) -> Area {
    Area { left: 46.0, top: 10.0, width: WIDTH - 46.0 - right, height: HEIGHT - 10.0 - 32.0 }
}

/// What lies behind every chart over months.
fn ground(svg: &Svg<'_>, area: &Area, table: &Table, scale_of: &Scale) -> Markup {
    html! {
        (incomplete(area, table))
        (scale(area, scale_of))
        (months(area, table, svg.words))
    }
}

/// An unseen field over each month, which says its numbers.
fn tips(svg: &Svg<'_>, area: &Area, table: &Table, columns: &[usize]) -> Markup {
    let band = area.band(table.rows.len());
    html! {
        @for (i, row) in table.rows.iter().enumerate() {
            rect class="tip" x=(n(area.left + band * i as f64)) y=(n(area.top)) width=(n(band)) height=(n(area.height)) {
                title { (svg.tip(table, row, columns)) }
            }
        }
    }
}

/// The colour of a part: that of its column, so that it is the same in the next figure.
fn colour(parts: &[usize], place: usize) -> usize {
    if parts.len() > 1 { parts.get(place).copied().unwrap_or(place) % N_COLOURS } else { 0 }
}

/// The columns of one month, on top of each other.
fn column(area: &Area, table: &Table, (i, row): (usize, &Row), parts: &[usize], scale: &Scale) -> Markup {
    let band = area.band(table.rows.len());
    let x = n(area.left + band * (i as f64 + (1.0 - FILLED) / 2.0));
    let width = n(band * FILLED);
    let mut below = area.bottom();
    html! {
        @for (place, &part) in parts.iter().enumerate() {
            @let height = shown(table, row.cell(part), part).map_or(0.0, |value| area.tall(value.max(0.0), scale));
            @if height > 0.0 {
                @let y = { below -= height; n(below) };
                rect class=(format!("f{}", colour(parts, place))) x=(x) y=(y) width=(width) height=(n(height)) {}
                @if row.is_incomplete() { rect class="hatch" x=(x) y=(y) width=(width) height=(n(height)) {} }
            }
        }
    }
}

fn columns_in(svg: &Svg<'_>, area: &Area, table: &Table, parts: &[usize], scale: &Scale) -> Markup {
    html! {
        (ground(svg, area, table, scale))
        @for row in table.rows.iter().enumerate() { (column(area, table, row, parts, scale)) }
        (tips(svg, area, table, parts))
    }
}

/// Columns; several parts are on top of each other.
pub(super) fn columns(svg: &Svg<'_>, table: &Table, parts: &[usize]) -> Markup {
    let sum = |row: &Row| parts.iter().filter_map(|&part| shown(table, row.cell(part), part)).sum::<f64>();
    let most = table.rows.iter().map(sum).fold(0.0, f64::max);
    let unit = table.unit(parts.first().copied().unwrap_or_default());
    html! {
        @if parts.len() > 1 { (legend(parts, |part| table.title(part).to_owned())) }
        (svg.picture(WIDTH, HEIGHT, &columns_in(svg, &area(10.0), table, parts, &Scale::new(most, unit))))
    }
}

/// Parts of a whole.
pub(super) fn shares(svg: &Svg<'_>, table: &Table, parts: &[usize]) -> Markup {
    html! {
        (legend(parts, |part| part_title(table.columns.get(part))))
        (svg.picture(WIDTH, HEIGHT, &columns_in(svg, &area(10.0), table, parts, &Scale::percent())))
    }
}

/// A small chart for each column of the table.
pub(super) fn multiples(svg: &Svg<'_>, table: &Table, columns: &[usize]) -> Markup {
    const HEIGHT: f64 = 170.0;
    html! {
        div class="panels" {
            @for &column in columns {
                @let area = Area { height: HEIGHT - 42.0, ..area(10.0) };
                @let scale = Scale::new(most(table, &[column]), table.unit(column));
                div class="panel" {
                    p class="panel-title" { (table.title(column)) }
                    svg class="chart" role="img" viewBox=(view_box(WIDTH, HEIGHT))
                        aria-label=(table.title(column)) {
                        (columns_in(svg, &area, table, &[column], &scale))
                    }
                }
            }
        }
    }
}

/// Lines, each with its name at its end.
pub(super) fn lines(svg: &Svg<'_>, table: &Table, columns: &[usize]) -> Markup {
    let area = area(if columns.len() > 1 { 124.0 } else { 10.0 });
    let unit = table.unit(columns.first().copied().unwrap_or_default());
    let scale = Scale::new(most(table, columns), unit);
    let points: Vec<_> = columns.iter().map(|&column| points(&area, table, column, &scale)).collect();
    let content = html! {
        (ground(svg, &area, table, &scale))
        @for (i, points) in points.iter().enumerate() { (line(points, i)) }
        @if columns.len() > 1 { (names(&area, table, columns, &points)) }
        (tips(svg, &area, table, columns))
    };
    svg.picture(WIDTH, HEIGHT, &content)
}

/// Where the number of a row is, and whether its month is incomplete.
type Point = Option<(f64, f64, bool)>;

fn points(area: &Area, table: &Table, column: usize, scale: &Scale) -> Vec<Point> {
    let band = area.band(table.rows.len());
    let x = |i: usize| area.left + band * (i as f64 + 0.5);
    let point = |(i, row): (usize, &Row)| {
        let value = shown(table, row.cell(column), column)?;
        Some((x(i), area.bottom() - area.tall(value.max(0.0), scale), row.is_incomplete()))
    };
    table.rows.iter().enumerate().map(point).collect()
}

/// A line through the points of whole months, dashed to one that is not, with gaps where numbers are absent.
fn line(points: &[Point], colour: usize) -> Markup {
    let class = format!("l{}", colour % N_COLOURS);
    let (mut whole, mut dashed) = (String::new(), String::new());
    let mut before: Point = None;
    for point in points {
        if let Some((x, y, is_incomplete)) = *point {
            let path = if is_incomplete { &mut dashed } else { &mut whole };
            match before {
                Some((bx, by, was_incomplete)) if is_incomplete || was_incomplete => {
                    dashed.push_str(&format!("M{} {}L{} {}", n(bx), n(by), n(x), n(y)));
                    if !is_incomplete {
                        whole.push_str(&format!("M{} {}", n(x), n(y)));
                    }
                }
                Some(_) => path.push_str(&format!("L{} {}", n(x), n(y))),
                None => path.push_str(&format!("M{} {}", n(x), n(y))),
            }
        }
        before = *point;
    }
    // a number without neighbours is not a line
    let is_alone = |i: usize| {
        let there = |at: Option<usize>| at.and_then(|at| points.get(at)).copied().flatten().is_some();
        !there(i.checked_sub(1)) && !there(Some(i + 1))
    };
    html! {
        @if whole.contains('L') { path class=(class) d=(whole) {} }
        @if dashed.contains('L') { path class=(format!("{class} dashed")) d=(dashed) {} }
        @for (_, (x, y, _)) in points.iter().enumerate().filter_map(|(i, point)| Some((i, (*point)?))).filter(|(i, _)| is_alone(*i)) {
            circle class=(format!("f{}", colour % N_COLOURS)) cx=(n(x)) cy=(n(y)) r="3" {}
        }
    }
}

/// The longest line of a name, in characters.
const NAME_WIDTH: usize = 18;
const NAME_LINE: f64 = 12.0;

/// The names of lines beside their ends, moved apart where they would touch.
fn names(area: &Area, table: &Table, columns: &[usize], points: &[Vec<Point>]) -> Markup {
    let mut names: Vec<(f64, usize, Vec<String>)> = columns
        .iter()
        .zip(points)
        .enumerate()
        .filter_map(|(i, (&column, points))| {
            let (_, y, _) = points.iter().rev().find_map(|point| *point)?;
            Some((y, i, wrap(table.title(column))))
        })
        .collect();
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let tall = |lines: &[String]| lines.len() as f64 * NAME_LINE + 3.0;
    let mut top = area.top - 4.0;
    for (y, _, lines) in &mut names {
        *y = (*y - tall(lines) / 2.0).max(top);
        top = *y + tall(lines);
    }
    let mut bottom = area.bottom() + 12.0;
    for (y, _, lines) in names.iter_mut().rev() {
        *y = y.min(bottom - tall(lines));
        bottom = *y;
    }
    let x = n(area.left + area.width + 6.0);
    html! {
        @for (y, i, lines) in &names {
            @for (at, text) in lines.iter().enumerate() {
                text class=(format!("name t{}", i % N_COLOURS)) x=(x) y=(n(y + NAME_LINE * (at as f64 + 0.85))) { (text) }
            }
        }
    }
}

/// A name in lines of at most [`NAME_WIDTH`] characters, where its words allow it.
fn wrap(name: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= NAME_WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_gaps_and_dashes() {
        let at = |x: f64, incomplete| Some((x, 1.0, incomplete));
        let drawn = |points: &[Point]| line(points, 0).into_string();
        assert_eq!(drawn(&[at(1.0, false), at(2.0, false)]), r#"<path class="l0" d="M1 1L2 1"></path>"#);
        assert_eq!(
            drawn(&[at(1.0, false), at(2.0, false), at(3.0, true)]),
            r#"<path class="l0" d="M1 1L2 1"></path><path class="l0 dashed" d="M2 1L3 1"></path>"#
        );
        let gap = drawn(&[at(1.0, false), at(2.0, false), None, at(4.0, false)]);
        assert!(gap.contains(r#"d="M1 1L2 1M4 1""#) && gap.contains(r#"cx="4""#), "{gap}");
    }

    #[test]
    fn names_are_wrapped_at_words() {
        assert_eq!(wrap("Without login, with a download"), ["Without login,", "with a download"]);
        assert_eq!(wrap("x"), ["x"]);
    }
}
