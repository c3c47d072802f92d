//! The paths on a hub. `HZMETRICS_ROOT` moves all of them below another folder, except those set by
//! a variable of their own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::env::Env;
use kit::door::Logs;
use logs::roots::Roots;

/// The fixed places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
    home: Option<PathBuf>,
    log: Option<PathBuf>,
}

impl Paths {
    /// From `HZMETRICS_ROOT`, `HZMETRICS_HOME` and `HZMETRICS_LOG`; empty ones count as unset.
    #[must_use]
    pub fn new(env: Env<'_>) -> Self {
        let path = |name: &str| env(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        Self {
            root: path("HZMETRICS_ROOT").unwrap_or_else(|| PathBuf::from("/")),
            home: path("HZMETRICS_HOME"),
            log: path("HZMETRICS_LOG"),
        }
    }

    /// `path` (absolute) below the root.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// `/etc/hubzero.conf`, which names the site.
    #[must_use]
    pub fn hubzero_conf(&self) -> PathBuf {
        self.at("/etc/hubzero.conf")
    }

    /// `/etc/hubzero-metrics`.
    #[must_use]
    pub fn etc(&self) -> PathBuf {
        self.at("/etc/hubzero-metrics")
    }

    /// The administrator's own chains.
    #[must_use]
    pub fn chains(&self) -> PathBuf {
        self.etc().join("chains")
    }

    /// The home of the port: `HZMETRICS_HOME`, else `/opt/hubzero/metrics`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.home.clone().unwrap_or_else(|| self.at("/opt/hubzero/metrics"))
    }

