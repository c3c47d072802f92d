//! Double clicks as COUNTER counts them: requests of one user for one URL within a number of seconds
//! are one request, and the last of them is the one that counts.
//!
//! A request is held until the time is over in which another may take its place, and everything that
//! came behind it with it, so that nothing changes its order. The time begins with the first of them:
//! someone who asks for a page every 20 seconds is counted once a minute or so, not never.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::bots::hashes::Unhashed;

/// How many items are held at most, when the times of a log stand still.
const HELD: usize = 1 << 16;

/// Something that is held.
#[derive(Debug)]
struct Item<T> {
    what: T,
    /// When it can be handed out, in seconds since 1970; the beginning of time for what waits for nothing
    /// but what is before it.
    until: i64,
    /// What makes a double click of it, and whether it was one.
    click: Option<(u128, bool)>,
}

/// A click that another one may take the place of.
#[derive(Debug)]
struct Open {
    /// The number of the item.
    item: u64,
    /// The time of the first click.
    first: i64,
}

/// What is held, in its order.
#[derive(Debug)]
pub(crate) struct DoubleClicks<T> {
    /// The span of a double click, in seconds.
    span: i64,
    items: VecDeque<Item<T>>,
    /// The number of the first item that is held.
    n_out: u64,
    open: HashMap<u128, Open, std::hash::BuildHasherDefault<Unhashed>>,
    /// The latest time that was seen.
    now: i64,
}

/// What is handed out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Out<T> {
    /// It counts.
    Kept(T),
    /// Another request took its place.
    DoubleClick(T),
}

impl<T> DoubleClicks<T> {
    pub(crate) fn new(span: u32) -> Self {
        let open = HashMap::default();
        Self { span: span.into(), items: VecDeque::new(), n_out: 0, open, now: i64::MIN }
    }

    /// Holds what is not a request until what is before it has been handed out.
    pub(crate) fn push(&mut self, what: T) {
        self.items.push_back(Item { what, until: i64::MIN, click: None });
    }

    /// Holds a request: `key` is of its user and its URL, `at` its time in seconds. One without a time
    /// is not a double click.
    pub(crate) fn click(&mut self, key: u128, at: Option<i64>, what: T) {
        let Some(at) = at else { return self.push(what) };
        let number = self.n_out + self.items.len() as u64;
        self.now = self.now.max(at);
        let mut first = at;
        if let Some(open) = self.open.get(&key)
            && at.abs_diff(open.first) <= self.span.unsigned_abs()
        {
            let place = usize::try_from(open.item.wrapping_sub(self.n_out)).ok();
            if let Some(Item { click: Some((_, is_double)), .. }) = place.and_then(|at| self.items.get_mut(at)) {
                *is_double = true;
                first = open.first;
            }
        }
        self.open.insert(key, Open { item: number, first });
        self.items.push_back(Item { what, until: first.saturating_add(self.span), click: Some((key, false)) });
    }

    /// The next item that nothing can change any more.
    pub(crate) fn next(&mut self) -> Option<Out<T>> {
        let front = self.items.front()?;
        if front.until < self.now || self.items.len() > HELD || matches!(front.click, Some((_, true))) {
            self.pop()
        } else {
            None
        }
    }

    /// The next item at the end of the input.
    pub(crate) fn pop(&mut self) -> Option<Out<T>> {
        let item = self.items.pop_front()?;
        let number = self.n_out;
        self.n_out += 1;
        let Some((key, is_double)) = item.click else { return Some(Out::Kept(item.what)) };
        if self.open.get(&key).is_some_and(|open| open.item == number) {
            self.open.remove(&key);
        }
        Some(if is_double { Out::DoubleClick(item.what) } else { Out::Kept(item.what) })
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.open.clear();
        (self.n_out, self.now) = (0, i64::MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the clicks count, by their place.
    fn kept(clicks: &[(u128, i64)]) -> Vec<usize> {
        let mut held = DoubleClicks::new(30);
        let (mut kept, mut order) = (Vec::new(), Vec::new());
        let mut take = |out: Out<usize>| match out {
            Out::Kept(at) => {
                kept.push(at);
                order.push(at);
            }
            Out::DoubleClick(at) => order.push(at),
        };
        for (i, &(key, at)) in clicks.iter().enumerate() {
            held.click(key, Some(at), i);
            while let Some(out) = held.next() {
                take(out);
            }
        }
        while let Some(out) = held.pop() {
            take(out);
        }
        assert!(held.open.is_empty() && order.iter().copied().eq(0..clicks.len()), "{order:?}");
        kept
    }

    #[test]
    fn the_later_one_counts() {
        assert_eq!(kept(&[(1, 0), (1, 29)]), [1]);
        assert_eq!(kept(&[(1, 0), (1, 30)]), [1]);
        assert_eq!(kept(&[(1, 0), (1, 35)]), [0, 1]);
        assert_eq!(kept(&[(1, 0), (1, 10), (1, 20)]), [2]);
        assert_eq!(kept(&[(1, 1), (1, 2), (1, 31), (1, 40)]), [2, 3]);
        assert_eq!(kept(&[(1, 0), (2, 1), (1, 2), (2, 3)]), [2, 3]);
        let every_20: Vec<_> = (0..7).map(|i| (1, i * 20)).collect();
        assert_eq!(kept(&every_20), [1, 3, 5, 6]);
        assert_eq!(kept(&[]), [0; 0]);
    }

    #[test]
    fn lines_that_come_late() {
        assert_eq!(kept(&[(1, 100), (2, 101), (1, 95)]), [1, 2], "within the span the last line counts");
        assert_eq!(kept(&[(1, 1000), (1, 100)]), [0, 1]);
        assert_eq!(kept(&[(1, 100), (2, 1000), (1, 110)]), [0, 1, 2], "what was handed out is out");
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut held = DoubleClicks::new(30);
        let mut most = 0;
        for i in 0..3_000_000_u128 {
            held.click(i, Some(if i % 2 == 0 { 5 } else { i64::try_from(i / 100_000).unwrap() }), ());
            while held.next().is_some() {}
            most = most.max(held.items.len()).max(held.open.len());
        }
        assert!(most <= HELD, "{most}");
    }

    #[test]
    fn other_things_keep_their_place() {
        let mut held = DoubleClicks::new(30);
        held.click(1, Some(0), "a");
        held.push("end of the day");
        held.click(1, None, "without a time");
        assert_eq!(held.next(), None);
        held.click(1, Some(1), "b");
        let out: Vec<_> = std::iter::from_fn(|| held.next()).collect();
        assert_eq!(out, [Out::DoubleClick("a"), Out::Kept("end of the day"), Out::Kept("without a time")]);
        held.clear();
        assert_eq!(held.pop(), None);
    }
}
