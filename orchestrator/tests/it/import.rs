//! `hzmetrics import` and `import-apache`: which logs, in which order, and where they are moved. A
//! fake stage records its arguments.

use std::fs;

use crate::support::Place;

struct Hub(Place);

impl Hub {
    fn new(logs: &[&str]) -> Self {
        let hub = Self(Place::new(&["import-logs"]));
        hub.0.write("root/etc/hubzero.conf", "site = h\n");
        for log in logs {
            hub.0.write(&format!("root/var/log/{log}"), "a line\nanother\n");
        }
        hub
    }

    fn run(&self, line: &str) -> fixtures::Finished {
        self.0.run(line.split(' ')).env("FAKE_LIST", self.0.path("list")).finish()
    }

    /// The base names of what was imported, in order.
    fn imported(&self) -> Vec<String> {
        let list = fs::read_to_string(self.0.path("list")).unwrap_or_default();
        list.lines()
            .map(|line| {
                let (head, path) = line.split_once(" -- ").unwrap();
                let stream = if path.contains("cmsauth") { "auth" } else { "access" };
                assert_eq!(head, format!("--quiet --to db --raw {stream}"), "{line}");
                path.rsplit('/').next().unwrap().to_owned()
            })
            .collect()
    }

    fn has(&self, log: &str) -> bool {
        self.0.path(&format!("root/var/log/{log}")).exists()
    }
}

const LOGS: &[&str] = &[
    "httpd/daily/h-access.log-20250702",
    "httpd/daily/2024/h-access.log-20250701.gz",
    "httpd/daily/h-access.log-20250801",
    "httpd/daily.holding/h-access.log-20250702.gz",
    "httpd/daily/new-h-access.log-20250630",
    "httpd/daily/h-access.log",
    "hubzero/daily/cmsauth.log-20250701",
    "hubzero/daily/cmsauth.log-20250703",
];

#[test]
fn the_oldest_month_comes_first_and_each_day_access_before_auth() {
    let hub = Hub::new(LOGS);
    let done = hub.run("import --next").ok();
    assert_eq!(
        hub.imported(),
        ["h-access.log-20250701.gz", "cmsauth.log-20250701", "h-access.log-20250702", "cmsauth.log-20250703"]
    );
    assert!(done.stderr.contains("duplicate access log for 20250702: keeping"), "{}", done.stderr);
    assert!(!done.stderr.contains("importing 3 day(s)"), "silent when all went well: {}", done.stderr);
    for log in [
        "httpd/imported/h-access.log-20250701.gz",
        "httpd/imported/h-access.log-20250702",
        "hubzero/imported/cmsauth.log-20250703",
        "httpd/daily.holding/h-access.log-20250702.gz",
        "httpd/daily/h-access.log-20250801",
    ] {
        assert!(hub.has(log), "{log}");
    }
    assert!(!hub.has("httpd/daily/h-access.log-20250702"));
    let log = fs::read_to_string(hub.0.path("root/var/log/hubzero/metrics/hzmetrics.log")).unwrap();
    for words in [
        "[import] start",
        "importing 3 day(s) for 2025-07",
        "=== import-day 20250701 ===",
        "h-access.log-20250702: 2 rows, 7 lines not understood",
        "=== import-day 20250703 done in ",
        ">>> done",
        "[import] done in ",
    ] {
        assert!(log.contains(words), "{words}\n{log}");
    }
    // the log left out before is pending now, with the same day as the newest imported one
    hub.run("import --next").ok();
    assert_eq!(hub.imported()[4..], ["h-access.log-20250702.gz"]);
    hub.run("import --next").ok();
    assert_eq!(hub.imported()[5..], ["h-access.log-20250801"]);
    hub.run("import --next").ok();
    assert_eq!(hub.imported().len(), 6);
}

#[test]
fn logs_are_imported_in_order_unless_forced() {
    let hub = Hub::new(&["httpd/daily/h-access.log-20250702", "httpd/daily/h-access.log-20250801"]);
    let late = hub.run("import --month 2025-08").expect_code(1);
    assert!(late.stderr.contains("20250702") && late.stderr.contains("--force"), "{}", late.stderr);
    hub.run("import --day 2025-08-01").expect_code(1);
    assert_eq!(hub.imported().len(), 0);
    hub.run("import --month 2025-08 --force").ok();
    let early = hub.run("import --day 2025-07-02").expect_code(1);
    assert!(early.stderr.contains("20250801") && early.stderr.contains("--force"), "{}", early.stderr);
    hub.run("import --day 2025-07-02 --force").ok();
    assert_eq!(hub.imported(), ["h-access.log-20250801", "h-access.log-20250702"]);
    hub.run("import --month 2025-07").ok();
    hub.run("import --day 2025-08-01").ok();
    hub.run("import").expect_code(2);
    hub.run("--compat port import").expect_code(1);
    hub.run("import --day 2025-8-1").expect_code(2);
}

