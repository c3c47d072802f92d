//! Lists: CSV files with a header, whose columns are found by name. Rows have the same maximum length as
//! records. A row that is too long or not UTF-8 is an error, because a list is used completely or not at all.

use std::io::{BufReader, Read};

use anyhow::{Context as _, Result, bail};

use crate::csv_rows::{Cells, Row, Rows};
use crate::door::named;

/// The maximum length of a list in bytes. A device without an end has more.
pub const LONGEST: u64 = 1 << 30;

/// One row of a list.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The number of its first line, from 1.
    pub line: u64,
    cells: Cells<'a>,
    places: &'a [Option<usize>],
}

impl<'a> Entry<'a> {
    /// The cell in the `i`th requested column; `None` if the row is too short or the list has no
    /// such column.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<&'a str> {
        self.cells.iter().nth((*self.places.get(i)?)?)
    }
}

/// Calls `each` with every row of a list. `columns` are the required columns, followed by the
/// optional ones; the header may contain them in any order, among others.
///
/// # Errors
/// A column is missing, a row is too long or not UTF-8, a quote is not closed, the list cannot be
/// read, or `each` returned an error.
pub fn read(
    list: impl Read,
    required: &[&str],
    optional: &[&str],
    mut each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    let mut rows = Rows::new(BufReader::new(named::at_most(list, LONGEST)));
    let mut places = Vec::new();
    if let Some(header) = next(&mut rows)? {
        let place = |name: &&str| header.iter().position(|cell| cell.trim_start_matches('\u{FEFF}').trim() == *name);
        places.extend(required.iter().chain(optional).map(place));
    }
    for (i, name) in required.iter().enumerate() {
        places.get(i).copied().flatten().with_context(|| format!("there is no column `{name}` in the first line"))?;
    }
    loop {
        let line = rows.line();
        let Some(cells) = next(&mut rows)? else { return Ok(()) };
        each(Entry { line, cells, places: &places })?;
    }
}

fn next<R: std::io::BufRead>(rows: &mut Rows<R>) -> Result<Option<Cells<'_>>> {
    let line = rows.line();
    match rows.next_row().with_context(|| format!("line {line}"))? {
        None => Ok(None),
        Some(Row::Cells(cells)) => Ok(Some(cells)),
        Some(Row::TooLong) => bail!("line {line}: the row is too long"),
        Some(Row::NotText) => bail!("line {line}: not UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_LINE;
    use std::io;

    fn all(list: &[u8]) -> Result<Vec<String>> {
        let mut rows = Vec::new();
        read(list, &["a", "b"], &["c"], |row| {
            rows.push(format!("{}: {:?} {:?} {:?}", row.line, row.get(0), row.get(1), row.get(2)));
            Ok(())
        })?;
        Ok(rows)
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let rows = all(b"\xEF\xBB\xBFx, b ,a\n1,2,3\n\n\"p\nq\",r\nlast,,\n").unwrap();
        let expected = [r#"2: Some("3") Some("2") None"#, r#"3: None Some("r") None"#, r#"6: Some("") Some("") None"#];
        assert_eq!(rows, expected);
        assert_eq!(all(b"a,b,c\n1,2,3").unwrap(), [r#"2: Some("1") Some("2") Some("3")"#]);
        assert_eq!(all(b"a,c\n").unwrap_err().to_string(), "there is no column `b` in the first line");
        assert_eq!(all(b"").unwrap_err().to_string(), "there is no column `a` in the first line");
    }

    #[test]
    fn a_list_with_an_invalid_row_is_an_error() {
        let error = |list: &[u8]| format!("{:#}", all(list).unwrap_err());
        assert_eq!(error(b"a,b\n1,\xFF\n"), "line 2: not UTF-8");
        assert_eq!(error(b"a,b\n1,2\n\"x,\n1,2\n"), "line 3: a quote that is not closed");
    }

    #[test]
    fn a_list_without_an_end_is_an_error() {
        for list in [&b"a,b\n1,2\n"[..], b"a,b\n", b""] {
            let error = read(list.chain(io::repeat(0)), &["a"], &[], |_| Ok(())).unwrap_err();
            assert!(format!("{error:#}").ends_with("it is longer than 1024 MB"), "{error:#}");
        }
    }

    #[test]
    fn an_open_quote_is_read_in_bounded_memory() {
        let list = (&b"a,b\n\""[..]).chain(io::repeat(b'x').take(2 * MAX_LINE as u64));
        let error = read(list, &["a"], &[], |_| Ok(())).unwrap_err();
        assert!(format!("{error:#}").contains("not closed"), "{error:#}");
        let list = (&b"a,b\n"[..]).chain(io::repeat(b'x').take(2 * MAX_LINE as u64)).chain(&b"\n1,2\n"[..]);
        let error = read(list, &["a"], &[], |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "line 2: the row is too long");
    }
}
