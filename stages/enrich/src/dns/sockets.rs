//! Queries over UDP, many on each socket.
//!
//! A forged answer must fit the server's address, the port of the socket, the number of the query,
//! and its question. Sockets are connected, so that the kernel lets nothing through that does not
//! come from the server. Each has a port of the system's choice, which is random, and is replaced
//! after some queries or a second, so that a port that somebody finds out is of little use.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use rustc_hash::FxBuildHasher;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use trust_dns_resolver::net::NetError;
use trust_dns_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query};

/// After this time without an answer a query is sent again; an answer to the first one is still
/// accepted.
pub(super) const RESEND: Duration = Duration::from_millis(200);
/// How often a query is sent at most.
const MAX_SENDS: usize = 5;
/// How many queries wait on a socket at most before another one is opened.
const WAITING: usize = 16;
/// How many queries a socket is used for.
const QUERIES: u32 = 128;
/// For how long new queries use a socket.
const AGE: Duration = Duration::from_secs(1);
/// The longest answer over UDP. Longer ones than 512 bytes need an extension that is not asked for.
const ANSWER: usize = 4096;
/// The bit of a message's third byte that tells an answer from a query.
const IS_ANSWER: u8 = 0x80;

/// The sockets to one server.
pub(super) struct Sockets {
    server: SocketAddr,
    /// How many may be open at a time.
    most: usize,
    open: RefCell<Vec<Rc<Socket>>>,
    /// The socket whose turn it is.
    next: Cell<usize>,
}

/// A socket, and the task that reads its answers.
struct Socket {
    udp: Rc<UdpSocket>,
    waiting: Rc<Waiting>,
    reader: AbortHandle,
    opened: Instant,
    n_queries: Cell<u32>,
}

/// The queries that wait for an answer, by number.
type Waiting = RefCell<HashMap<u16, (Query, Waiter), FxBuildHasher>>;

/// Takes the first answer to a query, whichever of its sendings it belongs to.
type Waiter = Rc<Cell<Option<oneshot::Sender<Result<DnsResponse, NetError>>>>>;

/// A query that was sent; it waits as long as this lives.
struct Sent {
    socket: Rc<Socket>,
    id: u16,
}

impl Sockets {
    pub(super) const fn new(server: SocketAddr, most: usize) -> Self {
        Self { server, most, open: RefCell::new(Vec::new()), next: Cell::new(0) }
    }

    /// Asks, and asks again while no answer comes. Waits forever if none does.
    ///
    /// # Errors
    /// No socket can be opened, the query cannot be sent, or the answer cannot be read.
    pub(super) async fn ask(&self, query: &Query, options: DnsRequestOptions) -> Result<DnsResponse, NetError> {
        let (answer, mut answered) = oneshot::channel();
        let waiter = Rc::new(Cell::new(Some(answer)));
        let mut sent = vec![self.send(query, options, &waiter).await?];
        loop {
            let received =
                if sent.len() < MAX_SENDS { timeout(RESEND, &mut answered).await } else { Ok((&mut answered).await) };
            match received {
                Ok(Ok(answer)) => return answer,
                // the reader keeps the sender until it has an answer
                Ok(Err(_)) => return Err(NetError::from("the query was dropped")),
                // the first query may still be answered
                Err(_) => sent.extend(self.send(query, options, &waiter).await.ok()),
            }
        }
    }

    async fn send(&self, query: &Query, options: DnsRequestOptions, waiter: &Waiter) -> Result<Sent, NetError> {
        let socket = self.socket().await?;
        socket.n_queries.set(socket.n_queries.get() + 1);
        let mut request = DnsRequest::from_query(query.clone(), options);
        while socket.waiting.borrow().contains_key(&request.id) {
            request = DnsRequest::from_query(query.clone(), options);
        }
        let (id, bytes) = (request.id, request.to_vec()?);
        socket.waiting.borrow_mut().insert(id, (query.clone(), Rc::clone(waiter)));
        let sent = Sent { socket, id };
        match sent.socket.udp.send(&bytes).await {
            // that is the answer to an earlier query, and it cleared the error
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                sent.socket.udp.send(&bytes).await.or_else(unless_refused)?;
            }
            other => drop(other?),
        }
        Ok(sent)
    }

    /// A socket with room for one more query.
    async fn socket(&self) -> Result<Rc<Socket>, NetError> {
        if let Some(socket) = self.turn().filter(|socket| socket.has_room() || self.open.borrow().len() >= self.most) {
            return Ok(socket);
        }
        match Socket::open(self.server).await {
            Ok(socket) => {
                let socket = Rc::new(socket);
                self.open.borrow_mut().push(Rc::clone(&socket));
                Ok(socket)
            }
            // perhaps no more files can be opened, and the open sockets must do
            Err(error) => self.turn().ok_or_else(|| error.into()),
        }
    }

    /// The socket whose turn it is; those that were used enough are no longer among them.
    fn turn(&self) -> Option<Rc<Socket>> {
        let mut open = self.open.borrow_mut();
        open.retain(|socket| socket.n_queries.get() < QUERIES && socket.opened.elapsed() < AGE);
        let at = self.next.get();
        self.next.set(at.wrapping_add(1));
        open.get(at.checked_rem(open.len())?).cloned()
    }
}

/// The server's port is closed now; it may be open for the next query.
fn unless_refused(error: io::Error) -> io::Result<usize> {
    if error.kind() == io::ErrorKind::ConnectionRefused { Ok(0) } else { Err(error) }
}

