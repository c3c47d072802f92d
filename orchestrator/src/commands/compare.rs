//! `hzmetrics compare`: holds the tables of two metrics databases against each other.

use anyhow::{Result, anyhow};
use database::address_changes::AddressChanges;
use database::{Db, DbError, Target, Which};
use kit::Uses;
use schema::{Compat, Month, Opt};

use super::{HubCommand, print};
use crate::colours;
use crate::compare::{self, Addresses, Compared, Report, Wanted};
use crate::hub::Hub;

/// Compare all tables with those of another metrics database
///
/// "Here" is the metrics database of the configuration, "there" is DATABASE, on the same server and with the same
/// account. Ids and times of writing do not count, and rows of one key may be in any order. Nothing is changed. Exit
/// code 1 if something differs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The other metrics database
    #[arg(value_name = "DATABASE")]
    database: String,

    /// Compare these months only, in the tables that have dates
    #[arg(value_name = "YYYY-MM")]
    months: Vec<Month>,

    /// Also compare the tables that we write in the hub's database with those in this one
    #[arg(long, value_name = "DATABASE")]
    hub: Option<String>,

    #[command(flatten)]
    shown: Shown,
}

/// Which differences count, and how they are shown.
#[derive(Debug, clap::Args)]
pub(super) struct Shown {
    /// Differences that these compatibility options explain do not count
    #[arg(long, value_name = "OPTIONS", value_parser = allowed)]
    allow: Option<Compat>,

    /// How many rows of each kind of difference are shown
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) rows: usize,

    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(super) json: bool,
}

impl Shown {
    /// The names of the compatibility options whose differences do not count.
    pub(super) fn allowed(&self) -> Vec<&'static str> {
        let allow = self.allow.unwrap_or_default();
        Opt::ALL.iter().filter(|(opt, _)| allow.has(*opt)).map(|(_, name)| *name).collect()
    }
}

fn allowed(text: &str) -> Result<Compat, String> {
    Compat::parse(text).map_err(|e| e.to_string())
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        hub.config.check()?;
        let here = hub.config.target();
        let hub_db = self.hub.as_deref().unwrap_or(&here.hub_db);
        let there = here.clone().with_databases(hub_db, &self.database);
        let is_same = |which| here.database(which) == there.database(which);
        if is_same(Which::Metrics) || (self.hub.is_some() && is_same(Which::Hub)) {
            return Ok(hub.wrong_arguments("name another database than that of the configuration"));
        }
        let (mut db_here, mut db_there) = (Db::connect(&here, Which::Metrics)?, other(&there, Which::Metrics)?);
        for (of, db) in [(&here, &mut db_here), (&there, &mut db_there)] {
            let changes = AddressChanges::read(db)?;
            if let Some(why) =
                Month::new(0, 1).zip(changes.hashed_through()).and_then(|(first, last)| changes.hashed_in(first, last))
            {
                hub.log.warning(format_args!(
                    "[compare] {}: {why}; where the other database has the addresses, the rows differ",
                    of.metrics_db
                ));
            }
        }
        let report = Report {
            here: here.metrics_db.clone(),
            there: there.metrics_db.clone(),
            months: self.months.iter().map(Month::to_string).collect(),
            tables: self.tables(&here, &there)?,
            addresses: Addresses::read(&mut db_here, &mut db_there, &self.months)?,
            allowed: self.shown.allowed(),
        };
        let text = if self.shown.json { format!("{}\n", report.json()) } else { report.text() };
        print(colours::states(&text).as_bytes())?;
        Ok(u8::from(report.differs()))
    }
}

/// The server's number for "Access denied for user to database".
const NO_RIGHTS: u16 = 1044;

/// The database that is only read: fewer rights are enough than for one of ours.
fn other(there: &Target, which: Which) -> Result<Db> {
    Db::connect(there, which).map_err(|error| match DbError::of(&error) {
        Some(known) if known.code() == NO_RIGHTS => anyhow!(
            "there is no database `{}`, or {} may not read it (GRANT SELECT is enough)",
            there.database(which),
            there.user
        ),
        _ => error,
    })
}

impl Args {
    fn tables(&self, here: &Target, there: &Target) -> Result<Vec<Compared>> {
        let wanted = Wanted { months: &self.months, n_shown: self.shown.rows, only: None };
        let mut tables = Vec::new();
        for which in
            [Which::Metrics, Which::Hub].into_iter().filter(|which| *which == Which::Metrics || self.hub.is_some())
        {
            let (mut here, mut there) = (Db::connect(here, which)?, other(there, which)?);
            tables.extend(compare::compare(&mut here, &mut there, &wanted)?);
        }
        Ok(tables)
    }
}
