//! What requests are counted by, and what the names are: those that everybody may read, or for the private copy
//! whole URLs and single hosts.

use schema::domain::{Length, UNKNOWN, domain_of};

use super::request::Request;

/// One way to count requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Page,
    Download,
    Referrer,
    Domain,
    Country,
    /// Only in the private copy.
    Host,
    /// The whole referrer; only in the private copy.
    Link,
}

/// How many there are.
pub(super) const N_SUBJECTS: usize = 7;

impl Subject {
    pub(super) const ALL: [Self; N_SUBJECTS] =
        [Self::Page, Self::Download, Self::Referrer, Self::Domain, Self::Country, Self::Host, Self::Link];

    /// Writes the name of a request; nothing where it has none.
    pub(super) fn write(self, request: &Request<'_>, is_private: bool, name: &mut String) {
        match self {
            Self::Page => page(&request.content, is_private, name),
            Self::Download if request.is_download => page(&request.content, is_private, name),
            Self::Referrer => referrer(&request.referrer, name),
            Self::Domain => domain(request, name),
            Self::Country => country(&request.country, name),
            Self::Host if is_private && request.host != UNKNOWN => name.push_str(&request.host),
            Self::Link if is_private && request.referrer != "-" => name.push_str(&request.referrer),
            _ => {}
        }
    }
}

const MEMBERS: &str = "/members/";

/// The URL of a page, where it is shown as it is: without what follows, and not of a member.
pub(super) fn plain_page(content: &str, is_private: bool) -> Option<&str> {
    if is_private {
        return Some(content);
    }
    let end = content.bytes().position(|b| matches!(b, b'?' | b'#' | b';' | b'&')).unwrap_or(content.len());
    let page = content.get(..end).unwrap_or_default();
    // few pages have the first letter at such a place, so the whole is rarely compared
    let is_of_members = memchr::memchr_iter(b'm', page.as_bytes())
        .any(|at| at > 0 && page.as_bytes().get(at - 1..).is_some_and(|rest| rest.starts_with(MEMBERS.as_bytes())));
    (!is_of_members).then_some(page)
}

/// The URL without what follows a page, and without numbers and names of members.
fn page(content: &str, is_private: bool, name: &mut String) {
    if let Some(page) = plain_page(content, is_private) {
        name.push_str(page);
        return;
    }
    let end = content.find(['?', '#', ';', '&']).unwrap_or(content.len());
    let mut rest = content.get(..end).unwrap_or_default();
    while let Some(at) = rest.find(MEMBERS) {
        let (head, tail) = rest.split_at(at + MEMBERS.len());
        name.push_str(head);
        let id = tail.find('/').unwrap_or(tail.len());
        name.push_str(if id > 0 { "…" } else { "" });
        // its slash may begin the next mask
        rest = tail.get(id..).unwrap_or_default();
    }
    name.push_str(rest);
}

/// The domain of the host in a URL.
fn referrer(url: &str, name: &mut String) {
    let Some((_, rest)) = url.split_once("://") else { return };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !host.starts_with('[') {
        push_domain(host.split(':').next().unwrap_or_default(), name);
    }
}

/// The domain that the record has, or that its host name gives.
fn domain(request: &Request<'_>, name: &mut String) {
    push_domain(if request.domain.is_empty() { &request.host } else { &request.domain }, name);
}

/// The domain of a host in lower case; none where it is an address, or something else than a name.
fn push_domain(host: &str, name: &mut String) {
    name.extend(host.trim_end_matches('.').chars().map(|c| c.to_ascii_lowercase()));
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_address = name.rsplit('.').next().is_none_or(|top| !top.contains(char::is_alphabetic));
    let domain = if is_address || !name.chars().all(is_name) { UNKNOWN } else { domain_of(name, Length::Bytes) };
    let from = if domain == UNKNOWN { name.len() } else { name.len() - domain.len() };
    name.drain(..from);
}

/// A code of two letters.
fn country(code: &str, name: &mut String) {
    if code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()) {
        name.extend(code.chars().map(|c| c.to_ascii_uppercase()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(write: impl Fn(&mut String)) -> String {
        let mut name = String::new();
        write(&mut name);
        name
    }

    #[test]
    fn pages_have_no_queries_and_no_members() {
        for (content, expected) in [
            ("/", "/"),
            ("/a?token=1", "/a"),
            ("/a#b", "/a"),
            ("/a;jsessionid=5", "/a"),
            ("/members/1234", "/members/…"),
            ("/members/1234/profile?x", "/members/…/profile"),
            ("/members/jane.doe/blog/members/7", "/members/…/blog/members/…"),
            ("/members/members/7", "/members/…/7"),
            ("/members/", "/members/"),
            ("/groups/members", "/groups/members"),
        ] {
            assert_eq!(of(|name| page(content, false, name)), expected, "{content}");
            assert_eq!(of(|name| page(content, true, name)), content);
        }
    }

    #[test]
    fn referrers_are_domains() {
        for (url, expected) in [
            ("https://www.Google.com/search?q=me", "google.com"),
            ("http://user:secret@cs.purdue.edu:8080/", "purdue.edu"),
            ("https://x.ac.uk", "x.ac.uk"),
            ("http://10.1.2.3/", ""),
            ("http://[::1]/", ""),
            ("http://localhost/", ""),
            ("http://a b.com/", ""),
            ("-", ""),
            ("", ""),
        ] {
            assert_eq!(of(|name| referrer(url, name)), expected, "{url}");
        }
    }

    #[test]
    fn domains_never_hold_a_host_or_an_address() {
        for (host, expected) in [
            ("pc17.physics.example.edu", "example.edu"),
            ("10.1.2.3", ""),
            ("2001:db8::1", ""),
            ("?", ""),
            ("", ""),
            ("example.org.", "example.org"),
            ("host-10-1-2-3-example.com", "example.com"),
        ] {
            assert_eq!(of(|name| push_domain(host, name)), expected, "{host}");
        }
        assert_eq!(of(|name| country("us", name)), "US");
        assert_eq!(of(|name| country("-", name)), "");
    }
}
