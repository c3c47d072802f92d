//! Data that does not fit into memory goes to temporary files, split into parts that can be
//! processed one by one: sessions and their downloads are joined by the session's id, then
//! everything of one visitor by the visitor. Visits of resources are split by the visitor at once.
//! Only with `--memory`.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read as _, Seek as _, Write as _};

use anyhow::{Context as _, Result};

use crate::axis::Visibility;
use crate::row::NO_ID;
use crate::twins;

/// Parts of each kind; one of them is in memory at a time.
pub(crate) const PARTS: usize = 64;

/// Records of `N` bytes, each in one of [`PARTS`] nameless files.
#[derive(Debug)]
pub(crate) struct Parts<const N: usize> {
    files: Vec<BufWriter<File>>,
}

impl<const N: usize> Parts<N> {
    /// Creates the files, in the directory for temporary files.
    ///
    /// # Errors
    /// They cannot be created.
    pub(crate) fn new() -> Result<Self> {
        let file = || Ok(BufWriter::with_capacity(1 << 13, tempfile::tempfile()?));
        let files: std::io::Result<_> = (0..PARTS).map(|_| file()).collect();
        Ok(Self { files: files.with_context(doing)? })
    }

    /// Adds a record to the part for `key`; the same key is always in the same part.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn push(&mut self, key: u64, record: &[u8; N]) -> Result<()> {
        let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let part = mixed as usize % PARTS;
        self.files[part].write_all(record).with_context(doing)
    }

    /// The parts, to be read one by one; records are in the order in which they were added.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn into_parts(self) -> Result<Vec<PartFile<N>>> {
        let part = |file: BufWriter<File>| {
            let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.rewind()?;
            Ok(PartFile(file))
        };
        let parts: std::io::Result<_> = self.files.into_iter().map(part).collect();
        parts.with_context(doing)
    }
}

/// One of the files, complete.
#[derive(Debug)]
pub(crate) struct PartFile<const N: usize>(File);

impl<const N: usize> PartFile<N> {
    /// Passes on its records.
    ///
    /// # Errors
    /// The file cannot be read, or `record` fails.
    pub(crate) fn each(self, mut record: impl FnMut(&[u8; N]) -> Result<()>) -> Result<()> {
        let mut file = BufReader::with_capacity(1 << 16, self.0);
        let mut buffer = [0; N];
        loop {
            match file.read_exact(&mut buffer) {
                Ok(()) => record(&buffer)?,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error).with_context(doing),
            }
        }
    }
}

fn doing() -> String {
    format!("keeping data in a temporary file in {}", std::env::temp_dir().display())
}

/// A fixed part of a record as a number.
pub(crate) fn bytes<const M: usize>(record: &[u8], at: usize) -> [u8; M] {
    record.get(at..at + M).and_then(|part| part.try_into().ok()).unwrap_or([0; M])
}

/// No download.
const NONE: u32 = u32::MAX;
/// A download at a time that is in no period.
const UNSEEN: u32 = u32::MAX - 1;

fn code(seen: Option<Visibility>) -> u32 {
    seen.map_or(UNSEEN, |seen| u32::from(seen.row) << 16 | u32::from(seen.level))
}

fn decode(code: u32) -> Option<Visibility> {
    (code != UNSEEN).then_some(Visibility { row: (code >> 16) as u16, level: code as u16 })
}

/// Sessions and downloads, split by the session's id.
#[derive(Debug)]
pub(crate) struct Spill {
    sessions: Parts<28>,
    downloads: Parts<12>,
}

/// A session with its visitor's key, and its downloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Met {
    pub visitor: u128,
    pub shape: u32,
    pub downloads: Vec<Option<Visibility>>,
}

