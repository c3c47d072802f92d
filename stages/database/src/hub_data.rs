//! The hub's data about tool sessions and registered users, copied to the metrics database.
//!
//! The first step of the tool, usage and summary stages. Sessions are only ever added; the table of
//! users is rebuilt next to the old one and replaces it atomically.

use std::borrow::Cow;

use anyhow::{Context as _, Result};
use hub::config::Config;
use hub::forgotten::{Forgotten, How, What};
use kit::Io;
use schema::tables::quote;
use schema::{Compat, Opt, Stamp, address, text};

use crate::address_changes::AddressChanges;
use crate::{Db, Target, Value, Verb, Which, forgotten};

/// Tool sessions of the hub (without prefix, as the middleware creates the table).
const SESSIONLOG: &str = "sessionlog";
/// Their copy.
const COPY: &str = "sessionlog_metrics";
/// Registered users of the hub, without prefix.
const PROFILES: &str = "xprofiles";
/// Their copy, without prefix.
const PROFILES_COPY: &str = "xprofiles_metrics";

/// What was copied, or would be in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubData {
    /// New tool sessions.
    pub sessions: u64,
    /// Users with a confirmed address.
    pub profiles: u64,
}

/// The structure of the copy of the users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Structure {
    /// Like the hub's `jos_xprofiles`, whatever the prefix (legacy); like the prefixed table if
    /// there is none.
    Jos,
    /// Like the prefixed table (the port).
    Prefixed,
}

/// Copies both, without those who were forgotten. With `whole`, addresses of IPv6 clients are copied whole, in
/// canonical form; without it, addresses are cut at 15 characters, as in legacy. `dry_run` only counts.
///
/// # Errors
/// A table is missing or too narrow for whole addresses, or the server fails; the old table of users is
/// then unchanged.
fn import(
    target: &Target,
    structure: Structure,
    whole: bool,
    config: Option<&Config>,
    dry_run: bool,
) -> Result<HubData> {
    let mut metrics = Db::connect(target, Which::Metrics)?;
    let mut hub = Db::connect(target, Which::Hub)?;
    let list = config.map(|config| forgotten::list(&mut metrics, config)).transpose()?.flatten();
    let list = list.as_ref();
    let sessions = sessions(&mut metrics, &mut hub, whole, list, dry_run).context("copying tool sessions")?;
    let profiles = metrics.from_scratch(|metrics| profiles(metrics, &mut hub, structure, list, dry_run));
    let profiles = profiles.context("copying registered users")?;
    Ok(HubData { sessions, profiles })
}

/// Copies both as the compatibility options say.
///
/// # Errors
/// A table is missing or too narrow for whole addresses, or the server fails.
pub fn import_as(config: &Config, compat: Compat, dry_run: bool) -> Result<HubData> {
    let structure = if compat.has(Opt::LpCli) { Structure::Prefixed } else { Structure::Jos };
    import(&config.target(), structure, compat.has(Opt::Ipv6), Some(config), dry_run)
}

/// The same as a step of a stage; a dry run prints what it would copy.
///
/// # Errors
/// A table is missing or too narrow for whole addresses, or the server fails.
pub fn step(config: &Config, compat: Compat, dry_run: bool, io: &Io) -> Result<()> {
    let done = import_as(config, compat, dry_run)?;
    if dry_run {
        let (sessions, profiles) = (done.sessions, done.profiles);
        let sessions = kit::counted(sessions, "tool session", "tool sessions");
        let profiles = kit::counted(profiles, "profile", "profiles");
        io.messages.note(format_args!("[dry-run] {sessions} to add, {profiles} to copy"));
    }
    Ok(())
}

