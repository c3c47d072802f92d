//! `fetch-logs --stage` in a made-up root.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use fixtures::Run;
use tempfile::TempDir;

use super::{fetch_logs, gzip, write};

struct Root(TempDir);

impl Root {
    /// A Debian-like host of the site `hub`.
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(root.0.path().join("etc/apache2")).unwrap();
        write(root.0.path(), "etc/hubzero.conf", "[DEFAULT]\nsite = hub\n");
        root
    }
    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        write(&self.0.path().join("var/log"), path, bytes);
    }
    fn stage(&self) -> Run {
        fetch_logs().arg("--stage").env("HZMETRICS_ROOT", self.0.path())
    }
    fn staged(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.path().join("var/log/hubzero/metrics").join(name)).ok()
    }
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path().join("var/log/hubzero/metrics")).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        // every program records its runs
        names.retain(|name| !name.starts_with("_health."));
        names.sort();
        names
    }
}

#[test]
fn logs_are_concatenated_in_the_order_of_their_names() {
    let root = Root::new();
    root.put("apache2/daily/hub-access.log-20250702", "two\n");
    root.put("apache2/daily/hub-access.log-20250701", "one, not ended");
    root.put("apache2/daily/hub-access-ssl.log-20250709.gz", gzip("ssl\n"));
    root.put("apache2/daily/2024/hub-access.log-20241231", "deep\n");
    root.put("apache2/daily/other-access.log-20250701", "other site\n");
    root.put("apache2/daily/new-hub-access.log-20250701", "new\n");
    root.put("hubzero/daily/cmsauth.log-20250701.zst", zstd::encode_all(&b"auth\n"[..], 1).unwrap());
    let done = root.stage().finish().ok();
    assert!(done.stdout.is_empty() && done.stderr.is_empty(), "{}", done.stderr);
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "ssl\none, not endedtwo\n");
    assert_eq!(root.staged("_hub_auth.log").unwrap(), "auth\n");
    let list = root.staged("_staged.ndjson").unwrap();
    let places: Vec<_> = list
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
        .map(|r| {
            (
                r["staged_offset"].as_u64().unwrap(),
                r["staged_bytes"].as_u64().unwrap(),
                r["stream"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let access = "access".to_owned();
    assert_eq!(places, [(0, 4, access.clone()), (4, 14, access.clone()), (18, 4, access), (0, 5, "auth".to_owned())]);
    let deep = root.stage().arg("--deep").finish().ok();
    assert!(deep.stderr.is_empty() && root.staged("_hub_apache.log").unwrap().starts_with("deep\n"));
}

#[test]
fn names_that_are_not_utf8_are_staged() {
    let root = Root::new();
    let daily = root.0.path().join("var/log/apache2/daily");
    fs::create_dir_all(&daily).unwrap();
    for (name, text) in [(b"hub-access.log-20250701\xfe" as &[u8], "one\n"), (b"hub-access.log-20250701\xff", "two\n")]
    {
        fs::write(daily.join(OsStr::from_bytes(name)), text).unwrap();
    }
    assert_eq!(root.stage().finish().ok().stderr, "");
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "one\ntwo\n");
    let list = root.staged("_staged.ndjson").unwrap();
    assert!(list.contains("-20250701%FE\"") && list.contains("-20250701%FF\""), "{list}");
}

#[test]
fn a_stream_without_logs_keeps_its_staging_file() {
    let root = Root::new();
    root.put("hubzero/metrics/_hub_auth.log", "left\n");
    assert!(root.stage().finish().ok().stderr.is_empty());
    // a log that arrives now was not read, and an empty list tells `archive` so
    assert_eq!(root.names(), ["_hub_auth.log", "_staged.ndjson"], "nothing to stage");
    assert_eq!(root.staged("_staged.ndjson").unwrap(), "");
    root.put("apache2/daily/hub-access.log-20250701", "one\n");
    root.stage().finish().ok();
    assert_eq!(root.staged("_hub_auth.log").unwrap(), "left\n");
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "one\n");
}

#[test]
fn a_log_beside_its_compressed_form_is_staged_once() {
    let root = Root::new();
    root.put("apache2/daily/hub-access.log-20250701", "one\n");
    root.put("apache2/daily/hub-access.log-20250701.gz", gzip("one\n"));
    root.put("apache2/daily/hub-access.log-20250702", "new half\n");
    root.put("apache2/daily/hub-access.log-20250702.gz", gzip("old half\n"));
    let done = root.stage().finish().ok();
    assert!(done.stderr.contains("20250701.gz holds the same"), "{}", done.stderr);
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "one\nnew half\nold half\n");
    assert_eq!(root.staged("_staged.ndjson").unwrap().lines().count(), 4);
}

#[test]
fn days_dry_runs_and_compat_port_are_respected() {
    let root = Root::new();
    for (name, text) in [
        ("hub-access.log-20250701", "one\n"),
        ("hub-access-ssl.log-20250701", "ssl\n"),
        ("hub-access.log", "today\n"),
        ("2024/hub-access.log-20241231", "deep\n"),
    ] {
        root.put(&format!("apache2/daily/{name}"), text);
    }
    let dry = root.stage().arg("--dry-run").finish().ok();
    assert_eq!(dry.stderr.matches("would stage").count(), 3, "{}", dry.stderr);
    assert!(root.staged("_hub_apache.log").is_none());
    root.stage().args(["--date", "20250701"]).finish().ok();
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "ssl\none\n");
    let port = root.stage().env("HZMETRICS_COMPAT", "port").finish();
    if port.code == 0 {
        assert_eq!(root.staged("_hub_apache.log").unwrap(), "deep\nssl\n", "one a day, by day, whatever is dated");
    } else {
        assert!(port.stderr.contains("insufficient staging space"), "{}", port.stderr);
    }
}

