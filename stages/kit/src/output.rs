//! Records out: NDJSON, CSV or a table, to standard output or a file that appears whole.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use schema::csv::Header;
use schema::{Kind, json};
use tempfile::NamedTempFile;

use crate::table::Table;
use crate::{Endpoint, Format, Messages, ReaderLeft, Usage};

const BUFFER: usize = 256 << 10;

/// Standard output that tells "the reader left" from every other broken pipe.
struct Stdout(io::Stdout);

fn mark(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::BrokenPipe { io::Error::other(ReaderLeft) } else { error }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(mark)
    }
}

enum Sink {
    Stdout(BufWriter<Stdout>),
    /// A device or pipe that was named as a file: written directly.
    Direct(BufWriter<std::fs::File>),
    File {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
}

impl Sink {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(w) => w,
            Self::Direct(w) => w,
            Self::File { file, .. } => file,
        }
    }
}

enum Shape {
    Ndjson,
    Csv { kind: String, header: Option<Header>, writer: Box<csv::Writer<Vec<u8>>> },
    Table { kind: String, table: Table },
}

/// The record stream that a stage writes. Call [`Output::finish`] at the end: without it a file
/// does not appear.
pub struct Output {
    sink: Sink,
    shape: Shape,
    line_buffered: bool,
    messages: Messages,
    n_other_kinds: u64,
    n_fields_left_out: u64,
}

impl Output {
    /// Opens the destination. `kind` is what CSV and tables show.
    ///
    /// # Errors
    /// The file cannot be made, or the destination is a database.
    pub fn new(to: &Endpoint, format: Format, kind: &str, messages: Messages) -> Result<Self> {
        let sink = match to {
            Endpoint::Standard => Sink::Stdout(BufWriter::with_capacity(BUFFER, Stdout(io::stdout()))),
            Endpoint::File(path) if is_special(path) => {
                let file =
                    OpenOptions::new().write(true).open(path).with_context(|| format!("opening {}", path.display()))?;
                Sink::Direct(BufWriter::with_capacity(BUFFER, file))
            }
            Endpoint::File(path) => {
                Sink::File { file: BufWriter::with_capacity(BUFFER, temporary_beside(path)?), path: path.clone() }
            }
            Endpoint::Database => return Err(Usage("`--to db` writes tables, not a record stream".to_owned()).into()),
        };
        let line_buffered = matches!(sink, Sink::Stdout(_)) && io::stdout().is_terminal();
        let shape = match format {
            Format::Ndjson => Shape::Ndjson,
            Format::Csv => {
                let writer = Box::new(csv::WriterBuilder::new().flexible(true).from_writer(Vec::new()));
                Shape::Csv { kind: kind.to_owned(), header: None, writer }
            }
            Format::Table => Shape::Table { kind: kind.to_owned(), table: Table::default() },
        };
        Ok(Self { sink, shape, line_buffered, messages, n_other_kinds: 0, n_fields_left_out: 0 })
    }

    /// Whether records are written as they are, so that whole blocks of lines may be handed over.
    #[must_use]
    pub const fn is_ndjson(&self) -> bool {
        matches!(self.shape, Shape::Ndjson)
    }

    /// Writes one record, given as a JSON line without its end.
    ///
    /// # Errors
    /// The destination cannot be written, or the reader left.
    pub fn record(&mut self, line: &[u8]) -> Result<()> {
        match &mut self.shape {
            Shape::Ndjson => {
                let writer = self.sink.writer();
                writer.write_all(line).and_then(|()| writer.write_all(b"\n")).context("writing records")?;
            }
            Shape::Csv { kind, header, writer } => {
                if json::kind_of(line).map_err(|bad| anyhow!("writing a record: {}", bad.reason()))? != *kind {
                    self.n_other_kinds += 1;
                    return Ok(());
                }
                if header.is_none() {
                    let made = Header::for_line(line).map_err(|bad| anyhow!("writing a record: {}", bad.reason()))?;
                    writer.write_record(made.names())?;
                    *header = Some(made);
                }
                if let Some(header) = header {
                    let (cells, n_left_out) =
                        header.row(line).map_err(|bad| anyhow!("writing a record: {}", bad.reason()))?;
                    self.n_fields_left_out += n_left_out as u64;
                    writer.write_record(cells.iter().map(|cell| cell.as_bytes()))?;
                }
                if writer.get_ref().len() > BUFFER {
                    Self::flush_csv(writer, &mut self.sink)?;
                }
            }
            Shape::Table { kind, table } => {
                if json::kind_of(line).map_err(|bad| anyhow!("writing a record: {}", bad.reason()))? != *kind {
                    self.n_other_kinds += 1;
                    return Ok(());
                }
                table.add(line, self.sink.writer())?;
            }
        }
        if self.line_buffered {
            self.sink.writer().flush().context("writing records")?;
        }
        Ok(())
    }

