//! Names of accounts and groups from `/etc/passwd` and `/etc/group`, for the commands that `doctor` suggests.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hub::config::{Config, Paths};
use kit::door::named;

/// The name of a number, from the text of `/etc/passwd` or `/etc/group`.
pub(crate) fn name_of(text: &str, number: u32) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then_some(name)
    })
}

/// Reads the names.
pub(crate) struct Names {
    users: String,
    groups: String,
}

impl Names {
    pub(crate) fn read(paths: &Paths) -> Self {
        let text = |path: &str| named::read_to_string(&paths.at(path)).unwrap_or_default();
        Self { users: text("/etc/passwd"), groups: text("/etc/group") }
    }

    pub(crate) fn user(&self, uid: u32) -> String {
        name_of(&self.users, uid).map_or_else(|| uid.to_string(), str::to_owned)
    }

    fn group(&self, gid: u32) -> String {
        name_of(&self.groups, gid).map_or_else(|| gid.to_string(), str::to_owned)
    }

    /// Our own account.
    pub(crate) fn me(&self) -> String {
        self.user(rustix::process::geteuid().as_raw())
    }

    /// The account that does the work if root starts it.
    pub(crate) fn account(&self, config: &Config) -> Option<String> {
        let owner = || hub::identity::first_owner(config).map(|uid| self.user(uid));
        config.run_user.clone().or_else(owner)
    }

    /// Mode and owner of a file, as in `ls -l`: `640 root:adm`.
    pub(crate) fn owned(&self, meta: &fs::Metadata) -> String {
        format!("{:o} {}:{}", meta.mode() & 0o7777, self.user(meta.uid()), self.group(meta.gid()))
    }

    /// The command that lets us read somebody else's file.
    pub(crate) fn let_read(&self, path: &Path, meta: &fs::Metadata) -> String {
        let me = self.me();
        if meta.mode() & 0o040 != 0 && meta.gid() != 0 {
            return format!("usermod -aG {} {me}", self.group(meta.gid()));
        }
        let folder = path.parent().unwrap_or(path).display();
        format!("setfacl -R -m u:{me}:rX {folder} && setfacl -d -m u:{me}:rX {folder}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names_in_passwd() {
        let passwd = "root:x:0:0::/root:/bin/sh\n# a comment\nbroken\napache:x:48:48:Apache:/:/sbin/nologin\n";
        assert_eq!(name_of(passwd, 48), Some("apache"));
        assert_eq!(name_of(passwd, 0), Some("root"));
        assert_eq!(name_of(passwd, 4), None);
        assert_eq!(name_of("", 0), None);
    }
}
