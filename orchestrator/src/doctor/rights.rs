//! What the account may do in both databases, compared with what the stages need.

use std::fmt::Write as _;

use anyhow::Result;
use kit::db::Db;

use super::Patient;
use super::report::Report;

/// Rights of the whole metrics database.
const METRICS: [&str; 9] =
    ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "CREATE TEMPORARY TABLES"];
/// Rights of the whole hub's database.
const HUB: [&str; 2] = ["SELECT", "CREATE TEMPORARY TABLES"];
/// Rights of its tables that are written to.
const WRITTEN: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];
const WRITTEN_TABLES: [&str; 6] = [
    "session_geo",
    "metrics_ipgeo_cache",
    "resource_stats",
    "resource_stats_tools",
    "resource_stats_tools_topvals",
    "stats_topvals",
];

/// A line of `SHOW GRANTS`.
#[derive(Debug, PartialEq, Eq)]
struct Grant {
    rights: Vec<String>,
    /// A pattern, as LIKE has them.
    database: String,
    /// `*` for all.
    table: String,
}

/// A name in back quotes or plain, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find(['.', ' ']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let end = quoted.find('`')?;
    Some((quoted[..end].to_owned(), &quoted[end + 1..]))
}

impl Grant {
    /// Nothing for a role, or rights of single columns.
    fn parse(line: &str) -> Option<Self> {
        let (rights, scope) = line.strip_prefix("GRANT ")?.split_once(" ON ")?;
        let (database, rest) = name(scope)?;
        let (table, _) = name(rest.strip_prefix('.')?)?;
        let whole = |right: &&str| !right.contains(['(', ')']);
        let rights = rights.split(", ").filter(whole).map(|right| right.trim().to_owned()).collect();
        Some(Self { rights, database, table })
    }

    fn gives(&self, right: &str, database: &str, table: Option<&str>) -> bool {
        let names = self.rights.iter().any(|given| given == right || given == "ALL PRIVILEGES");
        let is_table = self.table == "*" || table.is_some_and(|table| self.table.eq_ignore_ascii_case(table));
        names && is_table && is_like(database.as_bytes(), self.database.as_bytes())
    }
}

/// Whether a name fits a pattern with `%`, `_` and a backslash before either.
fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    match (pattern, name) {
        ([b'*'], _) | ([], []) => true,
        ([b'%', rest @ ..], _) => (0..=name.len()).any(|n| is_like(name.get(n..).unwrap_or_default(), rest)),
        ([b'\\', plain, rest @ ..], [first, after @ ..]) => plain == first && is_like(after, rest),
        ([b'_', rest @ ..], [_, after @ ..]) => is_like(after, rest),
        ([plain, rest @ ..], [first, after @ ..]) => plain.eq_ignore_ascii_case(first) && is_like(after, rest),
        _ => false,
    }
}

/// What is missing in a place: rights and the scope of a GRANT.
fn missing(grants: &[Grant], rights: &[&str], database: &str, table: Option<&str>) -> Option<(String, String)> {
    let lacking: Vec<&str> = rights
        .iter()
        .filter(|right| !grants.iter().any(|grant| grant.gives(right, database, table)))
        .copied()
        .collect();
    let scope = table.map_or_else(|| format!("`{database}`.*"), |table| format!("`{database}`.`{table}`"));
    (!lacking.is_empty()).then(|| (lacking.join(", "), scope))
}

fn grants(db: &mut Db) -> Result<(String, Vec<Grant>)> {
    let account = db.texts("SELECT CURRENT_USER()", ())?.into_iter().next().unwrap_or_default();
    let lines = db.texts("SHOW GRANTS", ())?;
    Ok((account, lines.iter().filter_map(|line| Grant::parse(line)).collect()))
}

/// `'user'@'host'` of what the server calls `user@host`.
fn quoted(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "localhost"));
    format!("'{user}'@'{host}'")
}

