//! Follows `docs/web-server.md` to the letter on a machine of its own: a copy of this one that forgets
//! every change (an overlay in a mount namespace), with a real Apache, curl and logrotate. Then the seven
//! lines of the README and `tick` do their work there as the web server's user, with Debian's permissions
//! for logs.
//!
//! Needs root, Apache, curl and logrotate; says so loudly if one is missing.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fixtures::db::{PASSWORD, Pair, SqlMode, names};
use fixtures::geo::{GeoServer, Says};
use fixtures::{EXECUTABLES, Finished};
use schema::tables::Engine;

use fixtures::name_server::{NameServer, Reply};

/// The copy of the machine, as `$M`, and a shell script in it.
const OUTSIDE: &str = include_str!("web_server/outside.sh");
/// A hub on a fresh Debian, set up by our installer; the next two continue from there.
const HUB: &str = include_str!("web_server/hub.sh");
/// Apache as on the page, good and odd requests, and a rotation in between.
const DEBIAN: &str = include_str!("web_server/debian.sh");
/// The command lines of the systemd units, confined.
const UNITS: &str = include_str!("web_server/units.sh");
/// The folder of Rocky Linux with its ACL, a rotation, a reader.
const ROCKY: &str = include_str!("web_server/rocky.sh");

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The block of the page after `<!-- snippet: NAME -->`, for a site called `hub`.
fn snippet(name: &str) -> String {
    let page = fs::read_to_string(checkout().join("docs/web-server.md")).unwrap();
    let after = page.split_once(&format!("<!-- snippet: {name} -->\n")).expect("the page has the snippet").1;
    let (first, rest) = after.split_once('\n').unwrap();
    assert!(first.starts_with("```"), "{first}");
    rest.split_once("\n```").unwrap().0.replace("NAME", "hub") + "\n"
}

/// The crontab lines in the README: command lines for the web server's user.
fn cron_lines() -> Vec<String> {
    let readme = fs::read_to_string(checkout().join("README.md")).unwrap();
    let lines = readme.lines().filter(|line| line.contains("  apache  /"));
    lines.map(|line| line.split_once("  apache  ").unwrap().1.to_owned()).collect()
}

/// Whether everything that the tests need is here; says what is missing.
fn is_possible(programs: &[&str]) -> bool {
    let mut missing: Vec<String> = programs
        .iter()
        .filter(|name| !["/usr/sbin", "/usr/bin"].iter().any(|bin| Path::new(bin).join(name).exists()))
        .map(|name| format!("{name} is not installed"))
        .collect();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        missing.push("only root can do this".to_owned());
    } else if fixtures::run("unshare").args(["-m", "-p", "-f", "true"]).finish().code != 0 {
        missing.push("no namespace can be made here".to_owned());
    }
    if !missing.is_empty() {
        fixtures::skip(&missing.join(", "));
    }
    missing.is_empty()
}

/// A machine that runs the script.
struct Machine {
    top: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        fs::set_permissions(top.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { top }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    /// The installer's programs, which are replaced by those of this build on the machine.
    fn package(&self) {
        let deploy = checkout().join("scripts/deploy");
        let package = self.at("package");
        fixtures::run("mkdir").arg(&package).finish().ok();
        fixtures::run("cp").arg("-r").arg(&deploy).arg(package.join("deploy")).finish().ok();
        fixtures::run("mv").arg(package.join("deploy/install.sh")).arg(&package).finish().ok();
        fixtures::run("mkdir").arg(package.join("share")).finish().ok();
        for name in EXECUTABLES {
            self.write(&format!("package/bin/{name}"), "#!/bin/sh\n");
        }
    }

    /// Runs a script on the machine.
    fn run(&self, script: &str, variables: &[(&str, String)]) -> Finished {
        self.write("script", script);
        self.write("outside", OUTSIDE);
        let built = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).parent().unwrap();
        let run = fixtures::run("unshare").args(["-m", "-p", "-f", "--kill-child", "sh"]).arg(self.at("outside"));
        let run = run.env("T", self.top.path()).env("BUILT", built).env("PROGRAMS", EXECUTABLES.join(" "));
        variables.iter().fold(run, |run, (name, value)| run.env(name, value)).finish()
    }
}

