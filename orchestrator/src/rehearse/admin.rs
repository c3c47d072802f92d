//! The account that makes the shadow databases: from a file of options of the server's client programs.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use hub::config::Target;
use kit::door::named;

/// The sections of such a file that are read; the later ones win.
const SECTIONS: [&str; 4] = ["client", "client-mariadb", "client-server", "mysql"];

/// An account, and perhaps where its server is. Read while the command line is parsed, so before root's rights are
/// dropped: only root needs to be able to read the file.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Admin {
    user: String,
    password: String,
    host: Option<String>,
    port: Option<String>,
    socket: Option<String>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Admin {
    /// Reads a file, for the parser of the command line.
    ///
    /// # Errors
    /// It cannot be read, or names no user.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let read = || named::read_short(Path::new(path)).context("reading it");
        read().and_then(|text| Self::of(&text)).map_err(|error| format!("{error:#}"))
    }

    fn of(text: &str) -> Result<Self> {
        let (mut admin, mut is_read) = (Self::default(), false);
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                is_read = SECTIONS.contains(&section.trim());
                continue;
            }
            if !is_read || line.starts_with(['#', ';', '!']) {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = unquoted(value.trim());
            match name.trim() {
                "user" => admin.user = value,
                "password" => admin.password = value,
                "host" => admin.host = Some(value),
                "port" => admin.port = Some(value),
                "socket" => admin.socket = Some(value),
                _ => {}
            }
        }
        if admin.user.is_empty() {
            bail!("it names no `user` in its section [client]");
        }
        Ok(admin)
    }

    /// The server of a configuration, or the one that the file names, with this account.
    pub(crate) fn target(&self, ours: &Target) -> Target {
        let (user, password) = (self.user.clone(), self.password.clone());
        let host = match (&self.socket, &self.host, &self.port) {
            (Some(socket), ..) => socket.clone(),
            (None, Some(host), Some(port)) => format!("{host}:{port}"),
            (None, Some(host), None) => host.clone(),
            (None, None, _) => ours.host.clone(),
        };
        Target { host, user, password, ..ours.clone() }
    }
}

/// A value as the client programs read it.
fn unquoted(value: &str) -> String {
    let quoted = ['"', '\''].iter().find_map(|mark| value.strip_prefix(*mark)?.strip_suffix(*mark));
    let mut text = String::with_capacity(value.len());
    let mut rest = quoted.unwrap_or(value).chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('\\', Some(next @ ('\\' | '"' | '\''))) => {
                text.push(next);
                rest.next();
            }
            ('\\', Some('s')) => {
                text.push(' ');
                rest.next();
            }
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_client_programs_read_it() {
        let text = "[mysqld]\nuser=mysql\n[client]\n# x\nuser = root\npassword=\"a\\\"b\\\\c#\"\nsocket=/run/s\n";
        let admin = Admin::of(text).unwrap();
        assert_eq!((admin.user.as_str(), admin.password.as_str()), ("root", "a\"b\\c#"));
        let ours = Target { host: "db".to_owned(), metrics_db: "m".to_owned(), ..Target::default() };
        let target = admin.target(&ours);
        assert_eq!((target.host.as_str(), target.metrics_db.as_str()), ("/run/s", "m"));
        assert!(!format!("{admin:?}").contains("a\\"));
        assert!(Admin::of("[mysqld]\nuser=mysql\n").is_err());
    }

    #[test]
    fn the_server_is_ours_unless_the_file_names_one() {
        let ours = Target { host: "db".to_owned(), ..Target::default() };
        let host = |more: &str| Admin::of(&format!("[client]\nuser=a\n{more}")).unwrap().target(&ours).host;
        assert_eq!(host(""), "db");
        assert_eq!(host("host=other"), "other");
        assert_eq!(host("host=other\nport=3307"), "other:3307");
    }
}
