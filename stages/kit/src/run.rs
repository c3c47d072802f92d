//! From `main` to the exit code: parse, work, say what went wrong.

use std::ffi::OsString;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::parser::ValueSource;
use schema::Exit;

use crate::db::{DbError, ErrorKind};
use crate::lock::Busy;
use crate::{Io, Messages, Outcome, StageArgs, config, identity};

/// The reader of standard output went away. Raised at our own writer and nowhere else, so that a
/// lost database connection (also a broken pipe) is never taken for it.
#[derive(Debug)]
pub struct ReaderLeft;

impl fmt::Display for ReaderLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of standard output went away")
    }
}

impl std::error::Error for ReaderLeft {}

/// The command line or the configuration is unusable, beyond what the option parser sees.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Runs a stage: parses its arguments, does the work, turns the result into an exit code. With
/// `--generate` as the first word it prints its manual or completions instead.
pub fn run<A: StageArgs>(stage: impl FnOnce(&A, &mut Io) -> Result<Outcome>) -> ExitCode {
    if let Some(exit) = crate::generate(A::command) {
        return exit.into();
    }
    let name = A::DESCRIBE.name;
    let is_root = identity::is_root();
    if !is_root {
        crate::messages::join_log(name);
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
        crate::messages::join_log(name);
    }
    run_with(&args, |io| stage(&args, io))
}

/// Gives root's rights away where the run changes something in folders of others.
fn settle_identity<A: StageArgs>(args: &A) -> Result<()> {
    let Some(uses) = args.uses().filter(|_| !args.common().describe) else { return Ok(()) };
    let config = config::read(None, &config::process_env)?;
    identity::take(&config, uses, args.common().compat)
}

/// The arguments, with `--compat` from the configuration where neither they nor the environment
/// have one: a hub's numbers are the same in a pipe, in a cron line and in a chain.
fn parse<A: StageArgs>(mut words: Vec<OsString>) -> Result<A, Exit> {
    let name = A::DESCRIBE.name;
    let parsed = A::command().try_get_matches_from(&words);
    let matches = parsed.map_err(|error| not_parsed(name, &error))?;
    if matches.value_source("compat") == Some(ValueSource::DefaultValue) && !matches.get_flag("describe") {
        let compat = config::settled_compat(&config::process_env).map_err(|error| {
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

/// Prints what the option parser has to say: the help that was asked for, or what is wrong with the
/// command line, with the name of the program in front like every other message.
pub fn not_parsed(name: &'static str, error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        return printed(name, error.render().to_string().as_bytes());
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(|line| line.strip_prefix("error: ").unwrap_or(line)).collect();
    Messages::new(name, false).error(lines.join("\n"));
    Exit::Usage
}

/// Prints a text that was asked for, or says why not, for the program `name`.
pub(crate) fn printed(name: &str, text: &[u8]) -> Exit {
    let Err(error) = crate::print(text) else { return Exit::Done };
    let exit = exit_of(&error);
    if exit != Exit::ReaderLeft {
        // as a message, but the name of a generated page is not known before it is made
        let _ = writeln!(std::io::stderr(), "{name}: {error:#}");
    }
    exit
}

/// The same with arguments that are parsed already: for an executable with several commands.
pub fn run_with<A: StageArgs>(args: &A, stage: impl FnOnce(&mut Io) -> Result<Outcome>) -> ExitCode {
    let common = args.common();
    let messages = Messages::new(A::DESCRIBE.name, common.quiet);
    if common.describe {
        return printed(A::DESCRIBE.name, format!("{}\n", A::DESCRIBE.to_json()).as_bytes()).into();
    }
    let mut io = Io::new(&A::DESCRIBE, common.clone(), messages);
    let result = stage(&mut io).and_then(|outcome| io.finish().map(|rejected| (outcome, rejected)));
    let exit = match result {
        Ok((outcome, rejected)) => {
            if common.strict && outcome.rejected + rejected > 0 {
                Exit::Rejects
            } else {
                Exit::Done
            }
        }
        Err(error) => {
            let exit = exit_of(&error);
            if exit != Exit::ReaderLeft {
                messages.error(format_args!("{error:#}"));
            }
            exit
        }
    };
    exit.into()
}

fn is_misconfigured(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<DbError>().is_some_and(|e| e.kind() == ErrorKind::Misconfigured)
}

fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(|e| e.get_ref());
        if cause.is::<ReaderLeft>() || inner.is_some_and(|e| e.is::<ReaderLeft>()) {
            return Exit::ReaderLeft;
        }
        if cause.is::<Usage>() || is_misconfigured(cause) {
            return Exit::Usage;
        }
        if cause.is::<Busy>() {
            return Exit::Busy;
        }
    }
    Exit::Failed
}
