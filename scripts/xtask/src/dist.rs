//! `dist`: the archive for hosts without a toolchain. Its executables start on every x86_64 Linux with
//! glibc 2.17 (2012) or newer; this is checked, not assumed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use fixtures::closed::close_off;
use xshell::{Shell, cmd};

use checkout::{place, say, show};

use crate::{package, packages, sbom};

/// The oldest C library on which the executables start.
const FLOOR: (u32, u32) = (2, 17);
const TARGET: &str = "x86_64-unknown-linux-gnu";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Libraries that every Linux with glibc has; nothing else is needed.
const LIBRARIES: [&str; 6] =
    ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pack the executables as they are, without checking with cargo whether they are up to date
    #[arg(long)]
    no_build: bool,

    /// Build a second time, from a copy of the checkout in another folder, and compare the executables
    #[arg(long, conflicts_with = "no_build")]
    twice: bool,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    sh.change_dir(place::root()?);
    let target = place::target(sh)?;
    let bin = target.join(TARGET).join("dist");
    let version = if args.no_build {
        // executables of an earlier build may be of an earlier commit
        VERSION.to_owned()
    } else {
        // asked for once: somebody may commit while this builds
        let version = place::version(sh);
        build(sh, &target, &version)?;
        if args.twice {
            again(sh, &target, &version)?;
        }
        version
    };
    for name in place::executables(sh)? {
        check(sh, &bin.join(name), &version)?;
    }

    let name = format!("hzmetrics-{VERSION}-x86_64-linux");
    let folder = target.join("package");
    sh.remove_path(folder.join(&name))?;
    package::make(sh, &bin, &folder.join(&name))?;
    let archive = format!("{name}.tar.gz");
    pack(sh, &folder, &name, &archive)?;
    try_out(sh, &folder.join(&archive), &name, &version)?;
    let mut made = vec![folder.join(&archive)];
    made.extend(packages::make(sh, &folder.join(&name), &folder)?);
    let list = sbom::make(sh, &folder)?;
    sums(sh, &folder, &[&made[..], std::slice::from_ref(&list)].concat())?;
    say(&format!("xtask: these start on glibc {}.{} or newer:", FLOOR.0, FLOOR.1));
    for path in made {
        let bytes = fs::metadata(&path)?.len();
        show(&format!("{} ({:.1} MB)", path.display(), bytes as f64 / 1e6))?;
    }
    show(&format!("{}, what they are built from", list.display()))?;
    Ok(())
}

/// Builds with zig as the C compiler and linker, which knows the symbols of every glibc.
fn build(sh: &Shell, target: &Path, version: &str) -> Result<()> {
    let path = zig(sh, target)?;
    let _path = sh.push_env("PATH", path);
    let _version = sh.push_env("HZMETRICS_VERSION", version);
    let triple = format!("{TARGET}.{}.{}", FLOOR.0, FLOOR.1);
    say("building the executables of the archive (10 to 20 minutes on two cores the first time)");
    let _flags = sh.push_env("CARGO_ENCODED_RUSTFLAGS", flags(sh)?);
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

/// Builds in a copy of the checkout; the bytes must be the same.
fn again(sh: &Shell, target: &Path, version: &str) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("again").tempdir_in(target).context("creating a second folder")?;
    let (sources, second) = (folder.path().join("sources"), folder.path().join("target"));
    sbom::copy_sources(&place::root()?, &sources)?;
    {
        let _there = sh.push_dir(&sources);
        let _target = sh.push_env("CARGO_TARGET_DIR", &second);
        build(sh, target, version)?;
    }
    for name in place::executables(sh)? {
        let bytes = |target: &Path| {
            let path = target.join(TARGET).join("dist").join(&name);
            fs::read(&path).with_context(|| format!("reading {}", path.display()))
        };
        if bytes(target)? != bytes(&second)? {
            bail!("a second build of {name} in another folder gave other bytes");
        }
        say(&format!("{name:<16} the same bytes twice"));
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
        cmd!(sh, "{pip} install --quiet cargo-zigbuild ziglang").run()?;
    }
    let mut folders = vec![bin];
    folders.extend(std::env::split_paths(&path));
    Ok(std::env::join_paths(folders)?)
}

