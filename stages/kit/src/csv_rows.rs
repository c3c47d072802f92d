//! CSV rows of bounded length, from a stream.
//!
//! A row longer than the maximum for lines is read to its end and marked as too long. A stream that ends
//! inside quotes is an error, because the open quote may have swallowed any number of rows.

use std::io::{self, BufRead, ErrorKind};

use csv_core::{ReadRecordResult, Reader};

use crate::MAX_LINE;

/// The maximum number of cells kept of a row.
const MAX_CELLS: usize = 1 << 16;

/// One row of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row<'a> {
    /// Its cells.
    Cells(Cells<'a>),
    /// Longer than a record may be, or with more cells.
    TooLong,
    /// Not UTF-8.
    NotText,
}

/// The cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cells<'a> {
    /// All cells, concatenated.
    pub(crate) text: &'a str,
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends).map(move |(start, &end)| self.text.get(start..end).unwrap_or_default())
    }
}

/// Reads rows.
pub(crate) struct Rows<R> {
    core: Reader,
    reader: R,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl<R: BufRead> Rows<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { core: Reader::new(), reader, text: vec![0; 4 << 10], ends: vec![0; 64] }
    }

    /// The number of the next line, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.core.line()
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// The stream cannot be read, or ends inside quotes.
    pub(crate) fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        let (mut n_text, mut n_ends) = (0, 0);
        let mut too_long = false;
        loop {
            let input = match self.reader.fill_buf() {
                Ok(input) => input,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            // a line feed after the last row shows whether it ends inside quotes
            let at_end = input.is_empty();
            let input = if at_end { b"\n" } else { input };
            let (result, n_in, n_out, n_end) =
                self.core.read_record(input, &mut self.text[n_text..], &mut self.ends[n_ends..]);
            if at_end && result == ReadRecordResult::InputEmpty {
                let open = || io::Error::new(ErrorKind::InvalidData, "a quote that is not closed");
                return if n_out > 0 { Err(open()) } else { Ok(None) };
            }
            if !at_end {
                self.reader.consume(n_in);
            }
            (n_text, n_ends) = (n_text + n_out, n_ends + n_end);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.text.len() < MAX_LINE => {
                    self.text.resize((2 * self.text.len()).min(MAX_LINE), 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < MAX_CELLS => {
                    self.ends.resize(2 * self.ends.len(), 0);
                }
                // the rest of the row overwrites its beginning
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    too_long = true;
                    (n_text, n_ends) = (0, 0);
                }
                ReadRecordResult::Record if too_long => return Ok(Some(Row::TooLong)),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(None),
            }
        }
        let (text, ends) = (&self.text[..n_text], &self.ends[..n_ends]);
        Ok(Some(std::str::from_utf8(text).map_or(Row::NotText, |text| Row::Cells(Cells { text, ends }))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Read as _};

    fn all(text: &str) -> Vec<Vec<String>> {
        // a reader that returns a few bytes at a time
        let mut rows = Rows::new(BufReader::with_capacity(3, text.as_bytes()));
        let mut out = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            let Row::Cells(cells) = row else { panic!("{row:?}") };
            out.push(cells.iter().map(str::to_owned).collect());
        }
        out
    }

    #[test]
    fn rows_are_those_of_the_csv_crate() {
        for text in
            ["", "\n", "a,b\n", "a,b", "a,\"b\"\"c\nd\",\n\n\"x\"", "\"\"", ",", "a\r\nb,c\rd", "a\"b,c", "\"a\"b,c\n"]
        {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let theirs: Vec<Vec<String>> =
                reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            assert_eq!(all(text), theirs, "{text:?}");
        }
        let wide = format!("{}\n", vec!["x"; 5000].join(","));
        assert_eq!(all(&wide)[0].len(), 5000);
    }

    #[test]
    fn a_row_may_be_as_long_as_a_line() {
        let long = io::repeat(b'x').take(MAX_LINE as u64 + 5);
        let text = (&b"a,\""[..]).chain(long).chain(&b"\",b\nnext,1\n"[..]);
        let mut rows = Rows::new(BufReader::new(text));
        assert_eq!(rows.next_row().unwrap(), Some(Row::TooLong));
        let Some(Row::Cells(cells)) = rows.next_row().unwrap() else { panic!("no row") };
        assert_eq!(cells.iter().collect::<Vec<_>>(), ["next", "1"]);
        assert_eq!(rows.next_row().unwrap(), None);
        let commas = io::repeat(b',').take(MAX_LINE as u64).chain(&b"\nnext\n"[..]);
        let mut rows = Rows::new(BufReader::new(commas));
        assert_eq!(rows.next_row().unwrap(), Some(Row::TooLong));
        assert!(matches!(rows.next_row().unwrap(), Some(Row::Cells(_))));
        assert!(rows.text.len() <= MAX_LINE && rows.ends.len() <= MAX_CELLS);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        for text in ["a,b\n\"c", "a\n\"c,d\ne,f\n", "\"", "\"a\"\"", "x,\""] {
            let mut rows = Rows::new(text.as_bytes());
            let error = loop {
                match rows.next_row() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{text:?}: no error"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.contains("not closed"), "{error}");
        }
        let endless = (&b"a\nb,\""[..]).chain(io::repeat(b'\n').take(3 * MAX_LINE as u64));
        let mut rows = Rows::new(BufReader::new(endless));
        assert!(rows.next_row().is_ok());
        assert!(rows.next_row().is_err());
    }

    #[test]
    fn rows_that_are_not_utf8_are_marked() {
        let mut rows = Rows::new(&b"a,\xff\nb\n"[..]);
        assert_eq!(rows.next_row().unwrap(), Some(Row::NotText));
        assert!(matches!(rows.next_row().unwrap(), Some(Row::Cells(_))));
    }
}