/// Adds sessions whose number is new, in the order of their numbers; the others stay as they are,
/// whatever the hub says now.
fn sessions(metrics: &mut Db, hub: &mut Db, whole: bool, list: Option<&Forgotten>, dry_run: bool) -> Result<u64> {
    hub.require(&[SESSIONLOG])?;
    metrics.require(&[COPY])?;
    if whole {
        metrics.require_whole_addresses(&[COPY])?;
    }
    let mut there = numbers(metrics, COPY)?;
    there.sort_unstable();
    let mut missing = numbers(hub, SESSIONLOG)?;
    missing.retain(|number| there.binary_search(number).is_err());
    missing.sort_unstable();
    let Some(&first) = missing.first().filter(|_| !dry_run) else { return Ok(missing.len() as u64) };
    drop(there);
    let changes = AddressChanges::read(metrics)?;
    let word = hub.released(SESSIONLOG)?;
    let select = format!(
        "SELECT {word} sessnum, username, remoteip, start, appname FROM {SESSIONLOG} WHERE sessnum >= {first} ORDER BY sessnum"
    );
    metrics.transaction_with_retry("adding tool sessions", &[COPY], |metrics| {
        let mut insert = metrics.insert(Verb::Ignore, COPY, &["sessnum", "user", "ip", "start", "appname"]);
        hub.each(&select, (), |row| {
            let Some(number) = row.uint(0).filter(|number| missing.binary_search(number).is_ok()) else {
                return Ok(());
            };
            let start = row.text(3).unwrap_or_default().into_owned();
            let (user, ip) = (row.text(1).unwrap_or_default(), row.text(2).unwrap_or_default());
            let Some((user, ip)) = under_other_names(list, user, ip, &start) else { return Ok(()) };
            let cut = |text: &str| Value::from(text::cut_chars(text, 150).to_owned());
            // nothing of a hashed month gets an address again
            let is_hashed = Stamp::parse(&start).is_some_and(|start| changes.is_hashed_at(start));
            let ip = if is_hashed { Value::from("") } else { Value::from(&*address::stored(&ip, whole)) };
            let tool = row.text(4).unwrap_or_default();
            insert.push([Value::from(number), cut(&user), ip, Value::from(start), cut(&tool)])
        })?;
        Ok(insert.finish()?.changed)
    })
}

fn numbers(db: &mut Db, table: &str) -> Result<Vec<u64>> {
    let word = db.released(table)?;
    let mut list = Vec::new();
    db.each(&format!("SELECT {word} sessnum FROM {table}"), (), |row| {
        list.extend(row.uint(0));
        Ok(())
    })?;
    Ok(list)
}

/// User and address of a session on a day, as they are stored; `None` if its row is not.
#[must_use]
pub fn under_other_names<'t>(
    list: Option<&Forgotten>,
    user: Cow<'t, str>,
    ip: Cow<'t, str>,
    day: &str,
) -> Option<(Cow<'t, str>, Cow<'t, str>)> {
    let Some(list) = list else { return Some((user, ip)) };
    let day = day.as_bytes();
    if list.person(&user, 0, &ip, day) == Some(How::Delete) {
        return None;
    }
    let user = if list.of(What::Name, &user, day).is_some() { list.name(&user).into() } else { user };
    let ip = if list.of(What::Address, &ip, day).is_some() { list.address(&ip).into() } else { ip };
    Some((user, ip))
}

/// Removes who was forgotten from a new table of users, in case the hub has an old copy of its own.
fn without_the_forgotten(metrics: &mut Db, table: &str, list: &Forgotten) -> Result<u64> {
    let mut gone = Vec::new();
    metrics.each(&format!("SELECT uidNumber, username FROM {table}"), (), |row| {
        let (id, name) = (row.text(0).unwrap_or_default(), row.text(1).unwrap_or_default());
        if list.of(What::Id, &id, b"").is_some() && list.of(What::Name, &name, b"").is_some() {
            gone.extend(row.int(0));
        }
        Ok(())
    })?;
    for id in &gone {
        metrics.run(&format!("DELETE FROM {table} WHERE uidNumber = ?"), (id,))?;
    }
    Ok(gone.len() as u64)
}

