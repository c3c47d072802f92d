//! The reference rows that a metrics database starts with, and the built-in lists of `summarize`:
//! continents, countries, domain classes and the row labels of the summaries.
//!
//! The rows are files under `data/`, compiled in. They are read by position and never interpreted:
//! the country code of Namibia is `NA`. Names of bots are in import-logs.

/// A continent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Continent {
    /// Two letters.
    pub code: &'static str,
    /// English name.
    pub name: &'static str,
}

/// A country with its name in top lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166 alpha-2, but `UK` for the United Kingdom.
    pub code: &'static str,
    /// English name in capitals.
    pub name: &'static str,
}

/// The continent under which a country is counted. `GB` has no row: such visitors have a country,
/// but no continent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountryContinent {
    /// Country code.
    pub country: &'static str,
    /// Continent code.
    pub continent: &'static str,
}

/// A class of organisations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainClassName {
    /// 0 to 6.
    pub class: u8,
    /// English name.
    pub name: &'static str,
}

/// The class of one domain; must match exactly, not as a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainClass {
    /// The domain in lower case.
    pub domain: &'static str,
    /// A class of [`domainclasses`].
    pub class: u8,
    /// Country in lower case, `xx` if unknown.
    pub country: &'static str,
}

/// The label of one row of a summary table, shown by the CMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Table of the labels; the table of the cells has the same name with `_vals` appended.
    pub table: &'static str,
    /// `rowid` of the cells.
    pub rowid: u8,
    /// English text.
    pub label: &'static str,
    /// Whether the CMS draws a chart of the row.
    pub plot: bool,
}

/// The cells of each row after the header; the last cell is the rest of the line, without
/// surrounding quotes.
fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> + Clone {
    text.lines().skip(1).map(|line| {
        let mut cells = [""; N];
        for (cell, text) in cells.iter_mut().zip(line.splitn(N, ',')) {
            *cell = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        }
        cells
    })
}

/// A number in one of our own files; a test reads them all.
fn number(text: &str) -> u8 {
    text.parse().unwrap_or_default()
}

/// The seven continents.
pub fn continents() -> impl Iterator<Item = Continent> + Clone {
    rows(include_str!("../data/continents.csv")).map(|[code, name]| Continent { code, name })
}

/// The countries by code.
pub fn countries() -> impl Iterator<Item = Country> + Clone {
    rows(include_str!("../data/countries.csv")).map(|[code, name]| Country { code, name })
}

/// The continent of every country, by country code.
pub fn country_continent() -> impl Iterator<Item = CountryContinent> + Clone {
    rows(include_str!("../data/country_continent.csv"))
        .map(|[country, continent]| CountryContinent { country, continent })
}

/// The seven classes of organisations.
pub fn domainclasses() -> impl Iterator<Item = DomainClassName> + Clone {
    rows(include_str!("../data/domainclasses.csv")).map(|[class, name]| DomainClassName { class: number(class), name })
}

/// The class of well-known domains, by domain.
pub fn domainclass() -> impl Iterator<Item = DomainClass> + Clone {
    rows(include_str!("../data/domainclass.csv")).map(|[domain, class, country]| DomainClass {
        domain,
        class: number(class),
        country,
    })
}

