//! The migrations that update an old metrics database: what each does, and how to recognise that it
//! is done.
//!
//! Numbers up to 58 are those of the port, so that either program understands the other's ledger;
//! ours begin at 1001, which the port ignores. The order of the list is the order of execution: 57
//! comes before 56.

use anyhow::{Context as _, Result};
use database::{Db, DbError, ErrorKind, Params};
use kit::{Messages, Usage};
use schema::Month;
use schema::tables::{self, Engine, GENERATIONS, Key, PRUNED, WRITER, quote};

use super::{addresses, primary_keys};

/// One migration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    pub(crate) id: u16,
    change: Change,
}

/// What a migration changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// An index of the final schema exists.
    Index(&'static str, &'static str),
    /// The column `dnload` and its single index exist; the index that later replaces it counts too.
    OldDownloadIndex,
    /// An index is removed.
    NoIndex(&'static str, &'static str),
    /// Only logins and simulations are in `userlogin`.
    Logins,
    /// A table exists, in its first version.
    Table(&'static str),
    /// A table is stored in InnoDB.
    InnoDb(&'static str),
    /// `web` is stored in InnoDB with the indexes of the final schema.
    WebInnoDb,
    /// Host names are in lower case.
    LowerHost(&'static str),
    /// A table has the collation of all others.
    Collation(&'static str),
    /// New tables of the database also get this collation.
    DatabaseCollation,
    /// Every row of `web` says whether it is a download.
    Downloads,
    /// A column of past months is filled.
    Fill(Fill),
    /// The ledger of imports records who wrote an entry.
    Origin,
    /// No row has the number of a session that no longer exists.
    Stamps,
    /// Values of the state may be long.
    LongState,
    /// Every column `ip` of our own is wide enough for IPv6 addresses.
    Addresses,
    /// Every table of our own has a primary key.
    PrimaryKeys,
    /// The ledger says which run imported a file.
    Runs,
}

/// A column whose values need the network or a stage's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    Host,
    Domain,
    Country,
}

impl Fill {
    /// The command of `hzmetrics` that fills it.
    const fn command(self) -> &'static str {
        match self {
            Self::Host => "resolve-dns",
            Self::Domain => "fill-domain",
            Self::Country => "fill-ipcountry",
        }
    }

    /// The rows it would fill.
    const fn gap(self) -> &'static str {
        match self {
            Self::Host => "(host IS NULL OR host = '')",
            Self::Domain => "(domain IS NULL OR domain IN ('', '?')) AND host > ''",
            Self::Country => "(ipcountry IS NULL OR ipcountry = '')",
        }
    }
}

/// Lower numbers are reserved for migrations of the port.
const OURS: u16 = 1001;

/// How many ids an UPDATE may cover at a time, so that transactions stay small.
const WINDOW: i64 = 20_000;

/// Months before the current one, by the server's clock.
const PAST: &str = "datetime < DATE_FORMAT(CURDATE(), '%Y-%m-01')";

/// The suffixes that make a file below `/resources/` a download.
const ENDINGS: &str = "txt|png|pdf|ppt|pptx|swf|docx|jpg|doc|zip|mp3|mbtiles|xml|xlsx|webm|mp4|xls|r|csv|nc4|\
                       template|tgz|mov|ipynb|py|rar|grd|tif|nc|har";

/// Runs a command of `hzmetrics` with these arguments and returns its exit code.
pub(crate) type Runner<'a> = &'a mut dyn FnMut(&[&str]) -> Result<u8>;

