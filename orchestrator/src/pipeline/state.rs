//! The state kept between runs, in the table `pipeline_state`, with a copy in a file for people.
//!
//! Values that belong together are stored in one statement, so that a killed run cannot store only
//! half of them. The file is never used for decisions, and a failure to write it is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use database::{Db, Verb};
use kit::door::{self, Temporary};
use schema::Month;
use schema::tables::{self, Engine, quote};

use crate::hub::Hub;

const TABLE: &str = "pipeline_state";

/// The task of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// The current month, and closing the previous one.
    #[default]
    Normal,
    /// Old months with pending logs or stale numbers, each on its own.
    CatchUp,
    /// The long periods of all later months.
    Rebuild,
}

impl Mode {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::CatchUp => "catchup",
            Self::Rebuild => "rebuild",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Normal, Self::CatchUp, Self::Rebuild].into_iter().find(|mode| mode.word() == word)
    }
}

/// A key of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Mode,
    Analyzed,
    CatchupStarted,
    CascadeFrom,
    Cursor,
    Dirty,
    Withheld,
    Ipv6Named,
}

impl Key {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Analyzed => "analyzed",
            Self::CatchupStarted => "catchup_started",
            Self::CascadeFrom => "rebuild_cascade_from",
            Self::Cursor => "rebuild_cursor",
            Self::Dirty => "dirty_months",
            Self::Withheld => "withheld_months",
            Self::Ipv6Named => "ipv6_named",
        }
    }
}

/// What is remembered between runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) mode: Mode,
    /// The day of the last analysis of a current month, `YYYY-MM-DD`.
    pub(crate) analyzed: Option<String>,
    /// The oldest month that was ever caught up.
    pub(crate) catchup_started: Option<Month>,
    /// The oldest month whose requests have changed since the last rebuild.
    pub(crate) cascade_from: Option<Month>,
    /// The next month to rebuild.
    pub(crate) cursor: Option<Month>,
    /// Months that must be computed again.
    pub(crate) dirty: BTreeSet<Month>,
    /// Months that somebody unpublished: they are left alone until somebody names them.
    pub(crate) withheld: BTreeSet<Month>,
    /// Invalid values, in words.
    pub(crate) malformed: Vec<String>,
}

impl State {
    /// From keys and values. Invalid values count as missing.
    pub(crate) fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut state = Self::default();
        let mut malformed = Vec::new();
        for (key, value) in pairs {
            let mut month = |text: &str| {
                let month = text.parse().ok();
                if month.is_none() && !text.is_empty() {
                    malformed.push(format!("{key} is `{text}`, which is not a month"));
                }
                month
            };
            match key {
                "catchup_started" => state.catchup_started = month(value),
                "rebuild_cascade_from" => state.cascade_from = month(value),
                "rebuild_cursor" => state.cursor = month(value),
                "dirty_months" => state.dirty = value.split(',').filter_map(|text| month(text.trim())).collect(),
                "withheld_months" => state.withheld = value.split(',').filter_map(|text| month(text.trim())).collect(),
                "analyzed" => state.analyzed = Some(value.to_owned()).filter(|day| !day.is_empty()),
                "mode" => match Mode::from_word(value) {
                    Some(mode) => state.mode = mode,
                    None => malformed.push(format!("mode is `{value}`: treated as normal")),
                },
                _ => {}
            }
        }
        state.malformed = malformed;
        state
    }

    /// Reads it; without the table the state is empty.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn read(db: &mut Db) -> Result<Self> {
        let pairs = pairs(db)?;
        Ok(Self::parse(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str()))))
    }
}

/// All keys with their stored values.
///
/// # Errors
/// The connection is lost.
pub(crate) fn pairs(db: &mut Db) -> Result<BTreeMap<String, String>> {
    if !db.has_table(TABLE)? {
        return Ok(BTreeMap::new());
    }
    let text = |cell: Option<std::borrow::Cow<'_, str>>| cell.unwrap_or_default().into_owned();
    let list = db.all("SELECT k, v FROM pipeline_state", (), |cells| Ok((text(cells.text(0)), text(cells.text(1)))))?;
    Ok(list.into_iter().collect())
}

/// Months in the form of `dirty_months`.
pub(crate) fn list(months: &BTreeSet<Month>) -> String {
    months.iter().map(Month::to_string).collect::<Vec<_>>().join(",")
}

