//! The command line: from the table of commands to what is done.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{ArgAction, ArgGroup, ArgMatches, Args as _, FromArgMatches as _};
use hub::config::{Paths, process_env};
use kit::{Messages, Usage};
use schema::{Compat, Exit, Month, Period};

use crate::audit;
use crate::chains::{Chain, Chains};
use crate::commands::{self, Arg, COMMANDS, Does, Form, Given, Group, Here, Row, Takes};
use crate::convert;
use crate::dates;
use crate::doctor;
use crate::explain;
use crate::hub::{Hub, Voice, compat, variable};
use crate::import;
use crate::mend;
use crate::pipeline;
use crate::setup;
use crate::shell::{Programs, Shell, Variables, parse};

/// Folder with an administrator's own chains.
const CHAINS_VARIABLE: &str = "HZMETRICS_CHAINS";

/// Parses the command line and does what it says.
pub(crate) fn main() -> ExitCode {
    if let Some(exit) = kit::generate(command) {
        return exit.into();
    }
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return kit::not_parsed("hzmetrics", &error).into(),
    };
    let messages = Messages::new("hzmetrics", false);
    let Some((name, given)) = matches.subcommand() else {
        return match kit::print(command().render_help().to_string().as_bytes()) {
            Ok(()) => Exit::Done.into(),
            Err(error) => failed(&error, messages).into(),
        };
    };
    let Some(row) = COMMANDS.iter().find(|row| row.name == name) else { return Exit::Usage.into() };
    let base = match base(&matches) {
        Ok(base) => base,
        Err(error) => return failed(&error, messages).into(),
    };
    if row.does == Does::Here(Here::Convert) {
        return match convert::Args::from_arg_matches(given) {
            Ok(args) => kit::run_with(&args, |io| convert::convert(&args, io)),
            Err(_) => Exit::Usage.into(),
        };
    }
    if let Err(error) = settle_identity(row, given, &base) {
        return failed(&error, messages).into();
    }
    match work(row, given, base, messages) {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(&error, messages).into(),
    }
}

/// Gives root's rights away, before anything is opened in folders of others.
fn settle_identity(row: &Row, given: &ArgMatches, base: &[Assignment]) -> Result<()> {
    let Some(uses) = row.uses(given).filter(|_| hub::identity::is_root()) else { return Ok(()) };
    let env = |name: &str| variable(base, name);
    let config = hub::config::read(None, &env)?;
    let compat = compat(&config, &env)?;
    hub::identity::take(&config, uses, compat)
}

/// Says what went wrong; the exit code for it.
fn failed(error: &anyhow::Error, messages: Messages) -> Exit {
    let exit = exit_of(error);
    if exit != Exit::ReaderLeft {
        messages.error(format_args!("{error:#}"));
    }
    exit
}

/// Our own errors that have a code; the rest is the kit's rule.
fn exit_of(error: &anyhow::Error) -> Exit {
    if error.chain().any(|cause| cause.is::<parse::Bad>()) {
        Exit::Usage
    } else if error.chain().any(|cause| cause.is::<pipeline::Others>()) {
        Exit::Busy
    } else {
        kit::exit_of(error)
    }
}

/// What every process that is started finds in its environment: the file of `-c`, the list of `--compat`.
fn base(matches: &ArgMatches) -> Result<Vec<Assignment>> {
    let mut list = Vec::new();
    if let Some(file) = matches.get_one::<PathBuf>("config") {
        let config = hub::config::read(Some(file), &process_env)?;
        let variables = config.variables().into_iter();
        list.extend(variables.map(|(name, value)| (name.to_owned(), value.into_vec())));
    }
    if let Some(compat) = matches.get_one::<String>("compat") {
        list.push(("HZMETRICS_COMPAT".to_owned(), compat.clone().into_bytes()));
    }
    Ok(list)
}

/// The variables that a chain starts with: the environment, then these.
fn variables(given: Vec<Assignment>) -> Variables {
    let mut variables = Variables::from_environment();
    for (name, value) in given {
        variables.export(&name, OsString::from_vec(value));
    }
    variables
}

