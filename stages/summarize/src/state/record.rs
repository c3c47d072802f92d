//! Records of a fixed width, and sections of a file made of them.
//!
//! A section holds the first bytes of all records, then the second ones, and so on, compressed with
//! zstd: sorted keys and small numbers become short.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result, ensure};
use zstd::zstd_safe::{CCtx, CParameter, DCtx};

/// A record as bytes that sort as it does.
pub(crate) trait Record: Copy + Ord + Send + Sync {
    /// How many bytes it has.
    const SIZE: usize;

    /// Appends its bytes.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes its bytes off the front.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

/// Takes so many bytes off the front.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

/// Structs of whole numbers that are records.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $field:ident: $type:ty),* $(,)? })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
        pub(crate) struct $name { $($(#[$of])* pub(crate) $field: $type),* }

        impl $crate::state::record::Record for $name {
            const SIZE: usize = 0 $(+ size_of::<$type>())*;

            fn write(&self, out: &mut Vec<u8>) {
                $(out.extend_from_slice(&self.$field.to_be_bytes());)*
            }

            fn read(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: <$type>::from_be_bytes($crate::state::record::take(bytes)?)),* })
            }
        }
    )* };
}
pub(crate) use records;

/// Records as a section.
///
/// # Errors
/// Never in practice: memory.
pub(crate) fn pack<R: Record>(records: &[R]) -> Result<Vec<u8>> {
    let mut rows = Vec::with_capacity(records.len() * R::SIZE);
    records.iter().for_each(|record| record.write(&mut rows));
    let mut columns = Vec::with_capacity(rows.len());
    for at in 0..R::SIZE {
        columns.extend(rows.iter().skip(at).step_by(R::SIZE));
    }
    compress(&columns)
}

/// The records of a section.
///
/// # Errors
/// It is damaged.
pub(crate) fn unpack<R: Record>(section: &[u8]) -> Result<Vec<R>> {
    let columns = decompress(section)?;
    let n = columns.len() / R::SIZE;
    ensure!(n * R::SIZE == columns.len(), "a section has half a record");
    let mut rows = vec![0; columns.len()];
    for (at, column) in columns.chunks_exact(n.max(1)).enumerate() {
        for (row, byte) in rows.iter_mut().skip(at).step_by(R::SIZE).zip(column) {
            *row = *byte;
        }
    }
    let mut rest = &rows[..];
    (0..n).map(|_| R::read(&mut rest).context("a section has half a record")).collect()
}

thread_local! {
    // A new one asks the processor what it can do, for which a virtual machine interrupts its guest: for a small
    // section that takes longer than all else.
    static WRITER: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static READER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Compresses bytes.
///
/// # Errors
/// Never in practice: memory.
pub(crate) fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    WRITER.with_borrow_mut(|context| {
        let mut encoder = zstd::Encoder::with_context(Vec::new(), context);
        encoder.set_parameter(CParameter::CompressionLevel(3))?;
        encoder.include_checksum(true)?;
        encoder.write_all(bytes)?;
        Ok(encoder.finish()?)
    })
}

/// The bytes again.
///
/// # Errors
/// They are damaged.
pub(crate) fn decompress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    READER.with_borrow_mut(|context| {
        let read = zstd::Decoder::with_context(bytes, context).read_to_end(&mut out);
        read.context("a section is damaged")
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    records! {
        /// All widths.
        Sample { a: u128, b: u8, c: i64, d: u16, e: u32 }
    }

    proptest! {
        #[test]
        fn records_come_back(list in prop::collection::vec(any::<(u128, u8, i64, u16, u32)>(), 0..50)) {
            let list: Vec<_> = list.into_iter().map(|(a, b, c, d, e)| Sample { a, b, c, d, e }).collect();
            let section = pack(&list).unwrap();
            prop_assert_eq!(unpack::<Sample>(&section).unwrap(), list);
        }
    }

    #[test]
    fn damaged_sections_are_refused() {
        let section = pack(&[Sample { a: 5, ..Sample::default() }; 9]).unwrap();
        assert!(unpack::<Sample>(&section[..section.len() - 1]).is_err());
        assert!(unpack::<Sample>(&compress(&[1; 32]).unwrap()).is_err());
        assert!(unpack::<Sample>(b"nonsense").is_err());
    }
}
