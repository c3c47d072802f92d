//! The content of a line in any layout, as the rules and the records need it.
//!
//! A layout gives [`Fields`]: texts taken from the line, or built from it. They become an [`Entry`]
//! once the client has been chosen.

use super::client::{self, Choice, Client, NotAClient};
use super::time::Moment;
use super::{Fault, What, url};

/// The text of a field: a part of the line, or a range of the text built from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    Line(&'a [u8]),
    Made(usize, usize),
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Line(b"")
    }
}

impl<'a> Text<'a> {
    /// The bytes.
    pub(crate) fn of(self, made: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Line(text) => text,
            Self::Made(start, end) => made.get(start..end).unwrap_or_default(),
        }
    }

    /// This part of the text, where `part` came from [`of`](Self::of); `None` if it came from
    /// another text.
    fn part(self, part: &[u8], made: &[u8]) -> Option<Self> {
        let whole = self.of(made);
        let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = at.checked_add(part.len()).filter(|&end| end <= whole.len())?;
        Some(match self {
            Self::Line(text) => Self::Line(&text[at..end]),
            Self::Made(start, _) => Self::Made(start + at, start + end),
        })
    }

    /// Adds a text to what was built.
    pub(crate) fn make(made: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let start = made.len();
        write(made);
        Self::Made(start, made.len())
    }

    /// Appends the text to what was built.
    pub(super) fn append_to(self, made: &mut Vec<u8>) {
        match self {
            Self::Line(text) => made.extend_from_slice(text),
            Self::Made(start, end) if start <= end && end <= made.len() => made.extend_from_within(start..end),
            Self::Made(..) => {}
        }
    }

    /// A URL with its query, from a layout that logs them separately. A dash is not a query.
    pub(super) fn with_query(self, query: Self, made: &mut Vec<u8>) -> Self {
        let has_query = self.of(made).contains(&b'?');
        if has_query || matches!(query.of(made), b"" | b"-") {
            return self;
        }
        let start = made.len();
        self.append_to(made);
        if !query.of(made).starts_with(b"?") {
            made.push(b'?');
        }
        query.append_to(made);
        Self::Made(start, made.len())
    }

    /// Whether it is empty.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Line(text) => text.is_empty(),
            Self::Made(start, end) => start >= end,
        }
    }
}

/// The fields of a line before the client has been chosen. A field that the layout lacks is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) moment: Option<Moment>,
    /// The other end of the connection, or whom the server regards as the client.
    pub(crate) client: Text<'a>,
    /// The content of the requested header.
    pub(crate) forwarded: Text<'a>,
    pub(crate) request: Text<'a>,
    pub(crate) method: Text<'a>,
    pub(crate) url: Text<'a>,
    pub(crate) status: Text<'a>,
    pub(crate) bytes: Text<'a>,
    pub(crate) referrer: Text<'a>,
    pub(crate) agent: Text<'a>,
    pub(crate) vhost: Text<'a>,
    pub(crate) request_id: Text<'a>,
    pub(crate) pid: Text<'a>,
    pub(crate) uid: Text<'a>,
    pub(crate) tail: [Text<'a>; 8],
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// `YYYY-MM-DD`.
    pub(crate) date: [u8; 10],
    /// `HH:MM:SS`.
    pub(crate) time: [u8; 8],
    /// Seconds east of Greenwich, if the zone is known.
    pub(crate) offset: Option<i32>,
    /// The address of the client; empty if the server wrote a name.
    pub(crate) client: &'a [u8],
    /// The client's name, if there is no address.
    pub(crate) host: &'a [u8],
    /// Whether it is an IPv6 address.
    pub(crate) is_ipv6: bool,
    pub(crate) request: &'a [u8],
    /// Its method and its URL, without a host.
    pub(crate) method_and_url: (&'a [u8], &'a [u8]),
    pub(crate) status: &'a [u8],
    /// A number, or a dash if the layout has none.
    pub(crate) bytes: &'a [u8],
    pub(crate) referrer: &'a [u8],
    pub(crate) agent: &'a [u8],
    /// The virtual host that was requested, without its port: that of the URL, if it has one.
    pub(crate) vhost: &'a [u8],
    pub(crate) request_id: &'a [u8],
    pub(crate) pid: &'a [u8],
    pub(crate) uid: &'a [u8],
    /// CMS session, site cookie, login, component, view, task, action, item.
    pub(crate) tail: [&'a [u8]; 8],
}

/// Where the client is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ClientFrom {
    /// The name of a header; `None` for the other end of the connection.
    pub(crate) header: Option<String>,
    /// Which address of the header.
    pub(crate) choice: Choice,
}

