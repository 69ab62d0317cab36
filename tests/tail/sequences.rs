//! Random sequences of what happens to a log, and to the process that reads it: every line exactly once,
//! and in the order of its file.
//!
//! `TAIL_CASES=100000 cargo test --release --test tail scenario_87` runs that many sequences of each kind;
//! `TAIL_SEED` repeats a run, and is printed with a failure.

use super::harness::*;
use super::model::{Files, Mode};
use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, RngSeed, TestRunner};

/// Sequences of each kind, without `TAIL_CASES`.
const CASES: u32 = 128;

#[derive(Clone, Debug)]
enum Step {
    Write(u32),
    /// The first half of a line.
    Half,
    /// By the mode of the case; the next write creates the file if it must.
    Rotate,
    /// The writer still has the file before the current one.
    WriteOld(u32),
    Truncate,
    Look,
    Pause,
    /// The process ends at once and starts again from its positions.
    Restart,
    /// The process ends; what follows happens while it is down, up to the next `Start`.
    Stop,
    Start,
    /// A checkpoint is taken.
    Save,
    /// The process is killed: it starts again from the last checkpoint, and so does what it had counted.
    Crash,
}

/// What a checkpoint holds, and where the model stood then.
struct Checkpoint {
    positions: Vec<Position>,
    delivered: Vec<String>,
    /// The content that was current, and whether a look had found it.
    content: usize,
    is_followed: bool,
    unsettled: u32,
}

/// Knows every line, and what the reader owes.
struct Model {
    files: Files,
    config: source::Config,
    reader: Option<Reader>,
    checkpoint: Checkpoint,
    delivered: Vec<String>,
    /// Written, and gone before the reader could have it.
    unknowable: HashSet<u32>,
    /// Looks until a truncation is settled; a second one before hides what was between.
    unsettled: u32,
}

// === impl Model ===

