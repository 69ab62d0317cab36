//! What a look finds that is not followed yet: where its reading begins, and whether it is read at all.
//!
//! A file may be new, one that was finished and grew, one that an earlier run had begun, a file that came
//! and was rotated between two looks, or a copy of a file that is followed.

use super::super::discover::{Findings, Found};
use super::super::file::{File, FileId};
use super::super::identity::{Identity, Stat, Trace};
use super::super::open::{Opened, open_regular};
use super::super::tally::Rotation;
use super::super::{Error, Reason, StartAt};
use super::departure::at_path;
use super::order::{Arrival, Order, Start, contains, in_reading_order, is_rotated_form};
use super::{Copied, Stranger, Tailer};
use crate::limits::{OPEN_FILES_MAX, POSITION_WAIT};
use crate::time::Timestamp;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

impl Tailer {
    pub(super) fn take_arrivals(&mut self, findings: &Findings, vacated: &[Arc<Path>], now: Timestamp) {
        let mut rotated: HashSet<Arc<Path>> = vacated.iter().cloned().collect();
        let mut arrivals: Vec<Arrival> = Vec::new();
        let mut followed: HashSet<Identity> = self.files().map(File::identity).collect();
        let is_first = self.looked_at.is_none();
        if is_first && self.is_restored {
            self.name_restored(now);
        }
        let mut origins = Vec::with_capacity(findings.files.len());
        for found in &findings.files {
            let is_new_path = !self.origins.contains_key(&*found.path);
            origins.push((self.origin(found, now), is_new_path));
        }
        self.copies.retain(|_, copy| at_path(findings, &copy.path).is_some());
        for (found, (path_origin, is_new_path)) in findings.files.iter().zip(&origins) {
            if followed.contains(&found.stat.identity) {
                continue;
            }
            let (origin, is_rotated_name) = match self.base_of(found) {
                Some(base) => (base, true),
                None => (path_origin.clone(), false),
            };
            if !is_first && !is_new_path && *origin == *found.path && !self.is_known(found.stat.identity) {
                rotated.insert(origin.clone());
            }
            if let Some(start) = self.start_of(found, &origin, is_rotated_name) {
                let origin = match &start {
                    Start::At(position) => self.origin_named(Path::new(&position.origin), now),
                    _ => origin,
                };
                followed.insert(found.stat.identity);
                arrivals.push(Arrival::new(found.path.clone(), found.stat, origin, start));
            }
        }
        if is_first && self.is_restored {
            self.claim_restored(&mut arrivals, now);
        }
        for origin in self.origins.keys().cloned().collect::<Vec<_>>() {
            // Where nothing was, and nothing is, something may have come and gone.
            let is_vacant = !is_first && at_path(findings, &origin).is_none();
            self.take_siblings(&origin, is_vacant || rotated.contains(&origin), &mut arrivals, now);
        }
        self.expire_unclaimed(now);
        let order = Order { ranks: std::mem::take(&mut self.ranks), is_live: !is_first || self.is_restored };
        for arrival in in_reading_order(arrivals, &order) {
            self.admit(arrival, now);
        }
    }

    /// Files that were read to their end: are they still there, and did they grow?
    pub(super) fn see_finished(&mut self, findings: &Findings, now: Timestamp) {
        let identities: Vec<Identity> = self.finished.keys().copied().collect();
        for identity in identities {
            let Some(finished) = self.finished.get(&identity) else {
                continue;
            };
            let path = finished.path.clone();
            let matching = at_path(findings, &path)
                .filter(|found| found.stat.identity == identity)
                .or_else(|| findings.files.iter().find(|found| found.stat.identity == identity));
            let is_matching = matching.is_some();
            let place = matching.map(|found| (found.path.clone(), found.stat)).or_else(|| {
                let here = std::fs::metadata(&path).ok().map(|metadata| Stat::of(&metadata));
                match here.filter(|stat| stat.identity == identity) {
                    Some(stat) => Some((path.clone(), stat)),
                    None => path.parent().and_then(|directory| self.by_inode(directory, identity, now)),
                }
            });
            let Some(finished) = self.finished.get_mut(&identity) else {
                continue;
            };
            finished.missed = if place.is_some() { 0 } else { finished.missed + 1 };
            if let Some((path, stat)) = place {
                finished.path = path;
                if !is_matching && stat.size != finished.size {
                    // Otherwise a copy of another file was written over it.
                    if finished.position.offset > 0 && finished.position.is_in_path(&finished.path) {
                        self.tally.abandoned_bytes += stat.size.saturating_sub(finished.size);
                    }
                    finished.size = stat.size;
                }
            }
        }
    }

