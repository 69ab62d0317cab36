//! How far the files have been taken in, beyond what the last checkpoint holds: what a scrape notes in a few
//! bytes before it shows anything.
//!
//! After a crash the state is that of the last checkpoint, and a scrape may have shown more. `Mark` says how
//! much more; nothing is shown again before it has been read again, so that no counter goes back.

use crate::source::identity::Identity;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The files of one log that were read since the last checkpoint that is on disk.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    files: BTreeMap<Identity, Taken>,
    /// The first checkpoint to know of a file that was begun again, if that is still to come.
    rewound: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    delivered: u64,
    /// The checkpoint that will be the first to hold it.
    checkpoint: u64,
}

/// How far all logs had been taken in when something was shown.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Order of marks of one process.
    #[serde(skip)]
    pub sequence: u64,
    /// When it was shown. Lines that are read again up to here were not read later than this.
    pub shown_at: Timestamp,
    /// How far expiry had come.
    pub settled_to: Timestamp,
    pub logs: Vec<LogMark>,
}

/// How far the files of one log had been taken in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LogMark {
    pub log: String,
    /// Whether a file was truncated: what was read of it before is in a copy, if anywhere, so that only the
    /// end of all files tells that it has been read again.
    pub until_end: bool,
    pub files: Vec<FileMark>,
}

/// Lines of this file that end at `delivered` or before had been taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileMark {
    pub file: Identity,
    pub delivered: u64,
}

// === impl Progress ===

impl Progress {
    /// Lines of a file were taken in; `checkpoint` is the number of the next one.
    pub(super) fn note(&mut self, (file, delivered): (Identity, u64), checkpoint: u64) {
        let before = self.files.insert(file, Taken { delivered, checkpoint });
        if before.is_some_and(|before| before.delivered > delivered) {
            self.rewound = Some(checkpoint);
        }
    }

    /// A checkpoint is on disk: what it holds needs no mark.
    pub(super) fn forget(&mut self, checkpoint: u64) {
        self.files.retain(|_, taken| taken.checkpoint > checkpoint);
        self.rewound = self.rewound.filter(|&rewound| rewound > checkpoint);
    }

    pub(super) fn mark(&self, log: &str) -> LogMark {
        let files = self.files.iter();
        let files = files.map(|(&file, taken)| FileMark { file, delivered: taken.delivered }).collect();
        LogMark { log: log.to_owned(), until_end: self.rewound.is_some(), files }
    }
}
