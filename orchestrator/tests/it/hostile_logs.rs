//! Log folders controlled by an attacker's account: links, FIFOs, folders, sockets and devices in place of
//! logs, names that are not UTF-8, and logs that grow, are replaced or vanish between the three lines that
//! import logs. Nothing hangs, nothing is read by mistake, nothing is lost; the rest is imported.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use fixtures::db::{Pair, SqlMode, pair};
use fixtures::{Finished, Run};
use schema::tables::Engine;

/// After this many seconds a run counts as hanging.
const PATIENCE: &str = "120";

struct Hub {
    pair: Pair,
    root: tempfile::TempDir,
}

impl Hub {
    fn new() -> Option<Self> {
        let hub = Self { pair: pair(Engine::MyIsam, SqlMode::Lax)?, root: tempfile::tempdir().unwrap() };
        fs::create_dir_all(hub.root.path().join("etc/httpd")).unwrap();
        fs::write(hub.root.path().join("etc/hubzero.conf"), "site = hub\n").unwrap();
        for folder in ["httpd/daily", "httpd/imported", "hubzero/daily", "hubzero/imported", "hubzero/metrics"] {
            fs::create_dir_all(hub.at(folder)).unwrap();
        }
        Some(hub)
    }

    /// A path below `/var/log`.
    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join("var/log").join(path)
    }

    fn daily(&self, day: u32) -> PathBuf {
        self.at(&format!("httpd/daily/hub-access.log-202507{day:02}"))
    }

    fn start(&self, name: &str) -> Run {
        let exe = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(name);
        assert!(exe.exists(), "{name} is not built; `cargo xtask test` builds everything");
        self.pair.run("timeout").arg(PATIENCE).arg(exe).env("HZMETRICS_ROOT", self.root.path())
    }

    /// A crontab line, which must end.
    fn line(&self, line: &str) -> Finished {
        let (name, option) = line.split_once(' ').unwrap();
        let done = self.start(name).arg(option).finish();
        assert!([0, 1].contains(&done.code), "{line}: {} {}", done.code, done.stderr);
        assert!(!done.stderr.contains("panicked"), "{line}: {}", done.stderr);
        done
    }

    /// Runs one night; returns the messages.
    fn night(&self) -> String {
        ["fetch-logs --stage", "import-logs --db", "archive --db"].map(|line| self.line(line).stderr).concat()
    }

    /// How often each page was counted.
    fn pages(&self) -> Vec<String> {
        self.pair.lines("SELECT content, COUNT(*) FROM web GROUP BY content ORDER BY content")
    }
}

/// Requests on a day in July for the pages `DAY-FROM` to `DAY-THROUGH`.
fn requests(day: u32, from: u32, through: u32) -> String {
    (from..=through).fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            "2025-07-{day:02} 08:00:{n:02} EDT 4711 - \"GET /{day}-{n} HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"UA\" TLSv1.3 \
             0 12 1002 J C A com view task act item"
        );
        text
    })
}

fn page(day: u32, n: u32) -> String {
    format!("/{day}-{n}\t1")
}

#[test]
fn anything_but_a_log_is_named_and_the_rest_is_imported() {
    let Some(hub) = Hub::new() else { return };
    let secret = hub.root.path().join("secret");
    fs::write(&secret, requests(1, 1, 3)).unwrap();
    let is_secret = |bytes: &[u8]| bytes.windows(6).any(|part| part == b"GET /1");
    symlink(&secret, hub.daily(1)).unwrap();
    symlink("hub-access.log-20250703", hub.daily(2)).unwrap();
    symlink("hub-access.log-20250702", hub.daily(3)).unwrap();
    fixtures::run("mkfifo").arg(hub.daily(4)).finish().ok();
    fs::create_dir(hub.daily(5)).unwrap();
    let _listener = UnixListener::bind(hub.daily(6)).unwrap();
    // only root can create a device
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let made = is_root && fixtures::run("mknod").arg(hub.daily(7)).args(["c", "1", "5"]).finish().code == 0;
    if !made {
        fixtures::skip("no device could be made");
    }
    fs::write(hub.daily(8), requests(8, 1, 4)).unwrap();
    // it was put there by an account other than root
    if is_root {
        fixtures::run("chown").args(["-h", "65534:65534"]).arg(hub.daily(1)).finish().ok();
    }
    let said = hub.night();
    assert_eq!(hub.pages(), (1..=4).map(|n| page(8, n)).collect::<Vec<_>>(), "{said}");
    assert!(!hub.daily(8).exists(), "{said}");
    for day in (1..=7).filter(|day| made || *day != 7) {
        let name = hub.daily(day).file_name().unwrap().to_string_lossy().into_owned();
        assert!(said.contains(&name), "{name} in {said}");
    }
    // planted files are still in place, and the secret is nowhere else
    for day in (1..=7).filter(|day| made || *day != 7) {
        assert!(hub.daily(day).symlink_metadata().is_ok(), "{day}: {said}");
    }
    for folder in ["hubzero/metrics", "httpd/imported"] {
        for entry in fs::read_dir(hub.at(folder)).unwrap() {
            let path = entry.unwrap().path();
            assert!(!is_secret(&fs::read(&path).unwrap()), "{}", path.display());
        }
    }
}