#[test]
fn a_dry_run_says_what_would_be_imported() {
    let hub = Hub::new(&LOGS[..4]);
    let shown = hub.run("import --next --dry-run").ok();
    assert!(
        shown.stdout.is_empty() && shown.stderr.contains("hzmetrics: [dry-run] would import 2 day(s)"),
        "{}",
        shown.stderr
    );
    let log = fs::read_to_string(hub.0.path("root/var/log/hubzero/metrics/hzmetrics.log")).unwrap();
    assert!(log.contains("[dry-run] would import 2 day(s) for 2025-07"), "{log}");
    assert!(log.contains("[dry-run] WARNING: no auth log found for 20250702"), "{log}");
    assert_eq!(hub.imported().len(), 0);
    assert!(hub.has(LOGS[0]) && !hub.0.path("root/var/run/hzmetrics/hzmetrics.pid").exists());
    hub.run("import-apache nowhere --dry-run").ok();
}

#[test]
fn a_log_that_fails_ends_the_run() {
    let hub = Hub::new(&LOGS[..4]);
    let run = hub.0.run(["import", "--next"]).env("FAKE_LIST", hub.0.path("list")).env("FAKE_FAILS_ON", "20250702");
    let failed = run.finish().expect_code(1);
    assert!(
        failed.stderr.contains("importing ") && failed.stderr.contains("h-access.log-20250702"),
        "{}",
        failed.stderr
    );
    assert_eq!(hub.imported(), ["h-access.log-20250701.gz"]);
    assert!(hub.has("httpd/daily/h-access.log-20250702") && !hub.has("httpd/imported/h-access.log-20250702"));
}

#[test]
fn a_log_that_was_loaded_before_is_only_moved() {
    let hub = Hub::new(&LOGS[..1]);
    let run = hub.0.run(["import", "--next"]).env("FAKE_LIST", hub.0.path("list"));
    run.env("FAKE_LOADED_BEFORE", "20250702").finish().ok();
    assert!(hub.has("httpd/imported/h-access.log-20250702") && !hub.has(LOGS[0]));
    let log = fs::read_to_string(hub.0.path("root/var/log/hubzero/metrics/hzmetrics.log")).unwrap();
    assert!(log.contains("h-access.log-20250702: already committed by prior run"), "{log}");
    assert!(!log.contains(" rows"), "{log}");
}

#[test]
fn a_single_access_log_can_be_imported() {
    let hub = Hub::new(&["elsewhere/some.log"]);
    let path = hub.0.path("root/var/log/elsewhere/some.log");
    hub.0.run(["import-apache", path.to_str().unwrap()]).env("FAKE_LIST", hub.0.path("list")).finish().ok();
    assert_eq!(hub.imported(), ["some.log"]);
    assert!(hub.has("httpd/imported/some.log") && !path.exists());
    let missing = hub.run("import-apache nowhere").expect_code(1);
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
    // a dash is the name of a file
    hub.run("import-apache -").expect_code(1);
    fs::write(hub.0.path("-"), "x\n").unwrap();
    hub.run("import-apache -").ok();
    assert!(hub.has("httpd/imported/-"));
}

#[test]
fn compat_is_passed_to_the_stage() {
    let hub = Hub::new(&["httpd/daily/h-access.log-20250702", "httpd/daily/h-access.log-20250703"]);
    hub.0.write("x.conf", "[compat]\noptions = lp_robots,hits-start=exclusive\n");
    let run = |day: &str, words: &[&str]| {
        let line = words.iter().copied().chain(["import", "--day", day]);
        hub.0.run(line).env("FAKE_LIST", hub.0.path("list")).finish().ok();
        hub.0.read("compat")
    };
    assert_eq!(run("2025-07-02", &["-c", "x.conf"]), "default,lp_robots,hits-start=exclusive");
    assert_eq!(run("2025-07-03", &["-c", "x.conf", "--compat", "port"]), "port");
}
