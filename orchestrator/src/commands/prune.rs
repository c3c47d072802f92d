//! `hzmetrics prune`: removes what is older than the configuration says.

use anyhow::{Context as _, Result};
use kit::{Usage, Uses, door};
use schema::{Exit, Month};

use super::HubCommand;
use super::values::DryRun;
use crate::hub::Hub;
use crate::pipeline::state;
use crate::prune::{self, Old};

/// Remove imported logs that are older than [retention] logs_months
///
/// Removes logs in imported/ that the ledger of imports has, of months that are published with all periods. Says how
/// many bytes that frees, and which logs stay and why. Rows of the tables are never removed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::LOGS)
    }

    fn record(&self) -> Option<&'static str> {
        (!self.mode.dry_run).then_some("hzmetrics prune")
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let first_kept = first_kept(hub)?;
        let is_dry = self.mode.dry_run;
        let _lock = hub.lock(!is_dry)?;
        let mut db = hub.db_with_ledger()?;
        let old = prune::look(hub, &mut db, first_kept)?;
        say_what_stays(hub, &old);
        let (mut n, mut bytes) = (0_usize, 0_u64);
        for (month, logs) in &old.logs {
            for log in logs {
                if !is_dry {
                    door::remove(&log.path).with_context(|| format!("removing {}", log.path.display()))?;
                }
                n += 1;
                bytes += log.bytes;
            }
            let what = if is_dry { "[dry-run] would remove " } else { "removed " };
            hub.log.info(format_args!("[prune] {month}: {what}{}", kit::counted(logs.len(), "log", "logs")));
        }
        let freed = if is_dry { "would be freed" } else { "freed" };
        let logs = kit::counted(n, "log", "logs");
        hub.log.info(format_args!("[prune] {logs} before {first_kept}, {} bytes {freed}", kit::grouped(bytes)));
        Ok(Exit::Done.code())
    }
}

/// The first month whose logs stay.
fn first_kept(hub: &Hub) -> Result<Month> {
    let bad = |text: &str| Usage(text.to_owned());
    let Some(text) = &hub.config.retention.logs_months else {
        return Err(bad("nothing is to be removed: set [retention] logs_months in hzmetrics.conf").into());
    };
    let months = text.parse::<u32>().ok().filter(|n| (1..=1200).contains(n));
    let months =
        months.ok_or_else(|| bad(&format!("[retention] logs_months is `{text}`, which is not 1 to 1200 months")))?;
    Ok(kit::current_month()?.minus(months))
}

fn say_what_stays(hub: &Hub, old: &Old) {
    if !old.unpublished.is_empty() {
        hub.log.warning(format_args!(
            "[prune] logs of {} stay: these months are not published with all periods, are withheld or are dirty",
            state::list(&old.unpublished)
        ));
    }
    for path in &old.unknown {
        hub.log.warning(format_args!("[prune] {} stays: it is not in the ledger of imports", path.display()));
    }
}
