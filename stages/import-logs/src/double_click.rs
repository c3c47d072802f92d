//! Double clicks as COUNTER defines them: several requests of one user for one URL within a number
//! of seconds count as one, the last.
//!
//! A request is held until no later request can replace it. Everything after it is held too, so that
//! the order never changes. The time starts with the first click: somebody who requests a page every
//! 20 seconds is counted about once a minute, not never.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::bots::hashes::Unhashed;

/// The maximum number of items held, if the times of a log do not advance.
const HELD: usize = 1 << 16;

/// An item that is held.
#[derive(Debug)]
struct Item<T> {
    what: T,
    /// When it can be released, in seconds since 1970; the minimum if it only waits for the items before
    /// it.
    until: i64,
    /// The key that makes another request its double click, and whether it was one.
    click: Option<(u128, bool)>,
}

/// A click that a later one may replace.
#[derive(Debug)]
struct PendingClick {
    /// The number of the item.
    item: u64,
    /// The time of the first click.
    first: i64,
}

/// The items held, in order.
#[derive(Debug)]
pub(crate) struct DoubleClicks<T> {
    /// The time span of a double click, in seconds.
    span: i64,
    items: VecDeque<Item<T>>,
    /// The number of the first item held.
    n_out: u64,
    open: HashMap<u128, PendingClick, std::hash::BuildHasherDefault<Unhashed>>,
    /// The latest time seen so far.
    now: i64,
}

/// What is released.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Out<T> {
    /// It counts.
    Kept(T),
    /// Another request replaced it.
    DoubleClick(T),
}

impl<T> DoubleClicks<T> {
    pub(crate) fn new(span: u32) -> Self {
        let open = HashMap::default();
        Self { span: span.into(), items: VecDeque::new(), n_out: 0, open, now: i64::MIN }
    }

    /// Holds an item that is not a request until the items before it are released.
    pub(crate) fn push(&mut self, what: T) {
        self.items.push_back(Item { what, until: i64::MIN, click: None });
    }

    /// Holds a request: `key` identifies its user and URL, `at` is its time in seconds. A request
    /// without a time is never a double click.
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
        self.open.insert(key, PendingClick { item: number, first });
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

    /// The indices of the clicks that count.
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
    fn of_a_double_click_the_later_request_counts() {
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
    fn late_lines_are_compared_with_what_is_still_held() {
        assert_eq!(kept(&[(1, 100), (2, 101), (1, 95)]), [1, 2], "the last line within the span counts");
        assert_eq!(kept(&[(1, 1000), (1, 100)]), [0, 1]);
        assert_eq!(kept(&[(1, 100), (2, 1000), (1, 110)]), [0, 1, 2], "what was released stays released");
    }

    #[test]
    fn no_more_than_the_maximum_is_held() {
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
    fn items_that_are_not_requests_keep_their_place() {
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