    /// Locks and the readable copy of the state: `/var/run/hzmetrics`, or `state` in
    /// `HZMETRICS_HOME` if that is set.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.home.as_ref().map_or_else(|| self.at("/var/run/hzmetrics"), |home| home.join("state"))
    }

    /// The pid lock.
    #[must_use]
    pub fn pid_lock(&self) -> PathBuf {
        self.runtime().join("hzmetrics.pid")
    }

    /// The lock of whoisonline.
    #[must_use]
    pub fn whoisonline_lock(&self) -> PathBuf {
        self.runtime().join("hzmetrics.whoisonline.lock")
    }

    /// The lock for applying migrations.
    #[must_use]
    pub fn migrate_lock(&self) -> PathBuf {
        self.runtime().join("hzmetrics-migrate.lock")
    }

    /// The readable copy of the state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.runtime().join("hzmetrics.state")
    }

    /// The log of the orchestrator: `HZMETRICS_LOG`, else in the staging folder.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.log.clone().unwrap_or_else(|| self.staging().join("hzmetrics.log"))
    }

    /// Logs of the web server: `/var/log/apache2` if `/etc/apache2` is a folder, else
    /// `/var/log/httpd`.
    #[must_use]
    pub fn web_logs(&self) -> PathBuf {
        let debian = self.at("/etc/apache2").is_dir();
        self.at(if debian { "/var/log/apache2" } else { "/var/log/httpd" })
    }

    /// Logs of the CMS.
    #[must_use]
    pub fn cms_logs(&self) -> PathBuf {
        self.at("/var/log/hubzero")
    }

    /// The folders that paths in lists and receipts must be below: the log folders.
    #[must_use]
    pub fn log_roots(&self) -> Roots {
        Roots::Named(vec![self.web_logs(), self.cms_logs()])
    }

    /// The door to the logs of the web server and the CMS.
    #[must_use]
    pub fn open_logs(&self) -> Logs {
        Logs::within([self.web_logs(), self.cms_logs()])
    }

    /// The staging folder.
    #[must_use]
    pub fn staging(&self) -> PathBuf {
        self.at("/var/log/hubzero/metrics")
    }

    /// The list of the forgotten, with its key.
    #[must_use]
    pub fn forgotten(&self) -> PathBuf {
        self.staging().join("_forgotten.json")
    }

    /// The keys of the hashes of addresses that are still needed.
    #[must_use]
    pub fn address_keys(&self) -> PathBuf {
        self.staging().join("_address_keys.json")
    }

    /// What `hzmetrics forget-user` has begun.
    #[must_use]
    pub fn being_forgotten(&self) -> PathBuf {
        self.staging().join("_forget-user.json")
    }

    /// The staged access log; after its import it has the name [`Paths::imported_staged`].
    #[must_use]
    pub fn staged_access(&self) -> PathBuf {
        self.staging().join("_hub_apache.log")
    }

    /// The staged auth log.
    #[must_use]
    pub fn staged_auth(&self) -> PathBuf {
        self.staging().join("_hub_auth.log")
    }

    /// The name of a staged file after its import.
    #[must_use]
    pub fn imported_staged(&self, staged: &Path) -> PathBuf {
        let mut name = OsString::from("_prev");
        name.push(staged.file_name().unwrap_or_default());
        staged.with_file_name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::env;

    #[test]
    fn paths_are_those_of_a_hub() {
        let paths = Paths::new(&env(&[]));
        let shown = |path: PathBuf| path.display().to_string();
        assert_eq!(shown(paths.hubzero_conf()), "/etc/hubzero.conf");
        assert_eq!(shown(paths.chains()), "/etc/hubzero-metrics/chains");
        assert_eq!(shown(paths.pid_lock()), "/var/run/hzmetrics/hzmetrics.pid");
        assert_eq!(shown(paths.whoisonline_lock()), "/var/run/hzmetrics/hzmetrics.whoisonline.lock");
        assert_eq!(shown(paths.migrate_lock()), "/var/run/hzmetrics/hzmetrics-migrate.lock");
        assert_eq!(shown(paths.state()), "/var/run/hzmetrics/hzmetrics.state");
        assert_eq!(shown(paths.home()), "/opt/hubzero/metrics");
        assert_eq!(shown(paths.log()), "/var/log/hubzero/metrics/hzmetrics.log");
        assert_eq!(shown(paths.cms_logs()), "/var/log/hubzero");
        assert_eq!(shown(paths.staged_access()), "/var/log/hubzero/metrics/_hub_apache.log");
        assert_eq!(shown(paths.staged_auth()), "/var/log/hubzero/metrics/_hub_auth.log");
        assert_eq!(shown(paths.imported_staged(&paths.staged_auth())), "/var/log/hubzero/metrics/_prev_hub_auth.log");
    }

    #[test]
    fn the_root_moves_all_paths() {
        let root = tempfile::tempdir().unwrap();
        let root_text = root.path().to_str().unwrap();
        let paths = Paths::new(&env(&[("HZMETRICS_ROOT", root_text)]));
        let all = [
            paths.hubzero_conf(),
            paths.etc(),
            paths.chains(),
            paths.home(),
            paths.pid_lock(),
            paths.log(),
            paths.web_logs(),
            paths.cms_logs(),
            paths.staging(),
            paths.staged_access(),
        ];
        for path in all {
            assert!(path.starts_with(root.path()), "{}", path.display());
        }
        assert!(paths.web_logs().ends_with("var/log/httpd"));
        std::fs::create_dir_all(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/apache2"), "").unwrap();
        assert!(paths.web_logs().ends_with("var/log/httpd"), "a file is not a folder");
        std::fs::remove_file(root.path().join("etc/apache2")).unwrap();
        std::fs::create_dir_all(root.path().join("etc/apache2")).unwrap();
        assert!(paths.web_logs().ends_with("var/log/apache2"));
    }

    #[test]
    fn paths_set_by_a_variable_are_not_moved() {
        let paths =
            Paths::new(&env(&[("HZMETRICS_ROOT", "/r"), ("HZMETRICS_HOME", "/h"), ("HZMETRICS_LOG", "/l/x.log")]));
        assert_eq!(paths.pid_lock(), Path::new("/h/state/hzmetrics.pid"));
        assert_eq!(paths.log(), Path::new("/l/x.log"));
        assert_eq!(Paths::new(&env(&[("HZMETRICS_ROOT", "")])).etc(), Path::new("/etc/hubzero-metrics"));
    }
}
