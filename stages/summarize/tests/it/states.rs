//! States against the straight run over all records: parts of a hub, month after month, several hubs.

use std::path::{Path, PathBuf};

use fixtures::random::Random;
use fixtures::{Finished, Run, property, run};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::made::{COMPAT, MONTHS, Made, as_one, history, login, session, today, web};
use super::{EXE, lines};

/// Months of the cells.
const RANGE: [&str; 4] = ["--since", "2024-12", "--through", "2025-03"];

fn summarize(compat: &str) -> Run {
    run(EXE).args(RANGE).args(["--compat", compat])
}

/// The cells of a run over everything.
fn straight(records: &[Value], compat: &str) -> String {
    summarize(compat).stdin(lines(records)).finish().ok().text()
}

fn united(states: &[PathBuf], compat: &str) -> Finished {
    summarize(compat).arg("--state-from").args(states).finish()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Writes the states of the parts of a hub, whose records belong anywhere but with their sessions.
fn parts(folder: &Folder, hub: &str, records: &[(Option<u64>, Value)], n: u32, compat: &str) -> Vec<PathBuf> {
    let part = |i: u32| {
        let is_mine = |(at, (session, _)): &(usize, &(Option<u64>, Value))| {
            session.unwrap_or(*at as u64 * 7 / 3) % u64::from(n) == u64::from(i - 1)
        };
        let mine: Vec<Value> =
            records.iter().enumerate().filter(is_mine).map(|(_, (_, record))| record.clone()).collect();
        let path = folder.at(&format!("{hub}{i}of{n}"));
        let mut run = summarize(compat).arg("--state-to").arg(&path).args(["--hub", hub]);
        if n > 1 {
            run = run.arg("--part").arg(format!("{i}/{n}"));
        }
        let done = run.stdin(lines(&mine)).finish().ok();
        assert_eq!(done.text().is_empty(), n > 1, "parts have no cells");
        path
    };
    (1..=n).map(part).collect()
}

#[test]
fn hubs_and_their_parts_give_the_cells_of_one_run() {
    let cases = (0..u64::MAX, 1..4_usize, 1..4_u32, 0..3_usize);
    property::check(property::slow_cases(8), &cases, |(seed, n_hubs, n_parts, compat)| {
        let folder = Folder::new();
        let mut random = Random::new(seed);
        let compat = COMPAT[compat];
        let (mut all, mut states) = (Vec::new(), Vec::new());
        for hub in 0..n_hubs {
            let known = today(&mut random).into_iter().map(|record| (None, record));
            let past = history(&mut random).into_iter().map(|made| (made.session, made.record));
            let records: Vec<_> = known.chain(past).collect();
            all.extend(records.iter().map(|(_, record)| as_one(record, hub)));
            states.extend(parts(&folder, &format!("hub{hub}"), &records, n_parts, compat));
        }
        // the order of the arguments does not matter
        let turn = random.below(states.len() as u32);
        states.rotate_left(turn as usize);
        let expected = straight(&all, compat);
        prop_assert_eq!(
            united(&states, compat).ok().text(),
            expected,
            "seed {}, {} hubs, {} parts",
            seed,
            n_hubs,
            n_parts
        );
        Ok(())
    });
}

/// Without the last months of one hub, the numbers of all hubs would be too low.
#[test]
fn a_hub_whose_last_months_are_missing_is_refused() {
    let folder = Folder::new();
    let of = |month: &str, id: u64| [session(id, &format!("{month}-05 10:00:00"), "1.1.1.1", 100, json!({}))];
    let write = |name: &str, hub: &str, month: &str, from: &[&str], records: &[Value]| {
        let mut run = run(EXE).args(["--month", month, "--hub", hub, "--state-to"]).arg(folder.at(name));
        if !from.is_empty() {
            run = run.arg("--state-from").args(from.iter().map(|name| folder.at(name)));
        }
        run.stdin(lines(records)).finish().ok()
    };
    let _ = write("a1", "a", "2025-01", &[], &of("2025-01", 1));
    let _ = write("a2", "a", "2025-02", &["a1"], &of("2025-02", 2));
    let _ = write("b1", "b", "2025-01", &[], &of("2025-01", 1));
    let refused = read(&folder, &["a2", "b1"], &[], &[]).expect_code(1);
    refused.said(&["b1 ends with 2025-01, and there are no records of its hub after that, up to 2025-02", "--hub b"]);
    read(&folder, &["a1"], &[], &[]).expect_code(1).said(&["a1 ends with 2025-01"]);
    // the records may be there, or somebody says that there are none
    let _ = read(&folder, &["a2", "b1"], &["--hub", "b"], &of("2025-02", 2)).ok();
    let _ = write("b2", "b", "2025-02", &["b1"], &[]);
    let _ = read(&folder, &["a2", "b2"], &[], &[]).ok();
}

#[test]
fn months_that_are_missing_between_states_are_named() {
    let folder = Folder::new();
    let of = |month: &str, id: u64| [session(id, &format!("{month}-05 10:00:00"), "1.1.1.1", 100, json!({}))];
    for (name, month, id) in [("october", "2024-10", 1), ("november", "2024-11", 3), ("february", "2025-02", 2)] {
        let run = run(EXE).args(["--month", month, "--state-to"]).arg(folder.at(name));
        let _ = run.stdin(lines(&of(month, id))).finish().ok();
    }
    let holed = read(&folder, &["february", "november", "october"], &[], &[]).ok();
    assert_eq!(holed.stderr.matches("there are no records of 2024-12 to 2025-01").count(), 1, "{}", holed.stderr);
    let by_input = read(&folder, &["october"], &[], &of("2025-02", 2)).ok();
    assert!(by_input.stderr.contains("there are no records of 2024-11 to 2025-01"), "{}", by_input.stderr);
    let all = read(&folder, &["october", "november"], &[], &of("2024-12", 7)).ok();
    assert!(!all.stderr.contains("there are no records"), "{}", all.stderr);
}

/// A table a hub: the names of the hub make no difference to it.
#[test]
fn a_hub_by_itself_has_its_own_cells() {
    let folder = Folder::new();
    let mut random = Random::new(7);
    let records: Vec<_> = history(&mut random).into_iter().map(|made| (made.session, made.record)).collect();
    let plain: Vec<Value> = records.iter().map(|(_, record)| record.clone()).collect();
    let states = parts(&folder, "nano", &records, 3, "default");
    assert_eq!(united(&states, "default").ok().text(), straight(&plain, "default"));
}

/// Cells month after month, each from the state before and the records of one month; the hub's tables as
/// they are then.
#[test]
fn a_new_month_needs_the_state_before_and_its_own_records() {
    property::check(property::slow_cases(4), &(0..u64::MAX, 0..3_usize), |(seed, compat)| {
        let folder = Folder::new();
        let mut random = Random::new(seed);
        let compat = COMPAT[compat];
        let made = history(&mut random);
        let known = today(&mut random);
        for (n, month) in MONTHS.iter().enumerate() {
            let of = |until: bool| {
                let is_in = |made: &&Made| made.month == n || until && made.month < n;
                let past = made.iter().filter(is_in).map(|made| made.record.clone());
                known.iter().cloned().chain(past).collect::<Vec<_>>()
            };
            let cells = |run: Run| run.args(["--month", month, "--compat", compat]);
            let expected = cells(run(EXE)).stdin(lines(&of(true))).finish().ok().text();
            let mut step = cells(run(EXE)).arg("--state-to").arg(folder.at(month));
            if n > 0 {
                step = step.arg("--state-from").arg(folder.at(MONTHS[n - 1]));
            }
            prop_assert_eq!(step.stdin(lines(&of(false))).finish().ok().text(), expected, "{}, seed {}", month, seed);
        }
        // the last state answers for every month of the past
        let last = vec![folder.at(MONTHS[MONTHS.len() - 1])];
        let all: Vec<Value> = known.iter().cloned().chain(made.iter().map(|made| made.record.clone())).collect();
        prop_assert_eq!(united(&last, compat).ok().text(), straight(&all, compat), "seed {}", seed);
        Ok(())
    });
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let folder = Folder::new();
    let records: Vec<Value> = history(&mut Random::new(3)).into_iter().map(|made| made.record).collect();
    let write = |name: &str, threads: &str| {
        let run = summarize("default").arg("--state-to").arg(folder.at(name)).env("RAYON_NUM_THREADS", threads);
        let _ = run.stdin(lines(&records)).finish().ok();
        std::fs::read(folder.at(name)).unwrap()
    };
    assert!(write("a", "1") == write("b", "2"));
}

#[test]
fn accounts_unite_people() {
    let folder = Folder::new();
    let state = |hub: &str, user: &str, accounts: &str| {
        let (path, list) = (folder.at(hub), folder.at("accounts.csv"));
        std::fs::write(&list, format!("user,account\n{accounts}")).unwrap();
        let run = summarize("default").arg("--state-to").arg(&path).args(["--hub", hub]).arg("--accounts").arg(list);
        let _ = run.stdin(lines(&[login("2025-03-03 10:00:00", user, "1.1.1.1")])).finish().ok();
        path
    };
    let users = |states: &[PathBuf]| {
        let cells = super::Cells::of(&run(EXE).args(["--month", "2025-03", "--state-from"]).args(states).finish().ok());
        cells.user(6, 1, 1)
    };
    let a = state("a", "ann", "");
    assert_eq!(users(&[a.clone(), state("b", "ann", "")]), 2, "the same name on two hubs is two people");
    let a = {
        let _ = a;
        state("a", "ann", "Ann,1\n")
    };
    assert_eq!(users(&[a, state("b", "annie", "annie,1\n")]), 1);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = Folder::new();
    let january = [session(1, "2025-01-05 10:00:00", "1.1.1.1", 100, json!({})), login("2025-01-05 10:00:00", "u", "")];
    let february = [session(2, "2025-02-05 10:00:00", "1.1.1.1", 100, json!({}))];
    let write = |name: &str, month: &str, options: &[&str], records: &[Value]| {
        let run = run(EXE).args(["--month", month, "--state-to"]).arg(folder.at(name)).args(options);
        run.stdin(lines(records)).finish()
    };
    let (j, f, p1, p2, x) = ("j", "f", "p1", "p2", "x");
    let _ = write(j, "2025-01", &[], &january).ok();
    let _ = write(f, "2025-02", &[], &february).ok();
    let _ = write(p1, "2025-01", &["--part", "1/2"], &january[..1]).ok();
    let _ = write(p2, "2025-01", &["--part", "2/2"], &january[1..]).ok();
    let _ = write(x, "2025-01", &["--part", "2/2"], &[web(1, "2025-01-06 00:00:00", "/resources/1/download/x")]).ok();
    let whole = std::fs::read(folder.at(j)).unwrap();
    for at in [3, 20, whole.len() / 2, whole.len() - 1] {
        std::fs::write(folder.at("cut"), &whole[..at]).unwrap();
        read(&folder, &["cut"], &[], &february).expect_code(1).said(&["reading the state"]);
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(folder.at("bad"), bytes).unwrap();
        read(&folder, &["bad"], &[], &february).expect_code(1).said(&["reading the state"]);
    }
    let tool = [json!({"kind": "hub_session", "sessnum": 5, "start": "2025-01-05 10:00:00"})];
    let job = [json!({"kind": "hub_job", "sessnum": 5, "job": 1, "event": "application", "cputime": 1})];
    let _ = write("t", "2025-01", &[], &tool).ok();
    let late = [session(9, "2025-01-06 10:00:00", "1.1.1.1", 100, json!({}))];
    let stranger = [web(1, "2025-02-05 10:00:00", "/resources/1/download/x")];
    let again = [session(1, "2025-02-05 10:00:00", "1.1.1.1", 100, json!({}))];
    for (states, options, records, words) in [
        (&[j, j][..], &[][..], &[][..], "hold the same months"),
        (&[j], &["--compat", "port"], &[], "was made with --compat default"),
        (&[j], &[], &late, "of a month that a state holds already"),
        (&[j], &[], &stranger, "requests belong with their sessions"),
        (&[j], &[], &again, "two sessions have the number 1"),
        (&["t"], &[], &job, "jobs belong with their sessions"),
        (&[p1], &[], &[], "all 2 parts of a hub are needed"),
        (&[p1, p2, j], &[], &[], "cannot be put together"),
        (&[p1, x], &[], &[], "requests belong with their sessions"),
        (&[p1, p1], &[], &[], "all 2 parts of a hub are needed"),
        (&["none"], &[], &[], "none"),
    ] {
        read(&folder, states, options, records).expect_code(1).said(&[words]);
    }
    let _ = write("l", "2025-01", &[], &january[1..]).ok();
    read(&folder, &["l", "l"], &[], &[]).expect_code(1).said(&["hold the same months"]);
    let more = run(EXE).args(["--month", "2025-02", "--part", "1/2", "--state-to"]).arg(folder.at("q1"));
    let _ = more.arg("--state-from").arg(folder.at(p1)).stdin(lines(&february)).finish().ok();
    read(&folder, &["q1", p2], &[], &[]).expect_code(1).said(&["must go through the same month"]);
    let _ = read(&folder, &[j, f], &[], &[]).ok();
    let _ = read(&folder, &[p1, p2], &[], &february).ok();
    write("y", "2025-01", &[], &february).expect_code(1).said(&["is later than 2025-01"]);
    assert!(!folder.at("y").exists());
    let two_hubs = [j, f].map(|name| folder.at(name));
    let run = run(EXE).args(["--month", "2025-02", "--hub", "b", "--state-to"]).arg(folder.at("y"));
    run.arg("--state-from").args(two_hubs).finish().expect_code(1).said(&["a state is of one hub"]);
}

fn read(folder: &Folder, states: &[&str], options: &[&str], records: &[Value]) -> Finished {
    let paths = states.iter().map(|name| folder.at(name));
    let run = run(EXE).args(["--month", "2025-02"]).args(options).arg("--state-from").args(paths);
    run.stdin(lines(records)).finish()
}

#[test]
fn states_are_for_months_that_are_over_and_for_cells() {
    let path = Path::new("state");
    for (options, words) in [
        (&["--month", "2999-01", "--state-to"][..], "is not over"),
        (&["--month", "1995-07", "--state-to"], "from 1996-01 on"),
        (&["--month", "2025-01", "--to", "db", "--state-to"], "without states"),
        (&["--month", "2025-01", "--db", "--only", "andmore", "--state-to"], "of the step summary"),
        (&["--month", "2025-01", "--part", "1/2", "--state-from"], "--state-to"),
        (&["--month", "2025-01", "--memory", "300M", "--state-to"], "cannot be used with"),
        (&["--month", "2025-01", "--accounts", "x", "--state-to"], "--hub"),
    ] {
        run(EXE).args(options).arg(path).finish().expect_code(2).said(&[words]);
    }
    run(EXE).args(["--month", "2025-01", "--hub", "a"]).finish().expect_code(2).said(&["--state-to"]);
}
