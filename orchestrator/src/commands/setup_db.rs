//! `hzmetrics setup-db`: creates the metrics database, its tables and their initial rows.

use std::path::PathBuf;

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use kit::Uses;
use schema::rights::{Account, Names};
use schema::tables::Engine;
use schema::{Exit, Opt};

use super::values::DryRun;
use super::{Call, Command, print};
use crate::overrides::Overrides;
use crate::setup::{Held, Setup, hold, setup_db};

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

impl Command for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::default())
    }

    fn run(&self, call: &Call) -> Result<u8> {
        if let Some(account) = &self.grants {
            return print_grants(account, &call.overrides);
        }
        let config = hub::config::load(None, &|name| call.overrides.get(name))?;
        let setup = Setup {
            dry_run: self.mode.dry_run,
            // the port creates empty tables, and rows loaded into them later must not collide
            seed: !self.no_seed && !call.overrides.compat(&config)?.has(Opt::LpCli),
            engine: self.engine,
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
