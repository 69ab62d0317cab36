//! Follows the files of one log: bytes → lines → what they change, a batch at a time.

use super::intake::{Clock, Intake};
use super::{Config, State, StreamConfig};
use crate::limits::{BOX_BYTES, HELD_BYTES_MAX};
use crate::line::{Buffer, Line};
use crate::record::Decoder;
use crate::source::file::FileId;
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
    /// What each file's decoder is a clone of.
    decoder: Decoder,
    feeds: HashMap<FileId, Box<Feed>>,
    /// Of all feeds together, as last counted.
    held_bytes: usize,
    /// Whether the last turn found something, so that there may be more.
    behind: bool,
    /// Event time of the newest record; `Timestamp::MIN` before the first.
    watermark: Timestamp,
    looked_at: Option<Timestamp>,
    /// When everything had been read that the last look found; at first, the first look.
    read_up_at: Timestamp,
}

/// What is held between two reads of one file.
struct Feed {
    buffer: Buffer,
    decoder: Decoder,
    /// As last counted.
    held_bytes: usize,
}

/// The state as whoever has the lock last left it: a panic of ours ends the process before it is shown.
pub fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Stream ===

impl Stream {
    /// What is held of every file that has been read, however quiet: its buffer and decoder, without what these
    /// point to, and its place in a table that may just have doubled.
    pub const FEED_BYTES: usize = size_of::<Feed>() + BOX_BYTES + 4 * size_of::<(FileId, Box<Feed>)>();

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
            decoder: Decoder::new(&config.streams[index].record),
            feeds: HashMap::new(),
            held_bytes: 0,
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
            tailer.restore(self.tailer.positions().collect());
            self.tailer = tailer;
            self.cursor = Cursor::default();
            self.feeds.clear();
            self.held_bytes = 0;
        }
        self.decoder = Decoder::new(&after.record);
        self.index = index;
        self.intake = Intake::new(new, index);
        Ok(())
    }

    /// Asks the file system what is there. To be called about every 250 ms.
    pub fn look(&mut self, state: &Mutex<State>, now: Timestamp) {
        self.tailer.look(now);
        let mut expired = 0;
        for feed in self.feeds.values_mut() {
            expired += feed.buffer.expire(now);
        }
        // What this look has found is not late yet; what the last one found, and is still unread, is.
        let read_up = self.looked_at.is_none_or(|looked_at| self.read_up_at >= looked_at);
        let lag = if read_up { Span::ZERO } else { now.since(self.read_up_at) };
        self.read_up_at = self.read_up_at.min(now);
        self.looked_at = Some(now);
        let mut state = lock(state);
        let tally = &mut state.logs[self.index];
        for _ in 0..expired {
            tally.reject(Reject::Container);
        }
        tally.is_followed = true;
        tally.files.clone_from(self.tailer.tally());
        tally.lag_bytes = self.tailer.lag_bytes();
        tally.lag = lag;
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
    pub fn run_batch(&mut self, config: &Config, state: &Mutex<State>, now: Timestamp) -> bool {
        let was_behind = self.behind;
        self.behind = self.read_next(config, state, now);
        if !self.behind {
            // The files before the cursor have their turn again.
            self.cursor = Cursor::default();
            self.behind = self.read_next(config, state, now);
        }
        if !self.behind {
            self.read_up_at = now;
        }
        if was_behind && !self.behind {
            lock(state).logs[self.index].lag_bytes = self.tailer.lag_bytes();
        }
        self.behind
    }

    fn read_next(&mut self, config: &Config, state: &Mutex<State>, now: Timestamp) -> bool {
        let log = &config.streams[self.index];
        loop {
            let before = self.cursor;
            let Some(file) = self.tailer.next_file(&mut self.cursor, now) else { return false };
            let id = file.id();
            if !self.feeds.contains_key(&id) {
                let mut feed = Feed::new(log, &self.decoder, file.path(), &file.position());
                // A line that a container runtime has split may have its other pieces in the file before.
                if let Some(before) = file.predecessor().and_then(|before| self.feeds.get_mut(&before)) {
                    feed.buffer.inherit(&mut before.buffer);
                }
                self.feeds.insert(id, Box::new(feed));
            }
            let Some(feed) = self.feeds.get_mut(&id) else { unreachable!("it was made just now") };
            let read = match file.read(feed.buffer.space(), now) {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(log = log.name, %error, "log cannot be read");
                    Progress::Idle
                }
            };
            match read {
                Progress::Bytes(count) => feed.buffer.filled(count, now),
                Progress::Truncated => {
                    feed.replace(Feed::new(log, &self.decoder, file.path(), &file.position()))
                }
                Progress::Ended => feed.buffer.finish(),
                Progress::Idle => {
                    feed.buffer.rest();
                    feed.decoder.rest();
                    if feed.count_held(&mut self.held_bytes) {
                        feed.let_go(log, file, &mut self.held_bytes);
                    }
                    continue;
                }
            }
            let mut state = lock(state);
            if let Progress::Bytes(count) = read {
                state.logs[self.index].bytes += count as u64;
            }
            let given = feed.take_lines(&mut self.intake, config, &mut state, self.index, now);
            self.watermark = state.logs[self.index].last_record;
            let committed = feed.buffer.committed();
            file.commit(committed.offset, committed.delivered, committed.tail);
            if read == Progress::Ended {
                self.held_bytes = self.held_bytes.saturating_sub(feed.held_bytes);
                self.feeds.remove(&id);
                return true;
            }
            if feed.count_held(&mut self.held_bytes) {
                if given {
                    feed.let_go(log, file, &mut self.held_bytes);
                } else {
                    // It keeps its turn: let go before it has given a line, it would never give one.
                    self.cursor = before;
                }
            }
            return true;
        }
    }
}

