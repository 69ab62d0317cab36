//! Tests of the join: each rule by name, then the whole against a model that is plainly right.

use super::*;
use crate::join::{UNTIMED, Waiting};
use proptest::prelude::*;
use std::collections::BTreeMap;

const WAIT: i64 = 10;
const SLICES: usize = 2;
const SCORES: usize = 2;

fn config(max_pending: usize) -> Config {
    Config { wait: Span::from_seconds(WAIT), max_pending, labels: Labels::Own, sample: 1.0 }
}

fn join(max_pending: usize) -> Join {
    Join::new(config(max_pending), SLICES, SCORES)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn prediction(time: Timestamp, version: u16) -> Prediction {
    Prediction { time, version, class: version + 100, fingerprint: u32::from(version) + 200, value: 0.25 }
}

fn label(time: Timestamp, class: u16) -> Label {
    Label { time, class, fingerprint: u32::from(class) + 300, value: 0.75 }
}

/// A join and what has left it, so that a test reads as the events it is about.
struct Table {
    join: Join,
    settled: Vec<Settled>,
}

impl Table {
    fn new(max_pending: usize) -> Self {
        Self { join: join(max_pending), settled: Vec::new() }
    }

    fn shared(wait: i64) -> Self {
        let labels = Labels::Shared { wait: Span::from_seconds(wait) };
        let join = Join::new(Config { labels, ..config(100) }, SLICES, SCORES);
        Self { join, settled: Vec::new() }
    }

    fn predict(&mut self, id: u128, time: Timestamp) -> Offer {
        self.predict_with(id, time, &[1, 2]).0
    }

    fn predict_with(&mut self, id: u128, time: Timestamp, slices: &[u16]) -> (Offer, u32) {
        let Self { join, settled } = self;
        join.predict(Key(id), &prediction(time, 7), slices, &[0.5, 0.5], time, &mut |one| settled.push(one))
    }

    fn label(&mut self, id: u128, time: Timestamp) -> Offer {
        self.label_as(id, time, 1)
    }

    fn label_as(&mut self, id: u128, time: Timestamp, class: u16) -> Offer {
        let Self { join, settled } = self;
        join.label(Key(id), &label(time, class), time, &mut |one| settled.push(one)).0
    }

    fn half(&mut self, id: u128, time: Timestamp, latency: f64, slices: &[u16]) -> Offer {
        let Self { join, settled } = self;
        join.half(Key(id), Half { time, latency, status: None }, slices, &mut |one| settled.push(one))
    }

    fn expire(&mut self, clock: Timestamp) -> Vec<Settled> {
        let Self { join, settled } = self;
        join.expire(clock, &mut |one| settled.push(one));
        std::mem::take(settled)
    }
}

const LATE: Offer = Offer::Late { version: 7 };
const DUPLICATE: Offer = Offer::Repeated { version: Some(7) };
const EVICTED: Settled = Settled::PredictionEvicted { version: 7 };

fn expired(at_seconds: i64) -> Settled {
    Settled::PredictionExpired { version: 7, at: at(at_seconds) }
}

fn met_prediction(seconds: i64) -> Offer {
    Offer::MetPrediction(prediction(at(seconds), 7))
}

#[test]
fn a_half_that_comes_first_leaves_its_status_for_the_prediction() {
    for with_label in [false, true] {
        let Table { mut join, .. } = Table::new(10);
        let half = Half { time: at(1), latency: 0.5, status: Some(7) };
        assert!(!join.has_halves());
        join.half(Key(1), half, &[0, 0], &mut |_| {});
        assert!(join.has_halves());
        if with_label {
            join.label(Key(1), &label(at(2), 1), at(2), &mut |_| {});
        }
        assert_eq!((join.half_status(Key(1)), join.half_status(Key(2))), (Some(7), None));
        join.predict(Key(1), &prediction(at(3), 7), &[0, 0], &[], at(3), &mut |_| {});
        // A second request of the same id is another one.
        assert_eq!(join.half_status(Key(1)), None);
    }
}

#[test]
fn a_label_of_exactly_wait_is_in_time_and_one_a_nanosecond_later_is_late_in_both_orders() {
    let last = at(WAIT);
    let late = Timestamp::from_nanos(last.as_nanos() + 1);
    let mut table = Table::new(100);
    assert_eq!(table.predict(1, at(0)), Offer::Waits);
    assert_eq!(table.label(1, last), met_prediction(0));
    assert_eq!(table.predict(2, at(0)), Offer::Waits);
    assert_eq!(table.label(2, late), LATE);
    assert_eq!(table.label(3, last), Offer::Waits);
    assert_eq!(table.predict(3, at(0)), Offer::MetLabel(label(last, 1)));
    assert_eq!(table.label(4, late), Offer::Waits);
    assert_eq!(table.predict(4, at(0)), Offer::MetLateLabel);
}

#[test]
fn a_prediction_that_waited_exactly_wait_has_not_expired() {
    let mut table = Table::new(100);
    table.predict(1, at(0));
    assert_eq!(table.expire(at(WAIT)), []);
    assert_eq!(table.expire(Timestamp::from_nanos(at(WAIT).as_nanos() + 1)), [expired(WAIT)]);
}

#[test]
fn a_prediction_expires_at_its_own_time_however_late_that_is_noticed() {
    let mut table = Table::new(100);
    table.predict(1, at(3));
    assert_eq!(table.expire(at(15)), [expired(3 + WAIT)]);
}

#[test]
fn a_late_label_leaves_its_prediction_to_a_label_in_time_and_to_expiry() {
    let mut table = Table::new(100);
    table.predict(1, at(0));
    table.predict(2, at(0));
    assert_eq!(table.label(1, at(WAIT + 1)), LATE);
    assert_eq!(table.label(2, at(WAIT + 1)), LATE);
    assert_eq!(table.label(1, at(WAIT)), met_prediction(0));
    assert_eq!(table.expire(at(WAIT + 1)), [expired(WAIT)]);
}

#[test]
fn the_first_label_wins_and_the_second_is_a_duplicate() {
    let mut table = Table::new(100);
    table.predict(1, at(0));
    assert_eq!(table.label_as(1, at(1), 1), met_prediction(0));
    assert_eq!(table.label_as(1, at(2), 2), DUPLICATE);
    // Before the prediction: neither's version is known yet.
    assert_eq!(table.label_as(2, at(1), 1), Offer::Waits);
    assert_eq!(table.label_as(2, at(2), 2), Offer::Repeated { version: None });
    assert_eq!(table.predict(2, at(3)), Offer::MetLabel(label(at(1), 1)));
    assert_eq!(table.label_as(2, at(4), 2), DUPLICATE);
}

#[test]
fn a_label_after_expiry_is_late_until_the_id_is_forgotten() {
    let mut table = Table::new(100);
    table.predict(1, at(0));
    assert_eq!(table.expire(at(WAIT + 1)), [expired(WAIT)]);
    assert_eq!(table.label(1, at(WAIT + 1)), LATE);
    // What has been counted as lost stays lost, whatever time the label says.
    assert_eq!(table.label(1, at(1)), LATE);
    assert_eq!(table.expire(at(2 * WAIT)), []);
    assert_eq!(table.label(1, at(2 * WAIT)), LATE);
    assert_eq!(table.expire(at(2 * WAIT + 1)), []);
    assert!(table.join.is_empty());
    assert_eq!(table.label(1, at(2 * WAIT + 1)), Offer::Waits);
}

#[test]
fn a_joined_id_is_forgotten_after_wait() {
    let mut table = Table::new(100);
    table.predict(1, at(0));
    table.label(1, at(5));
    table.expire(at(5 + WAIT));
    assert_eq!(table.label(1, at(5 + WAIT)), DUPLICATE);
    table.expire(at(6 + WAIT));
    assert!(table.join.is_empty());
    assert_eq!(table.predict(1, at(6 + WAIT)), Offer::Waits);
}

#[test]
fn a_label_that_meets_nothing_within_wait_is_unmatched() {
    let mut table = Table::new(100);
    table.label(1, at(0));
    assert_eq!(table.join.labels_waiting(), 1);
    assert_eq!(table.expire(at(WAIT)), []);
    assert_eq!(table.expire(at(WAIT + 1)), [Settled::LabelUnmatched]);
    assert_eq!((table.join.labels_waiting(), table.join.len()), (0, 0));
}

#[test]
fn a_shared_label_waits_for_its_own_wait_and_predictions_for_theirs() {
    let mut table = Table::shared(2);
    table.label(1, at(0));
    table.predict(2, at(0));
    assert_eq!(table.expire(at(2)), []);
    assert_eq!(table.expire(at(3)), [Settled::LabelUnmatched]);
    assert_eq!(table.label(2, at(9)), met_prediction(0));
}

#[test]
fn a_second_prediction_of_an_id_is_repeated_whatever_became_of_the_first() {
    let mut table = Table::new(100);
    table.predict(1, at(0));
    assert_eq!(table.predict(1, at(1)), DUPLICATE);
    table.label(1, at(2));
    assert_eq!(table.predict(1, at(3)), DUPLICATE);
    table.predict(2, at(0));
    table.expire(at(WAIT + 1));
    assert_eq!(table.predict(2, at(WAIT + 1)), DUPLICATE);
}

#[test]
fn halves_merge_in_both_orders_and_fill_the_slices_that_the_prediction_lacks() {
    for half_first in [true, false] {
        let mut table = Table::new(100);
        let entry = if half_first {
            assert_eq!(table.half(1, at(0), 0.5, &[8, 9]), Offer::Waits);
            let (offer, entry) = table.predict_with(1, at(1), &[0, 2]);
            assert_eq!(offer, Offer::Waits);
            assert_eq!(table.join.half_latency(entry), Some(0.5));
            entry
        } else {
            let (_, entry) = table.predict_with(1, at(1), &[0, 2]);
            assert_eq!(table.join.half_latency(entry), None);
            assert_eq!(table.half(1, at(2), 0.5, &[8, 9]), met_prediction(1));
            entry
        };
        assert_eq!(table.join.slices(entry), [8, 2], "half first: {half_first}");
        assert_eq!(table.half(1, at(2), 0.5, &[3, 3]), Offer::Repeated { version: None });
        assert_eq!(table.label(1, at(3)), met_prediction(1));
        assert_eq!(table.join.slices(entry), [8, 2], "half first: {half_first}");
        assert_eq!(table.join.scores(entry), [0.5, 0.5]);
    }
}

#[test]
fn a_label_between_two_halves_keeps_what_the_half_said() {
    for half_first in [true, false] {
        let mut table = Table::new(100);
        if half_first {
            table.half(1, at(0), 0.5, &[8, 9]);
            assert_eq!(table.label(1, at(1)), Offer::Waits);
        } else {
            table.label(1, at(1));
            assert_eq!(table.half(1, at(0), 0.5, &[8, 9]), Offer::Waits);
        }
        let (offer, entry) = table.predict_with(1, at(2), &[0, 2]);
        assert_eq!(offer, Offer::MetLabel(label(at(1), 1)));
        assert_eq!(table.join.slices(entry), [8, 2]);
        assert_eq!(table.join.half_latency(entry), Some(0.5));
    }
}

#[test]
fn a_place_that_is_used_again_remembers_nothing_of_the_entry_before() {
    let mut table = Table::new(100);
    table.half(1, at(0), 0.5, &[8, 9]);
    table.expire(at(WAIT + 1));
    let (_, entry) = table.predict_with(2, at(WAIT + 1), &[0, 0]);
    assert_eq!(entry, 0, "the place of the half is free again");
    assert_eq!(table.join.slices(entry), [0, 0]);
    assert_eq!(table.join.half_latency(entry), None);
    table.expire(at(4 * WAIT));
    table.expire(at(4 * WAIT));
    assert_eq!(table.half(3, at(4 * WAIT), f64::NAN, &[0, 0]), Offer::Waits);
    let (_, entry) = table.predict_with(3, at(4 * WAIT), &[0, 0]);
    assert_eq!((entry, table.join.half_latency(entry)), (0, None));
}

#[test]
fn a_prediction_without_scores_has_none() {
    let mut table = Table::new(100);
    let mut ignore = |_| unreachable!("nothing leaves");
    let (_, entry) = table.join.predict(Key(1), &prediction(at(0), 7), &[1, 2], &[], at(0), &mut ignore);
    assert_eq!(table.join.scores(entry), [0.0; 0]);
}

#[test]
fn the_oldest_entry_of_any_kind_makes_room() {
    let mut table = Table::new(4);
    table.half(1, at(0), 0.5, &[0, 0]);
    table.label(2, at(0));
    table.predict(3, at(0));
    table.predict(4, UNTIMED);
    let mut room_for = |id| {
        table.predict(id, at(1));
        assert_eq!(table.join.len(), 4);
        std::mem::take(&mut table.settled)
    };
    assert_eq!(room_for(10), [], "a half leaves without being counted");
    assert_eq!(room_for(11), [Settled::LabelUnmatched]);
    assert_eq!(room_for(12), [EVICTED]);
    assert_eq!(room_for(13), [EVICTED], "an untimed prediction is no exception");
    assert_eq!(table.join.labels_waiting(), 0);
}

#[test]
fn a_remembered_id_makes_room_in_its_turn_and_counts_as_nothing() {
    let mut table = Table::new(2);
    table.predict(1, at(0));
    table.predict(2, at(0));
    table.label(1, at(1));
    // Joining made id 1 the youngest, so prediction 2 is the oldest now.
    assert_eq!(table.label(3, at(1)), Offer::Waits);
    assert_eq!(std::mem::take(&mut table.settled), [EVICTED]);
    table.predict(4, at(1));
    assert_eq!(table.settled, []);
    assert_eq!(table.label(1, at(1)), Offer::Waits, "id 1 is forgotten");
}

#[test]
fn what_has_no_time_never_expires_and_is_never_late() {
    let mut table = Table::new(100);
    table.predict(1, UNTIMED);
    table.label(2, UNTIMED);
    table.half(3, UNTIMED, 0.5, &[0, 0]);
    table.predict(4, at(0));
    assert_eq!(table.label(4, UNTIMED), met_prediction(0));
    assert_eq!(table.expire(Timestamp::from_nanos(i64::MAX - 1)), []);
    assert_eq!(table.join.len(), 4, "id 4 was done at no time, so it is kept too");
    assert_eq!(table.label(1, at(1_000_000)), Offer::MetPrediction(prediction(UNTIMED, 7)));
    assert_eq!(table.predict(2, at(0)), Offer::MetLabel(label(UNTIMED, 1)));
}

#[test]
fn at_the_end_waiting_labels_are_unmatched_and_predictions_stay() {
    let mut table = Table::new(100);
    table.predict(1, at(0));
    table.label(2, at(0));
    table.label(3, UNTIMED);
    table.label(4, at(0));
    table.predict(4, at(0));
    let Table { join, settled } = &mut table;
    join.end_labels(&mut |one| settled.push(one));
    assert_eq!(settled, &[Settled::LabelUnmatched; 2]);
    assert_eq!((table.join.labels_waiting(), table.join.len()), (0, 2));
}

#[test]
fn what_waits_has_other_columns_when_they_are_rearranged() {
    let mut table = Table::new(1000);
    for id in 0..100 {
        table.predict_with(id, at(0), &[id as u16, 7]);
    }
    table.join.rearrange(&[Some(1), None, Some(0)], &[Some(1), None]);
    // Places that are added later have the new columns too.
    for id in 100..200 {
        table.join.predict(Key(id), &prediction(at(0), 7), &[1, 2, 3], &[0.5, 0.25], at(0), &mut |_| {});
    }
    for id in 0..200_u128 {
        let (offer, entry) = table.join.label(Key(id), &label(at(1), 1), at(1), &mut |_| {});
        assert_eq!(offer, met_prediction(0));
        let slices = if id < 100 { [7, 0, id as u16] } else { [1, 2, 3] };
        assert_eq!(table.join.slices(entry), slices);
        assert_eq!(table.join.scores(entry), if id < 100 { &[][..] } else { &[0.5, 0.25] });
    }
    table.join.rearrange(&[], &[Some(1)]);
    assert_eq!((table.join.slices(0), table.join.scores(150)), (&[][..], &[0.25][..]));
    table.join.rearrange(&[None], &[]);
    assert_eq!((table.join.slices(0), table.join.scores(150)), (&[0][..], &[][..]));
}

#[test]
fn what_is_refused_leaves_and_the_rest_waits_on_in_its_order() {
    let mut table = Table::new(100);
    for id in 0..6 {
        table.predict(id, at(id as i64));
    }
    table.label(6, at(6));
    table.label_as(7, at(7), 2);
    table.predict(8, UNTIMED);
    table.half(9, at(8), 0.5, &[0, 0]);
    table.label(5, at(6));
    let mut seen = Vec::new();
    table.join.retain_waiting(|waiting| match waiting {
        Waiting::Prediction(prediction) => {
            seen.push(prediction.time);
            (prediction.class, prediction.value) = (9, 0.125);
            prediction.time != at(1)
        }
        Waiting::Label(label) => {
            label.class += 10;
            label.class == 11
        }
    });
    assert_eq!(seen, [at(0), at(1), at(2), at(3), at(4), UNTIMED]);
    assert_eq!((table.join.len(), table.join.labels_waiting()), (8, 1));
    let Offer::MetPrediction(found) = table.label(2, at(3)) else { panic!("it waits") };
    assert_eq!((found.class, found.value, found.fingerprint), (9, 0.125, 207));
    assert_eq!(table.label(1, at(3)), Offer::Waits);
    assert_eq!(table.predict(6, at(6)), Offer::MetLabel(Label { class: 11, ..label(at(6), 1) }));
    assert_eq!(table.label(5, at(7)), DUPLICATE);
    assert!(table.join.holds(Key(9)) && !table.join.holds(Key(7)));
    assert_eq!(table.expire(at(13)), [expired(10)]);
}

#[test]
fn a_lower_bound_is_kept_from_the_next_entry_on() {
    let mut table = Table::new(100);
    (0..10).for_each(|id| assert_eq!(table.predict(id, at(0)), Offer::Waits));
    table.join.reconfigure(config(3));
    table.predict(10, at(1));
    assert_eq!((table.join.len(), table.settled.len()), (3, 8));
}

#[test]
fn a_waiting_prediction_takes_at_most_80_bytes_beside_its_slices_and_scores() {
    for (slice_count, score_count) in [(0, 0), (3, 0), (2, 10)] {
        let mut join = Join::new(config(100_000), slice_count, score_count);
        let (slices, scores) = (vec![1; slice_count], vec![0.5; score_count]);
        let allowed = 80 + 2 * slice_count + 8 * score_count;
        for id in 0..100_000 {
            // Keys are hashes: spread over all bits as those are.
            let key = Key(u128::from(id + 1u64).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
            join.predict(key, &prediction(at(0), 1), &slices, &scores, at(0), &mut |_| {
                unreachable!("nothing leaves before the table is full");
            });
            // Below some thousands the smallest allocations weigh in.
            if join.len() >= 5000 && (join.len().is_multiple_of(1000) || join.len() % 1024 == 1) {
                let bytes = join.heap_bytes();
                // The columns beside the entry are grown by an eighth ahead, as the entries are.
                let ahead = (2 * slice_count + 8 * score_count).div_ceil(8);
                assert!(bytes <= (allowed + ahead) * join.len(), "{bytes} bytes for {}", join.len());
            }
        }
        let bytes = join.heap_bytes();
        assert!(bytes <= 63 * 100_000 + (allowed - 80) * 100_000, "{bytes} bytes when full");
    }
}

/// One thing that can happen to a join; times in seconds, `None` is untimed.
#[derive(Clone, Debug)]
enum Step {
    Predict { id: u128, time: Option<i64>, version: u16, slices: [u16; SLICES], scored: bool },
    Label { id: u128, time: Option<i64>, class: u16 },
    Half { id: u128, time: Option<i64>, slices: [u16; SLICES], latency: Option<i32> },
    Expire { clock: i64 },
    End,
}

/// What the model knows of one id.
#[derive(Clone, Debug)]
struct Known {
    state: State,
    time: Timestamp,
    prediction: Option<Prediction>,
    label: Option<Label>,
    slices: [u16; SLICES],
    has_half: bool,
    latency: Option<f64>,
}

/// The join as one would write it without a thought for speed: ids in order of arrival, and what is known
/// of each.
struct Model {
    config: Config,
    order: Vec<u128>,
    known: BTreeMap<u128, Known>,
    settled: Vec<Settled>,
}

impl Model {
    fn insert(&mut self, id: u128, state: State, time: Timestamp) {
        if self.order.len() >= self.config.max_pending {
            let oldest = self.known.remove(&self.order.remove(0)).unwrap();
            match oldest.state {
                State::Prediction => {
                    let version = oldest.prediction.unwrap().version;
                    self.settled.push(Settled::PredictionEvicted { version });
                }
                State::Label => self.settled.push(Settled::LabelUnmatched),
                State::Half | State::Joined | State::Expired => {}
            }
        }
        self.order.push(id);
        let fresh = Known {
            state,
            time,
            prediction: None,
            label: None,
            slices: [0; SLICES],
            has_half: false,
            latency: None,
        };
        self.known.insert(id, fresh);
    }

    fn turn_into(&mut self, id: u128, state: State, time: Timestamp) {
        self.order.retain(|&other| other != id);
        self.order.push(id);
        let known = self.known.get_mut(&id).unwrap();
        (known.state, known.time) = (state, time);
    }

    fn is_late(&self, prediction: Timestamp, label: Timestamp) -> bool {
        prediction != UNTIMED
            && label != UNTIMED
            && label.as_nanos() - prediction.as_nanos() > self.config.wait.as_nanos()
    }

    fn predict(
        &mut self,
        id: u128,
        prediction: Prediction,
        slices: [u16; SLICES],
        clock: Timestamp,
    ) -> Offer {
        let before = self.known.get(&id).map(|known| (known.state, known.label, known.prediction));
        let offer = match before {
            None => {
                self.insert(id, State::Prediction, prediction.time);
                Offer::Waits
            }
            Some((State::Half, ..)) => {
                self.turn_into(id, State::Prediction, prediction.time);
                Offer::Waits
            }
            Some((State::Label, label, _)) => {
                let label = label.unwrap();
                if self.is_late(prediction.time, label.time) {
                    self.turn_into(id, State::Prediction, prediction.time);
                    Offer::MetLateLabel
                } else {
                    self.turn_into(id, State::Joined, clock);
                    Offer::MetLabel(label)
                }
            }
            Some((_, _, first)) => return Offer::Repeated { version: Some(first.unwrap().version) },
        };
        let known = self.known.get_mut(&id).unwrap();
        known.prediction = Some(prediction);
        for (of_half, own) in known.slices.iter_mut().zip(slices) {
            if own != 0 {
                *of_half = own;
            }
        }
        offer
    }

    fn label(&mut self, id: u128, label: Label, clock: Timestamp) -> Offer {
        let Some(known) = self.known.get(&id) else {
            self.insert(id, State::Label, label.time);
            self.known.get_mut(&id).unwrap().label = Some(label);
            return Offer::Waits;
        };
        let prediction = known.prediction;
        match known.state {
            State::Half => {
                self.turn_into(id, State::Label, label.time);
                self.known.get_mut(&id).unwrap().label = Some(label);
                Offer::Waits
            }
            State::Label => Offer::Repeated { version: None },
            State::Joined => Offer::Repeated { version: Some(prediction.unwrap().version) },
            State::Expired => Offer::Late { version: prediction.unwrap().version },
            State::Prediction => {
                let prediction = prediction.unwrap();
                if self.is_late(prediction.time, label.time) {
                    return Offer::Late { version: prediction.version };
                }
                self.turn_into(id, State::Joined, clock);
                Offer::MetPrediction(prediction)
            }
        }
    }

    fn half(&mut self, id: u128, half: Half, slices: [u16; SLICES]) -> Offer {
        if !self.known.contains_key(&id) {
            self.insert(id, State::Half, half.time);
        }
        let known = self.known.get_mut(&id).unwrap();
        if known.has_half {
            return Offer::Repeated { version: None };
        }
        known.has_half = true;
        for (own, of_half) in known.slices.iter_mut().zip(slices) {
            if *own == 0 {
                *own = of_half;
            }
        }
        match known.prediction {
            Some(prediction) => Offer::MetPrediction(Prediction { time: known.time, ..prediction }),
            None => {
                known.latency = (!half.latency.is_nan()).then_some(half.latency);
                Offer::Waits
            }
        }
    }

    /// The first id of a kind, if it has been so for longer than `wait`: those behind it wait for it.
    fn overdue(&self, is: fn(State) -> bool, wait: Span, clock: Timestamp) -> Option<u128> {
        let timed = |id: &&u128| is(self.known[*id].state) && self.known[*id].time != UNTIMED;
        let first = *self.order.iter().find(timed)?;
        (clock > self.known[&first].time.plus(wait)).then_some(first)
    }

    fn forget(&mut self, id: u128) {
        self.order.retain(|&other| other != id);
        self.known.remove(&id);
    }

    fn expire(&mut self, clock: Timestamp) {
        let wait = self.config.wait;
        let label_wait = if let Labels::Shared { wait } = self.config.labels { wait } else { wait };
        while let Some(id) = self.overdue(|state| state == State::Prediction, wait, clock) {
            let known = &self.known[&id];
            let (version, at) = (known.prediction.unwrap().version, known.time.plus(wait));
            self.settled.push(Settled::PredictionExpired { version, at });
            self.turn_into(id, State::Expired, at);
        }
        while let Some(id) = self.overdue(|state| state == State::Label, label_wait, clock) {
            self.settled.push(Settled::LabelUnmatched);
            self.forget(id);
        }
        while let Some(id) = self.overdue(|state| state == State::Half, wait, clock) {
            self.forget(id);
        }
        let done = |state| matches!(state, State::Joined | State::Expired);
        while let Some(id) = self.overdue(done, wait, clock) {
            self.forget(id);
        }
    }

    fn end(&mut self) {
        let labels: Vec<u128> =
            self.order.iter().copied().filter(|id| self.known[id].state == State::Label).collect();
        for id in labels {
            self.settled.push(Settled::LabelUnmatched);
            self.forget(id);
        }
    }

    fn count(&self, state: State) -> usize {
        self.known.values().filter(|known| known.state == state).count()
    }
}

/// Table and model side by side, and a count of what predictions came to.
struct Both {
    join: Join,
    model: Model,
    clock: Timestamp,
    predicted: usize,
    joined: usize,
    repeated: usize,
    settled: Vec<Settled>,
}

impl Both {
    fn new(config: Config) -> Self {
        let mut join = Join::new(config, SLICES, SCORES);
        // The order of arrival wraps in the middle of the test.
        join.sequence = u32::MAX - 20;
        let model = Model { config, order: Vec::new(), known: BTreeMap::new(), settled: Vec::new() };
        let clock = Timestamp::MIN;
        Self { join, model, clock, predicted: 0, joined: 0, repeated: 0, settled: Vec::new() }
    }

    fn apply(&mut self, step: &Step) {
        let time = |seconds: Option<i64>| seconds.map_or(UNTIMED, at);
        let Self { join, model, settled, .. } = self;
        let mut settle = |one| settled.push(one);
        match *step {
            Step::Predict { id, time: own, version, slices, scored } => {
                let given = prediction(time(own), version);
                self.clock = own.map_or(self.clock, |own| self.clock.max(at(own)));
                let clock = if self.clock == Timestamp::MIN { UNTIMED } else { self.clock };
                let scores: &[f64] = if scored { &[0.25, 0.75] } else { &[] };
                let (offer, entry) = join.predict(Key(id), &given, &slices, scores, clock, &mut settle);
                assert_eq!(offer, model.predict(id, given, slices, clock), "{step:?}");
                self.predicted += 1;
                self.joined += usize::from(matches!(offer, Offer::MetLabel(_)));
                self.repeated += usize::from(matches!(offer, Offer::Repeated { .. }));
                assert_eq!(join.slices(entry), model.known[&id].slices);
                if !matches!(offer, Offer::Repeated { .. }) {
                    assert_eq!(join.scores(entry), scores);
                    assert_eq!(join.half_latency(entry), model.known[&id].latency);
                }
            }
            Step::Label { id, time: own, class } => {
                let given = label(time(own), class);
                self.clock = own.map_or(self.clock, |own| self.clock.max(at(own)));
                let clock = if self.clock == Timestamp::MIN { UNTIMED } else { self.clock };
                let (offer, entry) = join.label(Key(id), &given, clock, &mut settle);
                assert_eq!(offer, model.label(id, given, clock), "{step:?}");
                self.joined += usize::from(matches!(offer, Offer::MetPrediction(_)));
                assert_eq!(join.slices(entry), model.known[&id].slices);
            }
            Step::Half { id, time: own, slices, latency } => {
                let half =
                    Half { time: time(own), latency: latency.map_or(f64::NAN, f64::from), status: None };
                let offer = join.half(Key(id), half, &slices, &mut settle);
                assert_eq!(offer, model.half(id, half, slices), "{step:?}");
            }
            Step::Expire { clock } => {
                join.expire(at(clock), &mut settle);
                model.expire(at(clock));
            }
            Step::End => {
                join.end_labels(&mut settle);
                model.end();
            }
        }
        self.check();
    }

    fn check(&self) {
        let Self { join, model, .. } = self;
        assert_eq!(self.settled, model.settled);
        assert_eq!(join.len(), model.order.len());
        assert!(join.len() <= join.config.max_pending);
        assert_eq!(join.labels_waiting(), model.count(State::Label));
        let left = |is: fn(&Settled) -> bool| self.settled.iter().filter(|&one| is(one)).count();
        let expired = left(|one| matches!(one, Settled::PredictionExpired { .. }));
        let evicted = left(|one| matches!(one, Settled::PredictionEvicted { .. }));
        let waiting = self.waiting_predictions();
        assert_eq!(self.predicted, self.joined + expired + evicted + self.repeated + waiting);
    }

    /// Predictions in the queues, which are walked both to count them and to see that they hold together.
    fn waiting_predictions(&self) -> usize {
        let join = &self.join;
        let (mut walked, mut waiting) = (0, 0);
        for queue in 0..QUEUES {
            let mut entry = join.queues[queue].first;
            let mut previous = NONE;
            while entry != NONE {
                let kept = &join.entries[entry as usize];
                assert_eq!(kept.queue(), queue);
                assert_eq!(join.links[entry as usize].previous, previous);
                assert_eq!(join.find(join.entries[entry as usize].key()), Some(entry));
                waiting += usize::from(kept.state == State::Prediction);
                walked += 1;
                (previous, entry) = (entry, join.links[entry as usize].next);
            }
        }
        assert_eq!((walked, join.index.len()), (join.len(), join.len()));
        waiting
    }
}

fn steps(times: BoxedStrategy<Option<i64>>) -> impl Strategy<Value = Vec<Step>> {
    let id = 0..8u128;
    let slices = [0..3u16, 0..3u16];
    let predict = (id.clone(), times.clone(), 0..3u16, slices.clone(), any::<bool>())
        .prop_map(|(id, time, version, slices, scored)| Step::Predict { id, time, version, slices, scored });
    let label =
        (id.clone(), times.clone(), 0..3u16).prop_map(|(id, time, class)| Step::Label { id, time, class });
    let half = (id, times, slices, proptest::option::of(0..5))
        .prop_map(|(id, time, slices, latency)| Step::Half { id, time, slices, latency });
    let expire = (0..60i64).prop_map(|clock| Step::Expire { clock });
    let one = prop_oneof![8 => predict, 8 => label, 4 => half, 4 => expire, 1 => Just(Step::End)];
    proptest::collection::vec(one, 0..120)
}

/// The times of a log in order: each step's time is that of the step before and a little more.
fn in_order(mut steps: Vec<Step>) -> Vec<Step> {
    let mut now = 0;
    for step in &mut steps {
        match step {
            Step::Predict { time, .. } | Step::Label { time, .. } | Step::Half { time, .. } => {
                now += time.unwrap_or(0) % 4;
                *time = Some(now);
            }
            Step::Expire { clock } => *clock = now,
            Step::End => {}
        }
    }
    steps
}

fn labels() -> impl Strategy<Value = Labels> {
    let shared = (1..10i64).prop_map(|wait| Labels::Shared { wait: Span::from_seconds(wait) });
    prop_oneof![Just(Labels::Own), shared]
}

fn agree(steps: &[Step], max_pending: usize, labels: Labels) {
    let mut both = Both::new(Config { labels, ..config(max_pending) });
    for step in steps {
        both.apply(step);
    }
}

proptest! {
    #[test]
    fn the_table_does_what_the_model_does_whatever_the_times(
        steps in steps(proptest::option::weighted(0.9, 0..60i64).boxed()),
        max_pending in 1..8usize,
        labels in labels(),
    ) {
        agree(&steps, max_pending, labels);
    }

    #[test]
    fn the_table_does_what_the_model_does_on_logs_in_order(
        steps in steps((0..60i64).prop_map(Some).boxed()).prop_map(in_order),
        max_pending in 1..8usize,
        labels in labels(),
    ) {
        agree(&steps, max_pending, labels);
    }

    #[test]
    fn whether_a_label_is_late_does_not_depend_on_the_order_of_reading(
        of_prediction in 0..30i64,
        of_label in 0..30i64,
    ) {
        let mut table = Table::new(100);
        table.predict(1, at(of_prediction));
        let label_last = matches!(table.label(1, at(of_label)), Offer::Late { .. });
        table.label(2, at(of_label));
        let label_first = table.predict(2, at(of_prediction)) == Offer::MetLateLabel;
        prop_assert_eq!(label_last, of_label > of_prediction + WAIT);
        prop_assert_eq!(label_first, label_last);
    }
}
