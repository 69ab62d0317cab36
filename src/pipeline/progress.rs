//! What was taken in since the last checkpoint, in its order: what a scrape notes before it shows anything.
//!
//! After a crash the state is that of the last checkpoint, and a scrape may have shown more. `Mark` says how
//! much more, and in which order it was read, as duplicates, evictions and the times of lines without one depend
//! on it. Nothing is shown again before it has been read again, so that no counter goes back.
//!
//! Invariant: bounded. Beyond `STEPS_MAX` the order is given up, and only how far each file was read is kept;
//! beyond `FILES_MAX` that too.

use crate::limits::{FILES_MAX, STEPS_MAX, STEPS_MERGED};
use crate::source::identity::Identity;
use crate::time::{Span, Timestamp};
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
    Took { log: usize, file: Identity, delivered: u64, at: Timestamp, lasted: Span },
    Settled { to: Timestamp, at: Timestamp },
}

/// How far all logs had been taken in when something was shown.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Order of marks of one process.
    #[serde(skip)]
    pub sequence: u64,
    /// The first checkpoint to hold all of it.
    pub checkpoint: u64,
    /// When it was shown. Lines that are read again up to here were not read later than this.
    pub shown_at: Timestamp,
    /// How far expiry had come.
    pub settled_to: Timestamp,
    pub logs: Vec<LogMark>,
    /// What was done since the checkpoint, in order; `None` where that is not known.
    /// Each with the first checkpoint to hold it.
    pub steps: Option<Vec<(u64, Step)>>,
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
    /// Lines of a file were taken in up to `delivered`, from `at` on. Log and file are places in the mark.
    Took { log: u32, file: u32, delivered: u64, at: Timestamp, lasted: Span },
    /// What had waited too long by `to` was let go of.
    Settled { to: Timestamp, at: Timestamp },
}

// === impl Mark ===

impl Mark {
    /// What of it a checkpoint does not hold; `None` where that is nothing. A checkpoint may have been
    /// written since the last scrape, and what is in it must not be done again: expiry would let go of what
    /// has come since.
    pub(super) fn beyond(mut self, held: Option<u64>) -> Option<Self> {
        if held >= Some(self.checkpoint) {
            return None;
        }
        if let Some(steps) = &mut self.steps {
            steps.retain(|(checkpoint, _)| Some(*checkpoint) > held);
        }
        Some(self)
    }
}

// === impl Progress ===

impl Progress {
    /// Goes on after a checkpoint and a mark of an earlier process, as far as there are any.
    pub(super) fn after(held: Option<u64>, shown: Option<&Mark>) -> Self {
        let last = held.max(shown.map(|mark| mark.checkpoint));
        Self { checkpoint: last.map_or(0, |last| last.saturating_add(1)), ..Self::default() }
    }

    /// Lines of a file were taken in.
    pub(super) fn take(
        &mut self,
        log: usize,
        (file, delivered): (Identity, u64),
        at: Timestamp,
        lasted: Span,
    ) {
        let checkpoint = self.checkpoint;
        let before = self.files.insert((log, file), Numbered { checkpoint, what: delivered });
        if before.is_some_and(|before| before.what > delivered) {
            self.rewound.insert(log, checkpoint);
        }
        if self.files.len() > FILES_MAX {
            self.give_up_files();
        }
        // While there are many, time goes by in steps so small that they may be taken together.
        let is_busy = self.steps.len() >= STEPS_MERGED;
        let last = self.steps.back_mut().filter(|last| is_busy && last.checkpoint == checkpoint);
        if let Some(Done::Took { log: same, file: again, delivered: to, at: from, lasted: length }) =
            last.map(|last| &mut last.what)
            && (*same, *again) == (log, file)
            && *to <= delivered
        {
            (*to, *length) = (delivered, at.plus(lasted).since(*from));
            return;
        }
        self.push(Done::Took { log, file, delivered, at, lasted });
    }

    /// What had waited too long by `to` was let go of, at `at`.
    pub(super) fn settle(&mut self, to: Timestamp, at: Timestamp) {
        self.push(Done::Settled { to, at });
    }

