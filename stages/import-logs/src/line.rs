//! One access log line in any layout, as fields for the rules and the record.

/// The fields of one line; a field that the layout lacks is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// `YYYY-MM-DD`.
    pub(crate) date: [u8; 10],
    pub(crate) time: Clock<'a>,
    pub(crate) pid: &'a [u8],
    pub(crate) request: &'a [u8],
    /// Method and URL, but for the layouts of hubs, whose requests are split as legacy does.
    pub(crate) method_and_url: Option<(&'a [u8], &'a [u8])>,
    pub(crate) status: &'a [u8],
    pub(crate) bytes: &'a [u8],
    /// The client's address; in the layouts of hubs, whatever is in its place.
    pub(crate) client: &'a [u8],
    /// The client's name, if the log has it instead of the address. `None` in the layouts of hubs,
    /// whose clients are stored as legacy stores them.
    pub(crate) host: Option<&'a [u8]>,
    /// Whether it is an IPv6 address.
    pub(crate) is_ipv6: bool,
    /// Seconds east of Greenwich, if the zone is known.
    pub(crate) offset: Option<i32>,
    /// The same, if the clocks of the requested zone show this time twice.
    pub(crate) twice: Option<i32>,
    /// The virtual host that was requested, without its port.
    pub(crate) vhost: &'a [u8],
    /// An id that the web server gave the request.
    pub(crate) request_id: &'a [u8],
    pub(crate) referrer: &'a [u8],
    pub(crate) agent: &'a [u8],
    pub(crate) uid: &'a [u8],
    /// CMS session, site cookie, login, component, view, task, action, item.
    pub(crate) tail: [&'a [u8]; 8],
}

/// A time of day: as a hub's line has it, with hours of any length, or `HH:MM:SS` from another
/// layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock<'a> {
    Written(&'a [u8]),
    Read([u8; 8]),
}

impl Default for Clock<'_> {
    fn default() -> Self {
        Self::Written(b"")
    }
}

impl<'a> From<&'a [u8]> for Clock<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self::Written(text)
    }
}

impl From<[u8; 8]> for Clock<'_> {
    fn from(text: [u8; 8]) -> Self {
        Self::Read(text)
    }
}

impl Clock<'_> {
    /// The text.
    pub(crate) const fn bytes(&self) -> &[u8] {
        match self {
            Self::Written(text) => text,
            Self::Read(text) => text,
        }
    }
}
