//! The session against a real server, in all four modes.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

use fixtures::db::{MODES, PASSWORD, Pair, SqlMode, names, pair, private_server};
use schema::tables::Engine;

use super::*;
use crate::{BY_KEY, Inserted, KeyTable, MEMORY_ROWS, Store, Value, Verb};

fn target(pair: &Pair) -> Target {
    Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics)
}

fn connect(pair: &Pair) -> Db {
    Db::connect(&target(pair), Which::Metrics).unwrap()
}

fn text(value: &str) -> Value {
    Value::from(value)
}

#[test]
fn the_same_values_are_stored_in_every_mode() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let mut db = connect(&pair);
        pair.narrow_addresses();
        let long = "é".repeat(200);
        db.run("INSERT INTO summary_user_vals VALUES (1, 300, '2025-07-00 00:00:00', 14, '', 0)", ()).unwrap();
        db.run("INSERT INTO webhits VALUES (?, ?)", ("2025-07-00", "12x")).unwrap();
        db.run("INSERT INTO websessions (id, jobs, ip, host) VALUES (1, 300, '1234567890123456', ?)", (&long,))
            .unwrap();
        db.run("INSERT INTO toolstart (datetime, walltime) VALUES ('2025-02-30', -1)", ()).unwrap();
        let at = format!("{engine:?} {mode:?}");
        assert_eq!(pair.lines("SELECT * FROM summary_user_vals"), ["1\t127\t2025-07-00 00:00:00\t14\t0\t0"], "{at}");
        assert_eq!(pair.lines("SELECT * FROM webhits"), ["2025-07-00 00:00:00\t12"], "{at}");
        let cut = pair.lines("SELECT jobs, ip, LENGTH(host), domain FROM websessions");
        assert_eq!(cut, ["127\t123456789012345\t254\tNULL"], "{at}");
        assert_eq!(pair.lines("SELECT datetime, walltime FROM toolstart"), ["0000-00-00 00:00:00\t0"], "{at}");
        assert_eq!(db.is_transactional(&["web", "toolstart"]).unwrap(), engine == Engine::InnoDb);
        let word = if engine == Engine::InnoDb { "" } else { "SQL_BUFFER_RESULT" };
        assert_eq!(db.released("web").unwrap(), word);
        let settings = db.texts("SELECT CONCAT(@@character_set_client, @@collation_connection, @@wait_timeout)", ());
        assert_eq!(settings.unwrap(), ["utf8mb3utf8mb3_general_ci86400"]);
    }
}

#[test]
fn rows_are_looked_up_by_their_id() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    let mut db = connect(&pair);
    assert_eq!(db.by_id("web").unwrap(), BY_KEY);
    assert_eq!(db.by_id("webhits").unwrap(), "", "no primary key at all");
    db.run("CREATE TABLE other (name int, id int, PRIMARY KEY (name, id))", ()).unwrap();
    assert_eq!(db.by_id("other").unwrap(), "");
}

#[test]
fn a_server_that_changes_day_zero_is_refused() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let mut db = connect(&pair);
    assert_eq!(probe_day_zero(&mut db.conn), Ok(()));
    // silently turned into the zero date, then refused
    for mode in ["NO_ZERO_IN_DATE", "NO_ZERO_IN_DATE,NO_ZERO_DATE,STRICT_TRANS_TABLES"] {
        db.run(&format!("SET SESSION sql_mode = '{mode}'"), ()).unwrap();
        let error = probe_day_zero(&mut db.conn).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadValue, "{mode}");
        assert!(error.to_string().contains("day zero"), "{error}");
    }
}

#[test]
fn text_and_binary_form_give_the_same_values() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    let mut db = connect(&pair);
    pair.sql(
        "INSERT INTO toolstart (id, datetime, walltime, user, pid) VALUES (7, '2025-07-00 01:02:03', 0.25, 'ü', NULL);\n\
         INSERT INTO toolstart (id, user) VALUES (8, 'x')",
    );
    let sql = "SELECT id, datetime, walltime, user, pid FROM toolstart WHERE id >= 7 ORDER BY id";
    let with = sql.replace('7', "?");
    let mut seen = Vec::new();
    let mut look = |cells: Cells<'_>| {
        assert_eq!(cells.len(), 5);
        let numbers = (cells.int(0), cells.uint(0), cells.float(2), cells.is_null(4), cells.int(4));
        let texts = (cells.text(0).unwrap().into_owned(), cells.text(3).unwrap().into_owned());
        assert_eq!(cells.text(1).as_deref(), cells.stamp(1).map(|s| s.to_string()).as_deref());
        seen.push((numbers, texts, cells.stamp(1).unwrap().to_string()));
        Ok(())
    };
    assert_eq!(db.each(sql, (), &mut look).unwrap(), 2);
    assert_eq!(db.each(&with, (7,), &mut look).unwrap(), 2);
    let first = ((Some(7), Some(7), Some(0.25), true, None), ("7".to_owned(), "ü".to_owned()));
    assert_eq!(seen[0], (first.0, first.1, "2025-07-00 01:02:03".to_owned()));
    assert_eq!(seen[1].2, "0000-00-00 00:00:00");
    assert_eq!(seen[..2], seen[2..]);
    // a failing callback ends the read and leaves the session usable
    assert!(db.each(sql, (), |_| anyhow::bail!("enough")).is_err());
    assert_eq!(db.number("SELECT MAX(id) FROM toolstart", ()).unwrap(), Some(8));
    assert_eq!(db.number("SELECT MAX(id) FROM web", ()).unwrap(), None);
}

