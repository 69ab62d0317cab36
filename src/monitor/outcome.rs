//! What a labelled prediction changes: counters, windows and slices of its version.

use super::classes::{Class, POSITIVE};
use super::quality::Outcome;
use super::version::{Slice, Version};
use super::vocabulary::FOLDED;
use super::{Monitor, Task, series};
use crate::accumulator::ClassOutcome;
use crate::accumulator::errors::Residual;
use crate::accumulator::scores::ScoreTerms;
use crate::join::{Label, Prediction, UNTIMED};
use crate::time::Timestamp;

/// A labelled prediction, with what its slices and scores were when it was made.
pub(super) struct Settled<'a> {
    pub(super) prediction: Prediction,
    pub(super) slices: &'a [u16],
    pub(super) scores: &'a [f64],
    pub(super) label: Label,
}

impl Monitor {
    pub(super) fn count_joined(&mut self, entry: u32, prediction: Prediction, label: Label) {
        // The join keeps the entry's slices and scores until the entry is used again.
        let mut slices = std::mem::take(&mut self.slice_ids);
        slices.clear();
        slices.extend_from_slice(self.join.slices(entry));
        let mut scores = std::mem::take(&mut self.scores);
        scores.clear();
        scores.extend_from_slice(self.join.scores(entry));
        self.count_outcome(&Settled { prediction, slices: &slices, scores: &scores, label });
        (self.slice_ids, self.scores) = (slices, scores);
    }

    pub(super) fn count_outcome(&mut self, settled: &Settled<'_>) {
        let Settled { prediction, slices, label, .. } = settled;
        // The time of the record that completes the outcome; in live work both are known.
        let at = completion(prediction.time, label.time);
        let timed = prediction.time != UNTIMED && label.time != UNTIMED;
        let delay = timed.then(|| label.time.since(prediction.time).as_seconds());
        let mut terms = std::mem::take(&mut self.terms);
        let outcome = self.outcome(settled, &mut terms);
        let version = self.version_mut(prediction.version);
        if at != UNTIMED {
            version.last_label = version.last_label.max(at);
        }
        version.count_outcome(outcome, at, delay);
        for (by, &value) in slices.iter().enumerate() {
            if let Some(value) = value.checked_sub(1) {
                self.count_slice(prediction.version, by, value, outcome, at);
            }
        }
        self.terms = terms;
    }

    fn outcome<'a>(&self, settled: &Settled<'a>, terms: &'a mut ScoreTerms) -> Outcome<'a> {
        let Settled { prediction, scores, label, .. } = settled;
        if matches!(self.config.task, Task::Regression) {
            return Outcome::Number(Residual { prediction: prediction.value, label: label.value });
        }
        let predicted = Class { id: prediction.class, fingerprint: prediction.fingerprint };
        let actual = Class { id: label.class, fingerprint: label.fingerprint };
        let (predicted, actual) = self.classes.reconcile(predicted, actual);
        let score = (!prediction.value.is_nan()).then_some(prediction.value);
        let outcome = ClassOutcome {
            predicted: predicted.id,
            actual: actual.id,
            correct: predicted.is(actual),
            score,
            scores,
            actual_score: self.score_places.get(usize::from(actual.id)).copied().flatten(),
            positive: actual.id == POSITIVE.id,
        };
        match (&self.config.task, score) {
            (Task::Binary { .. }, Some(score)) => terms.set_binary(score, outcome.positive),
            (Task::Multiclass { .. }, Some(_)) => terms.set_multiclass(&outcome),
            _ => return Outcome::Class { outcome, terms: None },
        }
        Outcome::Class { outcome, terms: Some(terms) }
    }

    fn count_slice(&mut self, version: u16, by: usize, value: u16, outcome: Outcome<'_>, at: Timestamp) {
        let missing = |version: &Version, value: u16| {
            version.slices[by].get(usize::from(value)).is_none_or(Option::is_none)
        };
        let mut value = value;
        if missing(self.version_mut(version), value) && value != FOLDED && !series::room_for_slice(self) {
            self.series_full = true;
            self.slices_folded += 1;
            value = FOLDED;
        }
        let at_value = usize::from(value);
        let Some(seen) = &mut self.versions[usize::from(version)] else { return };
        let values = &mut seen.slices[by];
        if values.len() <= at_value {
            values.resize(at_value + 1, None);
        }
        let slice = values[at_value].get_or_insert_with(|| Box::new(Slice::new(&self.config, &self.shape)));
        slice.count_outcome(outcome, at);
    }
}

/// When an outcome was complete: the later of its two times, `UNTIMED` where neither has one.
fn completion(prediction: Timestamp, label: Timestamp) -> Timestamp {
    match (prediction, label) {
        (UNTIMED, time) | (time, UNTIMED) => time,
        (prediction, label) => prediction.max(label),
    }
}
