//! What is lost and what counts twice: every way to rotate, with the reader running, stopped and killed.
//!
//! Real files and the real tailer; the numbers go to docs/rotation.md as they are measured.

use super::harness::*;

/// What happens to the reader around a rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Running,
    /// Stopped before the rotation and started after it.
    Stopped,
    /// Killed after the rotation: it goes on from a checkpoint before it.
    Killed,
}

/// A log with its writer, its reader, and a count of both.
pub(super) struct Bench {
    pub(super) logs: Logs,
    config: source::Config,
    reader: Option<Reader>,
    saved: (Vec<Position>, usize),
    delivered: Vec<String>,
    /// Lines written so far, and their numbers.
    pub(super) serial: u32,
    /// Where the writer appends.
    path: PathBuf,
    names: u32,
}

/// A row of the table.
pub(super) struct Row {
    pub(super) name: &'static str,
    globs: &'static [&'static str],
    prepare: fn(&mut Bench),
    rotate: fn(&mut Bench),
    /// Phases in which lines go with the files that are deleted.
    pub(super) loses: &'static [Phase],
}

/// What was measured.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Score {
    pub(super) written: u64,
    pub(super) lost: u64,
    pub(super) twice: u64,
}

const BOTH: &[&str] = &["app.log", "app.log*"];
const PLAIN: &[&str] = &["app.log"];
const ROTATED: &[&str] = &["app.log*"];
const NOTHING: fn(&mut Bench) = |_| {};

