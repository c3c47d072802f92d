//! The configuration: which file is read, its settings, and the paths on a hub.
//!
//! Two layouts are read: `access.cfg` of the legacy scripts with an optional `hzmetrics.conf` next
//! to it, and the port's single `hzmetrics.conf`. Neither is ever written. A password is never
//! shown.

mod access;
mod env;
mod ini;
mod malformed;
mod paths;
mod settings;
mod target;
mod texts;
mod tls;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use schema::{Compat, Opt};

use kit::Usage;
use logs::roots::Roots;

use access::Access;
use ini::Ini;

pub use access::Quotes;
pub use env::{Env, LOG_FORMAT, process_env};
pub use paths::Paths;
use settings::Settings;
pub use settings::{Origin, Setting, Stray};
pub use target::{Target, Which};
pub use texts::{HANDED, Handed};
use texts::{Text, Texts};
pub use tls::{SslMode, Tls};

/// The default geo service.
pub const DEFAULT_GEO_URL: &str = "https://help.hubzero.org/ipinfo/v1";
/// The default key for the geo service.
pub const DEFAULT_GEO_KEY: &str = "_HUBZERO_OPNSRC_V1_";
/// The default prefix of the hub's tables.
pub const DEFAULT_PREFIX: &str = "jos_";
/// The default name of the site.
pub const DEFAULT_SITE: &str = "hub";

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the code that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(empty)" } else { "(not shown)" })
    }
}

/// Settings of reverse DNS.
#[derive(Debug, Clone, PartialEq)]
pub struct Dns {
    /// The name server; `None` means the system's.
    pub nameserver: Option<String>,
    /// Maximum number of lookups in progress.
    pub concurrency: u32,
    /// Total time for a lookup.
    pub timeout: Duration,
}

impl Default for Dns {
    fn default() -> Self {
        Self { nameserver: None, concurrency: 100, timeout: Duration::from_secs(2) }
    }
}

impl Dns {
    /// Applies the environment.
    #[must_use]
    pub fn with_environment(self, env: Env<'_>) -> Self {
        let variable = |name: &str| env(name).map(|value| value.to_string_lossy().into_owned());
        self.with(
            variable("HZMETRICS_DNS_NAMESERVER").as_deref(),
            variable("HZMETRICS_DNS_CONCURRENCY").as_deref(),
            variable("HZMETRICS_DNS_TIMEOUT").as_deref(),
        )
    }

    /// Applies the given values that are valid; the others stay unchanged.
    #[must_use]
    pub fn with(mut self, nameserver: Option<&str>, concurrency: Option<&str>, timeout: Option<&str>) -> Self {
        if let Some(name) = nameserver.map(str::trim) {
            self.nameserver = (!name.is_empty() && !name.eq_ignore_ascii_case("system")).then(|| name.to_owned());
        }
        if let Some(n) = concurrency.and_then(|text| text.trim().parse().ok()).filter(|n| *n > 0) {
            self.concurrency = n;
        }
        let seconds = timeout.and_then(|text| text.trim().parse::<f64>().ok()).filter(|seconds| *seconds > 0.0);
        if let Some(timeout) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            self.timeout = timeout;
        }
        self
    }

    /// The name server in words.
    #[must_use]
    pub fn nameserver_name(&self) -> &str {
        self.nameserver.as_deref().unwrap_or("system")
    }
}

/// Defaults for finding and reading access logs, and for the source of countries. The texts are not
/// interpreted here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logs {
    /// The layout: a name, a format, or `auto`.
    pub log_format: Option<String>,
    /// The header with the client's address.
    pub client_from: Option<String>,
    /// Networks of trusted proxies.
    pub trusted_proxies: Option<String>,
    /// The zone of the written times.
    pub timezone: Option<String>,
    /// A database of countries.
    pub geoip: Option<String>,
    /// The site in the names of access logs, if it differs from the hub's name.
    pub site_filter: Option<String>,
}

impl Logs {
    /// Applies the environment.
    fn with_environment(self, env: Env<'_>) -> Self {
        let variable = |key: &str| env(&format!("HZMETRICS_{}", key.to_ascii_uppercase()));
        let texts = ["log_format", "client_from", "trusted_proxies", "timezone", "geoip", "site_filter"]
            .map(|key| (key, variable(key).map(|value| value.to_string_lossy().into_owned())))
            .map(|(key, value)| {
                (key, value.filter(|value| key != "log_format" || !env::is_of_our_log(LOG_FORMAT, value)))
            });
        self.with(|key| texts.iter().find(|(known, _)| *known == key).and_then(|(_, text)| text.as_deref()))
    }

    /// Applies the values that are given and not empty.
    fn with<'t>(mut self, get: impl Fn(&str) -> Option<&'t str>) -> Self {
        let text = |key| get(key).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        self.log_format = text("log_format").or(self.log_format);
        self.client_from = text("client_from").or(self.client_from);
        self.trusted_proxies = text("trusted_proxies").or(self.trusted_proxies);
        self.timezone = text("timezone").or(self.timezone);
        self.geoip = text("geoip").or(self.geoip);
        self.site_filter = text("site_filter").or(self.site_filter);
        self
    }
}

/// Where figures for monitoring systems go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// The file that Prometheus' node exporter collects.
    pub textfile: Option<PathBuf>,
    /// The statsd server, `HOST:PORT`.
    pub statsd: Option<String>,
}

impl Metrics {
    fn of(ini: &Ini) -> Self {
        let text = |key| ini.get("metrics", key).filter(|text| !text.is_empty());
        Self { textfile: text("textfile").map(PathBuf::from), statsd: text("statsd").map(str::to_owned) }
    }
}

/// The usage report as pages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The folder of the pages.
    pub path: Option<PathBuf>,
    /// Permissions of the pages, as they are written.
    pub mode: Option<String>,
    /// Owner and group of the pages, as they are written.
    pub owner: Option<String>,
}

impl Report {
    fn of(ini: &Ini) -> Self {
        let text = |key| ini.get("report", key).filter(|text| !text.is_empty()).map(str::to_owned);
        Self { path: text("path").map(PathBuf::from), mode: text("mode"), owner: text("owner") }
    }
}

