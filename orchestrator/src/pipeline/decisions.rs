//! The decisions: pure functions of the state and the facts; no database, folders or clock.

use std::collections::BTreeSet;

use schema::{Month, Stamp};

use super::state::{Mode, State};

/// Facts about a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    /// It has pending logs.
    pub(crate) source: bool,
    /// A base table has rows for it.
    pub(crate) data: bool,
    /// All six periods are in all three summary tables.
    pub(crate) full: bool,
    /// It is marked dirty.
    pub(crate) dirty: bool,
    /// Requests or tool starts in it refer to sessions that do not exist.
    pub(crate) orphans: bool,
}

/// Whether the work on a month makes later months stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cascade {
    No,
    /// If the import added rows.
    IfNewRows,
    Always,
}

/// What catching up does with a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CatchUp {
    /// Nothing: it is complete.
    Skip,
    /// It has no data and no pending logs.
    Gap,
    /// Import pending logs, drop derived data, analyze, summarize the month's own period.
    Work { import: bool, reset: bool, cascade: Cascade },
}

/// The decision for the oldest month of the backlog.
pub(crate) const fn catch_up(facts: Facts) -> CatchUp {
    // session numbers can only be wrong if there are rows
    let stale = facts.dirty || (facts.data && facts.orphans);
    match (facts.source, facts.data) {
        (true, data) => {
            // existing rows may have been changed by hand, so new rows may not be the only reason
            let cascade = if data && stale { Cascade::Always } else { Cascade::IfNewRows };
            CatchUp::Work { import: true, reset: data, cascade }
        }
        (false, true) if facts.full && !stale => CatchUp::Skip,
        (false, true) if stale => CatchUp::Work { import: false, reset: true, cascade: Cascade::Always },
        (false, true) => CatchUp::Work { import: false, reset: false, cascade: Cascade::No },
        (false, false) => CatchUp::Gap,
    }
}

/// The mode of a run: a normal run catches up if there is a backlog.
pub(crate) const fn mode(stored: Mode, has_backlog: bool) -> Mode {
    match stored {
        Mode::Normal if has_backlog => Mode::CatchUp,
        mode => mode,
    }
}

/// Where the rebuild begins once everything is caught up: at the oldest month with new requests, or
/// else after the current month, so that nothing is walked.
pub(crate) fn first_cursor(state: &State, current: Month) -> Month {
    state.cascade_from.unwrap_or_else(|| current.next())
}

/// The earlier one of a month and a stored one.
pub(crate) fn lowered(noted: Option<Month>, month: Month) -> Month {
    noted.map_or(month, |noted| noted.min(month))
}

/// The next action of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rebuild {
    /// All periods of the months from this one to the previous one.
    Walk(Month),
    /// All periods of this month, which has only some of them.
    Sweep(Month),
    Finished,
}

/// The next month of the walk, unless it has passed the previous month.
pub(crate) fn walk(state: &State, previous: Month) -> Option<Month> {
    state.cursor.or(state.catchup_started).filter(|cursor| *cursor <= previous)
}

/// The decision of a rebuild. `oldest_incomplete` is called only after the walk.
///
/// # Errors
/// Those of `oldest_incomplete`.
pub(crate) fn rebuild<E>(
    state: &State,
    previous: Month,
    oldest_incomplete: impl FnOnce() -> Result<Option<Month>, E>,
) -> Result<Rebuild, E> {
    Ok(match walk(state, previous) {
        Some(cursor) => Rebuild::Walk(cursor),
        None => oldest_incomplete()?.map_or(Rebuild::Finished, Rebuild::Sweep),
    })
}

/// Whether to analyze the current month: once a day, or if forced.
pub(crate) fn analyzes_today(state: &State, today: Stamp, force: bool) -> bool {
    force || state.analyzed.as_deref() != Some(day(today).as_str())
}

/// A day in the form of the state.
pub(crate) fn day(stamp: Stamp) -> String {
    stamp.to_string().get(..10).unwrap_or_default().to_owned()
}

/// What a normal run does with the previous month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PreviousMonth {
    Nothing,
    /// Analyze and summarize it.
    Close,
    /// Some of its logs have not arrived.
    Defer,
    /// Some have not arrived, but it cannot wait longer: close it with a warning (only without
    /// modes).
    CloseLate,
}

/// The decision for the previous month.
pub(crate) const fn previous(is_summarized: bool, is_complete: bool) -> PreviousMonth {
    match (is_summarized, is_complete) {
        (true, _) => PreviousMonth::Nothing,
        (false, true) => PreviousMonth::Close,
        (false, false) => PreviousMonth::Defer,
    }
}

