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
