//! `hzmetrics doctor`: prints what the doctor found, as text or as JSON.

use anyhow::Result;
use kit::Uses;

use super::{HubCommand, print};
use crate::hub::Hub;
use crate::{colours, doctor};

/// Check settings, folders and database
///
/// Prints OK, WARN or FAIL for everything that the numbers depend on, and below each finding how to fix
/// it. Exit code 1 if there is a FAIL.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Repair what can be repaired
    #[arg(long)]
    fix: bool,

    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        self.fix.then_some(Uses { setup: true, ..Uses::LOGS })
    }

    fn goes_on_without_configuration(&self) -> bool {
        true
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let report = doctor::examine(hub, self.fix);
        let text = if self.json { report.json() } else { report.text(self.fix) };
        print(colours::states(&text).as_bytes()).map(|_| report.code())
    }
}
