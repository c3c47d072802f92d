//! What is refused on a node of a Galera cluster, on a server that says that it is one and has no other nodes.

use fixtures::db::{Pair, SqlMode, networked_server};
use fixtures::{Finished, Run};
use schema::tables::Engine;

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn run(pair: &Pair, line: &str) -> Finished {
    let run: Run = pair.run(HZMETRICS).env("HZMETRICS_ROOT", pair.home().join("root"));
    run.args(line.split(' ')).finish()
}

#[test]
fn tables_that_are_not_replicated_are_refused_on_a_node() {
    let options = ["--wsrep-on=ON", "--binlog-format=ROW"].map(str::to_owned);
    let Some(server) = networked_server(&options) else { return };
    let pair = server.names(SqlMode::Strict);
    pair.create_hub(true);
    let refused = run(&pair, "setup-db --engine MyISAM").expect_code(2);
    refused.said(&["this server is a node of a cluster, which replicates no rows of MyISAM tables"]);
    assert_eq!(pair.lines(&format!("SHOW DATABASES LIKE '{}'", pair.metrics)), [""; 0]);

    pair.create_metrics(Engine::MyIsam, true);
    pair.sql("INSERT INTO web (id, datetime) VALUES (1, '2025-06-01')");
    let doctor = run(&pair, "doctor").expect_code(1);
    for table in ["web", "websessions", "userlogin", "toolstart", "jos_session_geo"] {
        let words = format!(".{table} (MyISAM) is not replicated");
        assert!(doctor.text().contains(&words) || doctor.stderr.contains(&words), "{words}: {}", doctor.text());
    }
    pair.sql("DELETE FROM migrations");
    let migrate = run(&pair, "migrate --apply").expect_code(2);
    migrate.said(&["is not stored in InnoDB. This server is a node of a cluster", "outside of the cluster"]);
    assert_eq!(pair.lines("SELECT id FROM web"), ["1"]);
    let engine = "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'web'";
    assert_eq!(pair.lines(engine), ["MyISAM"]);
}

#[test]
fn tables_without_a_key_are_named_where_the_cluster_requires_keys() {
    let options = ["--wsrep-on=ON", "--binlog-format=ROW", "--wsrep-mode=REQUIRED_PRIMARY_KEY"].map(str::to_owned);
    let Some(server) = networked_server(&options) else { return };
    let pair = server.names(SqlMode::Strict);
    pair.create_hub(true);
    pair.create_metrics(Engine::InnoDb, true);
    pair.drop_added_keys();
    let said = || {
        let doctor = run(&pair, "doctor");
        doctor.text() + &doctor.stderr
    };
    let words = |table: &str| format!("{}.{table} has no primary key, which wsrep_mode requires", pair.metrics);
    let found = said();
    for table in ["webhits", "summary_user_vals", "userlogin_lite", "domainclasses"] {
        let is_keyless = ["webhits", "summary_user_vals", "userlogin_lite"].contains(&table);
        assert_eq!(found.contains(&words(table)), is_keyless, "{table}: {found}");
    }
    assert!(found.contains("hzmetrics migrate --apply; tables of the CMS get one by: ALTER TABLE"), "{found}");
    pair.sql("DELETE FROM migrations WHERE id = 1004");
    run(&pair, "migrate --apply").ok();
    let found = said();
    assert!(!found.contains(&format!("{}.webhits has no primary key", pair.metrics)), "{found}");
}
