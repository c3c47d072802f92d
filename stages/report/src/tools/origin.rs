//! The users of the tools by country and by kind of organisation.

use std::collections::BTreeMap;

use schema::Month;

use super::ranking::PERIOD;
use super::stats::{By, Stats};
use crate::amount::{Amount, Unit};
use crate::country::in_words;
use crate::document::{Chart, Column, Figure, Row, Table, plain};
use crate::ground::Ground;
use crate::words::Rule;

/// How many countries or organisations have a column; the others are one.
const N_COLUMNS: usize = 7;
/// What the statistics call those of whom it is not known.
const UNKNOWN: &str = "Unknown";
/// How many tools have a row.
const N_ROWS: usize = 12;

/// Both tables.
pub(super) fn figures(stats: &Stats, month: Month, ground: &Ground) -> Vec<Figure> {
    let w = ground.words;
    vec![
        figure(stats, By::Country, ("tools-countries", w.tools_countries), month, ground),
        figure(stats, By::Organisation, ("tools-organisations", w.tools_organisations), month, ground),
    ]
}

fn figure(stats: &Stats, by: By, (id, title): (&'static str, &str), month: Month, ground: &Ground) -> Figure {
    let w = ground.words;
    let mut tools: Vec<_> =
        stats.tools_of(PERIOD, month).into_iter().map(|tool| (tool, stats.tool(tool, PERIOD, month).users)).collect();
    tools.sort_by(|a, b| b.1.value().unwrap_or(0.0).total_cmp(&a.1.value().unwrap_or(0.0)).then(a.0.cmp(&b.0)));
    let names = most_frequent(&tools, |tool| stats.users_by(by, tool, PERIOD, month));
    let shown = tools.iter().filter(|tool| !ground.privacy.one(tool.1).is_hidden());
    let row = |(tool, users): &(u64, Amount)| {
        let ranks = stats.users_by(by, *tool, PERIOD, month);
        let cells = split(&ranks, &names, *users, ground)?;
        (!names.is_empty()).then(|| Row::new(stats.title(*tool), cells))
    };
    let column = |title: String| Column { title, unit: Unit::Count };
    let titles = names.iter().map(|name| column(readable(name, by)));
    Figure {
        id,
        title: title.to_owned(),
        summary: String::new(),
        chart: Chart::Plain,
        table: Table {
            head: w.tool.to_owned(),
            columns: [column(w.users_column.to_owned())]
                .into_iter()
                .chain(titles)
                .chain([column(w.others.to_owned())])
                .collect(),
            rows: shown.filter_map(row).take(N_ROWS).collect(),
            n_more: 0,
        },
        notes: Vec::new(),
        rule: Rule::Tools,
        is_wide: true,
    }
}

/// The names that most users have, over all tools.
fn most_frequent(tools: &[(u64, Amount)], ranks: impl Fn(u64) -> Vec<(String, f64)>) -> Vec<String> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (name, value) in tools.iter().flat_map(|(tool, _)| ranks(*tool)).filter(|(name, _)| name != UNKNOWN) {
        *sums.entry(name).or_default() += value;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sums.into_iter().take(N_COLUMNS).map(|(name, _)| name).collect()
}

/// The users of a tool by these names, and those of no such name. `None` where not even their number
/// could be shown beside the parts.
fn split(ranks: &[(String, f64)], names: &[String], users: Amount, ground: &Ground) -> Option<Vec<Amount>> {
    let of = |name: &String| ranks.iter().filter(|rank| rank.0 == *name).map(|rank| rank.1).sum::<f64>();
    let mut parts: Vec<_> = names.iter().map(|name| Amount::Known(of(name))).collect();
    let rest = users.value()? - parts.iter().filter_map(|part| part.value()).sum::<f64>();
    parts.push(if rest >= 0.0 { Amount::Known(rest) } else { Amount::Missing });
    let mut sum = users;
    ground.privacy.parts(&mut sum, &mut parts);
    (!sum.is_hidden()).then(|| [sum].into_iter().chain(parts).collect())
}

/// `UNITED STATES` as `United States`; organisations as they are.
fn readable(name: &str, by: By) -> String {
    let is_in_capitals = name.chars().all(|c| !c.is_lowercase());
    if by == By::Country && is_in_capitals { plain(&in_words(name)) } else { name.to_owned() }
}
