//! What a model keeps when its configuration changes, and what starts anew.
//!
//! A reload and the restoring of a checkpoint both end here: a monitor made for the new configuration takes
//! over the one that ran under the old. Not the positions of logs, nor which models stay: those are the
//! pipeline's.
//!
//! Invariant: only a change of what a number means makes it start anew. A changed `task`, `positive`,
//! `negative` or `classes` does so to what is counted by class, a changed bound to its histogram, another set
//! of scored classes to what is computed from all scores. Whatever waits for its counterpart goes on waiting,
//! or is counted as it leaves.

use super::classes::{Class, Classes};
use super::quality::{Coverage, Quality};
use super::tally::LabelResult;
use super::version::{Slice, Version};
use super::vocabulary::{FOLDED, Vocabulary};
use super::{Config, Monitor, Shape, Task, series, settle};
use crate::accumulator::Accumulator;
use crate::accumulator::histogram::Histogram;
use crate::join::{Join, Settled, UNTIMED, Waiting};
use crate::record::Value;
use crate::window::Windows;

/// What a change of configuration does to states that were kept under the old one.
struct Change {
    classes: ClassChange,
    /// For each slice of the new configuration its place in the old one.
    slices: Vec<Option<usize>>,
    /// For each scored class of the new configuration its place in the old one.
    scored: Vec<Option<usize>>,
    /// By place of a ranking, where it was; `None` where the tallies of scores start anew.
    ranking_order: Option<Vec<usize>>,
}

/// Whether predictions and labels name the same classes as before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClassChange {
    Same,
    /// Other classes. `score_is_same`: a prediction's score still is that of the class it was of.
    Other {
        score_is_same: bool,
    },
    /// Between numbers and classes: nothing can be translated.
    Incomparable,
}

// === impl Change ===

impl Change {
    /// Names every field of the configuration, so that a new one cannot be forgotten here.
    fn new(old: &Config, new: &Config) -> Self {
        let Config {
            task,
            slices,
            scored,
            // Where scores were not mapped there is no tally of them, and what is not there starts anew.
            maps_score: _,
            // Each window and each histogram is compared with its own successor.
            windows: _,
            window_all: _,
            buckets: _,
            // A version without a name is there from the start, or not.
            maps_version: _,
            // Hold from now on for what comes and for what is there already.
            failed: _,
            join: _,
            limits: _,
            expire_after: _,
            // Say what is shown and expected, not what it is.
            name: _,
            maps_latency: _,
            expects_labels: _,
            targets: _,
        } = old;
        let classes = ClassChange::new(task, &new.task);
        let places = |names: &[String], old_names: &[String]| -> Vec<Option<usize>> {
            names.iter().map(|name| old_names.iter().position(|before| before == name)).collect()
        };
        let scored_places = places(&new.scored, scored);
        let ranking_order = match new.task {
            Task::Multiclass { .. } if scored.len() == new.scored.len() => {
                scored_places.iter().copied().collect()
            }
            Task::Multiclass { .. } => None,
            Task::Binary { .. } | Task::Regression => Some(vec![0]),
        };
        Self { classes, slices: places(&new.slices, slices), scored: scored_places, ranking_order }
    }

    /// Makes windows of the old configuration those of the new one, with what `empty` holds where a state
    /// starts anew.
    fn carry_quality(&self, windows: &mut Windows<Quality>, config: &Config, shape: &Shape, empty: &Quality) {
        if self.classes != ClassChange::Same {
            *windows = Windows::new(&config.windows, config.window_all, empty);
            return;
        }
        windows.reconfigure(&config.windows, config.window_all, empty, |state| {
            let (
                Quality::Classifier { classes: _, scores },
                Quality::Classifier { classes: _, scores: fresh },
            ) = (state, empty)
            else {
                return;
            };
            match (scores, fresh, &self.ranking_order) {
                (Some(scores), Some(_), Some(order)) => scores.rearrange(order, &shape.top_k),
                (scores, fresh, _) => scores.clone_from(fresh),
            }
        });
    }

