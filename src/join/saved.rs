//! The join as a checkpoint has it: entry after entry in the order in which they leave, so that half a million
//! can be written a few at a time.
//!
//! Invariant: a join that is restored from all entries of another answers as that one would. Places in the slab
//! and the index are not kept; they follow from the entries.

use super::Config;
use super::entry::{Entry, QUEUES, State};
use super::queue::NONE;
use super::table::Join;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What there is beside the entries.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Head {
    config: Config,
    slice_count: usize,
    score_count: usize,
    sequence: u32,
    has_halves: bool,
    /// Entries that follow.
    pub length: usize,
}

/// Where the writing of entries is. It holds for as long as the join does not change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    queue: usize,
    /// The entry that was written last; none at the start of a queue.
    last: Option<u32>,
}

/// One entry with all that belongs to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved<'a> {
    entry: Entry,
    /// Latency and status that a half brought.
    half: Option<(f64, Option<u16>)>,
    slices: Cow<'a, [u16]>,
    /// Empty where it has none.
    scores: Cow<'a, [f64]>,
}

/// What an entry says of the model that it waits in.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    pub is_prediction: bool,
    pub version: u16,
    pub class: u16,
    /// What a half has left for a prediction that is still to come.
    pub half_status: Option<u16>,
    /// Slice ids plus one; 0 is none.
    pub slices: &'a [u16],
}

// === impl Head ===

impl Head {
    /// Whether it is that of a join made like this: to be asked before `restore`, as what an entry takes
    /// depends on it.
    pub fn is_of(&self, config: &Config, slice_count: usize, score_count: usize) -> bool {
        self.config == *config && (self.slice_count, self.score_count) == (slice_count, score_count)
    }
}

// === impl Walk ===

impl Walk {
    /// The next entry; `None` once all were given.
    pub fn next<'a>(&mut self, join: &'a Join) -> Option<Saved<'a>> {
        join.step(self).map(|entry| join.saved(entry))
    }
}

// === impl Join ===

impl Join {
    pub fn head(&self) -> Head {
        Head {
            config: self.config,
            slice_count: self.slice_count,
            score_count: self.score_count,
            sequence: self.sequence,
            has_halves: self.has_halves(),
            length: self.len(),
        }
    }

    /// The join that had this head, without its entries.
    pub fn restore(head: &Head) -> Self {
        Self { sequence: head.sequence, ..Self::new(head.config, head.slice_count, head.score_count) }
    }

    /// Puts an entry back that another join gave out; in that order.
    ///
    /// # Errors
    /// It is none that a join with this head has given out.
    pub fn put_back(&mut self, head: &Head, saved: &Saved<'_>) -> Result<(), &'static str> {
        let Saved { entry, half, slices, scores } = saved;
        if slices.len() != self.slice_count || !(scores.is_empty() || scores.len() == self.score_count) {
            return Err("an entry of the join has other slices or scores than its model");
        }
        if self.len() >= head.length || self.find(entry.key()).is_some() {
            return Err("an entry of the join is there twice");
        }
        let place = self.grow(entry.clone());
        let Self { index, entries, .. } = self;
        index.insert_unique(entry.key[1], place, |&entry| entries[entry as usize].key[1]);
        // Each keeps its number, by which the oldest of all queues is found.
        let sequence = std::mem::replace(&mut self.sequence, entry.sequence);
        self.enqueue(place);
        self.sequence = sequence;
        self.slices_mut(place).copy_from_slice(slices);
        let start = place as usize * self.score_count;
        self.scores[start..start + scores.len()].copy_from_slice(scores);
        if head.has_halves {
            self.halves.resize(self.entries.len(), (f64::NAN, None));
            self.halves[place as usize] = half.unwrap_or((f64::NAN, None));
        } else if entry.has_half && matches!(entry.state, State::Half | State::Label) {
            return Err("an entry of the join has a half where there are none");
        }
        Ok(())
    }

    /// All entries, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Held<'_>> {
        let mut walk = Walk::default();
        std::iter::from_fn(move || {
            let place = self.step(&mut walk)?;
            let entry = &self.entries[place as usize];
            Some(Held {
                is_prediction: entry.state == State::Prediction,
                version: entry.version,
                class: entry.class,
                half_status: self.halves.get(place as usize).and_then(|(_, status)| *status),
                slices: self.slices(place),
            })
        })
    }

    /// Queue after queue, each from its first entry to its last.
    fn step(&self, walk: &mut Walk) -> Option<u32> {
        while walk.queue < QUEUES {
            let next = match walk.last {
                None => self.queues[walk.queue].first,
                Some(last) => self.links[last as usize].next,
            };
            if next != NONE {
                walk.last = Some(next);
                return Some(next);
            }
            *walk = Walk { queue: walk.queue + 1, last: None };
        }
        None
    }

    fn saved(&self, place: u32) -> Saved<'_> {
        let entry = self.entries[place as usize].clone();
        Saved {
            half: if entry.has_half { self.halves.get(place as usize).copied() } else { None },
            slices: Cow::Borrowed(self.slices(place)),
            scores: Cow::Borrowed(self.scores(place)),
            entry,
        }
    }
}
