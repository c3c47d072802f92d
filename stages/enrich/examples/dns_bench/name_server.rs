//! A name server for tests and measurements: reverse names by a function, on a port of this
//! machine, with every misbehaviour that a test wants.
//!
//! Shared by path: the measurement beside it, the tests of `enrich` and of `resolve-dns`. It
//! speaks just enough of the protocol and is no model for a real server.

#![allow(clippy::expect_used, reason = "a server for tests ends the test when it cannot start")]

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the server does with a query.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "every user needs some")]
pub(crate) enum Reply {
    /// PTR records with these names, in this order; labels are separated by dots.
    Names(Vec<String>),
    /// An alias first, then the names at the alias.
    Alias(Vec<String>),
    /// The same by TCP only: by UDP the answer is cut.
    Truncated(Vec<String>),
    /// No such name.
    NxDomain,
    /// The name exists without PTR records.
    NoData,
    /// Server failure.
    ServFail,
    /// Refused.
    Refused,
    /// Nothing.
    Silence,
    /// A packet with the right id and nonsense behind it.
    Garbage,
    /// Random packets with other ids first, then the names.
    Noise(Vec<String>),
}

impl Reply {
    /// One name.
    pub(crate) fn name(name: impl Into<String>) -> Self {
        Self::Names(vec![name.into()])
    }
}

type Zone = dyn Fn(Ipv4Addr) -> Reply + Send + Sync;

/// A running server; it stops when dropped.
pub(crate) struct NameServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    n_asked: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl NameServer {
    /// Starts a server that answers at once.
    pub(crate) fn start(zone: impl Fn(Ipv4Addr) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_slow(Duration::ZERO, zone)
    }

    /// Starts a server that answers after `delay`.
    pub(crate) fn start_slow(delay: Duration, zone: impl Fn(Ipv4Addr) -> Reply + Send + Sync + 'static) -> Self {
        // the same port for UDP and TCP
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("an address")) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("an address");
        udp.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        tcp.set_nonblocking(true).expect("a mode");
        let stop = Arc::new(AtomicBool::new(false));
        let n_asked = Arc::new(AtomicU64::new(0));
        let zone: Arc<Zone> = Arc::new(zone);
        let mut threads = Vec::new();
        let late = Arc::new(Late::default());
        if !delay.is_zero() {
            let (late, stop, udp) = (Arc::clone(&late), Arc::clone(&stop), udp.try_clone().expect("a socket"));
            threads.push(std::thread::spawn(move || late.send_when_due(&udp, &stop)));
        }
        threads.push({
            let (zone, stop, n_asked) = (Arc::clone(&zone), Arc::clone(&stop), Arc::clone(&n_asked));
            std::thread::spawn(move || serve_udp(&udp, delay, &late, &*zone, &stop, &n_asked))
        });
        threads.push({
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || serve_tcp(&tcp, &*zone, &stop))
        });
        Self { address, stop, n_asked, threads }
    }

    /// Where it listens, as the option `--nameserver` takes it.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many queries came by UDP.
    #[allow(dead_code, reason = "not every user counts")]
    pub(crate) fn n_asked(&self) -> u64 {
        self.n_asked.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Answers that wait for their time; all wait equally long, so they are in order.
#[derive(Default)]
struct Late {
    queue: Mutex<VecDeque<(Instant, SocketAddr, Vec<u8>)>>,
    more: Condvar,
}

impl Late {
    fn push(&self, due: Instant, to: SocketAddr, packet: Vec<u8>) {
        if let Ok(mut queue) = self.queue.lock() {
            queue.push_back((due, to, packet));
            if queue.len() == 1 {
                self.more.notify_one();
            }
        }
    }

    fn send_when_due(&self, socket: &UdpSocket, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut queue) = self.queue.lock() else { return };
            let now = Instant::now();
            let wait = match queue.front() {
                None => Duration::from_millis(50),
                Some((due, ..)) => due.saturating_duration_since(now),
            };
            if wait.is_zero() {
                let n_due = queue.iter().take_while(|(due, ..)| *due <= now).count();
                let batch: Vec<_> = queue.drain(..n_due).collect();
                drop(queue);
                for (_, to, packet) in batch {
                    let _ = socket.send_to(&packet, to);
                }
            } else {
                // not longer than it takes to see that it is time to stop
                let _ = self.more.wait_timeout(queue, wait.min(Duration::from_millis(50)));
            }
        }
    }
}

