//! Rankings of the names that requests are counted by, each where enough visitors are behind it.

use super::agents::OTHER;
use super::count::{Counts, Entry, MAX_KEYS};
use super::visitor::Sample;
use crate::amount::{Amount, LEAST, Unit, number};
use crate::document::{Chart, Column, Figure, Row, Table, plain};
use crate::ground::Ground;
use crate::privacy::Privacy;
use crate::words::{Rule, fill};

/// What a ranking is called, and what its rows are.
pub(super) struct Plan {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) head: &'static str,
    /// How a name is shown.
    pub(super) shown: fn(&str) -> String,
}

/// The figure of one count.
pub(super) fn ranking(plan: &Plan, counts: &Counts, ground: &Ground) -> Figure {
    let words = ground.words;
    let entries = counts.sorted();
    let rows: Vec<_> = entries
        .iter()
        .zip(amounts(&entries, ground.privacy))
        .filter(|(_, amount)| !amount.is_hidden())
        .take(ground.top)
        .map(|(entry, amount)| {
            let name = if *entry.name == *OTHER { words.others.to_owned() } else { plain(&(plan.shown)(&entry.name)) };
            Row::new(name, vec![amount])
        })
        .collect();
    let summary =
        rows.first().zip(entries.first()).map_or_else(String::new, |(row, _)| leads(words.requests, row, ground));
    let error = number(counts.error() as f64, Unit::Count);
    let note = fill(words.traffic_error, &[&number(MAX_KEYS as f64, Unit::Count), &error]);
    Figure {
        id: plan.id,
        title: plan.title.to_owned(),
        summary,
        chart: Chart::Ranking { value: 0, trend: None },
        table: Table {
            head: plan.head.to_owned(),
            columns: vec![Column { title: words.requests.to_owned(), unit: Unit::Count }],
            n_more: entries.len().saturating_sub(rows.len()),
            rows,
        },
        notes: if counts.error() > 0 { vec![note] } else { Vec::new() },
        rule: Rule::Traffic,
        is_wide: false,
    }
}

/// The sentence about the first row.
pub(super) fn leads(title: &str, row: &Row, ground: &Ground) -> String {
    let crate::document::Label::Text(name) = &row.label else { return String::new() };
    // a rest is nobody who leads
    if [ground.words.others, ground.words.other_bots].contains(&name.as_str()) {
        return String::new();
    }
    fill(ground.words.sum_ranking, &[title, name, &row.cell(0).text(Unit::Count)])
}

/// The numbers of entries (the most first) that may be shown. What is not shown is of at least two names and five
/// visitors together, so that what is left of the sum of all says nothing about fewer.
fn amounts(entries: &[&Entry], privacy: Privacy) -> Vec<Amount> {
    let people: Vec<_> = entries.iter().map(|entry| Amount::Known(f64::from(entry.visitors.len()))).collect();
    let mut numbers: Vec<_> = entries.iter().map(|entry| Amount::Known(entry.count as f64)).collect();
    privacy.groups(&people, &mut numbers);
    let hidden =
        entries.iter().zip(&numbers).filter(|(_, number)| number.is_hidden()).map(|(entry, _)| &entry.visitors);
    let n_people = Sample::together(hidden);
    if n_people > 0
        && n_people < LEAST as usize
        && let Some(next) = numbers.iter_mut().rfind(|number| !number.is_hidden())
    {
        *next = Amount::Withheld;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::visitor::Visitor;

    /// Names with their visitors and requests of each; which are shown.
    fn shown(groups: &[(&str, u32, u32)], privacy: Privacy) -> Vec<String> {
        let mut counts = Counts::default();
        for (key, (name, visitors, requests)) in groups.iter().enumerate() {
            for visitor in 0..*visitors {
                for _ in 0..*requests {
                    counts.add(key as u64, Visitor::of(&format!("{visitor}")), || (*name).to_owned());
                }
            }
        }
        let entries = counts.sorted();
        let amounts = amounts(&entries, privacy);
        let shown = entries.iter().zip(amounts).filter(|(_, amount)| !amount.is_hidden());
        shown.map(|(entry, _)| entry.name.to_string()).collect()
    }

    #[test]
    fn fewer_than_five_visitors_are_not_shown_and_cannot_be_subtracted() {
        for (groups, expected) in [
            (&[("a", 9, 2), ("b", 5, 1)][..], &["a", "b"][..]),
            // one alone takes the next smallest with it
            (&[("a", 9, 2), ("b", 8, 1), ("c", 1, 1)], &["a"]),
            // two names of the same few visitors do so too
            (&[("a", 9, 2), ("b", 8, 1), ("c", 2, 1), ("d", 1, 1)], &["a"]),
            // many requests of few visitors are hidden too
            (&[("a", 4, 100), ("b", 8, 2), ("c", 7, 1)], &["b"]),
            (&[("a", 4, 100)], &[]),
            (&[], &[]),
        ] {
            assert_eq!(shown(groups, Privacy::Public), expected, "{groups:?}");
            assert_eq!(shown(groups, Privacy::Private).len(), groups.len());
        }
    }
}
