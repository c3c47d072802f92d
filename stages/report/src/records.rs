//! The pipe's face: records of any kind go to the sections that use them.

use anyhow::Result;
use kit::{Batch, Io};

use crate::args::Args;
use crate::sections::Sections;

/// Reads the records of the input.
///
/// # Errors
/// An input cannot be read.
pub(crate) fn read(args: &Args, io: &mut Io) -> Result<Sections> {
    let mut sections = Sections::with(&args.sections, args.private);
    let mut input = io.input()?;
    let (mut batch, mut next) = (Batch::default(), Batch::default());
    let mut more = input.read_batch(&mut next, &mut io.rejects)?;
    while more {
        std::mem::swap(&mut batch, &mut next);
        let read = || input.read_batch(&mut next, &mut io.rejects);
        let (read, bad) = rayon::join(read, || sections.take_batch(&batch));
        for (i, reason) in bad {
            let (path, number) = batch.place(i);
            io.rejects.reject(path, number, &reason, batch.line(i))?;
        }
        more = read?;
    }
    Ok(sections)
}
