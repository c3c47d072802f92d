//! `hzmetrics import-apache`: loads one access log into the tables and moves it to `imported/`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use logs::discovery::Stream;

use super::HubCommand;
use super::values::DryRun;
use crate::hub::{Audience, Hub};
use crate::pipeline::importer::{Importer, Outcome, Take};

/// Load one access log and move it to the archive
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn audience(&self) -> Audience {
        self.mode.audience()
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        if self.mode.dry_run {
            hub.log.info(format_args!("[import-apache] [dry-run] would import {}", self.file.display()));
            return Ok(0);
        }
        let lock = hub.lock(true)?;
        // here, `-` is the name of a file
        let file = if self.file.as_os_str() == "-" { PathBuf::from("./-") } else { self.file.clone() };
        let importer = Importer { hub, lock: lock.as_ref() };
        let outcome = importer.load(&file, Stream::Access, Take::Understood);
        match outcome.with_context(|| format!("importing {}", file.display()))? {
            Outcome::Loaded(receipt) => importer.put_away(&file, Stream::Access, &receipt),
            // the importer has given the reason; a file from elsewhere is not pending in daily/
            Outcome::Refused(_) => return Ok(1),
        }
        Ok(0)
    }
}