/// A path of any bytes below `/var/log/httpd`.
fn odd(hub: &Hub, path: &[u8]) -> PathBuf {
    hub.at("httpd").join(OsStr::from_bytes(path))
}

#[test]
fn names_that_are_not_utf8_are_imported_booked_archived_and_forgotten() {
    let Some(hub) = Hub::new() else { return };
    let names =
        [b"hub-access.log-20250709\xfe" as &[u8], b"hub-access.log-20250709\xff", b"hub-access\xff.log-20250708"];
    for (n, name) in (1..).zip(names) {
        fs::write(odd(&hub, &[b"daily/", name].concat()), requests(9, n, n)).unwrap();
    }
    let said = hub.night();
    assert_eq!((said.as_str(), hub.pages()), ("", (1..=3).map(|n| page(9, n)).collect()));
    for name in names {
        assert!(!odd(&hub, &[b"daily/", name].concat()).exists());
        assert!(odd(&hub, &[b"imported/", name, b".gz"].concat()).exists());
    }
    let booked = hub.pair.lines("SELECT filename, row_count FROM imported_sources ORDER BY filename");
    assert_eq!(
        booked,
        ["hub-access.log-20250709/FE\t1", "hub-access.log-20250709/FF\t1", "hub-access/FF.log-20250708\t1"]
    );
    let forget = |name: &OsStr| hub.start("hzmetrics").arg("forget-import").arg(name).finish().ok();
    forget(OsStr::from_bytes(names[0]));
    forget("hub-access.log-20250709/FF".as_ref());
    assert_eq!(hub.pages(), [page(9, 3)]);
}

#[test]
fn the_orchestrator_accepts_names_that_are_not_utf8() {
    let Some(hub) = Hub::new() else { return };
    let logs = [b"daily/hub-access.log-20250709\xfe" as &[u8], b"daily/2\xff/hub-access.log-20250709\xff"];
    fs::create_dir(odd(&hub, b"daily/2\xff")).unwrap();
    for (n, log) in (1..).zip(logs) {
        fs::write(odd(&hub, log), requests(9, n, n)).unwrap();
    }
    let next = || hub.start("hzmetrics").args(["import", "--next"]).finish().ok();
    // one log per day and stream
    next();
    assert_eq!(hub.pages().len(), 1);
    next();
    assert_eq!(hub.pages(), [page(9, 1), page(9, 2)]);
    for name in [b"imported/hub-access.log-20250709\xfe" as &[u8], b"imported/hub-access.log-20250709\xff"] {
        assert!(odd(&hub, name).exists());
    }
    // a log that is not understood is recorded, named by the command that finds it, and set aside
    let bad = odd(&hub, b"daily/hub-access.log-20250710\xff");
    fs::write(&bad, "nonsense\n").unwrap();
    let said = hub.start("hzmetrics").args(["import", "--next"]).finish().expect_code(1).stderr;
    let command = "--set-aside hub-access.log-20250710/FF";
    assert!(said.contains(command), "{said}");
    hub.start("hzmetrics").args(["import", "--next"]).finish().ok();
    hub.start("hzmetrics").arg("import").args(command.split(' ')).finish().ok();
    assert!(!bad.exists() && odd(&hub, b"refused/hub-access.log-20250710\xff").exists());
}

