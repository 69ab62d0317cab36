//! What was written becomes what will run.

use crate::pipeline;
use crate::time::Span;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A validated configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    pub listen: SocketAddr,
    pub state_dir: Option<PathBuf>,
    pub checkpoint_interval: Span,
    pub pipeline: pipeline::Config,
}