impl Socket {
    async fn open(server: SocketAddr) -> io::Result<Self> {
        let any = if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let udp = Rc::new(UdpSocket::bind(SocketAddr::new(any, 0)).await?);
        udp.connect(server).await?;
        let waiting = Rc::new(Waiting::default());
        let reader = tokio::task::spawn_local(read(Rc::clone(&udp), Rc::clone(&waiting))).abort_handle();
        Ok(Self { udp, waiting, reader, opened: Instant::now(), n_queries: Cell::new(0) })
    }

    fn has_room(&self) -> bool {
        self.waiting.borrow().len() < WAITING
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.socket.waiting.borrow_mut().remove(&self.id);
    }
}

/// Hands each answer to the query that waits for it; whatever answers no such query is ignored.
async fn read(udp: Rc<UdpSocket>, waiting: Rc<Waiting>) {
    let mut bytes = vec![0; ANSWER];
    loop {
        match udp.recv(&mut bytes).await {
            Ok(n) => deliver(&bytes[..n], &waiting),
            // the port of the server is closed; whoever waits has a time limit
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            // an error that stays would keep this thread busy
            Err(_) => tokio::time::sleep(RESEND).await,
        }
    }
}

fn deliver(bytes: &[u8], waiting: &Waiting) {
    let Some([first, second, flags]) = bytes.first_chunk() else { return };
    let id = u16::from_be_bytes([*first, *second]);
    if flags & IS_ANSWER == 0 {
        return;
    }
    let waiting = waiting.borrow();
    let Some((query, waiter)) = waiting.get(&id) else { return };
    let answer = match DnsResponse::from_buffer(bytes.to_vec()) {
        Ok(answer) if answer.queries != [query.clone()] => return,
        other => other.map_err(NetError::from),
    };
    if let Some(waiter) = waiter.take() {
        // nobody waits any more
        let _ = waiter.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::UdpSocket as Server;

    use tokio::runtime::Builder;
    use tokio::task::LocalSet;
    use trust_dns_resolver::proto::rr::{Name, RData, RecordType};

    use super::*;

    fn answer(query: &[u8], host: u8) -> Vec<u8> {
        let mut bytes = query.to_vec();
        bytes[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1]);
        // the name of the question, PTR, IN, an hour, four bytes: one letter and the root
        bytes.extend([0xC0, 12, 0, 12, 0, 1, 0, 0, 14, 16, 0, 3, 1, host, 0]);
        bytes
    }

    fn ask(server: SocketAddr, n: u8, at_a_time: usize) -> Vec<Result<DnsResponse, NetError>> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async move {
            let sockets = Rc::new(Sockets::new(server, usize::MAX));
            let mut answers = Vec::new();
            let all: Vec<u8> = (0..n).collect();
            for some in all.chunks(at_a_time) {
                let asked: Vec<_> = some
                    .iter()
                    .map(|i| {
                        let (sockets, ip) = (Rc::clone(&sockets), IpAddr::from([192, 0, 2, *i]));
                        let query = Query::query(Name::from(ip), RecordType::PTR);
                        let mut options = DnsRequestOptions::default();
                        options.use_edns = false;
                        tokio::task::spawn_local(async move { sockets.ask(&query, options).await })
                    })
                    .collect();
                for one in asked {
                    answers.push(one.await.unwrap());
                }
            }
            answers
        })
    }

    fn host(answer: &Result<DnsResponse, NetError>) -> String {
        match &answer.as_ref().unwrap().answers[0].data {
            RData::PTR(name) => name.0.to_ascii(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn forged_answers_are_ignored() {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let other = Server::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 512];
            let (n, client) = server.recv_from(&mut bytes).unwrap();
            let query = &bytes[..n];
            let mut of_another_number = answer(query, b'a');
            of_another_number[0] ^= 1;
            let mut of_another_name = answer(query, b'b');
            of_another_name[13] ^= 1;
            let mut a_question = answer(query, b'c');
            a_question[2] = 1;
            let forged = [of_another_number, of_another_name, a_question, vec![], vec![7], query.to_vec()];
            let _ = other.send_to(&answer(query, b'd'), client);
            for bytes in forged {
                server.send_to(&bytes, client).unwrap();
            }
            server.send_to(&answer(query, b'h'), client).unwrap();
        });
        assert_eq!(host(&ask(address, 1, 1)[0]), "h.");
        thread.join().unwrap();
    }

    #[test]
    fn a_port_serves_few_queries_and_queries_have_different_numbers() {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut ports: BTreeMap<u16, Vec<[u8; 2]>> = BTreeMap::new();
            let mut bytes = [0; 512];
            for _ in 0..250 {
                let (n, client) = server.recv_from(&mut bytes).unwrap();
                ports.entry(client.port()).or_default().push([bytes[0], bytes[1]]);
                server.send_to(&answer(&bytes[..n], b'h'), client).unwrap();
            }
            ports
        });
        // more than twice as many as wait on a socket
        let answers = ask(address, 250, 40);
        assert!(answers.iter().all(|answer| host(answer) == "h."));
        let ports = thread.join().unwrap();
        assert!(ports.len() > 2, "{ports:?}");
        assert!(ports.values().all(|ids| ids.len() <= QUERIES as usize));
        let ids: std::collections::BTreeSet<_> = ports.values().flatten().collect();
        // numbers of two bytes at random: a few may be there twice
        assert!(ids.len() > 240, "{ports:?}");
    }

    #[test]
    fn an_answer_to_the_first_sending_counts_after_the_second() {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut first, mut second) = ([0; 512], [0; 512]);
            let (n, client) = server.recv_from(&mut first).unwrap();
            let _ = server.recv_from(&mut second).unwrap();
            assert_ne!(first[..2], second[..2]);
            server.send_to(&answer(&first[..n], b'h'), client).unwrap();
        });
        assert_eq!(host(&ask(address, 1, 1)[0]), "h.");
        thread.join().unwrap();
    }
}