#[test]
fn the_orchestrator_names_anything_but_a_log_once_a_day() {
    let Some(hub) = Hub::new() else { return };
    let secret = hub.root.path().join("secret");
    fs::write(&secret, requests(1, 1, 3)).unwrap();
    symlink(&secret, hub.daily(1)).unwrap();
    fixtures::run("mkfifo").arg(hub.daily(2)).finish().ok();
    fs::create_dir_all(hub.daily(3)).unwrap();
    symlink(".", hub.daily(3).with_file_name("loop")).unwrap();
    fs::write(hub.daily(4), requests(4, 1, 2)).unwrap();
    let planted = ["20250701", "20250702", "20250703", "loop"];
    let doctor = hub.start("hzmetrics").arg("doctor").finish().text();
    assert!(planted.iter().all(|name| doctor.contains(name)), "{doctor}");
    let said = hub.start("hzmetrics").args(["import", "--next"]).finish().expect_code(1).stderr;
    for name in planted {
        assert_eq!(said.matches(&format!("{name} was not imported")).count(), 1, "{name} in {said}");
    }
    assert_eq!(hub.pages(), [page(4, 1), page(4, 2)]);
    let again = hub.start("hzmetrics").args(["import", "--next"]).finish().ok();
    assert!(!again.stderr.contains("2025070"), "{}", again.stderr);
    fs::remove_file(hub.daily(2)).unwrap();
    let doctor = hub.start("hzmetrics").arg("doctor").finish().text();
    assert!(!doctor.contains("20250702") && doctor.contains("20250703"), "{doctor}");
}

#[test]
fn a_log_that_grows_between_the_lines_is_counted_whole_and_once() {
    let Some(hub) = Hub::new() else { return };
    fs::write(hub.daily(1), requests(1, 1, 3)).unwrap();
    hub.line("fetch-logs --stage");
    let grown = [requests(1, 1, 3), requests(1, 4, 5)].concat();
    fs::write(hub.daily(1), &grown).unwrap();
    hub.line("import-logs --db");
    let archived = hub.line("archive --db");
    assert!(hub.daily(1).exists(), "it has lines that nobody read: {}", archived.stderr);
    let said = hub.night();
    assert_eq!(hub.pages(), (1..=5).map(|n| page(1, n)).collect::<Vec<_>>(), "{said}");
    assert!(!hub.daily(1).exists(), "{said}");
    let third = hub.night();
    assert_eq!((hub.pages().len(), third.as_str()), (5, ""));
}

#[test]
fn a_log_that_is_replaced_or_vanishes_is_not_treated_as_the_old_one() {
    let Some(hub) = Hub::new() else { return };
    fs::write(hub.daily(1), requests(1, 1, 3)).unwrap();
    fs::write(hub.daily(2), requests(2, 1, 2)).unwrap();
    hub.line("fetch-logs --stage");
    // another log has the name of the first, and the second is gone
    fs::remove_file(hub.daily(1)).unwrap();
    fs::write(hub.daily(1), requests(1, 6, 9)).unwrap();
    fs::remove_file(hub.daily(2)).unwrap();
    hub.line("import-logs --db");
    let archived = hub.line("archive --db");
    assert_eq!(fs::read_to_string(hub.daily(1)).unwrap(), requests(1, 6, 9), "{}", archived.stderr);
    let imported: Vec<_> = fs::read_dir(hub.at("httpd/imported")).unwrap().collect();
    assert!(imported.is_empty(), "{imported:?}");
    // what was read is counted, whatever happened to the files
    let expected = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)].map(|(day, n)| page(day, n));
    assert_eq!(hub.pages(), expected);
}

#[test]
fn planted_working_files_are_refused_and_their_targets_unchanged() {
    for name in ["_hub_apache.log", "_staged.ndjson", "_imported.ndjson", "_prev_hub_apache.log"] {
        for kind in ["link", "fifo", "folder"] {
            let Some(hub) = Hub::new() else { return };
            let victim = hub.root.path().join("victim");
            fs::write(&victim, "dear\n").unwrap();
            let planted = hub.at("hubzero/metrics").join(name);
            match kind {
                "link" => symlink(&victim, &planted).unwrap(),
                "fifo" => drop(fixtures::run("mkfifo").arg(&planted).finish().ok()),
                _ => fs::create_dir(&planted).unwrap(),
            }
            fs::write(hub.daily(1), requests(1, 1, 3)).unwrap();
            let said = hub.night();
            assert_eq!(fs::read_to_string(&victim).unwrap(), "dear\n", "{kind} {name}: {said}");
            // it was reported, or it was replaced because the name is ours, and then the work was
            // done
            let is_done = hub.pages().len() == 3;
            assert!(is_done || said.contains(name), "{kind} {name}: {said}");
            assert!(is_done || hub.daily(1).exists(), "{kind} {name}: lost\n{said}");
        }
    }
}
