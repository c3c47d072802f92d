//! Reads the lines of a list that another program has written, within limits.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use kit::Lines;
use kit::door;

/// The maximum length of a line, and the maximum number of lines.
pub(super) const LONGEST: usize = 64 << 10;
const MOST: u64 = 1_000_000;

/// Calls `each` with the lines of a list; returns `false` if there is no such file.
pub(super) fn each_line(path: &Path, mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<bool> {
    let file = match door::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e).with_context(|| format!("opening {}", path.display())),
    };
    let mut lines = Lines::new(file);
    while let Some(line) = lines.next_line().with_context(|| format!("reading {}", path.display()))? {
        let at = || format!("{}:{}", path.display(), line.number);
        if line.cut || line.text.len() > LONGEST || line.number > MOST {
            bail!("{}: too long for a list", at());
        }
        each(line.number, line.text).with_context(at)?;
    }
    Ok(true)
}
