//! Reverse lookups: addresses in, host names out, many at a time.
//!
//! Only this file knows the resolver library and its runtime, which runs on a thread of its own.
//! Queries go directly to the library's protocol layer, because its caching client would answer
//! 127.0.0.0/8 itself, and the reports need the name server's answer. No hosts file, no search
//! domains, no cache in memory, no EDNS.

mod sockets;

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Resource, getrlimit};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout_at};
use trust_dns_resolver::config::ProtocolConfig;
use trust_dns_resolver::net::NetError;
use trust_dns_resolver::net::runtime::TokioRuntimeProvider;
use trust_dns_resolver::net::tcp::TcpClientStream;
use trust_dns_resolver::net::xfer::{DnsHandle as _, FirstAnswer as _};
use trust_dns_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query, ResponseCode};
use trust_dns_resolver::proto::rr::{Name, RData, RecordType};
use trust_dns_resolver::system_conf::read_system_conf;

use sockets::{RESEND, Sockets};

/// The stored host name of an address that has none.
pub use crate::domain::UNKNOWN;

/// The port of name servers.
const PORT: u16 = 53;
/// How many open files to leave to the rest of the process.
const SPARE_FILES: usize = 64;

/// How to extract a name from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// What the original scripts extract from the output of a lookup tool: ASCII letters, digits,
    /// dots and hyphens, up to the last dot before any other character; case is kept.
    Legacy,
    /// What the port stores: the last name of the answer (its resolver treats the others as
    /// aliases), in lower case.
    Port,
    /// The same for the port's who-is-online map, which keeps the case.
    PortAsIs,
}

/// How to look up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name servers; the next one is asked if one does not answer.
    pub servers: Vec<SocketAddr>,
    /// Maximum number of lookups in progress, at least one.
    pub concurrency: usize,
    /// The total time for a lookup.
    pub timeout: Duration,
    /// How names are extracted from answers.
    pub rule: NameRule,
}

/// How a lookup ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The name of the address.
    Name(Box<str>),
    /// The server says that there is none, or gives none that can be used.
    NoName,
    /// No server answered in time, or none could or would answer.
    Failed,
}

/// Parses `system`, `ADDRESS` or `ADDRESS:PORT` (`[ADDRESS]:PORT` for IPv6).
///
/// # Errors
/// The text has another form, or the system has no name server configured.
pub fn servers(text: &str) -> Result<Vec<SocketAddr>> {
    if text.is_empty() || text.eq_ignore_ascii_case("system") {
        let (config, _) = read_system_conf().map_err(|e| anyhow!("reading the system's name servers: {e}"))?;
        let mut servers: Vec<SocketAddr> = Vec::new();
        for server in config.name_servers() {
            let udp = server.connections.iter().find(|c| c.protocol == ProtocolConfig::Udp);
            let address = SocketAddr::new(server.ip, udp.map_or(PORT, |c| c.port));
            if !servers.contains(&address) {
                servers.push(address);
            }
        }
        if servers.is_empty() {
            bail!("the system has no name server configured");
        }
        return Ok(servers);
    }
    let server = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT)));
    Ok(vec![server.with_context(|| format!("`{text}` is neither `system` nor ADDRESS[:PORT]"))?])
}

/// How many sockets there may be at a time.
fn max_sockets() -> usize {
    let soft = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    soft.map_or(usize::MAX, |limit| limit.saturating_sub(SPARE_FILES)).max(1)
}

/// A running resolver. Ask, then take answers; they come in any order, one per question.
pub struct Resolver {
    ask: Option<mpsc::UnboundedSender<IpAddr>>,
    answers: Receiver<(IpAddr, Answer)>,
    thread: Option<JoinHandle<()>>,
    n_open: usize,
}

impl Resolver {
    /// Starts the resolver's thread.
    ///
    /// # Errors
    /// The system cannot provide a thread or the runtime's resources.
    pub fn start(settings: &Settings) -> Result<Self> {
        let (ask, asked) = mpsc::unbounded_channel();
        let (answer, answers) = channel();
        let runtime =
            Builder::new_current_thread().enable_io().enable_time().build().context("starting the resolver")?;
        let settings = settings.clone();
        let thread = std::thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(move || LocalSet::new().block_on(&runtime, serve(settings, asked, answer)))
            .context("starting the resolver")?;
        Ok(Self { ask: Some(ask), answers, thread: Some(thread), n_open: 0 })
    }

    /// Looks up an address.
    ///
    /// # Errors
    /// The resolver has stopped.
    pub fn ask(&mut self, ip: IpAddr) -> Result<()> {
        let sent = self.ask.as_ref().is_some_and(|ask| ask.send(ip).is_ok());
        if !sent {
            bail!("the resolver stopped");
        }
        self.n_open += 1;
        Ok(())
    }