#[test]
fn bulk_inserts_leave_no_gaps_in_ids() {
    for (engine, mode) in [(Engine::InnoDb, SqlMode::Strict), (Engine::MyIsam, SqlMode::Lax)] {
        let Some(pair) = pair(engine, mode) else { return };
        let mut db = connect(&pair);
        let mut insert = db.insert(Verb::Insert, "web", &["datetime", "content", "ip"]);
        for n in 0..2500 {
            insert.push([text("2025-07-00 00:00:00"), text(&format!("/{n}")), text("192.0.2.1")]).unwrap();
        }
        assert!(insert.push([text("one value")]).is_err());
        let done = insert.finish().unwrap();
        let first = done.first_id.unwrap();
        assert_eq!((done.sent, done.changed, done.consecutive), (2500, 2500, true));
        assert_eq!(done.last_id, Some(first + 2499));
        let check = "SELECT COUNT(*), MIN(id), MAX(id), SUM(content <> CONCAT('/', id - {})) FROM web";
        let found = pair.lines(&check.replace("{}", &first.to_string()));
        assert_eq!(found, [format!("2500\t{first}\t{}\t0", first + 2499)]);

        // wide rows are sent in smaller statements
        let mut insert = db.insert(Verb::Insert, "pipeline_state", &["k", "v"]);
        for n in 0..300 {
            insert.push([text(&n.to_string()), text(&"x".repeat(60_000))]).unwrap();
        }
        assert_eq!(insert.finish().unwrap().changed, 300);

        let row = |user: &str| [text("2025-07-01"), text(user), text("1"), text(""), text("login")];
        let columns = ["datetime", "user", "uidNumber", "ip", "action"];
        let mut insert = db.insert(Verb::Ignore, "userlogin", &columns);
        for user in ["bob", "Bob ", "eve"] {
            insert.push(row(user)).unwrap();
        }
        let done = insert.finish().unwrap();
        assert_eq!((done.sent, done.changed, done.first_id), (3, 2, None));

        let mut insert = db.insert(Verb::Update(&["v"]), "pipeline_state", &["k", "v"]);
        insert.push([text("0"), text("new")]).unwrap();
        insert.push([text("mode"), text("normal")]).unwrap();
        insert.finish().unwrap();
        let state = pair.lines("SELECT k, v FROM pipeline_state WHERE k IN ('0', 'mode') ORDER BY k");
        assert_eq!(state, ["0\tnew", "mode\tnormal"]);
        let mut insert = db.insert(Verb::Insert, "pipeline_state", &["k", "v"]);
        insert.push([text("mode"), text("again")]).unwrap();
        assert_eq!(insert.finish().unwrap_err().kind(), ErrorKind::Duplicate);
        let nothing = db.insert(Verb::Insert, "web", &["ip"]).finish().unwrap();
        assert_eq!(nothing, Inserted { consecutive: true, ..Inserted::default() });
    }
}

#[test]
fn a_key_table_writes_values_back() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let mut db = connect(&pair);
        pair.sql(
            "INSERT INTO web (id, ip, host) VALUES (1, '192.0.2.1', NULL), (2, '192.0.2.2', ''), (3, '192.0.2.1', 'x')",
        );
        let keys = KeyTable { name: "k", columns: &[("ip", "varchar(15) NOT NULL"), ("host", "tinytext")], keys: 1 };
        let rows = [["192.0.2.1", "a.example"], ["192.0.2.2", "b.example"]].map(|row| row.map(text));
        for _ in 0..2 {
            let changed = db.transaction_with_retry("writing hosts", &["web"], |db| {
                db.with_key_table(&keys, rows.clone(), |db| {
                    let sql =
                        "UPDATE web JOIN k USING (ip) SET web.host = k.host WHERE web.host IS NULL OR web.host = ''";
                    Ok(db.run(sql, ())?)
                })
            });
            changed.unwrap();
        }
        assert_eq!(pair.lines("SELECT host FROM web ORDER BY id"), ["a.example", "b.example", "x"]);
        assert!(!db.has_table("k").unwrap());
        // undone with the transaction, if there is one
        let failed = db.transaction_with_retry("writing hosts", &["web"], |db| {
            db.run("UPDATE web SET host = 'lost'", ())?;
            anyhow::bail!("no") as Result<()>
        });
        assert_eq!(format!("{:#}", failed.unwrap_err()), "writing hosts: no");
        let kept = pair.lines("SELECT DISTINCT host = 'lost' FROM web");
        assert_eq!(kept, [if engine == Engine::InnoDb { "0" } else { "1" }]);
    }
}

