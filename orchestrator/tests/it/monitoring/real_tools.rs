//! The outputs in the hands of the programs that read them, where those are installed. Elsewhere the tests
//! say loudly that they are skipped.

use std::path::{Path, PathBuf};

use super::Watched;

/// A program on PATH, or a message.
fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        fixtures::skip(&format!("{name} is not installed; what it says of our output was not checked"));
    }
    found
}

#[test]
fn promtool_has_no_complaint() {
    let Some(promtool) = tool("promtool") else { return };
    let Some(hub) = Watched::new() else { return };
    let metrics = hub.run("metrics").ok().text();
    let done = fixtures::run(promtool).args(["check", "metrics"]).stdin(metrics).finish().ok();
    assert_eq!((done.text().as_str(), done.stderr.as_str()), ("", ""));
}

#[test]
fn systemd_understands_the_units() {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/deploy/systemd");
    let mut units = Vec::new();
    for entry in std::fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text
            .replace("@USER@", "daemon")
            .replace("@GROUP@", "daemon")
            .replace("@PREFIX@/bin/hzmetrics", "/bin/true");
        let unit = folder.path().join(path.file_name().unwrap());
        std::fs::write(&unit, text).unwrap();
        units.push(unit);
    }
    let done = fixtures::run(analyze).args(["verify", "--man=no"]).args(&units).finish();
    let ours: Vec<&str> = done.stderr.lines().filter(|line| line.contains("hzmetrics")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
