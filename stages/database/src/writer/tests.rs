//! The row of the writer on a private server: taken, held, lost, and taken over from the dead.

use fixtures::db::{PASSWORD, Pair, SqlMode, pair};
use schema::tables::Engine;

use super::*;

fn target(pair: &Pair) -> Target {
    Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics)
}

fn held(target: &Target) -> Writer {
    match Writer::ask(target, Duration::ZERO).unwrap() {
        WriterResult::Held(writer) => writer,
        other => panic!("{other:?}"),
    }
}

const OWNER: &str = "SELECT token FROM hz_writer WHERE part = 'owner'";

/// Has another process hold the row: how it is known, and how long it has been silent.
fn other(pair: &Pair, process: &Process, silent: u32) {
    let Process { host, place, pid, started } = process;
    pair.sql(&format!(
        "REPLACE INTO hz_writer VALUES ('owner', 'other', '{host}', '{place}', {pid}, {started}, \
         UTC_TIMESTAMP() - INTERVAL 1 DAY), \
         ('beat', 'other', '', '', 0, 0, UTC_TIMESTAMP() - INTERVAL {silent} SECOND)"
    ));
}

// one test: who writes is a matter of the process
#[test]
fn one_writer_at_a_time() {
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Strict) else { return };
    let target = target(&pair);
    let engine =
        "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'hz_writer'";
    assert_eq!(pair.lines(engine), ["InnoDB"]);

    let writer = held(&target);
    assert_eq!(pair.lines(OWNER), std::slice::from_ref(&writer.token));
    assert_eq!(token().as_ref(), Some(&writer.token));
    let mut db = Db::connect(&target, Which::Hub).unwrap();
    let mut second = Db::connect(&target, Which::Metrics).unwrap();
    // a hub's session locks the row too, and nobody can take it before the end of the transaction
    db.transaction_with_retry("x", &[], |_| {
        second.run("SET SESSION innodb_lock_wait_timeout = 1", ())?;
        let taken = second.run("UPDATE hz_writer SET token = 'other' WHERE part = 'owner'", ());
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::LockWait);
        // the beat of the writer does not wait for it
        assert_eq!(second.run("UPDATE hz_writer SET seen = seen + INTERVAL 1 SECOND WHERE part = 'beat'", ())?, 1);
        Ok(())
    })
    .unwrap();
    // two sessions share the row
    let mut beside = second.another().unwrap();
    second.transaction_with_retry("x", &[], |_| beside.transaction_with_retry("y", &[], |_| Ok(()))).unwrap();
    // the name of a table that is built says whose it is; what others left goes
    pair.sql("CREATE TABLE web__new (x int);\nCREATE TABLE web__new_01234567 (x int);\nCREATE TABLE webxxnew (x int)");
    let beside = second.beside("web").unwrap();
    assert_eq!(beside, format!("web__new_{}", &writer.token[..8]));
    let like = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'web%new%'";
    assert_eq!(pair.lines(like), ["webxxnew"]);

    // whoever lost the row stores nothing any more
    pair.sql("UPDATE hz_writer SET token = 'other' WHERE part = 'owner'");
    let lost = second.transaction_with_retry("x", &["web"], |db| Ok(db.run("INSERT INTO web (ip) VALUES ('1')", ())?));
    assert!(lost.unwrap_err().is::<Busy>());
    assert!(second.rename("webxxnew TO gone").unwrap_err().is::<Busy>());
    assert_eq!(pair.lines("SELECT COUNT(*) FROM web"), ["0"]);
    drop(writer);
    assert_eq!((pair.lines(OWNER), token()), (vec!["other".to_owned()], None));

    // who holds it, and for how long
    let own = Process::own();
    let ended = Process { pid: i32::MAX.unsigned_abs(), ..own.clone() };
    let elsewhere = Process { host: "db2".to_owned(), place: "x/1".to_owned(), pid: 12, started: 1 };
    for (process, silent, is_free) in [
        (&own, 0, false),
        // it is here and would be seen to have ended: it may have been stopped for a while
        (&own, 5000, false),
        (&ended, 0, true),
        (&elsewhere, 0, false),
        (&elsewhere, 100, false),
        (&elsewhere, 121, true),
    ] {
        other(&pair, process, silent);
        match Writer::ask(&target, Duration::ZERO).unwrap() {
            WriterResult::Held(_) => assert!(is_free, "{process:?} {silent}"),
            WriterResult::Busy(busy) => {
                assert!(!is_free, "{process:?} {silent}");
                let who = format!("(pid {} on {}, since ", process.pid, process.host);
                assert!(busy.to_string().contains(&who), "{busy}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(pair.lines(OWNER), [if is_free { "" } else { "other" }]);
    }

    // whoever waits gets it
    other(&pair, &own, 0);
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| matches!(Writer::ask(&target, Duration::from_secs(60)), Ok(WriterResult::Held(_))));
        std::thread::sleep(Duration::from_millis(100));
        pair.sql("UPDATE hz_writer SET token = '' WHERE part = 'owner'");
        assert!(waiting.join().unwrap());
    });

    // no table, no right: the lock of the machine has to do
    let user = pair.mode.user();
    pair.sql(&format!("REVOKE UPDATE ON `{}`.* FROM {user}@localhost", pair.metrics.replace('_', "\\_")));
    let absent = Writer::ask(&target, Duration::ZERO).unwrap();
    assert!(matches!(&absent, WriterResult::Absent(why) if why.contains("may not write")), "{absent:?}");
    pair.sql("DROP TABLE hz_writer");
    let absent = Writer::ask(&target, Duration::ZERO).unwrap();
    assert!(matches!(&absent, WriterResult::Absent(why) if why.contains("no table")), "{absent:?}");
    assert_eq!(token(), None);
    db.transaction_with_retry("x", &[], |_| Ok(())).unwrap();
    assert_eq!(second.beside("web").unwrap(), "web__new");
}
