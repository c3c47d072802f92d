//! Lines of hubs with an IPv6 client, for `--compat ipv6`: legacy's grammar does not allow colons in
//! the client.
//!
//! The address is replaced by the same number of letters or digits that the grammar allows, so that
//! every other field is found as usual. Only lines that the grammar refused come here.

use schema::Compat;

use super::access::{Fields, access, access_unicode};
use super::auth::{Login, auth};
use super::fits;

/// The fields in a line of an access log with an IPv6 client.
#[must_use]
pub fn access_ipv6(line: &[u8]) -> Option<Fields> {
    let (start, end) = place(line, fits::ipv6_client(line)?)?;
    let fields = access(&covered(line, start, end, b'a'))?;
    (fields.client == (start, end)).then_some(fields)
}

/// The same for a line of valid text, with the port's definition of blanks, digits and words.
#[must_use]
pub fn access_ipv6_unicode(line: &str) -> Option<Fields> {
    let bytes = line.as_bytes();
    let (start, end) = place(bytes, fits::ipv6_client(bytes)?)?;
    let covered = covered(bytes, start, end, b'a');
    let fields = access_unicode(std::str::from_utf8(&covered).ok()?)?;
    (fields.client == (start, end)).then_some(fields)
}

/// The login in a line of an auth log with an IPv6 client.
#[must_use]
pub fn auth_ipv6(line: &[u8], compat: Compat) -> Option<Login<'_>> {
    let (start, end) = place(line, fits::ipv6_login(line)?)?;
    let covered = covered(line, start, end, b'1');
    let login = auth(&covered, compat)?;
    // the same bytes in the original line; any other text is a constant
    let of_line = |part: &[u8]| place(&covered, part).and_then(|(from, to)| line.get(from..to));
    let ip = of_line(login.ip).filter(|ip| place(line, ip) == Some((start, end)))?;
    Some(Login {
        date: of_line(login.date)?,
        time: of_line(login.time)?,
        uid: of_line(login.uid).unwrap_or(b"0"),
        user: of_line(login.user).unwrap_or(b"-"),
        ip,
        action: of_line(login.action)?,
    })
}

fn covered(line: &[u8], start: usize, end: usize, by: u8) -> Vec<u8> {
    kit::steps::add(line.len());
    let mut covered = line.to_vec();
    if let Some(client) = covered.get_mut(start..end) {
        client.fill(by);
    }
    covered
}

/// The position of a part in a text; `None` if it is not a part of it.
fn place(text: &[u8], part: &[u8]) -> Option<(usize, usize)> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= text.len() && !part.is_empty()).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::Opt;

    const LINE: &str = "2025-07-10 08:00:01 EDT 4711 - \"GET /a HTTP/1.1\" 200 12 CLIENT \"-\" \"Mozilla/5.0 \\\"x\\\"\" \
                        T 0 1 2 J C A c v t é i\n";

    #[test]
    fn all_other_fields_are_found_as_usual() {
        for client in ["2001:db8::1", "::1", "fe80::1%eth0", "::ffff:192.0.2.1", "2001:db8:1:2:3:4:5:6"] {
            let line = LINE.replace("CLIENT", client);
            let usual = LINE.replace("CLIENT", &"a".repeat(client.len()));
            assert_eq!(access(line.as_bytes()), None);
            let fields = access_ipv6(line.as_bytes()).unwrap();
            assert_eq!(Some(fields), access(usual.as_bytes()), "{client}");
            assert_eq!(&line[fields.client.0..fields.client.1], client);
            assert_eq!(access_ipv6_unicode(&line), access_unicode(&usual), "{client}");
        }
        for other in ["192.0.2.1", "2001:db8", "g::1", "-", "1.2.3.4:80"] {
            assert_eq!(access_ipv6(LINE.replace("CLIENT", other).as_bytes()), None, "{other}");
        }
        assert_eq!(access_ipv6("2001:db8::1".as_bytes()), None);
    }

    #[test]
    fn logins_of_ipv6_clients_are_read() {
        let compat = Compat::default();
        for (line, uid, user) in [
            ("2025-07-10 08:00:01 17 [bob] 2001:db8::1 login\n", "17", "bob"),
            ("2025-07-10 08:00:01 17 [] 2001:db8::1 login\n", "0", "17 []"),
            ("2025-07-10 08:00:01 bob b 2001:db8::1 logout", "0", "bob b"),
        ] {
            assert_eq!(auth(line.as_bytes(), compat), None);
            let login = auth_ipv6(line.as_bytes(), compat).unwrap();
            let usual = line.replace("2001:db8::1", "11111111111");
            let other = auth(usual.as_bytes(), compat).unwrap();
            assert_eq!((login.uid, login.user), (uid.as_bytes(), user.as_bytes()), "{line}");
            assert_eq!((login.date, login.time, login.action), (other.date, other.time, other.action));
            assert_eq!((login.user, login.ip), (other.user, &b"2001:db8::1"[..]));
        }
        let bracket = "[2025-07-10 08:00:01] production.INFO: 17 [bob] 2001:db8::1 login [] []";
        let port = Compat::default().with(Opt::LpAuthBracket);
        let usual = bracket.replace("2001:db8::1", "11111111111");
        assert_eq!(auth(usual.as_bytes(), port).is_some(), auth_ipv6(bracket.as_bytes(), port).is_some());
        assert_eq!(auth_ipv6(b"2025-07-10 08:00:01 17 [bob] 192.0.2.1 login", compat), None);
    }
}
