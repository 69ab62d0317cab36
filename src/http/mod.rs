//! The HTTP server: routes, limits, TLS and credentials.
//!
//! It knows nothing of models, logs or metrics: whatever a page says comes from a [`Service`]. It reads no
//! clock, and nothing here depends on what a client sends beyond method, path and a handful of headers.
//!
//! Invariant: what one client, or all of them together, can make the process hold is bounded by
//! [`Limits`]: connections, bytes of a header, responses in memory, renderings and password hashes at a time,
//! and the time of every wait.

pub mod client;
pub mod listen;
pub mod schema;
pub mod server;
pub mod web_config;

mod auth;
mod connections;
mod negotiate;
mod paced;
mod respond;
mod route;
mod tls;
mod watch;

use std::time::Duration;

/// What the pages say; implemented by whoever starts the server.
///
/// `healthy` and `ready` are called on the runtime's own threads and must not block. Everything else is
/// called on the blocking pool, at most [`Limits::renders_max`] calls at a time.
pub trait Service: Send + Sync + 'static {
    /// The exposition in one of the two formats, or why there is none yet (503).
    fn metrics(&self, format: Exposition) -> Result<Vec<u8>, Unavailable>;
    /// The body of `/api/v1/status`, JSON.
    fn status_json(&self) -> Vec<u8>;
    /// The page at `/`, HTML without external assets; inline styles are allowed, scripts are not.
    fn status_page(&self) -> String;
    /// Whether the process works; the reason goes to the client with a 503.
    fn healthy(&self) -> Result<(), String>;
    /// Whether the numbers can be trusted yet; the reason goes to the client with a 503.
    fn ready(&self) -> Result<(), String>;
    /// Reloads the configuration and waits for the result. Calls never overlap.
    fn reload(&self) -> Reload;
}

/// The two text formats a scrape can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exposition {
    /// Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics text format 1.0.0, with `# EOF` at its end.
    OpenMetrics,
}

/// Why `/metrics` has nothing to show yet.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// One sentence for the person who reads the 503.
    pub reason: String,
}

/// What became of a reload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reload {
    /// The new configuration is in force (200).
    Done,
    /// The old one goes on, for this reason (500).
    Refused(String),
    /// Reloading over HTTP is not enabled; the text says how to enable it (403).
    Disabled(String),
}

/// The bounds of the server. [`Limits::default`] is what the program runs with; tests shorten the times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections at a time. One more closes the connection that has waited longest for its client, or is
    /// closed itself when all of them are being answered.
    pub connections_max: usize,
    /// Bytes of a request's line and headers, at least 8192; more is answered with 431.
    pub header_bytes_max: usize,
    /// Bytes a request may announce as its body, which is never read; more is answered with 413.
    pub body_bytes_max: u64,
    /// From the first byte of a request (of a new connection: from its start) to the end of its headers.
    pub header_read_timeout: Duration,
    /// From the start of a connection to the end of its TLS handshake.
    pub handshake_timeout: Duration,
    /// How long a kept connection may wait for its next request. Longer than a usual scrape interval, so
    /// that a scraper does not pay for a handshake each time.
    pub idle_timeout: Duration,
    /// From the end of a request's headers to its response, waiting for a turn included. A scraper's
    /// `X-Prometheus-Scrape-Timeout-Seconds` may shorten it.
    pub request_timeout: Duration,
    /// From the first byte of a response to its last being taken by the client's side.
    pub response_write_timeout: Duration,
    /// How long requests in flight may take to finish after the server was told to stop.
    pub drain_timeout: Duration,
    /// Calls of the service at a time.
    pub renders_max: usize,
    /// Response bodies in memory at a time; they are held until their client has read them.
    pub responses_max: usize,
    /// How often the files of the web configuration are compared with those in force.
    pub web_config_interval: Duration,
}

// === impl Unavailable ===

impl Unavailable {
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 64,
            header_bytes_max: 16 << 10,
            body_bytes_max: 8 << 10,
            header_read_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(180),
            request_timeout: Duration::from_secs(30),
            response_write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(5),
            // Each may be the text of every series: these, and not connections, are what a flood of scrapes
            // costs. Two scrapers of a pair, and a person with the page; a slow client's makes room.
            renders_max: 2,
            responses_max: 4,
            web_config_interval: Duration::from_secs(5),
        }
    }
}
