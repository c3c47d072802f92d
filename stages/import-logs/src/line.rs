//! One access log line in any layout, as the fields that the rules and the record need.

/// The fields of one line; what a layout lacks is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// `YYYY-MM-DD`.
    pub(crate) date: [u8; 10],
    /// Time of day, hours of any length.
    pub(crate) time: &'a [u8],
    pub(crate) pid: &'a [u8],
    pub(crate) request: &'a [u8],
    /// Method and URL, from formats that log them apart instead of a request.
    pub(crate) method_and_url: Option<(&'a [u8], &'a [u8])>,
    pub(crate) status: &'a [u8],
    pub(crate) bytes: &'a [u8],
    pub(crate) client: &'a [u8],
    pub(crate) referrer: &'a [u8],
    pub(crate) agent: &'a [u8],
    pub(crate) uid: &'a [u8],
    /// CMS session, site cookie, login, component, view, task, action, item.
    pub(crate) tail: [&'a [u8]; 8],
}
