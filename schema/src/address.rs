//! The text of an address, as stored in tables and records.
//!
//! An IPv6 address has one canonical text (RFC 5952), and an IPv4 address mapped into IPv6 becomes that
//! IPv4 address. Text that is not an address stays as it is: the tables of hubs contain such text too.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use crate::tables::{NARROW_IP, WIDE_IP};
use crate::text;

/// The address in a text; removes a zone (`%eth0`) and the IPv6 mapping of an IPv4 address.
///
/// ```
/// assert_eq!(schema::address::parse("::ffff:192.0.2.1"), "192.0.2.1".parse().ok());
/// assert_eq!(schema::address::parse("fe80::1%eth0"), "fe80::1".parse().ok());
/// assert_eq!(schema::address::parse("2001:db8:aaaa:b"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<IpAddr> {
    if !text.contains(':') {
        return text.parse().ok();
    }
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().ok().map(|ip| IpAddr::V6(ip).to_canonical())
}

/// The canonical text of an IPv6 address; any other text unchanged.
#[must_use]
pub fn canonical(text: &str) -> Cow<'_, str> {
    if !text.contains(':') {
        return Cow::Borrowed(text);
    }
    let Some(ip) = parse(text) else { return Cow::Borrowed(text) };
    let canonical = ip.to_string();
    if canonical == text { Cow::Borrowed(text) } else { Cow::Owned(canonical) }
}

/// The part of an address that a table stores: its canonical text, or without `whole` the first
/// fifteen characters of the text, as legacy stored it.
#[must_use]
pub fn stored(text: &str, whole: bool) -> Cow<'_, str> {
    if !whole {
        return Cow::Borrowed(text::cut_chars(text, NARROW_IP));
    }
    match canonical(text) {
        Cow::Borrowed(text) => Cow::Borrowed(text::cut_chars(text, WIDE_IP)),
        owned => owned,
    }
}

/// Whether an IPv6 address has a meaning only inside a network: unique local (`fc00::/7`),
/// link-local (`fe80::/10`), or the machine itself.
#[must_use]
pub const fn is_private(ip: Ipv6Addr) -> bool {
    ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback()
}

/// How long the hash of an address is: as long as the narrowest column.
pub const HASH: usize = 15;

/// The digits of a hash behind its `x`.
pub const HASH_DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Whether a text is what stands for an address that was hashed: `x` and fourteen digits. It is not an address, so nobody
/// looks up a name, a country or a place of it.
///
/// ```
/// assert!(schema::address::is_hash("xabcdefghij2345"));
/// assert!(!schema::address::is_hash("192.0.2.1"));
/// ```
#[must_use]
pub fn is_hash(text: &str) -> bool {
    let digits = text.strip_prefix('x').unwrap_or_default();
    digits.len() == HASH - 1 && digits.bytes().all(|b| HASH_DIGITS.contains(&b))
}