impl Model {
    fn new(glob: &'static str, mode: Mode, is_wrapped: bool) -> Self {
        let files = Files::new(mode, is_wrapped);
        let config = config(&[files.logs.path(glob)]);
        let checkpoint = Checkpoint {
            positions: Vec::new(),
            delivered: Vec::new(),
            content: 0,
            is_followed: false,
            unsettled: 0,
        };
        let mut model = Self {
            files,
            config,
            reader: None,
            checkpoint,
            delivered: Vec::new(),
            unknowable: HashSet::new(),
            unsettled: 0,
        };
        // A copy is known for one by what it holds, and so there must be enough.
        model.files.write(if mode == Mode::Replace { 6 } else { 1 });
        model.start();
        model.save();
        model
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Write(count) => self.files.write(*count),
            Step::Half => self.files.write_half(),
            Step::Rotate => self.rotate(),
            Step::WriteOld(count) => {
                let late = self.files.write_old(*count);
                self.unknowable.extend(late);
            }
            Step::Truncate => self.truncate(),
            Step::Look => self.look(1),
            Step::Pause => self.pause(),
            Step::Restart => {
                self.stop();
                self.start();
            }
            Step::Stop => self.stop(),
            Step::Start => self.start(),
            Step::Save => self.save(),
            Step::Crash => self.crash(),
        }
    }

    fn rotate(&mut self) {
        let last = self.files.contents.len() - 1;
        let (mode, is_down) = (self.files.mode, self.reader.is_none());
        match mode {
            // A target that was not current at a look, or not at one after the last write.
            Mode::Symlink if is_down || !self.files.current().is_followed => {
                self.files.complete("");
                self.forget_unread(last);
                self.files.current().is_over = true;
            }
            _ => {}
        }
        let is_unknown = mode.copies() && (self.unsettled > 0 || self.count_delivered(last) == 0);
        let deleted: Vec<bool> = self.files.contents.iter().map(|content| content.is_deleted).collect();
        let copied: Vec<bool> = self.files.contents.iter().map(|content| content.has_copy).collect();
        self.files.rotate();
        if mode.copies() && self.files.contents.len() - 1 > last {
            if is_unknown {
                self.forget_unread(last);
            }
            self.unsettled = 2;
        }
        for at in 0..=last {
            let is_lost_copy = copied[at] && !self.files.contents[at].has_copy;
            let is_gone = self.files.contents[at].is_deleted && !deleted[at];
            if is_lost_copy || (is_gone && (is_down || !self.files.contents[at].is_followed)) {
                self.forget_unread(at);
            }
        }
    }

    fn truncate(&mut self) {
        let last = self.files.contents.len() - 1;
        if self.files.truncate() {
            self.forget_unread(last);
            self.unsettled = 2;
        }
    }

    fn look(&mut self, count: u32) {
        let Some(reader) = &mut self.reader else {
            return;
        };
        for _ in 0..count {
            reader.step();
            self.delivered.extend(reader.take());
            self.unsettled = self.unsettled.saturating_sub(1);
        }
        let content = self.files.current();
        content.is_followed |= fs::metadata(&content.path).is_ok_and(|file| file.len() > 0);
    }

    fn pause(&mut self) {
        self.look(3);
        if let Some(reader) = &mut self.reader {
            reader.now = reader.now.plus(ROTATE_WAIT);
            let last = self.files.contents.len() - 1;
            self.files.contents[..last].iter_mut().for_each(|content| content.is_over = true);
        }
        self.look(3);
    }

    fn save(&mut self) {
        if let Some(reader) = &self.reader {
            self.checkpoint = Checkpoint {
                positions: reader.positions(),
                delivered: self.delivered.clone(),
                content: self.files.contents.len() - 1,
                is_followed: self.files.current().is_followed,
                unsettled: self.unsettled,
            };
        }
    }

    fn stop(&mut self) {
        self.save();
        if self.reader.is_some() {
            self.crash();
        }
    }

    /// What was read since the checkpoint is forgotten, and what is gone from the files is lost for good.
    fn crash(&mut self) {
        if self.reader.take().is_none() {
            return;
        }
        self.delivered.clone_from(&self.checkpoint.delivered);
        let (saved, last) = (self.checkpoint.content, self.files.contents.len() - 1);
        // Where no file is known, nothing says what came since.
        let is_blind = self.checkpoint.positions.is_empty();
        for at in 0..=last {
            self.files.contents[at].is_followed &= at <= saved;
            let content = &self.files.contents[at];
            // Begun and left since.
            let is_unseen = at < last && (at > saved || (at == saved && !self.checkpoint.is_followed));
            let is_lost = match self.files.mode {
                // What is deleted lived by the handle of the process.
                _ if content.is_deleted || content.is_cut || (is_blind && at < last) => true,
                Mode::Symlink => is_unseen,
                Mode::CopyTruncate | Mode::CopyOver => {
                    let is_left = at >= saved && at < last;
                    let is_known = self.count_delivered(at) > 0 && self.checkpoint.unsettled == 0;
                    is_left && !(content.has_copy && is_known)
                        || (self.files.mode == Mode::CopyOver && at < last && !content.has_copy)
                }
                _ => false,
            };
            if is_lost {
                self.forget_unread(at);
                self.files.contents[at].is_over = true;
            }
        }
    }

    fn start(&mut self) {
        if self.reader.is_none() {
            let is_first = self.files.contents.len() == 1 && self.checkpoint.positions.is_empty();
            let mut reader = Reader::new(&self.config);
            if !is_first {
                reader.tailer.restore(self.checkpoint.positions.clone(), Tally::default());
            }
            if self.files.is_wrapped {
                reader.line.container = Container::Cri;
            }
            self.reader = Some(reader);
            self.look(1);
        }
    }

    fn count_delivered(&self, content: usize) -> usize {
        let delivered: HashSet<&str> = self.delivered.iter().map(String::as_str).collect();
        let serials = &self.files.contents[content].serials;
        serials.iter().filter(|serial| delivered.contains(&*long(**serial))).count()
    }

    /// Nobody can have what was not delivered of this content.
    fn forget_unread(&mut self, content: usize) {
        let delivered: HashSet<&str> = self.delivered.iter().map(String::as_str).collect();
        let serials = self.files.contents[content].serials.iter();
        self.unknowable.extend(serials.filter(|serial| !delivered.contains(&*long(**serial))));
    }

    fn check(mut self) -> Result<(), TestCaseError> {
        self.start();
        self.files.complete("\n");
        self.pause();
        self.pause();
        let mut times: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, line) in self.delivered.iter().enumerate() {
            times.entry(line).or_default().push(at);
        }
        for content in &self.files.contents {
            let mut last = None;
            for serial in &content.serials {
                let text = long(*serial);
                let at = times.remove(&text[..]).unwrap_or_default();
                let is_right = at.len() == 1 || (at.is_empty() && self.unknowable.contains(serial));
                prop_assert!(is_right, "line {} was delivered {} times", serial, at.len());
                prop_assert!(at.is_empty() || last < at.first().copied(), "line {} is out of order", serial);
                last = last.max(at.first().copied());
            }
        }
        prop_assert!(times.is_empty(), "never written: {:?}", times);
        if let Some(reader) = &self.reader {
            prop_assert!(reader.buffers.len() <= reader.tailer.files().count(), "memory for no file");
        }
        Ok(())
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u32..20).prop_map(Step::Write),
        2 => Just(Step::Half),
        4 => Just(Step::Rotate),
        2 => (1_u32..5).prop_map(Step::WriteOld),
        1 => Just(Step::Truncate),
        6 => Just(Step::Look),
        1 => Just(Step::Pause),
        1 => Just(Step::Restart),
        1 => Just(Step::Stop),
        2 => Just(Step::Start),
        2 => Just(Step::Save),
        2 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..40)
}

