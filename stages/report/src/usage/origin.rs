//! Where users live and work: shares of those of whom it is known, over the months.

use schema::{Month, Period};

use super::cells::{Cells, Summary};
use super::growth::{minus, notes};
use crate::amount::{Amount, Unit};
use crate::document::{Chart, Column, Figure, Label, Row};
use crate::ground::Ground;
use crate::words::{Rule, Words, fill};

/// Columns of the row of all users: the one of those who are known, then its parts.
pub(crate) const RESIDENCE: (u8, [u8; 4]) = (2, [3, 5, 4, 6]);
const WORK: (u8, [u8; 4]) = (7, [8, 9, 10, 11]);

/// The anchors of the figures.
pub(crate) const RESIDENCE_ID: &str = "residence";
pub(crate) const WORK_ID: &str = "work";

/// Both figures.
pub(crate) fn figures(cells: &Cells, months: &[Month], ground: &Ground) -> Vec<Figure> {
    let w = ground.words;
    vec![
        figure(RESIDENCE_ID, w.residence, Rule::Residence, RESIDENCE, residence_titles(w), cells, months, ground),
        figure(
            WORK_ID,
            w.work,
            Rule::Work,
            WORK,
            [w.work_known, w.education, w.industry, w.government, w.other_work, w.no_class],
            cells,
            months,
            ground,
        ),
    ]
}

/// Known, and the parts of it.
pub(crate) const fn residence_titles(w: &Words) -> [&'static str; 6] {
    [w.residence_known, w.united_states, w.europe, w.asia, w.elsewhere, w.no_continent]
}

/// Those who are known and the parts of it with what is in none, as they may be shown.
pub(crate) fn split(
    cells: &Cells,
    (known, parts): (u8, [u8; 4]),
    month: Month,
    ground: &Ground,
) -> (Amount, [Amount; 5]) {
    let get = |column| cells.get((Summary::Users, 1, column), Period::TwelveMonths, month);
    let [a, b, c, d] = parts.map(get);
    let mut known = get(known);
    let mut parts = [a, b, c, d, minus(known, &[a, b, c, d])];
    // users in none of the four kinds are a part of their own, if there are any
    let n = if parts.last() == Some(&Amount::Known(0.0)) { 4 } else { 5 };
    ground.privacy.parts(&mut known, parts.get_mut(..n).unwrap_or_default());
    (known, parts)
}

#[expect(clippy::too_many_arguments, reason = "two calls, side by side")]
fn figure(
    id: &'static str,
    title: &str,
    rule: Rule,
    columns: (u8, [u8; 4]),
    titles: [&'static str; 6],
    cells: &Cells,
    months: &[Month],
    ground: &Ground,
) -> Figure {
    let count = |title: &str| Column { title: title.to_owned(), unit: Unit::Count };
    let share =
        |title: &&str| Column { title: format!("{title}, {}", ground.words.share.to_lowercase()), unit: Unit::Share };
    let row = |month: &Month| {
        let (known, parts) = split(cells, columns, *month, ground);
        let shares = parts.map(|part| part.of(known));
        let cells = [known].into_iter().chain(parts).chain(shares).collect();
        Row::of_month(*month, ground.state(*month), cells)
    };
    let table = crate::document::Table {
        head: ground.words.month.to_owned(),
        columns: titles.iter().map(|title| count(title)).chain(titles.iter().skip(1).map(share)).collect(),
        rows: months.iter().map(row).collect(),
        n_more: 0,
    };
    let summary = summary(&table, &titles, ground.words);
    let has_gaps = table.rows.iter().any(|row| (6..11).any(|share| row.cell(share).is_hidden()));
    let gaps = has_gaps.then(|| ground.words.shares_note.to_owned());
    Figure {
        id,
        title: title.to_owned(),
        summary,
        chart: Chart::Shares((6..11).collect()),
        table,
        notes: gaps.into_iter().chain(notes(cells, Period::TwelveMonths, months, ground)).collect(),
        rule,
        is_wide: false,
    }
}

/// Which part is the largest in the last whole month.
fn summary(table: &crate::document::Table, titles: &[&str; 6], words: &Words) -> String {
    let Some(row) = table.last() else { return String::new() };
    let Label::Month(month) = row.label else { return String::new() };
    let parts = (6..11).filter_map(|column| Some((column, row.cell(column).value()?)));
    let Some((column, _)) = parts.max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return fill(words.sum_shares_hidden, &[&words.month_name(month)]);
    };
    let title = titles.get(column - 5).copied().unwrap_or_default();
    fill(words.sum_shares, &[&words.month_name(month), title, &row.cell(column).text(Unit::Share)])
}
