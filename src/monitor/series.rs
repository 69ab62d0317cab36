//! How many series a model may come to, so that `limits.series` holds at insertion.
//!
//! The counts are of what may be exposed, and not of what is: a confusion cell counts before its first
//! outcome. `check` computes the worst case of a configuration with the same functions.

use super::{Config, Monitor, Task};
use crate::limits::CELL_CLASSES_MAX;

/// `_bucket{le="+Inf"}`, `_sum` and `_count` of a histogram.
const HISTOGRAM_REST: usize = 3;
/// Pending, first and last seen, info, last label; unlabeled by reason; labels by result.
const STATE_SERIES: usize = 5 + 2 + 7;

/// Series of one version, with so many classes and statuses in use.
pub fn of_version(config: &Config, classes: usize, statuses: usize) -> usize {
    let buckets = &config.buckets;
    let windows = config.windows.len() + usize::from(config.window_all);
    let outcomes = match config.task {
        Task::Regression => buckets.error.len() + HISTOGRAM_REST + 3,
        Task::Binary { .. } => cells(classes) + 2 * (24 + HISTOGRAM_REST),
        Task::Multiclass { .. } => cells(classes) + 3 * classes,
    };
    statuses
        + 1
        + buckets.latency.len()
        + HISTOGRAM_REST
        + classes
        + buckets.score.len()
        + HISTOGRAM_REST
        + outcomes
        + buckets.delay.len()
        + HISTOGRAM_REST
        + STATE_SERIES
        + windows * of_window(config, classes)
}

/// Series of one value of one slice of one version.
pub fn of_slice(config: &Config, classes: usize) -> usize {
    let windows = config.windows.len() + usize::from(config.window_all);
    match config.task {
        Task::Regression => windows * 4,
        Task::Binary { .. } | Task::Multiclass { .. } => cells(classes) + windows * (4 + 3 * classes),
    }
}

/// Confusion cells, with the wrong ones within `__other__`; two folded ones where there are too many.
fn cells(classes: usize) -> usize {
    if classes > CELL_CLASSES_MAX { 2 } else { classes * classes + 1 }
}

fn of_window(config: &Config, classes: usize) -> usize {
    const SAMPLES_AND_COVERAGE: usize = 2;
    const CLASSIFIER: usize = 3 + 4 * 3 + 3;
    const PER_CLASS: usize = 3 + 3 + 1 + 1;
    const PROBABILITIES: usize = 3;
    const PER_RANKING: usize = 4;
    let scores = match &config.task {
        Task::Regression => return SAMPLES_AND_COVERAGE + 6,
        _ if !config.maps_score => 0,
        Task::Binary { .. } => PROBABILITIES + PER_RANKING,
        Task::Multiclass { top_k, .. } => PROBABILITIES + PER_RANKING * config.scored.len() + top_k.len(),
    };
    SAMPLES_AND_COVERAGE + CLASSIFIER + PER_CLASS * classes + scores
}

/// Series that the monitor may expose with what it has seen so far, in `versions` versions.
fn of_monitor(monitor: &Monitor, versions: usize, classes: usize, statuses: usize) -> usize {
    let slices: usize = monitor
        .versions()
        .flat_map(|version| &version.slices)
        .map(|values| values.iter().flatten().count())
        .sum();
    versions * of_version(&monitor.config, classes, statuses) + slices * of_slice(&monitor.config, classes)
}

/// The present size of every dimension: versions, classes, statuses.
fn dimensions(monitor: &Monitor) -> (usize, usize, usize) {
    (monitor.versions().count(), monitor.classes.vocabulary().len() - 1, monitor.statuses.len())
}

/// Whether one more version fits.
pub(super) fn room_for_version(monitor: &Monitor) -> bool {
    let (versions, classes, statuses) = dimensions(monitor);
    of_monitor(monitor, versions + 1, classes, statuses) <= monitor.config.limits.series
}

/// Whether one more class fits.
pub(super) fn room_for_class(monitor: &Monitor) -> bool {
    let (versions, classes, statuses) = dimensions(monitor);
    of_monitor(monitor, versions, classes + 1, statuses) <= monitor.config.limits.series
}

/// Whether one more status fits.
pub(super) fn room_for_status(monitor: &Monitor) -> bool {
    let (versions, classes, statuses) = dimensions(monitor);
    of_monitor(monitor, versions, classes, statuses + 1) <= monitor.config.limits.series
}

/// Whether one more value of a slice fits in one version.
pub(super) fn room_for_slice(monitor: &Monitor) -> bool {
    let (versions, classes, statuses) = dimensions(monitor);
    let slice = of_slice(&monitor.config, classes);
    of_monitor(monitor, versions, classes, statuses) + slice <= monitor.config.limits.series
}
