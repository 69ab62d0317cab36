//! Follows the files of one log: bytes → lines → what they change, a batch at a time.

use super::intake::{Clock, Intake, Wall};
use super::progress::{FileMark, LogMark, Read, note_read};
use super::{Config, State, StreamConfig};
use crate::line::{Buffer, Line};
use crate::record::Decoder;
use crate::source::file::FileId;
use crate::source::identity::{Identity, Position};
use crate::source::tailer::{Cursor, Tailer};
use crate::source::{self, Progress, Source};
use crate::time::{Span, Timestamp};
use crate::verdict::Reject;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One log that is followed.
pub struct Stream {
    index: usize,
    tailer: Tailer,
    cursor: Cursor,
    intake: Intake,
    feeds: HashMap<FileId, Feed>,
    /// When lines that are read again had been taken in first.
    read_before: HashMap<Identity, Vec<Read>>,
    /// Reused: when the lines of a batch were taken in.
    reads: Vec<Read>,
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

/// What is held between two reads of one file.
struct Feed {
    buffer: Buffer,
    decoder: Decoder,
}

/// When lines had been taken in before, and where to note when they are now.
struct Before<'a> {
    reads: Option<&'a Vec<Read>>,
    noted: &'a mut Vec<Read>,
}

/// The state as whoever has the lock last left it: a panic of ours ends the process before it is shown.
pub fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Stream ===

impl Stream {
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
            feeds: HashMap::new(),
            read_before: HashMap::new(),
            reads: Vec::new(),
            behind: true,
            watermark: Timestamp::MIN,
            looked_at: None,
            read_up_at: Timestamp::MAX,
        }
    }

    /// The same log under another configuration: nothing is read again, and nothing left out.
    ///
    /// # Errors
    /// A glob of the log is malformed; then the stream is as it was.
    pub fn reconfigure(&mut self, old: &Config, new: &Config, index: usize) -> Result<(), globset::Error> {
        let (before, after) = (&old.streams[self.index], &new.streams[index]);
        if before.source != after.source || before.line != after.line || !before.record.is_same(&after.record)
        {
            // Positions are where whole lines end, so an unterminated one is read again from its start.
            let mut tailer = Tailer::new(&after.source)?;
            tailer.restore(self.tailer.positions().collect(), self.tailer.tally().clone());
            self.tailer = tailer;
            self.cursor = Cursor::default();
            self.feeds.clear();
        }
        self.index = index;
        self.intake = Intake::new(new, index);
        Ok(())
    }

    /// Asks the file system what is there. To be called about every 250 ms.
    pub fn look(&mut self, state: &Mutex<State>, now: Timestamp) {
        self.tailer.look(now);
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
        let expired: usize = self.feeds.values_mut().map(|feed| feed.buffer.expire(now)).sum();
        if expired > 0 {
            let tally = &mut lock(state).logs[self.index];
            (0..expired).for_each(|_| tally.reject(Reject::Container));
        }
    }

    /// Goes on where an earlier process stopped. To be called before the first look.
    pub fn restore(&mut self, positions: Vec<Position>, state: &Mutex<State>) {
        let tally = &lock(state).logs[self.index];
        self.watermark = tally.last_record;
        self.tailer.restore(positions, tally.files.clone());
    }

    /// Lines of this mark that come again have the time that they had.
    pub fn read_again(&mut self, mark: &LogMark) {
        self.read_before = mark.files.iter().map(|file| (file.file, file.reads.clone())).collect();
    }

    /// What comes from now on comes for the first time.
    pub fn end_reading_again(&mut self) {
        self.read_before.clear();
    }

    /// Where to go on after a restart.
    pub fn positions(&self) -> Vec<Position> {
        self.tailer.positions().collect()
    }

    /// Whether the files have been read again as far as a mark says.
    pub fn reach(&self, mark: &LogMark) -> Reach {
        let mut reach = if mark.until_end { Reach::AtEnd } else { Reach::Yes };
        for FileMark { file: identity, delivered, .. } in &mark.files {
            match self.tailer.files().find(|file| file.taken().0 == *identity) {
                Some(file) if file.taken().1 >= *delivered => {}
                Some(file) if !(file.is_at_end() && file.size() < *delivered) => return Reach::NotYet,
                // It is gone, or begun again: what it held is elsewhere or nowhere.
                _ => reach = Reach::AtEnd,
            }
        }
        reach
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

    fn read_next(&mut self, config: &Config, state: &Mutex<State>, wall: Wall) -> bool {
        let now = wall.now;
        let log = &config.streams[self.index];
        while let Some(file) = self.tailer.next_file(&mut self.cursor, now) {
            let id = file.id();
            if !self.feeds.contains_key(&id) {
                let mut feed = Feed::new(log, file.path(), &file.position());
                // A line that a container runtime has split may have its other pieces in the file before.
                if let Some(before) = file.predecessor().and_then(|before| self.feeds.get_mut(&before)) {
                    feed.buffer.inherit(&mut before.buffer);
                }
                self.feeds.insert(id, feed);
            }
            let Some(feed) = self.feeds.get_mut(&id) else { unreachable!("it was made just now") };
            let read = match file.read(feed.buffer.space(), now) {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(log = log.name, %error, "log cannot be read");
                    continue;
                }
            };
            match read {
                Progress::Bytes(count) => feed.buffer.filled(count, now),
                Progress::Truncated => *feed = Feed::new(log, file.path(), &file.position()),
                Progress::Ended => feed.buffer.finish(),
                Progress::Idle => {
                    feed.buffer.rest();
                    continue;
                }
            }
            let mut state = lock(state);
            let delivered_before = feed.buffer.committed().delivered;
            let before = Before { reads: self.read_before.get(&file.taken().0), noted: &mut self.reads };
            feed.take_lines(&mut self.intake, config, &mut state, self.index, wall, before);
            let committed = feed.buffer.committed();
            file.commit(committed.offset, committed.delivered, committed.tail);
            let checkpoint = state.checkpoint;
            let tally = &mut state.logs[self.index];
            tally.bytes += committed.delivered - delivered_before;
            tally.progress.note(file.taken(), &self.reads, checkpoint);
            self.watermark = tally.last_record;
            if read == Progress::Ended {
                self.feeds.remove(&id);
            }
            return true;
        }
        false
    }
}