/// Every migration, in the order of execution.
pub(crate) fn all() -> Vec<Migration> {
    use Change::*;
    const INNODB: [&str; 28] = [
        "bot_useragents",
        "classes",
        "classvals",
        "continents",
        "countries",
        "country_continent",
        "domainclass",
        "domainclasses",
        "exclude_list",
        "regions",
        "regionvals",
        "summary_andmore",
        "summary_misc",
        "summary_simusage",
        "summary_user",
        "tops",
        "topvals",
        "totalvals",
        "webhits",
        "summary_andmore_vals",
        "summary_misc_vals",
        "summary_simusage_vals",
        "summary_user_vals",
        "jos_xprofiles_metrics",
        "sessionlog_metrics",
        "toolstart",
        "userlogin_lite",
        "userlogin",
    ];
    let mut list = vec![
        (1, OldDownloadIndex),
        (2, Index("web", "web_sessionid_dnload")),
        (3, Index("websessions", "ws_datetime_jobs_dur_country")),
        (4, Logins),
        (5, Index("websessions", "ws_domain")),
        (6, Index("websessions", "ws_jobs_country_dur")),
        (7, Table("pipeline_state")),
    ];
    list.extend((8..).zip(INNODB).map(|(id, table)| (id, InnoDb(table))));
    list.extend([
        (36, LowerHost("web")),
        (37, Index("web", "web_host")),
        (38, LowerHost("websessions")),
        (39, Index("websessions", "ws_host")),
        (40, InnoDb("websessions")),
        (41, WebInnoDb),
        (42, Index("web", "web_dt_ip")),
        (43, Index("web", "web_dnload_dt")),
        (44, Table("imported_sources")),
        (45, Collation("ipcitylatlong")),
        (46, Collation("userlogin_lite")),
        (47, DatabaseCollation),
        (48, NoIndex("web", "elementid")),
        (49, NoIndex("web", "dnload")),
        (50, NoIndex("web", "datetime")),
        (51, NoIndex("web", "sessionid")),
        (52, Downloads),
        (53, Fill(self::Fill::Host)),
        (54, Fill(self::Fill::Domain)),
        (55, Fill(self::Fill::Country)),
        (57, Origin),
        (56, Stamps),
        (58, LongState),
        (OURS, Table("import_files")),
        (OURS + 1, Addresses),
        (OURS + 2, Table(WRITER)),
        (OURS + 3, PrimaryKeys),
        (OURS + 4, Runs),
        (OURS + 5, Table(GENERATIONS)),
        (OURS + 8, Table(PRUNED)),
    ]);
    list.into_iter().map(|(id, change)| Migration { id, change }).collect()
}

impl Migration {
    /// Its purpose, in one line.
    pub(crate) fn about(&self) -> String {
        match self.change {
            Change::Index(table, name) => format!("index {name} on {table}"),
            Change::OldDownloadIndex => {
                "column dnload of web where it is missing, index on it (43 replaces the index)".to_owned()
            }
            Change::NoIndex(table, name) => format!("drop index {name} of {table}, others cover it"),
            Change::Logins => "delete userlogin rows other than login and simulation".to_owned(),
            Change::Table(name) => format!("create {name}"),
            Change::InnoDb(table) => format!("store {table} in InnoDB: transactions, and writers block no readers"),
            Change::WebInnoDb => "store web in InnoDB: indexes dropped first, added again after".to_owned(),
            Change::LowerHost(table) => format!("lower case for {table}.host"),
            Change::Collation(table) => format!("collation utf8mb3_general_ci for {table}"),
            Change::DatabaseCollation => "collation utf8mb3_general_ci for new and temporary tables".to_owned(),
            Change::Downloads => "fill web.dnload where it is NULL, mark these months dirty".to_owned(),
            Change::Fill(Fill::Host) => "fill web.host and websessions.host of past months by reverse DNS".to_owned(),
            Change::Fill(Fill::Domain) => "fill web.domain and websessions.domain of past months".to_owned(),
            Change::Fill(Fill::Country) => "fill web.ipcountry and websessions.ipcountry of past months".to_owned(),
            Change::Origin => "imported_sources.origin tells imported from reconstructed entries".to_owned(),
            Change::Stamps => "clear session stamps of web and toolstart whose session is gone".to_owned(),
            Change::LongState => "pipeline_state.v as text: many dirty months do not fit 255 characters".to_owned(),
            Change::Runs => "import_files.run tells which run imported a file".to_owned(),
            Change::Addresses => "room for IPv6 addresses in every column ip, for --compat ipv6".to_owned(),
            Change::PrimaryKeys => "a primary key for tables without one, which clusters may require".to_owned(),
        }
    }

