//! The table: a slab of fixed-size entries, an index by key, and queues in order of arrival.
//!
//! A waiting prediction takes 48 bytes, 8 of links and 6 to 12 of index, plus 2 a slice and 8 a scored
//! class: 63 measured in a full table of 100,000, at most 80 while it grows by eighths. Scores are doubles
//! and not 4 bytes a class: log loss and Brier score are promised to 1e-9, and a single's rounding is 6e-8.

use super::entry::{DONE, Entry, HALVES, LABELS, PLACES_MIN, PREDICTIONS, QUEUES, State, is_late, split};
use super::offer::{Half, Label, Offer, Prediction, Settled};
use super::queue::{Links, NONE, Queue};
use super::{Config, Key, Labels};
use crate::time::{Span, Timestamp};
use hashbrown::HashTable;

mod carry;

/// The join of one model.
#[derive(Clone, Debug)]
pub struct Join {
    pub(super) config: Config,
    pub(super) slice_count: usize,
    pub(super) score_count: usize,
    pub(super) entries: Vec<Entry>,
    pub(super) links: Vec<Links>,
    /// `slice_count` ids an entry; 0 is none.
    pub(super) slices: Vec<u16>,
    /// `score_count` scores an entry.
    pub(super) scores: Vec<f64>,
    /// Latency and status that halves brought, an entry each; empty until the first half.
    pub(super) halves: Vec<(f64, Option<u16>)>,
    pub(super) index: HashTable<u32>,
    pub(super) queues: [Queue; QUEUES],
    pub(super) free: u32,
    pub(super) sequence: u32,
    pub(super) labels_waiting: usize,
}

// === impl Join ===

impl Join {
    /// An empty table for predictions with so many slices and class scores each.
    pub fn new(config: Config, slice_count: usize, score_count: usize) -> Self {
        Self {
            config,
            slice_count,
            score_count,
            entries: Vec::new(),
            links: Vec::new(),
            slices: Vec::new(),
            scores: Vec::new(),
            halves: Vec::new(),
            index: HashTable::new(),
            queues: [Queue::EMPTY; QUEUES],
            free: NONE,
            sequence: 0,
            labels_waiting: 0,
        }
    }

    /// Labels that wait for their prediction.
    pub fn labels_waiting(&self) -> usize {
        self.labels_waiting
    }

    /// Entries of every kind, at most `max_pending`.
    pub fn len(&self) -> usize {
        self.queues.iter().map(|queue| queue.length).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.links.capacity() * size_of::<Links>()
            + self.slices.capacity() * size_of::<u16>()
            + self.scores.capacity() * size_of::<f64>()
            + self.halves.capacity() * size_of::<(f64, Option<u16>)>()
            + self.index.allocation_size()
    }

    /// A prediction with its slices and scores. Where it meets a half, slices that it lacks are the
    /// half's; `slices` of the returned entry has the result.
    pub fn predict(
        &mut self,
        key: Key,
        prediction: &Prediction,
        slices: &[u16],
        scores: &[f64],
        clock: Timestamp,
        settle: &mut impl FnMut(Settled),
    ) -> (Offer, u32) {
        let Some(entry) = self.find(key) else {
            let entry = self.insert(key, State::Prediction, prediction.time, settle);
            self.store_prediction(entry, prediction, slices, scores);
            return (Offer::Waits, entry);
        };
        let label = self.entries[entry as usize].label();
        match self.entries[entry as usize].state {
            State::Half => {
                self.requeue(entry, State::Prediction, prediction.time);
                self.store_prediction(entry, prediction, slices, scores);
                (Offer::Waits, entry)
            }
            State::Label if is_late(prediction.time, label.time, self.config.wait) => {
                self.requeue(entry, State::Prediction, prediction.time);
                self.store_prediction(entry, prediction, slices, scores);
                (Offer::MetLateLabel, entry)
            }
            State::Label => {
                self.requeue(entry, State::Joined, clock);
                self.store_prediction(entry, prediction, slices, scores);
                (Offer::MetLabel(label), entry)
            }
            State::Prediction | State::Joined | State::Expired => {
                (Offer::Repeated { version: Some(self.entries[entry as usize].version) }, entry)
            }
        }
    }

    /// A label. After `MetPrediction` the entry's `slices` and `scores` are the prediction's.
    pub fn label(
        &mut self,
        key: Key,
        label: &Label,
        clock: Timestamp,
        settle: &mut impl FnMut(Settled),
    ) -> (Offer, u32) {
        let Some(entry) = self.find(key) else {
            let entry = self.insert(key, State::Label, label.time, settle);
            self.store_label(entry, label);
            return (Offer::Waits, entry);
        };
        let prediction = self.entries[entry as usize].prediction();
        let version = prediction.version;
        let offer = match self.entries[entry as usize].state {
            State::Half => {
                self.requeue(entry, State::Label, label.time);
                self.store_label(entry, label);
                Offer::Waits
            }
            State::Label => Offer::Repeated { version: None },
            State::Joined => Offer::Repeated { version: Some(version) },
            State::Expired => Offer::Late { version },
            State::Prediction if is_late(prediction.time, label.time, self.config.wait) => {
                Offer::Late { version }
            }
            State::Prediction => {
                self.requeue(entry, State::Joined, clock);
                Offer::MetPrediction(prediction)
            }
        };
        (offer, entry)
    }

