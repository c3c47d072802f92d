//! Files that match a pattern on the command line: `*`, `?` and `[…]` within a name, `**` for folders
//! at any depth. Names are bytes: invalid ones count as U+FFFD.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

enum Step {
    Plain(OsString),
    Pattern(glob::Pattern),
    /// `**`
    AnyDepth,
}

impl Step {
    fn of(part: Component<'_>) -> Result<Self> {
        Ok(match (part, part.as_os_str().to_str()) {
            (Component::Normal(_), Some("**")) => Self::AnyDepth,
            (Component::Normal(_), Some(text)) if text.contains(['*', '?', '[']) => {
                Self::Pattern(glob::Pattern::new(text)?)
            }
            _ => Self::Plain(part.as_os_str().to_owned()),
        })
    }
}

/// The matches of the pattern, by path.
///
/// # Errors
/// The pattern is invalid, or a folder on the way cannot be read.
pub(crate) fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let steps: Result<Vec<_>> = Path::new(pattern).components().map(Step::of).collect();
    let mut found = Vec::new();
    walk(Path::new(""), &steps.with_context(|| format!("reading the pattern {pattern}"))?, &mut found)
        .with_context(|| format!("following the pattern {pattern}"))?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(at: &Path, steps: &[Step], found: &mut Vec<PathBuf>) -> Result<()> {
    let Some((step, rest)) = steps.split_first() else {
        found.push(at.to_owned());
        return Ok(());
    };
    match step {
        Step::Plain(name) if at.join(name).symlink_metadata().is_ok() => walk(&at.join(name), rest, found)?,
        Step::Plain(_) => {}
        Step::Pattern(pattern) => {
            for (name, _) in names(at)?.iter().filter(|(name, _)| pattern.matches(&name.to_string_lossy())) {
                walk(&at.join(name), rest, found)?;
            }
        }
        Step::AnyDepth => {
            walk(at, rest, found)?;
            for (name, _) in names(at)?.iter().filter(|(_, is_folder)| *is_folder) {
                walk(&at.join(name), steps, found)?;
            }
        }
    }
    Ok(())
}

/// The names in a folder, each with whether it is a folder (not a link to one); none if it is not a folder.
fn names(folder: &Path) -> Result<Vec<(OsString, bool)>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let reading = || format!("reading {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(e).with_context(reading),
    };
    let named = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name(), entry.file_type()?.is_dir()))
    };
    entries.map(named).collect::<io::Result<_>>().with_context(reading)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn names_that_are_not_utf8_match() {
        let root = tempfile::tempdir().unwrap();
        let at = |bytes: &[u8]| root.path().join(OsStr::from_bytes(bytes));
        for folder in [b"d/2\xff" as &[u8], b"d/2024", b"e"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let files = [b"d/a-1" as &[u8], b"d/a-1\xff", b"d/2024/a-2", b"d/2\xff/a-\xc3", b"e/a-3"];
        for file in files {
            fs::write(at(file), "").unwrap();
        }
        std::os::unix::fs::symlink(".", at(b"d/loop")).unwrap();
        let check = |pattern: &str, expected: &[&[u8]]| {
            let found = matches(&format!("{}/{pattern}", root.path().display())).unwrap();
            let mut expected: Vec<_> = expected.iter().map(|path| at(path)).collect();
            expected.sort();
            assert_eq!(found, expected, "{pattern}");
        };
        check("d/a-*", &[b"d/a-1", b"d/a-1\xff"]);
        check("d/a-1?", &[b"d/a-1\xff"]);
        check("d/2*/a-*", &[b"d/2024/a-2", b"d/2\xff/a-\xc3"]);
        check("[de]/a-[13]", &[b"d/a-1", b"e/a-3"]);
        check("**/a-*", &files);
        check("d/a-1/*", &[]);
        check("none/*", &[]);
        assert!(matches("a**b").is_err());
    }
}
