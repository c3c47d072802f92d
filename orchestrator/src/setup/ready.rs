//! The file `/etc/hubzero-metrics/ready`: without it, the timers of a package do nothing. Only root may
//! write there, so `hzmetrics init` creates it as root after the hub was set up with fewer rights.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use hub::config::Paths;
use kit::door::{self, Temporary};

/// Where a package puts its timer.
const TIMERS: [&str; 2] = ["/usr/lib/systemd/system/hzmetrics.timer", "/lib/systemd/system/hzmetrics.timer"];
const NAME: &str = "ready";
const TEXT: &[u8] = b"# Written by `hzmetrics init`. While this file is missing, the timers of hzmetrics do nothing.\n";

/// Runs this program once more with the same arguments and `option`; returns its exit code.
///
/// # Errors
/// It cannot be started.
#[allow(clippy::disallowed_methods, reason = "the same program with fewer rights")]
pub(crate) fn as_child(option: &str) -> Result<u8> {
    let program = std::env::current_exe().context("finding this program")?;
    let status = Command::new(&program).args(std::env::args_os().skip(1)).arg(option).status();
    let status = status.with_context(|| format!("starting {}", program.display()))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}

/// Allows the timers of a package to work. Returns what to do next, if there is such a package and it
/// was not allowed before.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn allow(paths: &Paths) -> Result<Option<&'static str>> {
    let is_packaged = TIMERS.iter().any(|timer| door::look(&paths.at(timer)).is_ok_and(|found| found.is_some()));
    let path = paths.etc().join(NAME);
    if !is_packaged || door::look(&path)?.is_some() {
        return Ok(None);
    }
    let write = || {
        let mut file = Temporary::beside(&path)?;
        file.file_mut().write_all(TEXT)?;
        file.set_mode(0o644)?;
        file.publish(OsStr::new(NAME))
    };
    write().with_context(|| format!("writing {}", path.display()))?;
    Ok(Some("the timers may work now: systemctl start hzmetrics.timer hzmetrics-whoisonline.timer"))
}
