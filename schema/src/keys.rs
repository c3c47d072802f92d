//! Every key of `hzmetrics.conf`: type, default, environment variable, the options that it stands for, and a
//! sentence. The one table behind `hzmetrics config`, its sample, and the page on the configuration.

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Any text.
    Text,
    /// A file or a folder.
    Path,
    /// Several values, separated by commas.
    List,
    /// A number.
    Number,
    /// A text that is shown nowhere.
    Secret,
}

impl Value {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Path => "path",
            Self::List => "list",
            Self::Number => "number",
            Self::Secret => "secret",
        }
    }
}

/// An option of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageOption {
    /// The stage.
    pub stage: &'static str,
    /// The option without its dashes.
    pub option: &'static str,
    /// Whether the stage reads the key itself; otherwise the key is given to it as this option.
    pub is_read_there: bool,
    /// Options in whose presence the key means nothing.
    pub unless: &'static [&'static str],
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its section.
    pub section: &'static str,
    /// Its name; `*` is any.
    pub name: &'static str,
    /// How its value is written.
    pub value: Value,
    /// The default, in words if it is not a value.
    pub default: &'static str,
    /// The environment variable that comes before the file.
    pub variable: Option<&'static str>,
    /// Its name in `access.cfg`.
    pub access: Option<&'static str>,
    /// The options that it stands for.
    pub options: &'static [StageOption],
    /// What it does.
    pub doc: &'static str,
}

const fn key(section: &'static str, name: &'static str, value: Value, default: &'static str, doc: &'static str) -> Key {
    Key { section, name, value, default, variable: None, access: None, options: &[], doc }
}

impl Key {
    const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    const fn access(self, access: &'static str) -> Self {
        Self { access: Some(access), ..self }
    }

    const fn options(self, options: &'static [StageOption]) -> Self {
        Self { options, ..self }
    }

    /// Whether a key of a file is this one.
    #[must_use]
    pub fn is(&self, section: &str, name: &str) -> bool {
        self.section == section && (self.name == name || self.name == "*")
    }
}

/// The key is read by the stage itself.
const fn read(stage: &'static str, option: &'static str) -> StageOption {
    StageOption { stage, option, is_read_there: true, unless: &[] }
}

/// The key is given to the stage as an option.
const fn given(stage: &'static str, option: &'static str) -> StageOption {
    StageOption { stage, option, is_read_there: false, unless: &[] }
}

/// The sections of a file, each with a line on what it is about.
pub const SECTIONS: [(&str, &str); 14] = [
    ("hub", "The hub and its geo service."),
    ("db", "The databases and the connection to them."),
    ("dns", "Reverse DNS."),
    ("geo", "How the geo service is asked."),
    ("logs", "How access logs are found, read and counted."),
    ("summaries", "What the cells depend on besides the tables."),
    ("report", "The usage report that runs write as pages."),
    ("retention", "For how long things are kept."),
    ("privacy", "What is stored about people."),
    ("compat", "Whose numbers are reproduced."),
    ("run", "How programs run."),
    ("metrics", "Figures for monitoring systems."),
    ("notify", "Who is told of troubles."),
    ("check", "Limits of single checks."),
];

use Value::{List, Number, Path, Secret, Text};

