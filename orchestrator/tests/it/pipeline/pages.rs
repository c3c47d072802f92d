//! The pages of the report as a part of a run: which are written when, and what a failure keeps.

use std::fs;
use std::path::PathBuf;

use fixtures::kills::Kills;

use super::{Life, life};

/// A hub with the real `report` beside the scripts.
fn reporting() -> Option<Life> {
    let life = life()?;
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name("report");
    if fs::hard_link(&exe, life.path("bin/report")).is_err() {
        fs::copy(&exe, life.path("bin/report")).unwrap();
    }
    configure(&life, "title = Usage of h\n");
    Some(life)
}

fn configure(life: &Life, more: &str) {
    let text = format!("[report]\npath = {}\n{more}", life.path("pages").display());
    life.log_file("etc/hubzero-metrics/hzmetrics.conf", &text);
}

fn page(life: &Life, name: &str) -> String {
    fs::read_to_string(life.path("pages").join(name)).unwrap_or_default()
}

fn names(life: &Life) -> Vec<String> {
    let Ok(entries) = fs::read_dir(life.path("pages")) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// The pages that are replaced while this is done.
fn written(life: &Life, run: impl FnOnce()) -> Vec<String> {
    for name in names(life) {
        fs::write(life.path("pages").join(name), "old").unwrap();
    }
    run();
    names(life).into_iter().filter(|name| page(life, name) != "old").collect()
}

#[test]
fn a_run_writes_the_pages_that_are_due() {
    let Some(life) = reporting() else { return };
    life.summarized(&["2026-02", "2026-03"]);
    life.web(&["2026-04-10", "2026-05-02"]);
    life.access_log("20260430");
    let done = life.run("run").ok();
    assert_eq!((done.text(), done.stderr.as_str()), (String::new(), ""));
    let all = ["2026-02.html", "2026-03.html", "2026-04.html", "2026-05.html", "index.html"];
    assert_eq!(names(&life), all);
    assert!(page(&life, "2026-03.html").contains("Usage of h") && page(&life, "2026-03.html").contains(">77<"));
    assert!(page(&life, "2026-05.html").contains("May 2026, not yet complete"));
    assert!(page(&life, "index.html").contains("href=\"2026-04.html\""));
    let log = life.log();
    assert!(log.contains("=== report done in "), "{log}");
    // nothing is due now
    let run = |line: &str| written(&life, || drop(life.run(line).ok()));
    assert_eq!(run("run"), [""; 0]);
    // the next day the running month is, and whoever publishes a month makes its page due
    let next = |env: &str| written(&life, || drop(life.start("run").env("HZMETRICS_NOW", env).finish().ok()));
    assert_eq!(next("2026-05-20T10:10"), ["2026-05.html", "index.html"]);
    let now =
        |line: &str| written(&life, || drop(life.start(line).env("HZMETRICS_NOW", "2026-05-20T11:10").finish().ok()));
    life.pair.sql("UPDATE summary_user_vals SET value = 78 WHERE datetime = '2026-03-00' AND period = 12");
    assert_eq!(now("run"), ["2026-03.html", "2026-04.html", "index.html"]);
    assert!(page(&life, "2026-03.html").contains(">78<"));
    assert_eq!(now("report"), [""; 0]);
    assert_eq!(now("report 2026-02"), ["2026-02.html", "index.html"]);
    fs::remove_file(life.path("pages/2026-04.html")).unwrap();
    assert_eq!(now("run"), ["2026-04.html", "index.html"]);
    configure(&life, "title = Another title\n");
    assert_eq!(now("run"), all);
    assert_eq!(now("run"), [""; 0]);
}

#[test]
fn a_withheld_month_has_no_page() {
    let Some(life) = reporting() else { return };
    life.summarized(&["2026-03", "2026-04"]);
    life.run("run").ok();
    life.run("unpublish 2026-03").ok();
    assert_eq!(names(&life), ["2026-04.html", "2026-05.html", "index.html"]);
    assert!(!page(&life, "index.html").contains("2026-03"));
    life.run("report 2026-03").expect_code(1).said(&["2026-03 is not published"]);
}

#[test]
fn without_a_folder_nothing_is_written_and_nothing_is_asked() {
    let Some(life) = reporting() else { return };
    fs::remove_file(life.path("root/etc/hubzero-metrics/hzmetrics.conf")).unwrap();
    life.summarized(&["2026-04"]);
    life.run("run").ok();
    assert!(!life.log().contains("report") && !life.has("var/log/hubzero/metrics/_report.json"));
    life.run("report").expect_code(2).said(&["[report] path"]);
    // a mail needs none
    let mail = life.run("report --mail-body").ok().text();
    assert!(mail.contains("April 2026") && mail.lines().any(|line| line.starts_with("Users ")), "{mail}");
    let other = life.run("report --mail-body 2026-05").ok().text();
    assert!(other.contains("May 2026, not yet complete"), "{other}");
}

#[test]
fn a_failed_page_keeps_everything_else() {
    let Some(life) = reporting() else { return };
    life.summarized(&["2026-04"]);
    life.access_log("20260518");
    for more in ["owner = nobody-is-called-so\n", "mode = 0777\n", "sections = usage,toolz\n", "logo = /nowhere.png\n"]
    {
        configure(&life, more);
        let done = life.run("run").expect_code(1);
        assert!(done.stderr.contains("[report] report ended with exit code"), "{more}: {}", done.stderr);
        assert_eq!(names(&life), [""; 0], "{more}");
    }
    // the work was done, the first time
    assert!(life.state().contains(&"analyzed=2026-05-19".to_owned()));
    assert!(life.has("var/log/httpd/imported/h-access.log-20260518"));
    life.log_file("etc/hubzero-metrics/hzmetrics.conf", "[report]\npath = pages\n");
    life.run("run").expect_code(1).said(&["pages is not an absolute path"]);
    configure(&life, "");
    life.run("run").ok();
    assert_eq!(names(&life), ["2026-04.html", "2026-05.html", "index.html"]);
}

#[test]
fn a_dry_run_names_the_pages() {
    let Some(life) = reporting() else { return };
    life.summarized(&["2026-04"]);
    for line in ["run --dry-run", "report --dry-run"] {
        let done = life.run(line).ok();
        for words in ["would run: report --from db --folder ", " --running", " 2026-04"] {
            assert!(done.stderr.contains(words), "{line}: {words}\n{}", done.stderr);
        }
    }
    assert_eq!(names(&life), [""; 0]);
}

#[test]
fn whenever_a_run_is_killed_pages_are_whole_and_the_next_run_writes_the_rest() {
    let Some(life) = reporting() else { return };
    life.summarized(&["2026-02", "2026-03", "2026-04"]);
    let begun = std::time::Instant::now();
    life.run("run").ok();
    let mut kills = Kills::new("pages of a run", 5, begun.elapsed());
    let mut n = 100;
    while let Some(moment) = kills.next_moment() {
        n += 1;
        configure(&life, &format!("title = Title {n}\n"));
        let _ = kills.kill(life.start("run"), moment);
        // a stage that was running continues until its page is there
        for name in names(&life).iter().filter(|name| name.ends_with(".html")) {
            assert!(page(&life, name).ends_with("</html>"), "{name}");
        }
        while life.run("run").ok().stderr.contains("still running")
            || life.log().ends_with("still running — skipping.\n")
        {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        for name in ["2026-02.html", "2026-03.html", "2026-04.html", "2026-05.html", "index.html"] {
            assert!(page(&life, name).contains(&format!("Title {n}")), "{name} after {moment:?}");
        }
    }
}
