//! The cron form, in every mode of the server.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use fixtures::db::{MODES, SqlMode, private_server};
use schema::tables::Engine;

use crate::hub::{Hub, NOW};

const EMPTY: &str = "<markers>\n</markers>\n";

/// A hub on a server of the usual kind.
fn hub() -> Option<Hub> {
    Hub::new(Engine::MyIsam, SqlMode::Lax)
}

/// The marker of one place.
fn marker(map: &str, latitude: &str) -> Option<String> {
    let begin = format!("<marker lat=\"{latitude}\" ");
    map.lines().find_map(|line| line.strip_prefix(&begin)).map(str::to_owned)
}

#[test]
fn sessions_get_names_and_places_in_every_mode() {
    for (engine, mode) in MODES {
        let Some(hub) = Hub::new(engine, mode) else { return };
        hub.pair.sql("INSERT INTO exclude_list (filter, type) VALUES ('SEARCH.msn.com', 'domain'), ('one.one', 'ip')");
        hub.session("s1", "100", "alice", "1.1.1.1");
        hub.session("s2", "100", "bob", "1.1.1.1");
        hub.session("s3", "100", "", "8.8.4.4");
        hub.session("s4", "100", "", "8.8.8.8");
        hub.session("s5", "100", "", "9.9.9.9");
        hub.session("s6", "100", "eve", "9.9.9.10");
        hub.session("s7", "5000", "old", "1.1.1.1");
        hub.session("s8", "100", "", "");
        for round in 0..2 {
            hub.cron(&[]);
            let at = format!("{engine:?} {mode:?} {round}");
            assert_eq!(
                hub.map(),
                "<markers>\n\
                 <marker lat=\"-27.46754\" lng=\"153.02809\" info = \"_b_Brisbane, Queensland, AU_bb__hr__b_one.one_bb_\
                 _br_ - Users: 2\" bot = \"0\"/>\n\
                 <marker lat=\"37\" lng=\"-122.08385\" info = \"_b_&quot;Mountain View&quot;, California, US_bb__hr_\
                 _b_Dns.Google_bb__br_ - Guests: 2\" bot = \"0\"/>\n\
                 <marker lat=\"37.87159\" lng=\"-122.27275\" info = \"_b_Berkeley, California, US_bb__hr_\
                 _b_search.msn.com_bb__br_ - Bots: 1\" bot = \"1\"/>\n\
                 </markers>\n",
                "{at}"
            );
            assert_eq!(
                hub.rows(
                    "session_id, username, guest, userid, ip, host, domain, countrySHORT, ipCITY, ipLATITUDE, bot"
                ),
                [
                    "s1\talice\t0\t7\t1.1.1.1\tone.one.one.one\tone.one\tAU\tBrisbane\t-27.46754\t0",
                    "s2\tbob\t0\t7\t1.1.1.1\tone.one.one.one\tone.one\tAU\tBrisbane\t-27.46754\t0",
                    "s3\t\t1\t7\t8.8.4.4\tDns.Google\tDns.Google\tUS\t\"Mountain View\"\t37\t0",
                    "s4\t\t1\t7\t8.8.8.8\tDns.Google\tDns.Google\tUS\t\"Mountain View\"\t37\t0",
                    "s5\t\t1\t7\t9.9.9.9\tlivebot-65-55.search.msn.com\tsearch.msn.com\tUS\tBerkeley\t37.87159\t1",
                    "s6\teve\t0\t7\t9.9.9.10\t9.9.9.10\t(unknown)\t-\t-\t0\t0",
                    "s8\t\t1\t7\t\tNULL\tNULL\t-\t-\t0\t0",
                ],
                "{at}"
            );
            // the second run looks nothing up
            assert_eq!(hub.geo.asked().len(), 5, "{at}");
            let cached =
                hub.pair.lines("SELECT ip, countrySHORT, ipLATITUDE FROM {hub}.jos_metrics_ipgeo_cache ORDER BY ip");
            assert_eq!(
                cached,
                ["16843009\tAU\t-27.46754", "134743044\tUS\t37", "134744072\tUS\t37", "151587081\tUS\t37.87159"]
            );
        }
    }
}

