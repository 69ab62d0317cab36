//! The hot path, whole: bytes of many logs become what is known of many models.
//!
//! One thread owns the streams; `State` is what it shares with whoever serves it. Invariant: only this
//! module changes a state, a batch at a time, under one lock.

#[cfg(test)]
pub(crate) mod example;
pub mod bound;
pub mod intake;
pub mod live;
pub mod progress;
pub mod replay;
pub mod saved;
pub mod stream;

use crate::event::mapping::{Role, ValueTally};
use crate::limits::{MODELS_MAX, OTHER};
use crate::monitor::Monitor;
use crate::time::{Span, Timestamp};
use crate::verdict::{Ignore, Reject};
use crate::{event, join, line, monitor, record, source};
use progress::{Mark, Progress};
use std::collections::HashMap;

/// Up to so many models a scan of their names beats hashing.
const SCAN_MAX: usize = 8;

/// All that turns bytes into metrics, and can be exchanged while running.
#[derive(Clone, Debug)]
pub struct Config {
    pub streams: Vec<StreamConfig>,
    /// The models that are named, in alphabetical order.
    pub models: Vec<monitor::Config>,
    /// `"*"`: what models found in logs are made of.
    pub found: Option<monitor::Config>,
}

/// One entry of `logs`.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    pub name: String,
    pub source: source::Config,
    pub line: line::Config,
    pub record: record::Config,
    pub event: event::Config,
}

/// What became of the lines of one log. What a restart finds out anew is not kept in a checkpoint.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LogTally {
    pub name: String,
    /// Lines of every kind: records + ignored + rejected.
    pub lines: u64,
    pub records: u64,
    /// Bytes of these lines, line ends and a container's wrapping included.
    pub bytes: u64,
    pub rejected: [u64; Reject::ALL.len()],
    pub ignored: [u64; Ignore::ALL.len()],
    pub values: ValueTally,
    #[serde(skip)]
    mapped: [bool; Role::ALL.len()],
    /// Event time of the newest record; `Timestamp::MIN` before the first.
    pub last_record: Timestamp,
    /// Whether files are followed, and not read once.
    #[serde(skip)]
    pub is_followed: bool,
    /// As of the last look at the files.
    pub files: source::tally::Tally,
    /// Bytes that were written and are in no line taken in, as of the last look and what was read since.
    #[serde(skip)]
    pub lag_bytes: u64,
    /// How long the log has not been read to its end, as of the last look.
    #[serde(skip)]
    pub lag: Span,
}

/// Everything that is known: what `/metrics` is written from.
pub struct State {
    monitors: Vec<Monitor>,
    by_name: HashMap<Box<str>, usize>,
    found: Option<monitor::Config>,
    /// Names beyond the limit of found models, and values that models had folded that are gone.
    models_folded: u64,
    secret: join::Secret,
    pub logs: Vec<LogTally>,
    /// How far expiry has come.
    settled_to: Timestamp,
    /// Where there are checkpoints.
    progress: Option<Progress>,
    /// Whether every `paths` has been looked at.
    pub looked_once: bool,
    /// Whether nothing that an earlier process has shown is missing: see `progress`.
    pub can_be_shown: bool,
}

impl From<line::Reject> for Reject {
    fn from(reason: line::Reject) -> Self {
        match reason {
            line::Reject::TooLong => Self::TooLong,
            line::Reject::Encoding => Self::Encoding,
            line::Reject::Container => Self::Container,
        }
    }
}

// === impl StreamConfig ===

impl StreamConfig {
    fn has_name_of(&self, other: &Self) -> bool {
        self.name == other.name
    }

    fn has_paths_of(&self, other: &Self) -> bool {
        self.source.paths == other.source.paths && self.source.exclude == other.source.exclude
    }
}

// === impl LogTally ===

impl LogTally {
    pub fn new(log: &StreamConfig) -> Self {
        Self {
            name: log.name.clone(),
            mapped: Role::ALL.map(|role| role.is_mapped(&log.event.fields)),
            lines: 0,
            records: 0,
            bytes: 0,
            rejected: [0; Reject::ALL.len()],
            ignored: [0; Ignore::ALL.len()],
            values: ValueTally::default(),
            last_record: Timestamp::MIN,
            is_followed: false,
            files: source::tally::Tally::default(),
            lag_bytes: 0,
            lag: Span::ZERO,
        }
    }

    /// Whether the log maps a field.
    pub fn maps(&self, field: Role) -> bool {
        self.mapped[field as usize]
    }

    /// Takes over the counts of the same log under another configuration.
    fn carry_over(&mut self, old: Self) {
        let mapped = self.mapped;
        *self = Self { mapped, ..old };
    }

