//! All files of one log: which are there, in which order they are read, what rotation did to them.
//!
//! `look` asks the file system, and is the only place that does for more than one file; between two looks
//! the pipeline takes turns with `next_file`. It reads no bytes for the pipeline and knows no lines.
//!
//! Invariants: a file is followed once, whatever its names; what a rotated file still holds is read before
//! the file that took its place; a file that is known is never begun again at 0 unless its content changed.

mod arrival;
pub mod bound;
mod calm;
mod departure;
mod empty;
mod order;
mod origin;
mod restart;

use super::discover::{Discovery, Findings};
use super::file::{File, FileId};
use super::identity::{Identity, Position, Stat};
use super::open::Opened;
use super::tally::{Rotation, State, Tally};
use super::{Config, Reason, Source, StartAt};
use crate::limits::{DIRECTORY_LIST_INTERVAL, OPEN_FILES_MAX};
use crate::time::{Span, Timestamp};
use empty::Empty;
use origin::Origin;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Follows one log.
pub struct Tailer {
    discovery: Discovery,
    findings: Findings,
    start_at: StartAt,
    rotate_wait: Span,
    /// In reading order: that of their turns.
    files: Vec<Turn>,
    /// Read to the end and closed, but still to be seen under some name.
    finished: HashMap<Identity, Finished>,
    /// Copies of a file that is still followed: their lines are read from the original.
    copies: HashMap<Identity, Copied>,
    /// Files without a byte, in their place or just rotated.
    empty: HashMap<Identity, Empty>,
    /// Rotated siblings that are none of our files.
    strangers: HashMap<Identity, Stranger>,
    /// Positions of an earlier run whose file was not found yet.
    unclaimed: Vec<Position>,
    /// The reading order of the earlier run, for the first look.
    ranks: HashMap<Identity, usize>,
    /// Paths that match or matched.
    origins: HashMap<Arc<Path>, Origin>,
    problems: BTreeMap<PathBuf, Problem>,
    /// Files that are followed no more and whose end was never read.
    dropped: Vec<FileId>,
    next_id: u64,
    open_count: usize,
    looked_at: Option<Timestamp>,
    earlier_look: Option<Timestamp>,
    waiting_since: Option<Timestamp>,
    is_restored: bool,
    tally: Tally,
}

/// A file and its place in the reading order.
struct Turn {
    number: u64,
    file: File,
}

/// A file that was read to its end.
struct Finished {
    /// Its place in the order of reading.
    number: u64,
    position: Position,
    path: PathBuf,
    /// As last seen: what grows beyond it without matching a glob is given up.
    size: u64,
    /// Looks in a row that did not find it: one that falls into a rotation may find none of the files that
    /// change their names meanwhile.
    missed: u32,
}

/// A copy of what was read.
struct Copied {
    of: FileId,
    path: PathBuf,
    stat: Stat,
}

/// Why a path could not be opened at the last look.
struct Problem {
    reason: Reason,
    seen_at: Timestamp,
}

/// When a rotated sibling that is not ours was first and last seen.
struct Stranger {
    since: Timestamp,
    /// Its last modification: what is written over is a stranger anew.
    modified: i64,
    seen_at: Timestamp,
}

/// Where the pipeline is in the order of turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cursor(Option<u64>);

/// Siblings not seen for so long are gone: every directory is listed several times meanwhile.
const STRANGER_WAIT: Span = Span::from_nanos(6 * DIRECTORY_LIST_INTERVAL.as_nanos());

/// How long a path that no file has any more stays known: a file that comes and is rotated away between
/// two looks is only looked for beside a known path.
const ORIGIN_WAIT: Span = Span::from_seconds(600);

// === impl Tailer ===

impl Tailer {
    /// # Errors
    /// A glob of `paths` or `exclude` is malformed.
    pub fn new(config: &Config) -> Result<Self, globset::Error> {
        Ok(Self {
            discovery: Discovery::new(&config.paths, &config.exclude)?,
            findings: Findings::default(),
            start_at: config.start_at,
            rotate_wait: config.rotate_wait,
            files: Vec::new(),
            finished: HashMap::new(),
            copies: HashMap::new(),
            empty: HashMap::new(),
            strangers: HashMap::new(),
            unclaimed: Vec::new(),
            ranks: HashMap::new(),
            origins: HashMap::new(),
            problems: BTreeMap::new(),
            dropped: Vec::new(),
            next_id: 0,
            open_count: 0,
            looked_at: None,
            earlier_look: None,
            waiting_since: None,
            is_restored: false,
            tally: Tally::default(),
        })
    }

    /// Goes on where an earlier run stopped, with what it had counted by then. To be called before the
    /// first look; then `start_at` has no effect, and what was rotated meanwhile is found and counted.
    pub fn restore(&mut self, positions: Vec<Position>, tally: Tally) {
        assert!(self.looked_at.is_none(), "positions are restored before the first look");
        self.ranks = positions.iter().enumerate().map(|(at, position)| (position.identity, at)).collect();
        self.unclaimed = positions;
        self.tally = tally;
        self.is_restored = true;
    }

