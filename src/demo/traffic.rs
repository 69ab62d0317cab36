//! Live logs: predictions as they are made, and their labels as they become known.
//!
//! Invariants: what is written depends on the seed and the time that has passed, and not on how often `step`
//! is called; a line is written once its time has come, never before; the disk holds at most two files of
//! `FILE_BYTES_MAX`, and one step's lines, for each log.

use super::model::{self, Answer, Model};
use super::random::Random;
use crate::time::{Span, Timestamp};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Requests to each model.
const REQUESTS_PER_SECOND: f64 = 20.0;
/// A file that reaches this is renamed to `.1`, in place of the one before: about four minutes of predictions.
const FILE_BYTES_MAX: u64 = 2 << 20;
/// What is made up for at most after a pause (a suspended laptop, a stopped process).
const CATCH_UP_MAX: Span = Span::from_seconds(10);

const LABEL_DELAY_MIN: Span = Span::from_seconds(2);
const LABEL_DELAY_MAX: Span = Span::from_seconds(40);
/// Predictions whose label never comes, and labels that come twice.
const UNLABELLED_SHARE: f64 = 0.04;
const REPEATED_SHARE: f64 = 0.01;

const SITES: [(&str, f64); 3] = [("A", 0.5), ("B", 0.8), ("C", 1.0)];
const LATENCY_SIGMA: f64 = 0.5;
/// Of the first release and of the second, which is the worse one in this too.
const LATENCY_MEDIAN_MS: [f64; 2] = [12.0, 28.0];
const FAILED_SHARE: [f64; 2] = [0.002, 0.02];

/// When the second release of a model begins, and its share of the requests.
const ROLLOUTS: [(&str, Span, f64); 3] = [
    ("tumour", Span::from_seconds(120), 0.5),
    ("wine", Span::from_seconds(300), 0.1),
    ("progression", Span::from_seconds(600), 0.1),
];

/// The feature that drifts: it is measured `DRIFT_PER_MINUTE` higher every minute, up to `DRIFT_MAX`.
const DRIFTING: (&str, &str) = ("progression", "bmi");
const DRIFT_AFTER: Span = Span::from_seconds(180);
const DRIFT_PER_MINUTE: f64 = 1.2;
const DRIFT_MAX: f64 = 6.0;

/// The traffic of all models.
#[derive(Debug)]
pub struct Traffic {
    lanes: Vec<Lane>,
    begun: bool,
}

/// The traffic of one model.
#[derive(Debug)]
struct Lane {
    model: Model,
    random: Random,
    predictions: Log,
    labels: Log,
    start: Timestamp,
    arrival: Timestamp,
    requests: u64,
    release_after: Span,
    release_share: f64,
    drifting: Option<usize>,
    /// Labels that are not known yet, the next one on top.
    unknown: BinaryHeap<Reverse<Unknown>>,
}

/// A label and when it becomes known.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Unknown {
    at: Timestamp,
    request_id: String,
    label: String,
}

/// One line of a log of predictions; what a request does not have is left out.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    request_id: &'a str,
    trace_id: String,
    model_version: &'a str,
    site: &'a str,
    status: u16,
    latency_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction: Option<Prediction<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Named<'a>>,
    features: Named<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Prediction<'a> {
    Class(&'a str),
    Number(f64),
}

/// Numbers by name, written as an object.
struct Named<'a> {
    names: &'a [String],
    numbers: Vec<f64>,
}

/// A file that lines are appended to, and that is rotated by rename.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// The first line of every file; empty where there is none.
    header: &'static str,
    file: Option<File>,
    length: u64,
    /// What the next `flush` writes, whole lines.
    pending: Vec<u8>,
}

// === impl Traffic ===

impl Traffic {
    /// Traffic that is written into `directory`, which exists. Nothing happens before the first `step`.
    pub fn new(seed: u64, directory: &Path) -> Self {
        let mut seeds = Random::new(seed);
        let lanes =
            model::fitted().into_iter().map(|model| Lane::new(model, seeds.bits(), directory)).collect();
        Self { lanes, begun: false }
    }

    /// Appends all that has become due by `now`; the first call is the beginning, and creates the files.
    ///
    /// # Errors
    /// A file cannot be created, renamed or written. Its lines of this step are lost then; the next step goes
    /// on.
    pub fn step(&mut self, now: Timestamp) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.lanes.iter_mut().for_each(|lane| lane.begin(now));
        }
        let mut result = Ok(());
        for lane in &mut self.lanes {
            // `and` evaluates the step first: every lane has its turn, also after one that failed.
            result = result.and(lane.step(now));
        }
        result
    }
}

// === impl Lane ===

impl Lane {
    fn new(model: Model, seed: u64, directory: &Path) -> Self {
        let rollout = ROLLOUTS.iter().find(|(name, _, _)| *name == model.name);
        let (release_after, release_share) =
            rollout.map_or((Span::MAX, 0.0), |(_, after, share)| (*after, *share));
        let drifting =
            model.features.iter().position(|feature| (model.name.as_str(), feature.as_str()) == DRIFTING);
        Self {
            random: Random::new(seed),
            predictions: Log::new(directory.join(format!("{}.jsonl", model.name)), ""),
            labels: Log::new(directory.join(format!("{}-labels.csv", model.name)), "request_id,time,label\n"),
            start: Timestamp::MIN,
            arrival: Timestamp::MAX,
            requests: 0,
            release_after,
            release_share,
            drifting,
            unknown: BinaryHeap::new(),
            model,
        }
    }

