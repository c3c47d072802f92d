//! The signals that ask a process to end, for those who watch for them.
//!
//! What the caller ignores stays ignored, as in other programs: a job that a script starts in the
//! background ignores SIGINT, and one under `nohup` ignores SIGHUP. The programs that we start inherit
//! that as long as nobody here watches for the signal.

use std::path::Path;

use signal_hook::consts::{SIGINT, SIGTERM};

/// SIGINT and SIGTERM, without those that the caller ignores. To be called before anybody watches for them.
#[must_use]
pub fn to_watch() -> Vec<i32> {
    let status = crate::door::named::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    [SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal, &status)).collect()
}

/// Whether the status of a process says that it ignores a signal.
fn is_ignored(signal: i32, status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_understood() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        for (mask, int, term) in [
            ("0000000000000000", false, false),
            ("0000000000001002", true, false),
            ("0000000000004000", false, true),
            ("0000000000005003", true, true),
            ("nonsense", false, false),
        ] {
            let status = status(mask);
            assert_eq!((is_ignored(SIGINT, &status), is_ignored(SIGTERM, &status)), (int, term), "{mask}");
        }
        assert!(!is_ignored(SIGINT, ""));
    }
}
