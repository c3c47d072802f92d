//! Fingerprints: of any form of the same bytes, of logs that grow, shrink and are replaced.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use super::*;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text).unwrap();
    gz.finish().unwrap()
}

fn append(path: &Path, text: &str) {
    File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn rest(reading: &mut Reading) -> String {
    let mut text = String::new();
    reading.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_hash_is_unchanged_after_writing_and_parsing() {
    let hash = Hash(0x00AB_CDEF << 90);
    assert_eq!(hash.to_string().parse(), Ok(hash));
    assert_eq!((hash.to_string().len(), hash.short()), (32, hash.to_string()[..12].to_owned()));
    assert!("0".repeat(31).parse::<Hash>().is_err() && format!("+{}", "0".repeat(31)).parse::<Hash>().is_err());
}

#[test]
fn the_same_bytes_have_the_same_hash_in_any_form() {
    let place = Place::new();
    let text = "0123456789\n".repeat(2000);
    let plain = of(&place.put("a", &text)).unwrap();
    let packed = of(&place.put("a.gz", gzip(text.as_bytes()))).unwrap();
    assert_eq!((plain.bytes, plain.size), (22_000, 22_000));
    assert!(plain.is_same_content(&packed) && plain.head == packed.head && packed.size < 22_000);
    let mut digest = Digest::default();
    text.as_bytes().chunks(777).for_each(|piece| digest.update(piece));
    assert_eq!((digest.hash(), digest.head()), (plain.hash, plain.head));
    let short = of(&place.put("b", "xy")).unwrap();
    assert_eq!(short.hash, short.head);
    assert_eq!(of(&place.put("c", "")).unwrap().head, Digest::default().head());
    let json = serde_json::to_string(&plain).unwrap();
    assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), plain);
}

#[test]
fn changes_of_a_file_are_recognised() {
    let place = Place::new();
    let text = "line\n".repeat(3000);
    let path = place.put("log", &text);
    let then = of(&path).unwrap();
    let now = |path: &Path| then.compare(path).unwrap();
    assert_eq!(now(&path), Now::Same);
    assert_eq!(now(&place.put("log.gz", gzip(text.as_bytes()))), Now::Same);
    assert_eq!(now(&place.put("copy", &text)), Now::Same);
    assert_eq!(now(&place.put("cut", &text[..text.len() - 1])), Now::Other);
    assert_eq!(now(&place.put("other", text.replacen("line", "LINE", 1))), Now::Other);
    assert_eq!(now(&place.put("late", text[..text.len() - 2].to_owned() + "?\n")), Now::Other);
    assert_eq!((now(place.0.path()), now(&place.0.path().join("none"))), (Now::Other, Now::Gone));
    append(&path, "more\n");
    assert_eq!(now(&path), Now::Grown);
    assert_eq!(now(&place.put("log.gz", gzip((text + "more\n").as_bytes()))), Now::Grown);
    // under its hidden name while it is being archived
    let hidden = crate::discovery::working_name(&path).unwrap();
    fs::rename(&path, hidden).unwrap();
    assert_eq!(now(&path), Now::Grown);
}

#[test]
fn what_is_appended_is_left_and_what_shrinks_is_an_error() {
    let place = Place::new();
    let path = place.put("log", "one\ntwo\n");
    let mut reading = Reading::open(&path).unwrap();
    append(&path, "three\n");
    assert_eq!(rest(&mut reading), "one\ntwo\n");
    assert_eq!(reading.finish().unwrap().unwrap().bytes, 8);
    reading.rewind().unwrap();
    assert_eq!(rest(&mut reading), "one\ntwo\n", "a second pass sees no more");
    let big = place.put("big", "0123456789\n".repeat(200_000));
    for cut in [0, 1_000_000] {
        fs::write(&big, "0123456789\n".repeat(200_000)).unwrap();
        let mut reading = Reading::open(&big).unwrap();
        let mut buffer = [0; 1000];
        reading.read_exact(&mut buffer).unwrap();
        File::options().write(true).open(&big).unwrap().set_len(cut).unwrap();
        let failed = reading.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(failed.to_string().contains("shrank"), "{failed}");
        assert!(reading.finish().is_err() && reading.rewind().is_err());
    }
    // truncated and filled again while it is being read
    let mut reading = Reading::open(&path).unwrap();
    rest(&mut reading);
    fs::write(&path, "another text that is longer than before\n").unwrap();
    assert!(reading.finish().unwrap_err().to_string().contains("written over"));
}

#[test]
fn a_grown_log_is_read_from_where_its_last_line_began() {
    let place = Place::new();
    for (first, more, whole_lines, place_of_next, left) in [
        ("one\ntwo\n", "three\n", true, 8, "three\n"),
        ("one\ntw", "o\nthree\n", true, 4, "two\nthree\n"),
        ("one\ntw", "o\nthree\n", false, 6, "o\nthree\n"),
        ("on", "e\n", true, 0, "one\n"),
        ("", "one\n", true, 0, "one\n"),
    ] {
        let path = place.put("log", first);
        let earlier = of(&path).unwrap();
        append(&path, more);
        let mut reading = Reading::open(&path).unwrap();
        assert_eq!(reading.skip(&earlier, whole_lines).unwrap(), place_of_next, "{first:?}");
        assert_eq!(rest(&mut reading), left, "{first:?}");
        assert!(reading.finish().unwrap().unwrap().is_same_content(&of(&path).unwrap()), "{first:?}");
    }
    let earlier = of(&place.put("log", "one\n")).unwrap();
    for text in ["two\nthree\n", "on"] {
        assert!(Reading::open(&place.put("log", text)).unwrap().skip(&earlier, true).is_err());
    }
}

#[test]
fn hashes_of_prefixes_are_those_of_shorter_files() {
    let place = Place::new();
    let text = "one\ntwo\nthree".repeat(60_000);
    let path = place.put("log", &text);
    let lengths = [0, 4, 6, 500_000, text.len() as u64, 1 << 40];
    let (read, found) = with_prefixes(&path, &lengths).unwrap();
    assert!(read.is_same_content(&of(&path).unwrap()));
    for (prefix, length) in found.iter().zip(lengths) {
        let beginning = &text[..usize::try_from(length).unwrap()];
        assert!(of(&place.put("part", beginning)).unwrap().hash == prefix.hash && prefix.bytes == length);
        assert_eq!(prefix.line, beginning.rfind('\n').map_or(0, |end| end as u64 + 1));
    }
    assert_eq!(found.len(), 5, "the last one is longer than the log");
}

#[test]
fn a_pass_without_fingerprint_does_not_affect_the_next() {
    let place = Place::new();
    let path = place.put("a", "line\n".repeat(5000));
    let mut reading = Reading::open(&path).unwrap();
    reading.read_exact(&mut [0; 7]).unwrap();
    reading.look();
    assert_eq!(rest(&mut reading).len(), 24_993);
    assert!(reading.fingerprint().is_none());
    reading.rewind().unwrap();
    assert_eq!(rest(&mut reading).len(), 25_000);
    assert_eq!(reading.finish().unwrap(), Some(of(&path).unwrap()));
}
