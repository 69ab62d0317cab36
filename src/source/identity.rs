//! Is this the file that was read before, and is what was read still there?
//!
//! Device and inode say which file it is, with its time of birth where the file system keeps one, as inodes
//! are used again. Hashes of the head and of the bytes before an offset say that the content is still the
//! same. Content alone would confuse logs that share a header; the inode alone would confuse a file with
//! the next one in its place.

use super::open::open_regular;
use crate::limits::POSITION_BYTES;
use siphasher::sip::SipHasher13;
use std::fs;
use std::hash::Hasher;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Which file it is, whatever its name.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
    /// Time of birth in nanoseconds since the epoch; 0 where it is not kept.
    pub born: i64,
}

/// Identity, size and time of a file at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    pub identity: Identity,
    pub size: u64,
    /// Last modification in nanoseconds since the epoch.
    pub modified: i64,
    /// Names in directories that lead to it; 0 once it is deleted.
    pub links: u64,
}

/// How far a file has been read, with enough to find it again after a restart.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Position {
    pub identity: Identity,
    /// Bytes before it were taken as whole lines.
    pub offset: u64,
    /// Lines that end here or before were taken, too: `line::Committed::delivered`.
    pub delivered: u64,
    /// The first bytes of the file.
    pub head: Mark,
    /// The bytes that end at `offset`.
    pub tail: Mark,
    /// Last modification when it was read, in nanoseconds since the epoch: what is newer among its
    /// rotated siblings was written after it.
    pub modified: i64,
    /// Whether it had left its place, so that its rotation is counted.
    pub departed: bool,
    /// The path that its lines were written under; a file that is elsewhere was rotated.
    pub origin: String,
}

/// A hash of a few bytes at a known place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    pub length: u32,
    pub hash: u64,
}

/// What has been read of a file, remembered well enough to see whether it is still there.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// Bytes before it were read.
    pub(super) offset: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Hashes of the `MILESTONE_BYTES` before each power of two, for files that are shortened.
    milestones: Vec<(u64, u64)>,
}

/// Bytes hashed before a milestone.
const MILESTONE_BYTES: usize = 64;
/// The first milestone. What is shortened to less counts as emptied and written again: a few first lines
/// are often the same.
const MILESTONE_MIN: u64 = 1024;

// === impl Identity ===

impl Identity {
    /// Whether both say the same where both say something: the time of birth may be hidden from one run
    /// and not from the next.
    pub(super) fn is_same(self, other: Self) -> bool {
        let is_born_alike = self.born == other.born || self.born == 0 || other.born == 0;
        self.device == other.device && self.inode == other.inode && is_born_alike
    }
}

// === impl Stat ===

impl Stat {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        let born = metadata.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            identity: Identity {
                device: metadata.dev(),
                inode: metadata.ino(),
                born: born.and_then(|age| i64::try_from(age.as_nanos()).ok()).unwrap_or(0),
            },
            size: metadata.len(),
            modified: modified_nanos(metadata),
            links: metadata.nlink(),
        }
    }
}

