//! The permissions that the user of a run needs, and the command that grants one that is missing.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::Access;

use super::user::{User, group_name};
use crate::config::Config;
use kit::Usage;

/// What a path is needed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    path: PathBuf,
    /// The bits as in a mode: read 4, write 2, search 1.
    bits: u32,
    verb: &'static str,
    /// Files that the web server creates each day: their mode must be right from the start.
    is_log: bool,
}

impl Need {
    pub(super) fn read(path: PathBuf) -> Self {
        Self { path, bits: 4, verb: "read", is_log: false }
    }

    pub(super) fn read_log(path: PathBuf) -> Self {
        Self { path, bits: 4, verb: "read", is_log: true }
    }

    pub(super) fn write_file(path: PathBuf) -> Self {
        Self { path, bits: 6, verb: "write to", is_log: false }
    }

    pub(super) fn read_folder(path: PathBuf) -> Self {
        Self { path, bits: 5, verb: "read", is_log: false }
    }

    pub(super) fn write_folder(path: PathBuf) -> Self {
        Self { path, bits: 7, verb: "write to", is_log: false }
    }

    /// Whether we have the permission now.
    fn is_met(&self) -> bool {
        allowed(&self.path, self.bits)
    }

    /// The command that gives the user the missing permission.
    fn remedy(&self, user: &User) -> String {
        // folders above come first: without them nothing below matters
        let above = self.path.ancestors().skip(1).collect::<Vec<_>>();
        if let Some(link) = link_of_others(&self.path) {
            return format!("remove {}, a symbolic link that root did not create", link.display());
        }
        match above.into_iter().rev().find(|folder| !allowed(folder, 1)) {
            Some(folder) => remedy(folder, 1, user, true),
            None => remedy(&self.path, self.bits, user, self.is_log),
        }
    }
}

/// A link on the way that leads wherever its owner wants: no rights must be given through it.
fn link_of_others(path: &Path) -> Option<&Path> {
    let is_link_of_others =
        |path: &&Path| std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink() && meta.uid() != 0);
    path.ancestors().find(is_link_of_others)
}

fn allowed(path: &Path, bits: u32) -> bool {
    let access = [(4, Access::READ_OK), (2, Access::WRITE_OK), (1, Access::EXEC_OK)];
    let wanted = access.into_iter().filter(|(bit, _)| bits & bit != 0).fold(Access::EXISTS, |all, (_, one)| all | one);
    rustix::fs::access(path, wanted).is_ok()
}

fn remedy(path: &Path, bits: u32, user: &User, keeps_group: bool) -> String {
    let letters: String =
        [(4, 'r'), (2, 'w'), (1, 'x')].iter().filter(|(bit, _)| bits & bit != 0).map(|(_, c)| c).collect();
    let (shown, name) = (path.display(), &user.name);
    let group = std::fs::metadata(path).ok().filter(|meta| (meta.mode() >> 3) & bits == bits && meta.gid() != 0);
    match group {
        Some(meta) => format!("usermod -a -G {} {name}", group_name(meta.gid())),
        None if keeps_group => format!("setfacl -m u:{name}:{letters} {shown}"),
        None => format!("chgrp {} {shown} && chmod g+{letters} {shown}", user.group()),
    }
}

/// Checks as the user that all permissions are there.
pub(super) fn check(needs: &[Need], user: &User, config: &Config) -> Result<()> {
    let Some(missing) = needs.iter().find(|need| !need.is_met()) else { return Ok(()) };
    let what = if config.files().contains(&missing.path) { "the configuration " } else { "" };
    let text = format!(
        "root runs this as {}, who cannot {} {what}{}; this fixes it: {}",
        user.name,
        missing.verb,
        missing.path.display(),
        missing.remedy(user)
    );
    Err(Usage(text).into())
}
