//! The first lines of a file, and the layout they have.
//!
//! They are read once: they are parsed later without being read again.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::join;
use crate::layout::Layout;
use crate::layouts::entry::ClientFrom;
use crate::layouts::named::{self, State};
use crate::layouts::no_requests;
use crate::layouts::prefix::{self, Prefix, Prefixes};
use crate::layouts::recognise::{self, LINES, Recognised, Unknown};
use crate::unit::Stream;

/// How much of a file is examined, in bytes.
const OF_FILE: usize = 16 << 20;

/// How much of a stream to wait for.
const OF_STREAM: usize = 1 << 20;

/// How long to wait for more of a stream after its first line.
const WAIT: Duration = Duration::from_secs(2);

/// How much is read at once.
const PART: usize = 64 << 10;

/// The first bytes of a file.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    pub(crate) bytes: Vec<u8>,
    /// How many of these bytes are examined: more may have arrived after the time was up.
    n_looked_at: usize,
    is_whole: bool,
    /// What a container runtime put before the lines, where that was looked for.
    joins: Option<Prefix>,
}

impl Beginning {
    /// Reads a thousand lines, or as many as there are or arrive in time.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub(crate) fn read(reader: &mut impl Read, is_file: bool) -> io::Result<Self> {
        let most = if is_file { OF_FILE } else { OF_STREAM };
        let mut read = Self::default();
        let (mut n_lines, mut n_returns) = (0, 0);
        let mut first_line: Option<Instant> = None;
        let mut part = vec![0; PART];
        loop {
            let start = read.bytes.len();
            read.n_looked_at = start;
            if n_lines >= LINES || (n_lines == 0 && n_returns >= LINES) || start >= most {
                return Ok(read);
            }
            let n = loop {
                match reader.read(&mut part) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    done => break done?,
                }
            };
            read.bytes.extend_from_slice(&part[..n]);
            if n == 0 {
                read.is_whole = true;
                return Ok(read);
            }
            // what came too late is not examined, but still parsed
            if !is_file && first_line.is_some_and(|first| first.elapsed() >= WAIT) {
                return Ok(read);
            }
            let new = &read.bytes[start..];
            n_lines += memchr::memchr_iter(b'\n', new).count();
            if n_lines == 0 {
                n_returns += memchr::memchr_iter(b'\r', new).count();
            } else {
                first_line.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Leaves out a last line that has no end, or whose last part is missing: the rest of it may come.
    /// Returns what a container runtime put before the lines.
    pub(crate) fn without_tail(&mut self, prefixes: Prefixes) -> Option<Prefix> {
        self.is_whole = false;
        self.joins = self.joins(prefixes);
        if let Some(prefix) = self.joins {
            let text = self.text();
            let lines = &text[..memchr::memrchr(b'\n', text).map_or(0, |at| at + 1)];
            self.n_looked_at = join::end_of_whole(lines, prefix).unwrap_or(0);
        }
        self.joins
    }

    fn text(&self) -> &[u8] {
        &self.bytes[..self.n_looked_at]
    }

    /// Whether only carriage returns end the lines.
    pub(crate) fn has_bare_returns(&self) -> bool {
        let text = self.text();
        memchr::memchr(b'\n', text).is_none() && memchr::memchr(b'\r', text).is_some_and(|at| at + 1 < text.len())
    }

    /// The first lines, without one that is not complete.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let end = if self.has_bare_returns() { b'\r' } else { b'\n' };
        let text = self.text();
        let last = memchr::memrchr(end, text).map_or(0, |at| at + 1);
        let text = if self.is_whole || last == 0 { text } else { &text[..last] };
        text.split_inclusive(move |&b| b == end).take(LINES)
    }

    /// What comes before the lines, in words.
    pub(crate) fn prefix(&self, stream: &Stream) -> String {
        let Stream::Access(Layout::Other(layout)) = stream else { return String::new() };
        let mut state = State::default();
        let prefix = self.lines().find_map(|line| layout.prefix(line, &mut state));
        prefix.map(|prefix| format!(" with {} in front", prefix.name())).unwrap_or_default()
    }

    /// What a container runtime put before the lines.
    fn joins(&self, prefixes: Prefixes) -> Option<Prefix> {
        if self.joins.is_some() {
            return self.joins;
        }
        let is_of = |prefix: &Prefix| self.lines().any(|line| prefix::entry(*prefix, line).is_some());
        match prefixes {
            Prefixes::None => None,
            Prefixes::Only(prefix) => Some(prefix).filter(|prefix| prefix::has_parts(*prefix)),
            Prefixes::Recognised => [Prefix::Cri, Prefix::DockerJson].into_iter().find(is_of),
        }
    }

