//! Whether an executable starts on every x86_64 Linux with glibc.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use fixtures::closed::close_off;
use xshell::{Shell, cmd};

use checkout::say;

/// The oldest C library on which the executables start.
pub(crate) const FLOOR: (u32, u32) = (2, 17);
/// Libraries that every Linux with glibc has; nothing else is needed.
const LIBRARIES: [&str; 6] =
    ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"];

/// Checks that a program needs nothing newer than the floor, starts, and prints its version, commit
/// and day, and that it names none of the folders.
pub(crate) fn check(sh: &Shell, program: &Path, version: &str, folders: &[(PathBuf, &str)]) -> Result<()> {
    let needs = cmd!(sh, "objdump -T -p {program}").quiet().read().context("objdump is in the package binutils")?;
    let bad = beyond(&needs);
    if !bad.is_empty() {
        bail!("{} needs {}", program.display(), bad.join(", "));
    }
    let bytes = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    for (here, _) in folders {
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