fn work(row: &Row, matches: &ArgMatches, base: Vec<Assignment>, messages: Messages) -> Result<u8> {
    match row.does {
        Does::Here(Here::Sh) => sh(matches, base, messages),
        Does::Here(Here::Chains) => list(matches),
        Does::Here(Here::RunChain) => run_chain(matches, base, messages),
        Does::Here(Here::Explain) => explained(matches, base),
        Does::Here(Here::SetupDb) => setup::setup_command(matches, &base, messages),
        Does::Here(Here::Migrate) => setup::migrate_command(matches, &base, messages),
        Does::Here(Here::Import) => on_hub(row, &base, spoken(matches), |hub| import::import(hub, matches)),
        Does::Here(Here::ImportApache) => {
            on_hub(row, &base, spoken(matches), |hub| import::import_apache(hub, matches))
        }
        Does::Here(Here::ImportHubData) => on_hub(row, &base, spoken(matches), |hub| import::hub_data(hub, matches)),
        Does::Here(Here::ForgetImport) => on_hub(row, &base, Voice::Report, |hub| mend::forget(hub, matches)),
        Does::Here(Here::RepairImportedSources) => on_hub(row, &base, Voice::Report, |hub| mend::repair(hub, matches)),
        Does::Here(Here::ReconstructImportedSources) => {
            on_hub(row, &base, Voice::Report, |hub| mend::reconstruct(hub, matches))
        }
        Does::Here(Here::FillGeo) => on_hub(row, &base, Voice::Report, |hub| mend::fill_countries(hub, matches)),
        Does::Here(Here::BackfillDnload) => on_hub(row, &base, Voice::Report, |hub| mend::backfill(hub, matches)),
        Does::Here(Here::RebuildWebhits) => on_hub(row, &base, Voice::Report, |hub| mend::rebuild(hub, matches)),
        Does::Here(Here::Tick) => on_hub(row, &base, spoken(matches), |hub| pipeline::tick(hub, matches)),
        Does::Here(Here::Run) => on_hub(row, &base, spoken(matches), |hub| pipeline::run(hub, matches)),
        Does::Here(Here::Process) => on_hub(row, &base, spoken(matches), |hub| pipeline::process(hub, matches)),
        Does::Here(Here::Analyze) => on_hub(row, &base, spoken(matches), |hub| pipeline::analyze(hub, matches)),
        Does::Here(Here::Summarize) => on_hub(row, &base, spoken(matches), |hub| pipeline::summarize(hub, matches)),
        Does::Here(Here::RebuildSummaries) => {
            on_hub(row, &base, spoken(matches), |hub| pipeline::rebuild_summaries(hub, matches))
        }
        Does::Here(Here::MarkDirty) => on_hub(row, &base, Voice::Report, |hub| pipeline::mark_dirty(hub, matches)),
        Does::Here(Here::ClearDirty) => on_hub(row, &base, Voice::Report, |hub| pipeline::clear_dirty(hub, matches)),
        Does::Here(Here::RebuildFrom) => on_hub(row, &base, Voice::Report, |hub| pipeline::rebuild_from(hub, matches)),
        Does::Here(Here::Unpublish) => on_hub(row, &base, Voice::Report, |hub| pipeline::unpublish(hub, matches)),
        Does::Here(Here::Status) => on_hub(row, &base, Voice::Report, |hub| print(pipeline::status(hub)?.as_bytes())),
        Does::Here(Here::Init) => on_hub(row, &base, Voice::Report, pipeline::init),
        Does::Here(Here::Audit) => on_hub(row, &base, Voice::Report, |hub| audit::audit(hub, matches)),
        Does::Here(Here::Doctor) => {
            let hub = Hub::open_anyway(row.name, &base, Voice::Report)?;
            let (text, code) = doctor::doctor(&hub, matches.get_flag("fix"));
            print(text.as_bytes()).map(|_| code)
        }
        Does::Stage { exe, fixed } => {
            let args = commands::stage_args(fixed, &given(row, matches));
            let args = args.into_iter().map(OsString::from).collect();
            let dry_run = matches.try_get_one::<bool>("dry-run").ok().flatten().is_some_and(|dry_run| *dry_run);
            // who is online has a lock of its own: it must not wait for the nightly work
            let writes = !dry_run && exe != "whoisonline";
            on_hub(row, &base, Voice::Cron, |hub| {
                let lock = hub.lock(writes)?;
                let mut shell = hub.shell(lock.as_ref())?;
                // receipts are for who joins stages by pipes; a crontab would mail them
                if fixed.starts_with(&["--to", "db"]) {
                    shell.run_without_output(exe, args)
                } else {
                    shell.run_program(exe, args)
                }
            })
        }
        // it has options of its own, and was done before
        Does::Here(Here::Convert) => Ok(Exit::Usage.code()),
    }
}

