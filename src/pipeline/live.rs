//! All logs, followed as they grow: which one is read next, and how far time has come.
//!
//! After a pause there is a backlog, and then the log that is behind in event time is read first: a label
//! must not find its prediction expired only because the predictions were read before the labels.

use super::intake::Wall;
use super::progress::{FileMark, Mark, Progress, Step};
use super::saved::{Head, Places, Saved};
use super::stream::{Reach, Stream, lock};
use super::{Config, LogTally, State, StreamConfig};
use crate::time::{Span, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// How often the file system is asked what is there.
pub const LOOK_INTERVAL: Span = Span::from_millis(250);

/// How often, once nothing has happened anywhere for a while: half the cost, and a line still shows within a second.
const CALM_LOOK_INTERVAL: Span = Span::from_millis(500);

/// Turns after which a log is read even though another one is further behind.
const PATIENCE_TURNS: u32 = 8;

/// After so long at the end of all files, what was shown and is not there will not come.
const CATCH_UP_IDLE_MAX: Span = Span::from_seconds(30);

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
    /// Whether what waits too long goes only when `settle` is called, as checkpoints ask for.
    settles_when_told: bool,
    catch_up: Option<CatchUp>,
    /// Configurations so far.
    configurations: u64,
}

/// Reading again what an earlier process had shown.
struct CatchUp {
    mark: Mark,
    /// How often the file system was asked. A file that is renamed meanwhile is found only the next time.
    looks: u32,
    /// Which of its steps is next.
    next: usize,
    /// Since when there has been nothing to read.
    idle_since: Option<Timestamp>,
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
            settles_when_told: false,
            catch_up: None,
            configurations: 1,
        })
    }

    /// Works with checkpoints: goes on from the last one, shows nothing until all has been read again that
    /// was `shown` before, and lets go of what has waited too long only in `settle`, so that from one
    /// checkpoint to the next the state follows from the lines alone. To be called before the first turn.
    pub fn resume(&mut self, saved: Option<Saved>, shown: Option<Mark>) {
        self.settles_when_told = true;
        let mut places = HashMap::new();
        let held = saved.as_ref().map(|saved| saved.number);
        let progress = Progress::after(held, shown.as_ref());
        let mut shown = shown.and_then(|mark| mark.beyond(held));
        if let Some(saved) = saved {
            let mut state = saved.state;
            state.reconfigure(&self.config);
            *lock(&self.state) = state;
            places = saved.places;
        }
        let renamed = self.restore(places);
        for log in shown.iter_mut().flat_map(|mark| &mut mark.logs) {
            if let Some(name) = renamed.get(&log.log) {
                log.log.clone_from(name);
            }
        }
        let mut state = lock(&self.state);
        state.progress = Some(progress);
        state.can_be_shown = shown.is_none();
        drop(state);
        self.catch_up = shown.map(|mark| CatchUp { mark, looks: 0, next: 0, idle_since: None });
    }

    /// Lets each log go on where an earlier process stopped: that of its name, or else of its paths, as its lines
    /// must not count twice in their models. Returns the new names of those that have other ones, by the old.
    fn restore(&mut self, mut places: HashMap<String, Places>) -> HashMap<String, String> {
        let mut renamed = HashMap::new();
        let mut rest = Vec::new();
        for stream in &mut self.streams {
            match places.remove(&self.config.streams[stream.index()].name) {
                Some(places) => stream.restore(places, &self.state),
                None => rest.push(stream),
            }
        }
        for stream in rest {
            let StreamConfig { name, source, .. } = &self.config.streams[stream.index()];
            let is_same = |places: &Places| places.paths == source.paths && places.exclude == source.exclude;
            let before = places.iter().find(|(_, places)| is_same(places)).map(|(before, _)| before.clone());
            if let Some((before, places)) = before.and_then(|before| places.remove_entry(&before)) {
                stream.restore(places, &self.state);
                renamed.insert(before, name.clone());
            }
        }
        renamed
    }

    /// What a checkpoint holds beside the monitors, and its number. Until it is on disk and
    /// `State::note_checkpoint` says so, scrapes note what is read from now on and what it holds.
    pub fn head(&self) -> (Head, u64) {
        let places = |stream: &Stream| stream.places(&self.config.streams[stream.index()].source);
        let places: Vec<_> = self.streams.iter().map(places).collect();
        let mut state = lock(&self.state);
        let number = state.progress.as_mut().map_or(0, Progress::begin_checkpoint);
        (state.head(number, places), number)
    }

    /// Changes whenever another checkpoint would hold more than the last: lines, bytes, rotations, waiting
    /// entries, configurations.
    pub fn revision(&self) -> [u64; 5] {
        let state = lock(&self.state);
        let rotations = |log: &LogTally| log.files.rotations().map(|(_, count)| count).sum::<u64>();
        [
            state.logs.iter().map(|log| log.lines).sum(),
            state.logs.iter().map(|log| log.bytes).sum(),
            state.logs.iter().map(rotations).sum(),
            state.monitors().iter().map(|monitor| monitor.join().len() as u64).sum(),
            self.configurations,
        ]
    }

    /// What the streams fill.
    pub fn state(&self) -> &Mutex<State> {
        &self.state
    }

    /// Whether what was shown before a crash is being read again. A checkpoint taken meanwhile would hold some
    /// of the steps that are to be repeated, and not others.
    pub fn is_catching_up(&self) -> bool {
        self.catch_up.is_some()
    }

    /// Lets go of all that has waited longer than it may.
    pub fn settle(&mut self, now: Timestamp) {
        assert!(
            !self.is_catching_up(),
            "what was let go of between two lines is not let go of before the first"
        );
        for stream in &mut self.streams {
            stream.expire_pieces(&self.state, now);
        }
        let clock = self.clock(now);
        let mut state = lock(&self.state);
        state.expire(clock);
        if let Some(progress) = &mut state.progress {
            progress.settle(clock, now);
        }
    }

    /// Does what there is to do next, at most one batch. `false` where there was nothing to read.
    pub fn turn(&mut self, now: Timestamp) -> bool {
        let is_due = |before: Timestamp| {
            let passed = now.since(before);
            passed >= CALM_LOOK_INTERVAL || now < before || (passed >= LOOK_INTERVAL && !self.is_calm(now))
        };
        if self.looked_at.is_none_or(is_due) {
            self.look(now);
        }
        if self.may_have_missed_a_file() {
            return false;
        }
        if self.repeat(now) {
            return true;
        }
        let read = self.read(now);
        if self.catch_up.is_some() {
            self.show_again(read, now);
        }
        read
    }

    /// Asks the file system what is there, whenever that was last done.
    pub fn look(&mut self, now: Timestamp) {
        for stream in &mut self.streams {
            stream.look(&self.state, now);
        }
        self.looked_at = Some(now);
        if let Some(catch_up) = &mut self.catch_up {
            catch_up.looks += 1;
        }
        if !self.settles_when_told {
            self.settle(now);
        }
        lock(&self.state).looked_once = true;
    }

    /// Whether a look may wait: see `Tailer::is_calm`.
    fn is_calm(&self, now: Timestamp) -> bool {
        self.catch_up.is_none() && self.streams.iter().all(|stream| stream.is_calm(now))
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
        let fresh: Result<Vec<_>, _> = (0..new.streams.len()).map(|index| Stream::new(&new, index)).collect();
        let mut fresh = fresh?;
        let mut streams = Vec::with_capacity(fresh.len());
        let mut old = std::mem::take(&mut self.streams);
        let mut places = vec![None; old.len()];
        // A log that only has another name goes on too: its lines must not count twice in their models.
        for is_same in [StreamConfig::has_name_of, StreamConfig::has_paths_of] {
            let mut rest = Vec::new();
            for stream in fresh {
                let after = &new.streams[stream.index()];
                let same = |old: &Stream| is_same(after, &self.config.streams[old.index()]);
                match old.iter().position(same).map(|kept| old.swap_remove(kept)) {
                    Some(kept) => {
                        let before = &self.config.streams[kept.index()];
                        places[kept.index()] = Some(stream.index());
                        streams.push(stream.carry_over(kept, before, after));
                    }
                    None => rest.push(stream),
                }
            }
            fresh = rest;
        }
        streams.append(&mut fresh);
        streams.sort_by_key(Stream::index);
        let mut state = lock(&self.state);
        state.reconfigure(&new);
        if let Some(progress) = &mut state.progress {
            progress.renumber(&places);
        }
        drop(state);
        self.passed_over = vec![0; streams.len()];
        self.configurations += 1;
        (self.streams, self.config, self.looked_at) = (streams, new, None);
        Ok(())
    }

    /// One batch of the log that is furthest behind, or of one that has waited for long.
    fn read(&mut self, now: Timestamp) -> bool {
        // A line that has no time was read, at the latest, when it was first shown.
        let shown_at = self.catch_up.as_ref().map(|catch_up| catch_up.mark.shown_at);
        let taken_at = shown_at.map_or(now, |shown_at| now.min(shown_at));
        let wall = Wall { now, taken_at, latest: now };
        let Self { streams, passed_over, order, .. } = self;
        order.clear();
        order.extend(0..streams.len());
        order.sort_by_key(|&index| (passed_over[index] < PATIENCE_TURNS, streams[index].watermark()));
        let read = order.iter().position(|&index| streams[index].run_batch(&self.config, &self.state, wall));
        let (had_turn, waiting) = order.split_at(read.map_or(order.len(), |place| place + 1));
        had_turn.iter().for_each(|&index| passed_over[index] = 0);
        waiting.iter().for_each(|&index| passed_over[index] += 1);
        read.is_some()
    }

    /// Whether a file that is to be read again was not found, and only looked for once: it may have been
    /// renamed while that went on.
    fn may_have_missed_a_file(&self) -> bool {
        let Some(CatchUp { mark, looks: ..2, .. }) = &self.catch_up else { return false };
        self.streams.iter().any(|stream| {
            let name = &self.config.streams[stream.index()].name;
            mark.logs.iter().any(|log| log.log == *name && stream.lacks(log))
        })
    }

    /// Does again what was done before a crash and shown, in the same order: one step at most. `false` once
    /// that is over.
    fn repeat(&mut self, now: Timestamp) -> bool {
        let Some(CatchUp { mark, next, .. }) = &mut self.catch_up else { return false };
        let Some((_, step)) = mark.steps.as_ref().and_then(|steps| steps.get(*next)).copied() else {
            return false;
        };
        match step {
            Step::Settled { to, at } => {
                self.streams.iter_mut().for_each(|stream| stream.expire_pieces(&self.state, at));
                let mut state = lock(&self.state);
                state.expire(to);
                if let Some(progress) = &mut state.progress {
                    progress.settle(to, at);
                }
                *next += 1;
            }
            Step::Took { log, file, delivered, at, lasted } => {
                let place =
                    mark.logs.get(log as usize).and_then(|log| Some((log, log.files.get(file as usize)?)));
                let more = place.is_some_and(|(log, file)| {
                    let mut streams = self.streams.iter_mut();
                    let stream = streams.find(|stream| self.config.streams[stream.index()].name == log.log);
                    let wall = Wall { now, taken_at: at, latest: at.plus(lasted) };
                    let upto = FileMark { delivered, ..*file };
                    stream.is_some_and(|stream| stream.run_up_to(&self.config, &self.state, wall, upto))
                });
                *next += usize::from(!more);
            }
        }
        true
    }

    /// Shows the state again once it holds all that was shown before.
    fn show_again(&mut self, read: bool, now: Timestamp) {
        let is_idle = !read && self.is_caught_up();
        let Some(CatchUp { mark, idle_since, .. }) = &mut self.catch_up else { return };
        // Each log has reached its end once; a writer that is never quiet must not keep all from being shown.
        mark.logs.retain(|log| {
            let mut streams = self.streams.iter();
            let stream = streams.find(|stream| self.config.streams[stream.index()].name == log.log);
            stream.is_some_and(|stream| match stream.reach(log) {
                Reach::Yes => false,
                Reach::AtEnd => !stream.is_caught_up(),
                Reach::NotYet => true,
            })
        });
        let is_given_up = is_idle && now.since(*idle_since.get_or_insert(now)) >= CATCH_UP_IDLE_MAX;
        if mark.logs.is_empty() || is_given_up {
            // Where the order is known, expiry had its place in it.
            let settled_to = mark.steps.is_none().then_some(mark.settled_to);
            self.catch_up = None;
            let mut state = lock(&self.state);
            settled_to.into_iter().for_each(|settled_to| state.expire(settled_to));
            state.can_be_shown = true;
        }
    }

    /// How far time has come: to now, or only as far as the log that is furthest behind has been read.
    fn clock(&self, now: Timestamp) -> Timestamp {
        let behind = self.streams.iter().filter(|stream| stream.is_behind());
        behind.map(Stream::watermark).fold(now, Timestamp::min)
    }
}
