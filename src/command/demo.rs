//! `demo`: the sidecar on live traffic of its own making.

use super::serve::{self, Options};
use super::{Failure, Outcome, clock, print};
use crate::config::{self, Loaded};
use crate::demo::{QUERIES, Traffic, configuration};
use clap::Args;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The same every time, so that two people see the same demo.
const SEED: u64 = 1;
const STEP: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(super) struct DemoArguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "[::]:9897")]
    listen: SocketAddr,
}

pub(super) fn run(arguments: &DemoArguments) -> Outcome {
    let directory =
        tempfile::Builder::new().prefix("inference-exporter-demo-").tempdir().map_err(|error| {
            let what = "cannot make a directory for the demo's logs";
            Failure::Work(format!("{what}: {error}; TMPDIR names one that can be written to"))
        })?;
    let Loaded { mut plan, .. } = config::parse(&configuration(directory.path()), "demo", &|_| None)
        .map_err(|errors| Failure::Work(format!("the demo's own configuration is wrong\n{errors}")))?;
    plan.listen = arguments.listen;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = write_traffic(directory.path(), &stop);
    let logs = directory.path().to_path_buf();
    let served = serve::serve(Options {
        plan,
        config_file: None,
        web: None,
        enable_lifecycle: false,
        shutdown_delay: Duration::ZERO,
        announce: Box::new(move |address| announce(address, &logs)),
    });
    stop.store(true, Ordering::Relaxed);
    if writer.join().is_err() {
        return Err(Failure::Work("the demo's traffic ended with a broken invariant".to_owned()));
    }
    served
}

/// Writes the logs from a thread of its own, as a model's server would.
fn write_traffic(directory: &Path, stop: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let mut traffic = Traffic::new(SEED, directory);
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let mut failed = false;
        while !stop.load(Ordering::Relaxed) {
            match traffic.step(clock::now()) {
                Err(error) if !failed => {
                    tracing::error!(%error, "the demo's logs cannot be written");
                    failed = true;
                }
                Err(_) => {}
                Ok(()) => failed = false,
            }
            thread::sleep(STEP);
        }
    })
}

/// The address as a browser on this machine can open it: where all are listened on, that is `localhost`.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

fn announce(address: SocketAddr, logs: &Path) {
    let mut text = format!(
        "Three models are answering, and their labels come late.\n\n  \
         page      http://{host}/\n  metrics   http://{host}/metrics\n  logs      {logs}\n\n\
         After 2 minutes version 2 of tumour takes half of the traffic, and is worse; from 3 minutes on a\n\
         feature of progression drifts. Three queries to try in a Prometheus that scrapes this:\n",
        host = reachable(address),
        logs = logs.display(),
    );
    for (description, query) in QUERIES {
        text.push_str(&format!("\n  # {description}\n  {query}\n"));
    }
    text.push_str("\nCtrl-C ends it.\n");
    if print(text.as_bytes()).is_err() {
        tracing::info!(%address, "listening");
    }
}
