//! Logs that nobody understands, or that grow or are replaced during the import: with the real
//! importer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Life, life};

const ACCESS: &str = "var/log/httpd/daily/h-access.log-";

/// A hub with the real importer. Afterwards, if AFTER is set, a shell runs it with the path in
/// `$file`.
fn with_importer() -> Option<Life> {
    let life = life()?;
    let real = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name("import-logs");
    let script = format!(
        "#!/bin/sh\nfor file; do :; done\necho \"import-logs $*\" >> '{}'\n'{}' \"$@\"\ncode=$?\n\
         if [ -n \"$AFTER\" ]; then eval \"$AFTER\"; fi\nexit $code\n",
        life.path("list").display(),
        real.display()
    );
    let path = life.path("bin/import-logs");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    life.set("analyzed", "2026-05-19");
    Some(life)
}

fn line(day: u32, page: &str) -> String {
    format!(
        "2026-05-{day:02} 08:00:01 EDT 1 - \"GET /{page} HTTP/1.1\" 200 12 10.0.0.1 \"-\" \"A\" T 0 1 2 J C A c v t a i\n"
    )
}

fn rows(life: &Life) -> String {
    life.pair.value("SELECT COUNT(*) FROM web").unwrap()
}

#[test]
fn a_log_that_nobody_understands_is_named_once_a_day_and_stops_nothing() {
    let Some(life) = with_importer() else { return };
    life.log_file(&format!("{ACCESS}20260510"), "not a log\nneither is this\n");
    life.log_file(&format!("{ACCESS}20260511"), &line(11, "a"));
    // including the last day of the previous month, which is closed nevertheless
    life.log_file(&format!("{ACCESS}20260420"), "garbage\n");
    let first = life.run("run").expect_code(1);
    for words in ["h-access.log-20260510 was not imported: ", "not a log", "import --accept h-access.log-20260510"] {
        assert!(first.stderr.contains(words), "{words}: {}", first.stderr);
    }
    assert_eq!(rows(&life), "1");
    assert!(life.has(&format!("{ACCESS}20260510")) && !life.has(&format!("{ACCESS}20260511")));
    let list = life.list();
    assert!(list.iter().any(|line| line == "summarize --month 2026-04"), "{list:?}");

    // on the same day nothing is reported or tried again
    let again = life.run("run").ok();
    assert_eq!((again.stderr.as_str(), life.list()), ("", vec![]));
    life.run("import --next").ok();
    let text = life.run("status").ok().text();
    assert!(
        text.contains("  refused log      : ") && text.contains("h-access.log-20260510 since 2026-05-19: "),
        "{text}"
    );
    assert!(text.contains("  httpd access: 0\n"), "{text}");
    // on the next day it is reported again, once
    let tomorrow = |line: &str| life.start(line).env("HZMETRICS_NOW", "2026-05-20T10:10").finish();
    let named = tomorrow("run").expect_code(1);
    assert_eq!(named.stderr.matches("was not imported: ").count(), 2, "{}", named.stderr);
    assert_eq!(tomorrow("run").ok().stderr, "");

    // once it has changed it is tried again
    life.log_file(&format!("{ACCESS}20260510"), &line(10, "b"));
    tomorrow("run").ok();
    assert_eq!(rows(&life), "2");
    assert!(!life.has(&format!("{ACCESS}20260510")));
    let text = tomorrow("status").ok().text();
    assert!(!text.contains("h-access.log-20260510 since"), "{text}");
    assert!(
        text.contains("  imported day     : 20260510 web: 1 lines, 1 kept, 0 rejected (0.0%), 0 dropped"),
        "{text}"
    );
}

