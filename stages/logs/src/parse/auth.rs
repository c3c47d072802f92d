//! The CMS auth log: its layouts, and the content of a line.

use schema::{Compat, Opt};

use super::access::is_blank;
use kit::steps;

/// The content of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login<'a> {
    /// `YYYY-MM-DD`, not checked further.
    pub date: &'a [u8],
    /// `HH:MM:SS`.
    pub time: &'a [u8],
    /// Digits; `0` if the layout has none.
    pub uid: &'a [u8],
    /// Without its brackets; `-` for no user.
    pub user: &'a [u8],
    /// Digits and dots.
    pub ip: &'a [u8],
    /// `login`, `logout`, ….
    pub action: &'a [u8],
}

/// The login in a line, if it has one of the layouts. A line feed belongs to the line.
pub fn auth(line: &[u8], compat: Compat) -> Option<Login<'_>> {
    let line = if compat.has(Opt::LpAuthTrailing) { trim_end(line) } else { line.strip_suffix(b"\n").unwrap_or(line) };
    plain(line).filter(|login| login.user.is_some()).map(finish).or_else(|| {
        let bracket = compat.has(Opt::LpAuthBracket).then(|| bracket(line)).flatten();
        bracket.or_else(|| plain_without_uid(line, compat))
    })
}

fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&b| !is_blank(b)).map_or(0, |at| at + 1);
    steps::add(line.len() - end + 1);
    &line[..end]
}

/// The parts of both plain layouts: date and time, the text between, address and action.
struct Parts<'a> {
    date: &'a [u8],
    time: &'a [u8],
    /// From the first blank after the time to the last before the address.
    between: &'a [u8],
    uid: &'a [u8],
    /// The bracketed user with its brackets.
    user: Option<&'a [u8]>,
    ip: &'a [u8],
    action: &'a [u8],
}

fn shape(bytes: &[u8], shape: &[u8]) -> bool {
    bytes.len() == shape.len()
        && bytes.iter().zip(shape).all(|(b, s)| if *s == b'0' { b.is_ascii_digit() } else { b == s })
}

fn plain(line: &[u8]) -> Option<Parts<'_>> {
    let date = line.get(..10).filter(|d| shape(d, b"0000-00-00"))?;
    let blanks = line[10..].iter().take_while(|&&b| is_blank(b)).count();
    let at = 10 + blanks;
    let time = line.get(at..at + 8).filter(|t| blanks > 0 && shape(t, b"00:00:00"))?;
    let rest = &line[at + 8..];
    // from the right: the action, then the address, each after blanks
    let action_at = rest.iter().rposition(|&b| !(b.is_ascii_alphanumeric() || b == b'_')).map_or(0, |at| at + 1);
    let action = &rest[action_at..];
    let left = trim_end(&rest[..action_at]);
    let ip_at = left.iter().rposition(|&b| !(b.is_ascii_digit() || b == b'.')).map_or(0, |at| at + 1);
    let ip = &left[ip_at..];
    let between = &left[..ip_at];
    steps::add(blanks + action.len() + ip.len() + 1);
    let separated = left.len() < action_at && between.last().is_some_and(|&b| is_blank(b));
    if action.is_empty() || ip.is_empty() || !separated || !is_blank(*between.first()?) {
        return None;
    }
    let (uid, user) = numbered(between).map_or((&b""[..], None), |(uid, user)| (uid, Some(user)));
    Some(Parts { date, time, between, uid, user, ip, action })
}

/// `uid [user]` between blanks.
fn numbered(between: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = between.iter().position(|&b| !is_blank(b))?;
    let inner = trim_end(&between[start..]);
    let digits = inner.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = &inner[digits..];
    let blanks = rest.iter().take_while(|&&b| is_blank(b)).count();
    let user = &rest[blanks..];
    steps::add(start + digits + blanks);
    let bracketed = user.len() > 2 && user[0] == b'[' && user.last() == Some(&b']');
    (digits > 0 && blanks > 0 && bracketed).then_some((&inner[..digits], user))
}

