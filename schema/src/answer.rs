//! The record `why` that answers a question about a number, and what each part of its rows adds up to. The stages
//! that list rows write it.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::{Month, Period, json};

/// What the parts of a listing add up to.
#[derive(Debug, Default)]
pub struct Parts<'a>(BTreeMap<&'a str, (usize, f64)>);

impl<'a> Parts<'a> {
    /// Counts a row.
    pub fn add(&mut self, part: &'a str, adds: f64) {
        let (rows, sum) = self.0.entry(part).or_default();
        *rows += 1;
        *sum += adds;
    }

    /// How many rows were counted.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.values().map(|(rows, _)| rows).sum()
    }

    /// The sums in words.
    #[must_use]
    pub fn text(&self) -> String {
        let words = |(part, (rows, sum)): (&&str, &(usize, f64))| {
            let noun = if *rows == 1 { "row" } else { "rows" };
            format!("{sum} {part} ({rows} {noun})")
        };
        self.0.iter().map(words).collect::<Vec<_>>().join("; ")
    }
}

/// The answer about one number.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Its name.
    pub cell: &'a str,
    /// Its table.
    pub table: &'a str,
    /// Row and column of a summary table.
    pub place: Option<(u8, u8)>,
    /// The month.
    pub month: Month,
    /// The period.
    pub period: Period,
    /// What the rows give; `None` for a number that is not written.
    pub value: Option<&'a str>,
    /// The rows.
    pub parts: Parts<'a>,
    /// The rule in a sentence.
    pub rule: &'a str,
}

impl Answer<'_> {
    /// Appends the record, with its end of line.
    pub fn push(&self, out: &mut Vec<u8>) {
        // writing to memory does not fail
        let _ = write!(out, "{{\"kind\":\"why\",\"cell\":\"{}\",\"table\":\"{}\"", self.cell, self.table);
        if let Some((rowid, colid)) = self.place {
            let _ = write!(out, ",\"rowid\":{rowid},\"colid\":{colid}");
        }
        let _ = write!(out, ",\"datetime\":\"{}\",\"period\":{}", self.month.label(), self.period);
        if let Some(value) = self.value {
            out.extend_from_slice(b",\"value\":");
            json::push_str(out, value);
        }
        let _ = write!(out, ",\"rows\":{},\"parts\":", self.parts.rows());
        json::push_str(out, &self.parts.text());
        out.extend_from_slice(b",\"rule\":");
        json::push_str(out, self.rule);
        out.extend_from_slice(b"}\n");
    }
}
