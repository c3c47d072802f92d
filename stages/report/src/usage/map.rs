//! The map: countries where the records have sessions, else the regions of the cells.

use schema::{Month, reference};

use super::cells::Cells;
use super::origin::{RESIDENCE, residence_titles, split};
use super::visitors::Code;
use crate::amount::{Amount, Unit};
use crate::country::country_name;
use crate::document::{Chart, Column, Figure, Row, Table};
use crate::ground::Ground;
use crate::words::{Rule, fill};

/// Visitors by country.
pub(crate) fn countries(counts: &[(Code, u32)], month: Month, ground: &Ground) -> Figure {
    let w = ground.words;
    let known: Vec<_> = counts.iter().filter(|(code, _)| code != b"  ").collect();
    let mut rows: Vec<_> = known
        .iter()
        .map(|(code, n)| {
            let code = String::from_utf8_lossy(code).into_owned();
            let amount = ground.privacy.one(Amount::Known(f64::from(*n)));
            let name = country_name(&code);
            Row { places: vec![code], ..Row::new(name, vec![amount]) }
        })
        .collect();
    // by size up to where sizes are hidden, then by name: the order must not say what the numbers do not
    let n_shown = rows.iter().filter(|row| !row.cell(0).is_hidden()).count();
    if let Some(hidden) = rows.get_mut(n_shown..) {
        hidden.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    }
    let summary = match rows.first().filter(|_| n_shown > 0) {
        Some(row) => fill(
            w.sum_map,
            &[&rows.len().to_string(), &w.month_name(month), name_of(row), &row.cell(0).text(Unit::Count)],
        ),
        None => fill(w.sum_map_none, &[&w.month_name(month)]),
    };
    Figure {
        id: "map",
        title: w.map.to_owned(),
        summary,
        chart: Chart::Map(0),
        table: Table {
            head: w.country.to_owned(),
            columns: vec![Column { title: w.visitors.to_owned(), unit: Unit::Count }],
            rows,
            n_more: 0,
        },
        notes: Vec::new(),
        rule: Rule::Map,
        is_wide: true,
    }
}

/// Shares of the regions; `None` without a number of them.
pub(crate) fn regions(cells: &Cells, month: Month, ground: &Ground) -> Option<Figure> {
    let w = ground.words;
    let (known, parts) = split(cells, RESIDENCE, month, ground);
    if known == Amount::Missing {
        return None;
    }
    let titles = residence_titles(w);
    let rows = titles
        .iter()
        .skip(1)
        .zip(parts)
        .enumerate()
        .map(|(i, (title, part))| Row { places: places(i), ..Row::new(*title, vec![part, part.of(known)]) });
    Some(Figure {
        id: "map",
        title: w.map_regions.to_owned(),
        summary: fill(w.sum_regions, &[&w.month_name(month)]),
        chart: Chart::Map(1),
        table: Table {
            head: w.region.to_owned(),
            columns: vec![
                Column { title: w.users_column.to_owned(), unit: Unit::Count },
                Column { title: w.share.to_owned(), unit: Unit::Share },
            ],
            rows: rows.collect(),
            n_more: 0,
        },
        notes: Vec::new(),
        rule: Rule::Residence,
        is_wide: true,
    })
}

/// The countries of a part: United States, Europe, Asia, elsewhere, none.
fn places(part: usize) -> Vec<String> {
    let belongs = |country: &str, continent: &str| match part {
        0 => country == "US",
        1 => continent == "EU",
        2 => continent == "AS",
        3 => !matches!(continent, "EU" | "AS") && country != "US",
        _ => false,
    };
    let rows = reference::country_continent().filter(|row| belongs(row.country, row.continent));
    rows.map(|row| row.country.to_owned()).collect()
}

fn name_of(row: &Row) -> &str {
    if let crate::document::Label::Text(text) = &row.label { text } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_country_is_in_one_region() {
        let all: Vec<_> = (0..4).flat_map(places).collect();
        assert_eq!(all.len(), reference::country_continent().count());
        assert!(places(4).is_empty());
    }
}