/// Every key, section by section.
pub const KEYS: &[Key] = &[
    key("hub", "site", Text, "that of /etc/hubzero.conf, else hub", "The NAME in NAME-access.log.")
        .options(&[read("fetch-logs", "site")]),
    key("hub", "hub_dir", Path, "none", "Document root of the CMS; whoisonline writes its map there.")
        .access("hub_dir"),
    key("hub", "hubzero_ipgeo_url", Text, "HUBzero's", "URL of the geo service; `none` asks nobody.")
        .access("hubzero_ipgeo_url")
        .options(&[read("usage-metrics", "geo-url")]),
    key("hub", "hub_key", Secret, "HUBzero's public key", "Key for the geo service.")
        .access("hub_key")
        .options(&[read("usage-metrics", "geo-key")]),
    key("db", "host", Text, "localhost", "Host of the server, HOST:PORT, or the path of its socket.").access("db_host"),
    key("db", "user", Text, "required", "Account on the server.").access("db_user"),
    key("db", "password", Secret, "required", "Its password; a comment behind it belongs to it.").access("db_pass"),
    key("db", "hub_db", Text, "required", "The database of the hub.").access("hub_db"),
    key("db", "hub_db_prefix", Text, "jos_", "Prefix of the tables of the hub.").access("db_prefix"),
    key("db", "metrics_db", Text, "required", "The database of the metrics.").access("metrics_db"),
    key("db", "ssl_mode", Text, "preferred", "disabled, preferred, required, verify-ca or verify-full.")
        .access("ssl_mode"),
    key("db", "ssl_ca", Path, "none", "Certificates of the CAs that are trusted.").access("ssl_ca"),
    key("db", "ssl_cert", Path, "none", "A certificate of ours, for accounts that need one.").access("ssl_cert"),
    key("db", "ssl_key", Path, "none", "The private key of that certificate.").access("ssl_key"),
    key("db", "tls", Text, "none", "`yes` is ssl_mode = required, `no` is disabled.").access("tls"),
    key("dns", "nameserver", Text, "system", "Name server to ask: `system`, an address, or ADDRESS:PORT.")
        .variable("HZMETRICS_DNS_NAMESERVER")
        .options(&[read("resolve-dns", "nameserver"), read("usage-metrics", "nameserver")]),
    key("dns", "concurrency", Number, "100", "Lookups at a time.")
        .variable("HZMETRICS_DNS_CONCURRENCY")
        .options(&[read("resolve-dns", "concurrency"), read("usage-metrics", "concurrency")]),
    key("dns", "timeout", Number, "2", "Seconds for one lookup in total.")
        .variable("HZMETRICS_DNS_TIMEOUT")
        .options(&[read("resolve-dns", "timeout"), read("usage-metrics", "timeout")]),
    key("dns", "cache", Path, "none", "A file that keeps the answers of name servers between runs.")
        .variable("HZMETRICS_DNS_CACHE")
        .options(&[given("resolve-dns", "cache"), given("usage-metrics", "dns-cache")]),
    key("geo", "timeout", Number, "5", "Seconds to wait for an answer of the geo service.")
        .variable("HZMETRICS_GEO_TIMEOUT")
        .options(&[given("usage-metrics", "geo-timeout")]),
    key(
        "logs",
        "log_format",
        Text,
        "hubzero for the site's logs, else auto",
        "Layout of access logs: a name, a format, or auto.",
    )
    .variable("HZMETRICS_LOG_FORMAT")
    .options(&[read("import-logs", "log-format")]),
    key(
        "logs",
        "server_conf",
        Text,
        "none",
        "Take the layout from this configuration of the web server: FILE or FILE:NAME.",
    )
    .variable("HZMETRICS_SERVER_CONF")
    .options(&[StageOption {
        stage: "import-logs",
        option: "server-conf",
        is_read_there: false,
        unless: &["log-format"],
    }]),
    key(
        "logs",
        "prefix",
        Text,
        "recognised",
        "What is in front of each line: none, syslog, rfc5424, docker, cri, compose, time.",
    )
    .variable("HZMETRICS_PREFIX")
    .options(&[given("import-logs", "prefix")]),
    key("logs", "client_from", Text, "the client's own address", "The header that names the client.")
        .variable("HZMETRICS_CLIENT_FROM")
        .options(&[read("import-logs", "client-from")]),
    key("logs", "trusted_proxies", List, "none", "Networks of proxies whose word on the client is believed.")
        .variable("HZMETRICS_TRUSTED_PROXIES")
        .options(&[read("import-logs", "trusted-proxies")]),
    key("logs", "timezone", Text, "as-written", "The zone that times are converted to.")
        .variable("HZMETRICS_TIMEZONE")
        .options(&[read("import-logs", "timezone")]),
    key("logs", "geoip", Path, "none", "A database of countries (MaxMind format) that comes before the geo service.")
        .variable("HZMETRICS_GEOIP")
        .options(&[read("usage-metrics", "geoip")]),
    key("logs", "site_filter", Text, "the site", "The NAME in NAME-access.log, where it is not that of the hub.")
        .variable("HZMETRICS_SITE_FILTER")
        .options(&[read("fetch-logs", "site")]),
    key("logs", "bots_list", List, "none", "Published lists of bots, besides the words that make a bot.")
        .variable("HZMETRICS_BOTS_LIST")
        .options(&[given("import-logs", "bots-list")]),
    key("logs", "people", List, "none", "Lists of agents that are people, whatever lists of bots say.")
        .variable("HZMETRICS_PEOPLE")
        .options(&[given("import-logs", "people")]),
    key("logs", "keep_status", List, "200", "Statuses of requests that count.")
        .variable("HZMETRICS_KEEP_STATUS")
        .options(&[given("import-logs", "keep-status")]),
    key("logs", "keep_path", Text, "none", "A regular expression of URLs that count, whatever the rules say.")
        .variable("HZMETRICS_KEEP_PATH")
        .options(&[given("import-logs", "keep-path")]),
    key("logs", "drop_path", Text, "none", "A regular expression of URLs that are left out.")
        .variable("HZMETRICS_DROP_PATH")
        .options(&[given("import-logs", "drop-path")]),
    key("logs", "assets", Text, "legacy", "Which static files are left out: legacy or web2020.")
        .variable("HZMETRICS_ASSETS")
        .options(&[given("import-logs", "assets")]),
    key("logs", "double_click", Number, "none", "Seconds within which repeated requests of a user count once.")
        .variable("HZMETRICS_DOUBLE_CLICK")
        .options(&[given("import-logs", "double-click")]),
    key("logs", "vhost", List, "all", "Virtual hosts whose requests count.")
        .variable("HZMETRICS_VHOST")
        .options(&[given("import-logs", "vhost")]),
    key("summaries", "apps", List, "none", "Rappture tools besides `workspace`; with it, /apps is not looked at.")
        .variable("HZMETRICS_APPS")
        .options(&[given("summarize", "apps")]),
    key("summaries", "apps_root", Path, "/apps with the databases", "The folder that Rappture tools are installed in.")
        .variable("HZMETRICS_APPS_ROOT")
        .options(&[given("summarize", "apps-root")]),
    key("summaries", "domainclass", Path, "the table, or the built-in list", "Classes of domains, a CSV file.")
        .variable("HZMETRICS_DOMAINCLASS")
        .options(&[given("summarize", "domainclass")]),
    key(
        "summaries",
        "country_continent",
        Path,
        "the table, or the built-in list",
        "Continents of countries, a CSV file.",
    )
    .variable("HZMETRICS_COUNTRY_CONTINENT")
    .options(&[given("summarize", "country-continent")]),
    key("summaries", "memory", Text, "no limit", "About how much memory summarize may use: 300M, 2G.")
        .variable("HZMETRICS_MEMORY")
        .options(&[StageOption {
            stage: "summarize",
            option: "memory",
            is_read_there: false,
            unless: &["why", "state-to", "state-from"],
        }]),
    key("report", "path", Path, "none", "The folder of the pages, an absolute path; without it no page is written."),
    key("report", "sections", List, "all", "Sections of the report: usage, tools, traffic.")
        .options(&[given("report", "sections")]),
    key("report", "months", Number, "36", "How many months the charts go back.").options(&[given("report", "months")]),
    key("report", "title", Text, "Usage report", "Title of the report.").options(&[given("report", "title")]),
    key("report", "logo", Path, "none", "A picture at the top of each page.").options(&[given("report", "logo")]),
    key("report", "mode", Text, "0644", "Permissions of the pages, in octal digits."),
    key("report", "owner", Text, "who writes them", "Owner of the pages: USER, USER:GROUP or :GROUP."),
    key(
        "retention",
        "logs_months",
        Number,
        "forever",
        "For how many full months `hzmetrics prune` keeps imported logs.",
    ),
    key(
        "retention",
        "web_months",
        Number,
        "forever",
        "For how many full months `hzmetrics prune` keeps requests and sessions (`web`, `websessions`).",
    ),
    key(
        "retention",
        "logins_months",
        Number,
        "forever",
        "For how many full months `hzmetrics prune` keeps logins (`userlogin`, `userlogin_lite`).",
    ),
    key(
        "retention",
        "dns_cache_days",
        Number,
        "until they are no longer valid",
        "For how many days `hzmetrics prune` keeps answers in the file of `[dns] cache`.",
    ),
    key(
        "retention",
        "staged_days",
        Number,
        "until the next import",
        "For how many days `hzmetrics prune` keeps staging files that were imported (`_prev…`).",
    ),
    key(
        "retention",
        "rejects_days",
        Number,
        "forever",
        "For how many days `hzmetrics prune` keeps logs in `refused/`, and files in `rejects_path`.",
    ),
    key("retention", "rejects_path", Path, "none", "A folder with files that `--rejects` wrote; others in it stay."),
    key("retention", "backups_keep", Number, "all", "How many backups `hzmetrics prune` keeps in `backups_path`."),
    key("retention", "backups_path", Path, "none", "The folder that `hzmetrics backup` is given."),
    key("privacy", "addresses", Text, "keep", "Addresses of logs as they are stored: keep, or shorten to /24 and /48.")
        .options(&[StageOption { stage: "import-logs", option: "addresses", is_read_there: true, unless: &[] }]),
    key(
        "privacy",
        "hash_after_days",
        Number,
        "never",
        "After how many days runs replace the addresses of a published month with hashes.",
    ),
    key(
        "privacy",
        "hash_key_months",
        Number,
        "1",
        "For how many months an address has the same hash; then the key is destroyed and another one is drawn.",
    ),
    key("compat", "options", List, "default", "Whose numbers: default, legacy, port, or single options.")
        .variable("HZMETRICS_COMPAT"),
    key("run", "user", Text, "the owner of the folders", "Whose rights a program takes that root starts."),
    key("run", "lock_wait", Number, "600", "Seconds that a stage waits for another run that writes.")
        .variable("HZMETRICS_LOCK_WAIT")
        .options(&[given("*", "lock-wait")]),
    key("metrics", "textfile", Path, "none", "The file that Prometheus' node exporter collects."),
    key("metrics", "statsd", Text, "none", "The statsd server, HOST:PORT.").variable("HZMETRICS_STATSD"),
    key(
        "notify",
        "heartbeat_url",
        Secret,
        "none",
        "An address that is fetched after each successful run; `/fail` behind it after a failed one.",
    ),
    key("notify", "command", Text, "none", "A program that gets an event when a trouble begins and when it ends."),
    key("check", "*", Text, "the limits of the check", "Limits of the check NAME, as WARNING,CRITICAL or off."),
];

