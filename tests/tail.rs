//! Tailing, stepped by hand: files on a real file system, time as an argument, no waiting.
//!
//! First the scenarios by number (what tailers meet in production), then random sequences of file
//! operations against a model that knows every line.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why; clippy knows only test functions")]

use inference_exporter::limits::{LINE_BYTES_MAX, OPEN_FILES_MAX};
use inference_exporter::line::{self, Buffer, Container, Reject};
use inference_exporter::source::identity::Position;
use inference_exporter::source::tailer::{Cursor, Tailer};
use inference_exporter::source::tally::{Rotation, State, Tally};
use inference_exporter::source::{self, Progress, Reason, Source, StartAt};
use inference_exporter::time::{Span, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const ROTATE_WAIT: Span = Span::from_seconds(5);
const LINE: line::Config =
    line::Config { container: Container::None, line_bytes_max: LINE_BYTES_MAX, quoted: None };

/// Does what the pipeline does, and keeps every line.
struct Reader {
    tailer: Tailer,
    buffers: HashMap<source::file::FileId, Buffer>,
    lines: Vec<String>,
    rejects: Vec<Reject>,
    line: line::Config,
    now: Timestamp,
    read_bytes: u64,
}

impl Reader {
    fn new(config: &source::Config) -> Self {
        Self {
            tailer: Tailer::new(config).expect("globs"),
            buffers: HashMap::new(),
            lines: Vec::new(),
            rejects: Vec::new(),
            line: LINE,
            now: Timestamp::from_seconds(1000),
            read_bytes: 0,
        }
    }

    fn restored(config: &source::Config, positions: Vec<Position>) -> Self {
        let mut reader = Self::new(config);
        reader.tailer.restore(positions, Tally::default());
        reader
    }

    /// The process ends and starts again, with its counts.
    fn restart(&mut self, config: &source::Config) {
        let mut next = Self::new(config);
        let tally = serde_json::to_vec(self.tailer.tally()).expect("serialised");
        next.tailer.restore(self.positions(), serde_json::from_slice(&tally).expect("read back"));
        (next.now, next.line, next.read_bytes) = (self.now, self.line, self.read_bytes);
        next.lines = self.take();
        *self = next;
    }

    /// Looks, and reads until nothing comes.
    fn step(&mut self) -> &mut Self {
        self.now = self.now.plus(Span::from_millis(250));
        self.tailer.look(self.now);
        while self.take_turns() {}
        self
    }

    fn steps(&mut self, count: usize) -> &mut Self {
        (0..count).for_each(|_| {
            self.step();
        });
        self
    }

    /// Lets more than `rotate_wait` pass, with looks before and after.
    fn pause(&mut self) -> &mut Self {
        self.steps(3);
        self.now = self.now.plus(ROTATE_WAIT);
        self.steps(3)
    }

    /// One turn for every file.
    fn take_turns(&mut self) -> bool {
        let mut cursor = Cursor::default();
        let mut is_busy = false;
        while let Some(file) = self.tailer.next_file(&mut cursor, self.now) {
            let id = file.id();
            if !self.buffers.contains_key(&id) {
                let mut buffer = Buffer::new(&self.line);
                let position = file.position();
                buffer.restart(position.offset, position.delivered);
                if let Some(before) = file.predecessor().and_then(|before| self.buffers.get_mut(&before)) {
                    buffer.inherit(before);
                }
                self.buffers.insert(id, buffer);
            }
            let buffer = self.buffers.get_mut(&id).expect("just made");
            let mut is_ended = false;
            match file.read(buffer.space(), self.now) {
                Ok(Progress::Bytes(count)) => {
                    buffer.filled(count, self.now);
                    self.read_bytes += count as u64;
                    is_busy = true;
                }
                Ok(Progress::Truncated) => {
                    let position = file.position();
                    buffer.restart(position.offset, position.delivered);
                    is_busy = true;
                }
                Ok(Progress::Ended) => {
                    buffer.finish();
                    is_ended = true;
                }
                Ok(Progress::Idle) => buffer.rest(),
                Err(_) => {}
            }
            while let Some(line) = buffer.next_line() {
                match line {
                    Ok(line) => self.lines.push(String::from_utf8_lossy(line.bytes).into_owned()),
                    Err(reject) => self.rejects.push(reject),
                }
            }
            let committed = buffer.committed();
            file.commit(committed.offset, committed.delivered, committed.tail);
            if is_ended {
                self.buffers.remove(&id);
            }
        }
        is_busy
    }

    /// The lines since the last time.
    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    fn positions(&self) -> Vec<Position> {
        let positions: Vec<_> = self.tailer.positions().collect();
        // As a checkpoint would: they outlive the process as bytes.
        let bytes = serde_json::to_vec(&positions).expect("serialised");
        serde_json::from_slice(&bytes).expect("read back")
    }

    fn rotations(&self, kind: Rotation) -> u64 {
        self.tailer.tally().rotation_count(kind)
    }
}

fn config(paths: &[PathBuf]) -> source::Config {
    source::Config {
        paths: paths.iter().map(|path| path.to_str().expect("UTF-8").to_string()).collect(),
        exclude: Vec::new(),
        start_at: StartAt::Beginning,
        rotate_wait: ROTATE_WAIT,
    }
}

/// A directory with a log in it.
struct Logs {
    directory: TempDir,
}

impl Logs {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn reader(&self, glob: &str) -> Reader {
        Reader::new(&config(&[self.path(glob)]))
    }

    fn write(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    fn delete(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("deleted");
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).expect("copied");
    }

    fn truncate(&self, name: &str, size: u64) {
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).expect("open");
        file.set_len(size).expect("truncated");
    }

    /// How many of its files this process holds open.
    fn open_files(&self) -> usize {
        let handles = fs::read_dir("/proc/self/fd").expect("a list of handles");
        let targets = handles.filter_map(|handle| fs::read_link(handle.ok()?.path()).ok());
        targets.filter(|target| target.starts_with(self.directory.path())).count()
    }

    /// Sets the modification time an hour back: files that a test writes at once share a tick.
    fn age(&self, name: &str) {
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).expect("open");
        let hour = std::time::Duration::from_secs(3600);
        let modified = file.metadata().and_then(|file| file.modified()).expect("a time");
        file.set_modified(modified - hour).expect("set");
    }

    fn symlink(&self, target: &str, link: &str) {
        let fresh = self.path("link.new");
        symlink(self.path(target), &fresh).expect("linked");
        fs::rename(fresh, self.path(link)).expect("renamed");
    }
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).expect("open");
    file.write_all(text.as_bytes()).expect("written");
}

