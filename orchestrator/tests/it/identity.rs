//! What root starts: cron lines, `hzmetrics` and its commands, in trees owned by root and by others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use fixtures::closed::close_off;
use fixtures::db::PASSWORD;
use schema::tables::Engine;

use crate::ground::{Ground, NOBODY, seven_lines};

fn pages(ground: &Ground) -> String {
    ground.pair.value("SELECT COUNT(*) FROM web").unwrap()
}

fn silent(ground: &Ground, line: &str, done: &fixtures::Finished) {
    let log = fs::read_to_string(ground.at("var/log/hubzero/metrics/hzmetrics.log")).unwrap_or_default();
    assert_eq!((done.code, done.stderr.as_str(), done.text().as_str()), (0, "", ""), "{line}\n{log}");
}

#[test]
fn where_all_is_roots_the_seven_lines_work_silently() {
    for engine in [Engine::MyIsam, Engine::InnoDb] {
        let Some(ground) = Ground::new(engine, 0) else { return };
        ground.write(
            "etc/hubzero-metrics/access.cfg",
            &fs::read_to_string(ground.at("etc/hubzero-metrics/access.cfg")).unwrap(),
            0o600,
        );
        // the group root counts as root
        fs::set_permissions(ground.at("var/log/httpd/daily"), Permissions::from_mode(0o775)).unwrap();
        for day in [11, 12] {
            ground.put_logs(day);
            for line in seven_lines() {
                silent(&ground, &line, &ground.start(&format!("hzmetrics {line}")).finish());
            }
        }
        assert_eq!(pages(&ground), "6");
        assert!(!ground.daily(11).exists() && !ground.daily(12).exists());
        let files = ground.files();
        assert_eq!(files.iter().find(|(_, (owner, _))| *owner != 0), None);
        assert!(files.len() > 8, "{files:?}");
    }
}

#[test]
fn in_another_users_tree_lines_of_root_and_the_user_can_alternate() {
    for engine in [Engine::MyIsam, Engine::InnoDb] {
        let Some(ground) = Ground::new(engine, NOBODY) else { return };
        let before = ground.files();
        for (day, is_root) in [(11, true), (12, false), (13, true)] {
            ground.put_logs(day);
            for line in seven_lines() {
                let line = format!("hzmetrics {line}");
                let run = if is_root { ground.start(&line) } else { ground.start_as_owner(&line) };
                silent(&ground, &line, &run.finish());
                assert_eq!(ground.of_others_since(&before), Vec::<PathBuf>::new(), "{line}");
            }
        }
        assert_eq!(pages(&ground), "9");
        let map = ground.at("var/www/hub/app/site/stats/maps/whoisonline.xml");
        assert_eq!(fs::metadata(map).unwrap().uid(), NOBODY);
    }
}

#[test]
fn every_command_leaves_files_that_the_user_can_use() {
    for line in [
        "hzmetrics setup-db",
        "hzmetrics init",
        "hzmetrics tick",
        "hzmetrics run",
        "hzmetrics import --next",
        "hzmetrics doctor --fix",
        "whoisonline --db",
        "archive --db",
        "hzmetrics migrate --apply",
        "hzmetrics mark-dirty 2025-06",
        "hzmetrics summarize 2025-06",
    ] {
        let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
        let before = ground.files();
        let done = ground.start(line).finish();
        assert!([0, 1].contains(&done.code), "{line}: {} {}", done.code, done.stderr);
        assert_eq!(ground.of_others_since(&before), Vec::<PathBuf>::new(), "{line}: {}", done.stderr);
        for next in [line, "hzmetrics tick", "fetch-logs --stage", "archive --db"] {
            let next_done = ground.start_as_owner(next).finish();
            let said = format!("{line}, then {next}: {} {}", next_done.code, next_done.stderr);
            assert!([0, 1].contains(&next_done.code) && !said.contains("ermission denied"), "{said}");
        }
    }
}

