//! The tables' face, `--to db` and `--db`: which files are loaded, what is read from the tables
//! before, what happens after an error, and what becomes of a loaded staging file.

mod holding;
mod ledger;
mod staging;
mod transaction;

use std::collections::HashSet;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use database::address_changes::AddressChanges;
use database::ledger::Target;
use database::pruned::{Gone, Pruned};
use database::writer::{self, Held};
use database::{Db, DbError, ErrorKind, Which, retry};
use hub::config::{self, Config};
use hub::forgotten::Forgotten;
use kit::path_text::base_name;
use kit::{Endpoint, Io, Messages, Outcome, Output, Usage, door};
use logs::discovery;
use logs::fingerprint::{Fingerprint, Identity};
use logs::roots::Roots;
use logs::staged::{self, StagedLog};
use schema::{Kind, Opt};

use crate::args::Args;
use crate::beginning::Beginning;
use crate::bots::list::BotList;
use crate::bots::words::Words;
use crate::file_layouts::FileLayouts;
use crate::layout::Layout;
use crate::receipt::{self, Receipt};
use crate::report::Report;
use crate::rows::RowFormat;
use crate::rules::{KeptFrom, Rules};
use crate::sink::Nowhere;
use crate::totals::Tally;
use crate::unit::{self, Stream, Unit};
use crate::unit_reader;
use crate::{exclude, import, settings};
use ledger::{Ledger, Verdict};
use staging::{Sources, outcomes, stretches};
use transaction::Tables;

/// Loads the logs named by the options or by `source` records, or the staging files.
///
/// # Errors
/// A file or the server cannot be used, or a file is refused.
pub(crate) fn run(args: &Args, io: &mut Io) -> Result<Outcome> {
    let common = &args.common;
    let staging = common.from_db();
    if staging && (!args.files.is_empty() || args.raw.is_some() || args.receipts.is_some()) {
        let text = "--db loads the staging files; for other files use --to db";
        return Err(Usage(text.to_owned()).into());
    }
    let config = config::load(None, &config::process_env)?;
    let layouts = FileLayouts::new(args, Some(&config))?;
    // a list of files that cannot be read must fail before the wait for the lock
    let mut output = Output::new(&Endpoint::Standard, common.format, Kind::Receipt.name(), io.messages)?;
    let roots = Roots::of_pipe(&args.logs, config.log_roots());
    let units = if staging { Vec::new() } else { settings::units(args, io, &layouts, &roots, &mut output)? };
    let _held = if args.dry_run { Held::default() } else { writer::for_run(io, &config)? };
    let server = Server::connect(&config)?;
    let (mut rules, bots) =
        settings::rules(args, RowFormat::Values, Some(&config), &server.excluded, server.forgotten.clone())?;
    if let Some(rules) = Arc::get_mut(&mut rules) {
        rules.kept_from = server.kept_from;
    }
    let silent = staging && !io::stderr().is_terminal() && !args.dry_run;
    let messages = if silent { Messages::new(io.messages.name(), true) } else { io.messages };
    if silent {
        io.rejects.hush();
    }
    let mut tally = Tally::new(&mut io.rejects, messages, common.strict, args.accept);
    settings::more_outputs(args, &mut tally)?;
    let (keeps_ledger, dry_run) = (!args.no_ledger, args.dry_run);
    let mut load = Loader { server, rules, bots, keeps_ledger, dry_run, messages, tally };
    if staging {
        load.staging(&config, &layouts.of_hub()?)?;
    } else {
        let given = load.files(units, &mut output)?;
        if let Some(path) = args.receipts.as_deref().filter(|_| !args.dry_run) {
            receipt::write(path, &given)?;
        }
        output.finish()?;
    }
    settings::report_on_bots(args, &load.rules, &load.tally)?;
    messages.note(load.tally.totals.words());
    load.tally.totals.count();
    let n_refused = load.tally.totals.n_refused;
    settings::outcome(n_refused, io)
}

/// The pauses before a file is tried again after a deadlock, a lock wait or a lost connection.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(9),
    Duration::from_secs(27),
];

/// The metrics database, and the content of its lists.
struct Server {
    db: Db,
    /// The exclude list.
    excluded: Vec<exclude::Row>,
    /// Who was forgotten.
    forgotten: Option<Forgotten>,
    /// From when on months have rows.
    kept_from: KeptFrom,
}

