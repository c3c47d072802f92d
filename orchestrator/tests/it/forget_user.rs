//! `hzmetrics forget-user` on a private server: a hub with four users, of whom one is forgotten.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Instant;

use fixtures::db::{MODES, Pair, SqlMode, pair};
use fixtures::kills::Kills;
use fixtures::{Finished, Run};
use schema::tables::Engine;

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

/// What says who the person is, wherever it stands.
const TELLING: [&str; 4] = ["jdoe", "jane.d@example", "198.51.100.7", "198.51.100.8"];
/// The same for the number.
const NUMBER: [&str; 5] = ["members/4711", " 4711 ", "uid=4711", "\t4711\t", "members/04711"];

struct Hub {
    pair: Pair,
}

impl Hub {
    fn new(engine: Engine, mode: SqlMode) -> Option<Self> {
        let hub = Self { pair: pair(engine, mode)? };
        hub.put("etc/hubzero.conf", b"site = h\n");
        hub.people();
        for day in 1..=3 {
            hub.put(&format!("var/log/httpd/daily/h-access.log-2025070{day}"), access(day).as_bytes());
        }
        hub.put("var/log/hubzero/daily/cmsauth.log-20250702", auth(1).as_bytes());
        hub.put("var/log/hubzero/daily/cmsauth.log-20250703", auth(2).as_bytes());
        hub.run(&["import", "--month", "2025-07", "--force"]).ok();
        hub.numbers();
        hub.pack();
        Some(hub)
    }

    fn people(&self) {
        self.pair.sql(
            "INSERT INTO {hub}.jos_users (id, username, email) VALUES (1001, 'ann', 'ann@x.org'), (4711, 'jdoe', 'jane.d@example.org');\n\
             INSERT INTO {hub}.jos_xprofiles (uidNumber, username, email, emailConfirmed) VALUES (1001, 'ann', 'ann@x.org', 1), (4711, 'jdoe', 'jane.d@example.org', 1);\n\
             INSERT INTO {hub}.sessionlog (sessnum, username, remoteip, start, appname, exechost, walltime) VALUES \
             (1, 'ann', '192.0.2.1', '2025-07-01 10:00:00', 'tool', 'h', 10), (2, 'jdoe', '198.51.100.7', '2025-07-01 11:00:00', 'tool', 'h', 20), \
             (3, 'jdoe', '192.0.2.9', '2025-07-02 11:00:00', 'tool', 'h', 20);\n\
             INSERT INTO {hub}.joblog (sessnum, job, event, start, walltime) VALUES (1, 1, 'simulation', '2025-07-01 10:01:00', 5), \
             (2, 1, 'simulation', '2025-07-01 11:01:00', 5), (3, 1, 'simulation', '2025-07-02 11:01:00', 5);\n\
             INSERT INTO {hub}.jos_session_geo (session_id, username, userid, ip) VALUES ('a', 'jdoe', 4711, '198.51.100.7'), ('b', 'ann', 1001, '192.0.2.1');\n\
             INSERT INTO {hub}.jos_metrics_ipgeo_cache (ip, countrySHORT, ipCITY) VALUES (INET_ATON('8.8.8.8'), 'US', 'X')",
        );
    }

    /// Sessions, tool starts and cells of the month.
    fn numbers(&self) {
        for step in [["import-hub-data"].as_slice(), &["middleware-wall"], &["middleware-cpu"]] {
            self.run(step).ok();
        }
        for table in ["web", "toolstart", "sessionlog_metrics"] {
            self.pair.sql(&format!(
                "UPDATE {table} SET host = CONCAT('h', REPLACE(ip, '.', '-'), '.isp.net'), domain = 'isp.net', ipcountry = 'US'"
            ));
        }
        self.run(&["logfix-session", "2025-07"]).ok();
        self.summarize();
    }

    fn summarize(&self) {
        self.run(&["summarize-month", "2025-07"]).ok();
    }

