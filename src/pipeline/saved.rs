//! The state as a checkpoint has it, but for the monitors, which come one by one.

use super::{LogTally, State};
use crate::join;
use crate::monitor::{self, Monitor};
use crate::source::identity::Position;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What there is beside the monitors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Of this checkpoint: one more than that of the one before, be it of an earlier process.
    pub(super) number: u64,
    pub(super) secret: join::Secret,
    pub(super) found: Option<monitor::Config>,
    pub(super) models_folded: u64,
    pub(super) logs: Vec<LogHead>,
    /// Monitors that follow.
    pub monitors: usize,
}

/// One log: what was counted of it, and how far its files were read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogHead {
    pub(super) tally: LogTally,
    pub(super) places: Places,
}

/// How far the files of a log were read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Places {
    pub(super) paths: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) positions: Vec<Position>,
    /// When files were last looked for.
    pub(super) looked_at: Option<Timestamp>,
}

impl State {
    /// What a checkpoint holds beside the monitors. `places` are those of each log.
    pub(super) fn head(&self, number: u64, places: Vec<Places>) -> Head {
        let logs = self.logs.iter().cloned().zip(places);
        Head {
            number,
            secret: self.secret,
            found: self.found.clone(),
            models_folded: self.models_folded,
            logs: logs.map(|(tally, places)| LogHead { tally, places }).collect(),
            monitors: self.monitors.len(),
        }
    }
}

/// A state that was read from bytes, and where its logs go on.
pub struct Saved {
    /// Of the checkpoint.
    pub(super) number: u64,
    pub(super) state: State,
    /// By name.
    pub(super) places: HashMap<String, Places>,
}

impl Saved {
    /// # Errors
    /// Two models of one name: the bytes are none that this version wrote.
    pub fn new(head: Head, monitors: Vec<Monitor>) -> Result<Self, &'static str> {
        let Head { number, secret, found, models_folded, logs, monitors: _ } = head;
        let by_name: HashMap<Box<str>, usize> =
            monitors.iter().map(Monitor::name).map(Into::into).zip(0..).collect();
        if by_name.len() != monitors.len() {
            return Err("two models have one name");
        }
        let places = logs.iter().map(|log| (log.tally.name.clone(), log.places.clone())).collect();
        let logs = logs.into_iter().map(|log| log.tally).collect();
        let state = State {
            monitors,
            by_name,
            found,
            models_folded,
            secret,
            logs,
            settled_to: Timestamp::MIN,
            progress: None,
            looked_once: false,
            can_be_shown: false,
        };
        Ok(Self { number, state, places })
    }

    /// The state with which the logs go on at the positions.
    pub fn state(&self) -> &State {
        &self.state
    }
}
