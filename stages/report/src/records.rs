//! The pipe's face: records of any kind go to the sections that use them.

use anyhow::Result;
use kit::{Batch, Input, Io, Rejects};

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
    let (mut batch, mut next) = (Batch::default(), Batch::default());
    let mut more = input.read_batch(&mut next, rejects)?;
    while more {
        std::mem::swap(&mut batch, &mut next);
        let read = || input.read_batch(&mut next, rejects);
        let (read, bad) = rayon::join(read, || sections.take_batch(&batch));
        for (i, reason) in bad {
            let (path, number) = batch.place(i);
            rejects.reject(path, number, &reason, batch.line(i))?;
        }
        more = read?;
    }
    Ok(sections)
}