    /// Compresses some of the archived logs, as administrators do.
    fn pack(&self) {
        let pack = |name: &str, ending: &str, packed: &dyn Fn(&[u8]) -> Vec<u8>| {
            let path = self.root().join(name);
            let bytes = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            self.put(&format!("{name}{ending}"), &packed(&bytes));
        };
        pack("var/log/httpd/imported/h-access.log-20250701", ".gz", &|bytes| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        });
        pack("var/log/hubzero/imported/cmsauth.log-20250702", ".zst", &|bytes| zstd::encode_all(bytes, 3).unwrap());
    }

    fn gone(&self) {
        self.pair.sql(
            "DELETE FROM {hub}.jos_users WHERE id = 4711;\nDELETE FROM {hub}.jos_xprofiles WHERE uidNumber = 4711",
        );
    }

    fn root(&self) -> PathBuf {
        self.pair.home().join("root")
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn command(&self, args: &[&str]) -> Run {
        let run = self.pair.run(HZMETRICS).env("HZMETRICS_ROOT", self.root());
        run.env("HZMETRICS_NOW", "2025-08-02T10:00").args(args)
    }

    fn run(&self, args: &[&str]) -> Finished {
        self.command(args).finish()
    }

    /// Every row of every table, and every file, that names the person.
    fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        let says = |text: &str| {
            let text = text.to_lowercase();
            TELLING.iter().chain(&NUMBER).any(|telling| text.contains(telling))
        };
        for database in [&self.pair.metrics, &self.pair.hub] {
            let tables = format!(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}' AND table_type = 'BASE TABLE'"
            );
            for table in self.pair.lines(&tables) {
                // these belong to the CMS and the middleware
                if *database == self.pair.hub && ["sessionlog", "joblog"].contains(&table.as_str()) {
                    continue;
                }
                let rows = self.pair.lines(&format!("SELECT * FROM {database}.{table}"));
                found.extend(
                    rows.into_iter().filter(|row| says(&format!("{row}\t"))).map(|row| format!("{table}: {row}")),
                );
            }
        }
        for (path, text) in self.files() {
            found.extend(text.lines().filter(|line| says(line)).map(|line| format!("{path}: {line}")));
        }
        found
    }

    /// All files below the root, decompressed.
    fn files(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.root(), self.pair.home().join("state")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let mut bytes = Vec::new();
                    let file = fs::File::open(&path).unwrap();
                    kit::open_reader(file).unwrap().read_to_end(&mut bytes).unwrap();
                    let _ = all.insert(path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned());
                }
            }
        }
        all
    }

    /// The published numbers.
    fn cells(&self) -> String {
        let mut all = String::new();
        for table in ["summary_user_vals", "summary_simusage_vals", "summary_misc_vals", "webhits"] {
            let rows = self.pair.lines(&format!("SELECT * FROM {table}"));
            let mut rows: Vec<_> = rows.into_iter().collect();
            rows.sort();
            let _ = writeln!(all, "{table}\n{}", rows.join("\n"));
        }
        all
    }

    fn n_rows(&self, table: &str) -> u64 {
        self.pair.value(&format!("SELECT COUNT(*) FROM {table}")).unwrap().parse().unwrap()
    }
}

/// Requests of a day: of the person, of others, and of others for the person's pages.
fn access(day: u32) -> String {
    let mut text = String::new();
    let mut line = |minute: u32, url: &str, ip: &str, referrer: &str, uid: &str| {
        let user = if uid == "4711" { "jdoe" } else { "-" };
        let _ = writeln!(
            text,
            "2025-07-0{day} 09:{minute:02}:00 EST 100 {user} \"GET {url} HTTP/1.1\" 200 1000 {ip} \"{referrer}\" \"Mozilla/5.0\" TLSv1.2 0 0 {uid} S{minute} C A com_x view task act item"
        );
    };
    line(0, "/resources/1", "192.0.2.1", "-", "1001");
    line(1, "/resources/1", "198.51.100.7", "-", "4711");
    line(2, "/members/4711/profile", "198.51.100.7", "https://h/members/4711", "4711");
    line(3, "/members/4711", "192.0.2.3", "-", "0");
    line(4, "/~jdoe/", "192.0.2.3", "https://h/x?return=%2Fmembers%2F4711", "0");
    line(5, "/resources/2?mail=jane.d%40example.org", "198.51.100.8", "-", "4711");
    line(6, "/resources/4711", "192.0.2.9", "-", "1001");
    line(7, "/resources/3", "192.0.2.9", "-", "4711");
    text
}

fn auth(day: u32) -> String {
    format!(
        "2025-07-0{day} 08:00:01 1001 [ann] 192.0.2.1 login\n2025-07-0{day} 08:00:02 4711 [jdoe] 198.51.100.7 login\n\
         2025-07-0{day} 08:00:03 4711 [JDoe] 192.0.2.9 simulation\n2025-07-0{day} 08:00:04 1001 [ann] 192.0.2.9 login\n\
         2025-07-0{day} 08:00:05 jdoe 198.51.100.8 login\n"
    )
}

