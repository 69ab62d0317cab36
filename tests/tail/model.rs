//! What a writer and the tools that rotate its log do to files, with every line known by its number.
//!
//! It also says which lines nobody can have: written, and gone before a reader could come. What a reader
//! does with all that is in `sequences`.

use super::harness::*;

/// How the log of one case is rotated. Tools do not mix these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// app.log, app.log.1, app.log.2, ...; the next write creates the file.
    Chain,
    /// As `Chain`, and what would be app.log.4 is deleted.
    ShortChain,
    /// Backups are named by time.
    Time,
    /// As `Time`, and the new file is written elsewhere and renamed to its place.
    FromTemporary,
    /// app.log is a link to a file that is rotated by time.
    BehindLink,
    /// Copied to app.log.1 and so on, and emptied.
    CopyTruncate,
    /// Copied to app.log.1 over the copy of the last time, and emptied.
    CopyOver,
    Recreate,
    /// app.log is a link, and is pointed at a new file.
    Symlink,
    /// A copy with more lines takes the file's place.
    Replace,
}

/// The content of one file, from when it was begun until it was truncated or left.
#[derive(Default)]
pub(super) struct Content {
    pub(super) serials: Vec<u32>,
    /// A line that was begun.
    pub(super) half: Option<u32>,
    pub(super) path: PathBuf,
    /// A look found it with content.
    pub(super) is_followed: bool,
    /// Nobody reads it any more, or may not.
    pub(super) is_over: bool,
    pub(super) is_terminated: bool,
    pub(super) is_deleted: bool,
    /// It was emptied, and a copy of it is there.
    pub(super) has_copy: bool,
    /// It was emptied, and no copy of it is there.
    pub(super) is_cut: bool,
}

/// The files, and what each of them holds.
pub(super) struct Files {
    pub(super) logs: Logs,
    pub(super) mode: Mode,
    /// Lines are wrapped as a container runtime does it, and half a line is a piece.
    pub(super) is_wrapped: bool,
    pub(super) contents: Vec<Content>,
    pub(super) serial: u32,
    /// Names that were given so far.
    names: u32,
}

/// Bytes of a line in its first half.
const HALF: usize = 20;

// === impl Mode ===

impl Mode {
    fn renames(self) -> bool {
        matches!(self, Self::Chain | Self::ShortChain | Self::Time | Self::FromTemporary | Self::BehindLink)
    }

    pub(super) fn copies(self) -> bool {
        matches!(self, Self::CopyTruncate | Self::CopyOver)
    }
}

// === impl Files ===

impl Files {
    pub(super) fn new(mode: Mode, is_wrapped: bool) -> Self {
        let mut files =
            Self { logs: Logs::new(), mode, is_wrapped, contents: Vec::new(), serial: 0, names: 0 };
        if mode == Mode::BehindLink {
            files.logs.symlink("0.data", "app.log");
        }
        files.begin();
        files
    }

    pub(super) fn current(&mut self) -> &mut Content {
        self.contents.last_mut().expect("begun at once")
    }

    pub(super) fn write(&mut self, count: u32) {
        self.complete("\n");
        let range = self.serial..self.serial + count;
        self.serial = range.end;
        let text = self.lines(range.clone());
        let content = self.current();
        content.serials.extend(range);
        append(&content.path, &text);
    }

    pub(super) fn write_half(&mut self) {
        if self.current().half.is_some() {
            return;
        }
        let serial = self.serial;
        self.serial += 1;
        let text =
            if self.is_wrapped { piece("P", &long(serial)[..HALF]) } else { long(serial)[..HALF].into() };
        let content = self.current();
        content.half = Some(serial);
        content.serials.push(serial);
        append(&content.path, &text);
    }

    /// The writer completes a line it began; without a line end where the file is left for good.
    pub(super) fn complete(&mut self, line_end: &str) {
        let is_wrapped = self.is_wrapped;
        let content = self.current();
        if let Some(serial) = content.half.take() {
            let rest = &long(serial)[HALF..];
            let text = if is_wrapped { piece("F", rest) } else { format!("{rest}{line_end}") };
            append(&content.path, &text);
            content.is_terminated = is_wrapped || !line_end.is_empty();
        }
    }

    /// The writer still has the file before the current one. Gives the lines that nobody waits for any more.
    pub(super) fn write_old(&mut self, count: u32) -> Vec<u32> {
        let path = self.current().path.clone();
        let range = self.serial..self.serial + count;
        let text = self.lines(range.clone());
        let is_late = self.mode.renames() || self.mode == Mode::Symlink;
        let Some(content) = self.contents.iter_mut().rfind(|content| content.path != path) else {
            return Vec::new();
        };
        if !is_late || !content.is_terminated || content.serials.is_empty() || content.is_deleted {
            return Vec::new();
        }
        content.serials.extend(range.clone());
        append(&content.path, &text);
        let is_over = content.is_over;
        self.serial = range.end;
        if is_over { range.collect() } else { Vec::new() }
    }

