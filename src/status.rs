//! What is known, as one document: `/api/v1/status`, the JSON report of `replay`, and what the page and the
//! text report are written from.
//!
//! Invariant: names, counts and values only; nothing of a record but what the metrics show too.

pub mod figure;
pub mod table;
pub mod tables;
pub mod target;
mod window;

pub use window::WindowStatus;

use crate::accumulator::histogram::Histogram;
use crate::event::mapping::Role;
use crate::gauge;
use crate::monitor::tally::{LabelResult, Unlabeled};
use crate::monitor::version::Version;
use crate::monitor::{Monitor, Task};
use crate::pipeline::{LogTally, State};
use crate::time::Timestamp;
use crate::verdict::{Ignore, Reject};
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything, as of the last `State::advance`.
#[derive(Serialize, Debug)]
pub struct Status {
    /// The exporter's version.
    pub exporter_version: &'static str,
    pub ready: bool,
    pub models: Vec<ModelStatus>,
    pub logs: Vec<LogStatus>,
}

#[derive(Serialize, Debug)]
pub struct ModelStatus {
    pub model: String,
    pub task: &'static str,
    /// Binary: the class that values without a class are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    pub targets: Vec<TargetStatus>,
    /// Labels whose version is not known, by result.
    pub labels: BTreeMap<&'static str, u64>,
    pub labels_waiting: u64,
    /// Values that a limit folded into `__other__`.
    pub folded: u64,
    pub versions: Vec<VersionStatus>,
}

#[derive(Serialize, Debug)]
pub struct TargetStatus {
    pub indicator: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub class: String,
    pub value: f64,
}

#[derive(Serialize, Debug)]
pub struct VersionStatus {
    pub version: String,
    /// Seconds since the epoch.
    pub first_seen: Option<f64>,
    pub last_seen: Option<f64>,
    pub requests: Vec<RequestCount>,
    /// `None` where no log of the model maps latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyStatus>,
    pub predictions: u64,
    /// By class; empty for regression.
    pub predictions_by_class: BTreeMap<String, u64>,
    /// Cells that hold outcomes; none above 16 classes.
    pub outcomes: Vec<OutcomeCount>,
    pub labels: BTreeMap<&'static str, u64>,
    pub last_label: Option<f64>,
    pub pending: u64,
    pub unlabeled: BTreeMap<&'static str, u64>,
    pub windows: Vec<WindowStatus>,
}

#[derive(Serialize, Debug)]
pub struct RequestCount {
    pub status: String,
    pub result: &'static str,
    pub count: u64,
}

/// How long requests took, since the version was first seen.
#[derive(Serialize, Debug)]
pub struct LatencyStatus {
    pub count: u64,
    /// Seconds.
    pub sum: f64,
    pub buckets: Vec<BucketStatus>,
}

/// Requests that took at most so long, those of the buckets before included.
#[derive(Serialize, Debug)]
pub struct BucketStatus {
    /// Seconds.
    pub at_most: f64,
    pub count: u64,
}

#[derive(Serialize, Debug)]
pub struct OutcomeCount {
    pub predicted: String,
    pub actual: String,
    pub correct: bool,
    pub count: u64,
}

#[derive(Serialize, Debug)]
pub struct LogStatus {
    pub log: String,
    pub lines: u64,
    pub records: u64,
    pub bytes: u64,
    /// By reason, those that occurred.
    pub rejected: BTreeMap<&'static str, u64>,
    pub ignored: BTreeMap<&'static str, u64>,
    /// Mapped fields that records lacked, and that could not be used, by field; those that occurred.
    pub missing_values: BTreeMap<&'static str, u64>,
    pub invalid_values: BTreeMap<&'static str, u64>,
    /// Bytes that are written and not read yet; `None` where files are not followed (replay).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<u64>,
    /// How long the log has not been read to its end, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
    /// Files by state.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<&'static str, u64>,
    /// Event time of the newest record, in seconds since the epoch.
    pub last_record: Option<f64>,
}

/// Samples at which the interval of a ratio of 0.9 is ±6 points; with fewer, nearly any target is within it.
const TELLING_SAMPLES: u64 = 100;

/// The `slice` of a window over everything.
const WHOLE: &str = "all";

// === impl Status ===

impl Status {
    pub fn new(state: &State) -> Self {
        Self {
            exporter_version: env!("CARGO_PKG_VERSION"),
            ready: state.looked_once,
            models: state.monitors().iter().map(ModelStatus::new).collect(),
            logs: state.logs.iter().map(LogStatus::new).collect(),
        }
    }
}

impl ModelStatus {
    fn new(monitor: &Monitor) -> Self {
        let config = monitor.config();
        let targets = config.targets.iter().map(|target| TargetStatus {
            indicator: target.indicator.clone(),
            class: target.class.clone(),
            value: target.value,
        });
        Self {
            model: monitor.name().to_owned(),
            task: config.task.name(),
            positive: match &config.task {
                Task::Binary { positive, .. } => Some(positive.clone()),
                Task::Multiclass { .. } | Task::Regression => None,
            },
            targets: targets.collect(),
            labels: occurred(LabelResult::ALL, LabelResult::name, monitor.labels()),
            labels_waiting: monitor.join().labels_waiting() as u64,
            folded: monitor.folded(),
            versions: monitor.versions().map(|version| VersionStatus::new(monitor, version)).collect(),
        }
    }
}

