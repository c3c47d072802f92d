//! An installation that ends in the middle, by a failure or a kill, at each command that it starts:
//! uninstalling then restores the previous state.

use std::fs;
use std::path::Path;

use crate::install::{Place, executable, file};

/// Commands that change the disk, one call for each thing installed or removed.
const COMMANDS: [&str; 6] = ["cp", "mv", "mkdir", "ln", "rm", "rmdir"];
/// How the run ends at a call: the command fails, or everything is killed before or after it.
const ENDS: [&str; 3] = ["fail", "kill", "late"];

/// A substitute for a command that counts the calls of all commands, and ends the run at a given
/// one.
fn stand_in(name: &str, at: &Path) -> String {
    let at = at.display();
    format!(
        "#!/bin/sh\nreal=/usr/bin/{name}; [ -x \"$real\" ] || real=/bin/{name}\n\
         read -r n <'{at}/n'; n=$((n + 1)); echo $n >'{at}/n'\n\
         if [ $n -eq \"$AT\" ]; then\n  [ \"$HOW\" != fail ] || exit 1\n  [ \"$HOW\" != late ] || \"$real\" \"$@\"\n\
         \x20 kill -9 0\nfi\nexec \"$real\" \"$@\"\n"
    )
}

/// A machine with somebody else's files in place of ours.
fn machine() -> Place {
    let place = Place::new();
    executable(&place.at("opt/hubzero/bin/hzmetrics.py"), "#!/usr/bin/python3\n# of the port\n");
    executable(&place.at("opt/hubzero/bin/archive"), "#!/bin/sh\n# somebody's\n");
    file(&place.at("etc/cron.d/hubzero-metrics"), "# the port's\n");
    file(&place.at("etc/logrotate.d/hzmetrics"), "# the administrator's\n");
    file(&place.at("etc/logrotate.d/hzmetrics.rpmorig"), "# of a package\n");
    for name in COMMANDS {
        executable(&place.beside("tools").join(name), &stand_in(name, &place.beside("tools")));
    }
    place
}

/// Runs the installer up to its call `at`; returns whether it got that far.
fn interrupted(place: &Place, options: &[&str], at: usize, how: &str) -> bool {
    let tools = place.beside("tools");
    fs::write(tools.join("n"), "0\n").unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    // in its own process group, which ends as a whole
    let run = fixtures::run("setsid").arg("sh").arg(place.package().join("install.sh")).arg("--destdir");
    let run = run.arg(place.at("")).args(options).env("TMPDIR", place.beside("tmp")).env("PATH", path);
    let code = run.env("AT", at.to_string()).env("HOW", how).finish().code;
    let n: usize = fs::read_to_string(tools.join("n")).unwrap().trim().parse().unwrap();
    assert!(n < at || code != 0 || how == "fail", "call {at} ({how}) did not end it");
    n >= at
}

/// Files with modes and contents, and folders if requested, as lines to compare.
fn state(place: &Place, folders: bool) -> String {
    let base = place.at("").to_string_lossy().into_owned();
    let all = place.everything().into_iter().filter(|(_, (mode, ..))| folders || mode & 0o170_000 != 0o040_000);
    let line = |(path, (mode, _, content)): (std::path::PathBuf, (u32, i64, Vec<u8>))| {
        let path = path.to_string_lossy().replacen(&base, "", 1);
        // the manifest is short enough to read; of other files only the end is shown
        let text = String::from_utf8_lossy(&content).into_owned();
        let from = if path.ends_with("manifest") { 0 } else { text.len().saturating_sub(80) };
        format!("{path} {mode:o} {} {}\n", content.len(), text.get(from..).unwrap_or_default())
    };
    all.map(line).collect()
}

/// The first lines in which two states differ; nothing if they are equal.
fn difference(is: &str, should: &str) -> Option<String> {
    let missing = |these: &str, those: &str| -> Vec<String> {
        these.lines().filter(|line| !those.lines().any(|other| other == *line)).map(str::to_owned).collect()
    };
    (is != should).then(|| format!("too much: {:#?}\nmissing: {:#?}", missing(is, should), missing(should, is)))
}

/// Ends the run with these options at each call or every second one (`step`), in rotating ways, on a
/// machine prepared by `before`.
fn at_calls(step: usize, options: &[&str], before: &dyn Fn(&Place), check: &dyn Fn(&Place, usize) -> Option<String>) {
    for at in (1..).step_by(step) {
        let how = ENDS[at / step % ENDS.len()];
        let place = machine();
        before(&place);
        if !interrupted(&place, options, at, how) {
            assert!(at > 20, "{at}");
            return;
        }
        assert_eq!(check(&place, at), None, "{options:?}: {how} at call {at}");
    }
}

/// Uninstalls what is there; if the failure was before the first change, that is nothing.
fn take_back(place: &Place) {
    let done = place.install(&["--uninstall"]);
    assert!(done.code == 0 || done.stderr.contains("nothing is installed here"), "{}", done.stderr);
}

#[test]
fn an_interrupted_installation_can_be_undone_and_finished() {
    let clean = state(&machine(), true);
    let whole = machine();
    whole.install(&["--user", "apache"]).ok();
    let whole = state(&whole, true);
    at_calls(1, &["--user", "apache"], &|_| {}, &|place, at| {
        // finished first, at every second call: uninstalling then removes as much
        let unfinished = || {
            place.install(&["--user", "apache"]).ok();
            difference(&state(place, true), &whole)
        };
        let is_whole = if at % 2 == 0 { unfinished() } else { None };
        take_back(place);
        is_whole.or_else(|| difference(&state(place, true), &clean))
    });
}

/// A first installation, and then a release with one more program and one manual less.
fn installed(place: &Place) {
    place.install(&["--user", "apache"]).ok();
    executable(&place.package().join("bin/archive"), "#!/bin/sh\n# newer\n");
    fs::remove_file(place.package().join("share/man/man1/hzmetrics.1")).unwrap();
}

#[test]
fn an_interrupted_update_can_be_undone_and_finished() {
    let clean = state(&machine(), true);
    // from a cron line to timers: something new, something changed, something removed
    at_calls(2, &["--systemd"], &installed, &|place, _| {
        take_back(place);
        difference(&state(place, true), &clean)
    });
}

#[test]
fn an_interrupted_removal_is_completed_the_second_time() {
    let clean = state(&machine(), false);
    at_calls(2, &["--uninstall"], &installed, &|place, _| {
        take_back(place);
        // empty folders above the manifest may remain if it was killed at the very end
        difference(&state(place, false), &clean)
    });
}