// === impl Feed ===

impl Feed {
    fn new(log: &StreamConfig, path: &Path, position: &Position) -> Self {
        let mut new = Self { buffer: Buffer::new(&log.line), decoder: Decoder::new(&log.record) };
        new.buffer.restart(position.offset, position.delivered);
        if position.offset > 0 {
            new.recall_header(log, path);
        }
        new
    }

    /// A file that is entered in its middle still begins with its header.
    fn recall_header(&mut self, log: &StreamConfig, path: &Path) {
        if !self.decoder.wants_header() {
            return;
        }
        let mut head = Buffer::new(&log.line);
        let Ok(mut source) = source::once::open(path) else { return };
        let now = Timestamp::default();
        while let Ok(Progress::Bytes(count)) = source.read(head.space(), now) {
            head.filled(count, now);
            match head.next_line() {
                None => {}
                Some(Err(_)) => return,
                Some(Ok(line)) => return self.decoder.set_header(line.bytes),
            }
        }
    }

    fn take_lines(
        &mut self,
        intake: &mut Intake,
        config: &Config,
        state: &mut State,
        index: usize,
        wall: Wall,
        before: Before<'_>,
    ) {
        before.noted.clear();
        while let Some(line) = self.buffer.next_line() {
            match line {
                Err(reason) => state.logs[index].reject(reason.into()),
                Ok(Line { bytes, end, .. }) => {
                    let first = before.reads.and_then(|reads| reads.iter().find(|read| end <= read.end));
                    let taken_at = first.map_or(wall.taken_at, |read| read.at);
                    note_read(before.noted, Read { end, at: taken_at });
                    let mut clock = Clock::Wall(Wall { taken_at, ..wall });
                    if intake.decode(bytes, &mut self.decoder, &mut state.logs[index]) {
                        intake.apply(config, state, &mut clock);
                    }
                }
            }
        }
    }
}
