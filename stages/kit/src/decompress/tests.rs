//! Compressed bytes of every format: in parts, cut, followed by other bytes, compressed twice.

use std::fs;
use std::io::{self, Read as _, Write as _};

use super::{Compression, open_reader};

const KINDS: [&str; 5] = ["gz", "zst", "bz2", "xz", "lz4"];

fn made(name: &str) -> Vec<u8> {
    fs::read(fixtures::folder().join("compressed").join(name)).unwrap()
}

fn read(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    open_reader(io::Cursor::new(bytes))?.read_to_end(&mut out).map(|_| out)
}

#[track_caller]
fn fails(bytes: Vec<u8>, words: &str) {
    let error = read(bytes).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn all_parts_of_every_format_are_read() {
    for kind in KINDS {
        let (one, many) = (made(&format!("one.{kind}")), made(&format!("many.{kind}")));
        assert_eq!(read(one.clone()).unwrap(), b"one\n", "{kind}");
        let lines = b"a line of a log\n".repeat(20_000);
        assert!(read(many.clone()).unwrap() == lines, "{kind}");
        let expected = [b"one\n", &lines[..], b"one\n"].concat();
        assert!(read([one.clone(), many, one.clone()].concat()).unwrap() == expected, "{kind}");
        // all parts are treated alike, whatever program wrote them
        assert_eq!(read([one, made("one.zst")].concat()).unwrap(), b"one\none\n", "{kind}");
    }
    assert_eq!(read(b"pl".to_vec()).unwrap(), b"pl");
    assert_eq!(read(b"BZh9 a line of text".to_vec()).unwrap(), b"BZh9 a line of text");
    assert_eq!(read(Vec::new()).unwrap(), b"");
}

#[test]
fn frames_for_other_programs_are_skipped() {
    let skipped = |n: u32| [&[0x5A, 0x2A, 0x4D, 0x18][..], &n.to_le_bytes(), &vec![7; n as usize]].concat();
    for kind in ["zst", "lz4"] {
        let one = made(&format!("one.{kind}"));
        let bytes = [skipped(0), one.clone(), skipped(300_000), skipped(2), one.clone(), skipped(9)].concat();
        assert_eq!(read(bytes.clone()).unwrap(), b"one\none\n", "{kind}");
        fails(bytes[..bytes.len() - 3].to_vec(), "cut short");
    }
    assert_eq!(read(made("pz.zst")).unwrap().len(), 320_000);
}

#[test]
fn cut_or_changed_data_is_an_error_at_every_byte() {
    for (kind, name, text, step) in KINDS
        .iter()
        .flat_map(|kind| [(kind, "one", b"one\n".to_vec(), 1), (kind, "many", b"a line of a log\n".repeat(20_000), 7)])
    {
        let bytes = made(&format!("{name}.{kind}"));
        for n in (Compression::MAGIC..bytes.len()).step_by(step) {
            let error = read(bytes[..n].to_vec()).expect_err(&format!("{kind}, the first {n} bytes"));
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{kind}, {n}: {error}");
            let mut changed = bytes.clone();
            changed[n] ^= 0x10;
            if let Ok(other) = read(changed) {
                assert!(other == text, "{kind}, byte {n}");
            }
        }
        fails(bytes[..bytes.len() - 1].to_vec(), "is cut short");
        let mut changed = bytes;
        let in_checksum = changed.len() - 3;
        changed[in_checksum] ^= 1;
        fails(changed, "is damaged");
    }
}

#[test]
fn anything_after_the_data_is_named() {
    for kind in KINDS {
        let one = made(&format!("one.{kind}"));
        let with = |more: &[u8]| [&one[..], more].concat();
        fails(with(b"a line\n"), "7 bytes of text after the compressed data");
        fails(with(b"x"), "1 byte of text after");
        fails(with(&[1, 2, 3]), "3 bytes of something else after");
        for zeros in [1, 511, 600_000] {
            let padding = vec![0; zeros];
            assert_eq!(read(with(&padding)).unwrap(), b"one\n", "{kind}, {zeros} zeros");
            fails(with(&[&padding[..], b"a line\n"].concat()), "7 bytes of text after");
            let again = read(with(&[&padding[..], &one].concat()));
            if kind == "xz" {
                assert_eq!(again.unwrap(), b"one\none\n");
            } else {
                assert!(again.unwrap_err().to_string().contains("more compressed data after zeros"), "{kind}");
            }
        }
    }
}

#[test]
fn double_compression_is_named() {
    fails(made("twice.gz"), "it is compressed twice, with zstd and then with gzip; decompress it once");
    for kind in KINDS {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&made(&format!("many.{kind}"))).unwrap();
        fails(gz.finish().unwrap(), "compressed twice");
    }
}

#[test]
fn a_header_cannot_demand_unlimited_memory() {
    fails(made("hostile.xz"), "needs more than 80 MiB of memory");
}

#[test]
fn errors_of_the_file_are_reported_unchanged() {
    struct Shrinks(io::Cursor<Vec<u8>>);
    impl io::Read for Shrinks {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file shrank")),
                n => Ok(n),
            }
        }
    }
    for kind in KINDS {
        let bytes = made(&format!("many.{kind}"));
        let reader = Shrinks(io::Cursor::new(bytes[..bytes.len() - 5].to_vec()));
        let error = open_reader(reader).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "the file shrank", "{kind}");
    }
}

#[test]
fn a_pipe_may_deliver_bytes_one_by_one() {
    struct Drops(Vec<u8>, bool);
    impl io::Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let n = self.0.len().min(1);
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }
    for kind in KINDS {
        let one = made(&format!("one.{kind}"));
        let mut out = Vec::new();
        let bytes = [one.clone(), one].concat();
        open_reader(Drops(bytes, false)).unwrap().read_to_end(&mut out).unwrap();
        assert_eq!(out, b"one\none\n", "{kind}");
    }
}

#[test]
fn suffixes_belong_to_the_formats() {
    for (ending, kind) in Compression::ENDINGS.iter().zip(["gzip", "zstd", "bzip2", "xz", "lz4"]) {
        assert_eq!(Compression::of(&made(&format!("one{ending}"))).name(), kind);
    }
}
