//! Records the runs of commands, as `hub::run` does for stages, and sends their figures to statsd.

use std::time::Instant;

use anyhow::Result;
use hub::health::{self, Ended};
use hub::statsd::{self, Statsd};
use schema::Exit;

use crate::hub::Hub;
use crate::shell::{Interrupted, code_of};
use crate::tell::{self, After};

/// Does the work of a command and records how it ended. A record that cannot be written does not
/// make it fail.
///
/// # Errors
/// Those of the work.
pub(crate) fn recorded(hub: &Hub, program: &str, work: impl FnOnce() -> Result<u8>) -> Result<u8> {
    let begun = Instant::now();
    let statsd = statsd(hub, program);
    let done = work();
    let code = match &done {
        // if another run does the work, this is not a success
        Ok(0) if hub.left_to_another.get() => Exit::Busy.code(),
        Ok(code) => *code,
        Err(error) => code_of(error),
    };
    let (elapsed, measures) = (begun.elapsed(), kit::measure::take());
    let at = kit::seconds_since_1970()?;
    let ended = Ended { program, exit: code, is_part: false, at, elapsed, measures: &measures };
    if let Err(error) = health::note(&hub.config.paths, &ended) {
        hub.log.debug(format_args!("this run was not recorded: {error}"));
    }
    if let Some(statsd) = statsd {
        statsd.ended(!matches!(code, 0 | 75), elapsed, measures);
    }
    done
}

/// The same for the work of a run; then the configured receivers are informed.
///
/// # Errors
/// Those of the work.
pub(crate) fn recorded_run(hub: &Hub, work: impl FnOnce() -> Result<u8>) -> Result<u8> {
    let done = recorded(hub, "hzmetrics run", work);
    let code = done.as_ref().map_or_else(code_of, |code| *code);
    // somebody ended it on purpose: that is not a failure to report
    let is_interrupted = done.as_ref().is_err_and(|error| Interrupted::of(error).is_some());
    if !hub.left_to_another.get() && !is_interrupted {
        tell::everybody(hub, After::Run(code));
    }
    done
}

/// The statsd server, if one is configured. A bad address is reported here, once, rather than by every
/// stage.
fn statsd(hub: &Hub, program: &str) -> Option<Statsd> {
    let address = hub.statsd_address()?;
    match statsd::check(&address) {
        Ok(()) => Some(Statsd::start(program, &address)),
        Err(why) => {
            hub.log.warning(why);
            None
        }
    }
}
