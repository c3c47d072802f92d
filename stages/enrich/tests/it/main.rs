//! Lookups against a name server on this machine.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod table;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use enrich::dns::{self, Answer, NameRule, Resolver, Settings};
use enrich::hosts::Hosts;
use fixtures::name_server::{NameServer, Reply};

fn settings(servers: &[&NameServer], concurrency: usize, timeout_millis: u64, rule: NameRule) -> Settings {
    let servers = servers.iter().flat_map(|s| dns::servers(&s.address()).unwrap()).collect();
    Settings { servers, concurrency, timeout: Duration::from_millis(timeout_millis), rule }
}

/// Looks up 8.0.0.N for each N.
fn look_up(settings: &Settings, numbers: impl IntoIterator<Item = u32>) -> BTreeMap<u32, Answer> {
    let mut resolver = Resolver::start(settings).unwrap();
    for n in numbers {
        resolver.ask(ip(n)).unwrap();
    }
    let mut answers = BTreeMap::new();
    while let Some((IpAddr::V4(ip), answer)) = resolver.wait().unwrap() {
        assert_eq!(answers.insert(u32::from(ip) - 0x0800_0000, answer), None);
    }
    answers
}

fn ip(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0800_0000 + n))
}

fn name(text: &str) -> Answer {
    Answer::Name(text.into())
}

fn zone(ip: Ipv4Addr) -> Reply {
    let names = |names: &[&str]| Reply::Names(names.iter().map(|&n| n.to_owned()).collect());
    match u32::from(ip).wrapping_sub(0x0800_0000) {
        0 => names(&["one.example.com"]),
        1 => Reply::NxDomain,
        2 => names(&["foo_bar.example.com", "second.example.com", "third.example.com"]),
        3 => names(&["Dns.Google"]),
        4 => names(&["host.my_net.example.com"]),
        5 => Reply::NoData,
        6 => Reply::Truncated(vec!["by-tcp.example.com".to_owned()]),
        7 => Reply::Noise(vec!["after.noise.example.com".to_owned()]),
        8 => names(&["8.0.0.8"]),
        9 => names(&["a b.example.com"]),
        10 => Reply::Alias(vec!["behind.an.alias.example.com".to_owned()]),
        11 => Reply::ServFail,
        12 => Reply::Refused,
        13 => Reply::Garbage,
        14 => names(&["."]),
        15 => names(&["c", "a.b.c"]),
        _ => Reply::Silence,
    }
}

#[test]
fn every_kind_of_answer_is_understood() {
    let server = NameServer::start(zone);
    let answers = look_up(&settings(&[&server], 50, 900, NameRule::Legacy), 0..17);
    let expected = [
        name("one.example.com"),
        Answer::NoName,
        name("second.example.com"),
        name("Dns.Google"),
        name("host"),
        Answer::NoName,
        name("by-tcp.example.com"),
        name("after.noise.example.com"),
        Answer::NoName,
        Answer::NoName,
        name("behind.an.alias.example.com"),
        Answer::Failed,
        Answer::Failed,
        Answer::Failed,
        Answer::NoName,
        name("c"),
        Answer::Failed,
    ];
    assert_eq!(answers.into_values().collect::<Vec<_>>(), expected);
}

#[test]
fn the_port_takes_the_last_name_in_lower_case() {
    let server = NameServer::start(zone);
    let answers = look_up(&settings(&[&server], 50, 500, NameRule::Port), [2, 3, 4, 9]);
    let expected = ["third.example.com", "dns.google", "host.my_net.example.com", "a\\032b.example.com"].map(name);
    assert_eq!(answers.into_values().collect::<Vec<_>>(), expected);
    let as_is = look_up(&settings(&[&server], 50, 500, NameRule::PortAsIs), [2, 3]);
    assert_eq!(as_is.into_values().collect::<Vec<_>>(), ["third.example.com", "Dns.Google"].map(name));
}