#[test]
fn a_key_table_in_memory_holds_what_it_promises() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let mut db = connect(&pair);
    let keys = KeyTable {
        name: "k",
        columns: &[("ip", "varchar(40) NOT NULL"), ("country", "char(2) NOT NULL"), ("inside", "tinyint NOT NULL")],
        keys: 1,
    };
    let rows = (0..MEMORY_ROWS).map(|n| [text(&format!("{n:040}")), text("US"), Value::from(0)]);
    // of two equal keys the first is kept, as in the other kind
    let again = [[text(&"0".repeat(40)), text("DE"), Value::from(1)]];
    let found = db.with_key_table_in(Store::Memory, &keys, rows.take(MEMORY_ROWS - 1).chain(again), |db| {
        db.texts("SELECT CONCAT_WS(' ', COUNT(*), MAX(ip), SUM(inside)) FROM k", ())
    });
    assert_eq!(found.unwrap(), [format!("{} {:040} 0", MEMORY_ROWS - 1, MEMORY_ROWS - 2)]);
    assert!(!db.has_table("k").unwrap());
}

#[test]
fn a_deadlock_is_tried_again() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql("INSERT INTO websessions (id) VALUES (1), (2)");
    let both = Barrier::new(2);
    let attempts = AtomicU32::new(0);
    let work = |first: u32, second: u32| {
        let mut db = connect(&pair);
        let mut met = false;
        db.transaction_with_retry("counting", &["websessions"], |db| {
            attempts.fetch_add(1, Ordering::Relaxed);
            db.run("UPDATE websessions SET webevents = webevents + 1 WHERE id = ?", (first,))?;
            if !met {
                met = true;
                both.wait();
            }
            Ok(db.run("UPDATE websessions SET webevents = webevents + 1 WHERE id = ?", (second,))?)
        })
        .unwrap()
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(1, 2));
        scope.spawn(|| work(2, 1));
    });
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    assert_eq!(pair.lines("SELECT webevents FROM websessions"), ["2", "2"]);
}

#[test]
fn a_lost_server_is_found_again_and_nothing_is_stored_twice() {
    let Some(server) = private_server() else { return };
    for (engine, wanted) in [(Engine::InnoDb, 2), (Engine::MyIsam, 1)] {
        let pair = server.names(SqlMode::Lax);
        pair.create_metrics(engine, true);
        let mut db = connect(&pair);
        let mut attempts = 0;
        let result = db.transaction_with_retry("loading", &["webhits"], |db| {
            attempts += 1;
            db.run("INSERT INTO webhits VALUES ('2025-07-01', 1)", ())?;
            if attempts == 1 {
                server.kill();
                server.restart();
            }
            db.run("INSERT INTO webhits VALUES ('2025-07-01', 2)", ())?;
            Ok(())
        });
        assert_eq!(attempts, wanted, "{engine:?}: a table without transactions is written once");
        assert_eq!(result.is_ok(), engine == Engine::InnoDb, "{result:?}");
        if engine == Engine::InnoDb {
            assert_eq!(pair.lines("SELECT hits FROM webhits"), ["1", "2"]);
        } else {
            let text = format!("{:#}", result.unwrap_err());
            assert!(text.starts_with("loading: the database server went away"), "{text}");
        }
    }
}

#[test]
fn reads_and_definitions_are_repeated_after_a_lost_server_and_changes_are_not() {
    let Some(server) = private_server() else { return };
    let pair = server.names(SqlMode::Lax);
    pair.create_metrics(Engine::InnoDb, true);
    pair.sql("INSERT INTO webhits VALUES ('2025-07-01', 5)");
    let mut db = connect(&pair);
    let lose = || {
        server.kill();
        server.restart();
    };
    lose();
    assert_eq!(db.number("SELECT hits FROM webhits", ()).unwrap(), Some(5));
    lose();
    db.run("ALTER TABLE webhits ADD COLUMN x int", ()).unwrap();
    assert_eq!(db.number("SELECT COUNT(x) FROM webhits", ()).unwrap(), Some(0));
    lose();
    let kind = |error: DbError| error.kind();
    assert_eq!(kind(db.run("UPDATE webhits SET hits = hits + 1", ()).unwrap_err()), ErrorKind::Gone);
    db.reconnect().unwrap();
    // what a transaction has read and locked is lost
    db.run("START TRANSACTION", ()).unwrap();
    lose();
    let lost = db.number("SELECT hits FROM webhits", ()).unwrap_err();
    assert_eq!(DbError::of(&lost).map(DbError::kind), Some(ErrorKind::Gone));
    db.reconnect().unwrap();
    assert_eq!(db.number("SELECT hits FROM webhits", ()).unwrap(), Some(5));
}

