//! The exclude list: bots by their domains and host names.
//!
//! A domain filter matches exactly that domain, a host filter is a LIKE pattern; both compare as
//! the server does. Pure: the list comes from a file or a table.

use std::io::Read;

use anyhow::{Result, bail};
use hashbrown::HashSet;
use kit::list;
use schema::collation::{self, Like};

/// The filters used here; other types are for the import.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    domains: HashSet<String>,
    hosts: Vec<HostFilter>,
}

/// A host pattern. Patterns of ASCII letters with wildcards only at the ends are compared without
/// the general matcher: there are many hosts, and nearly all patterns have this form.
#[derive(Debug)]
struct HostFilter {
    plain: Option<PlainPattern>,
    like: Like,
}

#[derive(Debug)]
enum PlainPattern {
    Whole(Vec<u8>),
    Start(Vec<u8>),
    End(Vec<u8>),
    Inside(Box<memchr::memmem::Finder<'static>>),
}

impl PlainPattern {
    fn of(pattern: &str) -> Option<Self> {
        let open_start = pattern.starts_with('%');
        let rest = if open_start { pattern.trim_start_matches('%') } else { pattern };
        let open_end = rest.ends_with('%');
        let rest = if open_end { rest.trim_end_matches('%') } else { rest };
        if !rest.is_ascii() || rest.contains(['%', '_', '\\']) {
            return None;
        }
        let upper = rest.to_ascii_uppercase().into_bytes();
        Some(match (open_start, open_end) {
            (false, false) => Self::Whole(upper),
            (false, true) => Self::Start(upper),
            (true, false) => Self::End(upper),
            (true, true) => Self::Inside(Box::new(memchr::memmem::Finder::new(&upper).into_owned())),
        })
    }

    fn matches(&self, upper: &[u8]) -> bool {
        match self {
            Self::Whole(text) => upper == text,
            Self::Start(text) => upper.starts_with(text),
            Self::End(text) => upper.ends_with(text),
            Self::Inside(finder) => finder.find(upper).is_some(),
        }
    }
}

impl Filters {
    /// Adds one row of the list; types other than `domain` and `host` are ignored.
    pub(crate) fn add(&mut self, filter: &str, kind: &str) {
        if collation::equal(kind, "domain") {
            self.domains.insert(collation::fold(filter));
        } else if collation::equal(kind, "host") {
            self.hosts.push(HostFilter { plain: PlainPattern::of(filter), like: Like::new(filter) });
        }
    }

    /// Reads a CSV file with the columns `filter` and `type`, in any order, among others.
    ///
    /// # Errors
    /// The columns are missing, or the file cannot be read.
    pub(crate) fn from_csv(reader: impl Read) -> Result<Self> {
        let mut filters = Self::default();
        list::read(reader, &["filter", "type"], &[], |row| match (row.get(0), row.get(1)) {
            (Some(filter), Some(kind)) => {
                filters.add(filter, kind);
                Ok(())
            }
            _ => bail!("line {} lacks `filter` or `type`", row.line),
        })?;
        Ok(filters)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.hosts.is_empty()
    }

    /// Whether a domain filter equals the domain.
    pub(crate) fn takes_domain(&self, domain: &str) -> bool {
        !self.domains.is_empty() && self.domains.contains(&collation::fold(domain))
    }

    /// Whether the host is LIKE a host filter.
    pub(crate) fn takes_host(&self, host: &str) -> bool {
        if self.hosts.is_empty() {
            return false;
        }
        if host.is_ascii() {
            let upper = host.to_ascii_uppercase();
            return self.hosts.iter().any(|filter| {
                filter.plain.as_ref().map_or_else(|| filter.like.matches(host), |plain| plain.matches(upper.as_bytes()))
            });
        }
        let weights = collation::pattern_weights(host);
        self.hosts.iter().any(|filter| filter.like.matches_weights(&weights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filters(csv: &str) -> Filters {
        Filters::from_csv(csv.as_bytes()).unwrap()
    }

    #[test]
    fn domains_must_be_equal_and_hosts_match_patterns() {
        let f = filters(
            "type,notes,filter\ndomain,x,b.com\nHOST,,%.rcac.purdue.edu\nhost,,spider_.com\nip,,1.1.1.1\nurl,,c.com\n",
        );
        for (domain, expected) in [("b.com", true), ("B.COM ", true), ("x.b.com", false), ("c.com", false), ("", false)]
        {
            assert_eq!(f.takes_domain(domain), expected, "{domain}");
        }
        for (host, expected) in [
            ("X.rcac.PURDUE.edu", true),
            ("x.rcac.purdue.edu ", false),
            ("rcac.purdue.edu", false),
            ("spider1.com", true),
            ("spider.com", false),
            ("b.com", false),
            ("1.1.1.1", false),
        ] {
            assert_eq!(f.takes_host(host), expected, "{host}");
        }
    }

    #[test]
    fn empty_filters_match_empty_values() {
        let f = filters("filter,type\n,domain\n,host\n");
        assert!(f.takes_domain("") && f.takes_domain("  ") && !f.takes_domain("a"));
        assert!(f.takes_host("") && !f.takes_host(" ") && !f.takes_host("a"));
        assert!(filters("filter,type\n").is_empty() && !f.is_empty());
    }

    #[test]
    fn a_list_needs_its_columns() {
        assert!(Filters::from_csv(&b"a,b\n1,2\n"[..]).is_err());
        assert!(Filters::from_csv(&b""[..]).is_err());
        assert!(Filters::from_csv(&b"filter,type\nx\n"[..]).is_err());
    }

    proptest! {
        #[test]
        fn plain_and_general_matching_agree(pattern in "[%]{0,2}[ab.A\\\\_é]{0,4}[%]{0,2}", host in "[abB.é ]{0,6}") {
            let mut f = Filters::default();
            f.add(&pattern, "host");
            prop_assert_eq!(f.takes_host(&host), Like::new(&pattern).matches(&host));
        }
    }
}