impl Spill {
    /// Empty.
    ///
    /// # Errors
    /// Temporary files cannot be created.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { sessions: Parts::new()?, downloads: Parts::new()? })
    }

    /// # Errors
    /// The disk is full.
    pub(crate) fn session(&mut self, visitor: u128, id: i64, shape: u32) -> Result<()> {
        let mut record = [0; 28];
        record[..16].copy_from_slice(&visitor.to_le_bytes());
        record[16..24].copy_from_slice(&id.to_le_bytes());
        record[24..].copy_from_slice(&shape.to_le_bytes());
        self.sessions.push(id.cast_unsigned(), &record)
    }

    /// # Errors
    /// The disk is full.
    pub(crate) fn download(&mut self, (id, seen): (i64, Option<Visibility>)) -> Result<()> {
        let mut record = [0; 12];
        record[..8].copy_from_slice(&id.to_le_bytes());
        record[8..].copy_from_slice(&code(seen).to_le_bytes());
        self.downloads.push(id.cast_unsigned(), &record)
    }

    /// Joins sessions with their downloads and passes them on in parts: all sessions of a visitor
    /// are in the same one.
    ///
    /// # Errors
    /// The disk is full, or `part` fails.
    pub(crate) fn join(self, mut part: impl FnMut(Vec<Met>) -> Result<()>) -> Result<()> {
        let mut met = Parts::<32>::new()?;
        let mut number = 0_u64;
        for (sessions, downloads) in self.sessions.into_parts()?.into_iter().zip(self.downloads.into_parts()?) {
            let mut list: Vec<(i64, u32)> = Vec::new();
            downloads.each(|record| {
                list.push((i64::from_le_bytes(bytes(record, 0)), u32::from_le_bytes(bytes(record, 8))));
                Ok(())
            })?;
            list.sort_unstable();
            list.dedup();
            let mut ids = Vec::new();
            sessions.each(|record| {
                let visitor: [u8; 16] = bytes(record, 0);
                let id = i64::from_le_bytes(bytes(record, 16));
                ids.push(id);
                let mut out = [0; 32];
                out[..16].copy_from_slice(&visitor);
                // the number shows where the next session begins
                out[16..24].copy_from_slice(&number.to_le_bytes());
                out[24..28].copy_from_slice(&record[24..]);
                number += 1;
                let key = u128::from_le_bytes(visitor);
                let key = (key >> 64) as u64 ^ key as u64;
                let from = list.partition_point(|d| d.0 < id);
                let mine = list.get(from..).unwrap_or_default().iter().take_while(|d| d.0 == id && id != NO_ID);
                let mut any = false;
                for (_, code) in mine {
                    out[28..32].copy_from_slice(&code.to_le_bytes());
                    met.push(key, &out)?;
                    any = true;
                }
                if !any {
                    out[28..32].copy_from_slice(&NONE.to_le_bytes());
                    met.push(key, &out)?;
                }
                Ok(())
            })?;
            twins::refuse(ids.into_iter())?;
        }
        for records in met.into_parts()? {
            let mut list: Vec<Met> = Vec::new();
            let mut last = None;
            records.each(|record| {
                let (visitor, number) = (u128::from_le_bytes(bytes(record, 0)), u64::from_le_bytes(bytes(record, 16)));
                if last != Some((visitor, number)) {
                    list.push(Met { visitor, shape: u32::from_le_bytes(bytes(record, 24)), downloads: Vec::new() });
                    last = Some((visitor, number));
                }
                let code = u32::from_le_bytes(bytes(record, 28));
                if let Some(session) = list.last_mut().filter(|_| code != NONE) {
                    session.downloads.push(decode(code));
                }
                Ok(())
            })?;
            part(list)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_joined_with_their_downloads() {
        let mut spill = Spill::new().unwrap();
        let seen = |n: u16| Some(Visibility { row: n, level: n + 1 });
        for id in 0..1000_i64 {
            // two sessions of the same visitor in one row, one without an id
            spill.session(u128::from(id.unsigned_abs() % 100) << 64 | 7, id, 5).unwrap();
        }
        spill.session(3 << 64 | 7, NO_ID, 6).unwrap();
        for download in [(5, seen(3)), (5, None), (5, seen(3)), (105, seen(4)), (NO_ID, seen(9)), (5000, seen(1))] {
            spill.download(download).unwrap();
        }
        let mut all: Vec<Met> = Vec::new();
        let mut visitors = std::collections::HashSet::new();
        let mut n_parts = 0;
        spill
            .join(|part| {
                let here: std::collections::HashSet<_> = part.iter().map(|met| met.visitor).collect();
                assert!(here.is_disjoint(&visitors), "a visitor in two parts");
                visitors.extend(here);
                n_parts += usize::from(!part.is_empty());
                all.extend(part);
                Ok(())
            })
            .unwrap();
        assert!(n_parts > 20, "{n_parts}");
        assert_eq!((all.len(), visitors.len()), (1001, 100));
        let with: Vec<_> = all.iter().filter(|met| !met.downloads.is_empty()).collect();
        assert_eq!(with.iter().map(|met| met.visitor).collect::<Vec<_>>(), [5 << 64 | 7; 2]);
        let mut downloads: Vec<_> = with.iter().map(|met| met.downloads.clone()).collect();
        downloads.sort();
        assert_eq!(downloads, [vec![seen(3), None], vec![seen(4)]]);
        assert_eq!(all.iter().filter(|met| met.shape == 6).count(), 1);
    }
}
