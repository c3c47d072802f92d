//! Files as programs compress them.

use std::io::Write as _;

use flate2::Crc;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    /// Several members, one behind the other.
    GzipMembers,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

impl Packing {
    pub(super) const ALL: [Self; 7] =
        [Self::None, Self::Gzip, Self::GzipMembers, Self::Zstd, Self::Bzip2, Self::Xz, Self::Lz4];

    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip | Self::GzipMembers => ".gz",
            Self::Zstd => ".zst",
            Self::Bzip2 => ".bz2",
            Self::Xz => ".xz",
            Self::Lz4 => ".lz4",
        }
    }

    pub(super) fn pack(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::None => bytes.to_vec(),
            Self::Gzip => fixtures::gzip(bytes),
            // the second one begins anywhere in a line
            Self::GzipMembers => {
                let (first, second) = bytes.split_at(bytes.len() / 2);
                [fixtures::gzip(first), fixtures::gzip(b""), fixtures::gzip(second)].concat()
            }
            Self::Zstd => zstd::encode_all(bytes, 1).unwrap(),
            Self::Bzip2 => {
                let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Self::Xz => xz(bytes),
            Self::Lz4 => {
                let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
        }
    }
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

/// A number as xz writes it, seven bits a byte.
fn number(mut n: usize, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(u8::try_from(n & 0x7F).unwrap() | 0x80);
        n >>= 7;
    }
    out.push(u8::try_from(n).unwrap());
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

/// An xz file that stores its content as it is, in one block with a CRC32.
fn xz(bytes: &[u8]) -> Vec<u8> {
    const FLAGS: [u8; 2] = [0, 1];
    let mut out = b"\xFD7zXZ\0".to_vec();
    out.extend(FLAGS);
    out.extend(crc(&FLAGS));
    let mut index = vec![0];
    if bytes.is_empty() {
        number(0, &mut index);
    } else {
        // eight bytes more than this: one filter, LZMA2 with a dictionary of 64 KiB
        let header = [2, 0, 0x21, 1, 8, 0, 0, 0];
        let mut block = header.to_vec();
        block.extend(crc(&header));
        for (i, part) in bytes.chunks(1 << 16).enumerate() {
            block.push(if i == 0 { 1 } else { 2 });
            block.extend(u16::try_from(part.len() - 1).unwrap().to_be_bytes());
            block.extend(part);
        }
        block.push(0);
        let unpadded = block.len() + 4;
        pad(&mut block);
        block.extend(crc(bytes));
        out.extend(block);
        number(1, &mut index);
        number(unpadded, &mut index);
        number(bytes.len(), &mut index);
    }
    pad(&mut index);
    let check = crc(&index);
    index.extend(check);
    let mut footer = u32::try_from(index.len() / 4 - 1).unwrap().to_le_bytes().to_vec();
    footer.extend(FLAGS);
    out.extend(&index);
    out.extend(crc(&footer));
    out.extend(footer);
    out.extend(b"YZ");
    out
}

#[test]
fn what_is_packed_can_be_read() {
    for bytes in [&b""[..], b"a\nb\n", &[7; 200_000]] {
        for packing in Packing::ALL {
            let folder = tempfile::tempdir().unwrap();
            let path = crate::file(&folder, "log", packing.pack(bytes));
            let mut found = Vec::new();
            std::io::Read::read_to_end(&mut kit::open(&path).unwrap(), &mut found).unwrap();
            assert!(found == bytes, "{packing:?}, {} bytes", bytes.len());
        }
    }
}
