//! Replaces forgotten texts in a line of a log, a URL or any other text.
//!
//! A text counts where it is a word of its own, also when it is percent-encoded. A number counts only where users
//! are numbered, and so does a name that is a usual word of URLs. The work is linear in the length of the text.

use std::ops::Range;

use logs::parse;
use memchr::memchr;
use schema::{Compat, Opt, text};

use super::list::{Forgotten, How, What};

/// No name, address or e-mail address is longer.
const LONGEST: usize = 320;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line of an access log.
    Access,
    /// A line of a log of logins.
    Auth,
    /// Any other text: a URL, a field, a message.
    Text,
}

/// A text in which something was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed {
    /// The new text.
    pub text: Vec<u8>,
    /// Whether the line tells what the person did, so that it may have to go, and is not just a mention.
    pub is_own: bool,
    /// What becomes of it.
    pub how: How,
    /// Where something was replaced, in the old text.
    pub places: Vec<Range<usize>>,
}

/// Something that is replaced.
struct Match {
    /// In the decoded text.
    range: Range<usize>,
    what: What,
    with: String,
    how: How,
}

impl Forgotten {
    /// Replaces what is forgotten; `None` if nothing is. `day` begins with the day it happened, `YYYY-MM-DD`; empty
    /// if that is not known.
    #[must_use]
    pub fn scrub(&self, line: &[u8], kind: Kind, day: &[u8]) -> Option<Scrubbed> {
        let text = Text::of(line);
        let field = user_number(line, kind);
        let mut scan = Scan { list: self, text: &text, kind, day, field, matches: Vec::new() };
        scan.tokens();
        let matches = scan.matches;
        let how = matches.iter().map(|found| found.how).max()?;
        let is_own = matches.iter().any(|found| text.is_own(found, kind, scan.field.as_ref()));
        let (mut new, mut places, mut at) = (Vec::with_capacity(line.len() + 32), Vec::new(), 0);
        for found in matches {
            let place = text.raw(&found.range);
            new.extend_from_slice(&line[at..place.start]);
            new.extend_from_slice(found.with.as_bytes());
            at = place.end;
            places.push(place);
        }
        new.extend_from_slice(&line[at..]);
        Some(Scrubbed { text: new, is_own, how, places })
    }
}

/// Where a line has the number of its user, for layouts that have a field for it.
fn user_number(line: &[u8], kind: Kind) -> Option<Range<usize>> {
    match kind {
        Kind::Access => parse::access(line).map(|fields| fields.uid.0..fields.uid.1).filter(|place| !place.is_empty()),
        Kind::Auth => {
            let port = Compat::LEGACY.with(Opt::LpAuthBracket);
            let Some(login) = parse::auth(line, port).or_else(|| parse::auth_ipv6(line, port)) else {
                return before_name(line);
            };
            let start = login.uid.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
            Some(start..start + login.uid.len()).filter(|place| place.end <= line.len())
        }
        Kind::Text => None,
    }
}

/// The number before the name in brackets, in a line that is not a login for another reason.
fn before_name(line: &[u8]) -> Option<Range<usize>> {
    let end = memchr::memmem::find(line, b" [")?;
    let n = line[..end].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    (n > 0).then_some(end - n..end)
}

/// A text with percent-encoded bytes decoded.
struct Text {
    bytes: Vec<u8>,
    /// Where each byte begins in the text itself, and its end; empty if nothing is encoded.
    starts: Vec<usize>,
}

impl Text {
    fn of(line: &[u8]) -> Self {
        if memchr(b'%', line).is_none() {
            return Self { bytes: line.to_vec(), starts: Vec::new() };
        }
        let (mut bytes, mut starts, mut at) = (Vec::with_capacity(line.len()), Vec::with_capacity(line.len() + 1), 0);
        while let Some(&byte) = line.get(at) {
            starts.push(at);
            let encoded = if byte == b'%' { hex(line.get(at + 1), line.get(at + 2)) } else { None };
            bytes.push(encoded.unwrap_or(byte));
            at += if encoded.is_some() { 3 } else { 1 };
        }
        starts.push(line.len());
        Self { bytes, starts }
    }

    fn raw(&self, range: &Range<usize>) -> Range<usize> {
        let at = |n: usize| if self.starts.is_empty() { n } else { self.starts.get(n).copied().unwrap_or(n) };
        at(range.start)..at(range.end)
    }

    /// Whether a match tells what the person did.
    fn is_own(&self, found: &Match, kind: Kind, field: Option<&Range<usize>>) -> bool {
        let before = &self.bytes[..found.range.start];
        match kind {
            Kind::Auth => true,
            Kind::Text => false,
            Kind::Access => {
                found.what == What::Address
                    || memchr(b'"', before).is_none()
                    || ends_with_any(before, USER_OF_JSON)
                    || field.is_some_and(|field| *field == self.raw(&found.range))
            }
        }
    }
}

fn hex(high: Option<&u8>, low: Option<&u8>) -> Option<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The pass over one text.
struct Scan<'s> {
    list: &'s Forgotten,
    text: &'s Text,
    kind: Kind,
    day: &'s [u8],
    /// Where the number of the user is, in the text itself.
    field: Option<Range<usize>>,
    matches: Vec<Match>,
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+' | b'@' | b':') || byte >= 0x80
}

