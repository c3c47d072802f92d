//! Logs that wait to be imported, and logs that were imported: one per day and stream.
//!
//! If a day has several logs, those in `daily/` come before those in `daily.holding/`, then the smallest
//! path comes first. The others stay until the first one is moved away.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use logs::discovery::{self, Found, Stream};

use super::refusals;
use crate::hub::Hub;

/// A log of a day, `YYYYMMDD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) day: String,
    pub(crate) path: PathBuf,
}

/// The pending logs of a stream by day, without refused ones that are unchanged.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn logs(hub: &Hub, stream: Stream) -> Result<Vec<Dated>> {
    let refused = refusals::settled(hub)?;
    in_folder(&hub.logs(stream), stream, &hub.config.site.name, &refused, |kept, left| {
        hub.log.warning(format_args!(
            "duplicate {} log for {}: keeping {}, ignoring {}",
            stream.name(),
            left.day,
            kept.path.display(),
            left.path.display()
        ));
    })
}

/// The same for who looks often: nothing is said.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn logs_in_silence(hub: &Hub, stream: Stream) -> Result<Vec<Dated>> {
    in_folder(&hub.logs(stream), stream, &hub.config.site.name, &refusals::settled(hub)?, |_, _| {})
}

/// The logs of a stream below the folder with `daily/`, by day; `twice` is called with a log that
/// is kept and another log of the same day that is not.
fn in_folder(
    root: &Path,
    stream: Stream,
    site: &str,
    refused: &HashSet<PathBuf>,
    mut twice: impl FnMut(&Dated, &Dated),
) -> Result<Vec<Dated>> {
    let mut kept: Vec<Dated> = Vec::new();
    for found in [
        discovery::tree(&root.join("daily"), stream, Some(site))?,
        discovery::flat(&root.join("daily.holding"), stream, Some(site))?,
    ] {
        for next in dated(found).into_iter().filter(|log| !refused.contains(&log.path)) {
            match kept.iter().find(|known| known.day == next.day) {
                None => kept.push(next),
                Some(known) => twice(known, &next),
            }
        }
    }
    kept.sort_by(|a, b| a.day.cmp(&b.day));
    Ok(kept)
}

/// Those with a day in their name, by day and path.
pub(crate) fn dated(found: Vec<Found>) -> Vec<Dated> {
    let with_day = |log: Found| Some(Dated { day: log.date()?.to_owned(), path: log.path });
    let mut list: Vec<_> = found.into_iter().filter_map(with_day).collect();
    list.sort_by(|a, b| (&a.day, &a.path).cmp(&(&b.day, &b.path)));
    list
}

/// The pending logs of both streams.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) access: Vec<Dated>,
    pub(crate) auth: Vec<Dated>,
}

impl Pending {
    /// Reads the folders.
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
    let found = discovery::flat(&hub.imported(Stream::Access), Stream::Access, Some(hub.config.site.name.as_str()))?;
    Ok(dated(found).pop().map(|log| log.day))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with `httpd/` and `hubzero/` in it.
    struct Logs(tempfile::TempDir);

