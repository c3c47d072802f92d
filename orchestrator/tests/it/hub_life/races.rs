//! Two machines that work on the same databases at the same time: the tables are those of one.
//!
//! `HZMETRICS_RACES` says how often both begin a run at once, or one is killed and the other takes over.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use fixtures::db::{SqlMode, names};
use fixtures::random::Random;
use rustix::process::{Pid, Signal};

use super::place::{Engines, Excluded, Folder, Place};
use super::world::{Logs, World};
use super::{AT_MONTH_CLOSE, day, month, number, tables};

/// Days that a race may have: those of the made-up hub.
const DAYS: u32 = 160;

/// Rotates a day's logs on each machine and has all of them run at once.
fn race(places: &[&Place], now: &str, logs: &Logs) {
    for place in places {
        place.rotate(logs, Folder::Daily, false);
    }
    let running: Vec<Child> = places.iter().map(|place| place.doomed("run --force", now)).collect();
    for mut child in running {
        let status = child.wait().unwrap();
        assert!(status.success(), "{now}: {status}");
    }
}

/// What each publication of a month makes again from all logins so far. A machine that stood aside
/// on the first of a month publishes the last month once more on the second, when it reads its own
/// copies of the logs; this table then holds the logins of one more day.
const COPY_OF_LOGINS: &str = "userlogin_lite";

/// The tables are those of one machine, but for those `without`.
fn equal(raced: &Place, one: &Place, without: &[&str]) {
    let should = tables::read(&one.pair);
    let names: Vec<&str> = should.keys().map(String::as_str).filter(|name| !without.contains(name)).collect();
    assert_eq!(names.len(), should.len() - without.len());
    let difference = tables::difference(&tables::read(&raced.pair), &should, Some(&names));
    assert_eq!(difference.unwrap_or_default(), "", "two machines have left other tables than one");
}

/// How often the log says so.
fn said(place: &Place, words: &str) -> usize {
    let log = fs::read_to_string(place.at("var/log/hubzero/metrics/hzmetrics.log")).unwrap_or_default();
    log.matches(words).count()
}

/// Tool starts that are there twice are found, and the rebuild of their months takes them away.
fn fixed(twice: &Place, sound: &Place, later: &str) {
    let columns = "datetime, success, user, ip, tool, execunit, walltime, cputime, sessionid, host, domain, ipcountry";
    let n = "SELECT COUNT(*) FROM toolstart";
    let before = twice.pair.value(n);
    twice.pair.sql(&format!("INSERT INTO toolstart ({columns}) SELECT {columns} FROM toolstart"));
    assert!(!sound.run("audit", later).text().contains("more than jobs"));
    let found = twice.run("audit", later).expect_code(1).text();
    assert!(found.contains("2025-01: ") && found.contains("tool start(s) more than jobs"), "{found}");
    assert!(found.contains("rebuild-from 2025-01"), "{found}");
    for place in [twice, sound] {
        place.run("rebuild-from 2025-01", later).ok();
        place.run("run", later).ok();
    }
    assert_eq!(twice.pair.value(n), before);
    let difference = tables::difference(&tables::read(&twice.pair), &tables::read(&sound.pair), None);
    assert_eq!(difference.unwrap_or_default(), "", "doubled tool starts were not fixed");
}

