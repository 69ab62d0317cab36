//! One file's bytes on their way to be lines.
//!
//! The owner reads into `space`, says so with `filled`, takes lines until there are none, and keeps
//! `committed` as the position: everything before it has been given out, nothing behind it has (but see
//! [`Committed::delivered`]). It reads no file and knows no clock.

use super::container::{Place, Unwrap, Unwrapped};
use super::split::Splitter;
use super::{Config, Container, Line, Reject};
use crate::limits::CONTAINER_BYTES_MAX;
use crate::time::Timestamp;

/// Splits, keeps the unterminated rest, caps the length, takes off the container's wrapping.
pub struct Buffer {
    splitter: Splitter,
    unwrap: Unwrap,
    container: Container,
    now: Timestamp,
    /// Lines that end here or before were given out before a restart.
    delivered: u64,
    ended: bool,
}

/// How far a file has become lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed<'a> {
    /// Where reading must go on after a restart.
    pub offset: u64,
    /// Up to where lines were given out. It is ahead of `offset` only while the pieces of a container's
    /// line are waiting for their end, and lines of the other stream were given out meanwhile.
    pub delivered: u64,
    /// The last bytes before `offset`, at most `POSITION_BYTES`.
    pub tail: &'a [u8],
}

// === impl Buffer ===

impl Buffer {
    pub fn new(config: &Config) -> Self {
        let (physical_max, quoted) = match config.container {
            Container::None => (config.line_bytes_max, config.quoted),
            Container::Cri | Container::Docker => {
                (config.line_bytes_max.saturating_add(CONTAINER_BYTES_MAX), None)
            }
        };
        Self {
            splitter: Splitter::new(physical_max, quoted),
            unwrap: Unwrap::new(config.container, config.line_bytes_max),
            container: config.container,
            now: Timestamp::default(),
            delivered: 0,
            ended: false,
        }
    }

    /// Forgets everything held, also an unterminated line; the next byte is at `offset` of the file.
    /// Lines that end at `delivered` or before are not given out again.
    pub fn restart(&mut self, offset: u64, delivered: u64) {
        self.splitter.restart(offset);
        self.unwrap.clear();
        self.delivered = delivered;
        self.ended = false;
    }

    /// Room for the next read, some KiB at least; it grows up to `BATCH_BYTES_MAX` while reads fill it.
    pub fn space(&mut self) -> &mut [u8] {
        self.splitter.space()
    }

    /// Says that `count` bytes were read into `space`, at `now`.
    pub fn filled(&mut self, count: usize, now: Timestamp) {
        self.splitter.filled(count);
        self.now = now;
    }

    /// The next line, or why there is none in its place; `None` when the next read is due.
    pub fn next_line(&mut self) -> Option<Result<Line<'_>, Reject>> {
        let (content, offset, end) = loop {
            let Some(piece) = self.splitter.next() else {
                break self.next_unfinished()?;
            };
            let range = match piece.content {
                Ok(range) => range,
                Err(reject) => break (Content::Reject(reject), piece.offset, piece.end),
            };
            if self.container == Container::None {
                break (Content::Plain(range), piece.offset, piece.end);
            }
            let line = self.splitter.bytes(range.clone());
            // A byte order mark is part of the first line and not before it.
            let tail = if piece.offset == 0 { &[][..] } else { self.splitter.tail_before(&range) };
            let place = Place { offset: piece.offset, tail, now: self.now };
            let (content, offset) = match self.unwrap.unwrap(line, place) {
                Unwrapped::Open => continue,
                Unwrapped::Plain(part) => {
                    (Content::Plain(range.start + part.start..range.start + part.end), piece.offset)
                }
                Unwrapped::Joined(offset) => (Content::Joined, offset),
                Unwrapped::Reject(reject) => (Content::Reject(reject), piece.offset),
            };
            if piece.end > self.delivered {
                break (content, offset, piece.end);
            }
        };
        Some(match content {
            Content::Plain(range) => Ok(Line { bytes: self.splitter.bytes(range), offset, end }),
            Content::Joined => Ok(Line { bytes: &self.unwrap.text, offset, end }),
            Content::Reject(reject) => Err(reject),
        })
    }

    /// From now on an unterminated rest is a line: the file was rotated or deleted, or the replay is over.
    pub fn finish(&mut self) {
        self.splitter.finish();
        self.ended = true;
    }

    /// Where the next byte that is read stands in the file.
    pub fn read_to(&self) -> u64 {
        self.splitter.offset() + self.splitter.pending_bytes()
    }

    /// Bytes that were read and that no line given out holds.
    pub fn pending_bytes(&self) -> u64 {
        self.read_to().saturating_sub(self.committed().offset)
    }

    /// The position to keep.
    pub fn committed(&self) -> Committed<'_> {
        let delivered = self.splitter.offset().max(self.delivered);
        match self.unwrap.earliest() {
            Some((offset, tail)) => Committed { offset, delivered, tail },
            None => Committed { offset: self.splitter.offset(), delivered, tail: self.splitter.tail() },
        }
    }

    /// Drops lines whose rest a container runtime never wrote, and says how many: each is a
    /// `Reject::Container`.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        self.unwrap.expire(now)
    }

    /// Takes over the open lines of the file that was rotated to make place for this one, and says whether
    /// there were any. Until they end, `committed` stays at 0, and they are to be found in that file alone.
    pub fn inherit(&mut self, before: &mut Self) -> bool {
        self.unwrap.inherit(&mut before.unwrap)
    }

    /// Gives memory back while the file is quiet.
    pub fn rest(&mut self) {
        self.splitter.rest();
        self.unwrap.rest();
    }

    /// NUL bytes at line starts that were skipped.
    pub fn nul_bytes(&self) -> u64 {
        self.splitter.nul_bytes()
    }

    pub fn memory_bytes(&self) -> usize {
        self.splitter.memory_bytes() + self.unwrap.memory_bytes()
    }

    fn next_unfinished(&mut self) -> Option<(Content, u64, u64)> {
        if !self.ended {
            return None;
        }
        let end = self.splitter.offset();
        Some(match self.unwrap.finish()? {
            Unwrapped::Joined(offset) => (Content::Joined, offset, end),
            Unwrapped::Reject(reject) => (Content::Reject(reject), end, end),
            Unwrapped::Open | Unwrapped::Plain(_) => unreachable!("a closed line is joined or rejected"),
        })
    }
}

/// What `next_line` found, before it is lent.
enum Content {
    Plain(std::ops::Range<usize>),
    Joined,
    Reject(Reject),
}
