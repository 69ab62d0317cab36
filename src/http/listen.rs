//! The listening socket. Not what is said over it.
//!
//! Invariant: `[::]` takes IPv4 and IPv6 alike, whatever the host's `bindv6only` says, and becomes
//! `0.0.0.0` where the host has no IPv6.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the kernel completes before they are accepted.
const BACKLOG: i32 = 128;

/// A bound socket, ready for [`serve`](super::server::serve).
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    local: SocketAddr,
}

/// Why an address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; {}", advice(source))]
pub struct ListenError {
    /// The address as it was asked for.
    pub address: SocketAddr,
    source: io::Error,
}

/// Binds `address`; port 0 takes a free one. Must be called within a tokio runtime.
pub fn bind(address: SocketAddr) -> Result<Listener, ListenError> {
    let listener = open_or_fall_back(address, open).and_then(|socket| {
        let socket = TcpListener::from_std(socket)?;
        let local = socket.local_addr()?;
        Ok(Listener { socket, local })
    });
    listener.map_err(|source| ListenError { address, source })
}

// === impl Listener ===

impl Listener {
    /// The address that was bound, with the port that was found for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }
}

/// Tries `[::]` first and `0.0.0.0` where that cannot be had for want of IPv6.
fn open_or_fall_back<T>(address: SocketAddr, open: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    match open(address) {
        Err(error) if address.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) && lacks_ipv6(&error) => {
            open(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()))
        }
        other => other,
    }
}

/// A host without IPv6 refuses the socket (`EAFNOSUPPORT`, which std has no kind for) or the address.
fn lacks_ipv6(error: &io::Error) -> bool {
    let settled = [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied];
    error.kind() == io::ErrorKind::AddrNotAvailable
        || (error.raw_os_error().is_some() && !settled.contains(&error.kind()))
}

fn open(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the last process's connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process has the port: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose a higher one",
        io::ErrorKind::AddrNotAvailable => "no interface of this host has the address",
        _ => "check the address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "[::]:0";

    fn no_ipv6(address: SocketAddr, refusal: io::Error) -> io::Result<SocketAddr> {
        if address.is_ipv6() { Err(refusal) } else { Ok(address) }
    }

    #[test]
    fn falls_back_to_ipv4_where_ipv6_is_missing() {
        // 97 is EAFNOSUPPORT on Linux.
        for make in [|| io::Error::from_raw_os_error(97), || io::ErrorKind::AddrNotAvailable.into()] {
            let bound = open_or_fall_back("[::]:9".parse().unwrap(), |address| no_ipv6(address, make()));
            assert_eq!(bound.unwrap(), "0.0.0.0:9".parse().unwrap());
        }
    }

    #[test]
    fn a_taken_port_or_a_named_address_is_no_reason_to_fall_back() {
        let taken = || io::Error::from(io::ErrorKind::AddrInUse);
        assert!(open_or_fall_back("[::]:9".parse().unwrap(), |address| no_ipv6(address, taken())).is_err());
        let missing = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        assert!(
            open_or_fall_back("[::1]:9".parse().unwrap(), |address| no_ipv6(address, missing())).is_err()
        );
    }

    #[tokio::test]
    async fn the_wildcard_takes_ipv4_connections() {
        let listener = bind(ANY.parse().unwrap()).unwrap();
        let port = listener.local_addr().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_advice() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = bind(first.local_addr()).unwrap_err().to_string();
        assert!(error.contains(&first.local_addr().to_string()), "{error}");
        assert!(error.contains("another process has the port"), "{error}");
    }
}
