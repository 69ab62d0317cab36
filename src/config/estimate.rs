//! How many series and how many bytes a plan can come to.
//!
//! Series are counted where their limit is enforced, in `monitor::series`. Bytes are an upper bound from
//! the sizes of states; they are for the memory request of a pod, so they round up. Nothing here is
//! enforced: the limits are enforced where values are inserted.

use crate::accumulator::classes::ClassCounts;
use crate::accumulator::errors::Errors;
use crate::accumulator::scores::CalibrationBin;
use crate::event::Fields;
use crate::limits::{BATCH_BYTES_MAX, CALIBRATION_BINS, SCORE_BINS, WINDOW_SLOTS};
use crate::monitor::{Config, Task, series};
use crate::pipeline;

/// One waiting prediction, waiting label or remembered id, without scores by class.
const PENDING_BYTES: usize = 64;
/// One score that waits with its prediction.
const PENDING_SCORE_BYTES: usize = 8;
/// One slot of the join's hash table: the index and the control byte.
const TABLE_SLOT_BYTES: usize = 5;
/// What a slot of a window counts of one class: right, predicted, actual, and wrong though the same.
const CLASS_BYTES: usize = size_of::<ClassCounts>();
/// Count, sum of scores and positives of one bin of the calibration error.
const CALIBRATION_BIN_BYTES: usize = size_of::<CalibrationBin>();
/// Positives and negatives of one score bin.
const SCORE_BIN_BYTES: usize = 16;
/// The sums of a regression in one slot of a window.
const REGRESSION_BYTES: usize = size_of::<Errors>();
/// A counter, its label values' ids and its place in a map.
const SERIES_BYTES: usize = 64;
/// What each log holds: the line that is read, the record made of it, and one read.
const LINE_BUFFERS: usize = 2;
/// Code, runtime, the text of one scrape: what an idle process with no log needs.
const PROCESS_BYTES: usize = 16 << 20;

/// What the logs of one model map between them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Mapped {
    pub(super) prediction: bool,
    pub(super) score: bool,
    /// The most classes that one log maps a score for.
    pub(super) scored_classes: usize,
    pub(super) label: bool,
    pub(super) latency: bool,
    pub(super) status: bool,
}

/// The most that one model can come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bound {
    /// Of one version, before any value was seen that is not declared.
    pub(super) series_declared: usize,
    /// Versions whose declared series fit, at most `limits.versions`.
    pub(super) versions: usize,
    /// Over all versions and slices, and never above `limits.series`.
    pub(super) series: usize,
    pub(super) join_bytes: usize,
    pub(super) window_bytes: usize,
    pub(super) series_bytes: usize,
}

// === impl Mapped ===

impl Mapped {
    pub(super) fn by<'a>(logs: impl Iterator<Item = &'a Fields>) -> Self {
        logs.fold(Self::default(), |mapped, fields| Self {
            prediction: mapped.prediction || fields.prediction.is_some(),
            score: mapped.score || fields.score.is_some(),
            scored_classes: mapped.scored_classes.max(fields.scores.len()),
            label: mapped.label || fields.label.is_some(),
            latency: mapped.latency || fields.latency.is_some(),
            status: mapped.status || fields.status.is_some(),
        })
    }

    /// Classes that are ranked by a score: the positive one of a binary model, the scored ones of another.
    fn ranked_classes(&self, task: &Task) -> usize {
        match task {
            Task::Binary { .. } => usize::from(self.score || self.scored_classes > 0),
            Task::Multiclass { .. } => self.scored_classes,
            Task::Regression => 0,
        }
    }
}

// === impl Bound ===

impl Bound {
    pub(super) fn bytes(&self) -> usize {
        self.join_bytes.saturating_add(self.window_bytes).saturating_add(self.series_bytes)
    }
}

/// Series that a model has from its first event on: its own, and those of one version with the classes that
/// are declared and no value that is only found in a log.
pub(super) fn series_declared(config: &Config) -> usize {
    series::of_model(config) + series::of_version(config, classes_declared(&config.task), 0)
}

/// The most that one model can come to under its limits.
pub(super) fn bound(config: &Config, mapped: &Mapped) -> Bound {
    let classes = classes_most(config);
    let of_model = series::of_model(config);
    let of_version = series::of_version(config, classes_declared(&config.task), 0);
    let room = config.limits.series.saturating_sub(of_model);
    let versions = config.limits.versions.min((room / of_version).max(1));
    // A value of a slice has all its series or none.
    let of_slice = series::of_slice(config, classes_declared(&config.task)).max(1);
    let slice_values = config.slices.len().saturating_mul(config.limits.values);
    let slice_room = room.saturating_sub(of_version.saturating_mul(versions));
    let slices = slice_values.saturating_mul(versions).min(slice_room / of_slice);
    let statuses = if mapped.status { config.limits.values } else { 0 };
    let series = series::of_version(config, classes, statuses)
        .saturating_mul(versions)
        .saturating_add(slices.saturating_mul(series::of_slice(config, classes)))
        .saturating_add(of_model)
        .min(config.limits.series);
    let slots = windows(config).saturating_mul(WINDOW_SLOTS + 2);
    let version_bytes = slots.saturating_mul(slot_bytes(&config.task, mapped, classes));
    let slice_bytes = slots.saturating_mul(slice_slot_bytes(&config.task, classes));
    Bound {
        series_declared: series_declared(config),
        versions,
        series,
        join_bytes: if config.expects_labels { join_bytes(config, mapped) } else { 0 },
        window_bytes: versions
            .saturating_mul(version_bytes)
            .saturating_add(slices.saturating_mul(slice_bytes)),
        series_bytes: series.saturating_mul(SERIES_BYTES),
    }
}

