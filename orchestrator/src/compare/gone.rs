//! Months whose rows `hzmetrics prune` removed in one of two databases: there is nothing to compare them with.

use anyhow::Result;
use database::pruned::Pruned;
use database::{Db, Which};
use schema::Month;

use super::rows::Stretch;

/// What is gone on both sides.
#[derive(Debug, Clone, Default)]
pub(super) struct Gone {
    here: Pruned,
    there: Pruned,
}

impl Gone {
    /// What the databases say; nothing of a hub's database.
    ///
    /// # Errors
    /// A server fails.
    pub(super) fn read(here: &mut Db, there: &mut Db) -> Result<Self> {
        if here.which() != Which::Metrics {
            return Ok(Self::default());
        }
        Ok(Self { here: Pruned::read(here)?, there: Pruned::read(there)? })
    }

    /// The last month of which one side lacks rows of a table.
    pub(super) fn of(&self, table: &str) -> Option<Month> {
        let last = |side: &Pruned| Some(side.of_table(table)?.rows);
        last(&self.here).max(last(&self.there))
    }
}

/// Takes the months through `last` out of what is read. Rows of a month's day zero went with the month before.
pub(super) fn leave_out(last: Month, stretches: &mut Vec<Stretch>) {
    let begin = Some(last.next().start().to_string());
    stretches.retain(|stretch| stretch.to.is_none() || stretch.to > begin);
    for stretch in stretches {
        stretch.from = stretch.from.take().max(begin.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_later_months_are_read() {
        let month = |text: &str| text.parse::<Month>().unwrap();
        let mut list: Vec<_> = ["2024-05", "2024-06", "2024-07", "2024-08"].map(month).map(Stretch::month).into();
        list.insert(0, Stretch { from: None, to: list[0].from.clone() });
        list.push(Stretch { from: list[4].to.clone(), to: None });
        leave_out(month("2024-06"), &mut list);
        let conditions: Vec<_> = list.iter().map(|stretch| stretch.condition("at")).collect();
        assert_eq!(
            conditions,
            [
                " WHERE t.at >= '2024-07-01 00:00:00' AND t.at < '2024-08-00 00:00:00'",
                " WHERE t.at >= '2024-08-00 00:00:00' AND t.at < '2024-09-00 00:00:00'",
                " WHERE t.at >= '2024-09-00 00:00:00'",
            ]
        );
        // a table of which nothing is left
        let mut all = vec![Stretch::default(), Stretch { from: None, to: Some("2024-05-00 00:00:00".to_owned()) }];
        leave_out(month("2024-06"), &mut all);
        assert_eq!(all, [Stretch { from: Some("2024-07-01 00:00:00".to_owned()), to: None }]);
    }
}