#[test]
fn a_damaged_log_stages_nothing() {
    let root = Root::new();
    root.put("apache2/daily/hub-access.log-20250701", "one\n");
    root.stage().finish().ok();
    let before = (root.staged("_hub_apache.log"), root.staged("_staged.ndjson"));
    let whole = gzip("some text that is long enough to be cut\n");
    root.put("apache2/daily/hub-access.log-20250702.gz", &whole[..whole.len() - 6]);
    let failed = root.stage().finish().expect_code(1);
    assert!(failed.stderr.contains("hub-access.log-20250702.gz"), "{}", failed.stderr);
    assert_eq!((root.staged("_hub_apache.log"), root.staged("_staged.ndjson")), before);
    assert_eq!(root.names(), ["_hub_apache.log", "_staged.ndjson"], "no half file is left");
}

#[test]
fn staging_waits_for_another_run() {
    let root = Root::new();
    root.put("apache2/daily/hub-access.log-20250701", "one\n");
    let path = root.0.path().join("var/run/hzmetrics/hzmetrics.pid");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let held = fs::File::create(&path).unwrap();
    held.lock().unwrap();
    let busy = root.stage().args(["--lock-wait", "0"]).finish().expect_code(75);
    assert!(busy.stderr.contains("another run is in progress"), "{}", busy.stderr);
    assert!(root.staged("_hub_apache.log").is_none());
    drop(held);
    root.stage().args(["--lock-wait", "0"]).finish().ok();
    assert!(root.staged("_hub_apache.log").is_some());
}

#[test]
fn a_disk_without_room_stages_nothing() {
    let root = Root::new();
    root.put("apache2/daily/hub-access.log-20250701", "one\n");
    root.stage().finish().ok();
    // a sparse file, larger than any disk when it is decompressed
    let huge = root.0.path().join("var/log/apache2/daily/hub-access.log-20250702.gz");
    fs::File::create(huge).unwrap().set_len(1 << 43).unwrap();
    let failed = root.stage().finish().expect_code(1);
    assert!(
        failed.stderr.contains("insufficient staging space on") && failed.stderr.contains("nothing was staged"),
        "{}",
        failed.stderr
    );
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "one\n");
}

#[test]
fn links_out_of_the_log_folders_are_left_out() {
    let root = Root::new();
    root.put("apache2/daily/hub-access.log-20250701", "one\n");
    let secret = root.0.path().join("secret");
    fs::write(&secret, "secret\n").unwrap();
    std::os::unix::fs::symlink(&secret, root.0.path().join("var/log/apache2/daily/hub-access.log-20250702")).unwrap();
    let failed = root.stage().finish().expect_code(1);
    assert!(failed.stderr.contains("hub-access.log-20250702"), "{}", failed.stderr);
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "one\n", "the others are staged");
    assert!(!root.staged("_staged.ndjson").unwrap().contains("20250702"));
}

#[test]
fn staged_copies_have_the_mode_of_their_sources() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Root::new();
    let at = |name: &str| root.0.path().join("var/log").join(name);
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    for (of_source, of_copy) in [(0o644, 0o640), (0o600, 0o600), (0o640, 0o640)] {
        root.put("apache2/daily/hub-access.log-20250701", "one\n");
        fs::set_permissions(at("apache2/daily/hub-access.log-20250701"), fs::Permissions::from_mode(of_source))
            .unwrap();
        root.stage().finish().ok();
        assert_eq!(mode("hubzero/metrics/_hub_apache.log"), of_copy, "{of_source:o}");
    }
}

#[test]
fn a_log_that_grew_since_its_import_is_staged_from_its_last_line_on() {
    let root = Root::new();
    let log = root.0.path().join("var/log/apache2/daily/hub-access.log-20250701");
    let staging = root.0.path().join("var/log/hubzero/metrics");
    root.put("apache2/daily/hub-access.log-20250701", "one\ntw");
    root.stage().finish().ok();
    let roots = logs::roots::Roots::Any;
    let listed = logs::staged::read(&staging, &roots).unwrap().unwrap();
    assert_eq!((listed[0].begin, listed[0].open, listed[0].bytes), (0, 2, 6));
    let outcome = logs::staged::Outcome::of(&listed[0], None).unwrap();
    logs::staged::write_imported(&staging, &[outcome], &[]).unwrap();
    fs::write(&log, "one\ntwo\nthree\n").unwrap();
    root.stage().finish().ok();
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "two\nthree\n");
    assert_eq!(logs::staged::read(&staging, &roots).unwrap().unwrap()[0].begin, 4);
    // other content starts from its first byte
    fs::write(&log, "uno\ntwo\nthree\n").unwrap();
    root.stage().finish().ok();
    assert_eq!(root.staged("_hub_apache.log").unwrap(), "uno\ntwo\nthree\n");
}