    /// How many answers are still pending.
    #[must_use]
    pub const fn n_open(&self) -> usize {
        self.n_open
    }

    /// An answer that has already arrived.
    pub fn try_answer(&mut self) -> Option<(IpAddr, Answer)> {
        let answer = self.answers.try_recv().ok()?;
        self.n_open -= 1;
        Some(answer)
    }

    /// Waits for an answer; `None` if none is pending.
    ///
    /// # Errors
    /// The resolver has stopped.
    pub fn wait(&mut self) -> Result<Option<(IpAddr, Answer)>> {
        if self.n_open == 0 {
            return Ok(None);
        }
        let answer = self.answers.recv().map_err(|_| anyhow!("the resolver stopped"))?;
        self.n_open -= 1;
        Ok(Some(answer))
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.ask = None;
        if self.n_open == 0
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Accepts questions while there is room; each lookup is a task of its own.
async fn serve(settings: Settings, mut asked: mpsc::UnboundedReceiver<IpAddr>, answer: Sender<(IpAddr, Answer)>) {
    let n_places = settings.concurrency.clamp(1, Semaphore::MAX_PERMITS);
    let free = Arc::new(Semaphore::new(n_places));
    let most = max_sockets() / settings.servers.len().max(1);
    let sockets = settings.servers.iter().map(|server| Sockets::new(*server, most)).collect();
    let servers = Rc::new(Servers { settings, sockets, preferred: Cell::new(0) });
    while let Some(ip) = asked.recv().await {
        let Ok(place) = Arc::clone(&free).acquire_owned().await else { break };
        let (servers, answer) = (Rc::clone(&servers), answer.clone());
        tokio::task::spawn_local(async move {
            // a reader that left is noticed elsewhere
            let _ = answer.send((ip, servers.look_up(ip).await));
            drop(place);
        });
    }
    // wait for the lookups in progress
    if let Ok(all) = u32::try_from(n_places) {
        let _ = free.acquire_many(all).await;
    }
}

/// The meaning of a server's answer.
enum Reply {
    /// A final answer.
    Final(Answer),
    /// The server cannot or will not answer; another one may.
    Refused,
    /// Something that cannot be understood.
    Nonsense,
}

struct Servers {
    settings: Settings,
    /// Those to each server.
    sockets: Vec<Sockets>,
    /// The server that answered last.
    preferred: Cell<usize>,
}

impl Servers {
    /// One lookup, within its time limit.
    async fn look_up(&self, ip: IpAddr) -> Answer {
        let deadline = Instant::now() + self.settings.timeout;
        let n_servers = self.settings.servers.len();
        let first = self.preferred.get();
        loop {
            let mut refused = false;
            for i in 0..n_servers {
                let at = (first + i) % n_servers;
                // the last server may use all the remaining time
                let n_left = u32::try_from(n_servers - i).unwrap_or(1);
                let left = deadline.saturating_duration_since(Instant::now());
                let patience = Instant::now() + left / n_left;
                match timeout_at(patience, self.ask(at, ip, deadline)).await {
                    Ok(Ok(Reply::Final(answer))) => {
                        if at != first {
                            self.preferred.set(at);
                        }
                        return answer;
                    }
                    Ok(Ok(Reply::Refused)) => refused = true,
                    Ok(Ok(Reply::Nonsense) | Err(_)) | Err(_) => {}
                }
            }
            let pause = Instant::now() + RESEND;
            if refused || pause >= deadline || n_servers == 0 {
                return Answer::Failed;
            }
            // a broken answer or a missing socket: both may be temporary
            sleep(pause - Instant::now()).await;
        }
    }

    async fn ask(&self, at: usize, ip: IpAddr, deadline: Instant) -> Result<Reply, NetError> {
        let mut options = DnsRequestOptions::default();
        options.use_edns = false;
        let query = Query::query(Name::from(ip), RecordType::PTR);
        let mut response = self.sockets[at].ask(&query, options).await?;
        if response.truncation {
            // the connection lives as long as its provider
            let provider = TokioRuntimeProvider::default();
            let left = deadline.saturating_duration_since(Instant::now());
            let server = self.settings.servers[at];
            let connection = TcpClientStream::exchange(server, None, left, None, provider.clone()).await?;
            response = connection.send(DnsRequest::from_query(query, options)).first_answer().await?;
            drop(provider);
        }
        Ok(self.reply(ip, &response))
    }

    fn reply(&self, ip: IpAddr, response: &DnsResponse) -> Reply {
        match response.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            ResponseCode::ServFail | ResponseCode::Refused | ResponseCode::NotImp | ResponseCode::FormErr => {
                return Reply::Refused;
            }
            _ => return Reply::Nonsense,
        }
        let names = response.answers.iter().filter_map(|record| match &record.data {
            RData::PTR(name) => Some(&name.0),
            _ => None,
        });
        let name = match self.settings.rule {
            NameRule::Legacy => names.filter_map(|name| legacy_name(name.iter())).next(),
            NameRule::Port => {
                names.filter_map(|name| port_name(name.iter())).next_back().map(|name| name.to_ascii_lowercase())
            }
            NameRule::PortAsIs => names.filter_map(|name| port_name(name.iter())).next_back(),
        };
        // a name that equals the address is not a name
        let name = name.filter(|name| *name != ip.to_string());
        Reply::Final(name.map_or(Answer::NoName, |name| Answer::Name(name.into())))
    }
}

/// What the original scripts extract from a name: its labels up to the first one with a byte other
/// than ASCII letters, digits and hyphens (the lookup tool prints such bytes as they are or
/// escaped; both end the match, and only text before a dot counts). `None` if nothing remains.
fn legacy_name<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut name = String::new();
    for label in labels {
        if !label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') {
            break;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|&b| char::from(b)));
    }
    (!name.is_empty()).then_some(name)
}