    /// The half of a request that has no prediction: its slices fill those that the prediction lacks.
    pub fn half(&mut self, key: Key, half: Half, slices: &[u16], settle: &mut impl FnMut(Settled)) -> Offer {
        let found = self.find(key);
        let entry = found.unwrap_or_else(|| {
            let entry = self.insert(key, State::Half, half.time, settle);
            self.slices_mut(entry).fill(0);
            entry
        });
        if std::mem::replace(&mut self.entries[entry as usize].has_half, true) {
            return Offer::Repeated { version: None };
        }
        for (kept, given) in self.slices_mut(entry).iter_mut().zip(slices) {
            if *kept == 0 {
                *kept = *given;
            }
        }
        match self.entries[entry as usize].state {
            State::Half | State::Label => {
                if self.halves.len() < self.entries.len() {
                    self.halves.reserve_exact(self.entries.capacity() - self.halves.len());
                    self.halves.resize(self.entries.len(), (f64::NAN, None));
                }
                self.halves[entry as usize] = (half.latency, half.status);
                Offer::Waits
            }
            State::Prediction | State::Joined | State::Expired => {
                Offer::MetPrediction(self.entries[entry as usize].prediction())
            }
        }
    }

    /// The latency that a half left for the prediction in this entry; seconds.
    pub fn half_latency(&self, entry: u32) -> Option<f64> {
        let (latency, _) = *self.halves.get(entry as usize)?;
        (self.entries[entry as usize].has_half && !latency.is_nan()).then_some(latency)
    }

    /// The status that a half has left for a prediction that is still to come.
    pub fn half_status(&self, key: Key) -> Option<u16> {
        let entry = self.find(key)? as usize;
        let waits = matches!(self.entries[entry].state, State::Half | State::Label);
        if waits && self.entries[entry].has_half { self.halves[entry].1 } else { None }
    }

    /// Whether any half has come yet.
    pub fn has_halves(&self) -> bool {
        !self.halves.is_empty()
    }

    pub fn slices(&self, entry: u32) -> &[u16] {
        let start = entry as usize * self.slice_count;
        &self.slices[start..start + self.slice_count]
    }

    /// Empty where the prediction came without scores.
    pub fn scores(&self, entry: u32) -> &[f64] {
        let start = entry as usize * self.score_count;
        let scores = &self.scores[start..start + self.score_count];
        if scores.first().is_some_and(|first| first.is_nan()) { &[] } else { scores }
    }

    /// Lets go of everything that has waited, or been remembered, for longer than it may.
    pub fn expire(&mut self, clock: Timestamp, settle: &mut impl FnMut(Settled)) {
        let wait = self.config.wait;
        let label_wait = match self.config.labels {
            Labels::Own => wait,
            Labels::Shared { wait } => wait,
        };
        while let Some(entry) = self.overdue(PREDICTIONS, wait, clock) {
            let Entry { version, time, .. } = self.entries[entry as usize];
            let at = time.plus(wait);
            settle(Settled::PredictionExpired { version, at });
            self.requeue(entry, State::Expired, at);
        }
        while let Some(entry) = self.overdue(LABELS, label_wait, clock) {
            settle(Settled::LabelUnmatched);
            self.remove(entry);
        }
        for queue in [HALVES, DONE] {
            while let Some(entry) = self.overdue(queue, wait, clock) {
                self.remove(entry);
            }
        }
    }

    /// Takes every waiting label out: at the end of a replay they are unmatched.
    pub fn end_labels(&mut self, settle: &mut impl FnMut(Settled)) {
        for entry in 0..self.entries.len() as u32 {
            let state = self.entries[entry as usize].state;
            if state == State::Label && self.find(self.entries[entry as usize].key()) == Some(entry) {
                settle(Settled::LabelUnmatched);
                self.remove(entry);
            }
        }
    }

    fn overdue(&self, queue: usize, wait: Span, clock: Timestamp) -> Option<u32> {
        let first = self.queues[queue].first;
        (first != NONE && clock > self.entries[first as usize].time.plus(wait)).then_some(first)
    }

    pub(super) fn find(&self, key: Key) -> Option<u32> {
        let halves = split(key);
        self.index.find(halves[1], |&entry| self.entries[entry as usize].key == halves).copied()
    }

