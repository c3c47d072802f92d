//! The tables of both databases as data: columns, defaults, keys, and the statement that creates
//! them.
//!
//! `hzmetrics setup-db` creates the metrics tables; `doctor` and the tests know the hub's. The
//! content of the tables is described with the records, in [`crate::kind`]. Nothing here talks to a
//! server.

use std::fmt::Write as _;

/// A storage engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Transactions and row locks; `setup-db` uses it.
    InnoDb,
    /// No transactions; the CMS and old hubs use it.
    MyIsam,
}

impl Engine {
    /// The name as the server prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InnoDb => "InnoDB",
            Self::MyIsam => "MyISAM",
        }
    }
}

impl std::str::FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::InnoDb, Self::MyIsam]
            .into_iter()
            .find(|engine| engine.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("`{text}` is not a supported engine (InnoDB, MyISAM)"))
    }
}

/// The server's name for the three-byte UTF-8 that every table uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// `utf8mb3`, MariaDB 10.6 and later.
    #[default]
    Utf8mb3,
    /// `utf8`, before that.
    Utf8,
}

impl Charset {
    /// The character set.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8mb3 => "utf8mb3",
            Self::Utf8 => "utf8",
        }
    }

    /// The collation of every table.
    #[must_use]
    pub const fn collation(self) -> &'static str {
        match self {
            Self::Utf8mb3 => "utf8mb3_general_ci",
            Self::Utf8 => "utf8_general_ci",
        }
    }
}

/// The type of our address columns, wide enough for the longest IPv6 address. In tables older than
/// migration 1002 they hold [`NARROW_IP`] characters.
pub const IP: &str = "varchar(45)";
/// How many characters of an address the original tables hold, and legacy stored.
pub const NARROW_IP: usize = 15;
/// How many characters [`IP`] holds.
pub const WIDE_IP: usize = 45;

/// The table with the row of the process that writes. It is of no use without transactions.
pub const WRITER: &str = "hz_writer";

/// The invisible column that is the primary key of tables that had none.
pub const HIDDEN_KEY: &str = "hz_id";

/// The table with a number for each month, raised when its rows change. It is of no use without transactions.
pub const GENERATIONS: &str = "hz_generations";

/// The table with what is kept of rows that were removed for their age. It is of no use without transactions.
pub const PRUNED: &str = "hz_pruned";

/// The zero datetime.
const ZERO: &str = "'0000-00-00 00:00:00'";
/// The empty string.
const EMPTY: &str = "''";
/// The number zero.
const NIL: &str = "0";
/// The moment of the insert.
const NOW: &str = "current_timestamp()";

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Col {
    /// The name.
    pub name: &'static str,
    /// The type as the server prints it, display width included.
    pub ty: &'static str,
    /// Whether NULL can be stored.
    pub nullable: bool,
    /// The default as SQL text; NULL for a nullable column without one.
    pub default: Option<&'static str>,
    /// Whether the server numbers the rows with it.
    pub auto_increment: bool,
    /// Whether the server sets it to the current time with every update.
    pub on_update: bool,
    /// Whether `SELECT *` and an INSERT without a list of columns leave it out.
    pub invisible: bool,
}

const fn col(name: &'static str, ty: &'static str) -> Col {
    Col { name, ty, nullable: false, default: None, auto_increment: false, on_update: false, invisible: false }
}

/// The primary key of a table that had none: it numbers the rows, and programs that do not name it do not see it.
/// Migration 1004 adds it.
const HIDDEN: Col = Col { invisible: true, ..col(HIDDEN_KEY, "bigint(20) unsigned").auto() };
/// Its key.
const HIDDEN_PRIMARY: Key = primary(&[HIDDEN_KEY]);

impl Col {
    const fn null(mut self) -> Self {
        self.nullable = true;
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn auto(mut self) -> Self {
        self.auto_increment = true;
        self
    }

    const fn touched(mut self) -> Self {
        self.on_update = true;
        self
    }

    /// The column in a CREATE or ALTER statement.
    #[must_use]
    pub fn definition(&self) -> String {
        let mut sql = format!("{} {}", quote(self.name), self.ty);
        if !self.nullable {
            sql.push_str(" NOT NULL");
        } else if self.ty.starts_with("timestamp") {
            sql.push_str(" NULL");
        }
        match self.default {
            Some(default) => {
                let _ = write!(sql, " DEFAULT {default}");
            }
            None if self.nullable => sql.push_str(" DEFAULT NULL"),
            None => {}
        }
        if self.on_update {
            let _ = write!(sql, " ON UPDATE {NOW}");
        }
        if self.auto_increment {
            sql.push_str(" AUTO_INCREMENT");
        }
        if self.invisible {
            sql.push_str(" INVISIBLE");
        }
        sql
    }
}

/// The purpose of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The primary key.
    Primary,
    /// No two rows are equal.
    Unique,
    /// Only speed.
    Index,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its purpose.
    pub kind: KeyKind,
    /// The name, `PRIMARY` for the primary key.
    pub name: &'static str,
    /// Its columns in order, with the prefix length in parentheses if only a prefix counts.
    pub columns: &'static [&'static str],
}

const fn primary(columns: &'static [&'static str]) -> Key {
    Key { kind: KeyKind::Primary, name: "PRIMARY", columns }
}

const fn unique(name: &'static str, columns: &'static [&'static str]) -> Key {
    Key { kind: KeyKind::Unique, name, columns }
}

const fn index(name: &'static str, columns: &'static [&'static str]) -> Key {
    Key { kind: KeyKind::Index, name, columns }
}

impl Key {
    /// The key in a CREATE statement, or after ADD.
    #[must_use]
    pub fn definition(&self) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| match column.split_once('(') {
                Some((name, length)) => format!("{}({length}", quote(name)),
                None => quote(column),
            })
            .collect();
        let columns = columns.join(", ");
        match self.kind {
            KeyKind::Primary => format!("PRIMARY KEY ({columns})"),
            KeyKind::Unique => format!("UNIQUE KEY {} ({columns})", quote(self.name)),
            KeyKind::Index => format!("KEY {} ({columns})", quote(self.name)),
        }
    }
}

