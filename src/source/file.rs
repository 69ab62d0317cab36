//! Follows one open file through growth, truncation, rename and deletion.
//!
//! It holds the file by its handle, so names may change at will; which names lead where is the tailer's
//! business, and so is the search for a copy after a truncation. It knows no lines: `commit` tells it how
//! far they reach.
//!
//! Invariant: a byte is given only while all marks of what was given before still stand in the file.

mod reading;

use super::Reason;
use super::identity::{Identity, Position, Stat, Trace};
use super::open::Opened;
use super::retry::Retry;
use crate::limits::POSITION_BYTES;
use crate::time::{Span, Timestamp};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file of a log, for as long as it is followed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u64);

/// A file and how far it was read.
pub struct File {
    id: FileId,
    predecessor: Option<Predecessor>,
    /// The path that lines were or are appended under; rotated siblings share it.
    origin: Arc<Path>,
    path: PathBuf,
    identity: Identity,
    /// None while other files have the turn: see `OPEN_FILES_MAX`.
    handle: Option<fs::File>,
    trace: Trace,
    commit: Commit,
    /// As last seen, for the lag.
    size: u64,
    modified: i64,
    /// The modification time at which the trace was last compared with the file.
    compared: Option<i64>,
    life: Life,
    rotate_wait: Span,
    quiet_since: Timestamp,
    caught_up: bool,
    ready: bool,
    /// Whether the path leads to it, as of the last look.
    reachable: bool,
    retry: Option<Retry>,
    truncation: Option<Truncation>,
    events: Events,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Active,
    Rotated,
    Ended,
}

#[derive(Default)]
struct Commit {
    offset: u64,
    delivered: u64,
    tail: Vec<u8>,
}

/// The file that was read under the same path before this one.
struct Predecessor {
    id: FileId,
    /// Where it and those before it stood when the reading of this one began, until this one has a whole
    /// line. None: it has not begun.
    positions: Option<Vec<Position>>,
    /// Whether a line that began there goes on here.
    is_held: bool,
}

/// What was cut off, until it is known whether a copy of it was made.
pub(super) struct Truncation {
    /// How far the content that is gone had been taken.
    pub(super) position: Position,
    /// How large it was when last seen.
    pub(super) size: u64,
}

/// What happened since the tailer last asked.
#[derive(Default)]
pub(super) struct Events {
    pub(super) faults: [u64; Reason::ALL.len()],
    pub(super) shortened: u64,
    pub(super) abandoned_bytes: u64,
}

// === impl File ===

impl File {
    /// Follows the file at `path`, open or to be opened at its first turn, as if all before
    /// `start.offset` had been read.
    pub(super) fn new(
        id: FileId,
        origin: Arc<Path>,
        path: &Path,
        opened: Opened,
        rotate_wait: Span,
        now: Timestamp,
    ) -> Self {
        let Opened { handle, stat, trace, delivered } = opened;
        let commit = Commit { offset: trace.offset, delivered, tail: trace.tail_bytes().to_vec() };
        Self {
            id,
            predecessor: None,
            origin,
            path: path.to_path_buf(),
            identity: stat.identity,
            handle,
            trace,
            commit,
            size: stat.size,
            modified: stat.modified,
            compared: None,
            life: Life::Active,
            rotate_wait,
            quiet_since: now,
            caught_up: false,
            ready: true,
            reachable: true,
            retry: None,
            truncation: None,
            events: Events::default(),
        }
    }

    pub fn id(&self) -> FileId {
        self.id
    }

    /// The file that was read under the same path before this one was begun: a line that a container
    /// runtime split may go on from there to here.
    pub fn predecessor(&self) -> Option<FileId> {
        self.predecessor.as_ref().map(|before| before.id)
    }

    /// A line that began in the predecessor goes on here: until a whole line reaches into this file, the
    /// predecessor's position stays where that line began, so that a restart finds its beginning.
    pub fn hold_predecessor(&mut self) {
        if let Some(before) = &mut self.predecessor {
            before.is_held = true;
        }
    }

