//! Where bytes come from and how far they have been read.
//!
//! A [`Source`] gives bytes; [`tailer::Tailer`] is all files of one log, and [`once::Once`] reads an input
//! a single time. Lines are not known here: the pipeline tells a file how far whole lines reach.
//!
//! Invariants: nothing here reads a clock or waits; no error of one file keeps another from being read.

pub mod discover;
pub mod file;
mod glob;
pub mod identity;
pub mod once;
mod open;
mod retry;
mod sibling;
pub mod tailer;
pub mod tally;

use crate::time::{Span, Timestamp};
use identity::Position;
use std::path::{Path, PathBuf};

/// Which files a log is, and how they are followed.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Globs; `*` does not cross a directory, `**` does.
    pub paths: Vec<String>,
    pub exclude: Vec<String>,
    /// For files present at the very first start; files that appear later are read from byte 0.
    pub start_at: StartAt,
    /// How long a renamed or deleted file is still read after it went quiet.
    pub rotate_wait: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartAt {
    Beginning,
    End,
}

/// Gives the bytes of one input in order.
pub trait Source: Send {
    /// Reads what there is into `space`, which is not empty. Never waits.
    ///
    /// # Errors
    /// The read failed. It may be called again: the source pauses longer after each failure.
    fn read(&mut self, space: &mut [u8], now: Timestamp) -> Result<Progress, Error>;

    /// Up to where whole lines were taken, as the last commit said.
    fn position(&self) -> Position;
}

/// What a read gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// That many bytes were read.
    Bytes(usize),
    /// Nothing for now.
    Idle,
    /// The content is another one: what is held of an unterminated line must be dropped, and reading goes
    /// on at the offset of `position`.
    Truncated,
    /// Nothing will come any more: an unterminated rest is a line.
    Ended,
}

/// A file or directory that cannot be read now.
#[derive(thiserror::Error, Debug)]
#[error("{}: {reason}; it is tried again", path.display())]
pub struct Error {
    pub reason: Reason,
    pub path: PathBuf,
    #[source]
    pub cause: Option<std::io::Error>,
}

/// Why a file cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    PermissionDenied,
    /// A symbolic link whose target does not exist.
    DanglingLink,
    /// A directory, pipe, socket or device.
    NotAFile,
    /// Gone, or another file, between two looks at it.
    Vanished,
    /// More than `FILES_MAX` files match.
    TooManyFiles,
    /// Anything else that the operating system answered.
    Read,
}

// === impl Error ===

impl Error {
    pub(crate) fn new(path: &Path, reason: Reason) -> Self {
        Self { reason, path: path.to_path_buf(), cause: None }
    }

    pub(crate) fn from_io(path: &Path, cause: std::io::Error) -> Self {
        Self { reason: Reason::of(&cause), path: path.to_path_buf(), cause: Some(cause) }
    }
}

// === impl Reason ===

impl Reason {
    pub const ALL: [Self; 6] = [
        Self::PermissionDenied,
        Self::DanglingLink,
        Self::NotAFile,
        Self::Vanished,
        Self::TooManyFiles,
        Self::Read,
    ];

    /// The value of the label `reason`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PermissionDenied => "permission_denied",
            Self::DanglingLink => "dangling_link",
            Self::NotAFile => "not_a_file",
            Self::Vanished => "vanished",
            Self::TooManyFiles => "too_many_files",
            Self::Read => "read",
        }
    }

    pub(crate) fn of(cause: &std::io::Error) -> Self {
        match cause.kind() {
            std::io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            std::io::ErrorKind::NotFound => Self::Vanished,
            _ => Self::Read,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PermissionDenied => "permission denied (give this user read access to the log)",
            Self::DanglingLink => "the target of the symbolic link does not exist",
            Self::NotAFile => "not a regular file",
            Self::Vanished => "it is gone or was replaced",
            Self::TooManyFiles => "more files match than are followed (narrow the glob)",
            Self::Read => "reading failed",
        })
    }
}
