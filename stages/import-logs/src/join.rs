//! Joins lines that a container runtime has cut: Docker writes each 16 KiB of a line as a separate
//! entry; CRI (Kubernetes) marks a part with `P` and the last one with `F`. They are joined within a
//! block of lines, so a log must be cut into blocks where no line is incomplete.
//!
//! Standard output and standard error are joined separately, because their parts may alternate.

use std::borrow::Cow;
use std::ops::Range;

use crate::layouts::prefix::{self, Entry, Prefix};

/// What a line of a block becomes if it is a part of a longer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fate {
    /// Where the line begins in the block.
    pub(crate) start: usize,
    /// For a first part: where the whole line is in the text of joined lines.
    pub(crate) whole: Option<Range<usize>>,
}

/// The lines of a block that are parts, in order, and what they become.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) fates: Vec<Fate>,
    pub(crate) text: Vec<u8>,
}

/// Parts of a line whose last part has not come yet.
#[derive(Debug, Default)]
struct Open {
    /// Where the lines begin, and their entries.
    parts: Vec<(usize, Entry)>,
}

fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    text.split_inclusive(|&b| b == b'\n').map(move |line| {
        let at = start;
        start += line.len();
        (at, line)
    })
}

/// Whether no line of a text can be a part.
fn has_none(text: &[u8], prefix: Prefix) -> bool {
    prefix == Prefix::Cri && memchr::memmem::find(text, b" P ").is_none()
}

/// Joins the parts of a block; those without a last part stay as they are.
pub(crate) fn join(block: &[u8], prefix: Prefix) -> Joined {
    let mut joined = Joined::default();
    if has_none(block, prefix) {
        return joined;
    }
    let mut streams = [Open::default(), Open::default()];
    for (start, line) in lines(block) {
        let Some(entry) = prefix::entry(prefix, line) else { continue };
        let parts = &mut streams[usize::from(entry.is_error)].parts;
        if !entry.is_last {
            parts.push((start, entry));
        } else if !parts.is_empty() {
            parts.push((start, entry));
            joined.add(block, prefix, &std::mem::take(parts));
        }
    }
    joined.fates.sort_by_key(|fate| fate.start);
    joined
}

impl Joined {
    fn add(&mut self, block: &[u8], prefix: Prefix, parts: &[(usize, Entry)]) {
        let begin = self.text.len();
        for (i, (start, entry)) in parts.iter().enumerate() {
            let rest = block.get(*start..).unwrap_or_default();
            let text = rest.get(entry.text.clone()).unwrap_or_default();
            if i == 0 {
                self.text.extend_from_slice(rest.get(..entry.text.start).unwrap_or_default());
                if prefix == Prefix::Cri
                    && let Some(mark) = self.text.iter_mut().nth_back(1)
                {
                    *mark = b'F';
                }
            }
            self.text.extend_from_slice(text);
            if i + 1 == parts.len() {
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                self.text.extend_from_slice(rest.get(entry.text.end..end).unwrap_or_default());
            }
        }
        let whole = begin..self.text.len();
        self.fates.extend(
            parts
                .iter()
                .enumerate()
                .map(|(i, (start, _))| Fate { start: *start, whole: (i == 0).then(|| whole.clone()) }),
        );
    }
}

/// The end of the last line in a text of whole lines after which no line is incomplete; `None` if one
/// is incomplete from the beginning.
pub(crate) fn end_of_whole(text: &[u8], prefix: Prefix) -> Option<usize> {
    if has_none(text, prefix) {
        return Some(text.len());
    }
    let (mut open, mut end) = ([false; 2], 0);
    for (start, line) in lines(text) {
        if let Some(entry) = prefix::entry(prefix, line) {
            open[usize::from(entry.is_error)] = !entry.is_last;
        }
        if open == [false; 2] {
            end = start + line.len();
        }
    }
    (end > 0).then_some(end)
}

/// The lines of a text: a first part is replaced by the whole line, other parts are empty.
pub(crate) fn whole_lines<'a>(text: &'a [u8], ends: &[&'a [u8]], prefix: Option<Prefix>) -> Vec<Cow<'a, [u8]>> {
    let Some(prefix) = prefix else { return ends.iter().map(|line| Cow::Borrowed(*line)).collect() };
    let joined = join(text, prefix);
    let mut fates = joined.fates.iter().peekable();
    let mut start = 0;
    let mut all = Vec::with_capacity(ends.len());
    for line in ends {
        all.push(match fates.next_if(|fate| fate.start == start) {
            None => Cow::Borrowed(*line),
            Some(Fate { whole: None, .. }) => Cow::Borrowed(&b""[..]),
            Some(Fate { whole: Some(whole), .. }) => {
                Cow::Owned(joined.text.get(whole.clone()).unwrap_or_default().to_vec())
            }
        });
        start += line.len();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[String]) -> Vec<u8> {
        lines.concat().into_bytes()
    }

    fn cri(stream: &str, mark: &str, text: &str) -> String {
        format!("2025-07-10T08:00:01.1Z {stream} {mark} {text}\n")
    }

    fn docker(stream: &str, text: &str) -> String {
        format!("{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2025-07-10T08:00:01Z\"}}\n")
    }

    fn seen(block: &[u8], prefix: Prefix) -> Vec<String> {
        let ends: Vec<&[u8]> = block.split_inclusive(|&b| b == b'\n').collect();
        whole_lines(block, &ends, Some(prefix)).iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn parts_of_both_streams_are_joined_separately() {
        let lines = [
            cri("stdout", "P", "a"),
            cri("stderr", "P", "x"),
            cri("stdout", "P", "b "),
            cri("stderr", "F", "y"),
            cri("stdout", "F", "c"),
            cri("stdout", "F", "d"),
            cri("stderr", "P", "open"),
        ];
        let whole = [cri("stdout", "F", "ab c"), cri("stderr", "F", "xy"), String::new(), String::new(), String::new()];
        let found = seen(&text(&lines), Prefix::Cri);
        assert_eq!(found[..5], whole);
        assert_eq!(found[5..], lines[5..]);
        let lines = [
            docker("stdout", r#"a \"b"#),
            docker("stderr", r"x\n"),
            docker("stdout", r"\\n"),
            docker("stdout", r"c\n"),
            docker("stdout", r"d\n"),
        ];
        let found = seen(&text(&lines), Prefix::DockerJson);
        assert_eq!(found[0], docker("stdout", r#"a \"b\\nc\n"#));
        assert_eq!((&found[1], &*found[2], &*found[3], &found[4]), (&lines[1], "", "", &lines[4]));
    }

    #[test]
    fn blocks_end_where_no_line_is_incomplete() {
        let of = |lines: &[String], prefix| end_of_whole(&text(lines), prefix);
        let one = cri("stdout", "F", "a");
        assert_eq!(of(std::slice::from_ref(&one), Prefix::Cri), Some(one.len()));
        assert_eq!(of(&[cri("stdout", "P", "a"), cri("stderr", "F", "a")], Prefix::Cri), None);
        assert_eq!(of(&[one.clone(), cri("stdout", "P", "a"), cri("stderr", "F", "a")], Prefix::Cri), Some(one.len()));
        let both = [cri("stdout", "P", "a"), cri("stdout", "F", "a")];
        assert_eq!(of(&both, Prefix::Cri), Some(both.concat().len()));
        let docker = [docker("stdout", r"a\n"), docker("stdout", "b")];
        assert_eq!(of(&docker, Prefix::DockerJson), Some(docker[0].len()));
        assert_eq!(of(&["odd\n".to_owned()], Prefix::DockerJson), Some(4));
    }
}
