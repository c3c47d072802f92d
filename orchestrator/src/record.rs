//! Remembers the runs of commands, as `hub::run` does for stages, and sends their figures to statsd.

use std::time::Instant;

use anyhow::Result;
use hub::health::{self, Ended};
use hub::statsd::{self, Statsd};
use kit::exit_of;
use schema::Exit;

use crate::hub::Hub;
use crate::tell::{self, After};

/// Does the work of a command and remembers how it ended. What cannot be remembered never fails it.
///
/// # Errors
/// Those of the work.
pub(crate) fn recorded(hub: &Hub, program: &str, work: impl FnOnce() -> Result<u8>) -> Result<u8> {
    let begun = Instant::now();
    let statsd = statsd(hub, program);
    let done = work();
    let code = match &done {
        // the work of another run is no success of this one
        Ok(0) if hub.left_to_another.get() => Exit::Busy.code(),
        Ok(code) => *code,
        Err(error) => exit_of(error).code(),
    };
    let (elapsed, measures) = (begun.elapsed(), kit::measure::take());
    let at = kit::seconds_since_1970()?;
    let ended = Ended { program, exit: code, is_part: false, at, elapsed, measures: &measures };
    if let Err(error) = health::note(&hub.config.paths, &ended) {
        hub.log.debug(format_args!("this run is not remembered: {error}"));
    }
    if let Some(statsd) = statsd {
        statsd.ended(!matches!(code, 0 | 75), elapsed, measures);
    }
    done
}

/// The same for the work of a run; then everybody is told who wants to be.
///
/// # Errors
/// Those of the work.
pub(crate) fn recorded_run(hub: &Hub, work: impl FnOnce() -> Result<u8>) -> Result<u8> {
    let done = recorded(hub, "hzmetrics run", work);
    let code = done.as_ref().map_or_else(|error| exit_of(error).code(), |code| *code);
    if !hub.left_to_another.get() {
        tell::everybody(hub, After::Run(code));
    }
    done
}

/// The server of figures, where there is one. A bad address is said here, once, and not by every stage.
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