/// The permissions of pages from octal digits.
///
/// # Errors
/// What they must be.
pub fn mode_of_pages(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| mode & !0o664 == 0 && mode & 0o600 == 0o600);
    mode.ok_or_else(|| "permissions of a file like 0644, 0640 or 0664".to_owned())
}

/// What is stored about people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Privacy {
    /// How addresses are stored, as written.
    pub addresses: Option<String>,
    /// After how many days stored addresses are hashed, as written.
    hash_after_days: Option<String>,
    /// For how many months a key holds, as written.
    hash_key_months: Option<String>,
}

/// When addresses of stored rows are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashing {
    /// So many days after the end of their month.
    pub days: u32,
    /// With one key for so many months.
    pub key_months: u32,
}

impl Privacy {
    fn of(ini: &Ini) -> Self {
        let text = |key| ini.get("privacy", key).filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            addresses: text("addresses"),
            hash_after_days: text("hash_after_days"),
            hash_key_months: text("hash_key_months"),
        }
    }

    /// Whether and when addresses are hashed.
    ///
    /// # Errors
    /// A value is not what it must be ([`Usage`]).
    pub fn hashing(&self) -> Result<Option<Hashing>, Usage> {
        let number = |key: &str, text: &Option<String>, most: u32, what: &str| {
            let Some(text) = text.as_deref().filter(|text| *text != "never") else { return Ok(None) };
            let n = text.parse::<u32>().ok().filter(|n| (1..=most).contains(n));
            n.map(Some).ok_or_else(|| Usage(format!("[privacy] {key} is `{text}`, which is not 1 to {most} {what}")))
        };
        let days = number("hash_after_days", &self.hash_after_days, 36_500, "days")?;
        let key_months = number("hash_key_months", &self.hash_key_months, 1200, "months")?;
        Ok(days.map(|days| Hashing { days, key_months: key_months.unwrap_or(1) }))
    }
}

/// For how long things are kept, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retention(BTreeMap<&'static str, String>);

impl Retention {
    fn of(ini: &Ini) -> Self {
        let keys = schema::keys::KEYS.iter().filter(|key| key.section == "retention");
        let value = |name| ini.get("retention", name).filter(|text| !text.is_empty()).map(str::to_owned);
        Self(keys.filter_map(|key| Some((key.name, value(key.name)?))).collect())
    }

    /// The value of a key, if it has one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Who is told of troubles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notify {
    /// An address that is fetched after each successful run, with `/fail` behind it after a failed one.
    pub heartbeat_url: Option<String>,
    /// A program that gets an event when a trouble begins and when it ends.
    pub command: Option<String>,
}

impl Notify {
    fn of(ini: &Ini) -> Self {
        let text = |key| ini.get("notify", key).filter(|text| !text.is_empty()).map(str::to_owned);
        Self { heartbeat_url: text("heartbeat_url"), command: text("command") }
    }
}

/// What the site is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The name in the names of log files.
    pub name: String,
    /// Whether it was explicitly named somewhere.
    pub explicit: bool,
}

/// The content of the files and the environment.
///
/// ```
/// // without a file: the usual places, below a root that the environment names
/// let config = hub::config::without_file(&|name| (name == "HZMETRICS_ROOT").then(|| "/srv/test".into()));
/// assert_eq!(config.paths.staging(), std::path::Path::new("/srv/test/var/log/hubzero/metrics"));
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The file with the credentials; `None` if there is none.
    pub file: Option<PathBuf>,
    /// Whether that file is an INI file.
    is_ini: bool,
    /// Document root of the CMS; empty when not given.
    pub hub_dir: PathBuf,
    /// The hub's database.
    pub hub_db: String,
    /// The metrics database.
    pub metrics_db: String,
    /// Host of the database server, as given.
    pub db_host: String,
    /// Its user.
    pub db_user: String,
    /// The password of the user.
    pub db_pass: Secret,
    /// How connections over the network are encrypted.
    pub db_tls: Tls,
    /// Prefix of the hub's tables.
    pub db_prefix: String,
    /// The URL of the geo service.
    pub geo_url: String,
    /// The key for it.
    pub geo_key: Secret,
    /// Reverse DNS.
    pub dns: Dns,
    /// `[run] user`: the user whose rights a program takes when root starts it.
    pub run_user: Option<String>,
    /// `[compat] options`, if given.
    pub compat: Option<Compat>,
    /// How access logs are read.
    pub logs: Logs,
    /// Where figures go.
    pub metrics: Metrics,
    /// Who is told of troubles.
    pub notify: Notify,
    /// The usage report.
    pub report: Report,
    /// For how long things are kept.
    pub retention: Retention,
    /// What is stored about people.
    pub privacy: Privacy,
    /// `[check]`: limits of single checks, by name, as they are written.
    pub checks: BTreeMap<String, String>,
    /// The site.
    pub site: Site,
    /// The paths.
    pub paths: Paths,
    /// Why a mandatory key is missing although the file seems to contain it.
    hints: Vec<(&'static str, String)>,
    /// What it was read from.
    texts: Texts,
    misquoted: Vec<Misquoted>,
    /// Every key that is set.
    settings: Settings,
}

/// A file that more people may read or write than its secret allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The file.
    pub path: PathBuf,
    /// Its secret, in words.
    pub secret: &'static str,
    /// Its permissions, as `chmod` takes them.
    pub mode: u32,
}

impl Exposed {
    fn look(path: &Path, secret: &'static str) -> Option<Self> {
        const OTHERS: u32 = 0o006;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
        (mode & OTHERS != 0).then(|| Self { path: path.to_owned(), secret, mode })
    }
}

/// A value in `access.cfg` that is ignored because of the way it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misquoted {
    /// Its name, without the dollar sign.
    pub key: &'static str,
    /// The line.
    pub line: usize,
    /// How it is written.
    pub quotes: Quotes,
}

/// The keys of `access.cfg`.
const ACCESS_KEYS: [&str; 9] =
    ["hub_dir", "hub_db", "metrics_db", "db_host", "db_user", "db_pass", "db_prefix", "hubzero_ipgeo_url", "hub_key"];

