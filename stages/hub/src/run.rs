//! From `main` to the exit code: drops root's rights, opens the log, applies the options of the
//! configuration, and runs the stage.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::parser::ValueSource;
use kit::{Io, Messages, Outcome, StageArgs, exit_of, not_parsed, run_with};
use schema::Exit;

use crate::config::{self, Paths, process_env};
use crate::identity;
use crate::log::{LOG_FORMAT, Log, Sinks, Stderr};

/// The environment variable with which a program that has a log lets the stages that it starts
/// write to it: the path of the file.
pub const STAGE_LOG: &str = "HZMETRICS_STAGE_LOG";

/// Runs a stage: parses its arguments, does the work, turns the result into an exit code. With
/// `--generate` as the first word it prints its manual or completions instead.
pub fn run<A: StageArgs>(stage: impl FnOnce(&A, &mut Io) -> Result<Outcome>) -> ExitCode {
    if let Some(exit) = kit::generate(A::command) {
        return exit.into();
    }
    let name = A::DESCRIBE.name;
    let is_root = identity::is_root();
    if !is_root {
        join_log(name);
    }
    let args = match parse::<A>(std::env::args_os().collect()) {
        Ok(args) => args,
        Err(exit) => return exit.into(),
    };
    if is_root {
        if let Err(error) = settle_identity(&args) {
            Messages::new(name, false).error(format_args!("{error:#}"));
            return exit_of(&error).into();
        }
        join_log(name);
    }
    run_with(&args, |io| stage(&args, io)).into()
}

/// Gives root's rights away where the run changes something in folders of others.
fn settle_identity<A: StageArgs>(args: &A) -> Result<()> {
    let Some(uses) = args.uses().filter(|_| !args.common().describe) else { return Ok(()) };
    let config = config::read(None, &process_env)?;
    identity::take(&config, uses, args.common().compat)
}

/// The arguments, with `--compat` from the configuration where neither they nor the environment
/// have one: a hub's numbers are the same in a pipe, in a cron line and in a chain.
fn parse<A: StageArgs>(mut words: Vec<OsString>) -> Result<A, Exit> {
    let name = A::DESCRIBE.name;
    let mut command = A::command().version(kit::VERSION);
    let background = command.get_after_long_help().map_or_else(String::new, |text| format!("{text}\n\n"));
    command = command.after_long_help(background + &kit::exit_codes());
    let parsed = command.try_get_matches_from(&words);
    let matches = parsed.map_err(|error| not_parsed(name, &error))?;
    if matches.value_source("compat") == Some(ValueSource::DefaultValue) && !matches.get_flag("describe") {
        let compat = config::settled_compat(&process_env).map_err(|error| {
            Messages::new(name, false).error(format_args!("{error:#}"));
            exit_of(&error)
        })?;
        if let Some(compat) = compat {
            words.insert(words.len().min(1), format!("--compat={compat}").into());
            return A::try_parse_from(words).map_err(|error| not_parsed(name, &error));
        }
    }
    A::from_arg_matches(&matches).map_err(|error| not_parsed(name, &error))
}

/// Opens the log that was named to us, notes the command line there, and copies every message to it.
fn join_log(name: &'static str) {
    let Some(file) = std::env::var_os(STAGE_LOG).filter(|path| !path.is_empty()) else { return };
    let json = std::env::var_os(LOG_FORMAT).is_some_and(|format| format == "json");
    let syslog = Some(Paths::new(&process_env).at("/dev/log"));
    let sinks = Sinks { file: Some(PathBuf::from(file)), json, syslog, stderr: Stderr::Nothing };
    let words: Vec<_> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let log = Log::open(name, &sinks, &format!("{name} {}", words.join(" ")));
    kit::copy_messages(move |level, text| log.write(level, &text));
}
