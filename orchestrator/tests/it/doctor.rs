//! `hzmetrics doctor`: one fault at a time on a healthy hub. It is reported with its place and its fix;
//! after the fix, all is well again.

mod accounts;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use fixtures::db::{Pair, SqlMode, pair};
use fixtures::{Finished, Run};
use schema::tables::Engine;

use fixtures::name_server::{NameServer, Reply};

const NOW: &str = "2026-05-19T10:10";
const CRON: &str = "root/etc/cron.d/hubzero-metrics";
const TICK: &str = "*/5 * * * * apache /opt/hubzero/bin/hzmetrics tick\n";
const LOG: &str = "root/var/log/httpd/daily/h-access.log-20260518";

/// A healthy hub.
struct Hub {
    pair: Pair,
}

impl Hub {
    fn new() -> Option<Self> {
        let hub = Self { pair: pair(Engine::InnoDb, SqlMode::Strict)? };
        hub.write("root/etc/hubzero.conf", "site = h\n");
        hub.write(CRON, TICK);
        hub.write(LOG, "a line\n");
        fs::create_dir_all(hub.path("hub/app/site/stats/maps")).unwrap();
        let text = fs::read_to_string(hub.pair.config()).unwrap();
        hub.write("my.cfg", &text);
        hub.mode("my.cfg", 0o640);
        hub.run("init").finish().ok();
        Some(hub)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.pair.home().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces the text of a configuration.
    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{from}: {text}");
        self.write(name, &text.replace(from, to));
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The variables of every run.
    fn settled(&self, run: Run) -> Run {
        run.env("HZMETRICS_ACCESS_CFG", self.path("my.cfg"))
            .env("HZMETRICS_DB_SOCKET", self.pair.socket())
            .env("HZMETRICS_HOME", self.pair.home())
            .env("HZMETRICS_LOG", self.path("manage.log"))
            .env("HZMETRICS_ROOT", self.path("root"))
            .env("HZMETRICS_NOW", NOW)
    }

    fn run(&self, line: &str) -> Run {
        self.settled(fixtures::run(env!("CARGO_BIN_EXE_hzmetrics"))).args(line.split(' '))
    }

    fn doctor(&self) -> Finished {
        self.run("doctor").finish()
    }

    #[track_caller]
    fn is_well(&self) {
        let text = self.doctor().ok().text();
        assert!(text.ends_with("\nall is well\n") && !text.contains("FAIL") && !text.contains("WARN"), "{text}");
    }
}

/// Checks that there is a line with these words, and below it one with the fix.
#[track_caller]
fn finds(text: &str, word: &str, parts: &[&str], fix: &str) {
    let mut lines =
        text.lines().skip_while(|line| !(line.starts_with(word) && parts.iter().all(|part| line.contains(part))));
    assert!(lines.next().is_some(), "no line {word} with {parts:?}\n{text}");
    let fixes: Vec<&str> = lines.take_while(|line| line.starts_with("      fix: ")).collect();
    assert!(fixes.iter().any(|line| line.contains(fix)), "{parts:?} is not fixed by {fix}: {fixes:?}\n{text}");
}

/// Something that is wrong.
struct Trouble {
    name: &'static str,
    make: fn(&Hub),
    word: &'static str,
    parts: &'static [&'static str],
    fix: &'static str,
    end: fn(&Hub),
}

const FAIL: &str = "FAIL  ";
const WARN: &str = "WARN  ";