    /// Where a file that matches begins to be read; None: it is not, or not now.
    fn start_of(&mut self, found: &Found, origin: &Arc<Path>, is_rotated_name: bool) -> Option<Start> {
        let identity = found.stat.identity;
        if let Some(finished) = self.finished.get(&identity) {
            if found.stat.size == finished.size {
                return None;
            }
            let is_grown = finished.position.offset > 0 && finished.position.is_in_path(&found.path);
            let finished = self.finished.remove(&identity);
            if let Some(finished) = finished.filter(|_| is_grown) {
                return Some(Start::At(finished.position));
            }
        }
        if let Some(at) = self.unclaimed.iter().position(|position| position.identity.is_same(identity)) {
            return Some(Start::At(self.unclaimed.swap_remove(at)));
        }
        // Until its first byte nothing says whose file it is.
        if found.stat.size == 0 {
            return None;
        }
        if self.looked_at.is_none() {
            let is_end = self.start_at == StartAt::End && !self.is_restored;
            return Some(if is_end { Start::End } else { Start::Beginning });
        }
        let is_copy = is_rotated_name && self.hold_copy(&found.path, &found.stat, origin);
        (!is_copy).then_some(Start::Beginning)
    }

    /// A rotated name that appears and begins with what was read of a file of its path: copytruncate makes
    /// such a copy. It waits for what happens to the original, whose lines it holds.
    fn hold_copy(&mut self, path: &Path, stat: &Stat, origin: &Arc<Path>) -> bool {
        if let Some(held) = self.copies.remove(&stat.identity) {
            let is_unchanged = held.stat.size == stat.size && held.stat.modified == stat.modified;
            if !self.files().any(|file| file.id() == held.of) {
                self.dismiss_copy(path, origin);
                return true;
            }
            if is_unchanged {
                self.copies.insert(stat.identity, held);
                return true;
            }
        }
        let Some(of) = self.original_of(path, origin) else {
            return false;
        };
        self.copies.insert(stat.identity, Copied { of, path: path.to_path_buf(), stat: *stat });
        true
    }

    /// The file of this path, wherever it is now, that a sibling begins with what was read of. Of one
    /// that left its place all must be there: what took its place often begins alike.
    pub(super) fn original_of(&self, path: &Path, origin: &Arc<Path>) -> Option<FileId> {
        let (handle, stat) = open_regular(path).ok()?;
        let mut files = self.files().filter(|file| Arc::ptr_eq(file.shared_origin(), origin));
        let original = files.find(|file| {
            let trace = file.trace();
            let is_copied = if file.is_rotated() {
                trace.is_telling() && trace.is_in(&handle, stat.size).unwrap_or(false)
            } else {
                file.path() == &**origin && trace.is_copied_in(&handle, stat.size).unwrap_or(false)
            };
            trace.offset > 0 && is_copied
        });
        original.map(File::id)
    }

    /// Looks at the rotated siblings of a path. Where rotation happened since the last look, a file that
    /// was not there before came and went between the two; otherwise it is none of ours.
    fn take_siblings(
        &mut self,
        origin: &Arc<Path>,
        is_rotated: bool,
        arrivals: &mut Vec<Arrival>,
        now: Timestamp,
    ) {
        let is_changed = |path: &Path, tailer: &mut Self| {
            let listing = path.parent().and_then(|directory| tailer.discovery.directory(directory, now));
            listing.is_some_and(|listing| listing.is_fresh)
        };
        let target = self.target(origin);
        if !is_changed(origin, self) && !target.is_some_and(|path| is_changed(&path, self)) {
            return;
        }
        for sibling in self.siblings(origin, now) {
            let identity = sibling.stat.identity;
            if self.is_known(identity) || contains(arrivals, identity) {
                continue;
            }
            // One whose position is still waiting, as it was rotated away while the first look was going on.
            if let Some(at) = self.unclaimed.iter().position(|position| position.identity.is_same(identity)) {
                let start = Start::At(self.unclaimed.swap_remove(at));
                arrivals.push(Arrival::new(sibling.path, sibling.stat, origin.clone(), start));
                continue;
            }
            let is_stranger = self.strangers.contains_key(&identity);
            if is_stranger || !is_rotated || self.original_of(&sibling.path, origin).is_some() {
                self.note_stranger(&sibling.stat, now);
            } else if sibling.stat.size > 0 {
                arrivals.push(Arrival::new(sibling.path, sibling.stat, origin.clone(), Start::Beginning));
            }
        }
    }

