//! The HTTP server over real sockets on loopback.
//!
//! harness     a server with pages of our choosing, and a client that hides nothing
//! pages       what each path answers, to which method, in which format
//! limits      slow, greedy and silent clients; shutdown
//! security    TLS, client certificates, credentials, files that change
//! web_config  which files are taken, with promtool as the second opinion

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy does not take a test's helpers for tests"
)]
#![allow(clippy::disallowed_methods, reason = "real time is what limits of time are tested with")]

#[path = "http/harness.rs"]
mod harness;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/pages.rs"]
mod pages;
#[path = "http/security.rs"]
mod security;
#[path = "http/web_config.rs"]
mod web_config;
