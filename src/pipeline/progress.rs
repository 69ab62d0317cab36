//! What was taken in since the last checkpoint, in its order: what a scrape notes before it shows anything.
//!
//! After a crash the state is that of the last checkpoint, and a scrape may have shown more. `Mark` says how
//! much more, and in which order it was read, as duplicates, evictions and the times of lines without one depend
//! on it. Nothing is shown again before it has been read again, so that no counter goes back.
//!
//! Invariant: bounded. Beyond `STEPS_MAX` the order is given up, and only how far each file was read is kept.

use crate::limits::{STEPS_MAX, STEPS_MERGED};
use crate::source::identity::Identity;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What was taken in of all logs since the last checkpoint that is on disk.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The number of the next checkpoint.
    checkpoint: u64,
    /// By log and file: how far it was read, and the first checkpoint to hold that.
    files: BTreeMap<(usize, Identity), Numbered<u64>>,
    /// By log: files were begun again, which is held by this checkpoint.
    rewound: BTreeMap<usize, u64>,
    steps: VecDeque<Numbered<Done>>,
    /// The last checkpoint to miss a step, as there were too many.
    incomplete: Option<u64>,
    marks: u64,
}

/// Something, and the first checkpoint to hold it.
#[derive(Clone, Copy, Debug)]
struct Numbered<T> {
    checkpoint: u64,
    what: T,
}

#[derive(Clone, Copy, Debug)]
enum Done {
    Took { log: usize, file: Identity, delivered: u64, at: Timestamp },
    Settled { to: Timestamp, at: Timestamp },
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
    /// What was done since the checkpoint, in order; `None` where that is not known.
    pub steps: Option<Vec<Step>>,
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

/// Something that was done between two checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    /// Lines of a file were taken in up to `delivered`. Log and file are places in the mark.
    Took { log: u32, file: u32, delivered: u64, at: Timestamp },
    /// What had waited too long by `to` was let go of.
    Settled { to: Timestamp, at: Timestamp },
}

// === impl Progress ===

impl Progress {
    /// Lines of a file were taken in.
    pub(super) fn take(&mut self, log: usize, (file, delivered): (Identity, u64), at: Timestamp) {
        let checkpoint = self.checkpoint;
        let before = self.files.insert((log, file), Numbered { checkpoint, what: delivered });
        if before.is_some_and(|before| before.what > delivered) {
            self.rewound.insert(log, checkpoint);
        }
        // While there are many, time goes by in steps so small that they may be taken together.
        let is_busy = self.steps.len() >= STEPS_MERGED;
        if let Some(Numbered { what: Done::Took { log: same, file: again, delivered: to, .. }, .. }) =
            self.steps.back_mut().filter(|last| is_busy && last.checkpoint == checkpoint)
            && (*same, *again) == (log, file)
            && *to <= delivered
        {
            *to = delivered;
            return;
        }
        self.push(Done::Took { log, file, delivered, at });
    }

    /// What had waited too long by `to` was let go of, at `at`.
    pub(super) fn settle(&mut self, to: Timestamp, at: Timestamp) {
        self.push(Done::Settled { to, at });
    }

    fn push(&mut self, what: Done) {
        if self.steps.len() >= STEPS_MAX {
            self.steps.clear();
            self.incomplete = Some(self.checkpoint);
        }
        if self.incomplete != Some(self.checkpoint) {
            self.steps.push_back(Numbered { checkpoint: self.checkpoint, what });
        }
    }

    /// A checkpoint is taken; its number.
    pub(super) fn begin_checkpoint(&mut self) -> u64 {
        self.checkpoint += 1;
        self.checkpoint - 1
    }

    /// A checkpoint is on disk: what it holds needs no mark.
    pub(super) fn forget(&mut self, checkpoint: u64) {
        self.files.retain(|_, taken| taken.checkpoint > checkpoint);
        self.rewound.retain(|_, rewound| *rewound > checkpoint);
        while self.steps.front().is_some_and(|step| step.checkpoint <= checkpoint) {
            self.steps.pop_front();
        }
        self.incomplete = self.incomplete.filter(|&incomplete| incomplete > checkpoint);
    }

    /// Goes on under another configuration; by log the place that it has there, if any.
    pub(super) fn renumber(&mut self, places: &[Option<usize>]) {
        let place = |log: usize| places.get(log).copied().flatten();
        let files = std::mem::take(&mut self.files).into_iter();
        self.files = files.filter_map(|((log, file), taken)| Some(((place(log)?, file), taken))).collect();
        let rewound = std::mem::take(&mut self.rewound).into_iter();
        self.rewound = rewound.filter_map(|(log, number)| Some((place(log)?, number))).collect();
        self.steps.retain_mut(|step| match &mut step.what {
            Done::Took { log, .. } => place(*log).map(|place| *log = place).is_some(),
            Done::Settled { .. } => true,
        });
    }

    /// How far the logs of these names have been taken in, as is about to be shown.
    pub(super) fn mark<'a>(
        &mut self,
        names: impl Iterator<Item = &'a str>,
        shown_at: Timestamp,
        settled_to: Timestamp,
    ) -> Mark {
        self.marks += 1;
        let logs: Vec<LogMark> = names.enumerate().map(|(log, name)| self.log_mark(log, name)).collect();
        let steps = self.steps.iter().filter_map(|step| match step.what {
            Done::Settled { to, at } => Some(Step::Settled { to, at }),
            Done::Took { log, file, delivered, at } => {
                let place = logs[log].files.binary_search_by_key(&file, |one| one.file).ok()?;
                Some(Step::Took { log: log as u32, file: place as u32, delivered, at })
            }
        });
        let steps = self.incomplete.is_none().then(|| steps.collect());
        Mark { sequence: self.marks, shown_at, settled_to, logs, steps }
    }

    fn log_mark(&self, log: usize, name: &str) -> LogMark {
        let files = self.files.range((log, Identity::default())..).take_while(|((of, _), _)| *of == log);
        LogMark {
            log: name.to_owned(),
            until_end: self.rewound.contains_key(&log),
            files: files.map(|((_, file), taken)| FileMark { file: *file, delivered: taken.what }).collect(),
        }
    }
}
