//! Measures reverse lookups against a name server in the same process: one that answers at once,
//! one that takes 50 ms, one that loses 2 % of the queries. Prints one line each.
//!
//! `cargo run --release -p enrich --example dns_bench`, and `cargo xtask bench` calls it. With
//! `serve [MILLISECONDS]` it is only the server, for an executable to be measured with: it prints
//! its address and serves until its standard input ends.
#![expect(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "a measurement, not a stage")]

mod name_server;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use enrich::dns::{self, Answer, NameRule, Resolver, Settings};
use name_server::{NameServer, Reply};

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
