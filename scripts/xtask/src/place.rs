//! Where things lie: the checkout, the target directory, the executables in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
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

/// The folder of the executables that somebody names, or of those that are built now.
pub(crate) fn built(sh: &Shell, named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(folder) => Ok(std::path::absolute(folder)?),
        None => {
            let _there = sh.push_dir(root()?);
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
