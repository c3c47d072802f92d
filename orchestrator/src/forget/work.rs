//! What the steps of `forget-user` share: the person, the list, and what is said.

use database::Db;
use hub::forgotten::{Forgotten, How, What};

use super::person::Person;
use crate::hub::Hub;

/// The list with the person in it.
pub(super) fn listed(mut list: Forgotten, person: &Person) -> Forgotten {
    let ids: Vec<String> = person.ids.iter().map(i64::to_string).collect();
    for (what, texts) in [
        (What::Name, &person.names),
        (What::Id, &ids),
        (What::Email, &person.emails),
        (What::Address, &person.addresses),
    ] {
        for text in texts {
            list.add(what, text, &person.until, person.how);
        }
    }
    list
}

/// Whether the list has the person's name or number.
pub(super) fn has(list: &Forgotten, person: &Person) -> bool {
    let day = person.until.as_bytes();
    let mut names = person.names.iter().filter(|name| list.of(What::Name, name, day).is_some());
    let mut ids = person.ids.iter().filter(|id| list.of(What::Id, &id.to_string(), day).is_some());
    names.next().is_some() || ids.next().is_some()
}

/// One person's work.
pub(super) struct Work<'w> {
    pub(super) hub: &'w Hub,
    pub(super) db: &'w mut Db,
    pub(super) person: &'w Person,
    pub(super) list: Forgotten,
    /// Whether the list had the person before.
    pub(super) is_known: bool,
    pub(super) is_dry: bool,
    /// Rows, lines and addresses so far.
    pub(super) n_found: u64,
}

impl Work<'_> {
    /// Says what was done, or would be.
    pub(super) fn say(&self, text: std::fmt::Arguments<'_>) {
        let dry = if self.is_dry { "[dry-run] " } else { "" };
        self.hub.log.info(format_args!("[forget-user] {dry}{text}"));
    }

    /// Whether lines and rows go.
    pub(super) fn deletes(&self) -> bool {
        self.person.how == How::Delete
    }
}
