//! `hzmetrics rehearse` on a small hub whose tables our own seven lines filled.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fixtures::Finished;
use fixtures::db::{Pair, SqlMode, pair};
use fixtures::hub::Plan;
use fixtures::name_server::NameServer;
use schema::tables::Engine;
use serde_json::Value;

use crate::hub_life::world::{insert, names, table};

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

pub(crate) const MONTHS: &str = "2025-03 2025-04";

/// A hub with two months that were made in one run each.
pub(crate) struct Hub {
    pub(crate) pair: Pair,
    root: tempfile::TempDir,
    names: NameServer,
    /// Whose numbers it has.
    pub(crate) compat: &'static str,
}

impl Hub {
    fn new(engine: Engine) -> Option<Self> {
        let hub = Self::empty(engine, 2)?;
        hub.make_months();
        Some(hub)
    }

    /// The lines of the crontab, once for each month.
    pub(crate) fn make_months(&self) {
        for line in ["fetch-logs --stage", "import-logs --db", "archive --db"] {
            self.stage(line, None);
        }
        for month in MONTHS.split(' ') {
            for line in ["tool-metrics --geo-url none --db", "usage-metrics --geo-url none --db", "summarize --db"] {
                self.stage(&format!("{line} {month}"), None);
            }
        }
    }

    /// Its logs were not imported yet.
    pub(crate) fn empty(engine: Engine, n_months: u32) -> Option<Self> {
        Self::of_seed(engine, n_months, 3, 9)
    }