/// Lines that are told apart by more than their number, as those of real logs.
fn numbered(range: std::ops::Range<u32>) -> String {
    range.map(|serial| format!("{}\n", long(serial))).collect()
}

fn long(serial: u32) -> String {
    format!("line {serial} of a log that is long enough to be told from others")
}

fn longs(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(long).collect()
}

// === Discovery and start ===

#[test]
fn scenario_01_path_created_after_start() {
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    assert!(!reader.tailer.looked_once());
    reader.step();
    assert!(reader.tailer.looked_once());
    logs.write("app.log", "a\n");
    assert_eq!(reader.step().take(), ["a"]);
}

#[test]
fn scenario_03_start_at_beginning_reads_what_is_there_once() {
    let logs = Logs::new();
    logs.write("app.log", "a\nb\n");
    let mut reader = logs.reader("app.log");
    assert_eq!(reader.steps(3).take(), ["a", "b"]);
}

#[test]
fn scenario_04_05_start_at_end_skips_only_what_was_there_at_first() {
    let logs = Logs::new();
    logs.write("app.log", "old\n");
    let config = source::Config { start_at: StartAt::End, ..config(&[logs.path("*.log")]) };
    let mut reader = Reader::new(&config);
    reader.step();
    logs.write("app.log", "new\n");
    logs.write("later.log", "first\n");
    assert_eq!(reader.step().take(), ["new", "first"]);
}

#[test]
fn scenario_06_08_globs_and_exclusions() {
    let logs = Logs::new();
    fs::create_dir_all(logs.path("old/deep")).expect("directories");
    fs::create_dir_all(logs.path("kept/deep")).expect("directories");
    for name in ["a.log", "a.txt", "b.log.bak", "c.log", "old/x.log", "old/deep/y.log", "kept/deep/z.log"] {
        logs.write(name, &format!("{name}\n"));
    }
    let mut reader = logs.reader("*.log");
    assert_eq!(reader.step().take(), ["a.log", "c.log"]);
    for exclude in ["c.log", "*/c.log"] {
        for sub in ["old".to_string(), logs.path("old").to_str().expect("UTF-8").to_string()] {
            let paths = config(&[logs.path("**/*.log"), logs.path("*.bak")]);
            let exclude = vec![exclude.to_string(), sub, "*.bak".to_string()];
            let mut reader = Reader::new(&source::Config { exclude, ..paths });
            let mut lines = reader.step().take();
            lines.sort();
            assert_eq!(lines, ["a.log", "kept/deep/z.log"]);
        }
    }
}

#[test]
fn scenario_07_a_file_under_several_names_is_read_once() {
    let logs = Logs::new();
    logs.write("a.log", "once\n");
    fs::hard_link(logs.path("a.log"), logs.path("hard.log")).expect("linked");
    logs.symlink("a.log", "soft.log");
    let paths = [logs.path("*.log"), logs.path("a.log"), logs.path("{a,b}.log"), logs.path("**/*.log")];
    let mut reader = Reader::new(&config(&paths));
    assert_eq!(reader.steps(2).take(), ["once"]);
    logs.write("hard.log", "more\n");
    assert_eq!(reader.steps(2).take(), ["more"]);
}

#[test]
fn scenario_09_what_is_no_file_is_counted_and_harms_nothing() {
    let logs = Logs::new();
    fs::create_dir(logs.path("directory.log")).expect("a directory");
    let _socket = std::os::unix::net::UnixListener::bind(logs.path("socket.log")).expect("a socket");
    let made = std::process::Command::new("mkfifo").arg(logs.path("pipe.log")).status().expect("mkfifo runs");
    assert!(made.success());
    logs.write("real.log", "a\n");
    let mut reader = logs.reader("*.log");
    assert_eq!(reader.steps(3).take(), ["a"]);
    // The pipe and the socket, each once; that a directory matches a glob says nothing.
    assert_eq!(reader.tailer.tally().error_count(Reason::NotAFile), 2);
    let mut reader = logs.reader("directory.log");
    reader.step();
    assert_eq!(reader.tailer.tally().error_count(Reason::NotAFile), 1);
}

#[test]
fn scenario_10_a_file_in_a_directory_made_after_start() {
    let logs = Logs::new();
    let mut deep = logs.reader("**/*.log");
    let mut wide = logs.reader("*/x/*.log");
    deep.step();
    wide.step();
    fs::create_dir_all(logs.path("pod/x")).expect("directories");
    logs.write("pod/x/0.log", "a\n");
    assert_eq!(deep.step().take(), ["a"]);
    assert_eq!(wide.step().take(), ["a"]);
}