    /// Whether it adds columns that only programs see that ask the server for the columns of a table.
    pub(crate) const fn adds_invisible_columns(&self) -> bool {
        matches!(self.change, Change::PrimaryKeys)
    }

    /// Whether the stages need it on every hub.
    pub(crate) const fn is_required(&self) -> bool {
        !matches!(self.change, Change::Addresses | Change::PrimaryKeys | Change::Runs)
    }

    /// Its kind in the list of migrations.
    pub(crate) const fn kind(&self) -> &'static str {
        match (self.id >= OURS, self.is_required()) {
            (true, _) => "ours",
            (false, true) => "required",
            (false, false) => "performance",
        }
    }

    /// Whether the database is in the state after the migration; `None` if a missing table makes it
    /// impossible to tell.
    pub(crate) fn is_done(&self, db: &mut Db) -> Result<Option<bool>> {
        match self.look(db) {
            Ok(done) => Ok(Some(done)),
            Err(error) if DbError::of(&error).is_some_and(|e| e.kind() == ErrorKind::NoTable) => Ok(None),
            Err(error) => Err(error.context(format!("looking whether migration {} is needed", self.id))),
        }
    }

    fn look(&self, db: &mut Db) -> Result<bool> {
        const INDEX: &str = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() AND \
                             table_name = ? AND index_name IN (?, ?)";
        const ENGINE: &str = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND \
                              table_name = ? AND engine = 'InnoDB'";
        const TABLE: &str = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND \
                             table_name = ?";
        const COLUMN: &str = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND \
                              table_name = ? AND column_name = ? AND data_type = ?";
        let collation = db.charset().collation();
        let mut count = |sql: &str, params: Params| Ok::<_, anyhow::Error>(db.number(sql, params)?.unwrap_or(0));
        Ok(match self.change {
            Change::Index(table, name) => count(INDEX, (table, name, name).into())? > 0,
            Change::OldDownloadIndex => count(INDEX, ("web", "dnload", "web_dnload_dt").into())? > 0,
            Change::NoIndex(table, name) => count(INDEX, (table, name, name).into())? == 0,
            Change::Table(name) => count(TABLE, (name,).into())? > 0,
            Change::InnoDb(table) => count(ENGINE, (table,).into())? > 0,
            Change::WebInnoDb => count(ENGINE, ("web",).into())? > 0 && missing_web_keys(db)?.is_empty(),
            Change::Collation(table) => {
                let sql = format!("{TABLE} AND table_collation <> ?");
                count(&sql, (table, collation).into())? == 0
            }
            Change::DatabaseCollation => {
                let sql = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = DATABASE() AND \
                           default_collation_name = ?";
                count(sql, (collation,).into())? > 0
            }
            Change::Origin => count(COLUMN, ("imported_sources", "origin", "enum").into())? > 0,
            Change::LongState => count(COLUMN, ("pipeline_state", "v", "text").into())? > 0,
            Change::Runs => count(COLUMN, ("import_files", "run", "varchar").into())? > 0,
            Change::Addresses => addresses::narrow(db)?.is_empty(),
            Change::PrimaryKeys => primary_keys::lacking(db)?.is_empty(),
            Change::Logins => none(db, "userlogin", OTHER_ACTIONS)?,
            Change::LowerHost(table) => none(db, table, MIXED_CASE)?,
            // migration 1 adds the column
            Change::Downloads
                if count(TABLE, ("web",).into())? > 0 && count(COLUMN, ("web", "dnload", "tinyint").into())? == 0 =>
            {
                false
            }
            Change::Downloads => none(db, "web", "dnload IS NULL")?,
            Change::Fill(fill) => none(db, "web", &format!("{} AND {PAST}", fill.gap()))?,
            Change::Stamps => none(db, "web", &orphans("web"))?,
        })
    }

    /// What it costs, if that should be known beforehand: time, and space on disk.
    pub(crate) fn costs(&self, db: &mut Db) -> Result<Vec<String>> {
        if self.change == Change::Addresses { addresses::costs(db) } else { Ok(Vec::new()) }
    }

    /// Refuses to convert a MyISAM table on a node of a cluster: the statement would reach all nodes, and each would
    /// convert the rows that it alone has. Only where there is no other node can be seen that there are none.
    pub(crate) fn check_cluster(&self, db: &mut Db) -> Result<()> {
        let table = match self.change {
            Change::InnoDb(table) => table,
            Change::WebInnoDb => "web",
            _ => return Ok(()),
        };
        if !db.is_cluster() || db.engine(table)?.is_none() || db.is_transactional(&[table])? {
            return Ok(());
        }
        let sql =
            "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_cluster_size'";
        let is_alone = db.texts(sql, ())?.first().is_some_and(|size| size == "1");
        if is_alone && db.number(&format!("SELECT 1 FROM {} LIMIT 1", quote(table)), ())?.is_none() {
            return Ok(());
        }
        Err(Usage(format!(
            "migration {}: {table} is not stored in InnoDB. This server is a node of a cluster, which replicates no rows \
             of such tables: the nodes would keep different ones. Dump the metrics database of the node that has the right \
             rows, load it into a server outside of the cluster, run `hzmetrics migrate --apply` there, and load the result \
             into the cluster",
            self.id
        ))
        .into())
    }

    /// Does it. Every change can be done again after an interruption.
    pub(crate) fn apply(&self, db: &mut Db, messages: Messages, run: Runner<'_>) -> Result<()> {
        if !matches!(self.change, Change::Fill(_) | Change::Table(_)) {
            db.will_change_every_month()?;
        }
        match self.change {
            Change::Fill(fill) => return fill_months(db, fill, messages, run),
            Change::Addresses => return addresses::widen(db),
            Change::PrimaryKeys => return primary_keys::add(db),
            Change::Downloads => return downloads(db, messages),
            // not every engine says how many rows it has deleted
            Change::Logins => {
                while !none(db, "userlogin", OTHER_ACTIONS)? {
                    let sql = format!("DELETE FROM userlogin WHERE {OTHER_ACTIONS} LIMIT {WINDOW}");
                    db.transaction_with_retry("deleting rows", &["userlogin"], |db| Ok(db.run(&sql, ())?))?;
                }
            }
            Change::LowerHost(table) => {
                let sql = format!("UPDATE {table} SET host = LOWER(host) WHERE {MIXED_CASE}");
                in_id_ranges(db, table, MIXED_CASE, &sql)?;
            }
            Change::Stamps => {
                for table in ["web", "toolstart"] {
                    let gone = orphans(table);
                    let sql = format!("UPDATE {table} SET sessionid = NULL WHERE {gone}");
                    in_id_ranges(db, table, &gone, &sql)?;
                }
            }
            Change::WebInnoDb => {
                if !db.is_transactional(&["web"])? {
                    // rebuilding the table and its indexes at once needs several times its size on disk
                    let names = db.texts(
                        "SELECT DISTINCT index_name FROM information_schema.statistics WHERE \
                         table_schema = DATABASE() AND table_name = 'web' AND index_name <> 'PRIMARY'",
                        (),
                    )?;
                    let drops: String =
                        names.iter().map(|name| format!("DROP INDEX IF EXISTS {}, ", quote(name))).collect();
                    db.run(&format!("ALTER TABLE web {drops}ENGINE=InnoDB"), ())?;
                }
                let adds: Vec<String> =
                    missing_web_keys(db)?.iter().map(|key| format!("ADD {}", if_missing(key))).collect();
                if !adds.is_empty() {
                    db.run(&format!("ALTER TABLE web {}", adds.join(", ")), ())?;
                }
            }
            _ => {
                if let Some(statement) = self.statement(db) {
                    db.run(&statement, ())?;
                }
            }
        }
        Ok(())
    }

    /// The single statement of the simple changes.
    fn statement(&self, db: &Db) -> Option<String> {
        let charset = db.charset();
        Some(match self.change {
            Change::Index(table, name) => {
                let key = tables::metrics(table)?.keys.iter().find(|key| key.name == name)?;
                format!("ALTER TABLE {table} ADD {}", if_missing(key))
            }
            Change::OldDownloadIndex => {
                let column = tables::metrics("web")?.column("dnload")?.definition();
                format!("ALTER TABLE web ADD COLUMN IF NOT EXISTS {column}, ADD KEY IF NOT EXISTS dnload (dnload)")
            }
            Change::NoIndex(table, name) => format!("ALTER TABLE {table} DROP INDEX IF EXISTS {}", quote(name)),
            Change::Table(name) => tables::metrics(name)?.create(&quote(name), Engine::InnoDb, charset),
            Change::InnoDb(table) => format!("ALTER TABLE {table} ENGINE=InnoDB"),
            Change::Collation(table) => {
                let (set, collation) = (charset.name(), charset.collation());
                format!("ALTER TABLE {table} CONVERT TO CHARACTER SET {set} COLLATE {collation}")
            }
            Change::DatabaseCollation => {
                let database = quote(&db.target().metrics_db);
                format!("ALTER DATABASE {database} CHARACTER SET {} COLLATE {}", charset.name(), charset.collation())
            }
            Change::Origin => {
                let column = tables::metrics("imported_sources")?.column("origin")?;
                format!("ALTER TABLE imported_sources ADD COLUMN IF NOT EXISTS {}", column.definition())
            }
            Change::Runs => {
                let column = tables::metrics("import_files")?.column("run")?;
                format!("ALTER TABLE import_files ADD COLUMN IF NOT EXISTS {}", column.definition())
            }
            Change::LongState => {
                let column = tables::metrics("pipeline_state")?.column("v")?;
                format!("ALTER TABLE pipeline_state MODIFY COLUMN {}", column.definition())
            }
            _ => return None,
        })
    }
}