    /// The same of other made-up logs.
    pub(crate) fn of_seed(engine: Engine, n_months: u32, seed: u64, visits_a_day: u32) -> Option<Self> {
        let pair = pair(engine, SqlMode::Strict)?;
        let (made, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = "2025-03".parse().unwrap();
        let plan = Plan { seed, first, n_months, visits_a_day, n_members: 30, odd: 5, gzip: false, old_layout: false };
        plan.make(made.path(), || {}).unwrap();
        for line in fs::read_to_string(made.path().join("hub.ndjson")).unwrap().lines() {
            let mut record: Value = serde_json::from_str(line).unwrap();
            let kind = record.as_object_mut().unwrap().remove("kind").unwrap();
            if let Some(table) = table(kind.as_str().unwrap()) {
                insert(&pair, table, &[record]);
            }
        }
        pair.sql("INSERT INTO exclude_list (filter, type) VALUES ('gatech.edu', 'domain'), ('%.ibm.com', 'host')");
        for folder in ["etc/httpd", "var/log/httpd/imported", "var/log/hubzero/imported", "var/log/hubzero/metrics"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("etc/hubzero.conf"), "site = hub\n").unwrap();
        for of in ["httpd", "hubzero"] {
            fixtures::copy(&made.path().join(of), &root.path().join("var/log").join(of));
        }
        Some(Self { pair, root, names: NameServer::start(names(made.path())), compat: "" })
    }

    pub(crate) fn run(&self, exe: PathBuf) -> fixtures::Run {
        let run = self.pair.run(exe).env("HZMETRICS_ROOT", self.root.path()).env("HZMETRICS_HOME", "");
        run.env("HZMETRICS_LOG", "")
            .env("HZMETRICS_COMPAT", self.compat)
            .env("HZMETRICS_DNS_NAMESERVER", self.names.address())
    }

    /// Writes `hzmetrics.conf`: a name for the environment, where there is an access.cfg besides.
    pub(crate) fn config(&self, text: &str) -> PathBuf {
        let path = self.pair.home().join("hzmetrics.conf");
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn stage(&self, line: &str, now: Option<&str>) {
        let mut words = line.split(' ');
        let exe = PathBuf::from(HZMETRICS).with_file_name(words.next().unwrap());
        self.run(exe).env("HZMETRICS_NOW", now.unwrap_or_default()).args(words).finish().ok();
    }

    /// The crontab, night by night: the log of a day arrives in the night after it.
    fn nights(&self) {
        let logs = |of: &str| self.root.path().join("var/log").join(of);
        let aside = self.root.path().join("later");
        for of in ["httpd", "hubzero"] {
            fixtures::copy(&logs(of).join("daily"), &aside.join(of));
            fs::remove_dir_all(logs(of).join("daily")).unwrap();
            fs::create_dir(logs(of).join("daily")).unwrap();
        }
        for day in 1..=31_u32 {
            for (of, name) in [("httpd", "hub-access.log"), ("hubzero", "cmsauth.log")] {
                let name = format!("{name}-202503{day:02}");
                let to = logs(of).join("daily").join(&name);
                let _ = fs::copy(aside.join(of).join(&name), &to).unwrap();
                let written = fs::File::options().append(true).open(&to).unwrap();
                // the last line came a minute before midnight of that day
                let seconds = 1_740_787_200 + u64::from(day) * 86_400 - 60;
                written.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            }
            let now = if day == 31 { "2025-04-01T01:00".to_owned() } else { format!("2025-03-{:02}T01:00", day + 1) };
            let lines = ["fetch-logs --stage", "import-logs --db", "archive --db", "tool-metrics --geo-url none --db"];
            let lines = lines.into_iter().chain(["usage-metrics --geo-url none --db"]);
            for line in lines.chain((day == 31).then_some("summarize --db")) {
                self.stage(line, Some(&now));
            }
            let imported = format!(
                "UPDATE imported_sources SET imported_at = '{}' WHERE filename LIKE '%-202503{day:02}'",
                now.replace('T', " ")
            );
            self.pair.sql(&imported);
        }
    }

    fn admin(&self) -> PathBuf {
        let path = self.pair.home().join("admin.cnf");
        fs::write(&path, format!("[client]\nuser=root\nsocket={}\n", self.pair.socket().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// With a folder of its own for temporary files.
    fn rehearsal(&self) -> fixtures::Run {
        fs::create_dir_all(self.temporary()).unwrap();
        let run = self.run(HZMETRICS.into()).env("TMPDIR", self.temporary());
        run.arg("rehearse").arg("--admin-defaults").arg(self.admin())
    }

    fn temporary(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    /// What is in it.
    fn folders(&self) -> Vec<String> {
        let within = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        // what was killed between making a folder and marking it leaves it empty, for a day
        let shown = |path: PathBuf| format!("{}: {:?}", path.display(), within(&path));
        within(&self.temporary()).into_iter().filter(|path| !within(path).is_empty()).map(shown).collect()
    }

    pub(crate) fn rehearse(&self, more: &str) -> Finished {
        self.rehearsal().args(more.split_whitespace()).finish()
    }

    /// A rehearsal that was killed after it had made its account.
    fn rehearse_killed_while_it_works(&self) -> String {
        let mut last = String::new();
        for n in 1..60 {
            let done = self.rehearsal().args(MONTHS.split(' ')).killed_after(Duration::from_millis(40 * n));
            let has_account = self.left().iter().any(|name| name.starts_with("hz_rehearse_"));
            if has_account && !self.folders().is_empty() {
                return done.stderr;
            }
            last = done.stderr;
        }
        last
    }

    /// The checksum of every table of both databases.
    pub(crate) fn sums(&self) -> Vec<String> {
        let tables = self.pair.lines(&format!(
            "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE \
             table_type = 'BASE TABLE' AND table_schema IN ('{}', '{}') ORDER BY 1",
            self.pair.hub, self.pair.metrics
        ));
        tables.iter().flat_map(|table| self.pair.lines(&format!("CHECKSUM TABLE {table}"))).collect()
    }

    /// The databases beside the real one, and the accounts that have rights on the shadow.
    fn left(&self) -> Vec<String> {
        let metrics = &self.pair.metrics;
        self.pair.lines(&format!(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '{metrics}%' AND schema_name <> \
             '{metrics}' UNION ALL SELECT user FROM mysql.db WHERE REPLACE(db, CHAR(92), '') = '{metrics}_rehearsal' ORDER BY 1"
        ))
    }
}

/// What differs, without the lines that say how much.
pub(crate) fn found(done: &Finished) -> Vec<String> {
    let text = done.text();
    let lines = text.lines().filter(|line| line.starts_with("            ") || line.starts_with("FAIL"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn months_that_were_made_in_one_run_are_the_same_and_nothing_real_is_written() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(hub) = Hub::new(engine) else { return };
        let (before, asked) = (hub.sums(), hub.names.n_asked());
        let done = hub.rehearse(MONTHS);
        assert_eq!((found(&done), done.code), (vec![], 0), "{}{}", done.text(), done.stderr);
        let n_rows =
            |table: &str| hub.pair.value(&format!("SELECT COUNT(*) FROM {table}")).unwrap().parse::<u64>().unwrap();
        for table in ["web", "websessions", "toolstart", "userlogin", "imported_sources", "summary_user_vals"] {
            assert!(n_rows(table) > 10, "{table}");
        }
        for table in ["imported_sources", "web", "sessionlog_metrics", "jos_stats_topvals", "summary_misc_vals"] {
            assert!(done.text().lines().any(|line| line.starts_with(&format!("OK    {table} "))), "{}", done.text());
        }
        assert!(done.text().contains("counted as bots that were removed"), "{}", done.text());
        assert_eq!(hub.sums(), before, "{engine:?}: nothing real was written");
        assert_eq!(hub.names.n_asked(), asked, "nobody is asked");
        assert_eq!(hub.left(), Vec::<String>::new());
        // the names of those addresses are looked up if one wants
        let done = hub.rehearse(&format!("{MONTHS} --nameserver {} --json", hub.names.address())).ok();
        let mut report: Value = serde_json::from_str(&done.text()).unwrap();
        assert_eq!((&report["differs"], &report["removed"]["requests"]), (&false.into(), &0.into()));
        assert!(hub.names.n_asked() > asked);
        assert_eq!(report["compare"]["months"], serde_json::json!(["2025-03", "2025-04"]));
        // that object is described by itself
        report["compare"] = Value::Null;
        crate::monitoring::outputs::compare("rehearse", &[report], &["logs_missing[]"]);
    }
}

#[test]
fn what_was_changed_by_hand_is_named_and_nothing_else() {
    let Some(hub) = Hub::new(Engine::InnoDb) else { return };
    let cell = "rowid = 1 AND colid = 1 AND period = 1 AND datetime = '2025-04-00'";
    let session = "(SELECT MAX(id) FROM websessions WHERE datetime < '2025-04-01')";
    let key =
        hub.pair.lines(&format!("SELECT datetime, ip, duration FROM websessions WHERE id = {session}"))[0].clone();
    let key: Vec<&str> = key.split('\t').collect();
    let value = hub.pair.value(&format!("SELECT value FROM summary_user_vals WHERE {cell}")).unwrap();
    let n_rows =
        hub.pair.value("SELECT row_count FROM imported_sources WHERE filename = 'hub-access.log-20250405'").unwrap();
    hub.pair.sql(&format!(
        "UPDATE summary_user_vals SET value = 4711 WHERE {cell};\n\
         UPDATE websessions SET duration = duration + 1 WHERE datetime = '{}' AND ip = '{}';\n\
         UPDATE imported_sources SET row_count = 99999 WHERE filename = 'hub-access.log-20250405' AND target_table = 'web'",
        key[0], key[1]
    ));
    let done = hub.rehearse(MONTHS).expect_code(1);
    let expected = [
        "FAIL imported_sources".to_owned(),
        format!("filename hub-access.log-20250405, target_table web: row_count 99999, there {n_rows}"),
        "FAIL summary_user_vals".to_owned(),
        format!("datetime 2025-04-00 00:00:00, period 1, rowid 1, colid 1: value 4711, there {value}"),
        "FAIL websessions".to_owned(),
        format!(
            "datetime {}, ip {}: duration {}, there {}",
            key[0],
            key[1],
            key[2].parse::<i64>().unwrap() + 1,
            key[2]
        ),
    ];
    let found = found(&done);
    assert_eq!(found.len(), expected.len(), "{}", done.text());
    for (line, expected) in found.iter().zip(&expected) {
        assert!(line.starts_with(expected.as_str()), "{line}\n{expected}");
    }
}

#[test]
fn the_account_of_the_shadow_may_only_read_what_is_real() {
    let Some(hub) = Hub::new(Engine::InnoDb) else { return };
    // ends after the databases were made
    let log = hub.root.path().join("var/log/httpd/imported/hub-access.log-20250310.gz");
    fs::write(&log, b"\x1f\x8bdamaged").unwrap();
    let done = hub.rehearse(&format!("{MONTHS} --keep")).expect_code(1);
    assert!(done.stderr.contains("hub-access.log-20250310.gz: the gzip data is cut short"), "{}", done.stderr);
    let shadow = format!("{}_rehearsal", hub.pair.metrics);
    assert_eq!(hub.left(), [shadow.clone(), format!("{shadow}_hub")], "kept, without the account");
    // a rehearsal that is killed leaves its account; the rights are those of the moment
    let child = hub.rehearse_killed_while_it_works();
    let user =
        hub.left().into_iter().find(|name| name.starts_with("hz_rehearse_")).unwrap_or_else(|| panic!("{child}"));
    let host = hub.pair.value(&format!("SELECT host FROM mysql.user WHERE user = '{user}'")).unwrap();
    let mut grants = hub.pair.lines(&format!("SHOW GRANTS FOR `{user}`@`{host}`"));
    grants.retain(|grant| !grant.starts_with("GRANT USAGE"));
    grants.sort();
    let escaped = |name: &str| name.replace('_', "\\_");
    let to = format!("TO `{user}`@`{host}`");
    let mut expected = [
        format!("GRANT ALL PRIVILEGES ON `{}`.* {to}", escaped(&shadow)),
        format!("GRANT ALL PRIVILEGES ON `{}`.* {to}", escaped(&format!("{shadow}_hub"))),
        format!("GRANT SELECT ON `{}`.* {to}", escaped(&hub.pair.hub)),
        format!("GRANT SELECT ON `{}`.* {to}", escaped(&hub.pair.metrics)),
    ];
    expected.sort();
    assert_eq!(grants.iter().map(|line| line.replace("\\\\", "\\")).collect::<Vec<_>>(), expected);
    assert_ne!(hub.folders(), [""; 0], "a folder with copies of logs is left");
    // the next one removes it, with what it made
    let done = hub.rehearse(MONTHS).expect_code(1);
    assert_eq!(hub.left(), Vec::<String>::new());
    assert_eq!(hub.folders(), [""; 0], "{}", done.stderr);
}

#[test]
fn databases_of_others_stay_and_wrong_months_are_refused() {
    let Some(hub) = Hub::new(Engine::InnoDb) else { return };
    let other = format!("{}_other", hub.pair.metrics);
    hub.pair.sql(&format!("CREATE DATABASE `{other}`;\nCREATE TABLE `{other}`.t (n int)"));
    let done = hub.rehearse(&format!("{MONTHS} --shadow {other}")).expect_code(2);
    assert!(done.stderr.contains("holds tables of others"), "{}", done.stderr);
    assert_eq!(hub.left(), std::slice::from_ref(&other));
    hub.pair.sql(&format!("DROP DATABASE `{other}`"));
    for (more, words) in [
        ("2025-03 2025-05", "do not follow one another"),
        ("2999-01", "is not over"),
        (&*format!("2025-03 --shadow {}", hub.pair.metrics), "is a database of the hub"),
    ] {
        let done = hub.rehearse(more).expect_code(2);
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
    let done = hub.rehearse("2024-03").expect_code(1);
    assert!(done.stderr.contains("there is no access log of 2024-03"), "{}", done.stderr);
    assert_eq!(hub.left(), Vec::<String>::new());
}

#[test]
fn nights_are_replayed_by_their_dates_of_import() {
    let Some(hub) = Hub::empty(Engine::InnoDb, 1) else { return };
    hub.nights();
    // session by session the numbers depend on when they were built
    let done = hub.rehearse("2025-03").expect_code(1);
    assert!(done.text().contains("FAIL  websessions"), "{}", done.text());
    let done = hub.rehearse("2025-03 --by-night");
    assert_eq!((found(&done), done.code), (vec![], 0), "{}{}", done.text(), done.stderr);
    // without a ledger the dates of the archived logs say the same
    hub.pair.sql("DELETE FROM imported_sources;\nDELETE FROM import_files");
    let done = hub.rehearse("2025-03 --by-night");
    assert_eq!((found(&done), done.code), (vec![], 0), "{}{}", done.text(), done.stderr);
    assert!(done.text().contains("no entries of imports"), "{}", done.text());
}
