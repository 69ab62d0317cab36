//! Files that are about to be followed, and which of them is read first.
//!
//! It asks the file system nothing: what was found is given.

use super::super::identity::{Identity, Position, Stat};
use super::super::sibling;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is about to be followed.
pub(super) struct Arrival {
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
    /// The path that its lines were or are written under.
    pub(super) origin: Arc<Path>,
    /// What rotation added to the origin's name.
    suffix: Vec<u8>,
    pub(super) start: Start,
}

pub(super) enum Start {
    Beginning,
    End,
    At(Position),
}

/// What says which of two files comes first.
pub(super) struct Order {
    /// The reading order of the earlier run.
    pub(super) ranks: HashMap<Identity, usize>,
    pub(super) is_live: bool,
}

// === impl Arrival ===

impl Arrival {
    pub(super) fn new(path: PathBuf, stat: Stat, origin: Arc<Path>, start: Start) -> Self {
        let names = path.file_name().zip(origin.file_name());
        let suffix = names.and_then(|(name, base)| sibling::rotation_suffix(name, base)).map(<[u8]>::to_vec);
        Self { path, stat, origin, suffix: suffix.unwrap_or_default(), start }
    }

    /// Whether it left the place that its lines were written under.
    pub(super) fn is_rotated(&self) -> bool {
        *self.path != *self.origin
    }

    /// The order among files of one path: what was rotated away comes before what took its place, and what
    /// an earlier run read comes, in its order, before what is new.
    fn by_age(&self, other: &Self, order: &Order) -> Ordering {
        let by_place = other.is_rotated().cmp(&self.is_rotated());
        by_place
            .then_with(|| order.rank(self).cmp(&order.rank(other)))
            .then_with(|| order.age(&self.stat).cmp(&order.age(&other.stat)))
            .then_with(|| self.stat.modified.cmp(&other.stat.modified))
            .then_with(|| sibling::older_first(&self.suffix, &other.suffix))
            .then_with(|| self.path.cmp(&other.path))
    }
}

// === impl Order ===

impl Order {
    fn rank(&self, arrival: &Arrival) -> (bool, Option<usize>) {
        match &arrival.start {
            Start::At(position) => (false, self.ranks.get(&position.identity).copied()),
            Start::Beginning | Start::End => (true, None),
        }
    }

    /// Files that came while the log was followed were born in their order, whoever wrote to them late; those
    /// of before may have been copied here, and only their last modification says something.
    fn age(&self, stat: &Stat) -> i64 {
        let is_known = self.is_live && stat.identity.born != 0;
        if is_known { stat.identity.born } else { stat.modified }
    }
}

/// Paths by the age of their oldest file, and the files of a path by their own.
pub(super) fn in_reading_order(mut arrivals: Vec<Arrival>, order: &Order) -> Vec<Arrival> {
    let mut oldest: HashMap<Arc<Path>, i64> = HashMap::new();
    for arrival in &arrivals {
        let age = oldest.entry(arrival.origin.clone()).or_insert(i64::MAX);
        *age = arrival.stat.modified.min(*age);
    }
    arrivals.sort_by(|one, other| {
        let by_path = oldest.get(&one.origin).cmp(&oldest.get(&other.origin));
        by_path.then_with(|| one.origin.cmp(&other.origin)).then_with(|| one.by_age(other, order))
    });
    arrivals
}

pub(super) fn contains(arrivals: &[Arrival], identity: Identity) -> bool {
    arrivals.iter().any(|arrival| arrival.stat.identity.is_same(identity))
}

pub(super) fn is_rotated_form(path: &Path, base: &Path) -> bool {
    path.parent() == base.parent()
        && path
            .file_name()
            .zip(base.file_name())
            .is_some_and(|(name, base)| sibling::rotation_suffix(name, base).is_some())
}
