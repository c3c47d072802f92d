//! What a comparison found, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::addresses::Addresses;
use super::columns::{NOT_COMPARED, Table};
use super::merge::{Counts, Difference, Row};
use crate::json::VERSION;

/// What differs in one way in a table.
#[derive(Debug, Default)]
struct Class {
    count: u64,
    examples: Vec<Value>,
    lines: Vec<String>,
}

/// What was found in a table.
#[derive(Debug)]
pub(crate) struct Compared {
    table: Table,
    counts: Counts,
    /// By kind, and by the options that explain it.
    classes: BTreeMap<(&'static str, Vec<&'static str>), Class>,
}

impl Compared {
    pub(super) const fn new(table: Table) -> Self {
        Self { table, counts: Counts { here: 0, there: 0 }, classes: BTreeMap::new() }
    }

    pub(super) const fn add(&mut self, counts: Counts) {
        self.counts.here += counts.here;
        self.counts.there += counts.there;
    }

    /// Keeps a difference; at most `n_shown` of a kind are kept as examples.
    pub(super) fn found(&mut self, difference: &Difference, options: Vec<&'static str>, n_shown: usize) {
        let kind = match difference {
            Difference::OnlyHere(_) => "only_here",
            Difference::OnlyThere(_) => "only_there",
            Difference::Changed(..) => "changed",
        };
        let class = self.classes.entry((kind, options)).or_default();
        class.count += 1;
        if class.examples.len() < n_shown {
            class.examples.push(example(&self.table, difference));
            class.lines.push(line(&self.table, difference));
        }
    }

    /// How many rows differ that the options `allowed` do not explain, columns of one side included.
    fn n_unexplained(&self, allowed: &[&str]) -> u64 {
        let counts = |options: &[&str]| options.is_empty() || !options.iter().all(|name| allowed.contains(name));
        let rows = self.classes.iter().filter(|((_, options), _)| counts(options)).map(|(_, class)| class.count);
        rows.sum::<u64>() + self.table.extra.len() as u64
    }
}

/// Two databases, and what was compared.
pub(crate) struct Report {
    pub(crate) here: String,
    pub(crate) there: String,
    pub(crate) months: Vec<String>,
    pub(crate) tables: Vec<Compared>,
    pub(crate) addresses: Addresses,
    /// Options whose differences do not count.
    pub(crate) allowed: Vec<&'static str>,
}

impl Report {
    /// Whether something differs that is not allowed to.
    pub(crate) fn differs(&self) -> bool {
        self.tables.iter().any(|table| table.n_unexplained(&self.allowed) > 0)
    }

    /// A line for each table, with its differences below.
    pub(crate) fn text(&self) -> String {
        let months = if self.months.is_empty() { "all months".to_owned() } else { self.months.join(", ") };
        let mut text = format!("{} (here) against {} (there): {months}\n", self.here, self.there);
        let width = self.tables.iter().map(|table| table.table.name.len()).max().unwrap_or(0);
        for table in &self.tables {
            text.push_str(&self.of_table(table, width));
        }
        text.push_str(&self.addresses.text());
        let n = self.tables.iter().filter(|table| table.n_unexplained(&self.allowed) > 0).count();
        let end = if n == 0 { "no difference".to_owned() } else { kit::counted(n, "table differs", "tables differ") };
        let pruned = self.tables.iter().filter_map(|table| table.table.gone_through).max();
        let rows = pruned.map_or_else(String::new, |last| format!(", rows that were pruned (through {last})"));
        let _ = writeln!(text, "{end}; not compared: {}{rows}", NOT_COMPARED.join(", "));
        text
    }