fn finish(parts: Parts<'_>) -> Login<'_> {
    let user = without_brackets(parts.user.unwrap_or_default());
    let Parts { date, time, uid, ip, action, .. } = parts;
    Login { date, time, uid, user: or_dash(user), ip, action }
}

fn without_brackets(mut user: &[u8]) -> &[u8] {
    while let Some(rest) = user.strip_prefix(b"[") {
        steps::add(1);
        user = rest;
    }
    while let Some(rest) = user.strip_suffix(b"]") {
        steps::add(1);
        user = rest;
    }
    user
}

const fn or_dash(user: &[u8]) -> &[u8] {
    if user.is_empty() { b"-" } else { user }
}

/// What legacy trims: blanks and zero bytes, but no form feeds. The port trims all whitespace and
/// no zero bytes.
fn trim(text: &[u8], compat: Compat) -> &[u8] {
    let port = compat.has(Opt::LpParse);
    let trimmed = |b: &u8| match b {
        0 => !port,
        0x0C | 0x1C..=0x1F => port,
        b => is_blank(*b),
    };
    let start = text.iter().position(|b| !trimmed(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !trimmed(b)).map_or(start, |at| at + 1);
    steps::add(start + text.len() - end + 1);
    &text[start..end]
}

/// Any text in place of the user, with user number 0.
fn plain_without_uid(line: &[u8], compat: Compat) -> Option<Login<'_>> {
    let Parts { date, time, between, ip, action, .. } = plain(line)?;
    // one blank on the right belongs to the address, and all on the left to the time, except that
    // the user needs at least one byte, even a blank
    let inner = &between[..between.len() - 1];
    let user = match inner.iter().position(|&b| !is_blank(b)) {
        Some(start) => &inner[start..],
        None if inner.len() >= 2 => &inner[inner.len() - 1..],
        None => return None,
    };
    Some(Login { date, time, uid: b"0", user: or_dash(trim(user, compat)), ip, action })
}

/// The layout of a framework's logger: `[date time] production.INFO: uid [user] ip action [] []`.
fn bracket(line: &[u8]) -> Option<Login<'_>> {
    let words = |text: &'_ [u8]| {
        steps::add(text.len());
        text.split(|&b| is_blank(b)).filter(|w| !w.is_empty()).count()
    };
    let close_of = |text: &[u8]| {
        let close = memchr::memchr(b']', text);
        steps::add(close.unwrap_or(text.len()));
        close
    };
    let close = close_of(line)?;
    let stamp = line[..close].strip_prefix(b"[")?;
    let date = stamp.get(..10).filter(|d| shape(d, b"0000-00-00"))?;
    let time = stamp.get(stamp.len().checked_sub(8)?..).filter(|t| shape(t, b"00:00:00"))?;
    let gap = stamp.get(10..stamp.len() - 8)?;
    let rest = &line[close + 1..];
    if gap.is_empty() || words(gap) > 0 || !rest.first().is_some_and(|&b| is_blank(b)) {
        return None;
    }
    let start = |text: &[u8]| {
        let start = text.iter().position(|&b| !is_blank(b)).unwrap_or(text.len());
        steps::add(start + 1);
        start
    };
    let rest = rest[start(rest)..].strip_prefix(b"production.INFO:")?;
    let uid_at = start(rest);
    if uid_at == 0 {
        return None;
    }
    let rest = &rest[uid_at..];
    let uid_len = rest.iter().take_while(|&&b| !is_blank(b)).count();
    steps::add(uid_len);
    let (uid, rest) = rest.split_at(uid_len);
    let mut rest = &rest[start(rest)..];
    let mut user = &b""[..];
    if rest.first() == Some(&b'[') {
        let close = close_of(rest)?;
        user = &rest[..=close];
        rest = &rest[close + 1..];
        let gap = start(rest);
        if gap == 0 {
            return None;
        }
        rest = &rest[gap..];
    }
    let mut words = rest.split(|&b| is_blank(b)).filter(|w| !w.is_empty());
    let (ip, action) = (words.next()?, words.next()?);
    let ending: Vec<_> = words.take(3).collect();
    let well = uid_len > 0
        && ip.iter().all(|b| b.is_ascii_digit() || *b == b'.')
        && action.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && (ending.is_empty() || ending == [b"[]", b"[]"]);
    let uid = if uid.iter().all(u8::is_ascii_digit) { uid } else { b"0" };
    well.then(|| Login { date, time, uid, user: or_dash(without_brackets(user)), ip, action })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str, compat: Compat) -> Option<[String; 5]> {
        auth(line.as_bytes(), compat).map(|l| {
            let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
            [format!("{} {}", text(l.date), text(l.time)), text(l.uid), text(l.user), text(l.ip), text(l.action)]
        })
    }

    #[track_caller]
    fn check(rest: &str, uid: &str, user: &str, ip: &str, action: &str) {
        let line = format!("2025-05-01 08:00:01 {rest}");
        let expected = ["2025-05-01 08:00:01", uid, user, ip, action].map(str::to_owned);
        assert_eq!(of(&line, Compat::LEGACY), Some(expected), "{rest}");
    }

    #[test]
    fn every_layout_is_read() {
        check("1002 [alice] 1.2.3.4 login", "1002", "alice", "1.2.3.4", "login");
        check("1011 [user[sub]] 9.9.1.2 simulation", "1011", "user[sub", "9.9.1.2", "simulation");
        check("1 [[a]] 1.2.3.4 login\n", "1", "a", "1.2.3.4", "login");
        check("1 [ a ] 1.2.3.4 login", "1", " a ", "1.2.3.4", "login");
        check("1 []] 1.2.3.4 login", "1", "-", "1.2.3.4", "login");
        check("1 [a] b] 1.2.3.4 login", "1", "a] b", "1.2.3.4", "login");
        check("1009 [] 7.7.7.1 login", "0", "1009 []", "7.7.7.1", "login");
        check("- [alice] 1.1.1.1 login", "0", "- [alice]", "1.1.1.1", "login");
        check("bob 1.1.1.1 2.2.2.2 login", "0", "bob 1.1.1.1", "2.2.2.2", "login");
        check("bob . x_1", "0", "bob", ".", "x_1");
        check("  bob \t 12 login", "0", "bob", "12", "login");
        check("  1.1.1.1 login", "0", "-", "1.1.1.1", "login");
        check("\x0c\x0c 1.1.1.1 login", "0", "\x0c", "1.1.1.1", "login");
        check("\u{0}bob\u{0} 1.1.1.1 login", "0", "bob", "1.1.1.1", "login");
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "2025-05-01 8:00:01 1 [a] 1.2.3.4 login",
            "2025-05-01 08:00:01 1 [a] ::1 login",
            "2025-05-01 08:00:01 1 [a] 1.2.3.4 log-in",
            "2025-05-01 08:00:01 1 [a] 1.2.3.4 login ",
            "2025-05-01 08:00:01 1 [a] 1.2.3.4 login\r\n",
            "2025-05-01 08:00:01 1 [a] 1.2.3.4 login\n\n",
            "2025-05-01 08:00:01 1.2.3.4 login",
            "2025-05-01 08:00:01  1.2.3.4 login",
            "2025-05-01 08:00:01 bob login",
            " 2025-05-01 08:00:01 bob 1.2.3.4 login",
            "2025-05-01 bob 1.2.3.4 login",
            "2025-05-0108:00:01 bob 1.2.3.4 login",
            "2025-05-01 08:00:01bob 1.2.3.4 login",
            "",
            "\n",
            "0",
        ] {
            assert_eq!(of(line, Compat::LEGACY), None, "{line:?}");
        }
    }

    #[test]
    fn the_port_reads_more_layouts() {
        let trailing = Compat::LEGACY.with(Opt::LpAuthTrailing);
        assert!(of("2025-05-01 08:00:01 1 [a] 1.2.3.4 login \r\n", trailing).is_some());
        let bracket = Compat::LEGACY.with(Opt::LpAuthBracket);
        let line = "[2014-05-01 09:58:35] production.INFO: 1002 [ehillery] 128.210.189.147 login [] []";
        assert_eq!(of(line, Compat::LEGACY), None);
        let expected = ["2014-05-01 09:58:35", "1002", "ehillery", "128.210.189.147", "login"].map(str::to_owned);
        assert_eq!(of(line, bracket), Some(expected));
        let uid_user = |line: &str| of(line, bracket).map(|f| (f[1].clone(), f[2].clone()));
        let pair = |uid: &str, user: &str| Some((uid.to_owned(), user.to_owned()));
        assert_eq!(uid_user("[2014-05-01  09:58:35] production.INFO: - 1.2.3.4 detect"), pair("0", "-"));
        assert_eq!(uid_user("[2014-05-01 09:58:35] production.INFO: x [] 1.2.3.4 detect"), pair("0", "-"));
        assert_eq!(uid_user("[2014-05-01 09:58:35] production.INFO: 1 [a] 1.2.3.4 login []"), None);
        assert_eq!(uid_user("[2014-05-01] production.INFO: 1 [a] 1.2.3.4 login"), None);
    }
}