const TROUBLES: &[Trouble] = &[
    Trouble {
        name: "logs of another name",
        make: |hub| hub.rename(LOG, "root/var/log/httpd/daily/other-access.log-20260518"),
        word: FAIL,
        parts: &[
            "/daily has 1 log(s) of another name",
            "other-access.log-20260518",
            "expected h-access*log*",
            "none of this site",
        ],
        fix: "write `site = other`",
        end: |hub| hub.rename("root/var/log/httpd/daily/other-access.log-20260518", LOG),
    },
    Trouble {
        name: "logs of another name continue, ours do not",
        make: |hub| hub.write("root/var/log/httpd/daily/2026/x-access.log-20260521.gz", ""),
        word: FAIL,
        parts: &["x-access.log-20260521.gz", "the newest of this site is of 20260518"],
        fix: "write `site = x`",
        end: |hub| hub.remove("root/var/log/httpd/daily/2026/x-access.log-20260521.gz"),
    },
    Trouble {
        name: "a row of the writer that protects nothing",
        make: |hub| hub.pair.sql("ALTER TABLE hz_writer ENGINE=MyISAM"),
        word: "WARN  ",
        parts: &["one writer: only the lock of this machine", "the table hz_writer is stored in MyISAM"],
        fix: "ALTER TABLE hz_writer ENGINE=InnoDB",
        end: |hub| hub.pair.sql("ALTER TABLE hz_writer ENGINE=InnoDB"),
    },
    Trouble {
        name: "no map folder",
        make: |hub| fs::remove_dir(hub.path("hub/app/site/stats/maps")).unwrap(),
        word: FAIL,
        parts: &["maps: ", "hub/app/site/stats/maps is missing"],
        fix: "install -d -o ",
        end: |hub| fs::create_dir(hub.path("hub/app/site/stats/maps")).unwrap(),
    },
    Trouble {
        name: "one database for both",
        make: |hub| hub.replace("my.cfg", &hub.pair.metrics, &hub.pair.hub),
        word: FAIL,
        parts: &["databases: metrics_db and hub_db are both t_", "nothing is written there"],
        fix: "a database of their own, as metrics_db = t_",
        end: |hub| hub.write("my.cfg", &fs::read_to_string(hub.pair.config()).unwrap()),
    },
    Trouble {
        name: "a password for everybody",
        make: |hub| hub.mode("my.cfg", 0o644),
        word: FAIL,
        parts: &["secrecy: ", "my.cfg with the password of the database can be read by everybody (mode 644 "],
        fix: "chmod o-rwx ",
        end: |hub| hub.mode("my.cfg", 0o640),
    },
    Trouble {
        name: "settings that everybody writes",
        make: |hub| {
            hub.write("root/etc/hubzero-metrics/hzmetrics.conf", "[dns]\nconcurrency = 7\n");
            hub.mode("root/etc/hubzero-metrics/hzmetrics.conf", 0o666);
        },
        word: FAIL,
        parts: &["secrecy: ", "hzmetrics.conf can be written by everybody"],
        fix: "chmod o-rwx ",
        end: |hub| hub.mode("root/etc/hubzero-metrics/hzmetrics.conf", 0o644),
    },
    Trouble {
        name: "a password in double quotes",
        make: |hub| hub.replace("my.cfg", "$db_pass = 'p%w#;x'", "$db_pass = \"p%w#;x\""),
        word: FAIL,
        parts: &["line 6: db_pass has its value in double quotes; access.cfg knows single quotes only"],
        fix: "write $db_pass = 'VALUE'; in line 6",
        end: |hub| hub.replace("my.cfg", "$db_pass = \"p%w#;x\"", "$db_pass = 'p%w#;x'"),
    },
    Trouble {
        name: "a prefix without quotes",
        make: |hub| hub.replace("my.cfg", "$db_prefix = 'jos_'", "$db_prefix = jos_"),
        word: FAIL,
        parts: &["db_prefix has its value without quotes"],
        fix: "write $db_prefix = 'VALUE';",
        end: |hub| hub.replace("my.cfg", "$db_prefix = jos_", "$db_prefix = 'jos_'"),
    },
    Trouble {
        name: "a configuration that cannot be understood",
        make: |hub| hub.replace("my.cfg", "$db_user = '", "$db_user = x'"),
        word: FAIL,
        parts: &["configuration: "],
        fix: "",
        end: |hub| hub.replace("my.cfg", "$db_user = x'", "$db_user = '"),
    },
    Trouble {
        name: "a geo service without encryption",
        make: |hub| hub.replace("my.cfg", "$hub_dir", "$hubzero_ipgeo_url = 'http://geo.example/v1';\n$hub_dir"),
        word: WARN,
        parts: &["geo service: http://geo.example/v1 in ", "my.cfg is queried without encryption"],
        fix: "hubzero_ipgeo_url = https://geo.example/v1",
        end: |hub| hub.replace("my.cfg", "$hubzero_ipgeo_url = 'http://geo.example/v1';\n", ""),
    },
    Trouble {
        name: "a link for a lock",
        make: |hub| std::os::unix::fs::symlink("/nowhere", hub.path("state/hzmetrics.whoisonline.lock")).unwrap(),
        word: FAIL,
        parts: &["file: ", "hzmetrics.whoisonline.lock is a link where a file of hzmetrics is expected"],
        fix: "rm ",
        end: |hub| hub.remove("state/hzmetrics.whoisonline.lock"),
    },
    Trouble {
        name: "a FIFO for the state",
        make: |hub| {
            let _ = fs::remove_file(hub.path("state/hzmetrics.state"));
            fixtures::run("mkfifo").arg(hub.path("state/hzmetrics.state")).finish().ok();
        },
        word: FAIL,
        parts: &["hzmetrics.state is a FIFO"],
        fix: "rm ",
        end: |hub| hub.remove("state/hzmetrics.state"),
    },
    Trouble {
        name: "a folder for the list of staged logs",
        make: |hub| fs::create_dir(hub.path("root/var/log/hubzero/metrics/_staged.ndjson")).unwrap(),
        word: FAIL,
        parts: &["_staged.ndjson is a folder"],
        fix: "rmdir ",
        end: |hub| fs::remove_dir(hub.path("root/var/log/hubzero/metrics/_staged.ndjson")).unwrap(),
    },
    Trouble {
        name: "nobody starts us",
        make: |hub| hub.remove(CRON),
        word: FAIL,
        parts: &["cron: no crontab and no timer starts hzmetrics: nothing is counted"],
        fix: "echo '*/5 * * * * ",
        end: |hub| hub.write(CRON, TICK),
    },
    Trouble {
        name: "started twice",
        make: |hub| hub.write("root/var/spool/cron/apache", "# ours too\n30 * * * * /opt/hubzero/bin/hzmetrics run\n"),
        word: FAIL,
        parts: &[
            "cron: the same work is started twice: by ",
            "hubzero-metrics, line 1 and by ",
            "spool/cron/apache, line 2",
        ],
        fix: "sed -i '2s/^/#/' ",
        end: |hub| hub.remove("root/var/spool/cron/apache"),
    },
    Trouble {
        name: "one of the seven lines beside the one for all",
        make: |hub| hub.write("root/etc/crontab", "15 0 * * * apache /opt/hubzero/bin/import-logs --db\n"),
        word: FAIL,
        parts: &["the same work is started twice", "etc/crontab, line 1"],
        fix: "sed -i '1s/^/#/' ",
        end: |hub| hub.remove("root/etc/crontab"),
    },
    Trouble {
        name: "a timer beside the line of cron",
        make: |hub| {
            hub.write(
                "root/etc/systemd/system/hzmetrics.service",
                "[Service]\nUser=apache\nExecStart=/opt/hubzero/bin/hzmetrics run\n",
            );
            hub.write("root/etc/systemd/system/timers.target.wants/hzmetrics.timer", "");
        },
        word: FAIL,
        parts: &["the same work is started twice", "timers.target.wants/hzmetrics.timer (hzmetrics.service)"],
        fix: "systemctl disable --now hzmetrics.timer",
        end: |hub| hub.remove("root/etc/systemd/system/timers.target.wants/hzmetrics.timer"),
    },
    Trouble {
        name: "run as root",
        make: |hub| hub.write(CRON, &TICK.replace("apache", "root")),
        word: FAIL,
        parts: &["hubzero-metrics, line 1 runs as root: /opt/hubzero/bin/hzmetrics tick"],
        fix: "the web server's user",
        end: |hub| hub.write(CRON, TICK),
    },
    Trouble {
        name: "a part of the seven lines",
        make: |hub| {
            hub.write(CRON, "0 1 * * * apache /x/fetch-logs --stage; /x/import-logs --db\n*/15 * * * * apache /x/whoisonline --db\n")
        },
        word: FAIL,
        parts: &["cron: nothing starts archive, tool-metrics, usage-metrics, summarize"],
        fix: "hzmetrics tick",
        end: |hub| hub.write(CRON, TICK),
    },
    Trouble {
        name: "nobody starts the map",
        make: |hub| hub.write(CRON, &TICK.replace("tick", "run")),
        word: WARN,
        parts: &["cron: nothing starts whoisonline"],
        fix: "hzmetrics whoisonline",
        end: |hub| hub.write(CRON, TICK),
    },
    Trouble {
        name: "names that nobody answered",
        make: |hub| visitors(hub, "'?'", "'US'"),
        word: FAIL,
        parts: &["names: 60 of the newest 60 addresses have no name: the name server answers nothing"],
        fix: "hzmetrics resolve-dns metrics web YYYY-MM",
        end: |hub| hub.pair.sql("DELETE FROM web"),
    },
    Trouble {
        name: "countries that nobody answered",
        make: |hub| visitors(hub, "'a.example.edu'", "NULL"),
        word: FAIL,
        parts: &["countries: 60 of the newest 60 addresses have no country: the geo service answers nothing"],
        fix: "hzmetrics fill-ipcountry metrics web YYYY-MM",
        end: |hub| hub.pair.sql("DELETE FROM web"),
    },
    Trouble {
        name: "a log that nobody understood",
        make: |hub| {
            let record = serde_json::json!({"path": hub.path(LOG), "stream": "access", "reason": "no line fits", "since": "2026-05-18"});
            hub.write("root/var/log/hubzero/metrics/_refused.ndjson", &format!("{record}\n"));
        },
        word: FAIL,
        parts: &["refused: ", "h-access.log-20260518 was not imported: no line fits (since 2026-05-18)"],
        fix: "hzmetrics import --set-aside /",
        end: |hub| hub.remove("root/var/log/hubzero/metrics/_refused.ndjson"),
    },
    Trouble {
        name: "a list of refused logs that cannot be read",
        make: |hub| hub.write("root/var/log/hubzero/metrics/_refused.ndjson", "no list\n"),
        word: FAIL,
        parts: &["refused: ", "_refused.ndjson"],
        fix: "ls -l ",
        end: |hub| hub.remove("root/var/log/hubzero/metrics/_refused.ndjson"),
    },
    Trouble {
        name: "a day of which much was left out",
        make: |hub| imported(hub, 100, 11, 0),
        word: WARN,
        parts: &["left out: 20260517: 11.0 % of 100 lines for web do not fit the layout"],
        fix: "import-logs --rejects - FILE",
        end: |hub| hub.pair.sql("DELETE FROM import_files;\nDELETE FROM imported_sources"),
    },
    Trouble {
        name: "visitors with IPv6 addresses",
        make: |hub| imported(hub, 100, 0, 40),
        word: WARN,
        parts: &["left out: 20260517: 40.0 % of the lines come from IPv6 addresses"],
        fix: "options = ipv6 under [compat]",
        end: |hub| hub.pair.sql("DELETE FROM import_files;\nDELETE FROM imported_sources"),
    },
    Trouble {
        name: "a month that somebody unpublished",
        make: |hub| hub.pair.sql("REPLACE INTO pipeline_state (k, v) VALUES ('withheld_months', '2026-03,2026-04')"),
        word: WARN,
        parts: &["withheld: 2026-03,2026-04 "],
        fix: "hzmetrics summarize 2026-03",
        end: |hub| hub.pair.sql("DELETE FROM pipeline_state WHERE k = 'withheld_months'"),
    },
    Trouble {
        name: "many without a name",
        make: |hub| visitors(hub, "IF(id % 10 = 0, 'a.example.edu', '?')", "'US'"),
        word: WARN,
        parts: &["names: 54 of the newest 60 addresses have no name"],
        fix: "hzmetrics resolve-dns",
        end: |hub| hub.pair.sql("DELETE FROM web"),
    },
];

