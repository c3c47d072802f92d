//! The results of imports: refused logs, days with many lines left out, withheld months.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use database::Db;
use database::ledger::Target;
use database::ledger::files::{self, Share};
use logs::refused;

use super::checked_hub::CheckedHub;
use super::report::Report;
use crate::pipeline::{refusals, state};

/// How many of the newest days are checked.
const DAYS: usize = 31;
/// How many files and days are named individually.
const NAMED: usize = 5;

/// Logs that were not understood and wait for a decision.
pub(super) fn refused_logs(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let staging = checked.hub.config.paths.staging();
    let is_odd = refused::list_path(&staging).symlink_metadata().is_ok_and(|meta| !meta.is_file());
    if is_odd {
        // a finding about the files
        return;
    }
    let list = match refusals::all(checked.hub) {
        Ok(list) => list,
        Err(error) => {
            let fix = format!("ls -l {}", refused::list_path(&staging).display());
            return report.fail_ours(format_args!("refused: {error:#}"), fix);
        }
    };
    if list.is_empty() {
        return report.ok("refused: no log");
    }
    for file in list.iter().take(NAMED) {
        let path = file.path.display();
        if !refusals::is_file(&file.path) {
            report.fail_ours(
                format_args!("refused: {path} was not imported: {}", file.reason),
                format_args!("ls -ld {path}   # move it out of daily/"),
            );
            continue;
        }
        // a path that is not valid text is shown by the command that finds it
        let path = file.path.to_str().map_or_else(|| file.name(), str::to_owned);
        report.fail_ours(
            format_args!("refused: {path} was not imported: {} (since {})", file.reason, file.since),
            format_args!(
                "hzmetrics import --accept {path}   # imports it as it is\nhzmetrics import --set-aside {path}"
            ),
        );
    }
    if list.len() > NAMED {
        report.fail_ours(format_args!("refused: and {} more", list.len() - NAMED), "hzmetrics status");
    }
}

/// The newest days with more than a tenth left out.
pub(super) fn left_out(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let Ok(db) = &mut checked.metrics else { return };
    let shares = match newest(db) {
        Ok(shares) => shares,
        Err(error) => return report.fail_ours(format_args!("left out: {error:#}"), "hzmetrics migrate --apply"),
    };
    let with = |is_bad: fn(&Share) -> bool| shares.iter().filter(|(_, share)| is_bad(share)).collect::<Vec<_>>();
    let (rejects, ipv6) = (with(Share::has_many_rejects), with(Share::has_much_ipv6));
    for ((day, target), share) in rejects.iter().rev().take(NAMED) {
        let percent = share.percent(share.rejected);
        report.warn(
            format_args!(
                "left out: {day}: {percent:.1} % of {} lines for {} do not fit the layout",
                share.lines,
                target.name()
            ),
            "`import-logs --rejects - FILE >/dev/null` shows them; log_format under [logs] names another layout",
        );
    }
    if let Some(((day, _), share)) = ipv6.last() {
        let percent = share.percent(share.ipv6);
        report.warn(
            format_args!(
                "left out: {day}: {percent:.1} % of the lines come from IPv6 addresses, which are left out as the \
                 original did; {} of the newest {} days like that",
                ipv6.len(),
                shares.len()
            ),
            "options = ipv6 under [compat] counts them, from the next import on",
        );
    }
    if rejects.is_empty() && ipv6.is_empty() {
        report.ok("left out: on no day more than a tenth of the lines");
    }
}

/// What became of the lines of the newest days.
pub(super) fn newest(db: &mut Db) -> Result<BTreeMap<(String, Target), Share>> {
    let mut shares = files::shares_by_day(db, "")?;
    let days: BTreeSet<String> = shares.keys().map(|(day, _)| day.clone()).collect();
    if let Some(first) = days.iter().rev().nth(DAYS - 1) {
        shares.retain(|(day, _), _| day >= first);
    }
    Ok(shares)
}

/// Months that somebody unpublished.
pub(super) fn withheld(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let Ok(db) = &mut checked.metrics else { return };
    // without its table nothing is remembered, which is a separate finding
    let Ok(mut remembered) = state::pairs(db) else { return };
    let months = remembered.remove("withheld_months").filter(|months| !months.is_empty());
    if let Some(months) = months {
        let first = months.split(',').next().unwrap_or_default().to_owned();
        report.warn(
            format_args!("withheld: {} (unpublished; not summarized until you ask for it)", months),
            format_args!("hzmetrics summarize {first}"),
        );
    }
}