    /// Where it was last seen.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path that its lines were written under: what names the file to a person.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// Takes note of how far whole lines reach: what `line::Buffer::committed` says.
    pub fn commit(&mut self, offset: u64, delivered: u64, tail: &[u8]) {
        assert!(offset <= self.trace.offset, "lines cannot reach beyond what was read");
        self.commit.advance(offset, tail);
        self.commit.delivered = delivered;
        if let Some(before) = &mut self.predecessor
            && (offset > 0 || !before.is_held)
        {
            before.release();
        }
    }

    /// Which file it is, and up to where its lines were given out; cheap, and enough to see after a restart
    /// whether as much has been read again.
    pub fn taken(&self) -> (Identity, u64) {
        (self.identity, self.commit.delivered)
    }

    /// Whether all was read that the last look found.
    pub fn is_at_end(&self) -> bool {
        self.caught_up && !self.ready && self.truncation.is_none()
    }

    /// Bytes that were written and are in no line given out, as of the last look.
    pub fn lag_bytes(&self) -> u64 {
        self.size.max(self.trace.offset).saturating_sub(self.commit.offset)
    }

    /// Whether a read may give something, without asking the file system.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        match self.life {
            Life::Ended => false,
            _ if self.truncation.is_some() || self.is_pausing(now) => false,
            Life::Active => self.ready,
            Life::Rotated => self.ready || self.handle.is_some() || self.is_over(now),
        }
    }

    /// Whether it left its place; it is read until it was quiet for `rotate_wait`.
    pub fn is_rotated(&self) -> bool {
        self.life == Life::Rotated
    }

    pub fn is_failing(&self) -> bool {
        self.retry.is_some()
    }

    pub(super) fn set_predecessor(&mut self, predecessor: Option<FileId>) {
        self.predecessor = predecessor.map(|id| Predecessor { id, positions: None, is_held: false });
    }

    /// The predecessor, if its positions are still to be noted.
    pub(super) fn unnoted_predecessor(&self) -> Option<FileId> {
        self.predecessor.as_ref().filter(|before| before.positions.is_none()).map(|before| before.id)
    }

    pub(super) fn note_predecessor(&mut self, positions: Vec<Position>) {
        if let Some(before) = &mut self.predecessor {
            before.positions = Some(positions);
        }
    }

    /// Positions that earlier files keep, as a line of theirs goes on here.
    pub(super) fn held(&self) -> &[Position] {
        let held = self.predecessor.as_ref().filter(|before| before.is_held);
        held.and_then(|before| before.positions.as_deref()).unwrap_or_default()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.life == Life::Ended
    }

    pub(super) fn is_open(&self) -> bool {
        self.handle.is_some()
    }

    /// Whether it has something to read, but its handle was closed for others.
    pub(super) fn is_waiting(&self) -> bool {
        self.handle.is_none() && self.ready
    }

    /// Whether its end was reached since it came or was rotated.
    pub(super) fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// Whether its end was reached and it can be opened again by its path.
    pub(super) fn is_resting(&self) -> bool {
        self.reachable && self.is_at_end()
    }

    pub(super) fn quiet_since(&self) -> Timestamp {
        self.quiet_since
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    pub(super) fn shared_origin(&self) -> &Arc<Path> {
        &self.origin
    }

    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// What the handle says: its links tell renamed from deleted. None while it is closed.
    pub(super) fn stat(&self) -> Option<Stat> {
        self.handle.as_ref().and_then(|handle| handle.metadata().ok()).map(|metadata| Stat::of(&metadata))
    }

    /// The tailer saw this file under `path`.
    pub(super) fn see(&mut self, path: &Path, stat: &Stat) {
        if self.path.as_os_str() != path.as_os_str() {
            self.path = path.to_path_buf();
        }
        self.reachable = true;
        self.size = stat.size;
        self.ready |= stat.size != self.trace.offset || self.compared != Some(stat.modified);
    }

    /// No path is known that leads to it: it lives by its handle, and without one is given up in the end.
    pub(super) fn lose(&mut self) {
        self.reachable = false;
    }

    /// Something else has its place now.
    pub(super) fn depart(&mut self, now: Timestamp) {
        self.life = Life::Rotated;
        self.quiet_since = now;
        self.caught_up = false;
        self.ready = true;
    }

    /// Its content was copied to another file, which took its place: the reading goes on there.
    pub(super) fn move_to(&mut self, handle: fs::File, stat: &Stat) {
        self.handle = Some(handle);
        self.identity = stat.identity;
        self.size = stat.size;
        self.compared = None;
        self.ready = true;
    }

    pub(super) fn close(&mut self) {
        self.handle = None;
    }

    pub(super) fn truncation(&self) -> Option<&Truncation> {
        self.truncation.as_ref()
    }

    /// The search for a copy is over: the new content may be read.
    pub(super) fn settle_truncation(&mut self) -> Option<Truncation> {
        self.truncation.take()
    }

    pub(super) fn take_events(&mut self) -> Events {
        std::mem::take(&mut self.events)
    }
}

