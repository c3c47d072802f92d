//! Records out: NDJSON, CSV or a table, to standard output or to a file that appears only when it
//! is complete.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use schema::csv::Header;
use schema::{Kind, json};

use crate::count::counted;
use crate::door::{Temporary, named};
use crate::streams::Stdout;
use crate::table::Table;
use crate::{Endpoint, Format, Messages, Usage};

const BUFFER: usize = 256 << 10;

enum Sink {
    Stdout(BufWriter<Stdout>),
    File(NamedFile),
}

impl Sink {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(w) => w,
            Self::File(file) => file,
        }
    }

    fn write_block(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(w) => write_block(w, bytes),
            Self::File(file) => write_block(&mut file.output, bytes),
        }
    }
}

/// Writes many bytes without copying them into the buffer.
fn write_block<W: Write>(buffer: &mut BufWriter<W>, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() < BUFFER / 4 {
        return buffer.write_all(bytes);
    }
    buffer.flush()?;
    buffer.get_mut().write_all(bytes)
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
    /// Opens the destination. `kind` is the kind that CSV and tables contain.
    ///
    /// # Errors
    /// The file cannot be created, or the destination is a database.
    pub fn new(to: &Endpoint, format: Format, kind: &str, messages: Messages) -> Result<Self> {
        let sink = match to {
            Endpoint::Standard => Sink::Stdout(BufWriter::with_capacity(BUFFER, Stdout::new())),
            Endpoint::File(path) => Sink::File(NamedFile::create(path)?),
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
            Format::Html | Format::Text | Format::Md => {
                return Err(Usage("records are written as ndjson, csv or table".to_owned()).into());
            }
        };
        Ok(Self { sink, shape, line_buffered, messages, n_other_kinds: 0, n_fields_left_out: 0 })
    }

    /// Whether records are written unchanged, so that whole blocks of lines may be passed.
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

    /// Writes many records at once, given as JSON lines with their ends.
    ///
    /// # Errors
    /// Those of [`Output::record`].
    pub fn block(&mut self, lines: &[u8]) -> Result<()> {
        if self.is_ndjson() {
            return self.sink.write_block(lines).context("writing records");
        }
        for line in lines.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            self.record(line)?;
        }
        Ok(())
    }

    /// The destination itself, for stages that write something other than records.
    pub fn raw(&mut self) -> &mut dyn Write {
        self.sink.writer()
    }

    /// Flushes the buffers.
    ///
    /// # Errors
    /// Those of [`Output::record`].
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

    /// Writes the rest and gives a file its final name.
    ///
    /// # Errors
    /// Those of [`Output::record`].
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
                "{} of other kinds left out; --kind KIND chooses, --format ndjson writes all",
                counted(self.n_other_kinds, "record", "records")
            ));
        }
        if self.n_fields_left_out > 0 {
            self.messages.note(format_args!("{} fields without a column left out", self.n_fields_left_out));
        }
        match self.sink {
            Sink::Stdout(mut w) => w.flush().context("writing records"),
            Sink::File(file) => file.finish(),
        }
    }
}

/// A file named by the user. A regular file appears complete, with [`NamedFile::finish`], or not at
/// all; a device, a FIFO or an open descriptor is written directly.
pub(crate) struct NamedFile {
    output: BufWriter<named::Output>,
    path: PathBuf,
}

impl NamedFile {
    /// Starts the file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let output = named::output(path).with_context(|| format!("opening {} for writing", path.display()))?;
        Ok(Self { output: BufWriter::with_capacity(BUFFER, output), path: path.to_owned() })
    }

    /// Writes the rest and gives the file its final name.
    pub(crate) fn finish(self) -> Result<()> {
        let output = self.output.into_inner().map_err(io::IntoInnerError::into_error);
        output.and_then(named::Output::finish).with_context(|| format!("writing {}", self.path.display()))
    }
}

impl Write for NamedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// A file of our own that appears complete, with [`WholeFile::publish`], or not at all. Until then it is
/// a temporary file in the same directory.
pub struct WholeFile {
    file: BufWriter<Temporary>,
    path: PathBuf,
    name: OsString,
}

impl WholeFile {
    /// Starts the file, with the permissions of any new file.
    ///
    /// # Errors
    /// No file can be created in the directory.
    pub fn create(path: &Path) -> Result<Self> {
        let name = path.file_name().with_context(|| format!("{} is not a file name", path.display()))?;
        let file = Temporary::beside(path).with_context(|| format!("creating a file next to {}", path.display()))?;
        Ok(Self { file: BufWriter::with_capacity(BUFFER, file), path: path.to_owned(), name: name.to_owned() })
    }

    /// Sets its permissions, whatever the umask.
    ///
    /// # Errors
    /// The file system refuses them.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        self.file.get_ref().set_mode(mode).with_context(|| format!("setting the mode of {}", self.path.display()))
    }

    /// Gives it to another user or group.
    ///
    /// # Errors
    /// We are not allowed to.
    pub fn give(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let given = self.file.get_ref().give(uid, gid);
        given.with_context(|| format!("setting the owner of {}", self.path.display()))
    }

    /// Device and inode of the file, which it keeps when it is renamed.
    ///
    /// # Errors
    /// The file cannot be examined.
    pub fn place(&self) -> Result<(u64, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        let meta = self.file.get_ref().file().metadata().context("looking at a file that is being written")?;
        Ok((meta.dev(), meta.ino()))
    }

    /// Gives the file its final name, replacing an older one.
    ///
    /// # Errors
    /// The buffer cannot be written, or something other than a file has the name.
    pub fn publish(self) -> Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error);
        file.and_then(|file| file.publish(&self.name)).with_context(|| format!("writing {}", self.path.display()))
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

/// Writes a file of our own completely or not at all: `write` fills a temporary file next to it.
///
/// # Errors
/// The file cannot be created or written.
pub fn atomic_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut file = WholeFile::create(path)?;
    write(&mut file)?;
    file.publish()
}

/// The same for a file named by the user.
///
/// # Errors
/// Those of [`atomic_file`].
pub fn named_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut file = NamedFile::create(path)?;
    write(&mut file)?;
    file.finish()
}
