//! Accepting connections and speaking HTTP/1.1 over them until told to stop. Not what is answered.
//!
//! Invariant: every task it starts has ended when [`serve`] returns, and it returns within
//! [`Limits::drain_timeout`] of being told to stop, whatever clients do.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connections::{Connections, Phase, Slot};
use super::listen::Listener;
use super::paced::Paced;
use super::route::Router;
use super::watch::Security;
use super::web_config::WebConfig;
use super::{Limits, Service};

/// Rest after an error of accepting: out of file descriptors, it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// First byte of every TLS connection: the record type of a handshake (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// For those who speak plain HTTP to a TLS port.
const NOT_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nthis port speaks https only\n";

/// What every connection needs.
struct Shared {
    router: Router,
    security: Arc<Security>,
    connections: Arc<Connections>,
    limits: Limits,
    stopping: watch::Receiver<bool>,
}

/// Serves until `shutdown` completes, then lets requests in flight finish.
///
/// Needs a tokio runtime with time and I/O. `web` is followed for changes of its files.
pub async fn serve(
    listener: Listener,
    service: Arc<dyn Service>,
    web: Option<WebConfig>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(false);
    let security = Arc::new(Security::new(web));
    let connections = Connections::new(limits.connections_max);
    let router = Router::new(service, Arc::clone(&security), Arc::clone(&connections), &limits);
    let drain_timeout = limits.drain_timeout;
    let mut follower = JoinSet::new();
    follower.spawn(Arc::clone(&security).follow(limits.web_config_interval));
    let shared = Arc::new(Shared { router, security, connections, limits, stopping });
    let mut tasks = JoinSet::new();

    accept_until(&listener, &shared, &mut tasks, shutdown).await;

    // In this order, so that whoever sees the port closed sees its own connection closing too.
    stop.send_replace(true);
    drop(listener);
    let drained = tokio::time::timeout(drain_timeout, async {
        while let Some(ended) = tasks.join_next().await {
            report(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests in flight were cut off by the shutdown");
    }
    tasks.shutdown().await;
    follower.shutdown().await;
}

async fn accept_until(
    listener: &Listener,
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<()>,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut is_failing = false;
    loop {
        // An evicted connection has left the table before it has left memory: it is waited for.
        let is_full = tasks.len() >= shared.limits.connections_max.saturating_mul(2);
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => return,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                report(ended);
                continue;
            }
            accepted = listener.accept(), if !is_full => accepted,
        };
        match accepted {
            Ok(stream) => {
                is_failing = false;
                admit(stream, shared, tasks);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if !is_failing {
                    tracing::warn!(%error, "no connections can be accepted");
                }
                is_failing = true;
                tokio::select! {
                    () = &mut shutdown => return,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

fn admit(stream: TcpStream, shared: &Arc<Shared>, tasks: &mut JoinSet<()>) {
    let Some(slot) = shared.connections.admit() else {
        tracing::debug!("connection closed: all are being answered");
        return;
    };
    let shared = Arc::clone(shared);
    tasks.spawn(async move {
        let slot = Arc::new(slot);
        tokio::select! {
            biased;
            () = slot.evicted() => tracing::debug!("connection closed to make room"),
            () = converse(stream, &slot, &shared) => {}
        }
    });
}

/// Speaks TLS where it is configured, and HTTP over it.
async fn converse(stream: TcpStream, slot: &Arc<Slot>, shared: &Shared) {
    // Responses are written whole: nothing is won by holding back their last packet.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection lost");
        return;
    }
    match shared.security.acceptor() {
        None => speak(stream, slot, shared).await,
        Some(acceptor) => {
            if let Some(stream) = handshake(acceptor, stream, shared).await {
                speak(stream, slot, shared).await;
            }
        }
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    shared: &Shared,
) -> Option<TlsStream<TcpStream>> {
    let mut stopping = shared.stopping.clone();
    let shaken = async {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1..) if first[0] == TLS_HANDSHAKE => {
                let shaken = acceptor.accept(stream).await;
                shaken.inspect_err(|error| tracing::debug!(%error, "no TLS handshake")).ok()
            }
            Ok(1..) => {
                refuse_plain(&stream);
                None
            }
            _ => None,
        }
    };
    tokio::select! {
        shaken = tokio::time::timeout(shared.limits.handshake_timeout, shaken) => shaken.ok().flatten(),
        () = stopped(&mut stopping) => None,
    }
}

/// Tells a client that does not speak TLS so, in the language it probably speaks.
fn refuse_plain(stream: &TcpStream) {
    // A socket that was never written to has room for a line.
    if let Err(error) = stream.try_write(NOT_TLS) {
        tracing::debug!(%error, "connection lost");
    }
}

async fn speak<S>(stream: S, slot: &Arc<Slot>, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = TokioIo::new(Paced::new(stream, Arc::clone(slot), &shared.limits));
    let service = service_fn(async |request| {
        slot.enter(Phase::Handling);
        let mut response = shared.router.respond(request).await;
        if *shared.stopping.borrow() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        slot.enter(Phase::Writing);
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new()
        .max_buf_size(shared.limits.header_bytes_max)
        // Times are `Paced`'s: hyper's limit of the header would also end the wait for the next request.
        .header_read_timeout(None)
        // Bodies are written from where they are, not copied behind their headers.
        .writev(true)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let mut stopping = shared.stopping.clone();
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        () = stopped(&mut stopping) => {
            if slot.is_in(Phase::Waiting) {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection ended early");
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error would mean that `serve` is gone, which is as good a reason to stop.
    drop(stopping.wait_for(|is_stopping| *is_stopping).await);
}

/// Errors of a connection that was gone before it was accepted, as opposed to those of accepting.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection ended because of a bug");
    }
}
