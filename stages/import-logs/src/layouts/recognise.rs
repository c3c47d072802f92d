//! Recognises the layout of a file: its first lines are tried with all known layouts.
//!
//! Hub layouts come first: one such line makes the file a hub's, so that a hub's numbers never
//! change. Otherwise the layout with most lines wins, if at least half of them have it.

use std::fmt;

use kit::grouped;
use logs::parse::{self, Looks};

use super::clf::{self, Host, OptionalParts, Tail};
use super::entry::ClientFrom;
use super::named::{Layout, State};
use super::prefix::Prefix;
use super::wide::Wide;
use super::{Fields, What, client, no_requests};

/// How many lines are examined.
pub(crate) const LINES: usize = 1000;

impl Recognised {
    /// The name of the layout, with what stands before the lines.
    pub(crate) fn like(&self) -> String {
        let name = self.layout.name();
        self.prefix.map_or_else(|| name.to_owned(), |prefix| format!("{name} with {} in front", prefix.name()))
    }
}

/// A layout, and how many of the lines have it.
#[derive(Debug, Clone)]
pub(crate) struct Recognised {
    pub(crate) layout: Layout,
    /// Lines that have the layout, whether or not they can be counted.
    #[cfg_attr(not(test), allow(dead_code, reason = "tests ask for it"))]
    pub(crate) n_fit: usize,
    /// Lines that are neither empty nor comments.
    #[cfg_attr(not(test), allow(dead_code, reason = "tests ask for it"))]
    pub(crate) n_lines: usize,
    /// What comes before most of them.
    pub(crate) prefix: Option<Prefix>,
}

/// Lines without a known layout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Unknown {
    /// The layout they resemble.
    pub(crate) looks_like: Option<&'static str>,
    /// What comes before it.
    pub(crate) front: Option<Box<str>>,
    /// Why the first line does not fit.
    pub(crate) why: String,
    /// The number of the first line, from 1, and its text.
    pub(crate) first: Option<(usize, String)>,
    pub(crate) n_fit: usize,
    pub(crate) n_lines: usize,
    /// The layout that recognises lines which are not requests.
    pub(crate) says: Option<&'static str>,
}

impl Unknown {
    /// The layout that they look like, with what stands before it.
    pub(crate) fn like(&self) -> Option<String> {
        let name = self.looks_like?;
        Some(match &self.front {
            Some(front) => format!("{name} with {front} in front"),
            None => name.to_owned(),
        })
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.like() {
            Some(like) => write!(f, "looks like {like}")?,
            None => f.write_str("not a known log format")?,
        }
        write!(f, "; {} of {} lines fit", grouped(self.n_fit), grouped(self.n_lines))?;
        if !self.why.is_empty() { write!(f, ": {}", self.why) } else { Ok(()) }
    }
}

/// How many of the lines one layout fits.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Lines that give a request.
    n_read: usize,
    /// Lines that have the layout, but an impossible client or time.
    n_spoiled: usize,
    /// Lines that do not have it, comments and empty ones aside.
    n_others: usize,
}

impl Tally {
    const fn n_fit(&self) -> usize {
        self.n_read + self.n_spoiled
    }

    /// Whether every line gives a request.
    const fn is_perfect(&self) -> bool {
        self.n_read > 0 && self.n_spoiled + self.n_others == 0
    }
}

/// What is known of a line.
#[derive(Debug, Clone, Copy)]
struct Judged {
    /// Whether it has any of the layouts.
    is_some: bool,
    /// Whether no layout says that it is not a request.
    is_request: bool,
    /// The first layout that regards it as the message of a server.
    says: Option<&'static str>,
}

fn tally(lines: &[&[u8]], layout: &Layout, judged: &mut [Judged]) -> Tally {
    let (mut tally, mut state) = (Tally::default(), State::default());
    for (line, judged) in lines.iter().zip(judged) {
        match layout.parse(line, &mut state).map_err(|fault| fault.what) {
            Ok(_) => (tally.n_read, judged.is_some) = (tally.n_read + 1, true),
            Err(what) if has_layout(what) => (tally.n_spoiled, judged.is_some) = (tally.n_spoiled + 1, true),
            // messages of a server are neither for nor against a layout
            Err(What::Comment | What::Blank) => judged.is_request = false,
            Err(What::NotARequest) => {
                tally.n_others += 1;
                judged.is_request = false;
                judged.says = judged.says.or(Some(layout.name()));
            }
            Err(_) => tally.n_others += 1,
        }
    }
    tally
}

/// Whether a line with this fault still has the layout.
const fn has_layout(what: What) -> bool {
    matches!(what, What::Client(_) | What::NoSuchTime | What::TooEarly | What::TooLate)
}

