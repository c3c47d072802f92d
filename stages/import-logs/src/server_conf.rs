//! The log format in a web server's configuration: Apache's httpd.conf or nginx.conf, with the
//! files they include.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use kit::door::named;

use crate::layouts::nginx_format::Conf;

/// The maximum number of files read, so that a configuration that includes itself ends.
const MOST_FILES: usize = 1000;

/// What the files say about logs.
#[derive(Debug, Default)]
struct Found {
    /// Texts of formats, with their names.
    formats: Vec<(String, Option<String>)>,
    /// The formats that logs use: names or texts.
    used: Vec<String>,
    /// What includes are relative to.
    root: PathBuf,
    seen: HashSet<PathBuf>,
}

/// The text of the format with this name; without a name, the format that a log uses, or else the
/// only one.
///
/// # Errors
/// A file cannot be read, or does not contain the format.
pub(crate) fn format(path: &Path, name: Option<&str>) -> Result<String> {
    let mut found = Found { root: path.parent().unwrap_or(Path::new("")).to_owned(), ..Found::default() };
    found.read(path)?;
    let shown = path.display();
    let by_name =
        |name: &str| found.formats.iter().rev().find(|(_, n)| n.as_deref() == Some(name)).map(|(f, _)| f.clone());
    // both servers know these without a definition
    let usual = |name: &str| matches!(name, "combined" | "common").then(|| name.to_owned());
    let names = || {
        let names: Vec<_> = found.formats.iter().filter_map(|(_, name)| name.as_deref()).collect();
        if names.is_empty() { String::new() } else { format!("; it has: {}", names.join(", ")) }
    };
    if let Some(name) = name {
        return by_name(name)
            .or_else(|| usual(name))
            .with_context(|| format!("{shown}: there is no log format called `{name}`{}", names()));
    }
    let mut used: Vec<String> = Vec::new();
    for log in &found.used {
        let text = if log.contains('%') { Some(log.clone()) } else { by_name(log).or_else(|| usual(log)) };
        if let Some(text) = text.filter(|text| !used.contains(text)) {
            used.push(text);
        }
    }
    match (&*used, &*found.formats) {
        ([text], _) | ([], [(text, _)]) => Ok(text.clone()),
        ([], []) => bail!("{shown}: it contains no log format"),
        // a file of the administrator's beside the default one
        ([first, ..], _) => Ok(first.clone()),
        _ => bail!("{shown}: there are several log formats; name one as FILE:NAME{}", names()),
    }
}

impl Found {
    fn read(&mut self, path: &Path) -> Result<()> {
        if self.seen.len() >= MOST_FILES || !self.seen.insert(path.to_owned()) {
            return Ok(());
        }
        let text = named::read_short(path).with_context(|| format!("reading {}", path.display()))?;
        if is_of_nginx(&text) { self.nginx(&text) } else { self.apache(&text) }
    }

    fn nginx(&mut self, text: &str) -> Result<()> {
        let conf = Conf::new(text);
        self.formats.extend(conf.formats.into_iter().map(|(name, text)| (text, Some(name))));
        self.used.extend(conf.logs.into_iter().map(|(_, format)| format));
        conf.includes.iter().try_for_each(|pattern| self.include(pattern))
    }

