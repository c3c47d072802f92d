//! Hubs and their parts in one process: the cells of their states are those of one scan over all records.
//!
//! The same as `hubs_and_their_parts_give_the_cells_of_one_run` of the executable, without processes, so that there
//! can be hundreds of cases. Every state is written to its bytes and read again.

use fixtures::property::{cases, check};
use fixtures::random::Random;
use proptest::prelude::*;
use schema::{Compat, Month, Part, Period};
use serde_json::Value;

use crate::axis::Axis;
use crate::cells::{Section, cells};
use crate::kept;
use crate::made::{COMPAT, MONTHS, as_one, history, today};
use crate::places::Places;
use crate::reading::digest;
use crate::row::Keep;
use crate::scan::{Ground, Scan};
use crate::state::file::{Header, State};
use crate::state::keeper::{Keeper, Origin};
use crate::state::unite;

/// Months of the cells.
const RANGE: [&str; 2] = ["2024-12", "2025-03"];

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn ground(compat: Compat) -> Ground {
    ground_of(month(RANGE[0]), month(RANGE[1]), compat)
}

fn ground_of(first: Month, last: Month, compat: Compat) -> Ground {
    Ground {
        axis: Axis::new(first, last),
        places: Places::new(
            [("US", "NA"), ("DE", "EU"), ("CN", "AS")].into_iter(),
            [("mit.edu", 1), ("x.com", 2)].into_iter(),
        ),
        apps: vec!["workspace".to_owned()],
        compat,
    }
}

fn taken_in<'a, K: Keep>(mut kept: K, records: impl Iterator<Item = &'a Value>) -> K {
    for record in records {
        let look = kept.look();
        let fact = digest(&*look, record.to_string().as_bytes()).unwrap();
        drop(look);
        fact.into_iter().for_each(|fact| kept.absorb(fact));
    }
    kept
}

fn shown(figures: &crate::finish::Figures) -> String {
    let mut lines = Vec::new();
    cells(figures, &Period::WRITE_ORDER, &Section::ALL, |cell| {
        cell.line(&mut lines);
        lines.push(b'\n');
    });
    String::from_utf8(lines).unwrap()
}

/// What records say, not yet as a file; with an earlier state they begin after `before`.
fn said(hub: &str, part: Option<Part>, span: (Option<Month>, Month), records: &[&Value], compat: Compat) -> State {
    let (before, through) = span;
    let from = before.map(Month::next);
    let origin = Origin { compat, hub: hub.to_owned(), from, through: Some(through), ..Origin::default() };
    let (tables, sessions) = taken_in(Keeper::new(origin), records.iter().copied()).finish().unwrap();
    let first = kept::first_month(&tables);
    let header = Header { compat: compat.to_string(), hub: hub.to_owned(), part, first, through, tables: None };
    State { name: "the records".to_owned(), header, tables, sessions, paths: None }
}

/// One state of several, as it is read from its file.
fn filed(states: Vec<State>) -> State {
    let mut header = states.last().unwrap().header.clone();
    header.first = states.iter().filter_map(|state| state.header.first).min();
    let one = unite::into_one(states, header).unwrap();
    State::parse("a file".to_owned(), one.bytes().unwrap()).unwrap()
}

/// The state of one part.
fn state(hub: &str, part: Option<Part>, records: &[&Value], compat: Compat) -> State {
    filed(vec![said(hub, part, (None, month(RANGE[1])), records, compat)])
}

