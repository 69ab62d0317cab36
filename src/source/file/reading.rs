//! Reads a followed file: what there is, whether it is still what was read before, and when it is over.
//!
//! Which names lead to it is not known here.

use super::super::identity::{Mark, Position, Stat, Trace};
use super::super::open::open_regular;
use super::super::retry::Retry;
use super::super::{Error, Progress, Reason, Source};
use super::{Commit, File, Life, Truncation};
use crate::time::Timestamp;
use std::os::unix::fs::FileExt;

impl File {
    fn try_read(&mut self, space: &mut [u8], now: Timestamp) -> Result<Progress, Error> {
        let path = &self.path;
        let handle = match &self.handle {
            Some(handle) => handle,
            None => {
                let (handle, stat) = open_regular(path)?;
                if stat.identity != self.identity {
                    return Err(Error::new(path, Reason::Vanished));
                }
                self.handle.insert(handle)
            }
        };
        let fail = |cause| Error::from_io(path, cause);
        let stat = Stat::of(&handle.metadata().map_err(fail)?);
        if stat.size == self.trace.offset && self.compared == Some(stat.modified) {
            return Ok(self.rest(now));
        }
        if !self.trace.is_in(handle, stat.size).map_err(fail)? {
            if self.trace.is_shortened_to(handle, stat.size).map_err(fail)? {
                // What was read and is no line yet is read again, as far as it is still there.
                let offset = self.commit.offset.min(stat.size);
                self.trace = Trace::at(handle, offset).map_err(fail)?;
                self.restart(&stat);
                self.events.shortened += 1;
            } else {
                let size = self.size.max(self.trace.offset);
                let truncation = Truncation { position: self.position(), size };
                self.trace = Trace::default();
                self.restart(&stat);
                self.truncation = Some(truncation);
            }
            return Ok(Progress::Truncated);
        }
        (self.size, self.modified) = (stat.size, stat.modified);
        self.compared = Some(stat.modified);
        let count = handle.read_at(space, self.trace.offset).map_err(fail)?;
        if count == 0 {
            return Ok(self.rest(now));
        }
        self.trace.advance(&space[..count]);
        self.quiet_since = now;
        Ok(Progress::Bytes(count))
    }

    /// Goes on at the trace, whatever was read before.
    fn restart(&mut self, stat: &Stat) {
        let offset = self.trace.offset;
        self.commit = Commit { offset, delivered: offset, tail: self.trace.tail_bytes().to_vec() };
        if let Some(before) = &mut self.predecessor {
            before.release();
        }
        self.size = stat.size;
        self.compared = None;
        self.caught_up = false;
        self.ready = true;
    }

    /// The end is reached, for now or for good.
    fn rest(&mut self, now: Timestamp) -> Progress {
        self.caught_up = true;
        self.ready = false;
        if self.life == Life::Rotated && self.was_quiet(now) {
            self.end();
            return Progress::Ended;
        }
        Progress::Idle
    }

    fn end(&mut self) {
        self.life = Life::Ended;
        self.handle = None;
        self.retry = None;
    }

    /// Whether it was quiet for `rotate_wait`. A clock that was set back starts the wait anew.
    fn was_quiet(&mut self, now: Timestamp) -> bool {
        self.quiet_since = self.quiet_since.min(now);
        now.since(self.quiet_since) >= self.rotate_wait
    }

    /// Whether a rotated file that was read to its end was quiet for `rotate_wait`.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.life == Life::Rotated
            && self.caught_up
            && !self.ready
            && now.since(self.quiet_since.min(now)) >= self.rotate_wait
    }

    pub(super) fn is_pausing(&self, now: Timestamp) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.is_pausing(now))
    }

    fn fail(&mut self, error: &Error, now: Timestamp) {
        if self.retry.is_none() {
            tracing::warn!(path = %self.path.display(), reason = error.reason.name(), "log file cannot be read");
        }
        self.retry = Some(Retry::after(self.retry.as_ref(), now));
        self.events.faults[error.reason as usize] += 1;
        self.compared = None;
        if self.life == Life::Active && self.reachable {
            // The handle may be stale, as on a network file system that was away.
            self.handle = None;
        }
    }
}

impl Source for File {
    fn read(&mut self, space: &mut [u8], now: Timestamp) -> Result<Progress, Error> {
        assert!(!space.is_empty(), "a read needs room");
        if self.life == Life::Ended {
            return Ok(Progress::Ended);
        }
        if self.truncation.is_some() || self.is_pausing(now) {
            return Ok(Progress::Idle);
        }
        if self.handle.is_none() && self.is_over(now) {
            self.end();
            return Ok(Progress::Ended);
        }
        match self.try_read(space, now) {
            Ok(progress) => {
                self.retry = None;
                Ok(progress)
            }
            Err(error) => {
                self.fail(&error, now);
                if self.life == Life::Rotated && self.was_quiet(now) {
                    self.events.abandoned_bytes += self.size.saturating_sub(self.trace.offset);
                    self.end();
                    return Ok(Progress::Ended);
                }
                Err(error)
            }
        }
    }

    fn position(&self) -> Position {
        Position {
            identity: self.identity,
            offset: self.commit.offset,
            delivered: self.commit.delivered,
            head: self.trace.head_mark(self.commit.offset),
            tail: Mark::of(&self.commit.tail),
            modified: self.modified,
            departed: self.life != Life::Active,
            origin: self.origin.to_string_lossy().into_owned(),
        }
    }
}
