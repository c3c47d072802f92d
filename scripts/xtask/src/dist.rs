//! `dist`: the archive for hosts without a toolchain. Its executables start on every x86_64 Linux with
//! glibc 2.17 (2012) or newer; this is checked, not assumed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use checkout::{place, say, show};

use crate::floor::{FLOOR, check};
use crate::{package, packages, sbom};

/// Another version of the linker gives other bytes.
const LINKER: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];
const TARGET: &str = "x86_64-unknown-linux-gnu";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const NAME: &str = concat!("hzmetrics-", env!("CARGO_PKG_VERSION"), "-x86_64-linux");

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pack the executables as they are, without checking with cargo whether they are up to date
    #[arg(long)]
    no_build: bool,

    /// Build and pack a second time, from a copy of the checkout in another folder, and compare all files
    #[arg(long, conflicts_with = "no_build")]
    twice: bool,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    sh.change_dir(place::root()?);
    let target = place::target(sh)?;
    // asked for once: somebody may commit while this builds. Without a build the executables may be of an
    // earlier commit
    let version = if args.no_build { VERSION.to_owned() } else { place::version(sh) };
    let _time = sh.push_env("SOURCE_DATE_EPOCH", packages::time_of_commit(sh));
    if !args.no_build {
        build(sh, &target, &version)?;
    }
    let bin = target.join(TARGET).join("dist");
    for name in place::executables(sh)? {
        check(sh, &bin.join(name), &version, &folders(sh)?)?;
    }

    let folder = target.join("package");
    let made = Made::new(sh, &bin, &folder)?;
    try_out(sh, &made.archive, &version)?;
    if args.twice {
        again(sh, &target, &version, &folder)?;
    }
    made.show()
}

/// What is given to others.
struct Made {
    archive: PathBuf,
    packages: Vec<PathBuf>,
    list: PathBuf,
}

impl Made {
    /// Packs the executables in `bin`.
    fn new(sh: &Shell, bin: &Path, folder: &Path) -> Result<Self> {
        let unpacked = folder.join(NAME);
        sh.remove_path(&unpacked)?;
        package::make(sh, bin, &unpacked)?;
        let archive = folder.join(format!("{NAME}.tar.gz"));
        pack(sh, folder, &archive)?;
        let packages = packages::make(sh, &unpacked, folder)?;
        let made = Self { archive, packages, list: sbom::make(sh, folder)? };
        sums(sh, folder, &made.files().chain([made.list.as_path()]).collect::<Vec<_>>())?;
        Ok(made)
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.archive).chain(&self.packages).map(PathBuf::as_path)
    }

    fn show(&self) -> Result<()> {
        say(&format!("xtask: these start on glibc {}.{} or newer:", FLOOR.0, FLOOR.1));
        for path in self.files() {
            let bytes = fs::metadata(path)?.len();
            show(&format!("{} ({:.1} MB)", path.display(), bytes as f64 / 1e6))?;
        }
        show(&format!("{}, what they are built from", self.list.display()))
    }
}

/// Builds with zig as the C compiler and linker, which knows the symbols of every glibc.
fn build(sh: &Shell, target: &Path, version: &str) -> Result<()> {
    let path = zig(sh, target)?;
    let _path = sh.push_env("PATH", path);
    let _version = sh.push_env("HZMETRICS_VERSION", version);
    let triple = format!("{TARGET}.{}.{}", FLOOR.0, FLOOR.1);
    say("building the executables of the archive (10 to 20 minutes on two cores the first time)");
    let _flags = sh.push_env("CARGO_ENCODED_RUSTFLAGS", flags(sh)?);
    // pieces of an earlier build would be in the executables
    let _whole = sh.push_env("CARGO_INCREMENTAL", "0");
    let tools = place::TOOLS.map(|name| format!("--exclude={name}"));
    cmd!(sh, "cargo zigbuild --profile dist --target {triple} --workspace --bins {tools...}").run()?;
    Ok(())
}

/// Flags of the compiler that keep folders of this machine out of the executables. Those of the user stay.
fn flags(sh: &Shell) -> Result<String> {
    let folders = folders(sh)?;
    let here = folders.iter().map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()));
    let user = sh.var("RUSTFLAGS").unwrap_or_default();
    Ok(user.split_whitespace().map(str::to_owned).chain(here).collect::<Vec<_>>().join("\u{1f}"))
}

