//! `cargo xtask`: tasks that cargo does not have. Demo, tests, checks, benches, generated pages,
//! installation.
//!
//! Messages go to standard error, results (the demo's table, the bench's figures) to standard
//! output.
#![expect(clippy::disallowed_methods, reason = "this is the place that starts cargo and our executables")]

mod check;
mod cluster;
mod demo;
mod dist;
mod docs;
mod files;
mod floor;
mod install;
mod package;
mod packages;
mod sbom;
mod usage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use checkout::{place, say};
use clap::{Parser, Subcommand};
use schema::Month;
use xshell::{Shell, cmd};

/// Tasks that cargo does not have: demo, test, bench, ci.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Create the logs of a small hub, run the whole chain on them and show the usage table
    Demo(demo::Args),
    /// Run every test
    Test(check::TestArgs),
    /// Run what CI runs: formatting, lints, tests, documentation
    Ci,
    /// Measure, and compare with the best that the machine can do
    #[command(disable_help_flag = true)]
    Bench {
        /// See `cargo xtask bench --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run the tests that generate their cases with many more of them: seeds, fuzzing, kills
    Campaign(check::CampaignArgs),
    /// Run the life of a hub on several servers while they are killed, and compare its tables with those of one
    Cluster(cluster::Args),
    /// Write the pages generated from the code
    Docs(docs::Args),
    /// Install from this checkout; the options are those of scripts/deploy/install.sh
    Install(install::Args),
    /// Remove what was installed, and nothing else
    Uninstall(install::UninstallArgs),
    /// Create the folder that `make -C source install` installs from, and that `install` creates for
    /// itself
    Package(package::Args),
    /// Pack executables for hosts without a toolchain, with an installer
    Dist(dist::Args),
    /// Create the logs and records of a made-up hub, for experiments
    MakeHub(MakeHub),
}

#[derive(Debug, clap::Args)]
struct MakeHub {
    /// Directory to write to
    directory: PathBuf,
    /// Another seed gives another hub
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// First month
    #[arg(long, value_name = "YYYY-MM", default_value = "2025-01")]
    first: Month,
    /// Number of consecutive months
    #[arg(long, default_value_t = 3)]
    months: u32,
    /// Visits on a working day
    #[arg(long, default_value_t = 100)]
    visits: u32,
    /// Registered users
    #[arg(long, default_value_t = 200)]
    members: u32,
    /// How many lines in 1,000 are odd
    #[arg(long, default_value_t = 5)]
    odd: u32,
    /// Compress all months except the last
    #[arg(long)]
    gzip: bool,
}

impl MakeHub {
    fn run(&self) -> Result<()> {
        let plan = fixtures::hub::Plan {
            seed: self.seed,
            first: self.first,
            n_months: self.months,
            visits_a_day: self.visits,
            n_members: self.members,
            odd: self.odd,
            gzip: self.gzip,
            old_layout: true,
        };
        let made =
            plan.make(&self.directory, || {}).with_context(|| format!("writing {}", self.directory.display()))?;
        say(&format!(
            "{} log files with {} access and {} auth lines in {}",
            made.n_files,
            made.n_lines,
            made.n_auth_lines,
            self.directory.display()
        ));
        Ok(())
    }
}

fn run(args: &Args) -> Result<()> {
    let sh = Shell::new()?;
    match &args.task {
        Task::Demo(args) => demo::run(&sh, args),
        Task::Test(args) => check::test(&sh, args),
        Task::Ci => check::ci(&sh),
        Task::Bench { args } => bench(&sh, args),
        Task::Campaign(args) => check::campaign(&sh, args),
        Task::Cluster(args) => cluster::run(&sh, args),
        Task::Docs(args) => docs::run(&sh, args),
        Task::Install(args) => install::install(&sh, args),
        Task::Uninstall(args) => install::uninstall(args),
        Task::Package(args) => package::run(&sh, args),
        Task::Dist(args) => dist::run(&sh, args),
        Task::MakeHub(args) => args.run(),
    }
}

/// `bench` needs a database server and a client for it, so it is a separate program.
fn bench(sh: &Shell, args: &[OsString]) -> Result<()> {
    sh.change_dir(place::root()?);
    cmd!(sh, "cargo run --quiet --release --package bench -- {args...}").quiet().run()?;
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
