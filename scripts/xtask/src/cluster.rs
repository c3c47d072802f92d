//! `cluster`: the life of a hub on several servers, while they and the programs are killed.

use anyhow::Result;
use clap::ValueEnum;
use fixtures::closed;
use xshell::{Shell, cmd};

use crate::check::{CLUSTER, MARIADB, SPIDER};
use checkout::place;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many servers and programs are killed, at random moments
    #[arg(long, value_name = "N", default_value_t = 6)]
    kills: u32,
    /// Another seed gives another hub and other moments
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,
    /// What the tables are stored on
    #[arg(long, value_enum, default_value_t = Engine::Galera)]
    engine: Engine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Three nodes behind haproxy
    Galera,
    /// A head, with the big tables on two other servers, divided by the number of the row
    Spider,
    /// The same, divided by month
    SpiderByMonth,
}

impl Engine {
    /// The test in `orchestrator/tests/it/hub_life/cluster.rs`.
    const fn test(self) -> &'static str {
        match self {
            Self::Galera => "hub_life::cluster::a_life_on_three_nodes_gives_the_tables_of_one_server",
            Self::SpiderByMonth => "hub_life::cluster::a_life_on_spider_by_month_gives_the_tables_of_one_server",
            Self::Spider => "hub_life::cluster::a_life_on_spider_gives_the_tables_of_one_server",
        }
    }
}

/// Runs the test, which prints the figures, and fails if the tables differ from those of one server.
pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    sh.change_dir(place::root()?);
    MARIADB.provide(sh);
    match args.engine {
        Engine::Galera => CLUSTER.provide(sh),
        Engine::Spider | Engine::SpiderByMonth => SPIDER.provide(sh),
    }
    cmd!(sh, "cargo build --workspace --bins").run()?;
    let test = args.engine.test();
    let mut command = cmd!(sh, "cargo test --package orchestrator --test it -- --ignored --exact --nocapture {test}");
    for name in closed::of_a_hub() {
        command = command.env_remove(name);
    }
    let (kills, seed) = (args.kills.to_string(), args.seed.to_string());
    command.env("HZMETRICS_KILLS", kills).env("HZMETRICS_SEED", seed).run()?;
    Ok(())
}
