//! What is stored about people, in a pipe: `--forget FILE` and `--addresses shorten`.

use ::hub::forgotten::{Forgotten, How, What};
use tempfile::TempDir;

use super::*;

fn list(folder: &TempDir, how: How) -> PathBuf {
    let mut list = Forgotten::new().unwrap();
    for (what, text) in [(What::Name, "jdoe"), (What::Id, "4799"), (What::Address, "198.51.100.7")] {
        list.add(what, text, "2025-07-10", how);
    }
    let path = folder.path().join("forgotten.json");
    list.write(&path).unwrap();
    path
}

const LOGINS: &str = "2025-07-10 08:00:01 4799 [jdoe] 198.51.100.7 login\n2025-07-10 08:00:02 1001 [ann] 192.0.2.1 login\n\
                      2025-07-11 08:00:01 4712 [jdoe] 192.0.2.2 login\n";

fn requests() -> String {
    [
        ("2025-07-10", "/members/4799", "192.0.2.1", "0"),
        ("2025-07-10", "/resources/1", "198.51.100.7", "0"),
        ("2025-07-10", "/resources/2", "192.0.2.1", "4799"),
        ("2025-07-11", "/~jdoe", "198.51.100.7", "0"),
    ]
    .map(|(date, url, ip, uid)| {
        line(date, url, "Mozilla/5.0").replace("1.2.3.4", ip).replace(" 1002 J", &format!(" {uid} J"))
    })
    .concat()
}

#[test]
fn they_are_stored_under_other_names_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    for (how, n_logins, n_requests) in [(How::Pseudonym, 3, 4), (How::Delete, 2, 2)] {
        let path = list(&folder, how);
        let forget = |kind: &str, text: &str| raw(kind, text).arg("--forget").arg(&path).finish().ok();
        let logins = forget("auth", LOGINS);
        assert_eq!(logins.of_kind("login").len(), n_logins);
        let text = logins.text();
        assert!(
            !text.contains("\"uidNumber\":4799,") && !text.contains("198.51") && text.contains("\"user\":\"ann\""),
            "{text}"
        );
        // a later account of the name is somebody else
        assert_eq!(text.matches("\"user\":\"jdoe\"").count(), 1, "{text}");
        let found = forget("access", &requests());
        assert_eq!(found.of_kind("web").len(), n_requests);
        let text = found.text();
        assert!(!text.contains("4799\"") && !text.contains("\"uidNumber\":4799"), "{text}");
        assert_eq!((text.matches("198.51.100.7").count(), text.matches("/~jdoe").count()), (1, 1), "{text}");
        // hits count as before
        assert_eq!(hits(&found), hits(&access(requests())));
        if how == How::Delete {
            assert!(found.stderr.contains("forgotten person 2"), "{}", found.stderr);
        }
    }
}

