//! Prediction meets label: a bounded table of predictions that wait for their label, labels that wait for
//! their prediction, halves of requests, and ids that are done.
//!
//! Time comes in with the events and with `expire`; nothing here reads a clock. Invariants: every
//! prediction that is put in leaves exactly once, joined, expired or evicted, or is still waiting; the
//! table never holds more than `max_pending` entries; whether a label is late depends on the two times
//! alone and not on the order of reading.

mod entry;
pub mod key;
mod offer;
mod queue;
pub mod saved;
mod table;

pub use key::{Key, Secret};
pub use offer::{Half, Label, Offer, Prediction, Settled, Waiting};
pub use table::Join;

use crate::time::{Span, Timestamp};

/// The time of an event that has none, in `replay`: it never expires and observes no delay.
pub const UNTIMED: Timestamp = Timestamp::MAX;

/// How long and how much the join of one model may hold.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
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
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Labels {
    /// Labels of this exporter's own predictions: one that meets none within `wait` is an orphan.
    Own,
    /// Labels broadcast to all replicas: one that meets no prediction within `wait` is foreign.
    Shared { wait: Span },
}
