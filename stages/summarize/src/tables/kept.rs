//! Cells from a state and the rows since, and the next state.
//!
//! A state holds the sessions, requests, logins and tool starts of closed months. Everything else is read from the
//! tables as always: tool sessions and jobs, hits, profiles, resources, lists.

use anyhow::{Result, bail, ensure};
use database::generations;
use schema::{Month, Period};

use crate::cells::Section;
use crate::finish::Figures;
use crate::kept;
use crate::state::file::{Header, State};
use crate::state::keeper::{Keeper, Origin as Rows};
use crate::state::origin::Origin;
use crate::state::unite;

use super::needs::Needs;
use super::read::{Extent, Reader};
use super::run::Run;

/// What the cells of these months are made of; writes the state that was asked for.
///
/// # Errors
/// A state is no longer valid, the tables change, or the server or a file fails.
pub(super) fn figures(run: &mut Run<'_>, (first, last): (Month, Month)) -> Result<Figures> {
    let axis = kept::axis(run.args, first, last)?;
    let ground = run.ground(axis)?;
    let before = match run.args.state_to {
        Some(_) => generations::watch(&mut run.metrics)?,
        None => generations::last_changes(&mut run.metrics)?,
    };
    let known = load(run)?;
    let end = known.as_ref().map_or(last, |state| state.header.through.max(last));
    let since = read(run, Extent::From(known.as_ref().map(|state| state.header.through.next())), end)?;
    let after = read(run, Extent::After, end)?;
    ensure!(
        generations::last_changes(&mut run.metrics)? == before,
        "another program changed the tables while they were read"
    );
    if let Some(state) = &known {
        check_extensions(state, &since)?;
    }
    let mut states: Vec<State> = known.into_iter().chain([since]).collect();
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

/// The state to continue from, without what is read from the tables each time.
fn load(run: &mut Run<'_>) -> Result<Option<State>> {
    let Some(mut state) = kept::load(run.args)?.into_iter().next() else { return Ok(None) };
    let State { name, header, .. } = &state;
    ensure!(
        header.hub == run.args.hub && header.part.is_none(),
        "{name} is of another hub or a part of one: `{}`, not `{}`",
        header.hub,
        run.args.hub
    );
    let Some(origin) = &header.tables else {
        bail!("{name} was made from records: nobody knows whether the tables still say the same");
    };
    if let Some(why) = origin.refusal(&mut run.metrics, header.through)? {
        bail!("{name} is no longer valid: {why}; make it again with --state-to alone");
    }
    let tables = &mut state.tables;
    tables.profiles.clear();
    tables.tool_sessions.clear();
    tables.jobs.clear();
    tables.versions.clear();
    for sums in &mut tables.sums {
        (sums.hits, sums.hit_rows) = (0, 0);
    }
    Ok(Some(state))
}

/// Requests of a state were judged by the files of that time.
fn check_extensions(state: &State, now: &State) -> Result<()> {
    let is_there = |extension: &&String| now.tables.extensions.contains(extension);
    match state.tables.extensions.iter().find(|extension| !is_there(extension)) {
        None => Ok(()),
        Some(gone) => bail!(
            "{} is no longer valid: no resource has a file of the kind `{gone}` now; make it again with --state-to alone",
            state.name
        ),
    }
}

/// What the tables say of some rows.
fn read(run: &mut Run<'_>, extent: Extent, end: Month) -> Result<State> {
    let args = run.args;
    let rows =
        Rows { compat: args.compat(), hub: args.hub.clone(), accounts: kept::accounts(args)?, ..Rows::default() };
    let mut keeper = Keeper::new(rows);
    let (target, compat) = (run.config.target(), args.compat());
    let needs = Needs::of_sections(&Section::ALL);
    let reader = Reader { target, extent, needs, compat, room: usize::MAX };
    reader.keep(&mut keeper, Period::stop(end), &mut run.hub)?;
    let (tables, sessions) = keeper.finish()?;
    let header = header(run, kept::first_month(&tables), end, None);
    Ok(State { name: "the tables".to_owned(), header, tables, sessions })
}
