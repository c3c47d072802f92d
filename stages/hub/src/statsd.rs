//! Sends figures of a run to a statsd server over UDP: counters, gauges, times. Off unless an address is
//! configured.
//!
//! A separate thread looks up the server's name and sends. A run waits for it only for a moment, and a
//! server that does not answer is not a failure. Every program has its own prefix,
//! `hzmetrics.PROGRAM`.

use std::net::{ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;
use std::{io, thread};

use cadence::{BufferedUdpMetricSink, Counted as _, Gauged as _, MetricSink, StatsdClient, Timed as _};
use kit::measure::Measures;

/// The environment variable with the address, `HOST:PORT`, or [`OFF`].
pub const VARIABLE: &str = "HZMETRICS_STATSD";
/// The value that turns sending off, whatever the configuration says.
pub const OFF: &str = "off";

/// The size of a packet that no network splits.
const PACKET: usize = 1432;
/// How long the end of a run waits until everything has been sent.
const PATIENCE: Duration = Duration::from_millis(200);

/// Something to be sent.
#[derive(Debug)]
enum Event {
    Started,
    Ended { is_failure: bool, elapsed: Duration, measures: Measures },
    Gauges(Vec<(String, f64)>),
}

/// Sends the figures of one run. Dropping it waits a moment until they are sent.
#[derive(Debug)]
pub struct Statsd {
    events: Option<Sender<Event>>,
    is_done: Receiver<()>,
}

/// Checks that this is an address, `HOST:PORT`.
///
/// # Errors
/// What is wrong with it.
pub fn check(address: &str) -> Result<(), String> {
    let is_good = address.rsplit_once(':').is_some_and(|(host, port)| {
        let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic() && c != '/');
        is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if is_good { Ok(()) } else { Err(format!("`{address}` is not HOST:PORT; no figures are sent to statsd")) }
}

impl Statsd {
    /// Starts sending for a program, beginning with the start of the run.
    #[must_use]
    pub fn start(program: &str, address: &str) -> Self {
        let statsd = Self::open(program, address);
        statsd.push(Event::Started);
        statsd
    }

    /// Begins under the name of something that does not run, such as the hub.
    #[must_use]
    pub fn open(program: &str, address: &str) -> Self {
        let (events, queue) = mpsc::channel();
        let (done, is_done) = mpsc::channel();
        let (program, address) = (program.to_owned(), address.to_owned());
        let _ = thread::Builder::new().name("statsd".to_owned()).spawn(move || {
            let _ = send(&program, &address, &queue);
            let _ = done.send(());
        });
        Self { events: Some(events), is_done }
    }

    fn push(&self, event: Event) {
        if let Some(events) = &self.events {
            let _ = events.send(event);
        }
    }

    /// Sends the end of the run.
    pub fn ended(&self, is_failure: bool, elapsed: Duration, measures: Measures) {
        self.push(Event::Ended { is_failure, elapsed, measures });
    }

    /// The state of the hub.
    pub fn gauges(&self, gauges: Vec<(String, f64)>) {
        self.push(Event::Gauges(gauges));
    }
}

impl Drop for Statsd {
    fn drop(&mut self) {
        self.events = None;
        let _ = self.is_done.recv_timeout(PATIENCE);
    }
}

/// One sink, for the client and for metrics that the client does not support.
#[derive(Debug, Clone)]
struct Shared(Arc<BufferedUdpMetricSink>);

impl MetricSink for Shared {
    fn emit(&self, metric: &str) -> io::Result<usize> {
        self.0.emit(metric)
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Sends everything until the channel is closed.
fn send(program: &str, address: &str, events: &Receiver<Event>) -> io::Result<()> {
    let server = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    socket.set_nonblocking(true)?;
    let sink = BufferedUdpMetricSink::with_capacity(server, socket, PACKET).map_err(io::Error::other)?;
    let sink = Shared(Arc::new(sink));
    let prefix = format!("hzmetrics.{}", plain(program.trim_start_matches("hzmetrics ")));
    let client = StatsdClient::from_sink(&prefix, sink.clone());
    // the client cannot change a gauge by a difference
    let running = |by: &str| drop(sink.emit(&format!("{prefix}.running:{by}|g")));
    for event in events {
        match event {
            Event::Started => running("+1"),
            Event::Gauges(gauges) => gauges.iter().for_each(|(name, value)| drop(client.gauge(&plain(name), *value))),
            Event::Ended { is_failure, elapsed, measures } => {
                running("-1");
                ended(&client, is_failure, elapsed, &measures);
                // a set: the id joins the figures with logs and receipts
                let _ = sink.emit(&format!("{prefix}.ids:{}|s", kit::run_id()));
            }
        }
        sink.flush()?;
    }
    Ok(())
}

/// If nobody listens, sending the next packet fails: this is not an error.
fn ended(client: &StatsdClient, is_failure: bool, elapsed: Duration, measures: &Measures) {
    let _ = client.count("runs", 1);
    let _ = client.count("failures", i64::from(is_failure));
    let _ = client.time("time", elapsed);
    for (name, n) in &measures.counts {
        let _ = client.count(&plain(name), i64::try_from(*n).unwrap_or(i64::MAX));
    }
    for (name, time) in &measures.steps {
        let _ = client.time(&format!("step.{}", plain(name)), *time);
    }
}

/// A name in the characters that statsd and Graphite accept.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_are_an_address() {
        for good in ["127.0.0.1:8125", "[::1]:8125", "statsd.example.org:1"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "localhost", "localhost:", ":8125", "localhost:0", "localhost:70000", "http://x:1", "a b:1"] {
            assert!(check(bad).unwrap_err().contains("is not HOST:PORT"), "{bad}");
        }
    }

    #[test]
    fn a_run_sends_its_counters_times_and_id() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut measures = Measures::default();
        measures.counts.insert("dropped.a rule".to_owned(), 7);
        measures.steps.insert("sessions".to_owned(), Duration::from_millis(12));
        let statsd = Statsd::start("hzmetrics run", &server.local_addr().unwrap().to_string());
        statsd.gauges(vec![("pending_days".to_owned(), 3.0)]);
        statsd.ended(true, Duration::from_millis(1234), measures);
        drop(statsd);
        let mut lines = Vec::new();
        let mut packet = [0; 2000];
        while !lines.iter().any(|line: &String| line.ends_with("|s")) {
            let n = server.recv(&mut packet).unwrap();
            lines.extend(String::from_utf8_lossy(&packet[..n]).lines().map(str::to_owned));
        }
        assert_eq!(lines.pop().unwrap(), format!("hzmetrics.run.ids:{}|s", kit::run_id()));
        let expected = [
            "hzmetrics.run.running:+1|g",
            "hzmetrics.run.pending_days:3|g",
            "hzmetrics.run.running:-1|g",
            "hzmetrics.run.runs:1|c",
            "hzmetrics.run.failures:1|c",
            "hzmetrics.run.time:1234|ms",
            "hzmetrics.run.dropped.a_rule:7|c",
            "hzmetrics.run.step.sessions:12|ms",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_missing_server_is_not_a_failure() {
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for address in [gone.to_string(), "no.such.name.invalid:8125".to_owned()] {
            Statsd::start("x", &address).ended(false, Duration::ZERO, Measures::default());
        }
    }
}
