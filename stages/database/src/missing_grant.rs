//! The GRANT that an account lacks, derived from the server's error message.

use schema::rights::{Account, Names, RIGHTS, Scope};
use schema::tables::{self, quote};

use hub::config::Target;

/// The end of each such message.
const ALL: &str = "`hzmetrics setup-db --grants USER@HOST` prints all that are needed";

/// In words, for an error with one of these numbers; `statement` is what was executed.
pub(super) fn words(target: &Target, code: u16, message: &str, statement: &str) -> Option<String> {
    match code {
        1044 => Some(of_database(target, message, statement)),
        1045 | 1698 => Some(format!("user or password is wrong, or there is no such account for this host; {ALL}")),
        1142 | 1143 | 1370 => Some(of_table(target, message)),
        _ => None,
    }
}

/// `Access denied for user 'u'@'h' to database 'd'`.
fn of_database(target: &Target, message: &str, statement: &str) -> String {
    let scope = if quoted_after(message, "database ").is_some_and(|name| name == target.hub_db) {
        Scope::Hub
    } else {
        Scope::Metrics
    };
    let words = statement.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let known = RIGHTS.iter().find(|rights| rights.scope == scope).map_or(&[][..], |rights| rights.names);
    let needed: Vec<&str> = match words.as_str() {
        "CREATE TEMPORARY" | "DROP TEMPORARY" => vec!["CREATE TEMPORARY TABLES"],
        "LOCK TABLES" => vec!["LOCK TABLES"],
        "CREATE DATABASE" => vec!["CREATE"],
        _ => known.to_vec(),
    };
    lacking(target, &needed.join(", "), &names(target).place(scope), message)
}

/// `INSERT command denied to user 'u'@'h' for table 'd'.'t'`, with or without the database.
fn of_table(target: &Target, message: &str) -> String {
    let verb = message.split_once(" command denied").map_or("", |(verb, _)| verb).to_ascii_uppercase();
    let place = ["table ", "routine "].iter().find_map(|word| message.rsplit_once(word)).map_or("", |(_, rest)| rest);
    let parts: Vec<&str> = place.split('.').map(|part| part.trim().trim_matches(['`', '\''])).collect();
    let (database, table) = match parts.as_slice() {
        [database, table, ..] => (Some(*database), *table),
        [table] => (None, *table),
        [] => (None, ""),
    };
    let names = names(target);
    let is_hubs = database == Some(&target.hub_db) || (database.is_none() && is_of_hub(target, table));
    let place = match (is_hubs, verb.as_str()) {
        (false, _) => names.place(Scope::Metrics),
        (true, "SELECT") => names.place(Scope::Hub),
        (true, _) => format!("{}.{}", quote(&target.hub_db), quote(table)),
    };
    lacking(target, &verb, &place, message)
}

/// Whether a table named without its database belongs to the hub.
fn is_of_hub(target: &Target, table: &str) -> bool {
    let name = table.strip_prefix(&target.prefix).unwrap_or(table);
    tables::hub(name).is_some() && tables::metrics(table).is_none()
}

fn names(target: &Target) -> Names<'_> {
    Names { hub: &target.hub_db, metrics: &target.metrics_db, prefix: &target.prefix }
}

fn lacking(target: &Target, right: &str, place: &str, message: &str) -> String {
    format!("missing: GRANT {right} ON {place} TO {}; {ALL}", account(target, message))
}

/// `user 'u'@'h'` in a message.
fn account(target: &Target, message: &str) -> Account {
    let host =
        message.split_once("'@'").and_then(|(_, rest)| rest.split_once('\'')).map_or("localhost", |(host, _)| host);
    Account { user: target.user.clone(), host: host.to_owned() }
}

fn quoted_after<'a>(message: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = message.rsplit_once(word)?;
    rest.strip_prefix(['\'', '`'])?.strip_suffix(['\'', '`'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: u16, message: &str, statement: &str, expected: &str) {
        let target = Target {
            user: "me".to_owned(),
            hub_db: "hub".to_owned(),
            metrics_db: "hub_metrics".to_owned(),
            prefix: "jos_".to_owned(),
            ..Target::default()
        };
        let words = words(&target, code, message, statement).unwrap();
        assert!(words.starts_with(expected), "{message}: {words}");
    }

    #[test]
    fn every_message_of_the_server_gives_the_grant() {
        let denied = "Access denied for user 'me'@'10.0.0.7' to database 'hub'";
        let temporary = "missing: GRANT CREATE TEMPORARY TABLES ON `hub`.* TO `me`@`10.0.0.7`; ";
        check(1044, denied, "CREATE TEMPORARY TABLE x (a int)", temporary);
        check(1044, denied, "LOCK TABLES a WRITE", "missing: GRANT LOCK TABLES ON `hub`.* TO `me`@`10.0.0.7`; ");
        check(1044, denied, "", "missing: GRANT SELECT, CREATE TEMPORARY TABLES, LOCK TABLES ON `hub`.* TO ");
        let denied = "Access denied for user 'me'@'localhost' to database 'hub_metrics'";
        check(1044, denied, "CREATE DATABASE x", "missing: GRANT CREATE ON `hub\\_metrics`.* TO `me`@`localhost`; ");
        for table in ["'jos_session_geo'", "`hub`.`jos_session_geo`"] {
            let denied = format!("INSERT command denied to user 'me'@'localhost' for table {table}");
            check(1142, &denied, "", "missing: GRANT INSERT ON `hub`.`jos_session_geo` TO `me`@`localhost`; ");
        }
        let denied = "DROP command denied to user 'me'@'localhost' for table `hub_metrics`.`jos_xprofiles_metrics`";
        check(1142, denied, "", "missing: GRANT DROP ON `hub\\_metrics`.* TO ");
        let denied = "UPDATE command denied to user 'me'@'localhost' for table `hub`.`visits`";
        check(1142, denied, "", "missing: GRANT UPDATE ON `hub`.`visits` TO ");
        let denied = "SELECT command denied to user 'me'@'localhost' for table 'jos_users'";
        check(1142, denied, "", "missing: GRANT SELECT ON `hub`.* TO ");
        let denied = "SELECT command denied to user 'me'@'localhost' for table `hub`.`jos_users`";
        check(1142, denied, "", "missing: GRANT SELECT ON `hub`.* TO ");
        let denied = "SELECT command denied to user 'me'@'localhost' for column 'a' in table 'web'";
        check(1143, denied, "", "missing: GRANT SELECT ON `hub\\_metrics`.* TO ");
        let denied = "execute command denied to user 'me'@'localhost' for routine 'hub_metrics.f'";
        check(1370, denied, "", "missing: GRANT EXECUTE ON `hub\\_metrics`.* TO ");
        check(1045, "Access denied for user 'me'@'localhost' (using password: YES)", "", "user or password is wrong");
    }
}
