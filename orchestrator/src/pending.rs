//! Logs that wait for their import, and logs that were imported: one a day and stream.
//!
//! `daily/` at any depth comes before `daily.holding/`, the smallest path before others; who loses
//! stays where it is until the winner has been moved away.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use kit::discovery::{self, Found, Stream};

use crate::hub::Hub;

/// A log of a day, `YYYYMMDD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) day: String,
    pub(crate) path: PathBuf,
}

/// The pending logs of a stream, by day.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn logs(hub: &Hub, stream: Stream) -> Result<Vec<Dated>> {
    let paths = &hub.config.paths;
    let root = match stream {
        Stream::Access => paths.web_logs(),
        Stream::Auth => paths.cms_logs(),
    };
    let site = Some(hub.config.site.name.as_str());
    let mut kept: Vec<Dated> = Vec::new();
    for found in [
        discovery::tree(&root.join("daily"), stream, site)?,
        discovery::flat(&root.join("daily.holding"), stream, site)?,
    ] {
        for next in dated(found) {
            match kept.iter().find(|known| known.day == next.day) {
                None => kept.push(next),
                Some(known) => hub.log.warning(format_args!(
                    "duplicate {} log for {}: keeping {}, ignoring {}",
                    stream.name(),
                    next.day,
                    known.path.display(),
                    next.path.display()
                )),
            }
        }
    }
    kept.sort_by(|a, b| a.day.cmp(&b.day));
    Ok(kept)
}

/// Those that have a day in their name, by day and path.
pub(crate) fn dated(found: Vec<Found>) -> Vec<Dated> {
    let with_day = |log: Found| Some(Dated { day: log.date()?.to_owned(), path: log.path });
    let mut list: Vec<_> = found.into_iter().filter_map(with_day).collect();
    list.sort_by(|a, b| (&a.day, &a.path).cmp(&(&b.day, &b.path)));
    list
}

/// What is pending of both streams.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) access: Vec<Dated>,
    pub(crate) auth: Vec<Dated>,
}

impl Pending {
    /// Looks at the folders.
    ///
    /// # Errors
    /// One cannot be read.
    pub(crate) fn look(hub: &Hub) -> Result<Self> {
        Ok(Self { access: logs(hub, Stream::Access)?, auth: logs(hub, Stream::Auth)? })
    }

    /// The days that begin with `head` and have a log of either stream.
    pub(crate) fn days(&self, head: &str) -> Vec<String> {
        let days: BTreeSet<_> = self.access.iter().chain(&self.auth).map(|log| log.day.as_str()).collect();
        days.into_iter().filter(|day| day.starts_with(head)).map(str::to_owned).collect()
    }

    /// The logs of a day, the access log first.
    pub(crate) fn of_day<'a>(&'a self, day: &'a str) -> impl Iterator<Item = (Stream, &'a Dated)> {
        let access = self.access.iter().map(|log| (Stream::Access, log));
        access.chain(self.auth.iter().map(|log| (Stream::Auth, log))).filter(move |(_, log)| log.day == day)
    }
}

/// The newest day among the imported access logs.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn last_imported(hub: &Hub) -> Result<Option<String>> {
    let found = discovery::flat(&hub.imported_web(), Stream::Access, Some(hub.config.site.name.as_str()))?;
    Ok(dated(found).pop().map(|log| log.day))
}
