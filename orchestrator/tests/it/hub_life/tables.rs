//! The content of a hub's tables in a form in which two hubs can be compared: ids are replaced by
//! what they refer to, write times are left out, rows are sorted.

use std::collections::BTreeMap;

use fixtures::db::Pair;

/// The state and the book of migrations say how it came about, not what is.
const NOT_COMPARED: [&str; 4] = ["hz_writer", "import_files", "migrations", "pipeline_state"];
/// The tables of the hub's database that are ours to fill.
const OF_THE_HUB: [&str; 6] = [
    "jos_metrics_ipgeo_cache",
    "jos_resource_stats",
    "jos_resource_stats_tools",
    "jos_resource_stats_tools_topvals",
    "jos_session_geo",
    "jos_stats_topvals",
];
/// Columns with the time and place of writing.
const WRITTEN: [&str; 6] = ["hz_id", "id", "processed_on", "lookup_datetime", "imported_at", "date_added"];

/// Tables that are independent of sessions.
pub(super) const BASE: [&str; 7] = [
    "bot_useragents",
    "imported_sources",
    "jos_xprofiles_metrics",
    "sessionlog_metrics",
    "userlogin",
    "web without sessions",
    "webhits",
];

/// The rows of every table.
pub(super) type Tables = BTreeMap<String, Vec<String>>;

/// Reads all tables.
pub(super) fn read(pair: &Pair) -> Tables {
    let mut tables = Tables::new();
    let names = pair.lines("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()");
    for name in names.iter().filter(|name| !NOT_COMPARED.contains(&name.as_str())) {
        tables.insert(name.clone(), rows(pair, &pair.metrics, name, &[]));
    }
    for name in ["web", "toolstart"] {
        let name_without = format!("{name} without sessions");
        tables.insert(name_without, rows(pair, &pair.metrics, name, &["sessionid"]));
    }
    for name in OF_THE_HUB {
        tables.insert(name.to_owned(), rows(pair, &pair.hub, name, &[]));
    }
    tables
}

fn rows(pair: &Pair, database: &str, table: &str, without: &[&str]) -> Vec<String> {
    let columns = pair.lines(&format!(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = '{database}' \
         AND table_name = '{table}' ORDER BY ordinal_position"
    ));
    let shown = columns.iter().filter_map(|column| match column.as_str() {
        column if without.contains(&column) => None,
        "sessionid" => Some(
            "IF(IFNULL(t.sessionid, 0) = 0, 'none', IFNULL((SELECT CONCAT_WS(' ', s.datetime, s.ip, s.host, s.duration) \
             FROM websessions s WHERE s.id = t.sessionid), 'no such session'))"
                .to_owned(),
        ),
        "id" if table == "jos_resource_stats_tools_topvals" => Some(format!(
            "IFNULL((SELECT CONCAT_WS(' ', r.resid, r.datetime, r.period) FROM `{database}`.jos_resource_stats_tools r \
             WHERE r.id = t.id), 'no such row')"
        )),
        // tables such as those of labels number their rows themselves
        "id" if table.starts_with("summary_") => Some("t.id".to_owned()),
        // the range of ids must be as long as there are rows; in a cluster ids have steps, and it must hold them
        "pk_start" => Some(
            "IF(@@auto_increment_increment = 1 OR t.pk_start IS NULL, IFNULL(t.pk_end - t.pk_start + 1, 0), \
             IF(t.target_table = 'web', (SELECT COUNT(*) FROM web w WHERE w.id BETWEEN t.pk_start AND t.pk_end), \
             (SELECT COUNT(*) FROM userlogin u WHERE u.id BETWEEN t.pk_start AND t.pk_end)))"
                .to_owned(),
        ),
        "pk_end" => None,
        column if WRITTEN.contains(&column) => None,
        column => Some(format!("t.`{column}`")),
    });
    let shown: Vec<String> = shown.collect();
    let mut rows = pair.lines(&format!("SELECT {} FROM `{database}`.`{table}` t", shown.join(", ")));
    rows.sort();
    rows
}

/// The differences in words; nothing if the tables are equal. Without `names`, all tables are
/// compared.
pub(super) fn difference(is: &Tables, should: &Tables, names: Option<&[&str]>) -> Option<String> {
    assert!(is.keys().eq(should.keys()), "{:?} {:?}", is.keys(), should.keys());
    let mut text = String::new();
    for (name, should) in should.iter().filter(|(name, _)| names.is_none_or(|names| names.contains(&name.as_str()))) {
        let is = &is[name];
        if is == should {
            continue;
        }
        let only = |these: &[String], those: &[String]| {
            let mut left = BTreeMap::<&String, usize>::new();
            those.iter().for_each(|row| *left.entry(row).or_default() += 1);
            let mut rest = Vec::new();
            for row in these {
                match left.get_mut(row).filter(|n| **n > 0) {
                    Some(n) => *n -= 1,
                    None => rest.push(row.clone()),
                }
            }
            rest
        };
        let (more, fewer) = (only(is, should), only(should, is));
        text += &format!(
            "{name}: {} rows instead of {}\n  too much ({}): {:#?}\n  missing ({}): {:#?}\n",
            is.len(),
            should.len(),
            more.len(),
            &more[..more.len().min(4)],
            fewer.len(),
            &fewer[..fewer.len().min(4)]
        );
    }
    (!text.is_empty()).then_some(text)
}
