//! How many series a model may come to, so that `limits.series` holds at insertion.
//!
//! The counts are of what may be exposed, and not of what is: a confusion cell counts before its first
//! outcome, and `__other__` before its first value, so that there is always room to fold. The one exception is
//! the version `__other__`, which may come on top: reserving it would halve what a model of one version has.

use super::tally::{LabelResult, Unlabeled};
use super::vocabulary::FOLDED;
use super::{Config, Monitor, Task};
use crate::limits::CELL_CLASSES_MAX;

/// `_bucket{le="+Inf"}`, `_sum` and `_count` of a histogram.
const HISTOGRAM_REST: usize = 3;
/// Bounds of the histograms of scores by outcome, as `outcome_score_bounds` has them.
const OUTCOME_SCORE_BOUNDS: usize = 24;
/// Pending, first and last seen, info, last label; unlabeled by reason; labels joined, duplicate, late, invalid.
const STATE_SERIES: usize = 5 + Unlabeled::ALL.len() + 4;
/// Requests of the status `__other__`, ok and failed, and those without a status.
const STATUS_REST: usize = 3;

/// Series of a model beside those of its versions: labels of unknown version, labels that wait, targets.
pub fn of_model(config: &Config) -> usize {
    LabelResult::ALL.len() + 1 + config.targets.len()
}

/// Series of one version, with so many classes and statuses in use beside `__other__`, and with the slices
/// into which values are folded.
pub fn of_version(config: &Config, classes: usize, statuses: usize) -> usize {
    let buckets = &config.buckets;
    let shown = with_other(config, classes);
    let outcomes = match config.task {
        // One series of predictions; squared errors, errors over and under.
        Task::Regression => 1 + buckets.error.len() + HISTOGRAM_REST + 3,
        Task::Binary { .. } => shown + cells(config, classes) + 2 * (OUTCOME_SCORE_BOUNDS + HISTOGRAM_REST),
        Task::Multiclass { .. } => shown + cells(config, classes) + class_outcomes(classes),
    };
    statuses
        + STATUS_REST
        + buckets.latency.len()
        + HISTOGRAM_REST
        + buckets.score.len()
        + HISTOGRAM_REST
        + outcomes
        + buckets.delay.len()
        + HISTOGRAM_REST
        + STATE_SERIES
        + windows(config) * of_window(config, shown)
        + config.slices.len() * of_slice(config, classes)
}

/// Series of one value of one slice of one version.
pub fn of_slice(config: &Config, classes: usize) -> usize {
    match config.task {
        Task::Regression => windows(config) * 4,
        Task::Binary { .. } | Task::Multiclass { .. } => {
            cells(config, classes) + windows(config) * (4 + 3 * with_other(config, classes))
        }
    }
}

fn windows(config: &Config) -> usize {
    config.windows.len() + usize::from(config.window_all)
}

/// Classes that may be shown: in binary no value is folded.
fn with_other(config: &Config, classes: usize) -> usize {
    classes + usize::from(matches!(config.task, Task::Multiclass { .. }))
}

/// Confusion cells; two folded ones where there are too many. Within `__other__` some are right, some wrong.
pub fn cells(config: &Config, classes: usize) -> usize {
    let shown = with_other(config, classes);
    if classes > CELL_CLASSES_MAX { 2 } else { shown * shown + (shown - classes) }
}

/// tp, fp and fn by class, in place of the cells.
fn class_outcomes(classes: usize) -> usize {
    if classes > CELL_CLASSES_MAX { 3 * (classes + 1) } else { 0 }
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
        .map(|values| values.iter().skip(usize::from(FOLDED) + 1).flatten().count())
        .sum();
    of_model(&monitor.config)
        + versions * of_version(&monitor.config, classes, statuses)
        + slices * of_slice(&monitor.config, classes)
}

/// The present size of every dimension: versions, classes, statuses.
fn dimensions(monitor: &Monitor) -> (usize, usize, usize) {
    (monitor.versions().count(), monitor.classes.vocabulary().len() - 1, monitor.statuses.len())
}

/// Whether one more version fits. The first always does: what is declared has been checked, and a model of one
/// version must not be called `__other__`.
pub(super) fn room_for_version(monitor: &Monitor) -> bool {
    let (versions, classes, statuses) = dimensions(monitor);
    if versions == 0 {
        return true;
    }
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
