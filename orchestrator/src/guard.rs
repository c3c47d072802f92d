//! Other programs that write the same tables: the legacy scripts and the port. Recognises lines that
//! start them (for `doctor`), and finds out which of them are running now (we then end with code
//! 75).
//!
//! Reads files and `/proc`; starts and stops nothing.

use std::fs::{self, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hub::config::Paths;
use kit::Busy;
use kit::door::{self, named};

/// The beginnings of the legacy scripts' names.
const SCRIPTS: [&str; 9] = [
    "__fetch_apache_and_auth_log",
    "__import_apache_and_auth_log",
    "__archive_apache_and_auth_log",
    "__process_tool_metrics",
    "__process_usage_metrics",
    "gen_tool_",
    "logfix_session.pl",
    "xlogfix_",
    "xlogimport_",
];

/// The original who-is-online script: it writes a table of its own.
const ONLINE: &str = "xlogfix_whoisonline.php";

/// The name of the port. Our own file with that name is a few lines that start us.
const PORT: &str = "hzmetrics.py";
const SHIM_BYTES: u64 = 4096;

/// Programs that run a script.
const INTERPRETERS: [&str; 9] = ["sh", "bash", "dash", "ksh", "env", "nice", "timeout", "perl", "php"];

/// The staging files of the legacy scripts.
const STAGING: [&str; 2] = ["_hub_apache.log", "_hub_auth.log"];

/// The original crontab leaves five minutes between fetching and importing.
const STAGED_FOR: Duration = Duration::from_secs(3600);

/// Another program is working on the same tables or logs.
fn occupied(text: &str) -> Busy {
    Busy(format!("{text}; nothing was done, try again later"))
}

/// The name of a script in a word of a command line.
fn script(word: &str) -> Option<&str> {
    let name = word.rsplit('/').next()?;
    SCRIPTS.iter().any(|head| name.starts_with(head)).then_some(name)
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || "'\"`;&|()<>=".contains(c)).filter(|word| !word.is_empty())
}

/// The original program or port that a line starts.
pub(crate) fn program(paths: &Paths, line: &str) -> Option<String> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    let is_port = |word: &str| {
        word.rsplit('/').next() == Some(PORT) && fs::metadata(paths.at(word)).is_ok_and(|m| m.len() > SHIM_BYTES)
    };
    words(line).find_map(|word| script(word).map(str::to_owned).or_else(|| is_port(word).then(|| word.to_owned())))
}

/// The processes of the legacy scripts, except those that started us.
fn processes(paths: &Paths) -> Vec<(u32, String)> {
    let proc = paths.at("/proc");
    let ours = std::process::id();
    let parent = |pid: u32| {
        let stat = named::read_to_string(&proc.join(format!("{pid}/stat"))).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let callers: Vec<u32> = std::iter::successors(Some(ours), |pid| parent(*pid).filter(|pid| *pid > 1)).collect();
    let world = |pid: &str| fs::read_link(proc.join(pid).join("ns/mnt")).ok();
    let our_world = world("self");
    let mut found = Vec::new();
    for entry in fs::read_dir(&proc).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some((name, pid)) = name.to_str().and_then(|name| Some((name, name.parse::<u32>().ok()?))) else {
            continue;
        };
        if callers.contains(&pid) {
            continue;
        }
        let mut line = String::new();
        let Ok(file) = named::open(&entry.path().join("cmdline")) else { continue };
        if file.take(4096).read_to_string(&mut line).is_err() {
            continue;
        }
        let Some(program) = script_of(&line) else { continue };
        // a container has hubs of its own
        if our_world.is_some() && world(name).is_some_and(|world| Some(&world) != our_world.as_ref()) {
            continue;
        }
        found.push((pid, program.to_owned()));
    }
    found.sort();
    found
}

/// The script that a process runs, from its command line with NUL bytes between the words.
fn script_of(line: &str) -> Option<&str> {
    let mut words = line.split('\0');
    let first = words.next()?;
    if let Some(name) = script(first) {
        return Some(name);
    }
    let base =
        first.rsplit('/').next()?.trim_start_matches('-').trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !INTERPRETERS.contains(&base) {
        return None;
    }
    // `sh -c 'LINE'` has several words in one argument
    words.take(4).flat_map(self::words).find_map(script)
}

