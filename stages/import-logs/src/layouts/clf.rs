//! The family of common and combined logs: client, identity, user, time, request, status and bytes;
//! then perhaps referrer and agent, and what servers add after them.
//!
//! A virtual host may come before the client or replace the identity; its text shows which it is.
//! Unescaped quotes and users with blanks in their names affect no other field.

use kit::steps;

use super::client::{self, Client, NotAClient};
use super::cursor::{Cursor, closing_quote, is_end};
use super::{Fault, Fields, Text, What, time};

/// Where to find the virtual host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Host {
    /// Wherever the line has it, if at all.
    #[default]
    Anywhere,
    /// Before the client; lines without it are rejected.
    First,
}

/// What follows referrer and agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tail {
    #[default]
    Nothing,
    /// `X-Forwarded-For` in quotes, as nginx's packages write it.
    Forwarded,
    /// The same, then the request id, times of the upstream servers and more.
    Trace,
    /// What nginx adds as a Kubernetes ingress.
    Ingress,
    /// What Traefik adds.
    Traefik,
    /// Anything else.
    Other,
}

/// Which optional parts a line of the family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OptionalParts {
    /// A virtual host.
    pub(crate) host: bool,
    /// Referrer and agent.
    pub(crate) combined: bool,
    pub(crate) tail: Tail,
}

/// Fills the fields of a line, which are too large to be returned; which optional parts it has.
pub(crate) fn parse<'a>(line: &'a [u8], host: Host, fields: &mut Fields<'a>) -> Result<OptionalParts, Fault> {
    let mut seen = OptionalParts::default();
    let (stamp, before) = stamp(line)?;
    fields.moment = Some(stamp.moment);
    seen.host = who(before, host, fields)?;
    let mut cursor = Cursor::new(&line[stamp.end..]);
    cursor.blanks();
    // Gandi writes the response time here
    if let [b'(', rest @ ..] = cursor.rest
        && let Some(close) = rest.iter().take(24).position(|&b| b == b')')
    {
        cursor.rest = &rest[close + 1..];
        cursor.blanks();
    }
    request(&mut cursor, fields)?;
    cursor.blanks();
    if !cursor.is_at_quote() && !cursor.rest.is_empty() {
        if let Some(behind) = behind_own_fields(cursor) {
            cursor = behind;
        } else if let Some(agent) = agent_behind_dash(&mut cursor) {
            fields.agent = Text::Line(agent);
            seen.combined = true;
        }
    }
    if !seen.combined && cursor.is_at_quote() {
        let open = |name| Fault::bare(What::Open(name));
        fields.referrer = Text::Line(cursor.quoted().ok_or(open("referrer"))?);
        cursor.blanks();
        if cursor.is_at_quote() {
            fields.agent = Text::Line(cursor.quoted().ok_or(open("agent"))?);
            cursor.blanks();
            seen.combined = true;
        }
    }
    if !cursor.rest.is_empty() {
        seen.tail = tail(cursor, fields);
    }
    Ok(seen)
}

struct Stamp {
    moment: time::Moment,
    /// Start of what follows it.
    end: usize,
}

/// The time, and what comes before it.
fn stamp(line: &[u8]) -> Result<(Stamp, &[u8]), Fault> {
    let mut first_fault = None;
    let mut from = 0;
    while let Some(step) = memchr::memchr(b'[', &line[from..]) {
        steps::add(step + 1);
        let at = from + step;
        from = at + 1;
        // a user's name may contain brackets too
        if at == 0 || !matches!(line[at - 1], b' ' | b'\t') {
            continue;
        }
        let inner = &line[at + 1..];
        steps::add(24);
        let found = match inner {
            [_, _, _, _, b'-', ..] => time::iso(inner),
            _ => time::clf(inner),
        };
        match found {
            Ok((moment, len)) => {
                // a zone name may follow
                let Some(close) = inner[len..].iter().take(16).position(|&b| b == b']') else { continue };
                return Ok((Stamp { moment, end: at + 1 + len + close + 1 }, &line[..at]));
            }
            Err(fault) => {
                // as an administrator made it up
                let len = inner.iter().take(64).position(|&b| b == b']');
                if fault.what == What::NotATime
                    && let Some(len) = len
                    && let Ok(moment) = time::named(&inner[..len])
                {
                    return Ok((Stamp { moment, end: at + 1 + len + 1 }, &line[..at]));
                }
                let is_stamp = fault.what != What::NotATime || inner.first().is_some_and(u8::is_ascii_digit);
                if is_stamp {
                    first_fault.get_or_insert(fault);
                }
            }
        }
    }
    steps::add(line.len() - from);
    without_brackets(line).map_err(|fault| first_fault.unwrap_or(fault))
}

