//! What log forwarders put before a line: syslog, Docker, Kubernetes, compose, the journal. It is
//! recognised and removed line by line.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Fault, What, json, time};

/// What came before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// `Jul 10 08:00:01 host program[pid]: `, as written by syslog (RFC 3164) and `journalctl`;
    /// rsyslog writes the date as `2025-07-10T08:00:01+00:00`.
    Syslog,
    /// `<190>1 2025-07-10T08:00:01Z host program pid id - ` (RFC 5424).
    Syslog5424,
    /// A Docker file: `{"log":"…\n","stream":"stdout","time":"…"}`.
    DockerJson,
    /// A file of a container runtime: `2025-07-10T08:00:01.1Z stdout F `.
    Cri,
    /// `web-1  | `.
    Compose,
    /// `2025-07-10T08:00:01.1Z `, as `docker logs --timestamps` and `kubectl logs --timestamps` write it.
    Time,
}

impl Prefix {
    /// The name that users know.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Syslog => "syslog",
            Self::Syslog5424 => "syslog (RFC 5424)",
            Self::DockerJson => "Docker",
            Self::Cri => "CRI",
            Self::Compose => "compose",
            Self::Time => "a time",
        }
    }
}

/// Which prefixes to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Prefixes {
    /// Whichever is there.
    #[default]
    Recognised,
    /// None: the line is taken as it is.
    None,
    /// This one; lines without it are rejected.
    Only(Prefix),
}

impl std::str::FromStr for Prefixes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match &*text.to_ascii_lowercase() {
            "auto" => Self::Recognised,
            "none" => Self::None,
            "syslog" | "rfc3164" | "journal" | "journald" => Self::Only(Prefix::Syslog),
            "rfc5424" => Self::Only(Prefix::Syslog5424),
            "docker" | "json-file" => Self::Only(Prefix::DockerJson),
            "cri" | "kubernetes" | "k8s" | "containerd" => Self::Only(Prefix::Cri),
            "compose" => Self::Only(Prefix::Compose),
            "time" | "timestamp" | "timestamps" => Self::Only(Prefix::Time),
            _ => {
                return Err(format!(
                    "`{text}` is not a prefix; known: auto, none, syslog, rfc5424, docker, cri, compose, time"
                ));
            }
        })
    }
}

/// A line without its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest<'a> {
    /// The rest of the line.
    Line(&'a [u8]),
    /// The rest without a time that compose may have written, and with it: it may be the line's own.
    Timed(&'a [u8], &'a [u8]),
    /// The line had to be built: it is in the buffer.
    Made,
}

/// The longest name of a host, program or container to look for.
const LONGEST: usize = 255;

/// Removes the prefix. If the line must be built, it overwrites the buffer.
pub(crate) fn take_off<'a>(
    line: &'a [u8],
    prefixes: Prefixes,
    made: &mut Vec<u8>,
) -> Result<(Option<Prefix>, Rest<'a>), Fault> {
    match prefixes {
        Prefixes::None => Ok((None, Rest::Line(line))),
        Prefixes::Only(prefix) => match of(prefix, line, made) {
            Some(rest) => Ok((Some(prefix), rest?)),
            None => Err(Fault::bare(What::Misfit)),
        },
        Prefixes::Recognised => {
            for &prefix in candidates(line) {
                if let Some(rest) = of(prefix, line, made) {
                    return Ok((Some(prefix), rest?));
                }
            }
            Ok((None, Rest::Line(line)))
        }
    }
}

/// The prefixes that may begin like the line.
fn candidates(line: &[u8]) -> &'static [Prefix] {
    match line {
        [b'{', b'"', b'l' | b's' | b't', ..] => &[Prefix::DockerJson],
        [b'<', b'0'..=b'9', ..] => &[Prefix::Syslog5424, Prefix::Syslog],
        [_, _, _, _, b'-', _, _, b'-', _, _, b'T', ..] => &[Prefix::Cri, Prefix::Syslog, Prefix::Time],
        [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z', b' ', b' ' | b'0'..=b'9', ..] => &[Prefix::Syslog, Prefix::Compose],
        [b'A'..=b'Z' | b'a'..=b'z' | b'\x1b', ..] => &[Prefix::Compose],
        _ => &[],
    }
}