// === impl Commit ===

impl Commit {
    /// `tail` ends at `offset`. After a restart it holds only what was read since: what stood before that
    /// is in the tail so far.
    fn advance(&mut self, offset: u64, tail: &[u8]) {
        let tail = &tail[tail.len().saturating_sub(POSITION_BYTES)..];
        let known_from = self.offset - self.tail.len() as u64;
        let known = (offset - tail.len() as u64)
            .checked_sub(known_from)
            .and_then(|count| usize::try_from(count).ok());
        let kept = known.filter(|count| *count <= self.tail.len()).unwrap_or(0);
        self.tail.truncate(kept);
        self.tail.drain(..(kept + tail.len()).saturating_sub(POSITION_BYTES).min(kept));
        self.tail.extend_from_slice(tail);
        self.offset = offset;
    }
}

// === impl Predecessor ===

impl Predecessor {
    fn release(&mut self) {
        (self.positions, self.is_held) = (Some(Vec::new()), false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::open::open_regular;
    use super::super::{Progress, Source};
    use super::*;

    const WAIT: Span = Span::from_seconds(5);

    fn follow(path: &Path, now: Timestamp) -> File {
        let (handle, stat) = open_regular(path).expect("a file");
        let opened = Opened { handle: Some(handle), stat, trace: Trace::default(), delivered: 0 };
        File::new(FileId(0), path.into(), path, opened, WAIT, now)
    }

    #[test]
    fn a_file_that_cannot_be_read_is_tried_ever_more_seldom_and_given_up_once_rotated() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.log");
        std::fs::write(&path, "a line\n").expect("written");
        let mut now = Timestamp::from_seconds(1000);
        let mut file = follow(&path, now);
        // Closed for others, and gone before its next turn.
        file.close();
        std::fs::remove_file(&path).expect("deleted");
        let mut failures = 0;
        for _ in 0..40 {
            failures += u32::from(file.is_ready(now) && file.read(&mut [0; 10], now).is_err());
            now = now.plus(Span::from_millis(250));
        }
        // After 0, 0.25, 0.75, 1.75, 3.75 and 7.75 s.
        assert_eq!((failures, file.is_failing()), (6, true));
        file.depart(now);
        now = now.plus(Span::from_seconds(60));
        assert!(matches!(file.read(&mut [0; 10], now), Ok(Progress::Ended)));
        assert_eq!(file.take_events().abandoned_bytes, 7);
        assert!(matches!(file.read(&mut [0; 10], now), Ok(Progress::Ended)));
    }

    #[test]
    fn a_file_that_comes_back_is_read_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.log");
        let aside = directory.path().join("aside");
        std::fs::write(&path, "a line\n").expect("written");
        let now = Timestamp::from_seconds(1000);
        let mut file = follow(&path, now);
        file.close();
        std::fs::rename(&path, &aside).expect("renamed");
        assert_eq!(file.read(&mut [0; 10], now).expect_err("gone").reason, Reason::Vanished);
        std::fs::rename(&aside, &path).expect("renamed");
        assert!(matches!(file.read(&mut [0; 10], now), Ok(Progress::Idle)));
        let later = now.plus(Span::from_seconds(1));
        assert!(matches!(file.read(&mut [0; 10], later), Ok(Progress::Bytes(7))));
        assert!(!file.is_failing());
    }
}