/// One machine is killed during its run, and another one takes over at once.
#[test]
fn a_machine_that_dies_is_replaced_by_another() {
    let n_days = fixtures::asked("HZMETRICS_RACES", 4).min(DAYS);
    let seed = u64::from(number("HZMETRICS_SEED", 1));
    let world = World::new(seed, month("2025-01"), 6);
    let (Some(shared), Some(alone)) = (names(SqlMode::Strict), names(SqlMode::Strict)) else { return };
    let install = |pair| Place::install(pair, &world, AT_MONTH_CLOSE, Excluded::Pages, Engines::ALL_INNODB);
    let (first, one) = (install(shared), install(alone));
    let second = first.second(&world, AT_MONTH_CLOSE);
    for place in [&first, &one] {
        place.run("init", "2025-01-12T00:10").ok();
        place.found();
    }
    second.run("init", "2025-01-12T00:10").ok();
    let mut random = Random::new(seed);
    let mut n_killed = 0;
    for at in day::FIRST..day::FIRST + n_days as usize {
        let (today, logs) = (&world.days[at], &world.days[at - 1]);
        let now = format!("{}T00:30", today.date());
        for place in [&first, &one] {
            world.work(&place.pair, logs);
        }
        let (dying, other) = if at.is_multiple_of(2) { (&first, &second) } else { (&second, &first) };
        for place in [&first, &second, &one] {
            place.rotate(logs, Folder::Daily, false);
        }
        // as long as the run of the one that nobody kills
        let begun = Instant::now();
        one.run("run --force", &now).ok();
        let whole = u32::try_from(begun.elapsed().as_millis()).unwrap();
        let moment = if n_killed == 0 { whole / 2 } else { random.below(whole) };
        let mut child = dying.doomed("run --force", &now);
        std::thread::sleep(Duration::from_millis(moment.into()));
        if child.try_wait().unwrap().is_none() {
            rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
            n_killed += 1;
        }
        let _ = child.wait().unwrap();
        for place in [other, dying] {
            place.run("run --force", &now).ok();
        }
    }
    for place in [&first, &second] {
        assert_eq!(place.logs(false), [""; 0].map(std::path::PathBuf::from), "logs are left");
    }
    let difference = tables::difference(&tables::read(&first.pair), &tables::read(&one.pair), None);
    assert_eq!(difference.unwrap_or_default(), "", "seed {seed}: whoever took over has left other tables");
    assert!(n_killed > 0, "nobody was killed");
    fixtures::say(&format!("{n_days} days, {n_killed} machines killed and replaced; all tables equal"));
}

#[test]
fn two_machines_leave_the_tables_of_one() {
    let n_races = fixtures::asked("HZMETRICS_RACES", 4).min(DAYS);
    let world = World::new(u64::from(number("HZMETRICS_SEED", 1)), month("2025-01"), 6);
    let (Some(raced), Some(alone)) = (names(SqlMode::Strict), names(SqlMode::Strict)) else { return };
    let install = |pair| Place::install(pair, &world, AT_MONTH_CLOSE, Excluded::Pages, Engines::ALL_INNODB);
    let (first, one) = (install(raced), install(alone));
    let second = first.second(&world, AT_MONTH_CLOSE);
    for place in [&first, &one] {
        place.run("init", "2025-01-12T00:10").ok();
        place.found();
    }
    second.run("init", "2025-01-12T00:10").ok();
    for at in day::FIRST..day::FIRST + n_races as usize {
        let (today, logs) = (&world.days[at], &world.days[at - 1]);
        let now = format!("{}T00:30", today.date());
        for place in [&first, &one] {
            world.work(&place.pair, logs);
        }
        race(&[&first, &second], &now, logs);
        race(&[&one], &now, logs);
    }
    let last = format!("{}T01:30", world.days[day::FIRST + n_races as usize - 1].date());
    for place in [&first, &second, &one] {
        place.run("run --force", &last).ok();
        assert_eq!(place.logs(false), [""; 0].map(std::path::PathBuf::from), "logs are left");
    }
    equal(&first, &one, &[COPY_OF_LOGINS]);
    let doubled = "SELECT COUNT(*) - COUNT(DISTINCT datetime, user, ip, tool, walltime, execunit) FROM toolstart";
    let n_starts = first.pair.value("SELECT COUNT(*) FROM toolstart").unwrap();
    assert_eq!(first.pair.value(doubled), one.pair.value(doubled));
    let later = format!("{}-10T00:10", month(&last[..7]).next());
    for place in [&first, &one] {
        // the last month is closed
        place.run("run", &later).ok();
    }
    equal(&first, &one, &[]);
    fixed(&first, &one, &later);
    let stood_aside = said(&first, "[run] still running") + said(&second, "[run] still running");
    fixtures::say(&format!(
        "{n_races} races, in {stood_aside} of them one stood aside; {n_starts} tool starts, all tables equal"
    ));
    assert!(stood_aside > 0, "the two never met");
}
