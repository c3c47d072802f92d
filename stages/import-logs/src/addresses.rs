//! How much of a client's address is stored. Rules that know addresses, such as the exclude list, see it whole.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use schema::address;

/// A choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Addresses {
    /// All of it.
    #[default]
    Keep,
    /// The network: the first 24 bits of an IPv4 address, the first 48 of an IPv6 address.
    Shorten,
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        <Self as clap::ValueEnum>::from_str(text, false)
            .map_err(|_| format!("`{text}` is neither `keep` nor `shorten`"))
    }
}

impl Addresses {
    /// What a receipt says of it; nothing of the usual choice.
    pub(crate) const fn named(self) -> Option<&'static str> {
        match self {
            Self::Keep => None,
            Self::Shorten => Some("shorten"),
        }
    }

    /// An address as it is stored. What is not an address is not changed.
    pub(crate) fn stored(self, client: &[u8]) -> Cow<'_, [u8]> {
        let whole = || std::str::from_utf8(client).ok().and_then(address::parse);
        match if self == Self::Shorten { whole() } else { None } {
            None => Cow::Borrowed(client),
            Some(IpAddr::V4(ip)) => {
                let [a, b, c, _] = ip.octets();
                Cow::Owned(Ipv4Addr::new(a, b, c, 0).to_string().into_bytes())
            }
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, ..] = ip.segments();
                Cow::Owned(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string().into_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_their_networks() {
        for (text, expected) in [
            ("192.0.2.17", "192.0.2.0"),
            ("::ffff:192.0.2.17", "192.0.2.0"),
            ("2001:db8:1:2:3::4", "2001:db8:1::"),
            ("host.example", "host.example"),
            ("-", "-"),
            ("", ""),
        ] {
            assert_eq!(&*Addresses::Shorten.stored(text.as_bytes()), expected.as_bytes(), "{text}");
            assert_eq!(&*Addresses::Keep.stored(text.as_bytes()), text.as_bytes());
        }
        assert!("hash".parse::<Addresses>().is_err());
    }
}