#[test]
fn a_long_run_keeps_no_root_rights() {
    let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
    // an importer that waits for its log, in a chain started by root
    fixtures::run("mkfifo").arg(ground.at("waits")).finish().ok();
    let line = format!("import-logs --to db {} > /dev/null", ground.at("waits").display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_hzmetrics"));
    let mut child =
        close_off(&mut command, &ground.at("")).args(["sh", "-c", &line]).stdin(Stdio::null()).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let stage = loop {
        let text = fs::read_to_string(&children).unwrap();
        match text.split_whitespace().next() {
            Some(pid) if fs::read_to_string(format!("/proc/{pid}/status")).unwrap().contains("Uid:\t65534") => {
                break pid.to_owned();
            }
            _ => assert!(child.try_wait().unwrap().is_none(), "it is over"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |name: &str| String::from_utf8_lossy(&fs::read(format!("/proc/{stage}/{name}")).unwrap()).into_owned();
    let (status, shown) = (read("status"), read("cmdline") + &read("environ"));
    // ending the input without lines lets it end
    drop(fs::OpenOptions::new().write(true).open(ground.at("waits")).unwrap());
    child.wait().unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let all_four = [NOBODY.to_string().as_str()].repeat(4).join("\t");
    assert_eq!((line("Uid:"), line("Gid:")), (all_four.clone(), all_four));
    assert!(!line("Groups:").split_whitespace().any(|group| group == "0"), "{status}");
    assert_eq!(["CapInh:", "CapPrm:", "CapEff:"].map(|set| line(set).trim_matches('0').to_owned()), [""; 3]);
    assert!(!shown.contains(PASSWORD) && shown.contains("HZMETRICS_CONFIG_FD"), "{shown}");
}

#[test]
fn stages_get_the_configuration_that_root_alone_may_read() {
    let Some(ground) = Ground::new(Engine::InnoDb, 0) else { return };
    let config = ground.at("etc/hubzero-metrics/access.cfg");
    fs::set_permissions(&config, Permissions::from_mode(0o600)).unwrap();
    for (line, n_rows) in [("hzmetrics run-chain fetch", "0"), ("hzmetrics run-chain import", "3")] {
        silent(&ground, line, &ground.start(line).finish());
        assert_eq!(pages(&ground), n_rows);
    }
    // in another user's tree the work runs as that user, who must be able to read it
    let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
    let config = ground.at("etc/hubzero-metrics/access.cfg");
    chown(&config, Some(0), Some(0)).unwrap();
    fs::set_permissions(&config, Permissions::from_mode(0o600)).unwrap();
    let before = ground.files();
    for line in ["hzmetrics run-chain fetch", "hzmetrics tick", "fetch-logs --stage", "hzmetrics init"] {
        let done = ground.start(line).finish().expect_code(2);
        let fix = format!("chgrp nogroup {0} && chmod g+r {0}", config.display());
        assert!(done.stderr.contains(&fix), "{line}: {}", done.stderr);
        assert_eq!(ground.files(), before, "{line}");
    }
}

/// What is refused in a tree with one fault, before anything is created or changed.
fn refused(spoil: impl Fn(&Ground), lines: &[&str], words: &[&str]) {
    let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
    spoil(&ground);
    let before = ground.files();
    for line in lines {
        let done = ground.start(line).finish().expect_code(2);
        assert_eq!(ground.files(), before, "{line}: {}", done.stderr);
        for word in words {
            assert!(done.stderr.contains(word), "{line}: `{word}` in {}", done.stderr);
        }
    }
}

const IMPORT: [&str; 4] = ["hzmetrics run-chain fetch", "hzmetrics tick", "hzmetrics import --next", "hzmetrics run"];

#[test]
fn nobody_to_run_as_is_reported_before_anything_is_opened() {
    let shared = |ground: &Ground| {
        for (_, folder) in fs::read_dir(ground.at("var/log"))
            .unwrap()
            .flatten()
            .flat_map(|of| ["daily", "imported"].map(|name| (name, of.path().join(name))))
        {
            chown(&folder, Some(0), Some(0)).unwrap();
            fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        }
    };
    let more = ["hzmetrics init", "hzmetrics setup-db", "archive --db", "whoisonline --db", "import-logs --db"];
    refused(shared, &[&IMPORT[..], &more].concat(), &["users other than root may write to", "[run]", "user = NAME"]);
    let named = |name: &'static str| {
        move |ground: &Ground| {
            ground.write("etc/hubzero-metrics/hzmetrics.conf", &format!("[run]\nuser = {name}\n"), 0o644)
        }
    };
    refused(named("no-such-user"), &IMPORT, &["there is no user no-such-user"]);
    refused(named("root"), &IMPORT, &["root is not a user to run as"]);
}

#[test]
fn what_the_user_may_not_do_is_reported_before_anything_is_opened() {
    let mode = |path: &'static str, group: u32, mode: u32| {
        move |ground: &Ground| {
            chown(ground.at(path), Some(0), Some(group)).unwrap();
            fs::set_permissions(ground.at(path), Permissions::from_mode(mode)).unwrap();
        }
    };
    let log = "var/log/httpd/daily/hub-access.log-20250711";
    refused(mode(log, 4, 0o640), &IMPORT, &["cannot read", log, "usermod -a -G adm nobody"]);
    refused(mode(log, 0, 0o600), &["archive --db", "hzmetrics run-chain archive"], &["cannot read", log, "setfacl"]);
    refused(mode(log, 0, 0o640), &IMPORT, &["cannot read", log, "setfacl -m u:nobody:r"]);
    let daily = "var/log/hubzero/daily";
    let archive = ["hzmetrics run-chain archive", "archive --db", "hzmetrics tick", "hzmetrics import --next"];
    refused(mode(daily, 0, 0o755), &archive, &["cannot write to", daily, "chgrp nogroup "]);
    let maps = "var/www/hub/app/site/stats/maps";
    let online = ["hzmetrics run-chain whoisonline", "whoisonline --db"];
    refused(mode(maps, 0, 0o755), &online, &["cannot write to", maps, "chgrp nogroup "]);
    // nobody is asked to grant rights through another user's link
    let elsewhere = |ground: &Ground| {
        fs::create_dir(ground.at("precious")).unwrap();
        symlink(ground.at("precious"), ground.at("var/log/hubzero/metrics")).unwrap();
        lchown(ground.at("var/log/hubzero/metrics"), Some(NOBODY), None).unwrap();
    };
    refused(
        elsewhere,
        &IMPORT,
        &["this fixes it: remove ", "hubzero/metrics, a symbolic link that root did not create"],
    );
    let config = "etc/hubzero-metrics/access.cfg";
    refused(
        mode(config, 0, 0o640),
        &[&IMPORT[..], &online, &["hzmetrics init"]].concat(),
        &["cannot read the configuration", config],
    );
}

#[test]
fn the_user_is_named_in_either_configuration() {
    for (name, text) in
        [("etc/hubzero-metrics/hzmetrics.conf", ""), ("opt/hubzero/metrics/conf/hzmetrics.conf", "unified")]
    {
        let Some(ground) = Ground::new(Engine::InnoDb, 0) else { return };
        for folder in ["httpd/daily", "httpd/imported", "hubzero/daily", "hubzero/imported"] {
            fs::set_permissions(ground.at("var/log").join(folder), Permissions::from_mode(0o1777)).unwrap();
        }
        chown(ground.at("etc/hubzero-metrics/access.cfg"), Some(0), Some(NOBODY)).unwrap();
        chown(ground.daily(11), Some(NOBODY), None).unwrap();
        chown(ground.at("var/log/hubzero/daily/cmsauth.log-20250711"), Some(NOBODY), None).unwrap();
        let mut config = "[run]\nuser = nobody\n".to_owned();
        if text == "unified" {
            fs::remove_dir_all(ground.at("etc/hubzero-metrics")).unwrap();
            config += &format!(
                "[db]\nhost = {}\nuser = {}\npassword = {PASSWORD}\nhub_db = {}\nmetrics_db = {}\n",
                ground.pair.socket().display(),
                ground.pair.mode.user(),
                ground.pair.hub,
                ground.pair.metrics
            );
        }
        ground.write(name, &config, 0o644);
        let before = ground.files();
        for line in ["hzmetrics run-chain fetch", "hzmetrics run-chain import"] {
            silent(&ground, line, &ground.start(line).finish());
        }
        let of_root =
            ground.files().into_iter().filter(|(path, found)| found.0 == 0 && before.get(path) != Some(found));
        assert_eq!(of_root.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<PathBuf>::new());
        assert_eq!(pages(&ground), "3");
    }
}

#[test]
fn filters_keep_the_identity_of_their_caller() {
    let Some(ground) = Ground::new(Engine::InnoDb, NOBODY) else { return };
    let log = ground.daily(11);
    fs::set_permissions(&log, Permissions::from_mode(0o600)).unwrap();
    chown(&log, Some(0), Some(0)).unwrap();
    let line = format!("import-logs --quiet --to {} {}", ground.at("out.ndjson").display(), log.display());
    ground.start(&line).finish().ok();
    assert_eq!(fs::metadata(ground.at("out.ndjson")).unwrap().uid(), 0);
}
