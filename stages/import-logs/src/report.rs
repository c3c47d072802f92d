//! The figures of a file, or of a source in a staging file, and whether it was understood.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use database::ledger::files::{FileRow, Status};
use hub::forgotten::Forgotten;
use kit::{counted, grouped};
use logs::fingerprint::Fingerprint;
use logs::parse::Looks;

use crate::block::{BlockResult, KEPT};
use crate::forgotten::of_rejected;
use crate::layout::Layout;
use crate::layouts::named::Nuls;
use crate::layouts::no_requests;
use crate::layouts::wide::Wide;
use crate::rules::{Dropped, KeptFrom, Rule};
use crate::unit::Stream;

/// How much of the first line is shown, in characters.
const SHOWN: usize = 200;

/// What became of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) n_lines: u64,
    pub(crate) n_rows: u64,
    pub(crate) n_rejected: u64,
    /// Rejected lines of blanks alone.
    pub(crate) n_blank: u64,
    /// Lines that have another layout.
    pub(crate) n_unfit: u64,
    /// Lines that were left out because their client is an IPv6 address.
    pub(crate) n_ipv6: u64,
    /// Lines that each rule dropped.
    pub(crate) dropped: Dropped,
    /// It would have been refused, but the user accepted it.
    pub(crate) is_accepted: bool,
    /// The first line that does not fit, and whether it is the first of the file.
    pub(crate) first_unfit: Option<(Vec<u8>, bool)>,
    /// Lines that follow another one in the same line of the file.
    pub(crate) n_fused: u64,
    /// NUL bytes that were skipped.
    pub(crate) nuls: Nuls,
    /// Rows with an impossible time.
    pub(crate) n_odd_times: u64,
    /// Rows of months that take none any more.
    pub(crate) n_late: u64,
    /// What is the matter with these months.
    pub(crate) why_late: &'static str,
    /// Whether the last line has no line end and is not used.
    pub(crate) has_tail: bool,
    /// Whether the last part of a line is missing, and the line is not used.
    pub(crate) lacks_part: bool,
    /// The name of the layout, if the log was read.
    pub(crate) layout: &'static str,
    /// How addresses were stored, unless whole.
    pub(crate) addresses: Option<&'static str>,
    /// After how many days they are hashed.
    pub(crate) hash_after_days: Option<u32>,
    /// Whether the last line has no line end, is not used, and does not fit.
    pub(crate) is_tail_unfit: bool,
    /// Whether the last line was not recognised.
    pub(crate) ends_with_reject: bool,
    /// What was read.
    pub(crate) read: Option<Fingerprint>,
    /// Its first byte that was not imported earlier.
    pub(crate) offset: u64,
    /// Why it is not imported.
    pub(crate) refused: Option<String>,
    /// The sources of a staging file, in order.
    pub(crate) parts: Vec<(PathBuf, Self)>,
}

impl Report {
    /// Adds the figures of a block, except those about its individual lines.
    pub(crate) fn add(&mut self, done: &BlockResult) {
        let is_first = self.n_lines == 0;
        self.n_blank += done.n_blank;
        self.n_unfit += done.n_unfit;
        self.n_ipv6 += done.n_ipv6;
        self.n_fused += done.n_fused;
        self.n_odd_times += done.n_odd_times;
        self.n_late += done.n_late;
        self.nuls.n_runs += done.nuls.n_runs;
        self.nuls.n_bytes += done.nuls.n_bytes;
        self.has_tail |= done.has_tail;
        for (total, n) in self.dropped.iter_mut().zip(done.dropped) {
            *total += n;
        }
        if let Some((n, text)) = &done.first_unfit {
            self.note_unfit(text, is_first && *n == 0);
        }
        if let Some(text) = &done.unfit_tail {
            self.is_tail_unfit = true;
            self.note_unfit(text, is_first && done.n_lines == 0);
        }
        if done.n_lines > 0 {
            self.ends_with_reject = done.rejected.last().is_some_and(|line| line.number() + 1 == done.n_lines);
        }
    }

    fn note_unfit(&mut self, text: &[u8], is_first: bool) {
        self.first_unfit.get_or_insert_with(|| (text[..text.len().min(KEPT)].to_vec(), is_first));
    }

    /// Counts a line that is too long to be used.
    pub(crate) fn add_too_long(&mut self, text: &[u8]) {
        self.note_unfit(text, self.n_lines == 0);
        self.n_unfit += 1;
        self.ends_with_reject = true;
    }

    /// Counts one line that was examined only for its layout.
    pub(crate) fn add_looks(&mut self, looks: Looks, is_recognised: bool, text: &[u8]) {
        match looks {
            Looks::Blank => self.n_blank += 1,
            Looks::Odd => {
                self.note_unfit(text, self.n_lines == 0);
                self.n_unfit += 1;
            }
            Looks::Ipv6 | Looks::Fits => {}
        }
        self.n_rejected += u64::from(!is_recognised);
        self.n_lines += 1;
    }

