//! Folders of rehearsals that were killed: they hold copies of logs.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use hub::lock::{Lock, LockResult};
use kit::door;
use rustix::fs::{FileType, Stat};

/// How the names of the folders begin.
pub(super) const PREFIX: &str = "hzmetrics-rehearsal-";

/// The file in the folder that is locked as long as the rehearsal lives: the first that is made there, and the first
/// that goes.
const LOCK: &str = "in-use";

/// An empty folder without that file may be one that is being made.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// Marks a folder as in use, as long as the result lives.
///
/// # Errors
/// The file cannot be made.
pub(super) fn mark(folder: &Path) -> Result<Lock> {
    match Lock::ask(&folder.join(LOCK), Duration::ZERO)? {
        LockResult::Held(lock) => Ok(lock),
        _ => bail!("{} is in use", folder.display()),
    }
}

/// Removes the folders in `place` that are ours and that nobody uses any more, and says which. What cannot be removed
/// stays: a rehearsal does not need it.
pub(super) fn remove(place: &Path, tell: &dyn Fn(&str)) {
    for name in door::list(place).unwrap_or_default() {
        let path = place.join(&name);
        if !is_ours(&name, &path).unwrap_or(false) || !is_left(&path).unwrap_or(false) {
            continue;
        }
        let shown = path.display();
        // its links are not followed
        match std::fs::remove_dir_all(&path) {
            Ok(()) => tell(&format!("removed {shown}, left by a rehearsal that was killed")),
            Err(error) => tell(&format!("{shown}, left by a rehearsal that was killed, cannot be removed: {error}")),
        }
    }
}

/// Whether it is a folder of such a name that nobody else can have made or changed.
fn is_ours(name: &OsStr, path: &Path) -> Result<bool> {
    if !name.to_string_lossy().starts_with(PREFIX) {
        return Ok(false);
    }
    let Some(stat) = door::look(path)? else { return Ok(false) };
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    Ok(is_folder && stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o022 == 0)
}

/// Whether nobody uses it.
fn is_left(path: &Path) -> Result<bool> {
    let lock = path.join(LOCK);
    if door::look(&lock)?.is_none() {
        // with anything else in it, the rehearsal was killed while it removed the rest
        return Ok(!door::list(path)?.is_empty() || door::look(path)?.is_some_and(|stat| is_old(&stat)));
    }
    Ok(matches!(Lock::ask(&lock, Duration::ZERO)?, LockResult::Held(_)))
}

fn is_old(stat: &Stat) -> bool {
    let age = kit::seconds_since_1970().unwrap_or(0).saturating_sub(stat.st_mtime);
    age > i64::try_from(OLD.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_our_own_folders_that_nobody_uses_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = place.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let names = [("left", 0o700), ("going", 0o700), ("used", 0o700), ("new", 0o700), ("open", 0o775)];
        let [left, going, used, new, open] = names.map(|(name, mode)| make(&format!("{PREFIX}{name}"), mode));
        let other = make("others", 0o700);
        for path in [&left, &going, &used, &open, &other] {
            fs::create_dir_all(path.join("var/log")).unwrap();
        }
        let old = make(&format!("{PREFIX}old"), 0o700);
        fs::File::open(&old).unwrap().set_modified(SystemTime::now() - 2 * OLD).unwrap();
        std::os::unix::fs::symlink(&other, left.join("link")).unwrap();
        std::os::unix::fs::symlink(&other, place.path().join(format!("{PREFIX}link"))).unwrap();
        for path in [&left, &open, &other] {
            fs::write(path.join(LOCK), "4194399 1 2026-01-01T00:00:00.000+00:00\n").unwrap();
        }
        let lock = mark(&used).unwrap();
        let said = std::cell::RefCell::new(Vec::new());
        remove(place.path(), &|text| said.borrow_mut().push(text.to_owned()));
        assert_eq!(said.borrow().len(), 3, "{said:?}");
        assert!(!left.exists() && !going.exists() && !old.exists());
        assert!(used.join("var/log").exists() && new.exists() && open.exists() && other.join("var/log").exists());
        drop(lock);
    }
}