/// A dry run is for the person who typed it, work for nobody.
fn spoken(matches: &ArgMatches) -> Voice {
    if matches.get_flag("dry-run") { Voice::Report } else { Voice::Cron }
}

/// Does `work` with what a hub's configuration and log give it. What goes wrong goes to the log.
fn on_hub(row: &Row, base: &[Assignment], voice: Voice, work: impl FnOnce(&Hub) -> Result<u8>) -> Result<u8> {
    let hub = Hub::open(row.name, base, voice)?;
    let _phase = (voice == Voice::Cron).then(|| hub.log.phase(row.name));
    Ok(work(&hub).unwrap_or_else(|error| {
        let exit = exit_of(&error);
        if exit != Exit::ReaderLeft {
            hub.log.error(format_args!("{error:#}"));
        }
        exit.code()
    }))
}

/// What was given for each argument, in the order of the row.
fn given<'a>(row: &'a Row, matches: &ArgMatches) -> Vec<Given<'a>> {
    let value = |arg: &'a Arg| {
        if arg.form == Form::Flag {
            return matches.get_flag(arg.name).then(|| (arg, Vec::new()));
        }
        let values = matches.get_raw(arg.name)?.map(|value| value.to_string_lossy().into_owned()).collect();
        Some((arg, values))
    };
    row.args.iter().filter_map(value).collect()
}

fn command() -> clap::Command {
    let mut command = clap::Command::new("hzmetrics")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Usage metrics of a HUBzero hub: runs the stages, keeps them in order")
        .help_template("{about}\n\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}")
        .override_usage("hzmetrics [-c FILE] [--compat LIST] COMMAND [ARGUMENT…]")
        .after_help(overview())
        .arg(
            clap::Arg::new("config")
                .short('c')
                .long("config")
                .value_name("FILE")
                .value_parser(ValueParser::path_buf())
                .help("Configuration file, for this run only"),
        )
        .arg(
            clap::Arg::new("compat")
                .long("compat")
                .value_name("LIST")
                .value_parser(checked(|text| Compat::parse(text).map(drop).map_err(|e| e.to_string())))
                .help("Whose numbers, for this run only: `legacy`, `port`, or single options"),
        );
    for row in COMMANDS {
        let mut sub = clap::Command::new(row.name).about(row.about);
        if row.does == Does::Here(Here::Convert) {
            sub = convert::Args::augment_args(sub);
        }
        for arg in row.args {
            sub = sub.arg(argument(arg));
        }
        if !row.one_of.is_empty() {
            sub = sub.group(ArgGroup::new("one of").args(row.one_of).required(row.one_needed));
        }
        command = command.subcommand(sub);
    }
    command
}

/// The commands under their headings.
fn overview() -> String {
    let width = COMMANDS.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (group, heading) in Group::ALL {
        text.push_str(&format!("\n{heading}:\n"));
        for row in COMMANDS.iter().filter(|row| row.group == *group) {
            text.push_str(&format!("  {:width$}  {}\n", row.name, row.about));
        }
    }
    text.push_str("\n`hzmetrics COMMAND --help` says more about one of them.");
    text
}

