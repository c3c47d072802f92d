//! The lists that a run is based on: continents of countries and classes of domains, built in or
//! from CSV files.

use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result};
use kit::list;

use crate::places::Places;

/// Two columns of a CSV file by their names, with values trimmed.
fn columns(list: impl Read, names: [&str; 2]) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    list::read(list, &names, &[], |row| {
        let [a, b] = [0, 1].map(|i| row.get(i).unwrap_or_default().trim().to_owned());
        pairs.push((a, b));
        Ok(())
    })?;
    Ok(pairs)
}

fn file(path: &Path, names: [&str; 2]) -> Result<Vec<(String, String)>> {
    columns(kit::open(path)?, names).with_context(|| format!("reading {}", path.display()))
}

/// Files that replace lists: continents of countries, classes of domains.
pub(crate) type Files<'a> = [Option<&'a Path>; 2];

/// Pairs of country and continent, and of domain and class.
pub(crate) type Lists = (Vec<(String, String)>, Vec<(String, i64)>);

/// The lists from the files; without a file those that are `given`, else the built-in ones.
///
/// # Errors
/// A file cannot be read, lacks a column, or has a class that is not a number.
pub(crate) fn places([country_continent, domainclass]: Files<'_>, given: Option<Lists>) -> Result<Places> {
    let built_in = || {
        let continents = schema::reference::country_continent().map(|c| (c.country.into(), c.continent.into()));
        let domains = schema::reference::domainclass().map(|d| (d.domain.to_owned(), i64::from(d.class)));
        (continents.collect(), domains.collect())
    };
    let (mut continents, mut domains) = given.unwrap_or_else(built_in);
    if let Some(path) = country_continent {
        continents = file(path, ["country", "continent"])?;
    }
    if let Some(path) = domainclass {
        domains.clear();
        for (domain, class) in file(path, ["domain", "class"])? {
            let number = class.parse::<i64>();
            let number = number.with_context(|| format!("reading {}: class `{class}` of {domain}", path.display()))?;
            domains.push((domain, number));
        }
    }
    Ok(Places::new(
        continents.iter().map(|(country, continent)| (country.as_str(), continent.as_str())),
        domains.iter().map(|(domain, class)| (domain.as_str(), *class)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let pairs =
            columns(&b"\xEF\xBB\xBFcontinent, country,x\nEU,DE\n AS , CN ,1\n"[..], ["country", "continent"]).unwrap();
        assert_eq!(pairs, [("DE".to_owned(), "EU".to_owned()), ("CN".to_owned(), "AS".to_owned())]);
        let error = columns(&b"a,b\n1,2\n"[..], ["country", "continent"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no column `country` in the first line");
    }

    #[test]
    fn built_in_lists_are_used_by_default() {
        let places = places([None, None], None).unwrap();
        assert!(places.of_visitor("DE") & 0b01_0000 != 0, "Germany is in Europe");
        assert!([1, 2, 3, 6].iter().all(|c| places.classes().contains(c)));
    }
}