    pub(super) fn note_stranger(&mut self, stat: &Stat, now: Timestamp) {
        // What was there at the first look can hold nothing of ours but what its content proves.
        let since = self.looked_at.map_or(Timestamp::MIN, |_| now);
        let modified = stat.modified;
        let stranger = Stranger { since, modified, seen_at: now };
        let known = self.strangers.remove(&stat.identity).filter(|known| known.modified == modified);
        self.strangers.insert(stat.identity, Stranger { seen_at: now, ..known.unwrap_or(stranger) });
    }

    /// The path that a matching rotated name is made of, if a file is or was followed there.
    fn base_of(&self, found: &Found) -> Option<Arc<Path>> {
        self.origins.keys().find(|origin| is_rotated_form(&found.path, origin)).cloned()
    }

    fn admit(&mut self, arrival: Arrival, now: Timestamp) {
        match self.open(&arrival) {
            Ok(mut opened) => {
                if let Some(kind) = self.missed_rotation(&arrival) {
                    self.tally.add_rotation(kind);
                }
                if self.open_count >= OPEN_FILES_MAX {
                    opened.handle = None;
                }
                let is_rotated = arrival.is_rotated();
                if !is_rotated {
                    self.note_target(&arrival.origin, arrival.path.is_symlink(), now);
                }
                let is_begun = match &arrival.start {
                    Start::Beginning => false,
                    Start::End => true,
                    Start::At(position) => position.offset > 0,
                };
                let before = (!is_begun).then(|| self.last_of(&arrival.origin)).flatten();
                let file = self.follow(arrival.origin, &arrival.path, opened, now);
                file.set_predecessor(before);
                if is_rotated {
                    file.depart(now);
                }
            }
            // It is found again at the next look, under whatever name.
            Err(error) if error.reason == Reason::Vanished => self.reconsider(arrival, now),
            Err(error) => {
                self.note_problem(&error.path, error.reason, now);
                self.reconsider(arrival, now);
            }
        }
    }

    /// A file that could not be opened keeps the position that was found for it.
    fn reconsider(&mut self, arrival: Arrival, now: Timestamp) {
        if let Start::At(position) = arrival.start {
            self.unclaimed.push(position);
            self.waiting_since = Some(now);
        }
    }

    /// How a file left its place while nobody looked: between two looks, or before this run.
    fn missed_rotation(&mut self, arrival: &Arrival) -> Option<Rotation> {
        let is_rotated = arrival.is_rotated();
        match &arrival.start {
            Start::Beginning if !is_rotated => {
                self.count_replaced(&arrival.origin);
                None
            }
            Start::Beginning => (self.is_restored || self.looked_at.is_some()).then_some(Rotation::Rename),
            Start::At(position) if !position.departed => {
                if position.identity.is_same(arrival.stat.identity) {
                    is_rotated.then(|| self.kind_of_move(&arrival.path, &arrival.origin))
                } else {
                    Some(if is_rotated { Rotation::Delete } else { Rotation::Replace })
                }
            }
            _ => None,
        }
    }

    fn open(&mut self, arrival: &Arrival) -> Result<Opened, Error> {
        let path = &arrival.path;
        let (handle, stat) = open_regular(path)?;
        if stat.identity != arrival.stat.identity {
            return Err(Error::new(path, Reason::Vanished));
        }
        let fail = |cause| Error::from_io(path, cause);
        let (trace, delivered) = match &arrival.start {
            Start::Beginning => (Trace::default(), 0),
            Start::End => (Trace::at(&handle, stat.size).map_err(fail)?, stat.size),
            Start::At(position) if position.is_in(&handle, stat.size).map_err(fail)? => {
                (Trace::at(&handle, position.offset).map_err(fail)?, position.delivered)
            }
            Start::At(position) => {
                if !position.departed {
                    self.tally.add_rotation(Rotation::Truncate);
                }
                (Trace::default(), 0)
            }
        };
        Ok(Opened { handle: Some(handle), stat, trace, delivered })
    }

    /// A position whose file does not appear is given up after a while.
    fn expire_unclaimed(&mut self, now: Timestamp) {
        let since = *self.waiting_since.get_or_insert(now);
        if now.since(since) >= POSITION_WAIT {
            for _ in self.unclaimed.drain(..).filter(|position| !position.departed) {
                self.tally.add_rotation(Rotation::Delete);
            }
        }
    }
}
