//! Every key that is set, and where: for `hzmetrics config`, and for the options that stages are given.

use std::fmt;
use std::path::{Path, PathBuf};

use schema::keys::{self, KEYS, Key, Value};

use super::access::Access;
use super::env::{Env, is_of_our_log};
use super::ini::Ini;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file and a line of it.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment, {name}"),
        }
    }
}

/// A key that is set.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// Its name in the file; that of the key, but for keys with any name.
    pub name: String,
    /// Its value as it is written. Never shown for a secret: see [`Setting::shown`].
    value: String,
    /// Where it comes from.
    pub origin: Origin,
}

// passwords are shown nowhere
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {} = {} ({})", self.key.section, self.name, self.shown(), self.origin)
    }
}

impl Setting {
    /// The value, for whoever reads over a shoulder.
    #[must_use]
    pub fn shown(&self) -> &str {
        match self.key.value {
            Value::Secret if !self.value.is_empty() => "(not shown)",
            _ => &self.value,
        }
    }

    /// The values, as an option is given them.
    pub(crate) fn values(&self) -> Vec<&str> {
        match self.key.value {
            Value::List => self.value.split(',').map(str::trim).filter(|value| !value.is_empty()).collect(),
            _ => vec![self.value.as_str()],
        }
    }
}

/// A line of a file that sets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The file.
    pub path: PathBuf,
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// What the files and the environment set.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) list: Vec<Setting>,
    pub(super) strays: Vec<Stray>,
}

impl Settings {
    fn set(&mut self, key: &'static Key, name: &str, value: &str, origin: Origin) {
        self.list.retain(|known| known.key != key || known.name != name);
        self.list.push(Setting { key, name: name.to_owned(), value: value.to_owned(), origin });
    }

    fn stray(&mut self, path: &Path, line: usize, what: String) {
        self.strays.push(Stray { path: path.to_owned(), line, what });
    }

    /// What `access.cfg` sets. It may hold variables of others.
    pub(super) fn take_access(&mut self, access: &Access, path: &Path) {
        for key in KEYS {
            let Some(name) = key.access else { continue };
            for spelled in [name.to_owned(), format!("db_{name}")] {
                if let Some((value, line)) = access.place(&spelled) {
                    self.set(key, key.name, value, Origin::File(path.to_owned(), line));
                }
            }
        }
    }

    /// What an INI file sets; `beside` an `access.cfg` it does not name the hub and the databases.
    pub(super) fn take_ini(&mut self, ini: &Ini, path: &Path, beside: bool) {
        for (section, name, value, line) in ini.all() {
            let known = keys::find(section, name).or_else(|| keys::find(section, &name.replace('-', "_")));
            match known {
                Some(key) if beside && is_of_access(key) => {
                    let what = format!("[{section}] {name} is not read beside an access.cfg");
                    self.stray(path, line, what);
                }
                Some(key) => {
                    let name = if key.name == "*" { name } else { key.name };
                    self.set(key, name, value, Origin::File(path.to_owned(), line));
                }
                None => {
                    let like = keys::nearest(section, name);
                    let like = like.map_or_else(String::new, |like| format!("; did you mean `{like}`?"));
                    self.stray(path, line, format!("[{section}] {name} is not a key{like}"));
                }
            }
        }
        for (section, line) in ini.others() {
            let names = keys::SECTIONS.iter().map(|(name, _)| *name);
            let like = schema::near::nearest(&section.to_lowercase(), names);
            let like = like.map_or_else(String::new, |like| format!("; did you mean `[{like}]`?"));
            self.stray(path, *line, format!("[{section}] is not a section, what is in it is not read{like}"));
        }
        self.strays.sort_by_key(|stray| stray.line);
    }

    /// What the environment sets.
    pub(super) fn take_environment(&mut self, env: Env<'_>) {
        for key in KEYS {
            let Some(variable) = key.variable else { continue };
            let value = env(variable).map(|value| value.to_string_lossy().trim().to_owned());
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            // this value has another meaning
            if is_of_our_log(variable, &value) {
                continue;
            }
            // what is not a number leaves the level below, as for reverse DNS
            if key.value == Value::Number && !value.parse::<f64>().is_ok_and(|n| n > 0.0) {
                continue;
            }
            self.set(key, key.name, &value, Origin::Environment(variable));
        }
    }
}

/// Whether a key belongs into `access.cfg` where there is one: those of encrypted connections may be in both.
fn is_of_access(key: &Key) -> bool {
    matches!(key.section, "hub" | "db") && !key.name.starts_with("ssl_") && key.name != "tls"
}
