//! The most memory that what is known of a model can come to. Not its join, and not what is held now.

use super::quality::{Coverage, Quality};
use super::version::{Exemplar, Slice, Version};
use super::vocabulary::Vocabulary;
use super::{Config, Monitor, Shape, Task};
use crate::accumulator::Accumulator;
use crate::accumulator::classes::ClassCounts;
use crate::accumulator::scores::ScoreTally;
use crate::join::UNTIMED;
use crate::limits::{BOX_BYTES, PATTERN_CACHE_BYTES, TRACE_ID_BYTES_MAX};
use crate::time::Span;
use crate::window::Windows;

/// How many states a model has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    /// Versions, `__other__` included.
    pub versions: usize,
    /// Values of slices over all versions, `__other__` included.
    pub slices: usize,
    /// Classes, `__other__` included.
    pub classes: usize,
    /// Statuses, `__other__` included.
    pub statuses: usize,
}

/// A list that grows by doubling takes up to twice what is in it.
const DOUBLING: usize = 2;

const YEAR: Span = Span::from_seconds(365 * 24 * 3600);

/// What one version holds beside its slices.
pub fn version_bytes(config: &Config, extent: &Extent) -> usize {
    let shape = shape(config, extent);
    let version = Version::new("", UNTIMED, config, &shape);
    let histograms = [&version.latency.histogram, &version.score, &version.absolute_error]
        .into_iter()
        .chain(&version.outcome_score)
        .chain([&version.label_delay]);
    let exemplar = size_of::<Option<Exemplar>>() + DOUBLING * TRACE_ID_BYTES_MAX + BOX_BYTES;
    let counts = DOUBLING
        * (extent.statuses * size_of::<[u64; 2]>()
            + extent.classes * (size_of::<u64>() + size_of::<ClassCounts>()));
    // By slice a list of places for its values.
    let places =
        DOUBLING * config.slices.len() * (config.limits.values + 2) * size_of::<Option<Box<Slice>>>();
    size_of::<Version>()
        + BOX_BYTES
        + config.limits.value_length
        + histograms.map(|histogram| histogram.heap_bytes() + BOX_BYTES).sum::<usize>()
        + version.latency.exemplars.len() * exemplar
        + version.cells.as_ref().map_or(0, Accumulator::heap_bytes)
        + counts
        + windows_bytes(config, extent, true)
        + Windows::<Coverage>::heap_bytes_max(config.windows.len(), config.window_all, 0)
        + places
}

/// What one value of a slice of one version holds.
pub fn slice_bytes(config: &Config, extent: &Extent) -> usize {
    let cells = shape(config, extent).cells();
    size_of::<Slice>()
        + BOX_BYTES
        + cells.as_ref().map_or(0, Accumulator::heap_bytes)
        + windows_bytes(config, extent, false)
}

/// What a model holds once, however many versions it has.
pub fn model_bytes(config: &Config, extent: &Extent) -> usize {
    let vocabulary = |values| Vocabulary::heap_bytes_max(values, config.limits.value_length);
    let declared = match &config.task {
        Task::Multiclass { classes, .. } => classes.iter().map(String::len).max().unwrap_or(0),
        Task::Binary { .. } | Task::Regression => 0,
    };
    let class_length = declared.max(config.limits.value_length);
    size_of::<Monitor>()
        // Its configuration, once for all that share it and once of its own.
        + 2 * (size_of::<Config>() + config.slices.len() * (size_of::<String>() + 64))
        + 2 * config.scored.len() * (size_of::<String>() + class_length + BOX_BYTES)
        + Vocabulary::heap_bytes_max(extent.classes, class_length)
        + vocabulary(extent.statuses)
        + config.slices.len() * vocabulary(config.limits.values)
        + DOUBLING * version_places(config) * size_of::<Option<Box<Version>>>()
        + PATTERN_CACHE_BYTES
}

/// Of versions that have left a place remains. Within a year, that is: a version leaves no sooner than it has not
/// been seen for `expire_after`.
fn version_places(config: &Config) -> usize {
    let generations = YEAR.as_nanos() / config.expire_after.as_nanos().max(1);
    let places = config.limits.versions.saturating_mul(usize::try_from(generations).unwrap_or(0) + 1);
    places.min(usize::from(u16::MAX)) + 1
}

fn shape(config: &Config, extent: &Extent) -> Shape {
    Shape::new(config, extent.classes)
}

fn windows_bytes(config: &Config, extent: &Extent, whole: bool) -> usize {
    let classes = DOUBLING * extent.classes * size_of::<ClassCounts>() + BOX_BYTES;
    let scores = if whole && config.maps_score { score_bytes(config) } else { 0 };
    let state = match config.task {
        Task::Regression => 0,
        Task::Binary { .. } | Task::Multiclass { .. } => classes + scores,
    };
    Windows::<Quality>::heap_bytes_max(config.windows.len(), config.window_all, state)
}

fn score_bytes(config: &Config) -> usize {
    let (scored, top_k) = match &config.task {
        Task::Binary { .. } => (1, 0),
        Task::Multiclass { top_k, .. } => (config.scored.len(), top_k.len()),
        Task::Regression => return 0,
    };
    size_of::<ScoreTally>() + 3 * BOX_BYTES + ScoreTally::heap_bytes_max(scored, top_k)
}