/// The most that the whole process can come to, with the bounds of its models. Models that are found in
/// logs are counted once: how many there will be is not known.
pub(super) fn process_bytes(plan: &pipeline::Config, models: &[Bound]) -> usize {
    let line_bytes = plan.streams.iter().map(|stream| stream.line.line_bytes_max);
    let logs = line_bytes.map(|bytes| LINE_BUFFERS * bytes + BATCH_BYTES_MAX).fold(0, usize::saturating_add);
    let models = models.iter().map(Bound::bytes).fold(0, usize::saturating_add);
    PROCESS_BYTES.saturating_add(logs).saturating_add(models)
}

/// Predictions per second that the join can hold, as (all labels come at once, all come at the end of
/// `wait`): an id is remembered for `wait` after it was joined or expired, so it stays one to two waits.
pub(super) fn join_rates(config: &Config) -> (f64, f64) {
    let held = config.join.max_pending as f64 / config.join.sample;
    let wait = config.join.wait.as_seconds();
    (held / wait, held / (2.0 * wait))
}

fn join_bytes(config: &Config, mapped: &Mapped) -> usize {
    let scores = match config.task {
        Task::Multiclass { .. } => mapped.scored_classes,
        Task::Binary { .. } | Task::Regression => 0,
    };
    let entry = PENDING_BYTES + scores * PENDING_SCORE_BYTES;
    // The table keeps an eighth of its slots free, and has a power of two of them.
    let slots = (config.join.max_pending / 7).saturating_add(1).saturating_mul(8).next_power_of_two();
    config.join.max_pending.saturating_mul(entry).saturating_add(slots.saturating_mul(TABLE_SLOT_BYTES))
}

fn slot_bytes(task: &Task, mapped: &Mapped, classes: usize) -> usize {
    let ranked = mapped.ranked_classes(task);
    let scores = match (ranked, mapped.score) {
        (0, false) => 0,
        (ranked, _) => {
            CALIBRATION_BINS * CALIBRATION_BIN_BYTES + ranked.saturating_mul(SCORE_BINS * SCORE_BIN_BYTES)
        }
    };
    match task {
        Task::Regression => REGRESSION_BYTES,
        Task::Binary { .. } | Task::Multiclass { .. } => {
            slice_slot_bytes(task, classes).saturating_add(scores)
        }
    }
}

fn slice_slot_bytes(task: &Task, classes: usize) -> usize {
    match task {
        Task::Regression => REGRESSION_BYTES,
        Task::Binary { .. } | Task::Multiclass { .. } => classes.saturating_mul(CLASS_BYTES),
    }
}

/// Classes that are there before any is found in a log.
fn classes_declared(task: &Task) -> usize {
    match task {
        Task::Binary { .. } => 2,
        Task::Multiclass { classes, .. } => classes.len(),
        Task::Regression => 0,
    }
}

/// Classes at most, with `__other__` for what is not declared or over the limit. In a binary model any third
/// value is invalid and has no cell.
fn classes_most(config: &Config) -> usize {
    match &config.task {
        Task::Multiclass { classes, .. } if classes.is_empty() => config.limits.values + 1,
        Task::Multiclass { classes, .. } => classes.len() + 1,
        Task::Binary { .. } | Task::Regression => classes_declared(&config.task),
    }
}

fn windows(config: &Config) -> usize {
    config.windows.len() + usize::from(config.window_all)
}

#[cfg(test)]
mod tests {
    use super::super::{parse, plan};
    use super::*;

    /// The bound of one model with everything mapped.
    fn bound_of(fields: &str, model: &str) -> Bound {
        let text = format!(
            "logs: [{{name: a, paths: [/a], model: m, fields: {{{fields}}}}}]\nmodels: {{m: {{{model}}}}}\n"
        );
        let loaded = parse(&text, "f", &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        let config = &loaded.plan.pipeline.models[0];
        bound(config, &plan::mapped_of(config, &loaded.plan.pipeline))
    }

    #[test]
    fn classes_that_are_not_declared_may_take_all_that_the_limit_allows() {
        let open = bound_of("prediction: p, label: l", "task: multiclass");
        assert_eq!(open.series, crate::limits::SERIES_DEFAULT);
        let declared = bound_of("prediction: p, label: l", "task: multiclass, classes: [a, b]");
        assert!(declared.series < open.series && declared.window_bytes < open.window_bytes);
    }

    #[test]
    fn slices_cost_no_more_than_the_limit_of_series_lets_in() {
        let fields = "prediction: p, label: l, slices: {a: a, b: b}";
        let some = bound_of(fields, "task: regression, slices: [a, b], limits: {series: 1000}");
        let many =
            bound_of(fields, "task: regression, slices: [a, b], limits: {series: 1000, values: 10000}");
        assert_eq!(some.series, many.series);
        assert!(some.series <= 1000, "{}", some.series);
        assert_eq!(some.window_bytes, many.window_bytes);
    }

    #[test]
    fn a_model_without_labels_holds_nothing_for_the_join() {
        assert_eq!(bound_of("prediction: p", "task: regression").join_bytes, 0);
        let own = "task: regression, join: {max_pending: 1000}";
        let waiting = bound_of("prediction: p, label: l", own).join_bytes;
        assert!(waiting >= 1000 * (PENDING_BYTES + TABLE_SLOT_BYTES), "{waiting}");
    }
}