#[test]
fn errors_name_the_cause_and_never_the_password() {
    let Some(pair) = names(SqlMode::Strict) else { return };
    let refused = |change: &dyn Fn(&mut Target), which| {
        let mut target = target(&pair);
        change(&mut target);
        let error = Db::connect(&target, which).unwrap_err();
        assert!(!format!("{error:#}").contains("geheim"), "{error:#}");
        (DbError::of(&error).unwrap().kind(), error.to_string())
    };
    let (kind, text) = refused(&|t| t.password = "geheim".to_owned(), Which::Neither);
    assert_eq!(kind, ErrorKind::Denied);
    assert!(text.contains("connecting to ") && text.contains("Access denied for user 'strict'"), "{text}");
    let (kind, text) = refused(&|_| (), Which::Metrics);
    assert_eq!(kind, ErrorKind::NoDatabase);
    assert!(text.contains(&pair.metrics), "{text}");
    let (kind, text) = refused(&|t| t.host = "/nowhere/s".to_owned(), Which::Neither);
    assert_eq!(kind, ErrorKind::Unreachable);
    assert!(text.contains("/nowhere/s"), "{text}");
    let (kind, _) = refused(&|t| t.host = "127.0.0.1:1".to_owned(), Which::Neither);
    assert_eq!(kind, ErrorKind::Unreachable);
    let mut db = Db::connect(&target(&pair), Which::Neither).unwrap();
    let error = db.run("SELECT * FROM  `x`.nothing", ()).unwrap_err();
    assert!(error.to_string().contains("at: SELECT * FROM `x`.nothing"), "{error}");
    assert!(!error.kind().is_retryable());
}

#[test]
fn a_patient_process_waits_once_for_a_server_that_is_stopped() {
    let Some(server) = fixtures::db::networked_server(&[]) else { return };
    server.sql(&[format!("CREATE USER '{}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'", SqlMode::Strict.user())]);
    let mut at_port = target(&server.names(SqlMode::Strict));
    at_port.host = format!("127.0.0.1:{}", server.port());
    let at_socket = target(&server.names(SqlMode::Strict));
    let try_at = |target: &Target| Db::connect(target, Which::Neither).map(drop);
    for target in [at_port, at_socket] {
        try_at(&target).unwrap();
        server.kill();
        assert_eq!(DbError::of(&try_at(&target).unwrap_err()).unwrap().kind(), ErrorKind::Unreachable);
        // a busy machine may need more than one of them
        let patient = || {
            patience::wait_for_the_server();
            try_at(&target).is_ok()
        };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| (0..8).any(|_| patient()));
            server.restart();
            assert!(waiting.join().unwrap());
        });
    }
    // the first of several is dead: the next one is asked at once
    let mut several = target(&server.names(SqlMode::Strict));
    several.host = format!("127.0.0.1:1,127.0.0.1:{}", server.port());
    try_at(&several).unwrap();
    // what is missing altogether does not come back
    let mut nowhere = target(&server.names(SqlMode::Strict));
    nowhere.host = "/nowhere/s".to_owned();
    patience::wait_for_the_server();
    let error = try_at(&nowhere).unwrap_err();
    assert!(!DbError::of(&error).unwrap().is_refused(), "{error:#}");
    assert!(!patience::use_up(), "once");
}

#[test]
fn two_names_of_one_database_are_refused() {
    let Some(server) = fixtures::db::networked_server(&["--lower-case-table-names=1".to_owned()]) else { return };
    let folding = server.names(SqlMode::Lax);
    folding.create_metrics(Engine::InnoDb, false);
    let as_hub = |hub: &str, pair: &Pair| {
        let mut target = target(pair);
        hub.clone_into(&mut target.hub_db);
        Db::connect(&target, Which::Metrics).map(drop)
    };
    for hub in [folding.metrics.clone(), folding.metrics.to_uppercase()] {
        let error = as_hub(&hub, &folding).unwrap_err();
        assert!(error.is::<Usage>(), "{error:?}");
        assert!(error.to_string().contains("are the same database on this server"), "{error}");
    }
    // if case counts, they are two
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    as_hub(&pair.metrics.to_uppercase(), &pair).unwrap();
}