fn of<'a>(prefix: Prefix, line: &'a [u8], made: &mut Vec<u8>) -> Option<Result<Rest<'a>, Fault>> {
    let rest = match prefix {
        Prefix::Syslog => syslog(line)?,
        Prefix::Syslog5424 => syslog_5424(line)?,
        Prefix::Compose => return compose(line).map(Ok),
        Prefix::Time => return timed(line).map(Ok),
        Prefix::Cri => return cri(line).map(|rest| rest.map(Rest::Line)),
        Prefix::DockerJson => return docker(line, made).map(|done| done.map(|()| Rest::Made)),
    };
    Some(Ok(Rest::Line(rest)))
}

/// A word of at most [`LONGEST`] bytes, and what follows the blank after it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().take(LONGEST + 1).position(|&b| b == b' ')?;
    (end > 0).then(|| (&text[..end], &text[end + 1..]))
}

/// The line without `<190>` at its start.
fn without_priority(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    (digits > 0 && rest.get(digits) == Some(&b'>')).then(|| &rest[digits + 1..])
}

fn syslog(line: &[u8]) -> Option<&[u8]> {
    let line = without_priority(line).unwrap_or(line);
    let rest = match line {
        [_, _, _, b' ', b' ' | b'0'..=b'9', b'0'..=b'9', b' ', _, _, b':', _, _, b':', _, _, b' ', rest @ ..] => {
            time::month(line)?;
            rest
        }
        // with the year, as some routers write it, or a precise date, as rsyslog does
        [_, _, _, _, b'-', ..] => {
            let (_, len) = time::iso(line).ok()?;
            line[len..].strip_prefix(b" ")?
        }
        _ => return None,
    };
    let (_host, rest) = word(rest)?;
    // program, program[pid]: or program:
    let colon = rest.iter().take(LONGEST).position(|&b| b == b':')?;
    let program = &rest[..colon];
    let is_program =
        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'[' | b']' | b'(' | b')' | b'@');
    // an address with a port is not a program
    if !program.first().is_some_and(u8::is_ascii_alphabetic) || !program.iter().all(is_program) {
        return None;
    }
    Some(rest[colon + 1..].strip_prefix(b" ").unwrap_or(&rest[colon + 1..]))
}

fn syslog_5424(line: &[u8]) -> Option<&[u8]> {
    let rest = without_priority(line)?.strip_prefix(b"1 ")?;
    // time, host, program, process, kind of message
    let mut rest = rest;
    for _ in 0..5 {
        rest = word(rest)?.1;
    }
    let rest = structured_data(rest)?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    Some(rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest))
}

/// What follows `-` or `[id name="value" …]…`.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return Some(rest);
    }
    let (mut in_quotes, mut is_open, mut at) = (false, false, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' if in_quotes => at += 1,
            b'"' if is_open => in_quotes = !in_quotes,
            b'[' if !is_open => is_open = true,
            b']' if is_open && !in_quotes => is_open = false,
            b' ' if !is_open => break,
            _ if is_open => {}
            _ => return None,
        }
        at += 1;
    }
    (at > 0 && !is_open).then(|| text.get(at..)).flatten()
}

fn cri(line: &[u8]) -> Option<Result<&[u8], Fault>> {
    let (_, len) = time::iso(line).ok()?;
    let rest = line[len..].strip_prefix(b" std")?;
    let rest = rest.strip_prefix(b"out ").or_else(|| rest.strip_prefix(b"err "))?;
    match rest {
        [b'F', b' ', rest @ ..] => Some(Ok(rest)),
        [b'P', b' ', ..] => Some(Err(Fault::bare(What::Part))),
        _ => None,
    }
}

/// An entry of the log of a container: a line, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Whether it went to standard error.
    pub(crate) is_error: bool,
    /// Whether the line ends with it.
    pub(crate) is_last: bool,
    /// Where its text is in the line, escaped as it stands there.
    pub(crate) text: Range<usize>,
}

/// The entry that a line of the log of a container is; `None` for other lines and prefixes.
pub(crate) fn entry(prefix: Prefix, line: &[u8]) -> Option<Entry> {
    match prefix {
        Prefix::Cri => cri_entry(line),
        Prefix::DockerJson => docker_entry(line),
        Prefix::Syslog | Prefix::Syslog5424 | Prefix::Compose | Prefix::Time => None,
    }
}

/// Whether programs that write such a prefix cut lines.
pub(crate) const fn has_parts(prefix: Prefix) -> bool {
    matches!(prefix, Prefix::Cri | Prefix::DockerJson)
}

