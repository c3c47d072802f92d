//! Counts distinct keys in every period of every month at once.
//!
//! A key counts in a period if and only if the latest time it was seen before the period's stop is
//! after the period's start. For one key, between two months in which something new becomes
//! visible, that is a rectangle: these months, times the starts below the key's level. Rectangles
//! are added to a difference table in constant time, so the cost of a key depends only on how often
//! it changes, not on the number of months.

use std::ops::{AddAssign, Range, SubAssign};

use crate::axis::{Axis, Visibility, Window};

/// A number type for counting.
pub(crate) trait Number: Copy + Default + AddAssign + SubAssign {}
impl<T: Copy + Default + AddAssign + SubAssign> Number for T {}

/// One count per dimension, month and period start.
#[derive(Debug, Clone)]
pub(crate) struct Counts<T> {
    n_rows: usize,
    n_cols: usize,
    cells: Vec<T>,
}

impl<T: Number> Counts<T> {
    /// Zeros for `n_dims` kinds of keys.
    pub(crate) fn new(axis: &Axis, n_dims: usize) -> Self {
        let (n_rows, n_cols) = (usize::from(axis.n_rows()) + 1, axis.n_bounds() + 1);
        Self { n_rows, n_cols, cells: vec![T::default(); n_dims * n_rows * n_cols] }
    }

    fn at(&self, dim: usize, row: u16, col: u16) -> usize {
        (dim * self.n_rows + usize::from(row)) * self.n_cols + usize::from(col)
    }

    /// Adds `n` to the months `rows` and the period starts `starts`.
    pub(crate) fn add(&mut self, dim: usize, rows: Range<u16>, starts: Range<u16>, n: T) {
        if rows.is_empty() || starts.is_empty() {
            return;
        }
        for (row, col, plus) in [
            (rows.start, starts.start, true),
            (rows.end, starts.end, true),
            (rows.start, starts.end, false),
            (rows.end, starts.start, false),
        ] {
            let at = self.at(dim, row, col);
            if plus {
                self.cells[at] += n;
            } else {
                self.cells[at] -= n;
            }
        }
    }

    /// Counts one key of `dim` that was seen at `seen`, in every period where it was seen and not
    /// barred. Both slices are in ascending order of rows.
    pub(crate) fn key(&mut self, dim: usize, seen: &[Visibility], barred: &[Visibility], n: T) {
        let last = u16::try_from(self.n_rows - 1).unwrap_or(u16::MAX);
        let (mut i, mut j) = (0, 0);
        let (mut row, mut level, mut bar) = (0, 0, 0);
        while i < seen.len() {
            let next = seen[i].row.min(barred.get(j).map_or(u16::MAX, |s| s.row));
            self.add(dim, row..next.min(last), bar..level, n);
            row = next;
            while let Some(s) = seen.get(i).filter(|s| s.row == row) {
                level = level.max(s.level);
                i += 1;
            }
            while let Some(s) = barred.get(j).filter(|s| s.row == row) {
                bar = bar.max(s.level);
                j += 1;
            }
        }
        for s in &barred[j..] {
            self.add(dim, row..s.row.min(last), bar..level, n);
            row = s.row;
            bar = bar.max(s.level);
        }
        self.add(dim, row..last, bar..level, n);
    }

    /// Adds another table of the same shape.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (a, b) in self.cells.iter_mut().zip(&other.cells) {
            *a += *b;
        }
    }

    /// Turns differences into counts; call it once, after the last key.
    pub(crate) fn settle(mut self) -> Self {
        let n_cols = self.n_cols;
        for row in self.cells.chunks_exact_mut(n_cols) {
            for i in 1..n_cols {
                let left = row[i - 1];
                row[i] += left;
            }
        }
        for dim in self.cells.chunks_exact_mut(n_cols * self.n_rows) {
            for i in n_cols..dim.len() {
                let above = dim[i - n_cols];
                dim[i] += above;
            }
        }
        self
    }

    /// The final count of a period: the month with index `row`, the start with index `start`.
    pub(crate) fn get(&self, dim: usize, row: usize, start: u16) -> T {
        self.cells[(dim * self.n_rows + row) * self.n_cols + usize::from(start)]
    }
}

