//! Whether the name servers answer: one short UDP query to each.
//!
//! Implements just enough DNS to ask for the name of an address and to read the beginning of the
//! answer.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kit::door::named;

use super::checked_hub::CheckedHub;
use super::report::Report;

/// An address that has had a name for decades: a.root-servers.net.
const QUESTION: &str = "4.0.41.198.in-addr.arpa";
/// The longest wait, whatever the configuration says.
const LONGEST: Duration = Duration::from_secs(2);
/// Answers to other queries have other ids.
const ID: u16 = 0x687a;
const PORT: u16 = 53;

/// How a server replied.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    /// A name, or the answer that there is none.
    Answer,
    /// A refusal.
    Refusal(&'static str),
}

/// The packet of a query for a PTR record.
fn question() -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(ID.to_be_bytes());
    // recursion desired; one question, nothing else
    packet.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in QUESTION.split('.') {
        packet.extend(u8::try_from(label.len()));
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, 12, 0, 1]);
    packet
}

/// The meaning of a packet; nothing if it is not a reply to our query.
fn reply(packet: &[u8]) -> Option<Reply> {
    let [id_high, id_low, flags, code, ..] = *packet else { return None };
    if u16::from_be_bytes([id_high, id_low]) != ID || flags & 0x80 == 0 {
        return None;
    }
    Some(match code & 0x0f {
        0 | 3 => Reply::Answer,
        2 => Reply::Refusal("SERVFAIL"),
        5 => Reply::Refusal("REFUSED"),
        _ => Reply::Refusal("an error"),
    })
}

/// Asks a server.
fn ask(server: SocketAddr, patience: Duration) -> io::Result<Reply> {
    let local = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local)?;
    socket.set_read_timeout(Some(patience))?;
    socket.connect(server)?;
    socket.send(&question())?;
    let begun = Instant::now();
    let mut packet = [0; 512];
    // strangers may send packets too, so the wait is limited
    while begun.elapsed() < patience {
        let n = socket.recv(&mut packet)?;
        if let Some(reply) = packet.get(..n).and_then(reply) {
            return Ok(reply);
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// The servers of `/etc/resolv.conf`.
fn of_system(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let ip = (words.next() == Some("nameserver")).then(|| words.next()?.parse::<IpAddr>().ok())??;
        Some(SocketAddr::new(ip, PORT))
    };
    text.lines().filter_map(address).collect()
}

/// An address with or without a port.
fn server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse().ok()?, PORT)))
}

/// The servers used for lookups, and where they are configured.
fn servers(checked: &CheckedHub<'_>) -> Result<(Vec<SocketAddr>, String), Option<String>> {
    let config = &checked.hub.config;
    if let Some(name) = &config.dns.nameserver {
        let list = server(name).map(|server| vec![server]);
        let bad = || Some(format!("`{name}` is not the address of a name server"));
        return list.ok_or_else(bad).map(|list| (list, "nameserver of the configuration".to_owned()));
    }
    let file = config.paths.at("/etc/resolv.conf");
    // below another root the file may be missing
    let text = named::read_to_string(&file).map_err(|error| {
        let is_here = file.as_os_str() == "/etc/resolv.conf";
        is_here.then(|| format!("{}: {error}", file.display()))
    })?;
    let list = of_system(&text);
    if list.is_empty() {
        Err(Some(format!("{} names no name server", file.display())))
    } else {
        Ok((list, file.display().to_string()))
    }
}

const FIX: &str =
    "set nameserver = ADDRESS under [dns] in hzmetrics.conf, or start the name server; try: dig -x 198.41.0.4";

/// Asks the servers used for lookups.
pub(super) fn answers(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let (list, place) = match servers(checked) {
        Ok(found) => found,
        Err(None) => return,
        Err(Some(trouble)) => return report.fail_ours(format_args!("name server: {trouble}"), FIX),
    };
    let patience = checked.hub.config.dns.timeout.min(LONGEST);
    let replies: Vec<_> = list.iter().map(|server| (server, ask(*server, patience))).collect();
    let well = replies.iter().filter(|(_, reply)| matches!(reply, Ok(Reply::Answer))).count();
    for (server, reply) in &replies {
        let trouble = match reply {
            Ok(Reply::Answer) => {
                report.ok(format_args!("name server: {server} answers"));
                continue;
            }
            Ok(Reply::Refusal(code)) => format!("answers {code}"),
            Err(error) => format!("does not answer within {:.1} s ({})", patience.as_secs_f64(), error.kind()),
        };
        let text = format!("name server: {server} ({place}) {trouble}: names of visitors are not found");
        if well > 0 { report.warn(text, FIX) } else { report.fail_ours(text, FIX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_answered_only_by_its_reply() {
        let question = question();
        assert_eq!(question.len(), 12 + QUESTION.len() + 2 + 4);
        let mut packet = question;
        assert_eq!(reply(&packet), None, "a question is not a reply");
        for (code, expected) in
            [(0, Reply::Answer), (3, Reply::Answer), (2, Reply::Refusal("SERVFAIL")), (5, Reply::Refusal("REFUSED"))]
        {
            (packet[2], packet[3]) = (0x81, 0x80 | code);
            assert_eq!(reply(&packet), Some(expected), "{code}");
        }
        packet[0] ^= 1;
        assert_eq!((reply(&packet), reply(&[]), reply(&[0x68])), (None, None, None));
    }

    #[test]
    fn servers_are_read_from_resolv_conf() {
        let text = "# x\nsearch a\nnameserver 10.0.0.1\nnameserver\t::1\nnameserver x\noptions nameserver 1.1.1.1\n";
        assert_eq!(of_system(text).iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1:53", "[::1]:53"]);
        assert_eq!(server("127.0.0.1:5353").unwrap().port(), 5353);
        assert_eq!(server("::1").unwrap().port(), 53);
        assert_eq!(server("dns.example.org"), None);
    }
}
