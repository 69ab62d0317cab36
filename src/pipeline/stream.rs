//! Follows the files of one log: bytes → lines → what they change, a batch at a time.

mod feed;

use super::intake::{Intake, Wall};
use super::progress::{FileMark, LogMark};
use super::saved::Places;
use super::{Config, State, StreamConfig};
use crate::source;
use crate::source::tailer::{Cursor, Tailer};
use crate::time::{Span, Timestamp};
use crate::verdict::Reject;
use feed::{Feeds, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One log that is followed.
pub struct Stream {
    index: usize,
    tailer: Tailer,
    cursor: Cursor,
    intake: Intake,
    feeds: Feeds,
    /// Whether the last turn found something, so that there may be more.
    behind: bool,
    /// Event time of the newest record; `Timestamp::MIN` before the first.
    watermark: Timestamp,
    looked_at: Option<Timestamp>,
    /// When everything had been read that the last look found; at first, the first look.
    read_up_at: Timestamp,
}

/// Whether files have been read as far as a mark says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reach {
    Yes,
    /// Once there is nothing left to read.
    AtEnd,
    NotYet,
}

/// The state as whoever has the lock last left it: a panic of ours ends the process before it is shown.
pub fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Stream ===

impl Stream {
    /// What is held of every file that has been read, however quiet, without what it points to.
    pub const FEED_BYTES: usize = Feeds::FEED_BYTES;

    /// The log at a place of the configuration.
    ///
    /// # Errors
    /// A glob of the log is malformed.
    pub fn new(config: &Config, index: usize) -> Result<Self, globset::Error> {
        Ok(Self::with_tailer(config, index, Tailer::new(&config.streams[index].source)?))
    }

    fn with_tailer(config: &Config, index: usize, tailer: Tailer) -> Self {
        Self {
            index,
            tailer,
            cursor: Cursor::default(),
            intake: Intake::new(config, index),
            feeds: Feeds::new(&config.streams[index]),
            behind: true,
            watermark: Timestamp::MIN,
            looked_at: None,
            read_up_at: Timestamp::MAX,
        }
    }

    /// Takes over the same log that ran under another configuration: nothing is read again, and nothing
    /// left out.
    #[must_use]
    pub fn carry_over(mut self, old: Self, before: &StreamConfig, after: &StreamConfig) -> Self {
        let Self { index: _, tailer, cursor, intake: _, feeds, behind, watermark, looked_at, read_up_at } =
            old;
        (self.behind, self.watermark) = (behind, watermark);
        (self.looked_at, self.read_up_at) = (looked_at, read_up_at);
        if before.source != after.source || before.line != after.line {
            // Positions are where whole lines end, so an unterminated one is read again from its start.
            self.tailer.restore(tailer.positions().collect(), tailer.tally().clone());
            return self;
        }
        (self.tailer, self.cursor) = (tailer, cursor);
        let is_same_record = before.record.is_same(&after.record);
        self.feeds.carry_over(feeds, after, if is_same_record { None } else { Some(&self.tailer) });
        self
    }

    /// Asks the file system what is there. To be called about every 250 ms.
    pub fn look(&mut self, state: &Mutex<State>, now: Timestamp) {
        self.tailer.look(now);
        for id in self.tailer.take_dropped() {
            self.feeds.remove(id);
        }
        // What this look has found is not late yet; what the last one found, and is still unread, is.
        let read_up = self.looked_at.is_none_or(|looked_at| self.read_up_at >= looked_at);
        let lag = if read_up { Span::ZERO } else { now.since(self.read_up_at) };
        self.read_up_at = self.read_up_at.min(now);
        self.looked_at = Some(now);
        let mut state = lock(state);
        let tally = &mut state.logs[self.index];
        tally.is_followed = true;
        tally.files.clone_from(self.tailer.tally());
        tally.lag_bytes = self.tailer.lag_bytes();
        tally.lag = lag;
    }

    /// Drops lines whose rest a container runtime never wrote.
    pub fn expire_pieces(&mut self, state: &Mutex<State>, now: Timestamp) {
        for file in self.tailer.files_mut() {
            let expired = self.feeds.expire(file, now);
            if expired > 0 {
                let tally = &mut lock(state).logs[self.index];
                (0..expired).for_each(|_| tally.reject(Reject::Container));
            }
        }
    }