#[test]
fn the_map_can_be_written_as_by_legacy() {
    let Some(hub) = hub() else { return };
    hub.session("s1", "0", "", "8.8.8.8");
    let city = |args: &[&str]| {
        hub.cron(args);
        let marker = marker(&hub.map(), if args.contains(&"port") { "37.0" } else { "37" }).unwrap();
        marker.split(", California").next().unwrap().rsplit("_b_").next().unwrap().to_owned()
    };
    assert_eq!(city(&["--compat", "legacy"]), "\"Mountain View\"");
    assert_eq!(city(&[]), "&quot;Mountain View&quot;");
    assert_eq!(city(&["--compat", "port"]), "\"Mountain View\"");
    // the configuration applies unless the command line says otherwise
    let run = |args: &[&str]| {
        let run = hub.run().env("HZMETRICS_CONFIG", hub.pair.home().join("hzmetrics.conf"));
        fs::write(hub.pair.home().join("hzmetrics.conf"), "[compat]\noptions = xml=raw\n").unwrap();
        run.arg("--db").args(args).finish().ok();
        hub.map().contains("\"Mountain View\"")
    };
    assert!(run(&[]));
    assert!(!run(&["--compat", "lp_robots"]));
}

#[test]
fn a_session_is_over_after_an_hour() {
    let Some(server) = private_server() else { return };
    let pair = server.names(SqlMode::Lax);
    pair.create_hub(true);
    pair.create_metrics(Engine::InnoDb, true);
    pair.sql(&format!("SET GLOBAL init_connect = 'SET SESSION timestamp = {NOW}'"));
    fs::create_dir_all(pair.home().join("hub/app/site/stats/maps")).unwrap();
    let time = |idle: u64| NOW - idle;
    for (id, time) in [("a", time(3599)), ("b", time(3600)), ("c", time(3601)), ("d", NOW + 5)] {
        pair.sql(&format!(
            "USE hub;\nINSERT INTO jos_session (session_id, time, username, ip) VALUES ('{id}', '{time}', '{id}', '');\n\
             INSERT INTO jos_session_geo (session_id, time, username, ip) VALUES ('{id}g', '{time}', '{id}', '')"
        ));
    }
    pair.sql("USE hub;\nINSERT INTO jos_session_geo (session_id, time) VALUES ('n', NULL), ('e', '')");
    let done = pair.run(env!("CARGO_BIN_EXE_whoisonline")).arg("--db").finish().ok();
    assert_eq!(done.stderr, "");
    let left = pair.lines("SELECT session_id FROM {hub}.jos_session_geo ORDER BY session_id");
    assert_eq!(left, ["a", "ag", "bg", "d", "dg", "n"], "exactly an hour is neither taken in nor removed");
}

#[test]
fn a_session_keeps_its_first_time_and_comes_back() {
    let Some(hub) = hub() else { return };
    hub.session("s1", "10", "alice", "1.1.1.1");
    hub.sql(
        "INSERT INTO jos_session_geo (session_id, username, time, ip, host, domain, ipLATITUDE, ipLONGITUDE) VALUES \
         ('s1', 'alice', UNIX_TIMESTAMP() - 3000, '1.1.1.1', 'kept.example.com', 'example.com', 1, 2)",
    );
    hub.cron(&[]);
    assert_eq!(hub.rows("host, ipLATITUDE, UNIX_TIMESTAMP() - time > 2000"), ["kept.example.com\t1\t1"]);
    hub.sql("UPDATE jos_session_geo SET time = time - 1000");
    hub.cron(&[]);
    assert_eq!(hub.rows("host, ipLATITUDE, UNIX_TIMESTAMP() - time > 2000"), ["one.one.one.one\t-27.46754\t0"]);
}

#[test]
fn the_hub_may_use_any_collation() {
    let Some(hub) = hub() else { return };
    hub.pair.sql("INSERT INTO exclude_list (filter, type) VALUES ('one.one', 'domain')");
    for collation in ["utf8mb4 COLLATE utf8mb4_unicode_ci", "utf8mb3 COLLATE utf8mb3_bin", "latin1"] {
        hub.sql(&format!(
            "TRUNCATE jos_session;\nTRUNCATE jos_session_geo;\n\
             ALTER TABLE jos_session CONVERT TO CHARACTER SET {collation};\n\
             ALTER TABLE jos_session_geo CONVERT TO CHARACTER SET {collation}"
        ));
        hub.session("a", "10", "Zoë", "1.1.1.1");
        hub.session("b", "10", "", "1.1.1.1");
        hub.cron(&[]);
        hub.session("c", "10", "eve", "1.1.1.1");
        hub.cron(&[]);
        assert_eq!(hub.rows("username, host, ipLATITUDE, bot")[2], "eve\tone.one.one.one\t-27.46754\t1", "{collation}");
        assert!(hub.map().contains("_b_one.one_bb__br_ - Users: 2_br_ - Bots: 1"), "{collation}");
    }
}

