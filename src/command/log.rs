//! The exporter's own log: text on a terminal, JSON otherwise, always to stderr.

use crate::config::Problem;
use std::io::{self, IsTerminal};
use tracing::Level;
use tracing_subscriber::EnvFilter;

/// The level that a word on the command line names.
pub(super) fn read_level(written: &str) -> Result<Level, &'static str> {
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    let named = levels.into_iter().find(|level| written.eq_ignore_ascii_case(level.as_str()));
    named.ok_or("expected error, warn, info, debug or trace")
}

/// Logs what a configuration is warned of, each in one line.
pub(super) fn warn_of(warnings: &[Problem]) {
    for warning in warnings {
        tracing::warn!("{}", warning.to_string().replace("\n    ", "; "));
    }
}

/// Starts logging. `level` comes before `RUST_LOG`, which comes before `info`.
pub(super) fn start(level: Option<Level>) {
    let filter = match level {
        Some(level) => EnvFilter::new(level.as_str()),
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = if io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    if let Err(error) = started {
        unreachable!("logging is started once: {error}");
    }
}
