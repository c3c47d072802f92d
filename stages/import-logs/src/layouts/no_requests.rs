//! Logs that list no requests, and how to know them: they are refused by name.

use memchr::memmem;

use super::{haproxy, json, time};

/// What the log of an FTP server is called.
pub(super) const FTP: &str = "an FTP log, which is not the log of a web server";

/// What the log of Nextcloud is called.
const NEXTCLOUD: &str = "the log of Nextcloud itself, which does not list requests";

/// What HAProxy's log of connections is called.
const CONNECTIONS: &str = "HAProxy's log of connections, which does not list requests as `option httplog` does";

/// What the error log of a web server is called.
const ERRORS: &str = "the error log of a web server, which does not list requests";

/// What a JSON log with requests is called if no layout knows its fields.
const OTHER_NAMES: &str = "JSON whose fields have names that no known layout has";

/// What a JSON log of another program is called.
const OTHER_JSON: &str = "JSON of a program that is not a web server";

/// Whether a file is a tar archive, by its beginning.
pub(crate) fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Whether a line is one of such a log.
type IsOf = fn(&[u8]) -> bool;

/// What a file is if few of its lines, or none, are requests in a known layout.
pub(super) fn name(texts: &[Vec<u8>], n_read: usize) -> Option<&'static str> {
    let kinds: [(_, IsOf); 4] =
        [(NEXTCLOUD, is_of_nextcloud), (CONNECTIONS, haproxy::is_connection), (ERRORS, is_error), (FTP, is_xferlog)];
    let is_most = |is: IsOf| texts.iter().filter(|text| is(text)).count() * 2 > texts.len();
    let known = kinds.into_iter().find(|(_, is)| is_most(*is)).map(|(name, _)| name);
    known.or_else(|| of_json(texts).filter(|_| n_read == 0))
}

/// What helps with such a file.
pub(super) fn advice(name: &str) -> &'static str {
    if name == OTHER_NAMES { "name them with --log-format json:time=…,client=…,request=…,status=…" } else { "" }
}

/// What a file of JSON is called if no layout reads any of its lines as a request; `None` if it is not JSON, or
/// if it has messages of a server alone.
fn of_json(texts: &[Vec<u8>]) -> Option<&'static str> {
    let objects: Vec<Object> = texts.iter().filter_map(|text| Object::of(text)).collect();
    let n = |kind: Object| objects.iter().filter(|object| **object == kind).count();
    let (n_other_names, n_others) = (n(Object::OtherNames), n(Object::Other));
    // some may be messages of the same program
    if (n_other_names + n_others) * 10 <= texts.len() {
        return None;
    }
    Some(if n_other_names >= n_others { OTHER_NAMES } else { OTHER_JSON })
}

/// What an object is that no layout reads as a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    /// Perhaps a request whose fields have unknown names: it has a method, or it lacks the text that each
    /// message of a program has.
    OtherNames,
    /// A message as Caddy and Traefik write them.
    Message,
    /// Another program's.
    Other,
}

impl Object {
    fn of(line: &[u8]) -> Option<Self> {
        let has = |text: &&str| memmem::find(line, text.as_bytes()).is_some();
        if line.first() != Some(&b'{') {
            None
        } else if ["\"GET\"", "\"POST\"", "\"HEAD\"", "\"GET /", "\"POST /", "\"HEAD /"].iter().any(has) {
            Some(Self::OtherNames)
        } else if json::has_string(line, b"level")
            && [&b"msg"[..], b"message"].iter().any(|name| json::has_string(line, name))
        {
            Some(Self::Message)
        } else if ["\"msg\":", "\"message\":", "\"error\":", "\"MESSAGE\" :", "\"MESSAGE\":"].iter().any(has) {
            Some(Self::Other)
        } else {
            Some(Self::OtherNames)
        }
    }
}

/// Whether a line is one of an error log: of nginx, Apache, LiteSpeed or lighttpd.
fn is_error(line: &[u8]) -> bool {
    let behind = match line {
        [_, _, _, _, b'-' | b'/', ..] => time::iso(line).ok().and_then(|(_, len)| line.get(len..)),
        // the day of the week, the month, and so on
        [b'[', _, _, _, b' ', month @ ..] => line.iter().take(40).position(|&b| b == b']').and_then(|end| {
            time::month(month)?;
            line.get(end + 1..)
        }),
        _ => None,
    };
    behind.is_some_and(|rest| rest.starts_with(b" [") || rest.starts_with(b": ("))
}

/// Whether a line is one of Nextcloud's own log, which says what its programs do.
fn is_of_nextcloud(line: &[u8]) -> bool {
    [&b"reqId"[..], b"app", b"message", b"remoteAddr"].iter().all(|name| json::has_string(line, name))
}

/// Whether a line is one of `xferlog`, in which FTP servers list what they sent.
fn is_xferlog(line: &[u8]) -> bool {
    let words: Vec<&[u8]> = line.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty()).collect();
    let Some((head, tail)) = words.split_at_checked(words.len().saturating_sub(9)).filter(|(head, _)| head.len() >= 9)
    else {
        return false;
    };
    let [kind, _, direction, mode, _, service, ..] = tail else { return false };
    let is_number = |word: &[u8]| word.iter().all(u8::is_ascii_digit);
    matches!(*kind, b"a" | b"b")
        && matches!(*direction, b"i" | b"o" | b"d")
        && matches!(*mode, b"a" | b"g" | b"r")
        && matches!(*service, b"ftp" | b"sftp" | b"ssh")
        && is_number(head[5])
        && is_number(head[7])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_logs() {
        for line in [
            "2025/07/10 08:00:01 [error] 31#31: *46 open() failed, client: 192.0.2.1, request: \"GET /a HTTP/1.1\"",
            "[Thu Jul 10 08:00:01.880562 2025] [auth_basic:error] [pid 10:tid 14] [client 192.0.2.1:5] AH01618: user a",
            "[Thu Jul 10 08:00:01 2025] [error] [client 192.0.2.1] File does not exist: /a",
            "2025-07-10 08:00:01.774649 [NOTICE] [1226033] [192.0.2.1:5:HTTP2-41] failed",
            "2025-07-10 08:00:01: (http_auth.c.875) password doesn't match for /a username: b, IP: 192.0.2.1",
        ] {
            assert!(is_error(line.as_bytes()), "{line}");
        }
        for line in [
            "2025-07-10 08:00:01 10.0.0.1 GET /a - 443 - 192.0.2.1 Mozilla/5.0 - 200 0 0 15",
            "[10/Jul/2025:08:00:01 +0000] - 200 200 - GET https www.example.org",
            "[10/Jul/2025:08:00:01 +0200] 192.0.2.1 TLSv1.3 AES \"GET /a HTTP/1.1\" 1375",
            "[2025-07-10T08:00:01.310Z] \"GET /a HTTP/2\" 200 - 15 154 226 100",
            "",
        ] {
            assert!(!is_error(line.as_bytes()), "{line}");
        }
    }
}
