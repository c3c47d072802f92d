//! The outputs for machines: JSON as the page describes it, metrics as Prometheus reads them, the
//! dashboard, statsd, messages. And what none of them may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{CRON, TODAY, Watched};

fn repository(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// Objects whose keys are names of programs, and those whose keys nobody lists.
fn path_of(path: &str, key: &str) -> String {
    match path {
        "programs" => "programs.*".to_owned(),
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let leaves = ["counts", "steps", "dropped", "key", "here", "there"];
    let is_leaf = !path.starts_with("addresses.") && leaves.iter().any(|name| path.ends_with(&format!(".{name}")));
    match value {
        Value::Object(fields) if !is_leaf => {
            fields.iter().for_each(|(key, value)| paths(value, &path_of(path, key), found));
        }
        Value::Array(items) => {
            found.extend(items.is_empty().then(|| format!("{path}[]")));
            items.iter().for_each(|item| paths(item, &format!("{path}[]"), found));
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

/// The fields under each heading of the page.
fn described() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut heading = String::new();
    for line in repository("docs/json.md").lines() {
        if let Some(name) = line.strip_prefix("## ") {
            name.clone_into(&mut heading);
        } else if line.starts_with("| `") {
            let cell = line.split('|').nth(1).unwrap();
            let fields = cell.split('`').skip(1).step_by(2).map(str::to_owned);
            found.entry(heading.clone()).or_default().extend(fields);
        }
    }
    let of_check = found["check"].clone();
    found.get_mut("status").unwrap().extend(of_check);
    found
}

/// Compares outputs with the page; what is not in the outputs of a test has to be named.
#[track_caller]
pub(crate) fn compare(heading: &str, outputs: &[Value], absent: &[&str]) {
    let mut seen = BTreeSet::new();
    outputs.iter().for_each(|output| paths(output, "", &mut seen));
    let page = &described()[heading];
    // an empty list or an unknown part shows nothing of its items
    let is_known = |path: &String| page.contains(path) || page.iter().any(|known| known.starts_with(path.as_str()));
    let unknown: Vec<_> = seen.iter().filter(|path| !is_known(path)).collect();
    assert!(unknown.is_empty(), "{heading}: not in docs/json.md: {unknown:?}");
    let missing: Vec<_> =
        page.iter().filter(|path| !seen.contains(*path) && !absent.contains(&path.as_str())).collect();
    assert!(missing.is_empty(), "{heading}: in docs/json.md and not in the output: {missing:?}");
}

#[test]
fn json_is_as_the_page_describes_it() {
    let Some(hub) = Watched::new() else { return };
    let json = |line: &str| -> Value { serde_json::from_str(&hub.run(line).text()).unwrap() };
    hub.todays_log(|_, line| line.to_owned());
    hub.write("root/var/log/hubzero/daily/cmsauth.log-20260501", "");
    let plan = json("run --dry-run --json --force");
    assert!(plan["plan"].as_array().unwrap().iter().any(|step| step["action"] == "import"), "{plan}");
    compare("plan", &[plan, json("process --month 2026-05 --dry-run --json --force")], &["plan[].month"]);
    hub.todays_log(|n, _| format!("<{n}> something else"));
    let _ = hub.run("run").expect_code(1);
    hub.run("mark-dirty 2026-04").ok();
    fs::remove_file(hub.path("root/etc/cron.d/hubzero-metrics")).unwrap();
    hub.pair.sql("INSERT INTO summary_user_vals (rowid, colid, datetime, period, value, valfmt) VALUES (1, 1, '2026-03-00', 1, 1, 1)");
    hub.run("unpublish 2026-02").ok();
    hub.pair.sql("DELETE FROM summary_user_vals WHERE datetime = '2026-04-00' AND period = 13");
    compare("check", &[json("check --json"), json("check disk --json")], &[]);
    let status = json("status --json");
    compare("status", &[status], &["lock.pid", "lock.since"]);
    compare("doctor", &[json("doctor --json")], &[]);
    compare("audit", &[json("audit --json --all")], &["findings[].advice"]);
    compare("chains", &[json("chains --json")], &[]);
    // the server shows the same without what concerns the machine
    let server = hub.serve(&[]);
    let public: Value = serde_json::from_str(&server.get("/status.json").1).unwrap();
    let mut seen = BTreeSet::new();
    paths(&public, "", &mut seen);
    for private in
        ["site", "config_file", "nameserver", "checks[].detail", "refused_logs[].path", "refused_logs[].reason"]
    {
        assert!(!seen.contains(private), "{private}");
    }
}

/// Nothing of a visitor, no name of a file, an account or a host, whatever is wrong.
#[test]
fn answers_name_nobody() {
    let Some(hub) = Watched::new() else { return };
    hub.todays_log(
        |n, line| if n == 0 { format!("secret-{n} /var/www/secret?x=1") } else { line.replace("GET", "G\"T") },
    );
    let _ = hub.run("run");
    hub.server.kill();
    let server = hub.serve(&[]);
    let first = hub.lines[0].split(' ').find(|word| word.parse::<std::net::Ipv4Addr>().is_ok()).unwrap();
    let home = hub.pair.home().display().to_string();
    let user = hub.pair.mode.user();
    for path in ["/heartbeat", "/metrics", "/status.json", "/", "/none/secret?x=1", "/report/secret"] {
        let (_, body) = server.get(path);
        for word in [first, "secret", &home, user, TODAY, "127.0.0.1", hub.pair.hub.as_str(), "/var/"] {
            assert!(!body.contains(word), "{path} holds {word}:\n{body}");
        }
    }
    let (code, body) = server.get("/heartbeat");
    assert!(code == 503 && body.contains("CRITICAL database: the metrics database does not answer\n"), "{body}");
    // and it lives on when the database does
    hub.server.restart();
    drop(server);
    assert!(!hub.serve(&[]).get("/heartbeat").1.contains(" database: "));
}

/// The names of the metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let parts = text.split("hzmetrics_").skip(1);
    parts.map(|rest| format!("hzmetrics_{}", rest.split(|c| !is_name(c)).next().unwrap())).collect()
}

#[test]
fn metrics_go_to_the_file_of_the_collector_whole() {
    let Some(hub) = Watched::new() else { return };
    let file = hub.path("collector/hzmetrics.prom");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    hub.settings(&format!("[metrics]\ntextfile = {}\n", file.display()));
    hub.todays_log(|_, line| line.to_owned());
    hub.run("tick").ok();
    let text = fs::read_to_string(&file).unwrap();
    let value = |text: &str, series: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
        line.unwrap_or_else(|| panic!("no {series}\n{text}")).parse().unwrap()
    };
    assert!((value(&text, "hzmetrics_state")).abs() < 1e-9, "{text}");
    let lines = "hzmetrics_lines_total{program=\"import-logs\"}";
    let n_lines = value(&text, lines);
    assert!(n_lines > 40.0 && value(&text, "hzmetrics_pending_logs{stream=\"access\"}").abs() < 1e-9);
    assert!(value(&text, "hzmetrics_dns_lookups_total{program=\"usage-metrics\",result=\"answered\"}") > 0.0, "{text}");
    let april = value(&text, "hzmetrics_last_complete_month_timestamp_seconds");
    assert!((april - 1_775_001_600.0).abs() < 1e-9, "{april}");
    // the next run continues the counters
    hub.forget_today();
    hub.todays_log(|_, line| line.to_owned());
    hub.run("run").ok();
    let next = fs::read_to_string(&file).unwrap();
    assert!(value(&next, lines) > n_lines);
    // the command and the server give out the same families
    let printed = hub.run("metrics").ok().text();
    let families =
        |text: &str| text.lines().filter(|line| line.starts_with("# TYPE ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(families(&next), families(&printed));
    assert_eq!(families(&printed), families(&hub.serve(&[]).get("/metrics").1));
    let mode = fs::metadata(&file).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o644);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    // dashboard and pages use what there is
    let known = names(&printed);
    for page in ["scripts/deploy/grafana-dashboard.json", "docs/monitoring.md"] {
        let unknown: Vec<_> = names(&repository(page)).into_iter().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{page}: {unknown:?}");
    }
    let dashboard: Value = serde_json::from_str(&repository("scripts/deploy/grafana-dashboard.json")).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 10);
    // a folder that is not there is said, and fails nothing
    hub.settings("[metrics]\ntextfile = /nowhere/at/all.prom\n");
    hub.run("run").ok().said(&["the metrics for Prometheus were not written: writing /nowhere/at/all.prom"]);
}

#[test]
fn the_server_shows_the_pages_that_runs_write() {
    let Some(hub) = Watched::new() else { return };
    hub.settings(&format!("[report]\npath = {}\ntitle = A hub\n", hub.path("pages").display()));
    hub.run("run").ok();
    let server = hub.serve(&[]);
    let (code, index) = server.get("/report/");
    assert!(code == 200 && index.contains("A hub") && index.contains("href=\"2026-04.html\""), "{index}");
    let (code, page) = server.get("/report/2026-04.html");
    assert!(code == 200 && page.ends_with("</html>"), "{page}");
    assert_eq!(server.get("/report/2026-03.html").0, 404);
    // an option comes first
    drop(server);
    let other = hub.path("other");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("index.html"), "another").unwrap();
    assert_eq!(hub.serve(&["--report", other.to_str().unwrap()]).get("/report/"), (200, "another".to_owned()));
}

#[test]
fn statsd_gets_what_stages_and_runs_count() {
    let Some(hub) = Watched::new() else { return };
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    hub.settings(&format!("[metrics]\nstatsd = {}\n", server.local_addr().unwrap()));
    hub.todays_log(|_, line| line.to_owned());
    hub.run("run").ok();
    let mut lines = BTreeSet::new();
    let mut packet = [0; 2000];
    while !lines.iter().any(|line: &String| line.starts_with("hzmetrics.hub.state.database:")) {
        let n = server.recv(&mut packet).unwrap();
        lines.extend(String::from_utf8_lossy(&packet[..n]).lines().map(str::to_owned));
    }
    for (head, end) in [
        ("hzmetrics.import-logs.lines:", "|c"),
        ("hzmetrics.import-logs.rows:", "|c"),
        ("hzmetrics.import-logs.time:", "|ms"),
        ("hzmetrics.import-logs.running:+1", "|g"),
        ("hzmetrics.import-logs.running:-1", "|g"),
        ("hzmetrics.run.runs:1", "|c"),
        ("hzmetrics.run.failures:0", "|c"),
        ("hzmetrics.run.ids:", "|s"),
        ("hzmetrics.hub.pending:0", "|g"),
    ] {
        assert!(lines.iter().any(|line| line.starts_with(head) && line.ends_with(end)), "{head}…{end}: {lines:?}");
    }
    assert!(!lines.iter().any(|line| line.starts_with("hzmetrics.hub.running:")), "the hub is not a program that runs");
    // one id for the run and all its stages
    let ids: BTreeSet<_> = lines.iter().filter_map(|line| line.split_once(".ids:")).map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    // a bad address is said once, by the run and not by its stages
    hub.settings("[metrics]\nstatsd = nonsense\n");
    let done = hub.run("run --force").ok();
    assert_eq!(done.stderr.matches("`nonsense` is not HOST:PORT").count(), 1, "{}", done.stderr);
    hub.settings("");
    assert_eq!(hub.run("run").ok().stderr, "");
}

/// A program that receives messages, and fails while there is a file `broken`.
struct Receiver<'w>(&'w Watched);

