//! `hzmetrics prune` on a private server.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fixtures::Finished;
use fixtures::db::{Pair, SqlMode, pair};
use schema::tables::Engine;

fn run(pair: &Pair, conf: &str, args: &[&str]) -> Finished {
    let config = pair.home().join("hzmetrics.conf");
    fs::write(&config, conf).unwrap();
    let run = pair.run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", pair.home().join("root"));
    run.env("HZMETRICS_CONFIG", config).env("HZMETRICS_NOW", "2025-08-02T10:00").args(args).finish()
}

/// All cells of a month.
fn publish(pair: &Pair, month: &str) {
    for table in ["user", "simusage", "misc"] {
        for period in [0, 1, 3, 12, 13, 14] {
            pair.sql(&format!(
                "INSERT INTO summary_{table}_vals (rowid, colid, datetime, period, value) VALUES (1, 1, '{month}-00', {period}, 5)"
            ));
        }
    }
}

fn put(folder: &Path, name: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), "0123456789").unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn only_old_logs_that_are_no_longer_needed_are_removed() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    fs::create_dir_all(pair.home().join("root/etc")).unwrap();
    fs::write(pair.home().join("root/etc/hubzero.conf"), "site = h\n").unwrap();
    let web = pair.home().join("root/var/log/httpd/imported");
    let cms = pair.home().join("root/var/log/hubzero/imported");
    for day in ["20250331", "20250403", "20250503", "20250504", "20250531", "20250601", "20250801"] {
        put(&web, &format!("h-access.log-{day}.gz"));
        if day != "20250504" {
            pair.sql(&format!(
                "INSERT INTO imported_sources (filename, target_table, imported_at) VALUES ('h-access.log-{day}', 'web', NOW())"
            ));
        }
    }
    put(&web, "other-access.log-20250503");
    put(&web, "notes");
    put(&cms, "cmsauth.log-20250503");
    pair.sql(
        "INSERT INTO imported_sources (filename, target_table, imported_at) VALUES ('cmsauth.log-20250503', 'userlogin', NOW());\n\
         REPLACE INTO pipeline_state (k, v) VALUES ('dirty_months', '2025-03')",
    );
    for month in ["2025-03", "2025-05", "2025-06"] {
        publish(&pair, month);
    }
    let before = names(&web);
    let conf = "[retention]\nlogs_months = 2\n";
    let dry = run(&pair, conf, &["prune", "--dry-run"]).ok();
    assert_eq!(names(&web), before);
    assert!(dry.stderr.contains("2025-05: [dry-run] would remove 3 logs"), "{}", dry.stderr);
    assert!(dry.stderr.contains("3 logs before 2025-06, 30 bytes would be freed"), "{}", dry.stderr);
    let done = run(&pair, conf, &["prune"]).ok();
    for words in [
        "logs of 2025-03,2025-04 stay",
        "h-access.log-20250504.gz stays: it is not in the ledger of imports",
        "2025-05: removed 3 logs",
        "3 logs before 2025-06, 30 bytes freed",
    ] {
        assert!(done.stderr.contains(words), "{words}\n{}", done.stderr);
    }
    let left = [
        "h-access.log-20250331.gz",
        "h-access.log-20250403.gz",
        "h-access.log-20250504.gz",
        "h-access.log-20250601.gz",
        "h-access.log-20250801.gz",
        "notes",
        "other-access.log-20250503",
    ];
    assert_eq!((names(&web), names(&cms)), (left.map(str::to_owned).to_vec(), vec![]));
    // the tables are as they were, and so is the ledger
    assert_eq!(pair.lines("SELECT COUNT(*) FROM imported_sources"), ["7"]);
    let again = run(&pair, conf, &["prune"]).ok();
    assert!(again.stderr.contains("0 logs before 2025-06, 0 bytes freed"), "{}", again.stderr);
    // what cannot be imported again is deleted only when asked twice
    let gone = ["forget-import", "h-access.log-20250503"];
    let refused = run(&pair, conf, &gone).expect_code(1);
    assert!(refused.stderr.contains("it cannot be imported again"), "{}", refused.stderr);
    run(&pair, conf, &["forget-import", "h-access.log-20250503", "--dry-run"]).ok();
    assert_eq!(pair.lines("SELECT COUNT(*) FROM imported_sources"), ["7"]);
    run(&pair, conf, &["forget-import", "h-access.log-20250601"]).ok();
    run(&pair, "", &gone).ok();
    run(&pair, conf, &["forget-import", "cmsauth.log-20250503", "--force"]).ok();
    assert_eq!(pair.lines("SELECT COUNT(*) FROM imported_sources"), ["4"]);
}

