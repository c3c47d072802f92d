//! What the orchestrator remembers between runs, in `pipeline_state`: one text a key.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use kit::db::{Db, Verb};
use schema::Month;
use schema::tables::{self, Engine, quote};

const TABLE: &str = "pipeline_state";
const DIRTY: &str = "dirty_months";

/// Makes the table when it is missing: databases of the original scripts have none.
///
/// # Errors
/// The server refuses.
pub(crate) fn ensure_table(db: &mut Db) -> Result<()> {
    if !db.has_table(TABLE)?
        && let Some(table) = tables::metrics(TABLE)
    {
        let sql = table.create(&quote(TABLE), Engine::InnoDb, db.charset());
        db.run(&sql, ()).context("making pipeline_state")?;
    }
    Ok(())
}

/// The months whose summaries must be computed again.
///
/// # Errors
/// The server is lost.
pub(crate) fn dirty_months(db: &mut Db) -> Result<BTreeSet<String>> {
    let list = db.texts("SELECT v FROM pipeline_state WHERE k = ?", (DIRTY,))?;
    let words = list.iter().flat_map(|text| text.split(',')).filter(|month| !month.is_empty());
    Ok(words.map(str::to_owned).collect())
}

/// Adds to them.
///
/// # Errors
/// The server refuses, or the column is too narrow for all of them.
pub(crate) fn add_dirty_months(db: &mut Db, months: impl IntoIterator<Item = Month>) -> Result<()> {
    ensure_table(db)?;
    let new: BTreeSet<String> = months.into_iter().map(|month| month.to_string()).collect();
    db.transaction_with_retry("noting months to be computed again", &[TABLE], |db| {
        let known = dirty_months(db)?;
        if new.is_subset(&known) {
            return Ok(());
        }
        let all: Vec<&str> = known.union(&new).map(String::as_str).collect();
        let text = all.join(",");
        let mut insert = db.insert(Verb::Update(&["v"]), TABLE, &["k", "v"]);
        insert.push([DIRTY.into(), text.as_str().into()])?;
        insert.finish()?;
        // an old table cuts what does not fit
        let stored = db.texts("SELECT v FROM pipeline_state WHERE k = ?", (DIRTY,))?;
        ensure!(
            stored == [text],
            "pipeline_state cannot hold {} months: `hzmetrics migrate --apply` makes it wide enough",
            all.len()
        );
        Ok(())
    })
}
