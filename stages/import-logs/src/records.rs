//! The pipe's face: rows become records in a stream.

use std::ops::Range;

use anyhow::Result;
use hub::config;
use kit::{Io, Outcome, Output};
use logs::roots::Roots;
use schema::{Stamp, json};

use crate::args::Args;
use crate::bots::list::BotTexts;
use crate::file_layouts::FileLayouts;
use crate::rows::{RowFormat, Rows};
use crate::sink::{Nowhere, Sink};
use crate::totals::Tally;
use crate::{check, import, receipt, settings};

/// Imports the logs named by the options or by `source` records.
///
/// # Errors
/// A file cannot be read or is refused, or the output cannot be written.
pub(crate) fn run(args: &Args, io: &mut Io) -> Result<Outcome> {
    let config = config::if_any(&config::process_env)?;
    let layouts = FileLayouts::new(args, config.as_ref())?;
    let (rules, known) = settings::rules(args, RowFormat::Records, config.as_ref(), &[], None)?;
    let messages = io.messages;
    let mut output = io.output()?;
    let mut units = settings::units(args, io, &layouts, &Roots::of_pipe(&args.logs, None), &mut output)?;
    units.retain(|unit| rules.steps.want(&unit.stream));
    if args.check {
        drop(output);
        return check::run(args, &units, io);
    }
    let mut tally = Tally::new(&mut io.rejects, messages, args.common.strict, args.accept);
    settings::more_outputs(args, &mut tally)?;
    if args.dry_run {
        import::run(&units, &rules, known, &mut Nowhere, &mut tally)?;
    } else {
        import::run(&units, &rules, known, &mut Records(&mut output), &mut tally)?;
        output.finish()?;
    }
    if let Some(path) = args.receipts.as_deref().filter(|_| !args.dry_run) {
        receipt::write(path, &receipt::of_records(&units, &tally.totals.reports))?;
    }
    settings::report_on_bots(args, &rules, &tally)?;
    messages.note(tally.totals.words());
    let n_refused = tally.totals.n_refused;
    settings::outcome(n_refused, io)
}

/// Writes records to a stream.
struct Records<'o>(&'o mut Output);

impl Sink for Records<'_> {
    fn rows(&mut self, rows: &mut Rows, range: Range<usize>) -> Result<()> {
        match rows {
            Rows::Records(bytes) => self.0.block(bytes.get(range).unwrap_or_default()),
            Rows::Values(_) => Ok(()),
        }
    }

    fn hits(&mut self, datetime: Stamp, n: i64) -> Result<()> {
        let mut line = b"{\"kind\":\"hits\",\"datetime\":\"".to_vec();
        line.extend_from_slice(&datetime.to_ascii());
        line.extend_from_slice(b"\",\"hits\":");
        json::push_int(&mut line, n);
        line.push(b'}');
        self.0.record(&line)
    }

    fn bots(&mut self, stored: &mut BotTexts, _: bool) -> Result<()> {
        stored.take(|stored| {
            let mut line = b"{\"kind\":\"bot\",\"useragent\":".to_vec();
            json::push_str(&mut line, stored);
            line.push(b'}');
            self.0.record(&line)
        })
    }
}