impl ClientFrom {
    /// Whether this is the header with the client.
    pub(crate) fn is(&self, header: &[u8]) -> bool {
        self.header.as_deref().is_some_and(|name| is_same_header(name.as_bytes(), header))
    }
}

/// Whether two names are the same header: ignores case, and treats dashes and underscores alike.
pub(crate) fn is_same_header(a: &[u8], b: &[u8]) -> bool {
    let plain = |b: &u8| if *b == b'_' { b'-' } else { b.to_ascii_lowercase() };
    a.len() == b.len() && a.iter().map(plain).eq(b.iter().map(plain))
}

/// A field that is empty or a dash, as a dash.
fn or_dash(text: &[u8]) -> &[u8] {
    if text.is_empty() { b"-" } else { text }
}

/// A number of bytes sent: empty becomes a dash, a dash becomes zero.
fn bytes_of(text: &[u8]) -> &[u8] {
    match text {
        b"" => b"-",
        b"-" => b"0",
        text => text,
    }
}

impl<'a> Fields<'a> {
    /// The client: its name or the canonical text of its address, whether it is a name, and whether
    /// it is an IPv6 address.
    fn client(&self, made: &mut Vec<u8>, from: &ClientFrom) -> Result<(Text<'a>, bool, bool), Fault> {
        let text = self.client.of(made);
        let peer = client::client(text);
        let chosen = if from.header.is_some() {
            let header = self.forwarded.of(made);
            let found = client::forwarded(header, peer.ok(), &from.choice);
            found.ok_or_else(|| peer.err().unwrap_or(NotAClient::Missing))
        } else {
            peer
        };
        let part = |part: &[u8]| {
            let of_header = || self.forwarded.part(part, made);
            self.client.part(part, made).or_else(of_header).unwrap_or_default()
        };
        match chosen.map_err(|reason| Fault::of(What::Client(reason), text))? {
            Client::Host(name) => Ok((part(name), true, false)),
            Client::Address(address) => {
                let is_ipv6 = address.ip.is_ipv6();
                if let Some(written) = address.as_written() {
                    return Ok((part(written), false, is_ipv6));
                }
                let canonical = address.canonical();
                Ok((Text::make(made, |made| made.extend_from_slice(canonical.as_bytes())), false, is_ipv6))
            }
        }
    }

    /// The request in these fields. `made` is the text built from the line; the address is added to
    /// it unless its text is canonical already.
    #[inline]
    pub(crate) fn entry(&self, made: &'a mut Vec<u8>, from: &ClientFrom) -> Result<Entry<'a>, Fault> {
        let moment = self.moment.ok_or(Fault::bare(What::NoTime))?;
        let (client, is_name, is_ipv6) = self.client(made, from)?;
        let nothing = Text::default();
        let (client, host) = if is_name { (nothing, client) } else { (client, nothing) };
        let made: &'a [u8] = made;
        let (method, url) = (self.method.of(made), self.url.of(made));
        let request = self.request.of(made);
        let (method, url) = match (request, method) {
            (b"", _) if url.is_empty() => url::of_request(request),
            (b"", b"") => (&b"GET"[..], url),
            (b"", method) => (method, url),
            _ => url::of_request(request),
        };
        // a client may ask for a URL of any host, as at a proxy
        let (vhost, url) = url::absolute(url).unwrap_or((self.vhost.of(made), url));
        Ok(Entry {
            date: moment.date,
            time: moment.time,
            offset: moment.offset,
            client: client.of(made),
            host: host.of(made),
            is_ipv6,
            request,
            method_and_url: (method, url),
            status: or_dash(self.status.of(made)),
            bytes: bytes_of(self.bytes.of(made)),
            referrer: or_dash(self.referrer.of(made)),
            agent: or_dash(self.agent.of(made)),
            vhost: client::host_and_port(vhost).unwrap_or(vhost),
            request_id: self.request_id.of(made),
            pid: self.pid.of(made),
            uid: self.uid.of(made),
            tail: self.tail.map(|text| text.of(made)),
        })
    }
}