fn cri_entry(line: &[u8]) -> Option<Entry> {
    let (_, len) = time::iso(line).ok()?;
    let (is_error, rest) = match line.get(len..)? {
        [b' ', b's', b't', b'd', b'o', b'u', b't', b' ', rest @ ..] => (false, rest),
        [b' ', b's', b't', b'd', b'e', b'r', b'r', b' ', rest @ ..] => (true, rest),
        _ => return None,
    };
    let is_last = match rest {
        [b'F', b' ', ..] => true,
        [b'P', b' ', ..] => false,
        _ => return None,
    };
    let start = line.len() - rest.len() + 2;
    let end = line.len() - usize::from(line.ends_with(b"\n")) - usize::from(line.ends_with(b"\r\n"));
    Some(Entry { is_error, is_last, text: start..end.max(start) })
}

/// Whether a line may have a field `log`. Most lines of JSON are those of servers, and walking through
/// them would cost as much as parsing them.
fn has_log(line: &[u8]) -> bool {
    static FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"log\""));
    FINDER.find(line).is_some()
}

fn docker_entry(line: &[u8]) -> Option<Entry> {
    const LOG: &[u8] = b"{\"log\":\"";
    const STREAM: &[u8] = b"\",\"stream\":\"std";
    if !line.trim_ascii_start().starts_with(b"{") || !has_log(line) {
        return None;
    }
    // as Docker writes it; the end of the text is near the end of the line
    let near = line.len().saturating_sub(256);
    let found = line.starts_with(LOG).then(|| memchr::memmem::rfind(&line[near..], STREAM)).flatten();
    let (text, is_error) = match found {
        Some(at) if near + at >= LOG.len() => (LOG.len()..near + at, line.get(near + at + STREAM.len()) == Some(&b'e')),
        _ => {
            let text = json::string_of(line, b"log")?;
            let start = text.as_ptr().addr() - line.as_ptr().addr();
            (start..start + text.len(), json::string_of(line, b"stream")? == b"stderr")
        }
    };
    // a line feed at the end that is none of an escaped backslash
    let is_last = line
        .get(text.clone())?
        .strip_suffix(b"n")
        .is_some_and(|rest| rest.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 1);
    Some(Entry { is_error, is_last, text })
}

fn compose(line: &[u8]) -> Option<Rest<'_>> {
    let line = line.strip_prefix(b"\x1b[2K").unwrap_or(line);
    // the name may be in colour
    let line = match line {
        [b'\x1b', b'[', rest @ ..] => &rest[rest.iter().take(12).position(|&b| b == b'm')? + 1..],
        line => line,
    };
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
    let name = line.iter().take(LONGEST).take_while(|b| is_name(b)).count();
    let rest = &line[name..];
    let blanks = rest.iter().take(LONGEST).take_while(|&&b| b == b' ').count();
    let rest = rest[blanks..].strip_prefix(b"|").filter(|_| name > 0 && blanks > 0)?;
    let rest = rest.strip_prefix(b"\x1b[0m").unwrap_or(rest);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    Some(timed(rest).unwrap_or(Rest::Line(rest)))
}

/// A line behind a time, as `--timestamps` of Docker and Kubernetes writes it.
fn timed(line: &[u8]) -> Option<Rest<'_>> {
    let [_, _, _, _, b'-', _, _, b'-', _, _, b'T', ..] = line else { return None };
    let (_, len) = time::iso(line).ok()?;
    Some(Rest::Timed(line[len..].strip_prefix(b" ")?, line))
}

