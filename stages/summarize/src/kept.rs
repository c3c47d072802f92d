//! The pipe's face with states: reads records and states, writes a state, cells, or both.

use anyhow::{Context as _, Result, ensure};
use kit::{Io, Outcome, Usage, list};
use rustc_hash::FxHashMap;
use schema::collation::{hash, hash_parts};
use schema::{Month, Opt, Stamp};

use crate::args::Args;
use crate::axis::Axis;
use crate::cells::write_cells;
use crate::finish::Figures;
use crate::plan::Plan;
use crate::reading::read;
use crate::scan::{Ground, Scan};
use crate::state::file::{Header, State};
use crate::state::keeper::{Keeper, Origin};
use crate::state::tables::Tables;
use crate::state::{unite, when};
use crate::{reference, tools};

/// Runs the stage with states.
///
/// # Errors
/// An input cannot be read, states do not belong together, or something cannot be written.
pub(crate) fn run(args: &Args, plan: &Plan, io: &mut Io) -> Result<Outcome> {
    let Some(((first, last), sections)) = &plan.summary else { return Ok(Outcome::default()) };
    let axis = axis(args, *first, *last)?;
    let ground = Ground {
        axis,
        places: reference::places(args.lists(), None)?,
        apps: tools::of_options(args, args.compat().has(Opt::LpSummary))?,
        compat: args.compat(),
    };
    let mut states = load(args)?;
    let input = from_records(args, &states, *last, io)?;
    if !input.tables.profiles.is_empty() {
        let same_hub = states.iter_mut().filter(|state| state.header.hub == args.hub);
        same_hub.for_each(|state| state.tables.profiles.clear());
    }
    unite::check_input(&states, &input)?;
    if args.state_to.is_none() {
        unite::check_ends(&states, &input, *last)?;
    }
    states.push(input);
    unite::holes(&states).iter().for_each(|hole| io.messages.warn(hole));
    states.sort_by(|a, b| a.header.hub.cmp(&b.header.hub));
    if let Some(path) = &args.state_to {
        ensure!(
            states.iter().all(|state| state.header.through <= *last),
            "a state holds months after {last}: the new one must go at least as far"
        );
        let first = states.iter().filter_map(|state| state.header.first).min();
        let (compat, hub) = (args.compat().to_string(), args.hub.clone());
        let header = Header { compat, hub, part: args.part, first, through: *last, tables: None };
        states = vec![unite::into_one(states, header)?];
        states.iter().try_for_each(|state| state.save(path))?;
    }
    if args.part.is_none() {
        write_cells(&figures(ground, &mut states)?, &plan.periods, sections, io)?;
    }
    Ok(Outcome::default())
}

/// Refuses what states cannot do.
///
/// # Errors
/// The arguments contradict each other.
pub(crate) fn check(args: &Args, plan: &Plan) -> Result<()> {
    let bad = |text: &str| Err(Usage(text.to_owned()).into());
    if plan.summary.is_none() {
        return bad("states are of the step summary");
    }
    match (args.common.from_db(), args.common.to_db()) {
        (false, true) => bad("--to db publishes cells of records without states"),
        (false, _) if args.with_usage => bad("--with-usage is for tables: the usage of resources is counted from them"),
        (true, _) if args.part.is_some() => bad("--part is for records: the tables are read as a whole"),
        (true, _) if args.state_from.len() > 1 => {
            bad("with tables only one state can be continued; put states of several hubs together in a pipe")
        }
        _ => Ok(()),
    }
}

/// The months that the cells are computed for.
///
/// # Errors
/// States cannot answer for them.
pub(crate) fn axis(args: &Args, first: Month, last: Month) -> Result<Axis> {
    if args.state_to.is_some() && last >= kit::current_month()? {
        return Err(Usage(format!("{last} is not over, and a state holds whole months")).into());
    }
    let axis = Axis::new(first, last);
    if !unite::can_serve(&axis) {
        return Err(Usage(format!("states answer for months from {} on", unite::FIRST_MONTH)).into());
    }
    Ok(axis)
}

/// What the cells are made of.
///
/// # Errors
/// A file is damaged.
pub(crate) fn figures(ground: Ground, states: &mut [State]) -> Result<Figures> {
    let mut scan = Scan::new(ground);
    unite::fill(&mut scan, states);
    let meanings = unite::meanings(&scan, states);
    scan.finish_with(&meanings)
}

/// The states of the options.
///
/// # Errors
/// One cannot be read, or they do not belong together.
pub(crate) fn load(args: &Args) -> Result<Vec<State>> {
    let mut states = args.state_from.iter().map(|path| State::load(path)).collect::<Result<Vec<_>>>()?;
    let compat = args.compat().to_string();
    for state in &states {
        let (name, header) = (&state.name, &state.header);
        ensure!(header.compat == compat, "{name} was made with --compat {}, this is {compat}", header.compat);
        if let Some(part) = args.part {
            ensure!(
                header.hub == args.hub && header.part == Some(part),
                "{name} is not of part {part} of the hub `{}`: a part is continued by its own states",
                args.hub
            );
        }
    }
    unite::check(&mut states, args.part.is_some())?;
    Ok(states)
}

/// What the records of the input say.
fn from_records(args: &Args, states: &[State], last: Month, io: &mut Io) -> Result<State> {
    let same_hub = states.iter().filter(|state| state.header.hub == args.hub);
    let origin = Origin {
        compat: args.compat(),
        hub: args.hub.clone(),
        accounts: accounts(args)?,
        from: same_hub.map(|state| state.header.through.next()).max(),
        through: args.state_to.is_some().then_some(last),
    };
    let (tables, sessions) = read(Keeper::new(origin), usize::MAX, io)?.finish()?;
    let (compat, hub) = (args.compat().to_string(), args.hub.clone());
    let header = Header { compat, hub, part: args.part, first: first_month(&tables), through: last, tables: None };
    Ok(State { name: "the records".to_owned(), header, tables, sessions, paths: None })
}

/// The first month of which something is known.
pub(crate) fn first_month(tables: &Tables) -> Option<Month> {
    let day =
        |day: u32| Stamp::from_parts((day >> 9) as u16, (day >> 5 & 15) as u8, (day & 31) as u8, 0, 0, 0).counts_in();
    let of_logins = tables.logins.iter().filter_map(|login| day(login.day));
    let codes = tables.sums.iter().map(|row| row.when).chain(tables.domains.iter().map(|row| row.when));
    let codes = codes.chain(tables.tool_sessions.iter().map(|row| row.when));
    let of_firsts = tables.firsts.iter().filter_map(|first| Stamp::from_bits(first.ever).counts_in());
    of_logins.chain(codes.filter_map(when::month)).chain(of_firsts).min()
}

/// Accounts by the hash of the local name.
///
/// # Errors
/// The list cannot be read.
pub(crate) fn accounts(args: &Args) -> Result<FxHashMap<u128, u128>> {
    let mut accounts = FxHashMap::default();
    let Some(path) = &args.accounts else { return Ok(accounts) };
    let mut read = || {
        list::read(kit::open(path)?, &["user", "account"], &[], |row| {
            let [user, account] = [0, 1].map(|i| row.get(i).unwrap_or_default().trim());
            if !user.is_empty() && !account.is_empty() {
                // a name that no login name on a hub is
                accounts.insert(hash(user), hash_parts(&["", "account", account]));
            }
            Ok(())
        })
    };
    read().with_context(|| format!("reading {}", path.display()))?;
    Ok(accounts)
}