impl Scan<'_> {
    fn tokens(&mut self) {
        let mut at = 0;
        while at < self.text.bytes.len() {
            let rest = &self.text.bytes[at..];
            let n = rest.iter().take_while(|byte| is_of_word(**byte)).count();
            if n > 0 {
                self.word(at..at + n);
            }
            at += n.max(1);
        }
    }

    /// A word, or the words that it consists of.
    fn word(&mut self, range: Range<usize>) {
        let range = self.trimmed(range);
        if range.is_empty() || self.whole(&range) {
            return;
        }
        let bytes = &self.text.bytes[range.clone()];
        for mark in [b'+', b':', b'@'] {
            if memchr(mark, bytes).is_some() {
                let mut start = range.start;
                let ends: Vec<usize> = memchr::memchr_iter(mark, bytes).map(|at| range.start + at).collect();
                for end in ends.into_iter().chain([range.end]) {
                    self.word(start..end);
                    start = end + 1;
                }
                return;
            }
        }
        // `name.html`; an ending is a few bytes
        let mut end = range.end;
        for _ in 0..3 {
            let Some(at) = memchr::memrchr(b'.', &self.text.bytes[range.start..end]) else { return };
            end = range.start + at;
            let shorter = self.trimmed(range.start..end);
            if shorter.is_empty() || self.whole(&shorter) {
                return;
            }
        }
    }

    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let is_mark = |byte: &u8| matches!(byte, b'.' | b':' | b'-' | b'+' | b'@');
        let bytes = &self.text.bytes[range.clone()];
        let n_before = bytes.iter().take_while(|byte| is_mark(byte)).count();
        let n_after = bytes[n_before..].iter().rev().take_while(|byte| is_mark(byte)).count();
        range.start + n_before..range.end - n_after
    }

    /// Whether these bytes as a whole are forgotten; then they are noted.
    fn whole(&mut self, range: &Range<usize>) -> bool {
        let bytes = &self.text.bytes[range.clone()];
        let Some(word) = std::str::from_utf8(bytes).ok().filter(|word| word.len() <= LONGEST) else { return false };
        let found = self.find(word, range);
        let Some((what, how)) = found else { return false };
        let with = self.list.replacement(what, word, how);
        self.matches.push(Match { range: range.clone(), what, with, how });
        true
    }

    fn find(&self, word: &str, range: &Range<usize>) -> Option<(What, How)> {
        let of = |what, text: &str| self.list.of(what, text, self.day).map(|how| (what, how));
        let found = if word.contains('@') { of(What::Email, word) } else { None };
        let is_address = word.contains(':') || word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
        let found = found.or_else(|| {
            // old tables have only the beginning of a long address
            let cut = text::cut_chars(word, schema::tables::NARROW_IP);
            if is_address {
                of(What::Address, word).or_else(|| of(What::Address, cut).filter(|_| cut != word))
            } else {
                None
            }
        });
        let before = &self.text.bytes[..range.start];
        let name = || {
            let entry = self.list.entry(What::Name, word).filter(|entry| entry.holds(self.day))?;
            (!entry.is_word || self.names_users(before)).then_some((What::Name, entry.how))
        };
        found.or_else(name).or_else(|| {
            let is_number = word.bytes().all(|b| b.is_ascii_digit());
            if is_number && self.numbers_users(before, range) { of(What::Id, word) } else { None }
        })
    }

    /// Whether a user's name comes here.
    fn names_users(&self, before: &[u8]) -> bool {
        let is_head = self.kind == Kind::Access && memchr(b'"', before).is_none();
        is_head || self.kind == Kind::Auth || ends_with_any(before, NAMES) || ends_with_any(before, USER_OF_JSON)
    }

    /// Whether a user's number comes here.
    fn numbers_users(&self, before: &[u8], range: &Range<usize>) -> bool {
        let is_field = || self.field.as_ref().is_some_and(|field| *field == self.text.raw(range));
        let of_members = || ends_with_any(before, &["id="]) && contains(&self.text.bytes, b"com_members");
        is_field() || ends_with_any(before, NUMBERS) || of_members()
    }
}

/// What comes before a user's name in URLs and fields.
const NAMES: &[&str] = &["members/", "/user/", "/users/", "home/", "~", "user=", "username=", "login=", "["];
const USER_OF_JSON: &[&str] = &[
    "user\":\"",
    "user\": \"",
    "username\":\"",
    "username\": \"",
    "user_id\":\"",
    "user_id\": \"",
    "uid\":\"",
    "uid\":",
    "userid\":\"",
    "userid\":",
    "uidnumber\":",
];

/// What comes before a user's number, also with zeros or a dash before the number.
const NUMBERS: &[&str] = &[
    "members/",
    "members/-",
    "/user/",
    "/users/",
    "uid=",
    "uid:",
    "uid\":",
    "uid\": ",
    "uid\":\"",
    "userid=",
    "userid\":",
    "userid\":\"",
    "user_id=",
    "user_id\":",
    "user_id\":\"",
    "uidnumber=",
    "uidnumber\":",
];

fn ends_with_any(before: &[u8], texts: &[&str]) -> bool {
    texts.iter().any(|text| {
        let at = before.len().checked_sub(text.len());
        at.and_then(|at| before.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(text.as_bytes()))
    })
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(bytes, text).is_some()
}

#[cfg(test)]
mod tests;