/// One table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The name, without the hub's prefix.
    pub name: &'static str,
    /// Whether the hub's prefix (`jos_`) comes before the name.
    pub prefixed: bool,
    /// Its columns in order.
    pub columns: &'static [Col],
    /// Its keys.
    pub keys: &'static [Key],
}

impl Table {
    const fn new(name: &'static str, columns: &'static [Col], keys: &'static [Key]) -> Self {
        Self { name, prefixed: false, columns, keys }
    }

    const fn prefixed(name: &'static str, columns: &'static [Col], keys: &'static [Key]) -> Self {
        Self { name, prefixed: true, columns, keys }
    }

    /// The name on the server; `prefix` is the hub's.
    #[must_use]
    pub fn full_name(&self, prefix: &str) -> String {
        if self.prefixed { format!("{prefix}{}", self.name) } else { self.name.to_owned() }
    }

    /// The column `name`.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Col> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Its primary key.
    #[must_use]
    pub fn primary(&self) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.kind == KeyKind::Primary)
    }

    /// The statement that creates the table if it is missing. `at` is its full name, quoted, with
    /// the database if needed.
    #[must_use]
    pub fn create(&self, at: &str, engine: Engine, charset: Charset) -> String {
        self.created(at, engine, charset, true)
    }

    /// The same without the invisible column, which programs see that ask the server for the columns of a table.
    #[must_use]
    pub fn create_without_hidden(&self, at: &str, engine: Engine, charset: Charset) -> String {
        self.created(at, engine, charset, false)
    }

    fn created(&self, at: &str, engine: Engine, charset: Charset, hidden: bool) -> String {
        let engine = if [WRITER, GENERATIONS, PRUNED].contains(&self.name) { Engine::InnoDb } else { engine };
        let columns = self.columns.iter().filter(|column| hidden || !column.invisible);
        let keys = self.keys.iter().filter(|key| hidden || **key != HIDDEN_PRIMARY);
        let lines: Vec<String> = columns.map(Col::definition).chain(keys.map(Key::definition)).collect();
        format!(
            "CREATE TABLE IF NOT EXISTS {at} (\n  {}\n) ENGINE={} DEFAULT CHARSET={} COLLATE={}",
            lines.join(",\n  "),
            engine.name(),
            charset.name(),
            charset.collation()
        )
    }
}

/// A name in back quotes, safe in a statement.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The metrics table `name`.
#[must_use]
pub fn metrics(name: &str) -> Option<&'static Table> {
    METRICS.iter().find(|table| table.name == name)
}

/// The hub table `name`, without prefix.
#[must_use]
pub fn hub(name: &str) -> Option<&'static Table> {
    HUB.iter().find(|table| table.name == name)
}

/// The labels of the rows of a summary table.
const SUMMARY_LABELS: &[Col] =
    &[col("id", "tinyint(4)").or(NIL), col("label", "varchar(255)").or(EMPTY), col("plot", "int(1)").null().or(NIL)];

/// Their keys. Migration 1004 adds the primary key; rows are in the order of labels with it and without.
const SUMMARY_LABEL_KEYS: &[Key] = &[primary(&["label"]), unique("label", &["label"])];

/// The numbers of a summary table.
const SUMMARY_CELLS: &[Col] = &[
    col("rowid", "tinyint(4)").or(NIL),
    col("colid", "tinyint(4)").or(NIL),
    col("datetime", "datetime").or(ZERO),
    col("period", "tinyint(4)").or("1"),
    col("value", "bigint(20)").null().or(NIL),
    col("valfmt", "tinyint(4)").or(NIL),
    HIDDEN,
];

/// The first columns of the hub's profile table and of its copy.
const PROFILE_HEAD: [Col; 37] = [
    col("uidNumber", "int(11)").or(NIL),
    col("name", "varchar(255)").or(EMPTY),
    col("username", "varchar(150)").or(EMPTY),
    col("email", "varchar(100)").or(EMPTY),
    col("registerDate", "datetime").or(ZERO),
    col("gidNumber", "varchar(11)").or(EMPTY),
    col("homeDirectory", "varchar(255)").or(EMPTY),
    col("loginShell", "varchar(255)").or(EMPTY),
    col("ftpShell", "varchar(255)").or(EMPTY),
    col("userPassword", "varchar(255)").or(EMPTY),
    col("gid", "varchar(255)").or(EMPTY),
    col("orgtype", "varchar(255)").or(EMPTY),
    col("organization", "varchar(255)").or(EMPTY),
    col("countryresident", "char(2)").or(EMPTY),
    col("countryorigin", "char(2)").or(EMPTY),
    col("gender", "varchar(255)").or(EMPTY),
    col("url", "varchar(255)").or(EMPTY),
    col("reason", "text").or(EMPTY),
    col("mailPreferenceOption", "int(11)").or("-1"),
    col("usageAgreement", "int(11)").or(NIL),
    col("modifiedDate", "datetime").or(ZERO),
    col("emailConfirmed", "int(11)").or(NIL),
    col("regIP", "varchar(255)").or(EMPTY),
    col("regHost", "varchar(255)").or(EMPTY),
    col("nativeTribe", "varchar(255)").or(EMPTY),
    col("phone", "varchar(255)").or(EMPTY),
    col("proxyPassword", "varchar(255)").or(EMPTY),
    col("proxyUidNumber", "varchar(255)").or(EMPTY),
    col("givenName", "varchar(255)").or(EMPTY),
    col("middleName", "varchar(255)").or(EMPTY),
    col("surname", "varchar(255)").or(EMPTY),
    col("picture", "varchar(255)").or(EMPTY),
    col("vip", "int(11)").or(NIL),
    col("public", "tinyint(2)").or(NIL),
    col("params", "text").or(EMPTY),
    col("note", "text").or(EMPTY),
    col("shadowExpire", "int(11)").null(),
];

