//! The site's name, the configuration file, its content, and who may read it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use hub::config::Quotes;

use super::checked_hub::CheckedHub;
use super::report::Report;
use crate::accounts::Names;

/// The values without which there is no database: their names here, and whether they are missing.
const MANDATORY: [&str; 4] = ["host", "user", "password", "metrics_db"];

/// `site = NAME`, the start of log file names.
pub(super) fn site(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    if config.site.explicit {
        return report.ok(format_args!("site: {}", config.site.name));
    }
    let conf = config.paths.hubzero_conf();
    report.fail(
        format_args!("site: no line `site = NAME` in {} (not repaired by --fix)", conf.display()),
        format_args!("add `site = NAME` to {}; the names of the access logs begin with it", conf.display()),
    );
}

/// There is a file, it can be read, and it has the mandatory values.
pub(super) fn readable(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    if let Some(trouble) = &checked.hub.trouble {
        let fix = "correct the line, or let this user read the file: chgrp GROUP FILE; chmod 640 FILE";
        return report.fail(format_args!("configuration: {trouble} (not repaired by --fix)"), fix);
    }
    let Some(file) = &config.file else {
        let fix = format!(
            "write {} with hub_db, metrics_db, db_host, db_user, db_pass and hub_dir",
            config.paths.etc().join("access.cfg").display()
        );
        return report.fail("configuration: there is none (not repaired by --fix)", fix);
    };
    let is_missing =
        [&*config.db_host, &config.db_user, config.db_pass.reveal(), &config.metrics_db].map(str::is_empty);
    let missing: Vec<&str> =
        MANDATORY.into_iter().zip(is_missing).filter_map(|(name, is_missing)| is_missing.then_some(name)).collect();
    let shown = file.display();
    if missing.is_empty() && config.hub_db.is_empty() {
        let text = format_args!("configuration: {shown} lacks hub_db (not repaired by --fix)");
        return report.fail_ours(text, format_args!("add hub_db, the database of the CMS, to {shown}"));
    }
    if missing.is_empty() {
        return report.ok(format_args!("configuration: {shown}"));
    }
    let missing = missing.join(", ");
    report.fail(
        format_args!("configuration: {shown} lacks {missing} (not repaired by --fix)"),
        format_args!("add {missing} to {shown}"),
    );
}

/// Values in `access.cfg` that are ignored because of the way they are written.
pub(super) fn values(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let Some(file) = &checked.hub.config.file else { return };
    for odd in checked.hub.config.misquoted() {
        let how = match odd.quotes {
            Quotes::Double => "in double quotes",
            Quotes::None => "without quotes",
        };
        report.fail_ours(
            format_args!(
                "configuration: {}, line {}: {} has its value {how}; access.cfg knows single quotes only",
                file.display(),
                odd.line,
                odd.key
            ),
            format_args!("write ${} = 'VALUE'; in line {}", odd.key, odd.line),
        );
    }
}

/// The metrics database is not the hub's.
pub(super) fn two_databases(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    let (hub, metrics) = (&config.hub_db, &config.metrics_db);
    let Some(file) = config.file.as_ref().filter(|_| !hub.is_empty() && hub.eq_ignore_ascii_case(metrics)) else {
        return;
    };
    report.fail_ours(
        format_args!("databases: metrics_db and hub_db are both {hub} in {}; nothing is written there", file.display()),
        format_args!("give the metrics a database of their own, as metrics_db = {hub}_metrics in {}", file.display()),
    );
}

/// Only its owner and its group can read a file with a secret, or write a configuration.
pub(super) fn secrecy(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    let names = Names::read(&config.paths);
    let mut open: Vec<(PathBuf, String)> = config
        .exposed()
        .into_iter()
        .map(|open| (open.path, format!("with {} can be read by everybody", open.secret)))
        .collect();
    let beside = config.paths.etc().join("hzmetrics.conf");
    if fs::metadata(&beside).is_ok_and(|meta| meta.mode() & 0o002 != 0) && !open.iter().any(|(path, _)| *path == beside)
    {
        open.push((beside, "can be written by everybody".to_owned()));
    }
    for (path, what) in open {
        let owned = fs::metadata(&path).map_or_else(|error| error.to_string(), |meta| names.owned(&meta));
        let path = path.display();
        report.fail_ours(format_args!("secrecy: {path} {what} (mode {owned})"), format_args!("chmod o-rwx {path}"));
    }
}

/// The key of the geo service is sent with each request.
pub(super) fn geo_url(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    let url = &config.geo_url;
    if !url.trim_start().to_ascii_lowercase().starts_with("http://") {
        return;
    }
    let file = config.file.as_ref().map_or_else(String::new, |file| format!(" in {}", file.display()));
    report.warn(
        format_args!(
            "geo service: {url}{file} is queried without encryption: addresses and the key can be read on the way"
        ),
        format_args!("hubzero_ipgeo_url = {}", url.replacen("http://", "https://", 1)),
    );
}
