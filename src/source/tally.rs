//! What a log's tailer counts.
//!
//! Plain numbers by closed lists of names; no metrics backend is known here.

use super::Reason;

/// Counts since the very first start, and how many files are in which state now.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    rotations: [u64; Rotation::ALL.len()],
    errors: [u64; Reason::ALL.len()],
    files: [u64; State::ALL.len()],
    /// Bytes known to have been written and never to be read.
    pub abandoned_bytes: u64,
}

/// How a file made place for new content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rotation {
    /// It went to another name.
    Rename,
    Delete,
    /// It was emptied or shortened in place.
    Truncate,
    /// The symbolic link that led to it leads elsewhere.
    Symlink,
    /// A copy that begins with all that was read took its place, as an editor leaves it.
    Replace,
}

/// How a file is followed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    Active,
    /// Out of its place, and read until it is quiet.
    Rotated,
    /// Cannot be read now.
    Failing,
    /// Read to its end and closed; opened again should it grow.
    Finished,
}

// === impl Tally ===

impl Tally {
    pub fn rotations(&self) -> impl Iterator<Item = (Rotation, u64)> {
        Rotation::ALL.into_iter().zip(self.rotations)
    }

    pub fn errors(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.errors)
    }

    pub fn files(&self) -> impl Iterator<Item = (State, u64)> {
        State::ALL.into_iter().zip(self.files)
    }

    pub fn rotation_count(&self, kind: Rotation) -> u64 {
        self.rotations[kind as usize]
    }

    pub fn error_count(&self, reason: Reason) -> u64 {
        self.errors[reason as usize]
    }

    pub fn file_count(&self, state: State) -> u64 {
        self.files[state as usize]
    }

    pub(super) fn add_rotation(&mut self, kind: Rotation) {
        self.rotations[kind as usize] += 1;
    }

    pub(super) fn add_errors(&mut self, reason: Reason, count: u64) {
        self.errors[reason as usize] += count;
    }

    pub(super) fn set_files(&mut self, states: impl Iterator<Item = State>) {
        self.files = Default::default();
        for state in states {
            self.files[state as usize] += 1;
        }
    }
}

// === impl Rotation ===

impl Rotation {
    pub const ALL: [Self; 5] = [Self::Rename, Self::Delete, Self::Truncate, Self::Symlink, Self::Replace];

    /// The value of the label `kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
            Self::Symlink => "symlink",
            Self::Replace => "replace",
        }
    }
}

// === impl State ===

impl State {
    pub const ALL: [Self; 4] = [Self::Active, Self::Rotated, Self::Failing, Self::Finished];

    /// The value of the label `state`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Rotated => "rotated",
            Self::Failing => "failing",
            Self::Finished => "finished",
        }
    }
}
