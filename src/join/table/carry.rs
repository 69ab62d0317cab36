//! What stays in a join when the model's configuration changes: everything, in other columns and under other
//! classes.
//!
//! Not which classes those are: the caller knows. Invariant: an entry either stays with its place in its
//! queue, or is given back to whoever counts what became of it.

use super::{Config, Join};
use crate::join::Key;
use crate::join::entry::{DONE, Entry, LABELS, PREDICTIONS, State, UNTIMED_ENTRIES};
use crate::join::offer::Waiting;
use crate::join::queue::NONE;

impl Join {
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether anything is known of an id: it may have come before fewer ids were joined.
    pub fn holds(&self, key: Key) -> bool {
        self.find(key).is_some()
    }

    /// Goes on with other bounds; what is beyond a lower `max_pending` leaves when the next comes.
    pub fn reconfigure(&mut self, config: Config) {
        self.config = config;
    }

    /// Goes on with other slices and class scores. For each of them: which one it was until now. What was put
    /// in before has no value for a new slice, and no scores at all where any of the classes had none.
    pub fn rearrange(&mut self, slices: &[Option<usize>], scores: &[Option<usize>]) {
        let Self { slice_count, score_count, entries, slices: old_slices, scores: old_scores, .. } = self;
        let rooms = entries.capacity();
        if !is_identity(slices, *slice_count) {
            let mut rearranged = Vec::with_capacity(rooms * slices.len());
            for at in 0..entries.len() {
                let row = &old_slices[at * *slice_count..(at + 1) * *slice_count];
                rearranged.extend(slices.iter().map(|place| place.map_or(0, |place| row[place])));
            }
            (*old_slices, *slice_count) = (rearranged, slices.len());
        }
        if !is_identity(scores, *score_count) {
            let places: Option<Vec<usize>> = scores.iter().copied().collect();
            let mut rearranged = Vec::with_capacity(rooms * scores.len());
            for at in 0..entries.len() {
                let row = &old_scores[at * *score_count..(at + 1) * *score_count];
                match &places {
                    Some(places) => rearranged.extend(places.iter().map(|&place| row[place])),
                    None => rearranged.extend(scores.iter().map(|_| f64::NAN)),
                }
            }
            (*old_scores, *score_count) = (rearranged, scores.len());
        }
    }

    /// Shows everything that waits, in the order in which it came; what `stays` refuses leaves. Ids that are
    /// done forget the class that they had: nobody asks for it, and it may be none any more.
    pub fn retain_waiting(&mut self, mut stays: impl FnMut(Waiting<'_>) -> bool) {
        for queue in [PREDICTIONS, LABELS, DONE, UNTIMED_ENTRIES] {
            let mut next = self.queues[queue].first;
            while next != NONE {
                let entry = next;
                next = self.links[entry as usize].next;
                if !self.entries[entry as usize].revise(&mut stays) {
                    self.remove(entry);
                }
            }
        }
    }
}

impl Entry {
    fn revise(&mut self, stays: &mut impl FnMut(Waiting<'_>) -> bool) -> bool {
        let (mut prediction, mut label) = (self.prediction(), self.label());
        match self.state {
            State::Prediction => {
                let stays = stays(Waiting::Prediction(&mut prediction));
                (self.class, self.fingerprint, self.value) =
                    (prediction.class, prediction.fingerprint, prediction.value);
                stays
            }
            State::Label => {
                let stays = stays(Waiting::Label(&mut label));
                (self.class, self.fingerprint, self.value) = (label.class, label.fingerprint, label.value);
                stays
            }
            State::Joined | State::Expired => {
                (self.class, self.fingerprint) = (0, 0);
                true
            }
            State::Half => true,
        }
    }
}

fn is_identity(places: &[Option<usize>], count: usize) -> bool {
    places.len() == count && places.iter().enumerate().all(|(at, place)| *place == Some(at))
}