/// Last modification in nanoseconds since the epoch.
pub(super) fn modified_nanos(metadata: &fs::Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

// === impl Position ===

impl Position {
    /// Whether what was read stands in this file, whichever file that is.
    pub(super) fn is_in(&self, file: &fs::File, size: u64) -> io::Result<bool> {
        if size < self.offset {
            return Ok(false);
        }
        let mut window = [0; POSITION_BYTES];
        let from = self.offset.saturating_sub(u64::from(self.tail.length));
        Ok(self.head.is_at(file, 0, &mut window)? && self.tail.is_at(file, from, &mut window)?)
    }

    /// Whether something was read, and stands in this file.
    pub(super) fn stands_in(&self, file: &fs::File, size: u64) -> io::Result<bool> {
        Ok(self.offset > 0 && self.is_in(file, size)?)
    }

    /// As `is_in`, of the file that the path leads to; `false` where it cannot be read.
    pub(super) fn is_in_path(&self, path: &Path) -> bool {
        open_regular(path).is_ok_and(|(handle, stat)| self.is_in(&handle, stat.size).unwrap_or(false))
    }

    pub(super) fn is_of(&self, origin: &Path) -> bool {
        self.origin == origin.to_string_lossy()
    }

    /// Whether a file that holds what was read is a copy of it. A rotated name that is no older speaks for
    /// itself; of any other file the marks must cover enough.
    pub(super) fn is_copied_by(&self, stat: &Stat, has_rotated_name: bool) -> bool {
        let is_successor = has_rotated_name && stat.modified >= self.modified && self.offset > 0;
        is_successor || self.tail.length as usize >= MILESTONE_BYTES
    }
}

// === impl Mark ===

impl Mark {
    pub fn of(bytes: &[u8]) -> Self {
        Self { length: u32::try_from(bytes.len()).unwrap_or(u32::MAX), hash: hash(bytes) }
    }

    fn is_at(self, file: &fs::File, offset: u64, window: &mut [u8; POSITION_BYTES]) -> io::Result<bool> {
        let Some(window) = window.get_mut(..self.length as usize) else {
            return Ok(false);
        };
        Ok(read_fully(file, window, offset)? == window.len() && hash(window) == self.hash)
    }
}

// === impl Trace ===

impl Trace {
    /// As if all before `offset` had been read.
    pub(super) fn at(file: &fs::File, offset: u64) -> io::Result<Self> {
        let mut window = [0; POSITION_BYTES];
        let length = usize::try_from(offset).map_or(POSITION_BYTES, |offset| offset.min(POSITION_BYTES));
        let count = read_fully(file, &mut window[..length], 0)?;
        let head = window[..count].to_vec();
        let count = read_fully(file, &mut window[..length], offset - length as u64)?;
        let mut trace = Self { offset, head, tail: window[..count].to_vec(), milestones: Vec::new() };
        let mut milestone = MILESTONE_MIN;
        while milestone <= offset {
            let window = &mut window[..MILESTONE_BYTES];
            if read_fully(file, window, milestone - MILESTONE_BYTES as u64)? == MILESTONE_BYTES {
                trace.milestones.push((milestone, hash(window)));
            }
            milestone = milestone.saturating_mul(2);
        }
        Ok(trace)
    }

    /// Says that `bytes` follow.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        let wanted = POSITION_BYTES - self.head.len();
        if self.offset == self.head.len() as u64 && wanted > 0 {
            self.head.extend_from_slice(&bytes[..wanted.min(bytes.len())]);
        }
        self.add_milestones(bytes);
        if bytes.len() >= POSITION_BYTES {
            self.tail.clear();
        } else {
            let surplus = (self.tail.len() + bytes.len()).saturating_sub(POSITION_BYTES);
            self.tail.drain(..surplus);
        }
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(POSITION_BYTES)..]);
        self.offset += bytes.len() as u64;
    }

    /// Whether all that was read still stands in this file, as far as the marks tell.
    pub(super) fn is_in(&self, file: &fs::File, size: u64) -> io::Result<bool> {
        Ok(size >= self.offset
            && is_at(file, 0, &self.head)?
            && is_at(file, self.offset - self.tail.len() as u64, &self.tail)?)
    }

    /// Whether the `size` bytes of this file are the first of what was read.
    pub(super) fn is_shortened_to(&self, file: &fs::File, size: u64) -> io::Result<bool> {
        let Some((milestone, expected)) = self.milestones.iter().rfind(|mark| mark.0 <= size) else {
            return Ok(false);
        };
        let mut window = [0; MILESTONE_BYTES];
        let count = read_fully(file, &mut window, milestone - MILESTONE_BYTES as u64)?;
        Ok(count == MILESTONE_BYTES && hash(&window) == *expected && is_at(file, 0, &self.head)?)
    }

    /// Whether this file holds the first bytes of what was read, or all and more: a copy, perhaps one
    /// that is still being written. Weaker than `is_in`; the names must speak for it, too.
    pub(super) fn is_copied_in(&self, file: &fs::File, size: u64) -> io::Result<bool> {
        if size >= self.offset {
            return self.is_in(file, size);
        }
        let length = usize::try_from(size).map_or(self.head.len(), |size| size.min(self.head.len()));
        Ok(is_at(file, 0, &self.head[..length])?
            && (size < MILESTONE_MIN || self.is_shortened_to(file, size)?))
    }

    /// Whether the content is more than one line over and over, so that to find it again says something.
    pub(super) fn is_telling(&self) -> bool {
        let mut lines = self.tail.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty());
        match lines.next() {
            Some(first) => lines.any(|line| line != first),
            None => self.tail.len() == POSITION_BYTES,
        }
    }

    /// The mark of the head, of what lies before `offset`.
    pub(super) fn head_mark(&self, offset: u64) -> Mark {
        let length = usize::try_from(offset).map_or(self.head.len(), |offset| offset.min(self.head.len()));
        Mark::of(&self.head[..length])
    }

    /// The position of a copy whose every byte was taken.
    pub(super) fn position_of_copy(&self, stat: &Stat, origin: &Path) -> Position {
        Position {
            identity: stat.identity,
            offset: self.offset,
            delivered: self.offset,
            head: self.head_mark(self.offset),
            tail: Mark::of(&self.tail),
            modified: stat.modified,
            departed: true,
            origin: origin.to_string_lossy().into_owned(),
        }
    }

    /// The last bytes that were read.
    pub(super) fn tail_bytes(&self) -> &[u8] {
        &self.tail
    }

    fn add_milestones(&mut self, bytes: &[u8]) {
        let mut milestone = (self.offset + 1).max(MILESTONE_MIN).next_power_of_two();
        while milestone <= self.offset + bytes.len() as u64 {
            let end = usize::try_from(milestone - self.offset).unwrap_or(usize::MAX);
            let from_tail = MILESTONE_BYTES.saturating_sub(end).min(self.tail.len());
            let mut window = [0; MILESTONE_BYTES];
            window[..from_tail].copy_from_slice(&self.tail[self.tail.len() - from_tail..]);
            window[from_tail..].copy_from_slice(&bytes[end - (MILESTONE_BYTES - from_tail)..end]);
            self.milestones.push((milestone, hash(&window)));
            milestone = milestone.saturating_mul(2);
        }
    }
}