#[test]
fn scenario_11_paths_are_normalised() {
    let logs = Logs::new();
    fs::create_dir(logs.path("x")).expect("a directory");
    logs.write("app.log", "a\n");
    let text = format!("{}//x/..///./app.log", logs.directory.path().display());
    let mut reader = Reader::new(&config(&[PathBuf::from(text), logs.path("app.log")]));
    assert_eq!(reader.steps(2).take(), ["a"]);
    let relative = Reader::new(&config(&[PathBuf::from("Cargo.tom?")])).step().take();
    assert!(relative.iter().any(|line| line == "[package]"));
}

#[test]
fn scenario_12_permission_fixed_later() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    logs.write("other.log", "b\n");
    // The superuser may read everything but an attribute that can only be written.
    fs::set_permissions(logs.path("app.log"), fs::Permissions::from_mode(0o000)).expect("set");
    let is_superuser = fs::File::open(logs.path("app.log")).is_ok();
    if is_superuser {
        logs.delete("app.log");
        symlink("/sys/bus/platform/drivers_probe", logs.path("app.log")).expect("linked");
        if !logs.path("app.log").exists() {
            eprintln!("skipped: this system has no file that the superuser may not read");
            return;
        }
    }
    let mut reader = logs.reader("*.log");
    assert_eq!(reader.steps(3).take(), ["b"]);
    assert_eq!(reader.tailer.tally().error_count(Reason::PermissionDenied), 1);
    assert_eq!(reader.tailer.tally().file_count(State::Failing), 1);
    if is_superuser {
        logs.delete("app.log");
        logs.write("app.log", "a\n");
    }
    fs::set_permissions(logs.path("app.log"), fs::Permissions::from_mode(0o600)).expect("set");
    assert_eq!(reader.steps(2).take(), ["a"]);
    assert_eq!(reader.tailer.tally().file_count(State::Failing), 0);
}

#[test]
fn scenario_13_52_dangling_link_resolved_later_and_again() {
    let logs = Logs::new();
    symlink(logs.path("target"), logs.path("app.log")).expect("linked");
    let mut reader = logs.reader("*.log");
    reader.steps(3);
    assert_eq!(reader.tailer.tally().error_count(Reason::DanglingLink), 1);
    logs.write("target", "a\n");
    assert_eq!(reader.step().take(), ["a"]);
    logs.delete("app.log");
    reader.step();
    logs.write("target", "b\n");
    logs.symlink("target", "app.log");
    assert_eq!(reader.steps(2).take(), ["b"]);
    logs.write("target", "c\n");
    assert_eq!(reader.pause().take(), ["c"]);
    logs.write("target", "d\n");
    assert_eq!(reader.pause().take(), ["d"]);
}

#[test]
fn scenario_14_an_empty_file_waits_for_its_first_byte() {
    let logs = Logs::new();
    logs.write("app.log", "");
    let mut reader = logs.reader("app.log");
    reader.steps(2);
    assert_eq!(reader.tailer.files().count(), 0);
    logs.write("app.log", "a\n");
    assert_eq!(reader.step().take(), ["a"]);
}

#[test]
fn scenario_16_more_files_than_may_be_open() {
    let logs = Logs::new();
    let count = 2 * OPEN_FILES_MAX + 50;
    let expected = |round: u32| (0..count).map(move |at| format!("{at} {round}")).collect::<HashSet<_>>();
    let mut reader = logs.reader("*.log");
    for round in 0..3 {
        for at in 0..count {
            logs.write(&format!("{at}.log"), &format!("{at} {round}\n"));
        }
        for _ in 0..10 {
            reader.step();
            let open = logs.open_files();
            assert!(open <= OPEN_FILES_MAX, "{open} files are open");
        }
        let lines = reader.take();
        assert_eq!(lines.len(), count);
        assert_eq!(lines.into_iter().collect::<HashSet<_>>(), expected(round));
    }
    // Renamed while closed: found by identity.
    for at in 0..count {
        logs.rename(&format!("{at}.log"), &format!("{at}.log.1"));
        logs.write(&format!("{at}.log.1"), &format!("{at} 3\n"));
    }
    reader.steps(10);
    assert_eq!(reader.take().into_iter().collect::<HashSet<_>>(), expected(3));
    assert_eq!(reader.tailer.tally().abandoned_bytes, 0);
}

#[test]
fn scenario_17_targets_removed_leave_nothing_behind() {
    let logs = Logs::new();
    for at in 0..100 {
        logs.write(&format!("{at}.log"), "a\n");
    }
    let mut reader = logs.reader("*.log");
    reader.step();
    for at in 0..100 {
        logs.delete(&format!("{at}.log"));
    }
    reader.pause();
    assert_eq!(reader.tailer.files().count(), 0);
    assert_eq!(reader.tailer.positions().count(), 0);
    assert!(reader.buffers.is_empty());
    assert_eq!(reader.rotations(Rotation::Delete), 100);
}

#[test]
fn scenario_18_unusual_names() {
    let logs = Logs::new();
    for name in ["a,b.log", "a b.log", "æ—ø.log"] {
        logs.write(name, &format!("{name}\n"));
        assert_eq!(logs.reader(name).step().take(), [name]);
    }
    assert_eq!(logs.reader("*.log").step().take().len(), 3);
}

// === Lines ===

#[test]
fn scenario_20_to_22_an_unterminated_line_waits_for_its_end_or_the_files() {
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    logs.write("app.log", "a");
    reader.pause();
    assert!(reader.take().is_empty());
    logs.write("app.log", "b\nrest");
    assert_eq!(reader.pause().take(), ["ab"]);
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "new\n");
    assert_eq!(reader.steps(2).take(), ["new"]);
    assert_eq!(reader.pause().take(), ["rest"]);
    assert!(reader.pause().take().is_empty());
}

