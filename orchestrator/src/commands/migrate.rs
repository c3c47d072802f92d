//! `hzmetrics migrate`: lists or applies the migrations of an old database.

use std::ffi::OsString;

use anyhow::Result;
use database::writer;
use hub::lock::HOLDER;
use kit::Uses;
use schema::{Exit, Opt};

use super::values::DryRun;
use super::{Call, Command};
use crate::setup::{Migrate, hold, migrate};
use crate::shell::Shell;

/// Show the schema migrations, or apply them
///
/// Migrations that are already done are recorded as done.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Apply them; without this only list them
    #[arg(long)]
    apply: bool,

    /// Only those that the stages need
    #[arg(long)]
    required_only: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl Command for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::default())
    }

    fn run(&self, call: &Call) -> Result<u8> {
        let config = hub::config::load(None, &|name| call.overrides.get(name))?;
        let plan = Migrate {
            apply: self.apply,
            required_only: self.required_only,
            dry_run: self.mode.dry_run,
            as_port: call.overrides.compat(&config)?.has(Opt::LpCli),
            lock: Some(config.paths.migrate_lock()),
        };
        let mut variables = call.overrides.variables();
        variables.export(HOLDER, std::process::id().to_string().into());
        let mut shell = Shell::new("migrate", variables, call.messages)?;
        shell.hand_on(&config)?;
        let mut run = |args: &[&str]| {
            if let Some(token) = writer::token() {
                shell.variables.export(writer::TOKEN, token.into());
            }
            shell.run_program("hzmetrics", args.iter().map(OsString::from).collect())
        };
        let guard = || hold(&config, call.messages);
        migrate(&config.target(), &plan, call.messages, &mut kit::Stdout::new(), &guard, &mut run)?;
        Ok(Exit::Done.code())
    }
}
