//! How the server is reached: a socket of this machine, or the network.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hub::config::{Target, Which};
use mysql::{Conn, OptsBuilder};

use crate::error::{DbError, ErrorKind};
use crate::tls;

/// Where servers put their socket: Debian first, then Rocky.
const SOCKETS: [&str; 4] =
    ["/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket of this machine.
    Socket(PathBuf),
    /// A host and a port.
    Tcp(String, u16),
}

fn address(host: &str, forced: Option<PathBuf>, exists: impl Fn(&Path) -> bool) -> Address {
    let host = host.trim();
    if let Some((_, path)) = host.split_once(":/") {
        return Address::Socket(Path::new("/").join(path));
    }
    if host.starts_with('/') {
        return Address::Socket(PathBuf::from(host));
    }
    if host.is_empty() || host == "localhost" {
        let usual = || SOCKETS.iter().map(PathBuf::from).find(|path| exists(path));
        // if the server runs in a container, there may be no socket here
        return forced.or_else(usual).map_or_else(|| Address::Tcp("127.0.0.1".to_owned(), 3306), Address::Socket);
    }
    match host.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
        Some((name, Ok(port))) if !name.contains(':') => Address::Tcp(name.to_owned(), port),
        _ => Address::Tcp(host.to_owned(), 3306),
    }
}

/// Where the server of a target is that names a single one.
#[must_use]
pub fn place(target: &Target) -> Address {
    let forced = std::env::var_os("HZMETRICS_DB_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from);
    address(&target.host, forced, Path::exists)
}

/// Opens a connection to the database `which`.
pub(super) fn open(target: &Target, which: Which) -> Result<Conn, DbError> {
    let address = place(target);
    let database = target.database(which);
    let mut opts = OptsBuilder::new()
        .user(Some(&target.user))
        .pass(Some(&target.password))
        .db_name((!database.is_empty()).then_some(database))
        .prefer_socket(false)
        .stmt_cache_size(64)
        .tcp_connect_timeout(Some(Duration::from_secs(20)))
        .tcp_keepalive_time_ms(Some(60_000_u32));
    let (shown, opened) = match &address {
        Address::Socket(path) => {
            opts = opts.socket(Some(path.to_string_lossy().into_owned()));
            let has_folder = path.parent().is_some_and(Path::exists);
            let failed = |error| DbError::not_connected(target, &error);
            let wrong = |error: DbError| if has_folder { error } else { error.for_good() };
            (path.display().to_string(), Conn::new(opts).map_err(failed).map_err(wrong))
        }
        Address::Tcp(host, port) => {
            opts = opts.ip_or_hostname(Some(host)).tcp_port(*port);
            (
                format!("{host}:{port}"),
                tls::connect(&target.tls, opts, host, &|error| DbError::not_connected(target, error)),
            )
        }
    };
    opened.map_err(|error| match error.kind() {
        ErrorKind::Unreachable | ErrorKind::Gone => {
            error.with(&format!("connecting to the database server at {shown}"))
        }
        _ => error.with(&format!("connecting to {shown} as {}", target.user)),
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Address;

    fn address(host: &str, forced: Option<&str>, existing: &str) -> Address {
        super::address(host, forced.map(PathBuf::from), |path| path == Path::new(existing))
    }

    #[test]
    fn localhost_means_the_socket_if_there_is_one() {
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
}
