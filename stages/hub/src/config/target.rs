//! The database server, and the account and databases to use there.

use std::fmt;
use std::path::Path;

use super::tls::Tls;

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The metrics database.
    Metrics,
    /// The hub's database.
    Hub,
    /// Neither: for the setup, which creates the metrics database.
    Neither,
}

/// The server, the account and the two database names.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// `localhost` (the socket), a host name or address with an optional `:port`, or the path of
    /// a socket; several separated by commas, of which the first that answers is taken.
    pub host: String,
    /// Account.
    pub user: String,
    /// Its password; never shown.
    pub password: String,
    /// Name of the hub's database.
    pub hub_db: String,
    /// Name of the metrics database.
    pub metrics_db: String,
    /// Prefix of the hub's tables, normally `jos_`.
    pub prefix: String,
    /// How to encrypt a connection over the network.
    pub tls: Tls,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({}, {})", self.hub_db, self.metrics_db)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, if self.host.is_empty() { "localhost" } else { &self.host })
    }
}

impl Target {
    /// The same for each of the servers that `host` names, separated by commas, in their order.
    #[must_use]
    pub fn hosts(&self) -> Vec<Self> {
        self.host.split(',').map(|host| Self { host: host.trim().to_owned(), ..self.clone() }).collect()
    }

    /// An account of a server on this machine, reached through its socket. No databases are named
    /// yet; the hub's tables have the prefix `jos_`.
    #[must_use]
    pub fn at_socket(socket: &Path, user: &str, password: &str) -> Self {
        Self {
            host: socket.to_string_lossy().into_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            prefix: "jos_".to_owned(),
            ..Self::default()
        }
    }

    /// The same with the names of the hub's database and of the metrics database.
    #[must_use]
    pub fn with_databases(mut self, hub: &str, metrics: &str) -> Self {
        hub.clone_into(&mut self.hub_db);
        metrics.clone_into(&mut self.metrics_db);
        self
    }

    /// The name of a database; empty for [`Which::Neither`].
    #[must_use]
    pub fn database(&self, which: Which) -> &str {
        match which {
            Which::Metrics => &self.metrics_db,
            Which::Hub => &self.hub_db,
            Which::Neither => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_needs_only_a_socket_and_two_names() {
        let target = Target::at_socket(Path::new("/x/s"), "u", "p").with_databases("hub", "hub_metrics");
        let names = [Which::Hub, Which::Metrics, Which::Neither].map(|which| target.database(which));
        assert_eq!((names, target.prefix.as_str()), (["hub", "hub_metrics", ""], "jos_"));
        assert_eq!((target.host.as_str(), target.tls), ("/x/s", Tls::default()));
    }

    #[test]
    fn passwords_are_never_shown() {
        let target = Target { user: "u".to_owned(), password: "geheim".to_owned(), ..Target::default() };
        assert!(!format!("{target} {target:?}").contains("geheim"));
    }
}
