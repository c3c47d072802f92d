//! The headline figures: the month, with its change against the month and the year before.

use schema::{Month, Period};

use super::cells::{Cells, Summary};
use crate::amount::{Amount, Unit, change};
use crate::document::{Card, Column, Row, Table};
use crate::ground::Ground;
use crate::words::{Rule, fill};

/// How many months the small course in a card has.
const TREND: u32 = 13;

/// The numbers of a list of months: whoever looks for a month looks for these first.
pub(crate) fn overview(cells: &Cells, months: &[Month], ground: &Ground) -> Table {
    let w = ground.words;
    let (user, sim, misc) = (Summary::Users, Summary::Simulation, Summary::Misc);
    let shown = [
        (w.card_users_year, (user, 1, 1), Period::TwelveMonths),
        (w.card_users, (user, 1, 1), Period::Month),
        (w.card_visits, (misc, 5, 1), Period::Month),
        (w.card_sim_users, (sim, 1, 1), Period::Month),
        (w.card_sim_runs, (sim, 2, 1), Period::Month),
    ];
    let row = |month: &Month| {
        let of_month = shown.iter().map(|(_, place, period)| cells.get(*place, *period, *month)).collect();
        Row::of_month(*month, ground.state(*month), of_month)
    };
    let columns = shown.iter().map(|(title, ..)| Column { title: (*title).to_owned(), unit: Unit::Count });
    Table { head: w.month.to_owned(), columns: columns.collect(), rows: months.iter().map(row).collect(), n_more: 0 }
}

/// The cards of a month; none where there are no cells of it.
pub(crate) fn cards(cells: &Cells, month: Month, ground: &Ground) -> Vec<Card> {
    let w = ground.words;
    let (year, one) = (Period::TwelveMonths, Period::Month);
    let (user, sim, misc) = (Summary::Users, Summary::Simulation, Summary::Misc);
    [
        (w.card_users_year, (user, 1, 1), year, Unit::Count, Rule::Users),
        (w.card_users, (user, 1, 1), one, Unit::Count, Rule::Users),
        (w.card_visits, (misc, 5, 1), one, Unit::Count, Rule::Visits),
        (w.card_visitors, (misc, 4, 1), one, Unit::Count, Rule::Visits),
        (w.card_downloads, (user, 4, 1), one, Unit::Count, Rule::Downloads),
        (w.card_registrations, (misc, 6, 1), one, Unit::Count, Rule::Registrations),
        (w.card_sim_users, (sim, 1, 1), one, Unit::Count, Rule::Simulation),
        (w.card_sim_runs, (sim, 2, 1), one, Unit::Count, Rule::Simulation),
        (w.card_cpu, (sim, 3, 1), one, Unit::Hours, Rule::Simulation),
        (w.card_wall, (sim, 4, 1), one, Unit::Hours, Rule::Simulation),
        (w.card_view, (sim, 5, 1), one, Unit::Hours, Rule::Simulation),
        (w.card_hits, (misc, 8, 1), one, Unit::Count, Rule::Visits),
    ]
    .into_iter()
    .filter_map(|(label, place, period, unit, rule)| {
        let get = |month| cells.get(place, period, month);
        let amount = get(month);
        let (before, last_year) = (month.previous(), month.minus(12));
        // a number of fewer months than the other is not compared with it
        let is_fair = |before| period != year || [month, before].iter().all(|m| cells.beginning(*m).is_none());
        let against = |text, before: Month| {
            (fill(text, &[&w.short(before)]), change(amount, get(before)).filter(|_| is_fair(before)))
        };
        (amount != Amount::Missing).then(|| Card {
            label: label.to_owned(),
            amount,
            unit,
            changes: vec![against(w.against_month, before), against(w.against_year, last_year)],
            trend: month.minus(TREND - 1).through(month).map(get).skip_while(|a| *a == Amount::Missing).collect(),
            rule,
        })
    })
    .collect()
}
