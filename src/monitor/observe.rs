//! What an event changes: the only place where a monitor's states are written.

use super::binding::{Binding, Role};
use super::classes::{Class, POSITIVE};
use super::outcome::Settled;
use super::tally::LabelResult;
use super::version::Version;
use super::vocabulary::FOLDED;
use super::{Moment, Monitor, Task, series, settle};
use crate::accumulator::errors::MAGNITUDE_MAX;
use crate::event::mapping::{Role as Field, ValueTally};
use crate::event::{Event, Id};
use crate::join::{self, Half, Label, Offer, Prediction, key};
use crate::record::Value;
use crate::time::Timestamp;

/// A prediction as the model understands it.
#[derive(Clone, Copy)]
struct Given {
    class: Class,
    /// Classifiers: the score, NaN where there is none. Regression: the predicted number.
    value: f64,
}

impl Monitor {
    /// Takes in one event of a log that is bound to this model. `scores` are the log's, in its order.
    pub fn observe(
        &mut self,
        event: &Event<'_>,
        scores: &[f64],
        binding: &Binding,
        moment: Moment,
        values: &mut ValueTally,
    ) {
        match binding.role {
            Role::Labels => self.take_label(event, moment, values),
            Role::Requests => {
                self.count_request(event, moment);
            }
            Role::Halves => self.take_half(event, binding, moment),
            Role::Predictions => {
                self.order_scores(scores, binding);
                if is_label_alone(event, scores) {
                    return self.take_label(event, moment, values);
                }
                let version = self.count_request(event, moment);
                if let Some(given) = self.read_prediction(event, values) {
                    self.take_prediction(version, given, event, binding, moment, values);
                }
            }
        }
    }

    /// Brings the log's scores into the model's order; none where one is missing.
    fn order_scores(&mut self, scores: &[f64], binding: &Binding) {
        self.scores.clear();
        if let Some(places) = &binding.scores
            && !scores.is_empty()
        {
            self.scores.extend(places.iter().map(|&place| scores[place]));
        }
    }

    fn count_request(&mut self, event: &Event<'_>, moment: Moment) -> u16 {
        let id = self.version_id(event.version, moment.at);
        let (status, failed) = match event.status {
            Some(status) => {
                let (status, failed) = self.status_id(status);
                (Some(status), failed)
            }
            // A half that failed was counted when it came.
            None => (self.status_of_half(event), false),
        };
        let version = self.version_mut(id);
        version.see(moment.at);
        match status {
            Some(status) => version.count_request(status, failed),
            None => version.requests_unnamed += 1,
        }
        if let Some(seconds) = event.latency {
            version.observe_latency(seconds, event.trace_id, moment.at);
        }
        id
    }

    /// The status that the other half of this request has left, if that came first.
    fn status_of_half(&self, event: &Event<'_>) -> Option<u16> {
        let id = event.id.filter(|_| self.join.has_halves())?;
        self.join.half_status(self.secret.key(id))
    }

    fn status_id(&mut self, status: &str) -> (u16, bool) {
        if let Some(id) = self.statuses.find(status) {
            return (id, self.failed[usize::from(id)]);
        }
        let room = !self.statuses.is_full() && series::room_for_status(self);
        let id = self.statuses.intern(status, || room);
        if id == FOLDED {
            return (id, self.config.failed.is_match(status));
        }
        if self.failed.len() <= usize::from(id) {
            self.failed.push(self.config.failed.is_match(status));
        }
        (id, self.failed[usize::from(id)])
    }

    /// The id of a version, a new one where it is new and within the limits; else that of `__other__`.
    fn version_id(&mut self, name: &str, at: Timestamp) -> u16 {
        let is = |version: &Option<Box<Version>>| version.as_ref().is_some_and(|one| *one.name == *name);
        if is(&self.versions[usize::from(self.version_last)]) {
            return self.version_last;
        }
        let known = self.versions.iter().skip(1).position(is).map(|position| position + 1);
        let id = known.unwrap_or_else(|| self.add_version(name, at));
        self.version_last = id as u16;
        self.version_last
    }

    fn add_version(&mut self, name: &str, at: Timestamp) -> usize {
        let limits = &self.config.limits;
        let live = self.versions.iter().skip(1).flatten().count();
        let fits = live < limits.versions
            && name.len() <= limits.value_length
            && self.versions.len() < usize::from(u16::MAX);
        let (id, name) = if fits && series::room_for_version(self) {
            (self.versions.len(), name)
        } else {
            self.versions_folded += 1;
            (usize::from(FOLDED), crate::limits::OTHER)
        };
        if id == self.versions.len() {
            self.versions.push(None);
        }
        if self.versions[id].is_none() {
            self.shape.classes = self.classes.vocabulary().len();
            self.versions[id] = Some(Box::new(Version::new(name, at, &self.config, &self.shape)));
        }
        id
    }