    fn begin(&mut self, now: Timestamp) {
        self.start = now;
        self.arrival = now.plus(self.random.arrival(REQUESTS_PER_SECOND));
    }

    fn step(&mut self, now: Timestamp) -> io::Result<()> {
        self.arrival = self.arrival.max(now.minus(CATCH_UP_MAX));
        while self.arrival <= now {
            self.answer_request(self.arrival)?;
            self.arrival = self.arrival.plus(self.random.arrival(REQUESTS_PER_SECOND));
        }
        while self.unknown.peek().is_some_and(|Reverse(next)| next.at <= now) {
            let Some(Reverse(known)) = self.unknown.pop() else { break };
            writeln!(self.labels.pending, "{},{},{}", known.request_id, rfc3339(known.at), known.label)?;
        }
        let predictions = self.predictions.flush();
        predictions.and(self.labels.flush())
    }

    fn answer_request(&mut self, at: Timestamp) -> io::Result<()> {
        let since_start = at.since(self.start);
        let version =
            usize::from(since_start >= self.release_after && self.random.chance(self.release_share));
        let row = &self.model.rows[self.random.below(self.model.rows.len())];
        let place = self.random.fraction();
        let site = SITES.iter().find(|(_, share)| place < *share).map_or("A", |(site, _)| site);
        let mut features = row.features.clone();
        if let Some(index) = self.drifting {
            features[index] += drift(since_start);
        }
        let failed = self.random.chance(FAILED_SHARE[version]);
        let latency_ms = self.random.lognormal(LATENCY_MEDIAN_MS[version], LATENCY_SIGMA);
        self.requests += 1;
        let request_id = format!("{}-{:07}", self.model.name, self.requests);
        let mut line = Line {
            time: rfc3339(at),
            request_id: &request_id,
            trace_id: format!("{:016x}{:016x}", self.random.bits(), self.random.bits()),
            model_version: &self.model.versions[version].version,
            site,
            status: if failed { 503 } else { 200 },
            latency_ms: (latency_ms * 1000.0).round() / 1000.0,
            prediction: None,
            score: None,
            scores: None,
            features: Named { names: &self.model.features, numbers: Vec::new() },
        };
        if !failed {
            line.fill_answer(&self.model, self.model.answer(version, &features));
        }
        line.features.numbers = features;
        serde_json::to_writer(&mut self.predictions.pending, &line)?;
        self.predictions.pending.push(b'\n');
        if !failed {
            let label = self.model.label(row);
            self.expect_label(at, &request_id, label);
        }
        Ok(())
    }

    /// Decides when the label becomes known, if at all.
    fn expect_label(&mut self, made: Timestamp, request_id: &str, label: String) {
        let at = made.plus(self.random.span(LABEL_DELAY_MIN, LABEL_DELAY_MAX));
        let (comes, repeats) = (!self.random.chance(UNLABELLED_SHARE), self.random.chance(REPEATED_SHARE));
        let unknown = |at| Reverse(Unknown { at, request_id: request_id.to_owned(), label: label.clone() });
        if comes {
            self.unknown.push(unknown(at));
        }
        if comes && repeats {
            self.unknown.push(unknown(at.plus(LABEL_DELAY_MIN)));
        }
    }
}

// === impl Line ===

impl<'a> Line<'a> {
    fn fill_answer(&mut self, model: &'a Model, answer: Answer) {
        let probabilities = match answer {
            Answer::Number(number) => {
                self.prediction = Some(Prediction::Number(number));
                return;
            }
            Answer::Probabilities(probabilities) => probabilities,
        };
        self.prediction = Some(Prediction::Class(&model.classes[model::most_probable(&probabilities)]));
        if model.task == model::Task::Binary {
            self.score = Some(probabilities[1]);
        } else {
            self.scores = Some(Named { names: &model.classes, numbers: probabilities });
        }
    }
}

// === impl Named ===

impl Serialize for Named<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.names.iter().zip(&self.numbers))
    }
}

// === impl Log ===

impl Log {
    fn new(path: PathBuf, header: &'static str) -> Self {
        Self { path, header, file: None, length: 0, pending: Vec::new() }
    }

    /// Writes the pending lines; where that fails they are given up, so that they never pile up.
    fn flush(&mut self) -> io::Result<()> {
        let result = self.rotate().and_then(|()| self.write());
        self.pending.clear();
        result
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.length < FILE_BYTES_MAX {
            return Ok(());
        }
        self.file = None;
        self.length = 0;
        let mut kept = self.path.clone().into_os_string();
        kept.push(".1");
        std::fs::rename(&self.path, kept)
    }

    fn write(&mut self) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        file.write_all(&self.pending)?;
        self.length += self.pending.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    fn open(&mut self) -> io::Result<File> {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        self.length = file.metadata()?.len();
        if self.length == 0 {
            file.write_all(self.header.as_bytes())?;
            self.length = self.header.len() as u64;
        }
        Ok(file)
    }
}

fn drift(since_start: Span) -> f64 {
    let minutes = (since_start.as_seconds() - DRIFT_AFTER.as_seconds()) / 60.0;
    (minutes * DRIFT_PER_MINUTE).clamp(0.0, DRIFT_MAX)
}

/// In UTC, with milliseconds.
fn rfc3339(at: Timestamp) -> String {
    let milliseconds = at.as_nanos().div_euclid(1_000_000);
    let at = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests;
