//! The client of a request: its address or host name, from what a server wrote.
//!
//! Addresses come without ports, zones and brackets; IPv6 in its canonical text (RFC 5952), an IPv4
//! address mapped into IPv6 as IPv4. This file also decides which address of a forwarding header is
//! the client. A text that is neither an address nor a host name has a typed reason.

use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client<'a> {
    /// An address.
    Address(Address<'a>),
    /// A host name, if the server looked it up.
    Host(&'a [u8]),
}

/// An address and its text as written, without port, zone and brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    /// The address itself; IPv4 if it was mapped into IPv6.
    pub(crate) ip: IpAddr,
    text: &'a [u8],
    /// Whether the text is known to be canonical.
    is_canonical: bool,
}

/// Why a text is not a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAClient {
    /// Empty or a dash.
    Missing,
    /// A socket of the machine itself, `unix:`.
    UnixSocket,
    /// Several addresses.
    List,
    /// A network: an address with a prefix length.
    Network,
    /// A host name with a port, which is how servers write a virtual host.
    HostAndPort,
    /// A name, although an address follows.
    BeforeAddress,
    /// It contains NUL bytes, such as a crash leaves in files.
    Nul,
    /// A byte order mark comes before it.
    ByteOrderMark,
    /// A proxy's word for an address that it does not know or does not reveal.
    Unknown,
    /// None of these.
    Other,
}

impl fmt::Display for NotAClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::UnixSocket => "is a Unix socket",
            Self::List => "is a list of addresses",
            Self::Network => "is a network, not an address",
            Self::HostAndPort => "is a host name with a port, not an address",
            Self::BeforeAddress => "is a name, and an address follows it",
            Self::Nul => "has NUL bytes in it",
            Self::ByteOrderMark => "begins with a byte order mark",
            Self::Unknown => "is unknown to the proxy",
            Self::Other => "is neither an address nor a host name",
        })
    }
}

/// The longest text of an address: IPv6 that ends in IPv4, and a zone as long as an interface name.
const LONGEST_ADDRESS: usize = 45 + 1 + 64;

/// The client that a field contains.
pub(crate) fn client(text: &[u8]) -> Result<Client<'_>, NotAClient> {
    if let Some(address) = address(text) {
        return Ok(Client::Address(address));
    }
    if is_host_name(text) {
        return if text.eq_ignore_ascii_case(b"unknown") { Err(NotAClient::Unknown) } else { Ok(Client::Host(text)) };
    }
    Err(not_a_client(text))
}

fn not_a_client(text: &[u8]) -> NotAClient {
    if matches!(text, b"" | b"-") {
        NotAClient::Missing
    } else if text.starts_with(b"unix:") {
        NotAClient::UnixSocket
    } else if text.contains(&0) {
        NotAClient::Nul
    } else if text.starts_with(b"\xEF\xBB\xBF") {
        NotAClient::ByteOrderMark
    } else if text.contains(&b',') {
        NotAClient::List
    } else if std::str::from_utf8(text).is_ok_and(|text| text.contains('/') && text.parse::<Cidr>().is_ok()) {
        NotAClient::Network
    } else if host_and_port(text).is_some() {
        NotAClient::HostAndPort
    } else {
        NotAClient::Other
    }
}

/// The host name of `name:port`.
pub(crate) fn host_and_port(text: &[u8]) -> Option<&[u8]> {
    let (host, port) = split_port(text)?;
    (is_port(port) && is_host_name(host)).then_some(host)
}