    pub(super) fn version_mut(&mut self, id: u16) -> &mut Version {
        match &mut self.versions[usize::from(id)] {
            Some(version) => version,
            None => unreachable!("a version stays while anything of it is pending"),
        }
    }

    fn read_prediction(&mut self, event: &Event<'_>, values: &mut ValueTally) -> Option<Given> {
        let absent = matches!(event.prediction, Value::Missing | Value::Null);
        let score = event.score.unwrap_or(f64::NAN);
        let given = match self.config.task {
            Task::Regression if absent => return None,
            Task::Regression => event
                .prediction
                .as_f64()
                .filter(|number| number.abs() <= MAGNITUDE_MAX)
                .map(|value| Given { class: Class { id: FOLDED, fingerprint: 0 }, value }),
            Task::Binary { threshold, .. } if absent => {
                let score = event.score?;
                let class = if score >= threshold { POSITIVE } else { super::classes::NEGATIVE };
                return Some(Given { class, value: score });
            }
            Task::Binary { .. } => self.class(event.prediction).map(|class| Given { class, value: score }),
            Task::Multiclass { .. } if absent => {
                let place = argmax(&self.scores)?;
                let class = Class { id: self.scored[place], fingerprint: 0 };
                return Some(Given { class, value: self.scores[place] });
            }
            Task::Multiclass { .. } => self.class(event.prediction).map(|class| {
                let place = self.score_places.get(usize::from(class.id)).copied().flatten();
                let own = place.and_then(|place| self.scores.get(usize::from(place)));
                Given { class, value: own.copied().unwrap_or(score) }
            }),
        };
        if given.is_none() {
            values.count_invalid(Field::Prediction);
        }
        given
    }

    pub(super) fn class(&mut self, value: Value<'_>) -> Option<Class> {
        if let Some(class) = self.classes.find(value) {
            return Some(class);
        }
        let known = self.classes.vocabulary().len();
        let room = !self.series_full && !self.classes.vocabulary().is_full();
        let fits = room && series::room_for_class(self);
        let class = self.classes.resolve(value, || fits);
        if self.classes.vocabulary().len() > known {
            self.shape.classes = self.classes.vocabulary().len();
        }
        class
    }

    fn read_label(&mut self, event: &Event<'_>, at: Timestamp) -> Option<Label> {
        let (class, value) = match self.config.task {
            Task::Regression => {
                let value = event.label.as_f64().filter(|number| number.abs() <= MAGNITUDE_MAX)?;
                (Class { id: FOLDED, fingerprint: 0 }, value)
            }
            Task::Binary { .. } | Task::Multiclass { .. } => (self.class(event.label)?, f64::NAN),
        };
        Some(Label { time: at, class: class.id, fingerprint: class.fingerprint, value })
    }

    fn take_prediction(
        &mut self,
        version: u16,
        given: Given,
        event: &Event<'_>,
        binding: &Binding,
        moment: Moment,
        values: &mut ValueTally,
    ) {
        let classifies = !matches!(self.config.task, Task::Regression);
        let score = (classifies && !given.value.is_nan()).then_some(given.value);
        self.version_mut(version).count_prediction(given.class, score);
        self.read_slices(event, binding);
        let prediction = Prediction {
            time: moment.at,
            version,
            class: given.class.id,
            fingerprint: given.class.fingerprint,
            value: given.value,
        };
        if !matches!(event.label, Value::Missing | Value::Null) {
            if let Some(label) = self.read_label(event, moment.at) {
                let (slices, scores) =
                    (std::mem::take(&mut self.slice_ids), std::mem::take(&mut self.scores));
                self.count_outcome(&Settled { prediction, slices: &slices, scores: &scores, label });
                (self.slice_ids, self.scores) = (slices, scores);
                return;
            }
            values.count_invalid(Field::Label);
            self.version_mut(version).count_label(LabelResult::Invalid);
        }
        if let Some(id) = event.id
            && self.config.expects_labels
        {
            self.join_prediction(id, prediction, event, moment);
        }
    }

    fn join_prediction(&mut self, id: Id<'_>, prediction: Prediction, event: &Event<'_>, moment: Moment) {
        let Some(key) = self.sampled_key(id) else { return };
        let config = self.config.join;
        let version = prediction.version;
        let Self { join, versions, labels, slice_ids, scores, .. } = self;
        let (offer, entry) =
            join.predict(key, &prediction, slice_ids, scores, moment.clock, &mut |settled| {
                settle(settled, versions, labels, &config, moment.clock)
            });
        if !matches!(offer, Offer::Repeated { .. })
            && let Some(seconds) = self.join.half_latency(entry)
        {
            self.version_mut(version).observe_latency(seconds, event.trace_id, moment.at);
        }
        match offer {
            Offer::Waits => self.version_mut(version).pending += 1,
            Offer::MetLateLabel => {
                let seen = self.version_mut(version);
                seen.pending += 1;
                seen.count_label(LabelResult::Late);
            }
            Offer::MetLabel(label) => self.count_joined(entry, prediction, label),
            Offer::Repeated { .. } => {
                self.version_mut(version).count_unlabeled(super::tally::Unlabeled::Evicted, moment.clock);
            }
            Offer::MetPrediction(_) | Offer::Late { .. } => unreachable!("these answer a label"),
        }
    }

