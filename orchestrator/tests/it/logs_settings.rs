//! What `[logs]` in the configuration says is used by the commands that cron starts: the layout of the
//! hub's own logs, who the client is, and where countries come from.

use std::fs;

use fixtures::mmdb::country_database_of_both;
use schema::tables::Engine;

use crate::ground::{Ground, NOBODY};

/// A request whose header has private addresses around a public one.
const LINE: &str = "10.0.0.2 - - [11/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"Mozilla/5.0 (X11)\" \
    \"10.0.0.9, 198.51.100.7, 10.0.0.4\"\n";

/// What is set: in the file, and in the environment by name and value; and the client that is stored, if any.
const CASES: [[&str; 4]; 6] = [
    ["", "", "", "none"],
    ["log_format = combined", "", "", "10.0.0.2"],
    ["log_format = nginx-main\nclient_from = X-Forwarded-For", "", "", "198.51.100.7"],
    ["log_format = nginx-main\ntrusted_proxies = 10.0.0.0/8,198.51.100.0/24", "", "", "10.0.0.9"],
    ["log_format = hubzero", "HZMETRICS_LOG_FORMAT", "combined", "10.0.0.2"],
    [
        "log_format = nginx-main\nclient_from = X-Forwarded-For:first",
        "HZMETRICS_CLIENT_FROM",
        "X-Forwarded-For:last",
        "10.0.0.4",
    ],
];

#[test]
fn the_commands_of_cron_use_it() {
    for line in ["hzmetrics import --next", "hzmetrics tick", "hzmetrics run"] {
        for [in_file, name, value, client] in CASES {
            let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
            ground.make_our_folders();
            fs::write(ground.daily(11), LINE.repeat(3)).unwrap();
            let conf = fs::read_to_string(ground.at("etc/hubzero-metrics/hzmetrics.conf")).unwrap();
            ground.write("etc/hubzero-metrics/hzmetrics.conf", &format!("{conf}[logs]\n{in_file}\n"), 0o644);
            let run = ground.start_as_owner(line);
            let run = if name.is_empty() { run } else { run.env(name, value) };
            let done = run.finish();
            let stored = ground.pair.lines("SELECT DISTINCT ip FROM web");
            let expected: Vec<_> = [client].into_iter().filter(|client| *client != "none").collect();
            assert_eq!(stored, expected, "{line}: {in_file} {name}={value}: {}", done.stderr);
            if client == "none" {
                let log = fs::read_to_string(ground.at("var/log/hubzero/metrics/hzmetrics.log")).unwrap_or_default();
                let said = "looks like nginx-main; 0 of 3 lines fit hubzero; its first such line: `10.0.0.2 - - [";
                assert!((done.stderr.clone() + &log).contains(said), "{line}: {} {log}", done.stderr);
            }
        }
    }
}

#[test]
fn countries_come_from_the_file_that_it_names() {
    let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
    ground.make_our_folders();
    let database = |name: &str, code: &str| {
        let networks = [("192.0.2.0".parse().unwrap(), 24, code.to_owned())];
        fs::write(ground.at(name), country_database_of_both(&networks)).unwrap();
        ground.at(name)
    };
    let (in_file, in_environment) = (database("file.mmdb", "CH"), database("environment.mmdb", "DE"));
    let conf = fs::read_to_string(ground.at("etc/hubzero-metrics/hzmetrics.conf")).unwrap();
    let conf = format!("{conf}[logs]\ngeoip = {}\n", in_file.display());
    ground.write("etc/hubzero-metrics/hzmetrics.conf", &conf, 0o644);
    ground.start_as_owner("hzmetrics import --next").finish().ok();
    ground.start_as_owner("hzmetrics analyze --force 2025-07").finish().ok();
    let countries = || ground.pair.lines("SELECT DISTINCT ipcountry FROM web");
    assert_eq!(countries(), ["CH"]);
    ground.pair.sql("UPDATE web SET ipcountry = NULL");
    let run = ground.start_as_owner("hzmetrics analyze --force 2025-07").env("HZMETRICS_GEOIP", &in_environment);
    run.finish().ok();
    assert_eq!(countries(), ["DE"]);
}