    fn apache(&mut self, text: &str) -> Result<()> {
        let text = text.replace("\\\r\n", "").replace("\\\n", "");
        for line in text.lines() {
            let words = words(line);
            let Some((directive, arguments)) = words.split_first() else { continue };
            match (&*directive.to_ascii_lowercase(), arguments) {
                ("logformat", [format, name @ ..]) => self.formats.push((format.clone(), name.first().cloned())),
                ("customlog", [_, format, ..]) => self.used.push(format.clone()),
                ("serverroot", [root]) if Path::new(root).is_dir() => self.root = root.into(),
                ("include" | "includeoptional", patterns) => {
                    patterns.iter().try_for_each(|pattern| self.include(pattern))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the files that a pattern names: a file, the files of a folder, or those whose names
    /// match. A file that does not exist is skipped.
    fn include(&mut self, pattern: &str) -> Result<()> {
        let mut paths = vec![PathBuf::new()];
        for part in self.root.join(pattern).components() {
            let part = part.as_os_str();
            let text = part.to_string_lossy();
            if !text.contains(['*', '?']) {
                paths.iter_mut().for_each(|path| path.push(part));
                continue;
            }
            let mut found = Vec::new();
            for path in &paths {
                let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
                let fits = |name: &std::ffi::OsStr| {
                    let name = name.as_encoded_bytes();
                    !name.starts_with(b".") && is_like(name, text.as_bytes())
                };
                found.extend(
                    entries.map(|entry| entry.file_name()).filter(|name| fits(name)).map(|name| path.join(name)),
                );
            }
            found.sort();
            paths = found;
        }
        for path in paths {
            if path.is_file() {
                self.read(&path)?;
            } else if path.is_dir() && !pattern.ends_with('*') {
                self.include(&format!("{}/*", path.display()))?;
            }
        }
        Ok(())
    }
}

/// Whether a name matches a pattern with `*` and `?`.
fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    let (mut n, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&b) if b == b'?' || b == name[n] => (n, p) = (n + 1, p + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (n, p) = (from + 1, at + 1);
            }
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// Whether a text is an nginx configuration: its directives end with semicolons.
fn is_of_nginx(text: &str) -> bool {
    let starts = |line: &str, names: &[&str]| {
        let word = line.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        names.contains(&&*word)
    };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_apache =
        lines().any(|line| line.starts_with('<') || starts(line, &["logformat", "customlog", "serverroot"]));
    !is_apache && lines().any(|line| line.ends_with(';') || line.ends_with('{'))
}

/// The words of an Apache configuration line; inside quotes `\"` is a quote, other backslashes stay.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    if rest.starts_with('#') {
        return words;
    }
    while !rest.is_empty() {
        let mut word = String::new();
        if let Some(inner) = rest.strip_prefix('"') {
            let mut chars = inner.char_indices();
            rest = "";
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        rest = &inner[at + 1..];
                        break;
                    }
                    '\\' => match chars.next() {
                        Some((_, '"')) => word.push_str("\\\""),
                        Some((_, c)) => word.extend(['\\', c]),
                        None => word.push('\\'),
                    },
                    c => word.push(c),
                }
            }
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            word.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        words.push(word);
        rest = rest.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn formats_are_found_by_name_in_an_apache_configuration() {
        let conf = "# LogFormat \"%x\" no\nLogFormat \"%h %t \\\"%r\\\" %>s %b\" common\n  logformat \"%a \\\n%t \\\"%r\\\" %s %O\" mine\nCustomLog logs/access_log mine\n";
        let dir = folder(&[("httpd.conf", conf), ("two.conf", "LogFormat \"%h\" a\nLogFormat \"%a\" b\n")]);
        let path = dir.path().join("httpd.conf");
        assert_eq!(format(&path, Some("common")).unwrap(), r#"%h %t \"%r\" %>s %b"#);
        assert_eq!(format(&path, None).unwrap(), r#"%a %t \"%r\" %s %O"#);
        let error = format(&path, Some("x")).unwrap_err().to_string();
        assert!(error.ends_with("it has: common, mine"), "{error}");
        let error = format(&dir.path().join("two.conf"), None).unwrap_err().to_string();
        assert!(error.contains("several log formats"), "{error}");
        assert!(format(&dir.path().join("none"), None).is_err());
    }

    #[test]
    fn included_files_are_read() {
        let dir = folder(&[
            ("httpd.conf", "Include conf.d/*.conf\nIncludeOptional none/*\nInclude sites\nInclude httpd.conf\n"),
            ("conf.d/logs.conf", "LogFormat \"%a %t \\\"%r\\\" %s %b\" mine\n"),
            ("conf.d/other.txt", "LogFormat \"%x\" other\n"),
            ("sites/a", "<VirtualHost *>\nCustomLog \"|/bin/rotate x\" mine env=!no\n</VirtualHost>\n"),
            ("nginx/nginx.conf", "http {\n include conf.d/?.conf;\n access_log /var/log/a.log mine;\n}\n"),
            ("nginx/conf.d/a.conf", "log_format mine '$remote_addr [$time_local] '\n '\"$request\" $status';\n"),
            ("plain.conf", "server {\n access_log /x;\n}\n"),
        ]);
        assert_eq!(format(&dir.path().join("httpd.conf"), None).unwrap(), r#"%a %t \"%r\" %s %b"#);
        let nginx = dir.path().join("nginx/nginx.conf");
        assert_eq!(format(&nginx, None).unwrap(), r#"$remote_addr [$time_local] "$request" $status"#);
        assert_eq!(format(&dir.path().join("plain.conf"), None).unwrap(), "combined");
    }

    #[test]
    fn names_match_patterns() {
        for (name, pattern, is) in [
            ("a.conf", "*.conf", true),
            ("ab", "a?", true),
            ("abc", "a?", false),
            ("", "*", true),
            ("aab", "*ab", true),
        ] {
            assert_eq!(is_like(name.as_bytes(), pattern.as_bytes()), is, "{name} {pattern}");
        }
    }
}
