//! Where the server listens: at an address, or on a socket opened by systemd.

use std::io;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result};
use listenfd::ListenFd;
use tokio::net::TcpSocket;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Where requests arrive.
#[derive(Debug)]
pub enum Listen {
    /// An address of this machine.
    At(SocketAddr),
    /// The socket passed by systemd.
    Handed(TcpListener),
}

impl Listen {
    /// The socket passed by systemd, otherwise an address.
    ///
    /// # Errors
    /// The passed descriptor is not a listening TCP socket.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let handed = ListenFd::from_env().take_tcp_listener(0).context("the socket of systemd")?;
        Ok(handed.map_or(Self::At(address), Self::Handed))
    }

    /// Whether other machines can send requests.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let address = match self {
            Self::At(address) => Some(*address),
            Self::Handed(listener) => listener.local_addr().ok(),
        };
        address.is_none_or(|address| !address.ip().is_loopback())
    }

    /// Starts to listen, within the runtime.
    pub(crate) fn open(self) -> io::Result<tokio::net::TcpListener> {
        match self {
            Self::Handed(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(listener)
            }
            Self::At(address) => {
                let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                socket.set_reuseaddr(true)?;
                socket.bind(address)?;
                socket.listen(BACKLOG)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_exclude_other_machines() {
        for (address, is_open) in
            [("127.0.0.1:1", false), ("[::1]:1", false), ("0.0.0.0:1", true), ("192.0.2.1:1", true)]
        {
            assert_eq!(Listen::At(address.parse().unwrap()).is_open(), is_open, "{address}");
        }
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!Listen::Handed(own).is_open());
    }
}
