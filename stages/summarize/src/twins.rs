//! Two sessions with one number: records of two runs that nobody joined, or of two hubs. Their
//! downloads would be mixed up, so such records are refused.

use anyhow::{Result, bail};

use crate::row::NO_ID;

/// Refuses sessions of which two have one number. Numbers that ascend cost a look at each.
///
/// # Errors
/// There are two.
pub(crate) fn refuse(ids: impl Iterator<Item = i64> + Clone) -> Result<()> {
    let known = ids.filter(|id| *id != NO_ID);
    if known.clone().is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    let mut ids: Vec<i64> = known.collect();
    ids.sort_unstable();
    for pair in ids.windows(2) {
        if let [a, b] = pair
            && a == b
        {
            bail!("two sessions have the number {a}: records of several runs or hubs were put together");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_number_are_found_in_any_order() {
        let check = |ids: &[i64]| refuse(ids.iter().copied()).map_err(|error| error.to_string());
        for ids in [&[][..], &[1, 2, 9], &[9, 1, 2], &[NO_ID, NO_ID, 3], &[3, NO_ID, 1, NO_ID]] {
            assert_eq!(check(ids), Ok(()), "{ids:?}");
        }
        for ids in [&[4, 4][..], &[4, 1, 4], &[9, 4, NO_ID, 4]] {
            assert!(check(ids).unwrap_err().contains("the number 4"), "{ids:?}");
        }
    }
}
