//! Whether a line that the grammar refused still has its layout: with an IPv6 client, without
//! bytes, with an empty request. Only refused lines are examined, and only their number matters, so
//! this need not be exact.

use std::net::Ipv6Addr;

use super::is_blank;

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// Only blanks.
    Blank,
    /// It has the layout, and its client is an IPv6 address.
    Ipv6,
    /// It has the layout.
    Fits,
    /// It does not have the layout.
    Odd,
}

fn words(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split(|&b| is_blank(b)).filter(|word| !word.is_empty())
}

fn is_empty(line: &[u8]) -> bool {
    line.iter().all(|&b| is_blank(b))
}

fn is_ipv6(text: &[u8]) -> bool {
    let text = text.split(|&b| b == b'%').next().unwrap_or_default();
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// `YYYY-MM-DD HH:MM:SS` with hours of any length; returns what follows it.
fn after_stamp(line: &[u8]) -> Option<&[u8]> {
    let shape = |text: &[u8], shape: &[u8]| {
        let fits = |(b, s): (&u8, &u8)| if *s == b'0' { b.is_ascii_digit() } else { b == s };
        text.len() == shape.len() && text.iter().zip(shape).all(fits)
    };
    let (date, rest) = line.split_at_checked(10)?;
    let blanks = rest.iter().take_while(|&&b| is_blank(b)).count();
    let rest = rest.get(blanks..).filter(|_| blanks > 0 && shape(date, b"0000-00-00"))?;
    let hours = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (minutes, rest) = rest.get(hours..)?.split_at_checked(6)?;
    (hours > 0 && shape(minutes, b":00:00") && rest.first().is_some_and(|&b| is_blank(b))).then_some(rest)
}

/// The client in a line of an access log in a hub layout, if it is an IPv6 address.
pub(super) fn ipv6_client(line: &[u8]) -> Option<&[u8]> {
    let mut parts = after_stamp(line)?.split(|&b| b == b'"').skip(2);
    parts.find_map(middle).filter(|client| is_ipv6(client))
}

/// The client in a line of an auth log, if it is an IPv6 address.
pub(super) fn ipv6_login(line: &[u8]) -> Option<&[u8]> {
    words(line).rev().find(|word| is_ipv6(word))
}

/// Judges a line of an access log in a hub layout.
#[must_use]
pub fn looks_like_access(line: &[u8]) -> Looks {
    if is_empty(line) {
        return Looks::Blank;
    }
    let Some(rest) = after_stamp(line) else { return Looks::Odd };
    let parts: Vec<&[u8]> = rest.split(|&b| b == b'"').collect();
    // zone, process, user; then the request, with any quotes
    if words(parts.first().copied().unwrap_or_default()).count() < 2 || parts.len() < 7 {
        return Looks::Odd;
    }
    let tail = words(parts.last().copied().unwrap_or_default()).count();
    let Some(client) = parts.iter().skip(2).find_map(|part| middle(part)).filter(|_| tail >= 3) else {
        return Looks::Odd;
    };
    if is_ipv6(client) { Looks::Ipv6 } else { Looks::Fits }
}

/// Status, bytes and client between two quotes: returns the client.
fn middle(part: &[u8]) -> Option<&[u8]> {
    if part.len() > 256 {
        return None;
    }
    let mut words = words(part);
    let (status, bytes, client) = (words.next()?, words.next()?, words.next()?);
    let is_number = |text: &[u8]| text.iter().all(|b| b.is_ascii_digit() || *b == b'-');
    (is_number(status) && is_number(bytes) && words.next().is_none()).then_some(client)
}

/// Judges a line of an auth log.
#[must_use]
pub fn looks_like_auth(line: &[u8]) -> Looks {
    if is_empty(line) {
        return Looks::Blank;
    }
    let Some(rest) = after_stamp(line) else { return Looks::Odd };
    let mut from_right = words(rest).rev();
    let (Some(action), Some(client), Some(_)) = (from_right.next(), from_right.next(), from_right.next()) else {
        return Looks::Odd;
    };
    let is_action = action.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    match () {
        () if is_action && is_ipv6(client) => Looks::Ipv6,
        () if is_action && client.iter().all(|b| b.is_ascii_digit() || *b == b'.') => Looks::Fits,
        () => Looks::Odd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_lines_may_have_the_layout() {
        let line = |middle: &str| format!("2025-07-10 08:00:01 EDT 1 - {middle} \"-\" \"UA\" T 0 1 - a b c\n");
        for (middle, looks) in [
            ("\"GET / HTTP/1.1\" 200 1 2001:db8::1", Looks::Ipv6),
            ("\"GET / HTTP/1.1\" 200 1 ::ffff:1.2.3.4", Looks::Ipv6),
            ("\"GET / HTTP/1.1\" 304 - 1.2.3.4", Looks::Fits),
            ("\"\" 408 - 1.2.3.4", Looks::Fits),
            ("\"-\" 408 0 fe80::1%eth0", Looks::Ipv6),
            ("\"\x16\x03\x01\"\x02\" 400 226 1.2.3.4", Looks::Fits),
            ("\"GET / HTTP/1.1\" 200 1", Looks::Odd),
            ("\"GET / HTTP/1.1\" ok 1 1.2.3.4", Looks::Odd),
        ] {
            assert_eq!(looks_like_access(line(middle).as_bytes()), looks, "{middle}");
        }
        for odd in [
            "garbage",
            "2025-07-10 08:00:01 EDT 1 - \"GET / HTTP/1.1\" 200 1 ::1 \"-",
            "9.9.9.9 - - [10/Jul/2025:08:00:01 -0400] \"GET / HTTP/1.1\" 200 5 \"-\" \"UA\"",
        ] {
            assert_eq!(looks_like_access(odd.as_bytes()), Looks::Odd, "{odd}");
        }
        assert_eq!((looks_like_access(b" \r\n"), looks_like_auth(b"")), (Looks::Blank, Looks::Blank));
    }

    #[test]
    fn refused_logins_may_have_the_layout() {
        for (line, looks) in [
            ("2025-07-10 08:00:01 1 [a] ::1 login", Looks::Ipv6),
            ("2025-07-10 08:00:01 1 [a] 1.2.3.4 log-in", Looks::Fits),
            ("2025-07-10 08:00:01 1 [a] 1.2.3.4 login ", Looks::Fits),
            ("2025-07-10 08:00:01 1 [a] host login", Looks::Odd),
            ("2025-07-10 08:00:01", Looks::Odd),
            ("something else", Looks::Odd),
        ] {
            assert_eq!(looks_like_auth(line.as_bytes()), looks, "{line}");
        }
    }
}
