//! Cells from a state and the rows since, and the next state.
//!
//! A state holds the sessions, requests, logins and tool starts of closed months. Everything else is read from the
//! tables as always: tool sessions and jobs, hits, profiles, resources, lists. States that stand for rows that `hzmetrics
//! prune` removed are in the database, and are read by every run.

use anyhow::{Context as _, Result, bail, ensure};
use database::generations;
use database::pruned::{self, Gone, Pruned};
use schema::{Month, Period};

use crate::cells::Section;
use crate::finish::Figures;
use crate::kept;
use crate::state::chunks::{Chunk, N_CHUNKS, Store};
use crate::state::file::{Header, State};
use crate::state::keeper::{Keeper, Origin as Rows, Sessions};
use crate::state::origin::Origin;
use crate::state::requested::Paths;
use crate::state::tables::Tables;
use crate::state::unite;

use super::needs::Needs;
use super::read::{Extent, Reader, Since};
use super::run::Run;

/// What is known without the tables: a state that was named, or those that stand for removed rows.
#[derive(Default)]
pub(super) struct Known {
    states: Vec<State>,
    /// From where on tables are read.
    since: Since,
    /// Whether rows were removed that a state stands for.
    pub(super) pruned: Pruned,
    /// From where on requests are read for the usage of resources, and what is known of those before.
    pub(super) paths: Option<(Month, Paths)>,
}

impl Known {
    /// Loads the states.
    ///
    /// # Errors
    /// One is damaged or no longer valid, or cannot serve this run.
    pub(super) fn load(run: &mut Run<'_>) -> Result<Self> {
        let pruned = Pruned::read(&mut run.metrics)?;
        let mut known = if run.args.state_from.is_empty() { Self::of_removed(run, &pruned)? } else { named(run)? };
        if let (Some(state), Some(last)) = (known.states.first(), pruned.last())
            && !run.args.state_from.is_empty()
        {
            let through = state.header.through;
            ensure!(
                through >= last,
                "{} ends with {through}, and rows through {last} were removed by `hzmetrics prune`: leave out \
                 --state-from, their months are kept in the database",
                state.name
            );
        }
        if known.paths.is_none()
            && let Some(gone) = &pruned.web
        {
            known.paths = Some(paths_of(removed(run, gone)?)?);
        }
        known.pruned = pruned;
        Ok(known)
    }

    /// The states that stand for removed rows.
    fn of_removed(run: &mut Run<'_>, pruned: &Pruned) -> Result<Self> {
        let mut known = Self::default();
        let same = |a: &Gone| pruned.logins.as_ref().is_some_and(|b| a.state == b.state);
        if let Some(gone) = &pruned.web {
            let mut state = removed(run, gone)?;
            if !same(gone) {
                state.tables.logins.clear();
            }
            known.since.sessions = Some(gone.through.next());
            known.paths = Some(paths_of(State { paths: state.paths.take(), ..empty(&state) })?);
            known.states.push(state);
        }
        if let Some(gone) = &pruned.logins {
            known.since.logins = Some(gone.through.next());
            if !pruned.web.as_ref().is_some_and(same) {
                let state = removed(run, gone)?;
                let mut logins = empty(&state);
                logins.tables.logins = state.tables.logins;
                known.states.push(logins);
            }
        }
        Ok(known)
    }

    /// Whether the cells are made of more than the tables.
    pub(super) fn is_needed(&self, run: &Run<'_>) -> bool {
        run.args.has_states() || !self.states.is_empty()
    }

    /// From where on requests are read for the usage of resources.
    pub(super) fn extent_of_usage(&self) -> Extent {
        match &self.paths {
            Some((since, _)) => Extent::From(Since { sessions: Some(*since), ..Since::default() }),
            None => Extent::Whole,
        }
    }
}

/// What the cells of these months are made of; writes the state that was asked for.
///
/// # Errors
/// The tables change, or the server or a file fails.
pub(super) fn figures(run: &mut Run<'_>, known: Known, (first, last): (Month, Month)) -> Result<Figures> {
    let axis = kept::axis(run.args, first, last)?;
    let ground = run.ground(axis)?;
    let before = match (&run.args.state_to, run.args.has_states()) {
        _ if run.args.beside_writers => None,
        (Some(_), _) => Some(generations::watch(&mut run.metrics)?),
        (None, true) => Some(generations::last_changes(&mut run.metrics)?),
        (None, false) => None,
    };
    let Known { mut states, since, paths, .. } = known;
    let end = states.iter().map(|state| state.header.through).max().map_or(last, |through| through.max(last));
    let keeps_usage = run.args.with_usage;
    let mut now = read(run, Extent::From(since), end, keeps_usage)?;
    let after = read(run, Extent::After, end, false)?;
    if let Some(before) = before {
        ensure!(
            generations::last_changes(&mut run.metrics)? == before,
            "another program changed the tables while they were read"
        );
    }
    for state in &states {
        check_extensions(run, state, &now)?;
    }
    if keeps_usage {
        ensure!(
            paths.as_ref().is_none_or(|(from, _)| since.sessions == Some(*from)),
            "the state to continue from does not keep the usage of resources"
        );
        ensure!(paths.is_some() || since.sessions.is_none(), "the state to continue from does not keep the usage");
        now.paths = now.paths.map(|of_rows| match paths {
            Some((_, of_state)) => of_state.unite(of_rows),
            None => of_rows,
        });
    }
    states.push(now);
    states.iter().enumerate().try_for_each(|(n, state)| {
        let others = states.get(n + 1..).unwrap_or_default();
        others.iter().chain([&after]).try_for_each(|other| unite::check_input(std::slice::from_ref(state), other))
    })?;
    if let Some(path) = &run.args.state_to {
        ensure!(end == last, "the state holds months after {last}: the new one must go at least as far");
        let origin = Origin::of(&mut run.metrics, last, None)?;
        let first = states.iter().filter_map(|state| state.header.first).min();
        let state = unite::into_one(states, header(run, first, last, Some(origin)))?;
        state.save(path)?;
        states = vec![state];
    }
    states.push(after);
    kept::figures(ground, &mut states)
}

