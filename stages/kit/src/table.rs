//! `--format table`: human-readable, aligned columns.
//!
//! The widths are determined by the first rows; later rows that need more room are wider, so memory
//! stays bounded.

use std::io::Write;

use crate::is_unseen;
use anyhow::{Result, anyhow};
use schema::csv::{ABSENT, Header};

/// How many rows determine the widths.
const SAMPLE: usize = 1000;

#[derive(Default)]
pub(crate) struct Table {
    header: Option<Header>,
    rows: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    pub(crate) fn add(&mut self, line: &[u8], out: &mut dyn Write) -> Result<()> {
        let bad = |bad: schema::json::Bad| anyhow!("writing a record: {}", bad.reason());
        if self.header.is_none() {
            let header = Header::for_line(line).map_err(bad)?;
            self.rows.push(header.names().map(str::to_owned).collect());
            self.header = Some(header);
        }
        if let Some(header) = &self.header {
            let (cells, _) = header.row(line).map_err(bad)?;
            let show = |cell: &str| {
                if cell == ABSENT {
                    String::new()
                } else {
                    cell.chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect()
                }
            };
            self.rows.push(cells.iter().map(|cell| show(cell)).collect());
        }
        if self.rows.len() > SAMPLE { self.write_rows(out) } else { Ok(()) }
    }

    pub(crate) fn finish(&mut self, out: &mut dyn Write) -> Result<()> {
        self.write_rows(out)
    }

    fn write_rows(&mut self, out: &mut dyn Write) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let n_columns = rows.first().map_or(0, Vec::len);
        let widths = self.widths.get_or_insert_with(|| {
            (0..n_columns)
                .map(|i| rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0))
                .collect()
        });
        for row in rows {
            let mut text = String::new();
            for (i, cell) in row.iter().enumerate().skip(1) {
                let width = widths.get(i).copied().unwrap_or(0);
                let blanks = width.saturating_sub(cell.chars().count());
                let number = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-') && cell.parse::<f64>().is_ok();
                if number {
                    text.extend(std::iter::repeat_n(' ', blanks));
                    text.push_str(cell);
                } else {
                    text.push_str(cell);
                    text.extend(std::iter::repeat_n(' ', blanks));
                }
                text.push_str("  ");
            }
            writeln!(out, "{}", text.trim_end())?;
        }
        Ok(())
    }
}