/// An address in any of the usual forms: `a.b.c.d`, `a.b.c.d:port`, IPv6, `[IPv6]`, `[IPv6]:port`;
/// IPv6 may have a zone.
pub(crate) fn address(text: &[u8]) -> Option<Address<'_>> {
    // the most common form
    if let Some((ip, len)) = ipv4(text) {
        let (text, behind) = text.split_at(len);
        let is_end = behind.is_empty() || behind.strip_prefix(b":").is_some_and(is_port);
        return is_end.then_some(Address { ip: ip.into(), text, is_canonical: true });
    }
    let inner = match text {
        [b'[', rest @ ..] => {
            let close = rest.iter().take(LONGEST_ADDRESS).position(|&b| b == b']')?;
            match &rest[close + 1..] {
                [] => {}
                [b':', port @ ..] if is_port(port) => {}
                _ => return None,
            }
            &rest[..close]
        }
        text => text,
    };
    ipv6(inner)
}

/// The client in `client:port`, as programs write it that always add a port, without brackets around IPv6.
pub(crate) fn without_port(text: &[u8]) -> &[u8] {
    match split_port(text) {
        Some((client, port)) if is_port(port) && address(client).is_some() => client,
        _ => text,
    }
}

fn ipv6(text: &[u8]) -> Option<Address<'_>> {
    if text.len() > LONGEST_ADDRESS || !matches!(text.first()?, b':' | b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') {
        return None;
    }
    let text = match text.iter().position(|&b| b == b'%') {
        Some(zone) if zone + 1 < text.len() => &text[..zone],
        Some(_) => return None,
        None => text,
    };
    let ip: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(Address { ip: ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4), text, is_canonical: false })
}

/// The IPv4 address at the start of a text, and its length; its numbers have no leading zeros.
fn ipv4(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0_u8; 4];
    let mut at = 0;
    for (i, octet) in octets.iter_mut().enumerate() {
        if i > 0 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let start = at;
        let mut value = 0;
        while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            value = value * 10 + u32::from(digit);
            at += 1;
            if at - start > 3 {
                return None;
            }
        }
        if at == start || (at - start > 1 && text[start] == b'0') {
            return None;
        }
        *octet = u8::try_from(value).ok()?;
    }
    Some((Ipv4Addr::from(octets), at))
}

fn split_port(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let tail = &text[text.len().saturating_sub(6)..];
    let colon = text.len() - tail.len() + tail.iter().rposition(|&b| b == b':')?;
    Some((&text[..colon], &text[colon + 1..]))
}

fn is_port(text: &[u8]) -> bool {
    (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

/// Whether a text is a host name: labels of letters, digits, dashes and underscores. The last label
/// does not begin with a digit, so that a damaged address never becomes a name.
pub(crate) fn is_host_name(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    if text.is_empty() || text.len() > 253 {
        return false;
    }
    let mut last_is_name = false;
    for label in text.split(|&b| b == b'.') {
        let is_label = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if label.is_empty() || label.len() > 63 || label[0] == b'-' || !label.iter().all(is_label) {
            return false;
        }
        last_is_name = !label[0].is_ascii_digit();
    }
    last_is_name
}

/// A buffer for the text of any address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressText {
    bytes: [u8; 48],
    len: usize,
}

impl AddressText {
    /// The text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<'a> Address<'a> {
    /// The canonical text, if it is what was written.
    pub(crate) fn as_written(&self) -> Option<&'a [u8]> {
        if self.is_canonical {
            return Some(self.text);
        }
        match self.ip {
            // a mapped address ends in the text of the IPv4 address, or is written in hexadecimal
            IpAddr::V4(ip) => {
                let text = self.text.rsplit(|&b| b == b':').next()?;
                ipv4(text).is_some_and(|(written, len)| written == ip && len == text.len()).then_some(text)
            }
            IpAddr::V6(_) => (self.canonical().as_bytes() == self.text).then_some(self.text),
        }
    }

    /// The canonical text.
    pub(crate) fn canonical(&self) -> AddressText {
        let mut made = AddressText { bytes: [0; 48], len: 0 };
        let mut rest = &mut made.bytes[..];
        // the buffer is longer than any address
        let _ = write!(rest, "{}", self.ip);
        let left = rest.len();
        made.len = made.bytes.len() - left;
        made
    }
}

