//! What a state from tables says of them, so that it is refused once they say something else.

use std::collections::BTreeMap;

use anyhow::Result;
use database::Db;
use database::generations::Generations;
use schema::Month;
use schema::collation::hash;
use serde_json::{Value, json};

/// The tables that a state was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub generations: Generations,
    /// A hash of the exclude list.
    pub excludes: u128,
    /// The last entry of the ledger of imports.
    pub last_entry: i64,
    /// A hash of the ledger through this entry.
    pub ledger: u128,
}

impl Origin {
    /// What the tables say now, of the months through `last` and the ledger through `last_entry`, or all of it.
    ///
    /// # Errors
    /// The tables tell nothing of changes, or the server fails.
    pub(crate) fn of(db: &mut Db, last: Month, last_entry: Option<i64>) -> Result<Self> {
        let generations = Generations::read(db, last)?;
        let excludes = match db.has_table("exclude_list")? {
            true => db.texts("SELECT CONCAT_WS(' ', type, filter) FROM exclude_list ORDER BY 1", ())?.join("\n"),
            false => String::new(),
        };
        let has_ledger = db.has_table("imported_sources")?;
        let last_entry = match last_entry {
            Some(id) => id,
            None if has_ledger => db.number("SELECT MAX(id) FROM imported_sources", ())?.unwrap_or(0),
            None => 0,
        };
        let ledger = if has_ledger {
            let sql = "SELECT CONCAT_WS(' ', id, filename, target_table, pk_start, pk_end, row_count) \
                       FROM imported_sources WHERE id <= ? ORDER BY id";
            db.texts(sql, (last_entry,))?.join("\n")
        } else {
            String::new()
        };
        Ok(Self { generations, excludes: hash(&excludes), last_entry, ledger: hash(&ledger) })
    }

    /// Why the state is no longer valid, if so.
    ///
    /// # Errors
    /// Those of [`Origin::of`].
    pub(crate) fn refusal(&self, db: &mut Db, last: Month) -> Result<Option<String>> {
        let now = Self::of(db, last, Some(self.last_entry))?;
        if let Some(why) = self.generations.differ(&now.generations) {
            return Ok(Some(why));
        }
        Ok(if self.excludes != now.excludes {
            Some("the exclude list was changed since".to_owned())
        } else if self.ledger != now.ledger {
            Some("the ledger of imports was changed since".to_owned())
        } else {
            None
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let Generations { tables, every, months } = &self.generations;
        let months: BTreeMap<String, u64> = months.iter().map(|(month, n)| (month.to_string(), *n)).collect();
        let [excludes, ledger] = [self.excludes, self.ledger].map(|hash| format!("{hash:032x}"));
        json!({
            "tables": tables, "every": every, "months": months,
            "excludes": excludes, "last_entry": self.last_entry, "ledger": ledger,
        })
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name)?.as_u64();
        let hash = |name: &str| u128::from_str_radix(value.get(name)?.as_str()?, 16).ok();
        let months = value.get("months")?.as_object()?.iter();
        let months = months.map(|(month, n)| Some((month.parse().ok()?, n.as_u64()?))).collect::<Option<_>>()?;
        Some(Self {
            generations: Generations { tables: number("tables")?, every: number("every")?, months },
            excludes: hash("excludes")?,
            last_entry: value.get("last_entry")?.as_i64()?,
            ledger: hash("ledger")?,
        })
    }
}