/// Reads the configuration for a run that needs the databases.
///
/// # Errors
/// A named file cannot be read (exit code 1); there is no configuration, a file is malformed, or a
/// mandatory key is missing or empty ([`Usage`], exit code 2).
pub fn load(explicit: Option<&Path>, env: Env<'_>) -> Result<Config> {
    let config = read(explicit, env)?;
    config.check()?;
    Ok(config)
}

/// Reads whatever configuration there is: for runs that work without databases.
///
/// # Errors
/// A named file cannot be read, or a file is malformed.
pub fn read(explicit: Option<&Path>, env: Env<'_>) -> Result<Config> {
    let mut config = blank(Paths::new(env));
    let texts = Texts::read(explicit, env, &config.paths)?;
    let mut site = None;
    let mut tls = tls::Keys::default();
    match &texts.main {
        None => {}
        Some(Text { path, text, is_ini: true }) => {
            let ini = Ini::parse(text).map_err(|bad| bad.at(path))?;
            config.settings.take_ini(&ini, path, false);
            config.take_ini(&ini);
            config.take_common(&ini, path)?;
            tls.take_ini(&ini, path)?;
            site = ini.get("hub", "site").filter(|site| !site.is_empty()).map(str::to_owned);
            config.is_ini = true;
            config.file = Some(path.clone());
        }
        Some(Text { path, text, is_ini: false }) => {
            let access = Access::parse(text).map_err(|bad| bad.at(path))?;
            config.settings.take_access(&access, path);
            config.take_access(&access);
            tls.take_access(&access, path)?;
            config.file = Some(path.clone());
            if let Some(Text { path, text, .. }) = &texts.beside {
                let ini = Ini::parse(text).map_err(|bad| bad.at(path))?;
                config.settings.take_ini(&ini, path, true);
                config.take_common(&ini, path)?;
                tls.take_ini(&ini, path)?;
            }
        }
    }
    config.db_tls = tls.settle()?;
    config.settle(site, &texts.hubzero, env);
    config.texts = texts;
    Ok(config)
}

/// What is known without any file: the environment, the site, the fixed paths.
#[must_use]
pub fn without_file(env: Env<'_>) -> Config {
    let mut config = blank(Paths::new(env));
    let hubzero = texts::read_file(&config.paths.hubzero_conf()).unwrap_or_default();
    config.settle(None, &hubzero, env);
    config
}

/// The defaults.
fn blank(paths: Paths) -> Config {
    Config {
        file: None,
        is_ini: false,
        hub_dir: PathBuf::new(),
        hub_db: String::new(),
        metrics_db: String::new(),
        db_host: String::new(),
        db_user: String::new(),
        db_pass: Secret::default(),
        db_tls: Tls::default(),
        db_prefix: DEFAULT_PREFIX.to_owned(),
        geo_url: DEFAULT_GEO_URL.to_owned(),
        geo_key: Secret(DEFAULT_GEO_KEY.to_owned()),
        dns: Dns::default(),
        run_user: None,
        compat: None,
        logs: Logs::default(),
        metrics: Metrics::default(),
        notify: Notify::default(),
        report: Report::default(),
        retention: Retention::default(),
        privacy: Privacy::default(),
        checks: BTreeMap::new(),
        site: Site { name: DEFAULT_SITE.to_owned(), explicit: false },
        hints: Vec::new(),
        texts: Texts::default(),
        misquoted: Vec::new(),
        settings: Settings::default(),
        paths,
    }
}

/// The configuration, for programs that work without one: a file in the default place that we may
/// not read is ignored.
///
/// # Errors
/// A named file cannot be read, or a file is malformed.
pub fn if_any(env: Env<'_>) -> Result<Option<Config>> {
    match read(None, env) {
        Ok(config) => Ok(Some(config)),
        Err(error) if is_denied(&error) && !is_named(env) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_denied(error: &anyhow::Error) -> bool {
    let denied = |e: &io::Error| e.kind() == io::ErrorKind::PermissionDenied;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(denied))
}

fn is_named(env: Env<'_>) -> bool {
    ["HZMETRICS_ACCESS_CFG", "HZMETRICS_CONFIG"].iter().any(|name| env(name).is_some_and(|value| !value.is_empty()))
}

/// The first line with `site =` followed by a word.
fn site_of(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let value = line.trim_start().strip_prefix("site")?.trim_start().strip_prefix('=')?;
        value.split_whitespace().next()
    })
}

impl Config {
    /// Applies the environment and `/etc/hubzero.conf`.
    fn settle(&mut self, site: Option<String>, hubzero: &str, env: Env<'_>) {
        self.settings.take_environment(env);
        self.dns = std::mem::take(&mut self.dns).with_environment(env);
        self.logs = std::mem::take(&mut self.logs).with_environment(env);
        let site = self.logs.site_filter.clone().or(site).or_else(|| site_of(hubzero).map(str::to_owned));
        if let Some(name) = site {
            self.site = Site { name, explicit: true };
        }
    }

    fn take_access(&mut self, access: &Access) {
        let get = |name| access.get(name).map(str::to_owned);
        let name = |name| get(name).map(|name| name.trim().trim_matches('`').to_owned());
        self.hub_dir = get("hub_dir").unwrap_or_default().into();
        self.hub_db = name("hub_db").unwrap_or_default();
        self.metrics_db = name("metrics_db").unwrap_or_default();
        self.db_host = get("db_host").unwrap_or_default();
        self.db_user = get("db_user").unwrap_or_default();
        self.db_pass = Secret(get("db_pass").unwrap_or_default());
        self.db_prefix = get("db_prefix").unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
        self.take_geo(get("hubzero_ipgeo_url"), get("hub_key"));
        let misquoted = |key| access.misquoted(key).map(|(line, quotes)| Misquoted { key, line, quotes });
        self.misquoted = ACCESS_KEYS.into_iter().filter_map(misquoted).collect();
        self.hints = MANDATORY.iter().filter_map(|(key, ..)| Some((*key, access.hint(key)?))).collect();
    }

