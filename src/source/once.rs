//! An input that is read a single time to its end: a file of `replay`, standard input, a pipe.
//!
//! It follows nothing: what is appended later is not seen, and there is no position to return to.

use super::identity::Position;
use super::open::open_regular;
use super::{Error, Progress, Source};
use crate::time::Timestamp;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads any reader until it has no more.
pub struct Once<R> {
    reader: R,
    path: PathBuf,
    offset: u64,
    ended: bool,
}

/// Opens a file to be read once.
///
/// # Errors
/// It does not exist, is not a regular file or may not be read.
pub fn open(path: &Path) -> Result<Once<std::fs::File>, Error> {
    Ok(Once::new(open_regular(path)?.0, path))
}

/// Standard input.
pub fn stdin() -> Once<std::io::Stdin> {
    Once::new(std::io::stdin(), Path::new("-"))
}

// === impl Once ===

impl<R: Read + Send> Once<R> {
    /// `path` is what errors call the input.
    pub fn new(reader: R, path: &Path) -> Self {
        Self { reader, path: path.to_path_buf(), offset: 0, ended: false }
    }
}

impl<R: Read + Send> Source for Once<R> {
    /// Waits where the reader does, as standard input may: there is nothing else to do in a replay.
    fn read(&mut self, space: &mut [u8], _now: Timestamp) -> Result<Progress, Error> {
        while !self.ended {
            match self.reader.read(space) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.offset += count as u64;
                    return Ok(Progress::Bytes(count));
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::from_io(&self.path, error)),
            }
        }
        Ok(Progress::Ended)
    }

    /// Only the offset means something: how much was read.
    fn position(&self) -> Position {
        Position { offset: self.offset, delivered: self.offset, ..Position::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_ends_once_and_stays_ended() {
        let mut source = Once::new(&b"abc"[..], Path::new("-"));
        let mut space = [0; 2];
        let now = Timestamp::default();
        let mut steps = Vec::new();
        for _ in 0..4 {
            steps.push(source.read(&mut space, now).expect("a slice does not fail"));
        }
        assert_eq!(steps, [Progress::Bytes(2), Progress::Bytes(1), Progress::Ended, Progress::Ended]);
        assert_eq!(source.position().offset, 3);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = open(directory.path()).err().expect("refused");
        assert_eq!(error.reason, super::super::Reason::NotAFile);
        let error = open(&directory.path().join("none")).err().expect("refused");
        assert_eq!(error.reason, super::super::Reason::Vanished);
    }
}