    /// When the earlier run last looked: what was written later, under a path of which it knew no file, came
    /// and was rotated meanwhile. To be called before the first look.
    pub fn note_earlier_look(&mut self, at: Timestamp) {
        self.earlier_look = Some(at);
    }

    /// When it last looked.
    pub fn looked_at(&self) -> Option<Timestamp> {
        self.looked_at
    }

    /// Finds what appeared, left, was rotated or truncated since the last look. To be called about every
    /// 250 ms: only a symbolic link's target that is current at one look is noticed.
    pub fn look(&mut self, now: Timestamp) {
        let mut findings = std::mem::take(&mut self.findings);
        self.discovery.look(now, &mut findings);
        self.retire();
        for (path, reason) in &findings.problems {
            self.note_problem(path, *reason, now);
        }
        let vacated = self.see_files(&findings, now);
        self.settle_truncations(now);
        self.see_finished(&findings, now);
        self.take_arrivals(&findings, &vacated, now);
        self.findings = findings;
        self.forget_unused(now);
        self.close_surplus();
        self.looked_at = Some(now);
        self.count_files();
    }

    /// Files that the last look let go without an end: what is held for them is to be dropped.
    pub fn take_dropped(&mut self) -> impl Iterator<Item = FileId> {
        self.dropped.drain(..)
    }

    /// Whether all globs were looked at once.
    pub fn looked_once(&self) -> bool {
        self.looked_at.is_some()
    }

    /// The next file after the cursor that may have something to read: older ones first, and none before
    /// the rotated file that it replaced has been read to its end.
    pub fn next_file(&mut self, cursor: &mut Cursor, now: Timestamp) -> Option<&mut File> {
        let from = cursor.0.map_or(0, |last| self.files.partition_point(|turn| turn.number <= last));
        let at = (from..self.files.len()).find(|at| {
            let file = &self.files[*at].file;
            file.is_ready(now)
                && !self.is_blocked(*at)
                && (file.is_open() || self.open_count < OPEN_FILES_MAX)
        })?;
        self.note_predecessor(at);
        let turn = &mut self.files[at];
        if !turn.file.is_open() {
            self.open_count += 1;
        }
        cursor.0 = Some(turn.number);
        Some(&mut turn.file)
    }

