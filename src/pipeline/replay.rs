//! Reads logs once to their end, merged by event time, with event time as the clock.
//!
//! Invariant: the result depends on the logs alone. The record with the lowest time is next; ties go to
//! the input that was named first. A log that maps no time is read first.

use super::intake::{Clock, Intake};
use super::{Config, State};
use crate::line::Buffer;
use crate::record::Decoder;
use crate::source::{self, Progress, Source};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One input, and the place of its log in the configuration.
pub struct Input {
    pub stream: usize,
    pub source: Box<dyn Source>,
}

/// An input with the record that it has next.
struct Head {
    input: Input,
    buffer: Buffer,
    decoder: Decoder,
    intake: Intake,
    /// Of the last record that had one.
    time: Timestamp,
    ended: bool,
}

/// Reads all inputs into `state`; `progress` is told of bytes as they are read.
///
/// # Errors
/// The first input that cannot be read; what was read before stays counted.
pub fn run(
    config: &Config,
    inputs: Vec<Input>,
    state: &mut State,
    progress: &mut dyn FnMut(u64),
) -> Result<Timestamp, source::Error> {
    let mut heads: Vec<Head> = inputs.into_iter().map(|input| Head::new(config, input)).collect();
    let mut next = BinaryHeap::new();
    for (order, head) in heads.iter_mut().enumerate() {
        if head.pull(state, progress)? {
            next.push(Reverse((head.time, order)));
        }
    }
    let mut clock = Clock::Event { highest: Timestamp::MIN };
    while let Some(Reverse((_, order))) = next.pop() {
        let head = &mut heads[order];
        head.intake.apply(config, state, &mut clock);
        if head.pull(state, progress)? {
            next.push(Reverse((head.time, order)));
        }
    }
    let Clock::Event { highest } = clock else { unreachable!("the clock was made as event time") };
    if highest != Timestamp::MIN {
        state.expire(highest);
        state.advance(highest);
    }
    state.end();
    state.looked_once = true;
    Ok(highest)
}

impl Head {
    fn new(config: &Config, input: Input) -> Self {
        let log = &config.streams[input.stream];
        Self {
            buffer: Buffer::new(&log.line),
            decoder: Decoder::new(&log.record),
            intake: Intake::new(config, input.stream),
            time: Timestamp::MIN,
            ended: false,
            input,
        }
    }

    /// Goes on to the next record; `false` at the end.
    fn pull(&mut self, state: &mut State, progress: &mut dyn FnMut(u64)) -> Result<bool, source::Error> {
        let tally = &mut state.logs[self.input.stream];
        loop {
            while let Some(line) = self.buffer.next_line() {
                match line {
                    Err(reason) => tally.reject(reason.into()),
                    Ok(line) => {
                        if self.intake.decode(line.bytes, &mut self.decoder, tally) {
                            self.time = self.intake.time().unwrap_or(self.time);
                            return Ok(true);
                        }
                    }
                }
            }
            if self.ended {
                return Ok(false);
            }
            match self.input.source.read(self.buffer.space(), self.time)? {
                Progress::Bytes(count) => {
                    self.buffer.filled(count, self.time);
                    tally.bytes += count as u64;
                    progress(count as u64);
                }
                Progress::Ended => {
                    self.ended = true;
                    self.buffer.finish();
                }
                Progress::Idle | Progress::Truncated => {
                    unreachable!("an input that is read once has a next byte or an end")
                }
            }
        }
    }
}