fn header(run: &Run<'_>, first: Option<Month>, through: Month, tables: Option<Origin>) -> Header {
    let (compat, hub) = (run.args.compat().to_string(), run.args.hub.clone());
    Header { compat, hub, part: None, first, through, tables }
}

/// The state to continue from.
fn named(run: &mut Run<'_>) -> Result<Known> {
    let Some(mut state) = kept::load(run.args)?.into_iter().next() else { return Ok(Known::default()) };
    check_hub(run, &state)?;
    let State { name, header, .. } = &state;
    let Some(origin) = &header.tables else {
        bail!("{name} was made from records: nobody knows whether the tables still say the same");
    };
    if let Some(why) = origin.refusal(&mut run.metrics, header.through)? {
        bail!("{name} is no longer valid: {why}; make it again with --state-to alone");
    }
    leave_what_is_read(&mut state);
    let next = state.header.through.next();
    let paths = state.paths.take().map(|paths| (next, paths));
    Ok(Known { states: vec![state], since: Since::all(Some(next)), paths, ..Known::default() })
}

/// A state that stands for removed rows. Tool starts stay in their table, and are read from it.
fn removed(run: &mut Run<'_>, gone: &Gone) -> Result<State> {
    let name = format!("the state of the removed months through {}", gone.through);
    let mut state = State::parse(name, pruned::load(&mut run.metrics, gone)?)?;
    check_hub(run, &state)?;
    let compat = run.args.compat().to_string();
    ensure!(
        state.header.compat == compat,
        "the rows of the months through {} were removed, and what is kept of them was made with --compat {}: their \
         numbers cannot be computed with --compat {compat}",
        gone.through,
        state.header.compat
    );
    leave_what_is_read(&mut state);
    let tables = &mut state.tables;
    tables.starts.clear();
    tables.firsts.clear();
    tables.starters.clear();
    Ok(state)
}

fn check_hub(run: &Run<'_>, state: &State) -> Result<()> {
    ensure!(
        state.header.hub == run.args.hub && state.header.part.is_none(),
        "{} is of another hub or a part of one: `{}`, not `{}`",
        state.name,
        state.header.hub,
        run.args.hub
    );
    Ok(())
}

/// What is read from the tables each time.
fn leave_what_is_read(state: &mut State) {
    let tables = &mut state.tables;
    tables.profiles.clear();
    tables.tool_sessions.clear();
    tables.jobs.clear();
    tables.versions.clear();
    for sums in &mut tables.sums {
        (sums.hits, sums.hit_rows) = (0, 0);
    }
}

/// A state of the same months without anything in it.
fn empty(of: &State) -> State {
    let store = Store::Memory(vec![Chunk::default(); N_CHUNKS]);
    let sessions = Sessions { domains: Vec::new(), countries: Vec::new(), tails: Vec::new(), store };
    State { name: of.name.clone(), header: of.header.clone(), tables: Tables::default(), sessions, paths: None }
}

fn paths_of(state: State) -> Result<(Month, Paths)> {
    let paths = state.paths.with_context(|| format!("{} does not keep the usage of resources", state.name))?;
    Ok((state.header.through.next(), paths))
}

/// Requests of a state were judged by the files of that time.
fn check_extensions(run: &Run<'_>, state: &State, now: &State) -> Result<()> {
    let is_there = |extension: &&String| now.tables.extensions.contains(extension);
    let Some(gone) = state.tables.extensions.iter().find(|extension| !is_there(extension)) else { return Ok(()) };
    if run.args.state_from.is_empty() {
        run.messages.warn(format_args!(
            "no resource has a file of the kind `{gone}` now; requests for such files remain downloads in the months \
             whose rows were removed"
        ));
        return Ok(());
    }
    bail!(
        "{} is no longer valid: no resource has a file of the kind `{gone}` now; make it again with --state-to alone",
        state.name
    )
}

/// What the tables say of some rows.
fn read(run: &mut Run<'_>, extent: Extent, end: Month, keeps_usage: bool) -> Result<State> {
    let args = run.args;
    let rows =
        Rows { compat: args.compat(), hub: args.hub.clone(), accounts: kept::accounts(args)?, ..Rows::default() };
    let mut keeper = Keeper::new(rows);
    let (target, compat) = (run.config.target(), args.compat());
    let needs = Needs::of_sections(&Section::ALL);
    let reader = Reader { target, extent, needs, compat, room: usize::MAX };
    let paths = reader.keep(&mut keeper, Period::stop(end), keeps_usage, &mut run.hub)?;
    let (tables, sessions) = keeper.finish()?;
    let header = header(run, kept::first_month(&tables), end, None);
    let paths = keeps_usage.then(|| paths.finish());
    Ok(State { name: "the tables".to_owned(), header, tables, sessions, paths })
}
