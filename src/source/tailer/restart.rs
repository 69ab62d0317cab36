//! The first look after a restart: where are the files of the earlier run, and what came meanwhile?
//!
//! A position is claimed by the file itself, whatever its name is now, else by a copy of what was read.

use super::super::identity::{Identity, Position, Stat, begin_alike};
use super::super::tally::Rotation;
use super::Tailer;
use super::order::{Arrival, Start, contains, is_rotated_form};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Tailer {
    /// Makes the paths of the earlier run known, so that rotated names are told from new ones.
    pub(super) fn name_restored(&mut self, now: Timestamp) {
        let mut paths: Vec<PathBuf> = self.discovery.named().collect();
        paths.extend(self.unclaimed.iter().map(|position| PathBuf::from(&position.origin)));
        for path in paths {
            self.origin_named(&path, now);
        }
    }

    /// Adds files that no glob matches, and gives those that copies continue their beginning.
    pub(super) fn claim_restored(&mut self, arrivals: &mut Vec<Arrival>, now: Timestamp) {
        let positions = std::mem::take(&mut self.unclaimed);
        let mut waiting = Vec::new();
        for position in positions {
            let origin = self.origin_named(Path::new(&position.origin), now);
            let is_taken = contains(arrivals, position.identity);
            match (!is_taken).then(|| self.find_renamed(&origin, position.identity, now)).flatten() {
                Some((path, stat)) => arrivals.push(Arrival::new(path, stat, origin, Start::At(position))),
                None => {
                    // Cut off when the run ended, before it was settled.
                    let is_cut = is_taken && position.offset > 0 && !position.departed;
                    if is_cut {
                        self.tally.add_rotation(Rotation::Truncate);
                    }
                    waiting.push(Position { departed: position.departed || is_cut, ..position });
                }
            }
        }
        let released = self.release_replaced(arrivals, &mut waiting);
        let origins: Vec<Arc<Path>> = self.origins.keys().cloned().collect();
        for origin in &origins {
            self.claim_missed(origin, &mut waiting, arrivals, now);
        }
        waiting.retain(|position| {
            let copy = arrivals.iter_mut().find(|arrival| {
                let has_rotated_name = arrival.is_rotated() && position.is_of(&arrival.origin);
                matches!(arrival.start, Start::Beginning)
                    && position.is_copied_by(&arrival.stat, has_rotated_name)
                    && position.is_in_path(&arrival.path)
            });
            copy.map(|arrival| arrival.start = Start::At(position.clone())).is_none()
        });
        self.unclaimed = waiting;
        self.dismiss_restored(arrivals, &released);
    }

    /// Leaves out rotated names that hold nothing to be read.
    fn dismiss_restored(&mut self, arrivals: &mut Vec<Arrival>, released: &[Identity]) {
        // Nothing says whose an empty rotated file is.
        let empty = arrivals.extract_if(.., |arrival| arrival.is_rotated() && arrival.stat.size == 0);
        for arrival in empty.collect::<Vec<_>>() {
            if let Start::At(position) = arrival.start {
                self.finish(0, position, &arrival.path, 0);
            }
        }
        // Beside a file that is still in its place, a rotated name that was not read is a copy: the next
        // look decides, when the file is followed. One that was ours is new, unless it begins like that.
        let in_place: HashMap<Arc<Path>, PathBuf> = arrivals
            .iter()
            .filter(|one| is_in_place(one))
            .map(|one| (one.origin.clone(), one.path.clone()))
            .collect();
        arrivals.retain(|arrival| {
            let is_new = arrival.is_rotated() && matches!(arrival.start, Start::Beginning);
            let original = in_place.get(&arrival.origin).filter(|_| is_new);
            original.is_none_or(|original| {
                released.contains(&arrival.stat.identity) && !begin_alike(original, &arrival.path)
            })
        });
    }

    /// Files that do not hold what was read: truncated while nobody looked, or others with the same inode.
    fn release_replaced(&mut self, arrivals: &mut [Arrival], waiting: &mut Vec<Position>) -> Vec<Identity> {
        let mut released = Vec::new();
        for arrival in arrivals.iter_mut() {
            match &arrival.start {
                Start::At(position) if !position.is_in_path(&arrival.path) => {
                    if !position.departed {
                        self.tally.add_rotation(Rotation::Truncate);
                    }
                    // From now on it is known by what was read alone.
                    let identity = Identity::default();
                    waiting.push(Position { departed: true, identity, ..position.clone() });
                }
                _ => continue,
            }
            arrival.start = Start::Beginning;
            released.push(arrival.stat.identity);
        }
        released
    }

    /// Siblings of a path that no position names: a copy of what was read before, or, where they are no
    /// older than that, files that came and were rotated meanwhile. Times may be equal, as file systems
    /// stamp in ticks.
    fn claim_missed(
        &mut self,
        origin: &Arc<Path>,
        waiting: &mut Vec<Position>,
        arrivals: &mut Vec<Arrival>,
        now: Timestamp,
    ) {
        let is_in_place =
            arrivals.iter().any(|arrival| Arc::ptr_eq(&arrival.origin, origin) && is_in_place(arrival));
        let claimed = arrivals.iter().filter(|arrival| Arc::ptr_eq(&arrival.origin, origin));
        let newest = claimed.filter_map(|arrival| match &arrival.start {
            Start::At(position) => Some(position.modified),
            _ => None,
        });
        let oldest_waiting = waiting.iter().filter(|position| position.is_of(origin));
        let since = newest.max().or_else(|| oldest_waiting.map(|position| position.modified).min());
        let since = since.or_else(|| self.earlier_look.map(Timestamp::as_nanos));
        for sibling in self.siblings(origin, now) {
            if contains(arrivals, sibling.stat.identity) || sibling.stat.size == 0 {
                continue;
            }
            let copied = waiting.iter().position(|position| {
                position.is_copied_by(&sibling.stat, position.is_of(origin))
                    && position.is_in_path(&sibling.path)
            });
            let start = match copied {
                Some(at) => Start::At(waiting.swap_remove(at)),
                None if !is_in_place && since.is_some_and(|since| sibling.stat.modified >= since) => {
                    Start::Beginning
                }
                None => continue,
            };
            arrivals.push(Arrival::new(sibling.path, sibling.stat, origin.clone(), start));
        }
    }

    /// Another file is where files of an earlier run were that were not found: they are gone.
    pub(super) fn count_replaced(&mut self, origin: &Path) {
        let is_link = self.target(origin).is_some();
        let kind = if is_link { Rotation::Symlink } else { Rotation::Delete };
        for position in self.unclaimed.iter_mut().filter(|one| !one.departed && one.is_of(origin)) {
            position.departed = true;
            self.tally.add_rotation(kind);
        }
    }

    /// How a file that is found elsewhere left its place before this run: by a new name, or as a symbolic
    /// link was pointed elsewhere.
    pub(super) fn kind_of_move(&self, path: &Path, origin: &Path) -> Rotation {
        match self.target(origin) {
            Some(target) if !is_rotated_form(path, &target) => Rotation::Symlink,
            _ => Rotation::Rename,
        }
    }

    /// A file that no glob matches any more, under any name in the directories of the log.
    pub(super) fn find_renamed(
        &mut self,
        origin: &Path,
        identity: Identity,
        now: Timestamp,
    ) -> Option<(PathBuf, Stat)> {
        let target = self.target(origin);
        let parents = [Some(origin), target.as_deref()].map(|path| path.and_then(Path::parent));
        let mut directories: Vec<PathBuf> =
            parents.into_iter().flatten().chain(self.discovery.listed()).map(Path::to_path_buf).collect();
        directories.dedup();
        directories.into_iter().find_map(|directory| self.by_inode(&directory, identity, now))
    }
}

fn is_in_place(arrival: &Arrival) -> bool {
    !arrival.is_rotated() && matches!(arrival.start, Start::At(_))
}