#[test]
fn scenario_35_a_binary_file_does_not_hold_others_up() {
    let logs = Logs::new();
    let noise: Vec<u8> =
        (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
    fs::write(logs.path("a.log"), noise).expect("written");
    logs.write("b.log", "b\n");
    let mut reader = logs.reader("*.log");
    reader.tailer.look(reader.now);
    reader.take_turns();
    assert_eq!(reader.take(), ["b"]);
}

// === Rotation ===

#[test]
fn scenario_36_rename_and_create() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.write("app.log", "b\n");
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "c\n");
    assert_eq!(reader.steps(2).take(), ["a", "b", "c"]);
    assert_eq!(reader.rotations(Rotation::Rename), 1);
}

#[test]
fn scenario_37_a_look_in_the_gap() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.rename("app.log", "app.log.1");
    reader.step();
    logs.write("app.log.1", "b\n");
    reader.step();
    logs.write("app.log", "c\n");
    assert_eq!(reader.steps(2).take(), ["a", "b", "c"]);
    assert_eq!(reader.rotations(Rotation::Rename), 1);
}

#[test]
fn scenario_38_both_files_grow() {
    let logs = Logs::new();
    logs.write("app.log", "a0\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    let mut old = fs::OpenOptions::new().append(true).open(logs.path("app.log")).expect("open");
    logs.rename("app.log", "app.log.1");
    for at in 0..10 {
        writeln!(old, "old {at}").expect("written");
        logs.write("app.log", &format!("new {at}\n"));
        reader.step();
    }
    assert_eq!(reader.take().len(), 21);
}

#[test]
fn scenario_39_a_renamed_file_that_still_matches_is_not_read_again() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log*");
    reader.step();
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "b\n");
    assert_eq!(reader.pause().take(), ["a", "b"]);
    // Finished and closed; it grows all the same.
    logs.write("app.log.1", "late\n");
    assert_eq!(reader.pause().take(), ["late"]);
}

#[test]
fn scenario_40_renamed_out_of_the_directory() {
    let logs = Logs::new();
    fs::create_dir(logs.path("archive")).expect("a directory");
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.write("app.log", "b\n");
    logs.rename("app.log", "archive/app.log");
    assert_eq!(reader.pause().take(), ["a", "b"]);
    assert_eq!(reader.rotations(Rotation::Rename), 1);
    assert_eq!(reader.tailer.positions().count(), 0);
}

#[test]
fn scenario_41_the_remainder_comes_before_the_new_files_lines() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..10));
    let mut reader = logs.reader("app.log");
    reader.step();
    // More than one batch, so that turns alternate.
    logs.write("app.log", &numbered(10..30_000));
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", &numbered(30_000..30_010));
    assert_eq!(reader.steps(2).take(), longs(0..30_010));
}

#[test]
fn scenario_42_43_several_rotations_between_two_looks() {
    let logs = Logs::new();
    let mut reader = logs.reader("*.log");
    for name in ["app", "web"] {
        logs.write(&format!("{name}.log"), &format!("{name} 0\n"));
    }
    reader.step();
    for name in ["app", "web"] {
        for round in 1..=5 {
            for back in (0..round).rev() {
                let from = if back == 0 { format!("{name}.log") } else { format!("{name}.log.{back}") };
                logs.rename(&from, &format!("{name}.log.{}", back + 1));
            }
            logs.write(&format!("{name}.log"), &format!("{name} {round}\n"));
        }
    }
    let lines = reader.steps(2).take();
    for name in ["app", "web"] {
        let of_name: Vec<_> = lines.iter().filter(|line| line.starts_with(name)).cloned().collect();
        assert_eq!(of_name, (0..=5).map(|round| format!("{name} {round}")).collect::<Vec<_>>());
    }
}

#[test]
fn scenario_44_what_comes_after_rotate_wait_is_counted() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.rename("app.log", "app.log.1");
    assert_eq!(reader.pause().take(), ["a"]);
    assert_eq!(reader.tailer.tally().file_count(State::Finished), 1);
    logs.write("app.log.1", "late\n");
    assert!(reader.steps(3).take().is_empty());
    assert_eq!(reader.tailer.tally().abandoned_bytes, 5);
}

#[test]
fn scenario_45_the_new_file_begins_like_the_old() {
    let logs = Logs::new();
    let header = format!("id,{}\n", "column,".repeat(200));
    logs.write("app.csv", &format!("{header}1,a\n"));
    let mut reader = logs.reader("app.csv");
    assert_eq!(reader.step().take().len(), 2);
    logs.rename("app.csv", "app.csv.1");
    logs.write("app.csv", &format!("{header}2,b\n"));
    assert_eq!(reader.step().take(), [header.trim_end(), "2,b"]);
    logs.delete("app.csv");
    logs.write("app.csv", &format!("{header}3,c\n4,d\n"));
    assert_eq!(reader.step().take(), [header.trim_end(), "3,c", "4,d"]);
    // Twice between two looks.
    logs.rename("app.csv", "app.csv.2");
    logs.write("app.csv", &format!("{header}5,e\n"));
    logs.rename("app.csv", "app.csv.3");
    logs.write("app.csv", &format!("{header}6,f\n"));
    assert_eq!(reader.step().take(), [header.trim_end(), "5,e", header.trim_end(), "6,f"]);
}

