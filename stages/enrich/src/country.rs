//! The country of an address, from a country database in MaxMind's file format.
//!
//! The file is read into memory once; nothing here contacts a server.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use maxminddb::{MaxMindDbError, PathElement, Reader};

/// "This address has no country"; the port writes it so that the address is not looked up again.
pub const NONE: &str = "-";

/// The largest database in bytes.
const LARGEST: u64 = 1 << 30;

/// A country database in memory.
pub struct Countries {
    reader: Reader<Vec<u8>>,
}

impl Countries {
    /// Reads a database file.
    ///
    /// # Errors
    /// The file cannot be read or is not a country database.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes =
            kit::door::named::read_at_most(path, LARGEST).with_context(|| format!("reading {}", path.display()))?;
        Self::from_bytes(bytes).with_context(|| format!("reading {}", path.display()))
    }

    /// From the bytes of a database file.
    ///
    /// # Errors
    /// The bytes are not a country database.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        let countries = Self { reader: Reader::from_source(bytes).context("not a country database")? };
        if let Some(holds) = countries.other_contents() {
            bail!("it contains no countries: {holds}");
        }
        Ok(countries)
    }

    /// What the database contains, if it is clearly something other than countries. Addresses from
    /// all over the world are looked up; a database that knows none of them is accepted unless its
    /// name shows what it is.
    fn other_contents(&self) -> Option<String> {
        let mut fields = None;
        for at in 1..=223 {
            for ip in [Ipv4Addr::new(at, 0, 0, 1), Ipv4Addr::new(at, 1, 128, 1), Ipv4Addr::new(at, 128, 0, 1)] {
                if matches!(self.country(ip), Ok(Some(_))) {
                    return None;
                }
                if fields.is_none() {
                    fields = self.fields(ip);
                }
            }
        }
        let name = &self.reader.metadata().database_type;
        let others = ["ASN", "ISP", "Domain", "Connection-Type", "Anonymous", "User-Count"];
        let is_other = others.iter().any(|other| name.contains(other)) && !name.contains("Country");
        match fields {
            Some(fields) => Some(format!("it is `{name}`, whose records have the fields {}", fields.join(", "))),
            None => is_other.then(|| format!("it is `{name}`")),
        }
    }

    /// The field names in an address's record.
    fn fields(&self, ip: Ipv4Addr) -> Option<Vec<String>> {
        let found = self.reader.lookup(ip.into()).ok()?;
        let record: BTreeMap<String, serde::de::IgnoredAny> = found.decode().ok().flatten()?;
        Some(record.into_keys().collect())
    }

    /// The two-letter country code of an address; `None` if the database has none.
    ///
    /// # Errors
    /// The database is damaged.
    pub fn country(&self, ip: impl Into<IpAddr>) -> Result<Option<String>> {
        let ip = ip.into();
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let found = self.reader.lookup(ip).with_context(|| format!("looking up the country of {ip}"))?;
        if !found.has_data() {
            return Ok(None);
        }
        // GeoLite2, GeoIP2 and DB-IP have the first, IPinfo one of the others
        for path in [&["country", "iso_code"][..], &["country_code"], &["country"]] {
            let path: Vec<_> = path.iter().map(|key| PathElement::Key(key)).collect();
            match found.decode_path::<String>(&path) {
                Ok(Some(code)) if crate::geo_service::is_country(&code) => return Ok(Some(code)),
                Ok(_) | Err(MaxMindDbError::Decoding { .. }) => {}
                Err(e) => return Err(e).with_context(|| format!("looking up the country of {ip}")),
            }
        }
        Ok(None)
    }
}

/// An address in the form that the country lookup accepts: four decimal numbers up to 255, without
/// leading zeros and blanks; any other text has no country.
#[must_use]
pub fn dotted_quad(ip: &str) -> Option<Ipv4Addr> {
    ip.parse().ok()
}

/// The same, but allowing leading zeros and surrounding blanks, as the port does.
#[must_use]
pub fn lenient_dotted_quad(ip: &str) -> Option<Ipv4Addr> {
    let mut parts = ip.trim().split('.').map(|part| {
        let digits = part.trim();
        let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if good {
            digits
                .trim_start_matches('0')
                .parse()
                .or(if digits.bytes().all(|b| b == b'0') { Ok(0) } else { Err(()) })
                .ok()
        } else {
            None
        }
    });
    let quad: [u8; 4] = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then(|| quad.into())
}

/// An IPv6 address from text, without zone; an IPv4 address mapped into IPv6 becomes IPv4.
#[must_use]
pub fn ipv6(ip: &str) -> Option<IpAddr> {
    ip.contains(':').then(|| schema::address::parse(ip)).flatten()
}