    /// The difference to an earlier state of the same report.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut dropped = self.dropped;
        for (n, earlier) in dropped.iter_mut().zip(before.dropped) {
            *n -= earlier;
        }
        Self {
            n_lines: self.n_lines - before.n_lines,
            n_rows: self.n_rows - before.n_rows,
            n_rejected: self.n_rejected - before.n_rejected,
            n_blank: self.n_blank - before.n_blank,
            n_unfit: self.n_unfit - before.n_unfit,
            n_ipv6: self.n_ipv6 - before.n_ipv6,
            n_fused: self.n_fused - before.n_fused,
            n_odd_times: self.n_odd_times - before.n_odd_times,
            n_late: self.n_late - before.n_late,
            nuls: Nuls {
                n_runs: self.nuls.n_runs - before.nuls.n_runs,
                n_bytes: self.nuls.n_bytes - before.nuls.n_bytes,
            },
            layout: self.layout,
            why_late: self.why_late,
            addresses: self.addresses,
            hash_after_days: self.hash_after_days,
            dropped,
            ends_with_reject: self.ends_with_reject && self.n_lines > before.n_lines,
            ..Self::default()
        }
    }

    /// Lines that are meant to be requests or logins.
    const fn n_full(&self) -> u64 {
        const NONE: [Rule; 4] = [Rule::Blank, Rule::Part, Rule::Comment, Rule::Message];
        let (mut n_none, mut i) = (self.n_blank, 0);
        while i < NONE.len() {
            n_none += self.dropped[NONE[i] as usize];
            i += 1;
        }
        self.n_lines.saturating_sub(n_none)
    }

    /// Leaves half a line to the next import, unless it shows that the file is not a log.
    pub(crate) fn leave_tail(&mut self) {
        let is_other = |(text, is_first): &(Vec<u8>, bool)| *is_first && form(text).is_some();
        self.is_tail_unfit &= self.first_unfit.as_ref().is_some_and(is_other);
    }

    /// Applies the list of the forgotten to the line that is shown in messages.
    pub(crate) fn hide(&mut self, list: Option<&Forgotten>, stream: &Stream) {
        if let Some((text, _)) = &mut self.first_unfit
            && let Cow::Owned(other) = of_rejected(list, text, stream)
        {
            *text = other;
        }
    }

    /// Why the file is not imported: it has lines and none of them fits, or, when `strict`, one of
    /// them is rejected. `like` looks which layout its lines have instead.
    pub(crate) fn refusal(
        &self,
        stream: &Stream,
        strict: bool,
        like: impl FnOnce() -> Option<String>,
    ) -> Option<String> {
        if let Some(late) = self.late() {
            return Some(late);
        }
        let none_fits = self.n_unfit == self.n_full() && (self.n_unfit > 0 || self.is_tail_unfit);
        let too_strict = strict && self.n_rejected > 0;
        if !none_fits && !too_strict {
            return None;
        }
        let (text, is_first) = self.first_unfit.as_ref().map_or((&b""[..], false), |(text, first)| (text, *first));
        let form = if is_first { form(text) } else { None };
        if let (None, Stream::Access(Layout::Unknown(unknown)), false) = (form, stream, text.is_empty()) {
            return Some(format!("{unknown}; its first such line: {}", shown(text)));
        }
        let like = if none_fits && form.is_none() { like() } else { None };
        let why = match (form, like) {
            (Some(form), _) => format!("it is {form}"),
            (None, Some(like)) => {
                format!("looks like {like}; 0 of {} lines fit {}", grouped(self.n_full().max(1)), asked(stream))
            }
            (None, None) if none_fits => {
                format!("none of its {} lines fits {}", self.n_full().max(1), expected(stream))
            }
            (None, None) => {
                let are = if self.n_rejected == 1 { "is" } else { "are" };
                let of = counted(self.n_lines, "line", "lines");
                format!("{} of its {of} {are} rejected, and --strict allows none", self.n_rejected)
            }
        };
        if text.is_empty() { Some(why) } else { Some(format!("{why}; its first such line: {}", shown(text))) }
    }

    /// Why rows of months are not imported that take none, if there are such rows.
    pub(crate) fn late(&self) -> Option<String> {
        (self.n_late > 0).then(|| {
            format!(
                "{} of months {}: nothing would count them",
                counted(self.n_late, "line is", "lines are"),
                self.why_late
            )
        })
    }

    /// What becomes of the addresses of such rows if they are imported anyway.
    pub(crate) fn late_addresses(&self, kept_from: KeptFrom) -> Option<String> {
        (self.n_late > 0 && kept_from.is_hashed).then(|| {
            format!(
                "{} of months {}: the next run or `hzmetrics hash-addresses` hashes theirs too",
                counted(self.n_late, "line is", "lines are"),
                kept_from.why()
            )
        })
    }

    /// A warning about a file that is imported although more than a tenth of its lines do not fit.
    pub(crate) fn warning(&self, stream: &Stream) -> Option<String> {
        let text = self.first_unfit.as_ref().map_or(&b""[..], |(text, _)| text);
        (self.n_unfit * 10 > self.n_full()).then(|| {
            let (n, of) = (self.n_unfit, self.n_full());
            let first = if text.is_empty() { String::new() } else { format!("; the first: {}", shown(text)) };
            format!("{n} of {of} lines do not fit {}{first}", expected(stream))
        })
    }

    /// Records how many of the rows were stored: the other logins existed already.
    pub(crate) fn store(&mut self, n_rows: u64) {
        self.dropped[Rule::Duplicate as usize] += self.n_rows.saturating_sub(n_rows);
        self.n_rows = n_rows;
    }

    /// Lines dropped by rules. Together with the rows and the rejected lines they are all lines.
    pub(crate) fn by_rule(&self) -> BTreeMap<String, u64> {
        let rules = Rule::ALL.iter().map(|(rule, name)| ((*name).to_owned(), self.dropped[*rule as usize]));
        rules.filter(|(_, n)| *n > 0).collect()
    }

    /// Lines left out for a reason other than not fitting.
    fn left_out(&self) -> BTreeMap<String, u64> {
        let other = self.n_rejected.saturating_sub(self.n_blank + self.n_unfit + self.n_ipv6);
        let layout = [("empty line", self.n_blank), ("ipv6", self.n_ipv6), ("form", other)];
        let layout = layout.into_iter().map(|(name, n)| (name.to_owned(), n));
        self.by_rule().into_iter().chain(layout.filter(|(_, n)| *n > 0)).collect()
    }

    /// What the ledger keeps.
    pub(crate) fn file_row(&self, path: &std::path::Path, stream: &Stream, has_runs: bool) -> FileRow {
        let read = self.read.as_ref();
        FileRow {
            path: Some(schema::text::storable(path.as_os_str().as_bytes()).into_owned()),
            device: read.map(|read| read.device),
            inode: read.map(|read| read.inode),
            size: read.map(|read| read.size),
            mtime: read.map(|read| read.mtime),
            offset: Some(self.offset),
            bytes: read.map(|read| read.bytes),
            hash: read.map(|read| read.hash.to_string()),
            head: read.map(|read| read.head.to_string()),
            lines: Some(self.n_lines),
            rows: Some(self.n_rows),
            rejected: Some(self.n_unfit),
            dropped: self.left_out(),
            ipv6: Some(self.n_ipv6),
            layout: Some(stream.layout_name().to_owned()),
            status: if self.is_accepted { Status::Accepted } else { Status::Loaded },
            run: has_runs.then(|| kit::run_id().to_owned()),
        }
    }
}

