//! All that is known of one version of a model: counters since it was first seen, and its windows.

use super::classes::Class;
use super::quality::{Coverage, Outcome, Quality};
use super::tally::{LabelResult, Unlabeled};
use super::{Config, Shape};
use crate::accumulator::cells::Cells;
use crate::accumulator::classes::ClassTally;
use crate::accumulator::errors::Residual;
use crate::accumulator::histogram::Histogram;
use crate::accumulator::sum::Sum;
use crate::accumulator::{Accumulator, ClassOutcome};
use crate::join::UNTIMED;
use crate::limits::{CELL_CLASSES_MAX, TRACE_ID_BYTES_MAX};
use crate::time::Timestamp;
use crate::window::Windows;

/// The request duration histogram with the last trace seen in each bucket.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Latency {
    pub histogram: Histogram,
    pub exemplars: Vec<Option<Exemplar>>,
}

/// A request that fell into a bucket.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Exemplar {
    pub trace_id: String,
    /// Seconds.
    pub value: f64,
    /// `UNTIMED` where the request has none.
    pub time: Timestamp,
}

/// The outcomes of one slice value.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Slice {
    pub cells: Option<Cells>,
    /// Outcomes that were wrong, and right.
    pub correct: [u64; 2],
    pub windows: Windows<Quality>,
}

/// One version.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Version {
    pub name: Box<str>,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Requests by status id, those that did not fail and those that did.
    pub requests: Vec<[u64; 2]>,
    /// Requests whose record has no status.
    pub requests_unnamed: u64,
    pub latency: Latency,
    /// Predictions by class id.
    pub predictions: Vec<u64>,
    pub predictions_total: u64,
    pub score: Histogram,
    /// Outcomes by predicted and actual class; dropped once there are more classes than cells are shown for.
    pub cells: Option<Cells>,
    /// The same as tp, predicted and actual by class, for many classes.
    pub class_tally: ClassTally,
    /// Scores of outcomes by whether the actual class is the positive one (binary only).
    pub outcome_score: [Histogram; 2],
    pub absolute_error: Histogram,
    pub squared_error: Sum,
    /// Sums of |error| where the prediction was over and under the label.
    pub error_sums: [Sum; 2],
    pub labels: [u64; LabelResult::ALL.len()],
    pub label_delay: Histogram,
    /// `Timestamp::MIN` before the first.
    pub last_label: Timestamp,
    pub pending: u64,
    pub unlabeled: [u64; Unlabeled::ALL.len()],
    pub quality: Windows<Quality>,
    pub coverage: Windows<Coverage>,
    /// By slice of the configuration, then by value id.
    pub slices: Vec<Vec<Option<Box<Slice>>>>,
}

// === impl Latency ===

impl Latency {
    fn observe(&mut self, seconds: f64, trace_id: Option<&str>, at: Timestamp) {
        let bucket = self.histogram.observe(seconds);
        let Some(trace_id) = trace_id.filter(|id| id.len() <= TRACE_ID_BYTES_MAX) else { return };
        let exemplar = self.exemplars[bucket].get_or_insert_default();
        exemplar.trace_id.clear();
        exemplar.trace_id.push_str(trace_id);
        (exemplar.value, exemplar.time) = (seconds, at);
    }
}

// === impl Version ===

impl Version {
    pub fn new(name: &str, at: Timestamp, config: &Config, shape: &Shape) -> Self {
        Self {
            name: name.into(),
            first_seen: at,
            last_seen: at,
            requests: Vec::new(),
            requests_unnamed: 0,
            latency: Latency {
                exemplars: vec![None; shape.latency_bounds.len() + 1],
                histogram: Histogram::new(shape.latency_bounds.clone()),
            },
            predictions: vec![0; shape.classes],
            predictions_total: 0,
            score: Histogram::new(shape.score_bounds.clone()),
            cells: shape.cells(),
            class_tally: ClassTally::new(shape.classes),
            outcome_score: std::array::from_fn(|_| Histogram::new(shape.outcome_score_bounds.clone())),
            absolute_error: Histogram::new(shape.error_bounds.clone()),
            squared_error: Sum::default(),
            error_sums: [Sum::default(); 2],
            labels: [0; LabelResult::ALL.len()],
            label_delay: Histogram::new(shape.delay_bounds.clone()),
            last_label: Timestamp::MIN,
            pending: 0,
            unlabeled: [0; Unlabeled::ALL.len()],
            quality: windows(config, &Quality::new(config, shape, true)),
            coverage: windows(config, &Coverage::default()),
            slices: vec![Vec::new(); config.slices.len()],
        }
    }

