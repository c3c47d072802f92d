//! The ledger of migrations: which ones are done.

use std::collections::BTreeSet;

use anyhow::Result;
use database::{Db, Verb};
use schema::tables::{self, Engine, quote};

use super::changes::Migration;

const TABLE: &str = "migrations";

/// Creates the ledger if it is missing.
pub(crate) fn ensure(db: &mut Db) -> Result<()> {
    if let Some(table) = tables::metrics(TABLE) {
        let sql = table.create(&quote(TABLE), Engine::InnoDb, db.charset());
        db.run(&sql, ())?;
    }
    Ok(())
}

/// The recorded numbers; none if there is no ledger yet.
pub(crate) fn recorded(db: &mut Db) -> Result<BTreeSet<u16>> {
    if !db.has_table(TABLE)? {
        return Ok(BTreeSet::new());
    }
    let numbers = db.texts("SELECT id FROM migrations", ())?;
    Ok(numbers.iter().filter_map(|number| number.parse().ok()).collect())
}

/// Records a migration as done.
pub(crate) fn record(db: &mut Db, migration: &Migration) -> Result<()> {
    let mut insert = db.insert(Verb::Ignore, TABLE, &["id", "description"]);
    let about = migration.about();
    insert.push([migration.id.into(), schema::text::cut_chars(&about, 255).into()])?;
    insert.finish()?;
    Ok(())
}
