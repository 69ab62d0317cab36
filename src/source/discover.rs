//! Globs become the files that match them now.
//!
//! It lists and asks for the state of files, and opens none. Directories are listed only when they may
//! have changed, so a quiet log costs one question per file and directory. Which file is new is for the
//! tailer to say.

use super::glob::{exclusion, glob, is_excluded, split};
use super::identity::{Stat, modified_nanos};
use super::{Error, Reason, sibling};
use crate::limits::{
    BOX_BYTES, DIRECTORY_LIST_INTERVAL, DIRECTORY_SETTLE, FILES_MAX, LISTED_BYTES_MAX, PROBLEMS_MAX,
    WALK_DEPTH_MAX,
};
use crate::time::Timestamp;
use globset::GlobMatcher;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, FileTypeExt};
use std::path::{Path, PathBuf};

/// The globs of one log, and the directories that were listed for them.
pub(super) struct Discovery {
    patterns: Vec<Pattern>,
    exclude: Vec<GlobMatcher>,
    directories: HashMap<PathBuf, Directory>,
}

/// A file that matches.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
    /// Whether the path is a symbolic link.
    pub(super) linked: bool,
}

/// What one look at the globs gave; reused.
#[derive(Default)]
pub(super) struct Findings {
    /// In the order of their paths' bytes, each path once.
    pub(super) files: Vec<Found>,
    pub(super) problems: Vec<(PathBuf, Reason)>,
}

/// A directory as it was last listed.
pub(super) struct Directory {
    modified: i64,
    listed_at: Timestamp,
    used: bool,
    /// Whether the last look listed it anew.
    pub(super) is_fresh: bool,
    /// It holds more than is listed.
    is_cut: bool,
    /// In the order of their names.
    pub(super) entries: Vec<Entry>,
}

pub(super) struct Entry {
    pub(super) name: OsString,
    pub(super) inode: u64,
    kind: Kind,
}

/// What an entry of a listing takes beside its name.
pub(super) const ENTRY_BYTES: usize = size_of::<Entry>() + BOX_BYTES;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Link,
    Other,
}

struct Pattern {
    base: PathBuf,
    parts: Vec<Part>,
    /// The whole pattern, for what lies below a `**`.
    whole: GlobMatcher,
}

enum Part {
    Name(OsString),
    Match(GlobMatcher),
    /// `**`: any directories; the whole pattern decides.
    Deep,
}

/// Where a walk stands.
struct Walk<'a> {
    exclude: &'a [GlobMatcher],
    directories: &'a mut HashMap<PathBuf, Directory>,
    findings: &'a mut Findings,
    now: Timestamp,
}

/// All files that the globs match now, in the order of their paths.
///
/// # Errors
/// A glob is malformed.
pub fn matching(paths: &[String], exclude: &[String]) -> Result<Vec<PathBuf>, globset::Error> {
    let mut findings = Findings::default();
    Discovery::new(paths, exclude)?.look(Timestamp::default(), &mut findings);
    Ok(findings.files.into_iter().map(|found| found.path).collect())
}

// === impl Discovery ===

impl Discovery {
    /// # Errors
    /// A glob is malformed.
    pub(super) fn new(paths: &[String], exclude: &[String]) -> Result<Self, globset::Error> {
        Ok(Self {
            patterns: paths.iter().map(|path| Pattern::new(path)).collect::<Result<_, _>>()?,
            exclude: exclude.iter().map(|text| exclusion(text)).collect::<Result<_, _>>()?,
            directories: HashMap::new(),
        })
    }