fn docker(line: &[u8], made: &mut Vec<u8>) -> Option<Result<(), Fault>> {
    made.clear();
    has_log(line).then_some(())?;
    let log = json::string_of(line, b"log")?;
    // a program's own line with such a field has other fields too
    json::has_string(line, b"stream").then_some(())?;
    json::unescape(log, made);
    let whole = made.last() == Some(&b'\n');
    while matches!(made.last(), Some(b'\n' | b'\r')) {
        made.pop();
    }
    // Docker splits lines at 16 KiB: only the last part has the line feed
    Some(if whole { Ok(()) } else { Err(Fault::bare(What::Part)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> (Option<Prefix>, Result<String, What>) {
        let mut made = Vec::new();
        match take_off(line.as_bytes(), Prefixes::Recognised, &mut made) {
            Ok((prefix, rest)) => {
                let rest = match rest {
                    Rest::Line(rest) | Rest::Timed(rest, _) => rest,
                    Rest::Made => &made,
                };
                (prefix, Ok(String::from_utf8_lossy(rest).into_owned()))
            }
            Err(fault) => (None, Err(fault.what)),
        }
    }

    const LINE: &str = r#"192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] "GET /a HTTP/1.1" 200 12"#;

    #[test]
    fn every_prefix_is_recognised_and_removed() {
        for (before, prefix) in [
            ("Jul 10 08:00:01 web1 nginx: ", Prefix::Syslog),
            ("Jul  1 08:00:01 web1 httpd[4711]: ", Prefix::Syslog),
            ("<190>Jul 10 08:00:01 web1 nginx: ", Prefix::Syslog),
            ("2025-07-10T08:00:01.123456+00:00 web1 nginx[1]: ", Prefix::Syslog),
            ("<165>1 2025-07-10T08:00:01.003Z web1 nginx 4711 ID47 - ", Prefix::Syslog5424),
            (r#"<165>1 2025-07-10T08:00:01Z web1 nginx - - [a@1 b="c \] d"][e f="g"] "#, Prefix::Syslog5424),
            ("2025-07-10T08:00:03.123456789Z stdout F ", Prefix::Cri),
            ("2025-07-10T08:00:03.1+02:00 stderr F ", Prefix::Cri),
            ("nginx-1  | ", Prefix::Compose),
            ("web_1 | ", Prefix::Compose),
            ("\x1b[2Kweb-1  | ", Prefix::Compose),
            ("\x1b[36mweb-1  |\x1b[0m ", Prefix::Compose),
            ("web-1  | 2024-04-25T05:32:35.584725130Z ", Prefix::Compose),
            ("web.1.abc@node1    | ", Prefix::Compose),
            ("2024-04-25T05:32:35.584725130Z ", Prefix::Time),
        ] {
            assert_eq!(taken(&format!("{before}{LINE}")), (Some(prefix), Ok(LINE.to_owned())), "{before}");
            assert!(!prefix.name().is_empty());
        }
        let docker =
            format!(r#"{{"log":"{}\n","stream":"stdout","time":"2025-07-10T08:00:01Z"}}"#, LINE.replace('"', "\\\""));
        assert_eq!(taken(&docker), (Some(Prefix::DockerJson), Ok(LINE.to_owned())));
    }

    #[test]
    fn lines_that_only_begin_like_a_prefix_stay_whole() {
        for line in [
            LINE,
            "Jul 10 08:00:01",
            "Jul 10 08:00:01 web1",
            "Jul 10 08:00:01 web1 a b: c",
            "Jux 10 08:00:01 web1 nginx: x",
            "www.example.org 192.0.2.1 - - [10/Jul/2025:08:00:01 +0000]",
            "2025-07-10 08:00:01 EDT 4711 -",
            "2025-07-10T08:00:01",
            r#"{"log":"a","time":"b"}"#,
            "<1>",
            "<x>",
            "",
            "|",
            "a|b",
            "web |",
        ] {
            let (prefix, rest) = taken(line);
            if line == "web |" {
                assert_eq!((prefix, rest), (Some(Prefix::Compose), Ok(String::new())));
            } else {
                assert_eq!((prefix, rest), (None, Ok(line.to_owned())), "{line}");
            }
        }
        // a time may be the line's own
        let line = b"2015-05-13T23:39:43.945958Z my-loadbalancer 192.0.2.1:2817 10.0.0.1:80";
        let rest = Rest::Timed(&line[28..], line);
        assert_eq!(take_off(line, Prefixes::Recognised, &mut Vec::new()), Ok((Some(Prefix::Time), rest)));
        assert_eq!(taken("2025-07-10T08:00:03Z stdout P x").1, Err(What::Part));
        assert_eq!(taken(r#"{"log":"a","stream":"stdout"}"#).1, Err(What::Part));
    }

    #[test]
    fn a_prefix_can_be_chosen_by_name() {
        assert_eq!("Docker".parse(), Ok(Prefixes::Only(Prefix::DockerJson)));
        assert_eq!("auto".parse(), Ok(Prefixes::Recognised));
        assert!("x".parse::<Prefixes>().is_err());
        let mut made = Vec::new();
        assert_eq!(take_off(b"x", Prefixes::Only(Prefix::Cri), &mut made).map_err(|f| f.what), Err(What::Misfit));
        assert_eq!(take_off(b"a | b", Prefixes::None, &mut made), Ok((None, Rest::Line(b"a | b"))));
    }
}