fn serve_udp(socket: &UdpSocket, delay: Duration, late: &Late, zone: &Zone, stop: &AtomicBool, n_asked: &AtomicU64) {
    let mut query = [0; 1024];
    let mut out = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok((n, from)) = socket.recv_from(&mut query) else { continue };
        n_asked.fetch_add(1, Ordering::Relaxed);
        let query = &query[..n];
        let Some(ip) = address_of(query) else { continue };
        let reply = zone(ip);
        out.clear();
        match &reply {
            Reply::Silence => continue,
            Reply::Garbage => {
                out.extend_from_slice(&query[..2]);
                out.extend_from_slice(b"\xff\xff nonsense that is no message \xc0\xff");
            }
            Reply::Noise(_) => {
                for i in 0..20_u8 {
                    let id = [query[0] ^ 0xFF, query[1].wrapping_add(i)];
                    let _ = socket.send_to(&[&id[..], &[i; 30]].concat(), from);
                }
                message(query, &reply, true, &mut out);
            }
            _ => message(query, &reply, true, &mut out),
        }
        if delay.is_zero() {
            let _ = socket.send_to(&out, from);
        } else {
            late.push(Instant::now() + delay, from, out.clone());
        }
    }
}

fn serve_tcp(listener: &TcpListener, zone: &Zone, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let _ = stream.set_nonblocking(false);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            continue;
        }
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut query).is_err() {
            continue;
        }
        if let Some(ip) = address_of(&query) {
            let mut out = Vec::new();
            message(&query, &zone(ip), false, &mut out);
            let length = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
            let _ = stream.write_all(&[&length[..], &out].concat());
        }
    }
}

/// The address that a reverse query asks for.
fn address_of(query: &[u8]) -> Option<Ipv4Addr> {
    let mut at = 12;
    let mut parts = [0; 4];
    for part in parts.iter_mut().rev() {
        let n = usize::from(*query.get(at)?);
        *part = std::str::from_utf8(query.get(at + 1..at + 1 + n)?).ok()?.parse().ok()?;
        at += n + 1;
    }
    query.get(at..at + 14).filter(|rest| rest.eq_ignore_ascii_case(b"\x07in-addr\x04arpa\0"))?;
    Some(parts.into())
}

fn message(query: &[u8], reply: &Reply, udp: bool, out: &mut Vec<u8>) {
    let question = &query[12..];
    let question =
        &question[..question.iter().position(|&b| b == 0).map_or(question.len(), |end| (end + 5).min(question.len()))];
    let none = Vec::new();
    let (code, cut, names) = match reply {
        Reply::Names(names) | Reply::Alias(names) | Reply::Noise(names) => (0, false, names),
        Reply::Truncated(names) => (0, udp, names),
        Reply::NxDomain => (3, false, &none),
        Reply::ServFail => (2, false, &none),
        Reply::Refused => (5, false, &none),
        Reply::NoData | Reply::Silence | Reply::Garbage => (0, false, &none),
    };
    let alias = matches!(reply, Reply::Alias(_));
    let n_answers = if cut { 0 } else { names.len() as u16 + u16::from(alias) };
    out.extend_from_slice(&query[..2]);
    out.extend_from_slice(&[0x81 | if cut { 0x02 } else { 0 }, 0x80 | code, 0, 1]);
    out.extend_from_slice(&n_answers.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0]);
    out.extend_from_slice(question);
    if cut {
        return;
    }
    // owners: the question, or the alias behind it
    let mut owner = [0xC0, 12];
    if alias {
        out.extend_from_slice(&owner);
        out.extend_from_slice(&[0, 5, 0, 1, 0, 0, 0, 60]);
        let target = wire("7.alias-zone.example");
        out.extend_from_slice(&(target.len() as u16).to_be_bytes());
        owner = (0xC000 | out.len() as u16).to_be_bytes();
        out.extend_from_slice(&target);
    }
    for name in names {
        out.extend_from_slice(&owner);
        out.extend_from_slice(&[0, 12, 0, 1, 0, 0, 0, 60]);
        let name = wire(name);
        out.extend_from_slice(&(name.len() as u16).to_be_bytes());
        out.extend_from_slice(&name);
    }
}

fn wire(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}
