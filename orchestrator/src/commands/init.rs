//! `hzmetrics init`: creates the folders, database and tables of a new hub, whichever user runs it.
//!
//! Started by root, it is two processes: the work is done with the rights of the user that it runs as,
//! and once that succeeded, root allows the timers of a package to start.

use anyhow::Result;
use hub::config::{Paths, process_env};
use hub::identity;
use kit::Uses;
use schema::Exit;

use super::{Call, Command, HubCommand};
use crate::hub::Hub;
use crate::setup::{bootstrap, ready};

/// Create folders, database and tables of a new hub
///
/// What exists already is unchanged. `tick` and `run` do the same if the web server's user runs them.
/// If root runs it on a hub that was installed from a package, the timers of the package start to work.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The part of the work that needs no rights of root
    #[arg(long, hide = true)]
    with_rights_of_user: bool,
}

impl Args {
    fn is_roots(&self) -> bool {
        identity::is_root() && !self.with_rights_of_user
    }
}

impl Command for Args {
    fn uses(&self) -> Option<Uses> {
        if self.is_roots() { None } else { Some(Uses { setup: true, ..Uses::LOGS }) }
    }

    fn run(&self, call: &Call) -> Result<u8> {
        if !self.is_roots() {
            return Command::run(&Work, call);
        }
        let code = ready::as_child("--with-rights-of-user")?;
        if code == Exit::Done.code()
            && let Some(next) = ready::allow(&Paths::new(&process_env))?
        {
            call.messages.note(next);
        }
        Ok(code)
    }
}

struct Work;

impl HubCommand for Work {
    fn run(&self, hub: &Hub) -> Result<u8> {
        bootstrap::bootstrap(hub)?;
        hub.log.info("[init] done: folders, database and tables are there; the cron line is next");
        Ok(0)
    }
}