impl VersionStatus {
    fn new(monitor: &Monitor, version: &Version) -> Self {
        let windows = gauge::of_version(monitor, version);
        let by_class = monitor.classes().vocabulary().names().zip(&version.predictions);
        let classifies = !matches!(monitor.config().task, Task::Regression);
        Self {
            version: version.name.to_string(),
            first_seen: seconds(version.first_seen),
            last_seen: seconds(version.last_seen),
            requests: requests(monitor, version),
            latency: monitor.config().maps_latency.then(|| LatencyStatus::new(&version.latency.histogram)),
            predictions: version.predictions_total,
            predictions_by_class: by_class
                .filter(|&(_, &count)| classifies && count > 0)
                .map(|(name, &count)| (name.to_owned(), count))
                .collect(),
            outcomes: outcomes(monitor, version),
            labels: occurred(LabelResult::ALL, LabelResult::name, &version.labels),
            last_label: seconds(version.last_label),
            pending: version.pending,
            unlabeled: occurred(Unlabeled::ALL, Unlabeled::name, &version.unlabeled),
            windows: windows.iter().map(|values| WindowStatus::new(monitor, values)).collect(),
        }
    }

    /// The windows over everything, the shortest first and `all` last.
    pub fn whole(&self) -> impl Iterator<Item = &WindowStatus> {
        self.windows.iter().filter(|window| window.slice == WHOLE)
    }

    /// The window that says most of now: the shortest over everything with enough samples to tell, else the
    /// longest that has one.
    pub fn telling(&self) -> Option<&WindowStatus> {
        let enough = self.whole().find(|window| window.samples >= TELLING_SAMPLES);
        enough.or_else(|| self.whole().filter(|window| window.samples > 0).last())
    }

    /// Requests that did not fail, and that did.
    pub fn requests_by_result(&self) -> [u64; 2] {
        let count =
            |result| self.requests.iter().filter(|one| one.result == result).map(|one| one.count).sum();
        [count("ok"), count("failed")]
    }
}

impl LatencyStatus {
    fn new(histogram: &Histogram) -> Self {
        let mut count = 0;
        let mut buckets = Vec::new();
        for (&at_most, &within) in histogram.bounds().iter().zip(histogram.counts()) {
            count += within;
            buckets.push(BucketStatus { at_most, count });
        }
        Self { count: histogram.count(), sum: histogram.sum(), buckets }
    }

    /// The lowest bound, in seconds, that at least this share of the requests kept; `None` where there were
    /// none or the share is above all bounds.
    pub fn quantile_bound(&self, share: f64) -> Option<f64> {
        let wanted = share * self.count as f64;
        let bucket = self.buckets.iter().find(|bucket| bucket.count as f64 >= wanted);
        bucket.filter(|_| self.count > 0).map(|bucket| bucket.at_most)
    }
}

impl LogStatus {
    fn new(log: &LogTally) -> Self {
        Self {
            log: log.name.clone(),
            lines: log.lines,
            records: log.records,
            bytes: log.bytes,
            rejected: occurred(Reject::ALL, Reject::name, &log.rejected),
            ignored: occurred(Ignore::ALL, Ignore::name, &log.ignored),
            missing_values: occurred(Role::ALL, Role::name, &Role::ALL.map(|role| log.values.missing(role))),
            invalid_values: occurred(Role::ALL, Role::name, &Role::ALL.map(|role| log.values.invalid(role))),
            lag_bytes: log.is_followed.then_some(log.lag_bytes),
            lag_seconds: log.is_followed.then(|| log.lag.as_seconds()),
            files: log
                .files
                .files()
                .filter(|&(_, count)| count > 0)
                .map(|(state, count)| (state.name(), count))
                .collect(),
            last_record: seconds(log.last_record),
        }
    }
}

fn requests(monitor: &Monitor, version: &Version) -> Vec<RequestCount> {
    let mut requests = Vec::new();
    for (id, counts) in version.requests.iter().enumerate() {
        for (result, &count) in ["ok", "failed"].into_iter().zip(counts) {
            if count > 0 {
                let status = monitor.statuses().name(id as u16).to_owned();
                requests.push(RequestCount { status, result, count });
            }
        }
    }
    if version.requests_unnamed > 0 {
        let count = version.requests_unnamed;
        requests.push(RequestCount { status: String::new(), result: "ok", count });
    }
    requests
}

fn outcomes(monitor: &Monitor, version: &Version) -> Vec<OutcomeCount> {
    let Some(cells) = &version.cells else { return Vec::new() };
    let name = |id| monitor.classes().vocabulary().name(id).to_owned();
    cells
        .iter()
        .filter(|cell| cell.count > 0)
        .map(|cell| OutcomeCount {
            predicted: name(cell.predicted),
            actual: name(cell.actual),
            correct: cell.correct,
            count: cell.count,
        })
        .collect()
}

/// The counts that are not 0, by name.
fn occurred<T: Copy, const N: usize>(
    all: [T; N],
    name: impl Fn(T) -> &'static str,
    counts: &[u64; N],
) -> BTreeMap<&'static str, u64> {
    all.into_iter()
        .zip(counts)
        .filter(|&(_, &count)| count > 0)
        .map(|(one, &count)| (name(one), count))
        .collect()
}

/// Seconds since the epoch; `None` for the marks of no time at either end.
fn seconds(time: Timestamp) -> Option<f64> {
    (time != Timestamp::MIN && time != Timestamp::MAX).then(|| time.as_seconds())
}
