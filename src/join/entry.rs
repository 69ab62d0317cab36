//! One entry of the join: its fixed size is what a waiting prediction costs.

use super::offer::{Label, Prediction};
use super::{Key, UNTIMED};
use crate::time::{Span, Timestamp};

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub(super) enum State {
    Prediction,
    Label,
    Half,
    Joined,
    Expired,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Entry {
    pub(super) key: [u64; 2],
    /// Its event time while it waits; once it is done, when it was.
    pub(super) time: Timestamp,
    pub(super) value: f64,
    /// Order of arrival. It wraps: an untimed entry that has outlived 2^31 others counts as young.
    pub(super) sequence: u32,
    pub(super) fingerprint: u32,
    pub(super) class: u16,
    pub(super) version: u16,
    pub(super) state: State,
    /// Whether a half has left its slices and latency here.
    pub(super) has_half: bool,
}

/// The queues; an entry's state and time name its own.
pub(super) const PREDICTIONS: usize = 0;
pub(super) const LABELS: usize = 1;
pub(super) const HALVES: usize = 2;
pub(super) const DONE: usize = 3;
pub(super) const UNTIMED_ENTRIES: usize = 4;
pub(super) const QUEUES: usize = 5;

/// Places that are added at a time while there are few.
pub(super) const PLACES_MIN: usize = 64;

// === impl Entry ===

impl Entry {
    pub(super) fn queue(&self) -> usize {
        match self.state {
            _ if self.time == UNTIMED => UNTIMED_ENTRIES,
            State::Prediction => PREDICTIONS,
            State::Label => LABELS,
            State::Half => HALVES,
            State::Joined | State::Expired => DONE,
        }
    }

    pub(super) fn key(&self) -> Key {
        let [high, low] = self.key;
        Key(u128::from(high) << 64 | u128::from(low))
    }

    pub(super) fn prediction(&self) -> Prediction {
        Prediction {
            time: self.time,
            version: self.version,
            class: self.class,
            fingerprint: self.fingerprint,
            value: self.value,
        }
    }

    pub(super) fn label(&self) -> Label {
        Label { time: self.time, class: self.class, fingerprint: self.fingerprint, value: self.value }
    }
}

/// The halves of a key: an entry aligned to 16 bytes would be 64 bytes long.
pub(super) fn split(key: Key) -> [u64; 2] {
    [(key.0 >> 64) as u64, key.0 as u64]
}

/// Whether a label is too late for a prediction; without both times nothing is late.
pub(super) fn is_late(prediction: Timestamp, label: Timestamp, wait: Span) -> bool {
    prediction != UNTIMED && label != UNTIMED && label > prediction.plus(wait)
}
