//! A made-up hub: log directories below a root folder of its own, and a pair of databases.

use std::fs;
use std::path::{Path, PathBuf};

use fixtures::Run;
use fixtures::db::{Pair, SqlMode};
use schema::tables::Engine;
use tempfile::TempDir;

pub(crate) struct Hub {
    pub(crate) pair: Pair,
    root: TempDir,
    config: PathBuf,
}

/// The columns of `web` but the id.
pub(crate) const WEB: &str = "datetime, ip, content, referrer, useragent, uidNumber, apache_pid, joomla_sessionid, \
     site_cookie, auth_type, component_name, view_name, task_name, action_name, item_name, elementid, sessionid, \
     ipcountry, host, domain, dnload";

impl Hub {
    /// On the server that all tests share; `None` if there is no server.
    pub(crate) fn new(engine: Engine, mode: SqlMode) -> Option<Self> {
        fixtures::db::names(mode).map(|pair| Self::on(pair, engine))
    }

    pub(crate) fn on(pair: Pair, engine: Engine) -> Self {
        pair.create_metrics(engine, true);
        // written once, because processes that start at the same time read it
        let config = pair.config();
        let hub = Self { pair, root: tempfile::tempdir().unwrap(), config };
        fs::create_dir_all(hub.root.path().join("etc/httpd")).unwrap();
        fs::write(hub.root.path().join("etc/hubzero.conf"), "site = hub\n").unwrap();
        for directory in ["httpd/daily", "httpd/imported", "hubzero/daily", "hubzero/imported", "hubzero/metrics"] {
            fs::create_dir_all(hub.at(directory)).unwrap();
        }
        hub
    }

    /// A place below `/var/log` of the hub.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join("var/log").join(path)
    }

    pub(crate) fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(path);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes our own configuration.
    pub(crate) fn configure(&self, text: &str) {
        let folder = self.root.path().join("etc/hubzero-metrics");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("hzmetrics.conf"), text).unwrap();
    }

    /// The environment of the hub's runs.
    pub(crate) fn env(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("HZMETRICS_ROOT", self.root.path().to_owned()),
            ("HZMETRICS_ACCESS_CFG", self.config.clone()),
            ("HZMETRICS_DB_SOCKET", self.pair.socket()),
            ("HZMETRICS_HOME", self.pair.home().to_owned()),
        ]
    }

    pub(crate) fn run(&self, exe: impl AsRef<std::ffi::OsStr>) -> Run {
        self.env().into_iter().fold(fixtures::run(exe), |run, (name, value)| run.env(name, value))
    }

    pub(crate) fn import(&self) -> Run {
        self.run(env!("CARGO_BIN_EXE_import-logs"))
    }

    /// Loads files directly.
    pub(crate) fn load(&self, files: &[&Path]) -> Run {
        self.import().args(["--to", "db"]).args(files)
    }

    /// The content of the tables without ids, in the order of the ids.
    pub(crate) fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for query in [
            &format!("SELECT {WEB} FROM web ORDER BY id"),
            "SELECT datetime, hits FROM webhits",
            "SELECT datetime, uidNumber, user, ip, action FROM userlogin ORDER BY id",
            "SELECT useragent FROM bot_useragents ORDER BY BINARY useragent",
        ] {
            rows.push(format!("-- {}", &query[query.find("FROM").unwrap()..]));
            rows.extend(self.pair.lines(query));
        }
        rows
    }

    /// The ledger: file, table, rows, and the number of ids in its range.
    pub(crate) fn ledger(&self) -> Vec<String> {
        self.pair.lines(
            "SELECT filename, target_table, row_count, pk_end - pk_start + 1 FROM imported_sources \
             ORDER BY target_table, filename",
        )
    }

    pub(crate) fn count(&self, table: &str) -> usize {
        self.pair.value(&format!("SELECT COUNT(*) FROM {table}")).unwrap().parse().unwrap()
    }

    /// The hub's files below `/var/log` without staging, with their decompressed content.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for directory in ["httpd/daily", "httpd/imported", "hubzero/daily", "hubzero/imported"] {
            for entry in fs::read_dir(self.at(directory)).unwrap() {
                let path = entry.unwrap().path();
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut kit::open(&path).unwrap(), &mut bytes).unwrap();
                files.push((format!("{directory}/{}", path.file_name().unwrap().to_string_lossy()), bytes));
            }
        }
        files.sort();
        files
    }
}

/// The executable of another stage of this build.
pub(crate) fn stage(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_import-logs")).with_file_name(name);
    assert!(path.exists(), "{name} is not built; `cargo xtask test` builds everything");
    path
}