/// Whether an address belongs to the public internet, as far as the address shows. Documentation
/// addresses count as public, so that examples work.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => match ip.octets() {
            [0 | 10 | 127 | 224.., ..] | [169, 254, ..] | [192, 168, ..] => false,
            [172, b, ..] => !(16..32).contains(&b),
            [100, b, ..] => !(64..128).contains(&b),
            _ => true,
        },
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            // loopback, unique local, link-local, site-local, multicast
            !(ip.is_unspecified()
                || ip.is_loopback()
                || first & 0xFE00 == 0xFC00
                || first & 0xFF80 == 0xFE80
                || first & 0xFF00 == 0xFF00)
        }
    }
}

/// A network: an address and the number of bits that its members share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    base: IpAddr,
    bits: u8,
}

/// The bits of an address, left-aligned in 128, and how many it has.
fn bits_of(ip: IpAddr) -> (u128, u8) {
    match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    }
}

impl Cidr {
    /// Whether the address is in the network.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        let ((base, width), (ip, ip_width)) = (bits_of(self.base), bits_of(ip));
        let differ = (base ^ ip).checked_shr(128 - u32::from(self.bits)).unwrap_or(0);
        width == ip_width && differ == 0
    }
}

impl FromStr for Cidr {
    type Err = String;

    /// `ADDRESS/BITS`, or just an address.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let written: IpAddr = address.parse().map_err(|_| format!("`{address}` is not an address"))?;
        let width = bits_of(written).1;
        let bits = match bits {
            None => width,
            Some(bits) => bits
                .parse::<u8>()
                .ok()
                .filter(|&n| n <= width)
                .ok_or_else(|| format!("`{bits}` is not a number of bits from 0 to {width}"))?,
        };
        // a network of mapped addresses is a network of IPv4 addresses
        match written {
            IpAddr::V6(ip) if bits >= 96 => match ip.to_ipv4_mapped() {
                Some(ip) => Ok(Self { base: ip.into(), bits: bits - 96 }),
                None => Ok(Self { base: written, bits }),
            },
            _ => Ok(Self { base: written, bits }),
        }
    }
}

/// Networks separated by commas.
pub(crate) fn networks(text: &str) -> Result<Vec<Cidr>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let networks: Vec<Cidr> = parts.map(str::parse).collect::<Result<_, _>>()?;
    if networks.is_empty() { Err("no network is named".to_owned()) } else { Ok(networks) }
}

/// Which address in a forwarding header is the client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Choice {
    /// The first public one; the very first if none is public.
    #[default]
    FirstPublic,
    /// The first.
    First,
    /// The last.
    Last,
    /// The last that is not one of these proxies, as with nginx's `real_ip_recursive` and Apache's
    /// `mod_remoteip`.
    Behind(Vec<Cidr>),
}

/// The client of a request that came through proxies: from the header, or the other end of the
/// connection if the header names none.
pub(crate) fn forwarded<'a>(header: &'a [u8], peer: Option<Client<'a>>, choice: &Choice) -> Option<Client<'a>> {
    let found = match choice {
        Choice::FirstPublic => {
            let mut all = elements(header).flatten();
            let first = all.next();
            first.filter(|a| is_public(a.ip)).or_else(|| all.find(|a| is_public(a.ip))).or(first)
        }
        Choice::First => elements(header).next().flatten(),
        Choice::Last => elements(header).next_back().flatten(),
        Choice::Behind(proxies) => return behind(header, peer, proxies),
    };
    found.map(Client::Address).or(peer)
}

fn behind<'a>(header: &'a [u8], peer: Option<Client<'a>>, proxies: &[Cidr]) -> Option<Client<'a>> {
    let is_proxy = |ip: IpAddr| proxies.iter().any(|network| network.contains(ip));
    // a client that is not one of the proxies could write anything into the header
    match peer {
        Some(Client::Address(address)) if !is_proxy(address.ip) => return peer,
        Some(Client::Host(_)) => return peer,
        _ => {}
    }
    let mut found = peer;
    for element in elements(header).rev() {
        let Some(address) = element else { break };
        found = Some(Client::Address(address));
        if !is_proxy(address.ip) {
            break;
        }
    }
    found
}

