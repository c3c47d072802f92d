//! `hzmetrics setup-db`: creates the metrics database, its tables and their initial rows.

use std::path::PathBuf;

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use kit::Uses;
use schema::rights::{Account, Names};
use schema::tables::Engine;
use schema::{Exit, Month, Opt};

use super::values::DryRun;
use super::{Call, Command, print};
use crate::overrides::Overrides;
use crate::setup::{Held, Setup, hold, partitions, setup_db};

/// Create the metrics database and its tables, fill the static ones
///
/// What exists already is unchanged.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    mode: DryRun,

    /// Leave the static tables empty
    #[arg(long)]
    no_seed: bool,

    /// Engine of new tables
    #[arg(long, value_name = "ENGINE", default_value = "InnoDB", value_parser = engine())]
    engine: Engine,

    /// Divide new big tables by month, from this month on
    ///
    /// For tables that exist and are not divided, the statement that divides them is printed.
    #[arg(long, value_name = "YYYY-MM", value_parser = first_month)]
    month_partitions: Option<Month>,

    /// CSV file (domain,class,country,…) instead of the built-in domain list
    #[arg(long, value_name = "FILE")]
    domainclass: Option<PathBuf>,

    /// Print the GRANT statements that the account needs, and do nothing else
    #[arg(long, value_name = "USER@HOST")]
    grants: Option<Account>,
}

fn engine() -> impl clap::builder::TypedValueParser<Value = Engine> {
    PossibleValuesParser::new(["InnoDB", "MyISAM"]).try_map(|name| name.parse::<Engine>())
}

/// A month from which on there are not too many partitions.
fn first_month(text: &str) -> Result<Month, String> {
    let month: Month = text.parse().map_err(|_| "not a month, such as 2025-07".to_owned())?;
    if month.year() >= 1990 { Ok(month) } else { Err("too early: there were no logs before 1990".to_owned()) }
}

impl Command for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::default())
    }

    fn run(&self, call: &Call) -> Result<u8> {
        if let Some(account) = &self.grants {
            return print_grants(account, &call.overrides);
        }
        let config = hub::config::load(None, &|name| call.overrides.get(name))?;
        let as_port = call.overrides.compat(&config)?.has(Opt::LpCli);
        let setup = Setup {
            dry_run: self.mode.dry_run,
            // the port creates empty tables, and rows loaded into them later must not collide
            seed: !self.no_seed && !as_port,
            as_port,
            engine: self.engine,
            by_month: self.month_partitions.map(partitions::through_next_year).transpose()?,
            domainclass: self.domainclass.clone(),
        };
        let _held = if setup.dry_run { Held::default() } else { hold(&config, call.messages)? };
        setup_db(&config.target(), &setup, call.messages, &mut kit::Stdout::new())?;
        Ok(Exit::Done.code())
    }
}

/// `hzmetrics setup-db --grants`: connects to nothing, so it works before the account exists.
fn print_grants(account: &Account, overrides: &Overrides) -> Result<u8> {
    let config = hub::config::read(None, &|name| overrides.get(name))?;
    config.check_names()?;
    let names = Names { hub: &config.hub_db, metrics: &config.metrics_db, prefix: &config.db_prefix };
    let text: String = names.grants(account).iter().map(|grant| format!("{grant};\n")).collect();
    print(text.as_bytes())
}
