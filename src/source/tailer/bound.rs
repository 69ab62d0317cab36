//! The most memory that following the files of one log can come to. Not their lines: those are the pipeline's.

use super::super::Config;
use super::super::discover::{ENTRY_BYTES, Found};
use super::super::identity::Identity;
use super::{Finished, Origin, Problem, Turn};
use crate::limits::{BOX_BYTES, FILES_MAX, LISTED_BYTES_MAX, POSITION_BYTES, PROBLEMS_MAX};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rotated files that a path without a wildcard may have beside it.
const SIBLINGS_MAX: usize = 500;
/// The longest name of a file on Linux.
const NAME_BYTES_MAX: usize = 255;
/// Hashes of a file at each power of two, as many as a file of any size has.
const MILESTONES_BYTES: usize = 64 * size_of::<(u64, u64)>();
/// A table that doubles has up to 16/7 places an element, and half as many in its old one.
const TABLE_PLACES: usize = 4;

/// Files of one log that may be followed, or be known as read.
pub fn files_max(config: &Config) -> usize {
    let has_wildcard = config.paths.iter().any(|path| path.contains(['*', '?', '[', '{']));
    if has_wildcard { FILES_MAX } else { (config.paths.len() * SIBLINGS_MAX).min(FILES_MAX) }
}

/// What the tailer holds of all of them, and of their directories.
pub fn bytes_max(config: &Config) -> usize {
    let directory = config.paths.iter().map(String::len).max().unwrap_or(0);
    let files = files_max(config);
    // Names are those of a listing, so that all of them together are no longer.
    let names = (files * NAME_BYTES_MAX).min(LISTED_BYTES_MAX);
    // The path it was found under, the path it is followed under, and that which its position names.
    let paths = 3 * (files * (directory + BOX_BYTES) + names);
    let file = 2 * size_of::<Turn>()
        + 3 * (POSITION_BYTES + BOX_BYTES)
        + MILESTONES_BYTES
        + 2 * size_of::<Found>()
        + TABLE_PLACES * (size_of::<(Identity, Finished)>().max(size_of::<(Arc<Path>, Origin)>()));
    let problems = PROBLEMS_MAX * (size_of::<(PathBuf, Problem)>() + directory + NAME_BYTES_MAX + BOX_BYTES);
    let listed =
        if files == FILES_MAX { LISTED_BYTES_MAX } else { config.paths.len() * SIBLINGS_MAX * ENTRY_BYTES };
    // What matches of a listing is joined with its directory's path, once a look.
    let joined = listed + listed / ENTRY_BYTES * (directory + size_of::<PathBuf>() + 2 * BOX_BYTES);
    files * file + paths + 2 * listed + joined + if files == FILES_MAX { problems } else { 0 }
}
