//! In whose name this process writes: the token that the row of the writer holds (see `writer`), and the random bits
//! that tokens and numbers of generations are drawn from.

use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};

use anyhow::{Context as _, Result};
use rustix::rand::{GetRandomFlags, getrandom};

/// The token of this process.
static NAME: RwLock<Option<String>> = RwLock::new(None);

/// In whose name this process writes: the token in the row; `None` where there is no row to be held.
#[must_use]
pub fn token() -> Option<String> {
    NAME.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// From now on this process writes in this name.
pub(crate) fn write_as(token: Option<String>) {
    *NAME.write().unwrap_or_else(PoisonError::into_inner) = token;
}

/// 128 random bits.
pub(crate) fn random_bits() -> Result<[u8; 16]> {
    let mut bits = [0_u8; 16];
    getrandom(&mut bits, GetRandomFlags::empty()).context("random bits")?;
    Ok(bits)
}

/// 128 random bits as text: a new name for a writer, or a secret.
///
/// # Errors
/// The system has none.
pub fn new_token() -> Result<String> {
    let bits = random_bits()?;
    let mut text = String::with_capacity(32);
    for byte in bits {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
