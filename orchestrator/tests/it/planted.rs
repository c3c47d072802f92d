//! Files that an attacker plants in the folders of a hub, and how `hzmetrics` and its stages treat them:
//! links, FIFOs, devices and folders in place of logs, log folders and all files of ours. They are named,
//! nothing hangs, and the targets of links are neither read nor changed; as root and as the user.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use fixtures::{Finished, Run};
use schema::tables::Engine;

use crate::ground::{Ground, NOBODY, requests, seven_lines};

/// What is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    Link,
    Fifo,
    Device,
    Folder,
}

const PLANTS: [Plant; 4] = [Plant::Link, Plant::Fifo, Plant::Device, Plant::Folder];

impl Plant {
    /// Plants it; a device, a copy of `/dev/null`, only if one can be created.
    fn put(self, ground: &Ground, at: &Path) -> bool {
        let is_there = match self {
            Self::Link => symlink(ground.at("victim"), at).is_ok(),
            Self::Fifo => fixtures::run("mkfifo").arg(at).finish().code == 0,
            Self::Device => fixtures::run("mknod").arg(at).args(["c", "1", "3"]).finish().code == 0,
            Self::Folder => fs::create_dir(at).is_ok(),
        };
        if is_there {
            ground.give(at);
        } else {
            fixtures::skip(&format!("no {self:?} could be made"));
        }
        is_there
    }

    fn is_at(self, path: &Path) -> bool {
        let kind = fs::symlink_metadata(path).unwrap().file_type();
        match self {
            Self::Link => kind.is_symlink(),
            Self::Fifo => kind.is_fifo(),
            Self::Device => kind.is_char_device(),
            Self::Folder => kind.is_dir(),
        }
    }
}

/// Who starts the programs.
#[derive(Debug, Clone, Copy)]
enum By {
    Root,
    Owner,
}

impl By {
    fn start(self, ground: &Ground, line: &str) -> Run {
        match self {
            Self::Root => ground.start(line),
            Self::Owner => ground.start_as_owner(line),
        }
    }

    /// Runs it to its end, which must come and must not be a crash.
    fn run(self, ground: &Ground, line: &str) -> Finished {
        let done = self.start(ground, line).finish();
        assert!(done.code < 3 && !done.stderr.contains("panicked"), "{line}: {} {}", done.code, done.stderr);
        done
    }
}

/// A file with requests that only root may read.
fn victim(ground: &Ground) {
    ground.write("victim", &requests(1, 9), 0o600);
}

#[track_caller]
fn victim_is_whole(ground: &Ground, said: &str) {
    let victim = ground.at("victim");
    assert_eq!(fs::read_to_string(&victim).unwrap(), requests(1, 9), "{said}");
    let meta = fs::metadata(victim).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (0, 0o600), "{said}");
    assert_eq!(ground.pair.value("SELECT COUNT(*) FROM web WHERE content LIKE '/1-%'").unwrap(), "0", "{said}");
    for (path, _) in ground.files().iter().filter(|(_, found)| found.0 != 0) {
        let is_file = fs::symlink_metadata(path).unwrap().is_file();
        let text = if is_file { fs::read(path).unwrap() } else { Vec::new() };
        assert!(!text.windows(7).any(|part| part == b"GET /1-"), "{}: {said}", path.display());
    }
}

#[test]
fn planted_logs_are_named_once_a_day_and_block_no_others() {
    for by in [By::Root, By::Owner] {
        for line in ["hzmetrics import --next", "hzmetrics run", "hzmetrics tick"] {
            let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
            victim(&ground);
            ground.make_our_folders();
            let planted = [(1, Plant::Link), (2, Plant::Fifo), (3, Plant::Device)];
            let mut days: Vec<u32> = planted
                .into_iter()
                .filter(|(day, plant)| plant.put(&ground, &ground.daily(*day)))
                .map(|p| p.0)
                .collect();
            // a loop, a link to where the user may not look, a name that is not valid text
            symlink("hub-access.log-20250704", ground.daily(4)).unwrap();
            ground.write("secret/log", &requests(1, 9), 0o600);
            fs::set_permissions(ground.at("secret"), Permissions::from_mode(0o700)).unwrap();
            symlink(ground.at("secret/log"), ground.daily(5)).unwrap();
            days.extend([4, 5]);
            let first = by.run(&ground, line);
            let said = format!("{line} by {by:?}: {}", first.stderr);
            assert_eq!(first.code, 1, "{said}");
            for day in &days {
                assert!(said.contains(&format!("hub-access.log-202507{day:02} was not imported")), "{day} in {said}");
                assert!(ground.daily(*day).symlink_metadata().is_ok(), "{day}: {said}");
            }
            assert_eq!(ground.pair.value("SELECT COUNT(*) FROM web").unwrap(), "3", "{said}");
            assert!(!ground.daily(11).exists(), "{said}");
            victim_is_whole(&ground, &said);
            let again = by.run(&ground, line);
            assert_eq!((again.code, again.stderr.as_str()), (0, ""), "{line} by {by:?}");
        }
    }
}

#[test]
fn links_within_the_log_folders_are_logs() {
    let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
    let real = ground.at("var/log/httpd/daily/real");
    fs::write(&real, requests(9, 2)).unwrap();
    ground.give(&real);
    symlink("real", ground.daily(9)).unwrap();
    ground.give(&ground.daily(9));
    let done = By::Root.run(&ground, "hzmetrics import --next");
    assert_eq!(
        (done.code, ground.pair.value("SELECT COUNT(*) FROM web").unwrap().as_str()),
        (0, "5"),
        "{}",
        done.stderr
    );
}