const OTHER_ACTIONS: &str = "action NOT IN ('login', 'simulation')";

/// Only rows that differ byte by byte; the collation itself ignores case.
const MIXED_CASE: &str = "host > '' AND BINARY host <> BINARY LOWER(host)";

fn orphans(table: &str) -> String {
    format!(
        "{table}.sessionid <> 0 AND {table}.datetime < '2100-01-01' AND \
         NOT EXISTS (SELECT * FROM websessions s WHERE s.id = {table}.sessionid)"
    )
}

/// If a client is killed, its statement continues on the server, and may finish before ours begins.
fn if_missing(key: &Key) -> String {
    key.definition().replacen("KEY ", "KEY IF NOT EXISTS ", 1)
}

fn none(db: &mut Db, table: &str, condition: &str) -> Result<bool> {
    Ok(db.number(&format!("SELECT 1 FROM {table} WHERE {condition} LIMIT 1"), ())?.is_none())
}

/// The keys of the final schema that `web` lacks.
fn missing_web_keys(db: &mut Db) -> Result<Vec<&'static Key>> {
    let sql = "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND \
               table_name = 'web'";
    let there = db.texts(sql, ())?;
    let keys = tables::metrics("web").map_or(&[][..], |table| table.keys);
    Ok(keys.iter().filter(|key| !there.iter().any(|name| name == key.name)).collect())
}