/// The key of a section and a name in a file.
#[must_use]
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.is(section, name))
}

/// The known key that is most like one that is not known, as `[section] name`.
#[must_use]
pub fn nearest(section: &str, name: &str) -> Option<String> {
    let place = |key: &Key| format!("[{}] {}", key.section, key.name);
    // the same name in another section comes first
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return Some(place(key));
    }
    let here = KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
    let near = crate::near::nearest(name, here).map(|name| format!("[{section}] {name}"));
    near.or_else(|| {
        let name = crate::near::nearest(name, KEYS.iter().map(|key| key.name))?;
        KEYS.iter().find(|key| key.name == name).map(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let names: std::collections::BTreeSet<_> = KEYS.iter().map(|key| (key.section, key.name)).collect();
        assert_eq!(names.len(), KEYS.len(), "a key is there twice");
        let mut sections: Vec<_> = KEYS.iter().map(|key| key.section).collect();
        sections.dedup();
        assert_eq!(sections, SECTIONS.map(|(name, _)| name), "in the order of the sections");
        for key in KEYS {
            assert!(key.doc.ends_with('.') && !key.doc.contains(['|', '\n']), "{}", key.name);
            assert!(key.options.iter().all(|option| !option.option.starts_with('-')), "{}", key.name);
        }
        let variables: std::collections::BTreeSet<_> = KEYS.iter().filter_map(|key| key.variable).collect();
        assert_eq!(variables.len(), KEYS.iter().filter(|key| key.variable.is_some()).count());
    }

    #[test]
    fn mistyped_keys() {
        for (section, name, expected) in [
            ("dns", "namserver", Some("[dns] nameserver")),
            ("logs", "nameserver", Some("[dns] nameserver")),
            ("log", "geopi", Some("[logs] geoip")),
            ("logs", "colour", None),
        ] {
            assert_eq!(nearest(section, name).as_deref(), expected, "{name}");
        }
    }
}
