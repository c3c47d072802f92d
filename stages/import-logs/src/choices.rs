//! What counts, as chosen by the user: statuses, paths, static files, virtual hosts.
//!
//! Without options only legacy's rules decide, see [`crate::request`].

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::request::starts_with;

/// Which files belong to a page rather than being a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Assets {
    /// What legacy knew: style sheets, scripts, images and fonts of 2010.
    #[default]
    Legacy,
    /// The same, and the files that web sites of 2020 consist of.
    Web2020,
}

/// Suffixes of static files that legacy does not know, in lower case.
const SUFFIXES: [&[u8]; 15] = [
    b"woff2",
    b"webp",
    b"avif",
    b"mjs",
    b"map",
    b"webmanifest",
    b"bmp",
    b"tif",
    b"tiff",
    b"svgz",
    b"apng",
    b"jxl",
    b"heic",
    b"cur",
    b"wasm",
];

/// Suffixes that legacy knows, for URLs with a query, which it fails to remove.
const LEGACY_SUFFIXES: [&[u8]; 12] =
    [b"css", b"js", b"gif", b"jpeg", b"jpg", b"png", b"ico", b"svg", b"otf", b"ttf", b"woff", b"eot"];

/// Whether a URL is a static file of the rule set `web2020`, or is requested by programs only.
pub(crate) fn is_web2020(url: &[u8]) -> bool {
    // legacy's rules never drop these either
    if starts_with(url, b"/resources/") {
        return false;
    }
    let path = url.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default();
    if starts_with(path, b"/.well-known/") || path.eq_ignore_ascii_case(b"/robots.txt") {
        return true;
    }
    let tail = &path[path.len().saturating_sub(12)..];
    let Some(dot) = memchr::memrchr(b'.', tail) else { return false };
    let suffix = &tail[dot + 1..];
    SUFFIXES.iter().chain(&LEGACY_SUFFIXES).any(|known| known.eq_ignore_ascii_case(suffix))
}

/// The choices for a run.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// The statuses that count; if empty, legacy's.
    statuses: Vec<u16>,
    /// Paths that no path rule drops.
    keep: Option<RegexSet>,
    /// Paths to drop.
    drop: Option<RegexSet>,
    pub(crate) assets: Assets,
    /// The virtual hosts that count, in lower case; if empty, all.
    vhosts: Vec<Vec<u8>>,
    /// The longest time in seconds between two requests that makes the second a double click.
    pub(crate) double_click: Option<u32>,
}

impl Choices {
    /// Builds the choices from the options.
    ///
    /// # Errors
    /// A status is not a number from 100 to 599, a path is not a regular expression, or a name is empty.
    pub(crate) fn new(
        statuses: &[String],
        keep: &[String],
        drop: &[String],
        assets: Assets,
        vhosts: &[String],
        double_click: Option<u32>,
    ) -> Result<Self, String> {
        let statuses = statuses.iter().map(|text| status(text)).collect::<Result<_, _>>()?;
        let vhosts = vhosts.iter().map(|name| vhost(name)).collect::<Result<_, _>>()?;
        let (keep, drop) = (paths("--keep-path", keep)?, paths("--drop-path", drop)?);
        Ok(Self { statuses, keep, drop, assets, vhosts, double_click })
    }

    /// Whether a status counts; `None` if legacy's rule decides.
    pub(crate) fn status(&self, status: &[u8]) -> Option<bool> {
        if self.statuses.is_empty() {
            return None;
        }
        let number = std::str::from_utf8(status).ok().and_then(|text| text.parse::<u16>().ok());
        Some(number.is_some_and(|number| self.statuses.contains(&number)))
    }

    /// Whether a response with this status never has a body, and the user wants it counted.
    pub(crate) fn is_without_bytes(&self, status: &[u8]) -> bool {
        !self.statuses.is_empty() && matches!(status, [b'1', ..] | b"204" | b"304")
    }

    /// Whether a path is kept whatever the path rules say.
    pub(crate) fn keeps(&self, url: &[u8]) -> bool {
        self.keep.as_ref().is_some_and(|keep| keep.is_match(url))
    }

    /// Whether the user wants this path dropped.
    pub(crate) fn drops(&self, url: &[u8]) -> bool {
        self.drop.as_ref().is_some_and(|drop| drop.is_match(url))
    }

    /// Whether the virtual hosts of lines matter.
    pub(crate) const fn has_vhosts(&self) -> bool {
        !self.vhosts.is_empty()
    }