/// Creates the table of users next to the old one and swaps their names: readers see one or the
/// other.
fn profiles(
    metrics: &mut Db,
    hub: &mut Db,
    structure: Structure,
    list: Option<&Forgotten>,
    dry_run: bool,
) -> Result<u64> {
    let (hub_db, prefix) = (hub.target().hub_db.clone(), hub.target().prefix.clone());
    let source = format!("{prefix}{PROFILES}");
    hub.require(&[&source])?;
    let confirmed = "emailConfirmed > 0";
    if dry_run {
        let count = hub.number(&format!("SELECT COUNT(*) FROM {} WHERE {confirmed}", quote(&source)), ())?;
        return Ok(count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0));
    }
    let literal = format!("jos_{PROFILES}");
    let like = if structure == Structure::Jos && hub.has_table(&literal)? { literal } else { source.clone() };
    let name = format!("{prefix}{PROFILES_COPY}");
    metrics.restore(&name)?;
    // left behind when an earlier run was killed
    let (new, old) = (quote(&metrics.beside(&name)?), quote(&format!("{name}__old")));
    metrics.run(&format!("DROP TABLE IF EXISTS {new}, {old}"), ())?;
    let (hub_db, final_name) = (quote(&hub_db), quote(&name));
    metrics.create_like(&new, &format!("{hub_db}.{}", quote(&like)))?;
    let copy = format!("INSERT INTO {new} SELECT * FROM {hub_db}.{} WHERE {confirmed}", quote(&source));
    let count = metrics.run(&copy, ()).map_err(anyhow::Error::from).and_then(|count| {
        let gone = list.map(|list| without_the_forgotten(metrics, &new, list)).transpose()?;
        Ok(count - gone.unwrap_or(0).min(count))
    });
    let count = match count {
        Ok(count) => count,
        Err(error) => {
            let _ = metrics.run(&format!("DROP TABLE IF EXISTS {new}"), ());
            return Err(error);
        }
    };
    let aside = if metrics.has_table(&name)? { format!("{final_name} TO {old}, ") } else { String::new() };
    metrics.rename(&format!("{aside}{new} TO {final_name}"))?;
    metrics.run(&format!("DROP TABLE IF EXISTS {old}"), ())?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use fixtures::db::{MODES, PASSWORD, Pair, SqlMode, pair};
    use schema::tables::Engine;

    use super::*;

    fn target(pair: &Pair, prefix: &str) -> Target {
        Target {
            prefix: prefix.to_owned(),
            ..Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics)
        }
    }

    const HUB: &str = "INSERT INTO {hub}.sessionlog (sessnum, username, remoteip, start, appname) VALUES
        (7, 'Zoë', '2001:db8:aaaa:bbbb::1', '2025-07-05 10:00:00', 'tool'), (3, 'b', '8.0.0.1', '0000-00-00 00:00:00', ''),
        (5, 'c', '', '2025-07-01 00:00:00', 'tool');
        INSERT INTO {hub}.jos_xprofiles (uidNumber, username, orgtype, emailConfirmed) VALUES
        (1, 'a', 'x', 1), (2, 'b', 'y', 0), (3, 'c', 'z', -3), (4, 'd', 'ü', 4)";

    #[test]
    fn sessions_are_added_and_profiles_are_replaced() {
        for (engine, mode) in MODES {
            let Some(pair) = pair(engine, mode) else { return };
            let at = format!("{engine:?} {mode:?}");
            let target = target(&pair, "jos_");
            pair.sql(HUB);
            pair.sql("INSERT INTO sessionlog_metrics (sessnum, user, ip, start, appname) VALUES (5, 'old', '1.1.1.1', '2020-01-01', 'old')");
            let would = import(&target, Structure::Jos, false, None, true).unwrap();
            assert_eq!(would, HubData { sessions: 2, profiles: 2 });
            assert_eq!(pair.value("SELECT COUNT(*) FROM sessionlog_metrics").as_deref(), Some("1"));
            for again in [false, true] {
                let done = import(&target, Structure::Jos, false, None, false).unwrap();
                assert_eq!(done, HubData { sessions: if again { 0 } else { 2 }, profiles: 2 }, "{at}");
                let sessions = pair
                    .lines("SELECT id, sessnum, user, ip, start, appname, host FROM sessionlog_metrics ORDER BY id");
                // an existing row is unchanged, whatever the hub says; new ones come in the order of their
                // numbers
                let expected = [
                    "1\t5\told\t1.1.1.1\t2020-01-01 00:00:00\told\tNULL",
                    "2\t3\tb\t8.0.0.1\t0000-00-00 00:00:00\t\tNULL",
                    "3\t7\tZoë\t2001:db8:aaaa:b\t2025-07-05 10:00:00\ttool\tNULL",
                ];
                assert_eq!(sessions, expected, "{at}");
                assert_eq!(
                    pair.lines("SELECT username, orgtype FROM jos_xprofiles_metrics ORDER BY username"),
                    ["a\tx", "d\tü"]
                );
            }
            // a later session gets the next number: no number was wasted
            pair.sql("INSERT INTO {hub}.sessionlog (sessnum, username) VALUES (4, 'late')");
            import(&target, Structure::Jos, false, None, false).unwrap();
            assert_eq!(pair.lines("SELECT id FROM sessionlog_metrics WHERE sessnum = 4"), ["4"], "{at}");
            // the table of users has the hub's current columns, engine and rows
            pair.sql("ALTER TABLE {hub}.jos_xprofiles ADD COLUMN shoe int;\nUPDATE {hub}.jos_xprofiles SET emailConfirmed = 0, shoe = 44 WHERE uidNumber = 1");
            pair.sql(
                "CREATE TABLE jos_xprofiles_metrics__new (x int);\nCREATE TABLE jos_xprofiles_metrics__old (x int)",
            );
            import(&target, Structure::Prefixed, false, None, false).unwrap();
            assert_eq!(pair.lines("SELECT username, shoe FROM jos_xprofiles_metrics"), ["d\tNULL"]);
            let tables = pair.lines("SELECT table_name, engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'jos%'");
            assert_eq!(tables, ["jos_xprofiles_metrics\tMyISAM"], "{at}");
        }
    }

    #[test]
    fn whole_addresses_are_canonical_and_need_room() {
        for engine in [Engine::InnoDb, Engine::MyIsam] {
            let Some(pair) = pair(engine, SqlMode::Strict) else { return };
            pair.sql(HUB);
            pair.sql(
                "UPDATE {hub}.sessionlog SET remoteip = '2001:DB8:0:0:AAAA:BBBB:CCCC:1' WHERE sessnum = 7;\n\
                 UPDATE {hub}.sessionlog SET remoteip = '::ffff:192.0.2.1' WHERE sessnum = 5",
            );
            let target = target(&pair, "jos_");
            pair.narrow_addresses();
            let error = format!("{:#}", import(&target, Structure::Jos, true, None, false).unwrap_err());
            assert!(error.contains("`sessionlog_metrics.ip` holds 15 characters"), "{error}");
            assert!(error.contains("`hzmetrics migrate --apply` (migration 1002)"), "{error}");
            assert_eq!(pair.value("SELECT COUNT(*) FROM sessionlog_metrics").as_deref(), Some("0"));
            pair.sql("ALTER TABLE sessionlog_metrics MODIFY ip varchar(45) NOT NULL DEFAULT ''");
            import(&target, Structure::Jos, true, None, false).unwrap();
            let sql = "SELECT sessnum, ip FROM sessionlog_metrics ORDER BY sessnum";
            assert_eq!(pair.lines(sql), ["3\t8.0.0.1", "5\t192.0.2.1", "7\t2001:db8::aaaa:bbbb:cccc:1"], "{engine:?}");
            // without the option a wide column gets no more than a narrow one
            pair.sql("DELETE FROM sessionlog_metrics");
            import(&target, Structure::Jos, false, None, false).unwrap();
            let cut = ["3\t8.0.0.1", "5\t::ffff:192.0.2.", "7\t2001:DB8:0:0:AA"];
            assert_eq!(pair.lines(sql), cut, "{engine:?}");
        }
    }

    #[test]
    fn the_copy_has_the_structure_of_the_hubs_table() {
        let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
        pair.sql(
            "CREATE TABLE {hub}.abc_xprofiles LIKE {hub}.jos_xprofiles;
             ALTER TABLE {hub}.abc_xprofiles ENGINE=InnoDB;
             INSERT INTO {hub}.abc_xprofiles (uidNumber, username, emailConfirmed) VALUES (1, 'abc', 1)",
        );
        let engine = || {
            pair.lines("SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'abc_xprofiles_metrics'")
        };
        let target = target(&pair, "abc_");
        import(&target, Structure::Jos, false, None, false).unwrap();
        assert_eq!(engine(), ["MyISAM"]);
        assert_eq!(pair.lines("SELECT username FROM abc_xprofiles_metrics"), ["abc"]);
        import(&target, Structure::Prefixed, false, None, false).unwrap();
        assert_eq!(engine(), ["InnoDB"]);
        pair.sql("DROP TABLE {hub}.jos_xprofiles");
        import(&target, Structure::Jos, false, None, false).unwrap();
        assert_eq!(engine(), ["InnoDB"]);
        // the structure does not match the rows: the old table is kept, and nothing is left behind
        pair.sql("CREATE TABLE {hub}.jos_xprofiles (x int)");
        let error = format!("{:#}", import(&target, Structure::Jos, false, None, false).unwrap_err());
        assert!(error.starts_with("copying registered users: "), "{error}");
        assert_eq!(pair.lines("SELECT username FROM abc_xprofiles_metrics"), ["abc"]);
        let tables = pair.lines("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'abc%'");
        assert_eq!(tables, ["abc_xprofiles_metrics"]);
        for missing in ["abc_xprofiles", "sessionlog"] {
            pair.sql(&format!("DROP TABLE {{hub}}.{missing}"));
            let error = format!("{:#}", import(&target, Structure::Jos, false, None, false).unwrap_err());
            assert!(error.contains(&format!("there is no table `{missing}`")), "{error}");
        }
    }

    #[test]
    fn a_half_done_exchange_is_undone() {
        let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
        pair.sql(HUB);
        let target = target(&pair, "jos_");
        import(&target, Structure::Jos, false, None, false).unwrap();
        pair.sql(
            "RENAME TABLE jos_xprofiles_metrics TO jos_xprofiles_metrics__old;
             ALTER TABLE {hub}.jos_xprofiles ADD COLUMN shoe int;
             CREATE TABLE {hub}.abc_xprofiles LIKE {hub}.jos_xprofiles",
        );
        // this run cannot create the table again, but it does not discard the last one either
        pair.sql(
            "DROP TABLE {hub}.jos_xprofiles;\nCREATE VIEW {hub}.jos_xprofiles AS SELECT * FROM {hub}.abc_xprofiles",
        );
        let error = format!("{:#}", import(&target, Structure::Jos, false, None, false).unwrap_err());
        assert!(error.contains("copying registered users"), "{error}");
        assert_eq!(pair.lines("SELECT username FROM jos_xprofiles_metrics ORDER BY username"), ["a", "d"]);
    }

    #[test]
    fn an_exchange_waits_for_long_reads() {
        use mysql::prelude::Queryable as _;
        for engine in [Engine::InnoDb, Engine::MyIsam] {
            let Some(pair) = pair(engine, SqlMode::Strict) else { return };
            pair.sql(HUB);
            let target = target(&pair, "jos_");
            import(&target, Structure::Jos, false, None, false).unwrap();
            pair.sql("UPDATE {hub}.jos_xprofiles SET emailConfirmed = 1");
            let (mut holder, mut other) = (pair.admin(), pair.admin());
            let users = format!("SELECT COUNT(*) FROM {}.jos_xprofiles_metrics", pair.metrics);
            let hold = match engine {
                Engine::InnoDb => "START TRANSACTION".to_owned(),
                _ => format!("LOCK TABLES {}.jos_xprofiles_metrics READ", pair.metrics),
            };
            holder.query_drop(hold).unwrap();
            assert_eq!(holder.query_first::<u64, _>(&users).unwrap(), Some(2));
            std::thread::scope(|scope| {
                let run = scope.spawn(|| import(&target, Structure::Jos, false, None, false).unwrap());
                // longer than one try; later readers still get their turn
                let begun = std::time::Instant::now();
                let mut looks = 0;
                while begun.elapsed() < std::time::Duration::from_millis(3500) {
                    assert_eq!(other.query_first::<u64, _>(&users).unwrap(), Some(2));
                    looks += 1;
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                assert!(looks > 10 && !run.is_finished(), "{looks}");
                holder.query_drop("COMMIT").unwrap();
                holder.query_drop("UNLOCK TABLES").unwrap();
                assert_eq!(run.join().unwrap().profiles, 4);
            });
            assert_eq!(other.query_first::<u64, _>(&users).unwrap(), Some(4), "{engine:?}");
            let left = pair.lines("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'jos%'");
            assert_eq!(left, ["jos_xprofiles_metrics"]);
        }
    }

    #[test]
    fn readers_always_find_the_table_of_users() {
        let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
        pair.sql(HUB);
        let target = target(&pair, "jos_");
        import(&target, Structure::Jos, false, None, false).unwrap();
        let stop = AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut db = Db::connect(&target, Which::Metrics).unwrap();
                let mut seen = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    seen.push(db.number("SELECT COUNT(*) FROM jos_xprofiles_metrics", ()).unwrap());
                }
                seen
            });
            for _ in 0..30 {
                import(&target, Structure::Jos, false, None, false).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            reader.join().unwrap()
        });
        assert!(seen.len() > 30, "{}", seen.len());
        assert!(seen.iter().all(|n| *n == Some(2)), "{seen:?}");
    }
}
