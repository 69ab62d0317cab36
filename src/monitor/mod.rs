//! One model under watch: everything that is known of it.
//!
//! `Monitor::observe` is where an event meets what is already known: it counts the request and the
//! prediction at once, and the outcome when prediction and label have met. Nothing here knows of logs,
//! files or metric names.

pub mod binding;
pub mod bound;
mod carry;
pub mod classes;
mod observe;
mod outcome;
pub mod quality;
mod saved;
pub mod series;
pub mod tally;
pub mod version;
pub mod vocabulary;

pub use binding::Binding;

use crate::accumulator::cells::Cells;
use crate::accumulator::scores::ScoreTerms;
use crate::join::{self, Join, Settled, UNTIMED};
use crate::limits::CELL_CLASSES_MAX;
use crate::time::{Span, Timestamp};
use classes::Classes;
use quality::Quality;
use std::sync::Arc;
use tally::{LabelResult, Unlabeled};
use version::Version;
use vocabulary::Vocabulary;

/// What is computed for one model.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// The name in the configuration; `*` for the pattern of models that are found in logs.
    pub name: String,
    pub task: Task,
    /// A `status` that matches as a whole is a failure.
    #[serde(with = "saved::pattern")]
    pub failed: regex::Regex,
    /// Window lengths, ascending.
    pub windows: Vec<Span>,
    /// Whether the window `all` (since the start) is kept too.
    pub window_all: bool,
    /// Names of the slices to keep, out of those that the logs map.
    pub slices: Vec<String>,
    /// Multiclass: the classes that have a score of their own, in the order of the scores. In binary and
    /// regression empty.
    pub scored: Vec<String>,
    /// Whether any log of this model maps a score.
    pub maps_score: bool,
    /// Whether any log of this model maps latency.
    pub maps_latency: bool,
    /// Whether any log of this model maps a version. Where none does, the model has one version, named by
    /// the empty text, from the start: so its counters are at 0 before the first event.
    pub maps_version: bool,
    /// Whether any log of this model maps a label, so that predictions wait for one.
    pub expects_labels: bool,
    pub join: join::Config,
    pub targets: Vec<Target>,
    pub buckets: Buckets,
    pub expire_after: Span,
    pub limits: Limits,
}

#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Task {
    Binary { positive: String, negative: String, threshold: f64 },
    Multiclass { classes: Vec<String>, top_k: Vec<u32> },
    Regression,
}

/// One value of `targets`, exported as `inference_slo_target`; never judged by the exporter itself.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// The key as written: `accuracy`, `recall`, `latency_p99`.
    pub indicator: String,
    /// Empty where the target holds for the model as a whole.
    pub class: String,
    /// Ratios as 0..1, times in seconds.
    pub value: f64,
}

/// Upper bounds of the histograms, ascending, without +Inf. Each latency target is among `latency`.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Buckets {
    pub latency: Vec<f64>,
    pub error: Vec<f64>,
    pub score: Vec<f64>,
    pub delay: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Series of this model over all its versions and slices.
    pub series: usize,
    /// Distinct values of one label: classes, statuses, values of one slice.
    pub values: usize,
    /// Bytes of a label value.
    pub value_length: usize,
    pub versions: usize,
}

// === impl Task ===

impl Task {
    /// The value of the `task` label.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Binary { .. } => "binary",
            Self::Multiclass { .. } => "multiclass",
            Self::Regression => "regression",
        }
    }
}

/// What follows from the configuration and the classes seen so far: how large new states must be.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Classes in use, `__other__` included.
    pub classes: usize,
    pub latency_bounds: Arc<[f64]>,
    pub score_bounds: Arc<[f64]>,
    pub outcome_score_bounds: Arc<[f64]>,
    pub error_bounds: Arc<[f64]>,
    pub delay_bounds: Arc<[f64]>,
    /// The numbers of top classes for top-k accuracy.
    pub top_k: Arc<[u32]>,
}

/// When something is taken in.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The event's time; `UNTIMED` where it has none.
    pub at: Timestamp,
    /// How far the logs have been read: what has waited longer than it may before here, is over.
    pub clock: Timestamp,
}

/// Everything that is known of one model. What is skipped is in the checkpoint by itself, or follows from
/// the rest: see `saved`.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Monitor {
    config: Config,
    name: Box<str>,
    #[serde(skip)]
    shape: Shape,
    classes: Classes,
    statuses: Vocabulary,
    /// By status id; not valid for `__other__`.
    #[serde(skip)]
    failed: Vec<bool>,
    /// By slice of the configuration.
    slices: Vec<Vocabulary>,
    /// By version id; a version that has left is an empty place, which is not used again: ids that are
    /// done may still name it. Id 0 is `__other__`.
    versions: Vec<Option<Box<Version>>>,
    versions_folded: u64,
    /// Slice values folded for want of series, and all that vocabularies had folded that are gone.
    slices_folded: u64,
    /// The version that was found last: records of one version come in runs.
    #[serde(skip)]
    version_last: u16,
    #[serde(skip, default = "saved::empty_join")]
    join: Join,
    secret: join::Secret,
    /// Results of labels whose version is not known.
    labels: [u64; LabelResult::ALL.len()],
    /// Classes of `config.scored` as ids, and by class id the place of its score.
    #[serde(skip)]
    scored: Vec<u16>,
    #[serde(skip)]
    score_places: Vec<Option<u16>>,
    /// Reused for the slices of one event.
    #[serde(skip)]
    slice_ids: Vec<u16>,
    /// Reused for scores in the model's order.
    #[serde(skip)]
    scores: Vec<f64>,
    /// Reused for what one outcome adds to the tallies of scores.
    #[serde(skip)]
    terms: ScoreTerms,
    /// Whether the last attempt to add a series found the limit reached.
    series_full: bool,
}

