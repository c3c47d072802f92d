//! Hashes that nobody can compute without the key: for the list of the forgotten, and for addresses.

use std::hash::Hasher as _;

use anyhow::{Context as _, Result, ensure};
use schema::address::HASH_DIGITS;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 16]);

impl Key {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random bits.
    pub(crate) fn draw() -> Result<Self> {
        let mut key = [0; 16];
        let n = rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())?;
        ensure!(n == key.len(), "the system gave too few random bits");
        Ok(Self(key))
    }

    /// From [`Key::text`].
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        ensure!(text.len() == 32, "the key has 32 hexadecimal digits");
        let key = u128::from_str_radix(text, 16).context("the key has 32 hexadecimal digits")?;
        Ok(Self(key.to_be_bytes()))
    }

    /// 32 hexadecimal digits.
    pub(crate) fn text(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// The hash of a text; `tag` tells texts of one kind from the same texts of another.
    pub(crate) fn hash(self, tag: u8, text: &[u8]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u8(tag);
        hasher.write(text);
        hasher.finish128().as_u128()
    }
}

/// The last `n` digits of a hash to the base 32.
pub(crate) fn digits(mut hash: u128, n: usize) -> impl Iterator<Item = char> {
    std::iter::repeat_with(move || {
        let digit = char::from(HASH_DIGITS[(hash % 32) as usize]);
        hash /= 32;
        digit
    })
    .take(n)
}