#[test]
fn without_a_bound_nothing_is_removed() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    for (conf, words) in [
        ("", "set [retention] logs_months"),
        ("[retention]\nlogs_months =\n", "set [retention] logs_months"),
        ("[retention]\nlogs_months = 0\n", "is `0`, which is not"),
        ("[retention]\nlogs_months = two\n", "is `two`, which is not"),
        ("[retention]\nlogs_months = -3\n", "is `-3`, which is not"),
        ("[retention]\nweb_months = 11\n", "is `11`, which is not 12 to 1200 months"),
        ("[retention]\nlogins_months = x\n", "is `x`, which is not 12 to 1200 months"),
        ("[retention]\ndns_cache_days = 0\n", "is `0`, which is not 1 to 36500 days"),
        ("[retention]\nbackups_keep = 3\n", "backups_keep needs backups_path"),
        ("[retention]\nbackups_keep = 3\nbackups_path = x\n", "an absolute path"),
    ] {
        let refused = run(&pair, conf, &["prune"]).expect_code(2);
        assert!(refused.stderr.contains(words), "{conf}: {}", refused.stderr);
    }
    pair.sql("DROP TABLE imported_sources");
    let failed = run(&pair, "[retention]\nlogs_months = 2\n", &["prune"]).expect_code(1);
    assert!(failed.stderr.contains("there is no table imported_sources"), "{}", failed.stderr);
}

/// Makes a file as old as so many days.
fn age(path: &Path, days: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
}

#[test]
fn old_files_go_and_others_stay() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    fs::create_dir_all(pair.home().join("root/etc")).unwrap();
    fs::write(pair.home().join("root/etc/hubzero.conf"), "site = h\n").unwrap();
    let staging = pair.home().join("root/var/log/hubzero/metrics");
    let refused = pair.home().join("root/var/log/httpd/refused");
    let rejects = pair.home().join("rejects");
    for (folder, name, days) in [
        (&staging, "_prev_hub_apache.log", 40),
        (&staging, "_prev_hub_auth.log", 1),
        (&staging, "_hub_apache.log", 40),
        (&refused, "h-access.log-20250101", 40),
        (&refused, "h-access.log-20250701", 2),
        (&rejects, "old.ndjson", 40),
        (&rejects, "new.ndjson", 2),
        (&rejects, "records.ndjson", 40),
        (&rejects, "notes", 40),
    ] {
        put(folder, name);
        if name.starts_with("old") || name.starts_with("new") {
            fs::write(folder.join(name), "{\"kind\":\"reject\",\"path\":\"x\"}\n").unwrap();
        }
        age(&folder.join(name), days);
    }
    std::os::unix::fs::symlink(rejects.join("notes"), refused.join("link")).unwrap();
    let cache = pair.home().join("names");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let answers = |ages: &[u64]| -> String {
        let line = |days: &u64| format!("192.0.2.{days} {} name h{days}.org\n", now - days * 86_400);
        format!("hzmetrics names 1 port\n{}", ages.iter().map(line).collect::<String>())
    };
    fs::write(&cache, answers(&[1, 5, 9, 50])).unwrap();
    let conf = format!(
        "[retention]\nstaged_days = 7\nrejects_days = 30\nrejects_path = {}\ndns_cache_days = 7\n[dns]\ncache = {}\n",
        rejects.display(),
        cache.display()
    );
    let config = pair.home().join("hzmetrics.conf");
    fs::write(&config, &conf).unwrap();
    let prune = |args: &[&str]| {
        let run = pair.run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", pair.home().join("root"));
        run.env("HZMETRICS_CONFIG", &config).arg("prune").args(args).finish().ok()
    };
    let all = || [names(&staging), names(&refused), names(&rejects)].concat();
    let before = all();
    let dry = prune(&["--dry-run"]);
    assert!(dry.stderr.contains("3 files of staging and rejects"), "{}", dry.stderr);
    assert!(dry.stderr.contains("would remove 2 answers"), "{}", dry.stderr);
    assert_eq!((all(), fs::read_to_string(&cache).unwrap()), (before.clone(), answers(&[1, 5, 9, 50])));
    let done = prune(&[]);
    assert!(done.stderr.contains("removed 2 answers"), "{}", done.stderr);
    let gone = ["_prev_hub_apache.log", "h-access.log-20250101", "old.ndjson"];
    let after = all();
    for name in before {
        assert_eq!(after.contains(&name), !gone.contains(&name.as_str()), "{name}");
    }
    assert_eq!(fs::read_to_string(&cache).unwrap(), answers(&[1, 5]));
}