/// Whether the text of a column for addresses says nothing about a person: the machine itself, the pseudonym of
/// somebody who was forgotten, or no address at all.
#[must_use]
pub fn is_of_nobody(text: &str) -> bool {
    /// The shortest address is longer than the words that stand for none.
    const SHORTEST: usize = 7;
    match parse(text) {
        Some(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.octets()[0] >= 240,
        Some(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        None => text.len() < SHORTEST,
    }
}

/// Whether a host name spells out its whole address: `dsl-192-0-2-7.example.net`, `7.2.0.192.example.net`,
/// `pc0000207.example.net` for 192.0.2.7, or the address itself.
#[must_use]
pub fn is_in_name(address: &str, host: &str) -> bool {
    if host.trim_end_matches(' ').eq_ignore_ascii_case(address.trim_end_matches(' ')) {
        return true;
    }
    let lower = host.to_ascii_lowercase();
    match parse(address) {
        Some(IpAddr::V4(ip)) => {
            let [a, b, c, d] = ip.octets();
            let hex = format!("{:08x}", u32::from(ip));
            let long = format!("{a:03}{b:03}{c:03}{d:03}");
            let groups: Vec<Option<u8>> =
                lower.split(|c: char| !c.is_ascii_digit()).filter(|g| !g.is_empty()).map(|g| g.parse().ok()).collect();
            let is_there = |octets: [u8; 4]| groups.windows(4).any(|four| four.iter().copied().eq(octets.map(Some)));
            lower.contains(&hex) || lower.contains(&long) || is_there([a, b, c, d]) || is_there([d, c, b, a])
        }
        Some(IpAddr::V6(ip)) => {
            let nibbles = format!("{:032x}", u128::from(ip));
            let digits: String = lower.chars().filter(char::is_ascii_hexdigit).collect();
            let backwards: String = nibbles.chars().rev().collect();
            let written = ip.to_string().replace("::", "--").replace(':', "-");
            digits.contains(&nibbles) || digits.contains(&backwards) || lower.contains(&written)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_become_canonical_and_other_texts_stay() {
        for (text, expected) in [
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::FFFF:192.0.2.1", "192.0.2.1"),
            ("fe80::1%eth0", "fe80::1"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8:aaaa:b", "2001:db8:aaaa:b"),
            ("a:b", "a:b"),
            ("", ""),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
            assert_eq!(stored(text, true), expected, "{text}");
        }
        assert_eq!(stored("2001:db8:aaaa:bbbb::1", false), "2001:db8:aaaa:b");
        assert_eq!(stored("2001:db8:aaaa:bbbb::1", true), "2001:db8:aaaa:bbbb::1");
        assert_eq!(stored(&"x".repeat(90), true).len(), WIDE_IP);
    }

    #[test]
    fn hashes_are_recognised_and_are_not_addresses() {
        for hash in ["xabcdefghijklmn", "x22222222222222"] {
            assert!(is_hash(hash) && parse(hash).is_none() && stored(hash, false) == hash && !is_of_nobody(hash));
        }
        for text in ["", "x", "xabcdefghijklm", "xabcdefghijklmno", "xabcdefghijklm1", "xABCDEFGHIJKLMN", "192.0.2.1"] {
            assert!(!is_hash(text), "{text}");
        }
    }

    #[test]
    fn texts_that_say_nothing_about_a_person() {
        for text in ["", "-", "?", "127.0.0.1", "::1", "0.0.0.0", "241.2.3.4"] {
            assert!(is_of_nobody(text), "{text}");
        }
        for text in ["192.0.2.1", "2001:db8::1", "2001:db8:aaaa:b", "pc.example.net"] {
            assert!(!is_of_nobody(text), "{text}");
        }
    }

    #[test]
    fn names_that_spell_out_their_address() {
        for (address, host, expected) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "dsl-192-0-2-7.example.net", true),
            ("192.0.2.7", "7.2.0.192.in-addr.example.net", true),
            ("192.0.2.7", "host-192.000.002.007.example.net", true),
            ("192.0.2.7", "pC0000207.example.net", true),
            ("192.0.2.7", "h192000002007.example.net", true),
            ("192.0.2.7", "h2-7.example.net", false),
            ("192.0.2.7", "dsl-192-0-2-70.example.net", false),
            ("2001:db8::1", "2001-db8--1.example.net", true),
            ("2001:db8::1", "2001-0db8-0000-0000-0000-0000-0000-0001.example.net", true),
            ("2001:db8::1", "www.example.net", false),
            ("pc.example.net", "PC.example.net", true),
            ("192.0.2.7", "?", false),
            ("192.0.2.7", "", false),
        ] {
            assert_eq!(is_in_name(address, host), expected, "{address} {host}");
        }
    }

    #[test]
    fn private_ipv6_addresses_are_recognised() {
        for (text, expected) in [
            ("fc00::1", true),
            ("fdff::1", true),
            ("fe80::1", true),
            ("::1", true),
            ("2001:db8::1", false),
            ("fec0::1", false),
        ] {
            assert_eq!(is_private(text.parse().unwrap()), expected, "{text}");
        }
    }
}
