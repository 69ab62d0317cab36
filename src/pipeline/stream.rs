//! Follows the files of one log: bytes → lines → what they change, a batch at a time.

use super::intake::{Clock, Intake, Wall};
use super::progress::{FileMark, LogMark};
use super::{Config, State, StreamConfig};
use crate::line::{Buffer, Line};
use crate::record::Decoder;
use crate::source::file::{File, FileId};
use crate::source::identity::Position;
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

/// What one read of a file needs.
struct Batch<'a> {
    feeds: &'a mut HashMap<FileId, Feed>,
    intake: &'a mut Intake,
    config: &'a Config,
    state: &'a Mutex<State>,
    wall: Wall,
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
        (self.tailer, self.cursor, self.feeds) = (tailer, cursor, feeds);
        if !before.record.is_same(&after.record) {
            for (id, feed) in &mut self.feeds {
                let file = self.tailer.files().find(|file| file.id() == *id);
                feed.renew_decoder(after, file.map(File::path));
            }
        }
        self
    }

    /// Asks the file system what is there. To be called about every 250 ms.
    pub fn look(&mut self, state: &Mutex<State>, now: Timestamp) {
        self.tailer.look(now);
        for id in self.tailer.take_dropped() {
            self.feeds.remove(&id);
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

    /// Where to go on after a restart.
    pub fn positions(&self) -> Vec<Position> {
        self.tailer.positions().collect()
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
        let mut batch = Batch { feeds: &mut self.feeds, intake: &mut self.intake, config, state, wall };
        let read = batch.read(file, self.index, delivered);
        self.watermark = self.watermark.max(lock(state).logs[self.index].last_record);
        read && file.taken().1 < delivered
    }

    fn read_next(&mut self, config: &Config, state: &Mutex<State>, wall: Wall) -> bool {
        while let Some(file) = self.tailer.next_file(&mut self.cursor, wall.now) {
            let mut batch = Batch { feeds: &mut self.feeds, intake: &mut self.intake, config, state, wall };
            if batch.read(file, self.index, u64::MAX) {
                self.watermark = lock(state).logs[self.index].last_record;
                return true;
            }
        }
        false
    }
}

// === impl Batch ===

impl Batch<'_> {
    /// Reads once from a file, not beyond an offset, and takes in the lines. `false` where there was nothing.
    fn read(&mut self, file: &mut File, index: usize, limit: u64) -> bool {
        let Self { feeds, intake, config, state, wall } = self;
        let (log, now, id) = (&config.streams[index], wall.now, file.id());
        if !feeds.contains_key(&id) {
            let mut feed = Feed::new(log, file.path(), &file.position());
            // A line that a container runtime has split may have its other pieces in the file before.
            if let Some(before) = file.predecessor().and_then(|before| feeds.get_mut(&before))
                && feed.buffer.inherit(&mut before.buffer)
            {
                file.hold_predecessor();
            }
            feeds.insert(id, feed);
        }
        let Some(feed) = feeds.get_mut(&id) else { unreachable!("it was made just now") };
        let room = usize::try_from(limit.saturating_sub(feed.buffer.read_to())).unwrap_or(usize::MAX);
        let space = feed.buffer.space();
        let room = room.min(space.len());
        if room == 0 {
            return false;
        }
        let read = match file.read(&mut space[..room], now) {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(log = log.name, %error, "log cannot be read");
                return false;
            }
        };
        match read {
            Progress::Bytes(count) => feed.buffer.filled(count, now),
            Progress::Truncated => *feed = Feed::new(log, file.path(), &file.position()),
            Progress::Ended => feed.buffer.finish(),
            Progress::Idle => {
                feed.buffer.rest();
                return false;
            }
        }
        let mut state = lock(state);
        let before = feed.buffer.committed().delivered;
        feed.take_lines(intake, config, &mut state, index, *wall);
        let committed = feed.buffer.committed();
        file.commit(committed.offset, committed.delivered, committed.tail);
        state.logs[index].bytes += committed.delivered - before;
        state.progress.take(index, file.taken(), wall.taken_at);
        if read == Progress::Ended {
            feeds.remove(&id);
        }
        true
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

    /// Goes on with lines that say something else from now on. `path` is where the file is, if anywhere.
    fn renew_decoder(&mut self, log: &StreamConfig, path: Option<&Path>) {
        let before = std::mem::replace(&mut self.decoder, Decoder::new(&log.record));
        if !self.decoder.wants_header() {
            return;
        }
        if let Some(header) = before.header() {
            self.decoder.set_header(header);
        } else if let Some(path) = path
            && self.buffer.committed().delivered > 0
        {
            self.recall_header(log, path);
        }
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
    ) {
        let mut clock = Clock::Wall(wall);
        while let Some(line) = self.buffer.next_line() {
            match line {
                Err(reason) => state.logs[index].reject(reason.into()),
                Ok(Line { bytes, .. }) => {
                    if intake.decode(bytes, &mut self.decoder, &mut state.logs[index]) {
                        intake.apply(config, state, &mut clock);
                    }
                }
            }
        }
    }
}