/// Checks whether another program is working on the statistics tables: an original script, or the
/// port by its lock.
///
/// # Errors
/// There is one ([`Busy`]).
pub(crate) fn nobody_at_work(paths: &Paths) -> Result<(), Busy> {
    if let Some((pid, name)) = processes(paths).into_iter().find(|(_, name)| name != ONLINE) {
        return Err(occupied(&format!("the original script {name} is running (pid {pid})")));
    }
    let lock = paths.home().join("state/hzmetrics.pid");
    if lock == paths.pid_lock() {
        return Ok(());
    }
    let Ok(mut file) = door::open(&lock) else { return Ok(()) };
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        let mut text = String::new();
        let _ = file.read_to_string(&mut text);
        let pid = text.split_whitespace().next().map_or_else(String::new, |pid| format!(" by pid {pid}"));
        return Err(occupied(&format!("the port is running ({} is locked{pid})", lock.display())));
    }
    Ok(())
}

/// Whether the original who-is-online script is running.
pub(crate) fn is_online_at_work(paths: &Paths) -> bool {
    processes(paths).iter().any(|(_, name)| name == ONLINE)
}

/// Staging files that the legacy scripts left, with their age.
pub(crate) fn staged(paths: &Paths) -> Vec<(PathBuf, Duration)> {
    let staging = paths.staging();
    if logs::staged::list_path(&staging).exists() {
        return Vec::new();
    }
    let age = |path: &Path| {
        let changed = fs::metadata(path).and_then(|m| m.modified()).ok()?;
        Some(SystemTime::now().duration_since(changed).unwrap_or_default())
    };
    STAGING.iter().map(|name| staging.join(name)).filter_map(|path| Some((path.clone(), age(&path)?))).collect()
}

/// Checks whether the legacy scripts are between fetching and importing.
///
/// # Errors
/// They are ([`Busy`]).
pub(crate) fn nobody_between(paths: &Paths) -> Result<(), Busy> {
    match staged(paths).into_iter().find(|(_, age)| *age < STAGED_FOR) {
        None => Ok(()),
        Some((path, _)) => Err(occupied(&format!(
            "the original scripts have put logs into {} and not imported them yet: the same lines would be counted twice",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_in_command_lines() {
        let check = |words: &[&str], expected: Option<&str>| {
            assert_eq!(script_of(&words.join("\0")), expected, "{words:?}");
        };
        let import = "/opt/hubzero/bin/metrics/import/__import_apache_and_auth_log.sh";
        check(&["/bin/bash", import, ""], Some("__import_apache_and_auth_log.sh"));
        check(&["/bin/sh", "-c", &format!("{import} > /dev/null 2>&1"), ""], Some("__import_apache_and_auth_log.sh"));
        check(&["php7.4", "-q", "xlogfix_dns_worker.php", "5"], Some("xlogfix_dns_worker.php"));
        check(&["perl", "/x/logfix_session.pl"], Some("logfix_session.pl"));
        check(&[import], Some("__import_apache_and_auth_log.sh"));
        check(&["vi", import], None);
        check(&["less", import], None);
        check(&["python3", "/opt/hubzero/bin/hzmetrics.py", "tick"], None);
        check(&["/bin/sh", "-c", "sleep 1"], None);
        check(&[""], None);
    }

    #[test]
    fn lines_of_crontabs_are_recognised() {
        let root = tempfile::tempdir().unwrap();
        let env = |name: &str| (name == "HZMETRICS_ROOT").then(|| root.path().into());
        let paths = Paths::new(&env);
        for (name, bytes) in [("port/hzmetrics.py", 500_000), ("bin/hzmetrics.py", 600)] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![b' '; bytes]).unwrap();
        }
        for (line, expected) in [
            (
                "10 0 * * * /opt/hubzero/bin/metrics/import/__fetch_apache_and_auth_log.sh",
                Some("__fetch_apache_and_auth_log.sh"),
            ),
            ("*/15 * * * * apache php /x/xlogfix_whoisonline.php >/dev/null", Some("xlogfix_whoisonline.php")),
            ("  # 10 0 * * * /x/__fetch_apache_and_auth_log.sh", None),
            ("*/5 * * * * python3 /port/hzmetrics.py tick", Some("/port/hzmetrics.py")),
            ("*/5 * * * * python3 /bin/hzmetrics.py tick", None),
            ("*/5 * * * * python3 /gone/hzmetrics.py tick", None),
            ("*/5 * * * * /opt/hubzero/bin/hzmetrics tick", None),
            ("ExecStart=/bin/sh -c \"/x/__process_usage_metrics.sh;true\"", Some("__process_usage_metrics.sh")),
            ("MAILTO=\"\"", None),
        ] {
            assert_eq!(program(&paths, line).as_deref(), expected, "{line}");
        }
    }
}
