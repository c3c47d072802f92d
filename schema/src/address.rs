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