/// The layout that was asked for.
fn asked(stream: &Stream) -> &'static str {
    match stream.layout_name() {
        "format" | "json" => "the log format that was given",
        name => name,
    }
}

/// The layout in words.
fn expected(stream: &Stream) -> Cow<'static, str> {
    match stream {
        Stream::Auth => "the layout of auth logs (`date time uid [user] address action`)".into(),
        Stream::Access(Layout::Hubzero) => {
            "the layouts of hubs (`date time zone process user \"request\" status bytes client \"referrer\" \"agent\" …`)"
                .into()
        }
        Stream::Access(Layout::Other(layout)) if matches!(layout.name(), "format" | "json") => {
            "the log format that was given".into()
        }
        Stream::Access(Layout::Other(layout)) if layout.is_clf() => format!(
            "the layout {} (`client ident user [day/Mon/year:time zone] \"request\" status bytes …`)",
            layout.name()
        )
        .into(),
        Stream::Access(Layout::Other(layout)) => format!("the layout {}", layout.name()).into(),
        Stream::Access(Layout::Auto(_) | Layout::Unknown(_)) => "a known layout".into(),
    }
}

/// What a file is if it is not a log, judging by its first bytes.
fn form(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'P', b'K', 3, 4, ..] => Some("a zip archive; unpack it first"),
        [b'7', b'z', 0xBC, 0xAF, ..] => Some("a 7z archive; unpack it first"),
        [0x1F, 0x9D, ..] => Some("compressed with compress; decompress it first"),
        [b'L', b'Z', b'I', b'P', 1, ..] => Some("compressed with lzip; decompress it first"),
        [0x5D, 0, 0, ..] => Some("compressed with lzma; decompress it first"),
        [0x02, 0x21, 0x4C, 0x18, ..] => Some("compressed with lz4's legacy format; decompress it first"),
        _ if no_requests::is_tar(bytes) => Some("a tar archive; unpack it first"),
        _ if has_every_second_zero(bytes) => Some(Wide::Utf16.form()),
        _ => Wide::of(bytes).map(Wide::form),
    }
}

