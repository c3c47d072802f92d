//! Dropping root's rights: a program that writes and was started by root becomes the web server's user
//! before it opens anything in a folder that other users may write to.
//!
//! If only root may write to the folders, it stays root. Called once, right after the command line is
//! parsed; filters without a database never call it.

mod needs;
mod owner;
mod places;
mod user;

use std::ffi::CString;

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{self, Uid};
use schema::Compat;

use crate::config::Config;
use kit::{Usage, Uses};
pub use owner::Owner;
use places::Places;
use user::User;

/// Whether this process has root's rights.
#[must_use]
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Whether this process is root while others may write to the folders: it must not open files
/// there.
#[must_use]
pub fn is_root_among_others(config: &Config) -> bool {
    is_root() && Places::of(config, Uses::default(), Compat::default()).iter().any(places::Place::is_shared)
}

/// The first owner other than root among the folders of the hub: the user to run as if root starts
/// the work and the configuration names no user.
#[must_use]
pub fn first_owner(config: &Config) -> Option<u32> {
    Places::of(config, Uses::default(), Compat::default()).first_owner().map(|(_, uid)| uid)
}

/// Drops root's rights if others may write to the folders that the program uses.
///
/// # Errors
/// No user to run as is known, or that user lacks a permission ([`Usage`], with the command that
/// fixes it); or the system refuses the change.
pub fn take(config: &Config, uses: Uses, compat: Compat) -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    let places = Places::of(config, uses, compat);
    if places.stay_roots(config.run_user.is_some()) {
        return Ok(());
    }
    let user = whose(config, &places)?;
    places.make_missing(&user)?;
    let needs = places.needs(config);
    become_user(&user).with_context(|| format!("taking the identity of {}", user.name))?;
    needs::check(&needs, &user, config)
}

/// The user to run as.
fn whose(config: &Config, places: &Places) -> Result<User> {
    if let Some(name) = &config.run_user {
        return configured(name).context("[run] user");
    }
    let remedy =
        "name the web server's user in hzmetrics.conf (`[run]`, `user = NAME`), or start the program as that user";
    let Some((folder, uid)) = places.first_owner() else {
        let shared = places.iter().find(|place| place.is_shared()).map(|place| place.path.display().to_string());
        let text = format!("users other than root may write to {}: {remedy}", shared.unwrap_or_default());
        return Err(Usage(text).into());
    };
    let nameless =
        || Usage(format!("{} belongs to the user number {uid}, who has no name: {remedy}", folder.display()));
    User::of_uid(uid)?.ok_or_else(|| nameless().into())
}

fn configured(name: &str) -> Result<User> {
    let user = User::named(name)?.ok_or_else(|| Usage(format!("there is no user {name}")))?;
    let text = "root is not a user to run as; name that of the web server";
    ensure!(!user.uid.is_root(), Usage(text.to_owned()));
    Ok(user)
}

/// Checks that programs can run as the user of this name.
///
/// # Errors
/// There is no such user, or it is root ([`Usage`]).
pub fn check_user(name: &str) -> Result<()> {
    configured(name).map(drop)
}

/// Sets groups, group and user permanently.
fn become_user(user: &User) -> Result<()> {
    let name = CString::new(user.name.as_str()).context("the name of the user")?;
    unistd::initgroups(&name, user.gid).context("setting the groups")?;
    unistd::setgid(user.gid).context("setting the group")?;
    unistd::setuid(user.uid).context("setting the user")?;
    let (uids, gids) = (unistd::getresuid()?, unistd::getresgid()?);
    let all_uids = [uids.real, uids.effective, uids.saved].iter().all(|uid| *uid == user.uid);
    let all_gids = [gids.real, gids.effective, gids.saved].iter().all(|gid| *gid == user.gid);
    ensure!(all_uids && all_gids, "the system kept part of root's identity");
    ensure!(unistd::setuid(Uid::from_raw(0)).is_err(), "the system would give root's rights back");
    Ok(())
}

#[cfg(test)]
mod tests;
