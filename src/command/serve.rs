//! The life of the sidecar: a thread that reads, a runtime that serves, signals, reload and shutdown.
//!
//! Invariant: a dead pipeline never leaves a live `/metrics`: when its thread ends before it was told to,
//! the process ends.

mod checkpoints;
mod exporter;
mod ingest;
mod reload;

use super::{Failure, Outcome, secret};
use crate::config::Plan;
use crate::http::listen::{self, Listener};
use crate::http::server;
use crate::http::web_config::WebConfig;
use crate::http::{Limits, Service};
use crate::limits;
use crate::pipeline::State;
use crate::pipeline::live::Live;
use checkpoints::{Checkpoints, Keeper};
use exporter::Exporter;
use reload::Reloader;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a sidecar is started with.
pub(super) struct Options {
    pub plan: Plan,
    /// Where the plan came from: read again on SIGHUP, POST and when it changes.
    pub config_file: Option<PathBuf>,
    pub web: Option<WebConfig>,
    pub enable_lifecycle: bool,
    pub shutdown_delay: Duration,
    /// Told of the address once it is listened on.
    pub announce: Box<dyn FnOnce(SocketAddr)>,
}

/// How often the configuration file is compared with the one that is in force.
const CONFIG_WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// The signals that a sidecar answers.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// Serves until a signal to end.
pub(super) fn serve(options: Options) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(limits::BLOCKING_THREADS_MAX)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(|error| Failure::Work(format!("cannot start the runtime: {error}")))?;
    let outcome = start(&runtime, options);
    // A reload that hangs in the file system must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn start(runtime: &Runtime, options: Options) -> Outcome {
    let Options { plan, config_file, web, enable_lifecycle, shutdown_delay, announce } = options;
    let entered = runtime.enter();
    // Before anything can be asked of this process: until then, a signal ends it, or is lost if it is the
    // first process of its container.
    let signals =
        Signals::new().map_err(|error| Failure::Work(format!("cannot listen for signals: {error}")))?;
    let listener = listen::bind(plan.listen).map_err(|error| Failure::Work(error.to_string()))?;
    drop(entered);
    let state = Arc::new(Mutex::new(State::new(&plan.pipeline, secret()?)));
    let live = Live::new(plan.pipeline.clone(), Arc::clone(&state));
    let mut live = live.map_err(|error| Failure::Usage(format!("a path is no glob: {error}")))?;
    let keeper = match &plan.state_dir {
        Some(directory) => Some(Arc::new(keep(directory, &mut live)?)),
        None => None,
    };
    let checkpoints = keeper.clone().map(|keeper| Checkpoints::start(keeper, plan.checkpoint_interval));
    let (ingest, control) = checkpoints
        .transpose()
        .and_then(|checkpoints| ingest::start(live, checkpoints))
        .map_err(|error| Failure::Work(format!("cannot start the thread that reads the logs: {error}")))?;
    let reloader = config_file.map(|file| Arc::new(Reloader::new(file, &plan, control.clone())));
    let exporter = Exporter::new(state, keeper, reloader.clone(), enable_lifecycle)
        .map_err(|error| Failure::Work(format!("cannot register the exporter's own metrics: {error}")))?;
    announce(listener.local_addr());
    let exporter = Arc::new(exporter);
    runtime.block_on(run(listener, exporter, web, reloader, signals, &control, shutdown_delay))?;
    ingest.join().map_err(|_| broken("the thread that reads the logs"))
}

/// Opens the directory of the state and lets the pipeline go on from there.
fn keep(directory: &Path, live: &mut Live) -> Result<Keeper, Failure> {
    let keeper = Keeper::open(directory)?;
    keeper.resume(live);
    Ok(keeper)
}

async fn run(
    listener: Listener,
    exporter: Arc<Exporter>,
    web: Option<WebConfig>,
    reloader: Option<Arc<Reloader>>,
    signals: Signals,
    control: &ingest::Control,
    shutdown_delay: Duration,
) -> Outcome {
    let Signals { mut terminate, mut interrupt, hangup } = signals;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let service: Arc<dyn Service> = exporter.clone();
    let mut http = tokio::spawn(server::serve(listener, service, web, http_limits(), async {
        // The other end is dropped only when this function returns, which stops the server too.
        stopped.await.ok();
    }));
    let reloads = tokio::spawn(reload::follow(reloader, exporter, hangup, CONFIG_WATCH_INTERVAL));
    let broke = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        () = control.ended() => Some(broken("the thread that reads the logs")),
        _ = &mut http => Some(broken("the server")),
    };
    reloads.abort();
    if let Some(failure) = broke {
        return Err(failure);
    }
    tracing::info!("reading what is already written, then ending");
    control.stop().await;
    // Whoever asks twice does not wait for a last scrape.
    tokio::select! {
        () = tokio::time::sleep(shutdown_delay) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(stop);
    http.await.map_err(|_| broken("the server"))
}

/// The bounds that `check` reckons with.
fn http_limits() -> Limits {
    Limits {
        connections_max: limits::CONNECTIONS_MAX,
        header_bytes_max: limits::HEADER_BYTES_MAX,
        renders_max: limits::RENDERS_MAX,
        responses_max: limits::RESPONSES_MAX,
        ..Limits::default()
    }
}

fn broken(what: &str) -> Failure {
    Failure::Work(format!("{what} stopped because of a bug in this program; see the log"))
}

// === impl Signals ===

impl Signals {
    /// From now on the signals wait to be received. Needs a runtime.
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}