    fn of_table(&self, compared: &Compared, width: usize) -> String {
        let (n, here, there) = (&compared.table.name, compared.counts.here, compared.counts.there);
        let state = match compared.n_unexplained(&self.allowed) {
            0 => "OK  ",
            _ => "FAIL",
        };
        let others = if here == there { String::new() } else { format!(", there {}", kit::grouped(there)) };
        let rows = format!("{} {}{others}", kit::grouped(here), if here == 1 { "row" } else { "rows" });
        let absent = if compared.table.is_in_both { "" } else { "  (only one database has this table)" };
        let mut text = format!("{state}  {n:width$}  {rows}{absent}\n");
        if let Some(last) = compared.table.gone_through {
            let _ = writeln!(text, "        pruned: rows of the months through {last} are not compared");
        }
        for column in &compared.table.extra {
            let _ = writeln!(text, "        only one side has the column {column}");
        }
        for ((kind, options), class) in &compared.classes {
            let what = kind.replace('_', " ");
            let why = if options.is_empty() { String::new() } else { format!(" ({})", options.join(", ")) };
            let _ = writeln!(text, "        {what}: {}{why}", kit::counted(class.count, "row", "rows"));
            for line in &class.lines {
                let _ = writeln!(text, "            {line}");
            }
        }
        text
    }

    /// One JSON object.
    pub(crate) fn json(&self) -> Value {
        let tables: Vec<Value> = self.tables.iter().map(|table| self.table_json(table)).collect();
        json!({
            "version": VERSION, "here": self.here, "there": self.there, "months": self.months, "tables": tables,
            "allowed": self.allowed, "not_compared": NOT_COMPARED, "addresses": self.addresses.json(),
            "differs": self.differs(),
        })
    }

    fn table_json(&self, table: &Compared) -> Value {
        let differences = table.classes.iter().map(|((kind, options), class)| {
            json!({"kind": kind, "options": options, "count": class.count, "examples": class.examples})
        });
        json!({
            "table": table.table.name, "rows_here": table.counts.here, "rows_there": table.counts.there,
            "in_both": table.table.is_in_both, "columns_of_one": table.table.extra,
            "pruned_through": table.table.gone_through.map(|last| last.to_string()),
            "differs": table.n_unexplained(&self.allowed) > 0, "differences": differences.collect::<Vec<_>>(),
        })
    }
}

fn shown(value: Option<&Option<Vec<u8>>>) -> Value {
    value.and_then(Option::as_ref).map_or(Value::Null, |bytes| String::from_utf8_lossy(bytes).into())
}

/// The values of a row by column: those of the key, or the others.
fn values<'t>(table: &'t Table, row: &'t Row, is_key: bool) -> impl Iterator<Item = (&'t str, Value)> {
    let columns = table.columns.iter().enumerate().filter(move |(at, _)| (*at < table.n_key) == is_key);
    columns.map(|(at, column)| (column.name.as_str(), shown(row.get(at))))
}

fn object<'t>(values: impl Iterator<Item = (&'t str, Value)>) -> Value {
    Value::Object(values.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn example(table: &Table, difference: &Difference) -> Value {
    let row = match difference {
        Difference::OnlyHere(row) | Difference::OnlyThere(row) | Difference::Changed(row, _) => row,
    };
    let (mut here, mut there) = (Value::Null, Value::Null);
    match difference {
        Difference::OnlyHere(row) => here = object(values(table, row, false)),
        Difference::OnlyThere(row) => there = object(values(table, row, false)),
        Difference::Changed(one, other) => {
            (here, there) = (object(values(table, one, false)), object(values(table, other, false)));
        }
    }
    json!({"key": object(values(table, row, true)), "here": here, "there": there})
}

/// A difference on one line: the key, then what differs.
fn line(table: &Table, difference: &Difference) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.replace(kit::is_unseen, " "),
        _ => "NULL".to_owned(),
    };
    let named = |(name, value): (&str, Value)| format!("{name} {}", text(&value));
    // of a row that stands alone, empty values say nothing
    let says = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let list = |row: &Row, is_key| {
        let shown = values(table, row, is_key).filter(|(_, value)| says(value));
        shown.map(named).collect::<Vec<_>>().join(", ")
    };
    match difference {
        Difference::OnlyHere(row) | Difference::OnlyThere(row) => [list(row, true), list(row, false)]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": "),
        Difference::Changed(here, there) => {
            let pairs = values(table, here, false).zip(values(table, there, false)).filter(|(a, b)| a.1 != b.1);
            let changed = pairs.map(|(a, b)| format!("{} {}, there {}", a.0, text(&a.1), text(&b.1)));
            format!("{}: {}", list(here, true), changed.collect::<Vec<_>>().join("; "))
        }
    }
}