#[test]
fn loopback_addresses_are_looked_up_too() {
    let server = NameServer::start(|ip| Reply::name(format!("n{ip}").replace('.', "-")));
    let mut resolver = Resolver::start(&settings(&[&server], 1, 1000, NameRule::Legacy)).unwrap();
    resolver.ask("127.0.0.1".parse().unwrap()).unwrap();
    assert_eq!(resolver.wait().unwrap().unwrap().1, name("n127-0-0-1"));
}

#[test]
fn a_lookup_ends_at_its_time_limit() {
    let server = NameServer::start(|_| Reply::Silence);
    let start = Instant::now();
    let answers = look_up(&settings(&[&server], 100, 700, NameRule::Legacy), 0..100);
    assert!(answers.values().all(|answer| *answer == Answer::Failed));
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(690) && took < Duration::from_millis(5000), "{took:?}");
    // the query is sent again while waiting
    assert!(server.n_asked() >= 300, "{}", server.n_asked());
}

#[test]
fn an_answer_after_the_retry_counts() {
    let server = NameServer::start_slow(Duration::from_millis(500), zone);
    let answers = look_up(&settings(&[&server], 10, 5000, NameRule::Legacy), [0]);
    assert_eq!(answers[&0], name("one.example.com"));
}

#[test]
fn lost_queries_are_sent_again() {
    let n = AtomicU32::new(0);
    let server = NameServer::start(move |ip| {
        if n.fetch_add(1, Ordering::Relaxed).is_multiple_of(20) {
            Reply::Silence
        } else {
            Reply::name(format!("h{}", u32::from(ip)))
        }
    });
    let answers = look_up(&settings(&[&server], 100, 5000, NameRule::Legacy), 0..2000);
    assert_eq!(answers.len(), 2000);
    assert!(answers.iter().all(|(n, answer)| *answer == name(&format!("h{}", 0x0800_0000 + n))));
}

#[test]
fn if_a_server_is_dead_the_next_one_is_asked() {
    let (dead, failing) = (NameServer::start(|_| Reply::Silence), NameServer::start(|_| Reply::ServFail));
    let good = NameServer::start(|_| Reply::name("good.example.com"));
    let answers = look_up(&settings(&[&failing, &good], 10, 2000, NameRule::Legacy), [0]);
    assert_eq!(answers[&0], name("good.example.com"));
    let start = Instant::now();
    // one at a time: only the first lookup waits for the dead server, with half of its time
    let answers = look_up(&settings(&[&dead, &good], 1, 2000, NameRule::Legacy), 0..20);
    assert!(answers.values().all(|answer| *answer == name("good.example.com")));
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_millis(10_000), "{took:?}");
}

#[test]
fn the_maximum_number_of_lookups_is_never_exceeded() {
    let server = NameServer::start_slow(Duration::from_millis(100), zone);
    let start = Instant::now();
    let answers = look_up(&settings(&[&server], 2, 3000, NameRule::Legacy), [0, 1, 2, 3, 4, 5, 8, 9]);
    assert_eq!(answers.len(), 8);
    assert!(start.elapsed() >= Duration::from_millis(395), "{:?}", start.elapsed());
}

#[test]
fn each_address_is_looked_up_once_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("names");
    let server = NameServer::start(zone);
    let run = || {
        let hosts = Hosts::new().with_servers(settings(&[&server], 10, 300, NameRule::Legacy));
        let (mut hosts, n_bad) = hosts.with_cache(&file).unwrap();
        assert_eq!(n_bad, 0);
        let slots =
            ["8.0.0.0", "8.0.0.1", "8.0.0.0", "8.0.0.99", "x", "::0008:0", "::8:0"].map(|ip| hosts.slot(ip).unwrap());
        while slots.iter().any(|&slot| hosts.name(slot).is_none()) {
            hosts.wait().unwrap();
        }
        hosts.save().unwrap();
        slots.map(|slot| hosts.name(slot).unwrap().to_owned())
    };
    let names = run();
    assert_eq!(names, ["one.example.com", "?", "one.example.com", "?", "?", "?", "?"]);
    let asked = server.n_asked();
    assert!((4..=10).contains(&asked), "{asked}"); // the silent ones are sent again
    assert_eq!(run(), names);
    assert_eq!(server.n_asked(), asked);
}