/// A time without brackets is the word before the request.
fn without_brackets(line: &[u8]) -> Result<(Stamp, &[u8]), Fault> {
    let none = Fault::bare(if line.contains(&b'\t') { What::Tabs } else { What::NoTime });
    let quote = memchr::memchr(b'"', line).ok_or(none)?;
    steps::add(quote);
    let before = line[..quote].trim_ascii_end();
    let start = memchr::memrchr2(b' ', b'\t', before).map_or(0, |at| at + 1);
    let (moment, len) = time::iso(&before[start..]).map_err(|_| none)?;
    if start + len != before.len() {
        return Err(none);
    }
    Ok((Stamp { moment, end: quote }, &line[..start]))
}

/// Who made the request, and to which host: the words before the time. Returns whether there is a
/// virtual host.
fn who<'a>(before: &'a [u8], host: Host, fields: &mut Fields<'a>) -> Result<bool, Fault> {
    let mut cursor = Cursor::new(before);
    let (first, second) = (cursor.word(), cursor.word());
    if first.is_empty() {
        return Err(Fault::bare(What::Lacks("client")));
    }
    fields.client = Text::Line(first);
    if second == b"-" || second.is_empty() {
        if host == Host::First {
            return Err(Fault::of(What::NoHostInFront, first));
        }
        if memchr::memchr(b'\t', before).is_some() {
            return Err(Fault::bare(What::Tabs));
        }
        return Ok(false);
    }
    let third = cursor.word();
    let names_a_host =
        client::host_and_port(first).is_some() || client::is_host_name(first) || client::address(first).is_some();
    // the identity is hardly ever given, and never contains a dot
    let has_client = match client::client(second) {
        Ok(Client::Address(_)) => true,
        Ok(Client::Host(_)) => host == Host::First || (third == b"-" && !cursor.word().is_empty()),
        // a list or a socket in its place is the client's, and is rejected as a client
        Err(NotAClient::List | NotAClient::UnixSocket) => true,
        Err(_) => client::host_and_port(first).is_some() && second != b"-" && !third.is_empty(),
    };
    if names_a_host && has_client {
        (fields.vhost, fields.client) = (Text::Line(first), Text::Line(second));
        return Ok(true);
    }
    if host == Host::First {
        return Err(Fault::of(What::NoHostInFront, first));
    }
    // words before the client: the names of a container, or a date
    if client::address(first).is_none() {
        steps::add(before.len());
        let mut others = before.split(|b| matches!(b, b' ' | b'\t')).skip(2);
        if others.any(|word| client::address(word).is_some()) {
            return Err(Fault::of(What::Client(NotAClient::BeforeAddress), first));
        }
    }
    // OVH writes it in place of the identity
    let is_second = second.contains(&b'.') && client::is_host_name(second) && client::address(first).is_some();
    if is_second {
        fields.vhost = Text::Line(second);
    }
    Ok(is_second)
}

/// Request, status and bytes. A request may contain unescaped quotes: it ends at the first quote
/// that is followed by status and bytes.
fn request<'a>(cursor: &mut Cursor<'a>, fields: &mut Fields<'a>) -> Result<(), Fault> {
    let inner = cursor.rest.strip_prefix(b"\"").ok_or(Fault::bare(What::NoRequest))?;
    let mut from = 0;
    let mut first_fault = None;
    loop {
        let Some(end) = closing_quote(inner, from) else {
            return Err(first_fault.unwrap_or(Fault::bare(What::Open("request"))));
        };
        match status_and_bytes(&inner[end + 1..]) {
            Ok([status, bytes, rest]) => {
                fields.request = Text::Line(&inner[..end]);
                (fields.status, fields.bytes) = (Text::Line(status), Text::Line(bytes));
                cursor.rest = rest;
                return Ok(());
            }
            Err(fault) if is_end(&inner[end + 1..]) => _ = first_fault.get_or_insert(fault),
            Err(_) => {}
        }
        from = end + 1;
    }
}

