//! The table `userlogin_lite`: the rows of `userlogin` that are logins or simulations.

use anyhow::{Context as _, Result};
use database::{Db, Target, Which};
use schema::tables::{self, Engine, quote};

const TABLE: &str = "userlogin_lite";
const SOURCE: &str = "userlogin";

/// Rebuilds the table next to the old one and swaps their names: readers see one or the other. The
/// indexes are those of the original, or of the port.
pub(super) fn rebuild(target: &Target, as_port: bool) -> Result<u64> {
    let mut db = Db::connect(target, Which::Metrics)?;
    db.require(&[SOURCE])?;
    db.from_scratch(|db| replace(db, as_port))
}

fn replace(db: &mut Db, as_port: bool) -> Result<u64> {
    let engine = db.engine(SOURCE)?;
    db.restore(TABLE)?;
    let (new, old) = (db.beside(TABLE)?, format!("{TABLE}__old"));
    db.run(&format!("DROP TABLE IF EXISTS {new}, {old}"), ())?;
    let rows = fill(db, &new, engine.as_deref())?;
    let keys = if as_port {
        "ADD INDEX (`uidNumber`), ADD INDEX (`datetime`, `user`)"
    } else {
        "ADD INDEX (`user`), ADD INDEX (`uidNumber`), ADD INDEX (`datetime`)"
    };
    db.run(&format!("ALTER TABLE {new} {keys}"), ())?;
    let aside = if db.has_table(TABLE)? { format!("{TABLE} TO {old}, ") } else { String::new() };
    db.rename(&format!("{aside}{new} TO {TABLE}"))?;
    db.run(&format!("DROP TABLE IF EXISTS {old}"), ())?;
    Ok(rows)
}

/// Creates the table as it is defined, whatever the old one was, so that it has its key.
fn fill(db: &mut Db, new: &str, engine: Option<&str>) -> Result<u64> {
    let table = tables::metrics(TABLE).context("the table is not defined")?;
    let engine = engine.and_then(|name| name.parse().ok()).unwrap_or(Engine::InnoDb);
    let visible = || table.columns.iter().filter(|column| !column.invisible);
    let columns: Vec<String> = visible().map(|column| quote(column.name)).collect();
    let columns = columns.join(", ");
    let bare = tables::Table { keys: table.keys.get(..1).unwrap_or_default(), ..*table };
    db.run(&bare.create(&quote(new), engine, db.charset()), ())?;
    let rows = format!("SELECT {columns} FROM {SOURCE} WHERE action IN ('login', 'simulation')");
    Ok(db.run(&format!("INSERT INTO {new} ({columns}) {rows}"), ())?)
}