const fn row(name: &'static str, globs: &'static [&'static str], rotate: fn(&mut Bench)) -> Row {
    Row { name, globs, prepare: NOTHING, rotate, loses: &[] }
}

pub(super) const ROWS: &[Row] = &[
    row("renamed, and made anew at once", BOTH, |bench| {
        bench.shift(0);
        bench.write(1);
    }),
    row("renamed, and made anew after a look found nothing", BOTH, |bench| {
        bench.shift(0);
        bench.look();
        bench.write(1);
    }),
    row("renamed, and the writer keeps the old file for a while", BOTH, |bench| {
        let mut old = fs::OpenOptions::new().append(true).open(&bench.path).expect("open");
        bench.shift(0);
        for _ in 0..3 {
            let text = bench.next(3);
            old.write_all(text.as_bytes()).expect("written");
            bench.write(3);
            bench.look();
        }
    }),
    row("renamed five times between two looks", BOTH, |bench| {
        for _ in 0..5 {
            bench.shift(0);
            bench.write(4);
        }
    }),
    row("a chain that keeps three backups", BOTH, |bench| {
        bench.shift(0);
        if bench.logs.path("app.log.4").exists() {
            bench.logs.delete("app.log.4");
        }
        bench.write(1);
    }),
    row("backups named by time", BOTH, |bench| {
        bench.rename_by_time();
        bench.write(1);
    }),
    row("the new file is written elsewhere and renamed to its place", BOTH, |bench| {
        bench.shift(0);
        let text = bench.next(5);
        bench.logs.write("fresh", &text);
        bench.logs.rename("fresh", "app.log");
    }),
    Row {
        prepare: |bench| {
            bench.logs.symlink("0.data", "app.log");
            bench.path = bench.logs.path("0.data");
        },
        ..row("renamed behind a symbolic link, as a kubelet does", PLAIN, |bench| {
            bench.rename_by_time();
            bench.write(1);
        })
    },
    Row {
        prepare: |bench| bench.point_elsewhere(),
        ..row("a symbolic link pointed elsewhere", PLAIN, |bench| {
            bench.point_elsewhere();
            bench.write(1);
        })
    },
    row("copied and emptied, the copy outside the glob", PLAIN, Bench::copy_and_empty),
    row("copied and emptied, the copy inside the glob", ROTATED, Bench::copy_and_empty),
    row("copied over the last copy and emptied", BOTH, |bench| {
        bench.logs.copy("app.log", "app.log.1");
        bench.logs.truncate("app.log", 0);
    }),
    row("copied, emptied, and refilled beyond where it was read", BOTH, |bench| {
        bench.copy_and_empty();
        bench.write(500);
    }),
    Row {
        loses: &[Phase::Stopped, Phase::Killed],
        ..row("deleted, and made anew", BOTH, |bench| {
            bench.logs.delete("app.log");
            bench.write(1);
        })
    },
    row("a longer copy takes its place, as an editor or a sync leaves it", BOTH, |bench| {
        bench.logs.copy("app.log", "fresh");
        let text = bench.next(5);
        bench.logs.write("fresh", &text);
        bench.logs.rename("fresh", "app.log");
    }),
    row("renamed, read, and then compressed", BOTH, |bench| {
        bench.shift(0);
        bench.write(1);
        bench.restart_or_look();
        for back in 1..9 {
            let name = format!("app.log.{back}");
            if bench.logs.path(&name).exists() {
                bench.logs.write(&format!("{name}-{}.gz", bench.serial), "not a line\n");
                bench.logs.delete(&name);
            }
        }
    }),
];

// === impl Row ===

impl Row {
    pub(super) fn measure(&self, phase: Phase) -> Score {
        let mut score = Score::default();
        for glob in self.globs {
            let mut bench = Bench::new(glob);
            (self.prepare)(&mut bench);
            for _ in 0..3 {
                bench.write(10);
                bench.look();
                bench.save();
                bench.write(10);
                match phase {
                    Phase::Running => {}
                    Phase::Stopped => bench.stop(),
                    Phase::Killed => bench.look(),
                }
                bench.write(10);
                (self.rotate)(&mut bench);
                bench.write(10);
                match phase {
                    Phase::Running => {}
                    Phase::Stopped => bench.start(),
                    Phase::Killed => bench.kill(),
                }
                bench.look();
                bench.look();
            }
            score.add(bench.finish());
        }
        score
    }
}

// === impl Score ===

impl Score {
    fn add(&mut self, other: Self) {
        self.written += other.written;
        self.lost += other.lost;
        self.twice += other.twice;
    }
}

// === impl Bench ===

impl Bench {
    pub(super) fn new(glob: &str) -> Self {
        let logs = Logs::new();
        let config = config(&[logs.path(glob)]);
        Self {
            reader: Some(Reader::new(&config)),
            path: logs.path("app.log"),
            saved: (Vec::new(), 0),
            delivered: Vec::new(),
            serial: 0,
            names: 0,
            config,
            logs,
        }
    }

    /// So many more lines, for the caller to put somewhere.
    pub(super) fn next(&mut self, count: u32) -> String {
        self.serial += count;
        numbered(self.serial - count..self.serial)
    }

    pub(super) fn write(&mut self, count: u32) {
        let text = self.next(count);
        append(&self.path, &text);
    }

    /// A look of the reader, if it runs, and whatever it then reads.
    pub(super) fn look(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.step();
            self.delivered.extend(reader.take());
        }
    }

    /// Looks until what was rotated is let go.
    pub(super) fn pause(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.pause();
            self.delivered.extend(reader.take());
        }
    }

    pub(super) fn save(&mut self) {
        if let Some(reader) = &self.reader {
            self.saved = (reader.positions(), self.delivered.len());
        }
    }

    pub(super) fn stop(&mut self) {
        self.save();
        self.reader = None;
    }

    pub(super) fn start(&mut self) {
        self.reader = Some(Reader::restored(&self.config, self.saved.0.clone()));
        self.look();
    }

    /// What was counted since the checkpoint is forgotten with the process.
    pub(super) fn kill(&mut self) {
        self.delivered.truncate(self.saved.1);
        self.start();
    }

    /// Has a reader read what is there, whether one runs or not.
    fn restart_or_look(&mut self) {
        match &self.reader {
            Some(_) => {
                self.look();
                self.save();
            }
            None => {
                self.start();
                self.stop();
            }
        }
    }

    pub(super) fn finish(mut self) -> Score {
        self.pause();
        self.pause();
        let distinct: HashSet<&String> = self.delivered.iter().collect();
        assert!(distinct.iter().all(|line| line.starts_with("line ")), "never written: {distinct:?}");
        let (written, read) = (u64::from(self.serial), distinct.len() as u64);
        Score { written, lost: written - read, twice: self.delivered.len() as u64 - read }
    }

    /// app.log becomes app.log.1, and so on, from the backup of that number.
    pub(super) fn shift(&mut self, first: u32) {
        for back in (first..99).rev() {
            let from = if back == 0 { "app.log".to_string() } else { format!("app.log.{back}") };
            if self.logs.path(&from).exists() {
                self.logs.rename(&from, &format!("app.log.{}", back + 1));
            }
        }
    }

    fn rename_by_time(&mut self) {
        self.names += 1;
        let name = self.path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        let to = self.logs.path(&format!("{name}.20240131-{:06}", self.names));
        fs::rename(&self.path, to).expect("renamed");
    }

    pub(super) fn point_elsewhere(&mut self) {
        self.names += 1;
        let target = format!("{}.data", self.names);
        self.logs.write(&target, "");
        self.logs.symlink(&target, "app.log");
        self.path = self.logs.path(&target);
    }

    pub(super) fn copy_and_empty(&mut self) {
        self.shift(1);
        self.logs.copy("app.log", "app.log.1");
        self.logs.truncate("app.log", 0);
    }
}

#[test]
fn nothing_is_lost_or_counted_twice_but_what_is_deleted_unread() {
    for row in ROWS {
        for phase in [Phase::Running, Phase::Stopped, Phase::Killed] {
            let score = row.measure(phase);
            assert_eq!(score.twice, 0, "{}, {phase:?}: {score:?}", row.name);
            assert_eq!(score.lost > 0, row.loses.contains(&phase), "{}, {phase:?}: {score:?}", row.name);
        }
    }
}
