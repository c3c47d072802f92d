//! From `main` to the exit code: drops root's rights, opens the log, applies the options of the
//! configuration, runs the stage, and leaves its figures behind.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use kit::{Io, Messages, Outcome, StageArgs, exit_of, not_parsed, run_with};
use schema::Exit;

use crate::config::{self, Config, Paths, Setting, process_env};
use crate::health::{self, Ended};
use crate::identity;
use crate::log::{Log, Sinks, Stderr};
use crate::statsd::{self, Statsd};

/// The environment variable with the path of a program's log; the stages it starts write to that
/// file too.
pub const STAGE_LOG: &str = "HZMETRICS_STAGE_LOG";

/// Runs a stage: parses its arguments, does the work, converts the result into an exit code. With
/// `--generate` as the first word it prints its manual or completions instead.
pub fn run<A: StageArgs>(stage: impl FnOnce(&A, &mut Io) -> Result<Outcome>) -> ExitCode {
    if let Some(exit) = kit::generate(A::command, &A::values) {
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
    let figures = Figures::begin(name, &args);
    let exit = run_with(&args, |io| stage(&args, io));
    figures.end(exit);
    exit.into()
}

/// What a run leaves behind for those who watch the hub: nothing, for a filter or a dry run.
struct Figures {
    begun: Instant,
    name: &'static str,
    paths: Option<Paths>,
    statsd: Option<Statsd>,
}

impl Figures {
    fn begin<A: StageArgs>(name: &'static str, args: &A) -> Self {
        let is_real = !args.common().describe && !std::env::args_os().any(|word| word == "--dry-run");
        let writes = is_real && args.uses().is_some();
        let statsd = statsd_of(name, writes).filter(|_| is_real);
        Self { begun: Instant::now(), name, paths: writes.then(|| Paths::new(&process_env)), statsd }
    }

    fn end(self, exit: Exit) {
        let (elapsed, measures) = (self.begun.elapsed(), kit::measure::take());
        let at = kit::seconds_since_1970().unwrap_or_default();
        if let Some(paths) = &self.paths {
            let (program, is_part) = (self.name, kit::handed_run_id().is_some());
            let ended = Ended { program, exit: exit.code(), is_part, at, elapsed, measures: &measures };
            // where nothing can be written there is nobody to tell either
            let _ = health::note(paths, &ended);
        }
        if let Some(statsd) = self.statsd {
            let is_failure = !matches!(exit, Exit::Done | Exit::Rejects | Exit::Busy | Exit::ReaderLeft);
            statsd.ended(is_failure, elapsed, measures);
        }
    }
}

/// The server of figures; a filter knows only the environment.
fn statsd_of(name: &'static str, reads_configuration: bool) -> Option<Statsd> {
    let given = process_env(statsd::VARIABLE).map(|text| text.to_string_lossy().into_owned());
    let configured = || config::if_any(&process_env).ok().flatten()?.metrics.statsd;
    let address = given.filter(|text| !text.is_empty()).or_else(|| configured().filter(|_| reads_configuration))?;
    if address == statsd::OFF {
        return None;
    }
    match statsd::check(&address) {
        Ok(()) => Some(Statsd::start(name, &address)),
        Err(why) => {
            Messages::new(name, false).note(why);
            None
        }
    }
}

/// Drops root's rights if the run changes something in folders of others.
fn settle_identity<A: StageArgs>(args: &A) -> Result<()> {
    let Some(uses) = args.uses().filter(|_| !args.common().describe) else { return Ok(()) };
    let config = config::read(None, &process_env)?;
    identity::take(&config, uses, args.common().compat)
}

/// The arguments, with what the configuration says where neither they nor the environment say anything: a
/// hub's numbers are the same in a pipe, in a cron line and in a chain.
fn parse<A: StageArgs>(mut words: Vec<OsString>) -> Result<A, Exit> {
    let name = A::DESCRIBE.name;
    let mut command = A::command().version(kit::VERSION);
    let background = command.get_after_long_help().map_or_else(String::new, |text| format!("{text}\n\n"));
    command = command.after_long_help(background + &kit::exit_codes());
    let parsed = command.try_get_matches_from_mut(&words);
    let matches = parsed.map_err(|error| not_parsed(name, &error))?;
    if matches.get_flag("describe") {
        return A::from_arg_matches(&matches).map_err(|error| not_parsed(name, &error));
    }
    let failed = |error: anyhow::Error| {
        Messages::new(name, false).error(format_args!("{error:#}"));
        exit_of(&error)
    };
    let Some(config) = config::if_any(&process_env).map_err(failed)? else {
        return A::from_arg_matches(&matches).map_err(|error| not_parsed(name, &error));
    };
    let mut more: Vec<OsString> = Vec::new();
    if matches.value_source("compat") == Some(ValueSource::DefaultValue)
        && let Some(compat) = config.compat
    {
        more.push(format!("--compat={compat}").into());
    }
    let given = options(&config, name, &command, &matches);
    more.extend(given.iter().map(|(word, _)| word.into()));
    if more.is_empty() {
        return A::from_arg_matches(&matches).map_err(|error| not_parsed(name, &error));
    }
    let at = words.len().min(1);
    words.splice(at..at, more);
    A::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let blamed = given.iter().find(|(word, _)| text.contains(word.split('=').next().unwrap_or(word)));
        if let Some((_, setting)) = blamed {
            let Setting { key, name: known, origin, .. } = setting;
            Messages::new(name, false).error(format_args!("{origin}: [{}] {known} cannot be used", key.section));
        }
        not_parsed(name, &error)
    })
}

/// The options that the keys of the configuration stand for, and that were not given.
fn options<'c>(config: &'c Config, stage: &str, command: &Command, matches: &ArgMatches) -> Vec<(String, &'c Setting)> {
    let is_given = |long: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_long() == Some(long))?;
        let source = matches.value_source(arg.get_id().as_str());
        Some(matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable)))
    };
    let mut words = Vec::new();
    for setting in config.settings() {
        for option in setting.key.options.iter().filter(|option| [stage, "*"].contains(&option.stage)) {
            let is_free = is_given(option.option) == Some(false);
            let is_wanted = !option.is_read_there && option.unless.iter().all(|other| is_given(other) != Some(true));
            if is_free && is_wanted {
                let word = |value: &str| (format!("--{}={value}", option.option), setting);
                words.extend(setting.values().into_iter().filter(|value| !value.is_empty()).map(word));
            }
        }
    }
    words
}

/// Opens the log that our parent named, writes the command line to it, and copies every message to
/// it.
fn join_log(name: &'static str) {
    let Some(file) = std::env::var_os(STAGE_LOG).filter(|path| !path.is_empty()) else { return };
    let sinks = Sinks::of(Some(PathBuf::from(file)), &process_env, Stderr::Nothing);
    let words: Vec<_> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let log = Log::open(name, &sinks, &format!("{name} {}", words.join(" ")));
    kit::copy_messages(move |level, text| log.write(level, &text));
}
