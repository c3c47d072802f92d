//! What an administrator sees: one trouble at a time on a hub that is well turns the right check red, in
//! `check`, the metrics, the heartbeat and the status alike; once fixed, all is green again.

pub(crate) mod outputs;
mod real_tools;

use std::cell::RefCell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fixtures::closed::close_off;
use fixtures::db::{Pair, Private, SqlMode, private_server};
use fixtures::hub::Plan;
use fixtures::name_server::{NameServer, Reply};
use fixtures::{Finished, Run};
use hub::lock::{Lock, LockResult};
use serde_json::Value;

const NOW: &str = "2026-05-01T10:30";
const CRON: &str = "root/etc/cron.d/hubzero-metrics";
const CONF: &str = "root/etc/hubzero-metrics/hzmetrics.conf";
const DAILY: &str = "root/var/log/httpd/daily";
const TODAY: &str = "hub-access.log-20260501";

/// A hub with one month of logs, a server and a name server of its own.
struct Watched {
    pair: Pair,
    server: Private,
    names: NameServer,
    now: RefCell<String>,
    /// A day's lines of the access log.
    lines: Vec<String>,
    holder: RefCell<Option<Child>>,
    /// Keeps mounts of our own, in which everything is then started.
    mounts: RefCell<Option<Child>>,
}

impl Watched {
    /// After its first run: all is well.
    fn new() -> Option<Self> {
        let server = private_server()?;
        let pair = server.names(SqlMode::Strict);
        pair.create_hub(true);
        let names = NameServer::start(|ip| Reply::name(format!("h{}.example.org", u32::from(ip))));
        let now = RefCell::new(NOW.to_owned());
        let mut hub = Self {
            pair,
            server,
            names,
            now,
            lines: Vec::new(),
            holder: RefCell::default(),
            mounts: RefCell::default(),
        };
        hub.write("root/etc/hubzero.conf", "site = hub\n");
        hub.write(CRON, "*/5 * * * * apache /opt/hubzero/bin/hzmetrics tick\n");
        hub.settings("");
        fs::create_dir_all(hub.path("hub/app/site/stats/maps")).unwrap();
        let text = fs::read_to_string(hub.pair.config()).unwrap();
        hub.write("my.cfg", &(text + "$hubzero_ipgeo_url = 'http://127.0.0.1:9/';\n"));
        fs::set_permissions(hub.path("my.cfg"), fs::Permissions::from_mode(0o640)).unwrap();
        hub.rotate();
        hub.run("init").ok();
        hub.run("tick").ok();
        Some(hub)
    }

