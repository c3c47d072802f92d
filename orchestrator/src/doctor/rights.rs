//! The account's rights in both databases, compared with what the stages need.

use anyhow::Result;
use database::Db;
use schema::rights::{Account, Names, RIGHTS, Rights, Scope};

use super::checked_hub::CheckedHub;
use super::report::Report;

/// A line of `SHOW GRANTS`.
#[derive(Debug, PartialEq, Eq)]
struct Grant {
    rights: Vec<String>,
    /// A pattern, as for LIKE.
    database: String,
    /// `*` for all tables.
    table: String,
}

/// A name, in back quotes or plain, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find(['.', ' ']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let end = quoted.find('`')?;
    Some((quoted[..end].to_owned(), &quoted[end + 1..]))
}

impl Grant {
    /// Nothing for a role, or for rights on single columns.
    fn parse(line: &str) -> Option<Self> {
        let (rights, scope) = line.strip_prefix("GRANT ")?.split_once(" ON ")?;
        let (database, rest) = name(scope)?;
        let (table, _) = name(rest.strip_prefix('.')?)?;
        let whole = |right: &&str| !right.contains(['(', ')']);
        let rights = rights.split(", ").filter(whole).map(|right| right.trim().to_owned()).collect();
        Some(Self { rights, database, table })
    }

    fn names(&self, right: &str) -> bool {
        self.rights.iter().any(|given| given == right || given == "ALL PRIVILEGES")
    }

    /// Whether it applies to the whole database with this name.
    fn is_of_database(&self, database: &str) -> bool {
        self.table == "*" && self.database != "*" && is_like(database.as_bytes(), self.database.as_bytes())
    }

    /// How specifically it names its database: characters before the first wildcard.
    fn exactness(&self) -> usize {
        let mut is_escaped = false;
        let wild = self.database.bytes().position(|b| {
            let is_wild = !is_escaped && matches!(b, b'_' | b'%');
            is_escaped = b == b'\\' && !is_escaped;
            is_wild
        });
        wild.unwrap_or(usize::MAX)
    }
}

/// Whether the grants give a right in a database, or in one of its tables. Of the grants for whole
/// databases the server only uses the one with the most specific name.
fn gives(grants: &[Grant], right: &str, database: &str, table: Option<&str>) -> bool {
    let of_database =
        grants.iter().filter(|grant| grant.is_of_database(database)).max_by_key(|grant| grant.exactness());
    let everywhere = grants.iter().filter(|grant| grant.database == "*");
    let of_table = grants.iter().filter(|grant| {
        grant.database.eq_ignore_ascii_case(database)
            && table.is_some_and(|table| grant.table.eq_ignore_ascii_case(table))
    });
    everywhere.chain(of_database).chain(of_table).any(|grant| grant.names(right))
}

/// Whether a name matches a pattern with `%`, `_` and a backslash before either.
fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'%', rest @ ..], _) => (0..=name.len()).any(|n| is_like(name.get(n..).unwrap_or_default(), rest)),
        ([b'\\', plain, rest @ ..], [first, after @ ..]) => plain == first && is_like(after, rest),
        ([b'_', rest @ ..], [_, after @ ..]) => is_like(after, rest),
        ([plain, rest @ ..], [first, after @ ..]) => plain.eq_ignore_ascii_case(first) && is_like(after, rest),
        _ => false,
    }
}

/// The rights that no grant gives.
fn missing<'r>(grants: &[Grant], rights: &'r Rights, names: &Names<'_>) -> Vec<&'r str> {
    let (database, table) = match rights.scope {
        Scope::Metrics => (names.metrics, None),
        Scope::Hub => (names.hub, None),
        Scope::HubTable(table) => (names.hub, Some(format!("{}{table}", names.prefix))),
    };
    rights.names.iter().copied().filter(|right| !gives(grants, right, database, table.as_deref())).collect()
}