/// After this day of a month the port no longer waits for logs of the previous month.
const LATE: u8 = 5;

/// The action of a run without modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SingleRun {
    /// Import, analyze and summarize this old month, and nothing else.
    Old(Month),
    /// Whether to analyze the current month, and what to do with the previous one.
    Current {
        analyze: bool,
        previous: PreviousMonth,
    },
    Nothing,
}

/// The decision of a run without modes, after the pending days of the current month are imported.
pub(crate) fn single(
    oldest_pending: Option<Month>,
    imported: bool,
    analyze: bool,
    last_day_imported: bool,
    is_summarized: bool,
    today: Stamp,
) -> SingleRun {
    if let Some(month) = oldest_pending {
        return SingleRun::Old(month);
    }
    let previous = match previous(is_summarized, last_day_imported) {
        PreviousMonth::Defer if today.day() > LATE => PreviousMonth::CloseLate,
        previous => previous,
    };
    if !imported && !analyze && matches!(previous, PreviousMonth::Nothing | PreviousMonth::Defer) {
        return SingleRun::Nothing;
    }
    SingleRun::Current { analyze, previous }
}

/// The months from `first` to `last` as consecutive ranges, without withheld months.
pub(crate) fn stretches(first: Month, last: Month, withheld: &BTreeSet<Month>) -> Vec<(Month, Month)> {
    let mut list: Vec<(Month, Month)> = Vec::new();
    for month in first.through(last).filter(|month| !withheld.contains(month)) {
        match list.last_mut() {
            Some((_, end)) if end.next() == month => *end = month,
            _ => list.push((month, month)),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn state(pairs: &[(&str, &str)]) -> State {
        State::parse(pairs.iter().copied())
    }

    /// Facts from letters: s(ource), d(ata), f(ull), m(arked dirty), o(rphans).
    fn facts(letters: &str) -> Facts {
        let has = |letter| letters.contains(letter);
        Facts { source: has('s'), data: has('d'), full: has('f'), dirty: has('m'), orphans: has('o') }
    }

    #[test]
    fn catching_up_decides_by_all_facts() {
        use CatchUp::{Gap, Skip, Work};
        let work = |import, reset, cascade| Work { import, reset, cascade };
        let fresh = work(true, false, Cascade::IfNewRows);
        let more = work(true, true, Cascade::IfNewRows);
        let more_stale = work(true, true, Cascade::Always);
        let again = work(false, false, Cascade::No);
        let stale = work(false, true, Cascade::Always);
        let all = "sdfmo";
        let mut seen = 0;
        for bits in 0..32_u8 {
            let letters: String =
                all.chars().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, letter)| letter).collect();
            let expected = match letters.as_str() {
                // logs but no rows: the other facts do not matter
                "s" | "sf" | "sm" | "so" | "sfm" | "sfo" | "smo" | "sfmo" => fresh,
                "sd" | "sdf" => more,
                "sdm" | "sdo" | "sdfm" | "sdfo" | "sdmo" | "sdfmo" => more_stale,
                "d" => again,
                "df" => Skip,
                "dm" | "do" | "dfm" | "dfo" | "dmo" | "dfmo" => stale,
                "" | "f" | "m" | "o" | "fm" | "fo" | "mo" | "fmo" => Gap,
                other => panic!("{other}"),
            };
            assert_eq!(catch_up(facts(&letters)), expected, "`{letters}`");
            seen += 1;
        }
        assert_eq!(seen, 32);
    }

    #[test]
    fn the_mode_depends_on_state_and_backlog() {
        for (stored, has_backlog, expected) in [
            (Mode::Normal, false, Mode::Normal),
            (Mode::Normal, true, Mode::CatchUp),
            (Mode::CatchUp, false, Mode::CatchUp),
            (Mode::CatchUp, true, Mode::CatchUp),
            // a rebuild is finished first
            (Mode::Rebuild, true, Mode::Rebuild),
            (Mode::Rebuild, false, Mode::Rebuild),
        ] {
            assert_eq!(mode(stored, has_backlog), expected);
        }
    }

    #[test]
    fn after_catching_up_the_cursor_is_at_the_oldest_new_data() {
        let started = ("catchup_started", "2022-01");
        assert_eq!(first_cursor(&state(&[started]), month("2026-05")), month("2026-06"));
        assert_eq!(first_cursor(&state(&[started]), month("2026-12")), month("2027-01"));
        let cascade = state(&[started, ("rebuild_cascade_from", "2023-01")]);
        assert_eq!(first_cursor(&cascade, month("2026-05")), month("2023-01"));
        assert_eq!(lowered(None, month("2024-06")), month("2024-06"));
        assert_eq!(lowered(Some(month("2022-01")), month("2024-06")), month("2022-01"));
        assert_eq!(lowered(Some(month("2022-01")), month("2020-10")), month("2020-10"));
    }

    #[test]
    fn rebuilding_walks_then_sweeps_then_ends() {
        let previous = month("2026-04");
        let check = |pairs: &[(&str, &str)], incomplete: Option<&str>, expected| {
            let asked = rebuild(&state(pairs), previous, || Ok::<_, ()>(incomplete.map(month)));
            assert_eq!(asked, Ok(expected), "{pairs:?}");
        };
        check(&[("rebuild_cursor", "2022-06")], Some("2021-12"), Rebuild::Walk(month("2022-06")));
        check(&[("rebuild_cursor", "2026-04")], None, Rebuild::Walk(month("2026-04")));
        check(&[("rebuild_cursor", "2026-05")], Some("2021-12"), Rebuild::Sweep(month("2021-12")));
        check(&[("rebuild_cursor", "2026-05")], None, Rebuild::Finished);
        check(&[], None, Rebuild::Finished);
        check(&[], Some("2020-10"), Rebuild::Sweep(month("2020-10")));
        check(&[("catchup_started", "2023-01")], None, Rebuild::Walk(month("2023-01")));
        // a cursor past the end is not replaced by an older start
        check(&[("catchup_started", "2023-01"), ("rebuild_cursor", "2026-06")], None, Rebuild::Finished);
        // during the walk, incomplete months are not looked up
        let asked = rebuild(&state(&[("rebuild_cursor", "2022-12")]), previous, || Err("asked"));
        assert_eq!(asked, Ok(Rebuild::Walk(month("2022-12"))));
    }

    #[test]
    fn withheld_months_split_a_range() {
        let check = |withheld: &[&str], expected: &[(&str, &str)]| {
            let withheld = withheld.iter().map(|text| month(text)).collect();
            let found = stretches(month("2025-11"), month("2026-03"), &withheld);
            let expected: Vec<_> = expected.iter().map(|(first, last)| (month(first), month(last))).collect();
            assert_eq!(found, expected);
        };
        check(&[], &[("2025-11", "2026-03")]);
        check(&["2026-01", "2027-01"], &[("2025-11", "2025-12"), ("2026-02", "2026-03")]);
        check(&["2025-11", "2026-03"], &[("2025-12", "2026-02")]);
        check(&["2025-11", "2025-12", "2026-01", "2026-02", "2026-03"], &[]);
    }

    #[test]
    fn the_current_month_is_analyzed_once_a_day() {
        let today = Stamp::parse("2026-05-19 00:00:00").unwrap();
        assert!(analyzes_today(&state(&[]), today, false));
        assert!(analyzes_today(&state(&[("analyzed", "2026-05-18")]), today, false));
        assert!(!analyzes_today(&state(&[("analyzed", "2026-05-19")]), today, false));
        assert!(analyzes_today(&state(&[("analyzed", "2026-05-19")]), today, true));
    }

    #[test]
    fn the_previous_month_is_closed_once_complete() {
        for (is_summarized, is_complete, expected) in [
            (true, true, PreviousMonth::Nothing),
            (true, false, PreviousMonth::Nothing),
            (false, true, PreviousMonth::Close),
            (false, false, PreviousMonth::Defer),
        ] {
            assert_eq!(previous(is_summarized, is_complete), expected);
        }
    }

    #[test]
    fn without_modes_one_old_month_comes_first() {
        let at = |day| Stamp::new(2026, 5, day, 0, 0, 0).unwrap();
        let old = Some(month("2025-03"));
        assert_eq!(single(old, true, true, true, false, at(19)), SingleRun::Old(month("2025-03")));
        let current = |analyze, previous| SingleRun::Current { analyze, previous };
        assert_eq!(single(None, false, true, false, false, at(5)), current(true, PreviousMonth::Defer));
        assert_eq!(single(None, false, true, false, false, at(6)), current(true, PreviousMonth::CloseLate));
        assert_eq!(single(None, false, false, true, false, at(2)), current(false, PreviousMonth::Close));
        assert_eq!(single(None, true, false, true, true, at(2)), current(false, PreviousMonth::Nothing));
        assert_eq!(single(None, false, false, true, true, at(19)), SingleRun::Nothing);
        assert_eq!(single(None, false, false, false, false, at(5)), SingleRun::Nothing);
    }
}
