//! The original scripts and the port: whether they are running, and files that they left.

use super::checked_hub::CheckedHub;
use super::report::Report;
use crate::guard;

/// Another program writes the same tables now.
pub(super) fn at_work(checked: &mut CheckedHub<'_>, report: &mut Report) {
    if let Err(others) = guard::nobody_at_work(&checked.hub.config.paths) {
        report.fail(
            format_args!("other programs: {others}"),
            "wait until it has ended; then take its line out of the crontab",
        );
    }
}

/// Staging files that were never imported.
pub(super) fn left_behind(checked: &mut CheckedHub<'_>, report: &mut Report) {
    for (path, age) in guard::staged(&checked.hub.config.paths) {
        report.fail(
            format_args!(
                "staging: {} was left there {} hour(s) ago by the original scripts and never imported (`hzmetrics \
                 import-logs` loads it; remove it when its logs are still in daily/)",
                path.display(),
                age.as_secs() / 3600
            ),
            "hzmetrics import-logs",
        );
    }
}
