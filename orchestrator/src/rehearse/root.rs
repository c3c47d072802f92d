//! The folder in which a rehearsal works: a hub's folders, empty, and a configuration for the shadow's account.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use database::Target;
use hub::lock::Lock;
use kit::door;
use schema::keys::Value;
use schema::{Compat, Stamp};
use tempfile::TempDir;

use super::leftovers;
use crate::hub::{Audience, Hub};
use crate::overrides::{COMPAT, Overrides};

/// The sections whose settings decide what the numbers are.
const SECTIONS: [&str; 3] = ["hub", "logs", "summaries"];

/// Keys of these sections that name sources of countries; those are taken from the real rows.
const NOT_TAKEN: [&str; 3] = ["hubzero_ipgeo_url", "hub_key", "geoip"];

/// The folder; it is removed with this.
pub(super) struct Root {
    // released first: a folder that is being removed may also be removed by others
    _used: Lock,
    folder: TempDir,
    overrides: Overrides,
}

impl Root {
    /// Makes the folders, and the configuration with mode 0600.
    ///
    /// # Errors
    /// The disk is full, or the folder for temporary files cannot be written.
    pub(super) fn make(hub: &Hub, shadow: &Target) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(leftovers::PREFIX)
            // copies of logs are nobody else's business
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .context("making a folder")?;
        let used = leftovers::mark(folder.path())?;
        let at = |name: &str| folder.path().join(name);
        let logs =
            ["httpd", "hubzero"].into_iter().flat_map(|log| ["daily", "imported"].map(|at| format!("{log}/{at}")));
        for name in logs.chain(["hubzero/metrics".to_owned()]) {
            door::make_folder(&at("var/log").join(&name)).with_context(|| format!("making {name}"))?;
        }
        for name in ["var/run/hzmetrics", "etc/httpd"] {
            door::make_folder(&at(name)).with_context(|| format!("making {name}"))?;
        }
        let config = at("hzmetrics.conf");
        let mut file = door::create_new(&config, 0o600).context("writing the configuration")?;
        file.write_all(text(hub, shadow).as_bytes()).context("writing the configuration")?;
        let overrides = overrides(folder.path(), &config, hub.compat);
        Ok(Self { _used: used, folder, overrides })
    }

    /// A path in the folder.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The hub of the rehearsal, on a night if one is given.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub(super) fn hub(&self, night: Option<Stamp>) -> Result<Hub> {
        let clock = night.map(|day| ("HZMETRICS_NOW".to_owned(), clock(day).into_bytes()));
        Hub::open("rehearse", &self.overrides.with(clock), Audience::Cron, false)
    }
}

/// Before dawn of a day.
fn clock(day: Stamp) -> String {
    format!("{:04}-{:02}-{:02}T01:00", day.year(), day.month_of_year(), day.day())
}

fn overrides(root: &Path, config: &Path, compat: Compat) -> Overrides {
    use std::os::unix::ffi::OsStrExt as _;
    let path = |path: &Path| path.as_os_str().as_bytes().to_vec();
    let assignments = [
        ("HZMETRICS_ROOT", path(root)),
        ("HZMETRICS_CONFIG", path(config)),
        ("HZMETRICS_ACCESS_CFG", Vec::new()),
        ("HZMETRICS_HOME", Vec::new()),
        ("HZMETRICS_LOG", Vec::new()),
        ("HZMETRICS_GEOIP", Vec::new()),
        (COMPAT, compat.to_string().into_bytes()),
    ];
    Overrides::default().with(assignments.map(|(name, value)| (name.to_owned(), value)))
}

/// The configuration: that of the hub as far as it decides the numbers, with the shadow's databases and account.
fn text(hub: &Hub, shadow: &Target) -> String {
    let mut text = format!(
        "[db]\nhost = {}\nuser = {}\npassword = {}\nhub_db = {}\nhub_db_prefix = {}\nmetrics_db = {}\n",
        shadow.host, shadow.user, shadow.password, shadow.hub_db, shadow.prefix, shadow.metrics_db
    );
    let settings = hub.config.settings();
    for setting in settings.iter().filter(|s| s.key.section == "db" && (s.name.starts_with("ssl_") || s.name == "tls"))
    {
        let _ = writeln!(text, "{} = {}", setting.name, setting.shown());
    }
    for section in SECTIONS {
        let _ = writeln!(text, "\n[{section}]");
        let is_taken = |name: &str| !NOT_TAKEN.contains(&name) && (section, name) != ("hub", "site");
        for setting in settings.iter().filter(|s| s.key.section == section && is_taken(&s.name)) {
            if setting.key.value != Value::Secret {
                let _ = writeln!(text, "{} = {}", setting.name, setting.shown());
            }
        }
        if section == "hub" {
            let _ = writeln!(text, "site = {}\nhubzero_ipgeo_url = none", hub.config.site.name);
        }
    }
    text
}
