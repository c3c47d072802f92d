//! The map of the world, shaded in steps, and the steps themselves.

use maud::{Markup, html};
use rustc_hash::FxHashMap;

use super::svg::Svg;
use crate::amount::{Amount, Unit};
use crate::document::{Row, Table};
use crate::words::Words;

/// The outlines: code and path, made by `scripts/world-map/make.py`.
const WORLD: &str = include_str!("../../data/world.csv");
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 436.0;
const N_SHADES: usize = 5;

/// The steps in which numbers are shaded: each is the least of its class, ascending.
pub(super) struct Classes {
    steps: Vec<f64>,
    unit: Unit,
}

impl Classes {
    /// Steps of a series 1, 2, 5, 10, … for these numbers, in the unit of the records: the first is at most
    /// the least of them, so that each of them is in a class.
    pub(super) fn new(numbers: impl Iterator<Item = f64>, unit: Unit) -> Self {
        let (low, most) =
            numbers.filter(|n| *n > 0.0).fold((f64::MAX, 0.0), |(low, most), n| (n.min(low), n.max(most)));
        let least = if unit == Unit::Share { 0.01 } else { 1.0 };
        let series =
            (0..60).map(|i| least * [1.0, 2.0, 5.0].get(i % 3).copied().unwrap_or(1.0) * 10_f64.powf((i / 3) as f64));
        let mut series: Vec<_> = series.take_while(|step| *step <= most).collect();
        let n_below = series.iter().filter(|step| **step <= low).count().saturating_sub(1);
        series.drain(..n_below);
        let every = series.len().div_ceil(N_SHADES).max(1);
        Self { steps: series.into_iter().step_by(every).collect(), unit }
    }

    /// The class of an amount, for the style sheet.
    pub(super) fn shade(&self, amount: Amount) -> String {
        match amount {
            Amount::Known(value) => match self.steps.iter().filter(|step| **step <= value).count() {
                0 if value > 0.0 => "q1".to_owned(),
                0 => "q0".to_owned(),
                n => format!("q{}", n + N_SHADES - self.steps.len()),
            },
            Amount::Few | Amount::Withheld => "few".to_owned(),
            Amount::Missing => "q0".to_owned(),
        }
    }
}

/// What the shades mean; `zero` is the name of the palest.
pub(super) fn shades(classes: &Classes, has_hidden: bool, zero: Option<&str>, words: &Words) -> Markup {
    let text = |i: usize| {
        let from = classes.steps.get(i).map(|step| Amount::Known(*step).text(classes.unit)).unwrap_or_default();
        match classes.steps.get(i + 1) {
            Some(next) if classes.unit == Unit::Count => {
                let to = Amount::Known(*next - 1.0).text(classes.unit);
                if to == from { from } else { format!("{from} – {to}") }
            }
            Some(next) => format!("{from} – {}", Amount::Known(*next).text(classes.unit)),
            None => format!("≥ {from}"),
        }
    };
    let shade = |i: usize| format!("q{}", i + 1 + N_SHADES - classes.steps.len());
    let swatch = |class: &str| html! { svg viewBox="0 0 10 10" aria-hidden="true" { rect class=(class) width="10" height="10" rx="2" {} } };
    html! {
        ul class="legend" {
            @for i in 0..classes.steps.len() { li { (swatch(&shade(i))) (text(i)) } }
            @if has_hidden { li { (swatch("few")) (words.legend_few) } }
            @if let Some(zero) = zero { li { (swatch("q0")) (zero) } }
        }
    }
}

/// Countries shaded by the value of their row.
pub(super) fn map(svg: &Svg<'_>, table: &Table, column: usize) -> Markup {
    let rows: FxHashMap<&str, &Row> =
        table.rows.iter().flat_map(|row| row.places.iter().map(move |place| (drawn(place), row))).collect();
    let numbers = table.rows.iter().filter_map(|row| row.cell(column).value());
    let classes = Classes::new(numbers, table.unit(column));
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let content = html! {
        @for (code, outline) in WORLD.lines().skip(1).filter_map(|line| line.split_once(',')) {
            @match rows.get(code) {
                Some(row) => path class=(classes.shade(row.cell(column))) d=(outline) { title { (svg.tip(table, row, &all)) } },
                None => path class="q0" d=(outline) {},
            }
        }
    };
    html! {
        div class="map" { (svg.picture(WIDTH, HEIGHT, &content)) }
        (shades(&classes, table.rows.iter().any(|row| row.cell(column).is_hidden()), Some(svg.words.legend_none), svg.words))
    }
}

/// The code that the outlines have for a country of the records.
fn drawn(code: &str) -> &str {
    if code == "UK" { "GB" } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_at_most_five() {
        for (low, most, unit, steps) in [
            (0.0, 0.0, Unit::Count, vec![]),
            (1.0, 3.0, Unit::Count, vec![1.0, 2.0]),
            (9.0, 640.0, Unit::Count, vec![5.0, 20.0, 100.0, 500.0]),
            (0.01, 0.44, Unit::Share, vec![0.01, 0.02, 0.05, 0.1, 0.2]),
            (60.0, 2348.0, Unit::Count, vec![50.0, 200.0, 1000.0]),
        ] {
            let classes = Classes::new([most, low].into_iter(), unit);
            assert_eq!(classes.steps.len(), steps.len(), "{most}: {:?}", classes.steps);
            assert!(classes.steps.iter().zip(&steps).all(|(a, b)| (a - b).abs() < 1e-9), "{most}: {:?}", classes.steps);
        }
        let classes = Classes::new([9.0, 640.0].into_iter(), Unit::Count);
        for (value, class) in [(0.0, "q0"), (1.0, "q1"), (5.0, "q2"), (99.0, "q3"), (640.0, "q5")] {
            assert_eq!(classes.shade(Amount::Known(value)), class);
        }
        assert_eq!(classes.shade(Amount::Few), "few");
    }

    #[test]
    fn outlines_are_paths_of_countries_that_the_lists_know() {
        let mut n = 0;
        for line in WORLD.lines().skip(1) {
            let (code, outline) = line.split_once(',').unwrap();
            assert!(outline.starts_with('M') && outline.ends_with('z'), "{code}");
            assert!(outline.bytes().all(|b| b.is_ascii_digit() || b"Mlz -".contains(&b)), "{code}");
            let known = schema::reference::countries().any(|country| drawn(country.code) == code);
            assert!(known || ["--", "XK", "SS", "ME", "RS", "EH", "PS", "TL"].contains(&code), "{code}");
            n += 1;
        }
        assert!(n > 170, "{n}");
    }
}
