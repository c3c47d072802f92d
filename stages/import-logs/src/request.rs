//! The request line, and the rules about its URL.
//!
//! Pure functions on bytes. The caller counts what a rule drops; the exclude list and the bots are
//! elsewhere.

use kit::steps;
use memchr::{memchr_iter, memmem, memrchr};

/// Whether `text` begins with `start` (given in lower case); ASCII case is ignored.
pub(crate) fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

const SUFFIXES: [&[u8]; 13] =
    [b"css", b"js", b"gif", b"jpeg", b"jpg", b"png", b"ps", b"ico", b"svg", b"otf", b"ttf", b"woff", b"eot"];

/// Whether the text ends in a suffix of style sheets, scripts, images or fonts.
fn has_suffix(text: &[u8]) -> bool {
    // the longest suffix has five bytes with its dot
    let tail = &text[text.len().saturating_sub(5)..];
    steps::add(tail.len());
    let Some(dot) = memrchr(b'.', tail) else { return false };
    let suffix = &tail[dot + 1..];
    suffix.len() > 1 && SUFFIXES.iter().any(|known| known.eq_ignore_ascii_case(suffix))
}

/// A suffix at the very end, or right before a `?` that is followed by a `=` somewhere.
fn is_asset(url: &[u8]) -> bool {
    if has_suffix(url) {
        return true;
    }
    let Some(equals) = memrchr(b'=', url) else { return false };
    memchr_iter(b'?', &url[..equals]).any(|at| has_suffix(&url[..at]))
}

/// Whether it begins with any number of `/app`, then `/templates/`.
fn is_template(mut url: &[u8]) -> bool {
    loop {
        if starts_with(url, b"/templates/") {
            return true;
        }
        if !starts_with(url, b"/app") {
            return false;
        }
        url = &url[4..];
    }
}

/// Whether it is a request of a version control client below a project.
fn is_version_control(url: &[u8]) -> bool {
    if memmem::find(url, b"!").is_none() {
        return false;
    }
    let lower = url.to_ascii_lowercase();
    let project = memmem::find(&lower, b"/projects/");
    let call = memmem::rfind(&lower, b"/svn/!svn/");
    matches!((project, call), (Some(project), Some(call)) if call > project + b"/projects/".len())
}

/// What may follow a path that still counts as the same page.
fn ends_segment(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b'/' | b'?'))
}

fn is_page(url: &[u8], page: &[u8]) -> bool {
    starts_with(url, page) && ends_segment(&url[page.len()..])
}

/// Which of the additional path rules apply.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PathRules {
    /// `/cron/tick` without a trailing slash too.
    pub(crate) cron_bare: bool,
    /// Mailing list archives.
    pub(crate) pipermail: bool,
    /// `/robots.txt`.
    pub(crate) robots: bool,
}

/// Whether a path rule drops the URL; anything below `/resources/` is never dropped.
#[must_use]
pub(crate) fn is_dropped(url: &[u8], rules: PathRules) -> bool {
    let by_start = match url.get(1).map(u8::to_ascii_lowercase) {
        Some(b'a') => starts_with(url, b"/administrator/") || starts_with(url, b"/api/") || is_template(url),
        Some(b't') => is_template(url),
        Some(b'w') => starts_with(url, b"/webdav/"),
        Some(b'c') => starts_with(url, b"/cron/tick/") || (rules.cron_bare && is_page(url, b"/cron/tick")),
        Some(b'p') => rules.pipermail && starts_with(url, b"/pipermail/"),
        Some(b'r') => {
            if starts_with(url, b"/resources/") {
                return false;
            }
            rules.robots
                && starts_with(url, b"/robots.txt")
                && matches!(url.get(b"/robots.txt".len()), None | Some(b'?' | b'#'))
        }
        _ => false,
    };
    by_start || is_asset(url) || is_version_control(url)
}

/// Pages that only bots request without a referrer.
#[must_use]
pub(crate) fn is_referrer_spam(url: &[u8]) -> bool {
    let with_query = |page: &[u8], query: &[u8]| {
        starts_with(url, page) && {
            let rest = &url[page.len()..];
            starts_with(rest.strip_prefix(b"/").unwrap_or(rest), query)
        }
    };
    with_query(b"/login", b"?return=")
        || with_query(b"/resources/browse", b"?")
        || is_page(url, b"/citations/browse")
        || is_page(url, b"/members/browse")
        || is_page(url, b"/register")
}

/// An archive page of events, three or more years older than the line.
#[must_use]
pub(crate) fn is_old_event(url: &[u8], date: &[u8]) -> bool {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|d| d.parse::<u32>().ok());
    let rest = url.get(b"/events/".len()..).filter(|_| starts_with(url, b"/events/"));
    let Some(rest) = rest else { return false };
    let Some(year) = rest.get(..4).filter(|y| y.iter().all(u8::is_ascii_digit)).and_then(number) else { return false };
    let line_year = date.get(..4).and_then(number);
    ends_segment(&rest[4..]) && line_year.is_some_and(|line_year| year + 3 <= line_year)
}

