//! Lines of people who were forgotten: they are left out, or stored under other names. Nobody else's line is lost;
//! where one mentions such a person, in a URL for example, only that is replaced.

use std::borrow::Cow;

use hub::forgotten::{Forgotten, How, Kind, What};
use logs::parse::Login;

use crate::line::Line;
use crate::rules::Rule;
use crate::unit::Stream;

/// Which of the CMS's fields say what a request was for.
const COMPONENT: usize = 3;
const ITEM: usize = 7;

/// A request under other names; `None` where nothing is replaced.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) url: Option<Vec<u8>>,
    pub(crate) agent: Option<Vec<u8>>,
    client: Option<String>,
    uid: Option<String>,
    referrer: Option<Vec<u8>>,
    tail: [Option<Vec<u8>>; 8],
}

/// What is stored of a request for `url`.
///
/// # Errors
/// The rule, if nothing is.
pub(crate) fn of_request(list: &Forgotten, line: &Line<'_>, url: &[u8]) -> Result<Request, Rule> {
    let day = &line.date;
    let of = |what, text: &[u8]| list.of(what, std::str::from_utf8(text).ok()?, day);
    let known = |what, text: &[u8]| of(what, text).filter(|_| !text.is_empty());
    let (id, ip) = (known(What::Id, line.uid), known(What::Address, line.client));
    if id.max(ip) == Some(How::Delete) {
        return Err(Rule::Forgotten);
    }
    let scrub = |text: &[u8]| list.scrub(text, Kind::Text, day).map(|done| done.text);
    let mut tail = line.tail.map(scrub);
    // the number of a member, without the path before it
    let is_of_members = line.tail[COMPONENT].ends_with(b"members");
    if is_of_members && let Some(how) = known(What::Id, line.tail[ITEM]) {
        tail[ITEM] = Some(list.replacement(What::Id, &text(line.tail[ITEM]), how).into_bytes());
    }
    Ok(Request {
        url: scrub(url),
        agent: scrub(line.agent),
        client: ip.map(|how| list.replacement(What::Address, &text(line.client), how)),
        uid: id.map(|how| list.replacement(What::Id, &text(line.uid), how)),
        referrer: scrub(line.referrer),
        tail,
    })
}

impl Request {
    /// The line as it is stored.
    pub(crate) fn line<'l>(&'l self, line: &Line<'l>) -> Line<'l> {
        let mut tail = line.tail;
        for (field, other) in tail.iter_mut().zip(&self.tail) {
            *field = other.as_deref().unwrap_or(field);
        }
        Line {
            client: self.client.as_ref().map_or(line.client, String::as_bytes),
            host: line.host.map(|host| if self.client.is_some() { &b""[..] } else { host }),
            uid: self.uid.as_ref().map_or(line.uid, String::as_bytes),
            referrer: self.referrer.as_deref().unwrap_or(line.referrer),
            tail,
            ..*line
        }
    }
}

/// A login under other names.
#[derive(Debug)]
pub(crate) struct Names<'l> {
    user: Cow<'l, [u8]>,
    uid: Cow<'l, [u8]>,
    ip: Cow<'l, [u8]>,
}

/// What is stored of a login.
///
/// # Errors
/// The rule, if nothing is.
pub(crate) fn of_login<'l>(list: &Forgotten, login: &Login<'l>) -> Result<Names<'l>, Rule> {
    let day = login.date;
    let replaced = |what, bytes: &'l [u8]| -> (Cow<'l, [u8]>, Option<How>) {
        let how = list.of(what, &text(bytes), day).filter(|_| !matches!(bytes, b"" | b"-" | b"0"));
        (how.map_or(Cow::Borrowed(bytes), |how| list.replacement(what, &text(bytes), how).into_bytes().into()), how)
    };
    let (user, by_name) = replaced(What::Name, login.user);
    let (uid, by_id) = replaced(What::Id, login.uid);
    let (ip, by_address) = replaced(What::Address, login.ip);
    if by_name.max(by_id).max(by_address) == Some(How::Delete) {
        return Err(Rule::Forgotten);
    }
    Ok(Names { user, uid, ip })
}

impl Names<'_> {
    /// The login as it is stored.
    pub(crate) fn login<'l>(&'l self, login: &Login<'l>) -> Login<'l> {
        Login { user: &self.user, uid: &self.uid, ip: &self.ip, ..login.clone() }
    }
}

/// A line that cannot be used, as it may be shown and kept: nobody knows its day, so every entry of the list holds.
/// Nothing is left of a line of a person whose lines are deleted.
pub(crate) fn of_rejected<'l>(list: Option<&Forgotten>, line: &'l [u8], stream: &Stream) -> Cow<'l, [u8]> {
    let kind = match stream {
        Stream::Access(_) => Kind::Access,
        Stream::Auth => Kind::Auth,
    };
    match list.and_then(|list| list.scrub(line, kind, b"")) {
        None => Cow::Borrowed(line),
        Some(done) if done.is_own && done.how == How::Delete => Cow::Owned(Vec::new()),
        Some(done) => Cow::Owned(done.text),
    }
}

/// Why it cannot be used, in words, which may show a part of it.
pub(crate) fn of_reason<'r>(list: Option<&Forgotten>, reason: &'r str) -> Cow<'r, str> {
    let done = list.and_then(|list| list.scrub(reason.as_bytes(), Kind::Text, b""));
    done.map_or(Cow::Borrowed(reason), |done| String::from_utf8_lossy(&done.text).into_owned().into())
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
