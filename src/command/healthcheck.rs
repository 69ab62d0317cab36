//! `healthcheck`: asks a running exporter on this host whether it is ready, for images without a shell.

use super::{ConfigArguments, Failure, Outcome, load};
use clap::Args;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For connecting, for the question and for the answer: a probe is asked every few seconds.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Args)]
pub(super) struct HealthcheckArguments {
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn run(arguments: &HealthcheckArguments) -> Outcome {
    let listen = load(&arguments.config.config)?.plan.listen;
    let failures = loopback(listen).into_iter().map(|address| match ask(address) {
        Ok(()) => Ok(()),
        Err(what) => Err(format!("{address}: {what}")),
    });
    let mut reasons = Vec::new();
    for answer in failures {
        match answer {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(Failure::Work(format!("not ready: {}", reasons.join("; "))))
}

/// Where this host reaches an address that may stand for all interfaces.
fn loopback(listen: SocketAddr) -> Vec<SocketAddr> {
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port());
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), listen.port());
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![v4],
        IpAddr::V6(ip) if ip.is_unspecified() => vec![v4, v6],
        _ => vec![listen],
    }
}

fn ask(address: SocketAddr) -> Result<(), String> {
    let mut stream =
        TcpStream::connect_timeout(&address, TIMEOUT).map_err(|error| format!("cannot connect: {error}"))?;
    let asked = stream
        .set_read_timeout(Some(TIMEOUT))
        .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)))
        .and_then(|()| stream.write_all(b"GET /-/ready HTTP/1.0\r\nHost: localhost\r\n\r\n"));
    asked.map_err(|error| format!("cannot ask: {error}"))?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).map_err(|error| format!("no answer: {error}"))?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split_ascii_whitespace().nth(1).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim();
    match status {
        "200" => Ok(()),
        "" => Err("no HTTP answer; does it speak TLS? then probe it over HTTPS".to_owned()),
        status => Err(format!("status {status}: {body}")),
    }
}