    /// Replaces `findings` by what matches now.
    pub(super) fn look(&mut self, now: Timestamp, findings: &mut Findings) {
        findings.files.clear();
        findings.problems.clear();
        self.directories.retain(|_, directory| directory.used);
        for directory in self.directories.values_mut() {
            (directory.used, directory.is_fresh) = (false, false);
        }
        let mut walk = Walk { exclude: &self.exclude, directories: &mut self.directories, findings, now };
        for pattern in &self.patterns {
            walk.follow(pattern, &pattern.base, &pattern.parts);
        }
        // By bytes: to compare paths by their components costs ten times as much.
        findings.files.sort_by(|one, other| one.path.as_os_str().cmp(other.path.as_os_str()));
        findings.files.dedup_by(|one, other| one.path.as_os_str() == other.path.as_os_str());
        if findings.files.len() > FILES_MAX {
            // By directory: whoever makes files without end must not make problems without end.
            let mut full = None;
            for Found { path, .. } in findings.files.drain(FILES_MAX..) {
                let directory = path.parent().map(Path::to_path_buf);
                if directory != full {
                    findings.problems.extend(directory.clone().map(|path| (path, Reason::TooManyFiles)));
                    full = directory;
                }
            }
        }
        findings.problems.truncate(PROBLEMS_MAX);
    }

    /// The listing of a directory, made in this look if it was not.
    pub(super) fn directory(&mut self, path: &Path, now: Timestamp) -> Option<&Directory> {
        list(&mut self.directories, path, now).ok()
    }

    pub(super) fn is_excluded(&self, path: &Path) -> bool {
        is_excluded(&self.exclude, path)
    }

    /// Paths that the configuration spells out, whether they exist or not.
    pub(super) fn named(&self) -> impl Iterator<Item = PathBuf> {
        self.patterns.iter().filter_map(|pattern| match &pattern.parts[..] {
            [Part::Name(name)] => Some(pattern.base.join(name)),
            _ => None,
        })
    }

    /// Directories that were listed in this look.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Path> {
        let used = self.directories.iter().filter(|(_, directory)| directory.used);
        used.map(|(path, _)| path.as_path())
    }
}

// === impl Directory ===

impl Directory {
    fn bytes(&self) -> usize {
        self.entries.iter().map(Entry::bytes).sum()
    }

    /// Entries whose name begins with `stem`.
    pub(super) fn with_stem(&self, stem: &OsStr) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.name.as_os_str() < stem);
        self.entries[from..]
            .iter()
            .take_while(move |entry| entry.name.as_bytes().starts_with(stem.as_bytes()))
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.name.len()
    }
}

// === impl Pattern ===

impl Pattern {
    fn new(text: &str) -> Result<Self, globset::Error> {
        let absolute = std::path::absolute(text).unwrap_or_else(|_| PathBuf::from(text));
        let absolute = absolute.to_string_lossy().into_owned();
        let whole = glob(&absolute)?;
        let mut base = PathBuf::from("/");
        let mut parts = Vec::new();
        for name in split(&absolute) {
            if name.contains("**") || name.contains('/') {
                parts.push(Part::Deep);
                break;
            } else if name.contains(['*', '?', '[', '{', '\\']) {
                parts.push(Part::Match(glob(name)?));
            } else if parts.is_empty() {
                base.push(name);
            } else {
                parts.push(Part::Name(name.into()));
            }
        }
        if parts.is_empty()
            && let Some(name) = base.file_name().map(OsStr::to_os_string)
        {
            base.pop();
            parts.push(Part::Name(name));
        }
        Ok(Self { base, parts, whole })
    }
}

// === impl Walk ===