    /// Whether the line's virtual host is another site.
    pub(crate) fn is_other_site(&self, name: &[u8]) -> bool {
        let name = name.strip_suffix(b".").unwrap_or(name);
        self.has_vhosts() && !self.vhosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn status(text: &str) -> Result<u16, String> {
    let number = text.trim().parse().ok().filter(|number| (100..600).contains(number));
    number.ok_or_else(|| format!("--keep-status: `{text}` is not a status from 100 to 599"))
}

fn vhost(name: &str) -> Result<Vec<u8>, String> {
    let name = name.trim();
    // as a log may have it
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let name = name.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(name, |(name, _)| name);
    let name = name.trim_end_matches('.');
    if name.is_empty() {
        return Err("--vhost: the name of a virtual host is empty".to_owned());
    }
    Ok(name.to_ascii_lowercase().into_bytes())
}

fn paths(option: &str, patterns: &[String]) -> Result<Option<RegexSet>, String> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let compile = |patterns: &[String]| {
        let patterns = patterns.iter().map(|pattern| format!("(?-u){pattern}"));
        RegexSetBuilder::new(patterns).dfa_size_limit(8 << 20).build()
    };
    for pattern in patterns {
        if pattern.is_empty() {
            return Err(format!("{option}: the pattern is empty: every path matches"));
        }
        compile(std::slice::from_ref(pattern)).map_err(|error| {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("{option}: `{pattern}` is not a regular expression: {why}")
        })?;
    }
    compile(patterns).map(Some).map_err(|error| format!("{option}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statuses: &[&str], keep: &[&str], drop: &[&str], vhosts: &[&str]) -> Result<Choices, String> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Choices::new(&texts(statuses), &texts(keep), &texts(drop), Assets::default(), &texts(vhosts), None)
    }

    #[test]
    fn only_the_chosen_statuses_count() {
        let choices = of(&["200", " 206", "304"], &[], &[], &[]).unwrap();
        for (status, counts) in [("200", true), ("206", true), ("304", true), ("404", false), ("-", false), ("", false)]
        {
            assert_eq!(choices.status(status.as_bytes()), Some(counts), "{status}");
        }
        assert!(choices.is_without_bytes(b"304") && !choices.is_without_bytes(b"200"));
        assert_eq!(Choices::default().status(b"200"), None);
        assert!(!Choices::default().is_without_bytes(b"304"));
        for odd in ["99", "600", "2xx", ""] {
            assert!(of(&[odd], &[], &[], &[]).unwrap_err().contains("is not a status"), "{odd}");
        }
    }

    #[test]
    fn chosen_paths_are_kept_or_dropped() {
        let choices = of(&[], &["^/docs/"], &["^/api/", "\\.pdf$"], &[]).unwrap();
        assert!(choices.drops(b"/api/x") && choices.drops(b"/a.pdf") && !choices.drops(b"/x/api/"));
        assert!(choices.keeps(b"/docs/a.pdf") && !choices.keeps(b"/a"));
        assert!(!Choices::default().keeps(b"/") && !Choices::default().drops(b"/"));
        for odd in ["(", "*.pdf", ""] {
            assert!(of(&[], &[], &[odd], &[]).unwrap_err().starts_with("--drop-path: "), "{odd}");
        }
    }

    #[test]
    fn only_the_chosen_virtual_host_counts() {
        let choices = of(&[], &[], &[], &["WWW.example.org.", "b"]).unwrap();
        for (name, other) in [("www.Example.org", false), ("B.", false), ("c", true), ("", true), ("-", true)] {
            assert_eq!(choices.is_other_site(name.as_bytes()), other, "{name}");
        }
        assert!(!Choices::default().is_other_site(b""));
        assert!(of(&[], &[], &[], &[""]).is_err());
    }

    #[test]
    fn field_51_static_files_of_2020() {
        for url in [
            "/a.woff2",
            "/a.WEBP?x",
            "/a.avif",
            "/a.mjs#x",
            "/a.js.map",
            "/site.webmanifest",
            "/a.css?v",
            "/a.svg",
            "/robots.txt",
            "/.well-known/security.txt",
            "/favicon.ico?1",
        ] {
            assert!(is_web2020(url.as_bytes()), "{url}");
        }
        for url in [
            "/a.html",
            "/a.mp4",
            "/a.json",
            "/",
            "",
            "/a.woff2/b",
            "/v?f=a.webp",
            "/map",
            "/x/robots.txt",
            "/a.ps",
            "/resources/a.webp",
        ] {
            assert!(!is_web2020(url.as_bytes()), "{url}");
        }
    }
}
