//! The life of a hub on a cluster, whose nodes are killed as well: `cargo xtask cluster`.

use std::collections::HashSet;
use std::fs;
use std::process::Child;
use std::time::Instant;

use fixtures::cluster::Cluster;
use fixtures::db::{Pair, SqlMode, names};
use fixtures::spider::{Divided, SPREAD, Spider};
use schema::partitions::Partitions;
use schema::tables::Engine;

use super::place::{Engines, Excluded, Place};
use super::{AT_MONTH_CLOSE, Life, compared, number};

/// The servers of a life, which are killed as well.
pub(super) enum Servers {
    /// Nodes that hold the same.
    Galera(Cluster),
    /// A head, and two servers behind it that share the big tables.
    Spider(Spider, Divided),
}

/// The servers, and what became of runs while one was killed.
pub(super) struct Nodes {
    servers: Servers,
    n_killed: u32,
    /// Runs that ended well nevertheless.
    n_survived: u32,
}

impl Nodes {
    pub(super) const fn new(servers: Servers) -> Self {
        Self { servers, n_killed: 0, n_survived: 0 }
    }

    /// Once the metrics tables are there.
    pub(super) fn found(&self, pair: &Pair) {
        if let Servers::Spider(spider, divided) = &self.servers {
            spider.spread(pair, *divided);
        }
    }

    /// Waits until all nodes are there: with one of them away, killing a second would end the cluster.
    pub(super) fn settle(&self) {
        if let Servers::Galera(cluster) = &self.servers {
            cluster.settle().unwrap();
        }
    }

    /// Kills a server while a run is in progress. Galera continues with the others, and the server is started again once
    /// the run has ended; Spider needs all of them, so it is started again at once. Returns what happened.
    pub(super) fn kill(&mut self, server: u32, run: &mut Child, place: &Place) -> String {
        let server = server as usize;
        self.n_killed += 1;
        let status = match &self.servers {
            Servers::Galera(cluster) => {
                cluster.kill(server);
                let status = run.wait().unwrap();
                // each third has lost its disk
                let is_third = self.n_killed.is_multiple_of(3);
                if is_third { cluster.replace(server) } else { cluster.revive(server) }.unwrap();
                status
            }
            Servers::Spider(spider, _) => {
                spider.kill(server);
                spider.revive(server);
                run.wait().unwrap()
            }
        };
        self.n_survived += u32::from(status.success());
        let said = fs::read_to_string(place.at("said")).unwrap_or_default();
        let why = if status.success() { "" } else { said.trim() };
        format!("server {} killed, the run ended with {:?}\n{why}", server + 1, status.code())
    }
}