/// Whether the port writes `-` for the address without looking it up: private, loopback and
/// link-local ranges, recognised by their first digits.
#[must_use]
pub fn is_private_text(ip: &str) -> bool {
    if ["10.", "127.", "192.168.", "169.254."].iter().any(|prefix| ip.starts_with(prefix)) {
        return true;
    }
    let second = ip.strip_prefix("172.").and_then(|rest| rest.split_once('.')).map(|(second, _)| second);
    second.is_some_and(|s| s.len() == 2 && matches!(s.parse::<u8>(), Ok(16..=31)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_must_be_in_strict_form() {
        assert_eq!(dotted_quad("8.8.8.8").map(u32::from), Some(134_744_072));
        assert_eq!(dotted_quad("192.168.1.5").map(u32::from), Some(3_232_235_781));
        for bad in
            ["", "8.8.8", "8.8.8.8.8", "08.8.8.8", " 8.8.8.8", "8.8.8.8 ", "256.1.1.1", "::1", "1.2.3.-4", "1.2.3.+4"]
        {
            assert_eq!(dotted_quad(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_for_the_port_may_be_in_lenient_form() {
        for (text, number) in [("08.8.8.8", 134_744_072), (" 8.8.8.8 ", 134_744_072), ("000.0.0.1", 1)] {
            assert_eq!(lenient_dotted_quad(text).map(u32::from), Some(number), "{text}");
        }
        for bad in ["", "8.8.8", "8.8.8.8.8", "256.1.1.1", "::1", "1..2.3", "1.2.3.+4"] {
            assert_eq!(lenient_dotted_quad(bad), None, "{bad}");
        }
    }

    #[test]
    fn private_ranges_are_recognised() {
        for ip in ["10.0.0.1", "127.0.0.1", "192.168.1.5", "169.254.0.1", "172.16.0.1", "172.31.255.255"] {
            assert!(is_private_text(ip), "{ip}");
        }
        for ip in
            ["11.0.0.1", "172.15.0.1", "172.32.0.1", "172.160.0.1", "192.169.0.1", "100.10.0.1", "172.016.0.1", ""]
        {
            assert!(!is_private_text(ip), "{ip}");
        }
    }

    #[test]
    fn databases_may_have_one_or_both_kinds_of_addresses() {
        let of = |address: &str, prefix, code: &str| (address.parse::<IpAddr>().unwrap(), prefix, code.to_owned());
        let both = [of("2001:db8::", 32, "DE"), of("8.0.0.0", 8, "US")];
        let both = Countries::from_bytes(fixtures::mmdb::country_database_of_both(&both)).unwrap();
        let of = |text: &str| ipv6(text).and_then(|ip| both.country(ip).unwrap());
        assert_eq!(of("2001:db8::1").as_deref(), Some("DE"));
        assert_eq!(of("::ffff:8.8.8.8").as_deref(), Some("US"));
        assert_eq!((of("2001:db9::1"), ipv6("8.8.8.8"), ipv6("2001:db8:aaaa:b")), (None, None, None));
        let v4 = [("8.0.0.0".parse().unwrap(), 8, "US".to_owned())];
        let v4 = Countries::from_bytes(fixtures::mmdb::country_database(&v4)).unwrap();
        assert_eq!(v4.country("2001:db8::1".parse::<IpAddr>().unwrap()).unwrap(), None);
    }

    #[test]
    fn field_83_other_publishers_put_the_code_elsewhere() {
        let networks =
            [("8.0.0.0".parse().unwrap(), 8, "US".to_owned()), ("2001:db8::".parse().unwrap(), 32, "DE".to_owned())];
        for field in [0, 1] {
            let file = fixtures::mmdb::flat_country_database(&networks, field);
            let countries = Countries::from_bytes(file).unwrap();
            let of = |ip: &str| countries.country(ip.parse::<IpAddr>().unwrap()).unwrap();
            assert_eq!(
                (of("8.8.8.8").as_deref(), of("2001:db8::1").as_deref(), of("9.9.9.9")),
                (Some("US"), Some("DE"), None)
            );
        }
    }

    #[test]
    fn field_82_a_database_without_countries_is_refused_with_what_it_holds() {
        let of = |address: &str, prefix| (address.parse::<IpAddr>().unwrap(), prefix, "Example".to_owned());
        let refused = |networks: &[(IpAddr, u8, String)]| {
            let opened = Countries::from_bytes(fixtures::mmdb::asn_database(networks));
            format!("{:#}", opened.err().unwrap())
        };
        assert_eq!(
            refused(&[of("8.0.0.0", 8)]),
            "it contains no countries: it is `Made-Up-ASN`, whose records have the fields autonomous_system_number, \
             autonomous_system_organization"
        );
        // none of its addresses is one that is looked up
        assert_eq!(refused(&[of("8.1.2.0", 24)]), "it contains no countries: it is `Made-Up-ASN`");
    }

    #[test]
    fn garbage_is_not_a_database() {
        assert!(Countries::from_bytes(b"not a database".to_vec()).is_err());
        assert!(Countries::from_bytes(Vec::new()).is_err());
    }
}