#[test]
fn nothing_names_a_person_who_was_forgotten_and_published_numbers_stay() {
    for (engine, mode) in MODES {
        for how in ["pseudonym", "delete"] {
            let Some(hub) = Hub::new(engine, mode) else { return };
            let (cells, before) = (hub.cells(), hub.found());
            assert!(before.len() > 40, "{before:?}");
            let refused = hub.run(&["forget-user", "jdoe", "--how", how]).expect_code(1);
            assert!(refused.stderr.contains("the hub still has this user"), "{}", refused.stderr);
            hub.gone();
            let note = hub.run(&["audit"]).ok();
            let words = "1 user is in our tables and not in the hub any more: jdoe (";
            assert!(note.stderr.contains(words) || note.text().contains(words), "{}{}", note.stderr, note.text());
            let dry = hub.run(&["forget-user", "jdoe", "--how", how, "--dry-run"]).ok();
            assert!(dry.stderr.contains("2 addresses used by nobody else"), "{}", dry.stderr);
            let rows = (hub.n_rows("web"), hub.n_rows("userlogin"));
            let done = hub.run(&["forget-user", "jdoe", "--how", how]).ok();
            assert_eq!(hub.found(), [""; 0], "{engine:?} {how}\n{}", done.stderr);
            assert_eq!(hub.cells(), cells);
            let gone = if how == "delete" { (12, 6) } else { (0, 0) };
            assert_eq!((hub.n_rows("web"), hub.n_rows("userlogin")), (rows.0 - gone.0, rows.1 - gone.1));
            // the ledger still fits
            let audit = hub.run(&["audit"]).ok();
            assert!(!audit.stderr.contains("not in the hub any more"), "{}", audit.stderr);
            let tables = hub.pair.lines("SELECT * FROM web ORDER BY id");
            // the same data again: nobody comes back
            for (log, folder) in [("h-access.log-20250701.gz", "httpd"), ("cmsauth.log-20250703", "hubzero")] {
                let from = hub.root().join(format!("var/log/{folder}/imported/{log}"));
                hub.put(&format!("var/log/{folder}/daily/{log}"), &fs::read(from).unwrap());
            }
            hub.run(&["import", "--month", "2025-07", "--force"]).ok();
            for command in ["import-hub-data", "middleware-wall", "middleware-cpu"] {
                hub.run(&[command]).ok();
            }
            assert_eq!(hub.pair.lines("SELECT * FROM web ORDER BY id"), tables, "{how}: it was imported a second time");
            assert_eq!(hub.found(), [""; 0], "{engine:?} {how}");
            // the original logs, as from a backup, under other names
            hub.put("var/log/httpd/daily/h-access.log-20250711", access(1).as_bytes());
            hub.put("var/log/hubzero/daily/cmsauth.log-20250712", auth(1).as_bytes());
            hub.run(&["import", "--month", "2025-07", "--force"]).ok();
            let rows: Vec<_> = hub.found().into_iter().filter(|row| !row.contains(".log-")).collect();
            assert_eq!(rows, [""; 0], "{engine:?} {how}");
            assert!(hub.n_rows("web") > tables.len() as u64);
            assert_eq!(hub.n_rows("userlogin WHERE user LIKE 'forgotten%'") > 0, how == "pseudonym");
            // the tables do not know any more what belongs to the name
            for who in ["jdoe", "4711"] {
                hub.run(&["forget-user", who, "--how", how]).ok();
            }
            assert_eq!(hub.found(), [""; 0], "{engine:?} {how}");
        }
    }
}

#[test]
fn a_month_that_is_computed_again_with_pseudonyms_gives_the_same_numbers() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    hub.gone();
    hub.run(&["import-hub-data"]).ok();
    hub.summarize();
    let cells = hub.cells();
    hub.run(&["forget-user", "4711", "--email", "jane.d@example.org"]).ok();
    assert_eq!(hub.found(), [""; 0]);
    hub.run(&["logfix-session", "2025-07"]).ok();
    hub.summarize();
    assert_eq!(hub.cells(), cells);
    let warned = hub.run(&["rebuild-from", "2025-06", "--dry-run"]).ok();
    assert!(!warned.stderr.contains("forgotten"), "{}", warned.stderr);
}

