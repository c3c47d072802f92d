//! The installer: what it writes where, what it leaves alone, what it removes. The programs here are
//! short scripts that print how they were called; nothing on this machine is touched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fixtures::{EXECUTABLES, Finished};
use tempfile::TempDir;

/// Prints its name and arguments, and ends with 7; its manual is one line.
pub(crate) const PROGRAM: &str = "#!/bin/sh\n[ \"$1\" != --generate ] || { echo \"$2 of ${0##*/}\"; exit 0; }\n\
    printf '[%s]' \"${0##*/}\" \"$@\"\nexit 7\n";
/// The files of `scripts/deploy`, except the installer.
const DEPLOYED: [&str; 15] = [
    "access.cfg",
    "hzmetrics.conf",
    "hzmetrics.py",
    "hzmetrics-postrotate.sh",
    "tmpfiles.conf",
    "logrotate.conf",
    "cron.d",
    "cron.spool",
    "systemd/hzmetrics.service",
    "systemd/hzmetrics.timer",
    "systemd/hzmetrics-whoisonline.service",
    "systemd/hzmetrics-whoisonline.timer",
    "systemd/hzmetrics-serve.service",
    "systemd/hzmetrics-serve.socket",
    "grafana-dashboard.json",
];
/// The documented layout: path and mode.
const LAYOUT: [(&str, u32); 9] = [
    ("opt/hubzero/bin/hzmetrics", 0o755),
    ("opt/hubzero/bin/hzmetrics.py", 0o755),
    ("opt/hubzero/bin/hzmetrics-postrotate.sh", 0o755),
    ("etc/hubzero-metrics/access.cfg", 0o640),
    ("etc/hubzero-metrics/hzmetrics.conf", 0o640),
    ("etc/tmpfiles.d/hzmetrics.conf", 0o644),
    ("etc/logrotate.d/hzmetrics", 0o644),
    ("etc/cron.d/hubzero-metrics", 0o644),
    ("opt/hubzero/share/hzmetrics/manifest", 0o644),
];

pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

pub(crate) fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn file(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A small release, unpacked, and a machine to install it on.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let package = place.folder.path().join("package");
        executable(&package.join("bin/hzmetrics"), PROGRAM);
        executable(&package.join("bin/archive"), PROGRAM);
        file(&package.join("share/man/man1/hzmetrics.1"), ".TH hzmetrics 1\n");
        for entry in DEPLOYED {
            let to = package.join("deploy").join(entry);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(deploy().join(entry), to).unwrap();
        }
        fs::copy(deploy().join("install.sh"), package.join("install.sh")).unwrap();
        fs::create_dir(place.folder.path().join("tmp")).unwrap();
        place
    }

    pub(crate) fn package(&self) -> PathBuf {
        self.folder.path().join("package")
    }

    /// A folder next to the machine.
    pub(crate) fn beside(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The machine; its path contains a blank, to find missing quotes.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("a machine").join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn install(&self, options: &[&str]) -> Finished {
        fixtures::run("sh")
            .arg(self.package().join("install.sh"))
            .arg("--destdir")
            .arg(self.at(""))
            .args(options)
            .env("TMPDIR", self.folder.path().join("tmp"))
            .finish()
    }

    /// Everything on the machine: type, mode, time, content.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.at("")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                let content = match meta.file_type() {
                    kind if kind.is_dir() => {
                        folders.push(path.clone());
                        Vec::new()
                    }
                    kind if kind.is_symlink() => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
                    _ => fs::read(&path).unwrap(),
                };
                let time = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
                found.insert(path, (meta.mode(), time, content));
            }
        }
        found
    }

    /// Files and links on the machine, without folders.
    fn files(&self) -> Vec<String> {
        let base = self.at("");
        let all = self.everything().into_iter().filter(|(_, (mode, ..))| mode & 0o170_000 != 0o040_000);
        all.map(|(path, _)| path.strip_prefix(&base).unwrap().to_string_lossy().into_owned()).collect()
    }
}

/// The paths of a real installation on this machine, in their current state.
fn this_machine() -> Vec<Option<(u64, i64, i64)>> {
    let paths = ["/opt", "/opt/hubzero", "/etc", "/etc/hubzero-metrics", "/etc/tmpfiles.d", "/etc/logrotate.d"];
    let more = ["/etc/cron.d", "/etc/systemd/system", "/var/spool/cron", "/var/log/hubzero", "/run/hzmetrics"];
    let look = |path: &&str| fs::metadata(path).ok().map(|meta| (meta.ino(), meta.mtime(), meta.mtime_nsec()));
    paths.iter().chain(&more).map(look).collect()
}

