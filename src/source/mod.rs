//! Where bytes come from and how far they have been read.

use crate::time::Span;

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
