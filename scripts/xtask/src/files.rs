//! Files of a package: copied, written and listed, with the folders above them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub(crate) fn list(folder: &Path, base: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, base, files)?;
        } else {
            files.push(path.strip_prefix(base)?.to_path_buf());
        }
    }
    Ok(())
}

pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let mut files = Vec::new();
    list(from, from, &mut files)?;
    // files left by editors begin with a dot or end with a tilde
    let plain = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_else(|| OsStr::new("")).to_string_lossy();
        !name.starts_with('.') && !name.ends_with('~')
    };
    files.iter().filter(|path| plain(path)).try_for_each(|path| copy(&from.join(path), &to.join(path)))
}

fn parent_of(path: &Path) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    parent_of(to)?;
    fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display())).map(drop)
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    parent_of(path)?;
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}