/// How often transactions were tried again.
fn retries(life: &Life) -> u64 {
    let text = life.hzmetrics("metrics").text();
    let counts = text.lines().filter(|line| line.starts_with("hzmetrics_database_retries_total"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// A line of the figures.
fn figure(name: &str, value: impl std::fmt::Display) {
    fixtures::say(&format!("  {name:<48} {value}"));
}

/// Whatever the steps of the ids: nothing to find, nothing to repair, and a log is forgotten with exactly its rows.
fn ledger_is_right(place: &Place, now: &str) {
    // the comparison has summarized the month before the first log
    place.run("unpublish 2024-12", now).ok();
    let found = place.run("audit", now).ok().text();
    fixtures::say(found.lines().last().unwrap_or_default());
    place.run("repair-imported-sources", now).ok().said(&["no corrections needed"]);
    let logs = place.pair.rows(
        "SELECT filename, target_table, row_count FROM imported_sources WHERE target_table <> 'webhits' \
         AND row_count > 0 AND imported_at < (SELECT MAX(imported_at) FROM imported_sources) ORDER BY id",
    );
    let rows = |table: &str| place.pair.lines(&format!("SELECT datetime, t.* FROM {table} t"));
    for log in [&logs[0], &logs[logs.len() / 2], &logs[logs.len() - 1]] {
        let [name, table, n] = [0, 1, 2].map(|at| log[at].as_ref().unwrap());
        let day = name.rsplit_once('-').unwrap().1;
        let day = format!("{}-{}-{} ", &day[..4], &day[4..6], &day[6..8]);
        let before = rows(table);
        place.run(&format!("forget-import {name}"), now).ok();
        let after: HashSet<String> = rows(table).into_iter().collect();
        let gone: Vec<&String> = before.iter().filter(|row| !after.contains(*row)).collect();
        assert_eq!((gone.len().to_string(), before.len() - after.len()), (n.clone(), gone.len()), "{name}");
        assert!(gone.iter().all(|row| row.starts_with(&day)), "{name}: {gone:?}");
    }
}

/// MyISAM tables have rows on one node only: they are neither created nor converted, and doctor names them.
fn myisam_is_refused(cluster: &Cluster) {
    let pair = cluster.names(SqlMode::Lax);
    pair.create_hub(true);
    pair.create_metrics(Engine::MyIsam, true);
    pair.sql("INSERT INTO web (id, datetime, content) VALUES (1, '2025-07-01', '/')");
    let run = |args: &[&str]| pair.run(env!("CARGO_BIN_EXE_hzmetrics")).args(args).finish();
    run(&["setup-db", "--engine", "MyISAM"]).expect_code(2).said(&["a node of a cluster", "leave out --engine MyISAM"]);
    let before = pair.shape(&pair.metrics);
    let refused = run(&["migrate", "--apply"]).expect_code(2);
    refused.said(&["is not stored in InnoDB", "a node of a cluster", "outside of the cluster"]);
    let engines = "SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND \
                   table_name NOT IN ('hz_generations', 'hz_pruned', 'hz_writer')";
    assert_eq!((pair.lines(engines), pair.shape(&pair.metrics)), (vec!["MyISAM".to_owned()], before));
    let found = run(&["doctor"]).text();
    assert!(found.contains(&format!("{}.web (MyISAM) is not replicated", pair.metrics)), "{found}");
    assert!(!found.contains("has no primary key"), "{found}");
}

#[test]
#[ignore = "cargo xtask cluster"]
fn a_life_on_three_nodes_gives_the_tables_of_one_server() {
    let told = names(SqlMode::Strict).expect("a server to compare with");
    let began = Instant::now();
    let cluster = Cluster::start(&["--wsrep-mode=REQUIRED_PRIMARY_KEY".to_owned()]).unwrap();
    let lived = cluster.names(SqlMode::Strict);
    fixtures::say(&format!("three nodes and haproxy have started in {:.1?}", began.elapsed()));
    let settings = lived.lines("SELECT @@auto_increment_increment, @@wsrep_mode");
    let refused = lived.refusal("CREATE TABLE mysql.without_key (x int) ENGINE=InnoDB SELECT 1 AS x");
    assert!(refused.is_some(), "the cluster does not require keys");
    myisam_is_refused(&cluster);
    let nodes = Nodes::new(Servers::Galera(cluster));
    let (life, n_tables, n_rows) =
        compared((lived, told), Some(nodes), AT_MONTH_CLOSE, Excluded::Pages, Engines::ALL_INNODB, None);
    ledger_is_right(&life.place, &life.now);
    fixtures::say("the life of a hub on three nodes of Galera behind haproxy");
    figure("auto_increment_increment, wsrep_mode", settings.join(" ").replace('\t', ", "));
    figures(&life);
    if let Some(Nodes { servers: Servers::Galera(cluster), .. }) = &life.nodes {
        cluster.settle().unwrap();
        let (ist, sst) = cluster.transfers();
        figure("nodes that came back by IST, by SST", format!("{ist}, {sst}"));
    }
    figure("tables equal to those of one server", format!("{n_tables} with {n_rows} rows"));
    figure("time", format!("{:.0?}", began.elapsed()));
}

#[test]
#[ignore = "cargo xtask cluster --engine spider"]
fn a_life_on_spider_gives_the_tables_of_one_server() {
    on_spider(Divided::ById);
}

#[test]
#[ignore = "cargo xtask cluster --engine spider-by-month"]
fn a_life_on_spider_by_month_gives_the_tables_of_one_server() {
    let [first, last] = ["2025-02", "2025-04"].map(|month| month.parse().unwrap());
    on_spider(Divided::ByMonth(Partitions { first, last }));
}

fn on_spider(divided: Divided) {
    let told = names(SqlMode::Strict).expect("a server to compare with");
    let began = Instant::now();
    let spider = Spider::start().unwrap();
    let lived = spider.names(SqlMode::Strict);
    let nodes = Nodes::new(Servers::Spider(spider, divided));
    let (life, n_tables, n_rows) =
        compared((lived, told), Some(nodes), AT_MONTH_CLOSE, Excluded::Pages, Engines::ALL_INNODB, None);
    ledger_is_right(&life.place, &life.now);
    fixtures::say("the life of a hub on a Spider head with two servers behind it");
    figures(&life);
    if let Some(Nodes { servers: Servers::Spider(spider, _), .. }) = &life.nodes {
        for table in SPREAD {
            let rows = spider.rows(&life.place.pair, table);
            assert!(rows.iter().all(|n| *n > 0), "{table}: {rows:?}");
            figure(&format!("rows of {table} on each server"), format!("{rows:?}"));
        }
    }
    figure("tables equal to those of one server", format!("{n_tables} with {n_rows} rows"));
    figure("time", format!("{:.0?}", began.elapsed()));
}

/// The figures of every life, after what was killed.
fn figures(life: &Life) {
    for line in &life.book {
        fixtures::say(&format!("  {line}"));
    }
    let nodes = life.nodes.as_ref().unwrap();
    figure("runs", life.n_runs);
    figure("kills that hit (HZMETRICS_KILLS)", format!("{} of {}", life.n_killed, number("HZMETRICS_KILLS", 6)));
    figure("  of servers", nodes.n_killed);
    figure("  of clients", life.n_killed - nodes.n_killed);
    figure("runs that ended well without the killed server", format!("{} of {}", nodes.n_survived, nodes.n_killed));
    figure("transactions that were tried again", retries(life));
}