    /// While a disk refuses for long, files come and go: that all was read again is then told by the end of
    /// all files alone.
    fn give_up_files(&mut self) {
        let logs = std::mem::take(&mut self.files).into_keys().map(|(log, _)| (log, self.checkpoint));
        self.rewound.extend(logs);
        self.steps.clear();
        self.incomplete = Some(self.checkpoint);
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
        let steps = self.steps.iter().filter_map(|step| {
            let what = match step.what {
                Done::Settled { to, at } => Step::Settled { to, at },
                Done::Took { log, file, delivered, at, lasted } => {
                    let place = logs[log].files.binary_search_by_key(&file, |one| one.file).ok()?;
                    Step::Took { log: log as u32, file: place as u32, delivered, at, lasted }
                }
            };
            Some((step.checkpoint, what))
        });
        let steps = self.incomplete.is_none().then(|| steps.collect());
        Mark { sequence: self.marks, checkpoint: self.checkpoint, shown_at, settled_to, logs, steps }
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

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1);

    fn file(inode: u64) -> Identity {
        Identity { inode, ..Identity::default() }
    }

    fn mark(progress: &mut Progress) -> Mark {
        progress.mark(["log"].into_iter(), AT, AT)
    }

    /// A disk that refuses for weeks while files are rotated.
    #[test]
    fn files_that_no_checkpoint_holds_are_bounded() {
        let mut progress = Progress::default();
        for inode in 0..2 * FILES_MAX as u64 {
            progress.take(0, (file(inode), 1), AT, Span::ZERO);
            assert!(progress.files.len() <= FILES_MAX && progress.steps.len() <= STEPS_MAX);
        }
        let given_up = mark(&mut progress);
        assert!(given_up.logs[0].until_end && given_up.steps.is_none());
        let number = progress.begin_checkpoint();
        progress.take(0, (file(1), 1), AT, Span::ZERO);
        progress.forget(number);
        let after = mark(&mut progress);
        assert_eq!((after.logs[0].until_end, after.logs[0].files.len()), (false, 1));
        assert_eq!(after.steps.map(|steps| steps.len()), Some(1));
    }

    /// Of a line without a time the first of what was merged says when, of one ahead of the clock the last.
    #[test]
    fn steps_that_follow_each_other_are_one_once_there_are_many() {
        let mut progress = Progress::default();
        let second = |second: usize| Timestamp::from_seconds(second as i64);
        for step in 0..STEPS_MERGED + 10 {
            progress.take(0, (file(1), step as u64), second(step), Span::ZERO);
        }
        let steps = mark(&mut progress).steps.expect("few");
        assert_eq!(steps.len(), STEPS_MERGED);
        let last = STEPS_MERGED + 9;
        let (at, lasted) = (second(STEPS_MERGED - 1), Span::from_seconds(10));
        let expected = Step::Took { log: 0, file: 0, delivered: last as u64, at, lasted };
        assert_eq!(steps.last(), Some(&(0, expected)));
    }

    #[test]
    fn beyond_so_many_steps_the_order_is_given_up_until_a_checkpoint_holds_them() {
        let mut progress = Progress::default();
        for step in 0..=STEPS_MAX as u64 {
            progress.take(0, (file(step % 2), step), AT, Span::ZERO);
        }
        assert_eq!(mark(&mut progress).steps, None);
        assert_eq!(mark(&mut progress).logs[0].files.len(), 2);
        let number = progress.begin_checkpoint();
        progress.settle(AT, AT);
        assert_eq!(mark(&mut progress).steps, None, "the checkpoint may never be on disk");
        progress.forget(number);
        assert_eq!(mark(&mut progress).steps, Some(vec![(1, Step::Settled { to: AT, at: AT })]));
    }

    /// Until a checkpoint holds it: what was read of a file before it was truncated is in a copy, if anywhere.
    #[test]
    fn a_file_that_is_begun_again_makes_its_log_wait_for_the_end() {
        let mut progress = Progress::default();
        progress.take(0, (file(1), 9), AT, Span::ZERO);
        assert!(!mark(&mut progress).logs[0].until_end);
        progress.take(0, (file(1), 3), AT, Span::ZERO);
        assert!(mark(&mut progress).logs[0].until_end);
        let number = progress.begin_checkpoint();
        progress.forget(number);
        let after = mark(&mut progress);
        assert_eq!((after.logs[0].until_end, after.logs[0].files.len()), (false, 0));
    }

    #[test]
    fn of_a_mark_nothing_is_left_that_a_checkpoint_holds() {
        let mut progress = Progress::after(Some(6), None);
        progress.settle(AT, AT);
        assert_eq!(progress.begin_checkpoint(), 7);
        progress.settle(AT, AT);
        let shown = mark(&mut progress);
        let steps = |held| Some(shown.clone().beyond(held)?.steps.expect("few").len());
        assert_eq!([None, Some(6), Some(7), Some(8)].map(steps), [Some(2), Some(2), Some(1), None]);
        assert_eq!(Progress::after(Some(6), Some(&shown)).begin_checkpoint(), 9);
    }
}