/// Months as `A` and `A..B`.
pub(crate) fn ranges(months: &BTreeSet<Month>) -> Vec<String> {
    let mut list: Vec<(Month, Month)> = Vec::new();
    for &month in months {
        match list.last_mut() {
            Some((_, last)) if last.next() == month => *last = month,
            _ => list.push((month, month)),
        }
    }
    let text = |(first, last): (Month, Month)| {
        if last > first { format!("{first}..{last}") } else { first.to_string() }
    };
    list.into_iter().map(text).collect()
}

/// Months for messages.
pub(crate) fn shown(months: &BTreeSet<Month>) -> String {
    if months.is_empty() { "(empty)".to_owned() } else { list(months).replace(',', ", ") }
}

/// Creates the table if it is missing: databases of the legacy scripts lack it.
fn ensure_table(db: &mut Db) -> Result<()> {
    if !db.has_table(TABLE)?
        && let Some(table) = tables::metrics(TABLE)
    {
        let sql = table.create(&quote(TABLE), Engine::InnoDb, db.charset());
        db.run(&sql, ()).context("creating pipeline_state")?;
    }
    Ok(())
}

/// Stores values, all or none, and copies the state to its file.
///
/// # Errors
/// The server refuses them, or a value does not fit its column.
pub(crate) fn store(hub: &Hub, db: &mut Db, values: &[(Key, String)]) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    put(db, values)?;
    mirror(hub, db);
    Ok(())
}

/// Stores values, all or none.
fn put(db: &mut Db, values: &[(Key, String)]) -> Result<()> {
    ensure_table(db)?;
    db.transaction_with_retry("storing the state", &[TABLE], |db| write(db, values))
}

/// Releases withheld months, so that they are published again; returns which were withheld.
///
/// # Errors
/// The server refuses the statement.
pub(crate) fn release(hub: &Hub, db: &mut Db, months: &BTreeSet<Month>) -> Result<BTreeSet<Month>> {
    let withheld = State::read(db)?.withheld;
    let released: BTreeSet<Month> = withheld.intersection(months).copied().collect();
    if !released.is_empty() {
        let left = withheld.difference(months).copied().collect();
        store(hub, db, &[(Key::Withheld, list(&left))])?;
    }
    Ok(released)
}

/// Whether the high share of IPv6 clients has not been reported this month; records that it is
/// reported.
///
/// # Errors
/// The connection is lost.
pub(crate) fn is_news_of_ipv6(hub: &Hub) -> Result<bool> {
    let (mut db, current) = (hub.db()?, kit::current_month()?.to_string());
    let is_known = pairs(&mut db)?.get(Key::Ipv6Named.name()) == Some(&current);
    if !is_known {
        store(hub, &mut db, &[(Key::Ipv6Named, current)])?;
    }
    Ok(!is_known)
}

/// Adds to the months that must be computed again. Rows with a future date mark nothing: their
/// months are not published.
///
/// # Errors
/// The server refuses it, or the column is too narrow for all of them.
pub(crate) fn add_dirty_months(db: &mut Db, months: impl IntoIterator<Item = Month>) -> Result<()> {
    ensure_table(db)?;
    let current = kit::current_month()?;
    let new: BTreeSet<Month> = months.into_iter().filter(|month| *month <= current).collect();
    db.transaction_with_retry("marking months to be computed again", &[TABLE], |db| {
        let known = State::read(db)?.dirty;
        if new.is_subset(&known) {
            return Ok(());
        }
        write(db, &[(Key::Dirty, list(&known.union(&new).copied().collect()))])
    })
}

fn write(db: &mut Db, values: &[(Key, String)]) -> Result<()> {
    let mut insert = db.insert(Verb::Update(&["v"]), TABLE, &["k", "v"]);
    for (key, value) in values {
        insert.push([key.name().into(), value.as_str().into()])?;
    }
    insert.finish()?;
    for (key, value) in values.iter().filter(|(_, value)| value.len() > 100) {
        // an old table cuts values that do not fit
        let stored = db.texts("SELECT v FROM pipeline_state WHERE k = ?", (key.name(),))?;
        ensure!(
            stored == [value.as_str()],
            "pipeline_state cannot hold all of {}: `hzmetrics migrate --apply` widens it",
            key.name()
        );
    }
    Ok(())
}

