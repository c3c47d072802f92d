//! Database errors by kind: some are worth another attempt, others are not.

use std::{fmt, io};

use hub::config::Target;
use mysql::{DriverError, Error};

use crate::missing_grant;

/// The kinds that callers distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Two transactions blocked each other, and this one was undone (1213; 1020, 1412).
    Deadlock,
    /// Another session held a row or table for too long (1205).
    LockWait,
    /// The connection was lost while it was in use.
    Gone,
    /// The server cannot be reached at all.
    Unreachable,
    /// The server is not as configured: not encrypted, or not the right one.
    Tls,
    /// The account may not do this.
    Denied,
    /// There is no such database (1049).
    NoDatabase,
    /// There is no such table (1146).
    NoTable,
    /// The row exists already (1062).
    Duplicate,
    /// The value does not fit the column.
    BadValue,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Whether the same transaction may succeed a moment later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Deadlock | Self::LockWait | Self::Gone)
    }

    const fn from_code(code: u16) -> Self {
        match code {
            // 1047: a cluster node that has not joined yet
            // 1020 and 1412: the snapshot is out of date, and the server asks for a retry
            1213 | 1020 | 1412 => Self::Deadlock,
            1205 => Self::LockWait,
            1047 | 1053 | 1152..=1161 | 1184 | 1927 | 2006 | 2013 => Self::Gone,
            1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 => Self::Denied,
            1049 => Self::NoDatabase,
            1146 => Self::NoTable,
            1062 => Self::Duplicate,
            1264 | 1265 | 1292 | 1366 | 1406 => Self::BadValue,
            _ => Self::Other,
        }
    }
}

/// What clients of the server call a connection that is refused.
const NOBODY_LISTENS: u16 = 2002;

/// A database error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbError {
    kind: ErrorKind,
    code: u16,
    text: String,
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for DbError {}

impl DbError {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The server's error number; 2002, as other clients have it, where no server listens; 0 if the error did not
    /// come from the server otherwise.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The database error that caused `error`.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Option<&Self> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }

    /// From the driver's error; `statement` is what was executed.
    pub(super) fn from_driver(error: &Error, statement: &str) -> Self {
        let (kind, code, text) = match error {
            Error::MySqlError(e) => (ErrorKind::from_code(e.code), e.code, format!("{} (error {})", e.message, e.code)),
            Error::IoError(e) => (ErrorKind::Gone, 0, format!("the database server went away ({e})")),
            Error::DriverError(DriverError::ConnectTimeout | DriverError::CouldNotConnect(_)) => {
                (ErrorKind::Unreachable, 0, error.to_string())
            }
            Error::CodecError(e) => (ErrorKind::Gone, 0, format!("the database server went away ({e})")),
            other => (ErrorKind::Other, 0, other.to_string()),
        };
        let shown = shorten(statement);
        let text = match of_cluster(code) {
            Some(words) => format!("{text}: {words}"),
            None => text,
        };
        Self { kind, code, text: if shown.is_empty() { text } else { format!("{text}, at: {shown}") } }
    }

    /// The same with the missing GRANT, if that is the cause.
    pub(super) fn at(target: &Target, error: &Error, statement: &str) -> Self {
        let found = Self::from_driver(error, statement);
        let Error::MySqlError(e) = error else { return found };
        match missing_grant::words(target, e.code, &e.message, statement) {
            Some(words) => found.followed_by(&format!("; {words}")),
            None => found,
        }
    }

    pub(super) fn unreachable(text: String) -> Self {
        Self { kind: ErrorKind::Unreachable, code: 0, text }
    }

