//! What cron and systemd start on this machine: every line with its place and its account.
//!
//! Only reads files, all of them below `HZMETRICS_ROOT`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hub::config::Paths;
use kit::door::named;

/// The folders of unit files, the administrator's first.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// A command that is started at certain times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scheduled {
    /// File and line, or timer and service.
    pub(super) place: String,
    /// Just the file.
    pub(super) file: PathBuf,
    /// The user it runs as.
    pub(super) user: String,
    /// The command.
    pub(super) command: String,
    /// When, as cron has it; empty for a timer.
    pub(super) times: String,
}

/// The user that a line of a crontab runs as.
#[derive(Debug, Clone, Copy)]
enum Account<'a> {
    /// The sixth word names it.
    InLine,
    /// The file belongs to that user.
    Of(&'a str),
}

/// All crontabs and timers, and the files that could not be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Crontabs {
    pub(super) lines: Vec<Scheduled>,
    pub(super) unreadable: Vec<PathBuf>,
}

/// The account and the command of a line; nothing for comments, settings and empty lines.
fn parse(line: &str, account: Account<'_>) -> Option<(String, String)> {
    let line = line.trim();
    let starts = line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '*' | '@' | '-'));
    if !starts {
        return None;
    }
    let n_times = if line.starts_with('@') { 1 } else { 5 };
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.split_once(char::is_whitespace)?;
        rest = after.trim_start();
        Some(word)
    };
    for _ in 0..n_times {
        word()?;
    }
    let user = match account {
        Account::Of(user) => user.to_owned(),
        Account::InLine => word()?.to_owned(),
    };
    Some((user, rest.to_owned()))
}

/// The times of a line that was understood.
fn times(line: &str) -> String {
    let line = line.trim().trim_start_matches('-');
    let n = if line.starts_with('@') { 1 } else { 5 };
    line.split_whitespace().take(n).collect::<Vec<_>>().join(" ")
}

impl Crontabs {
    /// Reads all of them.
    pub(super) fn read(paths: &Paths) -> Self {
        let mut found = Self::default();
        found.file(&paths.at("/etc/crontab"), Account::InLine);
        // on Debian, cron ignores names with a dot
        let dots = !paths.at("/etc/debian_version").exists();
        for (file, _) in found.files(&paths.at("/etc/cron.d"), dots) {
            found.file(&file, Account::InLine);
        }
        for folder in ["/var/spool/cron", "/var/spool/cron/crontabs"] {
            for (file, user) in found.files(&paths.at(folder), true) {
                found.file(&file, Account::Of(&user));
            }
        }
        found.timers(paths);
        found
    }

    /// The files of a folder that cron reads, with their names.
    fn files(&mut self, folder: &Path, dots: bool) -> Vec<(PathBuf, String)> {
        let named = |path: PathBuf| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            let counts = !name.starts_with('.') && !name.ends_with('~') && (dots || !name.contains('.'));
            (counts && !path.is_dir()).then_some((path, name))
        };
        self.folder(folder).into_iter().filter_map(named).collect()
    }

    /// The entries of a folder, sorted; none if there is no such folder.
    fn folder(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut list: Vec<PathBuf> = match fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(error) => {
                self.failed(folder, error.kind());
                Vec::new()
            }
        };
        list.sort();
        list
    }

    fn failed(&mut self, path: &Path, error: ErrorKind) {
        if error == ErrorKind::PermissionDenied {
            self.unreadable.push(path.to_owned());
        }
    }

    fn text(&mut self, path: &Path) -> Option<String> {
        if !fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
            return None;
        }
        match named::read(path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                self.failed(path, error.kind());
                None
            }
        }
    }

    fn file(&mut self, path: &Path, account: Account<'_>) {
        let Some(text) = self.text(path) else { return };
        for (number, line) in (1..).zip(text.lines()) {
            if let Some((user, command)) = parse(line, account) {
                let place = format!("{}, line {number}", path.display());
                let (file, times) = (path.to_owned(), times(line));
                self.lines.push(Scheduled { place, file, user, command, times });
            }
        }
    }

    /// Enabled timers, and the services they start.
    fn timers(&mut self, paths: &Paths) {
        let folders = UNITS.map(|folder| paths.at(folder));
        let mut on: Vec<PathBuf> = Vec::new();
        for folder in &folders {
            for wants in self.folder(folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "wants")) {
                let links = self.folder(&wants);
                on.extend(links.into_iter().filter(|path| path.extension().is_some_and(|e| e == "timer")));
            }
        }
        for link in on {
            self.timer(&link, &folders);
        }
    }

    fn timer(&mut self, link: &Path, folders: &[PathBuf]) {
        let Some(timer) = link.file_name().and_then(|name| name.to_str()) else { return };
        let text = self.unit(timer, folders);
        let named = text.lines().find_map(|line| line.trim().strip_prefix("Unit="));
        let service = named.map_or_else(|| timer.replace(".timer", ".service"), |name| name.trim().to_owned());
        let text = self.unit(&service, folders);
        // the last one counts, and a service without one runs as root
        let user = text.lines().filter_map(|line| line.trim().strip_prefix("User=")).next_back();
        let user = user.map(str::trim).filter(|user| !user.is_empty()).unwrap_or("root").to_owned();
        for line in text.lines().filter(|line| line.trim_start().starts_with("ExecStart")) {
            let place = format!("{} ({service})", link.display());
            let command = line.split_once('=').map_or("", |(_, command)| command);
            // characters before the program say how it is started
            let command = command.trim_start_matches(['-', '@', ':', '+', '!', ' ']).to_owned();
            let (file, user, times) = (link.to_owned(), user.clone(), String::new());
            self.lines.push(Scheduled { place, file, user, command, times });
        }
    }

    /// The text of a unit with its drop-ins.
    fn unit(&mut self, name: &str, folders: &[PathBuf]) -> String {
        let file = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        let mut text = file.and_then(|path| self.text(&path)).unwrap_or_default();
        for folder in folders.iter().rev().map(|folder| folder.join(format!("{name}.d"))) {
            for part in self.folder(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "conf")) {
                text.push('\n');
                text.push_str(&self.text(&part).unwrap_or_default());
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_crontabs_are_understood() {
        let check = |line: &str, account, expected: Option<(&str, &str)>| {
            let found = parse(line, account);
            assert_eq!(found.as_ref().map(|(user, command)| (user.as_str(), command.as_str())), expected, "{line}");
        };
        check("*/5 * * * * apache /x/hzmetrics tick", Account::InLine, Some(("apache", "/x/hzmetrics tick")));
        check("  10 0 * * 1-5\troot   a  b ", Account::InLine, Some(("root", "a  b")));
        check("@daily apache a", Account::InLine, Some(("apache", "a")));
        check("*/5 * * * * /x/hzmetrics tick", Account::Of("apache"), Some(("apache", "/x/hzmetrics tick")));
        check("-*/5 * * * * a b", Account::Of("root"), Some(("root", "a b")));
        for line in ["# 1 2 3 4 5 a b", "MAILTO=\"\"", "", "PATH = /bin", "1 2 3"] {
            check(line, Account::InLine, None);
        }
    }
}
