//! The pages of the report: files of one folder, with plain names.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::Path;

use kit::door::{Access, Folder};

/// Longer files are not served.
const LONGEST: u64 = 16 << 20;

/// Types of files by the end of their names; other files are not served.
const TYPES: [(&str, &str); 9] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
];

/// Whether a part of a path is a plain name that cannot lead out of the folder.
fn is_plain(part: &str) -> bool {
    let is_sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_sign)
}

/// The file for the rest of a path, and its type; `None` if there is none.
pub(crate) fn read(folder: &Path, rest: &str) -> Option<(&'static str, Vec<u8>)> {
    let rest = if rest.is_empty() || rest.ends_with('/') { format!("{rest}index.html") } else { rest.to_owned() };
    let mut parts: Vec<&str> = rest.split('/').collect();
    if !parts.iter().all(|part| is_plain(part)) {
        return None;
    }
    let name = parts.pop()?;
    let (_, end) = name.rsplit_once('.')?;
    let (_, kind) = TYPES.iter().find(|(known, _)| *known == end)?;
    open(folder, &parts, name).ok().map(|bytes| (*kind, bytes))
}

/// Opens folder by folder, without following links.
fn open(folder: &Path, parts: &[&str], name: &str) -> io::Result<Vec<u8>> {
    let mut at = Folder::open(folder)?;
    for part in parts {
        at = at.folder(OsStr::new(part))?;
    }
    let mut bytes = Vec::new();
    at.file(OsStr::new(name), Access::Read)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_files_of_the_folder_are_served() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("report");
        fs::create_dir_all(folder.join("2025")).unwrap();
        fs::write(place.path().join("secret.txt"), "secret").unwrap();
        fs::write(folder.join("index.html"), "home").unwrap();
        fs::write(folder.join("2025/index.html"), "year").unwrap();
        fs::write(folder.join("2025/a.csv"), "a,b").unwrap();
        fs::write(folder.join(".hidden.txt"), "x").unwrap();
        fs::write(folder.join("program"), "x").unwrap();
        std::os::unix::fs::symlink(place.path().join("secret.txt"), folder.join("link.txt")).unwrap();
        std::os::unix::fs::symlink(place.path(), folder.join("out")).unwrap();
        let text = |rest: &str| read(&folder, rest).map(|(_, bytes)| String::from_utf8(bytes).unwrap());
        assert_eq!(text("").as_deref(), Some("home"));
        assert_eq!(text("2025/").as_deref(), Some("year"));
        assert_eq!(read(&folder, "2025/a.csv"), Some(("text/csv; charset=utf-8", b"a,b".to_vec())));
        for rest in [
            "../secret.txt",
            "2025/../index.html",
            "link.txt",
            "out/secret.txt",
            ".hidden.txt",
            "program",
            "none.html",
            "//index.html",
            "%2e%2e/secret.txt",
            "2025",
            "a\\b.txt",
            "index.html/",
        ] {
            assert_eq!(text(rest), None, "{rest}");
        }
    }
}