impl<'w> Receiver<'w> {
    fn new(hub: &'w Watched) -> Self {
        let program = hub.path("tell-me");
        let script =
            "#!/bin/sh\ncd \"${0%/*}\" || exit 9\n[ ! -e broken ] || { echo x >> tried; exit 7; }\ncat >> told\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        hub.settings(&format!("[notify]\ncommand = {}\n", program.display()));
        Self(hub)
    }

    /// The messages that arrived since the last time: event and checks.
    fn events(&self) -> Vec<(String, Vec<String>)> {
        let text = fs::read_to_string(self.0.path("told")).unwrap_or_default();
        let _ = fs::remove_file(self.0.path("told"));
        let event = |line: &str| {
            let object: Value = serde_json::from_str(line).unwrap();
            let names =
                object["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap().to_owned());
            (object["event"].as_str().unwrap().to_owned(), names.collect())
        };
        text.lines().map(event).collect()
    }

    /// One message, and it is about this check.
    #[track_caller]
    fn one(&self, event: &str, check: &str) {
        let events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].0 == event && events[0].1.contains(&check.to_owned()), "{events:?}");
    }

    fn n_tried(&self) -> usize {
        fs::read_to_string(self.0.path("tried")).map_or(0, |text| text.lines().count())
    }
}

