//! Values that are first used long after a program has started, or are replaced by a default: what is wrong with them.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::Result;
use hub::config::{Config, Setting, mode_of_pages};
use hub::identity::{self, Owner};
use hub::statsd;
use kit::door::named;
use schema::Month;

use crate::prune::bounds::Bounds;

/// What is wrong with values, each with the place where it is set.
///
/// # Errors
/// The date is not known.
pub(super) fn complaints(config: &Config) -> Result<Vec<String>> {
    let month = kit::current_month()?;
    let found = config.settings().iter().filter_map(|setting| {
        let why = wrong(setting, config)?;
        Some(format!("{}: [{}] {}: {why}", setting.origin, setting.key.section, setting.name))
    });
    Ok(found.chain(of_several(config, month)).collect())
}

/// What is wrong with keys that belong together.
fn of_several(config: &Config, month: Month) -> impl Iterator<Item = String> {
    let privacy = config.privacy.hashing().err().map(|why| why.to_string());
    let retention = Bounds::read(&config.retention, month).err().map(|why| why.to_string());
    privacy.into_iter().chain(retention)
}

/// What is wrong with one value.
fn wrong(setting: &Setting, config: &Config) -> Option<String> {
    let text = setting.shown().trim();
    if text.is_empty() || text == setting.key.default {
        return None;
    }
    match (setting.key.section, setting.key.name) {
        ("dns", "nameserver") => {
            (!is_name_server(text)).then(|| format!("`{text}` is neither `system` nor ADDRESS[:PORT]"))
        }
        ("dns", "concurrency") => {
            (!text.parse().is_ok_and(|n: u32| n > 0)).then(|| format!("`{text}` is not a number of lookups"))
        }
        ("dns", "timeout") => (!text.parse().is_ok_and(|n: f64| n > 0.0 && n.is_finite()))
            .then(|| format!("`{text}` is not a number of seconds")),
        ("db", "ssl_ca" | "ssl_cert" | "ssl_key") | ("logs", "geoip") | ("report", "logo") => {
            named::open(Path::new(text)).err().map(|why| format!("reading {text}: {why}"))
        }
        ("dns", "cache") | ("metrics", "textfile") => of_file(Path::new(text)),
        ("report", "path") | ("retention", "rejects_path") => of_absolute(Path::new(text)),
        ("report", "mode") => mode_of_pages(text).err().map(|why| format!("`{text}` is not {why}")),
        ("report", "owner") => Owner::parse(text).err().map(|why| why.to_string()),
        ("run", "user") => identity::check_user(text).err().map(|why| why.to_string()),
        ("metrics", "statsd") => statsd::check(text).err(),
        ("notify", "heartbeat_url") => serve::check_address(config.notify.heartbeat_url.as_deref()?).err(),
        _ => None,
    }
}

fn is_name_server(text: &str) -> bool {
    text.eq_ignore_ascii_case("system") || text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
}

/// A program starts in any folder.
fn of_absolute(path: &Path) -> Option<String> {
    (!path.is_absolute()).then(|| format!("{} is not an absolute path", path.display()))
}

/// A file that is made.
fn of_file(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.is_dir());
    of_absolute(path).or_else(|| folder.map(|folder| format!("there is no folder {}", folder.display())))
}
