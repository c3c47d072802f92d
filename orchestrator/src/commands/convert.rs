//! `hzmetrics convert`: writes records in another format and changes nothing else.

use std::borrow::Cow;

use anyhow::Result;
use clap::Parser;
use kit::Uses;
use kit::{Common, Describe, Endpoint, Format, Input, Io, Outcome, Output, StageArgs, Usage};
use schema::Kind;
use schema::csv::Header;
use schema::json::{self, Bad, Members};

use super::{Call, Command};

/// Write records (NDJSON or CSV) in another format
///
/// CSV and tables contain one kind of record: the one given by --kind, or else that of the first
/// record. Records converted to CSV and back are unchanged, except that fields which neither the
/// kind nor the first record has are left out, and counted. Memory does not grow with the input.
#[derive(Debug, Parser)]
#[command(name = "convert")]
pub(crate) struct Args {
    /// Files to read, one after the other, instead of standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,

    #[command(flatten)]
    common: Common,
}

/// Every kind, in the order of the schema.
const KINDS: [Kind; Kind::ALL.len()] = {
    let mut kinds = [Kind::Web; Kind::ALL.len()];
    let mut i = 0;
    while i < kinds.len() {
        kinds[i] = Kind::ALL[i].kind;
        i += 1;
    }
    kinds
};

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "hzmetrics",
        about: "Reads records and writes them in another format",
        reads: &KINDS,
        writes: &KINDS,
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Web,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

impl Command for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, _: &Call) -> Result<u8> {
        Ok(kit::run_with(self, |io| convert(self, io)).code())
    }
}

fn convert(args: &Args, io: &mut Io) -> Result<Outcome> {
    let common = args.common.clone();
    if common.from_db() || common.to_db() {
        return Err(Usage("convert reads and writes files, not tables".to_owned()).into());
    }
    let sources = if args.files.is_empty() {
        common.sources()
    } else {
        if common.sources() != [Endpoint::Standard] {
            return Err(Usage("name the files to read as arguments or with --from, not both".to_owned()).into());
        }
        let source = |file: &String| if file == "-" { Endpoint::Standard } else { Endpoint::File(file.into()) };
        args.files.iter().map(source).collect()
    };
    let to = Endpoint::from_arg(&common.to);
    let mut input = Input::new(sources);
    // the first record decides the kind, so a file is only created once there is one
    let mut output: Option<Output> = None;
    let open = |kind: &str| {
        let kind = common.kind.as_deref().unwrap_or(kind);
        Output::new(&to, common.format, kind, io.messages)
    };
    while let Some(batch) = input.next_batch(&mut io.rejects)? {
        for i in 0..batch.len() {
            let line = batch.line(i);
            match check(line, common.format) {
                Ok(kind) => {
                    if output.is_none() {
                        output = Some(open(&kind)?);
                    }
                    if let Some(output) = &mut output {
                        output.record(line)?;
                    }
                }
                Err(bad) => {
                    let (path, n) = batch.place(i);
                    io.rejects.reject(path, n, bad.reason(), line)?;
                }
            }
        }
    }
    let output = match output {
        Some(output) => output,
        None => open(Kind::Web.name())?,
    };
    output.finish()?;
    Ok(Outcome::default())
}

/// The kind of a line, after checking that the whole line is a record; stages check no more than
/// they need.
fn check(line: &[u8], format: Format) -> Result<Cow<'_, str>, Bad> {
    if std::str::from_utf8(line).is_err() {
        return Err(Bad::NotAnObject);
    }
    if format == Format::Ndjson {
        for member in Members::new(line) {
            member?;
        }
    } else {
        Header::for_line(line)?.row(line)?;
    }
    json::kind_of(line)
}
