//! The folders of a hub: who owns them, who may write to them, and which are missing.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use schema::Compat;

use super::needs::Need;
use super::user::User;
use crate::config::Config;
use kit::Uses;
use kit::door::Folder;
use logs::discovery::{self, Stream};

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It contains our own files.
    Ours,
    Daily,
    Imported,
    Map,
}

/// A folder.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    role: Role,
    found: Found,
}

/// What is known about a folder, judged by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Missing,
    There { owner: u32, shared: bool },
}

impl Place {
    fn new(path: PathBuf, role: Role) -> Self {
        let found = look(&path);
        Self { path, role, found }
    }

    fn is_there(&self) -> bool {
        self.found != Found::Missing
    }

    /// Whether users other than root may write there.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.found, Found::There { shared: true, .. })
    }
}

/// The group root counts as root. With an access control list, the group bits apply to anybody in
/// the list.
fn look(path: &Path) -> Found {
    let Ok(meta) = fs::metadata(path) else { return Found::Missing };
    if !meta.is_dir() {
        return Found::Missing;
    }
    let by_group = meta.mode() & 0o020 != 0 && (meta.gid() != 0 || has_list(path));
    let link_of_others = fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink() && link.uid() != 0);
    let shared = meta.uid() != 0 || meta.mode() & 0o002 != 0 || by_group || link_of_others;
    Found::There { owner: meta.uid(), shared }
}

fn has_list(path: &Path) -> bool {
    rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]).is_ok_and(|n| n > 0)
}

/// The folders that a program uses.
#[derive(Debug)]
pub(super) struct Places {
    list: Vec<Place>,
    uses: Uses,
    /// Folders that a set-up also creates, parents first.
    more: Vec<PathBuf>,
}

impl Places {
    /// In the order in which their owners are considered.
    pub(super) fn of(config: &Config, uses: Uses, compat: Compat) -> Self {
        let paths = &config.paths;
        let logs = [paths.web_logs(), paths.cms_logs()];
        let mut list = vec![(paths.staging(), Role::Ours)];
        for (name, role) in [("daily", Role::Daily), ("daily.holding", Role::Daily), ("imported", Role::Imported)] {
            list.extend(logs.iter().map(|folder| (folder.join(name), role)));
        }
        list.push((paths.runtime(), Role::Ours));
        list.extend(paths.log().parent().map(|folder| (folder.to_owned(), Role::Ours)));
        if uses.map {
            list.extend(config.map_folder(compat).ok().map(|folder| (folder, Role::Map)));
        }
        let mut seen = HashSet::new();
        list.retain(|(path, _)| seen.insert(path.clone()));
        let list = list.into_iter().map(|(path, role)| Place::new(path, role)).collect();
        let home = paths.home();
        let more = if paths.runtime().starts_with(&home) {
            vec![home.clone(), home.join("bin"), home.join("conf")]
        } else {
            Vec::new()
        };
        Self { list, uses, more }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.list.iter()
    }

    /// Whether root continues as root: nobody else may write to any of the folders. If none exists
    /// yet, they are created for the named user.
    pub(super) fn stay_roots(&self, user_is_named: bool) -> bool {
        let none = !self.iter().any(Place::is_there);
        !(self.iter().any(Place::is_shared) || none && user_is_named)
    }

    /// The first owner other than root, and the folder.
    pub(super) fn first_owner(&self) -> Option<(&Path, u32)> {
        self.iter().filter(|place| place.role != Role::Map).find_map(|place| match place.found {
            Found::There { owner, .. } if owner != 0 => Some((place.path.as_path(), owner)),
            _ => None,
        })
    }

    /// Creates missing folders if only root may create them, and gives them to the user.
    pub(super) fn make_missing(&self, user: &User) -> Result<()> {
        if self.uses.setup {
            self.more.iter().try_for_each(|folder| hand_over(folder, user))?;
        }
        for place in self.iter().filter(|place| !place.is_there()) {
            let wanted = match place.role {
                Role::Ours => true,
                Role::Daily => self.uses.setup && place.path.ends_with("daily"),
                Role::Imported => self.uses.setup || self.uses.archive && place.path.with_file_name("daily").is_dir(),
                Role::Map => false,
            };
            if wanted {
                hand_over(&place.path, user)?;
            }
        }
        Ok(())
    }

    /// The permissions that the user needs, determined before root's rights are dropped.
    pub(super) fn needs(&self, config: &Config) -> Vec<Need> {
        let files = config.files().into_iter().chain([config.paths.hubzero_conf()]);
        let mut needs: Vec<Need> = files.filter(|path| path.exists()).map(Need::read).collect();
        let folders = || self.iter().map(|place| (place.role, place.path.clone())).filter(|(_, path)| path.is_dir());
        for (role, path) in folders() {
            match role {
                Role::Ours | Role::Map => needs.push(Need::write_folder(path)),
                Role::Daily | Role::Imported if self.uses.archive => needs.push(Need::write_folder(path)),
                Role::Daily if self.uses.logs => needs.push(Need::read_folder(path)),
                Role::Daily | Role::Imported => {}
            }
        }
        let paths = &config.paths;
        for file in [paths.pid_lock(), paths.whoisonline_lock(), paths.migrate_lock(), paths.state(), paths.log()] {
            if fs::symlink_metadata(&file).is_ok_and(|meta| meta.is_file()) {
                needs.push(Need::write_file(file));
            }
        }
        if self.uses.logs {
            let daily = folders().filter(|(role, _)| *role == Role::Daily);
            needs.extend(daily.flat_map(|(_, folder)| logs_in(&folder, &config.site.name)).map(Need::read_log));
        }
        needs
    }
}

/// The logs of the site and the CMS in a folder. A folder that cannot be listed fails later. Links
/// and files with hard links are left out: nobody is asked to open up what they may lead to.
fn logs_in(folder: &Path, site: &str) -> Vec<PathBuf> {
    let of = |stream| discovery::tree(folder, stream, Some(site)).unwrap_or_default();
    let is_plain = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.nlink() == 1);
    of(Stream::Access).into_iter().chain(of(Stream::Auth)).map(|log| log.path).filter(is_plain).collect()
}

/// Creates a folder in one that only root may write to, and gives it to the user. In a folder of
/// others, the user creates it.
fn hand_over(path: &Path, user: &User) -> Result<()> {
    let making = || format!("making {}", path.display());
    let Some((parent, name)) = path.parent().zip(path.file_name()) else { return Ok(()) };
    if !path.exists() && make_above(parent)? {
        let folder = Folder::open(parent).with_context(making)?;
        folder.make_folder(name).with_context(making)?;
        folder.give(name, user.uid.as_raw(), user.gid.as_raw()).with_context(making)?;
    }
    Ok(())
}

/// Creates the folders above a path as root's; returns whether only root may write to the last one.
fn make_above(path: &Path) -> Result<bool> {
    if let Found::There { shared, .. } = look(path) {
        return Ok(!shared);
    }
    let Some((parent, name)) = path.parent().zip(path.file_name()) else { return Ok(false) };
    if !make_above(parent)? {
        return Ok(false);
    }
    let made = Folder::open(parent).and_then(|folder| folder.make_folder(name));
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("making {}", path.display()))
        }
        _ => Ok(true),
    }
}