/// Folders that differ from machine to machine, and what stands for them in messages of a panic.
fn folders(sh: &Shell) -> Result<[(PathBuf, &'static str); 2]> {
    let home = || sh.var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo =
        sh.var_os("CARGO_HOME").map(PathBuf::from).or_else(home).context("neither CARGO_HOME nor HOME is set")?;
    Ok([(cargo, "/cargo"), (sh.current_dir(), "/hzmetrics")])
}

/// Builds in a copy of the checkout and packs the result; all bytes must be the same.
fn again(sh: &Shell, target: &Path, version: &str, first: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("again").tempdir_in(target).context("creating a second folder")?;
    let (sources, second) = (folder.path().join("sources"), folder.path().join("target"));
    sbom::copy_sources(&place::root()?, &sources)?;
    {
        let _there = sh.push_dir(&sources);
        let _target = sh.push_env("CARGO_TARGET_DIR", &second);
        build(sh, target, version)?;
    }
    let bin = |target: &Path| target.join(TARGET).join("dist");
    let names = place::executables(sh)?;
    same(&bin(target), &bin(&second), names.iter().map(String::as_str))?;
    let packed = folder.path().join("package");
    sh.create_dir(&packed)?;
    let made = Made::new(sh, &bin(&second), &packed)?;
    let names = made.files().chain([made.list.as_path()]).filter_map(|path| path.file_name()?.to_str());
    same(first, &packed, names)
}

/// Compares files in two folders.
fn same<'a>(first: &Path, second: &Path, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let read = |path: PathBuf| fs::read(&path).with_context(|| format!("reading {}", path.display()));
    for name in names {
        if read(first.join(name))? != read(second.join(name))? {
            bail!("a second build in another folder gave other bytes for {name}");
        }
        say(&format!("{name:<36} the same bytes twice"));
    }
    Ok(())
}

/// PATH with cargo-zigbuild and zig. If they are missing, they are installed from the Python package
/// index into the target directory; nothing else on the machine changes.
fn zig(sh: &Shell, target: &Path) -> Result<OsString> {
    let path = sh.var_os("PATH").unwrap_or_default();
    if cmd!(sh, "cargo-zigbuild --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        return Ok(path);
    }
    let tools = target.join("tools/zig");
    let bin = tools.join("bin");
    if !bin.join("cargo-zigbuild").exists() {
        say(&format!("xtask: putting cargo-zigbuild and zig into {} (needs python3 with venv)", tools.display()));
        cmd!(sh, "python3 -m venv {tools}").run().context("or install cargo-zigbuild and zig yourself")?;
        let pip = bin.join("pip");
        cmd!(sh, "{pip} install --quiet {LINKER...}").run()?;
    }
    let mut folders = vec![bin];
    folders.extend(std::env::split_paths(&path));
    Ok(std::env::join_paths(folders)?)
}

/// The same content gives the same bytes: sorted, without owner, with the time of the commit.
fn pack(sh: &Shell, folder: &Path, archive: &Path) -> Result<()> {
    let _there = sh.push_dir(folder);
    let time = packages::time_of_commit(sh);
    let mode = "go-w,a+rX";
    cmd!(
        sh,
        "tar --sort=name --owner=0 --group=0 --numeric-owner --mode={mode} --mtime=@{time} -I 'gzip -9n' -cf {archive} {NAME}"
    )
    .run()?;
    Ok(())
}

/// Writes the checksums of what was made.
fn sums(sh: &Shell, folder: &Path, made: &[&Path]) -> Result<()> {
    let _there = sh.push_dir(folder);
    let names = made.iter().filter_map(|path| path.file_name());
    let sums = cmd!(sh, "sha256sum {names...}").quiet().read()?;
    sh.write_file("SHA256SUMS", sums + "\n")?;
    Ok(())
}

/// Unpacks the archive somewhere else, installs from it below a folder, and starts the programs
/// there.
fn try_out(sh: &Shell, archive: &Path, version: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("creating a folder to try the archive in")?;
    let (unpacked, stage) = (folder.path().join("unpacked"), folder.path().join("stage"));
    sh.create_dir(&unpacked)?;
    cmd!(sh, "tar -xf {archive} -C {unpacked}").quiet().run()?;
    let script = unpacked.join(NAME).join("install.sh");
    cmd!(sh, "sh {script} --destdir {stage}").quiet().ignore_stdout().run()?;
    for program in ["opt/hubzero/bin/hzmetrics", "opt/hubzero/bin/hzmetrics.py"] {
        let program: PathBuf = stage.join(program);
        let said = cmd!(sh, "{program} --version").quiet().read()?;
        if !said.starts_with(&format!("hzmetrics {version}")) {
            bail!("{} --version says {said}", program.display());
        }
    }
    cmd!(sh, "sh {script} --destdir {stage} --uninstall").quiet().ignore_stdout().run()?;
    Ok(())
}
