//! The life of a hub, from an empty machine to a year in which everything went wrong: logs that
//! arrive daily, an outage of months, logs that arrive late, months marked dirty, runs killed at
//! any moment. In the end the tables must equal those of one import of everything.
//!
//! `HZMETRICS_KILLS` sets how many runs are killed, `HZMETRICS_SEED` selects another hub and other
//! moments.

mod cluster;
mod place;
mod races;
mod tables;
pub(crate) mod world;

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use fixtures::db::{Pair, SqlMode, names};
use fixtures::random::Random;
use rustix::process::{Pid, Signal};
use schema::Month;
use schema::tables::Engine;

use cluster::Nodes;
use place::{Engines, Excluded, Folder, Place};
use tables::Tables;
use world::World;

/// With this option a month gets its sessions when it is over, so they do not depend on when runs
/// happened.
const AT_MONTH_CLOSE: &str = "sessions-at-month-close";

fn number(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// The days of the story, counted from 1 January.
mod day {
    /// The first log.
    pub(super) const FIRST: usize = 12;
    /// Thirty consecutive days; then nobody looks after the hub.
    pub(super) const OUTAGE: usize = FIRST + 30;
    /// The machine is back.
    pub(super) const BACK: usize = OUTAGE + 122;
    /// Logs of an old month are found.
    pub(super) const LATE: usize = BACK + 2;
    /// A month is marked dirty.
    pub(super) const MARKED: usize = LATE + 1;
    pub(super) const LAST: usize = MARKED + 2;
}

/// Days whose logs arrive long after their month was closed.
const LATE: [&str; 2] = ["2025-04-18", "2025-04-27"];

/// After this many seconds a run has started to work.
const FIRST_MOMENT: f64 = 0.008;

/// How long a day may take, including kills.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// Everything at once, as when the machine crashes.
    Group,
    /// Only `hzmetrics`: the running stage continues.
    Parent,
    /// Only the stage.
    Stage,
    /// A node of the cluster, and none of our processes.
    Node,
}

struct Life {
    place: Place,
    random: Random,
    now: String,
    /// How long recent runs took.
    usual: Duration,
    /// When there is much to do, which is rare.
    is_long: bool,
    /// When there are old months that may be marked for rebuilding.
    is_late_in_life: bool,
    n_killed: u32,
    n_runs: u32,
    /// What was killed when.
    book: Vec<String>,
    /// Where the databases are on a cluster.
    nodes: Option<Nodes>,
}

impl Life {
    fn hzmetrics(&self, line: &str) -> fixtures::Finished {
        self.place.run(line, &self.now)
    }

    fn state(&self, key: &str) -> String {
        let rows = self.place.pair.lines(&format!("SELECT v FROM pipeline_state WHERE k = '{key}'"));
        rows.into_iter().next().unwrap_or_default()
    }

    /// Whether nothing is left to do today.
    fn is_settled(&self) -> bool {
        ["", "normal"].contains(&self.state("mode").as_str())
            && self.state("analyzed") == self.now[..10]
            && self.state("dirty_months").is_empty()
            && self.place.logs(false).is_empty()
    }