// === impl Monitor ===

impl Monitor {
    pub fn new(config: Config, name: &str, secret: join::Secret) -> Self {
        let mut classes = Classes::new(&config.task, &config.limits);
        let (scored, score_places) = classes.places_of(&config.scored);
        let limits = config.limits;
        let vocabulary = || Vocabulary::new(&[], limits.values, limits.value_length);
        let shape = Shape::new(&config, classes.vocabulary().len());
        let unnamed = (!config.maps_version).then(|| Box::new(Version::new("", UNTIMED, &config, &shape)));
        Self {
            name: name.into(),
            shape,
            classes,
            statuses: vocabulary(),
            failed: vec![false],
            slices: config.slices.iter().map(|_| vocabulary()).collect(),
            versions: if unnamed.is_some() { vec![None, unnamed] } else { vec![None] },
            versions_folded: 0,
            slices_folded: 0,
            version_last: 0,
            join: Join::new(config.join, config.slices.len(), scored.len()),
            secret,
            labels: [0; LabelResult::ALL.len()],
            scored,
            score_places,
            slice_ids: Vec::new(),
            scores: Vec::new(),
            terms: ScoreTerms::default(),
            series_full: false,
            config,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    pub fn statuses(&self) -> &Vocabulary {
        &self.statuses
    }

    /// The values of each slice of the configuration.
    pub fn slices(&self) -> &[Vocabulary] {
        &self.slices
    }

    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter_map(|version| version.as_deref())
    }

    /// Classes that have a score of their own, as ids, in the order of the scores.
    pub fn scored(&self) -> &[u16] {
        &self.scored
    }

    pub fn join(&self) -> &Join {
        &self.join
    }

    /// Results of labels whose version is not known.
    pub fn labels(&self) -> &[u64; LabelResult::ALL.len()] {
        &self.labels
    }

    /// The state of a window in which nothing happened, of a version (`whole`) or of a slice.
    pub fn empty_quality(&self, whole: bool) -> Quality {
        Quality::new(&self.config, &self.shape, whole)
    }

    /// Values that a limit folded into `__other__`.
    pub fn folded(&self) -> u64 {
        self.versions_folded
            + self.slices_folded
            + self.classes.vocabulary().folded()
            + self.statuses.folded()
            + self.slices.iter().map(Vocabulary::folded).sum::<u64>()
    }

    /// Moves every window on to `now`. Cheap where nothing has happened.
    pub fn advance(&mut self, now: Timestamp) {
        for version in self.versions.iter_mut().flatten() {
            version.advance(now);
        }
    }

    /// Lets go of what has waited longer than it may by `clock`, and of versions not seen for long; not of the
    /// one that is there from the start, as its counters would begin anew, and with a first event.
    pub fn expire(&mut self, clock: Timestamp) {
        let Self { join, versions, labels, config, .. } = self;
        join.expire(clock, &mut |settled| settle(settled, versions, labels, &config.join, clock));
        for version in versions.iter_mut() {
            let over = version.as_ref().is_some_and(|seen| {
                let stays = !config.maps_version && seen.name.is_empty();
                !stays && seen.pending == 0 && clock.since(seen.last_seen) > config.expire_after
            });
            if over {
                *version = None;
                self.series_full = false;
            }
        }
    }

    /// The end of a replay: labels that still wait will meet nothing.
    pub fn end(&mut self) {
        let Self { join, versions, labels, config, .. } = self;
        join.end_labels(&mut |settled| settle(settled, versions, labels, &config.join, UNTIMED));
    }
}

/// Counts something that left the join without its counterpart.
fn settle(
    settled: Settled,
    versions: &mut [Option<Box<Version>>],
    labels: &mut [u64; LabelResult::ALL.len()],
    config: &join::Config,
    clock: Timestamp,
) {
    let (version, reason, at) = match settled {
        Settled::PredictionExpired { version, at } => (version, Unlabeled::Expired, at),
        Settled::PredictionEvicted { version } => (version, Unlabeled::Evicted, clock),
        Settled::LabelUnmatched => {
            let result = match config.labels {
                join::Labels::Own => LabelResult::Orphan,
                join::Labels::Shared { .. } => LabelResult::Foreign,
            };
            labels[result as usize] += 1;
            return;
        }
    };
    // A version leaves only once nothing of it is pending.
    if let Some(version) = &mut versions[usize::from(version)] {
        version.pending -= 1;
        version.count_unlabeled(reason, at);
    }
}

// === impl Shape ===

impl Shape {
    fn new(config: &Config, classes: usize) -> Self {
        let top_k = match &config.task {
            Task::Multiclass { top_k, .. } => top_k.as_slice(),
            Task::Binary { .. } | Task::Regression => &[],
        };
        Self {
            top_k: top_k.into(),
            classes,
            latency_bounds: config.buckets.latency.as_slice().into(),
            score_bounds: config.buckets.score.as_slice().into(),
            outcome_score_bounds: outcome_score_bounds().into(),
            error_bounds: config.buckets.error.as_slice().into(),
            delay_bounds: config.buckets.delay.as_slice().into(),
        }
    }

    /// Confusion cells, unless there are more classes than they are shown for.
    fn cells(&self) -> Option<Cells> {
        (self.classes <= CELL_CLASSES_MAX + 1).then(|| Cells::new(self.classes))
    }
}

/// 24 bounds equispaced in logit over ±8: fine where scores crowd, at both ends.
pub fn outcome_score_bounds() -> [f64; 24] {
    std::array::from_fn(|index| {
        let logit = -8.0 + 16.0 * index as f64 / 23.0;
        1.0 / (1.0 + (-logit).exp())
    })
}
