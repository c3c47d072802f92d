//! What a state keeps of an instant: the month, and whether it is the very first instant of it. All
//! periods begin and end at the first instant of a month, so this serves every one of them.

use schema::{Month, Stamp};

/// Months are counted from here; nothing counts before.
const EPOCH: Month = match Month::new(1995, 1) {
    Some(month) => month,
    None => panic!("a month"),
};

/// No instant, or none that counts.
pub(crate) const NEVER: u16 = u16::MAX;

/// The instant as a number that sorts like it; [`NEVER`] before 1995.
pub(crate) fn code(t: Stamp) -> u16 {
    let code = || {
        let month = t.counts_in()?;
        let n = month.ordinal().checked_sub(EPOCH.ordinal())?;
        u16::try_from(n * 2 + u32::from(t != month.start())).ok()
    };
    code().unwrap_or(NEVER)
}

/// An instant that counts as the original one.
pub(crate) fn instant(code: u16) -> Option<Stamp> {
    let month = month(code)?;
    let second = u8::from(code % 2 == 1);
    Some(Stamp::from_parts(month.year(), month.month(), 1, 0, 0, second))
}

/// The month of an instant.
pub(crate) fn month(code: u16) -> Option<Month> {
    (code != NEVER).then(|| EPOCH.plus(u32::from(code / 2)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::axis::Axis;

    proptest! {
        #[test]
        fn every_axis_sees_the_same(
            first in 1996_u16..1999, of in 1_u8..=12, n in 0_u32..9,
            year in 1993_u16..2001, m in 0_u8..=12, day in 0_u8..=28, second in 0_u8..2, hour in 0_u8..2,
        ) {
            let first = Month::new(first, of).unwrap();
            let axis = Axis::new(first, first.plus(n));
            let t = Stamp::from_parts(year, m, day, hour, 0, second);
            let again = instant(code(t));
            prop_assert_eq!(again.and_then(|t| axis.seen(t)), axis.seen(t));
            prop_assert_eq!(again.and_then(|t| axis.moment(t)), axis.moment(t));
        }
    }
}