/// Recognises the layout of lines, with or without their ends; examines at most [`LINES`] of them.
///
/// # Errors
/// No layout has half of them, or no line gives a request.
pub(crate) fn recognise<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    from: &ClientFrom,
) -> Result<Recognised, Unknown> {
    let lines: Vec<&[u8]> = lines.into_iter().take(LINES).collect();
    let n_hub = lines.iter().filter(|line| is_of_hub(line)).count();
    let blank = |line: &&&[u8]| !line.iter().all(|&b| b.is_ascii_whitespace() || b == 0);
    if n_hub > 0 {
        let n_lines = lines.iter().filter(blank).count();
        return Ok(Recognised { layout: Layout::hub(), n_fit: n_hub, n_lines, prefix: None });
    }
    let candidates = Layout::recognised(from);
    let mut judged = vec![Judged { is_some: false, is_request: true, says: None }; lines.len()];
    let mut all = Vec::new();
    for layout in &candidates {
        all.push(tally(&lines, layout, &mut judged));
        // a later layout cannot be better
        if all.last().is_some_and(Tally::is_perfect) {
            break;
        }
    }
    let n_lines = judged.iter().filter(|line| line.is_some || line.is_request).count();
    let says = judged.iter().find_map(|line| line.says);
    // the first of the best
    let best = (0..all.len()).rev().max_by_key(|&i| (all[i].n_fit(), all[i].n_read));
    let unknown = || Unknown { says, ..unknown(&lines, &candidates, n_lines) };
    let Some((layout, tally)) = best.and_then(|i| Some((candidates.get(i)?, *all.get(i)?))) else {
        return Err(unknown());
    };
    if tally.n_read == 0 || tally.n_fit() * 2 < n_lines {
        let Some(name) = no_requests::name(&texts(&lines, layout), tally.n_read) else { return Err(unknown()) };
        let (n_fit, why) = (tally.n_read, no_requests::advice(name).to_owned());
        return Err(Unknown { looks_like: Some(name), front: None, n_lines: lines.len(), n_fit, why, ..unknown() });
    }
    if is_ftp(&lines, layout, tally.n_read) {
        let why = "its requests are commands of FTP".to_owned();
        return Err(Unknown { looks_like: Some(no_requests::FTP), n_fit: 0, why, ..unknown() });
    }
    let seen = seen(&lines, layout);
    let prefix = seen.prefix;
    let mut layout = layout.clone();
    if layout.is_clf() {
        layout = layout.renamed(seen.name());
        if let Some(why) = seen.doubt() {
            let why = why.to_owned();
            return Err(Unknown { looks_like: Some(layout.name()), why, n_lines, n_fit: 0, ..unknown() });
        }
        if let (Some(header), false) = (from.header.as_deref(), seen.has_header(from)) {
            let why = format!("the layout has no header {header}; give the log format as text");
            return Err(Unknown { looks_like: Some(layout.name()), why, n_lines, n_fit: tally.n_fit(), ..unknown() });
        }
    } else if let Err(why) =
        Layout::new(layout.name(), from).and_then(|_| has_header(&lines, &layout, from, tally.n_read))
    {
        return Err(Unknown { looks_like: Some(layout.name()), why, n_lines, n_fit: tally.n_fit(), ..unknown() });
    }
    Ok(Recognised { layout, n_fit: tally.n_fit(), n_lines, prefix })
}

/// How many requests show whether objects have a header; a few may have come without it.
const SHOW_A_HEADER: usize = 10;

/// Whether any of the objects has the header with the client: servers do not write all headers.
fn has_header(lines: &[&[u8]], layout: &Layout, from: &ClientFrom, n_read: usize) -> Result<(), String> {
    let mut state = State::default();
    match from.header.as_deref() {
        Some(header)
            if layout.is_json()
                && n_read >= SHOW_A_HEADER
                && !lines.iter().any(|line| layout.has_header(line, &mut state)) =>
        {
            Err(format!("no request has the header {header}; let the server write it"))
        }
        _ => Ok(()),
    }
}

/// The lines without what stands before them.
fn texts(lines: &[&[u8]], layout: &Layout) -> Vec<Vec<u8>> {
    let mut state = State::default();
    lines.iter().filter_map(|line| layout.unwrapped_text(line, &mut state, |text| Some(text.to_vec()))).collect()
}

/// How many lines of a file have each optional part.
#[derive(Debug, Default)]
struct OptionalPartCounts {
    n: usize,
    n_hosts: usize,
    n_combined: usize,
    /// Lines whose agent is in place of the referrer.
    n_exchanged: usize,
    /// Lines that begin with two addresses, and which the first ones are: at most two of them are kept.
    n_two_addresses: usize,
    first_addresses: Vec<Vec<u8>>,
    tails: [usize; 6],
    prefix: Option<Prefix>,
}

