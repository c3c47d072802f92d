//! Lists of staged and imported logs: which are read back, and which are refused.

use super::lines::LONGEST;
use super::*;

fn any() -> Roots {
    Roots::Named(vec!["/d".into()])
}

#[test]
fn a_list_belongs_to_files_older_than_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (list, file) = (list_path(directory.path()), directory.path().join("_hub_apache.log"));
    let set = |path: &Path, seconds| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::create(path).unwrap().set_modified(time).unwrap();
    };
    assert!(!is_older_than(directory.path(), &file));
    set(&list, 100);
    assert!(!is_older_than(directory.path(), &file));
    for (seconds, expected) in [(99, false), (100, false), (101, true)] {
        set(&file, seconds);
        assert_eq!(is_older_than(directory.path(), &file), expected, "{seconds}");
    }
}

#[test]
fn a_list_is_read_or_missing_or_an_error_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(read(directory.path(), &any()).unwrap(), None);
    let line = r#"{"kind":"source","path":"/d/a.log","stream":"auth","bytes":9,"compression":"gzip","staged_offset":5,"staged_bytes":70}"#;
    fs::write(list_path(directory.path()), format!("{line}\n")).unwrap();
    let log = StagedLog {
        path: "/d/a.log".into(),
        stream: Stream::Auth,
        offset: 5,
        bytes: 70,
        begin: 0,
        open: 0,
        read: None,
        staged_in: None,
        line: 1,
    };
    assert_eq!(read(directory.path(), &any()).unwrap(), Some(vec![log]));
}

#[test]
fn a_hostile_list_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let good = r#"{"path":"/d/a.log","stream":"auth","staged_offset":0,"staged_bytes":7}"#;
    let with = |from: &str, to: &str| good.replace(from, to);
    for bad in [
        "{}".to_owned(),
        good.to_owned(),
        with("/d/a.log", "/etc/passwd"),
        with("/d/a.log", "/d/../etc/passwd"),
        with("/d/a.log", "/d/a\\u0000b"),
        with("/d/a.log", ""),
        with("auth", "other"),
        with("a.log", "b").replace(":0,", ":-1,"),
        with("a.log", "b").replace(":7}", ":1e99}"),
        with("a.log", "b").replace(":0,", ":18446744073709551615,"),
        with("a.log", "b").replace(":7}", ":18446744073709551616}"),
        "x".repeat(LONGEST + 1),
        "\u{0}".to_owned(),
    ] {
        fs::write(list_path(directory.path()), format!("{good}\n{bad}\n")).unwrap();
        let error = format!("{:#}", read(directory.path(), &any()).unwrap_err());
        assert!(error.contains("_staged.ndjson:2"), "{bad:.80}: {error}");
    }
    fs::write(list_path(directory.path()), format!("{good}\n{}\n", with("a.log", "b").replace(":0,", ":6,"))).unwrap();
    let logs = read(directory.path(), &any()).unwrap().unwrap();
    let error = check_places(directory.path(), &logs).unwrap_err().to_string();
    assert!(error.contains("_staged.ndjson:2"), "{error}");
}

#[test]
fn outcomes_are_kept_while_their_logs_exist() {
    let directory = tempfile::tempdir().unwrap();
    let staging = directory.path();
    let at = |name: &str| staging.join(name);
    let log = |name: &str| StagedLog {
        path: at(name),
        stream: Stream::Access,
        offset: 0,
        bytes: 4,
        begin: 0,
        open: 2,
        read: Some(crate::fingerprint::of(&at(name)).unwrap()),
        staged_in: None,
        line: 1,
    };
    for name in ["a", "b", "c"] {
        fs::write(at(name), format!("{name}\nx")).unwrap();
    }
    assert_eq!(read_imported(staging).unwrap(), []);
    let old: Vec<_> = ["a", "b"].map(|name| Outcome::of(&log(name), None).unwrap()).into();
    write_imported(staging, &old, &[]).unwrap();
    assert_eq!(read_imported(staging).unwrap(), old);
    assert_eq!((old[0].resume, old[0].read.bytes), (1, 3));
    assert!(old[0].has_loaded(&log("a")) && !old[0].has_loaded(&log("b")));
    fs::write(at("a"), "a\nx\ny").unwrap();
    fs::remove_file(at("b")).unwrap();
    let refused = Outcome::of(&log("c"), Some("why".to_owned())).unwrap();
    assert!(!refused.has_loaded(&log("c")));
    write_imported(staging, std::slice::from_ref(&refused), &old).unwrap();
    let now = read_imported(staging).unwrap();
    assert_eq!(now, [old[0].clone(), refused]);
    let since = |name: &str| {
        let open = || Ok(kit::door::open(&at(name))?);
        imported_since(&now, Stream::Access, &at(name), open).unwrap().len()
    };
    assert_eq!((since("a"), since("c")), (1, 0));
    fs::write(imported_path(staging), "{\"kind\":\"imported\"}\n").unwrap();
    assert!(format!("{:#}", read_imported(staging).unwrap_err()).contains("_imported.ndjson:1"));
}