#[test]
fn each_user_has_one_session_per_address() {
    let Some(hub) = hub() else { return };
    for (id, user) in [("s1", "alice"), ("s2", "alice"), ("s3", "Alice"), ("s4", "bob"), ("s5", ""), ("s6", "")] {
        hub.session(id, "10", user, "1.1.1.1");
    }
    hub.session("s7", "10", "alice", "8.8.8.8");
    hub.cron(&[]);
    assert_eq!(hub.rows("session_id"), ["s1", "s4", "s5", "s7"]);
}

#[test]
fn odd_names_have_domains() {
    let Some(hub) = hub() else { return };
    for last in 10..=16 {
        hub.session(&format!("s{last}"), "10", "", &format!("9.9.9.{last}"));
    }
    hub.cron(&[]);
    assert_eq!(
        hub.rows("host, domain"),
        [
            "9.9.9.10\t(unknown)",
            "ab\tab",
            "a.1-2-3-4-isp.net\t1-2-3-4-isp.net",
            "1-2-3-4-isp.net\tisp.net",
            "abcmsnbot.msn.com\tmsnbot.msn.com",
            "x.foo.br\tfoo.br",
            "9.9.9.16\t(unknown)",
        ]
    );
}

#[test]
fn known_names_spread_and_the_last_one_wins() {
    let Some(hub) = hub() else { return };
    let row = |id: &str, ip: &str, host: &str, domain: &str| {
        hub.sql(&format!(
            "INSERT INTO jos_session_geo (session_id, time, ip, host, domain, ipLATITUDE, ipLONGITUDE) \
             VALUES ('{id}', UNIX_TIMESTAMP(), {ip}, {host}, {domain}, 0, 0)"
        ));
    };
    row("a", "'1.1.1.1'", "'first.org'", "'first.org'");
    row("b", "'1.1.1.1'", "NULL", "NULL");
    row("c", "'1.1.1.1'", "'last.org'", "'last.org'");
    row("d", "'1.1.1.1'", "'First.org'", "'first.ORG'");
    row("e", "'1.1.1.1'", "'(unknown)'", "'kept no longer'");
    row("f", "'2.2.2.2'", "'(unknown)'", "'kept'");
    row("g", "'3.3.3.3'", "'named.org'", "NULL");
    // the scripts treat a missing address like the empty one
    row("h", "NULL", "'nowhere.org'", "'nowhere.org'");
    row("i", "''", "NULL", "NULL");
    hub.cron(&[]);
    assert_eq!(
        hub.rows("session_id, host, domain"),
        [
            "a\tlast.org\tlast.org",
            "b\tlast.org\tlast.org",
            "c\tlast.org\tlast.org",
            "d\tlast.org\tlast.org",
            "e\tlast.org\tlast.org",
            "f\t(unknown)\tkept",
            "g\tnamed.org\t",
            "h\tnowhere.org\tnowhere.org",
            "i\tnowhere.org\tnowhere.org",
        ]
    );
    assert_eq!(hub.n_asked(), (0, 0));
}

#[test]
fn a_bot_stays_a_bot() {
    let Some(hub) = hub() else { return };
    hub.pair.sql("INSERT INTO exclude_list (filter, type) VALUES ('bot.org', 'domain'), ('user.org', 'ip')");
    let row = |id: &str, ip: &str, domain: &str, bot: &str, latitude: &str| {
        hub.sql(&format!(
            "INSERT INTO jos_session_geo (session_id, time, ip, host, domain, bot, ipLATITUDE) \
             VALUES ('{id}', UNIX_TIMESTAMP(), '{ip}', 'x', '{domain}', {bot}, {latitude})"
        ));
    };
    row("a", "1.0.0.1", "Bot.org", "NULL", "NULL");
    row("b", "1.0.0.2", "user.org", "0", "NULL");
    row("c", "1.0.0.3", "user.org", "5", "NULL");
    row("d", "1.0.0.4", "bot.org", "0", "3.5");
    // if an address has several values, the last one counts, for all its rows
    row("e", "1.0.0.5", "user.org", "1", "NULL");
    row("f", "1.0.0.5", "user.org", "0", "NULL");
    row("g", "1.0.0.5", "user.org", "1", "7");
    hub.cron(&[]);
    assert_eq!(
        hub.rows("session_id, bot, ipLATITUDE"),
        ["a\t1\t0", "b\t0\t0", "c\t5\t0", "d\t0\t3.5", "e\t0\t0", "f\t0\t0", "g\t0\t0"]
    );
}

