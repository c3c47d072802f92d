//! `archive --db` in a made-up root.

use std::fs;
use std::path::PathBuf;

use fixtures::Run;
use tempfile::TempDir;

use super::archive;

struct Root(TempDir);

impl Root {
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(root.0.path().join("etc/httpd")).unwrap();
        root.put("../../etc/hubzero.conf", "site = hub\n");
        for name in ["hub-access.log-1", "hub-access.log-2.gz", "new-hub-access.log-1", "other-access.log-1"] {
            root.put(&format!("httpd/daily/{name}"), name);
        }
        for name in ["cmsauth.log-1", "cmsdebug.log-1", "unrelated"] {
            root.put(&format!("hubzero/daily/{name}"), name);
        }
        fs::create_dir_all(root.at("httpd/imported")).unwrap();
        root
    }
    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join("var/log").join(path)
    }
    fn put(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fn names(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(directory)) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        // every program records its runs
        names.retain(|name| !name.starts_with("_health."));
        names.sort();
        names
    }
    fn archive(&self) -> Run {
        archive().arg("--db").env("HZMETRICS_ROOT", self.0.path())
    }
    /// Writes the list that staging these access logs and `cmsauth.log-1` would write.
    fn list(&self, names: &[&str]) {
        let mut list = String::new();
        for (stream, path) in names
            .iter()
            .map(|n| ("access", if n.contains("daily") { format!("httpd/{n}") } else { format!("httpd/daily/{n}") }))
            .chain([("auth", "hubzero/daily/cmsauth.log-1".to_owned())])
        {
            let path = self.at(&path);
            let record = format!(
                "{{\"kind\":\"source\",\"path\":{path:?},\"stream\":\"{stream}\",\"staged_offset\":0,\"staged_bytes\":1}}\n"
            );
            list.push_str(&record);
        }
        self.put("hubzero/metrics/_staged.ndjson", &list);
    }
}

#[test]
fn without_a_list_everything_is_moved() {
    let root = Root::new();
    let dry = root.archive().arg("--dry-run").finish().ok();
    assert_eq!(dry.stderr.matches("would move").count(), 5, "{}", dry.stderr);
    assert_eq!(root.names("httpd/daily").len(), 4);
    for _ in 0..2 {
        let done = root.archive().finish().ok();
        assert!(done.stdout.is_empty() && done.stderr.is_empty(), "{}", done.stderr);
        assert_eq!(
            root.names("httpd/imported"),
            ["hub-access.log-1.gz", "hub-access.log-2.gz", "new-hub-access.log-1.gz"]
        );
        assert_eq!(root.names("hubzero/imported"), ["cmsauth.log-1.gz", "cmsdebug.log-1.gz"]);
        assert_eq!(root.names("httpd/daily"), ["other-access.log-1"]);
        assert_eq!(root.names("hubzero/daily"), ["unrelated"]);
    }
}

#[test]
fn logs_that_arrived_after_the_staging_stay() {
    let root = Root::new();
    root.list(&["hub-access.log-1", "hub-access.log-2.gz"]);
    root.put("httpd/daily/hub-access.log-3", "late");
    root.put("hubzero/daily/cmsauth.log-2", "late");
    root.archive().finish().ok();
    assert_eq!(root.names("httpd/daily"), ["hub-access.log-3", "other-access.log-1"]);
    assert_eq!(root.names("hubzero/daily"), ["cmsauth.log-2", "unrelated"]);
    assert!(root.names("hubzero/metrics").is_empty(), "the list is used up");
}

#[test]
fn logs_that_arrived_after_an_empty_staging_stay() {
    let root = Root::new();
    root.put("hubzero/metrics/_staged.ndjson", "");
    let done = root.archive().finish().ok();
    assert!(done.stderr.is_empty(), "{}", done.stderr);
    assert_eq!(root.names("httpd/daily"), ["hub-access.log-1", "hub-access.log-2.gz", "other-access.log-1"]);
    assert_eq!(root.names("hubzero/daily"), ["cmsauth.log-1", "unrelated"]);
    // files that no stage reads are moved, and the list with them
    assert_eq!(root.names("hubzero/imported"), ["cmsdebug.log-1.gz"]);
    assert!(!root.at("hubzero/metrics/_staged.ndjson").exists());
}

#[test]
fn logs_that_were_not_imported_stay() {
    let root = Root::new();
    root.list(&["hub-access.log-1", "hub-access.log-2.gz"]);
    root.put("hubzero/metrics/_hub_apache.log", "still here\n");
    let failed = root.archive().finish().expect_code(1);
    assert!(failed.stderr.contains("_hub_apache.log was not imported yet"), "{}", failed.stderr);
    assert_eq!(root.names("httpd/daily"), ["hub-access.log-1", "hub-access.log-2.gz", "other-access.log-1"]);
    assert_eq!(root.names("hubzero/imported"), ["cmsauth.log-1.gz", "cmsdebug.log-1.gz"]);
    fs::remove_file(root.at("hubzero/metrics/_hub_apache.log")).unwrap();
    root.archive().finish().ok();
    assert_eq!(root.names("httpd/imported").len(), 3);
}