impl Server {
    /// Connects and reads the exclude list.
    ///
    /// # Errors
    /// The server cannot be reached, or lacks the table.
    fn connect(config: &Config) -> Result<Self> {
        let mut db = Db::connect(&config.target(), Which::Metrics)?;
        let text = |cells: database::Cells<'_>, at| cells.text(at).unwrap_or_default().into_owned();
        let excluded = db
            .all("SELECT filter, type FROM exclude_list", (), |cells| Ok((text(cells, 0), text(cells, 1))))
            .context("reading the exclude list")?;
        let forgotten = database::forgotten::list(&mut db, config)?;
        let pruned = Pruned::read(&mut db)?;
        let after = |gone: &Option<Gone>| gone.as_ref().map(|gone| gone.through.next().start());
        let (requests, logins) = (after(&pruned.web), after(&pruned.logins));
        let hashed = AddressChanges::read(&mut db)?.hashed_through().map(|through| through.next().start());
        let is_hashed = hashed > requests.max(logins);
        let kept_from = KeptFrom { requests: requests.max(hashed), logins: logins.max(hashed), is_hashed };
        Ok(Self { db, excluded, forgotten, kept_from })
    }
}

/// The bots that are known before a file: those in the table and those from the options.
fn known(db: &mut Db, given: &BotList, words: &Words) -> Result<BotList> {
    let mut known = given.clone();
    let each = |cells: database::Cells<'_>| {
        if let Some(agent) = cells.text(0) {
            known.insert(&agent, words);
        }
        Ok(())
    };
    db.each("SELECT useragent FROM bot_useragents", (), each).context("reading the list of bots")?;
    Ok(known)
}

/// One run on the tables.
struct Loader<'a> {
    server: Server,
    rules: Arc<Rules>,
    /// Bots from the options, in addition to those in the table.
    bots: BotList,
    keeps_ledger: bool,
    dry_run: bool,
    messages: Messages,
    tally: Tally<'a>,
}

