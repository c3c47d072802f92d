//! A stand-in for the geo service, on a port of this machine: countries by a function, both forms
//! of question, with the misbehaviour that a test wants. Shared by path.
#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the service says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "every user needs some")]
pub(crate) enum Says {
    /// This country (`-` and nothing are answers too).
    Country(&'static str),
    /// It knows nothing of it.
    Unknown,
    /// It does not take the key.
    BadKey,
    /// No XML.
    Garbage,
    /// Nothing, for a minute.
    Silence,
}

type Zone = dyn Fn(u32) -> Says + Send + Sync;

/// A running service; it stops when dropped.
pub(crate) struct GeoServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<u32>>>,
    thread: Option<JoinHandle<()>>,
}

impl GeoServer {
    pub(crate) fn start(zone: impl Fn(u32) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let zone: Arc<Zone> = Arc::new(zone);
        let thread = std::thread::spawn({
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            move || {
                for stream in listener.incoming().flatten() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (zone, stop, asked) = (Arc::clone(&zone), Arc::clone(&stop), Arc::clone(&asked));
                    std::thread::spawn(move || serve(stream, &*zone, &stop, &asked));
                }
            }
        });
        Self { address, stop, asked, thread: Some(thread) }
    }

    /// Its address, for `--geo-url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/ipinfo/v1", self.address)
    }

    /// The addresses that it was asked for so far, sorted; forgets them.
    pub(crate) fn asked(&self) -> Vec<u32> {
        let mut list = std::mem::take(&mut *self.asked.lock().expect("the list"));
        list.sort_unstable();
        list
    }
}

impl Drop for GeoServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: TcpStream, zone: &Zone, stop: &AtomicBool, asked: &Mutex<Vec<u32>>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut lines = BufReader::new(stream).lines();
    loop {
        let Some(Ok(request)) = lines.next() else { return };
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let list = request.split_once("n_ips=").or_else(|| request.split_once("n_ip=")).map_or("", |(_, rest)| rest);
        let list = list.split(' ').next().unwrap_or_default();
        let numbers: Vec<u32> = list.split(',').filter_map(|number| number.parse().ok()).collect();
        asked.lock().expect("the list").extend(&numbers);
        let says: Vec<(u32, Says)> = numbers.iter().map(|&number| (number, zone(number))).collect();
        let any = |what| says.iter().any(|(_, says)| *says == what);
        if any(Says::Silence) {
            for _ in 0..600 {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            return;
        }
        let is_batch = request.contains("n_ips=");
        let body =
            if any(Says::Garbage) { "<html>busy".to_owned() } else { answer(&says, is_batch, any(Says::BadKey)) };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n", body.len());
        if writer.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn answer(says: &[(u32, Says)], is_batch: bool, bad_key: bool) -> String {
    let mut sets = String::new();
    let mut n_found = 0;
    for (number, says) in says {
        let status = |text: &str| if is_batch { format!("<status>{text}</status>") } else { String::new() };
        match says {
            Says::Country(code) => {
                n_found += 1;
                sets.push_str(&format!(
                    "<ipset>{}<n_ip>{number}</n_ip><countryCode>{code}</countryCode><countryName>LAND &amp; {code}</countryName>\
                     <region>r</region><city>c</city><lat>37</lat><long>-</long></ipset>",
                    status("_SUCCESS_")
                ));
            }
            _ if is_batch => sets.push_str(&format!("<ipset>{}<n_ip>{number}</n_ip></ipset>", status("_NO_DATA_"))),
            _ => {}
        }
    }
    let status = match (bad_key, n_found == says.len()) {
        (true, _) => "_INVALID_KEY_OR_KEY-HUB_HOSTNAME_MISMATCH_",
        (false, true) => "_SUCCESS_",
        (false, false) if is_batch && n_found > 0 => "_PARTIAL_",
        _ => "_NO_IP_GEO_DATA_FOUND_",
    };
    format!("<?xml version=\"1.0\"?><ipinfo><status>{status}</status>{sets}</ipinfo>")
}
