//! The programs of the database server: `mariadb-dump` and `mariadb`. They get the account in a file that only we
//! can read, and never on their command line.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use database::Address;
use hub::config::{SslMode, Target};
use kit::door;
use tempfile::TempDir;

use crate::shell::Programs;

/// The account and the server, for one run of a program.
#[derive(Debug)]
pub(super) struct Client {
    folder: TempDir,
}

/// The file of options in its folder.
const OPTIONS: &str = "client.cnf";

impl Client {
    /// For the server of `target`, which must be a single one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn new(target: &Target) -> Result<Self> {
        let write = || -> std::io::Result<TempDir> {
            let folder = tempfile::tempdir()?;
            let mut options = door::create_new(&folder.path().join(OPTIONS), 0o600)?;
            options.write_all(text(target).as_bytes())?;
            Ok(folder)
        };
        Ok(Self { folder: write().context("writing the file with the account")? })
    }

    /// A program by the first of its names that is installed, with what it needs to connect.
    ///
    /// # Errors
    /// None is installed.
    pub(super) fn command(&self, names: &[&str]) -> Result<Command> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = Programs::new();
        let Some(program) = names.iter().find_map(|name| programs.find(OsStr::new(name), &path)) else {
            bail!("there is no program `{}` on PATH: install the client programs of MariaDB", names.join("` or `"));
        };
        #[expect(clippy::disallowed_methods, reason = "the programs of the server")]
        let mut command = Command::new(program);
        // this option must come first
        let mut option = OsString::from("--defaults-file=");
        option.push(self.folder.path().join(OPTIONS));
        command.arg(option).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(command)
    }
}

/// Waits for a program; fails with its last words.
///
/// # Errors
/// It failed.
pub(super) fn wait(child: Child, name: &str) -> Result<()> {
    let done = child.wait_with_output().with_context(|| format!("waiting for {name}"))?;
    if done.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&done.stderr);
    let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
    bail!("{name} failed ({}): {last}", done.status)
}

/// The file of options.
fn text(target: &Target) -> String {
    let mut text = "[client]\n".to_owned();
    let mut option = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    };
    option("user", &target.user);
    option("password", &target.password);
    match database::place(target) {
        Address::Socket(path) => {
            option("protocol", "socket");
            option("socket", &path.to_string_lossy());
            return text;
        }
        Address::Tcp(host, port) => {
            option("protocol", "tcp");
            option("host", &host);
            option("port", &port.to_string());
        }
    }
    let file = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    for (name, path) in [("ssl-ca", &target.tls.ca), ("ssl-cert", &target.tls.cert), ("ssl-key", &target.tls.key)] {
        if let Some(path) = path {
            option(name, &file(path));
        }
    }
    // programs of other versions do not know all of these
    text.push_str(match target.tls.mode {
        SslMode::Disabled => "loose-skip-ssl\n",
        _ if target.tls.verifies() => "ssl\nloose-ssl-verify-server-cert\n",
        SslMode::Required => "ssl\nloose-disable-ssl-verify-server-cert\n",
        _ => "loose-disable-ssl-verify-server-cert\n",
    });
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn accounts_are_quoted_and_the_file_is_ours_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let target = Target::at_socket(Path::new("/run/s"), "u#1", "a\"b\\c;");
        assert_eq!(
            text(&target),
            "[client]\nuser=\"u#1\"\npassword=\"a\\\"b\\\\c;\"\nprotocol=\"socket\"\nsocket=\"/run/s\"\n"
        );
        let client = Client::new(&target).unwrap();
        assert_eq!(client.folder.path().join(OPTIONS).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn connections_over_the_network_are_encrypted_as_configured() {
        let mut target = Target { host: "db.example.org:3307".to_owned(), ..Target::default() };
        assert!(text(&target).contains("host=\"db.example.org\"\nport=\"3307\"\nloose-disable-ssl-verify"));
        target.tls.mode = SslMode::Disabled;
        assert!(text(&target).ends_with("loose-skip-ssl\n"));
        target.tls.mode = SslMode::VerifyFull;
        target.tls.ca = Some("/etc/ca.pem".into());
        assert!(text(&target).ends_with("ssl-ca=\"/etc/ca.pem\"\nssl\nloose-ssl-verify-server-cert\n"));
    }
}
