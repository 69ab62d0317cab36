//! When what failed is tried again: after a pause that doubles with each failure.
//!
//! It knows no clock and not what failed.

use crate::limits::{RETRY_WAIT_MAX, RETRY_WAIT_MIN};
use crate::time::{Span, Timestamp};

/// The pause after a failure.
pub(super) struct Retry {
    at: Timestamp,
    wait: Span,
}

// === impl Retry ===

impl Retry {
    /// The pause after a failure at `now`, the one before having been `previous`.
    pub(super) fn after(previous: Option<&Self>, now: Timestamp) -> Self {
        let wait = previous
            .map_or(RETRY_WAIT_MIN, |retry| retry.wait.saturating_add(retry.wait).min(RETRY_WAIT_MAX));
        Self { at: now.plus(wait), wait }
    }

    /// A clock that was set back ends the pause, lest it last for as long.
    pub(super) fn is_pausing(&self, now: Timestamp) -> bool {
        now < self.at && now >= self.at.minus(self.wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let now = Timestamp::from_seconds(100);
        let mut retry = Retry::after(None, now);
        assert!(retry.is_pausing(now) && !retry.is_pausing(now.plus(RETRY_WAIT_MIN)));
        retry = Retry::after(Some(&retry), now);
        assert!(retry.is_pausing(now.plus(RETRY_WAIT_MIN)));
        for _ in 0..20 {
            retry = Retry::after(Some(&retry), now);
        }
        assert!(!retry.is_pausing(now.plus(RETRY_WAIT_MAX)));
        assert!(!retry.is_pausing(Timestamp::from_seconds(99)));
    }
}
