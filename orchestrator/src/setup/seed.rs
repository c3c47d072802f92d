//! The initial rows of the static tables.
//!
//! Rows are only added, and only if their key does not exist: a label, a country or a domain that
//! the hub's staff changed keeps their version.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use database::{Db, Value, Verb};
use kit::{Usage, list};
use schema::reference;
use schema::tables::quote;

/// The rows of one table; the first column is the key that decides whether a row exists.
pub(crate) struct Seed {
    pub(crate) table: &'static str,
    columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<Value>>,
}

/// The rows of every new metrics database.
pub(crate) fn seeds(domainclass: Option<&Path>) -> Result<Vec<Seed>> {
    let mut list = vec![
        Seed {
            table: "continents",
            columns: &["continentSHORT", "continentLONG"],
            rows: reference::continents().map(|c| vec![c.code.into(), c.name.into()]).collect(),
        },
        Seed {
            table: "countries",
            columns: &["code", "name"],
            rows: reference::countries().map(|c| vec![c.code.into(), c.name.into()]).collect(),
        },
        Seed {
            table: "country_continent",
            columns: &["country", "continent"],
            rows: reference::country_continent().map(|c| vec![c.country.into(), c.continent.into()]).collect(),
        },
        Seed {
            table: "domainclasses",
            columns: &["class", "name"],
            rows: reference::domainclasses().map(|c| vec![c.class.into(), c.name.into()]).collect(),
        },
        Seed {
            table: "classes",
            columns: &["class", "name"],
            rows: reference::domainclasses().map(|c| vec![c.class.into(), c.name.into()]).collect(),
        },
        Seed {
            table: "domainclass",
            columns: &["domain", "class", "country", "state", "name"],
            rows: match domainclass {
                Some(path) => read(path).with_context(|| format!("reading domain classes from {}", path.display()))?,
                None => {
                    let row = |c: reference::DomainClass| {
                        vec![c.domain.into(), c.class.into(), c.country.into(), "".into(), "".into()]
                    };
                    reference::domainclass().map(row).collect()
                }
            },
        },
    ];
    for table in ["summary_user", "summary_simusage", "summary_misc", "summary_andmore"] {
        let ours = reference::labels().filter(|label| label.table == table);
        let row = |l: reference::Label| vec![l.rowid.into(), l.label.into(), u8::from(l.plot).into()];
        list.push(Seed { table, columns: &["id", "label", "plot"], rows: ours.map(row).collect() });
    }
    Ok(list)
}

/// A file of domain classes: CSV with a header that names at least `domain` and `class`, and
/// perhaps `country`, `state` and `name`.
fn read(path: &Path) -> Result<Vec<Vec<Value>>> {
    let mut rows = Vec::new();
    let each = |row: list::Entry<'_>| {
        let line = row.line;
        let cell = |i: usize| row.get(i).unwrap_or_default().trim();
        let (domain, class) = (cell(0), cell(1));
        let number = class.parse::<u8>().ok().filter(|class| *class < 128);
        let number = number.with_context(|| format!("line {line}: `{class}` is not a class"))?;
        if domain.is_empty() {
            bail!("line {line}: the domain is missing");
        }
        let mut values = vec![domain.into(), number.into()];
        values.extend((2..5).map(|i| Value::from(cell(i))));
        rows.push(values);
        Ok(())
    };
    list::read(kit::open(path)?, &["domain", "class"], &["country", "state", "name"], each)
        .map_err(|wrong| Usage(format!("{wrong:#}")))?;
    Ok(rows)
}

/// Adds the rows whose key is missing; returns table, rows added and rows that existed, for each
/// seed.
pub(crate) fn plant(db: &mut Db, seeds: &[Seed]) -> Result<Vec<(&'static str, u64, usize)>> {
    let tables: Vec<&str> = seeds.iter().map(|seed| seed.table).collect();
    db.transaction_with_retry("adding rows", &tables, |db| {
        let mut done = Vec::new();
        for seed in seeds {
            let key = seed.columns.first().copied().unwrap_or_default();
            let there = db.texts(&format!("SELECT {} FROM {}", quote(key), quote(seed.table)), ())?;
            let there: HashSet<String> = there.into_iter().map(|key| fold(&key)).collect();
            let mut insert = db.insert(Verb::Ignore, seed.table, seed.columns);
            for row in &seed.rows {
                let key = row.first().cloned().unwrap_or(Value::NULL);
                let key = fold(key.as_sql(true).trim_matches('\''));
                if !there.contains(&key) {
                    insert.push(row.iter().cloned())?;
                }
            }
            done.push((seed.table, insert.finish()?.changed, there.len()));
        }
        Ok(done)
    })
}

/// Compares keys as the tables do; they are ASCII.
fn fold(key: &str) -> String {
    key.trim_end().to_ascii_uppercase()
}