/// A log in the ledger whose lines were partly rejected and left out.
fn imported(hub: &Hub, lines: u32, rejected: u32, ipv6: u32) {
    let name = "h-access.log-20260517";
    hub.pair.sql(&format!(
        "INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count, origin) \
         VALUES (1, '{name}', 'web', 1, 1, 1, 'importer');\n\
         INSERT INTO import_files (id, path, lines_read, rejected, ipv6, status) \
         VALUES (1, '/logs/{name}', {lines}, {rejected}, {ipv6}, 'loaded')"
    ));
}

/// Sixty requests from sixty addresses.
fn visitors(hub: &Hub, host: &str, country: &str) {
    let rows: Vec<String> = (1..=60).map(|n| format!("({n},'2026-05-10','8.8.4.{n}')")).collect();
    hub.pair.sql(&format!(
        "INSERT INTO web (id, datetime, ip) VALUES {};\nUPDATE web SET host = {host}, ipcountry = {country}",
        rows.join(",")
    ));
}

#[test]
fn every_trouble_is_found_and_fixed() {
    let Some(hub) = Hub::new() else { return };
    hub.is_well();
    for trouble in TROUBLES {
        (trouble.make)(&hub);
        let code = i32::from(trouble.word == FAIL);
        fixtures::say(trouble.name);
        let done = hub.doctor().expect_code(code);
        finds(&done.text(), trouble.word, trouble.parts, trouble.fix);
        assert!(!done.text().contains("all is well"), "{}: {}", trouble.name, done.text());
        (trouble.end)(&hub);
        if trouble.parts.iter().any(|part| part.contains("databases:")) {
            hub.mode("my.cfg", 0o640);
        }
        hub.is_well();
    }
}

