//! What `[logs]` in the configuration says about lines and clients is used by every face, below the
//! environment and the options: option, environment, file, default.

use fixtures::db::SqlMode;
use fixtures::{Finished, Run};
use schema::tables::Engine;

use crate::hub::{Hub, stage};
use crate::texts;

/// A request whose header has private addresses around a public one.
const LINE: &str = "10.0.0.2 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"Mozilla/5.0 (X11)\" \
    \"10.0.0.9, 198.51.100.7, 10.0.0.4\"\n";

/// How the importer is started.
#[derive(Debug, Clone, Copy)]
enum Face {
    Pipe,
    Tables,
    Cron,
}

/// A setting: its key, what else the file says, values in the file, the environment and an option; and
/// who the client is by default and by each of them, `None` where the log is refused.
struct Case {
    key: &'static str,
    with: &'static str,
    values: [&'static str; 3],
    clients: [Option<&'static str>; 4],
}

const CASES: [Case; 3] = [
    Case {
        key: "log_format",
        with: "",
        values: ["nginx-main", "hubzero", "combined"],
        clients: [None, Some("10.0.0.2"), None, Some("10.0.0.2")],
    },
    Case {
        key: "client_from",
        with: "log_format = nginx-main\n",
        values: ["X-Forwarded-For", "X-Forwarded-For:last", "X-Forwarded-For:first"],
        clients: [Some("10.0.0.2"), Some("198.51.100.7"), Some("10.0.0.4"), Some("10.0.0.9")],
    },
    Case {
        key: "trusted_proxies",
        with: "log_format = nginx-main\n",
        values: ["10.0.0.0/8", "10.0.0.0/8,198.51.100.0/24", "10.0.0.2/32"],
        clients: [Some("10.0.0.2"), Some("198.51.100.7"), Some("10.0.0.9"), Some("10.0.0.4")],
    },
];

/// The clients that a run of this face stores; `None` when it refuses the log.
fn clients(hub: &Hub, face: Face, set: impl Fn(Run) -> Run) -> Option<Vec<String>> {
    hub.pair.sql("DELETE FROM web; DELETE FROM webhits; DELETE FROM import_files; DELETE FROM imported_sources");
    let log = hub.put("httpd/daily/hub-access.log-20250710", LINE);
    let run = match face {
        Face::Pipe => hub.import().arg(&log),
        Face::Tables => hub.load(&[&log]),
        Face::Cron => {
            hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
            hub.import().arg("--db")
        }
    };
    let done: Finished = set(run).finish();
    if done.code != 0 {
        assert!(done.code == 1 && done.stderr.contains("not imported: looks like nginx-main"), "{}", done.stderr);
        return None;
    }
    Some(match face {
        Face::Pipe => texts(&done, "web", "ip"),
        Face::Tables | Face::Cron => hub.pair.lines("SELECT ip FROM web"),
    })
}

#[test]
fn options_then_environment_then_file_then_default() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    for Case { key, with, values: [in_file, in_environment, as_option], clients: expected } in CASES {
        let configure = |more: &str| hub.configure(&format!("[logs]\n{with}{more}"));
        let variable = format!("HZMETRICS_{}", key.to_ascii_uppercase());
        let option = format!("--{}", key.replace('_', "-"));
        let as_expected = |i: usize| expected[i].map(|client| vec![client.to_owned()]);
        for face in [Face::Pipe, Face::Tables, Face::Cron] {
            configure("");
            assert_eq!(clients(&hub, face, |run| run), as_expected(0), "{key} {face:?}: default");
            configure(&format!("{key} = {in_file}\n"));
            assert_eq!(clients(&hub, face, |run| run), as_expected(1), "{key} {face:?}: file");
            let with_variable = |run: Run| run.env(&variable, in_environment);
            assert_eq!(clients(&hub, face, with_variable), as_expected(2), "{key} {face:?}: environment");
            let with_both = |run: Run| with_variable(run).args([&*option, as_option]);
            assert_eq!(clients(&hub, face, with_both), as_expected(3), "{key} {face:?}: option");
        }
    }
    // a value that means nothing ends the run, with its key
    for Case { key, with, .. } in CASES {
        hub.configure(&format!("[logs]\n{with}{key} = \"\u{1}\"\n"));
        let done = hub.import().arg(hub.put("httpd/daily/hub-access.log-20250710", LINE)).finish();
        assert!(done.code == 2 || key == "client_from", "{key}: {}", done.stderr);
    }
}
