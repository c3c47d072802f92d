//! The server: one thread for all connections, with limits for each.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::answers::{Answers, Snapshot};
use crate::listen::Listen;
use crate::routes::Site;
use crate::supervisor;

/// The most connections at a time; others wait in the kernel.
const CONNECTIONS: usize = 256;
/// A client that has not sent its request by then is disconnected.
const HEADER: Duration = Duration::from_secs(5);
/// A connection is closed by then, whatever it is doing.
const WHOLE: Duration = Duration::from_secs(30);
/// The size of the buffer for a request; the smallest that the library accepts.
const REQUEST: usize = 8 << 10;
/// How soon a signal is noticed.
const GLANCE: Duration = Duration::from_millis(200);
/// The pause if no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// What the server shows.
#[derive(Debug)]
pub struct Options {
    /// Where requests arrive.
    pub listen: Listen,
    /// The folder with the pages of the report.
    pub report: Option<PathBuf>,
}

/// Serves until SIGINT or SIGTERM, unless the caller ignores them. `make` computes the answers, at most every five seconds; `listening`
/// gets the address.
///
/// # Errors
/// Listening fails, or signals cannot be handled.
pub fn run(
    options: Options,
    make: impl FnMut() -> Snapshot + Send + 'static,
    listening: impl FnOnce(std::net::SocketAddr),
) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in kit::signals::to_watch() {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("watching signals")?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the server")?;
    runtime.block_on(async {
        let site = Site { answers: Answers::start(make)?, report: options.report };
        let listener = options.listen.open().context("listening")?;
        listening(listener.local_addr()?);
        supervisor::ready();
        let accepting = tokio::spawn(accept(listener, site));
        until(&stop).await;
        supervisor::stopping();
        accepting.abort();
        Ok(())
    })
}

/// Waits for the signal; meanwhile tells the supervisor that the thread of all connections is alive.
async fn until(stop: &AtomicBool) {
    let watchdog = supervisor::watchdog();
    let mut silent = Duration::MAX;
    while !stop.load(Ordering::Relaxed) {
        if watchdog.is_some_and(|every| silent >= every) {
            supervisor::alive();
            silent = Duration::ZERO;
        }
        tokio::time::sleep(GLANCE).await;
        silent = silent.saturating_add(GLANCE);
    }
}

async fn accept(listener: tokio::net::TcpListener, site: Site) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        // without free descriptors this fails repeatedly, until other connections end
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let site = site.clone();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(WHOLE, connection(stream, &site)).await;
            drop(place);
        });
    }
}

/// Handles one request. Errors of the client are ignored.
async fn connection(stream: TcpStream, site: &Site) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(site.answer(&request).await) });
    let mut http = http1::Builder::new();
    http.keep_alive(false).max_buf_size(REQUEST).timer(TokioTimer::new()).header_read_timeout(HEADER);
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}