    fn carry_version(&self, version: &mut Version, config: &Config, shape: &Shape) {
        let fresh = Version::new(&version.name, UNTIMED, config, shape);
        let latency = &mut version.latency;
        if latency.histogram.bounds() != fresh.latency.histogram.bounds() {
            *latency = fresh.latency;
        }
        carry_histogram(&mut version.score, fresh.score);
        carry_histogram(&mut version.absolute_error, fresh.absolute_error);
        carry_histogram(&mut version.label_delay, fresh.label_delay);
        let empty = Quality::new(config, shape, true);
        self.carry_quality(&mut version.quality, config, shape, &empty);
        let coverage = Coverage::default();
        version.coverage.reconfigure(&config.windows, config.window_all, &coverage, |_| {});
        if self.classes == ClassChange::Same {
            self.carry_slices(version, config, shape);
            return;
        }
        version.slices = fresh.slices;
        version.predictions = fresh.predictions;
        version.predictions_total = fresh.predictions_total;
        version.cells = fresh.cells;
        version.class_tally = fresh.class_tally;
        version.outcome_score = fresh.outcome_score;
        version.squared_error = fresh.squared_error;
        version.error_sums = fresh.error_sums;
        version.absolute_error.reset();
        if !matches!(self.classes, ClassChange::Other { score_is_same: true }) {
            version.score.reset();
        }
    }

    fn carry_slices(&self, version: &mut Version, config: &Config, shape: &Shape) {
        let empty = Quality::new(config, shape, false);
        version.slices = take_places(&mut version.slices, &self.slices, Vec::new);
        for slice in version.slices.iter_mut().flatten().flatten() {
            let Slice { cells: _, correct: _, windows } = &mut **slice;
            self.carry_quality(windows, config, shape, &empty);
        }
    }
}

impl ClassChange {
    fn new(old: &Task, new: &Task) -> Self {
        let (are_same, score_is_same) = match (old, new) {
            (Task::Regression, Task::Regression) => (true, true),
            (Task::Regression, _) | (_, Task::Regression) => return Self::Incomparable,
            (
                Task::Binary { positive: before, negative: other_before, threshold: _ },
                Task::Binary { positive, negative, threshold: _ },
            ) => (before == positive && other_before == negative, before == positive),
            (Task::Multiclass { classes: before, top_k: _ }, Task::Multiclass { classes, top_k: _ }) => {
                (before == classes, true)
            }
            (Task::Binary { .. }, Task::Multiclass { .. })
            | (Task::Multiclass { .. }, Task::Binary { .. }) => (false, false),
        };
        if are_same { Self::Same } else { Self::Other { score_is_same } }
    }
}

// === impl Monitor ===

impl Monitor {
    /// Takes over what was known of the same model under another configuration. The head of the file says
    /// what starts anew; all else goes on as if nothing had happened.
    pub fn carry_over(&mut self, old: Self) {
        let Self {
            config,
            name: _,
            shape: _,
            classes,
            statuses,
            failed: _,
            slices,
            versions,
            versions_folded,
            slices_folded,
            version_last,
            mut join,
            secret,
            labels,
            scored: _,
            score_places: _,
            slice_ids: _,
            scores: _,
            terms: _,
            series_full,
        } = old;
        let change = Change::new(&config, &self.config);
        (self.statuses, self.labels, self.secret) = (statuses, labels, secret);
        (self.versions, self.version_last) = (versions, version_last);
        (self.versions_folded, self.slices_folded) = (versions_folded, slices_folded);
        let old_classes = self.carry_vocabularies(&change, classes, slices);
        for version in self.versions.iter_mut().flatten() {
            change.carry_version(version, &self.config, &self.shape);
        }
        self.carry_unnamed_version();
        join.reconfigure(self.config.join);
        join.rearrange(&change.slices, &change.scored);
        if let Some(old) = old_classes {
            self.translate_waiting(&mut join, &old, change.classes);
        }
        self.join = join;
        // Room is asked for again where there may be more of it.
        let takes = |config| series::of_model(config) + series::of_version(config, 2, 1);
        self.series_full =
            series_full && config.limits == self.config.limits && takes(&config) == takes(&self.config);
    }

