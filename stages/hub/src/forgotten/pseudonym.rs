//! What replaces a forgotten text. One text always gets the same, so that who was one visitor or one
//! user stays one.

use std::net::Ipv4Addr;

use schema::{address, collation};

use super::list::{Forgotten, How, What};
use crate::keyed::digits;

/// User numbers from here on are pseudonyms: those of a hub are far smaller, and the column ends at 2^31.
const FIRST_ID: i64 = 2_000_000_000;
const N_IDS: u128 = 147_000_000;

impl Forgotten {
    /// What replaces a text. An address becomes one of the reserved range 240.0.0.0 to 254.255.255.255, which no
    /// machine has and every layout of logs can hold; a number becomes one above two thousand millions.
    #[must_use]
    pub fn replacement(&self, what: What, text: &str, how: How) -> String {
        match (what, how) {
            (What::Address, _) => self.address(text),
            (What::Id, How::Pseudonym) => self.id(text).to_string(),
            (What::Id, How::Delete) => "0".to_owned(),
            (What::Name | What::Email, How::Delete) => "forgotten".to_owned(),
            (What::Name, How::Pseudonym) => self.name(text),
            (What::Email, How::Pseudonym) => format!("{}@forgotten.invalid", self.name(text)),
        }
    }

    /// The pseudonym of a user name.
    #[must_use]
    pub fn name(&self, text: &str) -> String {
        let hash = self.keyed(b'N', collation::fold(text).as_bytes());
        "forgotten_".chars().chain(digits(hash, 10)).collect()
    }

    /// The pseudonym of a user number.
    #[must_use]
    pub fn id(&self, text: &str) -> i64 {
        let hash = self.keyed(b'I', text.trim_start_matches('0').as_bytes());
        FIRST_ID + i64::try_from(hash % N_IDS).unwrap_or(0)
    }

    /// The pseudonym of an address.
    #[must_use]
    pub fn address(&self, text: &str) -> String {
        let hash = self.keyed(b'A', address::canonical(text).to_ascii_lowercase().as_bytes());
        let [.., a, b, c, d] = hash.to_be_bytes();
        Ipv4Addr::new(240 + a % 15, b, c, d).to_string()
    }
}
