//! Pages in a real browser, with JavaScript and without, light and dark, wide, narrow and on paper: nothing on the
//! console, no request, nothing that overlaps or is cut off, and what axe-core and vnu say where they are in
//! `target/tools/page-check` (`npm install axe-core vnu-jar` there). Without chromium and node the test is skipped.

use std::fs;
use std::path::{Path, PathBuf};

use fixtures::asked;

use super::traffic::traffic;
use super::{cells, db, report, usual};

/// A program on PATH, or a message.
fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        fixtures::skip(&format!("{name} is not installed; pages were not looked at in a browser"));
    }
    found
}

/// A year of a hub with everything that a page can have: a long title, long names, a month that is not whole.
pub(crate) fn everything() -> String {
    let long = "/resources/with/a/very/long/path/that/does/not/fit/into/one/line/of/a/ranking/at/all/index";
    let mut records = cells(14, usual) + &db::lines(&db::others()) + &traffic();
    for i in 0..9 {
        records += &format!(
            "{{\"kind\":\"web\",\"datetime\":\"2025-05-{:02} 11:00:00\",\"ip\":\"192.0.2.{i}\",\"content\":\"{long}\",\
             \"referrer\":\"-\",\"useragent\":\"-\",\"host\":\"?\",\"dnload\":1}}\n",
            i + 1
        );
    }
    records
        + "{\"kind\":\"bot\",\"useragent\":\"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)\"}\n\
           {\"kind\":\"receipt\",\"stream\":\"access\",\"rows\":5000,\"rejected\":30,\"ipv6\":10,\"dropped\":{\"bot\":70}}\n"
}

/// Requests of a year, and nothing else.
fn requests() -> String {
    (1..=12).fold(traffic(), |text, month| {
        text + &format!(
            "{{\"kind\":\"web\",\"datetime\":\"2024-{month:02}-02 11:00:00\",\"ip\":\"192.0.2.1\",\"content\":\"/\"}}\n"
        )
    })
}

/// Writes the pages to look at.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let title = "The usage of a hub whose title is long enough for two lines of a page";
    let args = ["--title", title, "--incomplete", "2025-02", "--to", "everything.html"];
    let _ = report().dir(folder).args(args).stdin(everything()).finish().ok();
    // a chart alone is as wide as its figure
    let _ = report().dir(folder).args(["--to", "requests.html"]).stdin(requests()).finish().ok();
    let mut pages = vec![folder.join("everything.html"), folder.join("requests.html")];
    if asked("HZMETRICS_CAMPAIGN", 5) <= 5 {
        return pages;
    }
    for month in ["2025-05", "2025-06"] {
        let _ = report().dir(folder).args(["--folder", "months", month]).stdin(everything()).finish().ok();
    }
    fs::write(folder.join("hub"), everything()).unwrap();
    let hubs = ["--folder", "hubs", "--hub", "one=hub", "--hub", "two=hub"];
    let _ = report().dir(folder).args(hubs).stdin(everything()).finish().ok();
    let _ = report().dir(folder).args(["--private", "--to", "private.html"]).stdin(everything()).finish().ok();
    let _ = report().dir(folder).args(["--to", "nothing.html"]).finish().ok();
    let more = ["months/index.html", "months/2025-05.html", "hubs/index.html", "hubs/one.html", "private.html"];
    pages.extend(more.map(|page| folder.join(page)));
    pages.push(folder.join("nothing.html"));
    // as `cargo xtask demo` left it
    let demo = target().join("demo/usage.html");
    pages.extend(demo.is_file().then_some(demo));
    pages
}

fn target() -> PathBuf {
    let exe = Path::new(env!("CARGO_BIN_EXE_report"));
    exe.parent().and_then(Path::parent).unwrap().to_owned()
}

#[test]
fn a_browser_has_no_complaint() {
    let (Some(node), Some(chromium)) = (tool("node"), tool("chromium")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/page-check/check.mjs");
    let mut run = fixtures::run(node).env("CHROMIUM", chromium).env("HOME", folder.path()).dir(folder.path());
    run = run.env("PATH", std::env::var_os("PATH").unwrap_or_default()).arg(script).args(pages(folder.path()));
    let tools = target().join("tools/page-check/node_modules");
    for (option, file) in [("--axe", "axe-core/axe.min.js"), ("--vnu", "vnu-jar/build/dist/vnu.jar")] {
        let file = tools.join(file);
        if file.is_file() && (option != "--vnu" || tool("java").is_some()) {
            run = run.arg(option).arg(file);
        } else {
            fixtures::skip(&format!("there is no {}; its rules were not checked", file.display()));
        }
    }
    let done = run.finish();
    assert!(done.code == 0 && done.text().ends_with("nothing to complain about\n"), "{}{}", done.text(), done.stderr);
}
