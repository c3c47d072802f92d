//! The pipe's face: records of any kind go to the sections that use them.

use anyhow::Result;
use kit::Io;

use crate::args::Args;
use crate::sections::Sections;

/// Reads the records of the input.
///
/// # Errors
/// An input cannot be read.
pub(crate) fn read(args: &Args, io: &mut Io) -> Result<Sections> {
    let mut sections = Sections::new(&args.sections);
    let mut input = io.input()?;
    input.for_each(&mut io.rejects, |record, rejects| match sections.take(&record.kind, record.line) {
        Ok(()) => Ok(()),
        Err(reason) => rejects.reject(record.path, record.number, &reason, record.line),
    })?;
    Ok(sections)
}