/// A profile of the hub.
const PROFILE: [Col; 39] =
    join(&PROFILE_HEAD, &[col("locked", "tinyint(4)").or(NIL), col("orcid", "varchar(255)").or(EMPTY)]);

/// Its copy in the metrics database.
const PROFILE_COPY: [Col; 39] =
    join(&PROFILE_HEAD, &[col("location", "varchar(50)").null(), col("orcid", "varchar(255)").or(EMPTY)]);

/// Joins two lists of columns; `N` is their total length.
const fn join<const N: usize>(head: &[Col], tail: &[Col]) -> [Col; N] {
    assert!(head.len() + tail.len() == N, "the length is wrong");
    let mut all = [head[0]; N];
    let mut at = 1;
    while at < N {
        all[at] = if at < head.len() { head[at] } else { tail[at - head.len()] };
        at += 1;
    }
    all
}

/// The tables of the metrics database, in the order of their creation. Four of them (`classes`,
/// `regions`, `tops`, `exclude_list2`) and the `*vals` tables without `summary_` exist only for old
/// CMS plugins.
pub const METRICS: &[Table] = &[
    Table::new("bot_useragents", &[col("useragent", "tinytext").or(EMPTY)], &[primary(&["useragent(255)"])]),
    Table::new(
        "classes",
        &[
            col("class", "tinyint(4)").or(NIL),
            col("name", "varchar(128)").or(EMPTY),
            col("valfmt", "tinyint(4)").or(NIL),
            col("size", "tinyint(4)").or(NIL),
        ],
        &[primary(&["class"])],
    ),
    Table::new(
        "classvals",
        &[
            col("class", "tinyint(4)").or(NIL),
            col("datetime", "datetime").or(ZERO),
            col("period", "tinyint(4)").or(NIL),
            col("rank", "tinyint(4)").or(NIL),
            col("name", "varchar(255)").null(),
            col("value", "bigint(20)").or(NIL),
            HIDDEN,
        ],
        &[HIDDEN_PRIMARY, index("class", &["class"])],
    ),
    Table::new(
        "continents",
        &[col("continentSHORT", "char(2)").or(EMPTY), col("continentLONG", "varchar(45)").or(EMPTY)],
        &[
            primary(&["continentSHORT", "continentLONG"]),
            unique("continentSHORT", &["continentSHORT", "continentLONG"]),
        ],
    ),
    Table::new(
        "countries",
        &[col("code", "varchar(4)").or(EMPTY), col("name", "varchar(128)").or(EMPTY)],
        &[primary(&["code"])],
    ),
    Table::new(
        "country_continent",
        &[col("country", "char(2)").or(EMPTY), col("continent", "char(2)").or(EMPTY)],
        &[primary(&["country", "continent"])],
    ),
    Table::new(
        "domainclass",
        &[
            col("domain", "varchar(64)").or(EMPTY),
            col("class", "tinyint(4)").or(NIL),
            col("country", "varchar(4)").or(EMPTY),
            col("state", "varchar(4)").or(EMPTY),
            col("name", "tinytext").or(EMPTY),
        ],
        &[primary(&["domain"]), index("class", &["class"]), index("domain_class", &["domain", "class"])],
    ),
    Table::new(
        "domainclasses",
        &[col("class", "tinyint(4)").or(NIL), col("name", "varchar(64)").or(EMPTY)],
        &[primary(&["class"]), unique("class_name", &["class", "name"])],
    ),
    Table::new(
        "exclude_list",
        &[
            col("id", "int(11) unsigned").auto(),
            col("filter", "varchar(65)").or(EMPTY),
            col("type", "varchar(65)").or("'domain'"),
            col("notes", "varchar(120)").null(),
            col("date_added", "timestamp").or(NOW).touched(),
        ],
        &[primary(&["id"]), unique("filter_type", &["filter", "type"])],
    ),
    Table::new(
        "exclude_list2",
        &[
            col("filter", "varchar(65)").or(EMPTY),
            col("type", "varchar(65)").or("'domain'"),
            col("notes", "varchar(120)").null(),
            HIDDEN,
        ],
        &[HIDDEN_PRIMARY],
    ),
    Table::new(
        "jos_xprofiles_metrics",
        &PROFILE_COPY,
        &[primary(&["uidNumber"]), index("idx_username", &["username"])],
    ),
    Table::new(
        "migrations",
        &[
            col("id", "int(11)").or(NIL),
            col("description", "varchar(255)").null(),
            col("applied_at", "datetime").null().or(NOW),
        ],
        &[primary(&["id"])],
    ),
    Table::new(
        "regions",
        &[
            col("region", "tinyint(4)").or(NIL),
            col("name", "varchar(128)").or(EMPTY),
            col("valfmt", "tinyint(4)").or(NIL),
            col("size", "tinyint(4)").or(NIL),
        ],
        &[primary(&["region"])],
    ),
    Table::new(
        "regionvals",
        &[
            col("region", "tinyint(4)").or(NIL),
            col("datetime", "datetime").or(ZERO),
            col("period", "tinyint(4)").or(NIL),
            col("rank", "tinyint(4)").or(NIL),
            col("name", "varchar(255)").null(),
            col("value", "bigint(20)").or(NIL),
            HIDDEN,
        ],
        &[HIDDEN_PRIMARY],
    ),
    Table::new(
        "sessionlog_metrics",
        &[
            col("id", "bigint(20) unsigned").auto(),
            col("sessnum", "bigint(20) unsigned").or(NIL),
            col("user", "varchar(150)").or(EMPTY),
            col("ip", IP).or(EMPTY),
            col("start", "datetime").or(ZERO),
            col("appname", "varchar(150)").or(EMPTY),
            col("host", "tinytext").null(),
            col("domain", "tinytext").null(),
            col("orgtype", "tinytext").null(),
            col("countryresident", "char(2)").null(),
            col("countrycitizen", "char(2)").null(),
            col("ipcountry", "char(2)").null(),
        ],
        &[
            primary(&["sessnum"]),
            index("appname", &["appname"]),
            index("countrycitizen", &["countrycitizen"]),
            index("countryresident", &["countryresident"]),
            unique("id", &["id"]),
            index("orgtype", &["orgtype(255)"]),
            index("start", &["start"]),
            index("user", &["user"]),
        ],
    ),
    Table::new("summary_andmore", SUMMARY_LABELS, SUMMARY_LABEL_KEYS),
    Table::new("summary_andmore_vals", SUMMARY_CELLS, &[HIDDEN_PRIMARY]),
    Table::new("summary_misc", SUMMARY_LABELS, SUMMARY_LABEL_KEYS),
    Table::new(
        "summary_misc_vals",
        &[
            col("rowid", "tinyint(4)").or(NIL),
            col("colid", "tinyint(4)").or(NIL),
            col("datetime", "datetime").or(ZERO),
            col("period", "tinyint(4)").or("1"),
            col("value", "varchar(200)").null().or(EMPTY),
            col("valfmt", "tinyint(4)").or(NIL),
            HIDDEN,
        ],
        &[HIDDEN_PRIMARY],
    ),
    Table::new("summary_simusage", SUMMARY_LABELS, SUMMARY_LABEL_KEYS),
    Table::new("summary_simusage_vals", SUMMARY_CELLS, &[HIDDEN_PRIMARY]),
    Table::new("summary_user", SUMMARY_LABELS, SUMMARY_LABEL_KEYS),
    Table::new("summary_user_vals", SUMMARY_CELLS, &[HIDDEN_PRIMARY]),
    Table::new(
        "toolstart",
        &[
            col("id", "bigint(20)").auto(),
            col("sessionid", "bigint(20)").null(),
            col("datetime", "datetime").or(ZERO),
            col("orgtype", "tinytext").null(),
            col("countryresident", "char(2)").null(),
            col("countrycitizen", "char(2)").null(),
            col("success", "tinyint(4)").or(NIL),
            col("ipcountry", "char(2)").null(),
            col("ip", IP).or(EMPTY),
            col("host", "tinytext").null(),
            col("user", "varchar(150)").null(),
            col("tool", "tinytext").or(EMPTY),
            col("pid", "int(11)").null(),
            col("domain", "tinytext").null(),
            col("filesystem", "tinytext").null(),
            col("execunit", "tinytext").null(),
            col("walltime", "float unsigned").null().or(NIL),
            col("cputime", "float unsigned").null().or(NIL),
            col("error", "tinytext").null(),
        ],
        &[
            primary(&["id"]),
            index("countrycitizen", &["countrycitizen"]),
            index("countryresident", &["countryresident"]),
            index("datetime", &["datetime"]),
            index("ip", &["ip"]),
            index("ipcountry", &["ipcountry"]),
            index("orgtype", &["orgtype(255)"]),
            index("sessionid", &["sessionid"]),
            index("success", &["success"]),
            index("user", &["user"]),
        ],
    ),
    Table::new(
        "tops",
        &[
            col("top", "tinyint(4)").or(NIL),
            col("name", "varchar(128)").or(EMPTY),
            col("valfmt", "tinyint(4)").or(NIL),
            col("size", "tinyint(4)").or(NIL),
        ],
        &[primary(&["top"])],
    ),
    Table::new(
        "topvals",
        &[
            col("top", "tinyint(4)").or(NIL),
            col("datetime", "datetime").or(ZERO),
            col("period", "tinyint(4)").or("1"),
            col("rank", "tinyint(4)").or(NIL),
            col("name", "varchar(255)").null(),
            col("value", "bigint(20)").or(NIL),
            HIDDEN,
        ],
        &[
            HIDDEN_PRIMARY,
            index("top", &["top"]),
            index("top_datetime_period", &["top", "datetime", "period"]),
            index("top_datetime_rank", &["top", "datetime", "rank"]),
        ],
    ),
    Table::new(
        "totalvals",
        &[
            col("hub", "tinyint(4)").or(NIL),
            col("total", "tinyint(4)").or(NIL),
            col("datetime", "datetime").or(ZERO),
            col("period", "tinyint(4)").or("1"),
            col("value", "bigint(20)").or(NIL),
            HIDDEN,
        ],
        &[HIDDEN_PRIMARY, index("hub_total_datetime", &["hub", "total", "datetime"])],
    ),
    Table::new(
        "userlogin",
        &[
            col("id", "bigint(20)").auto(),
            col("datetime", "datetime").or(ZERO),
            col("user", "varchar(255)").or("'-'"),
            col("uidNumber", "bigint(20)").null().or(NIL),
            col("ip", IP).or(EMPTY),
            col("action", "varchar(40)").or(EMPTY),
        ],
        &[primary(&["id"]), unique("userlogin", &["datetime", "user", "uidNumber", "ip", "action"])],
    ),
    Table::new(
        "userlogin_lite",
        &[
            col("id", "bigint(20)").or(NIL),
            col("datetime", "datetime").or(ZERO),
            col("user", "varchar(255)").or("'-'"),
            col("uidNumber", "bigint(20)").null().or(NIL),
            col("ip", IP).or(EMPTY),
            col("action", "varchar(40)").or(EMPTY),
            HIDDEN,
        ],
        &[HIDDEN_PRIMARY, index("datetime_user", &["datetime", "user"]), index("uidNumber", &["uidNumber"])],
    ),
    Table::new(
        "web",
        &[
            col("id", "bigint(20)").auto(),
            col("elementid", "bigint(20)").null(),
            col("sessionid", "bigint(20)").null(),
            col("datetime", "datetime").or(ZERO),
            col("ipcountry", "char(2)").null(),
            col("content", "tinytext").or(EMPTY),
            col("referrer", "tinytext").null(),
            col("useragent", "tinytext").null(),
            col("ip", IP).or(EMPTY),
            col("host", "tinytext").null(),
            col("domain", "tinytext").null(),
            col("uidNumber", "int(11)").null(),
            col("apache_pid", "varchar(120)").or(EMPTY),
            col("joomla_sessionid", "varchar(120)").or(EMPTY),
            col("site_cookie", "varchar(120)").or(EMPTY),
            col("auth_type", "varchar(120)").or(EMPTY),
            col("component_name", "varchar(120)").or(EMPTY),
            col("view_name", "varchar(120)").or(EMPTY),
            col("task_name", "varchar(120)").or(EMPTY),
            col("action_name", "varchar(120)").or(EMPTY),
            col("item_name", "varchar(120)").or(EMPTY),
            col("dnload", "tinyint(4)").null(),
        ],
        &[
            primary(&["id"]),
            index("content", &["content(255)"]),
            index("ip", &["ip"]),
            index("ipcountry", &["ipcountry"]),
            index("web_dnload_dt", &["dnload", "datetime"]),
            index("web_dt_ip", &["datetime", "ip"]),
            index("web_host", &["host(255)"]),
            index("web_sessionid_dnload", &["sessionid", "dnload"]),
        ],
    ),
    Table::new(
        "webhits",
        &[col("datetime", "datetime").or(ZERO), col("hits", "bigint(20)").or(NIL), HIDDEN],
        &[HIDDEN_PRIMARY],
    ),
    Table::new(
        "websessions",
        &[
            col("id", "bigint(20)").or(NIL),
            col("datetime", "datetime").or(ZERO),
            col("ipcountry", "char(2)").or(EMPTY),
            col("ip", IP).or(EMPTY),
            col("host", "tinytext").null(),
            col("domain", "tinytext").null(),
            col("duration", "bigint(20)").or(NIL),
            col("jobs", "tinyint(4)").or(NIL),
            col("webevents", "bigint(20)").or(NIL),
        ],
        &[
            primary(&["id"]),
            index("datetime", &["datetime"]),
            index("ip", &["ip"]),
            index("ipcountry", &["ipcountry"]),
            index("ws_datetime_jobs_dur_country", &["datetime", "jobs", "duration", "ipcountry"]),
            index("ws_domain", &["domain(255)"]),
            index("ws_host", &["host(255)"]),
            index("ws_jobs_country_dur", &["jobs", "ipcountry", "duration"]),
        ],
    ),
    Table::new(
        "pipeline_state",
        &[col("k", "varchar(64)"), col("v", "text"), col("updated_at", "datetime").or(NOW).touched()],
        &[primary(&["k"])],
    ),
    Table::new(
        "imported_sources",
        &[
            col("id", "bigint(20)").auto(),
            col("filename", "varchar(255)"),
            col("target_table", "enum('web','userlogin','webhits')"),
            col("pk_start", "bigint(20)").null(),
            col("pk_end", "bigint(20)").null(),
            col("row_count", "bigint(20)").or(NIL),
            col("imported_at", "datetime"),
            col("origin", "enum('importer','reconstruct')").or("'importer'"),
        ],
        &[primary(&["id"]), unique("uniq_filename_target", &["filename", "target_table"])],
    ),
    // ours alone, migration 1001: what the `imported_sources` entry with the same id was read from
    Table::new(
        "import_files",
        &[
            col("id", "bigint(20)"),
            col("path", "varchar(1024)").null(),
            col("device", "bigint(20) unsigned").null(),
            col("inode", "bigint(20) unsigned").null(),
            col("size", "bigint(20) unsigned").null(),
            col("mtime", "bigint(20)").null(),
            col("offset", "bigint(20) unsigned").null(),
            col("bytes", "bigint(20) unsigned").null(),
            col("hash", "char(32)").null(),
            col("head", "char(32)").null(),
            col("lines_read", "bigint(20)").null(),
            col("rows_kept", "bigint(20)").null(),
            col("rejected", "bigint(20)").null(),
            col("dropped", "text").null(),
            col("ipv6", "bigint(20)").null(),
            col("layout", "varchar(64)").null(),
            col("status", "enum('loaded','accepted')").null(),
            // migration 1005
            col("run", "varchar(64)").null(),
        ],
        &[primary(&["id"]), index("hash", &["hash"])],
    ),
    // ours alone, migration 1003: which process writes to the databases (`owner`), and when it was heard of (`beat`)
    Table::new(
        WRITER,
        &[
            col("part", "varchar(8)"),
            col("token", "varchar(32)").or(EMPTY),
            col("host", "varchar(255)").or(EMPTY),
            col("place", "varchar(64)").or(EMPTY),
            col("pid", "bigint(20) unsigned").or(NIL),
            col("started", "bigint(20) unsigned").or(NIL),
            col("seen", "datetime").or(ZERO),
        ],
        &[primary(&["part"])],
    ),
    // ours alone, migration 1006: by which numbers `summarize` knows whether a state of closed months holds
    Table::new(
        GENERATIONS,
        &[
            col("what", "varchar(16)"),
            col("generation", "bigint(20) unsigned").or(NIL),
            col("seen", "varchar(1024)").null(),
        ],
        &[primary(&["what"])],
    ),
    // ours alone, migration 1009: which months have no rows any more (`months`), the state that stands for them, in
    // pieces (`state`), and how many rows of an import are gone (`import`)
    Table::new(
        PRUNED,
        &[
            col("kind", "varchar(8)"),
            col("name", "varchar(16)"),
            col("number", "bigint(20) unsigned").or(NIL),
            col("value", "bigint(20) unsigned").or(NIL),
            col("through", "varchar(7)").or(EMPTY),
            col("hash", "varchar(64)").or(EMPTY),
            col("made", "datetime").or(ZERO),
            col("piece", "mediumblob").null(),
        ],
        &[primary(&["kind", "name", "number"])],
    ),
];

