//! What `setup-db` and `migrate` hold while they change the databases themselves: the lock of the machine and the
//! row of the writer, as far as there can be any.

use std::time::Duration;

use anyhow::Result;
use database::writer::{Writer, WriterResult};
use database::{DbError, ErrorKind};
use hub::config::Config;
use hub::lock::{Lock, LockResult};
use kit::{Busy, Messages, door};

/// What a command holds that changes the databases themselves.
#[derive(Debug, Default)]
pub(crate) struct Held {
    _writer: Option<Writer>,
    _lock: Option<Lock>,
}

/// Takes the lock that every writer takes, and the row of the writer in the database; what there can be of them,
/// and what the process that started us does not hold.
///
/// # Errors
/// Somebody else writes ([`Busy`]), or something other than a file is in the lock's place.
pub(crate) fn hold(config: &Config, messages: Messages) -> Result<Held> {
    let path = config.paths.pid_lock();
    let lock = match Lock::ask(&path, Duration::ZERO) {
        Ok(LockResult::Held(lock)) => Some(lock),
        Ok(LockResult::Inherited) => None,
        Ok(LockResult::Busy(holder)) => {
            let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            let text = format!("{who} is writing to the databases ({}), try again later", path.display());
            return Err(Busy(text).into());
        }
        Err(error) if door::is_in_the_way(&error) => return Err(error),
        // the folder of the lock is often made later than the database
        Err(error) => {
            messages.note(format_args!("continuing without a lock: {error:#}"));
            None
        }
    };
    match Writer::ask(&config.target(), Duration::ZERO) {
        Ok(WriterResult::Held(writer)) => Ok(Held { _writer: Some(writer), _lock: lock }),
        Ok(WriterResult::Busy(busy)) => Err(busy.into()),
        Ok(WriterResult::Inherited | WriterResult::Absent(_)) => Ok(Held { _writer: None, _lock: lock }),
        // a database that is not there yet has no row
        Err(error)
            if DbError::of(&error).is_some_and(|e| matches!(e.kind(), ErrorKind::NoDatabase | ErrorKind::Denied)) =>
        {
            Ok(Held { _writer: None, _lock: lock })
        }
        Err(error) => Err(error),
    }
}
