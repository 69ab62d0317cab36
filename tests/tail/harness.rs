//! A reader that does what the pipeline does and keeps every line, and a directory to make logs in.

pub(super) use inference_exporter::line::{self, Buffer, Container, Reject};
pub(super) use inference_exporter::source::identity::Position;
pub(super) use inference_exporter::source::tailer::{Cursor, Tailer};
pub(super) use inference_exporter::source::tally::{Rotation, State, Tally};
pub(super) use inference_exporter::source::{self, Progress, Reason, Source, StartAt};
pub(super) use inference_exporter::time::{Span, Timestamp};
pub(super) use std::collections::{BTreeMap, HashMap, HashSet};
pub(super) use std::fs;
pub(super) use std::io::Write;
pub(super) use std::os::unix::fs::{PermissionsExt, symlink};
pub(super) use std::path::{Path, PathBuf};

use inference_exporter::limits::LINE_BYTES_MAX;
use tempfile::TempDir;

pub(super) const ROTATE_WAIT: Span = Span::from_seconds(5);
pub(super) const LINE: line::Config =
    line::Config { container: Container::None, line_bytes_max: LINE_BYTES_MAX, quoted: None };

/// Does what the pipeline does, and keeps every line.
pub(super) struct Reader {
    pub(super) tailer: Tailer,
    pub(super) buffers: HashMap<source::file::FileId, Buffer>,
    pub(super) lines: Vec<String>,
    pub(super) rejects: Vec<Reject>,
    pub(super) line: line::Config,
    pub(super) now: Timestamp,
    read_bytes: u64,
}

impl Reader {
    pub(super) fn new(config: &source::Config) -> Self {
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

    pub(super) fn restored(config: &source::Config, positions: Vec<Position>) -> Self {
        let mut reader = Self::new(config);
        reader.tailer.restore(positions, Tally::default());
        reader
    }

    /// The process ends and starts again, with its counts.
    pub(super) fn restart(&mut self, config: &source::Config) {
        let mut next = Self::new(config);
        let tally = serde_json::to_vec(self.tailer.tally()).expect("serialised");
        next.tailer.restore(self.positions(), serde_json::from_slice(&tally).expect("read back"));
        (next.now, next.line, next.read_bytes) = (self.now, self.line, self.read_bytes);
        next.lines = self.take();
        *self = next;
    }

    /// Looks, and reads until nothing comes.
    pub(super) fn step(&mut self) -> &mut Self {
        self.now = self.now.plus(Span::from_millis(250));
        self.tailer.look(self.now);
        for id in self.tailer.take_dropped() {
            self.buffers.remove(&id);
        }
        while self.take_turns() {}
        self
    }

    pub(super) fn steps(&mut self, count: usize) -> &mut Self {
        (0..count).for_each(|_| {
            self.step();
        });
        self
    }

    /// Lets more than `rotate_wait` pass, with looks before and after.
    pub(super) fn pause(&mut self) -> &mut Self {
        self.steps(3);
        self.now = self.now.plus(ROTATE_WAIT);
        self.steps(3)
    }

    /// One turn for every file.
    pub(super) fn take_turns(&mut self) -> bool {
        let mut cursor = Cursor::default();
        let mut is_busy = false;
        while let Some(file) = self.tailer.next_file(&mut cursor, self.now) {
            let id = file.id();
            if !self.buffers.contains_key(&id) {
                let mut buffer = Buffer::new(&self.line);
                let position = file.position();
                buffer.restart(position.offset, position.delivered);
                if let Some(before) = file.predecessor().and_then(|before| self.buffers.get_mut(&before))
                    && buffer.inherit(before)
                {
                    file.hold_predecessor();
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
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        let positions: Vec<_> = self.tailer.positions().collect();
        // As a checkpoint would: they outlive the process as bytes.
        let bytes = serde_json::to_vec(&positions).expect("serialised");
        serde_json::from_slice(&bytes).expect("read back")
    }

    pub(super) fn rotations(&self, kind: Rotation) -> u64 {
        self.tailer.tally().rotation_count(kind)
    }
}

pub(super) fn config(paths: &[PathBuf]) -> source::Config {
    source::Config {
        paths: paths.iter().map(|path| path.to_str().expect("UTF-8").to_string()).collect(),
        exclude: Vec::new(),
        start_at: StartAt::Beginning,
        rotate_wait: ROTATE_WAIT,
    }
}

/// A directory with a log in it.
pub(super) struct Logs {
    pub(super) directory: TempDir,
}

impl Logs {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn reader(&self, glob: &str) -> Reader {
        Reader::new(&config(&[self.path(glob)]))
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    pub(super) fn delete(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("deleted");
    }

    pub(super) fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).expect("copied");
    }

    pub(super) fn truncate(&self, name: &str, size: u64) {
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).expect("open");
        file.set_len(size).expect("truncated");
    }

    /// How many of its files this process holds open.
    pub(super) fn open_files(&self) -> usize {
        let handles = fs::read_dir("/proc/self/fd").expect("a list of handles");
        let targets = handles.filter_map(|handle| fs::read_link(handle.ok()?.path()).ok());
        targets.filter(|target| target.starts_with(self.directory.path())).count()
    }

    /// Sets the modification time an hour back: files that a test writes at once share a tick.
    pub(super) fn age(&self, name: &str) {
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).expect("open");
        let hour = std::time::Duration::from_secs(3600);
        let modified = file.metadata().and_then(|file| file.modified()).expect("a time");
        file.set_modified(modified - hour).expect("set");
    }

    pub(super) fn symlink(&self, target: &str, link: &str) {
        let fresh = self.path("link.new");
        symlink(self.path(target), &fresh).expect("linked");
        fs::rename(fresh, self.path(link)).expect("renamed");
    }
}

pub(super) fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).expect("open");
    file.write_all(text.as_bytes()).expect("written");
}

/// Lines that are told apart by more than their number, as those of real logs.
pub(super) fn numbered(range: std::ops::Range<u32>) -> String {
    range.map(|serial| format!("{}\n", long(serial))).collect()
}

pub(super) fn long(serial: u32) -> String {
    format!("line {serial} of a log that is long enough to be told from others")
}

pub(super) fn longs(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(long).collect()
}
