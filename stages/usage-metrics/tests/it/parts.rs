//! The work in parts: what is joined is what one process makes, and what is not whole is refused.

use std::fmt::Write as _;

use fixtures::random::Random;
use fixtures::{Finished, property};
use proptest::prelude::*;

use super::{closing, exclude, stage, web};

/// Sessions and tool starts in their order, and the requests by content: parts come one after the other.
fn shown(done: &Finished) -> [Vec<String>; 2] {
    let text = done.text();
    let (mut requests, others): (Vec<_>, Vec<_>) =
        text.lines().map(str::to_owned).partition(|line| line.starts_with("{\"kind\":\"web\""));
    requests.sort();
    [others, requests]
}

/// What each of `n` parts writes for the whole stream.
fn parts(input: &str, n: usize, options: &[&str]) -> Vec<String> {
    let part = |i| {
        let done = stage().arg("--part").arg(format!("{i}/{n}")).args(options).stdin(input).finish().ok();
        done.text()
    };
    (1..=n).map(part).collect()
}

fn join(input: String, options: &[&str]) -> Finished {
    stage().arg("--join").args(options).stdin(input).finish()
}

/// A stream in which all that is odd about sessions happens often.
fn stream(random: &mut Random) -> Vec<String> {
    const IPS: [&str; 10] = ["1.1.1.1", "1.1.1.1", "1.1.1.10", "2.2.2.2", "FE80::1", "fe80::1", "", "  ", "0", "-"];
    const HOSTS: [&str; 8] = ["a.org", "A.org", "x.bot.org", "?", "", "0", "-", "b.spam.com"];
    const DAYS: [&str; 7] = ["01", "02", "07", "08", "09", "25", "28"];
    const MONTHS: [&str; 4] = ["2025-06", "2025-07", "2025-09", "2039-01"];
    const TIMES: [&str; 5] = ["00:00:00", "00:10:00", "00:40:00", "00:40:01", "01:30:00"];
    let one = |n: usize| {
        let time = [*random.pick(&MONTHS), *random.pick(&DAYS)].join("-");
        let mut fields = format!("\"n\":{n},\"datetime\":\"{time} {}\"", random.pick(&TIMES));
        for (name, text) in [("ip", *random.pick(&IPS)), ("host", *random.pick(&HOSTS))] {
            if text != "-" {
                let _ = write!(fields, ",\"{name}\":\"{text}\"");
            }
        }
        match random.below(10) {
            0 | 1 => format!("{{\"kind\":\"toolstart\",{fields},\"success\":1}}\n"),
            2 => format!("{{\"kind\":\"session\",\"id\":{},{fields}}}\n", n % 9 + 3),
            3 => format!("{{\"kind\":\"other\",\"n\":{n}}}\n"),
            _ => {
                let more = ["", "", "", ",\"domain\":\"spam.com\"", ",\"sessionid\":7", ",\"sessionid\":null"];
                format!("{{\"kind\":\"web\",{fields}{}}}\n", random.pick(&more))
            }
        }
    };
    (0..60).map(one).collect()
}

const COMPAT: [&str; 3] = ["default", "port", "clear-orphan-stamps,refill-websessions,sessions-at-month-close"];

#[test]
fn joined_parts_are_what_one_process_makes() {
    let directory = tempfile::tempdir().unwrap();
    let list = exclude(directory.path(), "%bot%,host\nspam.com,domain\n");
    let n_sessions = std::cell::Cell::new(0);
    property::check(property::slow_cases(6), &(0..u64::MAX), |seed| {
        let mut random = Random::new(seed);
        let lines = stream(&mut random);
        let input = lines.concat();
        for compat in COMPAT {
            let options = ["--exclude", &list, "--timezone", "Europe/Berlin", "--compat", compat];
            let whole = stage().args(options).stdin(input.as_str()).finish().ok();
            n_sessions.set(n_sessions.get() + whole.of_kind("session").len());
            for n in [2, 3, 7] {
                let mut outputs = parts(&input, n, &options);
                outputs.rotate_left(random.below(n as u32) as usize);
                let joined = join(outputs.concat(), &options).ok();
                prop_assert_eq!(shown(&joined), shown(&whole), "{} parts, {}, seed {}", n, compat, seed);
            }
        }
        Ok(())
    });
    assert!(n_sessions.get() > 50, "{}", n_sessions.get());
}

