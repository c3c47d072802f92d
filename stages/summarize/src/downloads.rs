//! What makes a request a download: its URL, the extensions of the hub's own files, or the flag.

use rustc_hash::FxHashSet;
use schema::collation::{Like, equal, hash, weight};

const PREFIX: &str = "/resources/";
const INFIX: &str = "/download/";

/// What a URL alone shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// A download.
    Yes,
    /// Not a download, whatever the names of the hub's files.
    No,
    /// A download if this text, from the first dot after the prefix on, has one of the extensions.
    If(&'a str),
}

/// Judges a URL without knowing the extensions.
pub(crate) fn judge(content: &str) -> Verdict<'_> {
    let Some(rest) = behind_prefix(content) else { return Verdict::No };
    if contains(rest, INFIX) {
        return Verdict::Yes;
    }
    rest.find('.').map_or(Verdict::No, |dot| Verdict::If(&rest[dot..]))
}

/// The text after the prefix. A character that only looks different has the same weight.
fn behind_prefix(content: &str) -> Option<&str> {
    let head = content.as_bytes().get(..PREFIX.len())?;
    if head.eq_ignore_ascii_case(PREFIX.as_bytes()) {
        return Some(&content[PREFIX.len()..]);
    }
    if head.is_ascii() {
        return None;
    }
    let mut rest = content.chars();
    PREFIX.chars().all(|p| rest.next().is_some_and(|c| weight(c) == weight(p))).then_some(rest.as_str())
}

fn contains(text: &str, wanted: &str) -> bool {
    if text.is_ascii() {
        let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
        return memchr::memchr_iter(wanted[0], text)
            .any(|at| text.get(at..at + wanted.len()).is_some_and(|part| part.eq_ignore_ascii_case(wanted)));
    }
    Like::new(&format!("%{wanted}%")).matches(text)
}

/// The extensions of the files of the hub's resources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions {
    paths: FxHashSet<u128>,
    plain: Vec<Box<[u8]>>,
    patterns: Vec<Like>,
    seen: FxHashSet<Box<str>>,
}

impl Extensions {
    /// Adds the extension in the path of a resource.
    pub(crate) fn add_path(&mut self, path: &str) {
        let like = |pattern: &str| Like::new(pattern).matches(path);
        if equal(path, "") || !path.contains('.') || like("http%") || like("%.php%") || like("%.htm%") {
            return;
        }
        // paths that the server considers equal are read once, in one of their spellings
        if !self.paths.insert(hash(path)) {
            return;
        }
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or("");
        let Some((_, extension)) = name.rsplit_once('.') else { return };
        if !extension.is_empty() && extension != "0" {
            self.add(extension);
        }
    }

    /// Learns an extension.
    pub(crate) fn add(&mut self, extension: &str) {
        if !self.seen.insert(extension.into()) {
            return;
        }
        if extension.is_ascii() && !extension.contains(['%', '_', '\\']) {
            self.plain.push(extension.to_ascii_uppercase().into_bytes().into());
        }
        self.patterns.push(Like::new(&format!("%.{extension}%")));
    }

    /// The extensions, sorted.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut list: Vec<String> = self.seen.iter().map(|extension| extension.to_string()).collect();
        list.sort_unstable();
        list
    }

    /// Whether a text, from its first dot on, has one of the extensions after some dot; anything
    /// may follow.
    pub(crate) fn match_tail(&self, tail: &str) -> bool {
        if !tail.is_ascii() || self.plain.len() < self.patterns.len() {
            return self.patterns.iter().any(|pattern| pattern.matches(tail));
        }
        let tail = tail.as_bytes();
        memchr::memchr_iter(b'.', tail).any(|dot| {
            let after = &tail[dot + 1..];
            self.plain.iter().any(|e| after.get(..e.len()).is_some_and(|part| part.eq_ignore_ascii_case(e)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule as patterns for the server.
    fn direct(content: &str, extensions: &[String]) -> bool {
        Like::new("/resources/%/download/%").matches(content)
            || extensions.iter().any(|e| Like::new(&format!("/resources/%.{e}%")).matches(content))
    }

    fn ours(content: &str, extensions: &Extensions) -> bool {
        match judge(content) {
            Verdict::Yes => true,
            Verdict::No => false,
            Verdict::If(tail) => extensions.match_tail(tail),
        }
    }

    #[test]
    fn urls_show_whether_they_can_be_downloads() {
        let none = Extensions::default();
        for (content, expected) in [
            ("/resources/7/download/x.pdf", true),
            ("/RESOURCES/7/Download/", true),
            ("/r\u{e9}sources/7/download/", true),
            ("/resources/download/x", false),
            ("/resources//download/x", true),
            ("/site/resources/7/download/x", false),
            ("/resources", false),
            ("", false),
            ("/resources/7/d\u{f6}wnload/x", true),
        ] {
            assert_eq!(ours(content, &none), expected, "{content}");
        }
    }

    #[test]
    fn extensions_come_from_paths_of_resources() {
        for (path, expected) in [
            ("a.tar.gz", Some("gz")),
            ("dir.v2/file", None),
            ("/foo.", None),
            ("foo.pdf?x=1", Some("pdf?x=1")),
            ("foo.dir/", Some("dir")),
            ("www.example.com", Some("com")),
            ("src/main.c", Some("c")),
            ("x.0", None),
            ("   ", None),
            ("http://x/y.pdf", None),
            ("HTTPS://x/y.pdf", None),
            ("a.PhP5", None),
            ("b.HTML", None),
            ("c.htm.pdf", None),
            ("nodot", None),
            ("u.\u{e9}x", Some("\u{e9}x")),
        ] {
            let mut extensions = Extensions::default();
            extensions.add_path(path);
            let found: Vec<_> = extensions.seen.iter().map(AsRef::as_ref).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{path}");
        }
    }

    #[test]
    fn anything_may_follow_an_extension() {
        let mut extensions = Extensions::default();
        extensions.add_path("src/main.c");
        assert!(ours("/resources/7/style.css", &extensions));
        assert!(ours("/resources/.C", &extensions));
        assert!(!ours("/resources/7/style", &extensions));
        assert!(!ours("/other/7/style.css", &extensions));
    }

    proptest! {
        #[test]
        fn the_same_as_the_patterns_of_the_server(
            content in "(/resources/|/R\u{e9}sources/|/x/)?[a-c./%_\u{e9}E]{0,6}(/download/|/down)?[a-c./%_\u{e9}E]{0,6}",
            extensions in prop::collection::vec("[a-cE%_\u{e9}\\\\]{1,2}", 0..4),
        ) {
            let mut known = Extensions::default();
            extensions.iter().for_each(|e| known.add_path(&format!("f.{e}")));
            let list: Vec<String> = known.seen.iter().map(|e| e.to_string()).collect();
            prop_assert_eq!(ours(&content, &known), direct(&content, &list), "{} {:?}", content, list);
        }
    }
}
