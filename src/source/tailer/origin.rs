//! Paths that match or matched, and where they lead if they are symbolic links.
//!
//! Files share the name of the path that their lines are written under; which files is not known here.

use super::super::discover::Found;
use super::Tailer;
use crate::time::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is known of a path that matches or matched.
pub(super) struct Origin {
    /// Where it leads, if it is a symbolic link.
    pub(super) target: Option<PathBuf>,
    pub(super) seen_at: Timestamp,
}

/// Symbolic links that lead to one another: a kubelet's are two.
const LINKS_MAX: usize = 8;

impl Tailer {
    /// The shared name of a path that matches.
    pub(super) fn origin(&mut self, found: &Found, now: Timestamp) -> Arc<Path> {
        if let Some((known, _)) = self.origins.get_key_value(&*found.path) {
            let known = known.clone();
            if let Some(origin) = self.origins.get_mut(&known) {
                origin.seen_at = now;
            }
            return known;
        }
        let origin: Arc<Path> = found.path.as_path().into();
        self.note_target(&origin, found.linked, now);
        origin
    }

    /// The shared name of a path that an earlier run read, or that the configuration spells out.
    pub(super) fn origin_named(&mut self, path: &Path, now: Timestamp) -> Arc<Path> {
        if let Some((known, _)) = self.origins.get_key_value(path) {
            return known.clone();
        }
        let origin: Arc<Path> = path.into();
        self.note_target(&origin, path.is_symlink(), now);
        origin
    }

    /// Remembers where a symbolic link leads.
    pub(super) fn note_target(&mut self, origin: &Arc<Path>, linked: bool, now: Timestamp) {
        let target = linked.then(|| resolve(origin)).flatten();
        self.origins.insert(origin.clone(), Origin { target, seen_at: now });
    }

    pub(super) fn target(&self, origin: &Path) -> Option<PathBuf> {
        self.origins.get(origin).and_then(|origin| origin.target.clone())
    }
}

/// Where a symbolic link leads, also while its target does not exist, as between two files of a rotation.
fn resolve(link: &Path) -> Option<PathBuf> {
    let mut path = link.to_path_buf();
    for _ in 0..LINKS_MAX {
        let Ok(target) = std::fs::read_link(&path) else {
            break;
        };
        path = path.parent()?.join(target);
    }
    Some(std::fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?))
}
