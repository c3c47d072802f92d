//! A hub that migrates line by line: any of the three lines that import logs may be ours and the
//! others still the original ones, and this may change every night. In any mixture, each log is
//! imported once and ends in `imported/`.
//!
//! The original lines are simulated here from what is known about them: they concatenate plain
//! logs, have no list of what was staged, rename the staging files, compress and move.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use fixtures::Run;
use fixtures::db::{Pair, SqlMode, names};
use fixtures::random::Random;
use schema::tables::Engine;

/// The lines, in the order in which they run.
const LINES: [&str; 3] = ["fetch-logs", "import-logs", "archive"];

/// Which lines are ours tonight; each bit is one of [`LINES`].
type Night = u32;

struct Hub {
    pair: Pair,
    root: tempfile::TempDir,
}

impl Hub {
    fn new(pair: Pair) -> Self {
        pair.create_metrics(Engine::InnoDb, true);
        let hub = Self { pair, root: tempfile::tempdir().unwrap() };
        fs::create_dir_all(hub.root.path().join("etc/httpd")).unwrap();
        fs::write(hub.root.path().join("etc/hubzero.conf"), "site = hub\n").unwrap();
        for folder in ["httpd/daily", "httpd/imported", "hubzero/daily", "hubzero/imported", "hubzero/metrics"] {
            fs::create_dir_all(hub.at(folder)).unwrap();
        }
        hub
    }

    /// A path below `/var/log`.
    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join("var/log").join(path)
    }

    fn ours(&self, line: &str) -> Run {
        let exe = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(line);
        assert!(exe.exists(), "{line} is not built; `cargo xtask test` builds everything");
        let option = if line == "fetch-logs" { "--stage" } else { "--db" };
        self.pair.run(exe).env("HZMETRICS_ROOT", self.root.path()).arg(option)
    }

    /// The names in a folder that begin with `head`, sorted.
    fn names(&self, folder: &str, head: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with(head));
        names.sort();
        names
    }

    /// The logs of a day; some days have no login log.
    fn rotate(&self, day: u32) {
        let mut access = String::new();
        for n in 0..day % 4 + 2 {
            let _ = writeln!(
                access,
                "2025-07-{day:02} 08:00:{n:02} EDT 4711 - \"GET /{day}/{n} HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"UA\" TLSv1.3 \
                 0 12 1002 J C A com view task act item"
            );
        }
        fs::write(self.at(&format!("httpd/daily/hub-access.log-202507{day:02}")), access).unwrap();
        if day % 3 != 2 {
            let auth = format!("2025-07-{day:02} 09:00:00 {day} [user{day}] 1.1.1.1 login\n");
            fs::write(self.at(&format!("hubzero/daily/cmsauth.log-202507{day:02}")), auth).unwrap();
        }
    }

    fn theirs(&self, line: &str) {
        let kinds = [("httpd", "hub-access", "_hub_apache.log"), ("hubzero", "cmsauth", "_hub_auth.log")];
        match line {
            "fetch-logs" => {
                for (of, head, staged) in kinds {
                    let daily = format!("{of}/daily");
                    let logs = self.names(&daily, head);
                    let read = |name: &String| fs::read(self.at(&format!("{daily}/{name}"))).unwrap();
                    if !logs.is_empty() {
                        let all: Vec<u8> = logs.iter().flat_map(read).collect();
                        fs::write(self.at(&format!("hubzero/metrics/{staged}")), all).unwrap();
                    }
                }
            }
            "import-logs" => {
                // ours does the same if there is no list
                let (list, away) = (self.at("hubzero/metrics/_staged.ndjson"), self.at("hubzero/list"));
                let is_there = fs::rename(&list, &away).is_ok();
                self.ours(line).finish().ok();
                if is_there {
                    fs::rename(&away, &list).unwrap();
                }
            }
            _ => {
                for (of, head, _) in kinds {
                    for name in self.names(&format!("{of}/daily"), head) {
                        let from = self.at(&format!("{of}/daily/{name}"));
                        let to = fs::File::create(self.at(&format!("{of}/imported/{name}.gz"))).unwrap();
                        let mut out = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
                        out.write_all(&fs::read(&from).unwrap()).unwrap();
                        let _ = out.finish().unwrap();
                        fs::remove_file(from).unwrap();
                    }
                }
            }
        }
    }

    fn night(&self, ours: Night) {
        for (bit, line) in LINES.into_iter().enumerate() {
            if ours >> bit & 1 == 1 {
                self.ours(line).finish().ok();
            } else {
                self.theirs(line);
            }
        }
    }

    /// The tables that imports fill, without ids.
    fn tables(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for query in [
            "SELECT datetime, ip, content, useragent FROM web ORDER BY id",
            "SELECT datetime, hits FROM webhits",
            "SELECT datetime, user, ip, action FROM userlogin ORDER BY id",
        ] {
            lines.extend(self.pair.lines(query));
        }
        lines
    }

    /// The archived logs and their content.
    fn archived(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for folder in ["httpd/imported", "hubzero/imported"] {
            for name in self.names(folder, "") {
                let mut text = String::new();
                let file = fs::File::open(self.at(&format!("{folder}/{name}"))).unwrap();
                let _ = flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
                found.insert(name, text);
            }
        }
        found
    }
}

/// Two days arrive before each night.
fn live(nights: &[Night]) -> Option<Hub> {
    let hub = Hub::new(names(SqlMode::Strict)?);
    for (n, ours) in (1..).zip(nights) {
        hub.rotate(2 * n - 1);
        hub.rotate(2 * n);
        hub.night(*ours);
        for folder in ["httpd/daily", "hubzero/daily"] {
            assert_eq!(hub.names(folder, ""), [""; 0], "{nights:?}, night {n}");
        }
        assert_eq!(hub.names("hubzero/metrics", "_hub"), [""; 0], "{nights:?}, night {n}");
    }
    Some(hub)
}

fn check(nights: &[Night], like: &Hub) {
    let Some(hub) = live(nights) else { return };
    assert_eq!(hub.tables(), like.tables(), "{nights:?}");
    assert_eq!(hub.archived(), like.archived(), "{nights:?}");
}

#[test]
fn mixtures_of_our_lines_and_the_original_ones_import_each_log_once() {
    let Some(like) = live(&[0; 3]) else { return };
    assert_eq!((like.tables().len(), like.archived().len()), (31, 10));
    for ours in 1..8 {
        check(&[ours; 3], &like);
    }
}

#[test]
fn the_mixture_may_change_every_night() {
    let Some(like) = live(&[0; 4]) else { return };
    // the list of the first night is still there when the original line has staged
    for nights in [[0b001, 0b110, 0b011, 0b100], [0b001, 0b100, 0b001, 0b010], [0b011, 0b110, 0b000, 0b111]] {
        check(&nights, &like);
    }
    let mut random = Random::new(5);
    for _ in 0..6 {
        check(&[(); 4].map(|()| random.below(8)), &like);
    }
}
