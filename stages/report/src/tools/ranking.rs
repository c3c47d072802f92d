//! Rankings of tools and resources, with their course over the last months.

use schema::{Month, Period};

use super::stats::{Stat, Stats};
use crate::amount::{Amount, Unit};
use crate::document::{Chart, Column, Figure, Label, Row, Table};
use crate::ground::Ground;
use crate::words::{Rule, fill};

/// How many months a course has.
const TREND: u32 = 12;
/// The period of the rankings.
pub(super) const PERIOD: Period = Period::TwelveMonths;

/// A column of a ranking: what it is called, its unit, and how it is read from the statistics.
type Reader = (&'static str, Unit, fn(&Stat) -> Amount);

/// All rankings that there are numbers for.
pub(super) fn figures(stats: &Stats, month: Month, ground: &Ground) -> Vec<Figure> {
    let w = ground.words;
    let users: Reader = (w.users_column, Unit::Count, |stat| stat.users);
    let runs: Reader = (w.sim_runs, Unit::Count, |stat| stat.runs);
    let of_usage = [
        users,
        (w.sessions, Unit::Count, |stat| stat.sessions),
        runs,
        (w.wall_time, Unit::Hours, |stat| stat.wall),
        (w.cpu_time, Unit::Hours, |stat| stat.cpu),
        (w.view_time, Unit::Hours, |stat| stat.view),
    ];
    let of_times: [Reader; 3] = [
        (w.average_wall, Unit::Minutes, |stat| stat.average_wall),
        (w.average_wait, Unit::Minutes, |stat| stat.average_wait),
        (w.average_cpu, Unit::Minutes, |stat| stat.average_cpu),
    ];
    let tools = |id, title, readers: &[Reader], trend| {
        let plan = Plan { id, title, rule: Rule::Tools, head: w.tool, is_wide: trend };
        figure(stats, plan, readers, trend, month, ground)
    };
    vec![
        tools("tools-users", w.tools_users, &of_usage, true),
        tools("tools-runs", w.tools_runs, &[runs], false),
        tools("tools-times", w.tools_times, &of_times, false),
        resources(stats, month, ground),
    ]
}

/// What a ranking is called and follows.
struct Plan {
    id: &'static str,
    title: &'static str,
    rule: Rule,
    head: &'static str,
    is_wide: bool,
}

fn figure(stats: &Stats, plan: Plan, readers: &[Reader], trend: bool, month: Month, ground: &Ground) -> Figure {
    let tools = stats.tools_of(PERIOD, month);
    let months: Vec<Month> = if trend { month.minus(TREND - 1).through(month).collect() } else { Vec::new() };
    let column = |read: &dyn Fn(u64) -> Stat, reader: &Reader| {
        let people: Vec<_> = tools.iter().map(|tool| read(*tool).users).collect();
        let mut numbers: Vec<_> = tools.iter().map(|tool| reader.2(&read(*tool))).collect();
        ground.privacy.groups(&people, &mut numbers);
        numbers
    };
    let of_period = |tool| stats.tool(tool, PERIOD, month);
    let mut columns: Vec<Vec<Amount>> = readers.iter().map(|reader| column(&of_period, reader)).collect();
    let first = readers.first();
    columns.extend(months.iter().filter_map(|month| {
        let of_month = |tool| stats.tool(tool, Period::Month, *month);
        first.map(|reader| column(&of_month, reader))
    }));
    let titles = readers.iter().map(|(title, unit, _)| Column { title: (*title).to_owned(), unit: *unit });
    let unit = first.map_or(Unit::Count, |first| first.1);
    let of_months = months.iter().map(|month| Column { title: ground.words.short(*month), unit });
    let rows = tools.iter().enumerate().map(|(i, tool)| {
        let cells = columns.iter().map(|column| column.get(i).copied().unwrap_or(Amount::Missing));
        Row::new(stats.title(*tool), cells.collect())
    });
    ranked(plan, titles.chain(of_months).collect(), rows.collect(), readers.len(), ground)
}

fn resources(stats: &Stats, month: Month, ground: &Ground) -> Figure {
    let w = ground.words;
    let plan = Plan { id: "resources", title: w.resources, rule: Rule::Resources, head: w.resource, is_wide: true };
    let months: Vec<Month> = month.minus(TREND - 1).through(month).collect();
    let ids = stats.resources_of(PERIOD, month);
    let column = |period, month| {
        let people: Vec<_> = ids.iter().map(|id| stats.resource(*id, period, month)).collect();
        let mut numbers = people.clone();
        ground.privacy.groups(&people, &mut numbers);
        numbers
    };
    let mut columns = vec![column(PERIOD, month)];
    columns.extend(months.iter().map(|month| column(Period::Month, *month)));
    let count = |title: String| Column { title, unit: Unit::Count };
    let titles =
        [count(w.users_column.to_owned())].into_iter().chain(months.iter().map(|month| count(w.short(*month))));
    let rows = ids.iter().enumerate().map(|(i, id)| {
        let cells = columns.iter().map(|column| column.get(i).copied().unwrap_or(Amount::Missing));
        Row::new(stats.title(*id), cells.collect())
    });
    ranked(plan, titles.collect(), rows.collect(), 1, ground)
}

/// The figure of a ranking: the rows by their first number, those without one by name at the end, cut
/// after the first few. `n_values` columns are numbers of the period, what follows is the course.
fn ranked(plan: Plan, columns: Vec<Column>, mut rows: Vec<Row>, n_values: usize, ground: &Ground) -> Figure {
    // the order of those that are hidden must not say what their numbers do not
    let value = |row: &Row| row.cell(0).value().unwrap_or(-1.0);
    rows.sort_by(|a, b| value(b).total_cmp(&value(a)).then_with(|| name(a).cmp(name(b))));
    rows.retain(|row| {
        row.cells.iter().take(n_values).any(|cell| cell.is_hidden() || cell.value().unwrap_or(0.0) > 0.0)
    });
    let n_more = rows.len().saturating_sub(ground.top);
    rows.truncate(ground.top);
    let trend = n_values..columns.len();
    // one month alone is not a trend
    let has_numbers = |column: &usize| rows.iter().any(|row| row.cell(*column).value().is_some());
    let has_trend = trend.clone().filter(has_numbers).count() > 1;
    let unit = columns.first().map_or(Unit::Count, |column| column.unit);
    let summary = match rows.first().filter(|row| row.cell(0).value().is_some()) {
        Some(row) => {
            let title = columns.first().map_or("", |column| &column.title);
            fill(ground.words.sum_ranking, &[title, name(row), &row.cell(0).text(unit)])
        }
        None => String::new(),
    };
    Figure {
        id: plan.id,
        title: plan.title.to_owned(),
        summary,
        chart: Chart::Ranking { value: 0, trend: has_trend.then_some(trend) },
        table: Table { head: plan.head.to_owned(), columns, rows, n_more },
        notes: Vec::new(),
        rule: plan.rule,
        is_wide: plan.is_wide,
    }
}

fn name(row: &Row) -> &str {
    if let Label::Text(text) = &row.label { text } else { "" }
}
