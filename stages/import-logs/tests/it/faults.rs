//! Kills, restarts and slow servers: nothing is lost, and nothing is stored twice.
#![expect(clippy::disallowed_methods, reason = "processes that are killed are started by hand")]

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::closed::close_off;
use fixtures::db::{SqlMode, private_server};
use fixtures::kills::{Kills, was_killed};
use schema::tables::Engine;

use crate::hub::{Hub, stage};
use crate::{gzip, line};

/// A hub with logs of several days.
fn filled(pair: fixtures::db::Pair, engine: Engine) -> Hub {
    let hub = Hub::on(pair, engine);
    for day in 1..=4 {
        let mut text = String::new();
        for n in 0..1500 {
            text += &line(&format!("2025-07-{day:02}"), &format!("/{day}/{n}"), &format!("UA {}", n % 100));
        }
        text += &line(&format!("2025-07-{day:02}"), "/robot", &format!("Bot/{day}"));
        let name = format!("httpd/daily/hub-access.log-2025070{day}");
        match day {
            3 => hub.put(&format!("{name}.gz"), gzip(text.as_bytes())),
            _ => hub.put(&name, text),
        };
        let mut logins = String::new();
        for n in 0..600 {
            let _ = writeln!(logins, "2025-07-{day:02} 08:00:{:02} {n} [user{n}] 1.1.1.1 login", n % 60);
        }
        hub.put(&format!("hubzero/daily/cmsauth.log-2025070{day}"), logins);
    }
    hub
}

struct Processes(Vec<Child>);

impl Processes {
    /// Waits for them to end, or kills them at `until`; returns whether that killed one of them.
    fn until(mut self, until: Option<Instant>) -> bool {
        while self.0.iter_mut().any(|child| child.try_wait().unwrap().is_none())
            && until.is_none_or(|until| Instant::now() < until)
        {
            std::thread::sleep(Duration::from_micros(300));
        }
        for child in &mut self.0 {
            let _ = child.kill();
        }
        self.0.iter_mut().map(|child| was_killed(child.wait().unwrap())).filter(|hit| *hit).count() > 0
    }
}

fn command(hub: &Hub, name: &str) -> Command {
    let mut command = Command::new(stage(name));
    close_off(&mut command, &hub.at(""));
    command.envs(hub.env()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs the direct chain; returns whether it was killed at `until`.
fn chain(hub: &Hub, until: Option<Instant>) -> bool {
    let mut fetch = command(hub, "fetch-logs");
    let mut fetch = fetch.arg("--logs").arg(hub.at("")).stdout(Stdio::piped()).spawn().unwrap();
    let mut import = command(hub, "import-logs");
    let import = import.args(["--to", "db"]).stdin(fetch.stdout.take().unwrap()).stdout(Stdio::piped());
    let mut import = import.spawn().unwrap();
    let archive = command(hub, "archive").stdin(import.stdout.take().unwrap()).spawn().unwrap();
    Processes(vec![fetch, import, archive]).until(until)
}

/// Runs the three cron lines one after the other; returns whether one was killed at `until`.
fn cron(hub: &Hub, until: Option<Instant>) -> bool {
    [("fetch-logs", "--stage"), ("import-logs", "--db"), ("archive", "--db")]
        .iter()
        .any(|(name, option)| Processes(vec![command(hub, name).arg(option).spawn().unwrap()]).until(until))
}

/// What is left of a hub: rows, ledger, files.
type State = (Vec<String>, Vec<String>, Vec<(String, Vec<u8>)>);

fn state(hub: &Hub) -> State {
    (hub.rows(), hub.ledger(), hub.files())
}

/// Kills runs at random moments and runs them again.
fn kill(of: &str, engine: Engine, run: fn(&Hub, Option<Instant>) -> bool) {
    let Some(server) = private_server() else { return };
    let hub = filled(server.names(SqlMode::Strict), engine);
    let began = Instant::now();
    assert!(!run(&hub, None));
    let whole = began.elapsed();
    let expected = state(&hub);
    assert_eq!((hub.count("web"), hub.count("userlogin")), (6000, 2400));
    assert!(expected.2.iter().all(|(name, _)| name.contains("/imported/")), "{:?}", expected.2);
    drop(hub);
    let mut kills = Kills::new(of, 6, whole);
    while let Some(moment) = kills.next_moment() {
        let hub = filled(server.names(SqlMode::Strict), engine);
        let hit = run(&hub, Some(Instant::now() + moment));
        if kills.hit(hit) {
            assert!(!run(&hub, None));
        }
        let state = state(&hub);
        for (is, should) in [(&state.0, &expected.0), (&state.1, &expected.1)] {
            let differs = is.iter().zip(should).position(|(a, b)| a != b);
            assert!(is == should, "{} and {} rows, {differs:?}", is.len(), should.len());
        }
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&state.2), names(&expected.2));
        assert!(state.2 == expected.2, "other contents");
    }
}

#[test]
fn a_killed_chain_can_be_run_again() {
    kill("the chain of an import", Engine::InnoDb, chain);
}

#[test]
fn killed_cron_lines_can_be_run_again() {
    kill("the cron lines of an import", Engine::InnoDb, cron);
}

