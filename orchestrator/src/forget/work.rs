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

/// One person's work.
pub(super) struct Work<'w> {
    pub(super) hub: &'w Hub,
    pub(super) db: &'w mut Db,
    pub(super) person: &'w Person,
    pub(super) list: Forgotten,
    pub(super) is_dry: bool,
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