/// The row labels of the four summaries.
pub fn labels() -> impl Iterator<Item = Label> + Clone {
    rows(include_str!("../data/labels.csv")).map(|[table, rowid, label, plot]| Label {
        table,
        rowid: number(rowid),
        label,
        plot: plot == "1",
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn continent_of(country: &str) -> Option<&'static str> {
        country_continent().find(|row| row.country == country).map(|row| row.continent)
    }

    #[test]
    fn every_row_is_complete_and_has_valid_numbers() {
        for (text, n_cells, numbers) in [
            (include_str!("../data/continents.csv"), 2, &[][..]),
            (include_str!("../data/countries.csv"), 2, &[]),
            (include_str!("../data/country_continent.csv"), 2, &[]),
            (include_str!("../data/domainclasses.csv"), 2, &[0]),
            (include_str!("../data/domainclass.csv"), 3, &[1]),
            (include_str!("../data/labels.csv"), 4, &[1, 3]),
        ] {
            for line in text.lines().skip(1) {
                let cells: Vec<_> = line.splitn(n_cells, ',').collect();
                assert_eq!(cells.len(), n_cells, "{line}");
                assert!(cells.iter().all(|cell| !cell.is_empty() && cell.trim() == *cell), "{line}");
                assert!(numbers.iter().all(|&i: &usize| cells[i].parse::<u8>().is_ok()), "{line}");
                let last = cells[n_cells - 1];
                assert!(!last.trim_matches('"').contains('"'), "{line}");
                assert_eq!(last.contains(','), last.starts_with('"'), "{line}");
            }
        }
    }

    #[test]
    fn known_exceptions_have_their_continents() {
        let rows: Vec<_> = country_continent().collect();
        assert_eq!(rows.len(), 245);
        assert!(rows.is_sorted_by(|a, b| a.country < b.country));
        for (continent, n) in [("EU", 59), ("AF", 57), ("AS", 48), ("NA", 38), ("OC", 26), ("SA", 14), ("AN", 3)] {
            assert_eq!(rows.iter().filter(|row| row.continent == continent).count(), n, "{continent}");
        }
        for (countries, continent) in [
            ("BL BQ CW GB SS SX", None),
            ("UK AM AZ GE SY TR VG GS CY RU GI", Some("EU")),
            ("AN UM GL US", Some("NA")),
            ("NA EG RE YT SH", Some("AF")),
            ("SA TL IL KZ IO CX CC", Some("AS")),
            ("AS HM", Some("OC")),
            ("FK", Some("SA")),
            ("AQ BV TF", Some("AN")),
        ] {
            for country in countries.split(' ') {
                assert_eq!(continent_of(country), continent, "{country}");
            }
        }
    }

    #[test]
    fn countries_have_the_names_in_top_lists() {
        let name = |code: &str| countries().find(|country| country.code == code).map(|country| country.name);
        assert_eq!(countries().count(), 244);
        assert_eq!(name("NA"), Some("NAMIBIA"));
        assert_eq!(name("CI"), Some("COTE DIVOIRE"));
        assert_eq!(name("KR"), Some("KOREA, REPUBLIC OF"));
        assert_eq!(name("LA"), Some("LAO PEOPLES DEMOCRATIC REPUBLIC"));
        assert_eq!(name("AN"), Some("NETHERLANDS ANTILLES"));
        assert_eq!(name("UK"), Some("UNITED KINGDOM"));
        assert_eq!(name("TW"), Some("TAIWAN"));
        for absent in "BL BQ CW GB PN SS SX".split(' ') {
            assert_eq!(name(absent), None, "{absent}");
        }
        let codes: BTreeSet<_> = countries().map(|country| country.code).collect();
        assert_eq!(codes.len(), 244);
        assert!(countries().all(|c| c.code.len() == 2 && c.name.bytes().all(|b| !b.is_ascii_lowercase() && b < 128)));
        let missing: Vec<_> = country_continent().map(|row| row.country).filter(|c| !codes.contains(c)).collect();
        assert_eq!(missing, ["PN"]);
    }

    #[test]
    fn every_continent_has_countries() {
        let codes: BTreeSet<_> = continents().map(|continent| continent.code).collect();
        assert_eq!(codes, country_continent().map(|row| row.continent).collect());
        assert_eq!(codes.len(), 7);
    }

    #[test]
    fn classes_are_numbered_from_0_to_6() {
        assert!(domainclasses().map(|row| row.class).eq(0..=6));
        assert_eq!(domainclasses().nth(3).map(|row| row.name), Some("Governmental"));
    }

    /// What a name reveals about its class.
    fn class_by_rule(domain: &str) -> Option<u8> {
        let mut labels = domain.rsplit('.');
        let (last, second) = (labels.next()?, labels.next()?);
        let under_country = last.len() == 2 && labels.next().is_some();
        match (last, second) {
            ("gov" | "mil", _) => Some(3),
            ("edu", _) => Some(1),
            (_, "gov" | "mil" | "go" | "gob" | "gouv") if under_country => Some(3),
            (_, "edu" | "ac") if under_country => Some(1),
            _ => None,
        }
    }

    #[test]
    fn classes_of_domains_agree_with_their_names() {
        let rows: Vec<_> = domainclass().collect();
        assert!(rows.len() >= 1500, "{}", rows.len());
        let mut domains: Vec<_> = rows.iter().map(|row| row.domain).collect();
        domains.sort_unstable();
        domains.dedup();
        assert_eq!(domains.len(), rows.len());
        for row in rows {
            assert!(row.class <= 6, "{row:?}");
            assert!(row.domain.len() <= 64 && row.country.len() == 2, "{row:?}");
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
            assert!(row.domain.bytes().all(plain) && row.domain.split('.').all(|label| !label.is_empty()), "{row:?}");
            assert!(row.domain.contains('.'), "{row:?}");
            if row.domain == "usma.army.mil" {
                assert_eq!(row.class, 1);
            } else if let Some(class) = class_by_rule(row.domain) {
                assert_eq!(row.class, class, "{row:?}");
            }
        }
        let class = |domain: &str| domainclass().find(|row| row.domain == domain).map(|row| row.class);
        for (domain, expected) in [
            ("purdue.edu", 1),
            ("ethz.ch", 1),
            ("ox.ac.uk", 1),
            ("usma.army.mil", 1),
            ("ibm.com", 2),
            ("nist.gov", 3),
            ("comcast.net", 4),
            ("googlebot.com", 5),
            ("nature.com", 6),
        ] {
            assert_eq!(class(domain), Some(expected), "{domain}");
        }
        assert_eq!(class("edu"), None);
    }

    #[test]
    fn every_written_row_has_a_label() {
        for (table, rowids) in [
            ("summary_user", vec![1, 2, 3, 4, 6, 7, 8]),
            ("summary_simusage", (1..=10).collect()),
            ("summary_misc", (1..=8).collect()),
            ("summary_andmore", (1..=12).collect()),
        ] {
            let of_table: Vec<_> = labels().filter(|label| label.table == table).collect();
            assert!(of_table.iter().map(|label| label.rowid).eq(rowids), "{table}");
            let texts: BTreeSet<_> = of_table.iter().map(|label| label.label.to_lowercase()).collect();
            assert_eq!(texts.len(), of_table.len(), "the label is a unique key of {table}");
        }
        assert_eq!(labels().count(), 37);
    }
}
