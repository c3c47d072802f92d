//! Measures reverse lookups against a name server in the same process: one that answers at once,
//! one that takes 50 ms, one that loses 2 % of the queries. Prints one line for each; before the
//! first one, the rate of a bare socket that sends the same queries and ignores the content of the
//! answers.
//!
//! Run it with `cargo run --release -p enrich --example dns_bench`; `cargo xtask bench` calls it
//! too. With `serve [MILLISECONDS]` it is only the server, for measuring an executable: it prints
//! its address and serves until its standard input ends.
#![expect(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "a measurement, not a stage")]

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use enrich::dns::{self, Answer, NameRule, Resolver, Settings};
use fixtures::name_server::{NameServer, Reply};

fn main() {
    let name = |ip: Ipv4Addr| Reply::name(format!("h{}.example.com", u32::from(ip)));
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("serve") {
        let millis = args.next().and_then(|text| text.parse().ok()).unwrap_or(0);
        let server = NameServer::start_slow(Duration::from_millis(millis), name);
        println!("{}", server.address());
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        return;
    }
    let server = NameServer::start(name);
    bare(&server, 200_000, 150);
    measure("answers at once", &server, 200_000, 150, 35_000.0);
    drop(server);
    let server = NameServer::start_slow(Duration::from_millis(50), name);
    measure("answers after 50 ms", &server, 50_000, 500, 9_000.0);
    drop(server);
    let state = AtomicU32::new(1);
    let server = NameServer::start_slow(Duration::from_millis(50), move |ip| {
        let next = |x: u32| x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let x = state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |x| Some(next(x))).unwrap_or(0);
        if (x >> 16).is_multiple_of(50) { Reply::Silence } else { name(ip) }
    });
    measure("50 ms, 2 % lost", &server, 50_000, 500, 7_000.0);
}

/// The limit of the machine: queries and answers through one socket, without a resolver.
fn bare(server: &NameServer, n: u32, in_flight: u32) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server.address()).expect("an address");
    let ask = |i: u32| {
        // id, recursion desired, one question: PTR IN
        let mut packet = vec![(i >> 8) as u8, i as u8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for byte in (0x0800_0000 + i).to_le_bytes() {
            let label = byte.to_string();
            packet.push(label.len() as u8);
            packet.extend_from_slice(label.as_bytes());
        }
        packet.extend_from_slice(b"\x07in-addr\x04arpa\0\0\x0C\0\x01");
        socket.send(&packet).expect("a server that takes questions");
    };
    let mut buffer = [0; 512];
    let start = Instant::now();
    (0..in_flight.min(n)).for_each(ask);
    for i in in_flight..n + in_flight {
        socket.recv(&mut buffer).expect("an answer");
        if i < n {
            ask(i);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("dns\tbare socket\t{n} questions, {in_flight} in flight\t{seconds:.2} s\t{:.0}/s", f64::from(n) / seconds);
}

fn measure(label: &str, server: &NameServer, n: u32, concurrency: usize, goal: f64) {
    let servers = dns::servers(&server.address()).expect("an address");
    let settings = Settings { servers, concurrency, timeout: Duration::from_secs(1), rule: NameRule::Legacy };
    let mut resolver = Resolver::start(&settings).expect("a resolver");
    let start = Instant::now();
    for i in 0..n {
        resolver.ask(IpAddr::V4(Ipv4Addr::from(0x0800_0000 + i))).expect("a resolver that lives");
    }
    let mut n_names = 0;
    while let Some((ip, answer)) = resolver.wait().expect("a resolver that lives") {
        let IpAddr::V4(ip) = ip else { panic!("{ip} was not asked for") };
        n_names += u32::from(answer == Answer::Name(format!("h{}.example.com", u32::from(ip)).into()));
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = f64::from(n) / seconds;
    println!(
        "dns\t{label}\t{n} lookups, {concurrency} in flight\t{seconds:.2} s\t{rate:.0}/s\tgoal {goal:.0}/s\t{}\t{n_names} named",
        if rate >= goal && n_names == n { "reached" } else { "MISSED" }
    );
}
