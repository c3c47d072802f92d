//! The owner of files that others read, as `chown` takes it.

use anyhow::{Context as _, Result};
use kit::Usage;
use nix::unistd;

use super::user::User;

/// A user, a group, or both; what is absent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    /// The number of the user.
    pub uid: Option<u32>,
    /// The number of the group.
    pub gid: Option<u32>,
}

impl Owner {
    /// From `USER`, `USER:GROUP` or `:GROUP`; numbers are allowed.
    ///
    /// # Errors
    /// There is no such user or group ([`Usage`]).
    pub fn parse(text: &str) -> Result<Self> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let uid = (!user.is_empty()).then(|| uid(user)).transpose()?;
        let gid = (!group.is_empty()).then(|| gid(group)).transpose()?;
        Ok(Self { uid, gid })
    }
}

fn uid(name: &str) -> Result<u32> {
    let known = User::named(name)?.map(|user| user.uid.as_raw());
    known.or_else(|| name.parse().ok()).ok_or_else(|| Usage(format!("there is no user {name}")).into())
}

fn gid(name: &str) -> Result<u32> {
    let found = unistd::Group::from_name(name).with_context(|| format!("looking for the group {name}"))?;
    let known = found.map(|group| group.gid.as_raw());
    known.or_else(|| name.parse().ok()).ok_or_else(|| Usage(format!("there is no group {name}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_written_as_for_chown() {
        let owner = |uid, gid| Owner { uid, gid };
        for (text, expected) in [
            ("root", owner(Some(0), None)),
            ("root:root", owner(Some(0), Some(0))),
            (":0", owner(None, Some(0))),
            ("12345:54321", owner(Some(12345), Some(54321))),
            ("", owner(None, None)),
        ] {
            assert_eq!(Owner::parse(text).unwrap(), expected, "{text}");
        }
        for text in ["nobody-has-this-name", ":no-group-has-this", "-1", "0:x y"] {
            assert!(Owner::parse(text).unwrap_err().to_string().contains("there is no "), "{text}");
        }
    }
}
