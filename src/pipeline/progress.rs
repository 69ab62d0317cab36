//! How far the files have been taken in, beyond what the last checkpoint holds: what a scrape notes in a few
//! bytes before it shows anything.
//!
//! After a crash the state is that of the last checkpoint, and a scrape may have shown more. `Mark` says how
//! much more; nothing is shown again before it has been read again, so that no counter goes back.

use crate::source::identity::Identity;
use crate::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The files of one log that were read since the last checkpoint that is on disk.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    files: BTreeMap<Identity, Taken>,
    /// The first checkpoint to know of a file that was begun again, if that is still to come.
    rewound: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Taken {
    delivered: u64,
    /// The checkpoint that will be the first to hold it.
    checkpoint: u64,
    /// By the checkpoint that will be the first to hold them.
    reads: VecDeque<(Read, u64)>,
}

/// Lines that end at `end` or before, and behind those of the read before, were first taken in at `at`. It
/// is the time of events that have none, and must be the same when they are read again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Read {
    pub end: u64,
    pub at: Timestamp,
}

/// Reads at most that far apart are one, so that a mark stays small however often a file is read.
const READ_TICK: Span = Span::from_millis(100);
/// Reads of one file that are kept while no checkpoint can be written; the oldest are forgotten.
const READS_MAX: usize = 1000;

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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileMark {
    pub file: Identity,
    pub delivered: u64,
    /// When the lines were taken in that no checkpoint holds, in their order.
    pub reads: Vec<Read>,
}

/// The time that lines read now are taken in at.
pub fn tick(now: Timestamp) -> Timestamp {
    Timestamp::from_nanos(now.as_nanos() - now.as_nanos().rem_euclid(READ_TICK.as_nanos()))
}

/// Notes the end of a line with the time it was taken in at.
pub(super) fn note_read(reads: &mut Vec<Read>, read: Read) {
    match reads.last_mut().filter(|last| last.at == read.at) {
        Some(last) => last.end = read.end,
        None => reads.push(read),
    }
}

// === impl Progress ===

impl Progress {
    /// Lines of a file were taken in, at these times; `checkpoint` is the number of the next one.
    pub(super) fn note(&mut self, (file, delivered): (Identity, u64), reads: &[Read], checkpoint: u64) {
        let taken = self.files.entry(file).or_default();
        if taken.delivered > delivered {
            self.rewound = Some(checkpoint);
            taken.reads.clear();
        }
        (taken.delivered, taken.checkpoint) = (delivered, checkpoint);
        for read in reads {
            match taken.reads.back_mut().filter(|(last, number)| last.at == read.at && *number == checkpoint)
            {
                Some((last, _)) => last.end = read.end,
                None => taken.reads.push_back((*read, checkpoint)),
            }
        }
        while taken.reads.len() > READS_MAX {
            taken.reads.pop_front();
        }
    }

    /// A checkpoint is on disk: what it holds needs no mark.
    pub(super) fn forget(&mut self, checkpoint: u64) {
        self.files.retain(|_, taken| taken.checkpoint > checkpoint);
        for taken in self.files.values_mut() {
            taken.reads.retain(|(_, number)| *number > checkpoint);
        }
        self.rewound = self.rewound.filter(|&rewound| rewound > checkpoint);
    }

    pub(super) fn mark(&self, log: &str) -> LogMark {
        let files = self.files.iter();
        let files = files.map(|(&file, taken)| FileMark {
            file,
            delivered: taken.delivered,
            reads: taken.reads.iter().map(|(read, _)| *read).collect(),
        });
        LogMark { log: log.to_owned(), until_end: self.rewound.is_some(), files: files.collect() }
    }
}