#[test]
fn a_mistyped_name_is_not_a_success() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    hub.gone();
    for words in [&["forget-user", "jdeo", "--dry-run"][..], &["forget-user", "jdeo"], &["forget-user", "99999"]] {
        let done = hub.run(words).expect_code(1);
        assert!(done.stderr.contains("nothing in the tables, logs and files is of this person"), "{}", done.stderr);
    }
    // the list has it now, so this is a repetition
    hub.run(&["forget-user", "jdeo"]).ok();
    hub.run(&["forget-user", "jdoe"]).ok();
    hub.run(&["forget-user", "jdoe"]).ok();
}

#[test]
fn what_a_rebuild_would_change_is_said() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    hub.gone();
    let done = hub.run(&["forget-user", "jdoe", "--how", "delete"]).ok();
    assert!(done.stderr.contains("it counts fewer: 2025-07"), "{}", done.stderr);
    let warned = hub.run(&["rebuild-from", "2025-06", "--dry-run"]).ok();
    assert!(warned.stderr.contains("rows of forgotten people were deleted in 2025-07"), "{}", warned.stderr);
}

#[test]
fn without_the_list_nobody_imports() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    hub.gone();
    hub.run(&["forget-user", "jdoe"]).ok();
    let list = hub.root().join("var/log/hubzero/metrics/_forgotten.json");
    assert_eq!(fs::metadata(&list).unwrap().permissions().mode() & 0o777, 0o600);
    fs::rename(&list, hub.pair.home().join("elsewhere")).unwrap();
    hub.put("var/log/hubzero/daily/cmsauth.log-20250712", auth(1).as_bytes());
    let refused = hub.run(&["import", "--month", "2025-07", "--force"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("does not know all of them"), "{}", refused.stderr);
    assert_eq!(hub.found().iter().filter(|row| row.starts_with("userlogin")).count(), 0);
    fs::rename(hub.pair.home().join("elsewhere"), list).unwrap();
    hub.run(&["import", "--month", "2025-07", "--force"]).ok();
}

#[test]
fn a_run_killed_at_random_is_finished_by_the_next_call() {
    let mut kills: Option<Kills> = None;
    for n in 0.. {
        let how = if n % 2 == 0 { "pseudonym" } else { "delete" };
        let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
        hub.gone();
        let cells = hub.cells();
        let args = ["forget-user", "jdoe", "--how", how];
        let kills = kills.get_or_insert_with(|| {
            let other = Hub::new(Engine::InnoDb, SqlMode::Strict).expect("there was a server");
            other.gone();
            let begun = Instant::now();
            other.run(&args).ok();
            Kills::new("forget-user", 4, begun.elapsed())
        });
        let Some(moment) = kills.next_moment() else { return };
        if !kills.kill(hub.command(&args), moment) {
            continue;
        }
        let journal = hub.root().join("var/log/hubzero/metrics/_forget-user.json");
        let is_begun = journal.exists();
        let status = hub.run(&["status"]).ok();
        assert_eq!(status.text().contains("unfinished"), is_begun, "{}", status.text());
        let mut last = hub.run(&["forget-user", if is_begun { "--resume" } else { "jdoe" }, "--how", how]);
        if last.code == 75 {
            // the server has not noticed yet that the killed run is gone
            std::thread::sleep(std::time::Duration::from_secs(3));
            last = hub.run(&["forget-user", if is_begun { "--resume" } else { "jdoe" }, "--how", how]);
        }
        last.ok();
        assert_eq!(hub.found(), [""; 0], "{how}");
        assert_eq!(hub.cells(), cells);
        assert!(!journal.exists());
        let left = hub.files().into_keys().filter(|path| path.ends_with(".forgetting")).count();
        assert_eq!(left, 0);
        hub.run(&["audit"]).ok();
        let web = hub.pair.lines("SELECT * FROM web ORDER BY id");
        for log in ["h-access.log-20250701.gz", "h-access.log-20250702"] {
            let from = hub.root().join("var/log/httpd/imported").join(log);
            hub.put(&format!("var/log/httpd/daily/{log}"), &fs::read(from).unwrap());
        }
        hub.run(&["import", "--month", "2025-07", "--force"]).ok();
        assert_eq!(hub.pair.lines("SELECT * FROM web ORDER BY id"), web, "{how}: it was imported a second time");
    }
}