impl Loader<'_> {
    fn has_ledger(&mut self) -> Result<bool> {
        Ok(self.keeps_ledger && database::ledger::is_there(&mut self.server.db)?)
    }

    fn ledger(&mut self, target: Target) -> Result<Ledger> {
        let compat = self.rules.compat;
        let whole_lines = target == Target::Userlogin || !compat.has(Opt::LpParse);
        Ledger::read(&mut self.server.db, target, compat.has(Opt::LpAtomic), whole_lines)
    }

    /// The direct way: one transaction per file, each with its receipt on `output`.
    ///
    /// # Errors
    /// A file cannot be read or loaded; those before it are loaded.
    fn files(&mut self, mut units: Vec<Unit>, output: &mut Output) -> Result<Vec<Receipt>> {
        units.retain(|unit| self.rules.steps.want(&unit.stream));
        let ledger = self.has_ledger()?;
        let mut given = Vec::new();
        while !units.is_empty() {
            let mut later = Vec::new();
            if ledger {
                (units, later) = self.open_units(units, output, &mut given)?;
            }
            given.extend(self.load(&units, ledger, Some(&mut *output), true)?);
            units = later;
        }
        Ok(given)
    }

    /// Judges files by the ledger. Returns those to load now, and those with the same base name as
    /// one of them, to be judged again once that one is loaded.
    fn open_units(
        &mut self,
        units: Vec<Unit>,
        output: &mut Output,
        given: &mut Vec<Receipt>,
    ) -> Result<(Vec<Unit>, Vec<Unit>)> {
        let (web, logins) = (self.ledger(Target::Web)?, self.ledger(Target::Userlogin)?);
        let (mut open, mut later) = (Vec::new(), Vec::new());
        let mut names = HashSet::new();
        for mut unit in units {
            let target = Target::of(unit.stream.kind());
            let Some(path) = unit.path.clone().filter(|_| self.rules.steps.are_complete(&unit.stream)) else {
                open.push(unit);
                continue;
            };
            let base = base_name(&path);
            // a file that is gone needs no receipt, but a message
            let opening = || format!("opening {}", path.display());
            let meta = fs::metadata(discovery::lying_at(&path)).with_context(opening)?;
            if !meta.is_file() {
                open.push(unit);
                continue;
            }
            let is_first = names.insert((discovery::without_suffix(&base).to_owned(), target));
            let ledger = if target == Target::Userlogin { &logins } else { &web };
            unit.is_ended = unit::is_ended(&path, &meta, &unit.stream);
            match ledger.judge(&base, &path, &meta, unit.has_open_tail())? {
                Verdict::Known(read) => given.push(self.known(&unit, read, output)?),
                // it has nothing that the file before it does not have
                _ if !is_first && meta.len() == 0 => given.push(self.known(&unit, None, output)?),
                _ if !is_first => later.push(unit),
                Verdict::New => open.push(unit),
                Verdict::Another { name, read } => {
                    (unit.booked_as, unit.expected) = (Some(name), Some(read));
                    open.push(unit);
                }
                Verdict::Rest { name, earlier, read, .. } => {
                    unit.earlier = Some(earlier.clone());
                    if unit.has_open_tail() && !unit_reader::has_whole_line(&unit)? {
                        given.push(self.known(&unit, Some(earlier), output)?);
                        continue;
                    }
                    (unit.booked_as, unit.expected) = (Some(name), Some(read));
                    open.push(unit);
                }
                Verdict::Refused(why) => given.push(self.refused(&unit, why, output)?),
            }
        }
        Ok((open, later))
    }

    fn known(&self, unit: &Unit, read: Option<Fingerprint>, output: &mut Output) -> Result<Receipt> {
        self.messages.note(format_args!("{}: already committed by prior run", unit.name()));
        self.give(Receipt::of_known(unit, read), output)
    }

    fn refused(&mut self, unit: &Unit, why: String, output: &mut Output) -> Result<Receipt> {
        self.tally.refuse(&unit.name(), &why);
        self.give(Receipt::of(unit, &Report { refused: Some(why), ..Report::default() }), output)
    }

    fn give(&self, receipt: Receipt, output: &mut Output) -> Result<Receipt> {
        if !self.dry_run {
            output.record(&receipt.to_json())?;
            output.flush()?;
        }
        Ok(receipt)
    }

    fn load(&mut self, units: &[Unit], ledger: bool, output: Option<&mut Output>, warn: bool) -> Result<Vec<Receipt>> {
        let judge = &self.rules.judge;
        let bots = known(&mut self.server.db, &self.bots, &judge.words)?;
        if self.dry_run {
            import::run(units, &self.rules, bots, &mut Nowhere, &mut self.tally)?;
            return Ok(Vec::new());
        }
        let mut targets: Vec<_> = units.iter().map(|unit| Target::of(unit.stream.kind())).collect();
        targets.sort_unstable();
        targets.dedup();
        let mut tables = Tables::new(&mut self.server.db, &self.rules, ledger, &targets, output)?;
        if warn && !tables.transactional && !units.is_empty() {
            self.messages.note(
                "the tables have no transactions, so a server crash can leave part of a file in them; \
                 `hzmetrics migrate --apply` converts them",
            );
        }
        let mut bots = Some(bots);
        let mut is_lost = false;
        let mut n_failed = 0;
        // what an attempt has committed stays: the next one continues after it
        let attempt = || {
            let n_before = tables.n_done;
            let rest = units.get(n_before..).unwrap_or_default();
            let tried = attempt(rest, &self.rules, &self.bots, &mut tables, &mut self.tally, &mut bots, is_lost);
            tried.map_err(|error| {
                n_failed = if tables.n_done > n_before { 1 } else { n_failed + 1 };
                tables.abandon(&error);
                let kind = DbError::of(&error).map(DbError::kind);
                let comes_back = is_lost && kind == Some(ErrorKind::Unreachable);
                is_lost = comes_back || kind == Some(ErrorKind::Gone);
                let may = comes_back || kind.is_some_and(ErrorKind::is_retryable);
                let pause = PAUSES.get(n_failed - 1).filter(|_| may && tables.can_go_on(units)).copied();
                (tables.explained(error, units), pause)
            })
        };
        retry(attempt, |(_, pause), _| *pause).map_err(|(error, _)| error)?;
        Ok(tables.given)
    }

    /// The cron form: the staging files, access first. A loaded file is renamed. What became of
    /// each source in the list is recorded next to the file before that.
    ///
    /// # Errors
    /// A staging file or the list cannot be used, or a file cannot be loaded or renamed.
    fn staging(&mut self, config: &Config, layout: &Layout) -> Result<()> {
        let paths = &config.paths;
        let ledger = self.has_ledger()?;
        let listed = staged::read(&paths.staging(), &paths.log_roots())?;
        if let Some(listed) = &listed {
            staged::check_places(&paths.staging(), listed)?;
        }
        for (stream, path) in
            [(Stream::Access(layout.clone()), paths.staged_access()), (Stream::Auth, paths.staged_auth())]
        {
            if !self.rules.steps.want(&stream) || !is_there(&path)? {
                continue;
            }
            let stream = match stream {
                Stream::Access(layout) => Stream::Access(layout_of_staged(&path, layout)?),
                Stream::Auth => Stream::Auth,
            };
            let complete = self.rules.steps.are_complete(&stream);
            let whole = Unit { plain: true, is_ended: false, ..Unit::new(Some(path.clone()), stream, None) };
            let logs: Vec<&StagedLog> =
                listed.iter().flatten().filter(|log| complete && log.stream == whole.stream.kind()).collect();
            self.staged(&whole, &path, &logs, ledger, &paths.staging())?;
            if complete && !self.dry_run {
                let to = paths.imported_staged(&path);
                door::rename(&path, &to).with_context(|| format!("renaming {} to {}", path.display(), to.display()))?;
            }
        }
        Ok(())
    }

    /// One staging file with the logs that the list gives for it.
    fn staged(&mut self, whole: &Unit, path: &Path, logs: &[&StagedLog], ledger: bool, staging: &Path) -> Result<()> {
        let warn = io::stderr().is_terminal();
        let rules = Arc::clone(&self.rules);
        let sources = Sources { path, stream: &whole.stream, rules: &rules, strict: self.tally.strict };
        let file = door::open(path).with_context(|| format!("opening {}", path.display()))?;
        let meta = file.metadata().with_context(|| format!("looking at {}", path.display()))?;
        if logs.is_empty() || !sources.are_listed(logs, &meta)? {
            if !logs.is_empty() {
                self.messages.note(format_args!(
                    "{} is not the file that its list describes; it is loaded without the ledger of imports",
                    path.display()
                ));
            }
            self.load(std::slice::from_ref(whole), ledger, None, warn)?;
            return Ok(());
        }
        let known = if ledger { Some(self.ledger(Target::of(whole.stream.kind()))?) } else { None };
        let older = staged::read_imported(staging)?;
        let plan = sources.plan(logs, known.as_ref(), &older)?;
        let checked = Some(Identity::of(&meta));
        let units: Vec<Unit> = if rules.compat.has(Opt::LpAtomic) {
            plan.wanted.iter().map(|log| whole.of_staged(stretches(std::slice::from_ref(log), checked))).collect()
        } else if plan.wanted.is_empty() {
            Vec::new()
        } else {
            vec![whole.of_staged(stretches(&plan.wanted, checked))]
        };
        let n_before = self.tally.totals.reports.len();
        if !units.is_empty() {
            self.load(&units, ledger, None, warn)?;
        }
        for (log, why) in &plan.refused {
            self.tally.refuse(&log.path.display().to_string(), why);
        }
        if self.dry_run {
            return Ok(());
        }
        let reports = self.tally.totals.reports.get(n_before..).unwrap_or_default();
        let parts: Vec<_> = reports.iter().flat_map(|report| report.parts.clone()).collect();
        let whole_lines = whole.has_whole_lines(rules.compat);
        staged::write_imported(staging, &outcomes(&plan, &parts, whole_lines), &older)
    }
}

/// Whether a staging file exists; a link or a device in its place is an error.
fn is_there(path: &Path) -> Result<bool> {
    match door::open(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).with_context(|| format!("opening {}", path.display())),
    }
}

/// The layout of a staging file, recognised if requested.
fn layout_of_staged(path: &Path, asked: Layout) -> Result<Layout> {
    if asked.is_hub() {
        return Ok(asked);
    }
    let reading = || format!("reading {}", path.display());
    let mut file = door::open(path).with_context(reading)?;
    Ok(Beginning::read(&mut file, true).with_context(reading)?.layout(&asked))
}

/// One try with the remaining files.
fn attempt(
    units: &[Unit],
    rules: &Arc<Rules>,
    given: &BotList,
    tables: &mut Tables<'_>,
    tally: &mut Tally<'_>,
    bots: &mut Option<BotList>,
    is_lost: bool,
) -> Result<()> {
    if units.is_empty() {
        return Ok(());
    }
    if is_lost {
        tables.db.reconnect()?;
    }
    let known = match bots.take() {
        Some(known) => known,
        None => known(tables.db, given, &rules.judge.words)?,
    };
    import::run(units, rules, known, tables, tally)
}
