//! Lists of bots in files.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, Cursor, Read};
use std::path::Path;

use anyhow::{Context as _, Result};
use kit::door::named;
use kit::{Lines, list};

use super::words::stored;

/// Passes the stored texts of a list of bots to `each`: one agent per line, or CSV or NDJSON
/// records of kind `bot`.
///
/// # Errors
/// The file cannot be read, or contains an invalid record.
pub(crate) fn read_bots(path: &Path, mut each: impl FnMut(&str)) -> Result<()> {
    let reading = || format!("reading the list of bots {}", path.display());
    let mut rest = BufReader::new(named::at_most(kit::open(path)?, list::LONGEST));
    let mut head = Vec::new();
    rest.by_ref().take(MAX_HEAD).read_until(b'\n', &mut head).with_context(reading)?;
    let first = head.trim_ascii().to_vec();
    let whole = Cursor::new(head).chain(rest);
    if first == b"useragent" || first.starts_with(b"kind,useragent") {
        return bots_of_csv(whole, each).with_context(reading);
    }
    let is_json = first.first() == Some(&b'{');
    let mut lines = Lines::new(whole);
    while let Some(line) = lines.next_line().with_context(reading)? {
        if !is_json {
            let text = line.text.strip_suffix(b"\r").unwrap_or(line.text);
            if !text.is_empty() {
                each(&stored(text));
            }
        } else if !line.text.trim_ascii().is_empty() {
            let bot = serde_json::from_slice::<Bot>(line.text).with_context(reading)?;
            bot.useragent.iter().for_each(|agent| each(&stored(agent.as_bytes())));
        }
    }
    Ok(())
}

/// How many bytes are searched for the header of a list.
const MAX_HEAD: u64 = 64 << 10;

#[derive(serde::Deserialize)]
struct Bot {
    useragent: Option<String>,
}

fn bots_of_csv(list: impl Read, mut each: impl FnMut(&str)) -> Result<()> {
    list::read(list, &["useragent"], &[], |row| {
        if let Some(cell) = row.get(0) {
            let agent = cell.strip_prefix("\\\\").map_or(Cow::Borrowed(cell), |rest| format!("\\{rest}").into());
            each(&stored(agent.as_bytes()));
        }
        Ok(())
    })
}
