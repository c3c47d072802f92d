//! What the values of a JSON line are used for, and the paths that lead to them.

/// What a field of an object is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(in crate::layouts) enum Slot {
    Time,
    Date,
    Clock,
    Client,
    Forwarded,
    Request,
    Method,
    Url,
    Query,
    Status,
    Bytes,
    Referrer,
    Agent,
    Vhost,
    RequestId,
    User,
    /// Which part of a server wrote the line.
    Logger,
}

pub(super) const N_SLOTS: usize = Slot::Logger as usize + 1;

/// A path in the mapping, such as `a.b.c`, and its rank: paths named earlier are better.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) path: Vec<u8>,
    pub(super) slot: Slot,
    pub(super) rank: u8,
}
