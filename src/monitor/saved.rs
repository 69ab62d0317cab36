//! A monitor as a checkpoint has it: read back, checked, and made whole.
//!
//! The join comes by itself, piece by piece, as it may be large. Invariant: what `revive` lets through can be
//! worked with like a monitor that has run all along: every index leads somewhere, and states merge.

use super::quality::Quality;
use super::version::{Slice, Version};
use super::{Config, Monitor, Shape};
use crate::accumulator::Accumulator;
use crate::accumulator::cells::Cells;
use crate::accumulator::classes::ClassTally;
use crate::accumulator::histogram::Histogram;
use crate::join::{self, Join};
use crate::time::Span;
use crate::window::Windows;
use std::sync::Arc;

/// A regular expression by its text.
pub(super) mod pattern {
    use regex::Regex;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        pattern: &Regex,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(pattern.as_str())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Regex, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text).map_err(D::Error::custom)
    }
}

/// In place of the join while a monitor is read.
pub(super) fn empty_join() -> Join {
    let config = join::Config { wait: Span::ZERO, max_pending: 1, labels: join::Labels::Own, sample: 1.0 };
    Join::new(config, 0, 0)
}

impl Monitor {
    /// Whether a join with this head is that of this model.
    pub fn joins_like(&self, head: &join::saved::Head) -> bool {
        head.is_of(&self.config.join, self.config.slices.len(), self.config.scored.len())
    }

    /// Makes a monitor whole that was read from bytes, with its join.
    ///
    /// # Errors
    /// What does not fit, for the log of the exporter: the bytes are none that this version wrote.
    pub fn revive(mut self, join: Join) -> Result<Self, &'static str> {
        if !self.classes.are_of(&self.config.task) {
            return Err("the classes are not those of the model's task");
        }
        let classes = self.classes.vocabulary().len();
        self.shape = Shape::new(&self.config, classes);
        (self.scored, self.score_places) = self.classes.places_of(&self.config.scored);
        if self.classes.vocabulary().len() != classes || self.scored.len() != self.config.scored.len() {
            return Err("the classes of the scores are not those of the model");
        }
        if self.slices.len() != self.config.slices.len() || self.versions.is_empty() {
            return Err("slices or versions are missing");
        }
        if self.versions.len() > usize::from(u16::MAX) {
            return Err("too many versions");
        }
        let fits = Fits::new(&self.config, &self.shape, &self.slices, self.statuses.len());
        if !self.versions.iter_mut().flatten().all(|version| fits.adopt(version)) {
            return Err("a version is not of its model's shape");
        }
        self.failed = self.statuses.names().map(|status| self.config.failed.is_match(status)).collect();
        self.join = join;
        self.count_pending()?;
        Ok(self)
    }

    /// Predictions that wait are counted by version: by what waits, and not by what was written of it.
    fn count_pending(&mut self) -> Result<(), &'static str> {
        let Self { join, versions, classes, slices, statuses, .. } = self;
        let classes = classes.vocabulary().len();
        versions.iter_mut().flatten().for_each(|version| version.pending = 0);
        for waiting in join.iter() {
            let is_known = usize::from(waiting.version) < versions.len()
                && usize::from(waiting.class) < classes
                && waiting.half_status.is_none_or(|status| usize::from(status) < statuses.len())
                && slices.iter().zip(waiting.slices).all(|(values, &id)| usize::from(id) <= values.len());
            if !is_known {
                return Err("what waits for its counterpart is of no version, class, status or slice");
            }
            if waiting.is_prediction {
                match &mut versions[usize::from(waiting.version)] {
                    Some(version) => version.pending += 1,
                    None => return Err("a prediction waits whose version has left"),
                }
            }
        }
        Ok(())
    }
}

/// What the states of a version must be like.
struct Fits<'a> {
    config: &'a Config,
    shape: &'a Shape,
    whole: Quality,
    part: Quality,
    values: Vec<usize>,
    statuses: usize,
}

impl<'a> Fits<'a> {
    fn new(config: &'a Config, shape: &'a Shape, slices: &[super::Vocabulary], statuses: usize) -> Self {
        Self {
            whole: Quality::new(config, shape, true),
            part: Quality::new(config, shape, false),
            values: slices.iter().map(super::Vocabulary::len).collect(),
            statuses,
            config,
            shape,
        }
    }

    /// Whether a version is whole; its histograms share their bounds with those of other versions again.
    fn adopt(&self, version: &mut Version) -> bool {
        let Config { windows, window_all, .. } = self.config;
        let shape = self.shape;
        let histograms = [
            (&mut version.latency.histogram, &shape.latency_bounds),
            (&mut version.score, &shape.score_bounds),
            (&mut version.absolute_error, &shape.error_bounds),
            (&mut version.label_delay, &shape.delay_bounds),
        ];
        let scores = version.outcome_score.iter_mut().map(|scores| (scores, &shape.outcome_score_bounds));
        histograms.into_iter().chain(scores).all(|(histogram, bounds)| adopt(histogram, bounds))
            && version.latency.exemplars.len() == shape.latency_bounds.len() + 1
            && version.requests.len() <= self.statuses
            && version.predictions.len() <= shape.classes
            && self.knows(version.cells.as_ref(), &version.quality)
            && ClassTally::default().fits(&version.class_tally)
            && version.class_tally.classes().len() <= shape.classes
            && version.quality.are_of(windows, *window_all, &self.whole)
            && version.coverage.are_of(windows, *window_all, &Default::default())
            && version.slices.len() == self.values.len()
            && version.slices.iter().zip(&self.values).all(|(slices, &values)| {
                slices.len() <= values && slices.iter().flatten().all(|slice| self.is_whole(slice))
            })
    }

    /// Whether all classes that are counted have a name.
    fn knows(&self, cells: Option<&Cells>, windows: &Windows<Quality>) -> bool {
        let classes = self.shape.classes;
        cells.is_none_or(|cells| cells.fits(cells) && cells.classes() <= classes)
            && windows.states().all(|state| state.classes() <= classes)
    }

    fn is_whole(&self, slice: &Slice) -> bool {
        let Config { windows, window_all, .. } = self.config;
        self.knows(slice.cells.as_ref(), &slice.windows)
            && slice.windows.are_of(windows, *window_all, &self.part)
    }
}

fn adopt(histogram: &mut Histogram, bounds: &Arc<[f64]>) -> bool {
    let fits = Histogram::new(bounds.clone()).fits(histogram);
    if fits {
        histogram.share_bounds(bounds);
    }
    fits
}

#[cfg(test)]
mod tests;