/// Copies the state to its file, if there is a folder for it.
pub(crate) fn mirror(hub: &Hub, db: &mut Db) {
    let path = hub.config.paths.state();
    let copied = pairs(db).and_then(|pairs| Ok(copy(&path, &pairs)?));
    if let Err(error) = copied {
        let text = format!("no copy of the state in {}: {error:#}", path.display());
        // a folder that cannot be written needs no message, but something other than a file in its place
        // does
        if door::is_in_the_way(&error) { hub.log.warning(text) } else { hub.log.debug(text) }
    }
}

/// More bytes than a copy of the state ever has.
const STATE_BYTES: u64 = 1 << 20;

/// Writes the file; keys that are not ours are kept.
fn copy(path: &Path, pairs: &BTreeMap<String, String>) -> io::Result<()> {
    let old = match door::read(path, STATE_BYTES) {
        Ok(old) => old,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    let old = String::from_utf8_lossy(&old);
    let foreign = old.lines().filter_map(|line| line.split_once('=')).filter(|(key, _)| !pairs.contains_key(*key));
    let mut file = Temporary::beside(path)?;
    for (key, value) in pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).chain(foreign) {
        writeln!(file, "{key}={value}")?;
    }
    file.set_mode(0o644)?;
    file.publish(path.file_name().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use fixtures::db::{MODES, pair};

    use super::super::facts::tests::connect;
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn adjacent_months_are_one_range() {
        let check = |months: &[&str], expected: &[&str]| {
            let months = months.iter().map(|text| month(text)).collect();
            assert_eq!(ranges(&months), expected);
        };
        check(&[], &[]);
        check(&["2025-03"], &["2025-03"]);
        check(&["2025-12", "2026-01", "2026-02"], &["2025-12..2026-02"]);
        let eight: Vec<String> = (5..13).map(|month| format!("2024-{month:02}")).collect();
        check(&eight.iter().map(String::as_str).collect::<Vec<_>>(), &["2024-05..2024-12"]);
        check(&["2024-05", "2024-09"], &["2024-05", "2024-09"]);
        check(&["2024-05", "2024-09", "2024-10"], &["2024-05", "2024-09..2024-10"]);
        check(&["2024-02", "2024-03", "2025-03"], &["2024-02..2024-03", "2025-03"]);
    }

    #[test]
    fn values_are_read_and_invalid_ones_reported() {
        assert_eq!(State::parse([]), State::default());
        let state = State::parse([
            ("mode", "rebuild"),
            ("analyzed", "2026-05-19"),
            ("catchup_started", "2022-01"),
            ("rebuild_cascade_from", ""),
            ("rebuild_cursor", "2022-06"),
            ("dirty_months", "2024-07,,2023-01,2024-07"),
            ("somebody's", "own"),
        ]);
        assert_eq!(state.mode, Mode::Rebuild);
        assert_eq!(state.analyzed.as_deref(), Some("2026-05-19"));
        assert_eq!((state.catchup_started, state.cascade_from), (Some(month("2022-01")), None));
        assert_eq!(state.cursor, Some(month("2022-06")));
        assert_eq!(list(&state.dirty), "2023-01,2024-07");
        assert_eq!(state.malformed, [""; 0]);

        // values that others wrote by hand
        let state = State::parse([("dirty_months", ",2025-06,, 2025-05 ,2025-06,"), ("mode", "normal")]);
        assert_eq!((list(&state.dirty).as_str(), state.malformed.len()), ("2025-05,2025-06", 0));
        assert_eq!(State::parse([("dirty_months", "")]), State::default());

        let state = State::parse([("mode", "spring"), ("rebuild_cursor", "2022-13"), ("dirty_months", "x,2024-07")]);
        assert_eq!((state.mode, state.cursor, list(&state.dirty).as_str()), (Mode::Normal, None, "2024-07"));
        assert_eq!(state.malformed.len(), 3, "{:?}", state.malformed);
    }

    /// How many write statements this session has sent.
    fn n_writes(db: &mut Db) -> i64 {
        let sql = "SELECT SUM(variable_value) FROM information_schema.session_status \
                   WHERE variable_name IN ('Com_insert', 'Com_replace', 'Com_update')";
        db.number(sql, ()).unwrap().unwrap()
    }

    fn shown(db: &mut Db) -> String {
        pairs(db).unwrap().iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn stored_values_are_read_back() {
        for (engine, mode) in [MODES[0], MODES[3]] {
            let Some(pair) = pair(engine, mode) else { return };
            let mut db = connect(&pair);
            // an empty table, and no table
            assert_eq!(State::read(&mut db).unwrap(), State::default());
            pair.sql("DROP TABLE pipeline_state");
            let mut db = connect(&pair);
            assert_eq!(State::read(&mut db).unwrap(), State::default());
            put(&mut db, &[(Key::Analyzed, "2026-05-18".to_owned())]).unwrap();
            assert_eq!(shown(&mut db), "analyzed=2026-05-18");
            // several at once, in one statement; other keys are unchanged
            let before = n_writes(&mut db);
            let values = [
                (Key::Mode, "rebuild"),
                (Key::Cursor, "2022-06"),
                (Key::CatchupStarted, "2022-01"),
                (Key::CascadeFrom, ""),
            ];
            put(&mut db, &values.map(|(key, value)| (key, value.to_owned()))).unwrap();
            assert_eq!(n_writes(&mut db) - before, 1, "a killed run leaves no half of it");
            let expected = State {
                mode: Mode::Rebuild,
                analyzed: Some("2026-05-18".to_owned()),
                catchup_started: Some(month("2022-01")),
                cursor: Some(month("2022-06")),
                ..State::default()
            };
            assert_eq!(State::read(&mut db).unwrap(), expected);
            // a new value replaces the old one
            put(&mut db, &[(Key::Analyzed, "2026-05-19".to_owned()), (Key::Mode, "normal".to_owned())]).unwrap();
            let expected = State { mode: Mode::Normal, analyzed: Some("2026-05-19".to_owned()), ..expected };
            assert_eq!(State::read(&mut db).unwrap(), expected);
            assert_eq!(pair.value("SELECT COUNT(*) FROM pipeline_state").as_deref(), Some("5"));
            pair.sql("INSERT INTO pipeline_state (k, v) VALUES ('note', 'mine')");
            put(&mut db, &[(Key::Dirty, "2024-01".to_owned())]).unwrap();
            assert_eq!(pair.value("SELECT v FROM pipeline_state WHERE k = 'note'").as_deref(), Some("mine"));
        }
    }

    #[test]
    fn dirty_months_are_a_sorted_set() {
        for (engine, mode) in [MODES[0], MODES[3]] {
            let Some(pair) = pair(engine, mode) else { return };
            let mut db = connect(&pair);
            let mut check = |months: &[&str], expected: &str, n_statements: i64| {
                let before = n_writes(&mut db);
                add_dirty_months(&mut db, months.iter().map(|text| month(text))).unwrap();
                assert_eq!(n_writes(&mut db) - before, n_statements, "{months:?}");
                assert_eq!(shown(&mut db), expected);
            };
            check(&[], "", 0);
            check(&["2025-05", "2024-09", "2025-05"], "dirty_months=2024-09,2025-05", 1);
            check(&["2025-06", "2025-05"], "dirty_months=2024-09,2025-05,2025-06", 1);
            // an unchanged list is not written: the audit checks how long it has been unchanged
            check(&["2025-05"], "dirty_months=2024-09,2025-05,2025-06", 0);
            check(&["2025-06", "2024-09"], "dirty_months=2024-09,2025-05,2025-06", 0);
        }
    }

    #[test]
    fn the_copy_keeps_keys_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hzmetrics.state");
        let pairs = |analyzed: &str| [("analyzed", analyzed), ("mode", "normal")].map(|(k, v)| (k.into(), v.into()));
        fs::write(&path, "analyzed=2020-01-01\nnote=mine\nno equals sign\n").unwrap();
        copy(&path, &pairs("2026-05-19").into()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "analyzed=2026-05-19\nmode=normal\nnote=mine\n");
        copy(&path, &pairs("2026-05-20").into()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "analyzed=2026-05-20\nmode=normal\nnote=mine\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        let error = copy(&path, &pairs("2026-05-21").into()).unwrap_err();
        assert!(error.to_string().contains("hzmetrics.state is a symbolic link"), "{error}");
        assert!(!fs::read_to_string(&elsewhere).unwrap().contains("2026-05-21"));
        assert!(copy(&folder.path().join("none/x"), &pairs("").into()).is_err());
    }
}
