//! How many series and how many bytes each model of a plan can come to.
//!
//! Series are counted where their limit is enforced, in `monitor::series`; bytes by those who hold them. Both
//! are upper bounds: what a model may be, and not what it is. What else a process holds is `memory`'s. Nothing
//! here is enforced: the limits are enforced where values are inserted.

use crate::event::Fields;
use crate::join::Join;
use crate::limits::TRACE_ID_BYTES_MAX;
use crate::monitor::bound::{self, Extent};
use crate::monitor::{Config, Task, series};

/// The name of a family, names and punctuation of its labels, and a number: a sample without the values of its
/// labels that are written in a log. The averages of a window have up to 122, all others of a version and those of
/// a slice's windows at most 109, histograms mostly some 90.
const SAMPLE_BYTES: usize = 112;
/// What a confusion cell of a slice has more.
const CELL_BYTES: usize = 16;
/// An exemplar beside its trace id: punctuation, value, time.
const EXEMPLAR_BYTES: usize = 64;
/// In a label's value a quote, a backslash or a line end is written as two characters.
const ESCAPED: usize = 2;
/// Beyond this an allocator maps memory of its own for a list, and moves it without a copy.
const MOVED_BYTES_MAX: usize = 32 << 20;

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
    pub(super) trace: bool,
    /// Whether a log may bring halves: it maps neither a prediction nor a label.
    pub(super) halves: bool,
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
    /// Windows and counters of all versions and slices.
    pub(super) version_bytes: usize,
    /// Names of versions, classes, statuses and values of slices, and what else there is once a model.
    pub(super) name_bytes: usize,
    /// Of all series, as text.
    pub(super) text_bytes: usize,
    /// For a moment, while the join grows.
    pub(super) growth_bytes: usize,
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
            trace: mapped.trace || fields.trace_id.is_some(),
            halves: mapped.halves || (!fields.predicts() && fields.label.is_none()),
        })
    }
}

// === impl Bound ===

impl Bound {
    pub(super) fn bytes(&self) -> usize {
        self.join_bytes.saturating_add(self.version_bytes).saturating_add(self.name_bytes)
    }
}

/// Series that a model has from its first event on: its own, and those of one version with the classes that
/// are declared and no value that is only found in a log.
pub(super) fn series_declared(config: &Config) -> usize {
    series::of_model(config) + series::of_version(config, classes_declared(&config.task), 0)
}

/// The most that one model can come to under its limits.
pub(super) fn bound(config: &Config, mapped: &Mapped) -> Bound {
    let classes_declared = classes_declared(&config.task);
    let room = Room::new(config);
    let versions = room.versions(config, classes_declared);
    let statuses = if mapped.status { config.limits.values } else { 0 };
    let (mut series, mut version_bytes, mut text) = (0, 0, 0);
    // Many versions leave room for few classes and values of slices each, and the other way round.
    for versions in 1..=versions {
        for classes in [room.classes(config, versions), classes_declared] {
            let slices = room.slices(config, classes, versions);
            // On top comes the version `__other__`, and in every version that value of each slice.
            let all_versions = versions + usize::from(config.maps_version);
            let extent = Extent {
                versions: all_versions,
                slices: slices + all_versions * config.slices.len(),
                classes: classes + 1,
                statuses: statuses + 1,
            };
            version_bytes = version_bytes.max(states_bytes(config, &extent));
            text = text.max(text_bytes(config, mapped, &extent));
            series = series.max(series_of(config, versions, slices, classes, statuses));
        }
    }
    let names = Extent { versions, slices: 0, classes: classes_most(config) + 1, statuses: statuses + 1 };
    let (join_bytes, growth_bytes) = join_bytes(config, mapped);
    Bound {
        series_declared: series_declared(config),
        versions,
        series: series.min(config.limits.series.max(series_declared(config))),
        join_bytes,
        version_bytes,
        name_bytes: bound::model_bytes(config, &names),
        text_bytes: text,
        growth_bytes,
    }
}

/// Predictions per second that the join can hold, as (all labels come at once, all come at the end of
/// `wait`): an id is remembered for `wait` after it was joined or expired, so it stays one to two waits.
pub(super) fn join_rates(config: &Config) -> (f64, f64) {
    let held = config.join.max_pending as f64 / config.join.sample;
    let wait = config.join.wait.as_seconds();
    (held / wait, held / (2.0 * wait))
}

/// What `limits.series` leaves for versions and their slices.
struct Room {
    series: usize,
    classes: (usize, usize),
}

// === impl Room ===

impl Room {
    fn new(config: &Config) -> Self {
        Self {
            series: config.limits.series.saturating_sub(series::of_model(config)),
            classes: (classes_declared(&config.task), classes_most(config)),
        }
    }

    /// Versions that fit with so many classes; the first always does.
    fn versions(&self, config: &Config, classes: usize) -> usize {
        if !config.maps_version {
            return 1;
        }
        (self.series / series::of_version(config, classes, 0)).clamp(1, config.limits.versions.max(1))
    }

    /// The most classes with which so many versions fit.
    fn classes(&self, config: &Config, versions: usize) -> usize {
        let (mut least, mut most) = self.classes;
        let fits = |classes| versions.saturating_mul(series::of_version(config, classes, 0)) <= self.series;
        while least < most {
            let middle = (least + most).div_ceil(2);
            if fits(middle) { least = middle } else { most = middle - 1 }
        }
        least
    }

