//! What became of the lines of access logs, from `receipt` records.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

/// Lines by what became of them.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    pub(super) kept: u64,
    pub(super) not_recognised: u64,
    pub(super) ipv6: u64,
    dropped: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Receipt<'a> {
    #[serde(borrow, default)]
    stream: Cow<'a, str>,
    #[serde(default)]
    already: i64,
    #[serde(default)]
    rows: u64,
    #[serde(default)]
    rejected: u64,
    #[serde(default)]
    ipv6: u64,
    #[serde(default)]
    dropped: Dropped,
}

/// Lines by rule: an object, or in CSV its text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Dropped {
    Object(BTreeMap<String, u64>),
    Text(String),
    Absent(()),
}

impl Default for Dropped {
    fn default() -> Self {
        Self::Absent(())
    }
}

impl Dropped {
    fn by_rule(self) -> Result<BTreeMap<String, u64>, String> {
        match self {
            Self::Object(by_rule) => Ok(by_rule),
            Self::Text(text) if !text.trim().is_empty() => {
                serde_json::from_str(&text).map_err(|e| format!("`dropped`: {e}"))
            }
            Self::Text(_) | Self::Absent(()) => Ok(BTreeMap::new()),
        }
    }
}

impl Receipts {
    /// # Errors
    /// A field is of another type.
    pub(super) fn add(&mut self, line: &[u8]) -> Result<(), String> {
        let receipt: Receipt<'_> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
        if receipt.stream != "access" || receipt.already != 0 {
            return Ok(());
        }
        let dropped = receipt.dropped.by_rule()?;
        self.kept += receipt.rows;
        // lines of IPv6 clients are among those that were not recognised
        self.not_recognised += receipt.rejected.saturating_sub(receipt.ipv6);
        self.ipv6 += receipt.ipv6;
        for (rule, n) in dropped {
            *self.dropped.entry(rule).or_default() += n;
        }
        Ok(())
    }

    /// Dropped lines by rule, the most first.
    pub(super) fn dropped(&self) -> Vec<(&str, u64)> {
        let mut dropped: Vec<_> = self.dropped.iter().map(|(rule, n)| (rule.as_str(), *n)).collect();
        dropped.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_add_up() {
        let mut receipts = Receipts::default();
        let good = r#"{"stream":"access","rows":5,"rejected":3,"ipv6":2,"dropped":{"bot":4,"picture":9}}"#;
        for line in [good, good, r#"{"stream":"auth","rows":7}"#, r#"{"stream":"access","rows":0,"already":1}"#] {
            receipts.add(line.as_bytes()).unwrap();
        }
        assert_eq!((receipts.kept, receipts.not_recognised, receipts.ipv6), (10, 2, 4));
        assert_eq!(receipts.dropped(), [("picture", 18), ("bot", 8)]);
        // as CSV has it
        receipts.add(br#"{"stream":"access","rows":1,"dropped":"{\"bot\":2}"}"#).unwrap();
        receipts.add(br#"{"stream":"access","rows":1,"dropped":""}"#).unwrap();
        receipts.add(br#"{"stream":"access","rows":1,"dropped":null}"#).unwrap();
        assert_eq!((receipts.kept, receipts.dropped()), (13, vec![("picture", 18), ("bot", 10)]));
        for bad in ["5", "\"x\"", "\"{\\\"bot\\\":-1}\""] {
            let line = format!(r#"{{"stream":"access","rows":7,"dropped":{bad}}}"#);
            assert!(receipts.add(line.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(receipts.kept, 13, "a bad receipt counts nothing");
    }
}