fn environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn check_against_model(glob: &'static str, mode: Mode, is_wrapped: bool) {
    let cases = environment("TAIL_CASES").map_or(CASES, |cases| u32::try_from(cases).expect("fewer cases"));
    let seed = environment("TAIL_SEED").unwrap_or_else(|| getrandom::u64().expect("a seed"));
    let runs = Runs { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Runs::default() };
    let result = TestRunner::new(runs).run(&steps(), |steps| {
        let mut model = Model::new(glob, mode, is_wrapped);
        steps.iter().for_each(|step| model.take(step));
        model.check()
    });
    if let Err(error) = result {
        panic!("{mode:?}, {glob}, wrapped: {is_wrapped}: {error}\nTAIL_SEED={seed} repeats this run");
    }
}

#[test]
fn scenario_87_chain_against_the_model() {
    check_against_model("app.log", Mode::Chain, false);
}

#[test]
fn scenario_87_chain_within_the_glob_against_the_model() {
    check_against_model("app.log*", Mode::Chain, false);
}

#[test]
fn scenario_87_short_chain_against_the_model() {
    check_against_model("app.log", Mode::ShortChain, false);
}

#[test]
fn scenario_87_short_chain_within_the_glob_against_the_model() {
    check_against_model("app.log*", Mode::ShortChain, false);
}

#[test]
fn scenario_87_time_names_against_the_model() {
    check_against_model("app.log", Mode::Time, false);
}

#[test]
fn scenario_87_time_names_within_the_glob_against_the_model() {
    check_against_model("app.log*", Mode::Time, false);
}

#[test]
fn scenario_87_new_file_from_a_temporary_one_against_the_model() {
    check_against_model("app.log", Mode::FromTemporary, false);
}

#[test]
fn scenario_87_rotation_behind_a_link_against_the_model() {
    check_against_model("app.log", Mode::BehindLink, false);
}

#[test]
fn scenario_87_copytruncate_against_the_model() {
    check_against_model("app.log", Mode::CopyTruncate, false);
}

#[test]
fn scenario_87_copytruncate_within_the_glob_against_the_model() {
    check_against_model("app.log*", Mode::CopyTruncate, false);
}

#[test]
fn scenario_87_copytruncate_over_the_last_copy_against_the_model() {
    check_against_model("app.log", Mode::CopyOver, false);
}

#[test]
fn scenario_87_copytruncate_over_the_last_copy_within_the_glob_against_the_model() {
    check_against_model("app.log*", Mode::CopyOver, false);
}

#[test]
fn scenario_87_delete_and_create_against_the_model() {
    check_against_model("app.log", Mode::Recreate, false);
}

#[test]
fn scenario_87_symlink_against_the_model() {
    check_against_model("app.log", Mode::Symlink, false);
}

#[test]
fn scenario_87_atomic_replace_against_the_model() {
    check_against_model("app.log", Mode::Replace, false);
}

#[test]
fn scenario_87_container_lines_in_a_chain_against_the_model() {
    check_against_model("app.log", Mode::Chain, true);
}

#[test]
fn scenario_87_container_lines_behind_a_link_against_the_model() {
    check_against_model("app.log", Mode::BehindLink, true);
}
