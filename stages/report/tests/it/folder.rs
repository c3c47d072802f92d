//! Pages in a folder: a page for each month, an index of them, whole or not at all, and never a private one.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use fixtures::Run;
use fixtures::kills::Kills;
use scraper::Html;

use super::page::{select, table, text};
use super::{cells, report, usual};

fn pages(folder: &Path, args: &[&str]) -> Run {
    report().arg("--folder").arg(folder).args(args).stdin(cells(24, usual))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn html(path: &Path) -> Html {
    Html::parse_document(&fs::read_to_string(path).unwrap())
}

#[test]
fn every_month_has_a_page_and_the_index_lists_them() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("pages");
    for args in [&[][..], &["2025-04"], &["--running"]] {
        let done = pages(&folder, args).finish().ok();
        assert_eq!((done.text(), done.stderr.as_str()), (String::new(), ""));
    }
    assert_eq!(names(&folder), ["2025-04.html", "2025-06.html", "2025-07.html", "index.html"]);
    let index = html(&folder.join("index.html"));
    let links: Vec<_> = select(&index, "tbody a").iter().map(|a| (a.attr("href").unwrap(), text(*a))).collect();
    let link = |href, name: &str| (href, name.to_owned());
    let expected =
        [link("2025-07.html", "July 2025"), link("2025-06.html", "June 2025"), link("2025-04.html", "April 2025")];
    assert_eq!(links, expected);
    let rows: Vec<_> = select(&index, "tbody tr").into_iter().map(text).collect();
    assert!(rows[0].contains("incomplete") && rows[0].contains('–'), "{rows:?}");
    let april = "2025-04".parse::<schema::Month>().unwrap().ordinal();
    let shown = table(&index, "list-of-months");
    let number = shown[&("April 2025".to_owned(), "Visits".to_owned())].replace(',', "");
    assert_eq!(number, usual("misc", 5, 1, april, 1).to_string());
    // the same page as without a folder, and a way back
    let page = fs::read_to_string(folder.join("2025-04.html")).unwrap();
    let alone = report().arg("2025-04").stdin(cells(24, usual)).finish().ok().text();
    assert_eq!(page.replace("<li><a href=\"index.html\">All months</a></li>", ""), alone);
    // the running month has no users yet, and says whose the figures are
    let running = html(&folder.join("2025-07.html"));
    assert!(text(select(&running, ".subtitle")[0]).contains("July 2025, not yet complete"));
    let intro = text(select(&running, ".intro")[0]);
    assert!(intro.contains("those of June 2025") && intro.contains("July 2025"), "{intro}");
}

#[test]
fn pages_have_the_mode_and_the_owner_that_were_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("pages");
    pages(&folder, &["--mode", "0640"]).finish().ok();
    for name in ["2025-06.html", "index.html"] {
        let meta = fs::metadata(folder.join(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, 0o640, "{name}");
    }
    let ours = fs::metadata(&folder).unwrap();
    let is_root = ours.uid() == 0;
    let owner = if is_root { "12345:54321".to_owned() } else { format!("{}:{}", ours.uid(), ours.gid()) };
    pages(&folder, &["--owner", &owner]).finish().ok();
    let meta = fs::metadata(folder.join("index.html")).unwrap();
    assert_eq!(format!("{}:{}", meta.uid(), meta.gid()), owner);
    assert_eq!(meta.permissions().mode() & 0o7777, 0o644);
    for args in [
        &["--owner", "nobody-is-called-so"][..],
        &["--mode", "0755"],
        &["--mode", "0666"],
        &["--mode", "rw"],
        &["--to", "x.html"],
        &["--format", "csv"],
        &["--running", "2025-06"],
    ] {
        let _ = pages(&folder, args).finish().expect_code(2);
    }
}

