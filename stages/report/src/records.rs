//! The pipe's face: records of any kind go to the sections that use them.

use anyhow::Result;
use kit::{Input, Io, Rejects};

use crate::args::{Args, Part};
use crate::sections::Sections;

/// Reads the records of the input.
///
/// # Errors
/// An input cannot be read.
pub(crate) fn read(args: &Args, io: &mut Io) -> Result<Sections> {
    read_from(&mut io.input()?, &args.sections, args.private, &mut io.rejects)
}

/// Reads the records of an input.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read_from(
    input: &mut Input,
    parts: &[Part],
    is_private: bool,
    rejects: &mut Rejects,
) -> Result<Sections> {
    let mut sections = Sections::new(parts, is_private);
    input.each_batch(rejects, |batch| Ok(sections.take_batch(batch)))?;
    Ok(sections)
}
