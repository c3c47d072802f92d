//! A person in the tables. Every change is made so that it can be made again; none of them marks a month for a new
//! computation, so published numbers stay.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use database::ledger::files::{self, FileRow};
use database::ledger::{self, Range, Target};
use database::pruned::Pruned;
use database::{Cells, Db, Value, Verb};
use hub::forgotten::{How, Kind, What};
use schema::tables::quote;
use schema::{Month, text};

use super::needles::Needles;
use super::person;
use super::work::Work;

/// A table with rows of people.
struct Table {
    name: &'static str,
    user: Option<&'static str>,
    uid: Option<&'static str>,
    has_host: bool,
    /// When it happened.
    when: &'static str,
    /// Columns with texts that may mention a person, and how much each holds.
    texts: &'static [(&'static str, Width)],
}

/// How much a column holds.
#[derive(Clone, Copy)]
enum Width {
    Bytes(usize),
    Chars(usize),
}

/// All names, for a question about transactions.
pub(super) const TABLES: [&str; 6] =
    ["web", "websessions", "userlogin", "userlogin_lite", "sessionlog_metrics", "toolstart"];

const USER: Option<&str> = Some("`user`");
const UID: Option<&str> = Some("uidNumber");
const TINY: Width = Width::Bytes(text::TINYTEXT);
const NARROW: Width = Width::Chars(120);

const OF_PEOPLE: [Table; 6] = [
    Table { name: "userlogin", user: USER, uid: UID, has_host: false, when: "`datetime`", texts: &[] },
    Table { name: "userlogin_lite", user: USER, uid: UID, has_host: false, when: "`datetime`", texts: &[] },
    Table { name: "sessionlog_metrics", user: USER, uid: None, has_host: true, when: "start", texts: &[] },
    Table {
        name: "toolstart",
        user: USER,
        uid: None,
        has_host: true,
        when: "`datetime`",
        texts: &[("filesystem", TINY), ("execunit", TINY), ("error", TINY)],
    },
    Table {
        name: "web",
        user: None,
        uid: UID,
        has_host: true,
        when: "`datetime`",
        texts: &[
            ("content", TINY),
            ("referrer", TINY),
            ("useragent", TINY),
            ("joomla_sessionid", NARROW),
            ("site_cookie", NARROW),
            ("auth_type", NARROW),
            ("component_name", NARROW),
            ("view_name", NARROW),
            ("task_name", NARROW),
            ("action_name", NARROW),
            ("item_name", NARROW),
        ],
    },
    Table { name: "websessions", user: None, uid: None, has_host: true, when: "`datetime`", texts: &[] },
];

/// How many rows a transaction changes, and how many a statement looks through.
const AT_ONCE: usize = 2000;
const SPAN: i64 = 200_000;

/// The key of the months whose rows went.
pub(crate) const MONTHS: &str = "forgotten_months";

/// The name in the ledger's counts of rows that went.
const RULE: &str = "forgotten person";

