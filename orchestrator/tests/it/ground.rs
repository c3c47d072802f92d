//! A hub in its own tree, with folders owned by a user that the test names, and private servers for
//! the database, names and places: for programs started by root.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fixtures::Run;
use fixtures::db::{PASSWORD, Pair, SqlMode, pair};
use fixtures::geo::{GeoServer, Says};
use schema::tables::Engine;

use fixtures::name_server::{NameServer, Reply};

/// `nobody`, which exists on every system, with its group.
pub(crate) const NOBODY: u32 = 65534;

/// After this many seconds a run counts as hanging.
const PATIENCE: &str = "120";

/// When the lines run: an hour in which `tick` does the daily work.
pub(crate) const NOW: &str = "2025-07-12T23:30";

pub(crate) struct Ground {
    pub(crate) pair: Pair,
    top: tempfile::TempDir,
    owner: u32,
    _geo: GeoServer,
    _dns: NameServer,
}

/// The lines of the README's crontab, without the program in front.
pub(crate) fn seven_lines() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(readme).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once("  apache  /opt/hubzero/bin/hzmetrics run-chain "));
    let lines: Vec<_> = lines.map(|(_, chain)| format!("run-chain {chain}")).collect();
    assert_eq!(lines.len(), 7, "{lines:?}");
    lines
}

/// Requests on a day in July.
pub(crate) fn requests(day: u32, n: u32) -> String {
    (1..=n).fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            "2025-07-{day:02} 08:00:{n:02} EDT 4711 - \"GET /{day}-{n} HTTP/1.1\" 200 12 192.0.2.{n} \"-\" \
             \"Mozilla/5.0 (X11; Linux x86_64)\" TLSv1.3 0 12 1002 J C A com view task act item"
        );
        text
    })
}

impl Ground {
    /// `None`, after printing a message, if we are not root or there is no MariaDB.
    pub(crate) fn new(engine: Engine, owner: u32) -> Option<Self> {
        if !hub::identity::is_root() {
            fixtures::skip("only root can give its rights away");
            return None;
        }
        let pair = pair(engine, SqlMode::Strict)?;
        let geo = GeoServer::start(|_| Says::place(["US", "Somewhere", "R", "C", "1.5", "-2.25"]));
        let dns = NameServer::start(|_| Reply::NxDomain);
        let top = tempfile::tempdir().unwrap();
        fs::set_permissions(top.path(), Permissions::from_mode(0o755)).unwrap();
        let ground = Self { pair, top, owner, _geo: geo, _dns: dns };
        for folder in ["log/httpd/daily", "log/httpd/imported", "log/hubzero/daily", "log/hubzero/imported"] {
            fs::create_dir_all(ground.at("var").join(folder)).unwrap();
        }
        fs::create_dir_all(ground.at("var/www/hub/app/site/stats/maps")).unwrap();
        fs::create_dir_all(ground.at("etc/httpd")).unwrap();
        ground.write("etc/hubzero.conf", "site = hub\n", 0o644);
        ground.write("etc/hubzero-metrics/access.cfg", &ground.access_cfg(), 0o640);
        let dns = format!("[dns]\nnameserver = {}\n", ground._dns.address());
        ground.write("etc/hubzero-metrics/hzmetrics.conf", &dns, 0o644);
        ground.write("etc/cron.d/hubzero-metrics", "*/5 * * * * nobody /opt/hubzero/bin/hzmetrics tick\n", 0o644);
        ground.put_logs(11);
        ground.give_away();
        Some(ground)
    }

    fn access_cfg(&self) -> String {
        let values = [
            ("hub_dir", self.at("var/www/hub").display().to_string()),
            ("hub_db", self.pair.hub.clone()),
            ("metrics_db", self.pair.metrics.clone()),
            ("db_host", self.pair.socket().display().to_string()),
            ("db_user", self.pair.mode.user().to_owned()),
            ("db_pass", PASSWORD.to_owned()),
            ("db_prefix", "jos_".to_owned()),
            ("hubzero_ipgeo_url", self._geo.url()),
        ];
        values.iter().map(|(name, value)| format!("${name} = '{value}';\n")).collect()
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.top.path().join(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    /// The access log of a day.
    pub(crate) fn daily(&self, day: u32) -> PathBuf {
        self.at(&format!("var/log/httpd/daily/hub-access.log-202507{day:02}"))
    }

    /// Both logs of a day, owned by the owner of the folders.
    pub(crate) fn put_logs(&self, day: u32) {
        let auth = format!("2025-07-{day:02} 00:10:00 1001 emmy 192.0.2.1 login\n");
        let path = self.at(&format!("var/log/hubzero/daily/cmsauth.log-202507{day:02}"));
        for (path, text) in [(self.daily(day), requests(day, 3)), (path, auth)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
            self.give(&path);
        }
    }

    /// Changes the owner of a file, or of a link itself.
    pub(crate) fn give(&self, path: &Path) {
        std::os::unix::fs::lchown(path, Some(self.owner), Some(self.owner)).unwrap();
    }

    /// The owner owns the log folders and the map's folder; his group may read the configuration.
    fn give_away(&self) {
        for folder in ["daily", "imported"].iter().flat_map(|name| [format!("httpd/{name}"), format!("hubzero/{name}")])
        {
            self.give(&self.at("var/log").join(folder));
        }
        self.give(&self.at("var/www/hub/app/site/stats/maps"));
        std::os::unix::fs::chown(self.at("etc/hubzero-metrics/access.cfg"), Some(0), Some(self.owner)).unwrap();
    }

    /// The folders of our own files, as created by an installation.
    pub(crate) fn make_our_folders(&self) {
        for folder in ["var/log/hubzero/metrics", "var/run/hzmetrics"] {
            fs::create_dir_all(self.at(folder)).unwrap();
            self.give(&self.at(folder));
        }
    }

    /// `PROGRAM ARGUMENTS…` as root; killed if it does not end.
    pub(crate) fn start(&self, line: &str) -> Run {
        self.prepared(fixtures::run("timeout").arg(PATIENCE), line)
    }

    /// The same as the owner of the folders.
    pub(crate) fn start_as_owner(&self, line: &str) -> Run {
        let owner = self.owner.to_string();
        let run = fixtures::run("setpriv").args(["--reuid", &owner, "--regid", &owner, "--clear-groups"]);
        self.prepared(run.args(["timeout", PATIENCE]), line)
    }

    fn prepared(&self, run: Run, line: &str) -> Run {
        let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
        let exe = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(program);
        assert!(exe.exists(), "{program} is not built; `cargo xtask test` builds everything");
        run.arg(exe)
            .args(rest.split_whitespace())
            .dir(self.top.path())
            .env("HZMETRICS_ROOT", self.top.path())
            .env("HZMETRICS_NOW", NOW)
    }

    /// Every file in the tree, with its owner and the time of its last change of any kind.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, (u32, (i64, i64))> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.top.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                if meta.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path, (meta.uid(), (meta.ctime(), meta.ctime_nsec())));
                }
            }
        }
        found
    }

    /// Files created or changed since `before` that do not belong to the owner.
    pub(crate) fn of_others_since(&self, before: &BTreeMap<PathBuf, (u32, (i64, i64))>) -> Vec<PathBuf> {
        let now = self.files().into_iter();
        let of_others = now.filter(|(path, found)| found.0 != self.owner && before.get(path) != Some(found));
        of_others.map(|(path, _)| path).collect()
    }
}