#[test]
fn scenario_46_47_48_50_delete_and_create() {
    let logs = Logs::new();
    let mut reader = logs.reader("app.log");
    for round in 0..20 {
        logs.write("app.log", &format!("{round} a\n"));
        reader.step();
        logs.write("app.log", &format!("{round} b\n{round} tail"));
        logs.delete("app.log");
    }
    reader.pause();
    let mut lines = reader.take();
    lines.sort_by_key(|line| line.split(' ').next().and_then(|round| round.parse::<u32>().ok()));
    let expected: Vec<_> =
        (0..20).flat_map(|round| ["a", "b", "tail"].map(|word| format!("{round} {word}"))).collect();
    assert_eq!(lines, expected);
    assert_eq!(reader.rotations(Rotation::Delete), 20);
    assert_eq!(logs.open_files(), 0, "the disk space is released");
}

#[test]
fn scenario_46_delete_and_create_with_the_same_lines() {
    let logs = Logs::new();
    logs.write("app.log", &"ok\n".repeat(1000));
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.delete("app.log");
    logs.write("app.log", &"ok\n".repeat(1500));
    assert_eq!(reader.steps(2).take().len(), 2500);
}

#[test]
fn scenario_51_53_symlink_pointed_elsewhere() {
    let logs = Logs::new();
    logs.write("0.data", "first\n");
    logs.symlink("0.data", "app.log");
    let mut reader = logs.reader("app.log");
    reader.step();
    for at in 1..=30 {
        logs.write(&format!("{}.data", at - 1), &format!("late {at}\n"));
        logs.write(&format!("{at}.data"), &format!("new {at}\n"));
        logs.symlink(&format!("{at}.data"), "app.log");
        reader.step();
    }
    let lines = reader.pause().take();
    assert_eq!(lines.len(), 61);
    assert_eq!(lines.iter().collect::<HashSet<_>>().len(), 61);
    assert_eq!(reader.rotations(Rotation::Symlink), 30);
}

#[test]
fn scenario_54_atomic_replace() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..20));
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.write("new", &numbered(0..25));
    logs.rename("new", "app.log");
    assert_eq!(reader.steps(2).take(), longs(0..25));
    assert_eq!(reader.rotations(Rotation::Replace), 1);
    logs.write("new", &numbered(100..130));
    logs.rename("new", "app.log");
    assert_eq!(reader.pause().take(), longs(100..130));
}

#[test]
fn scenario_55_renamed_over_another_watched_file() {
    let logs = Logs::new();
    logs.write("1.log", "one\n");
    logs.write("2.log", "two\n");
    let mut reader = logs.reader("?.log");
    reader.step();
    logs.write("2.log", "end of two\n");
    logs.rename("1.log", "2.log");
    logs.write("2.log", "more of one\n");
    let mut lines = reader.pause().take();
    lines.sort();
    assert_eq!(lines, ["end of two", "more of one", "one", "two"]);
}

#[test]
fn scenario_56_size_based_chain() {
    let logs = Logs::new();
    for glob in ["app.log", "app.log*"] {
        let mut reader = logs.reader(glob);
        let mut expected = Vec::new();
        for round in 0..8_u32 {
            for back in (0..3).rev() {
                let from = if back == 0 { "app.log".to_string() } else { format!("app.log.{back}") };
                if logs.path(&from).exists() {
                    logs.rename(&from, &format!("app.log.{}", back + 1));
                }
            }
            logs.write("app.log", &numbered(10 * round..10 * round + 10));
            expected.extend(longs(10 * round..10 * round + 10));
            reader.step();
        }
        assert_eq!(reader.pause().take(), expected, "{glob}");
        for name in ["app.log", "app.log.1", "app.log.2", "app.log.3"] {
            logs.delete(name);
        }
    }
}

#[test]
fn scenario_58_compressed_backups_are_not_read() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log*");
    reader.step();
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "b\n");
    reader.pause();
    logs.write("app.log.1.gz", "not text\n");
    logs.delete("app.log.1");
    assert_eq!(reader.pause().take(), ["a", "b"]);
    assert_eq!(reader.tailer.positions().count(), 1);
}

#[test]
fn scenario_59_kubelet_layout() {
    let logs = Logs::new();
    fs::create_dir_all(logs.path("pods/p/c")).expect("directories");
    logs.write("pods/p/c/0.log", "a\n");
    logs.symlink("pods/p/c/0.log", "c.log");
    for glob in ["c.log", "pods/*/*/*.log"] {
        let mut reader = logs.reader(glob);
        reader.step();
        logs.write("pods/p/c/0.log", "b\n");
        logs.rename("pods/p/c/0.log", "pods/p/c/0.log.20240131-100000");
        logs.write("pods/p/c/0.log", "c\n");
        // A second rotation before the next look.
        logs.rename("pods/p/c/0.log", "pods/p/c/0.log.20240131-100001");
        logs.write("pods/p/c/0.log", "d\n");
        assert_eq!(reader.pause().take(), ["a", "b", "c", "d"], "{glob}");
        assert_eq!(reader.rotations(Rotation::Rename), 2);
        logs.write("pods/p/c/1.log", "restarted\n");
        logs.symlink("pods/p/c/1.log", "c.log");
        assert_eq!(reader.pause().take(), ["restarted"]);
        for entry in fs::read_dir(logs.path("pods/p/c")).expect("listed") {
            fs::remove_file(entry.expect("an entry").path()).expect("deleted");
        }
        logs.write("pods/p/c/0.log", "a\n");
    }
}

