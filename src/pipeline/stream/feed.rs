//! What is held between two reads of each file, and one read: bytes → lines → what they change.
//!
//! Invariant: all files of a log together hold at most `HELD_BYTES_MAX`, beside the one that is being read. What a
//! resting file holds of an unterminated line beyond that is let go, and read again once it grows.

use super::super::intake::{Clock, Intake, Wall};
use super::super::{Config, State, StreamConfig};
use super::lock;
use crate::limits::{BOX_BYTES, HELD_BYTES_MAX};
use crate::line::{Buffer, Line};
use crate::record::Decoder;
use crate::source::file::{File, FileId};
use crate::source::tailer::Tailer;
use crate::source::{Progress, Source};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;

/// What is held of all files of one log.
pub(super) struct Feeds {
    /// What each file's decoder is a clone of.
    decoder: Decoder,
    by_file: HashMap<FileId, Box<Feed>>,
    /// Of all files together, as last counted.
    held_bytes: usize,
}

/// What is held of one file.
struct Feed {
    buffer: Buffer,
    decoder: Decoder,
    /// As last counted.
    held_bytes: usize,
}

/// What one read came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Read {
    Nothing,
    Lines,
    /// Of a line that is longer than may be held for long: the file must keep its turn. Let go before it has
    /// given a line, it would never give one.
    Piece,
}

// === impl Feeds ===

impl Feeds {
    /// What is held of every file that has been read, however quiet: its buffer and decoder, without what
    /// these point to, and its place in a table that may just have doubled.
    pub(super) const FEED_BYTES: usize = size_of::<Feed>() + BOX_BYTES + 4 * size_of::<(FileId, Box<Feed>)>();

    pub(super) fn new(log: &StreamConfig) -> Self {
        Self { decoder: Decoder::new(&log.record), by_file: HashMap::new(), held_bytes: 0 }
    }

    /// Takes over what is held of the same files; with decoders of its own where their `files` are given.
    pub(super) fn carry_over(&mut self, old: Self, log: &StreamConfig, files: Option<&Tailer>) {
        (self.by_file, self.held_bytes) = (old.by_file, old.held_bytes);
        let Some(files) = files else {
            self.decoder = old.decoder;
            return;
        };
        for (id, feed) in &mut self.by_file {
            feed.decoder = self.decoder.clone();
            if let Some(file) = files.files().find(|file| file.id() == *id)
                && feed.buffer.committed().delivered > 0
            {
                feed.recall_header(log, file);
            }
        }
    }

    pub(super) fn remove(&mut self, id: FileId) {
        if let Some(feed) = self.by_file.remove(&id) {
            self.held_bytes = self.held_bytes.saturating_sub(feed.held_bytes);
        }
    }

    /// Drops lines of a file whose rest a container runtime never wrote, and says how many.
    pub(super) fn expire(&mut self, file: &mut File, now: Timestamp) -> usize {
        let Some(feed) = self.by_file.get_mut(&file.id()) else { return 0 };
        let expired = feed.buffer.expire(now);
        if expired > 0 {
            feed.commit(file);
        }
        expired
    }

    /// Reads once from a file, not beyond an offset, and takes in the lines.
    #[expect(clippy::too_many_arguments, reason = "they are what one read is made of")]
    pub(super) fn read(
        &mut self,
        file: &mut File,
        index: usize,
        limit: u64,
        intake: &mut Intake,
        config: &Config,
        state: &Mutex<State>,
        wall: Wall,
    ) -> Read {
        let (log, id) = (&config.streams[index], file.id());
        self.admit(log, file);
        let Self { decoder, by_file, held_bytes } = self;
        let Some(feed) = by_file.get_mut(&id) else { unreachable!("it was made just now") };
        let progress = feed.fill(log, decoder, file, limit, wall.now);
        if progress == Progress::Idle {
            feed.buffer.rest();
            feed.decoder.rest();
            if feed.count_held(held_bytes) {
                feed.let_go(log, file, held_bytes);
            }
            return Read::Nothing;
        }
        let mut state = lock(state);
        let before = feed.buffer.committed().delivered;
        let given = feed.take_lines(intake, config, &mut state, index, wall);
        let delivered = feed.commit(file);
        state.logs[index].bytes += delivered - before;
        if let Some(progress) = &mut state.progress {
            progress.take(index, file.taken(), wall.taken_at, wall.latest.since(wall.taken_at));
        }
        drop(state);
        if progress == Progress::Ended {
            self.remove(id);
        } else if feed.count_held(held_bytes) {
            if !given {
                return Read::Piece;
            }
            feed.let_go(log, file, held_bytes);
        }
        Read::Lines
    }