#[test]
fn places_come_from_the_cache_first() {
    let Some(hub) = hub() else { return };
    hub.sql(
        "INSERT INTO jos_metrics_ipgeo_cache (ip, countrySHORT, ipCITY, ipLATITUDE, ipLONGITUDE, lookup_datetime) VALUES \
         (16843009, 'XX', 'Cached', 12.5, -3, NOW() - INTERVAL 90 DAY), \
         (134744072, 'XX', 'Stale', 12.5, -3, NOW() - INTERVAL 91 DAY)",
    );
    for (id, ip) in [("a", "1.1.1.1"), ("b", "8.8.8.8"), ("c", "200.1.1.1"), ("d", "9.9.9.16"), ("e", "010.1.1.1")] {
        hub.session(id, "10", "", ip);
    }
    hub.cron(&[]);
    assert_eq!(
        hub.rows("ipCITY, ipLATITUDE, ipLONGITUDE, countrySHORT, countryLONG"),
        [
            "Cached\t12.5\t-3\tXX\t",
            "\"Mountain View\"\t37\t-122.08385\tUS\tUnited States of America",
            "London\t51.5\t0\tUK\tUnited Kingdom",
            "-\t0\t0\t-\t-",
            "-\t0\t0\t-\t-",
        ]
    );
    let mut asked = hub.geo.asked();
    asked.sort();
    assert_eq!(
        asked,
        [134_744_072, 151_587_088, 3_355_508_993_u32]
            .map(|n| format!("/ipinfo/v1/?&hub_key=_HUBZERO_OPNSRC_V1_&n_ip={n}"))
    );
    // neither "no country" nor an address without a row of its own is stored
    let cached = hub
        .pair
        .lines("SELECT ip, ipCITY, lookup_datetime > NOW() - INTERVAL 1 DAY FROM {hub}.jos_metrics_ipgeo_cache");
    assert_eq!(cached, ["16843009\tCached\t0", "134744072\t\"Mountain View\"\t1"]);
    assert!(hub.map().contains("lat=\"51.5\" lng=\"0\""));
}

/// IPv6 visitors have a place if the option is set; an address that the CMS has cut has none.
#[test]
fn with_compat_ipv6_ipv6_visitors_have_a_place() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let begin = || {
            hub.sql("DELETE FROM jos_session;\nDELETE FROM jos_session_geo");
            hub.session("s1", "100", "", "2::808:808"); // the doubles look at the last 32 bits
            hub.session("s2", "100", "", "::ffff:1.1.1.1");
            hub.session("s3", "100", "", "2001:db8:aaaa:b");
        };
        let places = || hub.rows("ip, domain, countrySHORT");
        begin();
        hub.cron(&[]);
        // visitors without a place are on no map
        assert_eq!(hub.map(), EMPTY, "{engine:?}");
        assert_eq!(hub.geo.asked().len(), 0);
        for round in 0..2 {
            begin();
            hub.cron(&["--compat", "ipv6"]);
            let expected =
                ["2::808:808\tDns.Google\tUS", "::ffff:1.1.1.1\tone.one\tAU", "2001:db8:aaaa:b\t(unknown)\t-"];
            assert_eq!(places(), expected, "{engine:?} {round}");
            assert!(hub.map().contains("_b_Dns.Google_bb__br_ - Guests: 1"), "{}", hub.map());
        }
        assert_eq!(hub.geo.asked().iter().filter(|path| path.contains("&ip=2::808:808")).count(), 1, "kept in a file");
        assert_eq!(hub.pair.lines("SELECT ip FROM {hub}.jos_metrics_ipgeo_cache"), ["16843009"]);
    }
}

