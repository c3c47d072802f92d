//! Which work a run does: a report of records, or of the tables.

use anyhow::Result;
use kit::{Endpoint, Format, Io, Outcome, Output, Usage};
use schema::Kind;

use crate::args::{Args, Language};
use crate::compose::{document, logo};
use crate::ground::Ground;
use crate::privacy::Privacy;
use crate::words::{EN, Words};
use crate::{folder, hubs, records, render, served, tables};

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, an input cannot be read or the output cannot be written.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    if args.common.to_db() && !args.common.db {
        return Err(Usage("a report is not written to the databases; `--to FILE`".to_owned()).into());
    }
    check(args)?;
    let logo = args.logo.as_deref().map(logo).transpose()?;
    let mut ground = ground(args)?;
    if let Some(folder) = args.pages.folder.as_ref().filter(|_| !args.pages.hub.is_empty()) {
        hubs::write(folder, args, &mut ground, logo, io)?;
        return Ok(Outcome::default());
    }
    let sections =
        if args.common.from_db() { tables::read(args, &ground, io.messages)? } else { records::read(args, io)? };
    if let Some(folder) = &args.pages.folder {
        folder::write(folder, args, &ground, &sections, logo)?;
        return Ok(Outcome::default());
    }
    let document = document(args, &ground, &sections, logo);
    // with --db there is no table to write, and standard output is where a report goes
    let to = if args.common.db { Endpoint::Standard } else { Endpoint::from_arg(&args.common.to) };
    let mut output = Output::new(&to, Format::Ndjson, Kind::Cell.name(), io.messages)?;
    render::write(&document, args.common.format, words(args.lang), output.raw())?;
    output.finish()?;
    Ok(Outcome::default())
}

/// Options that do not go together.
fn check(args: &Args) -> Result<()> {
    let format = args.common.format;
    if args.pages.folder.is_some() && format != Format::Html {
        return Err(Usage("pages in a folder are HTML".to_owned()).into());
    }
    if !args.pages.hub.is_empty() && args.common.from_db() {
        return Err(Usage("--hub goes with records, not with --from db".to_owned()).into());
    }
    if args.brief && !matches!(format, Format::Text | Format::Md) {
        return Err(Usage("--brief is for --format text and md".to_owned()).into());
    }
    served::refuse_private(args)
}

const fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &EN,
    }
}

fn ground(args: &Args) -> Result<Ground> {
    let running = kit::current_month()?;
    Ok(Ground {
        words: words(args.lang),
        privacy: if args.private { Privacy::Private } else { Privacy::Public },
        month: if args.running { Some(running) } else { args.month },
        is_running: args.running,
        running,
        incomplete: args.incomplete.clone(),
        n_months: args.months,
        top: usize::try_from(args.top).unwrap_or(usize::MAX),
    })
}