    /// Rotates by the mode. What is deleted or emptied is marked.
    pub(super) fn rotate(&mut self) {
        match self.mode {
            Mode::Chain | Mode::ShortChain | Mode::Time | Mode::FromTemporary | Mode::BehindLink => {
                self.rotate_by_name();
            }
            Mode::CopyTruncate | Mode::CopyOver => {
                self.complete("\n");
                if self.logs.path("app.log").exists() {
                    if self.mode == Mode::CopyTruncate {
                        self.shift(1);
                    } else {
                        self.contents.iter_mut().for_each(|content| content.has_copy = false);
                    }
                    self.logs.copy("app.log", "app.log.1");
                    self.current().has_copy = true;
                    self.cut();
                }
            }
            Mode::Recreate => {
                self.complete("");
                let content = self.current();
                if content.path.exists() {
                    fs::remove_file(&content.path).expect("deleted");
                }
                content.is_deleted = true;
                self.begin();
            }
            Mode::Symlink => {
                self.complete("");
                self.begin();
            }
            Mode::Replace => {
                self.complete("\n");
                let range = self.serial..self.serial + 2;
                self.serial = range.end;
                self.logs.copy("app.log", "fresh");
                self.logs.write("fresh", &numbered(range.clone()));
                self.logs.rename("fresh", "app.log");
                self.current().serials.extend(range);
            }
        }
    }

    /// Empties the file in place. Gives whether there was one.
    pub(super) fn truncate(&mut self) -> bool {
        // Container runtimes do no such thing, and where there was too little nothing says that a file in its
        // place is a copy.
        if self.is_wrapped || self.mode == Mode::Replace {
            return false;
        }
        self.complete("\n");
        if !self.current().path.exists() {
            return false;
        }
        self.cut();
        true
    }

    fn rotate_by_name(&mut self) {
        // A container runtime goes on with its line in the next file.
        let half = if self.is_wrapped { self.current().half.take() } else { None };
        self.complete("");
        match self.mode {
            Mode::Chain | Mode::ShortChain => self.shift(0),
            _ => {
                let from = self.current().path.clone();
                self.names += 1;
                let name = from.file_name().and_then(|name| name.to_str()).expect("UTF-8");
                let to = self.logs.path(&format!("{name}-20240131-{:06}", self.names));
                if from.exists() {
                    fs::rename(&from, &to).expect("renamed");
                    self.current().path = to;
                }
            }
        }
        if let Some(serial) = half {
            let content = self.current();
            content.serials.retain(|one| *one != serial);
            content.is_terminated = false;
        }
        self.begin();
        if self.mode == Mode::FromTemporary {
            let range = self.serial..self.serial + 2;
            self.serial = range.end;
            let text = self.lines(range.clone());
            self.logs.write("fresh", &text);
            self.logs.rename("fresh", "app.log");
            self.current().serials.extend(range);
        }
        if let Some(serial) = half {
            let content = self.current();
            content.half = Some(serial);
            content.serials.push(serial);
            append(&content.path, &piece("P", ""));
        }
    }

    /// app.log becomes app.log.1, and so on, from the backup of that number.
    fn shift(&mut self, first: u32) {
        for back in (first..200).rev() {
            let from = if back == 0 { "app.log".to_string() } else { format!("app.log.{back}") };
            if !self.logs.path(&from).exists() {
                continue;
            }
            let path = self.logs.path(&from);
            let is_last = self.mode == Mode::ShortChain && back == 3;
            let to = self.logs.path(&format!("app.log.{}", back + 1));
            if is_last { fs::remove_file(&path) } else { fs::rename(&path, &to) }.expect("renamed");
            for content in self.contents.iter_mut().filter(|content| content.path == path) {
                content.is_deleted |= is_last;
                if !is_last {
                    content.path.clone_from(&to);
                }
            }
        }
    }

    fn begin(&mut self) {
        let path = match self.mode {
            Mode::Symlink => {
                self.names += 1;
                let target = format!("target-{}", self.names);
                self.logs.write(&target, "");
                self.logs.symlink(&target, "app.log");
                target
            }
            Mode::BehindLink => "0.data".to_string(),
            _ => "app.log".to_string(),
        };
        let path = self.logs.path(&path);
        self.contents.push(Content { path, is_terminated: true, ..Content::default() });
    }

    fn cut(&mut self) {
        let path = self.current().path.clone();
        let file = fs::OpenOptions::new().write(true).open(&path).expect("open");
        file.set_len(0).expect("truncated");
        let content = self.current();
        content.is_cut = !content.has_copy;
        let is_followed = content.is_followed;
        self.contents.push(Content { path, is_followed, is_terminated: true, ..Content::default() });
    }

    fn lines(&self, range: std::ops::Range<u32>) -> String {
        if !self.is_wrapped {
            return numbered(range);
        }
        range.map(|serial| piece("F", &long(serial))).collect()
    }
}

fn piece(tag: &str, text: &str) -> String {
    format!("2024-01-31T10:00:00.123456789Z stdout {tag} {text}\n")
}
