//! Cuts bytes into physical lines, or into CSV records whose quoted fields hold line ends.
//!
//! It hands out ranges of its own memory, not slices, so that its owner can look at a line and still go
//! on to the next. It knows nothing of containers.
//!
//! Invariants: memory is bounded by the line limit plus one read, whatever the bytes are; the last
//! `POSITION_BYTES` bytes before the first unconsumed one are always at hand.

use super::Reject;
use crate::limits::{BATCH_BYTES_MAX, BUFFER_BYTES_MIN, POSITION_BYTES, QUOTED_BYTES_MAX};
use std::ops::Range;

/// Bytes of one file on their way to be lines.
pub(super) struct Splitter {
    /// All of it is initialised; only `..end` is filled.
    memory: Vec<u8>,
    /// The first byte that was not given out; up to `POSITION_BYTES` given-out bytes stay before it.
    start: usize,
    end: usize,
    /// Up to here no end was found.
    scanned: usize,
    /// Raw offset of the line that begins at `start`.
    offset: u64,
    /// Bytes of that line that were dropped because it is too long.
    skipped: u64,
    line_bytes_max: usize,
    quotes: Option<Quotes>,
    /// How much the next read is offered.
    space_bytes: usize,
    ended: bool,
    utf16: bool,
    nul_bytes: u64,
}

/// A physical line: what it holds, and its place in the file.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) content: Result<Range<usize>, Reject>,
    pub(super) offset: u64,
    pub(super) end: u64,
}

/// Where a CSV record stands between two reads.
#[derive(Clone, Copy)]
struct Quotes {
    delimiter: u8,
    inside: bool,
    /// The byte after the last closing quote: a quote right there is a doubled one.
    closed: Option<usize>,
    /// The record's quote never closes: its first physical line is taken for it.
    stray: bool,
}

/// Bytes that a line may hold and that do not count: a byte order mark and a CR.
const UNCOUNTED_BYTES: usize = 4;

// === impl Splitter ===

impl Splitter {
    pub(super) fn new(line_bytes_max: usize, quoted: Option<u8>) -> Self {
        let quotes = quoted.map(|delimiter| Quotes { delimiter, inside: false, closed: None, stray: false });
        Self {
            memory: Vec::new(),
            start: 0,
            end: 0,
            scanned: 0,
            offset: 0,
            skipped: 0,
            line_bytes_max,
            quotes,
            space_bytes: BUFFER_BYTES_MIN,
            ended: false,
            utf16: false,
            nul_bytes: 0,
        }
    }

    /// Forgets what is held; the next byte is at `offset`.
    pub(super) fn restart(&mut self, offset: u64) {
        (self.start, self.end) = (0, 0);
        self.begin_line(0);
        self.offset = offset;
        self.ended = false;
        self.utf16 = false;
    }

