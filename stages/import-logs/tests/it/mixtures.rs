//! Whatever logs a server has, however they are carried, rotated and compressed, and however often they are
//! imported while they grow, be it in runs that are killed: the tables hold the rows of one import of
//! the same requests in one plain file for each log. None is lost, none is there twice.
//!
//! `cargo xtask campaign mixtures` tries more of them.

mod lines;
mod met;
mod packing;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fixtures::db::SqlMode;
use fixtures::{Finished, property};
use proptest::prelude::*;
use proptest::sample::select;
use schema::tables::Engine;
use serde_json::json;

use crate::hub::{Hub, WEB};
use lines::{AUTH, LAYOUTS, Layout, PREFIXES, Request, carried, in_parts};
use met::Met;
use packing::Packing;
use world::{End, Habit, Log, Plan, Round};

/// What is imported after a round.
#[derive(Debug, Clone, Copy)]
enum Import {
    Nothing,
    All,
    /// All, and then all again at the same time.
    Twice,
    /// A run that is killed after so many thousandths of its time; what it has left is for the next one.
    Killed(u32),
}

#[derive(Debug, Clone)]
struct Mixture {
    logs: Vec<Plan>,
    imports: Vec<Import>,
    /// The files are named in this order or the other one.
    is_reversed: bool,
}

fn round() -> impl Strategy<Value = Round> {
    (0..5_u32, select(&End::ALL[..])).prop_map(|(n_requests, end)| Round { n_requests, end })
}

fn plan() -> impl Strategy<Value = Plan> {
    let rounds = prop::collection::vec(round(), 1..5);
    let packing = select(&Packing::ALL[..]);
    (0..LAYOUTS.len(), 0..PREFIXES.len(), select(&Habit::ALL[..]), packing, rounds)
        .prop_map(|(layout, prefix, habit, packing, rounds)| Plan { layout, prefix, habit, packing, rounds })
}

fn import() -> impl Strategy<Value = Import> {
    prop_oneof![
        1 => Just(Import::Nothing),
        2 => Just(Import::All),
        1 => Just(Import::Twice),
        2 => (0..1000_u32).prop_map(Import::Killed),
    ]
}

fn mixture() -> impl Strategy<Value = Mixture> {
    let logs = prop::collection::vec(plan(), 2..6);
    (logs, prop::collection::vec(import(), 4), any::<bool>()).prop_map(|(logs, imports, is_reversed)| Mixture {
        logs,
        imports,
        is_reversed,
    })
}

/// Every file below the folders of the logs.
fn files(root: &Path) -> Vec<PathBuf> {
    let within = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut files: Vec<_> = within(root).iter().flat_map(|folder| within(folder)).collect();
    files.sort();
    files
}

fn source(path: &Path, layout: &Layout) -> String {
    let mut record = json!({"kind": "source", "path": path});
    if let Some(asked) = layout.asked {
        record["log_format"] = asked.into();
    }
    format!("{record}\n")
}

struct Tables {
    hub: Hub,
    /// How long an import takes.
    whole: Duration,
    /// How many runs were to be killed, and how many of them the signal ended.
    kills: [u32; 2],
    met: Met,
}

impl Tables {
    fn run(&self, root: &Path, sources: &str) -> fixtures::Run {
        self.hub.import().args(["--to", "db", "--logs"]).arg(root).stdin(sources)
    }

    fn import(&self, root: &Path, sources: &str) -> Finished {
        self.run(root, sources).finish().ok()
    }

    fn clear(&self) {
        for table in ["web", "webhits", "userlogin", "bot_useragents", "imported_sources", "import_files"] {
            self.hub.pair.sql(&format!("DELETE FROM {table}"));
        }
    }

    /// What is in the tables, whatever the order of the files was, without ids.
    fn state(&self) -> Vec<String> {
        let mut all = Vec::new();
        for query in [
            &format!("SELECT {WEB} FROM web"),
            "SELECT datetime, uidNumber, user, ip, action FROM userlogin",
            "SELECT datetime, SUM(hits) FROM webhits GROUP BY datetime HAVING SUM(hits) > 0",
            "SELECT useragent FROM bot_useragents",
        ] {
            let mut lines = self.hub.pair.lines(query);
            lines.sort_unstable();
            all.extend(lines);
        }
        all
    }