    /// The layout of the file: the one given by the user, or the one that is recognised.
    pub(crate) fn layout(&self, asked: &Layout) -> Layout {
        if no_requests::is_tar(self.text()) {
            // most lines in it may have a layout
            let why = "it is a tar archive; unpack it first".to_owned();
            return Layout::Unknown(Arc::new(Unknown { why, ..Unknown::default() }));
        }
        let hints = match asked {
            Layout::Auto(hints) => hints,
            Layout::Other(layout) => {
                let mut layout = named::Layout::clone(layout);
                layout.joins = self.joins(layout.prefixes);
                return Layout::Other(Arc::new(layout));
            }
            Layout::Hubzero | Layout::Unknown(_) => return asked.clone(),
        };
        if self.lines().next().is_none() {
            return Layout::Hubzero;
        }
        let joins = self.joins(hints.prefixes);
        let known = |mut layout: named::Layout| {
            (layout.prefixes, layout.joins) = (hints.prefixes, joins);
            layout.until(hints.latest);
            Layout::Other(Arc::new(layout))
        };
        match self.recognise(&hints.from, joins) {
            Ok(found) if found.layout.is_hub() => Layout::Hubzero,
            Ok(found) => known(found.layout),
            // blank lines, comments and messages of a server alone
            Err(unknown) if unknown.n_lines == 0 => {
                // the best known one that may have a header
                let usual = if hints.from.header.is_some() { "nginx-main" } else { "combined" };
                match named::Layout::new(unknown.says.unwrap_or(usual), &hints.from) {
                    Ok(layout) => known(layout),
                    Err(why) => Layout::Unknown(Arc::new(Unknown { why, ..unknown })),
                }
            }
            Err(unknown) => Layout::Unknown(Arc::new(unknown)),
        }
    }

    fn recognise(&self, from: &ClientFrom, joins: Option<Prefix>) -> Result<Recognised, Unknown> {
        let lines: Vec<&[u8]> = self.lines().collect();
        let whole = join::whole_lines(self.text(), &lines, joins);
        recognise::recognise(whole.iter().map(|line| &**line), from)
    }
}

/// Reads past zeros at the beginning of a log: how many, and the first bytes after them. A program that
/// continues at its old offset when its log is truncated leaves a hole of any size there.
pub(crate) fn behind_hole(reading: &mut impl Read) -> io::Result<(u64, Vec<u8>)> {
    let mut hole = 0;
    let mut bytes = vec![0; PART];
    loop {
        let n = match reading.read(&mut bytes) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            done => done?,
        };
        let zeros = bytes[..n].iter().take_while(|&&byte| byte == 0).count();
        hole += zeros as u64;
        if n == 0 || zeros < n {
            return Ok((hole, bytes[zeros..n].to_vec()));
        }
    }
}

/// The layout that the first lines have, or nearly have, when another one was asked for.
pub(crate) fn looks_like(stream: &Stream, mut bytes: impl Read) -> Option<String> {
    let Stream::Access(asked @ (Layout::Hubzero | Layout::Other(_))) = stream else { return None };
    let (_, first) = behind_hole(&mut bytes).ok()?;
    let beginning = Beginning::read(&mut Cursor::new(first).chain(bytes), true).ok()?;
    let (name, like) = match beginning.recognise(&ClientFrom::default(), beginning.joins(Prefixes::Recognised)) {
        Ok(found) => (found.layout.name(), found.like()),
        Err(unknown) => (unknown.looks_like?, unknown.like()?),
    };
    (name != asked.name()).then_some(like)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields its parts one by one, with a pause before each.
    struct Slow(Vec<(Duration, Vec<u8>)>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let (pause, bytes) = self.0.remove(0);
            std::thread::sleep(pause);
            buffer[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }
    }

    fn slow(parts: &[(u64, &str)]) -> Beginning {
        let parts = parts.iter().map(|(ms, text)| (Duration::from_millis(*ms), text.as_bytes().to_vec()));
        Beginning::read(&mut Slow(parts.collect()), false).unwrap()
    }

    fn lines(read: &Beginning) -> Vec<&str> {
        read.lines().map(|line| std::str::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn a_slow_stream_is_judged_by_what_has_arrived() {
        let read = slow(&[(0, "a\nb"), (0, "c\n"), (2100, "d\n"), (0, "e\n")]);
        assert_eq!(lines(&read), ["a\n", "bc\n"]);
        assert_eq!(read.bytes, b"a\nbc\nd\n", "what came too late is still parsed");
        let read = slow(&[(0, "a"), (2100, "b\n"), (0, "c")]);
        assert_eq!(lines(&read), ["ab\n", "c"], "the time starts with the first line");
    }

    #[test]
    fn carriage_returns_alone_end_lines_if_there_are_no_line_feeds() {
        let of = |text: &str| Beginning::read(&mut text.as_bytes(), true).unwrap();
        assert_eq!(lines(&of("a\r\nb\rc\nd")), ["a\r\n", "b\rc\n", "d"]);
        let mac = of("a\rb\rc");
        assert!(mac.has_bare_returns() && lines(&mac) == ["a\r", "b\r", "c"]);
        assert!(!of("a\r").has_bare_returns() && !of("").has_bare_returns());
        let mut growing = of("a\nb");
        growing.without_tail(Prefixes::None);
        assert_eq!(lines(&growing), ["a\n"]);
        let many = "x\n".repeat(100_000);
        assert_eq!(of(&many).lines().count(), LINES);
        assert!(of(&many).bytes.len() < many.len(), "no more is read than is examined");
    }
}