#[test]
fn scenario_90_a_split_line_goes_on_in_the_next_file() {
    let logs = Logs::new();
    let piece = |tag: &str, text: &str| format!("2024-01-31T10:00:00Z stdout {tag} {text}\n");
    let mut reader = logs.reader("0.log");
    reader.line.container = Container::Cri;
    logs.write("0.log", &[piece("F", "whole"), piece("P", "be")].concat());
    reader.step();
    logs.rename("0.log", "0.log.20240131-100000");
    logs.write("0.log", &[piece("P", "tw"), piece("F", "een")].concat());
    assert_eq!(reader.pause().take(), ["whole", "between"]);
    assert!(reader.rejects.is_empty());
}

// === Truncation ===

#[test]
fn scenario_61_62_63_66_truncated_and_written_again() {
    let logs = Logs::new();
    logs.write("app.log", "first\nsecond\nhalf");
    let mut reader = logs.reader("app.log");
    assert_eq!(reader.step().take(), ["first", "second"]);
    logs.truncate("app.log", 0);
    logs.write("app.log", "first\n");
    assert_eq!(reader.steps(2).take(), ["first"]);
    logs.truncate("app.log", 0);
    logs.write("app.log", &numbered(0..50));
    assert_eq!(reader.steps(2).take(), longs(0..50));
    // The same first line, and longer than before.
    logs.truncate("app.log", 0);
    logs.write("app.log", &numbered(0..1));
    logs.write("app.log", &numbered(100..200));
    let lines = reader.steps(2).take();
    assert_eq!((lines.len(), &lines[0], &lines[100]), (101, &long(0), &long(199)));
    assert_eq!(reader.rotations(Rotation::Truncate), 3);
}

#[test]
fn scenario_62_written_again_to_the_very_same_size() {
    let logs = Logs::new();
    logs.write("app.log", "aaaa\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    // The time of modification must differ: file systems stamp in ticks of some milliseconds.
    let before = fs::metadata(logs.path("app.log")).and_then(|file| file.modified()).expect("a time");
    loop {
        logs.truncate("app.log", 0);
        logs.write("app.log", "bbbb\n");
        let after = fs::metadata(logs.path("app.log")).and_then(|file| file.modified()).expect("a time");
        if after != before {
            break;
        }
    }
    assert_eq!(reader.steps(2).take(), ["aaaa", "bbbb"]);
}

#[test]
fn scenario_64_copytruncate_whether_the_copy_matches_or_not() {
    for glob in ["app.log", "app.log*"] {
        let logs = Logs::new();
        logs.write("app.log", &numbered(0..10));
        let mut reader = logs.reader(glob);
        reader.step();
        logs.write("app.log", &numbered(10..20));
        logs.copy("app.log", "app.log.1");
        logs.truncate("app.log", 0);
        logs.write("app.log", &numbered(20..25));
        assert_eq!(reader.pause().take(), longs(0..25), "{glob}");
        // Once more, with a look between copy and truncation, and a line in it.
        logs.rename("app.log.1", "app.log.2");
        logs.copy("app.log", "app.log.1");
        reader.step();
        logs.write("app.log", &numbered(25..30));
        reader.step();
        logs.truncate("app.log", 0);
        logs.write("app.log", &numbered(30..31));
        assert_eq!(reader.pause().take(), longs(25..31), "{glob}");
        assert_eq!(reader.rotations(Rotation::Truncate), 2);
        assert_eq!(reader.tailer.tally().abandoned_bytes, 0);
    }
}

#[test]
fn scenario_65_a_shortened_file_gives_nothing_twice() {
    let logs = Logs::new();
    let text = numbered(0..50);
    logs.write("app.log", &text);
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.truncate("app.log", text.find("line 40").expect("found") as u64);
    reader.step();
    logs.write("app.log", &numbered(100..103));
    reader.step();
    assert_eq!(reader.take(), [longs(0..50), longs(100..103)].concat());
    // Within a line that is not complete: its beginning is not forgotten.
    logs.write("app.log", "unterminated");
    reader.step();
    logs.truncate("app.log", fs::metadata(logs.path("app.log")).expect("a size").len() - 10);
    reader.step();
    logs.write("app.log", "!\n");
    assert_eq!(reader.step().take(), ["un!"]);
}

#[test]
fn what_was_cut_off_unread_is_counted() {
    let logs = Logs::new();
    logs.write("app.log", "a\nhalf");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.truncate("app.log", 0);
    reader.steps(2);
    assert_eq!(reader.tailer.tally().abandoned_bytes, 4);
}

// === Restart ===

#[test]
fn scenario_67_70_78_stopped_appended_started() {
    let logs = Logs::new();
    logs.write("app.log", "a\nhal");
    let mut reader = logs.reader("app.log");
    assert_eq!(reader.step().take(), ["a"]);
    let positions = reader.positions();
    logs.write("app.log", "f\nb\n");
    let config = source::Config { start_at: StartAt::End, ..config(&[logs.path("*.log")]) };
    logs.write("new.log", "new\n");
    let mut reader = Reader::restored(&config, positions);
    let mut lines = reader.steps(2).take();
    lines.sort();
    assert_eq!(lines, ["b", "half", "new"]);
}

#[test]
fn scenario_68_renamed_while_down_once_or_more() {
    for rotations in 1..4_u32 {
        let logs = Logs::new();
        logs.write("app.log.9", "an old backup\n");
        logs.age("app.log.9");
        logs.write("app.log", &numbered(0..10));
        let mut reader = logs.reader("app.log");
        reader.step();
        let positions = reader.positions();
        logs.write("app.log", &numbered(10..20));
        for round in 0..rotations {
            for back in (0..=round).rev() {
                let from = if back == 0 { "app.log".to_string() } else { format!("app.log.{back}") };
                logs.rename(&from, &format!("app.log.{}", back + 1));
            }
            logs.write("app.log", &numbered(20 + 10 * round..30 + 10 * round));
        }
        let mut reader = Reader::restored(&config(&[logs.path("app.log")]), positions);
        assert_eq!(reader.pause().take(), longs(10..20 + 10 * rotations));
        let mut reader = Reader::restored(&config(&[logs.path("app.log")]), reader.positions());
        assert!(reader.pause().take().is_empty());
    }
}

#[test]
fn scenario_69_truncated_while_down() {
    for (count, with_copy) in [(2, true), (50, true), (2, false), (50, false)] {
        let logs = Logs::new();
        logs.write("app.log", &numbered(0..10));
        let mut reader = logs.reader("app.log");
        reader.step();
        let positions = reader.positions();
        logs.write("app.log", &numbered(10..20));
        if with_copy {
            logs.copy("app.log", "app.log.1");
        }
        logs.truncate("app.log", 0);
        logs.write("app.log", &numbered(20..20 + count));
        let mut reader = Reader::restored(&config(&[logs.path("app.log")]), positions);
        let first = if with_copy { 10 } else { 20 };
        assert_eq!(reader.pause().take(), longs(first..20 + count));
    }
}

#[test]
fn scenario_75_a_stale_position_applies_to_no_other_file() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..10));
    let mut reader = logs.reader("app.log");
    reader.step();
    let positions = reader.positions();
    logs.delete("app.log");
    logs.write("app.log", &numbered(100..120));
    let mut reader = Reader::restored(&config(&[logs.path("app.log")]), positions);
    assert_eq!(reader.steps(2).take(), longs(100..120));
    assert!(reader.positions().len() <= 2);
    reader.now = reader.now.plus(Span::from_seconds(7200));
    reader.step();
    assert_eq!(reader.positions().len(), 1);
}