/// Whether one file begins with the other's first bytes, of which there are some.
pub(super) fn begin_alike(one: &Path, other: &Path) -> bool {
    let head = |path| {
        let mut window = [0; POSITION_BYTES];
        let (handle, _) = open_regular(path).ok()?;
        let count = read_fully(&handle, &mut window, 0).ok()?;
        Some(window[..count].to_vec())
    };
    head(one).zip(head(other)).is_some_and(|(one, other)| {
        !one.is_empty() && !other.is_empty() && (one.starts_with(&other) || other.starts_with(&one))
    })
}

fn is_at(file: &fs::File, offset: u64, expected: &[u8]) -> io::Result<bool> {
    let mut window = [0; POSITION_BYTES];
    let window = &mut window[..expected.len()];
    Ok(read_fully(file, window, offset)? == expected.len() && window == expected)
}

/// Reads until `window` is full or the file ends.
fn read_fully(file: &fs::File, window: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < window.len() {
        match file.read_at(&mut window[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// SipHash 1-3 with fixed keys: positions are compared over restarts.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x7461_696C_6572_2031, 0x706F_7369_7469_6F6E);
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn file_of(content: &[u8]) -> fs::File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content).expect("written");
        file
    }

    fn trace_of(content: &[u8]) -> Trace {
        let mut trace = Trace::default();
        content.chunks(100).for_each(|chunk| trace.advance(chunk));
        trace
    }

    fn lines(count: usize) -> Vec<u8> {
        (0..count).flat_map(|serial| format!("line {serial}\n").into_bytes()).collect()
    }

    #[test]
    fn the_hash_is_the_same_in_every_run() {
        assert_eq!(Mark::of(b"a line\n"), Mark { length: 7, hash: 9_238_270_198_540_261_036 });
    }

    #[test]
    fn a_file_is_known_by_what_was_read() {
        let content = lines(500);
        let trace = trace_of(&content[..3000]);
        let mut other = content.clone();
        other[2990] ^= 1;
        let mut first = content.clone();
        first[0] ^= 1;
        for (content, expected) in [
            (&content[..], true),
            (&content[..3000], true),
            (&content[..2999], false),
            (&other, false),
            (&first, false),
        ] {
            let file = file_of(content);
            assert_eq!(trace.is_in(&file, content.len() as u64).expect("read"), expected);
        }
    }

    #[test]
    fn a_shortened_file_is_told_from_one_written_again() {
        let content = lines(500);
        let trace = trace_of(&content);
        for (content, expected) in [
            (&content[..2500], true),
            (&content[..1024], true),
            (&content[..1000], false),
            (&content[10..2500], false),
        ] {
            let file = file_of(content);
            assert_eq!(trace.is_shortened_to(&file, content.len() as u64).expect("read"), expected);
        }
    }

    #[test]
    fn one_line_over_and_over_tells_nothing() {
        assert!(!trace_of(&b"ok\n".repeat(200)).is_telling());
        assert!(!trace_of(b"id,label\n").is_telling());
        assert!(trace_of(&lines(100)).is_telling());
        assert!(trace_of(&[b'x'; 1000]).is_telling());
    }

    proptest! {
        #[test]
        fn a_trace_does_not_depend_on_how_it_was_read(cuts in proptest::collection::vec(1_usize..900, 1..20)) {
            let content = lines(700);
            let mut trace = Trace::default();
            let mut rest = &content[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                trace.advance(piece);
                rest = after;
            }
            let same = Trace::at(&file_of(&content), trace.offset).expect("read");
            prop_assert_eq!(&trace.head, &same.head);
            prop_assert_eq!(&trace.tail, &same.tail);
            prop_assert_eq!(&trace.milestones, &same.milestones);
        }
    }
}