/// The account as the server knows it, and its grants.
fn grants(db: &mut Db) -> Result<(Account, Vec<Grant>)> {
    let name = db.texts("SELECT CURRENT_USER()", ())?.into_iter().next().unwrap_or_default();
    let (user, host) = name.rsplit_once('@').unwrap_or((&name, "localhost"));
    let account = Account { user: user.to_owned(), host: host.to_owned() };
    let lines = db.texts("SHOW GRANTS", ())?;
    Ok((account, lines.iter().filter_map(|line| Grant::parse(line)).collect()))
}

/// All rights that are needed.
pub(super) fn all(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    let names = Names { hub: &config.hub_db, metrics: &config.metrics_db, prefix: &config.db_prefix };
    let db = match (&mut checked.metrics, &mut checked.cms) {
        (Ok(db), _) | (Err(_), Ok(db)) => db,
        (Err(_), Err(_)) => return,
    };
    let (account, grants) = match grants(db) {
        Ok(found) => found,
        Err(error) => return report.warn(format_args!("rights: {error:#}"), "SHOW GRANTS"),
    };
    let lacking = RIGHTS.iter().map(|rights| (rights, missing(&grants, rights, &names)));
    let lacking: Vec<_> = lacking.filter(|(_, missing)| !missing.is_empty()).collect();
    let shown = format!("{}@{}", account.user, account.host);
    if lacking.is_empty() {
        return report.ok(format_args!("rights: {shown} has all rights that are needed"));
    }
    let listed =
        lacking.iter().map(|(rights, missing)| format!("{} on {}", missing.join(", "), names.place(rights.scope)));
    let text = format!("rights: {shown} lacks {}", listed.collect::<Vec<_>>().join("; "));
    // all rights for a scope: once this one is granted, rights from a less specific pattern no
    // longer apply
    let fix = lacking.iter().map(|(rights, _)| names.grant(rights.scope, rights.names, &account) + ";\n");
    report.fail_ours(text, fix.collect::<String>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_grants_are_parsed() {
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
    fn the_most_specific_grant_decides() {
        let grants: Vec<Grant> = [
            "GRANT USAGE ON *.* TO `u`@`%`",
            "GRANT ALL PRIVILEGES ON `hub\\_metrics`.* TO `u`@`%`",
            "GRANT SELECT ON `hub`.* TO `u`@`%`",
            "GRANT INSERT, UPDATE ON `hub`.`jos_x` TO `u`@`%`",
        ]
        .iter()
        .filter_map(|line| Grant::parse(line))
        .collect();
        let lacks = |scope, names: &'static [&'static str], metrics| {
            let places = Names { hub: "hub", metrics, prefix: "jos_" };
            missing(&grants, &Rights { scope, names }, &places).join(", ")
        };
        assert_eq!(lacks(Scope::Metrics, &["SELECT", "DROP"], "hub_metrics"), "");
        assert_eq!(lacks(Scope::Metrics, &["SELECT", "DROP"], "hubXmetrics"), "SELECT, DROP");
        assert_eq!(lacks(Scope::Hub, &["SELECT", "LOCK TABLES"], "m"), "LOCK TABLES");
        assert_eq!(lacks(Scope::HubTable("x"), &["INSERT", "DELETE"], "m"), "DELETE");
        assert_eq!(lacks(Scope::HubTable("y"), &["INSERT", "DELETE"], "m"), "INSERT, DELETE");
        // an exact name hides what a pattern gives
        let grants = ["GRANT ALL PRIVILEGES ON `h_m`.* TO `u`@`%`", "GRANT SELECT ON `h\\_m`.* TO `u`@`%`"];
        let grants = grants.map(|line| Grant::parse(line).unwrap());
        assert!(gives(&grants, "SELECT", "h_m", None) && !gives(&grants, "DROP", "h_m", None));
        assert!(gives(&grants, "DROP", "hxm", None) && !gives(&grants, "SELECT", "other", None));
        assert!(is_like(b"t_12_metrics", b"t\\_%") && !is_like(b"tx12", b"t\\_%") && is_like(b"abc", b"a_c"));
    }
}
