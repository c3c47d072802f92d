//! Where the databases are and who we are there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql::{Conn, OptsBuilder};

use super::error::{DbError, ErrorKind};
use super::tls::Tls;

/// Where servers put their socket, Debian first, then Rocky.
const SOCKETS: [&str; 4] =
    ["/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The metrics database.
    Metrics,
    /// The hub's database.
    Hub,
    /// None yet: for the setup, which makes the metrics database.
    Neither,
}

/// The server, the account and the two database names.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// `localhost` (the socket), a host name or address with an optional `:port`, or the path of
    /// a socket.
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
    /// How a connection over the network is encrypted.
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

#[derive(Debug, PartialEq, Eq)]
enum Address {
    Socket(PathBuf),
    Tcp(String, u16),
}

impl Target {
    /// An account of a server on this machine, reached through its socket. No databases are named
    /// yet; the hub's tables begin with `jos_`.
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

    fn address(&self, forced: Option<PathBuf>, exists: impl Fn(&Path) -> bool) -> Address {
        let host = self.host.trim();
        if let Some((_, path)) = host.split_once(":/") {
            return Address::Socket(Path::new("/").join(path));
        }
        if host.starts_with('/') {
            return Address::Socket(PathBuf::from(host));
        }
        if host.is_empty() || host == "localhost" {
            let usual = || SOCKETS.iter().map(PathBuf::from).find(|path| exists(path));
            // a server in a container may have no socket here
            return forced.or_else(usual).map_or_else(|| Address::Tcp("127.0.0.1".to_owned(), 3306), Address::Socket);
        }
        match host.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
            Some((name, Ok(port))) if !name.contains(':') => Address::Tcp(name.to_owned(), port),
            _ => Address::Tcp(host.to_owned(), 3306),
        }
    }

    pub(super) fn open(&self, which: Which) -> Result<Conn, DbError> {
        let forced = std::env::var_os("HZMETRICS_DB_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from);
        let address = self.address(forced, Path::exists);
        let database = self.database(which);
        let mut opts = OptsBuilder::new()
            .user(Some(&self.user))
            .pass(Some(&self.password))
            .db_name((!database.is_empty()).then_some(database))
            .prefer_socket(false)
            .stmt_cache_size(64)
            .tcp_connect_timeout(Some(Duration::from_secs(20)))
            .tcp_keepalive_time_ms(Some(60_000_u32));
        let (shown, opened) = match &address {
            Address::Socket(path) => {
                opts = opts.socket(Some(path.to_string_lossy().into_owned()));
                (path.display().to_string(), Conn::new(opts).map_err(|error| DbError::not_connected(self, &error)))
            }
            Address::Tcp(host, port) => {
                opts = opts.ip_or_hostname(Some(host)).tcp_port(*port);
                (format!("{host}:{port}"), self.tls.connect(opts, host, &|error| DbError::not_connected(self, error)))
            }
        };
        opened.map_err(|error| match error.kind() {
            ErrorKind::Unreachable => error.with(&format!("connecting to the database server at {shown}")),
            _ => error.with(&format!("connecting to {shown} as {}", self.user)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, forced: Option<&str>, existing: &str) -> Address {
        let target = Target { host: host.to_owned(), ..Target::default() };
        target.address(forced.map(PathBuf::from), |path| path == Path::new(existing))
    }

    #[test]
    fn localhost_is_a_socket_when_there_is_one() {
        let socket = |path: &str| Address::Socket(PathBuf::from(path));
        let tcp = |host: &str, port| Address::Tcp(host.to_owned(), port);
        assert_eq!(address("localhost", None, "/var/lib/mysql/mysql.sock"), socket("/var/lib/mysql/mysql.sock"));
        assert_eq!(address("", Some("/x/s"), "/tmp/mysql.sock"), socket("/x/s"));
        assert_eq!(address("localhost", None, ""), tcp("127.0.0.1", 3306));
        assert_eq!(address("localhost:/x/s", None, ""), socket("/x/s"));
        assert_eq!(address("/x/s", None, ""), socket("/x/s"));
        assert_eq!(address("db.example.org", Some("/x/s"), ""), tcp("db.example.org", 3306));
        assert_eq!(address("10.0.0.5:3307", None, ""), tcp("10.0.0.5", 3307));
        assert_eq!(address("fe80::1", None, ""), tcp("fe80::1", 3306));
    }

    #[test]
    fn a_socket_and_two_names_are_enough() {
        let target = Target::at_socket(Path::new("/x/s"), "u", "p").with_databases("hub", "hub_metrics");
        assert_eq!(target.address(None, |_| false), Address::Socket(PathBuf::from("/x/s")));
        let names = [Which::Hub, Which::Metrics, Which::Neither].map(|which| target.database(which));
        assert_eq!((names, target.prefix.as_str()), (["hub", "hub_metrics", ""], "jos_"));
        assert_eq!(target.tls, Tls::default());
    }

    #[test]
    fn passwords_are_never_shown() {
        let target = Target { user: "u".to_owned(), password: "geheim".to_owned(), ..Target::default() };
        assert!(!format!("{target} {target:?}").contains("geheim"));
    }
}