fn access_cfg(pair: &Pair, geo: &GeoServer) -> String {
    let values = [
        ("hub_dir", "/var/www/hub"),
        ("hub_db", &pair.hub),
        ("metrics_db", &pair.metrics),
        ("db_host", &pair.socket().display().to_string()),
        ("db_user", pair.mode.user()),
        ("db_pass", PASSWORD),
        ("db_prefix", "jos_"),
        ("hubzero_ipgeo_url", &geo.url()),
    ];
    values.iter().map(|(name, value)| format!("${name} = '{value}';\n")).collect()
}

/// A hub with tables of the original package, and servers for names and places.
struct Hub {
    machine: Machine,
    pair: Pair,
    geo: GeoServer,
    _dns: NameServer,
}

impl Hub {
    /// `None`, after printing a message, without MariaDB.
    fn new() -> Option<Self> {
        let pair = names(SqlMode::Strict)?;
        pair.create_hub(true);
        pair.create_metrics(Engine::MyIsam, true);
        let geo = GeoServer::start(|_| Says::place(["US", "Somewhere", "R", "C", "1.5", "-2.25"]));
        let dns = NameServer::start(|_| Reply::NxDomain);
        let machine = Machine::new();
        machine.package();
        machine.write("access.cfg", &access_cfg(&pair, &geo));
        machine.write("dns.conf", &format!("[dns]\nnameserver = {}\n", dns.address()));
        Some(Self { machine, pair, geo, _dns: dns })
    }

    /// Installs with these options and continues with the script; returns the output, for messages.
    fn run(&self, install: &str, script: &str) -> String {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let variables = [
            ("PORT", port.to_string()),
            ("SOCKET", self.pair.socket().parent().unwrap().display().to_string()),
            ("PROXY", self.geo.url().split_once("/ipinfo").unwrap().0.to_owned()),
            ("INSTALL", install.to_owned()),
        ];
        let ran = self.machine.run(&[HUB, script].concat(), &variables);
        let mut shown = format!("{}\n{}", ran.text(), ran.stderr);
        for name in ["probe", "said", "seven.said", "tick.said"] {
            shown += &fs::read_to_string(self.machine.at("out").join(name)).unwrap_or_default();
        }
        assert_eq!(ran.code, 0, "{shown}");
        shown
    }
}

#[test]
fn on_debian_set_up_as_documented_everything_is_counted() {
    if !is_possible(&["apache2", "curl", "logrotate"]) {
        return;
    }
    let Some(hub) = Hub::new() else { return };
    let (machine, pair) = (&hub.machine, &hub.pair);
    for name in ["logformat", "stock", "logrotate", "debian"] {
        machine.write(name, &snippet(name));
    }
    let lines = cron_lines();
    let (tick, seven) = lines.split_last().unwrap();
    assert!(seven.len() == 7 && tick.ends_with(" tick"), "{lines:?}");
    machine.write("seven", &(seven.join("\n") + "\n"));
    machine.write("tick", tick);
    let shown = hub.run("", DEBIAN);

    // every line that Apache wrote was recognised, and the rotation lost or repeated none
    assert_eq!(machine.read("out/rejects"), "", "{shown}");
    let sent: usize = machine.read("out/sent").trim().parse().unwrap();
    let logged = machine.read("out/logged");
    let mut numbers: Vec<usize> =
        logged.lines().filter_map(|line| line.split_once("?n=")?.1.split_once(' ')?.0.parse().ok()).collect();
    numbers.sort_unstable();
    assert!(numbers == (0..sent).collect::<Vec<_>>(), "{} of {sent} requests\n{shown}", numbers.len());
    // on a healthy hub the seven lines print nothing; the day's log is in the tables and in
    // imported/
    assert_eq!(machine.read("out/seven.said"), "", "{shown}");
    assert_eq!(machine.read("out/tick.said"), "", "{shown}");
    assert_eq!(machine.read("out/left"), "", "{shown}");
    assert_eq!(
        machine.read("out/imported").lines().filter(|line| line.contains("hub-access.log")).count(),
        2,
        "{shown}"
    );
    let rows = pair.value("SELECT COUNT(*) FROM web WHERE content LIKE '/counted%'");
    assert_eq!(rows.as_deref(), Some(machine.read("out/counted").trim()), "{shown}");
    // root did none of it
    assert_eq!(machine.read("out/of-root"), "", "{shown}");
}