    /// The tick at half past midnight: some are killed, then others continue until nothing is left.
    fn tick(&mut self, n_kills: u32) {
        let began = Instant::now();
        let mut line = "tick";
        for _ in 0..n_kills {
            while !self.kill_one(line) {
                // all is done, or it waits for the stage of a killed run that is still running
                if self.is_late_in_life {
                    let month = *self.random.pick(&["2025-02", "2025-03", "2025-04", "2025-05"]);
                    let _ = self.hzmetrics(&format!("mark-dirty {month}"));
                } else {
                    line = "run --force";
                }
                assert!(began.elapsed() < PATIENCE, "the runs end before they are killed\n{}", self.words());
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        for n in 0.. {
            let tick = Instant::now();
            let done = self.hzmetrics("tick");
            assert!(done.code == 0, "{}: {}\n{}", self.now, done.stderr, self.book.join("\n"));
            self.n_runs += 1;
            if self.is_settled() {
                self.usual = tick.elapsed();
                return;
            }
            // a run that waits for the stage of a killed one ends at once
            let patient = n < 20 || (n_kills > 0 && began.elapsed() < PATIENCE);
            assert!(patient, "{}: never normal\n{}\n{}", self.now, self.words(), self.book.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The output of `status` and the log.
    fn words(&self) -> String {
        let log = fs::read_to_string(self.place.at("var/log/hubzero/metrics/hzmetrics.log")).unwrap_or_default();
        let from = log.lines().count().saturating_sub(60);
        let end: Vec<&str> = log.lines().skip(from).collect();
        format!("{}\n{}", self.hzmetrics("status").text(), end.join("\n"))
    }

    /// Starts a run and kills it; `false` if it ended before.
    fn kill_one(&mut self, line: &str) -> bool {
        // any moment, or with equal probability an early one, so that short phases are hit too
        let scale = f64::from(self.random.below(1_000_000)) / 1e6;
        let longest = if self.is_long { 8.0 } else { 1.0 } * self.usual.as_secs_f64().max(0.3);
        let any = self.random.chance(500);
        let moment = if any { longest * scale } else { FIRST_MOMENT * (longest / FIRST_MOMENT).powf(scale) };
        let moment = Duration::from_secs_f64(moment);
        let of_nodes = if self.nodes.is_some() { 10 } else { 0 };
        let kill =
            *self.random.weighted(&[(6, Kill::Group), (2, Kill::Parent), (2, Kill::Stage), (of_nodes, Kill::Node)]);
        if let (Kill::Node, Some(nodes)) = (kill, &self.nodes) {
            nodes.settle();
        }
        let mut child = self.place.doomed(line, &self.now);
        self.n_runs += 1;
        let began = Instant::now();
        while began.elapsed() < moment {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        let (stage, at) = at_work(&child).unwrap_or_default();
        let pid = Pid::from_child(&child);
        let mut became = String::new();
        match kill {
            Kill::Node => {
                let node = self.random.below(3);
                became = self.nodes.as_mut().unwrap().kill(node, &mut child, &self.place);
            }
            Kill::Stage if stage != 0 => {
                let _ = rustix::process::kill_process(Pid::from_raw(stage).unwrap(), Signal::KILL);
            }
            Kill::Parent => child.kill().unwrap(),
            Kill::Group | Kill::Stage => rustix::process::kill_process_group(pid, Signal::KILL).unwrap(),
        }
        let _ = child.wait().unwrap();
        self.n_killed += 1;
        let kill = format!("{kill:?}").to_lowercase();
        self.book.push(format!("{} {line}: {kill} killed after {moment:?}, in progress: {at} {became}", self.now));
        true
    }
}

/// The process that `hzmetrics` has started, with its command line.
fn at_work(parent: &Child) -> Option<(i32, String)> {
    let parent = parent.id().to_string();
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let pid = children.split_whitespace().next()?;
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<&str> = line.split('\0').map(|word| word.rsplit('/').next().unwrap_or(word)).collect();
    Some((pid.parse().ok()?, words.join(" ").trim().to_owned()))
}

/// How many runs are killed on each day.
fn kills(random: &mut Random, n: u32) -> Vec<u32> {
    let mut days = vec![0; day::LAST + 1];
    let weight = |at: usize| match at {
        day::BACK => 30,
        day::LATE | day::MARKED => 6,
        day::FIRST..day::OUTAGE | day::BACK..=day::LAST => 1,
        _ => 0,
    };
    let weights: Vec<(u32, usize)> = (0..=day::LAST).map(|at| (weight(at), at)).collect();
    for _ in 0..n {
        days[*random.weighted(&weights)] += 1;
    }
    days
}

/// Runs the whole life; returns what was run, and the resulting tables.
fn live(place: Place, nodes: Option<Nodes>, world: &World, seed: u64, n_kills: u32) -> Life {
    let mut random = Random::new(seed);
    let kills = kills(&mut random, n_kills);
    let usual = Duration::from_millis(500);
    let now = String::new();
    let mut life = Life {
        place,
        random,
        now,
        usual,
        is_long: false,
        is_late_in_life: false,
        n_killed: 0,
        n_runs: 0,
        book: Vec::new(),
        nodes,
    };

    // an empty machine
    life.now = format!("{}T00:10", world.days[day::FIRST].date());
    life.hzmetrics("init").ok();
    life.hzmetrics("doctor").ok();
    if let Some(nodes) = &life.nodes {
        nodes.found(&life.place.pair);
    }
    life.place.found();

    let mut late = Vec::new();
    for (at, n_kills) in kills.into_iter().enumerate().skip(day::FIRST) {
        // today's requests are in tomorrow's logs
        let (today, logs) = (&world.days[at], &world.days[at - 1]);
        life.now = format!("{}T00:30", today.date());
        world.work(&life.place.pair, logs);
        if at == day::FIRST {
            // the first tick finds nothing to do
            life.tick(n_kills);
            continue;
        }
        let gzip = at.is_multiple_of(2);
        match &logs.day[4..6] {
            _ if LATE.contains(&logs.date().as_str()) => late.push(logs),
            "03" if at > day::OUTAGE => life.place.rotate(logs, Folder::Year, gzip),
            "04" => life.place.rotate(logs, Folder::Holding, gzip),
            _ => life.place.rotate(logs, Folder::Daily, gzip),
        }
        if at == day::LATE {
            assert_eq!(late.len(), 2);
            for (n, logs) in late.drain(..).enumerate() {
                let folder = if n == 0 { Folder::Year } else { Folder::Daily };
                life.place.rotate(logs, folder, n == 1);
            }
        }
        if at == day::MARKED {
            life.hzmetrics("mark-dirty 2025-05").ok();
        }
        if !(day::OUTAGE..day::BACK).contains(&at) {
            life.is_long = at == day::BACK;
            life.is_late_in_life = at >= day::BACK;
            life.tick(n_kills);
        }
    }
    assert_eq!(life.n_killed, n_kills);
    life
}

/// Everything at once: each log once, in the order of the days, then each month.
fn straight(place: &Place, world: &World, life: &Life) {
    let now = life.now.as_str();
    let run = |name: &str, words: &str| {
        let _ = place.start(name, now).args(words.split(' ')).finish().ok();
    };
    run("hzmetrics", "init");
    place.found();
    for logs in &world.days[day::FIRST - 1..day::LAST] {
        world.work(&place.pair, logs);
    }
    let logs = life.place.logs(true);
    let load = place.start("import-logs", now).args(["--quiet", "--to", "db"]).args(&logs).finish().ok();
    assert_eq!(load.of_kind("receipt").len(), logs.len());
    // the month before the first is closed when the first begins, with zeros in its cells
    let months: Vec<Month> = month("2024-12").through(month("2025-05")).collect();
    for month in &months {
        run("tool-metrics", &format!("--db {month}"));
        run("usage-metrics", &format!("--db --with-sessions {month}"));
    }
    run("tool-metrics", "--db 2025-06");
    run("usage-metrics", "--db 2025-06");
    run("summarize", "--db --since 2024-12 --through 2025-05");
    run("whoisonline", "--db");
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn check(compat: &str, excluded: Excluded, engines: Engines, only: Option<&[&str]>) {
    let (Some(lived), Some(told)) = (names(SqlMode::Strict), names(SqlMode::Strict)) else { return };
    let (life, ..) = compared((lived, told), None, compat, excluded, engines, only);
    for line in &life.book {
        fixtures::say(&format!("  {line}"));
    }
}

/// Compares a life in the first databases with a straight import into the second. Returns it with the numbers of
/// tables and rows.
fn compared(
    (lived, told): (Pair, Pair),
    nodes: Option<Nodes>,
    compat: &str,
    excluded: Excluded,
    engines: Engines,
    only: Option<&[&str]>,
) -> (Life, usize, usize) {
    let seed = u64::from(number("HZMETRICS_SEED", 1));
    let n_kills = number("HZMETRICS_KILLS", 6);
    let world = World::new(seed, month("2025-01"), 6);
    let began = Instant::now();
    let life = live(Place::install(lived, &world, compat, excluded, engines), nodes, &world, seed, n_kills);
    let took = began.elapsed();
    let place = Place::install(told, &world, compat, excluded, Engines { by_month: false, ..engines });
    straight(&place, &world, &life);
    let should = tables::read(&place.pair);
    let compare = |is: &Tables, should: &Tables, when: &str| {
        let difference = tables::difference(is, should, only).unwrap_or_default();
        let book = life.book.join("\n");
        assert!(difference.is_empty(), "seed {seed}: {when}, a straight import is different\n{difference}\n{book}");
    };
    compare(&tables::read(&life.place.pair).of_their_time(), &should.clone().of_their_time(), "as it was lived");
    life.hzmetrics("rebuild-summaries --since 2024-12 --through 2025-05").ok();
    compare(&tables::read(&life.place.pair), &should, "summarized again");
    let empty: Vec<&str> = should.iter().filter(|(_, rows)| rows.is_empty()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(empty, EMPTY, "nothing to compare");
    let (names, places) = world.asked();
    assert!(names > 100 && places > 100, "{names} {places}");
    let (n_tables, n_rows) = (only.map_or(should.len(), <[_]>::len), should.values().map(Vec::len).sum());
    fixtures::say(&format!(
        "seed {seed}: {} runs, {} of them killed, in {took:.1?}; {n_tables} tables with {n_rows} rows are equal",
        life.n_runs, life.n_killed
    ));
    (life, n_tables, n_rows)
}

/// Cells that depend on logins at any time: a month closed long ago only knows those before.
trait OfTheirTime {
    /// The other cells.
    fn of_their_time(self) -> Self;
}

impl OfTheirTime for Tables {
    fn of_their_time(mut self) -> Self {
        // rewritten by each summary, whatever its month
        self.insert("userlogin_lite".to_owned(), Vec::new());
        // visitors are members if somebody has ever logged in from their address
        if let Some(cells) = self.get_mut("summary_user_vals") {
            cells.retain(|cell| !cell.starts_with("3\t") && !cell.starts_with("4\t"));
        }
        self
    }
}

/// Tables that our programs do not fill, or not for this hub.
const EMPTY: [&str; 10] = [
    "classvals",
    "exclude_list2",
    "hz_generations",
    "hz_pruned",
    "regions",
    "regionvals",
    "summary_andmore_vals",
    "tops",
    "topvals",
    "totalvals",
];

#[test]
fn a_life_gives_the_same_tables_as_one_import() {
    check(AT_MONTH_CLOSE, Excluded::Pages, Engines::ALL_INNODB, None);
}

/// Sessions of excluded hosts are deleted after they were built, and their requests keep the
/// session numbers; nightly cleaning leaves no requests to build them from. So here cleaning comes
/// first.
#[test]
fn it_also_does_with_excluded_hosts() {
    check(&format!("{AT_MONTH_CLOSE},bots-before-sessions"), Excluded::Hosts, Engines::ALL_INNODB, None);
}

#[test]
fn with_nightly_sessions_the_base_tables_are_the_same() {
    check("", Excluded::Hosts, Engines::ALL_INNODB, Some(&tables::BASE));
}

/// A hub with tables created by the original package.
#[test]
fn it_also_does_without_transactions() {
    let engines = Engines { tables: Engine::MyIsam, notes: Engine::MyIsam, by_month: false };
    check(AT_MONTH_CLOSE, Excluded::Pages, engines, None);
}

/// The same hub after a `migrate` that stopped halfway: our own tables are in InnoDB.
#[test]
fn it_also_does_with_mixed_engines() {
    let engines = Engines { tables: Engine::MyIsam, notes: Engine::InnoDb, by_month: false };
    check(&format!("{AT_MONTH_CLOSE},bots-before-sessions"), Excluded::Hosts, engines, None);
}

/// The tables that grow are divided by month here, and whole where everything is imported at once.
#[test]
fn it_also_does_with_tables_divided_by_month() {
    check(AT_MONTH_CLOSE, Excluded::Pages, Engines { by_month: true, ..Engines::ALL_INNODB }, None);
}

#[test]
fn and_without_transactions_as_well() {
    let engines = Engines { tables: Engine::MyIsam, notes: Engine::MyIsam, by_month: true };
    check(&format!("{AT_MONTH_CLOSE},bots-before-sessions"), Excluded::Hosts, engines, None);
}