    /// The last days of April.
    fn rotate(&mut self) {
        let plan = Plan {
            seed: 7,
            first: "2026-04".parse().unwrap(),
            n_months: 1,
            visits_a_day: 4,
            n_members: 8,
            odd: 0,
            gzip: false,
            old_layout: false,
        };
        let made = tempfile::tempdir().unwrap();
        let _ = plan.make(made.path(), || {}).unwrap();
        for (of, name) in [("httpd", "hub-access.log"), ("hubzero", "cmsauth.log")] {
            for day in ["20260429", "20260430"] {
                let text = fs::read(made.path().join(of).join("daily").join(format!("{name}-{day}"))).unwrap();
                let text = String::from_utf8_lossy(&text).into_owned();
                if name == "hub-access.log" {
                    self.lines = text.lines().map(str::to_owned).collect();
                }
                self.write(&format!("root/var/log/{of}/daily/{name}-{day}"), &text);
            }
        }
        assert!(self.lines.len() > 20, "{} lines", self.lines.len());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.pair.home().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `hzmetrics.conf` with more sections; the test does not look at the disk of the machine.
    fn settings(&self, more: &str) {
        let disk = if more.contains("disk") { "" } else { "[check]\ndisk = off\n" };
        self.write(CONF, &format!("[dns]\nnameserver = {}\n{disk}{more}", self.names.address()));
    }

    fn env(&self) -> Vec<(&'static str, std::ffi::OsString)> {
        vec![
            ("HZMETRICS_ACCESS_CFG", self.path("my.cfg").into()),
            ("HZMETRICS_DB_SOCKET", self.pair.socket().into()),
            ("HZMETRICS_HOME", self.pair.home().into()),
            ("HZMETRICS_LOG", self.path("manage.log").into()),
            ("HZMETRICS_ROOT", self.path("root").into()),
            ("HZMETRICS_NOW", self.now.borrow().clone().into()),
        ]
    }

    fn start(&self, line: &str) -> Run {
        let words = self.program();
        let (program, more) = words.split_first().unwrap();
        let run = self.env().into_iter().fold(fixtures::run(program), |run, (name, value)| run.env(name, value));
        run.args(more).args(line.split(' '))
    }

    /// A stage, started alone.
    fn stage(&self, name: &str, line: &str) -> Finished {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(name);
        let run = self.env().into_iter().fold(fixtures::run(program), |run, (name, value)| run.env(name, value));
        run.args(line.split(' ')).finish()
    }

    /// The program, with what starts it among our mounts if there are any.
    fn program(&self) -> Vec<String> {
        let exe = env!("CARGO_BIN_EXE_hzmetrics").to_owned();
        match &*self.mounts.borrow() {
            None => vec![exe],
            Some(child) => vec!["nsenter".to_owned(), format!("--target={}", child.id()), "--mount".to_owned(), exe],
        }
    }

    /// Puts a folder on a small disk without any room; false if we may not mount.
    #[expect(clippy::disallowed_methods, reason = "a process that keeps the mount")]
    fn fill_disk(&self, folder: &str) -> bool {
        let script = "mount -t tmpfs -o size=64k,mode=755 tmpfs \"$0\" || exit 99\n\
                      cat /dev/zero > \"$0/full\" 2> /dev/null; echo full; exec sleep 600";
        let mut command = Command::new("unshare");
        close_off(&mut command, &self.path("root"));
        command.args(["--mount", "sh", "-c", script]).arg(self.path(folder));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = [0; 4];
        let is_full = child.stdout.take().unwrap().read_exact(&mut said).is_ok() && &said == b"full";
        if is_full {
            self.mounts.replace(Some(child));
        } else {
            let _ = child.wait();
        }
        is_full
    }

    fn give_room(&self) {
        if let Some(mut child) = self.mounts.take() {
            // also from a test that fails
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn run(&self, line: &str) -> Finished {
        self.start(line).finish()
    }

    /// The log of today, each line made from one of yesterday's.
    fn todays_log(&self, line: impl Fn(usize, &str) -> String) {
        let of_today = |line: &str| line.replace("2026-04-30", "2026-05-01").replace("30/Apr/2026", "01/May/2026");
        let text: String = self.lines.iter().enumerate().map(|(n, l)| line(n, &of_today(l)) + "\n").collect();
        self.write(&format!("{DAILY}/{TODAY}"), &text);
    }

    /// Takes today's log out of tables and folders.
    fn forget_today(&self) {
        self.run(&format!("forget-import {TODAY} --force")).ok();
        let _ = fs::remove_file(self.path("root/var/log/httpd/imported").join(TODAY));
    }

    /// Starts the server; its address is in the log.
    fn serve(&self, more: &[&str]) -> Server {
        self.serve_for(&[], more)
    }

    /// The same with more variables, as a supervisor sets them.
    #[expect(clippy::disallowed_methods, reason = "a server is started by hand")]
    fn serve_for(&self, variables: &[(&str, &str)], more: &[&str]) -> Server {
        let log = self.path("serve.log");
        let _ = fs::remove_file(&log);
        let words = self.program();
        let (program, words) = words.split_first().unwrap();
        let mut command = Command::new(program);
        close_off(&mut command, &self.path("root"));
        command.args(words).envs(self.env()).env("HZMETRICS_LOG", &log).envs(variables.iter().copied());
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(more);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Server { child, address: String::new() };
        while server.address.is_empty() {
            assert!(server.child.try_wait().unwrap().is_none(), "the server has ended");
            let text = fs::read_to_string(&log).unwrap_or_default();
            if let Some((_, address)) = text.lines().find_map(|line| line.split_once("[serve] listening at ")) {
                address.trim().clone_into(&mut server.address);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.give_room();
    }
}

/// A server that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What four ways say of a check.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    check: String,
    metrics: String,
    heartbeat: String,
    status: String,
}

impl Seen {
    fn all(state: &str) -> Self {
        let state = state.to_owned();
        Self { check: state.clone(), metrics: state.clone(), heartbeat: state.clone(), status: state }
    }
}

fn state_in(object: &Value, name: &str) -> String {
    let check = object["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
    check.map_or("missing", |check| check["state"].as_str().unwrap()).to_owned()
}

impl Watched {
    fn look(&self, name: &str) -> Seen {
        let json = |line: &str| -> Value { serde_json::from_str(&self.run(line).text()).expect(line) };
        let server = self.serve(&[]);
        let (code, heartbeat) = server.get("/heartbeat");
        let word =
            ["CRITICAL", "WARNING", "UNKNOWN"].into_iter().find(|word| heartbeat.contains(&format!("{word} {name}: ")));
        let word = word.unwrap_or("OK");
        assert_eq!(code == 503, heartbeat.starts_with("CRITICAL\n"), "{heartbeat}");
        let metrics = server.get("/metrics").1;
        let sample = format!("hzmetrics_check_state{{check=\"{name}\"}} ");
        let number = metrics.lines().find_map(|line| line.strip_prefix(&sample)).unwrap_or("missing");
        let metric = match number {
            "0" => "OK",
            "1" => "WARNING",
            "2" => "CRITICAL",
            _ => "UNKNOWN",
        };
        Seen {
            check: state_in(&json(&format!("check {name} --json")), name),
            metrics: metric.to_owned(),
            heartbeat: word.to_owned(),
            status: state_in(&json("status --json"), name),
        }
    }

    /// Everything at once.
    #[track_caller]
    fn is_well(&self, after: &str) {
        let done = self.run("check");
        assert!(done.code == 0, "after {after}: {}{}", done.text(), done.stderr);
        assert!(done.text().starts_with("OK - "), "after {after}: {}", done.text());
        let server = self.serve(&[]);
        assert_eq!(server.get("/heartbeat"), (200, "OK\n".to_owned()), "after {after}");
        assert!(server.get("/metrics").1.contains("\nhzmetrics_state 0\n"), "after {after}");
    }
}

/// Something that is wrong.
struct Trouble {
    name: &'static str,
    check: &'static str,
    make: fn(&Watched),
    /// Whether a run notices it.
    runs: bool,
    end: fn(&Watched),
}

const TROUBLES: &[Trouble] = &[
    Trouble {
        name: "the database is down",
        check: "database",
        make: |hub| hub.server.kill(),
        runs: true,
        end: |hub| {
            hub.server.restart();
            hub.run("tick").ok();
        },
    },
    Trouble {
        name: "the name server is dead",
        check: "nameserver",
        make: |hub| {
            let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            hub.write(CONF, &format!("[dns]\nnameserver = {gone}\n[check]\ndisk = off\n"));
        },
        runs: true,
        end: |hub| hub.settings(""),
    },
    Trouble {
        name: "the layout of the log has changed",
        check: "refused",
        make: |hub| hub.todays_log(|n, _| format!("<{n}> something else altogether")),
        runs: true,
        end: |hub| {
            hub.run(&format!("import --set-aside {TODAY}")).ok();
        },
    },
    Trouble {
        name: "the disk is full",
        check: "disk",
        make: |hub| {
            hub.settings("[check]\ndisk = 10:,5:\n");
            if !hub.fill_disk("state") {
                fixtures::skip("no mount of our own, so the limit is one that no disk keeps");
                hub.settings("[check]\ndisk = 101:,101:\n");
            }
        },
        runs: true,
        end: |hub| {
            hub.give_room();
            hub.settings("");
        },
    },
    Trouble {
        name: "the lock is held for hours",
        check: "lock",
        make: |hub| {
            let path = hub.path("state/hzmetrics.pid");
            let lock = Lock::ask(&path, Duration::ZERO).unwrap();
            assert!(matches!(lock, LockResult::Held(_)));
            let boot = fs::read_to_string(&path).unwrap().split(' ').nth(1).unwrap().to_owned();
            drop(lock);
            #[expect(clippy::disallowed_methods, reason = "a process with our name")]
            let mut command = Command::new("sleep");
            close_off(&mut command, &hub.path("root"));
            let child = command.arg0("hzmetrics run").arg("600").spawn().unwrap();
            let words = format!("/proc/{}/cmdline", child.id());
            while fs::read(&words).unwrap().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            fs::write(&path, format!("{} {boot} 2026-04-30T20:30:00.000+00:00\n", child.id())).unwrap();
            hub.holder.replace(Some(child));
        },
        runs: false,
        end: |hub| {
            let mut child = hub.holder.take().unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            fs::remove_file(hub.path("state/hzmetrics.pid")).unwrap();
        },
    },
    Trouble {
        name: "the month is late",
        check: "month",
        make: |hub| drop(hub.now.replace("2026-06-06T10:30".to_owned())),
        runs: false,
        end: |hub| drop(hub.now.replace(NOW.to_owned())),
    },
    Trouble {
        name: "a future month is published",
        check: "future",
        make: |hub| {
            hub.pair.sql(
                "INSERT INTO summary_user_vals (rowid, colid, datetime, period, value, valfmt) \
                 VALUES (1, 1, '2099-01-00', 1, 1, 1)",
            );
        },
        runs: true,
        end: |hub| hub.run("unpublish 2099-01").ok().said(&[]),
    },
    Trouble {
        name: "half of the lines do not fit",
        check: "rejects",
        make: |hub| hub.todays_log(|n, line| if n % 2 == 0 { line.to_owned() } else { format!("{n} odd") }),
        runs: true,
        end: Watched::forget_today,
    },
    Trouble {
        name: "IPv6 is left out",
        check: "ipv6",
        make: |hub| {
            hub.todays_log(|n, line| {
                let ip = line.split(' ').find(|word| word.parse::<std::net::Ipv4Addr>().is_ok()).unwrap_or_default();
                if n % 2 == 0 { line.to_owned() } else { line.replacen(ip, "2001:db8::1", 1) }
            });
        },
        runs: true,
        end: Watched::forget_today,
    },
    Trouble {
        name: "the pages of the report cannot be written",
        check: "failed",
        make: |hub| hub.settings("[report]\npath = /nowhere/at/all\n"),
        runs: true,
        end: |hub| hub.settings(&format!("[report]\npath = {}\n", hub.path("pages").display())),
    },
    Trouble {
        name: "the line of cron is missing",
        check: "schedule",
        make: |hub| fs::remove_file(hub.path(CRON)).unwrap(),
        runs: false,
        end: |hub| hub.write(CRON, "*/5 * * * * apache /opt/hubzero/bin/hzmetrics tick\n"),
    },
];

#[test]
fn every_trouble_turns_its_check_red_everywhere_and_green_once_mended() {
    let Some(hub) = Watched::new() else { return };
    hub.is_well("the first run");
    for trouble in TROUBLES {
        (trouble.make)(&hub);
        if trouble.runs {
            let _ = hub.run("tick");
        }
        assert_eq!(hub.look(trouble.check), Seen::all("CRITICAL"), "{}", trouble.name);
        (trouble.end)(&hub);
        if trouble.runs {
            hub.run("tick").ok();
        }
        hub.is_well(trouble.name);
    }
}