#[test]
fn without_services_there_is_still_a_map() {
    let Some(hub) = hub() else { return };
    hub.session("a", "10", "", "9.9.9.17");
    hub.session("b", "10", "eve", "9.9.9.16");
    hub.session("c", "10", "", "2001:db8::1");
    hub.sql("INSERT INTO jos_session_geo (session_id, time, ip, host, ipLATITUDE, ipLONGITUDE) VALUES ('z', UNIX_TIMESTAMP(), 'x', 'h', 1, 2)");
    let done = hub.run().env("HZMETRICS_DNS_NAMESERVER", "nonsense").arg("--db").finish().ok();
    assert!(
        done.stderr.contains("no host names") && done.stderr.contains("no place for 1 of 2 addresses"),
        "{}",
        done.stderr
    );
    let expected = ["9.9.9.17\t(unknown)\t0", "9.9.9.16\t(unknown)\t0", "2001:db8::1\t(unknown)\t0"];
    assert_eq!(hub.rows("host, domain, ipLATITUDE")[..3], expected);
    assert!(marker(&hub.map(), "1").is_some());
}

#[test]
fn a_domain_without_users_has_its_own_tail() {
    let Some(hub) = hub() else { return };
    hub.session("a", "10", "", "9.9.9.15");
    hub.cron(&[]);
    hub.sql("UPDATE jos_session_geo SET guest = NULL");
    hub.cron(&[]);
    assert_eq!(
        marker(&hub.map(), "-22").as_deref(),
        Some("lng=\"-43\" info = \"_b_Rio, R &amp; S, BR_bb__hr__b_foo.\" bot = \"0\"/>")
    );
    hub.cron(&["--compat", "port"]);
    assert_eq!(
        marker(&hub.map(), "-22.0").as_deref(),
        Some("lng=\"-43.0\" info = \"_b_Rio, R & S, BR_bb__hr__b_foo.br_bb_\" bot = \"0\"/>")
    );
}

#[test]
fn names_keep_their_case_with_every_compat_option() {
    for compat in ["legacy", "port"] {
        let Some(hub) = hub() else { return };
        hub.session("a", "10", "", "8.8.8.8");
        hub.cron(&["--compat", compat]);
        assert_eq!(hub.rows("host, domain")[0], "Dns.Google\tDns.Google", "{compat}");
    }
}

#[test]
fn missing_tables_of_the_cms_are_named() {
    let Some(hub) = hub() else { return };
    for table in ["jos_session", "jos_session_geo"] {
        hub.sql(&format!("RENAME TABLE {table} TO away"));
        let said = hub.run().arg("--db").finish().expect_code(1).stderr;
        let expected = format!("whoisonline: there is no table `{table}` in the database `{}`: ", hub.pair.hub);
        assert!(said.contains(&expected), "{said}");
        hub.sql(&format!("RENAME TABLE away TO {table}"));
    }
}

#[test]
fn the_map_is_written_to_the_hubs_folder() {
    let Some(hub) = hub() else { return };
    let root = hub.pair.home().join("hub");
    let asked = |args: &[&str], code| hub.run().arg("--db").args(args).finish().expect_code(code).stderr;
    hub.session("a", "10", "", "1.1.1.1");

    let said = asked(&["--dry-run"], 0);
    assert!(
        said.contains(&format!("{}.jos_session_geo", hub.pair.hub))
            && said.contains("app/site/stats/maps/whoisonline.xml")
    );
    assert_eq!(said.lines().count(), 1, "{said}");

    // the folder `app` decides, not the folder of maps; the port looks at the latter
    fs::create_dir_all(root.join("site/stats/maps")).unwrap();
    fs::remove_dir_all(root.join("app/site")).unwrap();
    for args in [&[][..], &["--dry-run"]] {
        assert!(asked(args, 2).contains("app/site/stats/maps"));
    }
    assert_eq!((hub.rows("session_id").len(), hub.n_asked()), (0, (0, 0)), "nothing was touched");
    assert!(!root.join("site/stats/maps/whoisonline.xml").exists());
    asked(&["--compat", "port"], 0);
    assert!(fs::read_to_string(root.join("site/stats/maps/whoisonline.xml")).unwrap().contains("-27.46754"));
    fs::remove_dir_all(root.join("app")).unwrap();
    fs::remove_file(root.join("site/stats/maps/whoisonline.xml")).unwrap();
    asked(&[], 0);
    assert!(fs::read_to_string(root.join("site/stats/maps/whoisonline.xml")).unwrap().contains("-27.46754"));
}

#[test]
fn a_configuration_without_a_hub_is_refused() {
    let Some(hub) = hub() else { return };
    let run = hub.run();
    let path = hub.pair.home().join("access.cfg");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("$hub_dir", "$no_dir")).unwrap();
    let done = run.arg("--db").finish().expect_code(2);
    assert!(done.stderr.contains("hub_dir"), "{}", done.stderr);
    fixtures::run(env!("CARGO_BIN_EXE_whoisonline"))
        .arg("--db")
        .env("HZMETRICS_ROOT", hub.pair.home())
        .finish()
        .expect_code(2);
}