#[test]
fn rejected_lines_name_them_no_more() {
    let folder = tempfile::tempdir().unwrap();
    // no line has a whole time
    let logins = "2025-07-10 08:00 4799 [jdoe] 198.51.100.7 login\n2025-07-10 08:00 1001 [ann] 192.0.2.1 login\n\
                  2025-07-10 08:00:01 1001 [bob] 192.0.2.3 login\n";
    let odd = |url: &str, ip: &str| line("2025-7-10", url, "Mozilla/5.0").replace("1.2.3.4", ip);
    let requests = [
        odd("/members/jdoe", "192.0.2.1"),
        odd("/resources/1", "198.51.100.7"),
        odd("/resources/2", "192.0.2.2"),
        line("2025-07-10", "/resources/3", "Mozilla/5.0"),
    ]
    .concat();
    for how in [How::Pseudonym, How::Delete] {
        let path = list(&folder, how);
        for (kind, text, n_rejected, n_own) in [("auth", logins, 2, 1), ("access", &*requests, 3, 1)] {
            let rejects = folder.path().join("rejects");
            let import = |forget: bool| {
                let run = raw(kind, text).arg("--rejects").arg(&rejects);
                let done = if forget { run.arg("--forget").arg(&path) } else { run }.finish().ok();
                (done.stderr, std::fs::read_to_string(&rejects).unwrap())
            };
            let (shown, kept) = import(false);
            assert!(shown.contains("198.51.100.7") && kept.contains("198.51.100.7") && kept.contains("jdoe"), "{kept}");
            let (shown, kept) = import(true);
            for text in [&shown, &kept] {
                assert!(!text.contains("jdoe") && !text.contains("198.51") && !text.contains("4799"), "{how:?} {text}");
            }
            assert!(shown.contains(&format!("{n_rejected} of ")), "{shown}");
            assert_eq!(kept.lines().count(), n_rejected);
            let n_empty = kept.lines().filter(|line| line.contains("\"text\":\"\"")).count();
            assert_eq!(n_empty, if how == How::Delete { n_own } else { 0 }, "{how:?} {kept}");
            assert!(kept.contains("ann") || kept.contains("192.0.2.2"), "others stay: {kept}");
        }
        // what a message shows of a file that is not imported
        let log = file(&folder, "h-access.log-20250711", odd("/members/jdoe", "198.51.100.7"));
        let refused = import_logs().arg(&log).arg("--forget").arg(&path).finish();
        assert!(refused.stderr.contains("not imported") && !refused.stderr.contains("jdoe"), "{}", refused.stderr);
        assert!(!refused.stderr.contains("198.51"), "{}", refused.stderr);
    }
}

#[test]
fn a_list_that_cannot_be_read_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "{}", "{\"key\":\"5\",\"forgotten\":[]}"] {
        let path = file(&folder, "list", text);
        let failed = raw("auth", LOGINS).arg("--forget").arg(path).finish();
        assert_eq!(failed.code, 1, "{text}");
        assert!(failed.stderr.contains("the list of the forgotten") && failed.stdout.is_empty(), "{}", failed.stderr);
    }
}

#[test]
fn only_networks_are_stored_when_asked_and_the_receipt_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let log = file(&folder, "h-access.log-20250711", requests());
    let receipts = folder.path().join("receipts");
    let run = |args: &[&str]| {
        let _ = fs::remove_file(&receipts);
        let done = import_logs().args(args).arg("--receipts").arg(&receipts).arg(&log).finish().ok();
        (done, fs::read_to_string(&receipts).unwrap())
    };
    let (kept, receipt) = run(&[]);
    assert!(!receipt.contains("addresses") && kept.text().contains("198.51.100.7"), "{receipt}");
    let (shortened, receipt) = run(&["--addresses", "shorten"]);
    assert!(receipt.contains("\"addresses\":\"shorten\""), "{receipt}");
    let text = shortened.text();
    assert!(!text.contains("198.51.100.7") && text.contains("\"ip\":\"198.51.100.0\""), "{text}");
    assert_eq!(hits(&shortened), hits(&kept));
    let conf = file(&folder, "hzmetrics.conf", "[privacy]\naddresses = shorten\n");
    let run = |text: &str| {
        fs::write(&conf, text).unwrap();
        import_logs().env("HZMETRICS_CONFIG", &conf).args(["--raw", "auth"]).stdin(LOGINS).finish()
    };
    let done = run("[privacy]\naddresses = shorten\n").ok();
    assert!(done.text().contains("\"ip\":\"192.0.2.0\"") && !done.text().contains("192.0.2.1\""), "{}", done.text());
    let wrong = run("[privacy]\naddresses = hash\n").expect_code(2);
    assert!(wrong.stderr.contains("[privacy] addresses: `hash` is neither"), "{}", wrong.stderr);
    let given = import_logs().args(["--raw", "auth", "--addresses", "shorten"]).stdin(LOGINS).finish().ok();
    assert_eq!(given.text(), done.text());
}