#[test]
fn one_message_for_one_trouble_even_without_a_database() {
    let Some(hub) = Watched::new() else { return };
    let receiver = Receiver::new(&hub);
    hub.run("run").ok();
    assert_eq!(receiver.events(), []);
    hub.server.kill();
    let _ = hub.run("run");
    receiver.one("failure", "database");
    let _ = hub.run("run");
    let _ = hub.run("tick");
    assert_eq!(receiver.events(), []);
    hub.server.restart();
    hub.run("run").ok();
    receiver.one("recovery", "database");
}

#[test]
fn a_message_that_was_not_delivered_is_repeated_until_it_is() {
    let Some(hub) = Watched::new() else { return };
    let receiver = Receiver::new(&hub);
    hub.run("run").ok();
    let said = "it ended with exit code 7; the message is repeated after each run until it succeeds";
    fs::write(hub.path("broken"), "").unwrap();
    let line = fs::read_to_string(hub.path(CRON)).unwrap();
    fs::remove_file(hub.path(CRON)).unwrap();
    let first = hub.run("run").ok();
    assert!(first.stderr.contains(said), "{}", first.stderr);
    // one mail of cron is enough
    let again = hub.run("run").ok();
    assert!(!again.stderr.contains("[notify]"), "{}", again.stderr);
    assert_eq!((receiver.n_tried(), receiver.events()), (2, vec![]));
    fs::remove_file(hub.path("broken")).unwrap();
    hub.run("run").ok();
    receiver.one("failure", "schedule");
    hub.run("run").ok();
    assert_eq!(receiver.events(), []);
    // the same for the good news
    fs::write(hub.path("broken"), "").unwrap();
    hub.write(CRON, &line);
    let done = hub.run("run").ok();
    assert!(done.stderr.contains(said), "{}", done.stderr);
    fs::remove_file(hub.path("broken")).unwrap();
    hub.run("run").ok();
    receiver.one("recovery", "schedule");
    hub.run("run").ok();
    assert_eq!(receiver.events(), []);
}

