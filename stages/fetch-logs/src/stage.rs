//! What a run does: writes records or lines of the logs found, or the staging files.

use anyhow::Result;
use hub::config;
use kit::{Format, Io, Outcome, Usage};
use logs::discovery::Stream;
use schema::Opt;

use crate::args::Args;
use crate::left::Left;
use crate::opener::Opener;
use crate::staging::Staging;
use crate::{find, named, records};

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, or a log cannot be read or staged.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    if args.common.from_db() || args.common.to_db() {
        return Err(Usage("fetch-logs reads log directories and writes a stream, it has no tables".to_owned()).into());
    }
    let wanted = find::Wanted {
        site: args.site.clone(),
        stream: args.stream.map(Stream::from),
        date: args.date.clone(),
        month: args.month,
        one_per_day: args.common.compat.has(Opt::LpAtomic),
    };
    if args.stage {
        let config = config::read(None, &config::process_env)?;
        let _lock = if args.dry_run { None } else { hub::lock::for_run(io, &config.paths)? };
        let reserve = args.common.compat.has(Opt::LpSpaceCheck);
        let (deep, dry_run, messages) = (args.deep, args.dry_run, io.messages);
        Staging { config: &config, wanted, deep, dry_run, reserve, messages }.run()?;
        return Ok(Outcome::default());
    }
    if args.files.is_empty() && args.logs.is_empty() {
        return Err(Usage("say where the logs are: --logs DIR, files, or --stage".to_owned()).into());
    }
    if args.cat && args.common.format != Format::Ndjson {
        return Err(Usage("--cat prints lines of logs, --format is for records".to_owned()).into());
    }
    let opener = Opener::new(args.logs.iter().cloned());
    let mut left = Left::default();
    let mut logs = if args.names.is_empty() {
        find::below(&args.logs, &wanted, &mut left, io.messages)?
    } else {
        let named = named::below(&args.logs, &args.names, &opener, &mut left)?;
        left.filter(named, |log| wanted.why_not(log))
    };
    let n_found = logs.len();
    logs.extend(find::given(&args.files, &wanted)?);
    let output = io.output()?;
    if args.cat {
        records::lines(&logs, &opener, output)?
    } else {
        records::sources(&logs, &opener, output)?
    }
    if let Some(path) = &args.left_out {
        left.list(path)?;
    }
    left.say(n_found, io.messages);
    Ok(Outcome::default())
}