#[test]
fn an_old_list_holds_nothing_back() {
    let root = Root::new();
    root.list(&["hub-access.log-0"]);
    // staged by the legacy line without a list, and imported since
    root.put("hubzero/metrics/_prev_hub_apache.log", "of tonight\n");
    root.put("hubzero/metrics/_prev_hub_auth.log", "of the night of the list\n");
    let set = |name: &str, seconds| {
        let file = fs::File::options().append(true).open(root.at(&format!("hubzero/metrics/{name}"))).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    set("_prev_hub_auth.log", 1_000_000);
    set("_staged.ndjson", 1_000_001);
    set("_prev_hub_apache.log", 1_000_002);
    root.put("hubzero/daily/cmsauth.log-2", "late");
    root.archive().finish().ok();
    assert_eq!(root.names("httpd/daily"), ["other-access.log-1"]);
    assert_eq!(root.names("hubzero/daily"), ["cmsauth.log-2", "unrelated"]);
    assert_eq!(root.names("hubzero/metrics"), ["_prev_hub_apache.log", "_prev_hub_auth.log"]);
}

#[test]
fn logs_from_subfolders_go_next_to_their_daily() {
    let root = Root::new();
    root.put("httpd/daily/2024/hub-access.log-20241231", "old");
    root.put("httpd/daily.holding/hub-access.log-20250101", "held");
    root.list(&["2024/hub-access.log-20241231", "daily.holding/hub-access.log-20250101"]);
    root.archive().finish().ok();
    let there = root.names("httpd/imported");
    assert!(
        ["hub-access.log-20241231.gz", "hub-access.log-20250101.gz"].iter().all(|n| there.contains(&(*n).to_owned())),
        "{there:?}"
    );
}

#[test]
fn a_killed_run_is_finished() {
    let root = Root::new();
    fs::rename(root.at("httpd/daily/hub-access.log-1"), root.at("httpd/daily/.hub-access.log-1.archiving")).unwrap();
    root.archive().finish().ok();
    assert_eq!(root.names("httpd/imported"), ["hub-access.log-1.gz", "hub-access.log-2.gz", "new-hub-access.log-1.gz"]);
    assert_eq!(root.names("httpd/daily"), ["other-access.log-1"]);
}

#[test]
fn only_one_day_can_be_moved() {
    let root = Root::new();
    for name in [
        "httpd/daily/hub-access.log-20250701",
        "httpd/daily/hub-access.log-20250702",
        "hubzero/daily/cmsauth.log-20250701",
    ] {
        root.put(name, "x");
    }
    root.list(&["hub-access.log-20250701", "hub-access.log-20250702"]);
    let done = root.archive().args(["--date", "20250701", "--dry-run"]).finish().ok();
    assert_eq!(done.stderr.matches("would move").count(), 1, "{}", done.stderr);
    root.archive().args(["--date", "20250701"]).finish().ok();
    // the auth log of that day is not in the list: it came later
    assert_eq!(root.names("httpd/imported"), ["hub-access.log-20250701.gz"]);
    assert!(root.names("hubzero/imported").is_empty() && root.at("hubzero/metrics/_staged.ndjson").exists());
    root.archive().args(["--date", "2025-07-01"]).finish().expect_code(2);
    archive().args(["--date", "20250701"]).finish().expect_code(2);
}

#[test]
fn the_port_moves_one_log_per_day_and_removes_empty_folders() {
    let root = Root::new();
    for path in [
        "httpd/daily/hub-access.log-20250702",
        "httpd/daily/2024/hub-access.log-20241231.gz",
        "httpd/daily/2023/hub-access.log-20231231",
        "httpd/daily/2023/notes",
        "httpd/daily/2023/more/hub-access.log-20230101",
        "httpd/daily.holding/hub-access.log-20250701",
        "httpd/daily.holding/hub-access.log-20250702",
        "hubzero/daily.holding/cmsauth.log-20250701",
    ] {
        root.put(path, path);
    }
    fs::create_dir_all(root.at("httpd/daily/2022")).unwrap();
    let port = |args: &[&str]| root.archive().args(["--compat", "port"]).args(args).finish().ok();
    let dry = port(&["--dry-run"]);
    assert_eq!(dry.stderr.matches("would move").count(), 8, "{}", dry.stderr);
    assert!(root.at("httpd/daily/2024").exists());
    // only one day, from its place
    port(&["--date", "20241231"]);
    assert_eq!(root.names("httpd/imported"), ["hub-access.log-20241231.gz"]);
    assert!(!root.at("httpd/daily/2024").exists());
    port(&[]);
    // it ignores logs without a day; a second log of a day waits
    assert_eq!(root.names("httpd/daily.holding"), ["hub-access.log-20250702"]);
    let daily = ["2022", "2023", "hub-access.log-1", "hub-access.log-2.gz", "other-access.log-1"];
    assert_eq!(root.names("httpd/daily"), daily, "a folder that it took nothing from is not its business");
    assert_eq!(root.names("httpd/daily/2023"), ["notes"], "what is not empty stays");
    assert!(!root.at("hubzero/daily.holding").exists());
    assert_eq!(root.names("hubzero/imported"), ["cmsauth.log-20250701.gz", "cmsdebug.log-1.gz"]);
    port(&[]);
    assert!(!root.at("httpd/daily.holding").exists());
    assert_eq!(
        root.names("httpd/imported"),
        [
            "hub-access.log-20230101.gz",
            "hub-access.log-20231231.gz",
            "hub-access.log-20241231.gz",
            "hub-access.log-20250701.gz",
            "hub-access.log-20250702.gz",
            "hub-access.log-20250702.gz.~1~",
            "new-hub-access.log-1.gz",
        ]
    );
    // daily/ itself is kept, whatever was in it
    for name in &daily[2..] {
        fs::remove_file(root.at("httpd/daily").join(name)).unwrap();
    }
    fs::remove_dir_all(root.at("httpd/daily/2022")).unwrap();
    fs::remove_dir_all(root.at("httpd/daily/2023")).unwrap();
    root.put("httpd/daily/hub-access.log-20250709", "the last one");
    port(&[]);
    assert!(root.names("httpd/daily").is_empty() && root.at("httpd/daily").exists());
}

#[test]
fn like_the_original_line_it_keeps_empty_folders() {
    let root = Root::new();
    root.put("httpd/daily/2024/hub-access.log-20241231", "old");
    root.list(&["2024/hub-access.log-20241231"]);
    root.archive().finish().ok();
    assert!(root.names("httpd/imported").contains(&"hub-access.log-20241231.gz".to_owned()));
    assert!(root.at("httpd/daily/2024").exists());
    // with a list the port moves what is in it, once
    root.put("httpd/daily/2024/hub-access.log-20241230", "older");
    root.put("httpd/daily/2024/hub-access.log-20241229", "late");
    root.list(&["2024/hub-access.log-20241230"]);
    let done = root.archive().args(["--compat", "port"]).finish().ok();
    assert_eq!(done.stderr, "");
    assert_eq!(root.names("httpd/daily/2024"), ["hub-access.log-20241229"]);
}

#[test]
fn logs_not_recorded_as_loaded_stay() {
    let root = Root::new();
    let at = root.at("httpd/daily/hub-access.log-1");
    let read = serde_json::to_string(&logs::fingerprint::of(&at).unwrap()).unwrap();
    let record = format!(
        "{{\"kind\":\"source\",\"path\":{at:?},\"stream\":\"access\",\"staged_offset\":0,\"staged_bytes\":1,\"read\":{read}}}\n"
    );
    root.put("hubzero/metrics/_staged.ndjson", &record);
    let stays_with = |code, why: &str| {
        let failed = root.archive().finish().expect_code(code);
        assert!(failed.stderr.contains(why), "{}", failed.stderr);
        assert!(at.exists() && root.at("hubzero/metrics/_staged.ndjson").exists());
    };
    let stays = |why| stays_with(1, why);
    stays("no import of it is recorded");
    let staging = root.at("hubzero/metrics");
    let listed = logs::staged::read(&staging, &logs::roots::Roots::Any).unwrap().unwrap();
    let note = |refused: Option<&str>| {
        let outcome = logs::staged::Outcome::of(&listed[0], refused.map(str::to_owned)).unwrap();
        logs::staged::write_imported(&staging, &[outcome], &[]).unwrap();
    };
    note(Some("nobody understood it"));
    stays("nobody understood it");
    note(None);
    fs::write(&at, "hub-access.log-1 and more").unwrap();
    stays_with(0, "has grown");
    fs::write(&at, "hub-access.log-1").unwrap();
    root.archive().finish().ok();
    assert!(!at.exists());
}

#[test]
fn a_list_with_a_path_outside_moves_nothing() {
    let root = Root::new();
    for bad in ["../../../etc/hubzero.conf", "../../elsewhere/daily/x"] {
        root.list(&["hub-access.log-1", bad]);
        let failed = root.archive().finish().expect_code(1);
        assert!(failed.stderr.contains("_staged.ndjson:2"), "{}", failed.stderr);
        assert_eq!(root.names("httpd/daily").len(), 4);
    }
}
