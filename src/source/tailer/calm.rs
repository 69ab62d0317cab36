//! When a look may wait: what 1,000 quiet files cost is the looks at them.

use super::super::file::File;
use super::Tailer;
use crate::time::{Span, Timestamp};

/// How long a file is quiet before it may be looked at less often.
const CALM_WAIT: Span = Span::from_seconds(5);

impl Tailer {
    /// Whether nothing has happened for a while, so that the next look may wait: every file was read to its end
    /// and is in its place, and no name is a symbolic link, whose target must be seen while it is current.
    pub fn is_calm(&self, now: Timestamp) -> bool {
        let is_at_rest = |file: &File| {
            let is_quiet = now.since(file.quiet_since()) >= CALM_WAIT;
            is_quiet && file.is_at_end() && !file.is_rotated() && !file.is_failing()
        };
        self.looked_at.is_some()
            && self.files().all(is_at_rest)
            && self.unclaimed.is_empty()
            && self.copies.is_empty()
            && self.origins.values().all(|origin| origin.target.is_none())
    }
}
