//! What the JSON outputs have in common. `docs/json.md` describes them; a test compares it with the outputs.

/// Grows when a field goes or changes its meaning; new fields do not count.
pub(crate) const VERSION: u64 = 1;