/// Whether an agent is an Internet Explorer of the versions that only bots use.
#[must_use]
pub(crate) fn is_old_explorer(agent: &[u8]) -> bool {
    let lower = agent.to_ascii_lowercase();
    let msie = memmem::find_iter(&lower, b"msie ").any(|at| {
        let rest = &lower[at + 5..];
        [&b"7.0"[..], b"8.0", b"9.0", b"10.0", b"11.0"].iter().any(|version| rest.starts_with(version))
    });
    msie || memmem::find_iter(&lower, b"trident/").any(|at| matches!(lower[at + 8..], [b'4'..=b'7', b'.', b'0', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_rules_drop_what_legacy_drops() {
        let check = |url: &str, dropped: bool| {
            assert_eq!(is_dropped(url.as_bytes(), PathRules::default()), dropped, "{url}");
        };
        for url in [
            "/x.css",
            "/x.CSS",
            "/x.css?v=1",
            "/x.js?=",
            "/x.css?a&b=1",
            "/v?f=a.css",
            "/v?f=a.css?x=1",
            ".css",
            "/x.jpeg",
            "/x.woff",
            "/x.ps",
            "/Templates/x",
            "/app/app/templates/x",
            "/TEMPLATES/",
            "/administrator/",
            "/webdav/",
            "/api/",
            "/cron/tick/",
            "/x/projects/a/svn/!svn/b",
            "/resources.css",
            "/site/resources/x.css",
            "/projects//svn/!svn/svn/!svn/",
            "/x.css??=",
            "/x.css?a?b=c",
        ] {
            check(url, true);
        }
        for url in [
            "/x.css?",
            "/x.css?1",
            "/x.css#f",
            "/x.css/y",
            "/v?f=a.css&x=1",
            "/x.woff2",
            "/x.svgz",
            "/x.webp",
            "/x.js=?",
            "/templates",
            "/app/x/templates/y",
            "/administrator",
            "/cron/tick",
            "/cron/tick?x",
            "/projects/svn/!svn/b",
            "/projects/a/svn/!svn",
            "/resources/x.css",
            "/RESOURCES/x.css",
            "/resources/projects/a/svn/!svn/b",
            "",
            "/",
            "css",
            "/xcss",
            "/pipermail/x",
            "/robots.txt",
            "GET",
        ] {
            check(url, false);
        }
    }

    #[test]
    fn additional_path_rules_apply_only_if_chosen() {
        let rules = PathRules { cron_bare: true, pipermail: true, robots: true };
        for (url, dropped) in [
            ("/cron/tick", true),
            ("/cron/tick?x", true),
            ("/cron/ticks", false),
            ("/PIPERMAIL/x", true),
            ("/pipermail", false),
            ("/robots.txt", true),
            ("/Robots.txt#x", true),
            ("/robots.txt?x", true),
            ("/robots.txtfoo", false),
            ("/foo/robots.txt", false),
        ] {
            assert_eq!(is_dropped(url.as_bytes(), rules), dropped, "{url}");
        }
        for (url, spam) in [
            ("/login?return=x", true),
            ("/login/?return=x", true),
            ("/login", false),
            ("/login//?return=x", false),
            ("/resources/browse?x", true),
            ("/resources/browse/?", true),
            ("/resources/browse", false),
            ("/resources/browse/", false),
            ("/citations/browse", true),
            ("/Members/browse/x", true),
            ("/register?x", true),
            ("/citations/12345", false),
            ("/members/browselook", false),
            ("/register-info", false),
        ] {
            assert_eq!(is_referrer_spam(url.as_bytes()), spam, "{url}");
        }
        for (url, date, old) in [
            ("/events/2023", "2026-05-15", true),
            ("/events/2024", "2026-05-15", false),
            ("/events/2021/x", "2024-03-15", true),
            ("/events/2022?x", "2024-03-15", false),
            ("/events/20211", "2024-03-15", false),
            ("/events/202", "2024-03-15", false),
            ("/events/", "2024-03-15", false),
        ] {
            assert_eq!(is_old_event(url.as_bytes(), date.as_bytes()), old, "{url}");
        }
        for (agent, old) in [
            ("Mozilla (MSIE 7.01)", true),
            ("msie 11.0", true),
            ("MSIE 6.0", false),
            ("MSIE 12.0; Trident/7.0", true),
            ("Trident/8.0", false),
            ("Trident/", false),
            ("MSIE ", false),
        ] {
            assert_eq!(is_old_explorer(agent.as_bytes()), old, "{agent}");
        }
    }
}