#[test]
fn hubs_and_their_parts_give_the_cells_of_one_scan() {
    let n_cases = cases(300);
    let shapes = std::cell::RefCell::new(std::collections::BTreeMap::<(usize, u32), u32>::new());
    check(n_cases, &(0..u64::MAX, 1..4_usize, 1..5_u32, 0..3_usize), |(seed, n_hubs, n_parts, compat)| {
        let mut random = Random::new(seed);
        let compat = Compat::parse(COMPAT[compat]).unwrap();
        let (mut all, mut states) = (Vec::new(), Vec::new());
        for hub in 0..n_hubs {
            let known = today(&mut random).into_iter().map(|record| (None, record));
            let past = history(&mut random).into_iter().map(|made| (made.session, made.record));
            let records: Vec<_> = known.chain(past).collect();
            all.extend(records.iter().map(|(_, record)| as_one(record, hub)));
            for number in 1..=n_parts {
                let is_mine = |(at, (session, _)): &(usize, &(Option<u64>, Value))| {
                    session.unwrap_or(*at as u64 * 7 / 3) % u64::from(n_parts) == u64::from(number - 1)
                };
                let mine: Vec<&Value> =
                    records.iter().enumerate().filter(is_mine).map(|(_, (_, record))| record).collect();
                let part = (n_parts > 1).then(|| format!("{number}/{n_parts}").parse().unwrap());
                states.push(state(&format!("hub{hub}"), part, &mine, compat));
            }
        }
        let turn = random.below(states.len() as u32);
        states.rotate_left(turn as usize);
        unite::check(&mut states, false).unwrap();
        let united = shown(&kept::figures(ground(compat), &mut states).unwrap());
        let straight = shown(&taken_in(Scan::new(ground(compat)), all.iter()).finish().unwrap());
        prop_assert!(straight.lines().count() > 100);
        prop_assert_eq!(united, straight, "seed {}, {} hubs, {} parts", seed, n_hubs, n_parts);
        *shapes.borrow_mut().entry((n_hubs, n_parts)).or_default() += 1;
        Ok(())
    });
    let shapes = shapes.into_inner();
    fixtures::say(&format!("{n_cases} cases; by hubs and parts: {shapes:?}"));
    assert_eq!(shapes.len(), 12, "{shapes:?}");
}

#[test]
fn a_new_month_needs_the_state_before_and_its_own_records() {
    check(cases(100), &(0..u64::MAX, 0..3_usize), |(seed, compat)| {
        let mut random = Random::new(seed);
        let compat = Compat::parse(COMPAT[compat]).unwrap();
        let (made, known) = (history(&mut random), today(&mut random));
        let mut kept: Option<State> = None;
        for (n, name) in MONTHS.iter().enumerate() {
            let last = month(name);
            let of = |is_in: &dyn Fn(usize) -> bool| -> Vec<&Value> {
                let past = made.iter().filter(|made| is_in(made.month)).map(|made| &made.record);
                known.iter().chain(past).collect()
            };
            let mut states: Vec<State> = kept.take().into_iter().collect();
            let before = states.first().map(|state| state.header.through);
            let input = said("", None, (before, last), &of(&|month| month == n), compat);
            states.iter_mut().for_each(|state| state.tables.profiles.clear());
            unite::check_input(&states, &input).unwrap();
            states.push(input);
            // cells use a state up
            let (next, mut one) = {
                let next = filed(states);
                let again = State::parse("a file".to_owned(), next.bytes().unwrap()).unwrap();
                (next, vec![again])
            };
            let cells = shown(&kept::figures(ground_of(last, last, compat), &mut one).unwrap());
            let all = of(&|month| month <= n);
            let straight = taken_in(Scan::new(ground_of(last, last, compat)), all.into_iter()).finish().unwrap();
            prop_assert_eq!(cells, shown(&straight), "{}, seed {}", name, seed);
            kept = Some(next);
        }
        Ok(())
    });
}

/// A wrong bit is noticed, or it is one of the few that mean nothing.
#[test]
fn a_state_with_a_wrong_bit_is_refused() {
    let mut random = Random::new(11);
    let known: Vec<Value> = today(&mut random);
    let records: Vec<Value> =
        known.into_iter().chain(history(&mut random).into_iter().map(|made| made.record)).collect();
    let records: Vec<&Value> = records.iter().collect();
    let bytes = state("", None, &records, Compat::LEGACY).bytes().unwrap();
    let read = |bytes: Vec<u8>| {
        let mut states = vec![State::parse("a file".to_owned(), bytes)?];
        kept::figures(ground(Compat::LEGACY), &mut states).map(|figures| shown(&figures))
    };
    let sound = read(bytes.clone()).unwrap();
    let mut n_refused = 0;
    for n in 0..600 {
        let mut wrong = bytes.clone();
        // each byte of the beginning, where the header and the tables are, then any
        let at = if n < 200 { n } else { random.below(bytes.len() as u32) as usize };
        let bit = random.below(8);
        wrong[at] ^= 1 << bit;
        match read(wrong) {
            Ok(cells) => assert!(cells == sound, "bit {bit} of byte {at} gives other cells"),
            Err(_) => n_refused += 1,
        }
    }
    assert!(n_refused > 590, "{n_refused}");
    for _ in 0..50 {
        let at = random.below(bytes.len() as u32) as usize;
        assert!(read(bytes[..at].to_vec()).is_err(), "cut off at {at}");
    }
    assert!(read([&bytes[..], b"x"].concat()).is_err(), "more than a state");
}
