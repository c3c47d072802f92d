//! `hzmetrics forget-user`: removes a person who is gone from the hub.

use std::path::PathBuf;

use anyhow::Result;
use kit::{Usage, Uses};
use schema::Exit;

use super::HubCommand;
use super::values::DryRun;
use crate::forget::{self, Asked};
use crate::hub::Hub;

/// Remove a person from tables, logs and files
///
/// Replaces the person's name, number, e-mail address and the addresses that nobody else used by pseudonyms, or
/// deletes the rows and lines, in all tables that we write, in archived logs, and in the files beside the staging
/// files. Published numbers stay as they are. The hub must not have the user any more. Later imports of the same
/// data honour it. If it is interrupted, nothing else writes until it is run again. Exit code 1 if something still
/// names the person, or if nothing ever did.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The user's name, or the user's number
    #[arg(value_name = "NAME|ID", required_unless_present = "resume")]
    who: Option<String>,

    /// What becomes of the person's rows and lines: `pseudonym` keeps them under another name, `delete` removes them
    #[arg(long, value_name = "HOW", value_parser = ["pseudonym", "delete"], default_value = "pseudonym")]
    how: String,

    /// An e-mail address of the person, in addition to that of the profile; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,

    /// Another file to rewrite, such as rejects, verdicts or a cache; may be repeated
    #[arg(long, value_name = "FILE")]
    also: Vec<PathBuf>,

    /// Finish what an interrupted run began
    #[arg(long)]
    resume: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::LOGS)
    }

    fn record(&self) -> Option<&'static str> {
        (!self.mode.dry_run).then_some("hzmetrics forget-user")
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        if let Some(who) = self.who.as_deref().filter(|who| matches!(who.trim(), "" | "-" | "0")) {
            return Err(Usage(format!("`{who}` is neither the name nor the number of a user")).into());
        }
        let asked = Asked {
            who: self.who.as_deref(),
            how: if self.how == "delete" { forget::How::Delete } else { forget::How::Pseudonym },
            emails: &self.email,
            also: &self.also,
            is_dry: self.mode.dry_run,
        };
        let is_clean = forget::forget(hub, &asked)?;
        Ok(if is_clean { Exit::Done } else { Exit::Failed }.code())
    }
}