#[test]
fn a_private_copy_is_never_where_everybody_reads() {
    let place = tempfile::tempdir().unwrap();
    let (served, other) = (place.path().join("served"), place.path().join("other"));
    for folder in [&served, &other] {
        fs::create_dir_all(folder).unwrap();
    }
    symlink(&served, other.join("link")).unwrap();
    let conf = place.path().join("hzmetrics.conf");
    fs::write(&conf, format!("[report]\npath = {}\n", served.display())).unwrap();
    let run = |args: &[&str]| {
        report().env("HZMETRICS_CONFIG", &conf).dir(place.path()).args(args).stdin(cells(1, usual)).finish()
    };
    for to in ["served/a.html", "other/link/a.html", "./served/../served/a.html"] {
        run(&["--private", "--to", to]).expect_code(2).said(&["a private copy must not be there"]);
        run(&["--to", to]).ok();
        fs::remove_file(served.join("a.html")).unwrap();
    }
    // `> FILE` in a shell
    let line = format!("exec '{}' --private > served/b.html", env!("CARGO_BIN_EXE_report"));
    let shell = fixtures::run("/bin/sh").env("HZMETRICS_CONFIG", &conf).dir(place.path());
    shell.args(["-c", &line]).stdin(cells(1, usual)).finish().expect_code(2).said(&["must not be there"]);
    assert_eq!(fs::read(served.join("b.html")).unwrap(), b"");
    run(&["--private", "--to", "other/a.html"]).ok();
    run(&["--private", "--folder", "other"]).expect_code(2);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("pages");
    pages(&folder, &[]).finish().ok();
    let before = fs::read(folder.join("2025-06.html")).unwrap();
    // a link in place of the page
    let victim = place.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    fs::remove_file(folder.join("2025-06.html")).unwrap();
    symlink(&victim, folder.join("2025-06.html")).unwrap();
    pages(&folder, &[]).finish().expect_code(1).said(&["2025-06.html is a symbolic link"]);
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    fs::remove_file(folder.join("2025-06.html")).unwrap();
    // files of others stay, and what killed runs left goes after an hour
    let left = |name: &str, hours: u64| {
        let path = folder.join(name);
        let file = fs::File::create(path).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    };
    left(".hzmetrics-0123.part", 2);
    left(".hzmetrics-4567.part", 0);
    left(".htaccess", 9);
    left("2025-13.html", 9);
    pages(&folder, &[]).finish().ok();
    let expected = [".htaccess", ".hzmetrics-4567.part", "2025-06.html", "2025-13.html", "index.html"];
    assert_eq!(names(&folder), expected);
    assert_eq!(fs::read(folder.join("2025-06.html")).unwrap(), before);
    pages(&place.path().join("nowhere/at/all"), &[]).finish().expect_code(1).said(&["nowhere/at/all"]);
    report().arg("--folder").arg(&folder).finish().expect_code(1).said(&["no month"]);
}

#[test]
fn a_killed_run_leaves_whole_pages() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("pages");
    let begun = std::time::Instant::now();
    pages(&folder, &[]).finish().ok();
    let mut kills = Kills::new("pages in a folder", 6, begun.elapsed());
    let whole = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.ends_with("</html>"), "{name}: {}", text.len());
    };
    while let Some(moment) = kills.next_moment() {
        if kills.kill(pages(&folder, &["--title", &format!("{moment:?}")]), moment) {
            whole("2025-06.html");
            whole("index.html");
        }
    }
    pages(&folder, &["--title", "At the end"]).finish().ok();
    for name in ["2025-06.html", "index.html"] {
        whole(name);
        assert!(fs::read_to_string(folder.join(name)).unwrap().contains("At the end"));
    }
}

#[test]
fn a_mail_has_the_headline_figures_and_no_tables() {
    let done = report().args(["--format", "text", "--brief"]).stdin(cells(24, usual)).finish().ok();
    let mail = done.text();
    let june = "2025-06".parse::<schema::Month>().unwrap().ordinal();
    let visits = usual("misc", 5, 1, june, 1).to_string();
    let line = mail.lines().find(|line| line.starts_with("Visits ")).unwrap();
    assert!(line.replace(',', "").contains(&visits) && line.contains("vs. May 2025"), "{line}");
    assert!(mail.contains("Where users live\n") && mail.lines().count() < 90, "{mail}");
    assert!(mail.lines().all(|line| line.chars().count() <= 80), "{mail}");
    assert!(!mail.contains(['▁', '█']), "{mail}");
    report().arg("--brief").finish().expect_code(2);
}
