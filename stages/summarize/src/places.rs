//! Which columns a country, an organisation or a domain counts in.

use rustc_hash::FxHashMap;
use schema::collation::{equal, hash};

/// Columns as bits: bit 0 is column 1.
pub(crate) type Columns = u16;

const TOTAL: Columns = 1;
const IDENTIFIED: Columns = 1 << 1;
const US: Columns = 1 << 2;
const ASIA: Columns = 1 << 3;
const EUROPE: Columns = 1 << 4;
const OTHER: Columns = 1 << 5;
const ORG_IDENTIFIED: Columns = 1 << 6;
const ORG_EDU: Columns = 1 << 7;
const ORG_INDUSTRY: Columns = 1 << 8;
const ORG_GOVERNMENT: Columns = 1 << 9;
const ORG_OTHER: Columns = 1 << 10;

const EDU: [&str; 9] = [
    "universityundergraduate",
    "universitygraduate",
    "universityfaculty",
    "universitystaff",
    "precollegestudent",
    "precollegefacultystaff",
    "university",
    "educational",
    "precollege",
];

/// The continents of countries and the classes of domains.
#[derive(Debug, Default)]
pub(crate) struct Places {
    continents: FxHashMap<u128, Columns>,
    domains: FxHashMap<u128, u8>,
    classes: Vec<i64>,
}

impl Places {
    /// From (country, continent) and (domain, class) pairs. The first class of a domain counts.
    pub(crate) fn new<'a>(
        continents: impl Iterator<Item = (&'a str, &'a str)>,
        domains: impl Iterator<Item = (&'a str, i64)>,
    ) -> Self {
        let mut places = Self::default();
        for (country, continent) in continents {
            let column = match continent {
                c if equal(c, "AS") => ASIA,
                c if equal(c, "EU") => EUROPE,
                _ => OTHER,
            };
            *places.continents.entry(hash(country)).or_default() |= column;
        }
        let mut classes = Vec::new();
        let mut by_domain = FxHashMap::default();
        for (domain, class) in domains {
            // class 4 is "unknown provider": such visitors count as unidentified
            let class = if class > 0 && class != 4 { class } else { 0 };
            by_domain.entry(hash(domain)).or_insert(class);
            if class != 0 {
                classes.push(class);
            }
        }
        classes.sort_unstable();
        classes.dedup();
        classes.truncate(usize::from(u8::MAX) - 1);
        let number = |class| classes.binary_search(&class).map_or(0, |i| u8::try_from(i + 1).unwrap_or(0));
        places.domains = by_domain.into_iter().map(|(domain, class)| (domain, number(class))).collect();
        places.classes = classes;
        places
    }

    /// The classes that count, ascending.
    pub(crate) fn classes(&self) -> &[i64] {
        &self.classes
    }

    /// The class of a domain: its index in [`Places::classes`] plus one, 0 for none.
    pub(crate) fn class(&self, domain: u128) -> u8 {
        self.domains.get(&domain).copied().unwrap_or(0)
    }

    fn continent(&self, country: &str) -> Columns {
        let columns = self.continents.get(&hash(country)).copied().unwrap_or(0);
        if equal(country, "US") { columns & !OTHER | US } else { columns }
    }

    /// Columns 1 to 6 of a visitor with this country; `-` is a country that was looked up and not found.
    pub(crate) fn of_visitor(&self, ipcountry: &str) -> u8 {
        let known = !equal(ipcountry, "") && !equal(ipcountry, "-");
        let columns = TOTAL | if known { IDENTIFIED } else { 0 } | self.continent(ipcountry);
        u8::try_from(columns).unwrap_or(u8::MAX)
    }

    /// The same of the hash of a country.
    pub(crate) fn of_visitor_key(&self, ipcountry: u128) -> u8 {
        let known = ipcountry != hash("") && ipcountry != hash("-");
        let columns = TOTAL | if known { IDENTIFIED } else { 0 } | self.continent_of_key(ipcountry);
        u8::try_from(columns).unwrap_or(u8::MAX)
    }