/// How many fields the administrator may have added before the referrer.
const OWN_FIELDS: usize = 6;

/// The position of referrer and agent, if fields without quotes were added before them.
fn behind_own_fields(mut cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    for _ in 0..OWN_FIELDS {
        if cursor.is_at_quote() || cursor.rest.is_empty() {
            break;
        }
        cursor.word();
        cursor.blanks();
    }
    let mut behind = cursor;
    let (referrer, agent) = (behind.quoted()?, behind.quoted()?);
    let is_url = |text: &[u8]| memchr::memmem::find(text, b"://").is_some();
    let is_agent = client::address(agent).is_none() && !agent.starts_with(b"http") && !agent.starts_with(b"unix:");
    ((matches!(referrer, b"" | b"-") || is_url(referrer)) && is_agent).then_some(cursor)
}

/// The agent, if a dash without quotes is in place of the referrer, as Traefik writes it.
fn agent_behind_dash<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let mut behind = Cursor::new(cursor.rest.strip_prefix(b"- ")?);
    let agent = behind.quoted().filter(|agent| client::address(agent).is_none() && !agent.starts_with(b"http"))?;
    behind.blanks();
    *cursor = behind;
    Some(agent)
}

/// Status and bytes after a request, and what follows them. Reads no further than that, because a
/// hostile request makes it look after each of its quotes.
fn status_and_bytes(text: &[u8]) -> Result<[&[u8]; 3], Fault> {
    let (status, rest) = number(text, What::Status, "status")?;
    let (bytes, rest) = number(rest, What::Bytes, "bytes")?;
    Ok([status, bytes, rest])
}

/// A number or a dash after blanks, and what follows it.
fn number<'a>(text: &'a [u8], what: What, name: &'static str) -> Result<(&'a [u8], &'a [u8]), Fault> {
    let blanks = text.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let field = &text[blanks..];
    let len = match field.first() {
        Some(b'-') => 1,
        _ => field.iter().take_while(|b| b.is_ascii_digit()).count(),
    };
    steps::add(blanks + len + 1);
    if blanks > 0 && len > 0 && is_end(&field[len..]) {
        return Ok(field.split_at(len));
    }
    if field.is_empty() {
        return Err(Fault::bare(What::Ends(name)));
    }
    let word = field.iter().take(40).take_while(|b| !matches!(b, b' ' | b'\t')).count();
    Err(Fault::of(what, &field[..word]))
}

/// What follows the agent. The header and the request id are taken from here.
fn tail<'a>(mut cursor: Cursor<'a>, fields: &mut Fields<'a>) -> Tail {
    let is_id = |word: &[u8]| {
        let digits = word.iter().filter(|b| b.is_ascii_hexdigit()).count();
        let dashes = word.iter().filter(|&&b| b == b'-').count();
        digits == 32 && (dashes == 0 || dashes == 4) && digits + dashes == word.len()
    };
    steps::add(cursor.rest.len());
    if cursor.is_at_quote() {
        let Some(header) = cursor.quoted() else { return Tail::Other };
        fields.forwarded = Text::Line(header);
        cursor.blanks();
        if cursor.rest.is_empty() {
            return Tail::Forwarded;
        }
        // the id is the word of 32 digits, wherever it is
        let value = |word: &'a [u8]| &word[memchr::memchr(b'=', word).map_or(0, |at| at + 1)..];
        let mut words = cursor.rest.split(|&b| b == b' ').map(|word| unquoted(value(word)));
        if let Some(id) = words.find(|word| is_id(word)) {
            fields.request_id = Text::Line(id);
        }
        return Tail::Trace;
    }
    let first = cursor.word();
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    cursor.blanks();
    if is_number(first) && cursor.is_at_quote() && cursor.rest.ends_with(b"ms") {
        return Tail::Traefik;
    }
    let id = {
        let text = cursor.rest.trim_ascii_end();
        &text[memchr::memrchr(b' ', text).map_or(0, |at| at + 1)..]
    };
    if is_number(first) && is_number(cursor.word()) {
        cursor.blanks();
        if cursor.rest.first() == Some(&b'[') {
            fields.request_id = Text::Line(id);
            return Tail::Ingress;
        }
    }
    if is_id(unquoted(id)) {
        fields.request_id = Text::Line(unquoted(id));
    } else if is_id(first) {
        fields.request_id = Text::Line(first);
    }
    Tail::Other
}

