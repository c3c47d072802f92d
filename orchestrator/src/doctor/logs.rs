//! Pending logs: whether they have the expected names, and whether we can read them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kit::path_text;
use logs::discovery::{self, Found, Stream};
use rustix::fs::{Access, access};
use schema::{Month, Stamp};

use super::checked_hub::CheckedHub;
use super::report::Report;
use crate::accounts::Names;

/// A day without requests leaves no log.
const QUIET_DAYS: i64 = 1;

/// Days from one `YYYYMMDD` to another; a large number if one of them is not a day.
fn days_between(from: &str, to: &str) -> i64 {
    let number = |day: &str| {
        let part = |from: usize, to: usize| day.get(from..to)?.parse::<u16>().ok();
        let month = Month::new(part(0, 4)?, u8::try_from(part(4, 6)?).ok()?)?;
        let day = u8::try_from(part(6, 8)?).ok().filter(|day| *day <= month.days())?;
        Stamp::from_parts(month.year(), month.month(), day, 0, 0, 0).day_number()
    };
    number(from).zip(number(to)).map_or(i64::MAX, |(from, to)| to - from)
}

/// A log of a site in the folder `daily/`, or any dated file that is named as an access log.
fn site_of(name: &str) -> Option<&str> {
    let (site, _) = name.split_once("-access").or_else(|| name.split_once("access"))?;
    let is_hidden = name.starts_with('.') || name.starts_with("new-");
    (!is_hidden && discovery::date_of(name).is_some()).then_some(site)
}

/// Names of files below a folder, at most two folders deep.
fn names_below(folder: &Path, depth: u32, list: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder {
            list.push(path_text::name(&entry.file_name()).into_owned());
        } else if depth > 0 {
            names_below(&entry.path(), depth - 1, list);
        }
    }
}

/// The logs of other sites: for each site their number, and the newest by its day.
#[derive(Debug, Default, PartialEq, Eq)]
struct LogsOfOtherSite {
    n: usize,
    day: String,
    name: String,
}

fn others(names: &[String], site: &str) -> BTreeMap<String, LogsOfOtherSite> {
    let mut found: BTreeMap<String, LogsOfOtherSite> = BTreeMap::new();
    for name in names.iter().filter(|name| !discovery::is_of(Stream::Access, Some(site), name)) {
        let Some((site, day)) = site_of(name).zip(discovery::date_of(name)) else { continue };
        let known = found.entry(site.to_owned()).or_default();
        known.n += 1;
        if day >= known.day.as_str() {
            (known.day, known.name) = (day.to_owned(), name.clone());
        }
    }
    found
}

/// The newest day among the site's own logs, pending or imported.
fn newest_of_ours(checked: &CheckedHub<'_>) -> Option<String> {
    let (config, site) = (&checked.hub.config, Some(checked.hub.config.site.name.as_str()));
    let pending = discovery::tree(&config.paths.web_logs().join("daily"), Stream::Access, site).unwrap_or_default();
    let imported = discovery::flat(&checked.hub.imported(Stream::Access), Stream::Access, site).unwrap_or_default();
    pending.iter().chain(&imported).filter_map(Found::date).max().map(str::to_owned)
}

/// Whether logs arrive under the site's name.
pub(super) fn names(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    let daily = config.paths.web_logs().join("daily");
    let mut list = Vec::new();
    names_below(&daily, 2, &mut list);
    let newest = newest_of_ours(checked);
    let others = others(&list, &config.site.name);
    // a server may also have logs of other sites; those that arrive while ours do not are ours under
    // another name
    let is_newer =
        |other: &&LogsOfOtherSite| newest.as_ref().is_none_or(|day| days_between(day, &other.day) > QUIET_DAYS);
    let Some((site, last)) = others.iter().filter(|(_, other)| is_newer(other)).max_by_key(|(_, other)| &other.day)
    else {
        let last = newest.map_or_else(|| "none yet".to_owned(), |day| format!("the newest is of {day}"));
        return report.ok(format_args!("logs: named {}-access*log*, {last}", config.site.name));
    };
    let ours = newest.map_or_else(
        || "none of this site has ever arrived".to_owned(),
        |day| format!("the newest of this site is of {day}"),
    );
    report.fail_ours(
        format_args!(
            "logs: {} has {} log(s) of another name, the newest {}; expected {}-access*log*YYYYMMDD*, and {ours}",
            daily.display(),
            last.n,
            last.name,
            config.site.name
        ),
        format_args!(
            "write `site = {}` in {}, or correct the name in the stanza of logrotate",
            if site.is_empty() { "NAME" } else { site.as_str() },
            config.paths.hubzero_conf().display()
        ),
    );
}

/// Whether this user can read the pending logs.
pub(super) fn readable(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    let names = Names::read(&config.paths);
    let site = Some(config.site.name.as_str());
    let mut locked: Vec<PathBuf> = Vec::new();
    let mut n_logs = 0;
    for (root, stream) in [(config.paths.web_logs(), Stream::Access), (config.paths.cms_logs(), Stream::Auth)] {
        for folder in ["daily", "daily.holding"] {
            match discovery::tree(&root.join(folder), stream, site) {
                Ok(found) => {
                    n_logs += found.len();
                    locked.extend(
                        found.into_iter().map(|log| log.path).filter(|path| access(path, Access::READ_OK).is_err()),
                    );
                }
                Err(error) => {
                    let me = names.me();
                    let fix = format!("setfacl -R -m u:{me}:rwX {}", root.join(folder).display());
                    report.fail_ours(format_args!("logs: {error:#}"), fix);
                }
            }
        }
    }
    let Some(first) = locked.first() else { return report.ok(format_args!("logs: {n_logs} pending, all can be read")) };
    let meta = fs::metadata(first);
    let (owned, fix) = match &meta {
        Ok(meta) => (names.owned(meta), names.let_read(first, meta)),
        Err(error) => (error.to_string(), format!("ls -l {}", first.display())),
    };
    let text = format!(
        "logs: {} of {n_logs} pending cannot be read by {}, the first {} ({owned})",
        locked.len(),
        names.me(),
        first.display()
    );
    report.fail_ours(text, fix);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_between_two_dates_are_counted() {
        assert_eq!(days_between("20250630", "20250702"), 2);
        assert_eq!(days_between("20250702", "20250630"), -2);
        assert_eq!(days_between("20250702", "99999999"), i64::MAX);
    }

    #[test]
    fn logs_of_other_sites_are_counted() {
        let names = [
            "h-access.log-20250701",
            "hub-access.log-20250701",
            "hub-access.log-20250702.gz",
            "access.log-20250630",
            "h-error.log-20250701",
            "new-hub-access.log-20250703",
            "hub-access.log",
            "cmsauth.log-20250701",
        ]
        .map(str::to_owned);
        let found = others(&names, "h");
        let shown: Vec<_> = found.iter().map(|(site, o)| (site.as_str(), o.n, o.name.as_str())).collect();
        assert_eq!(shown, [("", 1, "access.log-20250630"), ("hub", 2, "hub-access.log-20250702.gz")]);
        assert_eq!(others(&names[..1], "h"), BTreeMap::new());
    }
}