    /// All files that are followed, in reading order.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().map(|turn| &turn.file)
    }

    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut File> {
        self.files.iter_mut().map(|turn| &mut turn.file)
    }

    /// What a checkpoint must hold, in the order of reading: the files that were read to their end, as long
    /// as they exist, those that are followed, and those not found again yet.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        let held: Vec<&Position> = self.files().flat_map(File::held).collect();
        let cut = self.files().filter_map(|file| file.truncation().map(|gone| gone.position.clone()));
        // Where a new copy is being written over an old one, only what was cut off is known.
        let known = self.files().filter(|file| !file.is_rotated() || file.truncation().is_none());
        let followed = known.map(Source::position);
        let mut finished: Vec<&Finished> = self.finished.values().collect();
        finished.sort_unstable_by_key(|finished| finished.number);
        let finished = finished.into_iter().map(|finished| {
            let position = finished.position.clone();
            // Where nothing was read, nothing says that the file is still the same.
            let identity = if position.offset > 0 { position.identity } else { Identity::default() };
            Position { identity, ..position }
        });
        let all = finished.chain(followed).chain(cut).chain(self.unclaimed.iter().cloned());
        all.map(move |position| match held.iter().find(|held| held.identity == position.identity) {
            Some(held) => Position { offset: held.offset, head: held.head, tail: held.tail, ..position },
            None => position,
        })
    }

    /// Bytes that were written and are in no line given out yet, as of the last look.
    pub fn lag_bytes(&self) -> u64 {
        let cut = self.files().filter_map(File::truncation);
        self.files().map(File::lag_bytes).sum::<u64>()
            + cut.map(|gone| gone.size.saturating_sub(gone.position.offset)).sum::<u64>()
    }

    /// Whether the end of every file was reached since the last look. Files that cannot be read do not count.
    pub fn is_caught_up(&self) -> bool {
        self.files().all(|file| {
            let is_read = file.is_caught_up() && (file.is_resting() || file.is_rotated());
            file.is_failing() || (is_read && file.truncation().is_none())
        })
    }

    /// Counts as of the last look.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Where the files before this one stand, as its reading begins: a line of theirs may go on in it.
    fn note_predecessor(&mut self, at: usize) {
        let Some(id) = self.files[at].file.unnoted_predecessor() else {
            return;
        };
        let before = self.files[..at].iter().map(|turn| &turn.file).find(|file| file.id() == id);
        let positions = before.map(|file| [file.held(), &[file.position()]].concat());
        self.files[at].file.note_predecessor(positions.unwrap_or_default());
    }

    /// Whether an earlier file of the same path must be read to its end first.
    fn is_blocked(&self, at: usize) -> bool {
        let origin = self.files[at].file.shared_origin();
        self.files[..at].iter().any(|turn| {
            turn.file.is_rotated()
                && !turn.file.is_caught_up()
                && !turn.file.is_failing()
                && Arc::ptr_eq(turn.file.shared_origin(), origin)
        })
    }

    /// Files that were read to their end leave; their positions stay while they can be seen.
    fn retire(&mut self) {
        for at in (0..self.files.len()).rev() {
            let events = self.files[at].file.take_events();
            for (reason, count) in Reason::ALL.into_iter().zip(events.faults) {
                self.tally.add_errors(reason, count);
            }
            self.tally.abandoned_bytes += events.abandoned_bytes;
            for _ in 0..events.shortened {
                self.tally.add_rotation(Rotation::Truncate);
            }
            if self.files[at].file.is_ended() {
                let Turn { number, file } = self.files.remove(at);
                self.finish(number, file.position(), file.path(), file.size());
            }
        }
    }

    fn finish(&mut self, number: u64, position: Position, path: &Path, size: u64) {
        let finished = Finished { number, path: path.to_path_buf(), size, missed: 0, position };
        self.finished.insert(finished.position.identity, finished);
    }

    /// Counts and logs a path that cannot be opened, once while that lasts.
    fn note_problem(&mut self, path: &Path, reason: Reason, now: Timestamp) {
        let problem = Problem { reason, seen_at: now };
        let before = self.problems.insert(path.to_path_buf(), problem);
        if before.is_none_or(|before| before.reason != reason) {
            tracing::warn!(path = %path.display(), reason = reason.name(), "log path cannot be read");
            self.tally.add_errors(reason, 1);
        }
    }

    fn last_of(&self, origin: &Arc<Path>) -> Option<FileId> {
        let last = self.files.iter().rfind(|turn| Arc::ptr_eq(turn.file.shared_origin(), origin));
        last.map(|turn| turn.file.id())
    }

    fn is_known(&self, identity: Identity) -> bool {
        self.find(identity).is_some()
            || self.finished.contains_key(&identity)
            || self.copies.contains_key(&identity)
    }

    fn find(&self, identity: Identity) -> Option<usize> {
        self.files.iter().position(|turn| turn.file.identity() == identity)
    }

    /// Follows a file from now on, last in the order of turns.
    fn follow(&mut self, origin: Arc<Path>, path: &Path, opened: Opened, now: Timestamp) -> &mut File {
        let id = FileId(self.next_id);
        let number = self.next_id;
        self.next_id += 1;
        self.open_count += usize::from(opened.handle.is_some());
        let file = File::new(id, origin, path, opened, self.rotate_wait, now);
        let at = self.files.len();
        self.files.push(Turn { number, file });
        &mut self.files[at].file
    }

    /// Names that are gone take their memory along.
    fn forget_unused(&mut self, now: Timestamp) {
        self.origins
            .retain(|path, origin| Arc::strong_count(path) > 1 || now.since(origin.seen_at) < ORIGIN_WAIT);
        self.problems.retain(|_, problem| problem.seen_at == now);
        self.finished.retain(|_, finished| finished.missed < 2);
        self.strangers.retain(|_, stranger| now.since(stranger.seen_at) < STRANGER_WAIT);
    }

    /// Keeps the number of open files bounded: those longest quiet are closed, and opened again by path
    /// when they grow.
    fn close_surplus(&mut self) {
        self.open_count = self.files.iter().filter(|turn| turn.file.is_open()).count();
        let waiting = self.files.iter().filter(|turn| turn.file.is_waiting()).count();
        let room = OPEN_FILES_MAX - waiting.min(OPEN_FILES_MAX / 2);
        if self.open_count <= room {
            return;
        }
        let mut resting: Vec<_> =
            self.files.iter_mut().filter(|turn| turn.file.is_open() && turn.file.is_resting()).collect();
        resting.sort_by_key(|turn| turn.file.quiet_since());
        for turn in resting.into_iter().take(self.open_count - room) {
            turn.file.close();
            self.open_count -= 1;
        }
    }

    fn count_files(&mut self) {
        let followed = self.files.iter().map(|turn| match &turn.file {
            file if file.is_failing() => State::Failing,
            file if file.is_rotated() => State::Rotated,
            _ => State::Active,
        });
        let failing = self.problems.iter().map(|_| State::Failing);
        let finished = self.finished.iter().map(|_| State::Finished);
        self.tally.set_files(followed.chain(failing).chain(finished));
    }
}
