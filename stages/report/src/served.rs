//! The private copy must not be where everybody can read it: in the folder that the web server serves.

use std::path::{Path, PathBuf};

use anyhow::Result;
use hub::config::{self, process_env};
use kit::{Endpoint, Usage};

use crate::args::Args;

/// Refuses to write a private copy into the folder of the public pages.
///
/// # Errors
/// It would be there ([`Usage`]).
pub(crate) fn refuse_private(args: &Args) -> Result<()> {
    if !args.private {
        return Ok(());
    }
    let served = config::if_any(&process_env)?.and_then(|config| config.report.path);
    let target = match Endpoint::from_arg(&args.common.to) {
        Endpoint::File(path) if !args.common.db => Some(path),
        // `> FILE` in a shell
        _ => std::fs::read_link("/proc/self/fd/1").ok().filter(|path| path.is_absolute()),
    };
    if let (Some(served), Some(target)) = (served, target)
        && is_within(&target, &served)
    {
        let (target, served) = (target.display(), served.display());
        let text = format!("{target} is in {served}, which is served to everybody; a private copy must not be there");
        return Err(Usage(text).into());
    }
    Ok(())
}

/// Whether a file, which need not exist, is in a folder, links followed.
fn is_within(file: &Path, folder: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    let beside = || {
        let above = file.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(whole(above)?.join(file.file_name()?))
    };
    let folder = whole(folder).unwrap_or_else(|| folder.to_owned());
    let file: Option<PathBuf> = whole(file).or_else(beside);
    file.is_some_and(|file| file.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_do_not_lead_in_unseen() {
        let place = tempfile::tempdir().unwrap();
        let (served, other) = (place.path().join("served"), place.path().join("other"));
        std::fs::create_dir_all(served.join("deep")).unwrap();
        std::fs::create_dir_all(&other).unwrap();
        std::os::unix::fs::symlink(&served, other.join("in")).unwrap();
        std::fs::write(served.join("old.html"), "x").unwrap();
        std::os::unix::fs::symlink(served.join("old.html"), other.join("file.html")).unwrap();
        std::os::unix::fs::symlink(&served, place.path().join("served-too")).unwrap();
        for (file, expected) in [
            ("served/a.html", true),
            ("served/deep/a.html", true),
            ("served/../other/a.html", false),
            ("other/../served/a.html", true),
            ("other/in/a.html", true),
            ("other/file.html", true),
            ("other/a.html", false),
            ("served-not/a.html", false),
            ("servedx.html", false),
        ] {
            for folder in [&served, &place.path().join("served-too")] {
                assert_eq!(is_within(&place.path().join(file), folder), expected, "{file}");
            }
        }
    }
}
