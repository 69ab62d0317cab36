//! The join does what the plainest one does that forgets nothing and is never full.

use super::traffic::{CONFIG, Event, Kind, events};
use super::{labels_by, pending, replay_files, unlabeled_by, whole};
use crate::support::replay_config;
use inference_exporter::status::Status;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// `join.wait` of the configuration, in milliseconds.
const WAIT: u64 = 3_600_000;

/// What is known of one id, since when.
#[derive(Clone, Copy)]
enum Known {
    Prediction(u64),
    Label(u64),
    Joined(u64),
    Expired(u64),
}

/// Counts by what became of predictions and labels, and what is known of every id.
#[derive(Default)]
struct Plain {
    ids: BTreeMap<u8, Known>,
    counts: BTreeMap<&'static str, u64>,
}

impl Plain {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Lets go of what has waited for more than the wait, and of what is done for as long.
    fn expire(&mut self, now: u64) {
        let mut left = BTreeMap::new();
        for (id, known) in std::mem::take(&mut self.ids) {
            let known = match known {
                Known::Prediction(at) if now > at + WAIT => {
                    self.count("expired");
                    Known::Expired(at + WAIT)
                }
                known => known,
            };
            match known {
                Known::Label(at) if now > at + WAIT => self.count("orphan"),
                Known::Joined(at) | Known::Expired(at) if now > at + WAIT => {}
                known => {
                    left.insert(id, known);
                }
            }
        }
        self.ids = left;
    }

    fn take(&mut self, event: &Event) {
        self.expire(event.time);
        if event.kind == Kind::Label {
            return self.take_label(event);
        }
        if !event.predicts() {
            return;
        }
        if event.kind == Kind::Both {
            let result = if event.labels() { "joined" } else { "invalid" };
            self.count(result);
            if event.labels() {
                return;
            }
        }
        match self.ids.get(&event.id) {
            None => {
                self.ids.insert(event.id, Known::Prediction(event.time));
            }
            Some(Known::Label(_)) => {
                self.ids.insert(event.id, Known::Joined(event.time));
                self.count("joined");
            }
            Some(_) => self.count("evicted"),
        }
    }

    fn take_label(&mut self, event: &Event) {
        if !event.labels() {
            return self.count("invalid");
        }
        match self.ids.get(&event.id) {
            None => {
                self.ids.insert(event.id, Known::Label(event.time));
            }
            Some(Known::Prediction(_)) => {
                self.ids.insert(event.id, Known::Joined(event.time));
                self.count("joined");
            }
            Some(Known::Label(_) | Known::Joined(_)) => self.count("duplicate"),
            Some(Known::Expired(_)) => self.count("late"),
        }
    }

    /// The end of a replay at this time.
    fn end(&mut self, now: u64) {
        self.expire(now);
        for known in std::mem::take(&mut self.ids).into_values() {
            match known {
                Known::Prediction(_) => self.count("pending"),
                Known::Label(_) => self.count("orphan"),
                Known::Joined(_) | Known::Expired(_) => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_id_meets_what_it_would_meet_in_the_plainest_join(events in events()) {
        let state = replay_files(&replay_config(CONFIG), &whole(&events), &[]);
        for model in Status::new(&state).models {
            let mut plain = Plain::default();
            events.iter().filter(|event| event.model == model.model).for_each(|event| plain.take(event));
            // Time goes on with the events of other models too.
            plain.end(events.last().map_or(0, |event| event.time));
            let mut found = BTreeMap::new();
            for result in ["joined", "orphan", "duplicate", "late", "invalid"] {
                found.insert(result, labels_by(&model, result));
            }
            for reason in ["expired", "evicted"] {
                found.insert(reason, unlabeled_by(&model, reason));
            }
            found.insert("pending", pending(&model));
            found.retain(|_, count| *count > 0);
            prop_assert_eq!(found, plain.counts, "{}", model.model);
        }
    }
}