    /// One import of a plain file for each log.
    fn straight(&mut self, logs: &[Log<'_>]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let mut sources = String::new();
        for (n, log) in logs.iter().enumerate() {
            let folder = root.path().join(n.to_string());
            fs::create_dir(&folder).unwrap();
            let path = folder.join(log.name());
            fs::write(&path, &log.straight).unwrap();
            sources += &source(&path, log.layout());
        }
        let began = Instant::now();
        self.import(root.path(), &sources);
        self.whole = began.elapsed();
        let n_kept: usize = logs.iter().map(|log| log.n_kept).sum();
        assert_eq!(self.hub.count("web") + self.hub.count("userlogin"), n_kept, "a straight import");
        let state = self.state();
        self.clear();
        state
    }

    /// Lives through a mixture, and says what is in the tables then, and what a straight import gives.
    fn both(&mut self, mixture: &Mixture, may_kill: bool) -> [Vec<String>; 2] {
        let root = tempfile::tempdir().unwrap();
        let mut logs: Vec<_> =
            mixture.logs.iter().enumerate().map(|(n, plan)| Log::new(plan, n, root.path())).collect();
        for (at, import) in mixture.imports.iter().enumerate() {
            for log in &mut logs {
                log.live_through(at);
            }
            let sources = self.sources(root.path(), &logs, mixture.is_reversed);
            match import {
                Import::Nothing => {}
                Import::Killed(moment) if may_kill => {
                    let run = self.run(root.path(), &sources);
                    let done = run.killed_after(self.whole.mul_f64(f64::from(*moment) / 1e3));
                    let hit = done.was_killed;
                    self.kills = [self.kills[0] + 1, self.kills[1] + u32::from(hit)];
                    if !hit {
                        let _ = done.ok();
                    }
                    self.hub.pair.wait_until_idle();
                }
                Import::All | Import::Killed(_) => _ = self.import(root.path(), &sources),
                Import::Twice => {
                    self.import(root.path(), &sources);
                    let again = self.import(root.path(), &sources);
                    assert!(again.records().iter().all(|receipt| receipt["already"] == 1), "{}", again.text());
                }
            }
        }
        self.import(root.path(), &self.sources(root.path(), &logs, mixture.is_reversed));
        logs.iter().for_each(|log| self.met.add(log));
        let found = self.state();
        self.check_ledger();
        self.clear();
        [found, self.straight(&logs)]
    }

    fn sources(&self, root: &Path, logs: &[Log<'_>], is_reversed: bool) -> String {
        let mut files = files(root);
        if is_reversed {
            files.reverse();
        }
        let of = |path: &PathBuf| {
            let log = logs.iter().find(|log| path.starts_with(log.folder())).unwrap();
            source(path, log.layout())
        };
        files.iter().map(of).collect()
    }

    /// Every row belongs to an entry of the ledger, and every line was understood.
    fn check_ledger(&self) {
        for table in ["web", "userlogin"] {
            let booked =
                format!("SELECT IFNULL(SUM(row_count), 0) FROM imported_sources WHERE target_table = '{table}'");
            assert_eq!(self.hub.pair.value(&booked).unwrap(), self.hub.count(table).to_string(), "{table}");
        }
        let odd = self.hub.pair.lines("SELECT path, rejected FROM import_files WHERE rejected <> 0");
        assert_eq!(odd, [""; 0]);
    }
}

fn holds(engine: Engine, usual: u32) {
    let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
    let tables =
        std::cell::RefCell::new(Tables { hub, whole: Duration::from_millis(200), kills: [0; 2], met: Met::new() });
    // without transactions a killed run may leave what a person has to look at
    let may_kill = engine == Engine::InnoDb;
    property::check(property::slow_cases(usual), &mixture(), |mixture| {
        let mut tables = tables.borrow_mut();
        tables.clear();
        let [found, straight] = tables.both(&mixture, may_kill);
        prop_assert_eq!(found, straight);
        Ok(())
    });
    tables.borrow().met.say(engine.name());
    let [n_kills, n_hit] = tables.borrow().kills;
    fixtures::say(&format!("{}: {n_hit} of {n_kills} kills hit a running import", engine.name()));
}

#[test]
fn mixtures_give_the_rows_of_a_straight_import() {
    holds(Engine::InnoDb, 6);
}

#[test]
fn mixtures_without_transactions_give_them_too() {
    holds(Engine::MyIsam, 3);
}

/// In the pipe, without a ledger: what is in front of the lines changes nothing.
#[test]
fn every_layout_behind_every_prefix() {
    let folder = tempfile::tempdir().unwrap();
    for layout in LAYOUTS.iter().filter(|layout| layout.may_have_prefix()) {
        let requests = (0..12).map(|n| Request { log: 0, n, day: 10 });
        let expected: Vec<_> = requests.clone().filter(|request| layout.is_kept(*request)).collect();
        let mut rows: Option<Vec<serde_json::Value>> = None;
        for prefix in PREFIXES {
            let text: String = requests.clone().map(|request| carried(prefix, &layout.line(request)) + "\n").collect();
            let log = crate::file(&folder, "access.log", text);
            let asked = layout.asked.map_or_else(Vec::new, |asked| vec!["--log-format", asked]);
            let done = crate::import_logs().args(asked).arg(log).finish().ok();
            let found = done.of_kind("web");
            assert_eq!(found.len(), expected.len(), "{} behind `{prefix}`: {}", layout.name, done.stderr);
            done.said(&["12 lines", " 0 not recognised"]);
            assert_eq!(&found, rows.get_or_insert_with(|| found.clone()), "{} behind `{prefix}`", layout.name);
        }
    }
}

/// Half a line of a log that is being written to does not count as a line that does not fit.
#[test]
fn half_a_line_alone_is_left_to_the_next_import() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let root = tempfile::tempdir().unwrap();
    for (n, layout) in LAYOUTS.iter().enumerate().filter(|(_, layout)| layout.asked.is_none()) {
        let request = Request { log: n, n: 0, day: 10 };
        let line = layout.line(request) + "\n";
        let (name, table) = if n == AUTH { ("cmsauth", "userlogin") } else { ("live", "web") };
        let path = root.path().join(format!("{name}{n}.log"));
        let (first, second) = line.split_at(line.len() / 2);
        fs::write(&path, layout.header.to_owned() + first).unwrap();
        hub.load(&[&path]).finish().ok().said(&["1 last line without a line feed not read"]);
        assert_eq!(hub.count(table), 0, "{}", layout.name);
        fs::write(&path, layout.header.to_owned() + first + second).unwrap();
        hub.load(&[&path]).finish().ok();
        assert_eq!(hub.count(table), usize::from(layout.is_kept(request)), "{}", layout.name);
        hub.pair.sql("DELETE FROM web");
    }
}

/// Logs may be written under the name of the time of their first line: half an action is not an action.
#[test]
fn half_a_login_of_a_log_with_a_time_in_its_name_is_left_to_the_next_import() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let root = tempfile::tempdir().unwrap();
    let actions = || hub.pair.lines("SELECT action FROM userlogin ORDER BY id");
    let lines = "2026-07-10 08:00:01 1 [a] 1.1.1.1 login\n2026-07-10 08:00:02 1 [a] 1.1.1.1 logout";
    for (name, waits) in [
        ("cmsauth.log.1783641600", true),
        ("cmsauth.log-2026071008", true),
        ("cmsauth.log_2026-07-10", true),
        ("cmsauth.log-20260710", true),
        ("cmsauth.log.20260709", true),
        ("cmsauth.log-20260708", false),
        ("cmsauth.log.1", false),
        ("cmsauth.log.old", false),
    ] {
        hub.pair.sql("DELETE FROM userlogin; DELETE FROM imported_sources; DELETE FROM import_files");
        let path = root.path().join(name);
        let import = || hub.load(&[&path]).env("HZMETRICS_NOW", "2026-07-10T12:00").finish().ok();
        fs::write(&path, &lines[..lines.len() - 3]).unwrap();
        let done = import();
        assert_eq!(done.stderr.contains("1 last line without a line feed not read"), waits, "{name}: {}", done.stderr);
        assert_eq!(actions(), &["login", "log"][..if waits { 1 } else { 2 }], "{name}");
        if waits {
            fs::write(&path, lines.to_owned() + "\n").unwrap();
            import();
            assert_eq!(actions(), ["login", "logout"], "{name}");
            fs::write(&path, lines.to_owned() + "\n2026-07-10 08:00:03 1 [a] 1.1.1.1 login").unwrap();
            world::leave_alone(&path);
            import();
            assert_eq!(actions(), ["login", "logout", "login"], "{name}: nobody has written to it for a minute");
        }
    }
}

