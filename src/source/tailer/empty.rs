//! Empty files: nothing says whose they are until their first byte, and so they are not followed.
//!
//! One that left its place before it had a line may still get some, from a writer that has not noticed.

use super::super::discover::Found;
use super::super::identity::Identity;
use super::Tailer;
use super::order::{Arrival, Start, contains, is_rotated_form};
use crate::time::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// A file that was empty when it was last seen in its place.
pub(super) struct Empty {
    origin: Arc<Path>,
    seen_at: Timestamp,
}

impl Tailer {
    pub(super) fn note_empty(&mut self, found: &Found, origin: &Arc<Path>, now: Timestamp) {
        if found.stat.size == 0 {
            self.empty.insert(found.stat.identity, Empty { origin: origin.clone(), seen_at: now });
        }
    }

    /// Adds files that got their first line after they had left their place, for as long as rotated files
    /// are read.
    pub(super) fn take_filled(&mut self, arrivals: &mut Vec<Arrival>, now: Timestamp) {
        let left: Vec<Identity> = self
            .empty
            .iter()
            .filter(|(_, empty)| empty.seen_at != now)
            .map(|(identity, _)| *identity)
            .collect();
        for identity in left {
            let Some(empty) = self.empty.remove(&identity) else {
                continue;
            };
            let is_over = now.since(empty.seen_at) > self.rotate_wait
                || self.is_known(identity)
                || contains(arrivals, identity);
            let Some((path, stat)) =
                (!is_over).then(|| self.find_renamed(&empty.origin, identity, now)).flatten()
            else {
                continue;
            };
            // Where the time of birth is not kept, the inode may be another file's by now.
            let is_same = identity.born != 0 || is_rotated_form(&path, &empty.origin);
            if stat.size == 0 {
                self.empty.insert(identity, empty);
            } else if is_same {
                arrivals.push(Arrival::new(path, stat, empty.origin, Start::Beginning));
            }
        }
    }
}
