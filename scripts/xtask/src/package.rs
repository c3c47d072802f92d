//! The folder for an installation: executables, their man pages and completions, documentation, and
//! the content of `scripts/deploy`. `install` installs from it, `dist` packs it, `package` leaves it
//! where `make -C source install` finds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use fixtures::closed::close_off;
use xshell::{Shell, cmd};

use checkout::place;

use crate::files::{copy, copy_tree, list, write};
use crate::packages;

/// The outputs of `--generate`, and where they go: folder, text before the name, text after the
/// name.
const GENERATED: [(&str, &str, &str, &str); 4] = [
    ("man", "share/man/man1", "", ".1"),
    ("bash", "share/bash-completion/completions", "", ""),
    ("zsh", "share/zsh/site-functions", "_", ""),
    ("fish", "share/fish/vendor_completions.d", "", ".fish"),
];

/// Pages in the root of the checkout that are included.
const PAGES: [&str; 3] = ["README.md", "CHANGELOG.md", "LICENSE"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Take the executables from this folder instead of building them
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
    /// Also pack the .deb and the .rpm with them into this folder; they start on this machine and newer ones
    #[arg(long, value_name = "DIR")]
    packages: Option<PathBuf>,
    /// The folder to create or to replace
    directory: PathBuf,
}

/// `package`: the folder, for a later installation, by somebody else, without a toolchain.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let to = std::path::absolute(&args.directory)?;
    let bin = place::built(sh, args.bin.as_deref())?;
    if to.exists() && !to.join("SHA256SUMS").exists() {
        bail!("{} exists and was not created by this command", to.display());
    }
    // the folder is complete at any time
    let fresh = to.with_extension("new");
    remove(&fresh)?;
    make(sh, &bin, &fresh)?;
    remove(&to)?;
    fs::rename(&fresh, &to).with_context(|| format!("writing {}", to.display()))?;
    checkout::say(&format!("xtask: {} is ready to be installed from", to.display()));
    let Some(folder) = &args.packages else { return Ok(()) };
    for made in packages::make(sh, &to, &std::path::absolute(folder)?)? {
        checkout::say(&format!("xtask: {}", made.display()));
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

/// Fills the folder `to` with the executables in `bin` and everything that belongs to them.
pub(crate) fn make(sh: &Shell, bin: &Path, to: &Path) -> Result<()> {
    let root = place::root()?;
    for name in place::executables(sh)? {
        let program = to.join("bin").join(&name);
        copy(&bin.join(&name), &program)?;
        // line tables are only useful with the sources; without `strip` they are kept
        let _ = cmd!(sh, "strip {program}").quiet().ignore_stdout().ignore_stderr().run();
        for (what, folder, before, after) in GENERATED {
            let text = generated(&program, what)?;
            write(&to.join(folder).join(format!("{before}{name}{after}")), &text)?;
        }
    }
    copy_tree(&root.join("docs"), &to.join("share/doc/hzmetrics/docs"))?;
    for page in PAGES {
        copy(&root.join(page), &to.join("share/doc/hzmetrics").join(page))?;
    }
    for page in ["README.md", "LICENSE"] {
        copy(&root.join(page), &to.join(page))?;
    }
    copy(&root.join("source/Makefile"), &to.join("source/Makefile"))?;
    copy_tree(&root.join("scripts/deploy"), &to.join("deploy"))?;
    let script = to.join("install.sh");
    fs::rename(to.join("deploy/install.sh"), &script).with_context(|| format!("writing {}", script.display()))?;
    let sums = checksums(sh, to)?;
    write(&to.join("SHA256SUMS"), sums.as_bytes())
}

/// The output of a program's `--generate`.
pub(crate) fn generated(program: &Path, what: &str) -> Result<Vec<u8>> {
    let nothing = tempfile::tempdir().context("creating an empty folder")?;
    let output = close_off(&mut Command::new(program), nothing.path())
        .args(["--generate", what])
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    if !output.status.success() || output.stdout.is_empty() {
        bail!("{} --generate {what} failed ({})", program.display(), output.status);
    }
    Ok(output.stdout)
}

/// Lines for `sha256sum -c` in `folder`.
fn checksums(sh: &Shell, folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.sort();
    let _there = sh.push_dir(folder);
    Ok(cmd!(sh, "sha256sum {files...}").quiet().read().context("computing checksums")? + "\n")
}