#[test]
fn parts_that_were_cut_before_are_joined_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let list = exclude(directory.path(), "%bot%,host\nspam.com,domain\n");
    let options = ["--exclude", list.as_str(), "--timezone", "UTC"];
    let n_joined = std::cell::Cell::new(0);
    property::check(property::slow_cases(12), &(0..u64::MAX), |seed| {
        let lines = stream(&mut Random::new(seed));
        let whole = stage().args(options).stdin(lines.concat()).finish().ok();
        // letters and blanks count as the server counts them
        let visitor = |line: &String| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| record[name].as_str().unwrap_or_default().trim_end().to_lowercase();
            let name = if text("ip").is_empty() { text("host") } else { text("ip") };
            if record["kind"] == "web" { name.bytes().map(usize::from).sum::<usize>() % 3 } else { 1 }
        };
        let cut = |i| lines.iter().filter(|line| visitor(line) == i).cloned().collect::<String>();
        let part = |i: usize| {
            let run = stage().arg("--already-cut").arg("--part").arg(format!("{}/3", i + 1));
            run.args(options).stdin(cut(i)).finish().ok().text()
        };
        let joined = join((0..3).map(part).collect(), &options);
        if joined.code == 0 {
            n_joined.set(n_joined.get() + 1);
            prop_assert_eq!(shown(&joined), shown(&whole), "seed {}", seed);
        } else {
            prop_assert!(joined.stderr.contains("at the first midnight after it"), "{}", joined.stderr);
        }
        Ok(())
    });
    assert!(n_joined.get() > 2, "{}", n_joined.get());
}

/// Requests of three visitors, and something else.
fn small() -> String {
    let requests = ["1.1.1.1", "2.2.2.2", "3.3.3.3"].map(|ip| web("03 10:00:00", ip, "a.org", "-"));
    requests.concat() + "{\"kind\":\"other\"}\n" + &closing("2025-07-09 00:00:00")
}

#[test]
fn what_is_not_whole_is_not_joined() {
    let outputs = parts(&small(), 3, &[]);
    let all = outputs.concat();
    assert_eq!(join(all.clone(), &[]).ok().of_kind("session").len(), 3);
    let without = |what: &str| {
        let mut left = all.lines().filter(|line| line.contains(what)).count();
        let is_left = |line: &&str| {
            let is_it = line.contains(what);
            left -= usize::from(is_it);
            !is_it || left > 0
        };
        all.lines().filter(is_left).map(|line| format!("{line}\n")).collect::<String>()
    };
    let (cut, _) = outputs[2].split_at(outputs[2].rfind("{\"kind\":\"part_end\"").unwrap());
    for (input, words) in [
        (String::new(), "nothing to join"),
        (small(), "nothing to join"),
        (outputs[..2].concat(), "of 3 parts these are missing or incomplete: 3"),
        (outputs[..2].concat() + cut, "missing or incomplete: 3"),
        (all.clone() + &outputs[1], "part 2 occurs twice"),
        (without("\"kind\":\"session_part\""), "`session_part` records that belong to sessions"),
        (without("\"session_part\":\""), "`web` records that belong to sessions"),
        (without("\"kind\":\"other\""), "but only 4 arrived"),
        (all.replace("\"parts\":3,\"pieces\"", "\"parts\":4,\"pieces\""), "missing or incomplete: 4"),
    ] {
        let done = join(input, &[]).expect_code(1);
        assert_eq!(done.text(), "", "{words}");
        done.said(&[words]);
    }
    join(all.clone(), &["--compat", "port"]).expect_code(1).said(&["other options than these"]);
    stage().stdin(all).finish().expect_code(1).said(&["--join"]);
}

#[test]
fn one_visitor_in_two_parts_is_refused() {
    let part = |n: &str, time: &str| {
        let input = web(time, "1.1.1.1", "a.org", "-");
        stage().args(["--already-cut", "--part", n]).stdin(input).finish().ok().text()
    };
    let both = part("1/2", "03 10:00:00") + &part("2/2", "04 10:00:00");
    join(both, &[]).expect_code(1).said(&["parts 1 and 2 both have requests of 1.1.1.1"]);
}

#[test]
fn parts_are_for_records() {
    for (options, words) in [
        (&["--part", "1/2", "--format", "csv"][..], "NDJSON only"),
        (&["--part", "1/2", "--db"], "not on tables"),
        (&["--join", "--from", "db"], "not on tables"),
        (&["--part", "1/2", "--join"], "cannot be used with"),
        (&["--part", "3/2"], "not a part like 2/7"),
        (&["--already-cut"], "--part"),
    ] {
        stage().args(options).finish().expect_code(2).said(&[words]);
    }
}