#[test]
fn the_table_can_be_drawn_unchanged() {
    let Some(hub) = hub() else { return };
    hub.session("a", "10", "", "1.1.1.1");
    hub.cron(&[]);
    hub.session("b", "10", "", "8.8.8.8");
    fs::remove_file(hub.map_path()).unwrap();
    let before = hub.rows("*");
    let printed = hub.run().args(["--from", "db"]).finish().ok();
    assert_eq!(printed.text().lines().count(), 3, "{}", printed.text());
    assert!(marker(&printed.text(), "-27.46754").is_some());
    let file = hub.pair.home().join("copy.xml");
    hub.run().args(["--from", "db", "--to"]).arg(&file).finish().ok();
    assert_eq!(fs::read(file).unwrap(), printed.stdout);
    assert_eq!(hub.rows("*"), before);
    assert!(!hub.map_path().exists());
}

#[test]
fn only_one_run_at_a_time() {
    let Some(hub) = hub() else { return };
    let lock = hub.pair.home().join("state/hzmetrics.whoisonline.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let done = hub.run().args(["--db", "--lock-wait", "600"]).finish().expect_code(75);
    assert!(done.stderr.contains("try again later"), "{}", done.stderr);
    assert!(!hub.map_path().exists());
    drop(held);
    // a long run of the metrics does not block it
    let pid = fs::File::create(lock.with_file_name("hzmetrics.pid")).unwrap();
    pid.lock().unwrap();
    hub.cron(&[]);
    assert_eq!(hub.map(), EMPTY);
}

#[test]
fn readers_never_see_half_a_map() {
    let Some(hub) = hub() else { return };
    for i in 0..400 {
        hub.sql(&format!(
            "INSERT INTO jos_session_geo (session_id, time, ip, host, domain, ipLATITUDE, ipLONGITUDE) VALUES \
             ('s{i}', UNIX_TIMESTAMP() + 1000, 'x{i}', 'h', REPEAT('d', 120), 1 + {i}, 2)"
        ));
    }
    hub.cron(&[]);
    let whole = hub.map();
    assert_eq!(whole.lines().count(), 402);
    let stop = AtomicBool::new(false);
    let n_reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut n_reads = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                assert!(fs::read_to_string(hub.map_path()).unwrap() == whole, "half a map");
                n_reads += 1;
            }
            n_reads
        });
        // also when a run fails: the reader would never end
        let stops = fixtures::Stops(&stop);
        for _ in 0..10 {
            hub.cron(&[]);
        }
        drop(stops);
        reader.join().unwrap()
    });
    assert!(n_reads > 10, "{n_reads}");
    let left: Vec<_> = fs::read_dir(hub.map_path().parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file stays behind: {left:?}");
}

#[test]
fn a_failed_run_leaves_the_old_map() {
    let Some(hub) = hub() else { return };
    hub.session("a", "10", "", "1.1.1.1");
    hub.cron(&[]);
    let map = hub.map();
    hub.sql("RENAME TABLE jos_metrics_ipgeo_cache TO gone;\nINSERT INTO jos_session (session_id, time, ip, username) VALUES ('n', UNIX_TIMESTAMP(), '8.8.8.8', '')");
    let done = hub.run().arg("--db").finish().expect_code(1);
    assert!(done.stderr.contains("jos_metrics_ipgeo_cache"), "{}", done.stderr);
    assert_eq!(hub.map(), map);
    hub.sql("RENAME TABLE gone TO jos_metrics_ipgeo_cache");
    hub.cron(&[]);
    assert!(marker(&hub.map(), "37").is_some());
}

#[test]
fn a_link_in_place_of_the_map_is_refused() {
    let Some(hub) = hub() else { return };
    let elsewhere = hub.pair.home().join("elsewhere.xml");
    fs::write(&elsewhere, "old").unwrap();
    std::os::unix::fs::symlink(&elsewhere, hub.map_path()).unwrap();
    let done = hub.run().arg("--db").finish().expect_code(1);
    assert!(done.stderr.contains("whoisonline.xml is a symbolic link"), "{}", done.stderr);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "old");
    assert!(fs::symlink_metadata(hub.map_path()).unwrap().is_symlink());
}
