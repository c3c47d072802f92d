//! The ledger against a real server.

use fixtures::db::{MODES, PASSWORD, Pair, pair};

use super::*;
use crate::db::{self, Which};

fn connect(pair: &Pair) -> Db {
    let target = db::Target {
        host: pair.socket().to_string_lossy().into_owned(),
        user: pair.mode.user().to_owned(),
        password: PASSWORD.to_owned(),
        hub_db: pair.hub.clone(),
        metrics_db: pair.metrics.clone(),
        prefix: "jos_".to_owned(),
        tls: false,
    };
    Db::connect(&target, Which::Metrics).unwrap()
}

const ROWS: &str = "SELECT filename, target_table, pk_start, pk_end, row_count, origin, imported_at > '2000-01-01' \
                    FROM imported_sources ORDER BY filename, target_table";

#[test]
fn a_file_is_noted_once() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let mut db = connect(&pair);
        assert!(is_there(&mut db).unwrap());
        assert_eq!(begin(&mut db, "a.log", Target::Web).unwrap(), Begun::New);
        assert_eq!(begin(&mut db, "b.log", Target::Web).unwrap(), Begun::New);
        assert_eq!(begin(&mut db, "a.log", Target::Userlogin).unwrap(), Begun::New);
        finish(&mut db, "a.log", Target::Web, Some(7), Some(9), 3).unwrap();
        finish(&mut db, "a.log", Target::Web, Some(7), Some(9), 3).unwrap();
        finish(&mut db, "b.log", Target::Web, None, None, 0).unwrap();
        assert_eq!(begin(&mut db, "a.log", Target::Web).unwrap(), Begun::Committed);
        assert!(finish(&mut db, "c.log", Target::Web, None, None, 0).is_err());
        let expected = [
            "a.log\tweb\t7\t9\t3\timporter\t1",
            "a.log\tuserlogin\tNULL\tNULL\t0\timporter\t1",
            "b.log\tweb\tNULL\tNULL\t0\timporter\t1",
        ];
        assert_eq!(pair.lines(ROWS), expected);
    }
}

#[test]
fn an_undone_transaction_leaves_no_entry() {
    let Some(pair) = pair(MODES[0].0, MODES[0].1) else { return };
    let mut db = connect(&pair);
    let failed: Result<()> = db.transaction_with_retry("importing", &["web", TABLE], |db| {
        assert_eq!(begin(db, "a.log", Target::Web)?, Begun::New);
        anyhow::bail!("the file is cut short")
    });
    assert!(failed.is_err());
    assert_eq!(begin(&mut db, "a.log", Target::Web).unwrap(), Begun::New);
}