fn argument(arg: &Arg) -> clap::Arg {
    let made = clap::Arg::new(arg.name).help(arg.about).required(arg.needed);
    let made = match arg.form {
        Form::Flag => return made.long(arg.name).action(ArgAction::SetTrue),
        Form::Option(short) => {
            let made = made.long(arg.name).value_name(value_name(arg));
            match short {
                Some(short) => made.short(short),
                None => made,
            }
        }
        Form::Positional => made.value_name(arg.name),
        Form::Many => made.value_name(arg.name).action(ArgAction::Append).num_args(0..),
    };
    match arg.takes {
        Takes::Any => made.value_parser(ValueParser::os_string()),
        Takes::YearMonth => {
            made.value_parser(checked(|text| text.parse::<Month>().map(drop).map_err(|e| e.to_string())))
        }
        Takes::BegunMonth => made.value_parser(checked(begun_month)),
        Takes::Date => made.value_parser(checked(|text| dates::parse(text).map(drop).map_err(|e| e.to_string()))),
        Takes::Day => made.value_parser(checked(|text| {
            let whole = text.len() == 10 && dates::parse(text).is_ok();
            whole.then_some(()).ok_or_else(|| format!("`{text}` is no day (YYYY-MM-DD)"))
        })),
        Takes::Days => made.value_parser(checked(|text| {
            let whole = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
            whole.then_some(()).ok_or_else(|| format!("`{text}` is no day (YYYYMMDD)"))
        })),
        Takes::Minutes => made.value_parser(checked(|text| {
            let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
            number.map(drop).ok_or_else(|| format!("`{text}` is no number of minutes"))
        })),
        Takes::Number => made.value_parser(checked(|text| {
            let number = text.parse::<u32>().ok().filter(|n| *n > 0);
            number.map(drop).ok_or_else(|| format!("`{text}` is no number from 1"))
        })),
        Takes::Lookback => made.allow_negative_numbers(true).value_parser(checked(|text| {
            text.parse::<i64>().map(drop).map_err(|_| format!("`{text}` is no whole number"))
        })),
        Takes::Share => made.allow_negative_numbers(true).value_parser(checked(|text| {
            let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
            number.map(drop).ok_or_else(|| format!("`{text}` is no number"))
        })),
        Takes::Periods => made.value_parser(checked(|text| {
            let known = |word: &str| word.parse().ok().and_then(Period::from_code).is_some();
            let bad = text.split(',').find(|word| !known(word.trim()));
            bad.map_or(Ok(()), |word| Err(format!("`{word}` is no period: 0, 1, 3, 12, 13, 14")))
        })),
        Takes::Sections => made.value_parser(checked(|text| {
            let bad = text.split(',').find(|word| !commands::SECTIONS.contains(&word.trim()));
            bad.map_or(Ok(()), |word| Err(format!("`{word}` is no section: {}", commands::SECTIONS.join(", "))))
        })),
        Takes::OneOf(words) => made.value_parser(PossibleValuesParser::new(words)),
    }
}

fn value_name(arg: &Arg) -> &'static str {
    match arg.takes {
        Takes::Any if arg.name == "line" => "LINE",
        Takes::Any if arg.name == "chains" => "DIR",
        Takes::Any if ["accept", "set-aside"].contains(&arg.name) => "FILE",
        Takes::YearMonth | Takes::BegunMonth => "YYYY-MM",
        Takes::Day => "YYYY-MM-DD",
        Takes::Days => "YYYYMMDD",
        Takes::Date => "DATE",
        Takes::Number | Takes::Lookback => "N",
        Takes::Share => "SHARE",
        Takes::Minutes => "MINUTES",
        Takes::Periods | Takes::Sections => "LIST",
        Takes::Any | Takes::OneOf(_) => "VALUE",
    }
}

fn begun_month(text: &str) -> Result<(), String> {
    let month = text.parse::<Month>().map_err(|e| e.to_string())?;
    kit::refuse_month_to_come(month).map_err(|e| format!("{e:#}"))
}

fn checked(check: fn(&str) -> Result<(), String>) -> ValueParser {
    ValueParser::new(move |text: &str| check(text).map(|()| text.to_owned()))
}

fn one(matches: &ArgMatches, name: &str) -> Option<OsString> {
    matches.get_raw(name)?.next().map(OsString::from)
}

fn many(matches: &ArgMatches, name: &str) -> Vec<OsString> {
    matches.get_raw(name).map(|values| values.map(OsString::from).collect()).unwrap_or_default()
}

/// A name and its value.
pub(crate) type Assignment = (String, Vec<u8>);

/// `NAME=VALUE`, or `None`.
fn assignment(word: &OsString) -> Option<Assignment> {
    parse::split_assignment(word.as_bytes()).map(|(name, value)| (name.to_owned(), value.to_vec()))
}