impl Work<'_> {
    /// All tables of the metrics database.
    pub(super) fn tables(&mut self) -> Result<()> {
        let mut months = BTreeSet::new();
        for table in &OF_PEOPLE {
            if !self.db.has_table(table.name)? {
                continue;
            }
            let n_own = self.count(table)?;
            if self.deletes() {
                months.extend(self.months_of(table)?);
                self.note_months(&months)?;
            }
            let n_mentions = if table.texts.is_empty() { 0 } else { self.mentions(table)? };
            self.n_found += n_own + n_mentions;
            if !self.is_dry && n_own > 0 {
                if self.deletes() { self.delete(table)? } else { self.rename(table)? }
            }
            let did = if self.deletes() { "deleted" } else { "under other names" };
            let mentions = if n_mentions > 0 { format!(", {n_mentions} with a mention") } else { String::new() };
            self.say(format_args!("{}: {} {did}{mentions}", table.name, kit::counted(n_own, "row", "rows")));
        }
        self.profile()?;
        self.say_what_a_state_keeps()?;
        self.say_what_a_rebuild_changes(&months);
        Ok(())
    }

    /// What stands for removed rows has hashes, which cannot be taken out of it one by one.
    fn say_what_a_state_keeps(&mut self) -> Result<()> {
        if let Some(last) = Pruned::read(self.db)?.last() {
            self.hub.log.warning(format_args!(
                "[forget-user] the state that stands for the rows through {last}, which `hzmetrics prune` removed, still has \
                 hashes of the person: later numbers of all time may count the person twice, as what is in it and as what \
                 the rows are called now"
            ));
        }
        Ok(())
    }

    fn say_what_a_rebuild_changes(&self, months: &BTreeSet<Month>) {
        if months.is_empty() {
            self.say(format_args!(
                "published numbers stay; a month that is computed again gives the same, but for users by residence and \
                 organisation, as after any removal of an account"
            ));
            return;
        }
        let list: Vec<String> = months.iter().map(Month::to_string).collect();
        self.say(format_args!(
            "published numbers stay; if one of these months, or a later one with a longer period, is computed again, it \
             counts fewer: {}",
            list.join(", ")
        ));
    }

    fn condition(&self, table: &Table) -> Option<(String, Vec<Value>)> {
        self.person.rows(table.user, table.uid, Some("ip"))
    }

    fn count(&mut self, table: &Table) -> Result<u64> {
        let Some((condition, values)) = self.condition(table) else { return Ok(0) };
        let n = self.db.number(&format!("SELECT COUNT(*) FROM {} WHERE {condition}", table.name), values)?;
        Ok(n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    fn months_of(&mut self, table: &Table) -> Result<Vec<Month>> {
        let Some((condition, values)) = self.condition(table) else { return Ok(Vec::new()) };
        let when = table.when;
        let sql = format!("SELECT DISTINCT LEFT({when}, 7) FROM {} WHERE {condition}", table.name);
        Ok(self.db.texts(&sql, values)?.iter().filter_map(|month| month.parse().ok()).collect())
    }

    /// Notes for later which months count fewer when they are computed again.
    fn note_months(&mut self, months: &BTreeSet<Month>) -> Result<()> {
        if self.is_dry || months.is_empty() {
            return Ok(());
        }
        let mut all = months_with_fewer(self.db)?;
        all.extend(months);
        let list: Vec<String> = all.iter().map(Month::to_string).collect();
        let mut insert = self.db.insert(Verb::Replace, "pipeline_state", &["k", "v"]);
        insert.push([MONTHS.into(), list.join(",").into()])?;
        insert.finish()?;
        Ok(())
    }

    /// Deletes the person's rows, with what the ledger says of them.
    fn delete(&mut self, table: &Table) -> Result<()> {
        let name = table.name;
        let Some((condition, values)) = self.condition(table) else { return Ok(()) };
        let target = Target::from_name(name);
        if !self.db.has_ids(name)? && name != "sessionlog_metrics" {
            return self.db.transaction_with_retry("deleting rows of a person", &[name], |db| {
                db.will_change_every_month()?;
                db.delete(name, &condition, values.clone())?;
                Ok(())
            });
        }
        let ids = self.db.all(&format!("SELECT id FROM {name} WHERE {condition} ORDER BY id"), values, id_of)?;
        for some in ids.chunks(AT_ONCE) {
            self.db.transaction_with_retry("deleting rows of a person", &[name, ledger::TABLE], |db| {
                db.will_change_every_month()?;
                remove(db, name, target, some)
            })?;
        }
        Ok(())
    }

    /// Gives the person's rows other names.
    fn rename(&mut self, table: &Table) -> Result<()> {
        let person = self.person;
        let name = table.name;
        let mut changes: Vec<(String, Vec<Value>)> = Vec::new();
        if let Some(user) = table.user {
            for old in &person.names {
                changes.push((format!("{user} = ? WHERE {user} = ?"), vec![self.list.name(old).into(), old.into()]));
            }
        }
        if let Some(uid) = table.uid {
            for old in &person.ids {
                let new = self.list.id(&old.to_string());
                changes.push((format!("{uid} = ? WHERE {uid} = ?"), vec![new.into(), (*old).into()]));
            }
        }
        for old in &person.addresses {
            let new = self.list.address(old);
            let host = "host = IF(host IS NULL OR host IN ('', '?'), host, ?), ";
            let (host, more) = if table.has_host { (host, vec![Value::from(&new)]) } else { ("", Vec::new()) };
            changes.push((format!("{host}ip = ? WHERE ip = ?"), [more, vec![new.into(), old.into()]].concat()));
        }
        for some in changes.chunks(50) {
            self.db.transaction_with_retry("renaming a person in rows", &[name], |db| {
                db.will_change_every_month()?;
                for (change, values) in some {
                    db.run(&format!("UPDATE IGNORE {name} SET {change}"), values.clone())?;
                }
                Ok(())
            })?;
        }
        // what is left equals a row that has the other names already
        if name == "userlogin" { self.delete(table) } else { Ok(()) }
    }

    /// Replaces the person in the texts of rows, mostly in URLs of others; how many rows.
    fn mentions(&mut self, table: &Table) -> Result<u64> {
        let needles = Needles::new(self.person)?;
        let name = table.name;
        let columns: Vec<String> = table.texts.iter().map(|(column, _)| quote(column)).collect();
        let patterns: Vec<Value> = needles.patterns().map(Value::from).collect();
        let likes = vec![format!("CONCAT_WS(' ', {}) LIKE ?", columns.join(", ")); patterns.len()].join(" OR ");
        let ends = format!("SELECT MIN(id), MAX(id) FROM {name}");
        let ends = self.db.all(&ends, (), |row| Ok((row.int(0), row.int(1))))?;
        let Some((Some(mut first), Some(last))) = ends.into_iter().next() else { return Ok(0) };
        let mut n = 0;
        while first <= last {
            let sql = format!(
                "SELECT id, {} FROM {name} WHERE id BETWEEN {first} AND {} AND ({likes})",
                columns.join(", "),
                first.saturating_add(SPAN - 1)
            );
            let list = &self.list;
            let rows = self.db.all(&sql, patterns.clone(), |row| Ok(replaced(list, table, &row)))?;
            let rows: Vec<_> = rows.into_iter().flatten().collect();
            n += rows.len() as u64;
            if !self.is_dry {
                for some in rows.chunks(AT_ONCE) {
                    self.db
                        .transaction_with_retry("replacing a person in texts", &[name], |db| update(db, name, some))?;
                }
            }
            first = first.saturating_add(SPAN);
        }
        Ok(n)
    }

    /// The copy of the profile.
    fn profile(&mut self) -> Result<()> {
        let table = person::profiles(self.db);
        let condition = self.person.rows(Some("username"), Some("uidNumber"), None);
        let Some((condition, values)) = condition.filter(|_| self.db.has_table(&table).unwrap_or(false)) else {
            return Ok(());
        };
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {condition}", quote(&table));
        let n = self.db.number(&sql, values.clone())?.unwrap_or(0);
        if n > 0 && !self.is_dry {
            self.db.delete(&table, &condition, values)?;
        }
        self.n_found += n.unsigned_abs();
        self.say(format_args!("{table}: {} deleted", kit::counted(n.unsigned_abs(), "row", "rows")));
        Ok(())
    }

    /// The tables in the hub's database that we write.
    pub(super) fn tables_of_hub(&mut self, of_hub: &mut Db) -> Result<()> {
        let online = format!("{}session_geo", of_hub.target().prefix);
        let condition = self.person.rows(Some("username"), Some("userid"), Some("ip"));
        if let Some((condition, values)) = condition
            && of_hub.has_table(&online)?
        {
            let sql = format!("SELECT COUNT(*) FROM {} WHERE {condition}", quote(&online));
            let n = of_hub.number(&sql, values.clone())?.unwrap_or(0);
            if n > 0 && !self.is_dry {
                of_hub.delete(&online, &condition, values)?;
            }
            self.n_found += n.unsigned_abs();
            self.say(format_args!("{online}: {} deleted", kit::counted(n.unsigned_abs(), "row", "rows")));
        }
        let cache = format!("{}metrics_ipgeo_cache", of_hub.target().prefix);
        if of_hub.has_table(&cache)? { self.cache(of_hub, &cache) } else { Ok(()) }
    }

    /// Places of addresses. Our account may not delete there, so a row becomes one of an address that nobody has.
    fn cache(&mut self, of_hub: &mut Db, cache: &str) -> Result<()> {
        let (table, mut n) = (quote(cache), 0_u64);
        for ip in &self.person.addresses {
            let Some(std::net::IpAddr::V4(old)) = schema::address::parse(ip) else { continue };
            let old = u32::from(old);
            if of_hub.number(&format!("SELECT COUNT(*) FROM {table} WHERE ip = ?"), (old,))? == Some(0) {
                continue;
            }
            n += 1;
            if self.is_dry {
                continue;
            }
            // 0.0.0.0 to 0.255.255.255
            let other: std::net::Ipv4Addr = self.list.address(ip).parse().context("the pseudonym of an address")?;
            let mut new = u32::from(other) & 0x00FF_FFFF;
            while of_hub.number(&format!("SELECT COUNT(*) FROM {table} WHERE ip = ?"), (new,))? != Some(0) {
                new = (new + 1) & 0x00FF_FFFF;
            }
            let sql = format!(
                "UPDATE {table} SET ip = ?, ipREGION = '', ipCITY = '', ipLATITUDE = 0, ipLONGITUDE = 0 WHERE ip = ?"
            );
            of_hub.run(&sql, (new, old))?;
        }
        self.n_found += n;
        self.say(format_args!("{cache}: {} replaced", kit::counted(n, "address", "addresses")));
        Ok(())
    }
}

/// The months that count fewer when they are computed again, because rows were deleted for somebody's sake.
///
/// # Errors
/// The server fails.
pub(crate) fn months_with_fewer(db: &mut Db) -> Result<BTreeSet<Month>> {
    if !db.has_table("pipeline_state")? {
        return Ok(BTreeSet::new());
    }
    let found = db.texts("SELECT v FROM pipeline_state WHERE k = ?", (MONTHS,))?;
    Ok(found.iter().flat_map(|list| list.split(',')).filter_map(|month| month.parse().ok()).collect())
}

fn id_of(row: Cells<'_>) -> Result<i64> {
    row.int(0).context("a row without an id")
}

/// Deletes rows and corrects what the ledger says of them, in the caller's transaction.
fn remove(db: &mut Db, name: &str, target: Option<Target>, ids: &[i64]) -> Result<()> {
    let list: Vec<String> = ids.iter().map(i64::to_string).collect();
    let n_gone = db.delete(name, &format!("id IN ({})", list.join(", ")), ())?;
    let Some(target) = target.filter(|_| n_gone > 0) else { return Ok(()) };
    for entry in ledger::of_target(db, target)? {
        let Some(Range { start, end }) = entry.range else { continue };
        let n = ids.iter().filter(|id| (start..=end).contains(id)).count() as u64;
        if n == 0 {
            continue;
        }
        db.run(
            "UPDATE imported_sources SET row_count = row_count - ? WHERE id = ? AND row_count >= ?",
            (n, entry.id, n),
        )?;
        if files::is_there(db)?
            && let Some(row) = files::of_entry(db, entry.id)?
        {
            let dropped = row.dropped.get(RULE).copied().unwrap_or(0) + n;
            let mut all = row.dropped.clone();
            all.insert(RULE.to_owned(), dropped);
            let rows = row.rows.map(|rows| rows.saturating_sub(n));
            files::correct(db, entry.id, &FileRow { rows, dropped: all, ..row })?;
        }
    }
    Ok(())
}

/// A row with other texts: its id, and the columns that change.
type Replaced = (i64, Vec<(&'static str, String)>);

/// What changes in a row.
fn replaced(list: &hub::forgotten::Forgotten, table: &Table, row: &Cells<'_>) -> Option<Replaced> {
    let mut changes = Vec::new();
    for (at, (column, width)) in table.texts.iter().enumerate() {
        let Some(old) = row.bytes(at + 1) else { continue };
        let new =
            list.scrub(&old, Kind::Text, b"").map(|done| done.text).or_else(|| member(list, table, row, column, &old));
        let Some(new) = new else { continue };
        let new = String::from_utf8_lossy(&new);
        let new = match width {
            Width::Bytes(n) => text::cut_bytes(&new, *n),
            Width::Chars(n) => text::cut_chars(&new, *n),
        };
        changes.push((*column, new.to_owned()));
    }
    Some((row.int(0)?, changes)).filter(|(_, changes)| !changes.is_empty())
}

/// The number of a member that the CMS names as the item of a request.
fn member(
    list: &hub::forgotten::Forgotten,
    table: &Table,
    row: &Cells<'_>,
    column: &str,
    old: &[u8],
) -> Option<Vec<u8>> {
    let component = table.texts.iter().position(|(name, _)| *name == "component_name")?;
    let is_of_members = row.bytes(component + 1)?.ends_with(b"members");
    let id = std::str::from_utf8(old).ok().filter(|_| is_of_members && column == "item_name" && !old.is_empty())?;
    let how: How = list.of(What::Id, id, b"")?;
    Some(list.replacement(What::Id, id, how).into_bytes())
}

fn update(db: &mut Db, name: &str, rows: &[Replaced]) -> Result<()> {
    db.will_change_every_month()?;
    for (id, changes) in rows {
        let set: Vec<String> = changes.iter().map(|(column, _)| format!("{} = ?", quote(column))).collect();
        let values: Vec<Value> = changes.iter().map(|(_, text)| Value::from(text)).chain([Value::from(*id)]).collect();
        db.run(&format!("UPDATE {name} SET {} WHERE id = ?", set.join(", ")), values)?;
    }
    Ok(())
}
