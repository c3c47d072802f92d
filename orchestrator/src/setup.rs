//! The databases of a hub: make what is missing, bring what is old up to date.
//!
//! `hzmetrics setup-db` and `hzmetrics migrate` come here. The tables are data in `schema::tables`,
//! the rows they start with in `schema::reference`, the changes of old databases in [`changes`].

mod changes;
mod command;
mod create;
mod ledger;
mod migrate;
mod seed;
#[cfg(test)]
mod tests;

pub(crate) use command::{migrate_command, setup_command};

/// What a failed write to standard output means.
fn lost_reader(error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => kit::ReaderLeft.into(),
        _ => anyhow::Error::from(error).context("writing to standard output"),
    }
}