#[test]
fn the_printed_cron_line_works() {
    let Some(hub) = Hub::new() else { return };
    hub.remove(CRON);
    let text = hub.doctor().expect_code(1).text();
    let fix = text.lines().find_map(|line| line.trim().strip_prefix("fix: echo ")).unwrap();
    fixtures::run("sh").args(["-c", &format!("echo {fix}")]).finish().ok();
    let text = hub.doctor().text();
    assert!(text.contains("OK    cron: started by ") || text.contains("runs as root"), "{text}");
}

#[test]
fn name_servers_are_asked_and_silent_ones_reported() {
    let Some(hub) = Hub::new() else { return };
    let asked = |server: &NameServer| {
        hub.run("doctor").env("HZMETRICS_DNS_NAMESERVER", server.address()).env("HZMETRICS_DNS_TIMEOUT", "0.3").finish()
    };
    for reply in [Reply::name("a.root-servers.net"), Reply::NxDomain, Reply::Noise(vec!["a.b".to_owned()])] {
        let server = NameServer::start(move |_| reply.clone());
        let text = asked(&server).ok().text();
        assert!(text.contains(&format!("OK    name server: {} answers\n", server.address())), "{text}");
    }
    for (reply, words) in [
        (Reply::Silence, "does not answer within 0.3 s"),
        (Reply::ServFail, "answers SERVFAIL"),
        (Reply::Refused, "answers REFUSED"),
    ] {
        let server = NameServer::start(move |_| reply.clone());
        let text = asked(&server).expect_code(1).text();
        finds(&text, FAIL, &["name server: ", words, "names of visitors are not found"], "under [dns]");
    }
    // the system's name servers, one of which is enough
    let server = NameServer::start(|_| Reply::NxDomain);
    hub.write("root/etc/resolv.conf", "# none\n");
    let text = hub.doctor().expect_code(1).text();
    finds(&text, FAIL, &["resolv.conf names no name server"], "under [dns]");
    let odd = hub.run("doctor").env("HZMETRICS_DNS_NAMESERVER", "dns.example").finish().expect_code(1).text();
    finds(&odd, FAIL, &["`dns.example` is not the address of a name server"], "under [dns]");
    drop(server);
}