/// Checks that a program needs nothing newer than the floor, starts, and prints its version, commit
/// and day.
fn check(sh: &Shell, program: &Path, version: &str) -> Result<()> {
    let needs = cmd!(sh, "objdump -T -p {program}").quiet().read().context("objdump is in the package binutils")?;
    let bad = beyond(&needs);
    if !bad.is_empty() {
        bail!("{} needs {}", program.display(), bad.join(", "));
    }
    let bytes = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    for (here, _) in folders(sh)? {
        let here = here.to_string_lossy();
        if bytes.windows(here.len()).any(|part| part == here.as_bytes()) {
            bail!("{} contains the name of the folder {here}", program.display());
        }
    }
    let newest = newest(&needs).with_context(|| format!("{} names no version of glibc", program.display()))?;
    let nothing = tempfile::tempdir().context("creating an empty folder")?;
    let output = close_off(&mut Command::new(program), nothing.path()).arg("--version").output();
    let output = output.with_context(|| format!("starting {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || !said.contains(version) {
        bail!("{} --version: {} {said}", program.display(), output.status);
    }
    say(&format!("{:<16} GLIBC_{}.{} at most", said.trim(), newest.0, newest.1));
    Ok(())
}

/// Versions of glibc's symbols in the output of objdump.
fn versions(objdump: &str) -> impl Iterator<Item = (u32, u32)> + '_ {
    objdump.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
        let mut numbers = rest[..end].split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

fn newest(objdump: &str) -> Option<(u32, u32)> {
    versions(objdump).max()
}

/// What some hosts lack: newer symbols, other libraries.
fn beyond(objdump: &str) -> Vec<String> {
    let mut bad: Vec<_> = versions(objdump).filter(|version| *version > FLOOR).collect();
    bad.sort_unstable();
    bad.dedup();
    let mut bad: Vec<_> = bad.iter().map(|(major, minor)| format!("GLIBC_{major}.{minor}")).collect();
    let libraries = objdump.lines().filter_map(|line| line.trim().strip_prefix("NEEDED"));
    bad.extend(libraries.map(str::trim).filter(|name| !LIBRARIES.contains(name)).map(str::to_owned));
    bad
}

/// The same content gives the same bytes: sorted, without owner, with the time of the commit.
fn pack(sh: &Shell, folder: &Path, name: &str, archive: &str) -> Result<()> {
    let _there = sh.push_dir(folder);
    let time = packages::time_of_commit(sh);
    let mode = "go-w,a+rX";
    cmd!(
        sh,
        "tar --sort=name --owner=0 --group=0 --numeric-owner --mode={mode} --mtime=@{time} -I 'gzip -9n' -cf {archive} {name}"
    )
    .run()?;
    Ok(())
}

/// Writes the checksums of what was made.
fn sums(sh: &Shell, folder: &Path, made: &[PathBuf]) -> Result<()> {
    let _there = sh.push_dir(folder);
    let names = made.iter().filter_map(|path| path.file_name());
    let sums = cmd!(sh, "sha256sum {names...}").quiet().read()?;
    sh.write_file("SHA256SUMS", sums + "\n")?;
    Ok(())
}

/// Unpacks the archive somewhere else, installs from it below a folder, and starts the programs
/// there.
fn try_out(sh: &Shell, archive: &Path, name: &str, version: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("creating a folder to try the archive in")?;
    let (unpacked, stage) = (folder.path().join("unpacked"), folder.path().join("stage"));
    sh.create_dir(&unpacked)?;
    cmd!(sh, "tar -xf {archive} -C {unpacked}").quiet().run()?;
    let script = unpacked.join(name).join("install.sh");
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

#[cfg(test)]
mod tests {
    use super::*;

    const OBJDUMP: &str = "
Dynamic Section:
  NEEDED               libc.so.6
  NEEDED               libm.so.6
DYNAMIC SYMBOL TABLE:
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.2.5) getenv
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.17)  clock_gettime
0000000000000000  w   D  *UND*  0000000000000000  Base        __gmon_start__
";

    #[test]
    fn libraries_of_every_host_are_accepted() {
        assert_eq!(beyond(OBJDUMP), Vec::<String>::new());
        assert_eq!(newest(OBJDUMP), Some((2, 17)));
        assert_eq!(newest("nothing of glibc"), None);
    }

    #[test]
    fn newer_symbols_and_other_libraries_are_named() {
        let more =
            format!("{OBJDUMP}0 DF *UND* 0 (GLIBC_2.34) a\n0 DF *UND* 0 (GLIBC_2.34) b\n  NEEDED  libzstd.so.1\n");
        assert_eq!(beyond(&more), ["GLIBC_2.34", "libzstd.so.1"]);
        assert_eq!(newest(&more), Some((2, 34)));
        // 2.4 is older than 2.17, and 3.0 newer
        assert_eq!(beyond("(GLIBC_2.4) (GLIBC_3.0)"), ["GLIBC_3.0"]);
    }
}