    /// Makes sure that a file has its buffer and decoder.
    fn admit(&mut self, log: &StreamConfig, file: &mut File) {
        let id = file.id();
        if self.by_file.contains_key(&id) {
            return;
        }
        let mut feed = Feed::new(log, &self.decoder, file);
        // A line that a container runtime has split may have its other pieces in the file before.
        if let Some(before) = file.predecessor().and_then(|before| self.by_file.get_mut(&before))
            && feed.buffer.inherit(&mut before.buffer)
        {
            file.hold_predecessor();
        }
        self.by_file.insert(id, Box::new(feed));
    }
}

// === impl Feed ===

impl Feed {
    fn new(log: &StreamConfig, decoder: &Decoder, file: &File) -> Self {
        let position = file.position();
        let mut new = Self { buffer: Buffer::new(&log.line), decoder: decoder.clone(), held_bytes: 0 };
        new.buffer.restart(position.offset, position.delivered);
        if position.offset > 0 {
            new.recall_header(log, file);
        }
        new
    }

    /// A file that is entered in its middle still begins with its header.
    fn recall_header(&mut self, log: &StreamConfig, file: &File) {
        if !self.decoder.wants_header() {
            return;
        }
        let mut head = Buffer::new(&log.line);
        while let Ok(count @ 1..) = file.peek(head.read_to(), head.space()) {
            head.filled(count, Timestamp::default());
            match head.next_line() {
                None => {}
                Some(Err(_)) => return,
                Some(Ok(line)) => return self.decoder.set_header(line.bytes),
            }
        }
    }

    /// Reads what there is, not beyond an offset. `Idle` where that is nothing.
    fn fill(
        &mut self,
        log: &StreamConfig,
        decoder: &Decoder,
        file: &mut File,
        limit: u64,
        now: Timestamp,
    ) -> Progress {
        let room = usize::try_from(limit.saturating_sub(self.buffer.read_to())).unwrap_or(usize::MAX);
        let space = self.buffer.space();
        let room = room.min(space.len());
        if room == 0 {
            return Progress::Idle;
        }
        let progress = file.read(&mut space[..room], now).unwrap_or_else(|error| {
            tracing::warn!(log = log.name, %error, "log cannot be read");
            Progress::Idle
        });
        match progress {
            Progress::Bytes(count) => self.buffer.filled(count, now),
            // What was held still counts as held until it is counted again.
            Progress::Truncated => {
                *self = Self { held_bytes: self.held_bytes, ..Self::new(log, decoder, file) };
            }
            Progress::Ended => self.buffer.finish(),
            Progress::Idle => {}
        }
        progress
    }

    /// Tells the file how far its lines were taken in, and returns it.
    fn commit(&self, file: &mut File) -> u64 {
        let committed = self.buffer.committed();
        file.commit(committed.offset, committed.delivered, committed.tail);
        committed.delivered
    }

    /// Counts what is held into the total of all files. Whether that is too much, and this one can be let go.
    fn count_held(&mut self, total: &mut usize) -> bool {
        let held = size_of::<Self>() + self.buffer.memory_bytes() + self.decoder.heap_bytes();
        *total = total.saturating_sub(self.held_bytes) + held;
        self.held_bytes = held;
        *total > HELD_BYTES_MAX && self.buffer.is_replaceable()
    }

    /// Lets go of an unterminated line, which the file gives again. The header stays: the file's name may lead
    /// elsewhere by then.
    fn let_go(&mut self, log: &StreamConfig, file: &mut File, total: &mut usize) {
        let position = file.position();
        self.buffer = Buffer::new(&log.line);
        self.buffer.restart(position.offset, position.delivered);
        self.decoder.rest();
        self.count_held(total);
        file.release();
    }

    /// Whether there was any line, be it usable or not.
    fn take_lines(
        &mut self,
        intake: &mut Intake,
        config: &Config,
        state: &mut State,
        index: usize,
        wall: Wall,
    ) -> bool {
        let mut clock = Clock::Wall(wall);
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
