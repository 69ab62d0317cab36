//! The clock. Everything else takes `now` as an argument.

use crate::time::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The present. A clock set before 1970 counts as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(super) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}

/// For measuring how long something takes.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(super) fn instant() -> std::time::Instant {
    std::time::Instant::now()
}