    fn take_label(&mut self, event: &Event<'_>, moment: Moment, values: &mut ValueTally) {
        if matches!(event.label, Value::Missing | Value::Null) {
            return;
        }
        let (Some(id), Some(label)) = (event.id, self.read_label(event, moment.at)) else {
            values.count_invalid(Field::Label);
            self.labels[LabelResult::Invalid as usize] += 1;
            return;
        };
        let Some(key) = self.sampled_key(id) else {
            self.labels[LabelResult::Unsampled as usize] += 1;
            return;
        };
        let config = self.config.join;
        let Self { join, versions, labels, .. } = self;
        let (offer, entry) = join.label(key, &label, moment.clock, &mut |settled| {
            settle(settled, versions, labels, &config, moment.clock);
        });
        match offer {
            Offer::Waits => {}
            Offer::MetPrediction(prediction) => {
                self.version_mut(prediction.version).pending -= 1;
                self.count_joined(entry, prediction, label);
            }
            Offer::Late { version } => self.count_label(Some(version), LabelResult::Late),
            Offer::Repeated { version } => self.count_label(version, LabelResult::Duplicate),
            Offer::MetLabel(_) | Offer::MetLateLabel => unreachable!("these answer a prediction"),
        }
    }

    /// The key of an id that is joined: one that is sampled, or of which something is known since before the
    /// sample was lowered.
    fn sampled_key(&self, id: Id<'_>) -> Option<join::Key> {
        let key = self.secret.key(id);
        let sample = self.config.join.sample;
        (sample >= 1.0 || key::is_sampled(id, sample) || self.join.holds(key)).then_some(key)
    }

    /// Counts what became of a label by its version, where that is known and still here.
    fn count_label(&mut self, version: Option<u16>, result: LabelResult) {
        match version.and_then(|version| self.versions[usize::from(version)].as_mut()) {
            Some(version) => version.count_label(result),
            None => self.labels[result as usize] += 1,
        }
    }

    /// The half of a request that has no prediction. One that failed will get none, so it counts at once.
    fn take_half(&mut self, event: &Event<'_>, binding: &Binding, moment: Moment) {
        let status = event.status.map(|status| self.status_id(status));
        let Some(id) = event.id.filter(|_| !status.is_some_and(|(_, failed)| failed)) else {
            self.count_request(event, moment);
            return;
        };
        self.read_slices(event, binding);
        let config = self.config.join;
        let half = Half {
            time: moment.at,
            latency: event.latency.unwrap_or(f64::NAN),
            status: status.map(|(status, _)| status),
        };
        let Self { join, versions, labels, slice_ids, .. } = self;
        let offer = join.half(self.secret.key(id), half, slice_ids, &mut |settled| {
            settle(settled, versions, labels, &config, moment.clock);
        });
        if let Offer::MetPrediction(prediction) = offer
            && let Some(seconds) = event.latency
            && let Some(version) = &mut self.versions[usize::from(prediction.version)]
        {
            version.observe_latency(seconds, event.trace_id, moment.at);
        }
    }

    /// The ids of the event's slice values, plus one, so that 0 is none.
    fn read_slices(&mut self, event: &Event<'_>, binding: &Binding) {
        self.slice_ids.clear();
        for (by, field) in binding.slices.iter().enumerate() {
            let text = field.and_then(|field| event.value(field).as_text()).filter(|text| !text.is_empty());
            let fits = !self.series_full;
            self.slice_ids.push(text.map_or(0, |text| self.slices[by].intern(text, || fits) + 1));
        }
    }
}

/// A record of a log of predictions that has nothing but a label.
fn is_label_alone(event: &Event<'_>, scores: &[f64]) -> bool {
    !matches!(event.label, Value::Missing | Value::Null)
        && matches!(event.prediction, Value::Missing | Value::Null)
        && event.score.is_none()
        && scores.is_empty()
        && event.status.is_none()
        && event.latency.is_none()
}

/// The first of the highest scores, as numpy's argmax has it.
fn argmax(scores: &[f64]) -> Option<usize> {
    let mut best = 0;
    for (place, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = place;
        }
    }
    (!scores.is_empty()).then_some(best)
}
