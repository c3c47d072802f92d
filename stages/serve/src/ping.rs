//! Calls the heartbeat address.

use std::time::Duration;

/// The longest time to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks that this is an address of the web.
///
/// # Errors
/// What is wrong with it.
pub fn check_address(url: &str) -> Result<(), String> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(());
    }
    Err("the address begins with neither https:// nor http://".to_owned())
}

/// Fetches an address and ignores the answer.
///
/// # Errors
/// It cannot be reached, or answers with an error. The text does not contain the address, which may
/// hold a key.
pub fn ping(url: &str) -> Result<(), String> {
    check_address(url)?;
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    match agent.get(url).call() {
        Ok(_) => Ok(()),
        Err(ureq::Error::StatusCode(code)) => Err(format!("it answers with the status {code}")),
        Err(ureq::Error::Timeout(_)) => Err("it does not answer in time".to_owned()),
        Err(_) => Err("it cannot be reached".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn server(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/ping/key", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 2000];
            let n = stream.read(&mut bytes).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&bytes[..n]).into_owned()
        });
        (url, thread)
    }

    #[test]
    fn failures_are_reported_without_the_address() {
        let (url, thread) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(ping(&url), Ok(()));
        assert!(thread.join().unwrap().starts_with("GET /ping/key HTTP/1.1\r\n"));
        let (url, thread) = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(ping(&url), Err("it answers with the status 404".to_owned()));
        thread.join().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ping(&format!("http://{gone}/")), Err("it cannot be reached".to_owned()));
        assert!(ping("file:///etc/passwd").is_err());
    }
}