/// The elements of `X-Forwarded-For` or `Forwarded`, left to right; `None` for an element without
/// an address.
fn elements(header: &[u8]) -> impl DoubleEndedIterator<Item = Option<Address<'_>>> {
    header.split(|&b| b == b',').map(|part| address(element(part)))
}

/// An element without surrounding blanks and quotes, and without `for=`.
fn element(part: &[u8]) -> &[u8] {
    let mut part = part.trim_ascii();
    if part.contains(&b'=') {
        let pairs = part.split(|&b| b == b';').map(<[u8]>::trim_ascii);
        let is_for = |pair: &&[u8]| pair.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"for="));
        part = pairs.into_iter().find(is_for).map_or(&b""[..], |pair| &pair[4..]);
    }
    let around = |b: &u8| matches!(b, b'"' | b'\\' | b' ');
    let start = part.iter().take_while(|b| around(b)).count();
    let end = part[start..].iter().rev().take_while(|b| around(b)).count();
    let part = &part[start..part.len() - end];
    // RFC 7239: a proxy may hide the port
    memchr::memmem::find(part, b":_").map_or(part, |at| &part[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(client: Client<'_>) -> String {
        match client {
            Client::Address(a) => {
                let canonical = a.canonical();
                if let Some(written) = a.as_written() {
                    assert_eq!(written, canonical.as_bytes());
                }
                String::from_utf8(canonical.as_bytes().to_vec()).unwrap()
            }
            Client::Host(name) => format!("host {}", String::from_utf8_lossy(name)),
        }
    }

    #[test]
    fn addresses_and_host_names() {
        for (text, found) in [
            ("192.0.2.1", "192.0.2.1"),
            ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255", "255.255.255.255"),
            ("192.0.2.1:5555", "192.0.2.1"),
            ("::1", "::1"),
            ("::", "::"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8:85a3:8d4:0:0:0:1", "2001:db8:85a3:8d4::1"),
            ("2a03:0000:10ff:f00f:0000:0000:0:8000", "2a03:0:10ff:f00f::8000"),
            ("[2001:db8::6]:443", "2001:db8::6"),
            ("[2001:db8::6]", "2001:db8::6"),
            ("fe80::a00:27ff:fe4e:66a1%enp0s8", "fe80::a00:27ff:fe4e:66a1"),
            ("[fe80::1%eth0]:80", "fe80::1"),
            ("::1%0", "::1"),
            ("::ffff:192.0.2.17", "192.0.2.17"),
            ("::FFFF:c000:211", "192.0.2.17"),
            ("[::ffff:192.0.2.17]:80", "192.0.2.17"),
            ("pc1.library.example.edu", "host pc1.library.example.edu"),
            ("crawl-203-0-113-49.example.net.", "host crawl-203-0-113-49.example.net."),
            ("localhost", "host localhost"),
            ("host_1.example.org", "host host_1.example.org"),
            ("3com.example", "host 3com.example"),
            // a name may look like hexadecimal
            ("fe", "host fe"),
        ] {
            assert_eq!(client(text.as_bytes()).map(shown), Ok(found.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_port_behind_an_address_without_brackets_is_removed() {
        for (text, client) in [
            ("192.0.2.1:80", "192.0.2.1"),
            ("2001:db8::1:8080", "2001:db8::1"),
            ("2001:db8::1:58430", "2001:db8::1"),
            ("2001:db8:1:2:3:4:5:6:80", "2001:db8:1:2:3:4:5:6"),
            ("::ffff:192.0.2.1:58430", "::ffff:192.0.2.1"),
            ("[2001:db8::1]:80", "[2001:db8::1]"),
            ("fe80::1%eth0:80", "fe80::1%eth0"),
            ("192.0.2.1", "192.0.2.1"),
            ("unix:1", "unix:1"),
            ("www.example.org:80", "www.example.org:80"),
            ("-", "-"),
            ("", ""),
        ] {
            assert_eq!(without_port(text.as_bytes()), client.as_bytes(), "{text}");
        }
    }

    #[test]
    fn texts_that_are_not_clients_have_a_reason() {
        let long = "a".repeat(300);
        for (text, reason) in [
            ("", NotAClient::Missing),
            ("-", NotAClient::Missing),
            ("unix:", NotAClient::UnixSocket),
            ("192.0.2.1,10.0.0.1", NotAClient::List),
            ("192.0.2.0/24", NotAClient::Network),
            ("2001:db8::/32", NotAClient::Network),
            ("www.example.org:443", NotAClient::HostAndPort),
            ("\0\0\u{0}192.0.2.1", NotAClient::Nul),
            ("\u{FEFF}192.0.2.1", NotAClient::ByteOrderMark),
            ("unknown", NotAClient::Unknown),
            ("Unknown", NotAClient::Unknown),
            ("_hidden'", NotAClient::Other),
            ("256.0.0.1", NotAClient::Other),
            ("192.0.2.01", NotAClient::Other),
            ("192.0.2", NotAClient::Other),
            ("192.0.2.1.5", NotAClient::Other),
            ("192.0.2.1x", NotAClient::Other),
            ("192.0.2.1:", NotAClient::Other),
            ("192.0.2.1:123456", NotAClient::Other),
            ("[192.0.2.1]", NotAClient::Other),
            ("[::1]x", NotAClient::Other),
            ("[::1", NotAClient::Other),
            ("::1%", NotAClient::Other),
            ("1:2:3", NotAClient::Other),
            ("a..b", NotAClient::Other),
            ("-a.b", NotAClient::Other),
            ("büro.example", NotAClient::Other),
            ("123", NotAClient::Other),
            (&long, NotAClient::Other),
        ] {
            assert_eq!(client(text.as_bytes()), Err(reason), "{text:?}");
            assert!(!reason.to_string().is_empty());
        }
    }

    #[test]
    fn the_text_is_borrowed_where_it_is_canonical() {
        let written = |text: &'static str| address(text.as_bytes()).unwrap().as_written().map(<[u8]>::to_vec);
        assert_eq!(written("192.0.2.1:80"), Some(b"192.0.2.1".to_vec()));
        assert_eq!(written("::ffff:192.0.2.1"), Some(b"192.0.2.1".to_vec()));
        assert_eq!(written("2001:db8::1"), Some(b"2001:db8::1".to_vec()));
        assert_eq!(written("2001:DB8::1"), None);
        assert_eq!(written("::ffff:c000:211"), None);
    }

    #[test]
    fn networks_from_text() {
        let inside = |network: &str, ip: &str| network.parse::<Cidr>().unwrap().contains(ip.parse().unwrap());
        for (network, ip, is) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "255.1.1.1", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            (" fd00::/8 ", "fdff::1", true),
            ("::1/128", "::1", true),
        ] {
            assert_eq!(inside(network, ip), is, "{network} {ip}");
        }
        for (wrong, word) in
            [("", "address"), ("10.0.0.0/33", "0 to 32"), ("::/129", "0 to 128"), ("10.0.0.0/x", "`x`")]
        {
            let error = wrong.parse::<Cidr>().unwrap_err();
            assert!(error.contains(word), "{wrong}: {error}");
        }
        assert_eq!(networks("10.0.0.0/8, 192.168.0.0/16,").unwrap().len(), 2);
        assert!(networks("10.0.0.0/8,x").is_err() && networks(" , ").is_err());
    }

    #[test]
    fn private_and_reserved_addresses_are_not_public() {
        for (ip, is) in [
            ("192.0.2.1", true),
            ("8.8.8.8", true),
            ("10.0.0.1", false),
            ("172.15.0.1", true),
            ("172.16.0.1", false),
            ("172.31.255.1", false),
            ("192.168.1.1", false),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("224.0.0.1", false),
            ("::1", false),
            ("2001:db8::1", true),
            ("fd00::1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_public(ip.parse().unwrap()), is, "{ip}");
        }
    }

    fn chosen(header: &str, peer: &str, choice: &Choice) -> String {
        let peer = client(peer.as_bytes()).ok();
        forwarded(header.as_bytes(), peer, choice).map_or_else(|| "none".to_owned(), shown)
    }

    #[test]
    fn the_first_public_address_of_a_header_is_the_client() {
        let first = |header: &str| chosen(header, "10.0.0.9", &Choice::FirstPublic);
        for (header, client) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.2, 10.0.0.4", "192.0.2.2"),
            ("192.0.2.3,10.0.0.4", "192.0.2.3"),
            ("unknown, 192.0.2.4", "192.0.2.4"),
            ("192.0.2.5:5555", "192.0.2.5"),
            ("[2001:db8::6]:443", "2001:db8::6"),
            ("-", "10.0.0.9"),
            ("", "10.0.0.9"),
            ("unknown", "10.0.0.9"),
            ("10.1.1.1, 192.0.2.7", "192.0.2.7"),
            ("10.1.1.1, 10.1.1.2", "10.1.1.1"),
            (r#"\"192.0.2.8\""#, "192.0.2.8"),
            ("_hidden, 192.0.2.9", "192.0.2.9"),
            ("' OR 1=1 --", "10.0.0.9"),
            ("for=192.0.2.11", "192.0.2.11"),
            ("For=\"[2001:db8::9]:4711\";proto=https, for=10.0.0.1", "2001:db8::9"),
            ("by=203.0.113.43;for=192.0.2.60;proto=http", "192.0.2.60"),
            ("for=\"192.0.2.12:_x\", for=10.0.0.1", "192.0.2.12"),
            ("for=\"[2001:db8::a]:_SEVKISEK\"", "2001:db8::a"),
            ("for=_hidden, for=unknown", "10.0.0.9"),
            ("127.0.0.1, 192.0.2.12", "192.0.2.12"),
            (" 192.0.2.13 ", "192.0.2.13"),
        ] {
            assert_eq!(first(header), client, "{header}");
        }
        assert_eq!(chosen("192.0.2.1, 10.0.0.1", "10.0.0.9", &Choice::Last), "10.0.0.1");
        assert_eq!(chosen("10.0.0.1, 192.0.2.1", "10.0.0.9", &Choice::First), "10.0.0.1");
        assert_eq!(chosen("x", "-", &Choice::First), "none");
    }

    #[test]
    fn the_last_address_that_is_not_a_proxy_is_the_client() {
        let ours = Choice::Behind(networks("10.0.0.0/8,2001:db8:1::/48").unwrap());
        for (header, peer, client) in [
            // a client that bypasses the proxies is not believed
            ("192.0.2.66", "203.0.113.1", "203.0.113.1"),
            ("192.0.2.1", "10.0.0.9", "192.0.2.1"),
            ("192.0.2.66, 192.0.2.1", "10.0.0.9", "192.0.2.1"),
            ("192.0.2.66, 192.0.2.1, 10.0.0.4", "10.0.0.9", "192.0.2.1"),
            ("10.0.0.3, 10.0.0.4", "10.0.0.9", "10.0.0.3"),
            ("unknown, 10.0.0.4", "10.0.0.9", "10.0.0.4"),
            ("-", "10.0.0.9", "10.0.0.9"),
            ("192.0.2.1, 2001:db8:1::5", "10.0.0.9", "192.0.2.1"),
            // a format without the other end of the connection
            ("192.0.2.66, 192.0.2.1", "-", "192.0.2.1"),
            ("192.0.2.1", "proxy.example.org", "host proxy.example.org"),
        ] {
            assert_eq!(chosen(header, peer, &ours), client, "{header} by {peer}");
        }
    }
}
