//! The CMS auth log: its layouts, and the login that a line describes.

use logs::parse::{self, Login};
use schema::{Compat, Opt, Stamp, address, collation, json, text};

use crate::rows::Rows;
use crate::stored;

/// The columns of `userlogin`, in the order of a row's values.
pub(crate) const LOGIN_COLUMNS: [&str; 5] = ["datetime", "uidNumber", "user", "ip", "action"];

/// Why a login gives no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// One of the two accounts that monitor the hub.
    Watcher,
    /// An action that the port does not import.
    Action,
}

/// Whether a rule other than the exclude list drops it.
pub(crate) fn dropped(login: &Login<'_>, compat: Compat) -> Option<Dropped> {
    if compat.has(Opt::LpAuthActions) && login.action != b"login" && login.action != b"simulation" {
        return Some(Dropped::Action);
    }
    matches!(login.user, b"hubstatus" | b"hubadmin").then_some(Dropped::Watcher)
}

/// Appends the row, with its address whole or cut as legacy stores it. Returns the identity of the row: equal
/// for two rows that the table's unique key treats as one.
pub(crate) fn push(login: &Login<'_>, rows: &mut Rows, whole: bool) -> u128 {
    let datetime: Stamp = parse::datetime(login.date, login.time);
    let uid = stored::integer(login.uid, i64::MIN, i64::MAX);
    let user = text::storable(login.user);
    let user = text::cut_chars(&user, 255);
    let ip = text::storable(login.ip);
    let ip = address::stored(&ip, whole);
    let ip = &*ip;
    let action = text::storable(login.action);
    let action = text::cut_chars(&action, 40);
    match rows {
        Rows::Records(out) => {
            out.extend_from_slice(b"{\"kind\":\"login\",\"datetime\":\"");
            out.extend_from_slice(&datetime.to_ascii());
            out.extend_from_slice(b"\",\"uidNumber\":");
            json::push_int(out, uid);
            out.extend_from_slice(b",\"user\":");
            json::push_str(out, user);
            out.extend_from_slice(b",\"ip\":");
            json::push_str(out, ip);
            out.extend_from_slice(b",\"action\":");
            json::push_str(out, action);
            out.extend_from_slice(b"}\n");
        }
        Rows::Values(rows) => {
            rows.extend([stored::date(datetime), uid.into(), user.into(), ip.into(), action.into()]);
        }
    }
    let datetime = datetime.to_ascii();
    let datetime = std::str::from_utf8(&datetime).unwrap_or_default();
    collation::hash_parts(&[datetime, user, &uid.to_string(), ip, action])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitoring_accounts_and_some_actions_are_dropped() {
        let login = |user: &'static str, action: &'static str| Login {
            date: b"2025-05-01",
            time: b"08:00:01",
            uid: b"1",
            user: user.as_bytes(),
            ip: b"1.2.3.4",
            action: action.as_bytes(),
        };
        let port = Compat::LEGACY.with(Opt::LpAuthActions);
        assert_eq!(dropped(&login("hubadmin", "login"), Compat::LEGACY), Some(Dropped::Watcher));
        assert_eq!(dropped(&login("HubAdmin", "login"), Compat::LEGACY), None);
        assert_eq!(dropped(&login("a", "logout"), Compat::LEGACY), None);
        assert_eq!(dropped(&login("hubstatus", "logout"), port), Some(Dropped::Action));
        assert_eq!(dropped(&login("a", "simulation"), port), None);
    }

    #[test]
    fn logins_that_differ_only_in_case_are_one_row() {
        let key = |user: &str, uid: &str| {
            let login = Login {
                date: b"2025-05-01",
                time: b"08:00:01",
                uid: uid.as_bytes(),
                user: user.as_bytes(),
                ip: b"1.2.3.4",
                action: b"login",
            };
            push(&login, &mut Rows::Records(Vec::new()), false)
        };
        assert_eq!(key("Bob", "1"), key("bob ", "01"));
        assert_ne!(key("Bob", "1"), key("bob", "0"));
        assert_eq!(key(&"x".repeat(256), "1"), key(&"x".repeat(255), "1"));
    }
}
