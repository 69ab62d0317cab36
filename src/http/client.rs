//! Asking a server of ours on this host one question, for probes. Not a client for anything else.
//!
//! Invariant: over TLS it talks to the one certificate that is in the server's own `cert_file`. No
//! authority is asked: who may write that file may answer anything already.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::web_config::{self, WebConfigError};

/// Bytes of an answer that are read; an answer to a probe is a line.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Asks servers that are started with one web configuration, or with none.
pub struct Client {
    tls: Option<Arc<ClientConfig>>,
}

/// What a server said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    /// The first line of the body.
    pub reason: String,
}

// === impl Client ===

impl Client {
    /// For a server that is started with this web configuration. Blocking.
    ///
    /// # Errors
    /// The server would not start with it either.
    pub fn new(web: Option<&Path>) -> Result<Self, WebConfigError> {
        Ok(Self { tls: web.map(web_config::load_client).transpose()?.flatten() })
    }

    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Asks for `path`; connecting, asking and each read may take `timeout`. Blocking.
    ///
    /// # Errors
    /// No connection, no answer in time, another certificate, or an answer that is not HTTP.
    pub fn get(&self, address: SocketAddr, path: &str, timeout: Duration) -> io::Result<Answer> {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let question = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let answer = match &self.tls {
            None => converse(stream, &question)?,
            Some(config) => {
                // The name is asked for and not compared: the certificate is known as a whole.
                let name = ServerName::from(address.ip());
                let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                converse(StreamOwned::new(connection, stream), &question)?
            }
        };
        Answer::parse(&answer)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
    }
}

fn converse(mut stream: impl Read + Write, question: &str) -> io::Result<Vec<u8>> {
    stream.write_all(question.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
        // A server may leave without saying goodbye, once it has said all.
        Err(_) if !answer.is_empty() => {}
        read => drop(read?),
    }
    Ok(answer)
}

// === impl Answer ===

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("HTTP/")?.split(' ').nth(1)?.trim().parse().ok()?;
        let printable = |c: &char| !c.is_control();
        let reason = body.lines().next().unwrap_or_default().chars().filter(printable).collect();
        Some(Self { status, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_the_first_line_of_its_body() {
        let answer = Answer::parse(b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nnot yet\nmore");
        assert_eq!(answer, Some(Answer { status: 503, reason: "not yet".to_owned() }));
        let bare = Answer::parse(b"HTTP/1.0 200 OK\r\n\r\n");
        assert_eq!(bare, Some(Answer { status: 200, reason: String::new() }));
        for other in [&b""[..], b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"\x15\x03\x03\0\x02\x02\x46"] {
            assert_eq!(Answer::parse(other), None);
        }
    }
}
