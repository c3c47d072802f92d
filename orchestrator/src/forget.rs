//! Forgetting a person: in the tables, the logs and the files that we write. For `forget-user`.
//!
//! Files and tables have no common transaction. So what was found out about the person is written down first, then
//! every step is done so that it can be done again, and until the last one no other writer begins. A run that was
//! killed is finished by the next call.

mod asked;
mod files;
mod needles;
mod person;
mod rewrite;
mod rows;
mod work;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use database::writer::{self, Writer, WriterResult};
use database::{Db, Which};
use hub::forgotten::Forgotten;
use kit::{Usage, door};
use schema::Month;

use crate::hub::Hub;
use crate::pipeline::state;
pub(crate) use asked::Asked;
pub(crate) use hub::forgotten::How;
use person::Person;
use work::{Work, has, listed};

/// Forgets a person; whether something was found, now or earlier, and nothing is left that names the person.
///
/// # Errors
/// The hub still has the person, somebody else writes, or a server or the disk fails.
pub(crate) fn forget(hub: &Hub, asked: &Asked<'_>) -> Result<bool> {
    let begun = Person::begun(hub)?;
    if asked.who.is_none() && begun.is_none() {
        hub.log.info("[forget-user] nothing was begun");
        return Ok(true);
    }
    if asked.is_dry {
        let mut db = hub.db()?;
        let Some(who) = asked.who else { return Ok(true) };
        let person = person::identify(hub, &mut db, asked, who)?;
        let known = database::forgotten::list(&mut db, &hub.config)?;
        let is_known = known.as_ref().is_some_and(|list| has(list, &person));
        let list = listed(known.map_or_else(Forgotten::new, Ok)?, &person);
        return Work { hub, db: &mut db, person: &person, list, is_known, is_dry: true, n_found: 0 }.run();
    }
    let _lock = hub.local_lock()?;
    let _writer = match Writer::ask_to_forget(&hub.config.target(), Duration::ZERO)? {
        WriterResult::Held(writer) => Some(writer),
        WriterResult::Busy(busy) => return Err(busy.into()),
        WriterResult::Inherited => None,
        WriterResult::Absent(why) => {
            return Err(Usage(format!("{why}: `hzmetrics migrate --apply` creates it")).into());
        }
    };
    let mut db = hub.db_with_ledger()?;
    hub.warn_without_transactions(&mut db, &rows::TABLES)?;
    let mut is_clean = true;
    if let Some(person) = &begun {
        hub.log.info(format_args!("[forget-user] finishing what was begun on {}", person.until));
        is_clean = complete(hub, &mut db, person)?;
    }
    if let Some(who) = asked.who.filter(|who| !begun.is_some_and(|person| person.is(who))) {
        let person = person::identify(hub, &mut db, asked, who)?;
        person.begin(hub)?;
        is_clean &= complete(hub, &mut db, &person)?;
    }
    Ok(is_clean)
}

/// All steps, for a person who was written down.
fn complete(hub: &Hub, db: &mut Db, person: &Person) -> Result<bool> {
    writer::begin_forgetting(db)?;
    let path = hub.config.paths.forgotten();
    let list = match database::forgotten::list(db, &hub.config)? {
        Some(list) => list,
        None => Forgotten::new()?,
    };
    let is_known = has(&list, person);
    let list = listed(list, person);
    list.write(&path)?;
    database::forgotten::note(db, &list)?;
    let is_clean = Work { hub, db, person, list, is_known, is_dry: false, n_found: 0 }.run()?;
    writer::end_forgetting(db)?;
    let done = hub.config.paths.being_forgotten();
    door::remove(&done).with_context(|| format!("removing {}", done.display()))?;
    files::mask_log(hub, person)?;
    Ok(is_clean)
}

impl Work<'_> {
    /// All steps.
    fn run(&mut self) -> Result<bool> {
        let person = self.person;
        let counted = |n: usize, one, many| kit::counted(n, one, many);
        self.say(format_args!(
            "{}, {}, {}, {} used by nobody else",
            counted(person.names.len(), "name", "names"),
            counted(person.ids.len(), "user number", "user numbers"),
            counted(person.emails.len(), "e-mail address", "e-mail addresses"),
            counted(person.addresses.len(), "address", "addresses")
        ));
        self.tables()?;
        let mut of_hub = Db::connect(&self.hub.config.target(), Which::Hub)?;
        self.tables_of_hub(&mut of_hub)?;
        let is_clean = self.files()?;
        let is_found = self.n_found > 0 || self.is_known;
        if !is_found {
            self.hub.log.warning(
                "[forget-user] nothing in the tables, logs and files is of this person: check the name or number. Later \
                 imports leave it out anyway",
            );
        }
        Ok(is_clean && is_found)
    }
}

/// Warns before months from `first` on are computed again: those whose rows were deleted count fewer then.
///
/// # Errors
/// The server fails.
pub(crate) fn warn_of_fewer(hub: &Hub, db: &mut Db, first: Month) -> Result<()> {
    let months: BTreeSet<Month> = rows::months_with_fewer(db)?.range(first..).copied().collect();
    if !months.is_empty() {
        hub.log.warning(format_args!(
            "[forget-user] rows of forgotten people were deleted in {}: these months count fewer when they are computed \
             again",
            state::list(&months).replace(',', ", ")
        ));
    }
    Ok(())
}
