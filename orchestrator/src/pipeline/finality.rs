//! Whether the numbers of a month are final, so that its rows may go or lose their addresses.

use std::collections::BTreeSet;

use anyhow::Result;
use database::Db;
use schema::Month;

use super::facts;
use super::pending::Pending;
use super::state::{Mode, State};
use crate::hub::Hub;

/// It has data and lacks cells.
pub(crate) const UNPUBLISHED: &str = "it is not published with all periods";

/// What is due now.
pub(crate) struct Finality {
    state: State,
    /// Months with logs that wait for their import.
    waiting: BTreeSet<Month>,
}

impl Finality {
    /// # Errors
    /// The server or a folder cannot be read.
    pub(crate) fn look(hub: &Hub, db: &mut Db) -> Result<Self> {
        Ok(Self { state: State::read(db)?, waiting: facts::pending_months(&Pending::look(hub)?) })
    }

    /// Why the numbers of a month are not final, if so.
    ///
    /// # Errors
    /// The server fails.
    pub(crate) fn why_not(&self, db: &mut Db, month: Month) -> Result<Option<&'static str>> {
        let Self { state, waiting } = self;
        Ok(if state.mode != Mode::Normal || state.cascade_from.is_some() {
            Some("earlier months are being computed again")
        } else if state.dirty.contains(&month) {
            Some("it is dirty")
        } else if state.withheld.contains(&month) {
            Some("it is withheld")
        } else if waiting.contains(&month) {
            Some("logs of it wait for their import")
        } else if facts::has_data(db, month)? && !facts::is_fully_summarized(db, month)? {
            Some(UNPUBLISHED)
        } else {
            None
        })
    }
}