fn sh(matches: &ArgMatches, mut base: Vec<Assignment>, messages: Messages) -> Result<u8> {
    let mut words = many(matches, "FILE");
    let line = one(matches, "line");
    let file = match words.first() {
        Some(first) if line.is_none() && assignment(first).is_none() => Some(words.remove(0)),
        _ => None,
    };
    for word in words {
        let (name, value) =
            assignment(&word).ok_or_else(|| Usage(format!("`{}` is no NAME=VALUE", word.to_string_lossy())))?;
        base.push((name, value));
    }
    let is_stdin = line.is_none() && file.as_ref().is_none_or(|file| file == "-");
    let (name, text) = match (line, file) {
        (Some(line), _) => ("-c".to_owned(), line.into_vec()),
        (None, Some(file)) if file != "-" => {
            let text =
                kit::door::named::read(file.as_ref()).with_context(|| format!("reading {}", file.to_string_lossy()))?;
            (file.to_string_lossy().into_owned(), text)
        }
        _ => {
            let mut text = Vec::new();
            kit::stdin().and_then(|mut stdin| stdin.read_to_end(&mut text)).context("reading standard input")?;
            ("stdin".to_owned(), text)
        }
    };
    let mut shell = Shell::new(&name, variables(base), messages)?;
    hand_on(&mut shell)?;
    if is_stdin {
        shell.stdin_is_used();
    }
    shell.run(&text).with_context(|| name)
}

fn chains(matches: &ArgMatches) -> Result<Chains> {
    let named = one(matches, "chains").or_else(|| std::env::var_os(CHAINS_VARIABLE).filter(|dir| !dir.is_empty()));
    Chains::new(named.map(PathBuf::from), Paths::new(&process_env).chains())
}

/// The chain and the variables that were given for it.
fn chain(matches: &ArgMatches) -> Result<(Chain, Vec<Assignment>)> {
    let name = one(matches, "NAME").unwrap_or_default();
    let chain = chains(matches)?.get(&name.to_string_lossy())?;
    let mut variables = Vec::new();
    for word in many(matches, "MONTH|NAME=VALUE") {
        variables.push(match assignment(&word) {
            Some(variable) => variable,
            None => {
                let month: Month = word
                    .to_string_lossy()
                    .parse()
                    .map_err(|e| Usage(format!("neither a month nor NAME=VALUE: {e}")))?;
                ("MONTH".to_owned(), month.to_string().into_bytes())
            }
        });
    }
    Ok((chain, variables))
}

/// Hands the configuration on to the stages of a text, where there is one: filters can do without.
fn hand_on(shell: &mut Shell) -> Result<()> {
    match hub::config::read(None, &|name| Some(shell.variables.get(name).to_owned())) {
        Ok(config) if !config.files().is_empty() => shell.hand_on(&config),
        _ => Ok(()),
    }
}

fn run_chain(matches: &ArgMatches, mut base: Vec<Assignment>, messages: Messages) -> Result<u8> {
    let (chain, given) = chain(matches)?;
    base.extend(given);
    let variables = variables(base);
    let missing = chain.asked().into_iter().find(|asked| asked.needed && variables.get(&asked.name).is_empty());
    if let Some(asked) = missing {
        let name = &chain.name;
        let text =
            format!("{} needs {}: {} (`hzmetrics chains {name}` shows it)", chain.place(), asked.name, asked.about);
        return Err(Usage(text).into());
    }
    let place = chain.place();
    let mut shell = Shell::new(&place, variables, messages)?;
    hand_on(&mut shell)?;
    shell.run(&chain.text).context(place)
}

fn explained(matches: &ArgMatches, mut base: Vec<Assignment>) -> Result<u8> {
    let (chain, given) = chain(matches)?;
    base.extend(given);
    let lines = explain::explain(&chain, &base, &Programs::new()).with_context(|| chain.place())?;
    print(&lines)
}

fn list(matches: &ArgMatches) -> Result<u8> {
    let chains = chains(matches)?;
    if let Some(name) = one(matches, "NAME") {
        return print(&chains.get(&name.to_string_lossy())?.text);
    }
    let all = chains.all()?;
    let width = |text: fn(&Chain) -> String| all.iter().map(|chain| text(chain).chars().count()).max().unwrap_or(0);
    let (names, origins) = (width(|chain| chain.name.clone()), width(Chain::origin));
    let mut text = String::new();
    for chain in &all {
        text.push_str(&format!("{:names$}  {:origins$}  {}\n", chain.name, chain.origin(), chain.about()));
    }
    print(text.as_bytes())
}

/// Words of ours that are data: to standard output.
fn print(bytes: &[u8]) -> Result<u8> {
    kit::print(bytes).map(|()| Exit::Done.code())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
