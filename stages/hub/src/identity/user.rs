//! Users and groups known to the system.

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid};

/// An entry of the user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
}

impl User {
    pub(super) fn named(name: &str) -> Result<Option<Self>> {
        found(unistd::User::from_name(name)).with_context(|| format!("looking for the user {name}"))
    }

    pub(super) fn of_uid(uid: u32) -> Result<Option<Self>> {
        found(unistd::User::from_uid(Uid::from_raw(uid))).with_context(|| format!("looking for the user {uid}"))
    }

    /// The name of the user's own group.
    pub(super) fn group(&self) -> String {
        group_name(self.gid.as_raw())
    }
}

/// The name of a group, or its number if it has none.
pub(super) fn group_name(gid: u32) -> String {
    let group = unistd::Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}

/// Systems report in several ways that there is no such entry; see getpwnam(3).
fn found(answer: nix::Result<Option<unistd::User>>) -> Result<Option<User>> {
    match answer {
        Ok(user) => Ok(user.map(|user| User { name: user.name, uid: user.uid, gid: user.gid })),
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