/// Runs an UPDATE over all rows that match `condition`, a range of ids at a time.
fn in_id_ranges(db: &mut Db, table: &str, condition: &str, update: &str) -> Result<u64> {
    let bounds = db.all(&format!("SELECT MIN(id), MAX(id) FROM {table} WHERE {condition}"), (), |cells| {
        Ok(cells.int(0).zip(cells.int(1)))
    })?;
    let mut changed = 0;
    if let Some(Some((first, last))) = bounds.first() {
        let mut id = *first;
        while id <= *last {
            let sql = format!("{update} AND {table}.id >= {id} AND {table}.id < {}", id.saturating_add(WINDOW));
            changed += db.transaction_with_retry("updating rows", &[table], |db| Ok(db.run(&sql, ())?))?;
            id = id.saturating_add(WINDOW);
        }
    }
    Ok(changed)
}

/// The months of the rows that match `condition`; rows without a calendar month are left out.
fn months(db: &mut Db, table: &str, condition: &str) -> Result<Vec<Month>> {
    let sql = format!("SELECT DISTINCT DATE_FORMAT(datetime, '%Y-%m') FROM {table} WHERE {condition} ORDER BY 1");
    let texts = db.texts(&sql, ())?;
    Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
}

/// Adds months to those whose summaries must be written again.
fn mark_dirty(db: &mut Db, months: &[Month]) -> Result<()> {
    if months.is_empty() {
        return Ok(());
    }
    db.transaction_with_retry("marking months dirty", &["pipeline_state"], |db| {
        let old = db.texts("SELECT v FROM pipeline_state WHERE k = 'dirty_months' FOR UPDATE", ())?;
        let mut all: Vec<String> = old.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
        all.extend(months.iter().map(Month::to_string));
        all.retain(|month| !month.is_empty());
        all.sort_unstable();
        all.dedup();
        let sql = "INSERT INTO pipeline_state (k, v) VALUES ('dirty_months', ?) ON DUPLICATE KEY UPDATE v = VALUES(v)";
        db.run(sql, (all.join(","),))?;
        Ok(())
    })
}

