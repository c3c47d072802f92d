//! Which counts of people may be shown: none of fewer than five, and none from which such a count could
//! be found by subtraction. Pure.

use crate::amount::{Amount, LEAST};

/// What may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// Anybody may read it: small groups are hidden, single hosts and full URLs left out.
    Public,
    /// The administrator's own copy: everything.
    Private,
}

impl Privacy {
    /// A count of people that is part of no sum.
    pub(crate) fn one(self, count: Amount) -> Amount {
        match count {
            Amount::Known(value) if self == Self::Public && is_small(value) => Amount::Few,
            _ => count,
        }
    }

    /// Numbers about groups of people: hidden where a group is too small. Where that is one alone, the
    /// next smallest is hidden too, since the sum of all may be known.
    pub(crate) fn groups(self, people: &[Amount], numbers: &mut [Amount]) {
        for (people, number) in people.iter().zip(numbers.iter_mut()) {
            if self.one(*people) == Amount::Few && *number != Amount::Missing {
                *number = Amount::Few;
            }
        }
        if numbers.iter().filter(|number| number.is_hidden()).count() != 1 {
            return;
        }
        let shown = numbers.iter_mut().filter(|number| number.value().is_some());
        let next = shown.min_by(|a, b| a.value().unwrap_or(0.0).total_cmp(&b.value().unwrap_or(0.0)));
        if let Some(next) = next {
            *next = Amount::Withheld;
        }
    }

    /// The parts of a sum. When one is too small the next smallest are hidden too, until none of
    /// the small ones follows from the others. If there are not enough, the sum is hidden.
    pub(crate) fn parts(self, sum: &mut Amount, parts: &mut [Amount]) {
        if self == Self::Private {
            return;
        }
        let values: Vec<Option<f64>> = parts.iter().map(|part| part.value()).collect();
        let mut order: Vec<usize> = (0..parts.len()).filter(|&i| values.get(i).copied().flatten().is_some()).collect();
        let value = |i: usize| values.get(i).copied().flatten().unwrap_or(0.0);
        order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
        let sorted: Vec<f64> = order.iter().map(|&i| value(i)).collect();
        let n_small = sorted.iter().filter(|value| is_small(**value)).count();
        if n_small == 0 {
            *sum = self.one(*sum);
            return;
        }
        let mut n_hidden = n_small;
        while n_hidden < sorted.len() && gives_away(&sorted, n_small, n_hidden) {
            n_hidden += 1;
        }
        if gives_away(&sorted, n_small, n_hidden) || sum.value().is_some_and(is_small) {
            *sum = if sum.value().is_some_and(is_small) { Amount::Few } else { Amount::Withheld };
        }
        for (place, &i) in order.iter().enumerate().take(n_hidden) {
            if let Some(part) = parts.get_mut(i) {
                *part = if place < n_small { Amount::Few } else { Amount::Withheld };
            }
        }
    }
}

fn is_small(value: f64) -> bool {
    value < f64::from(LEAST)
}