#[test]
fn the_printed_rights_are_enough() {
    let Some(hub) = Hub::new() else { return };
    let (db, metrics) = (&hub.pair.hub, &hub.pair.metrics);
    let user = format!("poor{}", std::process::id());
    hub.pair.sql(&format!(
        "CREATE USER {user}@localhost IDENTIFIED BY 'x';\nGRANT SELECT, INSERT ON `{metrics}`.* TO {user}@localhost;\n\
         GRANT SELECT ON `{db}`.* TO {user}@localhost;\nGRANT CREATE TEMPORARY TABLES ON `{metrics}`.* TO {user}@localhost"
    ));
    hub.replace("my.cfg", "$db_user = 'strict'", &format!("$db_user = '{user}'"));
    hub.replace("my.cfg", "$db_pass = 'p%w#;x'", "$db_pass = 'x'");
    let text = hub.doctor().expect_code(1).text();
    finds(&text, FAIL, &[&format!("rights: {user}@localhost lacks "), "jos_session_geo"], "GRANT ");
    let grants: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("fix: GRANT ")).collect();
    assert!(grants.len() > 2, "{text}");
    for grant in grants {
        hub.pair.sql(&format!("GRANT {grant}"));
    }
    let well = hub.doctor();
    hub.pair.sql(&format!("DROP USER {user}@localhost"));
    assert!(well.ok().text().contains(&format!("OK    rights: {user}@localhost has all rights that are needed\n")));
}

#[test]
fn a_failed_check_does_not_stop_the_others() {
    let Some(hub) = Hub::new() else { return };
    hub.remove(CRON);
    hub.mode("my.cfg", 0o646);
    let all = |done: Finished, first: &str| {
        let text = done.expect_code(1).text();
        finds(&text, FAIL, &[first], "");
        finds(&text, FAIL, &["cron: no crontab"], "tick");
        text
    };
    let dead = hub.run("doctor").env("HZMETRICS_DB_SOCKET", "/nowhere/s").finish();
    let text = all(dead, "database: connecting to the database server at /nowhere/s");
    finds(&text, FAIL, &["secrecy: "], "chmod o-rwx");
    let text = all(hub.run("doctor").env("HZMETRICS_ACCESS_CFG", "/nowhere.cfg").finish(), "configuration: ");
    finds(&text, FAIL, &["/nowhere.cfg: No such file"], "");
    finds(&text, FAIL, &["database: not checked"], "");
    hub.write("my.cfg", "$hub_db = 'a;\n");
    let text = all(hub.doctor(), "configuration: ");
    finds(&text, FAIL, &["my.cfg, line 1: the value of $hub_db has no closing quote"], "");
}