    fn take_ini(&mut self, ini: &Ini) {
        let db = |key| ini.get("db", key).map(str::to_owned);
        self.hub_dir = ini.get("hub", "hub_dir").unwrap_or_default().into();
        self.hub_db = db("hub_db").unwrap_or_default();
        self.metrics_db = db("metrics_db").unwrap_or_default();
        self.db_host = db("host").unwrap_or_else(|| "localhost".to_owned());
        self.db_user = db("user").unwrap_or_default();
        self.db_pass = Secret(db("password").unwrap_or_default());
        self.db_prefix = db("hub_db_prefix").unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
        let hub = |key| ini.get("hub", key).map(str::to_owned);
        self.take_geo(hub("hubzero_ipgeo_url"), hub("hub_key"));
    }

    fn take_geo(&mut self, url: Option<String>, key: Option<String>) {
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            self.geo_url = url;
        }
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            self.geo_key = Secret(key);
        }
    }

    /// The sections that both layouts have in an INI file.
    fn take_common(&mut self, ini: &Ini, path: &Path) -> Result<()> {
        let dns = |key| ini.get("dns", key);
        self.dns = Dns::default().with(dns("nameserver"), dns("concurrency"), dns("timeout"));
        self.logs = Logs::default().with(|key| ini.get("logs", key));
        self.metrics = Metrics::of(ini);
        self.notify = Notify::of(ini);
        self.report = Report::of(ini);
        self.retention = Retention::of(ini);
        self.privacy = Privacy::of(ini);
        self.checks = ini.section("check").map(|(name, limits)| (name.to_owned(), limits.to_owned())).collect();
        self.run_user = ini.get("run", "user").filter(|user| !user.is_empty()).map(str::to_owned);
        if let Some(options) = ini.get("compat", "options") {
            let set =
                Compat::parse(options).map_err(|e| Usage(format!("{}, [compat] options: {e}", path.display())))?;
            self.compat = Some(set);
        }
        Ok(())
    }

    /// Checks that everything needed for the databases is there.
    ///
    /// # Errors
    /// A value is missing or invalid ([`Usage`]).
    pub fn check(&self) -> Result<()> {
        self.check_given(MANDATORY)?;
        self.check_usable()
    }

    /// The same if only the names of the databases are needed.
    ///
    /// # Errors
    /// Those of [`Config::check`].
    pub fn check_names(&self) -> Result<()> {
        let (names, _) = MANDATORY.split_at(DATABASES);
        self.check_given(names)?;
        self.check_usable()
    }

    fn check_given(&self, keys: &[Mandatory]) -> Result<()> {
        let file = self.found()?.display();
        for (key, ini_key, value) in keys {
            if value(self).is_empty() {
                let hint = self.hints.iter().find(|(name, _)| name == key);
                let hint = hint.map_or(String::new(), |(_, hint)| format!(": {hint}"));
                return Err(Usage(format!("{file}: ${key} ({ini_key}) is missing or empty{hint}")).into());
            }
        }
        Ok(())
    }

    fn check_usable(&self) -> Result<()> {
        let file = self.found()?.display();
        for (key, name) in [("hub_db", &self.hub_db), ("metrics_db", &self.metrics_db), ("db_prefix", &self.db_prefix)]
        {
            if name.contains(['`', '\0']) {
                return Err(Usage(format!("{file}: `{key}` cannot be part of a name in SQL")).into());
            }
        }
        self.check_distinct()
    }

    /// Checks that the metrics have a database of their own. A configuration without databases
    /// passes.
    ///
    /// # Errors
    /// They share the hub's ([`Usage`]).
    pub fn check_distinct(&self) -> Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| !self.hub_db.is_empty() && self.hub_db == self.metrics_db)
        else {
            return Ok(());
        };
        let (file, name) = (file.display(), &self.hub_db);
        let text = format!("{file}: hub_db and metrics_db are both `{name}`; the metrics need a database of their own");
        Err(Usage(text).into())
    }

    /// Files with a secret that every account of this machine may read or write.
    #[must_use]
    pub fn exposed(&self) -> Vec<Exposed> {
        let password = self.file.as_ref().filter(|_| !self.db_pass.reveal().is_empty());
        let holders = [(password, "the password of the database"), (self.db_tls.key.as_ref(), "a private key")];
        let holders = holders.into_iter().filter_map(|(path, secret)| Some((path?, secret)));
        holders.filter_map(|(path, secret)| Exposed::look(path, secret)).collect()
    }

    /// The file with the credentials.
    fn found(&self) -> Result<&Path> {
        self.file.as_deref().ok_or_else(|| {
            Usage(format!(
                "there is no configuration: no -c FILE, HZMETRICS_ACCESS_CFG or HZMETRICS_CONFIG, and neither {} nor {}",
                self.paths.etc().join("access.cfg").display(),
                self.paths.home().join("conf/hzmetrics.conf").display()
            ))
            .into()
        })
    }

    /// Every key that is set by a file or the environment.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings.list
    }

    /// Lines of the files that set nothing: unknown keys and sections.
    #[must_use]
    pub fn strays(&self) -> &[Stray] {
        &self.settings.strays
    }

    /// Values of `access.cfg` that are ignored, in the order of its keys.
    #[must_use]
    pub fn misquoted(&self) -> &[Misquoted] {
        &self.misquoted
    }

    /// Document root of the CMS.
    ///
    /// # Errors
    /// It is not given ([`Usage`]).
    pub fn hub_dir(&self) -> Result<&Path> {
        if self.hub_dir.as_os_str().is_empty() {
            let file = self.file.as_ref().map_or_else(|| "the configuration".to_owned(), |f| f.display().to_string());
            return Err(Usage(format!("{file}: $hub_dir ([hub] hub_dir) is missing or empty")).into());
        }
        Ok(&self.hub_dir)
    }

    /// The log folders of the hub, if this is a hub's configuration.
    #[must_use]
    pub fn log_roots(&self) -> Option<Roots> {
        self.site.explicit.then(|| self.paths.log_roots())
    }

    /// Where to write the map of who is online.
    ///
    /// # Errors
    /// The hub's folder is not given, or has no folder for maps ([`Usage`]).
    pub fn map_folder(&self, compat: Compat) -> Result<PathBuf> {
        let hub_dir = self.hub_dir()?;
        let (new, old) = (hub_dir.join("app/site/stats/maps"), hub_dir.join("site/stats/maps"));
        let is_new = if compat.has(Opt::LpWhoisonline) { new.is_dir() } else { hub_dir.join("app").is_dir() };
        let folder = if is_new { new } else { old };
        if !folder.is_dir() {
            return Err(Usage(format!("the folder of maps is missing: {}", folder.display())).into());
        }
        Ok(folder)
    }

    /// The files of the configuration, except optional ones.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let tls = [&self.db_tls.ca, &self.db_tls.cert, &self.db_tls.key];
        let mut files: Vec<PathBuf> = self.texts.files().map(Path::to_owned).collect();
        files.extend(tls.into_iter().flatten().cloned());
        files
    }

    /// Passes the configuration to the programs we start, as long as the result is alive.
    ///
    /// # Errors
    /// No anonymous file can be created.
    pub fn hand_on(&self) -> Result<Handed> {
        self.texts.hand_on()
    }

    /// The variables that make another process use the same file.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let file = self.file.clone().unwrap_or_default().into_os_string();
        if self.is_ini {
            // otherwise the other variable would win
            vec![("HZMETRICS_ACCESS_CFG", OsString::new()), ("HZMETRICS_CONFIG", file)]
        } else {
            vec![("HZMETRICS_ACCESS_CFG", file)]
        }
    }

    /// The server, the account and the databases. As in the legacy scripts, `localhost` means the
    /// socket of this machine.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            host: self.db_host.clone(),
            user: self.db_user.clone(),
            password: self.db_pass.reveal().to_owned(),
            hub_db: self.hub_db.clone(),
            metrics_db: self.metrics_db.clone(),
            prefix: self.db_prefix.clone(),
            tls: self.db_tls.clone(),
        }
    }
}