    /// Writes many records at once, given as JSON lines each with its end.
    ///
    /// # Errors
    /// As [`Output::record`].
    pub fn block(&mut self, lines: &[u8]) -> Result<()> {
        if self.is_ndjson() {
            self.sink.writer().write_all(lines).context("writing records")?;
            return Ok(());
        }
        for line in lines.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            self.record(line)?;
        }
        Ok(())
    }

    /// The destination itself, for stages that write something else than records.
    pub fn raw(&mut self) -> &mut dyn Write {
        self.sink.writer()
    }

    /// Sends what is buffered on its way.
    ///
    /// # Errors
    /// As [`Output::record`].
    pub fn flush(&mut self) -> Result<()> {
        if let Shape::Csv { writer, .. } = &mut self.shape {
            Self::flush_csv(writer, &mut self.sink)?;
        }
        self.sink.writer().flush().context("writing records")
    }

    fn flush_csv(writer: &mut csv::Writer<Vec<u8>>, sink: &mut Sink) -> Result<()> {
        writer.flush()?;
        let full = std::mem::replace(writer, csv::WriterBuilder::new().flexible(true).from_writer(Vec::new()));
        let bytes = full.into_inner().map_err(|e| anyhow!("writing CSV: {e}"))?;
        sink.writer().write_all(&bytes).context("writing records")?;
        Ok(())
    }

    /// Writes what is left and makes a file appear under its name.
    ///
    /// # Errors
    /// As [`Output::record`].
    pub fn finish(mut self) -> Result<()> {
        match &mut self.shape {
            Shape::Ndjson => {}
            Shape::Csv { kind, header, writer } => {
                if header.is_none() {
                    match Kind::from_name(kind) {
                        Some(known) => writer.write_record(Header::of(known.spec()).names())?,
                        None => writer.write_record(["kind"])?,
                    }
                }
                Self::flush_csv(writer, &mut self.sink)?;
            }
            Shape::Table { table, .. } => table.finish(self.sink.writer())?,
        }
        if self.n_other_kinds > 0 {
            self.messages.note(format_args!(
                "{} records of other kinds left out; --kind KIND chooses, --format ndjson writes all",
                self.n_other_kinds
            ));
        }
        if self.n_fields_left_out > 0 {
            self.messages.note(format_args!("{} fields without a column left out", self.n_fields_left_out));
        }
        match self.sink {
            Sink::Stdout(mut w) => w.flush().context("writing records"),
            Sink::Direct(mut w) => w.flush().context("writing records"),
            Sink::File { file, path } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error);
                persist(file.with_context(|| format!("writing {}", path.display()))?, &path)
            }
        }
    }
}

/// Whether the path exists and is no regular file (`/dev/null`, a named pipe).
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// A temporary file in the directory of `path`, with the permissions that a new file would get.
pub(crate) fn temporary_beside(path: &Path) -> Result<NamedTempFile> {
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hzmetrics-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // the process's umask still applies
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory).with_context(|| format!("making a file in {}", directory.display()))
}

/// Gives a finished temporary file its name, replacing an older one.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    file.persist(path).map(drop).with_context(|| format!("writing {}", path.display()))
}

/// A file that appears under its name whole, with [`WholeFile::publish`], or not at all. Until then
/// it is a temporary file in the same directory.
pub struct WholeFile {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl WholeFile {
    /// Begins the file.
    ///
    /// # Errors
    /// No file can be made in the directory.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(BUFFER, temporary_beside(path)?), path: path.to_owned() })
    }

    /// Gives the file its name, replacing an older one.
    ///
    /// # Errors
    /// What is buffered cannot be written, or the file cannot be renamed.
    pub fn publish(self) -> Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error);
        persist(file.with_context(|| format!("writing {}", self.path.display()))?, &self.path)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a file whole or not at all: `write` fills a temporary file beside it.
///
/// # Errors
/// The file cannot be made or written.
pub fn atomic_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut file = WholeFile::create(path)?;
    write(&mut file)?;
    file.publish()
}