#[test]
fn scenario_76_77_identical_small_files_diverge_later() {
    let logs = Logs::new();
    let mut reader = logs.reader("*.log");
    reader.step();
    for name in ["a.log", "b.log"] {
        logs.write(name, "same\n");
    }
    assert_eq!(reader.step().take(), ["same", "same"]);
    let mut reader = Reader::restored(&config(&[logs.path("*.log")]), reader.positions());
    logs.write("a.log", "a\n");
    logs.write("b.log", "b\n");
    let mut lines = reader.steps(2).take();
    lines.sort();
    assert_eq!(lines, ["a", "b"]);
}

#[test]
fn scenario_15_a_finished_file_goes_on_where_it_stopped_also_after_a_restart() {
    let logs = Logs::new();
    logs.write("app.log", &numbered(0..5));
    let mut reader = logs.reader("app.log*");
    reader.step();
    logs.rename("app.log", "app.log.1");
    assert_eq!(reader.pause().take(), longs(0..5));
    logs.write("app.log.1", &numbered(5..6));
    assert_eq!(reader.pause().take(), longs(5..6));
    let mut reader = Reader::restored(&config(&[logs.path("app.log*")]), reader.positions());
    assert!(reader.pause().take().is_empty());
    logs.write("app.log.1", &numbered(6..7));
    assert_eq!(reader.pause().take(), longs(6..7));
}

#[test]
fn rotations_are_counted_once_whoever_looks_and_counts_outlive_the_process() {
    type Change = fn(&Logs);
    let cases: [(Rotation, u64, Change); 7] = [
        (Rotation::Rename, 1, |logs| logs.rename("0.data", "0.data.1")),
        (Rotation::Rename, 1, |logs| {
            logs.rename("0.data", "0.data.1");
            logs.write("0.data", &numbered(20..25));
        }),
        (Rotation::Rename, 2, |logs| {
            logs.rename("0.data", "0.data.2");
            logs.write("0.data", &numbered(20..25));
            logs.rename("0.data", "0.data.1");
            logs.write("0.data", &numbered(30..35));
        }),
        (Rotation::Truncate, 1, |logs| {
            logs.copy("0.data", "0.data.1");
            logs.truncate("0.data", 0);
            logs.write("0.data", &numbered(20..25));
        }),
        (Rotation::Delete, 1, |logs| {
            logs.write("fresh", &numbered(20..25));
            logs.rename("fresh", "0.data");
        }),
        (Rotation::Replace, 1, |logs| {
            logs.write("fresh", &numbered(0..25));
            logs.rename("fresh", "0.data");
        }),
        (Rotation::Symlink, 1, |logs| {
            logs.write("1.data", &numbered(20..25));
            logs.symlink("1.data", "app.log");
        }),
    ];
    for (at, (kind, expected, change)) in cases.into_iter().enumerate() {
        for is_down in [false, true] {
            let logs = Logs::new();
            logs.write("0.data", &numbered(0..10));
            logs.symlink("0.data", "app.log");
            let glob = if kind == Rotation::Symlink { "app.log" } else { "0.data" };
            let config = config(&[logs.path(glob)]);
            let mut reader = Reader::new(&config);
            reader.steps(2);
            if is_down {
                change(&logs);
                reader.restart(&config);
                reader.restart(&config);
            } else {
                change(&logs);
            }
            for _ in 0..3 {
                reader.pause();
                let found = Rotation::ALL.map(|kind| (kind, reader.rotations(kind)));
                let wanted = Rotation::ALL.map(|one| (one, if one == kind { expected } else { 0 }));
                assert_eq!(found, wanted, "case {at}, down: {is_down}");
                reader.restart(&config);
            }
        }
    }
}

