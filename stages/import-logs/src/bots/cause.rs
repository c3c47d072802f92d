//! Why an agent is a bot: a word in its name, a pattern of a list, or an earlier file.

/// Why an agent is a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A word, by its number.
    Word(u8),
    /// A pattern of a list, by its number.
    Listed(u32),
    /// It was known before.
    Known,
}

impl Cause {
    /// A hash key for the cause, far from the keys of agents.
    pub(super) fn key(self) -> u64 {
        let number = match self {
            Self::Known => 0,
            Self::Word(at) => 1 + u64::from(at),
            Self::Listed(at) => 1 << 10 | u64::from(at) << 11,
        };
        xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes())
    }
}