#[test]
fn a_trouble_that_repeats_in_a_run_is_one_line() {
    let Some(hub) = Watched::new() else { return };
    // nobody answers, neither names nor countries
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    hub.write(super::CONF, &format!("[dns]\nnameserver = {gone}\ntimeout = 0.1\n[check]\ndisk = off\n"));
    for (day, word) in [("2026-01-15", "15/Jan/2026"), ("2026-02-15", "15/Feb/2026"), ("2026-03-15", "15/Mar/2026")] {
        let name = format!("hub-access.log-{}", day.replace('-', ""));
        let of_day = |line: &String| line.replace("2026-04-30", day).replace("30/Apr/2026", word) + "\n";
        hub.write(&format!("{}/{name}", super::DAILY), &hub.lines.iter().map(of_day).collect::<String>());
    }
    let done = hub.run("run").ok();
    let n = |text: &str| done.stderr.matches(text).count();
    assert_eq!((n("without a country until the next run"), n("no name server answered")), (1, 1), "{}", done.stderr);
    let sums: Vec<_> = done.stderr.lines().filter(|line| line.ends_with(" steps")).collect();
    // January to April; a dead name server and no geo service
    for source in ["hzmetrics: name server: no answer, ", "hzmetrics: geo service: no answer, "] {
        let sum = sums.iter().find_map(|line| line.strip_prefix(source)).unwrap_or_else(|| panic!("{}", done.stderr));
        let (n, of) = sum.trim_end_matches(" steps").split_once(" of ").unwrap();
        assert!(n == of && n.parse::<usize>().unwrap() >= 3, "{}", done.stderr);
    }
    assert_eq!(sums.len(), 2, "{}", done.stderr);
    // the log has each one
    let log = fs::read_to_string(hub.path("manage.log")).unwrap();
    assert!(log.matches("without a country until the next run").count() >= 3, "{log}");
    // a stage that is started alone says so each time
    for _ in 0..2 {
        let done = hub.stage("usage-metrics", "--db --only countries 2026-03").ok();
        assert_eq!(done.stderr.matches("without a country until the next run").count(), 1, "{}", done.stderr);
    }
}

#[test]
fn the_supervisor_hears_of_the_server() {
    let Some(hub) = Watched::new() else { return };
    let path = hub.path("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let server = hub.serve_for(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "900000")], &[]);
    let mut packet = [0; 200];
    for expected in ["READY=1", "WATCHDOG=1", "WATCHDOG=1"] {
        let n = supervisor.recv(&mut packet).unwrap();
        assert_eq!(String::from_utf8_lossy(&packet[..n]).trim_end(), expected);
    }
    fixtures::run("kill").arg(server.child.id().to_string()).finish().ok();
    loop {
        let n = supervisor.recv(&mut packet).unwrap();
        match String::from_utf8_lossy(&packet[..n]).trim_end() {
            "WATCHDOG=1" => {}
            other => break assert_eq!(other, "STOPPING=1"),
        }
    }
}

#[test]
fn a_sign_of_life_after_each_run() {
    let Some(hub) = Watched::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        let ask = |stream: std::io::Result<std::net::TcpStream>| {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 2000];
            let n = stream.read(&mut bytes).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            String::from_utf8_lossy(&bytes[..n]).lines().next().unwrap_or_default().to_owned()
        };
        listener.incoming().take(3).map(ask).collect::<Vec<_>>()
    });
    hub.settings(&format!("[notify]\nheartbeat_url = http://{address}/ping/key\n"));
    hub.run("run").ok();
    // a tick without the work of a run is none
    drop(hub.now.replace("2026-05-01T10:35".to_owned()));
    hub.run("tick").ok();
    hub.server.kill();
    let _ = hub.run("run").expect_code(1);
    hub.server.restart();
    hub.run("run").ok();
    let expected = ["GET /ping/key HTTP/1.1", "GET /ping/key/fail HTTP/1.1", "GET /ping/key HTTP/1.1"];
    assert_eq!(asked.join().unwrap(), expected);
    // nobody there: a run is none the worse
    assert_eq!(hub.run("run").ok().stderr, "");
}