    /// Values keep their ids, so that whatever names them goes on naming them. The old classes are given
    /// back where the new ones are others.
    fn carry_vocabularies(
        &mut self,
        change: &Change,
        classes: Classes,
        mut slices: Vec<Vocabulary>,
    ) -> Option<Classes> {
        let limits = self.config.limits;
        let mut others = None;
        if change.classes == ClassChange::Same {
            self.classes = classes;
        } else {
            // What was folded has been counted, and a counter never goes back.
            self.slices_folded += classes.vocabulary().folded();
            others = Some(classes);
        }
        self.classes.set_limits(&limits);
        (self.scored, self.score_places) = self.classes.places_of(&self.config.scored);
        self.shape = Shape::new(&self.config, self.classes.vocabulary().len());
        let empty = || Vocabulary::new(&[], limits.values, limits.value_length);
        self.slices = take_places(&mut slices, &change.slices, empty);
        self.slices_folded += slices.iter().map(Vocabulary::folded).sum::<u64>();
        for vocabulary in self.slices.iter_mut().chain([&mut self.statuses]) {
            vocabulary.set_limits(limits.values, limits.value_length);
        }
        self.failed.clear();
        self.failed.extend(self.statuses.names().map(|status| self.config.failed.is_match(status)));
        others
    }

    /// Where no log maps a version, the one without a name is there from the start; where one does, it is
    /// not, unless something has been counted in it.
    fn carry_unnamed_version(&mut self) {
        let is_unnamed =
            |version: &Option<Box<Version>>| version.as_ref().is_some_and(|one| one.name.is_empty());
        let known = self.versions.iter().position(is_unnamed);
        match known {
            None if !self.config.maps_version && self.versions.len() < usize::from(u16::MAX) => {
                let unnamed = Version::new("", UNTIMED, &self.config, &self.shape);
                self.versions.push(Some(Box::new(unnamed)));
            }
            Some(id) if self.config.maps_version => {
                self.versions[id].take_if(|version| version.is_untouched());
            }
            None | Some(_) => {}
        }
    }

    /// Gives what waits the classes that it has by now. A prediction that has none any more leaves like one
    /// that had to make room; a label, like one that names none.
    fn translate_waiting(&mut self, join: &mut Join, old: &Classes, change: ClassChange) {
        let mut known: Vec<Option<Option<Class>>> = vec![None; old.vocabulary().len()];
        let mut translate = |monitor: &mut Self, id: u16, fingerprint: u32| match (change, id) {
            (ClassChange::Incomparable, _) => None,
            (_, FOLDED) => monitor.classes.recall(fingerprint),
            _ => *known[usize::from(id)]
                .get_or_insert_with(|| monitor.class(Value::Text(old.vocabulary().name(id)))),
        };
        let config = self.config.join;
        join.retain_waiting(|waiting| match waiting {
            Waiting::Prediction(prediction) => {
                let Some(class) = translate(self, prediction.class, prediction.fingerprint) else {
                    let version = prediction.version;
                    let at = self.version_mut(version).last_seen;
                    let Self { versions, labels, .. } = self;
                    settle(Settled::PredictionEvicted { version }, versions, labels, &config, at);
                    return false;
                };
                (prediction.class, prediction.fingerprint) = (class.id, class.fingerprint);
                if change == (ClassChange::Other { score_is_same: false }) {
                    prediction.value = f64::NAN;
                }
                true
            }
            Waiting::Label(label) => {
                let class = translate(self, label.class, label.fingerprint);
                match class {
                    Some(class) => (label.class, label.fingerprint) = (class.id, class.fingerprint),
                    None => self.labels[LabelResult::Invalid as usize] += 1,
                }
                class.is_some()
            }
        });
    }
}

fn carry_histogram(histogram: &mut Histogram, fresh: Histogram) {
    if histogram.bounds() != fresh.bounds() {
        *histogram = fresh;
    }
}

/// For each place what was there until now, or something empty.
fn take_places<T>(old: &mut [T], places: &[Option<usize>], empty: impl Fn() -> T) -> Vec<T> {
    places
        .iter()
        .map(|place| place.map_or_else(&empty, |place| std::mem::replace(&mut old[place], empty())))
        .collect()
}
