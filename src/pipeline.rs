//! The hot path, whole.

use crate::{event, line, monitor, record, source};

/// All that turns bytes into metrics, and can be exchanged while running.
#[derive(Clone, Debug)]
pub struct Config {
    pub streams: Vec<StreamConfig>,
    /// The models that are named, in alphabetical order.
    pub models: Vec<monitor::Config>,
    /// `"*"`: what models found in logs are made of.
    pub found: Option<monitor::Config>,
}

/// One entry of `logs`.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    pub name: String,
    pub source: source::Config,
    pub line: line::Config,
    pub record: record::Config,
    pub event: event::Config,
}