fn downloads(db: &mut Db, messages: Messages) -> Result<()> {
    const GAP: &str = "dnload IS NULL";
    let dirty = months(db, "web", GAP)?;
    // marked first: after an interruption, rows that are already done would no longer show their
    // months
    mark_dirty(db, &dirty)?;
    let update = format!(
        "UPDATE web SET dnload = content LIKE '/resources/%/download/%' OR \
         content REGEXP '^/resources/.*[.]({ENDINGS})([?#]|$)' WHERE {GAP}"
    );
    let changed = in_id_ranges(db, "web", GAP, &update)?;
    let (rows, months) = (kit::counted(changed, "row", "rows"), kit::counted(dirty.len(), "month", "months"));
    messages.note(format_args!("{rows}, {months} to summarize again"));
    Ok(())
}

fn fill_months(db: &mut Db, fill: Fill, messages: Messages, run: Runner<'_>) -> Result<()> {
    let command = fill.command();
    for table in ["web", "websessions"] {
        for month in months(db, table, &format!("{} AND {PAST}", fill.gap()))? {
            let count = format!(
                "SELECT COUNT(*) FROM {table} WHERE {} AND datetime >= '{}' AND datetime < '{}'",
                fill.gap(),
                month.start(),
                month.next().start()
            );
            let before = db.number(&count, ())?.unwrap_or(0);
            let text = month.to_string();
            let code = run(&[command, "metrics", table, &text]).with_context(|| format!("running {command}"))?;
            let filled = before - db.number(&count, ())?.unwrap_or(0);
            if filled > 0 {
                mark_dirty(db, &[month])?;
                let rows = kit::counted(filled, "row", "rows");
                messages.note(format_args!("{table} {month}: {rows} filled"));
            }
            anyhow::ensure!(
                code == 0,
                "`hzmetrics {command} metrics {table} {month}` failed with code {code}; the migration stays pending"
            );
        }
    }
    Ok(())
}