fn has_every_second_zero(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(64) & !1];
    let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|&&b| b == 0).count() * 8;
    let half = start.len() / 2;
    half >= 4 && ((zeros(0) > half * 6 && zeros(1) < half) || (zeros(1) > half * 6 && zeros(0) < half))
}

/// A line for a message: cleaned and shortened.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let clean = text.trim_end().chars().map(|c| if c.is_control() && c != '\t' { '\u{FFFD}' } else { c });
    let shown: String = clean.clone().take(SHOWN).collect();
    let cut = if clean.count() > SHOWN { "…" } else { "" };
    format!("`{shown}{cut}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(n_lines: u64, n_unfit: u64, n_blank: u64, first: &[u8]) -> Report {
        let first_unfit = (!first.is_empty()).then(|| (first.to_vec(), true));
        Report { n_lines, n_unfit, n_blank, n_rejected: n_unfit + n_blank, first_unfit, ..Report::default() }
    }

    #[test]
    fn a_file_is_refused_if_no_line_fits() {
        let stream = Stream::Access(Layout::Hubzero);
        let refusal = |report: &Report, strict| report.refusal(&stream, strict, || None);
        assert_eq!(refusal(&report(0, 0, 0, b""), false), None, "an empty file");
        assert_eq!(refusal(&report(5, 0, 5, b""), false), None, "blanks alone");
        assert_eq!(refusal(&report(5, 4, 0, b"x"), false), None);
        let why = refusal(&report(3, 2, 1, b"some\x1b text\n"), false).unwrap();
        assert!(why.starts_with("none of its 2 lines fits") && why.ends_with("`some\u{FFFD} text`"), "{why}");
        assert!(refusal(&report(3, 1, 0, b"x"), true).unwrap().contains("--strict"));
        let like = || Some("nginx-json".to_owned());
        let why = report(1200, 1200, 0, b"{}\n").refusal(&stream, false, like).unwrap();
        assert_eq!(why, "looks like nginx-json; 0 of 1,200 lines fit hubzero; its first such line: `{}`");
        assert!(report(3, 1, 0, b"x").refusal(&stream, true, || panic!("not asked")).is_some());
        let tail = Report { is_tail_unfit: true, ..report(0, 0, 0, b"x") };
        assert!(refusal(&tail, false).is_some());
        let left = |mut report: Report| {
            report.leave_tail();
            refusal(&report, false)
        };
        assert_eq!(left(tail), None, "the rest may come");
        let tail = Report { is_tail_unfit: true, ..report(0, 0, 0, b"PK\x03\x04") };
        assert!(left(tail).unwrap().contains("zip archive"));
        assert!(report(9, 1, 0, b"x").warning(&stream).is_some());
        assert!(report(10, 1, 0, b"x").warning(&stream).is_none());
        assert!(report(19, 1, 10, b"x").warning(&stream).is_some(), "empty lines are none");
    }

    #[test]
    fn archives_and_other_encodings_are_named() {
        let stream = Stream::Auth;
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let utf32 = |text: &str| text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>();
        let big: Vec<u8> = "2025-07-10 08:00".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, word) in [
            (b"PK\x03\x04\x14\0".to_vec(), "zip archive"),
            (b"7z\xBC\xAF\x27\x1C".to_vec(), "7z archive"),
            ([&[b'a'; 257][..], b"ustar\x0000"].concat(), "tar archive"),
            (b"\x1F\x9D\x90o".to_vec(), "compressed with compress;"),
            (b"LZIP\x01".to_vec(), "lzip"),
            (b"\x5D\0\0\x80\0".to_vec(), "lzma"),
            (b"\x02\x21\x4C\x18rest".to_vec(), "lz4's legacy format"),
            ([&[0xFF, 0xFE][..], &utf16("x")].concat(), "UTF-16"),
            (utf16("2025-07-10 08:00"), "UTF-16"),
            (utf32("2025-07-10 08:00"), "UTF-32"),
            ([&[0, 0, 0xFE, 0xFF, 0, 0, 0][..], &utf32("2")[..1]].concat(), "UTF-32"),
            (big, "UTF-16"),
        ] {
            let why = report(3, 3, 0, &bytes).refusal(&stream, false, || None).unwrap();
            assert!(why.contains(word), "{why}");
        }
        let long = report(1, 1, 0, "é".repeat(500).as_bytes()).refusal(&stream, false, || None).unwrap();
        assert!(long.matches('é').count() == SHOWN && long.ends_with("…`"), "{long}");
        assert!(report(1, 1, 0, &[0; 64]).refusal(&stream, false, || None).unwrap().starts_with("none"));
    }
}