    /// What went wrong while connecting: a connection lost at that point was never established.
    pub(super) fn not_connected(target: &Target, error: &Error) -> Self {
        match error {
            Error::MySqlError(_) => Self::at(target, error, ""),
            // the driver repeats the address
            Error::DriverError(DriverError::CouldNotConnect(Some((_, text, kind)))) => {
                Self::unreachable(text.clone()).because(*kind)
            }
            Error::IoError(e) if was_cut(e) => Self { kind: ErrorKind::Gone, ..Self::unreachable(e.to_string()) },
            Error::IoError(e) => Self::unreachable(e.to_string()).because(e.kind()),
            Error::CodecError(e) => match std::error::Error::source(e).and_then(|cause| cause.downcast_ref()) {
                Some(cause) if was_cut(cause) => Self { kind: ErrorKind::Gone, ..Self::unreachable(e.to_string()) },
                _ => Self::unreachable(e.to_string()),
            },
            other => Self::unreachable(other.to_string()),
        }
    }

    const fn because(mut self, kind: io::ErrorKind) -> Self {
        if matches!(kind, io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) {
            self.code = NOBODY_LISTENS;
        }
        self
    }

    /// Nobody listens at the address: a server that is stopped, or starts just now.
    pub(super) const fn is_refused(&self) -> bool {
        self.code == NOBODY_LISTENS
    }

    /// There will be no server at this address either.
    pub(super) const fn for_good(mut self) -> Self {
        self.code = 0;
        self
    }

    /// A session that never came about.
    pub(super) fn into_unreachable(mut self) -> Self {
        if self.kind == ErrorKind::Gone && self.code == 0 {
            self.kind = ErrorKind::Unreachable;
        }
        self
    }

    pub(super) const fn tls(text: String) -> Self {
        Self { kind: ErrorKind::Tls, code: 0, text }
    }

    pub(super) fn with(mut self, what: &str) -> Self {
        self.text = format!("{what}: {}", self.text);
        self
    }

    pub(super) fn followed_by(mut self, what: &str) -> Self {
        self.text.push_str(what);
        self
    }

    pub(super) fn day_zero(back: &str) -> Self {
        let text = format!(
            "this server does not store dates with day zero as they are (`2025-07-00` came back as: {back}), and every \
             summary is filed under such a date; look for a proxy or an init_connect that sets sql_mode"
        );
        Self { kind: ErrorKind::BadValue, code: 0, text }
    }

    /// While a server restarts it is unreachable for a moment; worth a retry.
    pub(super) fn into_gone(mut self) -> Self {
        if self.kind == ErrorKind::Unreachable {
            self.kind = ErrorKind::Gone;
        }
        self
    }

    pub(super) fn into_unknown_commit(mut self) -> Self {
        if self.kind == ErrorKind::Gone {
            self.kind = ErrorKind::Other;
            self.text = format!("{}; it is unknown whether this was still stored: check, or run it again", self.text);
        }
        self
    }

    /// A node of a cluster that is not, or not yet, a part of its majority.
    pub(super) const fn is_not_ready(&self) -> bool {
        self.code == 1047
    }

    pub(super) const fn is_unknown_charset(&self) -> bool {
        matches!(self.code, 1115 | 1253 | 1273)
    }
}

/// Whether the other side accepted the connection and then dropped it, as a proxy does whose server has just ended.
fn was_cut(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// What an error of a cluster means, where the server's words do not say it.
const fn of_cluster(code: u16) -> Option<&'static str> {
    match code {
        1047 => Some(
            "this node of the cluster takes no statements now, because it is joining or cut off from the majority \
             (SHOW STATUS LIKE 'wsrep%')",
        ),
        4165 => Some(
            "the cluster does not allow this table, because it has no primary key or an engine that it does not \
             replicate (SELECT @@wsrep_mode)",
        ),
        1180 => Some(
            "the cluster refused to commit: the transaction is larger than wsrep_max_ws_size or wsrep_max_ws_rows \
             allow, or the node left the cluster",
        ),
        _ => None,
    }
}

/// The beginning of a statement on one line.
fn shorten(statement: &str) -> String {
    let words: Vec<&str> = statement.split_ascii_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(160) {
        Some((cut, _)) => format!("{} …", &line[..cut]),
        None => line,
    }
}
