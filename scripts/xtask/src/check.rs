//! `test`, `ci`, `campaign`: run the checks, say what is run, fail when one fails.

use std::path::Path;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::{place, say};

#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Do not install MariaDB when it is missing; the tests that need it are skipped
    #[arg(long)]
    no_install: bool,
    /// Only tests whose name contains this text
    filter: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CampaignArgs {
    /// How many cases each property is tried on
    #[arg(long, default_value_t = 100_000)]
    cases: u32,
    /// Only tests whose name contains this text
    filter: Option<String>,
}

/// Whether a program is there and answers.
fn answers(sh: &Shell, program: &str, args: &[&str]) -> bool {
    cmd!(sh, "{program} {args...}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// Every test of the workspace.
pub(crate) fn test(sh: &Shell, args: &TestArgs) -> Result<()> {
    sh.change_dir(place::root()?);
    if !args.no_install {
        provide_mariadb(sh);
    }
    // the harness reads both: whether it may install, and where it lists what it skipped
    let _install = sh.push_env("HZMETRICS_TEST_INSTALL", "no");
    let skipped = place::target(sh)?.join("skipped-db-tests");
    sh.remove_path(&skipped)?;
    let _skipped = sh.push_env("HZMETRICS_TEST_SKIPPED", &skipped);
    let passed = run_tests(sh, args.filter.as_deref());
    let n_skipped = sh.read_file(&skipped).map_or(0, |list| list.lines().count());
    if n_skipped > 0 {
        say(&format!("xtask: SKIPPED {n_skipped} tests that need MariaDB, listed in {}", skipped.display()));
    }
    passed?;
    if args.filter.is_none() {
        cmd!(sh, "cargo test --workspace --doc").run()?;
    }
    say("xtask: all tests passed");
    Ok(())
}

fn run_tests(sh: &Shell, filter: Option<&str>) -> Result<()> {
    let filter = filter.as_slice();
    if answers(sh, "cargo", &["nextest", "--version"]) {
        cmd!(sh, "cargo nextest run --workspace --no-fail-fast {filter...}").run()?;
    } else {
        say("xtask: cargo-nextest is not installed, so `cargo test` runs the tests (slower, the same tests)");
        cmd!(sh, "cargo test --workspace --bins --lib --tests --no-fail-fast -- {filter...}").run()?;
    }
    Ok(())
}

/// Tests against a database start a private server of their own; all they need is the program.
/// As root on Debian it is installed, elsewhere the tests that need it say that they are skipped.
fn provide_mariadb(sh: &Shell) {
    let there =
        ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/sbin/mysqld"].iter().any(|p| Path::new(p).exists())
            || answers(sh, "mariadbd", &["--version"]);
    if there {
        return;
    }
    let root = cmd!(sh, "id -u").quiet().ignore_stderr().read().is_ok_and(|uid| uid == "0");
    if !root || !answers(sh, "apt-get", &["--version"]) {
        say(
            "xtask: no MariaDB server here; the tests that need one will be skipped (install mariadb-server to run them)",
        );
        return;
    }
    say("xtask: installing mariadb-server for the tests that need it (--no-install prevents this)");
    let install = || -> xshell::Result<()> {
        let _quiet = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
        cmd!(sh, "apt-get -q update").run()?;
        cmd!(sh, "apt-get -q -y --no-install-recommends install mariadb-server").run()
    };
    if let Err(error) = install() {
        say(&format!("xtask: mariadb-server could not be installed ({error}); the tests that need it will be skipped"));
    }
}

/// The script that CI runs, so that both are the same for ever.
pub(crate) fn ci(sh: &Shell) -> Result<()> {
    sh.change_dir(place::root()?);
    cmd!(sh, "bash .ci/run").run()?;
    Ok(())
}

/// The property tests with many cases; the environment variables are those that the tests read.
pub(crate) fn campaign(sh: &Shell, args: &CampaignArgs) -> Result<()> {
    if args.cases == 0 {
        bail!("a campaign needs at least one case");
    }
    sh.change_dir(place::root()?);
    let cases = args.cases.to_string();
    let _proptest = sh.push_env("PROPTEST_CASES", &cases);
    let _ours = sh.push_env("HZMETRICS_FUZZ_CASES", &cases);
    let _optimised = sh.push_env("CARGO_PROFILE_TEST_OPT_LEVEL", "3");
    say(&format!("xtask: {cases} cases a property"));
    run_tests(sh, args.filter.as_deref())
}