fn seen(lines: &[&[u8]], layout: &Layout) -> OptionalPartCounts {
    let mut all = OptionalPartCounts::default();
    let mut state = State::default();
    let mut prefixes: Vec<(Prefix, usize)> = Vec::new();
    for line in lines {
        if let Some(prefix) = layout.prefix(line, &mut state) {
            match prefixes.iter_mut().find(|(known, _)| *known == prefix) {
                Some((_, n)) => *n += 1,
                None => prefixes.push((prefix, 1)),
            }
        }
        if layout.is_clf()
            && let Some((seen, odd)) = layout.unwrapped_text(line, &mut state, optional_parts)
        {
            all.add(seen);
            all.add_odd(odd);
        }
    }
    all.prefix = prefixes.iter().max_by_key(|(_, n)| *n).map(|(prefix, _)| *prefix);
    all
}

/// What may be another field than it seems.
struct Odd {
    /// The agent is in place of the referrer.
    is_exchanged: bool,
    /// The virtual host, if it is an address without a port.
    host: Option<Vec<u8>>,
}

/// Which optional parts a line has, and what is odd about them.
fn optional_parts(text: &[u8]) -> Option<(OptionalParts, Odd)> {
    let mut fields = Fields::default();
    let seen = clf::parse(text, Host::Anywhere, &mut fields).ok()?;
    let (referrer, agent) = (fields.referrer.of(b""), fields.agent.of(b""));
    let is_url = |text: &[u8]| text == b"-" || text.starts_with(b"http://") || text.starts_with(b"https://");
    let is_bare = |text: &&[u8]| client::address(text).is_some_and(|address| address.as_written() == Some(*text));
    let host = Some(fields.vhost.of(b"")).filter(is_bare).filter(|_| client::address(fields.client.of(b"")).is_some());
    let is_exchanged = referrer.starts_with(b"Mozilla/") && is_url(agent);
    Some((seen, Odd { is_exchanged, host: host.map(<[u8]>::to_vec) }))
}

impl OptionalPartCounts {
    fn add(&mut self, seen: OptionalParts) {
        self.n += 1;
        self.n_hosts += usize::from(seen.host);
        self.n_combined += usize::from(seen.combined);
        self.tails[seen.tail as usize] += 1;
    }

    fn add_odd(&mut self, odd: Odd) {
        self.n_exchanged += usize::from(odd.is_exchanged);
        let Some(host) = odd.host else { return };
        self.n_two_addresses += 1;
        if self.first_addresses.len() < 2 && !self.first_addresses.contains(&host) {
            self.first_addresses.push(host);
        }
    }

    /// Why the fields of the lines are perhaps others than they seem.
    fn doubt(&self) -> Option<&'static str> {
        if self.n_exchanged * 2 > self.n_combined {
            return Some("the agent is before the referrer; give the log format as text");
        }
        // one address is that of the server
        let may_be_clients = self.n_two_addresses * 2 > self.n && self.first_addresses.len() > 1;
        may_be_clients.then_some("two addresses are before the time; give the log format as text to say whose they are")
    }

    /// What follows the agent in more than half of the lines that have something there.
    fn tail(&self) -> Tail {
        let all = [Tail::Nothing, Tail::Forwarded, Tail::Trace, Tail::Ingress, Tail::Traefik, Tail::Other];
        let most = all.into_iter().zip(self.tails).find(|(_, n)| n * 2 > self.n);
        most.map_or(Tail::Other, |(tail, _)| tail)
    }

    fn has_header(&self, from: &ClientFrom) -> bool {
        from.is(b"X-Forwarded-For") && self.tails[Tail::Forwarded as usize] + self.tails[Tail::Trace as usize] > 0
    }

    fn name(&self) -> &'static str {
        match (self.n_hosts * 2 > self.n, self.n_combined > 0, self.tail()) {
            (true, true, _) => "vhost_combined",
            (true, false, _) => "vhost_common",
            (false, false, _) => "common",
            (false, true, Tail::Forwarded) => "nginx-main",
            (false, true, Tail::Trace) => "nginx-trace",
            (false, true, Tail::Ingress) => "nginx-ingress",
            (false, true, Tail::Traefik) => "traefik",
            (false, true, Tail::Nothing | Tail::Other) => "combined",
        }
    }
}