/// One statement moves the file, and the server finishes it without us.
#[test]
fn without_transactions_a_killed_chain_can_be_run_again() {
    kill("the chain of an import on MyISAM", Engine::MyIsam, chain);
}

#[test]
fn without_transactions_killed_cron_lines_can_be_run_again() {
    kill("the cron lines of an import on MyISAM", Engine::MyIsam, cron);
}

/// A file that takes about two seconds on a slow server.
fn slow_file(hub: &Hub) -> std::path::PathBuf {
    hub.pair.sql("CREATE TRIGGER slow BEFORE INSERT ON web FOR EACH ROW SET @slow = SLEEP(0.0004)");
    let text: String = (0..4000).map(|n| line("2025-07-10", &format!("/{n}"), "UA")).collect();
    hub.put("httpd/daily/slow", text)
}

#[test]
fn the_server_is_stopped_in_the_middle_of_a_file() {
    let Some(server) = private_server() else { return };
    let hub = Hub::on(server.names(SqlMode::Strict), Engine::InnoDb);
    let first = hub.put("httpd/daily/first", line("2025-07-10", "/first", "UA") + "no log line\n");
    let slow = slow_file(&hub);
    let rejects = hub.at("rejects");
    let done = std::thread::scope(|scope| {
        let run = scope.spawn(|| hub.load(&[&first, &slow]).arg("--rejects").arg(&rejects).finish());
        let modified = "SELECT IFNULL(MAX(trx_rows_modified), 0) FROM information_schema.innodb_trx";
        let begin = Instant::now();
        while hub.pair.value(modified).unwrap().parse::<u64>().unwrap() < 1500 {
            assert!(!run.is_finished(), "it ended: {:?}", run.join());
            assert!(begin.elapsed() < Duration::from_secs(60), "no such moment");
            // the server repeats its answer for 100 ms after the last query
            std::thread::sleep(Duration::from_millis(150));
        }
        server.kill();
        server.restart();
        run.join().unwrap()
    });
    assert_eq!(done.ok().records().len(), 2);
    assert_eq!(hub.count("web"), 4001);
    assert_eq!(hub.pair.lines("SELECT hits FROM webhits"), ["1", "4000"]);
    assert_eq!(hub.ledger(), ["first\tweb\t1\t1", "slow\tweb\t4000\t4000"]);
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 1);
    // a server that does not come back
    server.kill();
    let gone = hub.load(&[&slow]).finish().expect_code(1);
    assert!(gone.text().is_empty() && gone.stderr.lines().count() == 1, "{}", gone.stderr);
    server.restart();
}

#[test]
fn a_deadlock_or_a_lock_wait_is_tried_again() {
    let Some(server) = private_server() else { return };
    let hub = Hub::on(server.names(SqlMode::Strict), Engine::InnoDb);
    hub.pair.sql("SET GLOBAL innodb_lock_wait_timeout = 1;\nINSERT INTO bot_useragents VALUES ('Bot/1')");
    let file = hub.put("httpd/daily/1", line("2025-07-10", "/1", "UA") + &line("2025-07-10", "/b", "Bot/2"));
    let mut other = hub.pair.admin();
    let mut sql = |sql: &str| mysql::prelude::Queryable::query_drop(&mut other, sql).unwrap();
    sql(&format!("USE `{}`", hub.pair.metrics));
    sql("START TRANSACTION");
    sql("INSERT INTO bot_useragents VALUES ('Bot/2')");
    let done = std::thread::scope(|scope| {
        let run = scope.spawn(|| hub.load(&[&file]).finish());
        std::thread::sleep(Duration::from_millis(1800));
        sql("ROLLBACK");
        run.join().unwrap()
    });
    assert_eq!(done.ok().records()[0]["rows"], 1);
    assert_eq!(hub.pair.lines("SELECT content FROM web"), ["/1"]);
    assert_eq!(hub.pair.lines("SELECT hits FROM webhits"), ["2"]);
    assert_eq!(hub.pair.lines("SELECT useragent FROM bot_useragents ORDER BY 1"), ["Bot/1", "Bot/2"]);
}

#[test]
fn a_slow_server_does_not_lose_the_connection() {
    let Some(server) = private_server() else { return };
    let hub = Hub::on(server.names(SqlMode::Strict), Engine::InnoDb);
    hub.pair.sql("SET GLOBAL wait_timeout = 1;\nSET GLOBAL net_read_timeout = 1;\nSET GLOBAL net_write_timeout = 1");
    hub.pair.sql("CREATE TRIGGER slow BEFORE INSERT ON web FOR EACH ROW SET @slow = SLEEP(0.0015)");
    let mut import = command(&hub, "import-logs");
    let mut import = import.args(["--to", "db", "--raw", "access"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = import.stdin.take().unwrap();
    for part in 0..2 {
        let text: String = (0..1500).map(|n| line("2025-07-10", &format!("/{part}/{n}"), "UA")).collect();
        std::io::Write::write_all(&mut stdin, text.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
    }
    drop(stdin);
    assert!(import.wait().unwrap().success());
    assert_eq!(hub.count("web"), 3000);
}