/// The tables of the hub's database that the stages read or write; the CMS creates them. Full-text
/// keys are left out, because nothing here uses them.
pub const HUB: &[Table] = &[
    Table::new(
        "joblog",
        &[
            col("sessnum", "bigint(20) unsigned").or(NIL),
            col("job", "int(10) unsigned").or(NIL),
            col("superjob", "bigint(20) unsigned").or(NIL),
            col("event", "varchar(40)").or(EMPTY),
            col("start", "datetime").or(ZERO),
            col("walltime", "double unsigned").null().or(NIL),
            col("cputime", "double unsigned").null().or(NIL),
            col("ncpus", "smallint(5) unsigned").or(NIL),
            col("status", "smallint(5) unsigned").null().or(NIL),
            col("venue", "varchar(80)").or(EMPTY),
            col("zone_id", "int(11)").or(NIL),
            col("end", "timestamp").or(NOW),
        ],
        &[
            primary(&["sessnum", "job", "event", "venue"]),
            index("idx_event", &["event"]),
            index("idx_job", &["job"]),
            index("idx_sessnum", &["sessnum"]),
        ],
    ),
    Table::prefixed(
        "metrics_ipgeo_cache",
        &[
            col("ip", "int(10)").or(NIL),
            col("countrySHORT", "char(2)").or(EMPTY),
            col("countryLONG", "varchar(64)").or(EMPTY),
            col("ipREGION", "varchar(128)").or(EMPTY),
            col("ipCITY", "varchar(128)").or(EMPTY),
            col("ipLATITUDE", "double").null(),
            col("ipLONGITUDE", "double").null(),
            col("lookup_datetime", "timestamp").or(NOW).touched(),
        ],
        &[primary(&["ip"]), index("idx_lookup_datetime", &["lookup_datetime"])],
    ),
    Table::prefixed(
        "resource_assoc",
        &[
            col("id", "bigint(20) unsigned").auto(),
            col("parent_id", "int(11)").or(NIL),
            col("child_id", "int(11)").or(NIL),
            col("ordering", "int(11)").or(NIL),
            col("grouping", "int(11)").or(NIL),
        ],
        &[primary(&["id"]), unique("id", &["id"]), index("idx_parent_id_child_id", &["parent_id", "child_id"])],
    ),
    Table::prefixed(
        "resource_stats",
        &[
            col("id", "bigint(20)").auto(),
            col("resid", "bigint(20)").or(NIL),
            col("restype", "int(11)").null(),
            col("users", "bigint(20)").null(),
            col("jobs", "bigint(20)").null(),
            col("avg_wall", "int(20)").null(),
            col("tot_wall", "int(20)").null(),
            col("avg_cpu", "int(20)").null(),
            col("tot_cpu", "int(20)").null(),
            col("datetime", "datetime").or(ZERO),
            col("period", "tinyint(4)").or("-1"),
            col("processed_on", "datetime").or(ZERO),
        ],
        &[primary(&["id"]), unique("uidx_resid_restype_datetime_period", &["resid", "restype", "datetime", "period"])],
    ),
    Table::prefixed(
        "resource_stats_tools",
        &[
            col("id", "bigint(20)").auto(),
            col("resid", "bigint(20)").or(NIL),
            col("restype", "int(11)").or(NIL),
            col("users", "bigint(20)").null(),
            col("sessions", "bigint(20)").null(),
            col("simulations", "bigint(20)").null(),
            col("jobs", "bigint(20)").null(),
            col("avg_wall", "double unsigned").null().or(NIL),
            col("tot_wall", "double unsigned").null().or(NIL),
            col("avg_cpu", "double unsigned").null().or(NIL),
            col("tot_cpu", "double unsigned").null().or(NIL),
            col("avg_view", "double unsigned").null().or(NIL),
            col("tot_view", "double unsigned").null().or(NIL),
            col("avg_wait", "double unsigned").null().or(NIL),
            col("tot_wait", "double unsigned").null().or(NIL),
            col("avg_cpus", "int(20)").null(),
            col("tot_cpus", "int(20)").null(),
            col("datetime", "datetime").or(ZERO),
            col("period", "tinyint(4)").or("-1"),
            col("processed_on", "datetime").or(ZERO),
        ],
        &[primary(&["id"])],
    ),
    Table::prefixed(
        "resource_stats_tools_topvals",
        &[
            col("id", "bigint(20)").or(NIL),
            col("top", "tinyint(4)").or(NIL),
            col("rank", "tinyint(4)").or(NIL),
            col("name", "varchar(255)").null(),
            col("value", "bigint(20)").or(NIL),
        ],
        &[],
    ),
    Table::prefixed(
        "resources",
        &[
            col("id", "int(11)").auto(),
            col("title", "varchar(250)").or(EMPTY),
            col("type", "int(11)").or(NIL),
            col("logical_type", "int(11)").or(NIL),
            col("introtext", "text").or(EMPTY),
            col("fulltxt", "text").or(EMPTY),
            col("footertext", "text").or(EMPTY),
            col("created", "datetime").or(ZERO),
            col("created_by", "int(11)").or(NIL),
            col("modified", "datetime").or(ZERO),
            col("modified_by", "int(11)").or(NIL),
            col("published", "int(1)").or(NIL),
            col("publish_up", "datetime").or(ZERO),
            col("publish_down", "datetime").or(ZERO),
            col("access", "int(11)").or(NIL),
            col("hits", "int(11)").or(NIL),
            col("path", "varchar(200)").or(EMPTY),
            col("checked_out", "int(11)").or(NIL),
            col("checked_out_time", "datetime").or(ZERO),
            col("standalone", "tinyint(1)").or(NIL),
            col("group_owner", "varchar(250)").or(EMPTY),
            col("group_access", "text").null(),
            col("rating", "decimal(2,1)").or("0.0"),
            col("times_rated", "int(11)").or(NIL),
            col("params", "text").null(),
            col("attribs", "text").null(),
            col("alias", "varchar(100)").or(EMPTY),
            col("ranking", "float").or(NIL),
            col("master_doi", "varchar(100)").null().or(EMPTY),
            col("license", "char(255)").null(),
        ],
        &[primary(&["id"]), index("idx_license", &["license"])],
    ),
    Table::prefixed(
        "session",
        &[
            col("session_id", "varchar(200)").or(EMPTY),
            col("client_id", "tinyint(3) unsigned").or(NIL),
            col("guest", "tinyint(4) unsigned").null().or("1"),
            col("time", "varchar(14)").null().or(EMPTY),
            col("data", "mediumtext").null(),
            col("userid", "int(11)").null().or(NIL),
            col("username", "varchar(150)").null().or(EMPTY),
            col("usertype", "varchar(50)").null().or(EMPTY),
            col("ip", "varchar(15)").null(),
        ],
        &[
            primary(&["session_id"]),
            index("time", &["time"]),
            index("userid", &["userid"]),
            index("whosonline", &["guest", "usertype"]),
        ],
    ),
    Table::prefixed(
        "session_geo",
        &[
            col("session_id", "varchar(200)").or("'0'"),
            col("username", "varchar(150)").null().or(EMPTY),
            col("time", "varchar(14)").null().or(EMPTY),
            col("guest", "tinyint(4)").null().or("1"),
            col("userid", "int(11)").null().or(NIL),
            col("ip", "varchar(15)").null(),
            col("host", "varchar(128)").null(),
            col("domain", "varchar(128)").null(),
            col("signed", "tinyint(3)").null().or(NIL),
            col("countrySHORT", "char(2)").null(),
            col("countryLONG", "varchar(64)").null(),
            col("ipREGION", "varchar(128)").null(),
            col("ipCITY", "varchar(128)").null(),
            col("ipLATITUDE", "double").null(),
            col("ipLONGITUDE", "double").null(),
            col("bot", "tinyint(4)").null().or(NIL),
        ],
        &[
            primary(&["session_id"]),
            index("idx_ip", &["ip"]),
            index("idx_time", &["time"]),
            index("idx_userid", &["userid"]),
        ],
    ),
    Table::prefixed(
        "stats_topvals",
        &[
            col("id", "int(11) unsigned").auto(),
            col("top", "tinyint(4)").or(NIL),
            col("datetime", "datetime").or(ZERO),
            col("period", "tinyint(4)").or("1"),
            col("rank", "smallint(6)").or(NIL),
            col("name", "varchar(255)").null(),
            col("value", "bigint(20)").or(NIL),
        ],
        &[
            primary(&["id"]),
            index("idx_top", &["top"]),
            index("idx_top_datetime", &["top", "datetime"]),
            index("idx_top_datetime_period", &["top", "datetime", "period"]),
            index("idx_top_datetime_rank", &["top", "datetime", "rank"]),
            index("idx_top_rank", &["top", "rank"]),
        ],
    ),
    Table::prefixed(
        "tool_version",
        &[
            col("id", "int(10)").auto(),
            col("toolname", "varchar(64)").or(EMPTY),
            col("instance", "varchar(31)").or(EMPTY),
            col("title", "varchar(127)").or(EMPTY),
            col("description", "text").null(),
            col("fulltxt", "text").null(),
            col("version", "varchar(15)").null(),
            col("revision", "int(11)").null(),
            col("toolaccess", "varchar(15)").null(),
            col("codeaccess", "varchar(15)").null(),
            col("wikiaccess", "varchar(15)").null(),
            col("state", "int(15)").null(),
            col("released_by", "varchar(31)").null(),
            col("released", "datetime").null(),
            col("unpublished", "datetime").null(),
            col("exportControl", "varchar(16)").null(),
            col("license", "text").null(),
            col("vnc_geometry", "varchar(31)").null(),
            col("vnc_depth", "int(11)").null(),
            col("vnc_timeout", "int(11)").null(),
            col("vnc_command", "varchar(100)").null(),
            col("mw", "varchar(31)").null(),
            col("toolid", "int(11)").null(),
            col("priority", "int(11)").null(),
            col("params", "text").null(),
        ],
        &[
            primary(&["id"]),
            index("idx_instance", &["instance"]),
            unique("uidx_toolname_instance", &["toolname", "instance"]),
        ],
    ),
    Table::prefixed(
        "tool_version_alias",
        &[col("tool_version_id", "int(11)").or(NIL), col("alias", "varchar(255)").or(EMPTY)],
        &[],
    ),
    Table::prefixed(
        "user_profiles",
        &[
            col("id", "int(11) unsigned").auto(),
            col("user_id", "int(11)").or(NIL),
            col("profile_key", "varchar(100)").or(EMPTY),
            col("profile_value", "text").or(EMPTY),
            col("ordering", "int(11)").or(NIL),
            col("access", "int(10)").or(NIL),
        ],
        &[primary(&["id"]), index("idx_user_id", &["user_id"])],
    ),
    Table::prefixed(
        "users",
        &[
            col("id", "int(11)").auto(),
            col("name", "varchar(255)").or(EMPTY),
            col("givenName", "varchar(255)").or(EMPTY),
            col("middleName", "varchar(255)").or(EMPTY),
            col("surname", "varchar(255)").or(EMPTY),
            col("username", "varchar(150)").or(EMPTY),
            col("email", "varchar(100)").or(EMPTY),
            col("password", "varchar(127)").or(EMPTY),
            col("usertype", "varchar(25)").or(EMPTY),
            col("block", "tinyint(4)").or(NIL),
            col("approved", "tinyint(4)").or("2"),
            col("sendEmail", "tinyint(4)").null().or(NIL),
            col("registerDate", "datetime").or(ZERO),
            col("registerIP", "varchar(40)").or(EMPTY),
            col("lastvisitDate", "datetime").or(ZERO),
            col("activation", "int(11)").or(NIL),
            col("params", "text").or(EMPTY),
            col("lastResetTime", "datetime").or(ZERO),
            col("resetCount", "int(11)").or(NIL),
            col("access", "int(10)").or(NIL),
            col("usageAgreement", "tinyint(2)").or(NIL),
            col("homeDirectory", "varchar(255)").or(EMPTY),
            col("loginShell", "varchar(255)").or(EMPTY),
            col("ftpShell", "varchar(255)").or(EMPTY),
            col("secret", "char(32)").null(),
        ],
        &[
            primary(&["id"]),
            index("email", &["email"]),
            index("idx_block", &["block"]),
            index("idx_name", &["name"]),
            unique("secret", &["secret"]),
            unique("uidx_username", &["username"]),
            index("username", &["username"]),
            index("usertype", &["usertype"]),
        ],
    ),
    Table::prefixed("xprofiles", &PROFILE, &[primary(&["uidNumber"]), index("idx_username", &["username"])]),
    Table::new(
        "sessionlog",
        &[
            col("sessnum", "bigint(20) unsigned").auto(),
            col("username", "varchar(32)").or(EMPTY),
            col("remoteip", "varchar(40)").or(EMPTY),
            col("remotehost", "varchar(40)").or(EMPTY),
            col("exechost", "varchar(40)").or(EMPTY),
            col("dispnum", "int(10) unsigned").null().or(NIL),
            col("start", "datetime").or(ZERO),
            col("appname", "varchar(80)").or(EMPTY),
            col("walltime", "double unsigned").null().or(NIL),
            col("viewtime", "double unsigned").null().or(NIL),
            col("cputime", "double unsigned").null().or(NIL),
            col("status", "smallint(5) unsigned").null().or(NIL),
            col("zone_id", "int(11)").or(NIL),
        ],
        &[primary(&["sessnum"])],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_created_by_these_statements() {
        let webhits = metrics("webhits").unwrap().create("`m`.`webhits`", Engine::InnoDb, Charset::Utf8mb3);
        assert_eq!(
            webhits,
            "CREATE TABLE IF NOT EXISTS `m`.`webhits` (\n  `datetime` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',\n  \
             `hits` bigint(20) NOT NULL DEFAULT 0,\n  `hz_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT INVISIBLE,\n  \
             PRIMARY KEY (`hz_id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci"
        );
        let agents = metrics("bot_useragents").unwrap().create("a", Engine::MyIsam, Charset::Utf8);
        assert!(agents.contains("PRIMARY KEY (`useragent`(255))"), "{agents}");
        assert!(agents.ends_with("ENGINE=MyISAM DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci"), "{agents}");
        let web = metrics("web").unwrap().create("web", Engine::InnoDb, Charset::Utf8mb3);
        assert!(web.contains("`id` bigint(20) NOT NULL AUTO_INCREMENT,"), "{web}");
        assert!(web.contains("`dnload` tinyint(4) DEFAULT NULL,"), "{web}");
        assert!(web.contains("KEY `web_dt_ip` (`datetime`, `ip`)"), "{web}");
        let cache = hub("metrics_ipgeo_cache").unwrap();
        assert_eq!(cache.full_name("x_"), "x_metrics_ipgeo_cache");
        assert!(cache.create("c", Engine::MyIsam, Charset::Utf8mb3).contains(
            "`lookup_datetime` timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp()"
        ));
        assert_eq!(hub("joblog").unwrap().full_name("x_"), "joblog");
        assert_eq!(quote("a`b"), "`a``b`");
    }

    #[test]
    fn keys_name_existing_columns_and_nothing_is_defined_twice() {
        for list in [METRICS, HUB] {
            for (i, table) in list.iter().enumerate() {
                assert!(!list[..i].iter().any(|other| other.name == table.name), "{}", table.name);
                for (j, column) in table.columns.iter().enumerate() {
                    assert!(!table.columns[..j].iter().any(|other| other.name == column.name), "{}", column.name);
                }
                for key in table.keys {
                    for column in key.columns {
                        let name = column.split('(').next().unwrap();
                        assert!(table.column(name).is_some(), "{}.{name} in key {}", table.name, key.name);
                    }
                    assert_eq!(key.kind == KeyKind::Primary, key.name == "PRIMARY");
                }
            }
        }
        assert_eq!((METRICS.len(), HUB.len()), (38, 16));
    }

    /// A cluster may require it (`wsrep_mode=REQUIRED_PRIMARY_KEY`).
    #[test]
    fn every_table_of_our_own_has_a_primary_key() {
        for table in METRICS {
            assert!(table.primary().is_some(), "{}", table.name);
            let hidden = table.columns.iter().filter(|column| column.invisible).count();
            assert_eq!(hidden, usize::from(table.keys.contains(&HIDDEN_PRIMARY)), "{}", table.name);
        }
    }

    #[test]
    fn record_fields_are_columns_of_their_tables() {
        let mut seen = 0;
        // a receipt has more fields than its ledger row; for a time that clocks show twice the table has
        // only the time
        let is_ours = |name: &str| name == "utc_offset";
        for spec in crate::Kind::ALL.iter().filter(|spec| spec.kind != crate::Kind::Receipt) {
            let bare = spec.table.strip_prefix("jos_").unwrap_or(spec.table);
            let Some(table) = metrics(spec.table).or_else(|| hub(bare)) else { continue };
            seen += 1;
            let missing: Vec<_> =
                spec.columns.iter().filter(|c| !is_ours(c.name) && table.column(c.name).is_none()).collect();
            assert!(missing.is_empty(), "{}: {missing:?}", spec.table);
        }
        assert!(seen >= 15, "{seen} kinds have a table here");
    }
}
