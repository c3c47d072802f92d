//! Figures over the months: users, visits, downloads, simulation, registrations.

use schema::{Month, Period};

use super::cells::{Cells, Summary};
use crate::amount::{Amount, Unit};
use crate::document::{Chart, Column, Figure, Label, Row};
use crate::ground::Ground;
use crate::words::{Rule, Words, fill};

/// Where a cell is: table, row, column.
type Place = (Summary, u8, u8);

/// What a figure over the months is made of.
struct Plan {
    id: &'static str,
    title: &'static str,
    rule: Rule,
    period: Period,
    columns: Vec<(&'static str, Unit, Place)>,
    chart: Chart,
    is_wide: bool,
}

/// The figures of these months.
pub(crate) fn figures(cells: &Cells, months: &[Month], ground: &Ground) -> Vec<Figure> {
    let plans = users(ground.words).into_iter().chain(others(ground.words));
    plans.map(|plan| figure(plan, cells, months, ground)).collect()
}

fn users(w: &Words) -> Vec<Plan> {
    let count = |title, row| (title, Unit::Count, (Summary::Users, row, 1));
    let kinds = vec![count(w.all_users, 1), count(w.logged_in, 6), count(w.interactive, 7), count(w.downloaders, 8)];
    let plan = |id, title, period, chart| Plan {
        id,
        title,
        rule: Rule::Users,
        period,
        columns: kinds.clone(),
        chart,
        is_wide: false,
    };
    vec![
        plan("users-year", w.users_year, Period::TwelveMonths, Chart::Lines(vec![0, 1, 2, 3])),
        plan("users", w.users_month, Period::Month, Chart::Columns(vec![1, 2, 3])),
    ]
}

fn others(w: &Words) -> Vec<Plan> {
    let count = |title, table, row| (title, Unit::Count, (table, row, 1));
    let hours = |title, row| (title, Unit::Hours, (Summary::Simulation, row, 1));
    let sim = |title, row| count(title, Summary::Simulation, row);
    let misc = |title, row| count(title, Summary::Misc, row);
    let plan = |id, title, rule, columns, chart| Plan {
        id,
        title,
        rule,
        period: Period::Month,
        columns,
        chart,
        is_wide: false,
    };
    let wide = |plan: Plan| Plan { is_wide: true, ..plan };
    let of_visits = vec![misc(w.visits_column, 5), misc(w.long_visits, 2)];
    let of_downloads = vec![count(w.all_downloaders, Summary::Users, 4)];
    let of_audience = vec![misc(w.visitors, 4), misc(w.domains, 1), misc(w.hits, 8)];
    let of_simulation = vec![
        sim(w.sim_users, 1),
        sim(w.sim_runs, 2),
        hours(w.cpu_time, 3),
        hours(w.wall_time, 4),
        hours(w.view_time, 5),
    ];
    let of_staying = vec![sim(w.sim_users, 1), sim(w.heavy, 6), sim(w.ten_runs, 9), sim(w.came_back, 10)];
    vec![
        plan("visits", w.visits, Rule::Visits, of_visits, Chart::Lines(vec![0, 1])),
        plan("downloads", w.downloads, Rule::Downloads, of_downloads, Chart::Columns(vec![0])),
        wide(plan("audience", w.audience, Rule::Visits, of_audience, Chart::Multiples(vec![0, 1, 2]))),
        wide(plan("simulation", w.simulation, Rule::Simulation, of_simulation, Chart::Multiples((0..5).collect()))),
        Plan {
            period: Period::TwelveMonths,
            ..plan("returning", w.returning, Rule::Simulation, of_staying, Chart::Lines(vec![0, 1, 2, 3]))
        },
        plan(
            "registrations",
            w.registrations,
            Rule::Registrations,
            vec![misc(w.registrations_column, 6)],
            Chart::Columns(vec![0]),
        ),
    ]
}

fn figure(plan: Plan, cells: &Cells, months: &[Month], ground: &Ground) -> Figure {
    let columns = plan.columns.iter().map(|(title, unit, _)| Column { title: (*title).to_owned(), unit: *unit });
    let row = |month: &Month| {
        let cells = plan.columns.iter().map(|(_, _, place)| cells.get(*place, plan.period, *month)).collect();
        Row::of_month(*month, ground.state(*month), cells)
    };
    let table = crate::document::Table {
        head: ground.words.month.to_owned(),
        columns: columns.collect(),
        rows: months.iter().map(row).collect(),
        n_more: 0,
    };
    let summary = summary(&table, &plan.chart, ground.words);
    Figure {
        id: plan.id,
        title: plan.title.to_owned(),
        summary,
        notes: notes(cells, plan.period, months, ground),
        chart: plan.chart,
        table,
        rule: plan.rule,
        is_wide: plan.is_wide,
    }
}

/// The last value of each column that is drawn, and when the first of them was highest.
pub(crate) fn summary(table: &crate::document::Table, chart: &Chart, words: &Words) -> String {
    let (Chart::Columns(drawn) | Chart::Lines(drawn) | Chart::Shares(drawn) | Chart::Multiples(drawn)) = chart else {
        return String::new();
    };
    let first = if drawn.first() == Some(&1) { 0 } else { drawn.first().copied().unwrap_or(0) };
    let mut sentences = Vec::new();
    let whole = table.rows.iter().filter(|row| !row.is_incomplete());
    let most = whole.filter_map(|row| Some((row, row.cell(first).value()?))).max_by(|a, b| a.1.total_cmp(&b.1));
    let last = table.last();
    let is_record = last.zip(most).is_some_and(|(last, most)| last.label == most.0.label);
    if let Some((row, Label::Month(month))) = last.map(|row| (row, &row.label)) {
        let text = row.cell(first).text(table.unit(first));
        let sentence = if is_record { words.sum_record } else { words.sum_last };
        sentences.push(fill(sentence, &[table.title(first), &text, &words.month_name(*month)]));
    }
    if let Some((row, _)) = most.filter(|_| !is_record)
        && let Label::Month(month) = row.label
    {
        let text = row.cell(first).text(table.unit(first));
        sentences.push(fill(words.sum_most, &[&words.month_name(month), &text]));
    }
    sentences.join(" ")
}

/// What has to be said of months: those that are not whole, and twelve months that are fewer.
pub(crate) fn notes(cells: &Cells, period: Period, months: &[Month], ground: &Ground) -> Vec<String> {
    let is_year = period == Period::TwelveMonths;
    let young = months.iter().rev().find_map(|month| Some((*month, cells.beginning(*month)?))).filter(|_| is_year);
    let w = ground.words;
    let of_young = young.map(|(last, first)| fill(w.young_note, &[&w.month_name(first), &w.month_name(last)]));
    incomplete(months, ground).into_iter().chain(of_young).collect()
}

/// The note that names the months that are hatched.
fn incomplete(months: &[Month], ground: &Ground) -> Vec<String> {
    let names: Vec<_> = months
        .iter()
        .filter(|month| ground.state(**month) == crate::document::State::Incomplete)
        .map(|month| ground.words.month_name(*month))
        .collect();
    if names.is_empty() { Vec::new() } else { vec![fill(ground.words.incomplete_note, &[&names.join(", ")])] }
}

/// A number that may be absent, for sums of parts.
pub(crate) fn minus(whole: Amount, parts: &[Amount]) -> Amount {
    let Some(whole) = whole.value() else { return whole };
    let rest = parts.iter().try_fold(whole, |rest, part| part.value().map(|part| rest - part));
    rest.filter(|rest| *rest >= 0.0).map_or(Amount::Missing, Amount::Known)
}