fn unquoted(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).unwrap_or(word)
}

/// Where a second line begins, if a crash has joined two: before the client of the second time in
/// the line.
pub(crate) fn second_line(line: &[u8]) -> Option<usize> {
    let mut brackets = memchr::memchr_iter(b'[', line);
    let mut first = brackets.next()?;
    for second in brackets {
        if !is_stamp(&line[second..]) || time::clf(&line[second + 1..]).is_err() {
            continue;
        }
        steps::add(line.len());
        match client_before(line, first, second) {
            Some(at) if begins_stamp(&line[first..at]) => return Some(at),
            _ if is_stamp(&line[first..]) => return None,
            // the number of a process, or data of syslog, in front of the line
            _ => first = second,
        }
    }
    None
}

/// How a time begins: digits, letters, and what is between them.
const STAMP: &[u8; 13] = b"[00/aaa/0000:";

fn is_stamp(text: &[u8]) -> bool {
    text.len() >= STAMP.len() && begins_stamp(text)
}

/// Whether a text begins as a time does, and may be cut.
fn begins_stamp(text: &[u8]) -> bool {
    text.iter().zip(STAMP).all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        b'a' => byte.is_ascii_alphabetic(),
        like => byte == like,
    })
}

/// Where the client of the time at `second` begins: before identity and user, each a word.
fn client_before(line: &[u8], first: usize, second: usize) -> Option<usize> {
    let before = line[first..second].strip_suffix(b" ")?;
    let user = memchr::memrchr(b' ', before)?;
    let identity = memchr::memrchr(b' ', &before[..user])?;
    let is_client = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':');
    let client = &before[..identity];
    let len = client.iter().rev().take(45).take_while(|b| is_client(b)).count();
    // the first of these bytes may belong to the previous line
    (0..len)
        .map(|skip| identity - len + skip)
        .find(|&at| client::address(&before[at..identity]).is_some())
        .map(|at| first + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::entry::ClientFrom;

    const UA: &str = "\"-\" \"Mozilla/5.0 (X11)\"";

    fn line(before: &str, request: &str, after: &str) -> String {
        format!("{before} [10/Jul/2025:08:00:01 +0000] \"{request}\" 200 12 {after}")
    }

    fn parsed(line: &str, host: Host) -> Result<(Fields<'_>, OptionalParts), Fault> {
        let mut fields = Fields::default();
        parse(line.as_bytes(), host, &mut fields).map(|seen| (fields, seen))
    }

    fn check<T>(line: &str, look: impl FnOnce(super::super::Entry<'_>, OptionalParts) -> T) -> Result<T, String> {
        let mut made = Vec::new();
        let (fields, seen) =
            parsed(line, Host::Anywhere).map_err(|fault| fault.within(line.as_bytes()).say(line.as_bytes()))?;
        let entry = fields
            .entry(&mut made, &ClientFrom::default())
            .map_err(|fault| fault.within(line.as_bytes()).say(line.as_bytes()))?;
        Ok(look(entry, seen))
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn client_and_virtual_host_are_found_in_the_words_before_the_time() {
        for (before, client, host, vhost) in [
            ("192.0.2.1 - -", "192.0.2.1", "", ""),
            ("2001:db8:85a3:8d4:0:0:0:1 - -", "2001:db8:85a3:8d4::1", "", ""),
            ("fe80::a%enp0s8 - -", "fe80::a", "", ""),
            ("::ffff:192.0.2.17 - -", "192.0.2.17", "", ""),
            ("pc1.example.edu - -", "", "pc1.example.edu", ""),
            ("192.0.2.1 - John Doe", "192.0.2.1", "", ""),
            (r"192.0.2.2 - DOM\\u [x]", "192.0.2.2", "", ""),
            ("192.0.2.3 - \"a b\"", "192.0.2.3", "", ""),
            ("192.0.2.4 - ", "192.0.2.4", "", ""),
            ("192.0.2.5 -", "192.0.2.5", "", ""),
            ("192.0.2.6", "192.0.2.6", "", ""),
            ("192.0.2.1 - [192.0.2.1] - -", "192.0.2.1", "", ""),
            ("www.example.org:443 192.0.2.1 - -", "192.0.2.1", "", "www.example.org"),
            ("www.example.org 192.0.2.1 - theuser", "192.0.2.1", "", "www.example.org"),
            ("example.com 192.0.2.1", "192.0.2.1", "", "example.com"),
            ("localhost:443 192.0.2.1 1j0vhgd jsmith", "192.0.2.1", "", "localhost"),
            ("198.51.100.1:80 192.0.2.1 - -", "192.0.2.1", "", "198.51.100.1:80"),
            ("198.51.100.1 localhost - -", "", "localhost", "198.51.100.1"),
            ("www.example.org:80 pc.example.edu - -", "", "pc.example.edu", "www.example.org"),
            ("192.0.2.1 www.example.com theuser", "192.0.2.1", "", "www.example.com"),
        ] {
            let found = check(&line(before, "GET /a HTTP/1.1", UA), |entry, seen| {
                assert_eq!(
                    seen,
                    OptionalParts { host: !vhost.is_empty(), combined: true, tail: Tail::Nothing },
                    "{before}"
                );
                assert_eq!((&entry.date, &entry.time, entry.offset), (b"2025-07-10", b"08:00:01", Some(0)));
                [text(entry.client), text(entry.host), text(entry.vhost)]
            });
            assert_eq!(found, Ok([client, host, vhost].map(str::to_owned)), "{before}");
        }
    }

    #[test]
    fn unescaped_quotes_affect_no_other_field() {
        for (request, after, found) in [
            ("GET /a HTTP/1.1", r#""-" "Tab 10\" Build""#, ["GET /a HTTP/1.1", "-", r#"Tab 10\" Build"#]),
            ("GET /a HTTP/1.1", r#""a" "b" "agent"x"y""#, ["GET /a HTTP/1.1", "a", "b"]),
            ("GET /a HTTP/1.1", r#""a" "agent"x"y""#, ["GET /a HTTP/1.1", "a", r#"agent"x"y"#]),
            (r#"GET /a"b HTTP/1.1"#, r#""-" "M""#, [r#"GET /a"b HTTP/1.1"#, "-", "M"]),
            (r#"GET /x\" HTTP/1.1"#, r#""-" "M""#, [r#"GET /x\" HTTP/1.1"#, "-", "M"]),
            ("GET /a HTTP/1.1", r#""-" """#, ["GET /a HTTP/1.1", "-", "-"]),
            ("GET /a HTTP/1.1", r#""http://x/?q="hi"" "UA""#, ["GET /a HTTP/1.1", r#"http://x/?q="hi""#, "UA"]),
            ("GET /a HTTP/1.1", r#""-" "ends\\""#, ["GET /a HTTP/1.1", "-", r"ends\\"]),
            ("", UA, ["", "-", "Mozilla/5.0 (X11)"]),
            (r"\x16\x03", UA, [r"\x16\x03", "-", "Mozilla/5.0 (X11)"]),
            ("GET /a HTTP/1.1", "", ["GET /a HTTP/1.1", "-", "-"]),
        ] {
            let made = check(&line("h - -", request, after), |e, _| [e.request, e.referrer, e.agent].map(text));
            assert_eq!(made, Ok(found.map(str::to_owned)), "{request} {after}");
        }
    }

    #[test]
    fn fields_that_servers_add_are_recognised() {
        let id = "529a007902362a5f51385a5fa7049884";
        for (after, tail, forwarded, request_id) in [
            ("", Tail::Nothing, "", ""),
            (" 0.003", Tail::Other, "", ""),
            (" \"203.0.113.9\"", Tail::Forwarded, "203.0.113.9", ""),
            (" \"-\"", Tail::Forwarded, "-", ""),
            (" \"-\" 0.003 0.002 . rid", Tail::Trace, "-", ""),
            (&format!(" \"203.0.113.9, 10.0.0.1\" {id} rt=0.1 urt=\"0.1\""), Tail::Trace, "203.0.113.9, 10.0.0.1", id),
            (&format!(" \"203.0.113.9\" rt=0.1 \"{id}\""), Tail::Trace, "203.0.113.9", id),
            (&format!(" {id}"), Tail::Other, "", id),
            (&format!(" 89 0.001 [web-80] [] 10.0.0.2:80 59 0.000 200 {id}"), Tail::Ingress, "", id),
            (" 0 0.000 [] [] - - - - 529a", Tail::Ingress, "", "529a"),
            (" 1 \"router@docker\" \"http://10.0.0.1:80\" 2ms", Tail::Traefik, "", ""),
        ] {
            let line = line("192.0.2.1 - -", "GET /a HTTP/1.1", &format!("{UA}{after}"));
            let (fields, seen) = parsed(&line, Host::Anywhere).unwrap();
            assert_eq!(seen.tail, tail, "{after}");
            assert_eq!(
                (text(fields.forwarded.of(b"")), text(fields.request_id.of(b""))),
                (forwarded.into(), request_id.into()),
                "{after}"
            );
        }
    }

    #[test]
    fn referrer_and_agent_are_found_behind_other_fields() {
        let url = "\"https://example.org/\"";
        for (after, referrer, agent) in [
            (format!("0.003 {UA}"), "-", "Mozilla/5.0 (X11)"),
            (format!("1234 {url} \"bot/1\""), "https://example.org/", "bot/1"),
            (
                format!("198.51.100.7 + 400 {url} \"bot/1\" X-Forwarded-For=\"192.0.2.7\""),
                "https://example.org/",
                "bot/1",
            ),
            ("ms:12 - 7 \"\" \"bot/1\" \"192.0.2.7\"".to_owned(), "-", "bot/1"),
            ("- \"bot/1\" 13 \"router@docker\" \"http://10.0.0.1:80\" 2ms".to_owned(), "-", "bot/1"),
            (format!("- {url} \"bot/1\""), "https://example.org/", "bot/1"),
            ("- -".to_owned(), "-", "-"),
            ("- \"192.0.2.7\"".to_owned(), "-", "-"),
            // these are other things
            ("0.003 \"192.0.2.7\" \"10.0.0.1:80\"".to_owned(), "-", "-"),
            ("0.003 \"-\" \"10.0.0.1:80\"".to_owned(), "-", "-"),
            ("0.003 \"-\" \"unix:/run/a.sock\"".to_owned(), "-", "-"),
            ("1 \"router@docker\" \"http://10.0.0.1:80\" 2ms".to_owned(), "-", "-"),
            ("0.003 \"bot/1\"".to_owned(), "-", "-"),
            (format!("1 2 3 4 5 6 7 {UA}"), "-", "-"),
            ("0.003 \"-\" \"cut".to_owned(), "-", "-"),
        ] {
            let line = line("192.0.2.1 - -", "GET /a HTTP/1.1", &after);
            let found = check(&line, |e, seen| ([e.referrer, e.agent].map(text), seen.combined));
            let is_combined = agent != "-";
            assert_eq!(found, Ok(([referrer, agent].map(str::to_owned), is_combined)), "{after}");
        }
    }

    #[test]
    fn times_without_brackets_or_with_a_zone_name() {
        for (stamp, date) in [
            ("[2025-07-10T08:00:01+00:00]", "2025-07-10"),
            ("2025-07-10T08:00:01.147454Z", "2025-07-10"),
            ("[10/Jul/2025:08:00:01 +0000] (0 s)", "2025-07-10"),
            ("[10/Jul/2025:08:00:01 EDT]", "2025-07-10"),
        ] {
            let line = format!("192.0.2.1 - - {stamp} \"GET /a HTTP/1.1\" 200 12 {UA}");
            assert_eq!(check(&line, |entry, _| text(&entry.date)), Ok(date.to_owned()), "{stamp}");
        }
    }

    #[test]
    fn the_reason_names_the_field() {
        let with = |stamp: &str| format!("192.0.2.1 - - [{stamp}] \"GET /a HTTP/1.1\" 200 12 {UA}");
        let tabs = "192.0.2.1\t-\t-\t[10/Jul/2025:08:00:01 +0000]\t\"GET /a HTTP/1.1\"\t200\t12";
        for (line, reason) in [
            (with("10/Mär/2025:08:00:01 +0000"), "month `Mär` is not an English name"),
            (with("10/Mai/2025:08:00:01 +0000"), "month `Mai` is not an English name"),
            (with("10/07/2025:08:00:01 +0000"), "time `10/07/2025` is not day/month/year"),
            (with("10/Jul/2025 08:00:01"), "time `10/Jul/2025 08:00:01` is not day/month/year:hour:minute:second"),
            (with("29/Feb/2025:10:00:00 +0000"), "there is no time `29/Feb/2025:10:00:00`"),
            (with("01/Jan/1970:00:00:00 +0000"), "time `01/Jan/1970:00:00:00` is before 1995"),
            (tabs.to_owned(), "tabs between the fields"),
            (line("-  -", "GET /a HTTP/1.1", UA), "the client is missing"),
            (line("unix: - -", "GET /a HTTP/1.1", UA), "client `unix:` is a Unix socket"),
            (line("192.0.2.1, 10.0.0.1 - -", "GET /a HTTP/1.1", UA), "client `192.0.2.1,` is a list of addresses"),
            (
                line("example.com 192.0.2.1, 10.0.0.1 - -", "GET /a HTTP/1.1", UA),
                "client `192.0.2.1,` is a list of addresses",
            ),
            (line("example.com unix: - -", "GET /a HTTP/1.1", UA), "client `unix:` is a Unix socket"),
            (
                line("web-abc nginx 192.0.2.1 - -", "GET /a HTTP/1.1", UA),
                "client `web-abc` is a name, and an address follows it",
            ),
            (
                line("Jul 10 08:00:01 web1 192.0.2.1 - -", "GET /a HTTP/1.1", UA),
                "client `Jul` is a name, and an address follows it",
            ),
            (
                line("example.com:80 - -", "GET /a HTTP/1.1", UA),
                "client `example.com:80` is a host name with a port, not an address",
            ),
            ("192.0.2.1 - -".to_owned(), "no time in brackets"),
            (String::new(), "no time in brackets"),
            ("192.0.2.1 - - [10/Jul/2025:08:00:01 +0000]".to_owned(), "no quoted request"),
            ("h - - [10/Jul/2025:08:00:01 +0000] \"GET / HT".to_owned(), "the request has no closing quote"),
            ("h - - [10/Jul/2025:08:00:01 +0000] \"GET /\"".to_owned(), "the line ends before the status"),
            ("h - - [10/Jul/2025:08:00:01 +0000] \"GET /\" ok 12".to_owned(), "status `ok` is not a number"),
            ("h - - [10/Jul/2025:08:00:01 +0000] \"GET /\" 200".to_owned(), "the line ends before the bytes"),
            ("h - - [10/Jul/2025:08:00:01 +0000] \"GET /\" 200 1K".to_owned(), "bytes `1K` are not a number"),
            (line("h - -", "GET /", "\"-"), "the referrer has no closing quote"),
            (line("h - -", "GET /", "\"-\" \"Mo"), "the agent has no closing quote"),
        ] {
            assert_eq!(check(&line, |_, _| ()), Err(reason.to_owned()), "{line}");
        }
        let plain = line("192.0.2.1 - -", "GET /", UA);
        assert_eq!(parsed(&plain, Host::First).unwrap_err().what, What::NoHostInFront);
        let named = line("www.example.org pc.example.edu - -", "GET /", UA);
        assert!(parsed(&named, Host::First).unwrap().1.host);
    }

    #[test]
    fn two_lines_that_a_crash_has_joined_are_separated() {
        let (first, second) =
            (line("192.0.2.1 - -", "GET /a HTTP/1.1", UA), line("192.0.2.2 - -", "GET /b HTTP/1.1", UA));
        for cut in [first.len(), first.len() - 10, first.len() - 1, 20] {
            let fused = format!("{}{second}", &first[..cut]);
            let at = second_line(fused.as_bytes()).unwrap();
            assert_eq!(&fused[at..], second, "{fused}");
        }
        assert_eq!(second_line(first.as_bytes()), None);
        let quoted = line("192.0.2.1 - -", "GET /?q=[10/Jul/2025:08:00:01 HTTP/1.1", UA);
        assert_eq!(second_line(quoted.as_bytes()), None);
        assert_eq!(second_line(b""), None);
        // brackets in front of a line are not a time that was cut
        for before in [
            "Jul 10 08:00:01 web1 nginx[17]: ",
            "<165>1 2025-07-10T08:00:01Z web1 nginx 17 - [a@1 b=\"c\"] ",
            "[7] [1/",
        ] {
            assert_eq!(second_line(format!("{before}{first}").as_bytes()), None, "{before}");
            let fused = format!("{before}{}{before}{second}", &first[..40]);
            let at = second_line(fused.as_bytes()).unwrap();
            assert_eq!(&fused[at..], second, "{fused}");
        }
    }
}