#[test]
fn everything_is_where_the_layout_says() {
    let place = Place::new();
    let before = this_machine();
    place.install(&["--user", "apache"]).ok();
    for (path, mode) in LAYOUT {
        let meta = fs::metadata(place.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(meta.mode() & 0o7777, mode, "{path}");
    }
    assert_eq!(fs::metadata(place.at("etc/hubzero-metrics")).unwrap().mode() & 0o777, 0o750);
    assert!(
        place.text("etc/cron.d/hubzero-metrics").ends_with("\n*/5 * * * * apache /opt/hubzero/bin/hzmetrics tick\n")
    );
    assert!(place.text("etc/tmpfiles.d/hzmetrics.conf").contains("\nd /run/hzmetrics 0755 apache apache -\n"));
    let logrotate = place.text("etc/logrotate.d/hzmetrics");
    for line in ["daily", "rotate 14", "compress", "missingok", "notifempty", "create 640 apache apache"] {
        assert!(logrotate.lines().any(|found| found.trim() == line), "{line} in {logrotate}");
    }
    assert!(logrotate.contains("/opt/hubzero/bin/hzmetrics-postrotate.sh"), "{logrotate}");
    for path in place.files() {
        let text = place.text(&path);
        let blank = ["@PREFIX@", "@USER@", "@GROUP@"].iter().any(|name| text.contains(name));
        assert!(!blank || path.ends_with("install.sh"), "a name is missing in {path}");
    }
    // nothing next to the machine: no temporary file, nothing from the computer that runs the test
    let mut beside: Vec<_> = fs::read_dir(place.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["a machine", "package", "tmp"]);
    assert_eq!(fs::read_dir(place.folder.path().join("tmp")).unwrap().count(), 0);
    assert_eq!(this_machine(), before);
}

#[test]
fn installing_from_the_checkout_gives_the_same() {
    let place = Place::new();
    let bin = place.folder.path().join("bin");
    for name in EXECUTABLES {
        executable(&bin.join(name), PROGRAM);
    }
    let install = |what: &str| {
        let run = fixtures::run(env!("CARGO_BIN_EXE_xtask")).dir(place.folder.path()).arg(what);
        let run = if what == "install" { run.arg("--bin").arg(&bin) } else { run };
        run.args(["--prefix=/usr/local", "--destdir", "a machine", "--cron", "none"]).finish()
    };
    install("install").ok();
    for name in EXECUTABLES {
        assert!(place.at("usr/local/bin").join(name).exists(), "{name}");
        assert_eq!(place.text(&format!("usr/local/share/man/man1/{name}.1")), format!("man of {name}\n"));
        for path in [
            format!("bash-completion/completions/{name}"),
            format!("zsh/site-functions/_{name}"),
            format!("fish/vendor_completions.d/{name}.fish"),
        ] {
            assert!(place.text(&format!("usr/local/share/{path}")).ends_with(&format!(" of {name}\n")), "{path}");
        }
    }
    for page in ["README.md", "LICENSE", "docs/hzmetrics.md", "docs/decisions/0006-one-scan.md"] {
        assert!(place.at("usr/local/share/doc/hzmetrics").join(page).exists(), "{page}");
    }
    let again = install("install").ok();
    assert_eq!(again.text(), "everything is there already: nothing was changed\n");
    install("uninstall").ok();
    assert_eq!(place.files(), Vec::<String>::new());
    let help = fixtures::run(env!("CARGO_BIN_EXE_xtask")).args(["install", "--help"]).finish().ok();
    assert!(help.text().contains("--destdir DIR"), "{}", help.text());
}

#[test]
fn a_second_run_changes_nothing() {
    for options in [&[][..], &["--cron", "spool"], &["--systemd"]] {
        let place = Place::new();
        file(&place.at("var/spool/cron/crontabs/someone"), "0 0 * * * true\n");
        let first = place.install(options).ok();
        assert!(first.text().contains("wrote "), "{}", first.text());
        let before = place.everything();
        for again in [options, &[]] {
            let second = place.install(again).ok();
            assert_eq!(second.text(), "everything is there already: nothing was changed\n", "{options:?}");
            assert_eq!(place.everything(), before, "{options:?}");
        }
    }
}

#[test]
fn a_dry_run_only_prints_what_it_would_do() {
    let place = Place::new();
    let said = place.install(&["--dry-run"]).ok().text();
    assert!(said.lines().all(|line| line.starts_with("would: ")), "{said}");
    assert!(said.contains("/etc/cron.d/hubzero-metrics\n") && said.contains("/opt/hubzero/bin/archive\n"), "{said}");
    assert!(place.everything().is_empty());
    place.install(&[]).ok();
    let before = place.everything();
    let said = place.install(&["--dry-run", "--uninstall"]).ok().text();
    assert!(said.contains("would: removed") && said.contains("/opt/hubzero/bin/archive\n"), "{said}");
    assert_eq!(place.everything(), before);
}

#[test]
fn the_old_name_starts_the_program_with_the_same_arguments_and_code() {
    let place = Place::new();
    place.install(&[]).ok();
    for shim in ["opt/hubzero/bin/hzmetrics.py", "opt/hubzero/metrics/bin/hzmetrics.py"] {
        let shim = place.at(shim);
        let check = |run: fixtures::Run| {
            let run = run.args(["status", "a b", "", "--x=*"]).dir(Path::new("/")).finish().expect_code(7);
            assert_eq!(run.text(), "[hzmetrics][status][a b][][--x=*]");
        };
        check(fixtures::run(&shim));
        check(fixtures::run("sh").arg(&shim));
        if Path::new("/usr/bin/python3").exists() {
            check(fixtures::run("/usr/bin/python3").arg(&shim));
        }
    }
}

#[test]
fn the_hook_starts_a_run_and_does_not_wait() {
    let place = Place::new();
    let me = fixtures::run("id").arg("-un").finish().ok().text().trim().to_owned();
    let group = fixtures::run("id").arg("-gn").finish().ok().text().trim().to_owned();
    place.install(&["--user", &me, "--group", &group]).ok();
    // the hook names the program by its full path, which here begins with the folder of the test
    let hook = place.at("opt/hubzero/bin/hzmetrics-postrotate.sh");
    let slow = place.folder.path().join("slow");
    executable(&slow, "#!/bin/sh\nwhile [ ! -e \"${0%/*}/go\" ]; do sleep 0.05; done\necho \"$*\" >\"${0%/*}/said\"\n");
    let text = fs::read_to_string(&hook).unwrap();
    assert!(text.contains("program=/opt/hubzero/bin/hzmetrics\n"), "{text}");
    executable(&hook, &text.replace("/opt/hubzero/bin/hzmetrics\n", &format!("'{}'\n", slow.display())));
    // returns although the run waits for us; its output is not ours, or this would wait for its end
    let run = fixtures::run("sh").arg(&hook).finish().ok();
    assert_eq!((run.text(), run.stderr), (String::new(), String::new()));
    let said = place.folder.path().join("said");
    assert!(!said.exists());
    fs::write(place.folder.path().join("go"), "").unwrap();
    for _ in 0..400 {
        if fs::read_to_string(&said).is_ok_and(|said| said == "run\n") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no run was started");
}

/// What a process started by the hook reports: `id`, variables, limits.
const SAYS: &str = "#!/bin/sh\n{ id -u; id -G; env; umask; ls /proc/self/fd; tty; } >\"${0%/*}/said.new\" 2>&1\n\
    mv \"${0%/*}/said.new\" \"${0%/*}/said\"\n";

#[test]
fn the_hook_passes_nothing_of_root_on() {
    let user = "nobody";
    if !rustix::process::geteuid().is_root() {
        return fixtures::skip("only root can start the hook for another user");
    }
    let place = Place::new();
    let group = fixtures::run("id").args(["-gn", user]).finish().ok().text().trim().to_owned();
    place.install(&["--user", user, "--group", &group]).ok();
    let hook = place.at("opt/hubzero/bin/hzmetrics-postrotate.sh");
    // a folder that the user can access and write
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = open.path().join("program");
    executable(&program, SAYS);
    let text = fs::read_to_string(&hook).unwrap();
    executable(&hook, &text.replace("/opt/hubzero/bin/hzmetrics\n", &format!("{}\n", program.display())));
    let script = format!("exec 7</etc/passwd; '{}'", hook.display());
    fixtures::run("sh").args(["-c", &script]).env("SECRET_OF_ROOT", "x").env("HZMETRICS_ROOT", "/x").finish().ok();
    let said = open.path().join("said");
    for _ in 0..400 {
        if said.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let said = fs::read_to_string(said).unwrap();
    let id = |what: &str| fixtures::run("id").args([what, user]).finish().ok().text();
    let (uid, groups) = (id("-u"), id("-G"));
    assert!(said.starts_with(&format!("{uid}{groups}")), "{said}");
    assert!(!said.contains("SECRET") && !said.contains("HZMETRICS") && !said.contains("HOME=/root"), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.contains(&"0027") && lines.contains(&"not a tty") && !lines.contains(&"7"), "{said}");
}

#[test]
fn programs_belong_to_root_whatever_the_mask() {
    let is_root = rustix::process::geteuid().is_root();
    for mask in ["022", "027", "077"] {
        let place = Place::new();
        let script = place.package().join("install.sh");
        let words = format!(
            "umask {mask}; exec sh '{}' --user nobody --group nogroup --destdir '{}'",
            script.display(),
            place.at("").display()
        );
        fixtures::run("sh").args(["-c", &words]).finish().ok();
        for (path, (mode, ..)) in place.everything() {
            let meta = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(place.at("")).unwrap().to_string_lossy().into_owned();
            let private = name.starts_with("var/log/hubzero/") || name.starts_with("etc/hubzero-metrics");
            if !private && !meta.is_symlink() {
                // readable for all, and executable for all if it is for the owner
                assert_eq!(mode & 0o7, (mode >> 6) & 0o5, "{mask}: {name} {mode:o}");
            }
            if name.starts_with("etc/hubzero-metrics/") {
                assert_eq!(mode & 0o7777, 0o640, "{mask}: {name}");
            }
            if is_root && (name.starts_with("opt/") || name.starts_with("etc/")) {
                assert!(
                    meta.uid() == 0 && (private || meta.gid() == 0) && mode & 0o022 == 0 || meta.is_symlink(),
                    "{mask}: {name} {mode:o}"
                );
            }
        }
    }
}

#[test]
fn programs_started_by_root_are_not_installed_where_others_write() {
    if !rustix::process::geteuid().is_root() {
        return fixtures::skip("only root can give a folder to somebody else");
    }
    let place = Place::new();
    let bin = place.at("opt/hubzero/bin");
    fs::create_dir_all(&bin).unwrap();
    for (owner, mode, fine) in [(0, 0o755, true), (33, 0o755, false), (0, 0o777, false), (0, 0o775, true)] {
        std::os::unix::fs::chown(&bin, Some(owner), Some(0)).unwrap();
        fs::set_permissions(&bin, fs::Permissions::from_mode(mode)).unwrap();
        let done = place.install(&["--dry-run"]);
        assert_eq!(done.code == 0, fine, "{owner} {mode:o}: {}", done.stderr);
        assert!(fine || done.stderr.contains("chown root:root"), "{}", done.stderr);
    }
}

#[test]
fn an_existing_configuration_is_never_touched() {
    let place = Place::new();
    file(&place.at("etc/hubzero-metrics/access.cfg"), "$hub_db = 'mine';\n");
    place.install(&[]).ok();
    assert_eq!(place.text("etc/hubzero-metrics/access.cfg"), "$hub_db = 'mine';\n");
    let sample = place.text("etc/hubzero-metrics/hzmetrics.conf");
    assert!(sample.contains("\n[dns]\n"), "{sample}");
    file(&place.at("etc/hubzero-metrics/hzmetrics.conf"), "[dns]\nconcurrency = 7\n");
    place.install(&[]).ok();
    place.install(&["--uninstall"]).ok();
    assert_eq!(place.files(), ["etc/hubzero-metrics/access.cfg", "etc/hubzero-metrics/hzmetrics.conf"]);
    assert_eq!(place.text("etc/hubzero-metrics/hzmetrics.conf"), "[dns]\nconcurrency = 7\n");
}

#[test]
fn an_access_cfg_does_not_hide_the_configuration_of_the_port() {
    let place = Place::new();
    let port = "opt/hubzero/metrics/conf/hzmetrics.conf";
    file(&place.at(port), "[db]\n");
    let said = place.install(&[]).ok().text();
    assert!(said.contains("that is the configuration"), "{said}");
    assert!(!place.at("etc/hubzero-metrics/access.cfg").exists());
    place.install(&["--uninstall"]).ok();
    assert_eq!(place.files(), [port]);
}

#[test]
fn uninstalling_leaves_data_and_older_files() {
    let place = Place::new();
    executable(&place.at("opt/hubzero/bin/hzmetrics.py"), "#!/usr/bin/python3\n# of the port\n");
    executable(&place.at("opt/hubzero/metrics/bin/hzmetrics.py"), "#!/usr/bin/python3\n# of the port\n");
    executable(&place.at("opt/hubzero/bin/other"), "#!/bin/sh\n");
    file(&place.at("etc/cron.d/hubzero-metrics"), "*/5 * * * * apache /opt/hubzero/bin/hzmetrics.py tick\n");
    let before = place.everything();
    place.install(&[]).ok();
    assert!(place.text("opt/hubzero/bin/hzmetrics.py").starts_with("#!/bin/sh\n"));
    assert!(place.text("etc/cron.d/hubzero-metrics").contains("/opt/hubzero/bin/hzmetrics tick"));
    let log = "var/log/hubzero/metrics/hzmetrics.log";
    file(&place.at(log), "a line\n");
    let said = place.install(&["--uninstall"]).ok().text();
    assert!(said.contains("var/log/hubzero/metrics, which is not empty"), "{said}");
    let mut expected: Vec<_> = before
        .keys()
        .filter(|path| path.is_file())
        .map(|path| path.strip_prefix(place.at("")).unwrap().to_string_lossy().into_owned())
        .chain([log.to_owned()])
        .collect();
    expected.sort();
    assert_eq!(place.files(), expected);
    for (path, (mode, _, content)) in before.iter().filter(|(path, _)| path.is_file()) {
        assert_eq!(
            (&fs::read(path).unwrap(), fs::metadata(path).unwrap().mode()),
            (content, *mode),
            "{}",
            path.display()
        );
    }
    place.install(&["--uninstall"]).expect_code(1);
}

#[test]
fn in_a_crontab_only_our_lines_are_added_and_removed() {
    let place = Place::new();
    let tab = "var/spool/cron/apache";
    file(&place.at(tab), "MAILTO=me\n0 3 * * * /usr/bin/true\n");
    let install = |options: &[&str]| place.install(&[&["--user", "apache"], options].concat()).ok();
    install(&["--cron", "spool"]);
    let text = place.text(tab);
    assert!(text.starts_with("MAILTO=me\n0 3 * * * /usr/bin/true\n# hzmetrics: begin"), "{text}");
    assert_eq!(text.matches("\n*/5 * * * * /opt/hubzero/bin/hzmetrics tick\n").count(), 1, "{text}");
    assert!(!place.at("etc/cron.d").exists());
    install(&["--cron", "cron.d"]);
    assert_eq!(place.text(tab), "MAILTO=me\n0 3 * * * /usr/bin/true\n");
    assert!(place.at("etc/cron.d/hubzero-metrics").exists());
    install(&["--cron", "spool"]);
    assert!(!place.at("etc/cron.d/hubzero-metrics").exists());
    fs::write(place.at(tab), place.text(tab) + "1 1 * * * /usr/bin/false\n").unwrap();
    install(&["--uninstall"]);
    assert_eq!(place.text(tab), "MAILTO=me\n0 3 * * * /usr/bin/true\n1 1 * * * /usr/bin/false\n");

    // a crontab that contained only our line is removed
    fs::remove_file(place.at(tab)).unwrap();
    install(&["--cron", "spool"]);
    assert_eq!(fs::metadata(place.at(tab)).unwrap().mode() & 0o777, 0o600);
    install(&["--uninstall"]);
    assert!(!place.at(tab).exists());
}

#[test]
fn timers_replace_cron() {
    let place = Place::new();
    place.install(&["--user", "apache"]).ok();
    place.install(&["--systemd"]).ok();
    assert!(!place.at("etc/cron.d/hubzero-metrics").exists());
    let unit = place.text("etc/systemd/system/hzmetrics.service");
    for line in ["User=apache", "ExecStart=/opt/hubzero/bin/hzmetrics run", "SuccessExitStatus=75"] {
        assert!(unit.lines().any(|found| found == line), "{line} in {unit}");
    }
    let timer = place.text("etc/systemd/system/hzmetrics.timer");
    assert!(timer.lines().any(|line| line == "OnCalendar=*:30"), "{timer}");
    let timer = place.text("etc/systemd/system/hzmetrics-whoisonline.timer");
    assert!(timer.lines().any(|line| line == "OnCalendar=*:0/5"), "{timer}");
    place.install(&["--cron=cron.d"]).ok();
    assert!(!place.at("etc/systemd/system/hzmetrics.timer").exists());
    assert!(place.at("etc/cron.d/hubzero-metrics").exists());
}

#[test]
fn files_edited_by_an_administrator_are_kept() {
    let place = Place::new();
    place.install(&[]).ok();
    let cron = "etc/cron.d/hubzero-metrics";
    fs::write(place.at(cron), "*/5 * * * * apache /opt/hubzero/bin/hzmetrics -c /etc/b.cfg tick\n").unwrap();
    // a program that differs from the installed one is replaced
    fs::write(place.at("opt/hubzero/bin/archive"), "damaged").unwrap();
    place.install(&[]).ok();
    assert!(place.text(cron).contains("/etc/b.cfg"));
    assert_eq!(place.text("opt/hubzero/bin/archive"), PROGRAM);
    place.install(&["--uninstall"]).ok();
    assert_eq!(place.files(), [format!("{cron}.rpmsave")]);
}

#[test]
fn files_missing_from_a_new_release_are_removed() {
    let place = Place::new();
    executable(&place.package().join("bin/older-stage"), PROGRAM);
    place.install(&[]).ok();
    fs::remove_file(place.package().join("bin/older-stage")).unwrap();
    executable(&place.package().join("bin/archive"), "#!/bin/sh\n# newer\n");
    place.install(&[]).ok();
    assert!(!place.at("opt/hubzero/bin/older-stage").exists());
    assert!(place.text("opt/hubzero/bin/archive").contains("newer"));
    assert!(!place.files().iter().any(|path| path.contains(".rpm") || path.contains(".new-")), "{:?}", place.files());
}

#[test]
fn original_lines_in_a_crontab_are_reported() {
    let place = Place::new();
    file(&place.at("var/spool/cron/apache"), "# 1 0 * * * /opt/hubzero/bin/metrics/off.sh\n");
    assert_eq!(place.install(&["--dry-run"]).ok().stderr.matches("original scripts").count(), 0);
    file(&place.at("etc/cron.d/hubzero"), "10 0 * * * root /opt/hubzero/bin/metrics/import/x.sh\n");
    let warned = place.install(&["--dry-run"]).ok().stderr;
    assert!(warned.contains("etc/cron.d/hubzero still runs the original scripts"), "{warned}");
}

#[test]
fn a_damaged_archive_is_not_installed() {
    let place = Place::new();
    let package = place.package();
    let sums = fixtures::run("sha256sum").args(["bin/archive", "bin/hzmetrics"]).dir(&package).finish().ok();
    fs::write(package.join("SHA256SUMS"), &sums.stdout).unwrap();
    place.install(&["--dry-run"]).ok();
    fs::write(package.join("bin/archive"), "half").unwrap();
    let refused = place.install(&[]).expect_code(1);
    assert!(refused.stderr.contains("bin/archive: FAILED"), "{}", refused.stderr);
    assert!(place.everything().is_empty());
}

#[test]
fn invalid_arguments_are_refused_before_anything_is_done() {
    let place = Place::new();
    for options in [
        &["--frobnicate"][..],
        &["--prefix"],
        &["--prefix", "relative"],
        &["--prefix", "/opt/a b"],
        &["--prefix", "/opt/%"],
        &["--prefix", "/opt/../etc"],
        &["--cron", "weekly"],
        &["--systemd", "--cron", "spool"],
        &["--user", "a;b"],
    ] {
        let refused = place.install(options).expect_code(2);
        assert!(refused.stderr.starts_with("install.sh: "), "{options:?}: {}", refused.stderr);
    }
    assert!(place.everything().is_empty());
}

#[test]
fn a_manifest_cannot_lead_out_of_the_installation() {
    let place = Place::new();
    place.install(&[]).ok();
    let victim = place.folder.path().join("victim");
    fs::write(&victim, "dear").unwrap();
    let manifest = place.at("opt/hubzero/share/hzmetrics/manifest");
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap() + "file /../victim\n").unwrap();
    place.install(&["--uninstall"]).expect_code(1);
    assert!(victim.exists());
}

#[test]
fn the_scripts_are_plain_sh() {
    for script in ["install.sh", "hzmetrics-postrotate.sh"] {
        fixtures::run("sh").arg("-n").arg(deploy().join(script)).finish().ok();
    }
    if ["/usr/bin/shellcheck", "/usr/local/bin/shellcheck"].iter().any(|path| Path::new(path).exists()) {
        let scripts = ["install.sh", "hzmetrics-postrotate.sh"].map(|name| deploy().join(name));
        fixtures::run("shellcheck").args(["-s", "sh"]).args(scripts).finish().ok();
    } else {
        fixtures::skip("shellcheck is not installed: only the syntax of the scripts was looked at");
    }
}
