//! The exclude list: texts that drop a line if they occur in its address, URL or agent.

use std::path::Path;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use anyhow::{Context as _, Result, anyhow};
use kit::{list, steps};
use schema::collation;

/// A set of texts searched for at once; ASCII case is ignored.
#[derive(Debug, Default)]
struct Texts(Option<AhoCorasick>);

impl Texts {
    fn new(texts: &[String]) -> Result<Self> {
        if texts.is_empty() {
            return Ok(Self(None));
        }
        let kind = automaton_for(texts.iter().map(String::as_bytes), None);
        let built = AhoCorasickBuilder::new().ascii_case_insensitive(true).kind(kind).build(texts);
        Ok(Self(Some(built.map_err(|e| anyhow!("the exclude list cannot be used: {e}"))?)))
    }

    fn occur_in(&self, text: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|texts| {
            steps::add(text.len());
            texts.is_match(text)
        })
    }
}

/// The kind of automaton that is built in linear time: building a DFA from long, repetitive texts
/// takes quadratic time. Short texts keep the kind `usual`, which searches faster.
pub(crate) fn automaton_for<'a>(
    texts: impl Iterator<Item = &'a [u8]>,
    usual: Option<AhoCorasickKind>,
) -> Option<AhoCorasickKind> {
    const SHORT: usize = 1 << 10;
    if texts.map(<[u8]>::len).max() > Some(SHORT) { Some(AhoCorasickKind::ContiguousNFA) } else { usual }
}

/// What drops a line; types other than `ip`, `url` and `useragent` are for other stages.
#[derive(Debug, Default)]
pub(crate) struct Exclude {
    ip: Texts,
    url: Texts,
    agent: Texts,
}

/// One row of the exclude list: (filter, type).
pub(crate) type Row = (String, String);

impl Exclude {
    /// From rows of the list. An empty filter matches everything, unless `skip_empty`.
    ///
    /// # Errors
    /// There are too many texts, or they are too long.
    pub(crate) fn new(rows: &[Row], skip_empty: bool) -> Result<Self> {
        let of_type = |ty: &str| {
            let rows = rows.iter().filter(|(filter, t)| collation::equal(t, ty) && !(skip_empty && filter.is_empty()));
            Texts::new(&rows.map(|(filter, _)| filter.clone()).collect::<Vec<_>>())
        };
        Ok(Self { ip: of_type("ip")?, url: of_type("url")?, agent: of_type("useragent")? })
    }

    pub(crate) fn ip(&self, ip: &[u8]) -> bool {
        self.ip.occur_in(ip)
    }

    pub(crate) fn url(&self, url: &[u8]) -> bool {
        self.url.occur_in(url)
    }

    pub(crate) fn agent(&self, agent: &[u8]) -> bool {
        self.agent.occur_in(agent)
    }
}

/// Reads a CSV file with the columns `filter` and `type` (others are ignored).
///
/// # Errors
/// The file cannot be read or lacks a column.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let each = |row: list::Entry<'_>| {
        if let (Some(filter), Some(ty)) = (row.get(0), row.get(1)) {
            rows.push((filter.to_owned(), ty.to_owned()));
        }
        Ok(())
    };
    list::read(kit::open(path)?, &["filter", "type"], &[], each)
        .with_context(|| format!("reading the exclude list {}", path.display()))?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rows: &[(&str, &str)], skip_empty: bool) -> Exclude {
        let rows: Vec<_> = rows.iter().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())).collect();
        Exclude::new(&rows, skip_empty).unwrap()
    }

    #[test]
    fn filters_are_substrings_and_know_no_wildcards() {
        let x = list(&[("1.2.3.4", "IP "), ("%.css", "url"), ("a_b*", "useragent"), ("host", "host")], false);
        assert!(x.ip(b"11.2.3.45") && !x.ip(b"1.2.3.5"));
        assert!(x.url(b"/x%.CSS?") && !x.url(b"/x.css"));
        assert!(x.agent(b"xA_B*x") && !x.agent(b"axbc") && !x.agent(b"host"));
    }

    #[test]
    fn long_texts_use_an_automaton_that_is_built_in_linear_time() {
        let kind = |filter: &str| {
            let exclude = list(&[(filter, "url")], false);
            exclude.url.0.map(|texts| texts.kind())
        };
        assert_eq!(kind("/private"), Some(AhoCorasickKind::DFA));
        assert_eq!(kind(&"ab".repeat(40_000)), Some(AhoCorasickKind::ContiguousNFA));
        let long = "ab".repeat(40_000);
        assert!(list(&[(&long, "url")], false).url(format!("/x{long}").as_bytes()));
    }

    #[test]
    fn an_empty_filter_drops_everything() {
        assert!(list(&[("", "ip")], false).ip(b"8.8.8.8"));
        assert!(!list(&[("", "ip")], true).ip(b"8.8.8.8"));
        assert!(!list(&[], false).ip(b"127.0.0.1"));
    }
}