/// Whether more than half of the requests are commands of FTP.
fn is_ftp(lines: &[&[u8]], layout: &Layout, n_read: usize) -> bool {
    const COMMANDS: [&[u8]; 22] = [
        b"USER",
        b"PASS",
        b"QUIT",
        b"RETR",
        b"STOR",
        b"APPE",
        b"STOU",
        b"LIST",
        b"NLST",
        b"CWD",
        b"CDUP",
        b"PWD",
        b"PASV",
        b"EPSV",
        b"PORT",
        b"TYPE",
        b"SIZE",
        b"DELE",
        b"SYST",
        b"sent",
        b"created",
        b"ControlChannelOpened",
    ];
    let mut state = State::default();
    let n = lines.iter().filter(|line| {
        layout.parse(line, &mut state).is_ok_and(|entry| {
            let method = entry.method_and_url.0;
            let bare = entry.request.split(|&b| b == b' ').next().unwrap_or_default();
            let method = if method.is_empty() { bare } else { method };
            // IIS puts the number of the session before it
            COMMANDS.contains(&&method[memchr::memchr(b']', method).map_or(0, |at| at + 1)..])
        })
    });
    n.count() * 2 > n_read
}

/// What lines without a known layout look like.
fn unknown(lines: &[&[u8]], candidates: &[Layout], n_lines: usize) -> Unknown {
    let mut found = Unknown { n_lines, ..Unknown::default() };
    let mut best = (0, None);
    for layout in candidates {
        let mut state = State::default();
        let mut n_close = 0;
        for line in lines {
            if layout.parse(line, &mut state).map_err(|fault| fault.what).is_err_and(is_close) {
                n_close += 1;
            }
        }
        if n_close > best.0 {
            best = (n_close, Some(layout));
        }
    }
    let mut state = State::default();
    let Some(layout) = best.1.or(candidates.first()) else { return found };
    let mut odd = None;
    for (i, line) in lines.iter().enumerate() {
        match layout.parse(line, &mut state).map_err(|fault| fault.what) {
            Ok(_) => found.n_fit += 1,
            Err(What::Blank | What::Comment | What::NotARequest) => {}
            Err(_) => _ = odd.get_or_insert(i),
        }
    }
    let Some(i) = odd else { return found };
    let line = lines[i];
    found.first = Some((i + 1, String::from_utf8_lossy(line.trim_ascii_end()).chars().take(200).collect()));
    let mut state = State::default();
    for before in &lines[..i] {
        // the names of fields, if earlier lines give them
        let _ = layout.parse(before, &mut state);
    }
    let why = layout.why(line, &mut state).unwrap_or_default();
    if best.1.is_some() {
        found.looks_like = Some(layout.name());
        found.why = why;
    } else if let Some(wide) = lines.iter().find_map(|line| Wide::of(line)) {
        found.why = wide.why().to_owned();
    }
    if let Some((name, front)) = in_front(line, candidates) {
        (found.looks_like, found.front) = (Some(name), Some(format!("`{front}`").into()));
    }
    found
}

/// Whether this fault means that the line has the layout, apart from one odd field.
const fn is_close(what: What) -> bool {
    !matches!(
        what,
        What::Blank
            | What::Comment
            | What::Wide(_)
            | What::NotARequest
            | What::NoTime
            | What::NotJson
            | What::NoColumns
            | What::Misfit
            | What::Begins
            | What::Field(_)
            | What::NotIso
            | What::Ends(_)
    )
}

/// The layout of a line without its first words, and these words.
fn in_front(line: &[u8], candidates: &[Layout]) -> Option<(&'static str, String)> {
    let mut state = State::default();
    let mut at = 0;
    for _ in 0..8 {
        at += memchr::memchr(b' ', line.get(at..)?)? + 1;
        let rest = line.get(at..)?;
        // a name before the client is a virtual host, not the client
        let fits =
            |layout: &&Layout, state: &mut State| layout.parse(rest, state).is_ok_and(|entry| !entry.client.is_empty());
        if let Some(layout) = candidates.iter().find(|layout| fits(layout, &mut state)) {
            let front: String = String::from_utf8_lossy(&line[..at - 1]).chars().take(60).collect();
            return Some((layout.name(), front));
        }
    }
    None
}

