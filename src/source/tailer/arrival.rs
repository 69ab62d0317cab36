//! What a look finds that is not followed yet: where its reading begins, and whether it is read at all.
//!
//! A file may be new, one that was finished and grew, one that an earlier run had begun, a file that came
//! and was rotated between two looks, or a copy of a file that is followed.

use super::super::discover::{Findings, Found};
use super::super::file::{File, FileId, Opened, open_regular};
use super::super::identity::{Identity, Position, Stat, Trace};
use super::super::sibling;
use super::super::tally::Rotation;
use super::super::{Error, Reason, StartAt};
use super::departure::at_path;
use super::{Copied, Stranger, Tailer};
use crate::limits::{OPEN_FILES_MAX, POSITION_WAIT};
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is about to be followed.
struct Arrival {
    path: PathBuf,
    stat: Stat,
    origin: Arc<Path>,
    /// What rotation added to the origin's name; None where the origin is the path itself.
    suffix: Option<Vec<u8>>,
    start: Start,
}

enum Start {
    Beginning,
    End,
    At(Position),
}

impl Tailer {
    pub(super) fn take_arrivals(&mut self, findings: &Findings, vacated: &[Arc<Path>], now: Timestamp) {
        let mut rotated: HashSet<Arc<Path>> = vacated.iter().cloned().collect();
        let mut arrivals: Vec<Arrival> = Vec::new();
        let mut followed: HashSet<Identity> = self.files().map(File::identity).collect();
        let mut origins = Vec::with_capacity(findings.files.len());
        for found in &findings.files {
            let is_new_path = !self.origins.contains_key(&*found.path);
            origins.push((self.origin(found), is_new_path));
        }
        self.copies.retain(|_, copy| at_path(findings, &copy.path).is_some());
        for (found, (path_origin, is_new_path)) in findings.files.iter().zip(&origins) {
            if followed.contains(&found.stat.identity) {
                continue;
            }
            let (origin, suffix) = self.base_of(found).unwrap_or_else(|| (path_origin.clone(), None));
            if let Some(start) = self.start_of(found, &origin, suffix.is_some()) {
                if !is_new_path && suffix.is_none() {
                    rotated.insert(path_origin.clone());
                }
                followed.insert(found.stat.identity);
                let path = found.path.clone();
                arrivals.push(Arrival { path, stat: found.stat, origin, suffix, start });
            }
        }
        if self.looked_at.is_none() && self.is_restored {
            self.claim_renamed(&mut arrivals, now);
        }
        for (origin, _) in &origins {
            self.take_siblings(origin, rotated.contains(origin), &mut arrivals, now);
        }
        for origin in rotated.iter().filter(|origin| at_path(findings, origin).is_none()) {
            self.take_siblings(origin, true, &mut arrivals, now);
        }
        self.expire_unclaimed(now);
        for arrival in in_reading_order(arrivals) {
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
            finished.seen = place.is_some();
            if let Some((path, stat)) = place {
                finished.path = path;
                if !is_matching {
                    self.tally.abandoned_bytes += stat.size.saturating_sub(finished.size);
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
            return self.finished.remove(&identity).map(|finished| Start::At(finished.position));
        }
        if let Some(at) = self.unclaimed.iter().position(|position| position.identity == identity) {
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

    /// A rotated name that appears while the file it is named after stays in its place, and begins with
    /// what was read there: copytruncate makes such a copy. It waits for what happens to the original.
    fn hold_copy(&mut self, path: &Path, stat: &Stat, origin: &Arc<Path>) -> bool {
        let held = self.copies.remove(&stat.identity);
        let original = self.files.iter().map(|turn| &turn.file).rfind(|file| {
            Arc::ptr_eq(file.shared_origin(), origin) && !file.is_rotated() && file.path() == &**origin
        });
        let Some(original) = original.filter(|file| file.trace().offset > 0) else {
            // The original left: all that the copy holds was read from it.
            let is_copy = held.is_some();
            if is_copy {
                self.dismiss_copy(path);
            }
            return is_copy;
        };
        let of: FileId = original.id();
        let is_unchanged = held.is_some_and(|held| {
            held.of == of && held.stat.size == stat.size && held.stat.modified == stat.modified
        });
        let is_copy = is_unchanged
            || open_regular(path).is_ok_and(|(handle, stat)| {
                original.trace().is_copied_in(&handle, stat.size).unwrap_or(false)
            });
        if is_copy {
            self.copies.insert(stat.identity, Copied { of, path: path.to_path_buf(), stat: *stat });
        }
        is_copy
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
        let target = self.origins.get(origin).cloned().flatten();
        if !is_rotated && !is_changed(origin, self) && !target.is_some_and(|path| is_changed(&path, self)) {
            return;
        }
        for sibling in self.siblings(origin, now) {
            let identity = sibling.stat.identity;
            if self.is_known(identity) || contains(arrivals, identity) {
                continue;
            }
            let is_stranger = self.strangers.contains_key(&identity);
            if is_stranger || !is_rotated || self.hold_copy(&sibling.path, &sibling.stat, origin) {
                self.copies.remove(&identity);
                self.note_stranger(identity, now);
            } else if sibling.stat.size > 0 {
                arrivals.push(Arrival::of_sibling(sibling.path, sibling.stat, origin, sibling.suffix));
            }
        }
    }

    pub(super) fn note_stranger(&mut self, identity: Identity, now: Timestamp) {
        // What was there at the first look can hold nothing of ours but what its content proves.
        let since = self.looked_at.map_or(Timestamp::MIN, |_| now);
        self.strangers.entry(identity).or_insert(Stranger { since, seen_at: now }).seen_at = now;
    }

    /// At the first look after a restart: files of the earlier run that were renamed or copied since, and
    /// those that came and were rotated while nobody looked.
    fn claim_renamed(&mut self, arrivals: &mut Vec<Arrival>, now: Timestamp) {
        let origins: Vec<Arc<Path>> = self.origins.keys().cloned().collect();
        let mut waiting = Vec::new();
        for position in std::mem::take(&mut self.unclaimed) {
            let Some((origin, path, stat)) = self.find_renamed(&origins, position.identity, now) else {
                waiting.push(position);
                continue;
            };
            let suffix = path
                .file_name()
                .zip(origin.file_name())
                .and_then(|(name, base)| sibling::rotation_suffix(name, base).map(<[u8]>::to_vec));
            let mut arrival = Arrival::of_sibling(path, stat, &origin, suffix.unwrap_or_default());
            arrival.start = Start::At(position);
            arrivals.push(arrival);
        }
        for arrival in arrivals.iter_mut() {
            let replaced = match &arrival.start {
                Start::At(position) if !is_in(position, &arrival.path) => position.clone(),
                _ => continue,
            };
            // Truncated while nobody looked, or another file with the same inode.
            self.tally.add_rotation(Rotation::Truncate);
            arrival.start = Start::Beginning;
            waiting.push(replaced);
        }
        for origin in &origins {
            self.claim_missed(origin, &mut waiting, arrivals, now);
        }
        waiting.retain(|position| {
            let begun = arrivals.iter_mut().find(|arrival| {
                matches!(arrival.start, Start::Beginning)
                    && position.is_telling()
                    && is_in(position, &arrival.path)
            });
            begun.map(|arrival| arrival.start = Start::At(position.clone())).is_none()
        });
        self.unclaimed = waiting;
    }

    /// Siblings of a path that no position names: a copy of what was read before, or, where they are
    /// newer than that, files that came and were rotated meanwhile.
    fn claim_missed(
        &mut self,
        origin: &Arc<Path>,
        waiting: &mut Vec<Position>,
        arrivals: &mut Vec<Arrival>,
        now: Timestamp,
    ) {
        let is_in_place =
            arrivals.iter().any(|arrival| arrival.path == **origin && matches!(arrival.start, Start::At(_)));
        let claimed = arrivals.iter().filter(|arrival| Arc::ptr_eq(&arrival.origin, origin));
        let newest = claimed.filter_map(|arrival| match &arrival.start {
            Start::At(position) => Some(position.modified),
            _ => None,
        });
        let since = newest.max().or_else(|| waiting.iter().map(|position| position.modified).min());
        for sibling in self.siblings(origin, now) {
            if contains(arrivals, sibling.stat.identity) || sibling.stat.size == 0 {
                continue;
            }
            let copied =
                waiting.iter().position(|position| position.is_telling() && is_in(position, &sibling.path));
            let start = match copied {
                Some(at) => Start::At(waiting.swap_remove(at)),
                None if !is_in_place && since.is_some_and(|since| sibling.stat.modified > since) => {
                    Start::Beginning
                }
                None => continue,
            };
            let mut arrival = Arrival::of_sibling(sibling.path, sibling.stat, origin, sibling.suffix);
            arrival.start = start;
            arrivals.push(arrival);
        }
    }

    fn find_renamed(
        &mut self,
        origins: &[Arc<Path>],
        identity: Identity,
        now: Timestamp,
    ) -> Option<(Arc<Path>, PathBuf, Stat)> {
        let mut directories = HashSet::new();
        for origin in origins {
            let target = self.origins.get(origin).cloned().flatten();
            for path in [Some(origin.to_path_buf()), target].into_iter().flatten() {
                let directory = path.parent().map(Path::to_path_buf).unwrap_or_default();
                if !directories.insert(directory.clone()) {
                    continue;
                }
                if let Some((found, stat)) = self.by_inode(&directory, identity, now) {
                    let base = origins.iter().find(|base| is_rotated_form(&found, base));
                    return Some((base.unwrap_or(origin).clone(), found, stat));
                }
            }
        }
        None
    }

    /// The path that a matching rotated name is made of, if a file is or was followed there.
    fn base_of(&self, found: &Found) -> Option<(Arc<Path>, Option<Vec<u8>>)> {
        let name = found.path.file_name()?;
        let base = self.origins.keys().find(|origin| is_rotated_form(&found.path, origin))?;
        let suffix = sibling::rotation_suffix(name, base.file_name()?)?;
        Some((base.clone(), Some(suffix.to_vec())))
    }

    fn admit(&mut self, arrival: Arrival, now: Timestamp) {
        match self.open(&arrival) {
            Ok(mut opened) => {
                if self.open_count >= OPEN_FILES_MAX {
                    opened.handle = None;
                }
                let is_rotated = arrival.suffix.is_some();
                if !is_rotated {
                    self.note_target(&arrival.origin, arrival.path.is_symlink());
                }
                let file = self.follow(arrival.origin, &arrival.path, opened, now);
                if is_rotated {
                    file.depart(now);
                }
            }
            // It is found again at the next look, under whatever name.
            Err(error) if error.reason == Reason::Vanished => self.reconsider(arrival, now),
            Err(error) => {
                self.note_problem(&error.path, error.reason);
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
            Start::At(_) => {
                self.tally.add_rotation(Rotation::Truncate);
                (Trace::default(), 0)
            }
        };
        Ok(Opened { handle: Some(handle), stat, trace, delivered })
    }

    /// A position whose file does not appear is given up after a while.
    fn expire_unclaimed(&mut self, now: Timestamp) {
        let since = *self.waiting_since.get_or_insert(now);
        if now.since(since) >= POSITION_WAIT {
            self.unclaimed.clear();
        }
    }
}

// === impl Arrival ===

impl Arrival {
    fn of_sibling(path: PathBuf, stat: Stat, origin: &Arc<Path>, suffix: Vec<u8>) -> Self {
        Self { path, stat, origin: origin.clone(), suffix: Some(suffix), start: Start::Beginning }
    }

    /// The order among files of one path: what was rotated away comes before what took its place.
    fn by_age(&self, other: &Self) -> Ordering {
        let (one, two) = (self.suffix.as_deref(), other.suffix.as_deref());
        let by_place = one.is_none().cmp(&two.is_none());
        by_place
            .then_with(|| self.stat.modified.cmp(&other.stat.modified))
            .then_with(|| sibling::older_first(one.unwrap_or_default(), two.unwrap_or_default()))
            .then_with(|| self.path.cmp(&other.path))
    }
}

/// Paths by the age of their oldest file, and the files of a path by their own.
fn in_reading_order(mut arrivals: Vec<Arrival>) -> Vec<Arrival> {
    let mut oldest: HashMap<Arc<Path>, i64> = HashMap::new();
    for arrival in &arrivals {
        let age = oldest.entry(arrival.origin.clone()).or_insert(i64::MAX);
        *age = arrival.stat.modified.min(*age);
    }
    arrivals.sort_by(|one, other| {
        let by_path = oldest.get(&one.origin).cmp(&oldest.get(&other.origin));
        by_path.then_with(|| one.origin.cmp(&other.origin)).then_with(|| one.by_age(other))
    });
    arrivals
}

fn contains(arrivals: &[Arrival], identity: Identity) -> bool {
    arrivals.iter().any(|arrival| arrival.stat.identity == identity)
}

fn is_in(position: &Position, path: &Path) -> bool {
    open_regular(path).is_ok_and(|(handle, stat)| position.is_in(&handle, stat.size).unwrap_or(false))
}

fn is_rotated_form(path: &Path, base: &Path) -> bool {
    path.parent() == base.parent()
        && path
            .file_name()
            .zip(base.file_name())
            .is_some_and(|(name, base)| sibling::rotation_suffix(name, base).is_some())
}
