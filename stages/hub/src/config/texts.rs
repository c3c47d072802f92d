//! The texts of the configuration files. They are read here, or inherited through a file descriptor
//! from the program that started us.
//!
//! So a stage does not need permission to read the files, and the password appears neither in the
//! arguments nor in the environment.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};

use super::env::Env;
use super::ini;
use super::paths::Paths;
use kit::door::named;

/// The environment variable with the descriptor of the configuration.
pub const HANDED: &str = "HZMETRICS_CONFIG_FD";

/// The maximum size of a configuration in bytes.
const LIMIT: u64 = 4 << 20;

/// The variables that decide which files are read: an inherited configuration is used only if they
/// are unchanged.
const DECIDE: [&str; 4] = ["HZMETRICS_ACCESS_CFG", "HZMETRICS_CONFIG", "HZMETRICS_ROOT", "HZMETRICS_HOME"];

/// One file.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Text {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) is_ini: bool,
}

/// The texts of a configuration.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Texts {
    /// The file with the credentials.
    pub(super) main: Option<Text>,
    /// The `hzmetrics.conf` next to an `access.cfg`.
    pub(super) beside: Option<Text>,
    /// `/etc/hubzero.conf`, empty if it cannot be read.
    pub(super) hubzero: String,
    /// The values of [`DECIDE`], as bytes.
    decided_by: Vec<Vec<u8>>,
}

// passwords are never shown
impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files()).finish()
    }
}

impl Texts {
    /// The inherited texts, or else those in the files.
    pub(super) fn read(explicit: Option<&Path>, env: Env<'_>, paths: &Paths) -> Result<Self> {
        if explicit.is_none()
            && let Some(texts) = handed(env)
        {
            return Ok(texts);
        }
        let main = find(explicit, env, paths)?;
        let beside = match &main {
            Some(Text { is_ini: false, .. }) => beside(env, paths)?,
            _ => None,
        };
        // a file that we may not read counts as missing
        let hubzero = read_file(&paths.hubzero_conf()).unwrap_or_default();
        Ok(Self { main, beside, hubzero, decided_by: decided_by(env) })
    }

    /// The files that were read, except the site's.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.main.iter().chain(&self.beside).map(|text| text.path.as_path())
    }

    /// Writes the texts to an anonymous file that programs started from now on inherit.
    pub(super) fn hand_on(&self) -> Result<Handed> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = match memfd_create("hzmetrics configuration", flags) {
            Ok(fd) => File::from(fd),
            // an old kernel
            Err(_) => tempfile::tempfile().context("making a file for the configuration")?,
        };
        let bytes = serde_json::to_vec(self).context("handing the configuration on")?;
        file.write_all(&bytes).and_then(|()| file.rewind()).context("handing the configuration on")?;
        // they may be inherited by another user: read-only, so that nobody changes them for the
        // next program
        let _ = fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL);
        fchmod(&file, Mode::from_raw_mode(0o444)).context("handing the configuration on")?;
        rustix::io::fcntl_setfd(&file, FdFlags::empty()).context("handing the configuration on")?;
        Ok(Handed(file))
    }
}

/// The configuration that programs we start inherit, as long as this is alive.
#[derive(Debug)]
pub struct Handed(File);

impl Handed {
    /// The variable that tells them, and its value.
    #[must_use]
    pub fn variable(&self) -> (&'static str, OsString) {
        (HANDED, self.0.as_raw_fd().to_string().into())
    }
}

/// The configuration inherited from our parent, if it comes from the files that we would read.
fn handed(env: Env<'_>) -> Option<Texts> {
    let number: u32 = env(HANDED)?.to_str()?.parse().ok()?;
    // opened again, so that each program reads from the beginning
    let file = named::open(Path::new(&format!("/proc/self/fd/{number}"))).ok()?;
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice::<Texts>(&bytes).ok().filter(|texts| texts.decided_by == decided_by(env))
}

fn decided_by(env: Env<'_>) -> Vec<Vec<u8>> {
    DECIDE.iter().map(|name| env(name).unwrap_or_default().as_bytes().to_vec()).collect()
}

fn variable(env: Env<'_>, name: &str) -> Option<PathBuf> {
    env(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}

fn find(explicit: Option<&Path>, env: Env<'_>, paths: &Paths) -> Result<Option<Text>> {
    if let Some(path) = explicit {
        let text = read_text(path)?;
        let is_ini = ini::is_ini(&text);
        return Ok(Some(Text { path: path.to_owned(), text, is_ini }));
    }
    for (name, is_ini) in [("HZMETRICS_ACCESS_CFG", false), ("HZMETRICS_CONFIG", true)] {
        if let Some(path) = variable(env, name) {
            let text = read_text(&path).with_context(|| format!("the file named by {name}"))?;
            return Ok(Some(Text { path, text, is_ini }));
        }
    }
    let mut refused = None;
    for (path, is_ini) in [(paths.etc().join("access.cfg"), false), (paths.home().join("conf/hzmetrics.conf"), true)] {
        match read_if_there(&path) {
            Ok(Some(text)) => return Ok(Some(Text { path, text, is_ini })),
            Ok(None) => {}
            // the next file may be meant for this user
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(None), Err)
}

fn beside(env: Env<'_>, paths: &Paths) -> Result<Option<Text>> {
    let text = |path: PathBuf, text: String| Text { path, text, is_ini: true };
    if let Some(path) = variable(env, "HZMETRICS_CONFIG") {
        return Ok(Some(text(path.clone(), read_text(&path)?)));
    }
    let usual = paths.etc().join("hzmetrics.conf");
    Ok(read_if_there(&usual)?.map(|found| text(usual, found)))
}

pub(super) fn read_file(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    named::open(path)?.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| {
        // old files are latin1, with non-ASCII characters only in passwords and comments
        e.into_bytes().iter().map(|b| char::from(*b)).collect()
    }))
}

fn read_text(path: &Path) -> Result<String> {
    read_file(path).with_context(|| format!("reading the configuration {}", path.display()))
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::metadata(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        _ => read_text(path).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::env;
    use super::*;

    #[test]
    fn an_inherited_configuration_is_used_for_the_same_files_only() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.conf");
        std::fs::write(&file, "[db]\npassword = secret\n").unwrap();
        let name = file.to_str().unwrap();
        let variables = [("HZMETRICS_CONFIG", name)];
        let read = |env: Env<'_>| Texts::read(None, env, &Paths::new(env)).map(|texts| texts.main.unwrap().text);
        let texts = Texts::read(None, &env(&variables), &Paths::new(&env(&variables))).unwrap();
        assert!(!format!("{texts:?}").contains("secret"));
        let handed = texts.hand_on().unwrap();
        let number = handed.variable().1;
        let number = number.to_str().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(read(&env(&variables)).is_err());
        for _ in 0..2 {
            assert!(read(&env(&[variables[0], (HANDED, number)])).unwrap().contains("secret"));
        }
        std::fs::write(&file, "another").unwrap();
        for other in [("HZMETRICS_ROOT", "/elsewhere"), (HANDED, "no number"), (HANDED, "99999"), (HANDED, "0")] {
            let mut all = vec![other, variables[0]];
            all.push((HANDED, number));
            let read = read(&env(&all)).unwrap();
            assert_eq!(read, "another", "{other:?}");
        }
    }
}
