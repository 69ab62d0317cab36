//! `healthcheck`: asks a running exporter on this host whether it is ready, for images without a shell.

use super::{ConfigArguments, Failure, Outcome, load};
use crate::http::client::{Answer, Client};
use clap::Args;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// For connecting, for the question and for the answer: a probe is asked every few seconds.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Args)]
pub(super) struct HealthcheckArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The same as `run` has: with TLS in it, the certificate in its cert_file is the one that is accepted
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,
}

pub(super) fn run(arguments: &HealthcheckArguments) -> Outcome {
    let listen = load(&arguments.config.config)?.plan.listen;
    if listen.port() == 0 {
        let what = "`listen` has port 0, so which port was taken is not known; give it a port to be asked at";
        return Err(Failure::Usage(what.to_owned()));
    }
    let client = Client::new(arguments.web_config_file.as_deref())
        .map_err(|error| Failure::Usage(format!("wrong web configuration\n{error}")))?;
    let mut reasons = Vec::new();
    for address in loopback(listen) {
        match ask(&client, address) {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(format!("{address}: {reason}")),
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

fn ask(client: &Client, address: SocketAddr) -> Result<(), String> {
    match client.get(address, "/-/ready", TIMEOUT) {
        Ok(Answer { status: 200, .. }) => Ok(()),
        Ok(Answer { status: 400, reason }) if !client.speaks_tls() => {
            Err(format!("{reason}; give the --web.config.file that the exporter was started with"))
        }
        Ok(Answer { status: 404, .. }) => Err("something else answers there: it has no /-/ready".to_owned()),
        Ok(Answer { status, reason }) => Err(format!("status {status}: {reason}")),
        Err(error) => Err(match error.kind() {
            ErrorKind::ConnectionRefused => "nothing listens there; does the exporter run?".to_owned(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("no answer within {}", humantime::format_duration(TIMEOUT))
            }
            ErrorKind::InvalidData if client.speaks_tls() => {
                format!("{error}; was the exporter started with this --web.config.file?")
            }
            _ => error.to_string(),
        }),
    }
}
