//! The table `userlogin_lite`: the rows of `userlogin` that are logins or simulations.

use anyhow::Result;
use database::{Db, Target, Which};
use schema::tables::quote;

const TABLE: &str = "userlogin_lite";
const SOURCE: &str = "userlogin";

/// Rebuilds the table next to the old one and swaps their names: readers see one or the other. The
/// indexes are those of the original, or of the port.
pub(super) fn rebuild(target: &Target, as_port: bool) -> Result<u64> {
    let mut db = Db::connect(target, Which::Metrics)?;
    db.require(&[SOURCE])?;
    let engine = db.engine(SOURCE)?;
    db.restore(TABLE)?;
    let (new, old) = (db.beside(TABLE)?, format!("{TABLE}__old"));
    db.run(&format!("DROP TABLE IF EXISTS {new}, {old}"), ())?;
    let engine = quote(&engine.unwrap_or_default());
    let rows = db.run(
        &format!("CREATE TABLE {new} ENGINE={engine} SELECT * FROM {SOURCE} WHERE action IN ('login', 'simulation')"),
        (),
    )?;
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
