//! The request of an access log line: its method, its URL, whether it is a download.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

use kit::steps;

/// Method and URL of a request line, split at blanks; a request with only one piece is a URL.
#[must_use]
pub fn split(request: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr(b' ', request).unwrap_or(request.len());
    let method = &request[..end];
    let rest = &request[end..];
    let start = rest.iter().position(|&b| b != b' ').unwrap_or(rest.len());
    let rest = &rest[start..];
    let url = &rest[..memchr(b' ', rest).unwrap_or(rest.len())];
    if url.is_empty() || url == b"0" { (b"GET", method) } else { (method, url) }
}

/// The same for the port: trimmed, split at any ASCII whitespace, and a URL `0` is valid.
#[must_use]
pub fn split_at_whitespace(request: &[u8]) -> (&[u8], &[u8]) {
    let blank = |b: u8| b == b' ' || (9..=13).contains(&b) || (0x1C..=0x1F).contains(&b);
    let mut pieces = request.split(|&b| blank(b)).filter(|piece| !piece.is_empty());
    let method = pieces.next().unwrap_or_default();
    pieces.next().map_or((&b"GET"[..], method), |url| (method, url))
}

/// Reduces every run of slashes to one slash.
#[must_use]
pub fn collapse_slashes(url: &[u8]) -> Cow<'_, [u8]> {
    if !memchr_iter(b'/', url).any(|at| url.get(at + 1) == Some(&b'/')) {
        return Cow::Borrowed(url);
    }
    let mut out = Vec::with_capacity(url.len());
    for &byte in url {
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
    Cow::Owned(out)
}

/// Whether `text` begins with `start` (given in lower case); ASCII case is ignored.
fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

const DOWNLOADS: [&[u8]; 30] = [
    b"txt",
    b"png",
    b"pdf",
    b"ppt",
    b"pptx",
    b"swf",
    b"docx",
    b"jpg",
    b"doc",
    b"zip",
    b"mp3",
    b"mbtiles",
    b"xml",
    b"xlsx",
    b"webm",
    b"mp4",
    b"xls",
    b"r",
    b"csv",
    b"nc4",
    b"template",
    b"tgz",
    b"mov",
    b"ipynb",
    b"py",
    b"rar",
    b"grd",
    b"tif",
    b"nc",
    b"har",
];

/// The length of the longest one.
const LONGEST_DOWNLOAD: usize = 8;

/// The port's decision during the import: below `/resources/`, and either through `/download/` or a
/// file of a known type.
#[must_use]
pub fn is_download(url: &[u8]) -> bool {
    let Some(rest) = url.get(b"/resources/".len()..).filter(|_| starts_with(url, b"/resources/")) else {
        return false;
    };
    let lower = rest.to_ascii_lowercase();
    memmem::find(&lower, b"/download/").is_some()
        || memchr_iter(b'.', &lower).any(|dot| {
            // no suffix is longer, and a dot may follow any dot
            let rest = &lower[dot + 1..lower.len().min(dot + 2 + LONGEST_DOWNLOAD)];
            steps::add(rest.len());
            let end = rest.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(rest.len());
            DOWNLOADS.contains(&&rest[..end])
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_split_into_method_and_url() {
        let check = |request: &str, method: &str, url: &str| {
            let (m, u) = split(request.as_bytes());
            let u = collapse_slashes(u);
            assert_eq!((m, &*u), (method.as_bytes(), url.as_bytes()), "{request}");
        };
        check("GET /a b HTTP/1.1", "GET", "/a");
        check("/only", "GET", "/only");
        check("-", "GET", "-");
        check("GET ", "GET", "GET");
        check("POST 0 HTTP/1.1", "GET", "POST");
        check(" GET /a HTTP/1.1", "", "GET");
        check("GET   /a  HTTP/1.1", "GET", "/a");
        check("   ", "GET", "");
        check("GET\t/a HTTP/1.1", "GET\t/a", "HTTP/1.1");
        check("GET //x//y?u=http://z//w HTTP/1.1", "GET", "/x/y?u=http:/z/w");
        check("GET http://h//p HTTP/1.1", "GET", "http:/h/p");
        let port = |request: &str, method: &str, url: &str| {
            let (m, u) = split_at_whitespace(request.as_bytes());
            assert_eq!((m, u), (method.as_bytes(), url.as_bytes()), "{request}");
        };
        port(" GET /a HTTP/1.1", "GET", "/a");
        port("GET\t/a", "GET", "/a");
        port("POST 0 x", "POST", "0");
        port("/only", "GET", "/only");
        port(" ", "GET", "");
    }

    #[test]
    fn the_work_on_many_dots_is_linear() {
        assert!(DOWNLOADS.iter().all(|suffix| suffix.len() <= LONGEST_DOWNLOAD));
        let url = format!("/resources/{}", ".".repeat(64 << 10));
        let steps = steps::of(|| is_download(url.as_bytes()));
        assert!((url.len()..12 * url.len()).contains(&steps), "{steps}");
    }

    #[test]
    fn downloads_are_recognised() {
        for (url, download) in [
            ("/resources/1/download/x", true),
            ("/resources/download/x", false),
            ("/resources/browse?f=a.pdf", true),
            ("/resources/browse?tag=a,webinar", false),
            ("/site/resources/2010/07/09423/f.pdf", false),
            ("/resources/12/a.pdf.html", false),
            ("/Resources/12/IMG.PNG", true),
            ("/resources/12/a.pdf?x=1", true),
            ("/resources/12/a.pdf#p", true),
            ("/resources/.r", true),
            ("/resources/12/a.tar", false),
        ] {
            assert_eq!(is_download(url.as_bytes()), download, "{url}");
        }
    }
}