    /// Whether nothing was ever counted in it.
    pub fn is_untouched(&self) -> bool {
        let requests: u64 = self.requests.iter().flatten().sum();
        let labels: u64 = self.labels.iter().sum();
        requests + self.requests_unnamed + self.predictions_total + labels + self.pending == 0
    }

    /// Moves every window on to `now`.
    pub fn advance(&mut self, now: Timestamp) {
        self.quality.advance(now);
        self.coverage.advance(now);
        for slice in self.slices.iter_mut().flatten().flatten() {
            slice.windows.advance(now);
        }
    }

    pub fn see(&mut self, at: Timestamp) {
        if at != UNTIMED {
            self.first_seen = self.first_seen.min(at);
            self.last_seen = if self.last_seen == UNTIMED { at } else { self.last_seen.max(at) };
        }
    }

    pub fn count_request(&mut self, status: u16, failed: bool) {
        let status = usize::from(status);
        if self.requests.len() <= status {
            self.requests.resize(status + 1, [0; 2]);
        }
        self.requests[status][usize::from(failed)] += 1;
    }

    pub fn observe_latency(&mut self, seconds: f64, trace_id: Option<&str>, at: Timestamp) {
        self.latency.observe(seconds, trace_id, at);
    }

    pub fn count_prediction(&mut self, class: Class, score: Option<f64>) {
        self.predictions_total += 1;
        let class = usize::from(class.id);
        if self.predictions.len() <= class {
            self.predictions.resize(class + 1, 0);
        }
        self.predictions[class] += 1;
        if let Some(score) = score {
            self.score.observe(score);
        }
    }

    pub fn count_label(&mut self, result: LabelResult) {
        self.labels[result as usize] += 1;
    }

    /// Counts a prediction that will have no label.
    pub fn count_unlabeled(&mut self, reason: Unlabeled, at: Timestamp) {
        self.unlabeled[reason as usize] += 1;
        update(&mut self.coverage, at, |coverage| coverage.update(false));
    }

    /// Counts a labelled prediction in everything but the slices.
    pub fn count_outcome(&mut self, outcome: Outcome<'_>, at: Timestamp, delay: Option<f64>) {
        self.count_label(LabelResult::Joined);
        if let Some(delay) = delay {
            self.label_delay.observe(delay);
        }
        match outcome {
            Outcome::Class { outcome, .. } => {
                count_cell(&mut self.cells, outcome);
                self.class_tally.update(outcome);
                if let Some(score) = outcome.score {
                    self.outcome_score[usize::from(outcome.positive)].observe(score);
                }
            }
            Outcome::Number(Residual { prediction, label }) => {
                let error = prediction - label;
                self.absolute_error.observe(error.abs());
                self.squared_error.add_product(error, error);
                if error != 0.0 {
                    self.error_sums[usize::from(error < 0.0)].add(error.abs());
                }
            }
        }
        update(&mut self.quality, at, |quality| quality.update(outcome));
        update(&mut self.coverage, at, |coverage| coverage.update(true));
    }
}

impl Slice {
    pub fn new(config: &Config, shape: &Shape) -> Self {
        Self {
            cells: shape.cells(),
            correct: [0; 2],
            windows: windows(config, &Quality::new(config, shape, false)),
        }
    }

    pub fn count_outcome(&mut self, outcome: Outcome<'_>, at: Timestamp) {
        if let Outcome::Class { outcome, .. } = outcome {
            count_cell(&mut self.cells, outcome);
            self.correct[usize::from(outcome.correct)] += 1;
        }
        update(&mut self.windows, at, |quality| quality.update(outcome));
    }
}

fn count_cell(cells: &mut Option<Cells>, outcome: ClassOutcome<'_>) {
    if usize::from(outcome.predicted.max(outcome.actual)) > CELL_CLASSES_MAX {
        *cells = None;
    }
    if let Some(cells) = cells {
        cells.update(outcome);
    }
}

fn windows<A: Accumulator>(config: &Config, empty: &A) -> Windows<A> {
    Windows::new(&config.windows, config.window_all, empty)
}

/// Takes an observation at a time that is never ahead of the clock; one without a time is for `all` only.
fn update<A: Accumulator>(windows: &mut Windows<A>, at: Timestamp, fold: impl Fn(&mut A)) {
    if at == UNTIMED {
        return windows.update_at(None, fold);
    }
    windows.advance(at);
    windows.update_at(Some(at), fold);
}