    fn continent_of_key(&self, country: u128) -> Columns {
        let columns = self.continents.get(&country).copied().unwrap_or(0);
        if country == hash("US") { columns & !OTHER | US } else { columns }
    }

    /// Columns 1 to 6 of a person, by the hash of the residence.
    pub(crate) fn of_residence_key(&self, country: u128) -> Columns {
        let of_continent = self.continent_of_key(country);
        TOTAL | if country == hash("") { of_continent & !OTHER } else { of_continent | IDENTIFIED }
    }

    /// Columns 2 to 11 of a person with this residence and organisation; column 1 is always set.
    pub(crate) fn of_person(&self, country: Option<&str>, orgtype: Option<&str>) -> Columns {
        let mut columns = TOTAL;
        if let Some(country) = country {
            let of_continent = self.continent(country);
            // an empty country belongs nowhere else, even if a list contains it
            columns |= if equal(country, "") { of_continent & !OTHER } else { of_continent | IDENTIFIED };
        }
        columns | of_organisation(orgtype)
    }
}

/// Columns 7 to 11 of a person; column 1 is always set.
pub(crate) fn of_organisation(orgtype: Option<&str>) -> Columns {
    let Some(org) = orgtype.filter(|org| !equal(org, "")) else { return TOTAL };
    let which = match org {
        org if EDU.iter().any(|e| equal(e, org)) => ORG_EDU,
        org if equal(org, "industry") => ORG_INDUSTRY,
        org if equal(org, "government") => ORG_GOVERNMENT,
        _ => ORG_OTHER,
    };
    TOTAL | ORG_IDENTIFIED | which
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(bits: u16) -> Vec<u32> {
        (1..=11).filter(|c| bits & (1 << (c - 1)) != 0).collect()
    }

    #[test]
    fn countries_and_organisations_have_their_columns() {
        let lists = [("US", "NA"), ("CN", "AS"), ("TR", "AS"), ("TR", "EU"), ("DE", "EU"), ("BR", "SA")];
        let places = Places::new(lists.into_iter(), std::iter::empty());
        for (country, visitor, person) in [
            ("", vec![1], vec![1]),
            ("-", vec![1], vec![1, 2]),
            ("US", vec![1, 2, 3], vec![1, 2, 3]),
            ("us", vec![1, 2, 3], vec![1, 2, 3]),
            ("CN", vec![1, 2, 4], vec![1, 2, 4]),
            ("TR", vec![1, 2, 4, 5], vec![1, 2, 4, 5]),
            ("BR", vec![1, 2, 6], vec![1, 2, 6]),
            ("GB", vec![1, 2], vec![1, 2]),
        ] {
            assert_eq!(columns(places.of_visitor(country).into()), visitor, "{country}");
            assert_eq!(columns(places.of_person(Some(country), None)), person, "{country}");
            assert_eq!(places.of_visitor_key(hash(country)), places.of_visitor(country), "{country}");
            assert_eq!(places.of_residence_key(hash(country)), places.of_person(Some(country), None), "{country}");
        }
        for (org, expected) in [
            (None, vec![1]),
            (Some(""), vec![1]),
            (Some("UniversityFaculty "), vec![1, 7, 8]),
            (Some("INDUSTRY"), vec![1, 7, 9]),
            (Some("government"), vec![1, 7, 10]),
            (Some("K12"), vec![1, 7, 11]),
        ] {
            assert_eq!(columns(places.of_person(None, org)), expected, "{org:?}");
        }
    }

    #[test]
    fn domains_have_their_classes() {
        let list = [("mit.edu", 1), ("Odd.org", 9), ("isp.net", 4), ("x.com", 0), ("odd.ORG ", 1), ("bad", -3)];
        let places = Places::new(std::iter::empty(), list.into_iter());
        assert_eq!(places.classes(), [1, 9]);
        let class = |domain: &str| places.class(hash(domain));
        assert_eq!(["MIT.edu", "odd.org", "isp.net", "x.com", "bad", "none"].map(class), [1, 2, 0, 0, 0, 0]);
    }
}