    /// Values of slices that fit beside them: a value has all its series or none.
    fn slices(&self, config: &Config, classes: usize, versions: usize) -> usize {
        let of_versions = versions.saturating_mul(series::of_version(config, classes, 0));
        let room = self.series.saturating_sub(of_versions) / series::of_slice(config, classes).max(1);
        config.slices.len().saturating_mul(config.limits.values).saturating_mul(versions).min(room)
    }
}

fn states_bytes(config: &Config, extent: &Extent) -> usize {
    let of_versions = extent.versions.saturating_mul(bound::version_bytes(config, extent));
    of_versions.saturating_add(extent.slices.saturating_mul(bound::slice_bytes(config, extent)))
}

fn series_of(config: &Config, versions: usize, slices: usize, classes: usize, statuses: usize) -> usize {
    series::of_model(config)
        .saturating_add(versions.saturating_mul(series::of_version(config, classes, statuses)))
        .saturating_add(slices.saturating_mul(series::of_slice(config, classes)))
}

/// What the join holds, and what growing takes for a moment.
fn join_bytes(config: &Config, mapped: &Mapped) -> (usize, usize) {
    if !config.expects_labels {
        return (0, 0);
    }
    let held = Join::heap_bytes_max(&config.join, config.slices.len(), config.scored.len(), mapped.halves);
    (held, Join::growth_bytes_max(&config.join, MOVED_BYTES_MAX))
}

/// How many bytes the values of labels take that are written in logs, or in the configuration.
struct Lengths {
    model: usize,
    version: usize,
    class: usize,
    status: usize,
    /// `slice` holds name and value, `slice_by` the name.
    slice: usize,
}

// === impl Lengths ===

impl Lengths {
    fn new(config: &Config) -> Self {
        let found = ESCAPED * config.limits.value_length;
        let class = match &config.task {
            Task::Binary { positive, negative, .. } => ESCAPED * positive.len().max(negative.len()),
            Task::Multiclass { classes, .. } => {
                classes.iter().map(|class| ESCAPED * class.len()).max().unwrap_or(0).max(found)
            }
            Task::Regression => 0,
        };
        Self {
            model: if config.name == "*" { found } else { ESCAPED * config.name.len() },
            version: if config.maps_version { found } else { 0 },
            class,
            status: found,
            slice: config.slices.iter().map(|slice| 2 * slice.len() + 1 + found).max().unwrap_or(0),
        }
    }
}

/// All series of so many states as an exposition, each value as long as it may be. Of a version and a slice the
/// confusion cells have two classes, and others at most one.
fn text_bytes(config: &Config, mapped: &Mapped, extent: &Extent) -> usize {
    let Lengths { model, version, class, status, slice } = Lengths::new(config);
    let sample = SAMPLE_BYTES + model;
    let (classes, statuses) = (extent.classes - 1, extent.statuses - 1);
    let cells = series::cells(config, classes) * class;
    let of_version = series::of_version(config, classes, statuses) * (sample + version + class)
        + cells
        + 2 * extent.statuses * status;
    let of_slice = series::of_slice(config, classes) * (sample + version + class + slice)
        + cells
        + series::cells(config, classes) * CELL_BYTES;
    // Whose characters are so few that escaped ones take no more bytes than the longest.
    let exemplar = EXEMPLAR_BYTES + TRACE_ID_BYTES_MAX;
    let exemplars = if mapped.trace { config.buckets.latency.len() + 1 } else { 0 } * exemplar;
    (series::of_model(config) * (sample + class))
        .saturating_add(extent.versions.saturating_mul(of_version + exemplars))
        .saturating_add(extent.slices.saturating_mul(of_slice))
}

/// Classes that are there before any is found in a log.
fn classes_declared(task: &Task) -> usize {
    match task {
        Task::Binary { .. } => 2,
        Task::Multiclass { classes, .. } => classes.len(),
        Task::Regression => 0,
    }
}

/// Classes at most, beside `__other__`. What is not declared is let in too, up to the limit of values; in a
/// binary model any third value is invalid and has no cell.
fn classes_most(config: &Config) -> usize {
    match &config.task {
        Task::Multiclass { classes, .. } => classes.len().max(config.limits.values),
        Task::Binary { .. } | Task::Regression => classes_declared(&config.task),
    }
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
        let declared = bound_of("prediction: p, label: l", "task: multiclass, classes: [a, b]");
        // Others than the declared are let in too, so the most is the same.
        assert_eq!(declared.series, open.series);
        assert!(declared.series_declared > open.series_declared);
    }

    #[test]
    fn slices_cost_no_more_than_the_limit_of_series_lets_in() {
        let fields = "prediction: p, label: l, slices: {a: a, b: b}";
        let some = bound_of(fields, "task: regression, slices: [a, b], limits: {series: 1000}");
        let many =
            bound_of(fields, "task: regression, slices: [a, b], limits: {series: 1000, values: 10000}");
        assert_eq!(some.series, many.series);
        assert!(some.series <= 1000, "{}", some.series);
        // A version has a place for each value that a slice may have; a list of them may have doubled.
        let places = 2 * 2 * (10_000 - crate::limits::VALUES_DEFAULT) * size_of::<usize>();
        assert_eq!(some.version_bytes + places, many.version_bytes);
    }

    #[test]
    fn a_model_without_labels_holds_nothing_for_the_join() {
        assert_eq!(bound_of("prediction: p", "task: regression").join_bytes, 0);
        let own = "task: regression, join: {max_pending: 1000}";
        let waiting = bound_of("prediction: p, label: l", own).join_bytes;
        // An entry with its links and its place in the index.
        assert!(waiting >= 1000 * (48 + 8 + 5), "{waiting}");
    }
}
