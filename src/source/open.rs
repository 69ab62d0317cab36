//! Opens log files, and nothing else: no pipe is waited for, no device is touched.
//!
//! Where the reading begins is the caller's business.

use super::identity::{Stat, Trace};
use super::{Error, Reason};
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file that is about to be followed.
pub(super) struct Opened {
    pub(super) handle: Option<fs::File>,
    pub(super) stat: Stat,
    pub(super) trace: Trace,
    pub(super) delivered: u64,
}

/// Opens a regular file for reading.
///
/// # Errors
/// It does not exist, is no regular file or may not be read.
pub(super) fn open_regular(path: &Path) -> Result<(fs::File, Stat), Error> {
    let fail = |cause: std::io::Error| {
        if cause.kind() == std::io::ErrorKind::NotFound && path.is_symlink() {
            return Error { reason: Reason::DanglingLink, path: path.to_path_buf(), cause: Some(cause) };
        }
        Error::from_io(path, cause)
    };
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(Error::new(path, Reason::NotAFile));
    }
    let handle = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(fail)?;
    let metadata = handle.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(Error::new(path, Reason::NotAFile));
    }
    Ok((handle, Stat::of(&metadata)))
}
