//! Random sequences of file operations against a model that knows every line.

use super::harness::*;
use proptest::prelude::*;

// === Against a model ===

/// How the log of one case is rotated. Tools do not mix these.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Mode {
    Rename,
    CopyTruncate,
    Recreate,
    Symlink,
}

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
}

/// The content of one file, from when it was begun until it was truncated or left.
#[derive(Default)]
struct Content {
    serials: Vec<u32>,
    half: Option<u32>,
    path: PathBuf,
    /// A look found it with content.
    is_followed: bool,
    /// Nobody reads it any more, or may not.
    is_over: bool,
    is_terminated: bool,
    is_deleted: bool,
}

/// Knows every line, and what the reader owes.
struct Model {
    logs: Logs,
    glob: &'static str,
    mode: Mode,
    reader: Option<Reader>,
    positions: Vec<Position>,
    delivered: Vec<String>,
    contents: Vec<Content>,
    /// Written, and gone before the reader could have it.
    unknowable: HashSet<u32>,
    serial: u32,
    links: u32,
    /// Looks until a truncation is settled; a second one before hides what was between.
    unsettled: u32,
}

impl Model {
    fn new(glob: &'static str, mode: Mode) -> Self {
        let logs = Logs::new();
        let reader = Some(logs.reader(glob));
        let mut model = Self {
            logs,
            glob,
            mode,
            reader,
            positions: Vec::new(),
            delivered: Vec::new(),
            contents: Vec::new(),
            unknowable: HashSet::new(),
            serial: 0,
            links: 0,
            unsettled: 0,
        };
        model.begin();
        model.write(1);
        model.look(1);
        model
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Write(count) => self.write(*count),
            Step::Half => self.write_half(),
            Step::Rotate => self.rotate(),
            Step::WriteOld(count) => self.write_old(*count),
            Step::Truncate => self.truncate(),
            Step::Look => self.look(1),
            Step::Pause => self.pause(),
            Step::Restart => {
                self.stop();
                self.start();
            }
            Step::Stop => self.stop(),
            Step::Start => self.start(),
        }
    }

    fn begin(&mut self) {
        let path = if self.mode == Mode::Symlink {
            self.links += 1;
            let target = format!("target-{}", self.links);
            self.logs.write(&target, "");
            self.logs.symlink(&target, "app.log");
            self.logs.path(&target)
        } else {
            self.logs.path("app.log")
        };
        self.contents.push(Content { path, is_terminated: true, ..Content::default() });
    }

    fn current(&mut self) -> &mut Content {
        self.contents.last_mut().expect("begun at once")
    }

    fn write(&mut self, count: u32) {
        let from = self.serial;
        let half = self.current().half.take();
        let rest = half.map_or(String::new(), |serial| format!("{}\n", &long(serial)[20..]));
        self.serial += count;
        let until = self.serial;
        let content = self.current();
        content.serials.extend(from..until);
        append(&content.path, &(rest + &numbered(from..until)));
    }

    fn write_half(&mut self) {
        if self.current().half.is_none() {
            let serial = self.serial;
            self.serial += 1;
            let content = self.current();
            content.half = Some(serial);
            content.serials.push(serial);
            append(&content.path, &long(serial)[..20]);
        }
    }

    /// The writer completes a line it began; without a line end where the file is left for good.
    fn complete(&mut self, line_end: &str) {
        let content = self.current();
        if let Some(serial) = content.half.take() {
            append(&content.path, &format!("{}{line_end}", &long(serial)[20..]));
            content.is_terminated = !line_end.is_empty();
        }
    }

    fn write_old(&mut self, count: u32) {
        let path = self.current().path.clone();
        let Some(content) = self.contents.iter_mut().rfind(|content| content.path != path) else {
            return;
        };
        if !content.is_terminated
            || !matches!(self.mode, Mode::Rename | Mode::Symlink)
            || content.serials.is_empty()
        {
            return;
        }
        let range = self.serial..self.serial + count;
        self.serial += count;
        content.serials.extend(range.clone());
        append(&content.path, &numbered(range.clone()));
        if content.is_over {
            self.unknowable.extend(range);
        }
    }

    fn rotate(&mut self) {
        match self.mode {
            Mode::Rename => {
                self.complete("");
                self.shift(0);
                self.begin();
            }
            Mode::Recreate => {
                self.complete("");
                let is_down = self.reader.is_none();
                let content = self.current();
                if content.path.exists() {
                    fs::remove_file(&content.path).expect("deleted");
                }
                content.is_deleted = true;
                if is_down || !content.is_followed {
                    self.forget_unread();
                }
                self.begin();
            }
            Mode::Symlink => {
                self.complete("");
                // A target that was not current at a look, or not at one after the last write.
                let is_down = self.reader.is_none();
                if is_down || !self.current().is_followed {
                    self.forget_unread();
                    self.current().is_over = true;
                }
                self.begin();
            }
            Mode::CopyTruncate => {
                self.complete("\n");
                if !self.logs.path("app.log").exists() {
                    return;
                }
                if self.unsettled > 0 || !self.knows_content() {
                    self.forget_unread();
                }
                self.shift(1);
                self.logs.copy("app.log", "app.log.1");
                self.cut();
            }
        }
    }

    /// app.log becomes app.log.1, and so on, from the backup of that number.
    fn shift(&mut self, first: u32) {
        for back in (first..200).rev() {
            let from = if back == 0 { "app.log".to_string() } else { format!("app.log.{back}") };
            if self.logs.path(&from).exists() {
                let to = format!("app.log.{}", back + 1);
                self.logs.rename(&from, &to);
                for content in &mut self.contents {
                    if content.path == self.logs.path(&from) {
                        content.path = self.logs.path(&to);
                    }
                }
            }
        }
    }

    fn truncate(&mut self) {
        self.complete("\n");
        if self.current().path.exists() {
            self.forget_unread();
            self.cut();
        }
    }

    fn cut(&mut self) {
        let path = self.current().path.clone();
        let file = fs::OpenOptions::new().write(true).open(&path).expect("open");
        file.set_len(0).expect("truncated");
        self.unsettled = 2;
        let is_followed = self.current().is_followed;
        self.contents.push(Content { path, is_followed, is_terminated: true, ..Content::default() });
    }

    /// Whether a line of the current content was delivered.
    fn knows_content(&mut self) -> bool {
        let delivered: HashSet<String> = self.delivered.iter().cloned().collect();
        self.current().serials.iter().any(|serial| delivered.contains(&long(*serial)))
    }

    fn forget_unread(&mut self) {
        let delivered: HashSet<String> = self.delivered.iter().cloned().collect();
        let unread: Vec<u32> = self.current().serials.clone();
        self.unknowable.extend(unread.into_iter().filter(|serial| !delivered.contains(&long(*serial))));
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
        let content = self.contents.last_mut().expect("begun at once");
        content.is_followed |= fs::metadata(&content.path).is_ok_and(|file| file.len() > 0);
    }

    fn pause(&mut self) {
        self.look(3);
        if let Some(reader) = &mut self.reader {
            reader.now = reader.now.plus(ROTATE_WAIT);
            let last = self.contents.len() - 1;
            self.contents[..last].iter_mut().for_each(|content| content.is_over = true);
        }
        self.look(3);
    }

    fn stop(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.positions = reader.positions();
            // What is deleted lived by the handle of the process.
            let delivered: HashSet<String> = self.delivered.iter().cloned().collect();
            let deleted = self.contents.iter().filter(|content| content.is_deleted);
            let lost = deleted.flat_map(|content| content.serials.iter().copied());
            self.unknowable.extend(lost.filter(|serial| !delivered.contains(&long(*serial))));
        }
    }

    fn start(&mut self) {
        if self.reader.is_none() {
            let config = config(&[self.logs.path(self.glob)]);
            self.reader = Some(Reader::restored(&config, self.positions.clone()));
            self.look(1);
        }
    }

    fn check(mut self) -> Result<(), TestCaseError> {
        self.start();
        self.complete("\n");
        self.pause();
        self.pause();
        let mut times: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, line) in self.delivered.iter().enumerate() {
            times.entry(line).or_default().push(at);
        }
        for content in &self.contents {
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
    ];
    proptest::collection::vec(step, 1..40)
}

fn check_against_model(glob: &'static str, mode: Mode, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut model = Model::new(glob, mode);
    steps.iter().for_each(|step| model.take(step));
    model.check()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scenario_87_rename_against_the_model(steps in steps()) {
        check_against_model("app.log", Mode::Rename, &steps)?;
    }

    #[test]
    fn scenario_87_rename_within_the_glob_against_the_model(steps in steps()) {
        check_against_model("app.log*", Mode::Rename, &steps)?;
    }

    #[test]
    fn scenario_87_copytruncate_against_the_model(steps in steps()) {
        check_against_model("app.log", Mode::CopyTruncate, &steps)?;
    }

    #[test]
    fn scenario_87_copytruncate_within_the_glob_against_the_model(steps in steps()) {
        check_against_model("app.log*", Mode::CopyTruncate, &steps)?;
    }

    #[test]
    fn scenario_87_delete_and_create_against_the_model(steps in steps()) {
        check_against_model("app.log", Mode::Recreate, &steps)?;
    }

    #[test]
    fn scenario_87_symlink_against_the_model(steps in steps()) {
        check_against_model("app.log", Mode::Symlink, &steps)?;
    }
}
