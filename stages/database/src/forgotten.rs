//! The list of the forgotten for programs that write to the tables. The state says how long it is, so that a machine
//! that lacks the list, or has an old one, imports nobody who was forgotten.

use anyhow::{Result, ensure};
use hub::config::Config;
use hub::forgotten::Forgotten;

use crate::{Db, Verb};

/// The state, and the key in it that holds the number of entries.
const STATE: &str = "pipeline_state";
const KEY: &str = "forgotten";

/// The list, if anybody was forgotten.
///
/// # Errors
/// It is missing, shorter than the state says, or damaged; or the server fails.
pub fn list(db: &mut Db, config: &Config) -> Result<Option<Forgotten>> {
    let path = config.paths.forgotten();
    let list = Forgotten::read(&path)?;
    let n_found = list.as_ref().map_or(0, Forgotten::len);
    let n_known = if db.has_table(STATE)? {
        db.number("SELECT CAST(v AS unsigned) FROM pipeline_state WHERE k = ?", (KEY,))?
    } else {
        None
    };
    ensure!(
        n_known.is_none_or(|n| u64::try_from(n).unwrap_or(0) <= n_found as u64),
        "people were forgotten, and {} does not know all of them: copy it from the machine where `hzmetrics forget-user` ran",
        path.display()
    );
    Ok(list.filter(|list| !list.is_empty()))
}

/// Notes how long the list is.
///
/// # Errors
/// The server fails, or it has no state.
pub fn note(db: &mut Db, list: &Forgotten) -> Result<()> {
    db.require(&[STATE])?;
    let mut insert = db.insert(Verb::Replace, STATE, &["k", "v"]);
    insert.push([KEY.into(), list.len().to_string().into()])?;
    insert.finish()?;
    Ok(())
}