/// The parts of a line that a container runtime has cut are left unread until the last one is there.
#[test]
fn a_line_without_its_last_part_is_left_to_the_next_import() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let root = tempfile::tempdir().unwrap();
    let combined = LAYOUTS.iter().find(|layout| layout.name == "combined").unwrap();
    let line = |n| combined.line(Request { log: 1, n, day: 10 });
    let state = || (hub.pair.lines("SELECT content FROM web ORDER BY id"), hub.count("imported_sources"));
    for (prefix, begins_with_part) in [("cri", false), ("docker", false), ("cri", true), ("docker", true)] {
        let path = root.path().join(format!("{prefix}-{begins_with_part}.log"));
        let mut text = if begins_with_part { String::new() } else { carried(prefix, &line(0)) + "\n" };
        let mut rows = if begins_with_part { vec![] } else { vec!["/1/0"] };
        let [first, last] = in_parts(prefix, &line(2));
        text += &first;
        let import = |text: &str| {
            fs::write(&path, text).unwrap();
            hub.load(&[&path]).finish().ok()
        };
        import(&text).said(&["1 last line without the last part not read", " 0 not recognised"]);
        let before = state();
        assert_eq!(before.0, rows, "{prefix}");
        // neither the same nor a second incomplete line is anything new
        let other = in_parts(prefix, &line(6))[0].replace("stdout", "stderr");
        for text in [text.clone(), text.clone() + &other, text.clone() + &last[..last.len() / 2]] {
            let done = import(&text);
            assert_eq!((done.records()[0]["already"].as_i64(), state()), (Some(1), before.clone()), "{prefix}");
        }
        text += &last;
        rows.push("/1/2");
        import(&text).said(&["dropped: joined part 1", " 0 not recognised"]);
        assert_eq!(state().0, rows, "{prefix}");
        text = text + &carried(prefix, &line(6)) + "\n";
        rows.push("/1/6");
        import(&text);
        assert_eq!(state().0, rows, "{prefix}");
        hub.pair.sql("DELETE FROM web");
    }
}
