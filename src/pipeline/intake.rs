//! Takes in the lines of one log: record, event, and what it changes in the models' monitors.

use super::{Config, LogTally, State};
use crate::event::ModelName;
use crate::event::mapping::Mapping;
use crate::join::UNTIMED;
use crate::monitor::{Binding, Moment};
use crate::record::{Decoded, Decoder, Record};
use crate::time::Timestamp;
use crate::verdict::Reject;

/// What tells the time of events that have none, and how far the logs have been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    Wall(Wall),
    /// Replay: the highest event time so far; `Timestamp::MIN` before the first.
    Event {
        highest: Timestamp,
    },
}

/// Live, when a line is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wall {
    pub now: Timestamp,
    /// The time of events that have none: when their line was read, or read first.
    pub taken_at: Timestamp,
    /// None happens later than this: now, or when the line was read first, so that an event ahead of the
    /// clock has the same time again.
    pub latest: Timestamp,
}

/// The mapping of one log with all that is reused from line to line.
pub struct Intake {
    stream: usize,
    mapping: Mapping,
    record: Record,
    scores: Vec<f64>,
    /// By monitor: how this log feeds it, once it has.
    bindings: Vec<Option<Binding>>,
    /// The monitor that was found last; records of one model come in runs.
    monitor_last: Option<usize>,
}

// === impl Wall ===

impl From<Timestamp> for Wall {
    /// What is read now is read for the first time.
    fn from(now: Timestamp) -> Self {
        Self { now, taken_at: now, latest: now }
    }
}

// === impl Clock ===

impl Clock {
    fn moment(&mut self, time: Option<Timestamp>) -> Moment {
        match self {
            Self::Wall(Wall { now: _, taken_at, latest }) => {
                let at = time.map_or(*taken_at, |time| time.min(*latest));
                Moment { at, clock: at }
            }
            Self::Event { highest } => {
                let at = time.unwrap_or(UNTIMED);
                *highest = time.map_or(*highest, |time| time.max(*highest));
                // Before the first event time nothing can have waited too long: what is done is kept.
                let clock = if *highest == Timestamp::MIN { at } else { *highest };
                Moment { at, clock }
            }
        }
    }
}

// === impl Intake ===

impl Intake {
    /// For the log at this place of the configuration.
    pub fn new(config: &Config, stream: usize) -> Self {
        let log = &config.streams[stream];
        Self {
            stream,
            mapping: Mapping::new(log.event.clone(), log.record.explode.is_some()),
            record: Record::new(&log.record),
            scores: Vec::new(),
            bindings: Vec::new(),
            monitor_last: None,
        }
    }

    /// The record that is held.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Decodes a line into the record that is held here; counts it if it is none. `true` where there is a
    /// record for `apply`.
    pub fn decode(&mut self, line: &[u8], decoder: &mut Decoder, tally: &mut LogTally) -> bool {
        match decoder.decode(line, &mut self.record) {
            Err(reason) => tally.reject(reason),
            Ok(Decoded::Ignored(reason)) => tally.ignore(reason),
            Ok(Decoded::Record) => match self.mapping.ignores(&self.record) {
                Some(reason) => tally.ignore(reason),
                None => return true,
            },
        }
        false
    }

    /// The time of the record that is held; `None` where it has none that can be read.
    pub fn time(&self) -> Option<Timestamp> {
        self.mapping.peek_time(&self.record)
    }

    /// Takes in the events of the record that is held. The line is a record if any of them counts, else it
    /// is rejected for what was wrong with the first.
    pub fn apply(&mut self, config: &Config, state: &mut State, clock: &mut Clock) {
        let mut verdict = Ok(());
        let mut counted = false;
        for row in 0..self.record.rows() {
            match self.apply_row(row, config, state, clock) {
                Ok(()) => counted = true,
                Err(reason) => verdict = verdict.and(Err(reason)),
            }
        }
        let tally = &mut state.logs[self.stream];
        match verdict {
            Err(reason) if !counted => tally.reject(reason),
            _ => {
                tally.lines += 1;
                tally.records += 1;
            }
        }
        tally.values.add(&self.mapping.take_tally());
    }

    fn apply_row(
        &mut self,
        row: usize,
        config: &Config,
        state: &mut State,
        clock: &mut Clock,
    ) -> Result<(), Reject> {
        let monitor = self.monitor(row, state)?;
        let Self { mapping, record, scores, .. } = self;
        let (event, values) = mapping.event(record, row, scores)?;
        if self.bindings.len() <= monitor {
            self.bindings.resize(monitor + 1, None);
        }
        let bound = state.monitor_mut(monitor);
        let binding = self.bindings[monitor].get_or_insert_with(|| {
            let log = &config.streams[self.stream].event.fields;
            Binding::new(log, bound.config(), feeding(config, bound.name()))
        });
        let moment = clock.moment(event.time);
        if let Clock::Event { highest } = clock
            && *highest != Timestamp::MIN
        {
            bound.expire(*highest);
        }
        bound.observe(&event, scores, binding, moment, values);
        if moment.at != UNTIMED {
            let tally = &mut state.logs[self.stream];
            tally.last_record = tally.last_record.max(moment.at);
        }
        Ok(())
    }

    fn monitor(&mut self, row: usize, state: &mut State) -> Result<usize, Reject> {
        let name = self.mapping.model(&self.record, row)?;
        if let Some(last) = self.monitor_last
            && state.monitors()[last].name() == name
        {
            return Ok(last);
        }
        let index = state.monitor_index(name)?;
        self.monitor_last = Some(index);
        Ok(index)
    }
}

/// The fields of all logs that may feed a model.
fn feeding<'a>(config: &'a Config, model: &str) -> impl Iterator<Item = &'a crate::event::Fields> {
    config.streams.iter().map(|stream| &stream.event).filter_map(move |event| match &event.model {
        ModelName::Constant(name) if name != model => None,
        _ => Some(&event.fields),
    })
}
