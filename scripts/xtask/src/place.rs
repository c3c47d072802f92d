//! Where things lie: the checkout, the target directory, the executables in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use schema::Stamp;
use xshell::{Shell, cmd};

/// The root of the checkout.
pub(crate) fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).context("finding the root of the checkout")
}

/// The target directory, wherever the environment or a configuration puts it.
pub(crate) fn target(sh: &Shell) -> Result<PathBuf> {
    let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("reading cargo metadata")?;
    let directory = metadata["target_directory"].as_str().ok_or_else(|| anyhow!("cargo names no target directory"))?;
    Ok(PathBuf::from(directory))
}

/// Builds every executable in release mode and names their directory.
pub(crate) fn build_release(sh: &Shell) -> Result<PathBuf> {
    crate::say("building the release executables (the first time takes a few minutes)");
    cmd!(sh, "cargo build --release --workspace --bins --exclude xtask").run()?;
    Ok(target(sh)?.join("release"))
}

/// What `--version` of a build for others says: number, commit and its day, or the day that
/// `SOURCE_DATE_EPOCH` names; the same commit gives the same bytes. Without git it is the number.
pub(crate) fn version(sh: &Shell) -> String {
    let number = env!("CARGO_PKG_VERSION");
    let git = |command: xshell::Cmd<'_>| command.quiet().ignore_stderr().read().ok();
    let pattern = "*";
    let commit = git(cmd!(sh, "git describe --always --dirty --abbrev=9 --exclude {pattern}"));
    let seconds = sh.var("SOURCE_DATE_EPOCH").ok().or_else(|| git(cmd!(sh, "git log -1 --format=%ct")));
    match (commit, seconds.and_then(|seconds| day(&seconds))) {
        (Some(commit), Some(day)) => format!("{number} ({commit} {day})"),
        (Some(text), None) | (None, Some(text)) => format!("{number} ({text})"),
        (None, None) => number.to_owned(),
    }
}

/// The day of a number of seconds since 1970.
fn day(seconds: &str) -> Option<String> {
    let days = seconds.trim().parse::<i64>().ok()?.div_euclid(86_400);
    let day = Stamp::parse("1970-01-01")?.plus_days(days).to_string();
    day.get(..10).map(str::to_owned)
}

/// The folder of the executables that somebody names, or of those that are built now.
pub(crate) fn built(sh: &Shell, named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(folder) => Ok(std::path::absolute(folder)?),
        None => {
            let _there = sh.push_dir(root()?);
            let _version = sh.push_env("HZMETRICS_VERSION", version(sh));
            build_release(sh)
        }
    }
}

/// Names of the executables that are installed: those of every package but this one.
pub(crate) fn executables(sh: &Shell) -> Result<Vec<String>> {
    let _there = sh.push_dir(root()?);
    let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("reading cargo metadata")?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.filter(|package| package["name"] != "xtask").flat_map(|p| p["targets"].as_array()).flatten();
    let mut names: Vec<_> = targets
        .filter(|target| target["kind"][0] == "bin")
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_for_others_says_its_commit_and_day() {
        let sh = Shell::new().unwrap();
        sh.change_dir(root().unwrap());
        let _date = sh.push_env("SOURCE_DATE_EPOCH", "1795737600");
        let version = version(&sh);
        assert!(version.starts_with(env!("CARGO_PKG_VERSION")) && version.ends_with(" 2026-11-27)"), "{version}");
        assert_eq!(day("0").as_deref(), Some("1970-01-01"));
        assert_eq!(day("soon"), None);
    }
}
