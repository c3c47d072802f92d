//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use hub::config;
use kit::Uses;
use kit::{Common, Describe, Format, Io, Outcome, StageArgs, Usage};
use logs::discovery::Stream;
use schema::{Kind, Month, Opt};

use crate::{find, list, stage};

/// Finds rotated access and auth logs.
///
/// Writes one `source` record for each log: its path, stream, day and compression. Access logs
/// come before auth logs, each by day. `import-logs` reads these records; `--cat` prints the
/// lines of the logs instead, decompressed. Compression is seen from the first bytes of a file
/// (gzip with any number of members, zstd), never from its name.
///
/// A log that is there twice, plain and compressed or in two directories, is taken once, with a
/// message.
///
/// `--stage` is the cron line: it writes the staging files that `import-logs --db` reads.
#[derive(Debug, Parser)]
#[command(name = "fetch-logs", version)]
pub(crate) struct Args {
    /// Logs, or patterns of their names; what begins with `cmsauth` is an auth log, the rest are
    /// access logs
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A directory of logs: itself, its `daily/` with everything below, its `daily.holding/`, and
    /// the same of directories in it (`httpd`, `hubzero`, …); may be repeated
    #[arg(long, value_name = "DIR", num_args = 1..)]
    logs: Vec<PathBuf>,

    /// Only access logs of this site, `NAME-access…log…` [default: of any site]
    #[arg(long, value_name = "NAME")]
    site: Option<String>,

    /// Only this stream
    #[arg(long, value_enum)]
    stream: Option<StreamName>,

    /// Only logs of this day
    #[arg(long, value_name = "YYYYMMDD", value_parser = parse_day)]
    date: Option<String>,

    /// Only logs of this month
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<Month>,

    /// Print the lines of the logs instead of records, with nothing put between two logs
    #[arg(long)]
    cat: bool,

    /// Do what the legacy line did: put the logs in `daily/` of the web server and of the CMS
    /// together into the staging files, decompressed, with a list of them beside
    #[arg(long, conflicts_with_all = ["files", "logs", "cat", "stream"])]
    stage: bool,

    /// With --stage: also logs below `daily/` and in `daily.holding/`
    #[arg(long, requires = "stage")]
    deep: bool,

    /// With --stage: say what would be staged, and write nothing
    #[arg(long, requires = "stage")]
    dry_run: bool,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StreamName {
    Access,
    Auth,
}

fn parse_day(text: &str) -> Result<String, String> {
    let eight_digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if eight_digits { Ok(text.to_owned()) } else { Err("a day is written YYYYMMDD".to_owned()) }
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "fetch-logs",
        about: "Finds rotated access and auth logs",
        reads: &[],
        writes: &[Kind::Source],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Source,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }

    fn uses(&self) -> Option<Uses> {
        self.stage.then_some(Uses { logs: true, ..Uses::default() })
    }
}

pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    if args.common.from_db() || args.common.to_db() {
        return Err(Usage("fetch-logs reads log directories and writes a stream, it has no tables".to_owned()).into());
    }
    let wanted = find::Wanted {
        site: args.site.clone(),
        stream: args.stream.map(|s| match s {
            StreamName::Access => Stream::Access,
            StreamName::Auth => Stream::Auth,
        }),
        date: args.date.clone(),
        month: args.month,
        one_per_day: args.common.compat.has(Opt::LpAtomic),
    };
    if args.stage {
        let config = config::read(None, &config::process_env)?;
        let _lock = if args.dry_run { None } else { hub::lock::for_run(io, &config.paths)? };
        let reserve = args.common.compat.has(Opt::LpSpaceCheck);
        let (deep, dry_run, messages) = (args.deep, args.dry_run, io.messages);
        stage::Staging { config: &config, wanted, deep, dry_run, reserve, messages }.run()?;
        return Ok(Outcome::default());
    }
    if args.files.is_empty() && args.logs.is_empty() {
        return Err(Usage("say where the logs are: --logs DIR, files, or --stage".to_owned()).into());
    }
    if args.cat && args.common.format != Format::Ndjson {
        return Err(Usage("--cat prints lines of logs, --format is for records".to_owned()).into());
    }
    let mut logs = find::below(&args.logs, &wanted, io.messages)?;
    logs.extend(find::given(&args.files, &wanted)?);
    let opener = list::Opener::new(args.logs.iter().cloned());
    let output = io.output()?;
    if args.cat {
        list::bytes(&logs, &opener, output)?
    } else {
        list::records(&logs, &opener, output)?
    }
    Ok(Outcome::default())
}
