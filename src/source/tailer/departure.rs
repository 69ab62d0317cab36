//! What a look finds of the files that are followed: still in place, renamed, deleted, replaced, truncated.
//!
//! New files are `arrival`'s business.

use super::super::Source;
use super::super::discover::{Findings, Found};
use super::super::identity::{Identity, Position, Stat, Trace};
use super::super::open::{Opened, open_regular};
use super::super::sibling;
use super::super::tally::Rotation;
use super::{Tailer, Turn};
use crate::time::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A rotated sibling, found by its name beside a log.
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
    /// What rotation added to the name.
    pub(super) suffix: Vec<u8>,
}

impl Tailer {
    /// Compares every file with what is at its path now. Gives the origins whose file left.
    pub(super) fn see_files(&mut self, findings: &Findings, now: Timestamp) -> Vec<Arc<Path>> {
        let mut vacated = Vec::new();
        for at in 0..self.files.len() {
            let file = &mut self.files[at].file;
            let here = at_path(findings, file.path());
            if let Some(found) = here.filter(|found| found.stat.identity == file.identity()) {
                file.see(&found.path, &found.stat);
                continue;
            }
            let was_rotated = file.is_rotated();
            if !was_rotated && self.move_to_copy(at, here) {
                continue;
            }
            let place = self.locate(at, findings, now);
            if !was_rotated {
                vacated.push(self.depart(at, place.is_some(), now));
            }
            let file = &mut self.files[at].file;
            match &place {
                Some((path, stat)) => file.see(path, stat),
                None => file.lose(),
            }
        }
        vacated
    }

    /// A truncated file waits for this: is what was cut off to be found in a copy?
    pub(super) fn settle_truncations(&mut self, now: Timestamp) {
        let cut = self.files().filter(|file| file.truncation().is_some());
        let mut cut: Vec<_> = cut.map(|file| (file.is_rotated(), file.id())).collect();
        // Those in their place first: what was cut off a rotated file may have made place for a copy of theirs.
        cut.sort_unstable();
        for (_, id) in cut {
            if let Some(at) = self.files.iter().position(|turn| turn.file.id() == id) {
                let turn = self.files.remove(at);
                self.settle_truncation(turn, now);
            }
        }
        self.files.sort_by_key(|turn| turn.number);
    }

    /// Puts the copy, if there is one, before the file: its rest is read first, then the new content.
    fn settle_truncation(&mut self, mut turn: Turn, now: Timestamp) {
        let Some(gone) = turn.file.settle_truncation() else {
            unreachable!("only a truncated file is settled");
        };
        let origin = turn.file.shared_origin().clone();
        if !gone.position.departed {
            tracing::debug!(path = %origin.display(), kind = Rotation::Truncate.name(), "log file rotated");
            self.tally.add_rotation(Rotation::Truncate);
        }
        let mut is_found = false;
        for copy in self.siblings(&origin, now) {
            if copy.stat.identity == turn.file.identity() {
                continue;
            }
            let is_held = self.copies.remove(&copy.stat.identity).is_some();
            let opened = (!is_found).then(|| self.open_rest(&copy, &gone.position, is_held)).flatten();
            if let Some(opened) = opened {
                self.let_go(opened.stat.identity);
                self.follow(origin.clone(), &copy.path, opened, now).depart(now);
                is_found = true;
            } else if is_held {
                self.dismiss_copy(&copy.path, &origin);
            }
        }
        if !is_found {
            self.tally.abandoned_bytes += gone.size.saturating_sub(gone.position.offset);
        }
        if gone.position.departed && self.set_aside(&turn) {
            return;
        }
        if is_found {
            turn.number = self.next_id;
            self.next_id += 1;
        }
        self.files.push(turn);
    }

    /// A rotated file whose content is gone is followed no more where a new copy was written over the old
    /// one, or is about to be.
    fn set_aside(&mut self, turn: &Turn) -> bool {
        let file = &turn.file;
        if file.size() == 0 {
            self.finish(turn.number, file.position(), file.path(), 0);
        } else if self.original_of(file.path(), file.shared_origin()).is_some() {
            self.strangers.remove(&file.identity());
        } else {
            return false;
        }
        self.dropped.push(file.id());
        true
    }

    /// Opens a sibling behind what was read of a file that was cut off, if it is a copy made of that.
    fn open_rest(&self, copy: &Sibling, gone: &Position, is_held: bool) -> Option<Opened> {
        let (handle, stat) = open_regular(&copy.path).ok()?;
        let is_recent = self
            .strangers
            .get(&stat.identity)
            .filter(|stranger| stranger.modified == stat.modified)
            .is_none_or(|stranger| self.looked_at.is_some_and(|before| stranger.since >= before));
        let holds_rest = (is_held || gone.is_copied_by(&stat, is_recent))
            && gone.is_in(&handle, stat.size).unwrap_or(false)
            && !self.holds_what_was_read(&handle, &stat);
        let trace = holds_rest.then(|| Trace::at(&handle, gone.offset).ok())??;
        Some(Opened { handle: Some(handle), stat, trace, delivered: gone.delivered })
    }

    /// Whether the file is one of ours, and what was read of it still stands there: no new copy was
    /// written over it.
    fn holds_what_was_read(&self, handle: &std::fs::File, stat: &Stat) -> bool {
        if let Some(at) = self.find(stat.identity) {
            let file = &self.files[at].file;
            return !file.is_rotated()
                || (file.truncation().is_none() && file.trace().is_in(handle, stat.size).unwrap_or(true));
        }
        self.finished
            .get(&stat.identity)
            .is_some_and(|finished| finished.position.stands_in(handle, stat.size).unwrap_or(true))
    }

