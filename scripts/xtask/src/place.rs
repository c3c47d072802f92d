//! Paths: the checkout, the target directory, the executables in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use schema::Stamp;
use xshell::{Shell, cmd};

/// The root of the checkout.
///
/// # Errors
/// None, if the checkout is complete.
pub fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).context("finding the root of the checkout")
}

/// The target directory, wherever the environment or a configuration puts it.
///
/// # Errors
/// Cargo fails.
pub fn target(sh: &Shell) -> Result<PathBuf> {
    let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("reading cargo metadata")?;
    let directory = metadata["target_directory"].as_str().ok_or_else(|| anyhow!("cargo names no target directory"))?;
    Ok(PathBuf::from(directory))
}

/// Packages whose executables are for this checkout and are not shipped.
pub const TOOLS: [&str; 2] = ["bench", "xtask"];

/// Builds every shipped executable with a profile of Cargo.toml, and returns their directory.
///
/// # Errors
/// Cargo fails.
pub fn build(sh: &Shell, profile: &str) -> Result<PathBuf> {
    crate::say(&format!("building the {profile} executables (the first time takes a few minutes)"));
    let tools = TOOLS.map(|name| format!("--exclude={name}"));
    cmd!(sh, "cargo build --profile {profile} --workspace --bins {tools...}").run()?;
    Ok(target(sh)?.join(profile))
}

/// The text for `--version` of a build for others: number, commit and its day, or the day in
/// `SOURCE_DATE_EPOCH`; the same commit gives the same bytes. Without git it is only the number.
#[must_use]
pub fn version(sh: &Shell) -> String {
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

/// The day for a number of seconds since 1970.
fn day(seconds: &str) -> Option<String> {
    let days = seconds.trim().parse::<i64>().ok()?.div_euclid(86_400);
    let day = Stamp::parse("1970-01-01")?.plus_days(days).to_string();
    day.get(..10).map(str::to_owned)
}

/// The folder of executables given by the user, or of those built now.
///
/// # Errors
/// Those of [`build`].
pub fn built(sh: &Shell, named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(folder) => Ok(std::path::absolute(folder)?),
        None => {
            let _there = sh.push_dir(root()?);
            let _version = sh.push_env("HZMETRICS_VERSION", version(sh));
            build(sh, "release")
        }
    }
}

/// Names of the executables that are installed.
///
/// # Errors
/// Cargo fails.
pub fn executables(sh: &Shell) -> Result<Vec<String>> {
    let _there = sh.push_dir(root()?);
    let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("reading cargo metadata")?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages
        .filter(|package| !TOOLS.iter().any(|tool| package["name"] == *tool))
        .flat_map(|p| p["targets"].as_array())
        .flatten();
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