    /// Room for the next read, at least half of `BUFFER_BYTES_MIN`.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.memory.len() - self.end < self.space_bytes / 2 {
            self.compact();
            if self.memory.len() - self.end < self.space_bytes {
                self.memory.resize(self.end + self.space_bytes, 0);
            }
        }
        &mut self.memory[self.end..]
    }

    /// Says that the first `count` bytes of `space` are read.
    pub(super) fn filled(&mut self, count: usize) {
        assert!(count <= self.memory.len() - self.end, "more bytes were filled than there was room");
        if self.end + count == self.memory.len() {
            // The reader has more: longer reads cost fewer calls.
            self.space_bytes = (self.space_bytes * 2).min(BATCH_BYTES_MAX);
        }
        self.end += count;
    }

    /// From now on an unterminated rest is a line.
    pub(super) fn finish(&mut self) {
        self.ended = true;
    }

    /// Gives memory back; what is pending stays.
    pub(super) fn rest(&mut self) {
        if self.memory.len() - self.end > POSITION_BYTES {
            self.compact();
            self.memory.truncate(self.end);
            self.memory.shrink_to_fit();
            self.space_bytes = BUFFER_BYTES_MIN;
        }
    }

    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.skipped == 0 && self.scanned == self.start {
            self.drop_nuls();
        }
        if let Some(line_end) = self.find_end() {
            return Some(self.take(line_end, line_end + 1));
        }
        self.scanned = self.end;
        if self.skipped > 0 || self.end - self.start > self.line_bytes_max.saturating_add(UNCOUNTED_BYTES) {
            self.skip();
        }
        if self.ended && self.pending_bytes() > 0 {
            return Some(self.take(self.end, self.end));
        }
        None
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.memory[range]
    }

    /// Bytes read that are no line yet.
    pub(super) fn pending_bytes(&self) -> u64 {
        self.skipped + (self.end - self.start) as u64
    }

    /// Raw offset of the first byte that is no line yet.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The last bytes before `offset()`, at most `POSITION_BYTES`.
    pub(super) fn tail(&self) -> &[u8] {
        &self.memory[self.start.saturating_sub(POSITION_BYTES)..self.start]
    }

    /// The last bytes before a line that was just given out.
    pub(super) fn tail_before(&self, line: &Range<usize>) -> &[u8] {
        &self.memory[line.start.saturating_sub(POSITION_BYTES)..line.start]
    }

    /// Whether the present line is too long and its head is gone.
    pub(super) fn is_skipping(&self) -> bool {
        self.skipped > 0
    }

    pub(super) fn nul_bytes(&self) -> u64 {
        self.nul_bytes
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.capacity()
    }

    /// A writer that keeps its offset over a truncation leaves a hole of NULs before its next line, and
    /// so does a power loss. Dropped as they come, they cost no memory and spoil no line.
    fn drop_nuls(&mut self) {
        let count = self.memory[self.start..self.end].iter().take_while(|byte| **byte == 0).count();
        if self.utf16 || count == 0 {
            return;
        }
        self.nul_bytes += count as u64;
        self.offset += count as u64;
        self.start += count;
        self.begin_line(self.start);
    }

    /// Drops the middle of a line that is too long; its last bytes stay for the tail of the next.
    fn skip(&mut self) {
        let keep_from = self.end.saturating_sub(POSITION_BYTES).max(self.start);
        self.memory.copy_within(keep_from..self.end, self.start);
        self.skipped += (keep_from - self.start) as u64;
        self.end -= keep_from - self.start;
        self.scanned = self.end;
    }

    /// Gives out `start..text_end` as a line; the next begins at `next`.
    fn take(&mut self, text_end: usize, next: usize) -> Piece {
        let offset = self.offset;
        let mut text = self.start..text_end;
        if self.skipped == 0 {
            if self.memory[text.clone()].ends_with(b"\r") {
                text.end -= 1;
            }
            if offset == 0 {
                self.read_mark(&mut text);
            }
        }
        let content = if self.skipped > 0 || text.len() > self.line_bytes_max {
            Err(Reject::TooLong)
        } else if self.utf16 {
            Err(Reject::Encoding)
        } else {
            Ok(text)
        };
        self.offset += self.skipped + (next - self.start) as u64;
        self.start = next;
        self.begin_line(next);
        Piece { content, offset, end: self.offset }
    }

    /// A byte order mark at the head of the file.
    fn read_mark(&mut self, text: &mut Range<usize>) {
        let head = &self.memory[text.clone()];
        if head.starts_with(b"\xEF\xBB\xBF") {
            text.start += 3;
        } else if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
            self.utf16 = true;
        }
    }

    fn begin_line(&mut self, at: usize) {
        self.scanned = at;
        self.skipped = 0;
        if let Some(quotes) = &mut self.quotes {
            (quotes.inside, quotes.closed, quotes.stray) = (false, None, false);
        }
    }

    /// Where the line end of the current line is.
    fn find_end(&mut self) -> Option<usize> {
        if self.quotes.is_some() && self.skipped == 0 {
            return self.find_record_end();
        }
        find_line_end(&self.memory, self.scanned, self.end)
    }

    /// The first line end outside quotes. Quotes count only within `QUOTED_BYTES_MAX` (or the line limit)
    /// of the record's start, so that the result does not hang on how much was read.
    fn find_record_end(&mut self) -> Option<usize> {
        let bound = self.start.saturating_add(QUOTED_BYTES_MAX.min(self.line_bytes_max));
        let mut quotes = self.quotes?;
        if !quotes.stray && self.scanned < bound {
            let end = self.end.min(bound);
            let record_start = self.start + mark_length(self.offset, &self.memory[self.start..self.end]);
            let found = quotes.find_end(&self.memory[..end], record_start, self.scanned);
            self.quotes = Some(quotes);
            if found.is_some() {
                return found;
            }
            self.scanned = end;
        }
        if quotes.inside && !quotes.stray {
            if self.end < bound && !self.ended {
                return None;
            }
            quotes.stray = true;
            self.quotes = Some(quotes);
            self.scanned = self.start;
        }
        find_line_end(&self.memory, self.scanned, self.end)
    }

    /// Moves the pending bytes to the front, behind the bytes kept for `tail`.
    fn compact(&mut self) {
        let from = self.start.saturating_sub(POSITION_BYTES);
        if from == 0 {
            return;
        }
        self.memory.copy_within(from..self.end, 0);
        self.start -= from;
        self.end -= from;
        self.scanned -= from;
        if let Some(quotes) = &mut self.quotes {
            quotes.closed = quotes.closed.map(|at| at - from);
        }
    }
}

// === impl Quotes ===

impl Quotes {
    /// Goes on from `at`; the state is kept for the next call where no end is found.
    fn find_end(&mut self, memory: &[u8], record_start: usize, mut at: usize) -> Option<usize> {
        loop {
            if self.inside {
                at += memchr::memchr(b'"', &memory[at..])? + 1;
                self.inside = false;
                self.closed = Some(at);
                continue;
            }
            let found = at + memchr::memchr2(b'"', b'\n', &memory[at..])?;
            if memory[found] == b'\n' {
                return Some(found);
            }
            // A quote opens a field only at its very start; right behind a closing quote it is an
            // escaped one, and the field goes on.
            self.inside = found == record_start
                || self.closed == Some(found)
                || (found > record_start && memory[found - 1] == self.delimiter);
            at = found + 1;
        }
    }
}

fn find_line_end(memory: &[u8], from: usize, end: usize) -> Option<usize> {
    memchr::memchr(b'\n', &memory[from..end]).map(|at| from + at)
}

/// Length of the UTF-8 mark before the first record of a file, which a quote may follow.
fn mark_length(offset: u64, head: &[u8]) -> usize {
    if offset == 0 && head.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 }
}
