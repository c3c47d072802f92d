//! The lists over all tools: by users, runs, wall time, CPU time, interaction time.

use std::collections::{HashMap, HashSet};

use schema::{Month, Period, number, text};

use crate::rows::{Resource, Rows};
use crate::stats::{self, Stat, ToolStat};

/// One place in a list over all tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) top: u8,
    pub(crate) period: Period,
    pub(crate) rank: i64,
    pub(crate) name: String,
    pub(crate) value: i64,
}

/// Takes a number from statistics.
pub(crate) type Column = fn(&Stat) -> f64;

const LISTS: [(u8, &str, Column); 5] = [
    (2, "Total Simulation Users", |s| s.users as f64),
    (5, "Total Simulation Runs", |s| s.jobs as f64),
    (6, "Total Simulation Wall Time", |s| s.tot_wall),
    (7, "Total Simulation CPU Time", |s| s.tot_cpu),
    (8, "Total Simulation Interaction Time", |s| s.tot_view),
];

/// The five lists for the six periods of a month, from its statistics rows. `raw`: halves are
/// rounded to the even neighbour, as when the server gets the number itself; otherwise away from
/// zero, as when it gets its text.
pub(crate) fn compute(tables: &Rows, rows: &[ToolStat], month: Month, raw: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (top, total_name, column) in LISTS {
        for (window, period) in stats::PERIODS.into_iter().enumerate() {
            let of_window: Vec<_> = rows.iter().filter(|r| r.period == period).collect();
            let total = if top == 2 {
                simulation_users(tables, month, window)
            } else {
                integer(of_window.iter().map(|r| column(&r.stat)).sum(), raw)
            };
            entries.push(Entry { top, period, rank: 0, name: total_name.to_owned(), value: total });
            for (rank, (row, resource)) in (1_i64..).zip(ranked(tables, rows, period, column)) {
                let name = format!("{} ~ {}", resource.id, resource.title);
                let name = text::cut_chars(&name, 255).to_owned();
                entries.push(Entry {
                    top,
                    period,
                    rank: rank.min(i16::MAX.into()),
                    name,
                    value: integer(column(&row.stat), raw),
                });
            }
        }
    }
    entries
}

/// The column that a list orders tools by.
pub(crate) fn column_of(top: u8) -> Option<Column> {
    LISTS.iter().find(|(known, ..)| *known == top).map(|(.., column)| *column)
}

/// The tools of a list in its order, with their statistics.
pub(crate) fn ranked<'a>(
    tables: &'a Rows,
    rows: &'a [ToolStat],
    period: Period,
    column: Column,
) -> Vec<(&'a ToolStat, &'a Resource)> {
    // the first resource with a number counts
    let by_id: HashMap<_, _> = tables.resources.iter().filter(|r| r.published).rev().map(|r| (r.id, r)).collect();
    let of_period = rows.iter().filter(|row| row.period == period);
    let mut ranked: Vec<_> = of_period.filter_map(|row| by_id.get(&row.resid).map(|r| (row, *r))).collect();
    ranked.sort_by(|(a, _), (b, _)| column(&b.stat).total_cmp(&column(&a.stat)).then(a.id.cmp(&b.id)));
    ranked
}

/// A number as a list stores it.
pub(crate) fn integer(value: f64, raw: bool) -> i64 {
    if raw { value.round_ties_even() as i64 } else { number::integer_of(&number::shortest(value)) }
}

fn simulation_users(tables: &Rows, month: Month, window: usize) -> i64 {
    let inside = tables.tool_sessions.iter().filter(|s| stats::windows(month, s.start).any(|w| w == window));
    let users: HashSet<_> = inside.map(|s| tables.texts.group(s.user)).collect();
    users.len() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_totals_ranks_ties_and_long_titles() {
        let mut t = Rows::default();
        for (id, title, published) in
            [(5, "five".to_owned(), true), (6, "x".repeat(300), true), (7, "hidden".to_owned(), false)]
        {
            t.resources.push(Resource { id, title, kind: 7, alias: format!("t{id}"), published, standalone: false });
        }
        let stat = |id, resid, tot_wall| ToolStat {
            id,
            resid,
            period: Period::Month,
            stat: Stat { users: 1, tot_wall, ..Stat::default() },
        };
        let rows = [stat(1, 6, 0.5), stat(2, 5, 0.5), stat(3, 7, 10.25), stat(4, 99, 1.0)];
        let entries = compute(&t, &rows, "2025-07".parse().unwrap(), false);
        let wall = |entries: &[Entry]| -> Vec<_> {
            let month = entries.iter().filter(|e| e.top == 6 && e.period == Period::Month);
            month.map(|e| (e.rank, e.name.len(), e.value)).collect()
        };
        // the sum includes hidden and deleted tools, the ranks only published ones; ties are
        // ordered by row id
        assert_eq!(wall(&entries), [(0, 26, 12), (1, 255, 1), (2, 8, 1)]);
        let port = compute(&t, &rows, "2025-07".parse().unwrap(), true);
        assert_eq!(wall(&port), [(0, 26, 12), (1, 255, 0), (2, 8, 0)], "halves to the even neighbour");
        assert_eq!(
            entries.iter().filter(|e| e.period == Period::Year).map(|e| (e.rank, e.value)).collect::<Vec<_>>(),
            [(0, 0); 5]
        );
    }
}