/// Sums of integers by position on the axis; any period is a sum of them.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    inside: Vec<i128>,
    at_bound: Vec<i128>,
}

impl Tally {
    /// Zeros.
    pub(crate) fn new(axis: &Axis) -> Self {
        Self { inside: vec![0; axis.n_bounds()], at_bound: vec![0; axis.n_bounds()] }
    }

    /// Adds `n` at a position.
    pub(crate) fn add(&mut self, moment: crate::axis::Moment, n: i64) {
        let list = if moment.at_bound { &mut self.at_bound } else { &mut self.inside };
        list[usize::from(moment.bucket)] += i128::from(n);
    }

    /// The sum over a period; `with_start` tells whether the instant of its start belongs to it.
    pub(crate) fn sum(&self, window: Window, with_start: bool) -> i128 {
        let (start, stop) = (usize::from(window.start), usize::from(window.stop));
        if start >= stop {
            return 0;
        }
        let first = if with_start { start } else { start + 1 };
        self.inside[start..stop].iter().sum::<i128>() + self.at_bound[first..stop].iter().sum::<i128>()
    }
}

/// A list that becomes a set: when it grows, duplicates are removed.
#[derive(Debug, Clone)]
pub(crate) struct Distinct<T> {
    items: Vec<T>,
    limit: usize,
}

impl<T: Ord + Copy> Distinct<T> {
    const FLOOR: usize = 1 << 14;

    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self { items: Vec::new(), limit: Self::FLOOR }
    }

    /// Adds an item.
    pub(crate) fn push(&mut self, item: T) {
        if self.items.len() >= self.limit {
            self.compact();
            self.limit = (self.items.len() * 2).max(Self::FLOOR);
        }
        self.items.push(item);
    }

    /// Bytes used.
    pub(crate) const fn held(&self) -> usize {
        self.items.capacity() * size_of::<T>()
    }

    fn compact(&mut self) {
        self.items.sort_unstable();
        self.items.dedup();
    }

    /// The distinct items, ascending.
    pub(crate) fn into_sorted(mut self) -> Vec<T> {
        self.compact();
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fixtures::random::Random;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rectangles_say_the_same_as_looking_at_every_window(
            mut seen in prop::collection::vec((0_u16..5, 1_u16..10), 0..6),
            mut barred in prop::collection::vec((0_u16..5, 1_u16..10), 0..6),
        ) {
            let axis = Axis::new("2025-01".parse().unwrap(), "2025-05".parse().unwrap());
            seen.sort_unstable();
            barred.sort_unstable();
            let as_seen = |list: &[(u16, u16)]| list.iter().map(|&(row, level)| Visibility { row, level }).collect::<Vec<_>>();
            let mut counts = Counts::<i32>::new(&axis, 2);
            counts.key(1, &as_seen(&seen), &as_seen(&barred), 3);
            let counts = counts.settle();
            for row in 0..5_u16 {
                let latest = |list: &[(u16, u16)]| list.iter().filter(|e| e.0 <= row).map(|e| e.1).max().unwrap_or(0);
                for start in 0..10 {
                    let expected = if latest(&seen) > start && latest(&barred) <= start { 3 } else { 0 };
                    prop_assert_eq!(counts.get(1, row.into(), start), expected);
                    prop_assert_eq!(counts.get(0, row.into(), start), 0);
                }
            }
        }

        #[test]
        fn distinct_items_stay(seed in any::<u64>(), n in 0..60_000) {
            let mut random = Random::new(seed);
            let mut list = Distinct::new();
            let mut is_in = vec![false; 20_000];
            for _ in 0..n {
                let item = random.below(20_000);
                list.push(item);
                is_in[item as usize] = true;
            }
            let expected: Vec<u32> = (0_u32..).zip(is_in).filter_map(|(item, is_in)| is_in.then_some(item)).collect();
            prop_assert_eq!(list.into_sorted(), expected);
        }
    }
}