#[test]
fn with_compat_port_our_own_findings_are_only_warnings() {
    let Some(hub) = Hub::new() else { return };
    hub.remove(CRON);
    let done = hub.run("doctor").env("HZMETRICS_COMPAT", "port").finish().ok();
    finds(&done.text(), WARN, &["cron: no crontab and no timer"], "tick");
    assert!(done.text().ends_with("\nno problem, 1 warning(s)\n"), "{}", done.text());
}

#[test]
fn without_fix_nothing_is_changed() {
    let Some(hub) = Hub::new() else { return };
    fs::remove_dir_all(hub.path("root/var/log/httpd/imported")).unwrap();
    let sick = hub.doctor().expect_code(1).text();
    finds(&sick, FAIL, &["httpd/imported is missing"], "install -d ");
    assert!(!hub.path("root/var/log/httpd/imported").exists());
    let fixed = hub.run("doctor --fix").finish().ok().text();
    assert!(fixed.ends_with("\nall is well\n") && hub.path("root/var/log/httpd/imported").exists(), "{fixed}");
}

#[test]
fn a_buffer_pool_that_is_too_small_for_the_requests_is_named() {
    let Some(server) = fixtures::db::networked_server(&["--innodb-buffer-pool-size=6M".to_owned()]) else { return };
    let pair = server.names(SqlMode::Lax);
    pair.create_hub(true);
    pair.create_metrics(Engine::InnoDb, true);
    let doctor = || {
        let run = pair.run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", pair.home().join("root"));
        run.arg("doctor").finish().text()
    };
    assert!(!doctor().contains("memory:"), "{}", doctor());
    pair.sql(
        "INSERT INTO web (datetime, ip, content, host, sessionid) SELECT '2025-06-01' + INTERVAL seq SECOND, \
         CONCAT('192.0.', seq % 256, '.', seq % 251), CONCAT('/resources/', seq * 7919 % 100003, '/a/page/of/some/length'), \
         CONCAT('host-', seq % 9973, '.dyn.example.net'), seq FROM seq_1_to_90000;\n\
         ANALYZE TABLE web",
    );
    let text = doctor();
    let line = text.lines().find(|line| line.starts_with("WARN  memory: the buffer pool of the database server ("));
    assert!(line.is_some(), "{text}");
    assert!(text.contains("fix: innodb_buffer_pool_size = "), "{text}");
}

#[test]
fn a_redo_log_that_is_too_small_for_a_usual_day_is_named() {
    // 4,000 requests change 23 MB; one log with a long history is not a usual day
    for (size, requests, expected) in [(8, 4000, true), (8, 2000, false), (96, 4000, false)] {
        let options = [format!("--innodb-log-file-size={size}M")];
        let Some(server) = fixtures::db::networked_server(&options) else { return };
        let pair = server.names(SqlMode::Lax);
        pair.create_hub(true);
        pair.create_metrics(Engine::InnoDb, true);
        pair.sql(&format!(
            "INSERT INTO imported_sources (id, filename, target_table, imported_at) SELECT seq, \
             CONCAT('h-access.log-202506', LPAD(seq, 2, '0')), 'web', NOW() FROM seq_1_to_9;\n\
             INSERT INTO import_files (id, lines_read, rows_kept, rejected, ipv6) SELECT id, 9000000, \
             IF(id = 1, 3000000, {requests}), 0, 0 FROM imported_sources"
        ));
        let run = pair.run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", pair.home().join("root"));
        let text = run.arg("doctor").finish().text();
        let finding = format!(
            "WARN  memory: the redo log of the database server ({size} MB) holds less than half of the changes of a \
             usual day (22 MB for {requests} requests)"
        );
        assert_eq!(text.contains(&finding), expected, "{size} MB, {requests} requests: {text}");
        assert_eq!(text.contains("fix: innodb_log_file_size = 23M"), expected, "{text}");
        assert_eq!(text.contains("memory: the redo log"), expected, "{text}");
    }
}