/// Whether a line has a hub layout, even if its client is an IPv6 address.
fn is_of_hub(line: &[u8]) -> bool {
    parse::access(line).is_some() || matches!(parse::looks_like_access(line), Looks::Fits | Looks::Ipv6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Recognised, Unknown> {
        recognise(text.split_inclusive('\n').map(str::as_bytes), &ClientFrom::default())
    }

    const AT: &str = "- - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12";
    const UA: &str = "\"-\" \"Mozilla/5.0 (X11)\"";

    fn file(before: &str, after: &str) -> String {
        (1..5).map(|i| format!("{before}192.0.2.{i} {AT}{after}\n")).collect()
    }

    #[test]
    fn every_layout_is_recognised() {
        let id = "529a007902362a5f51385a5fa7049884";
        let ua = |more: &str| format!(" {UA}{more}");
        for (text, name) in [
            (file("", ""), "common"),
            (file("", &ua("")), "combined"),
            (file("www.example.org:443 ", &ua("")), "vhost_combined"),
            (file("www.example.org ", ""), "vhost_common"),
            (file("", &ua(" \"-\"")), "nginx-main"),
            (file("", &ua(&format!(" \"203.0.113.9\" {id} rt=0.1"))), "nginx-trace"),
            (file("", &ua(&format!(" 89 0.001 [web-80] [] 10.0.0.2:80 59 0.000 200 {id}"))), "nginx-ingress"),
            (file("", &ua(" 1 \"router@docker\" \"http://10.0.0.1:80\" 2ms")), "traefik"),
            (file("", &ua(" 0.003")), "combined"),
            ("2025-07-10 08:00:01 EDT 4711 - \"GET /a HTTP/1.1\" 200 12 192.0.2.1 \"-\" \"UA/1\" TLSv1.3 0 12 - J C A com view task act item\n".to_owned(), "hubzero"),
            ("[10/Jul/2025:08:00:01 +0000] - 200 200 - GET https www.example.org \"/a\" [Client 192.0.2.1] [Length 123] [Gzip -] [Sent-to 10.0.0.1] \"M\" \"-\"\n".to_owned(), "nginx-proxy-manager"),
            ("Jul 10 08:00:01 lb1 haproxy[99]: 192.0.2.1:55008 [10/Jul/2025:08:00:01.584] www~ app/s1 0/0/0/72/72 200 7456 - - ---- 5/4/0/1/0 0/0 \"GET /a HTTP/1.1\"\n".to_owned(), "haproxy"),
            ("http 2025-07-10T08:00:01.186641Z app/lb/50 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 \"GET http://www.example.com:80/ HTTP/1.1\" \"curl/7.46.0\" - -\n".to_owned(), "alb"),
            ("2025-07-10T08:00:01.186641Z lb 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 \"GET http://www.example.com:80/ HTTP/1.1\" \"curl/7.46.0\" - -\n".to_owned(), "elb"),
            ("[10/Jul/2025:08:00:01 +0200] 192.0.2.1 TLSv1.3 TLS_AES_256_GCM_SHA384 \"GET /a HTTP/1.1\" 1375\n".to_owned(), "ssl_request"),
            ("[pid: 7|app: 0|req: 1/1] 192.0.2.1 () {38 vars in 696 bytes} [Thu Jul 10 08:00:01 2025] GET /a => generated 47 bytes in 129 msecs (HTTP/1.1 200) 9 headers in 378 bytes (1 switches on core 3)\n".to_owned(), "uwsgi"),
            ("HIT|200|1752134401321|128|77|192.0.2.1|-|https://www.example.org/a|DE|Mozilla/5.0|2897|DE\n".to_owned(), "bunny"),
            ("[2025-07-10T08:00:01.310Z] \"GET /a HTTP/2\" 200 - 15 154 226 100 \"192.0.2.7\" \"UA\" \"cc21\" \"www.example.org\" \"10.0.2.1:80\"\n".to_owned(), "envoy"),
            ("1752134401.123    145 192.0.2.1 TCP_MISS/200 4250 GET http://www.example.org/a - HIER_DIRECT/198.51.100.7 text/html\n".to_owned(), "squid"),
            ("\"1752134401123456\",\"192.0.2.1\",\"1\",\"\",\"GET\",\"/b/a\",\"200\",\"\",\"154\",\"22\",\"h\",\"\",\"UA\",\"AAAN\",\"GET_Object\",\"b\",\"a\"\n".to_owned(), "gcs"),
            ("#separator \\x09\n#fields\tts\tid.orig_h\tmethod\turi\tstatus_code\n1752134401.5\t192.0.2.1\tGET\t/a\t200\n".to_owned(), "w3c"),
            ("2025-07-10 08:00:01 10.0.0.1 GET /a - 443 - 192.0.2.1 Mozilla/5.0 - 200 0 0 15\n".to_owned(), "w3c"),
            (file("", "").replace("10/Jul/2025:08:00:01 +0000", "July - 10, 2025:08:00:01"), "common"),
            ("79a59 bucket [10/Jul/2025:08:00:01 +0000] 192.0.2.3 79a59 3E57 REST.GET.OBJECT a.html \"GET /a.html HTTP/1.1\" 200 - 113 - 7 - \"-\" \"S3Console/0.4\" -\n".to_owned(), "s3"),
            ("#Software: IIS\n#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2025-07-10 08:00:01 192.0.2.1 GET /a 200\n".to_owned(), "w3c"),
            ("{\"level\":\"info\",\"ts\":1.5,\"msg\":\"started\"}\n{\"ts\":1752134401.5,\"request\":{\"remote_ip\":\"192.0.2.1\",\"method\":\"GET\",\"uri\":\"/a\"},\"size\":12,\"status\":200}\n".to_owned(), "caddy"),
            ("{\"ClientHost\":\"192.0.2.4\",\"DownstreamContentSize\":15,\"DownstreamStatus\":200,\"RequestMethod\":\"GET\",\"RequestPath\":\"/\",\"time\":\"2025-07-10T08:00:01Z\"}\n".to_owned(), "traefik-json"),
            ("{\":authority\":\"www.example.org\",\"bytes_sent\":12,\"downstream_remote_address\":\"10.0.0.1:5\",\"method\":\"GET\",\"response_code\":200,\"start_time\":\"2025-07-10T08:00:01.479Z\",\"user-agent\":\"U/1\",\"x-envoy-origin-path\":\"/a\",\"x-forwarded-for\":\"192.0.2.1\",\"x-request-id\":\"7\"}\n".to_owned(), "envoy-json"),
            ("{\"authority\":\"www.example.org\",\"bytes_sent\":12,\"downstream_remote_address\":\"[2001:db8::1]:5\",\"method\":\"GET\",\"path\":\"/a\",\"request_id\":\"7\",\"response_code\":200,\"start_time\":\"2025-07-10T08:00:01.479Z\",\"user_agent\":\"U/1\",\"x_forwarded_for\":null}\n".to_owned(), "envoy-json"),
            ("{\"time\":\"2025-07-10T08:00:01+00:00\",\"remote_addr\":\"192.0.2.1\",\"request\":\"GET /a HTTP/1.1\",\"status\":\"200\"}\n".to_owned(), "nginx-json"),
        ] {
            let found = of(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((found.layout.name(), found.n_fit), (name, found.n_lines), "{text}");
        }
    }

    #[test]
    fn mixed_and_prefixed_lines_are_recognised() {
        let both = file("", "") + &file("", &format!(" {UA}"));
        let found = of(&both).unwrap();
        assert_eq!((found.layout.name(), found.n_fit, found.n_lines), ("combined", 8, 8));
        let found = of(&file("web-1  | ", "")).unwrap();
        assert_eq!((found.layout.name(), found.prefix), ("common", Some(Prefix::Compose)));
        let found = of(&file("2025-07-10T08:00:01.123456789Z ", "")).unwrap();
        assert_eq!((found.layout.name(), found.prefix), ("common", Some(Prefix::Time)));
        // a time that belongs to the line is not a prefix
        let elb = "2025-07-10T08:00:01.186641Z lb 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 \"GET http://www.example.com:80/ HTTP/1.1\" \"curl/7.46.0\" - -\n";
        let found = of(elb).unwrap();
        assert_eq!((found.layout.name(), found.prefix), ("elb", None));
        // what other loggers of Caddy write of the same requests does not count
        let caddy = |logger: &str| {
            format!(
                "{{\"level\":\"info\",\"ts\":1752134401.5,\"logger\":\"{logger}\",\"msg\":\"x\",\"request\":{{\"remote_ip\":\"192.0.2.1\",\"method\":\"GET\",\"uri\":\"/a\"}},\"size\":12,\"status\":200}}\n"
            )
        };
        let found = of(&(caddy("http.handlers.reverse_proxy").repeat(2) + &caddy("http.log.access"))).unwrap();
        assert_eq!((found.layout.name(), found.n_fit, found.n_lines), ("caddy", 1, 1));
        // one line in a hub's layout makes the file a hub's
        let hub = "2025-07-10 08:00:01 EDT 4711 - \"GET /a HTTP/1.1\" 200 12 2001:db8::1 \"-\" \"UA/1\" TLSv1.3 0 12 - J C A com view task act item\n";
        let found = of(&(file("", "") + hub)).unwrap();
        assert_eq!((found.layout.name(), found.n_fit, found.n_lines), ("hubzero", 1, 5));
        // half of the lines are enough, comments and empty lines aside
        let half = file("", "") + "\n# x\n\ny\ny\ny\ny\n";
        assert_eq!(of(&half).unwrap().n_lines, 8);
        assert!(of(&(half + "y\n")).is_err());
        // an impossible client or time does not make it another layout
        let odd = format!(
            "192.0.2.1 {AT}\nunix: {AT}\n- {AT}\n192.0.2.1 {}\n",
            AT.replace("10/", "31/").replace("Jul", "Jun")
        );
        let found = of(&odd).unwrap();
        assert_eq!((found.layout.name(), found.n_fit, found.n_lines), ("common", 4, 4));
    }

    #[test]
    fn the_message_says_what_unknown_lines_look_like() {
        let said = |text: &str| of(text).map(|found| found.layout.name()).unwrap_err().to_string();
        let ua = format!(" {UA}");
        assert_eq!(
            said(&file("app: ", &ua)),
            "looks like combined with `app:` in front; 0 of 4 lines fit: client `app:` is neither an address nor a host name"
        );
        let months = file("", &ua).replace("Jul", "Mär");
        assert_eq!(said(&months), "looks like combined; 0 of 4 lines fit: month `Mär` is not an English name");
        assert_eq!(said("x\ny\n"), "not a known log format; 0 of 2 lines fit");
        assert_eq!(said(""), "not a known log format; 0 of 0 lines fit");
        let utf16: String = file("", "").chars().flat_map(|c| [c, '\0']).collect();
        assert!(said(&utf16).ends_with("the text is UTF-16, not UTF-8"), "{}", said(&utf16));
        let tabs = file("", "").replace(' ', "\t");
        assert!(said(&tabs).ends_with("tabs between the fields"), "{}", said(&tabs));
    }

    #[test]
    fn the_log_of_nextcloud_is_named() {
        let line = "{\"reqId\":\"tw\",\"level\":1,\"time\":\"2025-07-10T08:00:01+00:00\",\"remoteAddr\":\"192.0.2.1\",\"user\":\"--\",\
            \"app\":\"files\",\"method\":\"GET\",\"url\":\"/a\",\"message\":\"x\",\"userAgent\":\"--\"}\n";
        let said = of(&line.repeat(3)).map(|found| found.layout.name()).unwrap_err().to_string();
        assert_eq!(said, "looks like the log of Nextcloud itself, which does not list requests; 0 of 3 lines fit");
    }

    #[test]
    fn json_with_other_names_is_refused() {
        let said = |line: &str| of(&line.repeat(3)).map(|found| found.layout.name()).unwrap_err().to_string();
        let start =
            "looks like JSON whose fields have names that no known layout has; 0 of 3 lines fit: name them with";
        for line in [
            "{\"when\":\"2025-07-10T08:00:01Z\",\"peer\":\"192.0.2.1\",\"target\":\"/a\",\"code\":200}\n",
            "{\"level\":30,\"time\":1752134401000,\"req\":{\"method\":\"GET\",\"path\":\"/a\"},\"res\":{\"statusCode\":200},\"msg\":\"request completed\"}\n",
        ] {
            assert!(said(line).starts_with(start), "{}", said(line));
        }
        // behind a prefix, and among messages
        let line = "{\"time\":\"2025-07-10T08:00:01Z\",\"method\":\"GET\",\"code\":200,\"who\":\"192.0.2.1:5\"}\n";
        for text in [
            format!("2025-07-10T08:00:01Z stdout F {line}").repeat(3),
            format!("Jul 10 08:00:01 web1 app[1]: {line}").repeat(3),
            format!("{}{line}", "{\"level\":\"info\",\"time\":1,\"msg\":\"x\"}\n".repeat(5)),
        ] {
            let said = of(&text).map(|found| found.layout.name()).unwrap_err().to_string();
            assert!(said.starts_with("looks like JSON whose fields have names that no known layout has"), "{said}");
        }
        // of other programs
        for line in [
            "{\"t\":{\"$date\":\"2025-07-10T08:00:01\"},\"s\":\"I\",\"c\":\"ACCESS\",\"msg\":\"Authentication failed\",\"attr\":{\"remote\":\"192.0.2.1:4\"}}\n",
            "{\"event\":\"user.login\",\"time\":\"2025-07-10T08:00:01Z\",\"success\":false,\"error\":\"invalid\",\"addr.remote\":\"192.0.2.1:4\"}\n",
        ] {
            let start = "looks like JSON of a program that is not a web server; 0 of 3 lines fit";
            assert!(said(line).starts_with(start), "{}", said(line));
        }
        // messages of a server alone
        let line = "{\"level\":\"info\",\"ts\":1752134401.5,\"logger\":\"tls\",\"msg\":\"cleaning storage\"}\n";
        assert!(said(line).starts_with("not a known log format; 0 of 0 lines fit"), "{}", said(line));
    }

    #[test]
    fn a_recognised_layout_must_have_the_header() {
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        let alb = "http 2025-07-10T08:00:01.186641Z app/lb/50 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 \"GET http://www.example.com:80/ HTTP/1.1\" \"curl/7.46.0\" - -\n";
        let said = recognise([alb.as_bytes()], &from).map(|found| found.layout.name()).unwrap_err().to_string();
        assert!(said.contains("the layout `alb` has no header X-Forwarded-For"), "{said}");
    }

    #[test]
    fn objects_without_the_header_are_refused() {
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        let line = |header: &str| {
            format!(
                "{{\"ClientHost\":\"10.0.0.1\",\"DownstreamStatus\":200,\"RequestMethod\":\"GET\",\"RequestPath\":\"/\",{header}\
                 \"time\":\"2025-07-10T08:00:01Z\"}}\n"
            )
        };
        let of = |text: String| {
            let found = recognise(text.split_inclusive('\n').map(str::as_bytes), &from);
            found.map(|found| found.layout.name()).map_err(|unknown| unknown.to_string())
        };
        let why = "looks like traefik-json; 20 of 20 lines fit: no request has the header X-Forwarded-For; let the server write it";
        assert_eq!(of(line("").repeat(20)), Err(why.to_owned()));
        assert_eq!(of(line("").repeat(3)), Ok("traefik-json"));
        let with = line("\"request_X-Forwarded-For\":\"192.0.2.1\",");
        assert_eq!(of(line("").repeat(20) + &with), Ok("traefik-json"));
    }

    #[test]
    fn logs_of_ftp_servers() {
        let said = |text: &str| of(text).map(|found| found.layout.name()).unwrap_err().to_string();
        let w3c = "#Date: 2025-07-10 08:00:00\n#Fields: time c-ip cs-method cs-uri-stem sc-status\n\
            08:00:01 192.0.2.1 [1]USER anonymous 331\n08:00:02 192.0.2.1 [1]PASS - 230\n08:00:03 192.0.2.1 [1]sent /a 226\n";
        let clf = file("", "").replace("GET /a HTTP/1.1", "RETR /a.zip");
        let xferlog = "Thu Jul 10 08:00:01 2025 1 192.0.2.1 1024 /pub/a b.zip b _ o a anon ftp 0 * c\n".repeat(3);
        for (text, n) in [(w3c, 3), (&clf, 4), (&xferlog, 3)] {
            let said = said(text);
            let start = format!("looks like an FTP log, which is not the log of a web server; 0 of {n} lines fit");
            assert!(said.starts_with(&start), "{said}");
        }
        // some of them in the log of a web server do not matter
        let some = file("", "") + clf.lines().next().unwrap();
        assert!(of(&some).is_ok());
    }

    #[test]
    fn an_agent_in_place_of_the_referrer_is_noticed() {
        let said = |text: &str| of(text).map(|found| found.layout.name()).map_err(|unknown| unknown.to_string());
        let odd = file("", " \"Mozilla/5.0 (X11)\" \"-\"");
        let url = file("", " \"Mozilla/5.0 (X11)\" \"https://example.org/\"");
        let why =
            "looks like combined; 0 of 4 lines fit: the agent is before the referrer; give the log format as text";
        assert_eq!((said(&odd), said(&url)), (Err(why.to_owned()), Err(why.to_owned())));
        // a client may send it so
        assert_eq!(said(&(odd + &file("", &format!(" {UA}")))), Ok("combined"));
    }

    #[test]
    fn two_addresses_before_the_time_are_noticed() {
        let lines = |firsts: &[&str]| firsts.iter().map(|first| format!("{first} 10.0.0.5 {AT}\n")).collect::<String>();
        let name = |text: &str| of(text).map(|found| found.layout.name()).map_err(|unknown| unknown.why);
        let why = "two addresses are before the time; give the log format as text to say whose they are";
        assert_eq!(name(&lines(&["192.0.2.1", "192.0.2.1", "192.0.2.2"])), Err(why.to_owned()));
        assert_eq!(name(&lines(&["2001:db8::1", "192.0.2.2"])), Err(why.to_owned()));
        // the server's own address, with and without its port, and what strangers asked for
        assert_eq!(name(&lines(&["192.0.2.1", "192.0.2.1"])), Ok("vhost_common"));
        assert_eq!(name(&lines(&["192.0.2.1:80", "192.0.2.2:80"])), Ok("vhost_common"));
        let some = lines(&["192.0.2.1", "www.example.org", "192.0.2.2", "www.example.org"]);
        assert_eq!(name(&some), Ok("vhost_common"));
    }

    #[test]
    fn a_layout_without_the_header_is_an_error() {
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        let with =
            |text: &str| recognise(text.split_inclusive('\n').map(str::as_bytes), &from).map(|found| found.layout);
        let text = file("", &format!(" {UA} \"203.0.113.9\""));
        let layout = with(&text).unwrap();
        let mut state = State::default();
        assert_eq!(layout.parse(text.lines().next().unwrap().as_bytes(), &mut state).unwrap().client, b"203.0.113.9");
        let error = with(&file("", "")).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("no header X-Forwarded-For"), "{error}");
    }
}