#[test]
fn log_folders_may_be_links_owned_by_root_only() {
    for folder in ["daily", "imported"] {
        for (owner, is_followed) in [(0, true), (NOBODY, false)] {
            for lines in
                [vec!["hzmetrics import --next"], vec!["fetch-logs --stage", "import-logs --db", "archive --db"]]
            {
                let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
                ground.write("etc/hubzero-metrics/hzmetrics.conf", "[run]\nuser = nobody\n", 0o644);
                let (at, elsewhere) = (ground.at("var/log/httpd").join(folder), ground.at("elsewhere"));
                fs::rename(&at, &elsewhere).unwrap();
                symlink(&elsewhere, &at).unwrap();
                std::os::unix::fs::lchown(&at, Some(owner), Some(owner)).unwrap();
                let runs: Vec<_> = lines.iter().map(|line| By::Root.run(&ground, line)).collect();
                let said: String = runs.iter().map(|done| done.stderr.as_str()).collect();
                let said = format!("{folder} of {owner}, {lines:?}: {said}");
                let is_in = |folder: &str| {
                    let entries = fs::read_dir(ground.at("var/log/httpd").join(folder)).unwrap();
                    entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("20250711"))
                };
                assert_eq!((is_in("daily"), is_in("imported")), (!is_followed, is_followed), "{said}");
                assert_eq!(is_followed, said.ends_with(": "), "{said}");
                assert!(is_followed || said.contains(&format!("httpd/{folder}")), "{said}");
            }
        }
    }
}

/// Every file that we create, and a line that opens it.
const OURS: [(&str, &[&str]); 13] = [
    ("var/log/hubzero/metrics/_staged.ndjson", &["fetch-logs --stage", "import-logs --db", "archive --db"]),
    ("var/log/hubzero/metrics/_imported.ndjson", &["fetch-logs --stage", "import-logs --db", "archive --db"]),
    ("var/log/hubzero/metrics/_refused.ndjson", &["hzmetrics import --next", "hzmetrics run", "hzmetrics status"]),
    ("var/log/hubzero/metrics/_hub_apache.log", &["fetch-logs --stage", "import-logs --db"]),
    ("var/log/hubzero/metrics/_hub_auth.log", &["fetch-logs --stage", "import-logs --db"]),
    ("var/log/hubzero/metrics/_prev_hub_apache.log", &["fetch-logs --stage", "import-logs --db"]),
    ("var/log/hubzero/metrics/hzmetrics.log", &["hzmetrics run", "hzmetrics run-chain import", "hzmetrics doctor"]),
    ("var/run/hzmetrics/hzmetrics.pid", &["hzmetrics run", "import-logs --db", "hzmetrics doctor"]),
    ("var/run/hzmetrics/hzmetrics.state", &["hzmetrics run", "hzmetrics doctor"]),
    ("var/run/hzmetrics/hzmetrics.whoisonline.lock", &["whoisonline --db", "hzmetrics tick"]),
    ("var/www/hub/app/site/stats/maps/whoisonline.xml", &["whoisonline --db", "hzmetrics tick"]),
    ("var/log/httpd/imported/hub-access.log-20250711.gz", &["fetch-logs --stage", "import-logs --db", "archive --db"]),
    (
        "var/log/httpd/imported/.hub-access.log-20250711.gz.archiving",
        &["fetch-logs --stage", "import-logs --db", "archive --db"],
    ),
];

#[test]
fn planted_files_are_never_written_through() {
    for (name, lines) in OURS {
        // all of them use the same door, so most kinds are tried only in some places
        for plant in PLANTS.into_iter().take(if name.ends_with(".ndjson") { 4 } else { 2 }) {
            let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
            victim(&ground);
            ground.make_our_folders();
            let path = ground.at(name);
            if !plant.put(&ground, &path) {
                continue;
            }
            let runs: Vec<_> = lines.iter().map(|line| By::Root.run(&ground, line)).collect();
            let said: String = runs.iter().map(|done| format!("{} {}", done.text(), done.stderr)).collect();
            let said = format!("{plant:?} at {name}: {said}");
            victim_is_whole(&ground, &said);
            // it was reported, or a file with a name of ours replaced it
            let base = path.file_name().unwrap().to_str().unwrap();
            let is_left = path.symlink_metadata().is_ok() && plant.is_at(&path);
            assert!(
                !is_left || said.contains(base) || runs.iter().all(|done| done.code == 0 && done.stderr.is_empty()),
                "{said}"
            );
        }
    }
}

#[test]
fn the_seven_lines_survive_planted_logs() {
    let Some(ground) = Ground::new(Engine::MyIsam, NOBODY) else { return };
    victim(&ground);
    for (day, plant) in [(1, Plant::Link), (2, Plant::Fifo), (3, Plant::Folder)] {
        assert!(plant.put(&ground, &ground.daily(day)));
    }
    // with the name of a log whose archiving a killed run has not finished
    for (day, plant) in [(5, Plant::Link), (6, Plant::Fifo)] {
        let path = ground.daily(day);
        let hidden = format!(".{}.archiving", path.file_name().unwrap().display());
        assert!(plant.put(&ground, &path.with_file_name(hidden)));
    }
    let mut said = String::new();
    for line in seven_lines() {
        said += &By::Root.run(&ground, &format!("hzmetrics {line}")).stderr;
    }
    for day in 1..=3 {
        assert!(said.contains(&format!("hub-access.log-2025070{day}")), "{said}");
        assert!(ground.daily(day).symlink_metadata().is_ok(), "{said}");
    }
    for day in [5, 6] {
        assert!(said.contains(&format!("hub-access.log-2025070{day}")), "{said}");
    }
    assert_eq!(ground.pair.value("SELECT COUNT(*) FROM web").unwrap(), "3", "{said}");
    assert!(!ground.daily(11).exists(), "{said}");
    victim_is_whole(&ground, &said);
}