/// What the port extracts from a name: all of it; bytes that are not printable ASCII are escaped as
/// usual, and so are dots inside a label.
fn port_name<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut name = String::new();
    for (i, label) in labels.enumerate() {
        if i > 0 {
            name.push('.');
        }
        for &b in label {
            match b {
                b'.' | b'\\' => name.extend(['\\', char::from(b)]),
                0x21..=0x7E => name.push(char::from(b)),
                _ => name.push_str(&format!("\\{b:03}")),
            }
        }
    }
    let name = schema::text::cut_bytes(&name, schema::text::TINYTEXT);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str) -> impl Iterator<Item = &[u8]> {
        name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes)
    }

    #[test]
    fn names_are_those_of_the_specification() {
        for (name, expected) in [
            ("one.one.one.one.", Some("one.one.one.one")),
            ("Dns.Google.", Some("Dns.Google")),
            ("foo_bar.example.com.", None),
            ("host.my_net.example.com.", Some("host")),
            (".", None),
            ("localhost.", Some("localhost")),
        ] {
            assert_eq!(legacy_name(labels(name)).as_deref(), expected, "{name}");
        }
        assert_eq!(port_name(labels("Dns.Google.")).as_deref(), Some("Dns.Google"));
        assert_eq!(port_name(labels("foo_Bar.example.com.")).as_deref(), Some("foo_Bar.example.com"));
        assert_eq!(port_name(labels(".")), None);
    }

    /// The lookup tool prints a blank as `\032` and a dot inside a label as `\.`: the backslash
    /// ends the match, so the digits after it never count.
    #[test]
    fn escaped_bytes_end_the_name() {
        for (labels, expected) in [
            (&[&b"foo bar"[..], b"example", b"com"][..], None),
            (&[b"a", b"foo bar", b"example", b"com"], Some("a")),
            (&[b"a.b", b"com"], None),
            (&[b"a", b"b.c", b"com"], Some("a")),
            (&[b"h", b"x\xC3\xA9", b"com"], Some("h")),
            (&[b"h", b"*", b"com"], Some("h")),
            (&[b"h", b"ex\x00", b"com"], Some("h")),
        ] {
            assert_eq!(legacy_name(labels.iter().copied()).as_deref(), expected, "{labels:?}");
        }
        assert_eq!(port_name([&b"a.b c"[..], b"x\\"].into_iter()).as_deref(), Some("a\\.b\\032c.x\\\\"));
        let long = [&[b'A'; 63][..]; 4];
        assert_eq!(port_name(long.into_iter()).map(|name| name.len()), Some(255));
    }

    #[test]
    fn name_servers_must_be_addresses() {
        let one = |text: &str| servers(text).ok().map(|s| s[0].to_string());
        assert_eq!(one("127.0.0.1").as_deref(), Some("127.0.0.1:53"));
        assert_eq!(one("127.0.0.1:5353").as_deref(), Some("127.0.0.1:5353"));
        assert_eq!(one("::1").as_deref(), Some("[::1]:53"));
        assert_eq!(one("[::1]:5353").as_deref(), Some("[::1]:5353"));
        for bad in ["dns.google", "127.0.0.1:", "1.2.3", "127.0.0.1:99999"] {
            assert_eq!(one(bad), None, "{bad}");
        }
    }
}
