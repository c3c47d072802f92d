//! Whether the disks have room for a rehearsal, before it begins. Where it cannot be seen, nothing is said.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use database::{Db, Target, Which};
use rustix::fs::statvfs;
use schema::tables::quote;

use super::logs::Archived;
use super::months::Months;

/// How much larger a log is than its compressed form; made-up logs are compressed to a tenth, real ones to a fifth.
const COMPRESSED: u64 = 6;

/// Room for copies of the logs, and for what they are staged to, in the folder for temporary files.
///
/// # Errors
/// There is not enough of it.
pub(super) fn for_logs(list: &[Archived]) -> Result<()> {
    let plain = list.iter().map(|log| log.bytes().saturating_mul(if log.is_compressed() { COMPRESSED } else { 1 }));
    let copies = list.iter().map(Archived::bytes);
    let place = std::env::temp_dir();
    check(&place, plain.chain(copies).sum(), "copies of the logs", "set TMPDIR to another folder")
}

/// Room for the shadow databases in the folder of the server, if the server runs on this machine: they take as much as
/// the real tables up to the end of the months.
///
/// # Errors
/// There is not enough of it, or the server fails.
pub(super) fn for_tables(admin: &Target, months: Months) -> Result<()> {
    let mut db = Db::connect(admin, Which::Metrics)?;
    let settings = db.texts("SELECT @@hostname UNION ALL SELECT @@datadir", ())?;
    let [host, folder] = settings.as_slice() else { return Ok(()) };
    let here = rustix::system::uname();
    if here.nodename().to_string_lossy() != *host {
        return Ok(());
    }
    let sql = "SELECT CAST(SUM(data_length + index_length) AS unsigned) FROM information_schema.tables \
               WHERE table_schema = DATABASE()";
    let all = db.number(sql, ())?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let needed = u64::try_from(u128::from(all) * u128::from(share(&mut db, months)?) / 1000).unwrap_or(all);
    let what = format!("the shadow of {}", quote(&admin.metrics_db));
    check(&PathBuf::from(folder), needed, &what, "rehearse earlier months, or make room")
}

/// How many in a thousand of the requests are of the months and of those before: rows are numbered as they came.
fn share(db: &mut Db, months: Months) -> Result<u64> {
    if !db.has_table("web")? {
        return Ok(1000);
    }
    let mut id = |sql: &str| Ok::<_, anyhow::Error>(db.number(sql, ())?.and_then(|n| u64::try_from(n).ok()));
    let until = format!("SELECT id FROM web WHERE datetime < '{}' ORDER BY datetime DESC LIMIT 1", months.bounds().1);
    let (last, first) = (id("SELECT MAX(id) FROM web")?, id("SELECT MIN(id) FROM web")?);
    let (Some(last), Some(first), Some(until)) = (last, first, id(&until)?) else { return Ok(1000) };
    let part = until.saturating_sub(first).saturating_mul(1000);
    Ok(part.checked_div(last.saturating_sub(first)).unwrap_or(1000).min(1000))
}

/// Fails if a place has less room than is needed.
fn check(place: &Path, needed: u64, what: &str, advice: &str) -> Result<()> {
    let Ok(disk) = statvfs(place) else { return Ok(()) };
    refuse(place, disk.f_bavail.saturating_mul(disk.f_frsize), needed, what, advice)
}

fn refuse(place: &Path, free: u64, needed: u64, what: &str, advice: &str) -> Result<()> {
    if free < needed {
        bail!(
            "{what} would take about {} bytes in {}, where {} are free: {advice}",
            kit::grouped(needed),
            place.display(),
            kit::grouped(free)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_said_before() {
        let place = Path::new("/var/lib/mysql");
        assert!(refuse(place, 5000, 5000, "copies of the logs", "x").is_ok());
        let error = refuse(place, 4999, 5000, "copies of the logs", "set TMPDIR to another folder").unwrap_err();
        assert_eq!(
            error.to_string(),
            "copies of the logs would take about 5,000 bytes in /var/lib/mysql, where 4,999 are free: set TMPDIR to \
             another folder"
        );
        assert!(check(place.join("none").as_path(), u64::MAX, "x", "x").is_ok(), "what cannot be seen");
        assert!(check(Path::new("/"), u64::MAX, "x", "x").is_err());
    }
}