    /// Goes on where an earlier process stopped. To be called before the first look.
    pub fn restore(&mut self, places: Places, state: &Mutex<State>) {
        let tally = &lock(state).logs[self.index];
        self.watermark = tally.last_record;
        self.tailer.restore(places.positions, tally.files.clone());
        if let Some(looked_at) = places.looked_at {
            self.tailer.note_earlier_look(looked_at);
        }
    }

    /// Where to go on after a restart.
    pub fn places(&self, source: &source::Config) -> Places {
        Places {
            paths: source.paths.clone(),
            exclude: source.exclude.clone(),
            positions: self.tailer.positions().collect(),
            looked_at: self.tailer.looked_at(),
        }
    }

    /// Whether the files have been read again as far as a mark says.
    pub fn reach(&self, mark: &LogMark) -> Reach {
        let mut reach = if mark.until_end { Reach::AtEnd } else { Reach::Yes };
        for FileMark { file: identity, delivered } in &mark.files {
            match self.tailer.files().find(|file| file.taken().0 == *identity) {
                Some(file) if file.taken().1 >= *delivered => {}
                Some(file) if !(file.is_at_end() && file.size() < *delivered) => return Reach::NotYet,
                // It is gone, or begun again: what it held is elsewhere or nowhere.
                _ => reach = Reach::AtEnd,
            }
        }
        reach
    }

    /// Whether a file of a mark is not among those that are followed.
    pub fn lacks(&self, mark: &LogMark) -> bool {
        let is_followed =
            |file: &FileMark| self.tailer.files().any(|followed| followed.taken().0 == file.file);
        !mark.files.iter().all(is_followed)
    }

    /// Whether the last turn found something, so that there may be more.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// Event time of the newest record; `Timestamp::MIN` before the first.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// Whether the end of every file has been reached since the last look.
    pub fn is_caught_up(&self) -> bool {
        self.tailer.is_caught_up()
    }

    /// Whether a look at the files may wait.
    pub fn is_calm(&self, now: Timestamp) -> bool {
        self.tailer.is_calm(now)
    }

    /// Its place in the configuration.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Reads at most one batch of one file and takes in its lines. `false` where there was nothing.
    pub fn run_batch(&mut self, config: &Config, state: &Mutex<State>, wall: Wall) -> bool {
        let was_behind = self.behind;
        self.behind = self.read_next(config, state, wall);
        if !self.behind {
            // The files before the cursor have their turn again.
            self.cursor = Cursor::default();
            self.behind = self.read_next(config, state, wall);
        }
        if !self.behind {
            self.read_up_at = wall.now;
        }
        if was_behind && !self.behind {
            lock(state).logs[self.index].lag_bytes = self.tailer.lag_bytes();
        }
        self.behind
    }

    /// Reads one batch of the file that a mark names, and nothing behind it. `false` once all of it is taken
    /// in, or where there is nothing to read.
    pub fn run_up_to(&mut self, config: &Config, state: &Mutex<State>, wall: Wall, upto: FileMark) -> bool {
        let FileMark { file: identity, delivered } = upto;
        let Some(file) = self.tailer.files_mut().find(|file| file.taken().0 == identity) else {
            return false;
        };
        if file.taken().1 >= delivered {
            return false;
        }
        let read = self.feeds.read(file, self.index, delivered, &mut self.intake, config, state, wall);
        self.watermark = self.watermark.max(lock(state).logs[self.index].last_record);
        read != Read::Nothing && file.taken().1 < delivered
    }

    fn read_next(&mut self, config: &Config, state: &Mutex<State>, wall: Wall) -> bool {
        loop {
            let before = self.cursor;
            let Some(file) = self.tailer.next_file(&mut self.cursor, wall.now) else { return false };
            let read = self.feeds.read(file, self.index, u64::MAX, &mut self.intake, config, state, wall);
            match read {
                Read::Nothing => continue,
                Read::Lines => {}
                Read::Piece => self.cursor = before,
            }
            self.watermark = lock(state).logs[self.index].last_record;
            return true;
        }
    }
}
