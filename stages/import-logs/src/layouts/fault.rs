//! Why a line gives no request, in words that name the field and show its text.
//!
//! A fault is small and created without allocation, because whole files may have nothing else; the
//! words are built only for the faults that are shown.

use super::client::NotAClient;
use super::wide::Wide;

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Only blanks.
    Blank,
    /// A comment, or a line in which a server describes the following lines.
    Comment,
    /// Text in another encoding.
    Wide(Wide),
    /// No time although the layout has one.
    NoTime,
    NotATime,
    NotADate,
    NotAMonth,
    NotIso,
    NotAClock,
    /// A time that does not exist in the calendar.
    NoSuchTime,
    TooEarly,
    TooLate,
    /// What is in place of the client.
    Client(NotAClient),
    /// No virtual host before the client although the layout has one.
    NoHostInFront,
    /// Tabs separate the fields instead of blanks.
    Tabs,
    /// No quoted request.
    NoRequest,
    /// A quoted field without a closing quote.
    Open(&'static str),
    Status,
    Bytes,
    /// The line ends before this field.
    Ends(&'static str),
    /// There is no such field.
    Lacks(&'static str),
    /// The line is another message of the server, not a request.
    NotARequest,
    /// More fields than the layout has.
    More,
    NotJson,
    /// JSON that ends too early, as in a line that was cut off.
    CutJson,
    /// No `#Fields:` before the line.
    NoColumns,
    /// `#Fields:` lacks a field that a request needs.
    NotNamed(&'static str),
    /// Fewer fields than `#Fields:` names.
    FewColumns,
    /// A part of a longer line.
    Part,
    /// This field does not fit the given format.
    Field(&'static str),
    /// The line does not begin like the format.
    Begins,
    /// The fields do not fit the layout.
    Misfit,
}

/// What is wrong, and the part of the line that shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) what: What,
    /// Start of the shown part: an address in memory until the line is known, then an index into
    /// it.
    start: usize,
    len: usize,
}

/// How many characters of a field are shown.
const SHOWN: usize = 60;

impl Fault {
    /// A fault shown by a part of the line.
    pub(crate) fn of(what: What, part: &[u8]) -> Self {
        Self { what, start: part.as_ptr().addr(), len: part.len() }
    }

    /// A fault without a part to show.
    pub(crate) const fn bare(what: What) -> Self {
        Self { what, start: 0, len: usize::MAX }
    }

    /// The fault with its part as an index into this line; a part of another text is dropped.
    pub(crate) fn within(self, line: &[u8]) -> Self {
        let base = line.as_ptr().addr();
        match self.start.checked_sub(base) {
            Some(start) if start.checked_add(self.len).is_some_and(|end| end <= line.len()) => Self { start, ..self },
            _ => Self::bare(self.what),
        }
    }

    /// The words, for a fault [`within`](Self::within) this line.
    pub(crate) fn say(&self, line: &[u8]) -> String {
        let part = self.start.checked_add(self.len).and_then(|end| line.get(self.start..end));
        let shown = part.map(|part| {
            let text = String::from_utf8_lossy(part);
            let mut shown: String =
                text.chars().take(SHOWN).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
            if text.chars().nth(SHOWN).is_some() {
                shown.push('…');
            }
            shown
        });
        self.what.say(shown.as_deref())
    }
}

impl What {
    /// The words, with the part of the line that shows it.
    fn say(self, shown: Option<&str>) -> String {
        let field = |name: &str| shown.map_or_else(|| format!("the {name}"), |text| format!("{name} `{text}`"));
        let fixed = |words: &str| words.to_owned();
        match self {
            Self::Blank => fixed("empty line"),
            Self::Comment => fixed("a comment of the server"),
            Self::Wide(wide) => fixed(wide.why()),
            Self::NoTime => fixed("no time in brackets"),
            Self::NotATime => format!("{} is not day/month/year:hour:minute:second", field("time")),
            Self::NotADate => format!("{} is not day/month/year", field("time")),
            Self::NotAMonth => format!("{} is not an English name", field("month")),
            Self::NotIso => format!("{} is not year-month-day and hour:minute:second", field("time")),
            Self::NotAClock => format!("{} is not hour:minute:second", field("time")),
            Self::NoSuchTime => match shown {
                Some(text) => format!("there is no time `{text}`"),
                None => fixed("there is no such time"),
            },
            Self::TooEarly => format!("{} is before 1995", field("time")),
            Self::TooLate => format!("{} is in the future", field("time")),
            Self::Client(reason @ NotAClient::Missing) => format!("the client {reason}"),
            Self::Client(reason) => format!("{} {reason}", field("client")),
            Self::NoHostInFront => format!("{} is not a virtual host with a client after it", field("first field")),
            Self::Tabs => fixed("tabs between the fields"),
            Self::NoRequest => fixed("no quoted request"),
            Self::Open(name) => format!("the {name} has no closing quote"),
            Self::Status => format!("{} is not a number", field("status")),
            Self::Bytes => format!("{} are not a number", field("bytes")),
            Self::Ends(name) => format!("the line ends before the {name}"),
            Self::Lacks(name) => format!("the {name} is missing"),
            Self::NotARequest => fixed("a message, not a request"),
            Self::More => match shown {
                Some(text) => format!("more after the last field: `{text}`"),
                None => fixed("more after the last field"),
            },
            Self::NotJson => fixed("not a JSON object"),
            Self::CutJson => fixed("the JSON ends too early"),
            Self::NoColumns => fixed("no `#Fields:` line before it"),
            Self::NotNamed(name) => format!("`#Fields:` does not name {name}"),
            Self::FewColumns => fixed("fewer fields than `#Fields:` names"),
            Self::Part => fixed("a part of a longer line"),
            Self::Field(name) => format!("{} does not fit the log format", field(name)),
            Self::Begins => fixed("the line does not begin as the log format does"),
            Self::Misfit => fixed("does not fit the log format"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_the_line_is_shown_without_control_characters() {
        let line = b"client \x1b[31m x";
        let fault = |what, part: std::ops::Range<usize>| Fault::of(what, &line[part]).within(line).say(line);
        assert_eq!(fault(What::Status, 7..12), "status `\u{FFFD}[31m` is not a number");
        assert_eq!(fault(What::Bytes, 0..6), "bytes `client` are not a number");
        assert_eq!(Fault::bare(What::Status).within(line).say(line), "the status is not a number");
        let other = vec![b'x'; 8];
        assert_eq!(Fault::of(What::Status, &other).within(line).say(line), "the status is not a number");
        let long = vec![b'y'; 100];
        let shown = Fault::of(What::NotATime, &long).within(&long).say(&long);
        assert!(shown.contains(&format!("`{}…`", "y".repeat(60))), "{shown}");
        let client = Fault::of(What::Client(NotAClient::UnixSocket), &line[..6]).within(line).say(line);
        assert_eq!(client, "client `client` is a Unix socket");
    }
}
