//! Two sorted streams of rows against each other. Rows of one key are compared as sets, so their order does not
//! matter, and what remains of a key on both sides is a changed row.

use std::cmp::Ordering;

use anyhow::Result;

/// A row: first the values of its key, then the others. NULL is `None`.
pub(super) type Row = Vec<Option<Vec<u8>>>;

/// How many rows of one key without a partner are held.
const HELD: usize = 1000;

/// What is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Difference {
    OnlyHere(Row),
    OnlyThere(Row),
    /// The key is the same: here, there.
    Changed(Row, Row),
}

/// How many rows were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) here: u64,
    pub(super) there: u64,
}

/// Rows without a partner, all of one key.
#[derive(Default)]
struct Group {
    here: Vec<Row>,
    there: Vec<Row>,
}

impl Group {
    fn key(&self, n_key: usize) -> Option<&[Option<Vec<u8>>]> {
        self.here.first().or_else(|| self.there.first()).map(|row| key(row, n_key))
    }

    fn end(&mut self, found: &mut impl FnMut(Difference)) {
        let mut there = self.there.drain(..);
        for here in self.here.drain(..) {
            found(match there.next() {
                Some(there) => Difference::Changed(here, there),
                None => Difference::OnlyHere(here),
            });
        }
        there.map(Difference::OnlyThere).for_each(found);
    }

    /// The side for one more row of the key of `row`.
    fn of(&mut self, row: &Row, n_key: usize, found: &mut impl FnMut(Difference)) -> &mut Self {
        let is_other = self.key(n_key).is_some_and(|known| known != key(row, n_key));
        if is_other || self.here.len() + self.there.len() >= HELD {
            self.end(found);
        }
        self
    }
}

fn key(row: &Row, n_key: usize) -> &[Option<Vec<u8>>] {
    row.get(..n_key).unwrap_or(row)
}

/// Compares two streams that are sorted by all values; the first `n_key` values of a row are its key.
///
/// # Errors
/// Those of the streams.
pub(super) fn merge(
    mut here: impl Iterator<Item = Result<Row>>,
    mut there: impl Iterator<Item = Result<Row>>,
    n_key: usize,
    mut found: impl FnMut(Difference),
) -> Result<Counts> {
    let (mut counts, mut group) = (Counts::default(), Group::default());
    let (mut left, mut right) = (here.next().transpose()?, there.next().transpose()?);
    loop {
        let order = match (&left, &right) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.cmp(right),
        };
        if order.is_le() {
            let row = std::mem::replace(&mut left, here.next().transpose()?);
            counts.here += 1;
            if let Some(row) = row.filter(|_| order.is_lt()) {
                group.of(&row, n_key, &mut found).here.push(row);
            }
        }
        if order.is_ge() {
            let row = std::mem::replace(&mut right, there.next().transpose()?);
            counts.there += 1;
            if let Some(row) = row.filter(|_| order.is_gt()) {
                group.of(&row, n_key, &mut found).there.push(row);
            }
        }
    }
    group.end(&mut found);
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        let mut rows: Vec<Row> = text
            .split_whitespace()
            .map(|row| row.split(',').map(|cell| (cell != "-").then(|| cell.as_bytes().to_vec())).collect())
            .collect();
        rows.sort();
        rows
    }

    fn compared(here: &str, there: &str) -> (Counts, Vec<Difference>) {
        let mut found = Vec::new();
        let stream = |text| rows(text).into_iter().map(Ok);
        let counts = merge(stream(here), stream(there), 1, |difference| found.push(difference)).unwrap();
        (counts, found)
    }

    fn row(text: &str) -> Row {
        rows(text).remove(0)
    }

    #[test]
    fn rows_of_one_key_are_sets() {
        let (counts, found) = compared("a,1 a,2 a,2 b,-", "b,- a,2 a,1 a,2");
        assert_eq!((counts, found), (Counts { here: 4, there: 4 }, vec![]));
        // one of two equal rows is missing
        let (_, found) = compared("a,1 a,2 a,2", "a,2 a,1");
        assert_eq!(found, [Difference::OnlyHere(row("a,2"))]);
    }

    #[test]
    fn a_changed_row_finds_its_partner_among_equal_ones() {
        let (_, found) = compared("a,1 a,3 a,4 b,1", "a,1 a,4 a,5 c,1");
        let expected = [
            Difference::Changed(row("a,3"), row("a,5")),
            Difference::OnlyHere(row("b,1")),
            Difference::OnlyThere(row("c,1")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn null_is_not_empty_text() {
        let (_, found) = compared("a,-", "a,0");
        assert_eq!(found, [Difference::Changed(row("a,-"), row("a,0"))]);
    }

    #[test]
    fn an_empty_side_and_very_many_rows_of_one_key_are_counted() {
        let many: String = (0..2500).map(|n| format!("a,{n} ")).collect();
        let (counts, found) = compared(&many, "");
        assert_eq!((counts.here, counts.there, found.len()), (2500, 0, 2500));
        assert!(found.iter().all(|one| matches!(one, Difference::OnlyHere(_))));
        assert_eq!(compared("", &many).1.len(), 2500);
    }

    #[test]
    fn an_error_of_a_stream_ends_it() {
        let failing = vec![Ok(row("a,1")), Err(anyhow::anyhow!("lost"))].into_iter();
        assert!(merge(failing, rows("a,1").into_iter().map(Ok), 1, |_| ()).is_err());
    }
}