    /// Another content was written over that of a rotated file: what was unread is given up.
    fn let_go(&mut self, identity: Identity) {
        self.finished.remove(&identity);
        if let Some(at) = self.find(identity) {
            let file = self.files.remove(at).file;
            let (position, size) = match file.truncation() {
                Some(gone) => (gone.position.clone(), gone.size),
                None => (file.position(), file.trace().offset),
            };
            self.tally.abandoned_bytes += size.saturating_sub(position.offset);
            self.dropped.push(file.id());
        }
    }

    /// A copy whose lines were all read from the original: known from now on, and read only if it grows.
    pub(super) fn dismiss_copy(&mut self, path: &Path, origin: &Path) {
        let Ok((handle, stat)) = open_regular(path) else {
            return;
        };
        if stat.size > 0
            && let Ok(trace) = Trace::at(&handle, stat.size)
        {
            self.finish(self.next_id, trace.position_of_copy(&stat, origin), path, stat.size);
        }
    }

    /// Files whose names are rotated forms of the origin's, older ones first: beside it, and where it is a
    /// symbolic link, beside its target.
    pub(super) fn siblings(&mut self, origin: &Path, now: Timestamp) -> Vec<Sibling> {
        let target = self.target(origin);
        let mut siblings = Vec::new();
        for base in [Some(origin.to_path_buf()), target].into_iter().flatten() {
            self.add_siblings(&base, now, &mut siblings);
        }
        siblings.sort_by(|one, other| {
            let by_time = one.stat.modified.cmp(&other.stat.modified);
            by_time.then_with(|| sibling::older_first(&one.suffix, &other.suffix))
        });
        siblings
    }

    /// The path in `directory` that leads to the file, whatever its name.
    pub(super) fn by_inode(
        &mut self,
        directory: &Path,
        identity: Identity,
        now: Timestamp,
    ) -> Option<(PathBuf, Stat)> {
        let listing = self.discovery.directory(directory, now)?;
        listing.entries.iter().filter(|entry| entry.inode == identity.inode).find_map(|entry| {
            let path = directory.join(&entry.name);
            let stat = Stat::of(&std::fs::symlink_metadata(&path).ok()?);
            stat.identity.is_same(identity).then_some((path, stat))
        })
    }

    fn add_siblings(&mut self, base: &Path, now: Timestamp, siblings: &mut Vec<Sibling>) {
        let (Some(directory), Some(name)) = (base.parent(), base.file_name()) else {
            return;
        };
        let mut named = Vec::new();
        if let Some(listing) = self.discovery.directory(directory, now) {
            for entry in listing.with_stem(sibling::stem(name)).filter(|entry| entry.is_file()) {
                if let Some(suffix) = sibling::rotation_suffix(&entry.name, name) {
                    named.push((directory.join(&entry.name), suffix.to_vec()));
                }
            }
        }
        for (path, suffix) in named.into_iter().filter(|(path, _)| !self.discovery.is_excluded(path)) {
            if let Ok(metadata) = std::fs::symlink_metadata(&path)
                && metadata.is_file()
            {
                siblings.push(Sibling { path, stat: Stat::of(&metadata), suffix });
            }
        }
    }

    /// Something else, or nothing, is in the file's place.
    fn depart(&mut self, at: usize, is_located: bool, now: Timestamp) -> Arc<Path> {
        let file = &self.files[at].file;
        let is_deleted = file.stat().map_or(!is_located, |stat| stat.links == 0);
        let target = self.target(file.origin());
        let kind = match &target {
            _ if is_deleted => Rotation::Delete,
            Some(target) if std::fs::canonicalize(file.path()).ok().as_ref() != Some(target) => {
                Rotation::Symlink
            }
            _ => Rotation::Rename,
        };
        let origin = file.shared_origin().clone();
        tracing::debug!(path = %origin.display(), kind = kind.name(), "log file rotated");
        self.tally.add_rotation(kind);
        self.files[at].file.depart(now);
        origin
    }

    /// Where a file that left its path is now: under another path that matches, or under any name in its
    /// directory or in that of a link's target.
    fn locate(&mut self, at: usize, findings: &Findings, now: Timestamp) -> Option<(PathBuf, Stat)> {
        let file = &self.files[at].file;
        let identity = file.identity();
        if let Some(found) = findings.files.iter().find(|found| found.stat.identity == identity) {
            return Some((found.path.clone(), found.stat));
        }
        let target = self.target(file.origin());
        let directories: Vec<_> = [Some(file.path()), target.as_deref()]
            .into_iter()
            .filter_map(|path| path?.parent().map(Path::to_path_buf))
            .collect();
        directories.into_iter().find_map(|directory| self.by_inode(&directory, identity, now))
    }

    /// An editor, or a tool that syncs, puts a whole copy with new lines in the file's place.
    fn move_to_copy(&mut self, at: usize, here: Option<&Found>) -> bool {
        let Some(found) = here.filter(|found| !self.is_known(found.stat.identity)) else {
            return false;
        };
        let file = &mut self.files[at].file;
        let is_deleted = file.stat().is_some_and(|stat| stat.links == 0);
        if !is_deleted || !file.trace().is_telling() || found.stat.size < file.size() {
            return false;
        }
        let Ok((handle, stat)) = open_regular(&found.path) else {
            return false;
        };
        if !file.trace().is_in(&handle, stat.size).unwrap_or(false) {
            return false;
        }
        file.move_to(handle, &stat);
        self.tally.add_rotation(Rotation::Replace);
        true
    }
}

/// What matches at exactly this path.
pub(super) fn at_path<'a>(findings: &'a Findings, path: &Path) -> Option<&'a Found> {
    let at = findings.files.binary_search_by(|found| found.path.as_os_str().cmp(path.as_os_str())).ok()?;
    Some(&findings.files[at])
}