#[test]
fn a_refused_log_is_accepted_or_set_aside() {
    let Some(life) = with_importer() else { return };
    for day in ["20260510", "20260511"] {
        life.log_file(&format!("{ACCESS}{day}"), "not a log\n");
    }
    life.log_file("var/log/httpd/refused/h-access.log-20260511", "an older one\n");
    life.run("import --month 2026-05").expect_code(1);
    life.run("import --accept nowhere").expect_code(1);
    life.run("import --accept h-access.log-20260510 --dry-run").ok();
    assert!(life.has(&format!("{ACCESS}20260510")));
    life.run("import --accept h-access.log-20260510").ok();
    assert!(life.has("var/log/httpd/imported/h-access.log-20260510"));
    let booked =
        "SELECT s.filename, s.row_count, f.rejected, f.status FROM imported_sources s JOIN import_files f USING (id)";
    assert_eq!(life.pair.lines(booked), ["h-access.log-20260510\t0\t1\taccepted"]);
    let path = life.path("root").join(format!("{ACCESS}20260511"));
    life.start("import --set-aside").arg(&path).finish().ok();
    assert!(!path.exists() && life.has("var/log/httpd/refused/h-access.log-20260511.~1~"));
    assert!(!life.has("var/log/hubzero/metrics/_refused.ndjson"));
    assert!(life.run("status").ok().text().contains("  refused logs     : (none)\n"));
    assert_eq!(life.run("run").ok().stderr, "");
}

#[test]
fn a_log_that_grew_while_read_stays_and_its_rest_is_imported_next() {
    let Some(life) = with_importer() else { return };
    let log = format!("{ACCESS}20260510");
    life.log_file(&log, &[line(10, "a"), line(10, "b"), line(10, "c")].concat());
    let more = life.path("more");
    fs::write(&more, [line(10, "d"), line(10, "e")].concat()).unwrap();
    let grow = format!("cat '{}' >> \"$file\"", more.display());
    let done = life.start("import --next").env("AFTER", grow).finish().ok();
    assert!(done.stderr.contains("h-access.log-20260510 has grown since it was read"), "{}", done.stderr);
    assert_eq!(rows(&life), "3");
    assert!(life.has(&log));
    assert_eq!(life.run("import --next").ok().stderr, "");
    assert_eq!(rows(&life), "5");
    assert!(!life.has(&log) && life.has("var/log/httpd/imported/h-access.log-20260510"));
}

#[test]
fn a_log_replaced_while_read_stays_and_both_are_kept() {
    let Some(life) = with_importer() else { return };
    let log = format!("{ACCESS}20260510");
    life.log_file(&log, &line(10, "a"));
    let other = life.path("other");
    fs::write(&other, [line(10, "x"), line(10, "y")].concat()).unwrap();
    let replace = format!(
        "cp \"$file\" '{}/kept'; cp '{}' \"$file.new\"; mv \"$file.new\" \"$file\"",
        life.path("").display(),
        other.display()
    );
    let done = life.start("import --next").env("AFTER", replace).finish().ok();
    assert!(done.stderr.contains("h-access.log-20260510 holds another content than was read"), "{}", done.stderr);
    assert!(life.has(&log));
    // the older content was archived by hand in the meantime: it keeps its name
    fs::create_dir_all(life.path("root/var/log/httpd/imported")).unwrap();
    fs::copy(life.path("kept"), life.path("root/var/log/httpd/imported/h-access.log-20260510")).unwrap();
    life.run("import --next --force").ok();
    assert_eq!(rows(&life), "3");
    assert!(!life.has(&log) && life.has("var/log/httpd/imported/h-access.log-20260510.~1~"));
}

#[test]
fn many_ipv6_clients_are_reported_once_a_month() {
    let Some(life) = with_importer() else { return };
    let six = |day| line(day, "a").replace("10.0.0.1", "2001:db8::1");
    for day in [10, 11] {
        life.log_file(&format!("{ACCESS}202605{day}"), &[line(day, "a"), six(day)].concat());
    }
    let done = life.run("import --day 2026-05-10").ok();
    assert!(
        done.stderr.contains(
            "1 of 2 lines are of IPv6 clients and left out, as the original does; `options = ipv6` under [compat]"
        ),
        "{}",
        done.stderr
    );
    assert_eq!(life.run("import --day 2026-05-11").ok().stderr, "");
    assert!(life.run("status").ok().text().contains("IPv6 50.0%"));
}
