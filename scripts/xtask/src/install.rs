//! `install` and `uninstall`: from this checkout, using the same script as the archive of a release
//! (`scripts/deploy/install.sh`), so that both give the same result.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use xshell::Shell;

use checkout::place;

use crate::package;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Take the executables from this folder instead of building them
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
    /// Options of the script; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct UninstallArgs {
    /// Options of the script: those used for the installation
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<OsString>,
}

pub(crate) fn install(sh: &Shell, args: &Args) -> Result<()> {
    if args.options.iter().any(|option| option == "--help" || option == "-h" || option == "--uninstall") {
        return script(&place::root()?.join("scripts/deploy/install.sh"), &args.options);
    }
    let bin = place::built(sh, args.bin.as_deref())?;
    let folder = tempfile::tempdir().context("creating a folder for what is installed")?;
    package::make(sh, &bin, folder.path())?;
    script(&folder.path().join("install.sh"), &args.options)
}

pub(crate) fn uninstall(args: &UninstallArgs) -> Result<()> {
    let mut options = vec![OsString::from("--uninstall")];
    options.extend_from_slice(&args.options);
    script(&place::root()?.join("scripts/deploy/install.sh"), &options)
}

/// The script prints its own messages; relative paths in its options refer to the caller's folder.
fn script(path: &Path, options: &[OsString]) -> Result<()> {
    let status = Command::new("sh").arg(path).args(options).status().context("starting sh")?;
    if !status.success() {
        bail!("install.sh failed ({status})");
    }
    Ok(())
}
