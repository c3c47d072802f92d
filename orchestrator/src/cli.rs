//! The command line: every command with its name, and how the given one is started.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use kit::Messages;
use schema::{Compat, Exit};

use crate::commands::*;
use crate::completions;
use crate::health::reading::State;
use crate::overrides::Overrides;
use crate::shell::code_of;

/// Usage metrics of a HUBzero hub: runs the stages and keeps them in order
#[derive(Debug, Parser)]
#[command(
    name = "hzmetrics",
    version = kit::VERSION,
    help_template = "{about}\n\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}",
    override_usage = "hzmetrics [-c FILE] [--compat LIST] COMMAND [ARGUMENT…]",
    after_help = overview()
)]
struct Cli {
    /// Read this configuration file instead of the default ones
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Which program's results to reproduce: legacy, port or a list
    #[arg(long, value_name = "LIST", value_parser = compat)]
    compat: Option<String>,

    #[command(subcommand)]
    command: Option<Commands>,
}

/// Declares the commands, under the headings of `--help`, and what each of them runs.
macro_rules! commands {
    ($($heading:literal $group:ident { $($(#[$meta:meta])* $name:ident($args:ty),)+ })+) => {
        $(#[derive(Debug, Subcommand)]
        enum $group {
            $($(#[$meta])* $name($args),)+
        })+

        #[derive(Debug, Subcommand)]
        enum Commands {
            $(#[command(flatten)]
            $group($group),)+
        }

        impl Commands {
            fn command(&self) -> &dyn Command {
                match self {
                    $($(Self::$group($group::$name(args)) => args,)+)+
                }
            }
        }

        const HEADINGS: &[(&str, fn(clap::Command) -> clap::Command)] = &[$(($heading, $group::augment_subcommands),)+];
    };
}

commands! {
    "Chains and records" Records {
        Sh(sh::Args),
        Chains(chains::Args),
        RunChain(run_chain::Args),
        Explain(explain::Args),
        Convert(convert::Args),
    }
    "The daily work" Daily {
        Tick(tick::Args),
        Run(run::Args),
        Whoisonline(whoisonline::Args),
        Status(status::Args),
        Process(process::Args),
        Import(import::Args),
        Analyze(analyze::Args),
        Summarize(summarize::Args),
    }
    "Looking at the numbers" Numbers {
        Show(show::Args),
        Why(why::Args),
        Trace(trace::Args),
        Compare(compare::Args),
        Rehearse(rehearse::Args),
        Report(report::Args),
    }
    "Looking after the numbers" Upkeep {
        RebuildSummaries(rebuild_summaries::Args),
        MarkDirty(mark_dirty::Args),
        ClearDirty(clear_dirty::Args),
        RebuildFrom(rebuild_from::Args),
        Unpublish(unpublish::Args),
        ForgetImport(forget_import::Args),
        RepairImportedSources(repair_imported_sources::Args),
        ReconstructImportedSources(reconstruct_imported_sources::Args),
        FillGeo(fill_geo::Args),
        BackfillDnload(backfill_dnload::Args),
        RebuildWebhits(rebuild_webhits::Args),
        Prune(prune::Args),
        ForgetUser(forget_user::Args),
        HashAddresses(hash_addresses::Args),
    }
    "Setup and health" Health {
        SetupDb(setup_db::Args),
        Migrate(migrate::Args),
        Init(init::Args),
        Config(config::Args),
        Backup(backup::Args),
        Restore(restore::Args),
        Check(check::Args),
        Metrics(metrics::Args),
        Serve(serve::Args),
        Doctor(doctor::Args),
        Audit(audit::Args),
    }
    "Single steps" Steps {
        ImportApache(import_apache::Args),
        ImportHubData(import_hub_data::Args),
        #[command(flatten)]
        Stages(stages::Step),
    }
}

/// The commands under their headings.
fn overview() -> String {
    let groups: Vec<_> = HEADINGS.iter().map(|(heading, add)| add(clap::Command::new(*heading))).collect();
    let commands = groups.iter().flat_map(clap::Command::get_subcommands);
    let width = commands.map(|command| command.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for group in &groups {
        text.push_str(&format!("\n{}:\n", group.get_name()));
        for command in group.get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {:width$}  {about}\n", command.get_name()));
        }
    }
    text.push_str("\n`hzmetrics COMMAND --help` describes one command.");
    text
}

/// A list of compatibility options, kept as written: it is passed to the stages.
fn compat(text: &str) -> Result<String, String> {
    Compat::parse(text).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

/// Parses the command line and does what it says.
pub(crate) fn main() -> ExitCode {
    if let Some(exit) = kit::generate(Cli::command, &completions::values) {
        return exit.into();
    }
    let parsed = Cli::command().try_get_matches();
    let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches).map(|cli| (cli, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let exit = kit::not_parsed("hzmetrics", &error).code();
            return of_plugin(is_plugin(), exit, &"the arguments are invalid; standard error says why");
        }
    };
    kit::progress::enable("hzmetrics");
    let messages = Messages::new("hzmetrics", false);
    let name = matches.subcommand_name().unwrap_or_default();
    match run(&cli, name, messages) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = code_of(&error);
            if code != Exit::ReaderLeft.code() {
                messages.error(format_args!("{error:#}"));
            }
            of_plugin(name == CHECK, code, &format_args!("{error:#}"))
        }
    }
}

/// The command that monitoring systems start.
const CHECK: &str = "check";

/// Whether the command line, which could not be parsed, is one of `check`.
fn is_plugin() -> bool {
    let matches = Cli::command().ignore_errors(true).try_get_matches();
    matches.is_ok_and(|matches| matches.subcommand_name() == Some(CHECK))
}

/// The exit code. For a monitoring system 2 means that the hub is in a critical state: a plugin that could
/// not do its work says on standard output that nothing is known, and ends with 3.
fn of_plugin(is_plugin: bool, code: u8, why: &dyn std::fmt::Display) -> ExitCode {
    let is_failure = code != Exit::Done.code() && code != Exit::ReaderLeft.code();
    if !is_plugin || !is_failure {
        return code.into();
    }
    let mut line = String::new();
    kit::push_seen(&mut line, &why.to_string().replace(['\n', '|'], " "));
    // the exit code says the same if nobody can read it
    let _ = kit::print(format!("UNKNOWN - {line}\n").as_bytes());
    State::Unknown.code().into()
}

fn run(cli: &Cli, name: &str, messages: Messages) -> Result<u8> {
    let Some(command) = cli.command.as_ref().map(Commands::command) else {
        return kit::print(Cli::command().render_help().to_string().as_bytes()).map(|()| Exit::Done.code());
    };
    let overrides = Overrides::new(cli.config.as_deref(), cli.compat.as_deref())?;
    // root's rights are dropped before anything is opened in folders of others
    if let Some(uses) = command.uses().filter(|_| hub::identity::is_root()) {
        let config = hub::config::read(None, &|name: &str| overrides.get(name))?;
        hub::identity::take(&config, uses, overrides.compat(&config)?)?;
    }
    command.run(&Call { name: name.to_owned(), overrides, messages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_heading_and_one_line() {
        let command = Cli::command();
        let text = overview();
        for sub in command.get_subcommands() {
            let line = text.lines().find(|line| line.split_whitespace().next() == Some(sub.get_name()));
            let line = line.unwrap_or_else(|| panic!("{} is not in the overview", sub.get_name()));
            assert!(line.len() <= 110 && line.split_whitespace().count() > 2 && !line.ends_with('.'), "{line}");
        }
    }

    #[test]
    fn every_command_of_the_port_exists() {
        let mut expected = vec![
            "sh",
            "chains",
            "run-chain",
            "explain",
            "convert",
            "show",
            "why",
            "trace",
            "config",
            "report",
            "compare",
            "rehearse",
            "prune",
            "forget-user",
            "hash-addresses",
            "backup",
            "restore",
        ];
        expected.extend(
            "tick run whoisonline status process import analyze summarize rebuild-summaries mark-dirty clear-dirty \
             rebuild-from unpublish forget-import repair-imported-sources reconstruct-imported-sources setup-db migrate init \
             check metrics serve doctor audit fill-geo backfill-dnload rebuild-webhits \
             fetch-logs archive-logs import-logs import-apache import-auth identify-bots import-hub-data \
             middleware-wall middleware-cpu resolve-dns fill-domain fill-user-info fill-ipcountry clean-bots \
             logfix-session gen-tool-stats gen-tool-tops gen-tool-toplists andmore-usage summarize-month"
                .split_whitespace(),
        );
        let command = Cli::command();
        let mut names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
