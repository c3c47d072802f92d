//! The texts of a person, to find the lines that need a look.

use aho_corasick::{AhoCorasick, MatchKind};
use anyhow::{Context as _, Result};

use super::person::Person;

/// Finds them, whatever their case.
#[derive(Debug)]
pub(super) struct Needles {
    any: AhoCorasick,
    /// Those that are nobody else's, as numbers may be.
    telling: AhoCorasick,
    texts: Vec<String>,
}

impl Needles {
    pub(super) fn new(person: &Person) -> Result<Self> {
        let ids = person.ids.iter().map(i64::to_string);
        // the sign is often encoded
        let emails = person.emails.iter().map(|email| email.split('@').next().unwrap_or(email).to_owned());
        let telling: Vec<&String> = person.names.iter().chain(&person.addresses).collect();
        let any: Vec<String> = telling.iter().map(|text| (*text).clone()).chain(ids).chain(emails).collect();
        let of = |texts: &[&str]| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .build(texts.iter().filter(|text| !text.is_empty()))
        };
        let texts = any;
        let any = of(&texts.iter().map(String::as_str).collect::<Vec<_>>()).context("the texts of the person")?;
        let telling = of(&telling.iter().map(|text| text.as_str()).collect::<Vec<_>>());
        Ok(Self { any, telling: telling.context("the texts of the person")?, texts })
    }

    /// The texts as patterns for LIKE.
    pub(super) fn patterns(&self) -> impl Iterator<Item = String> {
        let escaped = |text: &String| text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        self.texts.iter().filter(|text| !text.is_empty()).map(move |text| format!("%{}%", escaped(text)))
    }

    /// Whether a line may have something of the person.
    pub(super) fn may_be_in(&self, line: &[u8]) -> bool {
        self.any.is_match(line)
    }

    /// Whether a text has a name or an address of the person, if only as a part of a longer word.
    pub(super) fn are_in(&self, line: &[u8]) -> bool {
        self.telling.is_match(line)
    }
}
