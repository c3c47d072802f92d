//! `hzmetrics tick`: what cron starts every five minutes. It records who is online, and at minute 30 does
//! everything that `hzmetrics run` does. What a run does with a dirty month is decided in
//! `pipeline/decisions.rs` (`catch_up`).

use std::time::Duration;

use anyhow::Result;
use database::patience;
use hub::lock::{Lock, LockResult};
use kit::Uses;

use super::HubCommand;
use super::values::PlannedRun;
use crate::guard;
use crate::hub::{Audience, Hub};
use crate::pipeline::{self, run::Limits};
use crate::record::recorded_run;
use crate::setup::bootstrap;
use crate::shell::Interrupted;
use crate::tell::{self, After};

/// For cron: who is online, and at minute 30 a run
///
/// Cron starts it every five minutes. Each time it records where live sessions come from
/// (whoisonline); at minute 30 it then does what `hzmetrics run` does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: PlannedRun,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses { setup: true, ..Uses::LOGS })
    }

    fn audience(&self) -> Audience {
        self.run.mode.audience()
    }

    fn record(&self) -> Option<&'static str> {
        (!self.run.mode.dry_run).then_some("hzmetrics tick")
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        // checked first: a tick that starts a minute late leaves the run to the next hour
        let is_due = kit::minute()? == 30;
        let dry_run = self.run.mode.dry_run;
        hub.config.check_distinct()?;
        if !dry_run {
            patience::wait_for_the_server();
            bootstrap::bootstrap_as_service(hub)?;
        }
        who_is_online(hub, dry_run)?;
        let work = || pipeline::run::run(hub, Limits { dry_run, ..Limits::OF_A_TICK });
        match (is_due, dry_run) {
            (false, true) => self.run.end(hub, 0),
            (false, false) => {
                tell::everybody(hub, After::Tick);
                Ok(0)
            }
            (true, true) => self.run.end(hub, work()?),
            (true, false) => recorded_run(hub, work),
        }
    }
}

/// Starts the stage; its result does not affect the run.
///
/// # Errors
/// A signal ended it.
fn who_is_online(hub: &Hub, dry_run: bool) -> Result<()> {
    let mut args = vec!["--db".into()];
    if dry_run {
        args.push("--dry-run".into());
    }
    if guard::is_online_at_work(&hub.config.paths) {
        hub.log.warning("[tick] the original xlogfix_whoisonline.php is running — skipping whoisonline");
        return Ok(());
    }
    let lock = match Lock::ask(&hub.config.paths.whoisonline_lock(), Duration::ZERO) {
        Ok(LockResult::Held(lock)) => lock,
        Ok(_) => {
            hub.log.info("[tick] whoisonline still running from a prior tick — skipping this round");
            return Ok(());
        }
        Err(error) => {
            hub.log.warning(format_args!("[tick] no whoisonline this time: {error:#}"));
            return Ok(());
        }
    };
    match hub.shell(Some(&lock)).and_then(|mut shell| shell.run_program("whoisonline", args)) {
        Ok(0) => {}
        Ok(code) => hub.log.warning(format_args!("[tick] whoisonline ended with exit code {code}; the tick continues")),
        Err(error) if Interrupted::of(&error).is_some() => return Err(error),
        Err(error) => hub.log.warning(format_args!("[tick] whoisonline could not be started: {error:#}")),
    }
    Ok(())
}
