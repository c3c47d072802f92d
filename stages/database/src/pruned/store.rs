//! How a state gets into the table `hz_pruned`: in pieces that nobody refers to, and then one short transaction that
//! says which rows it stands for.
//!
//! Called by `hzmetrics prune`, which lets others write between the pieces. A run that is killed leaves pieces that the
//! next one drops.

use anyhow::Result;
use mysql::Value;
use schema::Month;
use schema::tables::PRUNED;

use super::kept::{Group, Pruned, hash, pieces};
use crate::connection::Db;
use crate::insert::Verb;
use crate::token::random_bits;

/// How many bytes of a state are in one row: a transaction that writes or removes it takes a moment.
const PIECE: usize = 64 << 10;

/// How many pieces of an old state one transaction removes.
const PIECES_AT_ONCE: u32 = 16;

/// How many imports one statement writes down.
const IMPORTS_AT_ONCE: usize = 1_000;

/// A state in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    number: u64,
    hash: String,
    n_pieces: usize,
}

impl Stored {
    /// Stores a state. After each piece others may write if `between` lets them.
    ///
    /// # Errors
    /// The server fails, or `between` does.
    pub fn write(db: &mut Db, state: &[u8], mut between: impl FnMut() -> Result<()>) -> Result<Self> {
        let stored = Self { number: draw()?, hash: hash(state), n_pieces: state.len().div_ceil(PIECE) };
        for (n, piece) in (0_u64..).zip(state.chunks(PIECE)) {
            db.transaction_with_retry("keeping a state", &[PRUNED], |db| {
                let mut insert = db.insert(Verb::Insert, PRUNED, &["kind", "name", "number", "piece"]);
                insert.push([Value::from("state"), stored.number.to_string().into(), n.into(), piece.into()])?;
                insert.finish()?;
                Ok(())
            })?;
            between()?;
        }
        Ok(stored)
    }

    /// Whether the table has what was stored. Reads all of it.
    ///
    /// # Errors
    /// The server fails.
    pub fn is_as_stored(&self, db: &mut Db) -> Result<bool> {
        Ok(hash(&pieces(db, self.number)?) == self.hash)
    }

    /// Whether nobody removed pieces since.
    ///
    /// # Errors
    /// The server fails.
    pub fn is_whole(&self, db: &mut Db) -> Result<bool> {
        let sql = "SELECT COUNT(*) FROM hz_pruned WHERE kind = 'state' AND name = ?";
        let n = db.number(sql, (self.number.to_string(),))?;
        Ok(n.and_then(|n| usize::try_from(n).ok()) == Some(self.n_pieces))
    }

    /// Says that it stands for the rows of `groups` through `through`; from then on nobody reads these rows, and those
    /// through the month of a group may be removed. `lost`: how many rows each import loses by that, by the number of
    /// its entry in the ledger.
    ///
    /// # Errors
    /// The server fails.
    pub fn stand_for(
        &self,
        db: &mut Db,
        groups: &[(Group, Month)],
        through: Month,
        lost: &[(Group, i64, i64)],
    ) -> Result<()> {
        db.transaction_with_retry("noting which months are removed", &[PRUNED], |db| {
            for some in lost.chunks(IMPORTS_AT_ONCE) {
                let line =
                    |(group, entry, n): &(Group, i64, i64)| format!("('import', '{}', {entry}, {n})", group.name());
                let lines: Vec<String> = some.iter().map(line).collect();
                let sql = format!(
                    "INSERT INTO hz_pruned (kind, name, number, value) VALUES {} \
                     ON DUPLICATE KEY UPDATE value = value + VALUES(value)",
                    lines.join(", ")
                );
                db.run(&sql, ())?;
            }
            for (group, rows) in groups {
                let sql = "REPLACE INTO hz_pruned (kind, name, number, value, through, hash, made) \
                           VALUES ('months', ?, 0, ?, ?, ?, NOW()), ('rows', ?, 0, 0, ?, '', NOW())";
                let (name, through) = (group.name(), through.to_string());
                db.run(sql, (name, self.number, through, &self.hash, name, rows.to_string()))?;
            }
            Ok(())
        })
    }
}

/// A number of a state that no other has, also of one that is stored at the same time: `name` holds sixteen digits.
fn draw() -> Result<u64> {
    let [a, b, c, d, e, f, ..] = random_bits()?;
    Ok(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

/// Removes states that nothing refers to: an earlier one, or that of a run that was killed. After each transaction
/// others may write if `between` lets them.
///
/// # Errors
/// The server fails, or `between` does.
pub fn drop_unused(db: &mut Db, mut between: impl FnMut() -> Result<()>) -> Result<()> {
    let used = Pruned::read(db)?;
    let used: Vec<String> =
        Group::ALL.into_iter().filter_map(|group| Some(used.of(group)?.state.to_string())).collect();
    for name in db.texts("SELECT DISTINCT name FROM hz_pruned WHERE kind = 'state'", ())? {
        while !used.contains(&name) && remove_pieces(db, &name)? > 0 {
            between()?;
        }
    }
    Ok(())
}

fn remove_pieces(db: &mut Db, name: &str) -> Result<u64> {
    db.transaction_with_retry("removing a state", &[PRUNED], |db| {
        let which = format!("kind = 'state' AND name = ? LIMIT {PIECES_AT_ONCE}");
        db.delete(PRUNED, &which, (name,))
    })
}
