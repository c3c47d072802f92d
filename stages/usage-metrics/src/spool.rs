//! The lines of the stream in a temporary file, in blocks, until the months are processed and they
//! can be written with the results.

use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};

use anyhow::{Context as _, Result};

/// The approximate size of a block in bytes.
const BLOCK_BYTES: usize = 1 << 20;

/// How many records there are of each parsed kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) web: u32,
    pub(crate) tool: u32,
    pub(crate) session: u32,
}

/// Some consecutive lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    n_bytes: usize,
    /// Number of records before the block.
    pub(crate) before: Counts,
}

/// Stores lines and returns them in order.
pub(crate) struct Spool {
    file: BufWriter<File>,
    blocks: Vec<Block>,
    current: Block,
}

impl Spool {
    /// Creates an anonymous file in the directory for temporary files (TMPDIR).
    pub(crate) fn new() -> Result<Self> {
        let directory = std::env::temp_dir();
        let file = tempfile::tempfile_in(&directory)
            .with_context(|| format!("creating a temporary file in {}", directory.display()))?;
        let current = Block { n_bytes: 0, before: Counts::default() };
        Ok(Self { file: BufWriter::with_capacity(1 << 20, file), blocks: Vec::new(), current })
    }

    /// Adds a line; `before` counts the records before it.
    pub(crate) fn push(&mut self, line: &[u8], before: Counts) -> Result<()> {
        if self.current.n_bytes >= BLOCK_BYTES {
            self.blocks.push(self.current);
            self.current = Block { n_bytes: 0, before };
        }
        self.current.n_bytes += line.len() + 1;
        self.file.write_all(line).and_then(|()| self.file.write_all(b"\n")).with_context(writing)
    }

    /// Switches to reading, from the first line.
    pub(crate) fn read(mut self) -> Result<Lines> {
        self.blocks.push(self.current);
        let mut file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(writing)?;
        file.seek(SeekFrom::Start(0)).context(TEMPORARY)?;
        Ok(Lines { file, blocks: self.blocks.into_iter() })
    }
}

fn writing() -> String {
    format!("writing a temporary file in {}", std::env::temp_dir().display())
}

const TEMPORARY: &str = "reading the temporary file back";

/// The stored lines, block by block.
pub(crate) struct Lines {
    file: File,
    blocks: std::vec::IntoIter<Block>,
}

impl Lines {
    /// Reads the next block into `bytes`, each line with its end; `None` after the last one.
    pub(crate) fn next_block(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Block>> {
        let Some(block) = self.blocks.next() else { return Ok(None) };
        bytes.resize(block.n_bytes, 0);
        self.file.read_exact(bytes).context(TEMPORARY)?;
        Ok(Some(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_in_order_with_their_counts() {
        let mut spool = Spool::new().unwrap();
        let line = vec![b'x'; BLOCK_BYTES / 2];
        for i in 0..5 {
            spool.push(&line[..line.len() - i as usize], Counts { web: i, ..Counts::default() }).unwrap();
        }
        let mut lines = spool.read().unwrap();
        let (mut bytes, mut seen) = (Vec::new(), Vec::new());
        while let Some(block) = lines.next_block(&mut bytes).unwrap() {
            let ends = bytes.iter().filter(|&&b| b == b'\n').count();
            seen.push((block.before.web, ends));
        }
        assert_eq!(seen, [(0, 2), (2, 3)]);
    }

    #[test]
    fn an_empty_spool_has_one_empty_block() {
        let mut lines = Spool::new().unwrap().read().unwrap();
        let mut bytes = vec![1];
        assert!(lines.next_block(&mut bytes).unwrap().is_some());
        assert!(bytes.is_empty() && lines.next_block(&mut bytes).unwrap().is_none());
    }
}
