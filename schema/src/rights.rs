//! The rights that our account needs in the databases: no more, no less.
//!
//! `hzmetrics setup-db --grants` prints them, `docs/database.md` shows them, messages about a
//! missing right name it, and the tests use them.

use std::str::FromStr;

use crate::tables::quote;

/// The scope of a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole metrics database.
    Metrics,
    /// The whole hub's database.
    Hub,
    /// One table of the hub's database, named without its prefix.
    HubTable(&'static str),
}

/// Rights with one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The scope.
    pub scope: Scope,
    /// The rights, as named in GRANT.
    pub names: &'static [&'static str],
}

/// All rights. Temporary tables and locks on the hub's database can only be granted for the whole
/// database; they change nothing in its tables.
pub const RIGHTS: &[Rights] = &[
    Rights {
        scope: Scope::Metrics,
        names: &[
            "SELECT",
            "INSERT",
            "UPDATE",
            "DELETE",
            "CREATE",
            "DROP",
            "ALTER",
            "CREATE TEMPORARY TABLES",
            "LOCK TABLES",
        ],
    },
    Rights { scope: Scope::Hub, names: &["SELECT", "CREATE TEMPORARY TABLES", "LOCK TABLES"] },
    Rights { scope: Scope::HubTable("metrics_ipgeo_cache"), names: &["INSERT", "UPDATE"] },
    Rights { scope: Scope::HubTable("resource_stats"), names: &["INSERT", "UPDATE", "DELETE"] },
    Rights { scope: Scope::HubTable("resource_stats_tools"), names: &["INSERT", "UPDATE", "DELETE"] },
    Rights { scope: Scope::HubTable("resource_stats_tools_topvals"), names: &["INSERT", "DELETE"] },
    Rights { scope: Scope::HubTable("session_geo"), names: &["INSERT", "UPDATE", "DELETE"] },
    Rights { scope: Scope::HubTable("stats_topvals"), names: &["INSERT", "DELETE"] },
];

/// The names of a hub's databases, and the prefix of the tables of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// The hub's database.
    pub hub: &'a str,
    /// The metrics database.
    pub metrics: &'a str,
    /// The prefix, normally `jos_`.
    pub prefix: &'a str,
}

impl Names<'_> {
    /// The scope in a GRANT statement, quoted.
    #[must_use]
    pub fn place(&self, scope: Scope) -> String {
        match scope {
            Scope::Metrics => whole(self.metrics),
            Scope::Hub => whole(self.hub),
            // with a table after it, a database is a name; without one, it is a pattern
            Scope::HubTable(table) => format!("{}.{}", quote(self.hub), quote(&format!("{}{table}", self.prefix))),
        }
    }

    /// The statements that give an account these rights, without the final `;`.
    #[must_use]
    pub fn grants(&self, account: &Account) -> Vec<String> {
        RIGHTS.iter().map(|rights| self.grant(rights.scope, rights.names, account)).collect()
    }

    /// One statement.
    #[must_use]
    pub fn grant(&self, scope: Scope, names: &[&str], account: &Account) -> String {
        format!("GRANT {} ON {} TO {account}", names.join(", "), self.place(scope))
    }
}

/// A database name for GRANT, where `_` and `%` would otherwise match other characters.
fn whole(database: &str) -> String {
    let mut pattern = String::with_capacity(database.len());
    for c in database.chars() {
        if matches!(c, '_' | '%' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    format!("{}.*", quote(&pattern))
}

/// An account of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The host: a host name, an address, or a pattern of them.
    pub host: String,
}

impl std::fmt::Display for Account {
    /// Quoted with back quotes, inside which only a back quote is special, whatever the server's
    /// `sql_mode`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", quote(&self.user), quote(&self.host))
    }
}

impl FromStr for Account {
    type Err = String;

    /// `USER@HOST`; each may be quoted as in SQL. An IPv6 address may be in brackets.
    fn from_str(text: &str) -> Result<Self, String> {
        let (user, host) =
            text.rsplit_once('@').ok_or_else(|| format!("`{text}` is not USER@HOST, such as hub@localhost"))?;
        let (user, host) = (unquoted(user), unquoted(host));
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host).to_owned();
        if user.is_empty() || host.is_empty() {
            return Err(format!("`{text}` lacks the user or the host: USER@HOST, such as hub@localhost"));
        }
        if user.chars().chain(host.chars()).any(char::is_control) {
            return Err("the name of an account must not contain control characters".to_owned());
        }
        Ok(Self { user, host })
    }
}

/// Without the surrounding quotes, and with doubled quotes inside undoubled.
fn unquoted(text: &str) -> String {
    for mark in ['\'', '"', '`'] {
        if let Some(inner) = text.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark)) {
            return inner.replace(&format!("{mark}{mark}"), &mark.to_string());
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables;

    const NAMES: Names<'_> = Names { hub: "hub", metrics: "hub_metrics", prefix: "jos_" };

    #[test]
    fn accounts_are_read_with_and_without_quotes() {
        for (text, user, host) in [
            ("hub@localhost", "hub", "localhost"),
            ("'hub'@'%'", "hub", "%"),
            ("`a``b`@\"10.0.0.%\"", "a`b", "10.0.0.%"),
            ("me@work@db.example.org", "me@work", "db.example.org"),
            ("u@::1", "u", "::1"),
            ("u@[2001:db8::1]", "u", "2001:db8::1"),
            ("o'brien\\@localhost", "o'brien\\", "localhost"),
        ] {
            let account: Account = text.parse().unwrap();
            assert_eq!((account.user.as_str(), account.host.as_str()), (user, host), "{text}");
            assert_eq!(account.to_string().parse::<Account>().unwrap(), account, "{text}");
        }
        for text in ["hub", "", "@", "@localhost", "hub@", "''@localhost", "a\nb@localhost", "a@b\0"] {
            assert!(text.parse::<Account>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_are_quoted_for_their_scope() {
        let account: Account = "h`x@localhost".parse().unwrap();
        let names = Names { hub: "a`b_c%d\\e", metrics: "hub_metrics", prefix: "x_" };
        let grant = |scope| names.grant(scope, &["SELECT"], &account);
        assert_eq!(grant(Scope::Metrics), "GRANT SELECT ON `hub\\_metrics`.* TO `h``x`@`localhost`");
        assert_eq!(grant(Scope::Hub), "GRANT SELECT ON `a``b\\_c\\%d\\\\e`.* TO `h``x`@`localhost`");
        let table = grant(Scope::HubTable("session_geo"));
        assert_eq!(table, "GRANT SELECT ON `a``b_c%d\\e`.`x_session_geo` TO `h``x`@`localhost`");
    }

    #[test]
    fn tables_exist_and_are_listed_once() {
        let account: Account = "u@h".parse().unwrap();
        let statements = NAMES.grants(&account);
        assert_eq!(statements.len(), RIGHTS.len());
        for (i, rights) in RIGHTS.iter().enumerate() {
            assert!(!RIGHTS[..i].iter().any(|other| other.scope == rights.scope));
            if let Scope::HubTable(name) = rights.scope {
                assert_ne!(tables::hub(name).unwrap().full_name("jos_"), name, "{name} has no prefix");
            }
        }
    }
}