impl Walk<'_> {
    /// Goes down from `directory` by the rest of the pattern.
    fn follow(&mut self, pattern: &Pattern, directory: &Path, parts: &[Part]) {
        let Some((part, rest)) = parts.split_first() else {
            return;
        };
        match part {
            Part::Deep => self.descend(pattern, directory, WALK_DEPTH_MAX),
            Part::Name(name) if rest.is_empty() => self.offer(directory.join(name), None),
            Part::Name(name) => self.follow(pattern, &directory.join(name), rest),
            Part::Match(matcher) => {
                for (path, kind) in self.entries(directory, |name| matcher.is_match(name)) {
                    if rest.is_empty() {
                        self.offer(path, Some(kind));
                    } else if matches!(kind, Kind::Directory | Kind::Link)
                        && !is_excluded(self.exclude, &path)
                    {
                        self.follow(pattern, &path, rest);
                    }
                }
            }
        }
    }

    /// Everything below; symbolic links to directories are not followed, as they may lead back.
    fn descend(&mut self, pattern: &Pattern, directory: &Path, depth: usize) {
        for (path, kind) in self.entries(directory, |_| true) {
            if kind == Kind::Directory && depth > 0 && !is_excluded(self.exclude, &path) {
                self.descend(pattern, &path, depth - 1);
            } else if kind != Kind::Directory && pattern.whole.is_match(&path) {
                self.offer(path, Some(kind));
            }
        }
    }

    fn entries(&mut self, path: &Path, is_wanted: impl Fn(&OsStr) -> bool) -> Vec<(PathBuf, Kind)> {
        match list(self.directories, path, self.now) {
            Ok(directory) => {
                if directory.is_cut {
                    self.findings.problems.push((path.to_path_buf(), Reason::TooManyFiles));
                }
                let wanted = directory.entries.iter().filter(|entry| is_wanted(&entry.name));
                wanted.map(|entry| (path.join(&entry.name), entry.kind)).collect()
            }
            Err(error) => {
                if !matches!(error.reason, Reason::Vanished | Reason::NotAFile) {
                    self.findings.problems.push((path.to_path_buf(), error.reason));
                }
                Vec::new()
            }
        }
    }

    /// Takes a path that matches; its kind is not known where the configuration spells it out.
    fn offer(&mut self, path: PathBuf, kind: Option<Kind>) {
        let is_compressed = path.file_name().is_some_and(sibling::is_compressed);
        if is_compressed || is_excluded(self.exclude, &path) {
            return;
        }
        let linked = kind.map_or_else(|| path.is_symlink(), |kind| kind == Kind::Link);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                self.findings.files.push(Found { path, stat: Stat::of(&metadata), linked });
            }
            // That a glob for logs matches a directory says nothing; a pipe or a name spelt out does.
            Ok(metadata) if !metadata.is_dir() || kind.is_none() => {
                self.findings.problems.push((path, Reason::NotAFile));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if linked {
                    self.findings.problems.push((path, Reason::DanglingLink));
                }
            }
            Err(error) => self.findings.problems.push((path, Reason::of(&error))),
        }
    }
}

/// The directory's entries, listed anew unless it has surely not changed.
fn list<'a>(
    directories: &'a mut HashMap<PathBuf, Directory>,
    path: &Path,
    now: Timestamp,
) -> Result<&'a Directory, Error> {
    let fail = |error| Error::from_io(path, error);
    let known = directories.get(path);
    if known.is_some_and(|directory| directory.used) {
        return Ok(&directories[path]);
    }
    let metadata = fs::metadata(path).map_err(fail)?;
    if !metadata.is_dir() {
        return Err(Error::new(path, Reason::NotAFile));
    }
    let modified = modified_nanos(&metadata);
    let settled = Timestamp::from_nanos(modified).plus(DIRECTORY_SETTLE);
    let is_current = known.is_some_and(|directory| {
        directory.modified == modified
            && directory.listed_at >= settled
            && now >= directory.listed_at
            && now.since(directory.listed_at) < DIRECTORY_LIST_INTERVAL
    });
    if !is_current {
        let held = directories.iter().filter(|(known, directory)| directory.used && **known != *path);
        let mut room = LISTED_BYTES_MAX.saturating_sub(held.map(|(_, directory)| directory.bytes()).sum());
        let (mut entries, mut is_cut) = (Vec::new(), false);
        for entry in fs::read_dir(path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = entry.file_type().map_or(Kind::Other, Kind::of);
            let entry = Entry { inode: entry.ino(), kind, name: entry.file_name() };
            is_cut = entry.bytes() > room;
            if is_cut {
                break;
            }
            room -= entry.bytes();
            entries.push(entry);
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let directory = Directory { modified, listed_at: now, used: true, is_fresh: true, is_cut, entries };
        directories.insert(path.to_path_buf(), directory);
    } else if let Some(directory) = directories.get_mut(path) {
        directory.used = true;
    }
    Ok(&directories[path])
}

// === impl Kind ===

impl Kind {
    fn of(kind: fs::FileType) -> Self {
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Directory
        } else if kind.is_symlink() {
            Self::Link
        } else {
            debug_assert!(
                kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device()
            );
            Self::Other
        }
    }
}