#[test]
fn on_rocky_an_acl_lets_the_user_read_what_was_rotated() {
    if !is_possible(&["logrotate", "setfacl"]) {
        return;
    }
    let machine = Machine::new();
    machine.write("rocky", &snippet("rocky"));
    // the stanza, changed as the page says
    let stanza = snippet("logrotate").replace("apache2", "httpd").replace("root adm", "root root");
    machine.write("logrotate", &stanza.replace("apachectl", "true"));
    let ran = machine.run(ROCKY, &[]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.text(), ran.stderr);
    assert_eq!(machine.read("out/read"), "first\nsecond\n", "{}", ran.stderr);
    assert_eq!(machine.read("out/others"), "", "somebody else can read it");
}

/// Runs [`UNITS`] with the restrictions of the units, except those that need systemd.
const CONFINED: [&str; 9] = [
    "NoNewPrivileges",
    "CapabilityBoundingSet",
    "AmbientCapabilities",
    "UMask",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "ProtectKernelTunables",
];
const NOT_HERE: [&str; 13] = [
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "ProtectClock",
    "ProtectHostname",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "SystemCallArchitectures",
    "SystemCallFilter",
];

/// A line of an access log in the layout of hubs.
fn line(day: &str, n: usize) -> String {
    format!(
        "{day} 10:00:{n:02} UTC 7 - \"GET /counted/{n} HTTP/1.1\" 200 99 10.0.0.{n} \"-\" \"Mozilla/5.0\" 443 0 1 - - - - - - - - -\n"
    )
}

#[test]
fn units_work_within_their_restrictions() {
    for unit in ["hzmetrics", "hzmetrics-whoisonline"] {
        let text = fs::read_to_string(checkout().join(format!("scripts/deploy/systemd/{unit}.service"))).unwrap();
        let service = text.split_once("[Service]\n").unwrap().1;
        let keys = service.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key);
        let usual = ["Type", "User", "Group", "ExecStart", "Nice", "SuccessExitStatus", "SystemCallErrorNumber"];
        let is_known = |key: &&str| {
            usual.contains(key) || key.starts_with("Timeout") || CONFINED.contains(key) || NOT_HERE.contains(key)
        };
        assert_eq!(keys.filter(|key| !is_known(key)).collect::<Vec<_>>(), Vec::<&str>::new(), "{unit}");
    }
    if !is_possible(&["setpriv"]) {
        return;
    }
    let Some(hub) = Hub::new() else { return };
    let (machine, pair) = (&hub.machine, &hub.pair);
    pair.sql(
        "INSERT INTO {hub}.jos_session (session_id, guest, time, userid, username, ip) VALUES \
         ('a', 0, '4000000000', 1001, 'emmy1', '9.0.0.1')",
    );
    machine.write("debian", &snippet("debian"));
    let day = fixtures::run("date").arg("+%F").finish().ok().text().trim().to_owned();
    let text: String = (0..20).map(|n| line(&day, n)).collect();
    machine.write(&format!("logs/hub-access.log-{}", day.replace('-', "")), &text);
    machine.write(
        "probe",
        "touch /usr/x /etc/x ~root/x; id -un; grep -E 'NoNewPrivs|CapBnd' /proc/self/status; umask; ls /dev\n",
    );
    let shown = hub.run("--systemd", UNITS);
    let probe = machine.read("out/probe");
    assert_eq!(
        probe.matches("Read-only file system").count() + probe.matches("Permission denied").count(),
        3,
        "{probe}"
    );
    for words in ["www-data\n", "NoNewPrivs:\t1\n", "CapBnd:\t0000000000000000\n", "0027\n"] {
        assert!(probe.contains(words), "{words} in {probe}");
    }
    assert!(!probe.contains("vda") && probe.contains("urandom"), "{probe}");
    assert_eq!(machine.read("out/said"), "", "{shown}");
    assert_eq!(machine.read("out/left"), "", "{shown}");
    assert!(machine.read("out/maps").contains("whoisonline"), "{shown}");
    assert_eq!(
        pair.value("SELECT COUNT(*) FROM web WHERE content LIKE '/counted/%'").as_deref(),
        Some("20"),
        "{shown}"
    );
}