    pub fn reject(&mut self, reason: Reject) {
        self.lines += 1;
        self.rejected[reason as usize] += 1;
    }

    pub fn ignore(&mut self, reason: Ignore) {
        self.lines += 1;
        self.ignored[reason as usize] += 1;
    }
}

// === impl State ===

impl State {
    /// The state before the first line. `secret` is what ids are hashed with.
    pub fn new(config: &Config, secret: join::Secret) -> Self {
        let mut new = Self {
            monitors: Vec::new(),
            by_name: HashMap::new(),
            found: config.found.clone(),
            models_folded: 0,
            secret,
            logs: config.streams.iter().map(LogTally::new).collect(),
            settled_to: Timestamp::MIN,
            progress: None,
            looked_once: false,
            can_be_shown: true,
        };
        for model in &config.models {
            new.add(model.clone(), &model.name);
        }
        new
    }

    pub fn monitors(&self) -> &[Monitor] {
        &self.monitors
    }

    /// Values that a limit folded into `__other__`.
    pub fn folded(&self) -> u64 {
        self.models_folded + self.monitors.iter().map(Monitor::folded).sum::<u64>()
    }

    /// The monitor of a model: one of the configuration's, or a new one where `"*"` allows it.
    ///
    /// # Errors
    /// `UnknownModel` where neither is so.
    pub fn monitor_index(&mut self, name: &str) -> Result<usize, Reject> {
        let known = if self.monitors.len() <= SCAN_MAX {
            self.monitors.iter().position(|monitor| monitor.name() == name)
        } else {
            self.by_name.get(name).copied()
        };
        if let Some(index) = known {
            return Ok(index);
        }
        let found = self.found.clone().ok_or(Reject::UnknownModel)?;
        if self.monitors.len() < MODELS_MAX && name.len() <= found.limits.value_length {
            return Ok(self.add(found, name));
        }
        self.models_folded += 1;
        if let Some(&index) = self.by_name.get(OTHER) {
            return Ok(index);
        }
        Ok(self.add(found, OTHER))
    }

    pub fn monitor_mut(&mut self, index: usize) -> &mut Monitor {
        &mut self.monitors[index]
    }

    /// Goes on with another configuration: models and logs that stay keep what they have, others go.
    pub fn reconfigure(&mut self, config: &Config) {
        let mut old = std::mem::replace(self, Self::new(config, self.secret));
        self.progress = old.progress.take();
        for tally in &mut self.logs {
            if let Some(before) = old.logs.iter().position(|before| before.name == tally.name) {
                tally.carry_over(old.logs.swap_remove(before));
            }
        }
        for monitor in old.monitors {
            let named = self.by_name.get(monitor.name()).copied();
            match (named, &config.found) {
                (Some(index), _) => self.monitors[index].carry_over(monitor),
                (None, Some(found)) => {
                    let index = self.add(found.clone(), monitor.name());
                    self.monitors[index].carry_over(monitor);
                }
                // What it folded has been counted, and a counter never goes back.
                (None, None) => self.models_folded += monitor.folded(),
            }
        }
        self.models_folded += old.models_folded;
        self.settled_to = old.settled_to;
        (self.looked_once, self.can_be_shown) = (old.looked_once, old.can_be_shown);
    }

    /// What a scrape notes before it shows this state; nothing where there are no checkpoints.
    pub fn mark(&mut self, now: Timestamp) -> Option<Mark> {
        let names = self.logs.iter().map(|log| &*log.name);
        Some(self.progress.as_mut()?.mark(names, now, self.settled_to))
    }

    /// A checkpoint is on disk: a scrape need not note what it holds.
    pub fn note_checkpoint(&mut self, number: u64) {
        if let Some(progress) = &mut self.progress {
            progress.forget(number);
        }
    }

    /// Moves every window on to `now`.
    pub fn advance(&mut self, now: Timestamp) {
        for monitor in &mut self.monitors {
            monitor.advance(now);
        }
    }

    /// Lets go of all that has waited longer than it may by `clock`.
    pub fn expire(&mut self, clock: Timestamp) {
        for monitor in &mut self.monitors {
            monitor.expire(clock);
        }
        self.settled_to = self.settled_to.max(clock);
    }

    /// The end of a replay.
    pub fn end(&mut self) {
        for monitor in &mut self.monitors {
            monitor.end();
        }
    }

    fn add(&mut self, config: monitor::Config, name: &str) -> usize {
        self.monitors.push(Monitor::new(config, name, self.secret));
        self.by_name.insert(name.into(), self.monitors.len() - 1);
        self.monitors.len() - 1
    }
}