// === impl Feed ===

impl Feed {
    fn new(
        log: &StreamConfig,
        decoder: &Decoder,
        path: &Path,
        position: &source::identity::Position,
    ) -> Self {
        let mut new = Self { buffer: Buffer::new(&log.line), decoder: decoder.clone(), held_bytes: 0 };
        new.buffer.restart(position.offset, position.delivered);
        if position.offset > 0 {
            new.recall_header(log, path);
        }
        new
    }

    /// Begins anew; what was held still counts as held until it is counted again.
    fn replace(&mut self, new: Self) {
        *self = Self { held_bytes: self.held_bytes, ..new };
    }

    /// Counts what is held into the total of all feeds. Whether that is too much, and this one can be let go.
    fn count_held(&mut self, total: &mut usize) -> bool {
        let held = size_of::<Self>() + self.buffer.memory_bytes() + self.decoder.heap_bytes();
        *total = total.saturating_sub(self.held_bytes) + held;
        self.held_bytes = held;
        *total > HELD_BYTES_MAX && self.buffer.is_replaceable()
    }

    /// Lets go of an unterminated line, which the file gives again. The header stays: the file's name may lead
    /// elsewhere by then.
    fn let_go(&mut self, log: &StreamConfig, file: &mut source::file::File, total: &mut usize) {
        let position = file.position();
        self.buffer = Buffer::new(&log.line);
        self.buffer.restart(position.offset, position.delivered);
        self.decoder.rest();
        self.count_held(total);
        file.release();
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

    /// Whether there was any, be it a record or not.
    fn take_lines(
        &mut self,
        intake: &mut Intake,
        config: &Config,
        state: &mut State,
        index: usize,
        now: Timestamp,
    ) -> bool {
        let mut clock = Clock::Wall { now };
        let mut given = false;
        while let Some(line) = self.buffer.next_line() {
            given = true;
            match line {
                Err(reason) => state.logs[index].reject(reason.into()),
                Ok(Line { bytes, .. }) => {
                    if intake.decode(bytes, &mut self.decoder, &mut state.logs[index]) {
                        intake.apply(config, state, &mut clock);
                    }
                }
            }
        }
        given
    }
}
