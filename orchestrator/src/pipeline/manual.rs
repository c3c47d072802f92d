//! The same work by hand: `process`, `analyze`, `summarize`, `rebuild-summaries`. They leave the
//! state alone: the next run sees what was done by itself.

use anyhow::Result;
use clap::ArgMatches;
use schema::{Month, Period};

use super::decide;
use super::facts;
use super::state::{self, State};
use super::work::{Effort, Sessions, Windows, Worker};
use crate::hub::Hub;
use crate::import::out_of_order;
use crate::pending::Pending;
use crate::refusals;

fn effort(matches: &ArgMatches) -> Effort {
    if matches.get_flag("dry-run") { Effort::DryRun } else { Effort::Real }
}

fn month(matches: &ArgMatches, name: &str) -> Result<Option<Month>> {
    Ok(matches.get_one::<String>(name).map(|text| text.parse()).transpose()?)
}

/// Whether a month is under way and must not be summarized unless forced; says so.
fn is_under_way(hub: &Hub, month: Month, force: bool) -> Result<bool> {
    if force || month != kit::current_month()? {
        return Ok(false);
    }
    hub.log.error(format_args!("{month} is the current month and not yet complete; --force goes ahead all the same"));
    Ok(true)
}

/// Somebody asks for a month by its name: it is no longer withheld.
fn release(hub: &Hub, month: Month, effort: Effort) -> Result<()> {
    if effort == Effort::Real && !state::release(hub, &mut hub.db()?, &[month].into())?.is_empty() {
        hub.log.info(format_args!("{month} is no longer withheld"));
    }
    Ok(())
}

/// `hzmetrics analyze`.
pub(crate) fn analyze(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    over(hub, matches, |worker, month| {
        worker.analyze(month, Sessions::Build)?;
        worker.summarize(month, month, &Windows::All)
    })
}

/// `hzmetrics summarize`.
pub(crate) fn summarize(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    over(hub, matches, |worker, month| worker.summarize(month, month, &Windows::All))
}

/// Work on a month that is over.
fn over(hub: &Hub, matches: &ArgMatches, work: impl FnOnce(&mut Worker<'_>, Month) -> Result<()>) -> Result<u8> {
    let Some(month) = month(matches, "month")?.or(month(matches, "YYYY-MM")?) else { return Ok(2) };
    if is_under_way(hub, month, matches.get_flag("force"))? {
        return Ok(1);
    }
    hub.config.check()?;
    let effort = effort(matches);
    let lock = hub.lock(effort == Effort::Real)?;
    release(hub, month, effort)?;
    work(&mut Worker::new(hub, lock.as_ref(), effort)?, month)?;
    hub.log.info(">>> done");
    Ok(0)
}

/// `hzmetrics rebuild-summaries`.
pub(crate) fn rebuild_summaries(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let Some(since) = month(matches, "since")? else { return Ok(2) };
    let through = month(matches, "through")?.map_or_else(|| Ok(kit::current_month()?.previous()), anyhow::Ok)?;
    if since > through {
        hub.log.error(format_args!("--since {since} is after --through {through}: nothing to do"));
        return Ok(1);
    }
    let windows = match matches.get_raw("periods").and_then(|mut values| values.next()) {
        None => Windows::All,
        Some(list) => match windows(&list.to_string_lossy()) {
            Ok(windows) => windows,
            Err(word) => {
                hub.log.error(format_args!("--periods: `{word}` is no period: 0, 1, 3, 12, 13, 14"));
                return Ok(1);
            }
        },
    };
    hub.config.check()?;
    let effort = effort(matches);
    let lock = hub.lock(effort == Effort::Real)?;
    hub.log.info(format_args!("[rebuild-summaries] {} month(s) {since}..{through}", since.through(through).count()));
    let withheld = State::read(&mut hub.db()?)?.withheld;
    for month in withheld.range(since..=through) {
        hub.log.warning(format_args!("[rebuild-summaries] {month} is withheld and left out"));
    }
    let mut worker = Worker::new(hub, lock.as_ref(), effort)?;
    for (first, last) in decide::stretches(since, through, &withheld) {
        worker.summarize(first, last, &windows)?;
    }
    hub.log.info(">>> done");
    Ok(0)
}

/// A list of period codes, or the word that is none.
fn windows(list: &str) -> Result<Windows, String> {
    let mut codes = Vec::new();
    for word in list.split(',').map(str::trim) {
        let period = word.parse().ok().and_then(Period::from_code).ok_or_else(|| word.to_owned())?;
        codes.push(period.code().to_string());
    }
    Ok(Windows::Some(codes.join(",")))
}

/// `hzmetrics process`.
pub(crate) fn process(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let (force, effort) = (matches.get_flag("force"), effort(matches));
    let day = matches.get_one::<String>("day");
    let (next, given) = (matches.get_flag("next"), month(matches, "month")?);
    if !next && given.is_none() && day.is_none() {
        hub.log.error("say which logs: --next, --month or --day");
        return Ok(1);
    }
    hub.config.check()?;
    let lock = hub.lock(effort == Effort::Real)?;
    let pending = Pending::look(hub)?;
    let end = || if effort == Effort::Real { refusals::end(hub, 0) } else { Ok(0) };
    let (month, days) = if next {
        let Some(month) = facts::pending_months(&pending).into_iter().next() else {
            hub.log.info("nothing is pending in daily/");
            return end();
        };
        (month, facts::pending_days(&pending, month))
    } else if let Some(month) = given {
        (month, facts::pending_days(&pending, month))
    } else {
        let day = day.map(String::as_str).unwrap_or_default();
        (day.get(..7).unwrap_or_default().parse()?, vec![day.replace('-', "")])
    };
    kit::refuse_month_to_come(month)?;
    let is_left_alone = next && State::read(&mut hub.db()?)?.withheld.contains(&month);
    let mut worker = Worker::new(hub, lock.as_ref(), effort)?;
    match days.first() {
        Some(first) if !force && out_of_order(hub, &pending, first)? => return Ok(1),
        Some(_) => {
            let would = if effort == Effort::Real { "processing" } else { "[dry-run] would process" };
            hub.log.info(format_args!("{would} {} day(s) for {month}", days.len()));
            worker.import(&pending, &days)?;
        }
        None => hub.log.info(format_args!("no new days pending for {month}: analyzing what is there")),
    }
    if is_left_alone {
        hub.log.info(format_args!("{month} is withheld: nothing is published"));
    } else if !force && month == kit::current_month()? {
        hub.log.info(format_args!("{month} is the current month: no analysis until it ends"));
        hub.log.info(format_args!("  hzmetrics analyze --month {month} --force does it now"));
    } else {
        release(hub, month, effort)?;
        worker.analyze(month, Sessions::Build)?;
        worker.summarize(month, month, &Windows::All)?;
    }
    hub.log.info(">>> done");
    end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_windows() {
        assert_eq!(windows("1"), Ok(Windows::Some("1".to_owned())));
        assert_eq!(windows(" 0, 14 "), Ok(Windows::Some("0,14".to_owned())));
        for (list, word) in [("1,2", "2"), ("x", "x"), ("", ""), ("1,,3", ""), ("99", "99")] {
            assert_eq!(windows(list), Err(word.to_owned()));
        }
    }
}
