//! `test`, `ci`, `campaign`: run the checks, report what is run, and fail if one fails.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Result, bail};
use fixtures::closed;
use xshell::{Cmd, Shell, cmd};

use checkout::{place, say};

#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Do not install MariaDB, Apache and other programs that tests start if they are missing; the tests that need them are skipped
    #[arg(long)]
    no_install: bool,
    /// Only tests that take little time, for use during development: no killed runs, no generated cases
    /// by the hundred, no installations (`.config/nextest.toml`)
    #[arg(long)]
    quick: bool,
    /// Only tests whose name contains this text
    filter: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CampaignArgs {
    /// Multiplies the default number of cases, seeds and kills; each of the three can also be set by
    /// its environment variable
    #[arg(long, value_name = "N", default_value_t = 30)]
    scale: u32,
    /// Only tests whose name contains this text
    filter: Option<String>,
}

/// Whether a program exists and can be run.
fn answers(sh: &Shell, program: &str, args: &[&str]) -> bool {
    cmd!(sh, "{program} {args...}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// Every test of the workspace.
pub(crate) fn test(sh: &Shell, args: &TestArgs) -> Result<()> {
    sh.change_dir(place::root()?);
    if !args.no_install {
        MARIADB.provide(sh);
        WEB_SERVER.provide(sh);
        READERS.provide(sh);
    }
    // the harness reads both: whether it may install, and where it lists skipped tests
    let _install = sh.push_env("HZMETRICS_TEST_INSTALL", "no");
    let target = place::target(sh)?;
    let skipped = target.join("skipped-tests");
    sh.remove_path(&skipped)?;
    let _skipped = sh.push_env("HZMETRICS_TEST_SKIPPED", &skipped);
    let is_all = args.filter.is_none() && !args.quick;
    let keeps_nothing = is_all && keeps_nothing(sh.var_os(INCREMENTAL).as_deref(), &target);
    let _incremental = keeps_nothing.then(|| sh.push_env(INCREMENTAL, "0"));
    let passed = run_tests(sh, args.quick, args.filter.as_deref(), &[]);
    if let Ok(list) = sh.read_file(&skipped) {
        say(&format!("xtask: SKIPPED, whole or in part ({}):\n{list}", list.lines().count()));
    }
    passed?;
    if is_all {
        cmd!(sh, "cargo test --workspace --doc").run()?;
    }
    say(if args.quick { "xtask: the quick tests passed" } else { "xtask: all tests passed" });
    Ok(())
}

/// Whether cargo keeps what makes the next build of a change short.
const INCREMENTAL: &str = "CARGO_INCREMENTAL";

/// Whether it should not: keeping it makes a build a third longer, and who never built here has changed nothing.
fn keeps_nothing(asked: Option<&OsStr>, target: &Path) -> bool {
    asked.is_none() && !target.join("debug/incremental").exists()
}

fn run_tests(sh: &Shell, quick: bool, filter: Option<&str>, cargo: &[String]) -> Result<()> {
    let filter = filter.as_slice();
    let without_hub = |mut command: Cmd| {
        for name in closed::of_a_hub() {
            command = command.env_remove(name);
        }
        command.run()
    };
    // Some tests start the executables of other packages, so everything is built before the first test. A `cargo
    // build` before would choose other features for some libraries and build these, and what uses them, twice.
    if answers(sh, "cargo", &["nextest", "--version"]) {
        let profile = if quick { "quick" } else { "default" };
        let threads = test_threads().to_string();
        without_hub(cmd!(
            sh,
            "cargo nextest run {cargo...} --workspace --profile {profile} --test-threads {threads} --no-fail-fast {filter...}"
        ))?;
        return Ok(());
    }
    cmd!(sh, "cargo test {cargo...} --workspace --bins --lib --tests --no-run").run()?;
    let tests = if quick {
        say("xtask: cargo-nextest is not installed, so only the unit tests are run");
        None
    } else {
        say("xtask: cargo-nextest is not installed, so `cargo test` runs the tests (slower, the same tests)");
        Some("--tests")
    };
    without_hub(cmd!(sh, "cargo test {cargo...} --workspace --bins --lib {tests...} --no-fail-fast -- {filter...}"))
        .map_err(Into::into)
}

/// Two for each processor: many tests wait, for a server that is gone, for the next attempt, for a lock.
fn test_threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// Programs that tests start and that are not built here.
pub(crate) struct Needed {
    /// Their name in messages.
    name: &'static str,
    packages: &'static [&'static str],
    /// Each may be in one of these places.
    programs: &'static [&'static [&'static str]],
}

/// Tests with a database start a private server; all they need is the program.
pub(crate) const MARIADB: Needed = Needed {
    name: "MariaDB server",
    packages: &["mariadb-server"],
    programs: &[&["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/sbin/mysqld"]],
};

/// For testing the page on the web server. The package with only the program starts no server.
const WEB_SERVER: Needed = Needed {
    name: "Apache with logrotate and curl",
    packages: &["apache2-bin", "logrotate", "curl", "acl"],
    programs: &[&["/usr/sbin/apache2"], &["/usr/sbin/logrotate"], &["/usr/bin/curl"], &["/usr/bin/setfacl"]],
};

/// For reading what is generated: manual pages, completions, shell scripts.
const READERS: Needed = Needed {
    name: "mandoc, shellcheck, zsh and fish",
    packages: &["mandoc", "shellcheck", "zsh", "fish"],
    programs: &[&["/usr/bin/mandoc"], &["/usr/bin/shellcheck"], &["/usr/bin/zsh"], &["/usr/bin/fish"]],
};

/// For running a hub on several servers.
pub(crate) const CLUSTER: Needed = Needed {
    name: "Galera with haproxy and rsync",
    packages: &["galera-4", "haproxy", "rsync"],
    programs: &[
        &[
            "/usr/lib/galera/libgalera_smm.so",
            "/usr/lib64/galera-4/libgalera_smm.so",
            "/usr/lib64/galera/libgalera_smm.so",
        ],
        &["/usr/sbin/haproxy"],
        &["/usr/bin/rsync"],
    ],
};

/// For tables that are stored on other servers.
pub(crate) const SPIDER: Needed = Needed {
    name: "the Spider engine",
    packages: &["mariadb-plugin-spider"],
    programs: &[&["/usr/lib/mysql/plugin/ha_spider.so", "/usr/lib64/mysql/plugin/ha_spider.so"]],
};

impl Needed {
    fn is_there(&self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = |name: &Path| std::env::split_paths(&path).any(|folder| folder.join(name).exists());
        let found = |place: &&str| {
            let place = Path::new(place);
            place.exists() || place.file_name().is_some_and(|name| on_path(Path::new(name)))
        };
        self.programs.iter().all(|places| places.iter().any(found))
    }

    /// As root on Debian they are installed; elsewhere the tests that need them report that they are
    /// skipped.
    pub(crate) fn provide(&self, sh: &Shell) {
        let (name, packages) = (self.name, self.packages);
        if self.is_there() {
            return;
        }
        let root = cmd!(sh, "id -u").quiet().ignore_stderr().read().is_ok_and(|uid| uid == "0");
        if !root || !answers(sh, "apt-get", &["--version"]) {
            let packages = packages.join(", ");
            say(&format!(
                "xtask: no {name} here; the tests that need it will be skipped (install {packages} to run them)"
            ));
            return;
        }
        say(&format!("xtask: installing {name} for the tests that need it (--no-install prevents this)"));
        let install = || -> xshell::Result<()> {
            let _quiet = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
            cmd!(sh, "apt-get -q update").run()?;
            cmd!(sh, "apt-get -q -y --no-install-recommends install {packages...}").run()
        };
        if let Err(error) = install() {
            say(&format!("xtask: {name} could not be installed ({error}); the tests that need it will be skipped"));
        }
    }
}

/// The script that CI runs, so that both are always the same.
pub(crate) fn ci(sh: &Shell) -> Result<()> {
    sh.change_dir(place::root()?);
    cmd!(sh, "bash .ci/run").run()?;
    Ok(())
}

/// Counts that tests read from the environment, with what they are without it.
const COUNTS: [(&str, u32); 7] = [
    ("PROPTEST_CASES", 256),
    // generated log lines against the slow exact matcher
    ("HZMETRICS_FUZZ_CASES", 3000),
    // megabytes of hostile bytes for the programs
    ("HZMETRICS_FUZZ_MB", 6),
    // runs that are killed, in each form
    ("HZMETRICS_KILLS", 6),
    // runs that two machines begin at once
    ("HZMETRICS_RACES", 4),
    // sessions of each month of a hub whose rows are removed
    ("HZMETRICS_PRUNE", 40),
    // hubs whose summaries are computed in the pipe, in the tables, and by counting
    ("HZMETRICS_CAMPAIGN", 5),
];

/// The tests that generate their cases, with many more of them.
pub(crate) fn campaign(sh: &Shell, args: &CampaignArgs) -> Result<()> {
    if args.scale == 0 {
        bail!("--scale 0 would run no cases");
    }
    sh.change_dir(place::root()?);
    MARIADB.provide(sh);
    let mut held = Vec::new();
    for (name, usual) in COUNTS {
        let count = sh.var(name).unwrap_or_else(|_| usual.saturating_mul(args.scale).to_string());
        say(&format!("xtask: {name}={count}"));
        held.push(sh.push_env(name, count));
    }
    let folder = packages(sh)?;
    let _packages = folder.as_ref().map(|folder| sh.push_env("HZMETRICS_PACKAGES", folder));
    let _optimised = sh.push_env("CARGO_PROFILE_TEST_OPT_LEVEL", "3");
    let ours = SLIGHTLY_OPTIMISED.map(|name| format!("--config=profile.test.package.{name}.opt-level=3"));
    run_tests(sh, false, args.filter.as_deref(), &ours)
}

/// Packages of ours with a level of their own for tests, in `Cargo.toml`.
const SLIGHTLY_OPTIMISED: [&str; 1] = ["schema"];

/// Where the packages are that the campaign tries: those of `dist`, if they are of this version.
fn packages(sh: &Shell) -> Result<Option<std::path::PathBuf>> {
    let folder = place::target(sh)?.join("package");
    let deb = folder.join(concat!("hzmetrics_", env!("CARGO_PKG_VERSION"), "-1_amd64.deb"));
    if !deb.exists() {
        say(&format!("xtask: no {}: packages are not tried (`cargo xtask dist` makes them)", deb.display()));
        return Ok(None);
    }
    Ok(Some(folder))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn only_the_first_build_is_not_incremental() {
        let target = tempfile::tempdir().unwrap();
        assert!(keeps_nothing(None, target.path()));
        assert!(!keeps_nothing(Some(OsStr::new("1")), target.path()));
        fs::create_dir_all(target.path().join("debug/incremental")).unwrap();
        assert!(!keeps_nothing(None, target.path()));
    }

    #[test]
    fn a_campaign_optimises_every_package_of_ours() {
        let root = place::root().unwrap();
        let settings = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let (packages, _) = settings.split_once("[profile.dev.package]\n").unwrap().1.split_once("\n\n").unwrap();
        let named: Vec<_> = packages.lines().map(|line| line.split_once(".opt-level = ").unwrap().0).collect();
        let is_ours = |name: &&str| ["stages", "."].iter().any(|folder| root.join(folder).join(name).is_dir());
        assert_eq!(named.into_iter().filter(is_ours).collect::<Vec<_>>(), SLIGHTLY_OPTIMISED);
    }

    #[test]
    fn a_campaign_sets_every_count_that_tests_read() {
        let root = place::root().unwrap();
        let mut found = Vec::new();
        for folder in ["schema", "stages", "orchestrator", "fixtures"] {
            sources(&root.join(folder), &mut found);
        }
        // `asked("NAME", usual)`; a default that is not a literal differs between tests
        let mut asked: Vec<(&str, Option<u32>)> = Vec::new();
        for text in &found {
            for part in text.split("asked(\"").skip(1) {
                let (name, rest) = part.split_once('"').unwrap();
                let usual = rest.split([',', ')']).nth(1).unwrap().trim().replace('_', "");
                asked.push((name, usual.parse().ok()));
            }
            assert!(!COUNTS.iter().any(|(name, _)| text.contains(&format!("env::var(\"{name}"))), "another way to ask");
        }
        for (name, usual) in COUNTS {
            let said: Vec<u32> = asked.iter().filter(|(n, _)| *n == name).filter_map(|(_, usual)| *usual).collect();
            assert!(asked.iter().any(|(n, _)| *n == name), "nobody asks for {name}");
            assert!(name == "PROPTEST_CASES" || said.iter().all(|n| *n == usual), "{name}: {said:?}");
        }
        let unset = asked.iter().find(|(name, _)| *name != "HZMETRICS_SEED" && COUNTS.iter().all(|(n, _)| n != name));
        assert_eq!(unset, None);
    }
}
