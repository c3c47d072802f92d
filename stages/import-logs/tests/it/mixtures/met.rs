//! How often the mixtures had each layout, prefix, rotation and packing.

use std::collections::BTreeMap;

use super::lines::{LAYOUTS, PREFIXES};
use super::packing::Packing;
use super::world::{Habit, Log};

/// So many logs have everything.
const MANY: u32 = 500;

/// Counts of what was met, in groups, with what was not met yet.
pub(super) struct Met {
    n_logs: u32,
    groups: BTreeMap<&'static str, BTreeMap<String, u32>>,
}

impl Met {
    pub(super) fn new() -> Self {
        let mut met = Self { n_logs: 0, groups: BTreeMap::new() };
        let none = |names: Vec<String>| names.into_iter().map(|name| (name, 0)).collect();
        met.groups.insert("layouts", none(LAYOUTS.iter().map(|layout| layout.name.to_owned()).collect()));
        met.groups.insert("prefixes", none(PREFIXES.iter().map(|prefix| named(prefix)).collect()));
        met.groups.insert("rotations", none(Habit::ALL.iter().map(|habit| format!("{habit:?}")).collect()));
        met.groups.insert("packings", none(Packing::ALL.iter().map(|packing| format!("{packing:?}")).collect()));
        met
    }

    /// Counts what the life of a log had.
    pub(super) fn add(&mut self, log: &Log<'_>) {
        self.n_logs += 1;
        let of_log = [
            ("layouts", log.has_requests().then(|| log.layout().name.to_owned())),
            ("prefixes", log.prefix().filter(|_| log.has_requests()).map(named)),
            ("rotations", log.habit().map(|habit| format!("{habit:?}"))),
            ("packings", log.packing().map(|packing| format!("{packing:?}"))),
        ];
        for (group, name) in of_log {
            if let Some(name) = name {
                *self.groups.entry(group).or_default().entry(name).or_default() += 1;
            }
        }
    }

    /// Prints the counts.
    ///
    /// # Panics
    /// Something was never met among many logs.
    pub(super) fn say(&self, of: &str) {
        for (group, names) in &self.groups {
            let all: Vec<_> = names.iter().map(|(name, n)| format!("{name} {n}")).collect();
            fixtures::say(&format!("{of}, {} logs, {group}: {}", self.n_logs, all.join(", ")));
            let never: Vec<_> = names.iter().filter(|(_, n)| **n == 0).map(|(name, _)| name).collect();
            assert!(self.n_logs < MANY || never.is_empty(), "never met among {} logs: {never:?}", self.n_logs);
        }
    }
}

fn named(prefix: &str) -> String {
    if prefix.is_empty() { "none".to_owned() } else { prefix.to_owned() }
}
