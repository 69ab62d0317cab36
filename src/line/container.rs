//! Takes off what a container runtime put around a line, and joins the pieces of a long one.
//!
//! Pieces are kept by stream, and an `Unwrap` belongs to one file, so lines of two streams or two files
//! never mix. Quoting of records inside is not known here.
//!
//! Invariant: at most one open line per stream, of at most the line limit; nothing is allocated once the
//! longest line has been seen.

use super::{Container, Reject, cri, docker};
use crate::limits::{PARTIAL_WAIT, POSITION_BYTES};
use crate::time::Timestamp;
use std::ops::Range;

/// The container state of one file.
pub(super) struct Unwrap {
    container: Container,
    line_bytes_max: usize,
    open: [Open; 2],
    /// An unescaped piece, or the joined line that was given out last.
    pub(super) text: Vec<u8>,
}

/// A line whose end has not come.
#[derive(Default)]
struct Open {
    /// None: nothing is open.
    since: Option<Since>,
    text: Vec<u8>,
    too_long: bool,
}

#[derive(Clone, Copy)]
struct Since {
    offset: u64,
    continued: Timestamp,
    tail: [u8; POSITION_BYTES],
    tail_length: usize,
}

/// Where a piece of a line came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// What a physical line says: `message` is a range of it, or all of the unescaped text.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Wrapped {
    pub(super) stream: Stream,
    pub(super) complete: bool,
    /// None: the message is in `text`.
    pub(super) message: Option<Range<usize>>,
}

/// What became of a physical line.
pub(super) enum Unwrapped {
    /// A piece: its line goes on.
    Open,
    /// A range of the physical line.
    Plain(Range<usize>),
    /// The line is in `text`; it began at this offset.
    Joined(u64),
    Reject(Reject),
}

/// What is known of a physical line when it is unwrapped.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) offset: u64,
    /// The bytes before it, as a position needs them.
    pub(super) tail: &'a [u8],
    pub(super) now: Timestamp,
}

// === impl Unwrap ===

impl Unwrap {
    pub(super) fn new(container: Container, line_bytes_max: usize) -> Self {
        Self { container, line_bytes_max, open: Default::default(), text: Vec::new() }
    }

    pub(super) fn unwrap(&mut self, line: &[u8], place: Place<'_>) -> Unwrapped {
        let parsed = match self.container {
            Container::None => return Unwrapped::Plain(0..line.len()),
            Container::Cri => cri::parse(line),
            Container::Docker => docker::parse(line, &mut self.text),
        };
        let Some(wrapped) = parsed else {
            return Unwrapped::Reject(Reject::Container);
        };
        let open = &mut self.open[wrapped.stream as usize];
        if wrapped.complete && open.since.is_none() {
            return self.give_whole(wrapped.message, place.offset);
        }
        let message = match &wrapped.message {
            Some(range) => &line[range.clone()],
            None => &self.text[..],
        };
        open.push(message, self.line_bytes_max, place);
        if wrapped.complete { self.close(wrapped.stream) } else { Unwrapped::Open }
    }

    /// The raw offset that the earliest open line began at, and the bytes before it.
    pub(super) fn earliest(&self) -> Option<(u64, &[u8])> {
        self.open
            .iter()
            .filter_map(|open| open.since.as_ref())
            .min_by_key(|since| since.offset)
            .map(|since| (since.offset, &since.tail[..since.tail_length]))
    }

    /// Closes one line that will not be completed: an unterminated line of Docker is a line, as the
    /// program that wrote it may have ended there; of CRI it is known to be cut.
    pub(super) fn finish(&mut self) -> Option<Unwrapped> {
        let stream = [Stream::Stdout, Stream::Stderr]
            .into_iter()
            .find(|at| self.open[*at as usize].since.is_some())?;
        let unwrapped = self.close(stream);
        if self.container == Container::Cri {
            return Some(Unwrapped::Reject(Reject::Container));
        }
        Some(unwrapped)
    }

    /// Drops lines that were not continued for `PARTIAL_WAIT`, and says how many.
    pub(super) fn expire(&mut self, now: Timestamp) -> usize {
        let mut count = 0;
        for open in &mut self.open {
            if open.since.is_some_and(|since| now.since(since.continued) >= PARTIAL_WAIT) {
                open.clear();
                count += 1;
            }
        }
        count
    }

    /// Takes over the open lines of the file before this one, and says whether there were any.
    pub(super) fn inherit(&mut self, before: &mut Self) -> bool {
        let mut is_any = false;
        for (mine, theirs) in self.open.iter_mut().zip(&mut before.open) {
            if let Some(mut since) = theirs.since.take()
                && mine.since.is_none()
            {
                (since.offset, since.tail_length) = (0, 0);
                std::mem::swap(&mut mine.text, &mut theirs.text);
                mine.too_long = theirs.too_long;
                mine.since = Some(since);
                theirs.clear();
                is_any = true;
            }
        }
        is_any
    }

    pub(super) fn clear(&mut self) {
        self.open.iter_mut().for_each(Open::clear);
    }

    /// Gives memory back; open lines stay.
    pub(super) fn rest(&mut self) {
        self.text = Vec::new();
        for open in self.open.iter_mut().filter(|open| open.since.is_none()) {
            open.text = Vec::new();
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text.capacity() + self.open.iter().map(|open| open.text.capacity()).sum::<usize>()
    }

    fn give_whole(&self, message: Option<Range<usize>>, offset: u64) -> Unwrapped {
        let length = message.as_ref().map_or(self.text.len(), Range::len);
        match message {
            _ if length > self.line_bytes_max => Unwrapped::Reject(Reject::TooLong),
            Some(range) => Unwrapped::Plain(range),
            None => Unwrapped::Joined(offset),
        }
    }

    fn close(&mut self, stream: Stream) -> Unwrapped {
        let open = &mut self.open[stream as usize];
        let Some(since) = open.since.take() else {
            unreachable!("only an open line is closed");
        };
        let too_long = open.too_long;
        std::mem::swap(&mut self.text, &mut open.text);
        open.clear();
        if too_long { Unwrapped::Reject(Reject::TooLong) } else { Unwrapped::Joined(since.offset) }
    }
}

// === impl Open ===

impl Open {
    fn push(&mut self, piece: &[u8], line_bytes_max: usize, place: Place<'_>) {
        let since = self.since.get_or_insert_with(|| {
            let mut tail = [0; POSITION_BYTES];
            tail[..place.tail.len()].copy_from_slice(place.tail);
            Since { offset: place.offset, continued: place.now, tail, tail_length: place.tail.len() }
        });
        since.continued = place.now;
        if self.too_long || self.text.len() + piece.len() > line_bytes_max {
            self.too_long = true;
            self.text.clear();
            return;
        }
        self.text.extend_from_slice(piece);
    }

    fn clear(&mut self) {
        self.since = None;
        self.text.clear();
        self.too_long = false;
    }
}
