//! Which tools are Rappture tools: their computing time is recorded with the job, not the session.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::args::Args;

/// The tool that always is one.
pub(crate) const WORKSPACE: &str = "workspace";

/// The Rappture tools named by the options.
///
/// # Errors
/// The directory of `--apps-root` cannot be read.
pub(crate) fn of_options(args: &Args, as_port: bool) -> Result<Vec<String>> {
    let mut apps = args.apps.clone();
    if let Some(root) = &args.apps_root {
        apps.extend(installed(root, as_port)?);
    }
    Ok(apps)
}

/// The tools installed below `root`: each directory directly in it that contains a file `tool.xml`
/// at any depth (in `--compat port`, at most four levels down and not in the shared folders).
///
/// # Errors
/// `root` cannot be read; anything unreadable below it is ignored.
pub(crate) fn installed(root: &Path, as_port: bool) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = std::fs::read_dir(root).with_context(|| format!("reading {}", root.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("reading {}", root.display()))?;
        let name = entry.file_name();
        if as_port && (name == "share" || name == "share64") {
            continue;
        }
        let depth = if as_port { 3 } else { usize::MAX };
        if (name == "tool.xml" || holds_tool(&entry.path(), depth)) && name != "0" {
            names.push(schema::text::storable(name.as_encoded_bytes()).into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether there is a `tool.xml` at most `depth` levels below; links are not followed.
fn holds_tool(path: &Path, depth: usize) -> bool {
    if depth == 0 || !path.symlink_metadata().is_ok_and(|m| m.is_dir()) {
        return false;
    }
    let Ok(entries) = std::fs::read_dir(path) else { return false };
    entries.flatten().any(|entry| entry.file_name() == OsStr::new("tool.xml") || holds_tool(&entry.path(), depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_found_below_a_root() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "app1/r1/rappture/tool.xml",
            "deep/1/2/3/4/5/tool.xml",
            "share/x/tool.xml",
            "none/readme",
            "0/r1/tool.xml",
            "tool.xml",
        ] {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(installed(root.path(), false).unwrap(), ["app1", "deep", "share", "tool.xml"]);
        assert_eq!(installed(root.path(), true).unwrap(), ["app1", "tool.xml"]);
        assert!(installed(&root.path().join("absent"), false).is_err());
    }
}
