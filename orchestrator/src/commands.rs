//! One file per command: its arguments and its work.

pub(crate) mod analyze;
pub(crate) mod audit;
pub(crate) mod backfill_dnload;
pub(crate) mod backup;
pub(crate) mod chains;
pub(crate) mod check;
pub(crate) mod clear_dirty;
pub(crate) mod compare;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod fill_geo;
pub(crate) mod forget_import;
pub(crate) mod forget_user;
pub(crate) mod hash_addresses;
pub(crate) mod import;
pub(crate) mod import_apache;
pub(crate) mod import_hub_data;
pub(crate) mod init;
pub(crate) mod mark_dirty;
pub(crate) mod metrics;
pub(crate) mod migrate;
pub(crate) mod process;
pub(crate) mod prune;
pub(crate) mod rebuild_from;
pub(crate) mod rebuild_summaries;
pub(crate) mod rebuild_webhits;
pub(crate) mod reconstruct_imported_sources;
pub(crate) mod rehearse;
pub(crate) mod repair_imported_sources;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod run_chain;
pub(crate) mod serve;
pub(crate) mod setup_db;
pub(crate) mod sh;
pub(crate) mod show;
pub(crate) mod stages;
pub(crate) mod status;
pub(crate) mod summarize;
pub(crate) mod tick;
pub(crate) mod trace;
pub(crate) mod unpublish;
pub(crate) mod values;
pub(crate) mod whoisonline;
pub(crate) mod why;

use anyhow::Result;
use kit::{Messages, Progress, Uses};
use schema::Exit;

use crate::hub::{Audience, Hub};
use crate::overrides::Overrides;
use crate::record::recorded;
use crate::shell::code_of;

/// What a command gets besides its own arguments.
pub(crate) struct Call {
    /// The name by which it was called.
    pub(crate) name: String,
    pub(crate) overrides: Overrides,
    pub(crate) messages: Messages,
}

/// A command.
pub(crate) trait Command {
    /// What it does in the folders of a hub; `None` for a command that changes nothing there.
    fn uses(&self) -> Option<Uses>;

    /// Runs it; returns the exit code.
    ///
    /// # Errors
    /// Errors that have not been reported yet.
    fn run(&self, call: &Call) -> Result<u8>;
}

/// A command that uses the configuration and the log of a hub.
pub(crate) trait HubCommand {
    /// See [`Command::uses`].
    fn uses(&self) -> Option<Uses> {
        Some(Uses::default())
    }

    /// Who reads its messages.
    fn audience(&self) -> Audience {
        Audience::Person
    }

    /// The name under which its runs are remembered.
    fn record(&self) -> Option<&'static str> {
        None
    }

    /// Whether it continues if the configuration cannot be read.
    fn goes_on_without_configuration(&self) -> bool {
        false
    }

    /// Whether a terminal shows how long it takes.
    fn is_shown(&self) -> bool {
        true
    }

    /// Runs it; returns the exit code.
    ///
    /// # Errors
    /// They are written to the log.
    fn run(&self, hub: &Hub) -> Result<u8>;
}

impl<C: HubCommand> Command for C {
    fn uses(&self) -> Option<Uses> {
        HubCommand::uses(self)
    }

    fn run(&self, call: &Call) -> Result<u8> {
        let audience = self.audience();
        let hub = Hub::open(&call.name, &call.overrides, audience, self.goes_on_without_configuration())?;
        let _phase = (audience == Audience::Cron).then(|| hub.log.phase(&call.name));
        let _shown = self.is_shown().then(|| Progress::rows(&call.name));
        let done = match self.record() {
            Some(program) => recorded(&hub, program, || HubCommand::run(self, &hub)),
            None => HubCommand::run(self, &hub),
        };
        hub.tell_repeated();
        Ok(done.unwrap_or_else(|error| {
            let code = code_of(&error);
            if code != Exit::ReaderLeft.code() {
                hub.log.error(format_args!("{error:#}"));
            }
            code
        }))
    }
}

/// Prints requested output to standard output.
fn print(bytes: &[u8]) -> Result<u8> {
    kit::print(bytes).map(|()| Exit::Done.code())
}
