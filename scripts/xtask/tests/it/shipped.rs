//! Every line that we print, show or install for cron, systemd and a shell: which user it runs as.
//! The work runs as the web server's user; root only installs.

use std::fs;
use std::path::{Path, PathBuf};

use fixtures::EXECUTABLES;

use crate::install::deploy;

/// The web server's user on the known systems, or a placeholder for it.
const USERS: [&str; 5] = ["apache", "www-data", "@USER@", "{user}", "USER"];
/// A user's own crontab: its lines name no user.
const OWN_CRONTAB: &str = "scripts/deploy/cron.spool";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Everything a user gets to read: path below the checkout and text; of sources only the part before the
/// tests.
fn texts() -> Vec<(String, String)> {
    let root = fs::canonicalize(deploy().join("../..")).unwrap();
    let mut found = vec![root.join("README.md"), root.join("source/Makefile")];
    for folder in ["docs", "scripts/deploy", "scripts/xtask/src", "orchestrator/src", "orchestrator/chains", "stages"] {
        files(&root.join(folder), &mut found);
    }
    let shown = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    let is_shipped = |name: &String| !name.contains("/tests/") && !name.ends_with("tests.rs");
    found.sort();
    let texts = found.iter().map(|path| (shown(path), path)).filter(|(name, _)| is_shipped(name));
    texts
        .filter_map(|(name, path)| {
            let text = fs::read_to_string(path).ok()?;
            let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            Some((name, text))
        })
        .collect()
}

/// The words after the five time fields of a cron line.
fn behind_the_times(line: &str) -> Option<Vec<&str>> {
    let line = line.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '*');
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_time = |word: &&str| word.chars().all(|c| c.is_ascii_digit() || "*/,-".contains(c));
    let ours = |words: &[&str]| words.iter().any(|word| EXECUTABLES.iter().any(|name| word.ends_with(name)));
    let times = words.iter().take_while(|word| is_time(word)).count();
    (times == 5 && ours(&words[5..])).then(|| words[5..].to_vec())
}

#[test]
fn lines_of_cron_name_the_web_servers_user() {
    assert_eq!(behind_the_times("`*/5 * * * * root  hzmetrics tick`").unwrap()[0], "root");
    let mut n = 0;
    for (name, text) in texts() {
        for line in text.lines() {
            let Some(words) = behind_the_times(line) else { continue };
            n += 1;
            assert!((name == OWN_CRONTAB) != USERS.contains(&words[0]), "{name}: {line}");
        }
    }
    assert!(n >= 12, "{n} lines were found");
}

#[test]
fn no_command_line_starts_the_work_as_root() {
    let mut n = 0;
    for (name, text) in texts() {
        for line in text.lines() {
            for part in line.split("sudo ").skip(1) {
                n += 1;
                let program = part.split_whitespace().next().unwrap_or_default();
                let base = program.rsplit('/').next().unwrap_or_default();
                assert!(!EXECUTABLES.contains(&base) && base != "hzmetrics.py", "{name}: {line}");
            }
            // the prompt of root
            let line = line.trim_start();
            assert!(!EXECUTABLES.iter().any(|name| line.starts_with(&format!("# {name} --db"))), "{name}: {line}");
        }
    }
    assert!(n >= 5, "{n} lines were found");
}

#[test]
fn units_run_as_the_user_and_can_do_little_else() {
    let analyze = Path::new("/usr/bin/systemd-analyze").exists();
    let folder = tempfile::tempdir().unwrap();
    for name in ["hzmetrics.service", "hzmetrics-whoisonline.service", "hzmetrics-serve.service"] {
        let text = fs::read_to_string(deploy().join("systemd").join(name)).unwrap();
        for line in ["User=@USER@", "Group=@GROUP@", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "UMask=0027"] {
            assert!(text.lines().any(|found| found == line), "{line} in {name}");
        }
        if !analyze {
            fixtures::skip("systemd-analyze is not installed: the units were not rated");
            continue;
        }
        let unit = folder.path().join(name);
        let filled = text.replace("@USER@", "nobody").replace("@GROUP@", "nogroup").replace("@PREFIX@", "/usr");
        fs::write(&unit, filled).unwrap();
        // in tenths: it fails above 3.0
        let words = ["security", "--offline=yes", "--threshold=30", "--no-pager"];
        let rated = fixtures::run("systemd-analyze").args(words).arg(&unit).finish();
        if rated.stderr.contains("unrecognized option") {
            fixtures::skip("this systemd-analyze cannot rate files");
            continue;
        }
        assert!(rated.text().contains("Overall exposure level"), "{}{}", rated.text(), rated.stderr);
        rated.ok();
    }
}

#[test]
fn the_image_holds_every_executable_and_runs_without_root() {
    let text = fs::read_to_string(deploy().join("../../Containerfile")).unwrap();
    let joined = text.replace("\\\n", " ");
    let (_, listed) = joined.split_once("for program in ").unwrap();
    let listed: Vec<_> = listed.split(';').next().unwrap().split_whitespace().collect();
    let stages: Vec<_> = EXECUTABLES.into_iter().filter(|name| *name != "hzmetrics").collect();
    assert_eq!(listed, stages);
    let last = joined.rsplit("\nFROM ").next().unwrap();
    assert!(last.contains("\nUSER nonroot\n") && !last.contains("\nRUN "), "{last}");
}
