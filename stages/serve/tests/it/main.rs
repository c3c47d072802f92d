//! The server as its clients see it: paths, methods, many at once, slow ones.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serve::{Listen, Options, Snapshot};

/// Starts a server whose answers count how often they were made.
fn start(
    report: Option<std::path::PathBuf>,
    make: impl Fn(usize) -> Snapshot + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let n_made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_made);
    let (address, listening) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let options = Options { listen: Listen::At("127.0.0.1:0".parse().unwrap()), report };
        let make = move || make(counted.fetch_add(1, Ordering::SeqCst));
        serve::run(options, make, |at| address.send(at).unwrap()).unwrap();
    });
    (listening.recv().unwrap(), n_made)
}

fn snapshot(_: usize) -> Snapshot {
    Snapshot {
        is_alive: true,
        heartbeat: "OK\n".to_owned(),
        metrics: "hzmetrics_state 0\n".to_owned(),
        status: "{}\n".to_owned(),
    }
}

fn send(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

fn get(at: SocketAddr, path: &str) -> (u16, String) {
    let text = send(at, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}

#[test]
fn paths_and_methods() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "<p>report").unwrap();
    let (at, _) = start(Some(folder.path().to_owned()), snapshot);
    for (path, expected) in [
        ("/heartbeat", (200, "OK\n")),
        ("/heartbeat?x=1", (200, "OK\n")),
        ("/metrics", (200, "hzmetrics_state 0\n")),
        ("/status.json", (200, "{}\n")),
        ("/report/", (200, "<p>report")),
        ("/report/index.html", (200, "<p>report")),
        ("/report/../Cargo.toml", (404, "there is no such page\n")),
        ("/report/none.html", (404, "there is no such page\n")),
        ("/none", (404, "there is no such page\n")),
    ] {
        let (status, body) = get(at, path);
        assert_eq!((status, body.as_str()), expected, "{path}");
    }
    assert!(send(at, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").starts_with("HTTP/1.1 405 "));
    let head = send(at, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    let lower = head.to_ascii_lowercase();
    for header in
        ["cache-control: no-store", "x-content-type-options: nosniff", "content-type: text/plain; version=0.0.4"]
    {
        assert!(lower.contains(header), "{header}: {head}");
    }
}

#[test]
fn what_is_wrong_is_503_with_the_reason() {
    let (at, _) = start(None, |_| Snapshot { heartbeat: "CRITICAL database: x\n".to_owned(), ..Snapshot::default() });
    assert_eq!(get(at, "/heartbeat"), (503, "CRITICAL database: x\n".to_owned()));
    assert_eq!(get(at, "/metrics").0, 200);
}

#[test]
fn a_thousand_at_once_and_hundreds_that_are_slow() {
    let (at, n_made) = start(None, snapshot);
    // they never finish their request
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
            stream
        })
        .collect();
    let n_good = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                for _ in 0..20 {
                    n_good.fetch_add(usize::from(get(at, "/heartbeat") == (200, "OK\n".to_owned())), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(n_good.load(Ordering::Relaxed), 1000);
    let n = n_made.load(Ordering::SeqCst);
    assert!(n < 100, "{n} answers were made for 1000 requests");
    drop(slow);
}

#[test]
fn nonsense_harms_nobody() {
    let (at, _) = start(None, snapshot);
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5000));
    for nonsense in ["\r\n\r\n", "\0\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", &long, &many] {
        let answer = send(at, nonsense);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(get(at, "/heartbeat").0, 200);
}