#[test]
fn scenario_33_a_writer_that_keeps_its_offset_over_copytruncate() {
    let logs = Logs::new();
    let mut writer = fs::File::create(logs.path("app.log")).expect("created");
    writer.write_all(numbered(0..10).as_bytes()).expect("written");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.copy("app.log", "app.log.1");
    logs.truncate("app.log", 0);
    writer.write_all(numbered(10..12).as_bytes()).expect("written");
    assert_eq!(reader.steps(3).take(), longs(0..12));
    assert_eq!(reader.buffers.values().map(Buffer::nul_bytes).sum::<u64>(), numbered(0..10).len() as u64);
}

#[test]
fn scenario_49_gone_before_it_was_read() {
    let logs = Logs::new();
    let mut reader = logs.reader("*.log");
    logs.write("a.log", "a\n");
    reader.tailer.look(reader.now);
    logs.delete("a.log");
    while reader.take_turns() {}
    assert_eq!(reader.pause().take(), ["a"]);
    assert_eq!(reader.tailer.files().count(), 0);
}

#[test]
fn scenario_60_every_way_to_rotate_with_every_kind_of_writer() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Way {
        Create,
        NoCreate,
        CreateByRename,
        CopyAndTruncate,
        CopyAndDelete,
        Delete,
    }
    use Way::*;
    for way in [Create, NoCreate, CreateByRename, CopyAndTruncate, CopyAndDelete, Delete] {
        for keeps_open in [false, true] {
            for glob in ["app.log", "app.log*"] {
                let logs = Logs::new();
                let mut reader = logs.reader(glob);
                let open = || {
                    let path = logs.path("app.log");
                    fs::OpenOptions::new().create(true).append(true).open(path).expect("open")
                };
                let mut writer = open();
                writer.write_all(numbered(0..5).as_bytes()).expect("written");
                reader.step();
                writer.write_all(numbered(5..8).as_bytes()).expect("written");
                match way {
                    Create | NoCreate | CreateByRename => logs.rename("app.log", "app.log.1"),
                    CopyAndTruncate | CopyAndDelete => logs.copy("app.log", "app.log.1"),
                    Delete => {}
                }
                match way {
                    Create => logs.write("app.log", ""),
                    CreateByRename => {
                        logs.write("fresh", "");
                        logs.rename("fresh", "app.log");
                    }
                    CopyAndTruncate => logs.truncate("app.log", 0),
                    CopyAndDelete | Delete => logs.delete("app.log"),
                    NoCreate => {}
                }
                if !keeps_open {
                    writer = open();
                }
                writer.write_all(numbered(8..9).as_bytes()).expect("written");
                reader.steps(2);
                writer.write_all(numbered(9..12).as_bytes()).expect("written");
                assert_eq!(reader.pause().take(), longs(0..12), "{way:?}, keeps open: {keeps_open}, {glob}");
            }
        }
    }
}

// === Load and clock ===

#[test]
#[ignore = "measures; run with --release --nocapture"]
fn scenario_81_cost_of_a_look_at_quiet_files() {
    let logs = Logs::new();
    for at in 0..1000 {
        logs.write(&format!("{at}.log"), "a\n");
    }
    let mut reader = logs.reader("*.log");
    reader.steps(20);
    let far = Timestamp::from_seconds(4_000_000_000);
    reader.now = far;
    reader.steps(2);
    let output = std::process::Command::new("getconf").arg("CLK_TCK").output().expect("getconf runs");
    let ticks: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
    let used = || {
        let text = fs::read_to_string("/proc/self/stat").expect("stat");
        let fields: Vec<f64> = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(|word| word.parse().unwrap_or(0.0))
            .collect();
        (fields[11] + fields[12]) / ticks
    };
    let before = used();
    for _ in 0..400 {
        reader.now = reader.now.plus(Span::from_nanos(1));
        reader.step();
    }
    eprintln!("one look at 1000 quiet files: {:.2} ms", (used() - before) / 400.0 * 1000.0);
}

#[test]
fn scenario_79_a_busy_file_does_not_starve_a_quiet_one() {
    let logs = Logs::new();
    logs.write("busy.log", &numbered(0..100_000));
    logs.write("quiet.log", "here\n");
    let mut reader = logs.reader("*.log");
    reader.tailer.look(reader.now);
    // A read gives at most a batch, so every file has its turn soon.
    reader.take_turns();
    assert!(reader.take().contains(&"here".to_string()));
}

#[test]
fn scenario_80_81_a_quiet_file_costs_no_read_and_is_seen_at_the_next_look() {
    let logs = Logs::new();
    for at in 0..100 {
        logs.write(&format!("{at}.log"), "a\n");
    }
    let mut reader = logs.reader("*.log");
    reader.steps(2);
    reader.now = reader.now.plus(Span::from_seconds(86_400));
    reader.tailer.look(reader.now);
    assert!(reader.tailer.next_file(&mut Cursor::default(), reader.now).is_none());
    assert!(reader.buffers.values().all(|buffer| buffer.memory_bytes() < 300));
    logs.write("7.log", "b\n");
    reader.take();
    assert_eq!(reader.step().take(), ["b"]);
}

#[test]
fn scenario_86_clock_jumps() {
    let logs = Logs::new();
    logs.write("app.log", "a\n");
    let mut reader = logs.reader("app.log");
    reader.step();
    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "b\n");
    reader.step();
    reader.now = Timestamp::from_seconds(10);
    assert_eq!(reader.steps(2).take(), ["a", "b"]);
    assert_eq!(reader.tailer.tally().file_count(State::Rotated), 1);
    reader.pause();
    assert_eq!(reader.tailer.tally().file_count(State::Rotated), 0);
    reader.now = Timestamp::from_seconds(4_000_000_000);
    logs.write("app.log", "c\n");
    assert_eq!(reader.step().take(), ["c"]);
}

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
