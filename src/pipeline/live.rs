//! All logs, followed as they grow: which one is read next, and how far time has come.
//!
//! After a pause there is a backlog, and then the log that is behind in event time is read first: a label
//! must not find its prediction expired only because the predictions were read before the labels.

use super::stream::{Stream, lock};
use super::{Config, State};
use crate::time::{Span, Timestamp};
use std::sync::{Arc, Mutex};

/// How often the file system is asked what is there.
pub const LOOK_INTERVAL: Span = Span::from_millis(250);

/// Turns after which a log is read even though another one is further behind.
const PATIENCE_TURNS: u32 = 8;

/// The streams of a configuration and the state that they fill.
pub struct Live {
    config: Config,
    streams: Vec<Stream>,
    /// By stream: turns for which others went first.
    passed_over: Vec<u32>,
    /// Reused for the order in which the streams have their turn.
    order: Vec<usize>,
    state: Arc<Mutex<State>>,
    looked_at: Option<Timestamp>,
}

// === impl Live ===

impl Live {
    /// # Errors
    /// A glob of a log is malformed.
    pub fn new(config: Config, state: Arc<Mutex<State>>) -> Result<Self, globset::Error> {
        let streams: Result<Vec<_>, _> =
            (0..config.streams.len()).map(|index| Stream::new(&config, index)).collect();
        let streams = streams?;
        Ok(Self {
            passed_over: vec![0; streams.len()],
            order: Vec::new(),
            streams,
            config,
            state,
            looked_at: None,
        })
    }

    /// Does what there is to do next, at most one batch. `false` where there was nothing to read.
    pub fn turn(&mut self, now: Timestamp) -> bool {
        if self.looked_at.is_none_or(|before| now.since(before) >= LOOK_INTERVAL || now < before) {
            self.look(now);
        }
        self.read(now)
    }

    /// Asks the file system what is there, whenever that was last done, and lets go of what has waited for
    /// too long.
    pub fn look(&mut self, now: Timestamp) {
        for stream in &mut self.streams {
            stream.look(&self.state, now);
        }
        self.looked_at = Some(now);
        let clock = self.clock(now);
        let mut state = lock(&self.state);
        state.expire(clock);
        state.looked_once = true;
    }

    /// Whether the end of every file has been reached since the last look.
    pub fn is_caught_up(&self) -> bool {
        self.streams.iter().all(Stream::is_caught_up)
    }

    /// Goes on with another configuration: logs and models that stay keep all they have.
    ///
    /// # Errors
    /// A glob of a log is malformed; then nothing has changed.
    pub fn reconfigure(&mut self, new: Config) -> Result<(), globset::Error> {
        let mut streams = Vec::with_capacity(new.streams.len());
        let mut added = Vec::new();
        for (index, log) in new.streams.iter().enumerate() {
            if !self.config.streams.iter().any(|before| before.name == log.name) {
                added.push(Stream::new(&new, index)?);
            }
        }
        for (index, log) in new.streams.iter().enumerate() {
            let kept = self.config.streams.iter().position(|before| before.name == log.name);
            match kept {
                Some(_) => {
                    let place = self.streams.iter().position(|stream| {
                        self.config.streams.get(stream.index()).is_some_and(|before| before.name == log.name)
                    });
                    let mut stream = match place {
                        Some(place) => self.streams.remove(place),
                        None => unreachable!("every log of a configuration has a stream"),
                    };
                    stream.reconfigure(&self.config, &new, index)?;
                    streams.push(stream);
                }
                None => streams.push(added.remove(0)),
            }
        }
        lock(&self.state).reconfigure(&new);
        self.passed_over = vec![0; streams.len()];
        (self.streams, self.config, self.looked_at) = (streams, new, None);
        Ok(())
    }

    /// One batch of the log that is furthest behind, or of one that has waited for long.
    fn read(&mut self, now: Timestamp) -> bool {
        let Self { streams, passed_over, order, .. } = self;
        order.clear();
        order.extend(0..streams.len());
        order.sort_by_key(|&index| (passed_over[index] < PATIENCE_TURNS, streams[index].watermark()));
        let read = order.iter().position(|&index| streams[index].run_batch(&self.config, &self.state, now));
        let (had_turn, waiting) = order.split_at(read.map_or(order.len(), |place| place + 1));
        had_turn.iter().for_each(|&index| passed_over[index] = 0);
        waiting.iter().for_each(|&index| passed_over[index] += 1);
        read.is_some()
    }

    /// How far time has come: to now, or only as far as the log that is furthest behind has been read.
    fn clock(&self, now: Timestamp) -> Timestamp {
        let behind = self.streams.iter().filter(|stream| stream.is_behind());
        behind.map(Stream::watermark).fold(now, Timestamp::min)
    }
}