/// A mandatory key: its name in `access.cfg`, in the INI file, and its value.
type Mandatory = (&'static str, &'static str, fn(&Config) -> &str);

/// How many of [`MANDATORY`], from the first, are names of databases.
const DATABASES: usize = 2;

const MANDATORY: &[Mandatory] = &[
    ("hub_db", "[db] hub_db", |config| &config.hub_db),
    ("metrics_db", "[db] metrics_db", |config| &config.metrics_db),
    ("db_host", "[db] host", |config| &config.db_host),
    ("db_user", "[db] user", |config| &config.db_user),
    ("db_pass", "[db] password", |config| config.db_pass.reveal()),
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An environment of these variables.
    pub(super) fn env(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + use<> {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        move |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// A root with files in it.
    struct Root(tempfile::TempDir);

    impl Root {
        fn new(files: &[(&str, &str)]) -> Self {
            let root = Self(tempfile::tempdir().unwrap());
            for (name, text) in files {
                let path = root.path(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            root
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn text(&self, name: &str) -> String {
            self.path(name).display().to_string()
        }

        /// Sets variables; a value that begins with `@` is a path below the root.
        fn env(&self, variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + use<> {
            let mut all = vec![("HZMETRICS_ROOT".to_owned(), self.text(""))];
            for (name, value) in variables {
                let value = value.strip_prefix('@').map_or_else(|| (*value).to_owned(), |path| self.text(path));
                all.push(((*name).to_owned(), value));
            }
            let all: Vec<_> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            env(&all)
        }

        fn read(&self, explicit: Option<&str>, variables: &[(&str, &str)]) -> Result<Config> {
            let explicit = explicit.map(|name| self.path(name));
            read(explicit.as_deref(), &self.env(variables))
        }

        fn load(&self, explicit: Option<&str>, variables: &[(&str, &str)]) -> Result<Config> {
            let explicit = explicit.map(|name| self.path(name));
            load(explicit.as_deref(), &self.env(variables))
        }
    }

    fn access(hub_db: &str) -> String {
        format!("$hub_db = '{hub_db}';\n$metrics_db = 'm';\n$db_host = 'h';\n$db_user = 'u';\n$db_pass = 'secret';\n")
    }

    fn ini(hub_db: &str, more: &str) -> String {
        format!("[db]\nhub_db = {hub_db}\nmetrics_db = m\nuser = u\npassword = secret\n{more}")
    }

    const ETC_ACCESS: &str = "etc/hubzero-metrics/access.cfg";
    const ETC_CONF: &str = "etc/hubzero-metrics/hzmetrics.conf";
    const HOME_CONF: &str = "opt/hubzero/metrics/conf/hzmetrics.conf";

    #[test]
    fn files_are_used_in_a_fixed_order() {
        let root = Root::new(&[
            ("one.cfg", &access("explicit_access")),
            ("one.conf", &ini("explicit_ini", "")),
            ("env.cfg", &access("env_access")),
            ("env.conf", &ini("env_ini", "")),
            (ETC_ACCESS, &access("etc_access")),
            (HOME_CONF, &ini("home_ini", "")),
            ("home/conf/hzmetrics.conf", &ini("other_home", "")),
        ]);
        let both = [("HZMETRICS_ACCESS_CFG", "@env.cfg"), ("HZMETRICS_CONFIG", "@env.conf")];
        let hub_db = |explicit, variables: &[(&str, &str)]| root.load(explicit, variables).unwrap().hub_db;
        assert_eq!(hub_db(Some("one.cfg"), &both), "explicit_access");
        assert_eq!(hub_db(Some("one.conf"), &both), "explicit_ini");
        assert_eq!(hub_db(None, &both), "env_access");
        assert_eq!(hub_db(None, &both[1..]), "env_ini");
        assert_eq!(hub_db(None, &[("HZMETRICS_ACCESS_CFG", ""), ("HZMETRICS_CONFIG", "@env.conf")]), "env_ini");
        assert_eq!(hub_db(None, &[]), "etc_access");
        assert_eq!(root.load(None, &[]).unwrap().file, Some(root.path(ETC_ACCESS)));
        fs::remove_file(root.path(ETC_ACCESS)).unwrap();
        assert_eq!(hub_db(None, &[]), "home_ini");
        assert_eq!(hub_db(None, &[("HZMETRICS_HOME", "@home")]), "other_home");
    }

    /// The exit code that a stage would end with.
    fn exit(result: Result<Config>) -> (i32, String) {
        let error = result.unwrap_err();
        (if error.chain().any(|cause| cause.is::<Usage>()) { 2 } else { 1 }, format!("{error:#}"))
    }

    #[test]
    fn a_named_file_that_cannot_be_read_is_an_error() {
        let root = Root::new(&[(ETC_ACCESS, &access("a"))]);
        for (explicit, variables) in [
            (Some("none"), &[][..]),
            (None, &[("HZMETRICS_ACCESS_CFG", "@none")]),
            (None, &[("HZMETRICS_CONFIG", "@none")]),
            (Some(ETC_ACCESS), &[("HZMETRICS_CONFIG", "@none")]),
        ] {
            let (code, text) = exit(root.read(explicit, variables));
            assert!(code == 1 && text.contains("none: No such file"), "{code} {text}");
        }
    }

    #[test]
    fn no_configuration_at_all_is_an_error() {
        let root = Root::new(&[]);
        let config = root.read(None, &[]).unwrap();
        assert_eq!((config.file.clone(), config.dns.concurrency), (None, 100));
        let (code, text) = exit(root.load(None, &[]));
        assert!(code == 2 && text.contains("there is no configuration") && text.contains(ETC_ACCESS), "{text}");
    }

    #[test]
    fn missing_mandatory_keys_are_named() {
        for (key, ini_key) in
            [("hub_db", "hub_db"), ("metrics_db", "metrics_db"), ("db_user", "user"), ("db_pass", "password")]
        {
            for (name, text) in [
                (
                    "missing.cfg",
                    access("h").lines().filter(|l| !l.contains(&format!("${key} "))).collect::<Vec<_>>().join("\n"),
                ),
                ("empty.cfg", access("h") + &format!("${key} = '';\n")),
                ("x.conf", ini("h", "").lines().filter(|l| !l.starts_with(ini_key)).collect::<Vec<_>>().join("\n")),
            ] {
                let root = Root::new(&[(name, &text)]);
                let (code, message) = exit(root.load(Some(name), &[]));
                assert!(
                    code == 2 && message.contains(&format!("${key} ")) && message.contains(name),
                    "{text}\n{message}"
                );
                assert!(!message.contains("secret"), "{message}");
                root.read(Some(name), &[]).unwrap();
            }
        }
        let root = Root::new(&[("x.cfg", &access("h").replace("$db_host = 'h'", "$db_host = \"h\""))]);
        let (code, message) = exit(root.load(Some("x.cfg"), &[]));
        assert!(
            code == 2 && message.ends_with("line 3 has it in double quotes, but only single quotes (') count"),
            "{message}"
        );
        let root = Root::new(&[("x.conf", &ini("h", ""))]);
        assert_eq!(root.load(Some("x.conf"), &[]).unwrap().db_host, "localhost");
        let root = Root::new(&[("x.cfg", &access("a`b"))]);
        assert_eq!(exit(root.load(Some("x.cfg"), &[])).0, 2);
    }

    #[test]
    fn the_metrics_need_a_database_of_their_own() {
        let root = Root::new(&[("x.cfg", &access("m")), ("x.conf", &ini("m", "")), ("y.cfg", &access("`m`"))]);
        for name in ["x.cfg", "x.conf", "y.cfg"] {
            let (code, text) = exit(root.load(Some(name), &[]));
            assert!(code == 2 && text.contains("hub_db and metrics_db are both `m`"), "{text}");
        }
    }

    #[test]
    fn secrets_that_everybody_can_read_are_reported() {
        let root = Root::new(&[("x.conf", ""), ("key", "k"), ("none.cfg", "")]);
        let set = |name: &str, mode| fs::set_permissions(root.path(name), fs::Permissions::from_mode(mode)).unwrap();
        let text = ini("h", &format!("ssl_cert = c\nssl_key = {}\n", root.text("key")));
        fs::write(root.path("x.conf"), text).unwrap();
        set("key", 0o640);
        for (mode, exposed) in
            [(0o640, false), (0o644, true), (0o604, true), (0o662, true), (0o600, false), (0o641, false)]
        {
            set("x.conf", mode);
            let found = root.load(Some("x.conf"), &[]).unwrap().exposed();
            let file = Exposed { path: root.path("x.conf"), secret: "the password of the database", mode };
            assert_eq!(found, if exposed { vec![file] } else { vec![] }, "{mode:o}");
        }
        set("key", 0o444);
        let found = root.load(Some("x.conf"), &[]).unwrap().exposed();
        assert_eq!(found.iter().map(|e| (e.path.clone(), e.mode)).collect::<Vec<_>>(), [(root.path("key"), 0o444)]);
        assert_eq!(root.read(Some("none.cfg"), &[]).unwrap().exposed(), []);
    }

    #[test]
    fn a_malformed_file_is_named_with_its_line() {
        let root = Root::new(&[
            ("x.conf", "[db]\nwhat\n"),
            ("x.cfg", "\n$hub_db = 'x\n"),
            ("c.conf", &ini("h", "[compat]\noptions = nope\n")),
        ]);
        let (code, text) = exit(root.read(Some("x.conf"), &[]));
        assert!(code == 2 && text.contains("x.conf, line 2: "), "{text}");
        let (code, text) = exit(root.read(Some("x.cfg"), &[]));
        assert!(code == 2 && text.contains("x.cfg, line 2: "), "{text}");
        let (code, text) = exit(root.read(Some("c.conf"), &[]));
        assert!(code == 2 && text.contains("c.conf, [compat] options: `nope`"), "{text}");
    }

    #[test]
    fn compat_options_come_from_the_configuration() {
        let root = Root::new(&[
            ("c.conf", &ini("h", "[compat]\noptions = port\n")),
            ("none.conf", &ini("h", "")),
            ("bad.conf", &ini("h", "[compat]\noptions = nope\n")),
        ]);
        let settled = |name: &str| {
            let path = root.path(name);
            let found = if_any(&|variable: &str| (variable == "HZMETRICS_CONFIG").then(|| path.clone().into()));
            found.map(|config| config.and_then(|config| config.compat))
        };
        assert_eq!(settled("c.conf").unwrap(), Some(Compat::port()));
        assert_eq!(settled("none.conf").unwrap(), None);
        assert!(settled("bad.conf").is_err() && settled("missing.conf").is_err());
        let nowhere = root.path("nowhere");
        let empty = |variable: &str| (variable == "HZMETRICS_ROOT").then(|| nowhere.clone().into());
        assert_eq!(if_any(&empty).unwrap().and_then(|config| config.compat), None);
    }

    #[test]
    fn every_key_of_both_layouts_is_read() {
        let root = Root::new(&[
            (
                "x.cfg",
                "$hub_dir = '/www/hub';\n$hub_db = '`hub`';\n$metrics_db = 'hub_metrics';\n$db_host = 'db';\n$db_user = 'me';\n\
                 $db_pass = 'p#;%\"w';\n$db_prefix = 'abc_';\n$hubzero_ipgeo_url = 'http://geo/';\n$hub_key = 'k';\n",
            ),
            (
                "x.conf",
                "[hub]\nsite = s ; x\nhub_dir = /www/hub # x\nhubzero_ipgeo_url = http://geo/\nhub_key = k\n[db]\nhost = db\nuser = me\n\
                 password = p#;%\"w\nhub_db = hub\nhub_db_prefix = abc_\nmetrics_db = hub_metrics\n[compat]\noptions = port\n",
            ),
            ("etc/hubzero.conf", "[DEFAULT]\n site = fromhub  rest\nsite = second\n"),
        ]);
        for name in ["x.cfg", "x.conf"] {
            let config = root.load(Some(name), &[]).unwrap();
            assert_eq!(config.hub_dir().unwrap(), Path::new("/www/hub"));
            assert_eq!((config.hub_db.as_str(), config.metrics_db.as_str()), ("hub", "hub_metrics"));
            assert_eq!((config.db_host.as_str(), config.db_user.as_str()), ("db", "me"));
            assert_eq!(config.db_pass.reveal(), "p#;%\"w");
            assert_eq!(config.db_prefix, "abc_");
            assert_eq!((config.geo_url.as_str(), config.geo_key.reveal()), ("http://geo/", "k"));
            let site = if name == "x.cfg" { "fromhub" } else { "s" };
            assert_eq!(config.site, Site { name: site.to_owned(), explicit: true });
            assert_eq!(config.compat, (name == "x.conf").then(Compat::port));
            let shown = format!("{config:?}");
            assert!(!shown.contains("%\"w") && !shown.contains("p#") && shown.contains("(not shown)"), "{shown}");
        }
    }

    #[test]
    fn missing_keys_have_a_default() {
        let root = Root::new(&[("x.cfg", &access("h")), ("x.conf", &ini("h", ""))]);
        for name in ["x.cfg", "x.conf"] {
            let config = root.load(Some(name), &[]).unwrap();
            assert_eq!(config.db_prefix, "jos_");
            assert_eq!(config.geo_url, "https://help.hubzero.org/ipinfo/v1");
            assert_eq!(config.geo_key.reveal(), "_HUBZERO_OPNSRC_V1_");
            assert_eq!(config.site, Site { name: "hub".to_owned(), explicit: false });
            assert_eq!(config.dns, Dns { nameserver: None, concurrency: 100, timeout: Duration::from_secs(2) });
            let (code, text) = exit(config.hub_dir().map(|_| config.clone()));
            assert!(code == 2 && text.contains("$hub_dir"), "{text}");
        }
    }

    #[test]
    fn dns_settings_come_from_file_environment_and_options() {
        let dns = |n: &str| format!("[dns]\nnameserver = {n} # x\nconcurrency = 500 # unbound\ntimeout = 1.5\n");
        let root = Root::new(&[
            ("x.cfg", &access("h")),
            ("x.conf", &ini("h", &dns("own"))),
            ("env.conf", &dns("env")),
            (ETC_CONF, &dns("etc")),
        ]);
        let of = |explicit, variables: &[(&str, &str)]| root.read(explicit, variables).unwrap().dns;
        let name = |dns: Dns| dns.nameserver.unwrap_or_default();
        assert_eq!(name(of(Some("x.conf"), &[("HZMETRICS_CONFIG", "@env.conf")])), "own");
        assert_eq!(name(of(Some("x.cfg"), &[("HZMETRICS_CONFIG", "@env.conf")])), "env");
        assert_eq!(name(of(Some("x.cfg"), &[])), "etc");
        assert_eq!(name(of(None, &[("HZMETRICS_ACCESS_CFG", "@x.cfg")])), "etc");
        let dns = of(Some("x.conf"), &[]);
        assert_eq!((dns.concurrency, dns.timeout), (500, Duration::from_millis(1500)));
        // the environment overrides the file, options override the environment
        let dns = of(
            Some("x.conf"),
            &[
                ("HZMETRICS_DNS_NAMESERVER", "9.9.9.9"),
                ("HZMETRICS_DNS_CONCURRENCY", "7"),
                ("HZMETRICS_DNS_TIMEOUT", "3"),
            ],
        );
        assert_eq!((dns.nameserver_name(), dns.concurrency, dns.timeout.as_secs()), ("9.9.9.9", 7, 3));
        let dns = dns.with(Some("1.1.1.1"), Some("8"), None);
        assert_eq!((dns.nameserver_name(), dns.concurrency, dns.timeout.as_secs()), ("1.1.1.1", 8, 3));
        // a value that is not a number is ignored
        let odd = [("HZMETRICS_DNS_CONCURRENCY", "many"), ("HZMETRICS_DNS_TIMEOUT", "nan")];
        let dns = of(Some("x.conf"), &odd);
        assert_eq!((dns.concurrency, dns.timeout), (500, Duration::from_millis(1500)));
        for odd in ["0", "-1", "", "1e99", "inf"] {
            assert_eq!(Dns::default().with(None, Some(odd), Some(odd)), Dns::default(), "{odd}");
        }
        for system in ["", "  ", "system", "SYSTEM"] {
            assert_eq!(name(of(Some("x.conf"), &[("HZMETRICS_DNS_NAMESERVER", system)])), "", "{system:?}");
        }
    }

    #[test]
    fn the_site_is_found_in_hubzero_conf() {
        for (text, site) in [
            ("site=foo\n", Some("foo")),
            ("\t site = foo bar\n", Some("foo")),
            ("site\t=\tfoo\n", Some("foo")),
            ("website = x\n#site = y\nsite foo\nsites = z\nsite =\nsite = last\n", Some("last")),
            ("website = x\n", None),
            ("", None),
        ] {
            assert_eq!(site_of(text), site, "{text}");
        }
        let root = Root::new(&[("x.conf", &ini("h", "[hub]\nsite =\n")), ("etc/hubzero.conf", "site = h\n")]);
        assert_eq!(root.load(Some("x.conf"), &[]).unwrap().site, Site { name: "h".to_owned(), explicit: true });
    }

    #[test]
    fn log_settings_are_read() {
        let text = "[logs]\nlog_format = combined\ntimezone=UTC\ngeoip = /a b.mmdb ; here\nsite_filter = www\n";
        let root = Root::new(&[("x.conf", &ini("h", &format!("[hub]\nsite = hub\n{text}"))), ("a.cfg", &access("h"))]);
        let config = root.load(Some("x.conf"), &[]).unwrap();
        let said = |logs: &Logs| {
            [&logs.log_format, &logs.timezone, &logs.geoip, &logs.client_from]
                .map(|text| text.clone().unwrap_or_default())
        };
        assert_eq!(said(&config.logs), ["combined", "UTC", "/a b.mmdb", ""]);
        assert_eq!(config.site, Site { name: "www".to_owned(), explicit: true });
        let variables =
            [("HZMETRICS_TIMEZONE", "Europe/Berlin"), ("HZMETRICS_SITE_FILTER", "other"), ("HZMETRICS_GEOIP", "")];
        let config = root.load(Some("x.conf"), &variables).unwrap();
        assert_eq!(said(&config.logs), ["combined", "Europe/Berlin", "/a b.mmdb", ""]);
        assert_eq!(config.site.name, "other");
        let root = Root::new(&[
            ("etc/hubzero-metrics/access.cfg", &access("h")),
            ("etc/hubzero-metrics/hzmetrics.conf", text),
        ]);
        assert_eq!(said(&root.load(None, &[]).unwrap().logs), ["combined", "UTC", "/a b.mmdb", ""]);
    }

    #[test]
    fn every_key_that_is_set_and_where() {
        let text =
            "[logs]\nassets = web2020\nbots_list = /a, /b\nkeep-status = 200\n[log]\nx = 1\n[dns]\ntimeout = 3\n";
        let root = Root::new(&[
            ("x.conf", &ini("h", &format!("[hub]\nsite = s\n{text}namserver = system\n"))),
            (ETC_ACCESS, &access("h")),
            (ETC_CONF, "[hub]\nsite = s\n[db]\nssl_mode = disabled\n[dns]\nconcurrency = 7\n"),
        ]);
        let variables = [("HZMETRICS_ASSETS", "legacy"), ("HZMETRICS_DNS_TIMEOUT", "soon"), ("HZMETRICS_VHOST", "")];
        let config = root.read(Some("x.conf"), &variables).unwrap();
        let place = |section: &str, name: &str| {
            let is = |s: &&Setting| s.key.section == section && s.name == name;
            let found = config.settings().iter().find(is)?;
            Some(format!("{} {}", found.shown(), found.origin.to_string().replace(&root.text(""), "")))
        };
        for (section, name, expected) in [
            ("hub", "site", Some("s x.conf, line 7")),
            ("db", "password", Some("(not shown) x.conf, line 5")),
            ("logs", "assets", Some("legacy environment, HZMETRICS_ASSETS")),
            ("logs", "bots_list", Some("/a, /b x.conf, line 10")),
            ("dns", "timeout", Some("3 x.conf, line 15")),
            ("logs", "vhost", None),
            ("dns", "nameserver", None),
        ] {
            let expected = expected.map(str::to_owned);
            let found = place(section, name).map(|found| found.replace("/x.conf", "x.conf"));
            assert_eq!(found, expected, "[{section}] {name}");
        }
        let strays: Vec<_> = config.strays().iter().map(|stray| format!("{}: {}", stray.line, stray.what)).collect();
        let expected = [
            "12: [log] is not a section, what is in it is not read; did you mean `[logs]`?",
            "16: [dns] namserver is not a key; did you mean `[dns] nameserver`?",
        ];
        assert_eq!(strays, expected);
        assert!(!format!("{config:?}").contains("secret"));
        // beside an access.cfg
        let config = root.read(None, &[]).unwrap();
        assert_eq!(config.strays().len(), 1, "{:?}", config.strays());
        assert!(config.strays()[0].what.contains("[hub] site is not read beside"), "{:?}", config.strays());
        let origin = |name: &str| config.settings().iter().find(|s| s.name == name).unwrap().origin.clone();
        assert_eq!(origin("hub_db"), Origin::File(root.path(ETC_ACCESS), 1));
        assert_eq!(origin("concurrency"), Origin::File(root.path(ETC_CONF), 6));
    }

    #[test]
    fn another_process_uses_the_same_file() {
        let root = Root::new(&[("x.cfg", &access("h")), ("x.conf", &ini("h", "")), ("other.cfg", &access("other"))]);
        for name in ["x.cfg", "x.conf"] {
            let config = root.load(Some(name), &[("HZMETRICS_ACCESS_CFG", "@other.cfg")]).unwrap();
            let variables = config.variables();
            let text = |value: &OsString| value.to_str().unwrap().to_owned();
            let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, text(value))).collect();
            let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(root.load(None, &variables).unwrap().file, Some(root.path(name)));
        }
    }

    #[test]
    fn the_target_of_a_connection_comes_from_the_file() {
        let root = Root::new(&[("x.conf", &ini("h", "hub_db_prefix = abc_\nhost = localhost # the socket\n"))]);
        let target = root.load(Some("x.conf"), &[]).unwrap().target();
        let expected = Target {
            host: "localhost".to_owned(),
            user: "u".to_owned(),
            password: "secret".to_owned(),
            hub_db: "h".to_owned(),
            metrics_db: "m".to_owned(),
            prefix: "abc_".to_owned(),
            tls: Tls::default(),
        };
        assert!(target == expected, "{target:?}");
    }
}
