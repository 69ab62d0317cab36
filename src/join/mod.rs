//! Prediction meets label.

use crate::time::Span;

/// How long and how much the join of one model may hold.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Config {
    /// How long a prediction waits for its label, and a label for its prediction.
    pub wait: Span,
    /// Waiting predictions, waiting labels and remembered ids together.
    pub max_pending: usize,
    pub labels: Labels,
    /// The share of ids that are joined, 0 < sample ≤ 1, chosen by a hash of the id that is the same in
    /// every process.
    pub sample: f64,
}

/// Whose labels arrive.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Labels {
    /// Labels of this exporter's own predictions: one that meets none within `wait` is an orphan.
    Own,
    /// Labels broadcast to all replicas: one that meets no prediction within `wait` is foreign.
    Shared { wait: Span },
}