/// Whether a reader who knows the sum, the numbers shown and this very rule can tell one of the small
/// numbers: of `sorted`, the first `n_hidden` are hidden, the first `n_small` because they are small.
fn gives_away(sorted: &[f64], n_small: usize, n_hidden: usize) -> bool {
    let n_more = n_hidden - n_small;
    let hidden: f64 = sorted.iter().take(n_hidden).sum();
    let most_small = f64::from(LEAST) - 1.0;
    let most_more = sorted.get(n_hidden).copied().unwrap_or(f64::INFINITY);
    let others = most_small * (n_small as f64 - 1.0) + if n_more == 0 { 0.0 } else { most_more * n_more as f64 };
    let least = (hidden - others).max(0.0);
    let most = (hidden - f64::from(LEAST) * n_more as f64).min(most_small);
    n_hidden < 2 || most - least < 1.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The parts after the rule, as text, and the sum.
    fn shown(parts: &[u32]) -> (String, String) {
        let mut sum = Amount::Known(parts.iter().sum::<u32>().into());
        let mut amounts: Vec<_> = parts.iter().map(|&part| Amount::Known(part.into())).collect();
        Privacy::Public.parts(&mut sum, &mut amounts);
        let text = |amount: &Amount| match amount {
            Amount::Known(value) => format!("{value:.0}"),
            Amount::Few => "few".to_owned(),
            Amount::Withheld => "x".to_owned(),
            Amount::Missing => "-".to_owned(),
        };
        (amounts.iter().map(text).collect::<Vec<_>>().join(" "), text(&sum))
    }

    #[test]
    fn the_next_smallest_goes_too() {
        for (parts, expected, sum) in [
            (&[100, 40, 30][..], "100 40 30", "170"),
            (&[100, 40, 3], "100 x few", "143"),
            (&[100, 2, 3], "100 few few", "105"),
            // both must be 4, or both 0: one more goes
            (&[100, 40, 4, 4], "100 x few few", "148"),
            (&[100, 40, 0, 0], "100 x few few", "140"),
            // the next smallest is as small as the one shown after it: the rest would follow
            (&[100, 40, 12, 12, 4], "100 40 x x few", "168"),
            (&[100, 3], "x few", "103"),
            (&[3], "few", "few"),
            (&[0, 0], "few few", "few"),
            (&[2, 1], "few few", "few"),
            (&[], "", "few"),
        ] {
            assert_eq!(shown(parts), (expected.to_owned(), sum.to_owned()), "{parts:?}");
        }
    }

    #[test]
    fn a_group_that_is_too_small_has_no_other_number_either() {
        let known = |values: &[f64]| values.iter().copied().map(Amount::Known).collect::<Vec<_>>();
        for (people, runs, expected) in [
            (&[9.0, 8.0][..], &[3.0, 100.0][..], vec![Amount::Known(3.0), Amount::Known(100.0)]),
            (&[9.0, 2.0, 7.0], &[70.0, 100.0, 60.0], vec![Amount::Known(70.0), Amount::Few, Amount::Withheld]),
            (&[1.0, 2.0, 7.0], &[70.0, 100.0, 60.0], vec![Amount::Few, Amount::Few, Amount::Known(60.0)]),
        ] {
            let mut numbers = known(runs);
            Privacy::Public.groups(&known(people), &mut numbers);
            assert_eq!(numbers, expected);
        }
    }

    #[test]
    fn a_private_copy_shows_everything() {
        let (mut sum, mut parts) = (Amount::Known(3.0), [Amount::Known(1.0), Amount::Known(2.0)]);
        Privacy::Private.parts(&mut sum, &mut parts);
        assert_eq!((sum, parts), (Amount::Known(3.0), [Amount::Known(1.0), Amount::Known(2.0)]));
    }

    /// All ways in which the hidden parts can be filled so that they fit to everything that is shown.
    fn n_values_of(first_small: usize, parts: &[u32], amounts: &[Amount], sum: u32) -> usize {
        let shown: u32 = (0..parts.len()).filter(|&i| !amounts[i].is_hidden()).map(|i| parts[i]).sum();
        let left = sum - shown;
        let others: Vec<_> = (0..parts.len()).filter(|&i| i != first_small && amounts[i].is_hidden()).collect();
        let limit = (0..parts.len()).filter(|&i| !amounts[i].is_hidden()).map(|i| parts[i]).min().unwrap_or(u32::MAX);
        (0..LEAST)
            .filter(|own| {
                let Some(rest) = left.checked_sub(*own) else { return false };
                let range = |&i: &usize| if amounts[i] == Amount::Few { (0, LEAST - 1) } else { (LEAST, limit) };
                let least: u32 = others.iter().map(|i| range(i).0).sum();
                let most: u64 = others.iter().map(|i| u64::from(range(i).1)).sum();
                least <= rest && u64::from(rest) <= most
            })
            .count()
    }

    proptest! {
        #[test]
        fn no_small_part_follows_from_what_is_shown(parts in prop::collection::vec(0_u32..40, 1..9)) {
            let total: u32 = parts.iter().sum();
            let mut sum = Amount::Known(total.into());
            let mut amounts: Vec<_> = parts.iter().map(|&part| Amount::Known(part.into())).collect();
            Privacy::Public.parts(&mut sum, &mut amounts);
            for (i, &part) in parts.iter().enumerate() {
                prop_assert_eq!(part < LEAST, amounts[i] == Amount::Few, "{:?} {:?}", parts, amounts);
                if part < LEAST && !sum.is_hidden() {
                    let n = n_values_of(i, &parts, &amounts, total);
                    prop_assert!(n > 1, "{:?} {:?}: one possible value of part {}", parts, amounts, i);
                }
            }
        }
    }
}