/// All that are needed.
pub(super) fn all(patient: &mut Patient<'_>, report: &mut Report) {
    let config = &patient.hub.config;
    let (hub, metrics) = (config.hub_db.clone(), config.metrics_db.clone());
    let prefix = config.db_prefix.clone();
    let db = match (&mut patient.metrics, &mut patient.cms) {
        (Ok(db), _) | (Err(_), Ok(db)) => db,
        (Err(_), Err(_)) => return,
    };
    let (account, grants) = match grants(db) {
        Ok(found) => found,
        Err(error) => return report.warn(format_args!("rights: {error:#}"), "SHOW GRANTS"),
    };
    let mut lacking: Vec<(String, String)> = missing(&grants, &METRICS, &metrics, None).into_iter().collect();
    lacking.extend(missing(&grants, &HUB, &hub, None));
    for table in WRITTEN_TABLES {
        lacking.extend(missing(&grants, &WRITTEN, &hub, Some(&format!("{prefix}{table}"))));
    }
    if lacking.is_empty() {
        return report.ok(format_args!("rights: {account} may do all that is needed"));
    }
    let mut mend = String::new();
    for (rights, scope) in &lacking {
        let _ = writeln!(mend, "GRANT {rights} ON {scope} TO {};", quoted(&account));
    }
    let listed: Vec<String> = lacking.iter().map(|(rights, scope)| format!("{rights} on {scope}")).collect();
    report.fail_ours(format_args!("rights: {account} lacks {}", listed.join("; ")), mend);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_grants() {
        let parsed = |line: &str| Grant::parse(line).map(|g| (g.rights.join("|"), g.database, g.table));
        let expected = |rights: &str, database: &str, table: &str| {
            Some((rights.to_owned(), database.to_owned(), table.to_owned()))
        };
        assert_eq!(
            parsed("GRANT SELECT, CREATE TEMPORARY TABLES ON `h\\_b`.* TO `u`@`%`"),
            expected("SELECT|CREATE TEMPORARY TABLES", "h\\_b", "*")
        );
        assert_eq!(parsed("GRANT ALL PRIVILEGES ON *.* TO `u`@`%` IDENTIFIED"), expected("ALL PRIVILEGES", "*", "*"));
        assert_eq!(parsed("GRANT INSERT ON `h`.`t.x` TO `u`@`%`"), expected("INSERT", "h", "t.x"));
        assert_eq!(parsed("GRANT SELECT (`a`), INSERT ON `h`.`t` TO `u`"), expected("INSERT", "h", "t"));
        assert_eq!(parsed("GRANT `role` TO `u`@`%`"), None);
    }

    #[test]
    fn what_a_grant_gives() {
        let grants: Vec<Grant> = [
            "GRANT USAGE ON *.* TO `u`@`%`",
            "GRANT ALL PRIVILEGES ON `hub\\_metrics`.* TO `u`@`%`",
            "GRANT SELECT ON `hub`.* TO `u`@`%`",
            "GRANT INSERT, UPDATE ON `hub`.`jos_x` TO `u`@`%`",
        ]
        .iter()
        .filter_map(|line| Grant::parse(line))
        .collect();
        assert_eq!(missing(&grants, &METRICS, "hub_metrics", None), None);
        let all = METRICS.join(", ");
        assert_eq!(missing(&grants, &METRICS, "hubXmetrics", None), Some((all, "`hubXmetrics`.*".to_owned())));
        let lacks = |rights: &[&str], table| missing(&grants, rights, "hub", table).map(|(rights, _)| rights);
        assert_eq!(lacks(&HUB, None), Some("CREATE TEMPORARY TABLES".to_owned()));
        assert_eq!(lacks(&WRITTEN, Some("jos_x")), Some("DELETE".to_owned()));
        assert_eq!(lacks(&WRITTEN, Some("jos_y")), Some("INSERT, UPDATE, DELETE".to_owned()));
        assert!(is_like(b"t_12_metrics", b"t\\_%") && !is_like(b"tx12", b"t\\_%") && is_like(b"abc", b"a_c"));
    }
}