    fn insert(&mut self, key: Key, state: State, time: Timestamp, settle: &mut impl FnMut(Settled)) -> u32 {
        while self.len() >= self.config.max_pending.max(1) {
            self.evict(settle);
        }
        let fresh = Entry {
            key: split(key),
            time,
            value: f64::NAN,
            sequence: self.sequence,
            fingerprint: 0,
            class: 0,
            version: 0,
            state,
            has_half: false,
        };
        let entry = match self.free {
            NONE => self.grow(fresh),
            entry => {
                self.free = self.links[entry as usize].next;
                self.entries[entry as usize] = fresh;
                entry
            }
        };
        let Self { index, entries, .. } = self;
        index.insert_unique(split(key)[1], entry, |&entry| entries[entry as usize].key[1]);
        self.enqueue(entry);
        entry
    }

    /// Adds a place at the end. Room is made by an eighth and never for more than `max_pending`, and not
    /// doubled: what is reserved ahead counts as memory too, and the bound of the configuration is on that.
    pub(super) fn grow(&mut self, fresh: Entry) -> u32 {
        let held = self.entries.len();
        if held == self.entries.capacity() {
            let left = self.config.max_pending.saturating_sub(held).max(1);
            let ahead = (held / 8).max(PLACES_MIN).min(left);
            self.entries.reserve_exact(ahead);
            self.links.reserve_exact(ahead);
            self.slices.reserve_exact(ahead * self.slice_count);
            self.scores.reserve_exact(ahead * self.score_count);
        }
        self.entries.push(fresh);
        self.links.push(Links::UNLINKED);
        self.slices.resize(self.entries.len() * self.slice_count, 0);
        self.scores.resize(self.entries.len() * self.score_count, f64::NAN);
        self.entries.len() as u32 - 1
    }

    pub(super) fn enqueue(&mut self, entry: u32) {
        let at = entry as usize;
        self.entries[at].sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.labels_waiting += usize::from(self.entries[at].state == State::Label);
        self.queues[self.entries[at].queue()].push(&mut self.links, entry);
    }

    fn dequeue(&mut self, entry: u32) {
        let at = entry as usize;
        self.labels_waiting -= usize::from(self.entries[at].state == State::Label);
        self.queues[self.entries[at].queue()].remove(&mut self.links, entry);
    }

    /// Changes what an entry is; it becomes the youngest of its new kind.
    fn requeue(&mut self, entry: u32, state: State, time: Timestamp) {
        self.dequeue(entry);
        self.entries[entry as usize].state = state;
        self.entries[entry as usize].time = time;
        self.enqueue(entry);
    }

    fn remove(&mut self, entry: u32) {
        self.dequeue(entry);
        let key = self.entries[entry as usize].key;
        if let Ok(occupied) = self.index.find_entry(key[1], |&other| other == entry) {
            occupied.remove();
        }
        self.links[entry as usize].next = self.free;
        self.free = entry;
    }

    /// Removes the oldest entry of any kind.
    fn evict(&mut self, settle: &mut impl FnMut(Settled)) {
        let oldest = self
            .queues
            .iter()
            .map(|queue| queue.first)
            .filter(|&first| first != NONE)
            .max_by_key(|&first| self.sequence.wrapping_sub(self.entries[first as usize].sequence));
        let Some(oldest) = oldest else { return };
        let Entry { state, version, .. } = self.entries[oldest as usize];
        match state {
            State::Prediction => settle(Settled::PredictionEvicted { version }),
            State::Label => settle(Settled::LabelUnmatched),
            State::Half | State::Joined | State::Expired => {}
        }
        self.remove(oldest);
    }

    fn store_prediction(&mut self, entry: u32, prediction: &Prediction, slices: &[u16], scores: &[f64]) {
        let at = entry as usize;
        let Prediction { version, class, fingerprint, value, time: _ } = *prediction;
        let stored = &mut self.entries[at];
        (stored.version, stored.class, stored.fingerprint, stored.value) =
            (version, class, fingerprint, value);
        let has_half = stored.has_half;
        for (kept, given) in self.slices_mut(entry).iter_mut().zip(slices) {
            if *given != 0 || !has_half {
                *kept = *given;
            }
        }
        let start = at * self.score_count;
        let kept = &mut self.scores[start..start + self.score_count];
        if scores.len() == kept.len() { kept.copy_from_slice(scores) } else { kept.fill(f64::NAN) }
    }

    fn store_label(&mut self, entry: u32, label: &Label) {
        let stored = &mut self.entries[entry as usize];
        (stored.class, stored.fingerprint, stored.value) = (label.class, label.fingerprint, label.value);
        if !stored.has_half {
            self.slices_mut(entry).fill(0);
        }
    }

    pub(super) fn slices_mut(&mut self, entry: u32) -> &mut [u16] {
        let start = entry as usize * self.slice_count;
        &mut self.slices[start..start + self.slice_count]
    }
}

#[cfg(test)]
mod tests;