    impl Logs {
        fn new(names: &[&str]) -> Self {
            let logs = Self(tempfile::tempdir().unwrap());
            for name in names {
                let path = logs.0.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
            logs
        }

        fn pending(&self) -> Pending {
            let of = |folder, stream| {
                in_folder(&self.0.path().join(folder), stream, "h", &HashSet::new(), |_, _| {}).unwrap()
            };
            Pending { access: of("httpd", Stream::Access), auth: of("hubzero", Stream::Auth) }
        }

        /// Day and path of pending logs, and the logs left out in favour of others.
        #[track_caller]
        fn check(&self, stream: Stream, expected: &[(&str, &str)], left: &[&str]) {
            let root = self.0.path().join(if stream == Stream::Access { "httpd" } else { "hubzero" });
            let mut twice = Vec::new();
            let place = |log: &Dated| log.path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let found = in_folder(&root, stream, "h", &HashSet::new(), |kept, other| {
                assert_eq!(kept.day, other.day);
                twice.push(place(other));
            });
            let found: Vec<_> = found.unwrap().iter().map(|log| (log.day.clone(), place(log))).collect();
            let found: Vec<_> = found.iter().map(|(day, place)| (day.as_str(), place.as_str())).collect();
            assert_eq!(
                (found.as_slice(), twice.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
                (expected, left)
            );
        }
    }

    #[test]
    fn logs_of_each_stream_are_found_by_day_in_all_folders() {
        let logs = Logs::new(&[
            "httpd/daily/h-access.log-20240703.gz",
            "httpd/daily/h-access_log-20240702",
            "httpd/daily/2021/h-access-20210930.log.gz",
            "httpd/daily/2021/more/h-access-20210401.log.zst",
            "httpd/daily/2022/h-access-20220101.log",
            "httpd/daily.holding/h-access.log-20231231.gz",
            "httpd/daily.holding/h-access.log-20240701",
            "hubzero/daily/cmsauth.log-20240703",
            "hubzero/daily.holding/cmsauth.log-20231230.gz",
            // another site, another kind, no day, a folder that is too deep
            "httpd/daily/other-access.log-20240704",
            "httpd/daily/new-h-access.log-20240704",
            "httpd/daily/h-error.log-20240704",
            "httpd/daily/h-access.log",
            "httpd/daily/h-access.log-2024-07-04",
            "httpd/daily.holding/2024/h-access.log-20240704",
            "httpd/imported/h-access.log-20240704",
            "hubzero/daily/cmsdebug.log-20240704",
        ]);
        let access = [
            ("20210401", "daily/2021/more/h-access-20210401.log.zst"),
            ("20210930", "daily/2021/h-access-20210930.log.gz"),
            ("20220101", "daily/2022/h-access-20220101.log"),
            ("20231231", "daily.holding/h-access.log-20231231.gz"),
            ("20240701", "daily.holding/h-access.log-20240701"),
            ("20240702", "daily/h-access_log-20240702"),
            ("20240703", "daily/h-access.log-20240703.gz"),
        ];
        logs.check(Stream::Access, &access, &[]);
        let auth = [("20231230", "daily.holding/cmsauth.log-20231230.gz"), ("20240703", "daily/cmsauth.log-20240703")];
        logs.check(Stream::Auth, &auth, &[]);
    }

    #[test]
    fn empty_folders_have_no_pending_logs() {
        let logs = Logs::new(&[]);
        logs.check(Stream::Access, &[], &[]);
        logs.check(Stream::Auth, &[], &[]);
        assert_eq!(logs.pending().days(""), [""; 0]);
    }

    #[test]
    fn a_day_has_one_pending_log_per_stream() {
        let logs = Logs::new(&[
            "httpd/daily/h-access.log-20240702",
            "httpd/daily.holding/h-access.log-20240702",
            "httpd/daily.holding/h-access.log-20240702.gz",
            "httpd/daily/h-access.log-20240101",
            "httpd/daily/2024/h-access.log-20240101.gz",
            "httpd/daily/h-access-ssl.log-20240103",
            "httpd/daily/h-access.log-20240103",
            // the other stream is independent
            "hubzero/daily/cmsauth.log-20240702",
        ]);
        // daily/ before daily.holding/, then by path
        let kept = [
            ("20240101", "daily/2024/h-access.log-20240101.gz"),
            ("20240103", "daily/h-access-ssl.log-20240103"),
            ("20240702", "daily/h-access.log-20240702"),
        ];
        let left = [
            "daily/h-access.log-20240101",
            "daily/h-access.log-20240103",
            "daily.holding/h-access.log-20240702",
            "daily.holding/h-access.log-20240702.gz",
        ];
        logs.check(Stream::Access, &kept, &left);
        // once the first has been moved away it is their turn
        std::fs::remove_file(logs.0.path().join("httpd").join(kept[2].1)).unwrap();
        logs.check(Stream::Access, &[kept[0], kept[1], ("20240702", left[2])], &[left[0], left[1], left[3]]);
    }

    #[test]
    fn days_have_a_log_of_either_stream() {
        let logs = Logs::new(&[
            "httpd/daily/h-access.log-20231201.gz",
            "httpd/daily/2023/h-access.log-20231202.gz",
            "httpd/daily.holding/h-access.log-20240115.gz",
            "hubzero/daily/cmsauth.log-20231202",
            "hubzero/daily/cmsauth.log-20231203",
            "hubzero/daily/cmsauth.log-20211215",
        ]);
        let pending = logs.pending();
        for (month, days) in [
            ("202312", &["20231201", "20231202", "20231203"][..]),
            // only logins
            ("202112", &["20211215"]),
            // only in daily.holding/
            ("202401", &["20240115"]),
            ("202402", &[]),
            ("", &["20211215", "20231201", "20231202", "20231203", "20240115"]),
        ] {
            assert_eq!(pending.days(month), days, "{month}");
        }
        let streams: Vec<_> = pending.of_day("20231202").map(|(stream, _)| stream).collect();
        assert_eq!(streams, [Stream::Access, Stream::Auth]);
        assert_eq!(pending.of_day("20211215").count(), 1);
    }
}
