//! `explain`: what becomes of each line of standard input.
//!
//! The lines go through the same decoder, mapping and monitor as everywhere; what is said is what changed.
//! This is the one command that shows the content of lines, to whoever typed them in.

use super::{ConfigArguments, Failure, Outcome, clock, input, load_and_warn, print, secret};
use crate::event::mapping::Role;
use crate::line::Buffer;
use crate::monitor::Task;
use crate::monitor::tally::{LabelResult, Unlabeled};
use crate::pipeline::intake::{Clock, Intake};
use crate::pipeline::{Config, LogTally, State, StreamConfig};
use crate::record::{Decoder, FieldId, Value};
use crate::verdict::{Ignore, Reject};
use clap::Args;
use std::collections::HashMap;
use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal};

#[derive(Args)]
pub(super) struct ExplainArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The log that the lines are of [default: every log is tried, and those that know a line best answer]
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
}

/// All logs that lines are tried with, and what they come to.
struct Explainer {
    config: Config,
    state: State,
    readers: Vec<Reader>,
    has_ended: bool,
}

/// One log, with what it reads lines by.
struct Reader {
    stream: usize,
    buffer: Buffer,
    decoder: Decoder,
    intake: Intake,
    /// Since the last line end.
    findings: Vec<Finding>,
}

/// What one log made of a line.
struct Finding {
    verdict: Verdict,
    text: String,
}

/// How much a log knows of a line, from the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Not in the log's format, so most likely a line of another log.
    Foreign,
    Other,
    Header,
    Record,
}

/// Counts that tell what a line did.
#[derive(Clone, PartialEq, Eq, Default)]
struct Counts {
    /// What each is called, and how many.
    counts: Vec<(String, u64)>,
}

pub(super) fn run(arguments: &ExplainArguments) -> Outcome {
    let config = load_and_warn(&arguments.config.config)?.pipeline;
    let mut explainer = Explainer::new(config, arguments.log.as_deref())?;
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        print(b"Paste lines of a log; Ctrl-D ends.\n")?;
    }
    let (mut number, mut is_unterminated) = (0, false);
    loop {
        let read = stdin
            .fill_buf()
            .map_err(|error| Failure::Work(format!("cannot read standard input: {error}")))?;
        if read.is_empty() {
            break;
        }
        let end = memchr::memchr(b'\n', read);
        let count = end.map_or(read.len(), |end| end + 1);
        explainer.take(&read[..count]);
        stdin.consume(count);
        is_unterminated = end.is_none();
        if !is_unterminated {
            number += 1;
            print(explainer.explain(number).as_bytes())?;
        }
    }
    explainer.finish();
    if is_unterminated && explainer.has_findings() {
        print(explainer.explain(number + 1).as_bytes())?;
    } else if explainer.has_findings() {
        print(explainer.explain(number).as_bytes())?;
    }
    Ok(())
}

// === impl Explainer ===

impl Explainer {
    fn new(config: Config, log: Option<&str>) -> Result<Self, Failure> {
        let chosen: Vec<usize> = (0..config.streams.len())
            .filter(|&stream| log.is_none_or(|name| config.streams[stream].name == name))
            .collect();
        if chosen.is_empty() {
            let (log, names) = (log.unwrap_or_default(), input::names(&config));
            return Err(Failure::Usage(format!("no log is named `{log}`; the configuration has {names}")));
        }
        let reader = |stream: usize| Reader {
            stream,
            buffer: Buffer::new(&config.streams[stream].line),
            decoder: Decoder::new(&config.streams[stream].record),
            intake: Intake::new(&config, stream),
            findings: Vec::new(),
        };
        let readers = chosen.into_iter().map(reader).collect();
        Ok(Self { state: State::new(&config, secret()?), readers, config, has_ended: false })
    }

    /// Takes in bytes up to a line end, or a part of them.
    fn take(&mut self, bytes: &[u8]) {
        for reader in &mut self.readers {
            reader.take(bytes, &self.config, &mut self.state);
        }
    }

    /// Nothing comes any more.
    fn finish(&mut self) {
        self.has_ended = true;
        for reader in &mut self.readers {
            reader.buffer.finish();
            reader.take_lines(&self.config, &mut self.state);
        }
    }

    fn has_findings(&self) -> bool {
        self.readers.iter().any(|reader| !reader.findings.is_empty())
    }

    /// What became of the line that has just ended. Where some logs know it, the others are left out.
    fn explain(&mut self, number: u64) -> String {
        let findings = || self.readers.iter().flat_map(|reader| &reader.findings);
        let best = findings().map(|finding| finding.verdict).max();
        let mut text = format!("line {number}\n");
        for reader in &mut self.readers {
            let log = &self.config.streams[reader.stream];
            if best == Some(Verdict::Record) {
                reader.forget_foreign(log);
            } else if reader.findings.is_empty() && !self.has_ended {
                text.push_str(&format!("  {}: goes on in the next line\n", log.name));
            }
            for finding in reader.findings.drain(..).filter(|finding| Some(finding.verdict) == best) {
                text.push_str(&format!("  {}: {}", log.name, finding.text));
            }
        }
        text
    }
}

// === impl Reader ===

impl Reader {
    /// The line was a record of another log: it was neither this one's header nor does it open a quote here.
    fn forget_foreign(&mut self, log: &StreamConfig) {
        if self.findings.is_empty() && log.line.quoted.is_some() {
            self.buffer.restart(0, 0);
        }
        if self.findings.iter().any(|finding| finding.verdict == Verdict::Header) {
            self.decoder = Decoder::new(&log.record);
        }
    }

    fn take(&mut self, mut bytes: &[u8], config: &Config, state: &mut State) {
        while !bytes.is_empty() {
            let space = self.buffer.space();
            let (now, rest) = bytes.split_at(bytes.len().min(space.len()));
            space[..now.len()].copy_from_slice(now);
            self.buffer.filled(now.len(), clock::now());
            bytes = rest;
            self.take_lines(config, state);
        }
    }

    fn take_lines(&mut self, config: &Config, state: &mut State) {
        let Self { stream, buffer, decoder, intake, findings } = self;
        let log = &config.streams[*stream];
        while let Some(line) = buffer.next_line() {
            findings.push(match line {
                Err(reason) => Finding::rejected(reason.into()),
                Ok(line) => {
                    let before = state.logs[*stream].clone();
                    if intake.decode(line.bytes, decoder, &mut state.logs[*stream]) {
                        let counts = Counts::of(state);
                        intake.apply(config, state, &mut Clock::Wall(clock::now().into()));
                        let changes = Counts::of(state).since(&counts);
                        Finding::record(log, intake, &before, &state.logs[*stream], &changes)
                    } else {
                        Finding::no_record(&before, &state.logs[*stream])
                    }
                }
            });
        }
    }
}

// === impl Finding ===

impl Finding {
    fn rejected(reason: Reject) -> Self {
        let verdict = match reason {
            Reject::Malformed | Reject::Container | Reject::NothingMapped => Verdict::Foreign,
            _ => Verdict::Other,
        };
        Self { verdict, text: format!("rejected as {}: {}\n", reason.name(), reason.meaning()) }
    }

    /// Of a line that was counted as something other than a record.
    fn no_record(before: &LogTally, now: &LogTally) -> Self {
        if let Some(reason) = newly_rejected(before, now) {
            return Self::rejected(reason);
        }
        let is_new = |one: &Ignore| now.ignored[*one as usize] > before.ignored[*one as usize];
        let Some(reason) = Ignore::ALL.into_iter().find(is_new) else {
            unreachable!("a line that is no record is counted");
        };
        let text = format!("ignored as {}: {}\n", reason.name(), reason.meaning());
        let verdict = if reason == Ignore::Header { Verdict::Header } else { Verdict::Other };
        Self { verdict, text }
    }

    /// Of a line that was decoded, with what was in it and what that changed.
    fn record(
        log: &StreamConfig,
        intake: &Intake,
        before: &LogTally,
        now: &LogTally,
        changes: &[String],
    ) -> Self {
        let mut new = match newly_rejected(before, now) {
            Some(reason) => Self::rejected(reason),
            None => Self { verdict: Verdict::Record, text: "a record\n".to_owned() },
        };
        let shown = fields(log, intake);
        let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in shown {
            new.add(format_args!("{name:<width$}  {value}"));
        }
        for role in Role::ALL {
            if now.values.invalid(role) > before.values.invalid(role) {
                new.add(format_args!("the {} cannot be used and is counted as invalid", role.name()));
            }
        }
        for change in changes {
            new.add(format_args!("-> {change}"));
        }
        new
    }

    fn add(&mut self, what: std::fmt::Arguments<'_>) {
        if writeln!(self.text, "    {what}").is_err() {
            unreachable!("writing to a string does not fail");
        }
    }
}

fn newly_rejected(before: &LogTally, now: &LogTally) -> Option<Reject> {
    let is_new = |one: &Reject| now.rejected[*one as usize] > before.rejected[*one as usize];
    Reject::ALL.into_iter().find(is_new)
}

// === impl Counts ===

impl Counts {
    fn of(state: &State) -> Self {
        let mut counts = Vec::new();
        for monitor in state.monitors() {
            let model = monitor.name();
            let is_number = matches!(monitor.config().task, Task::Regression);
            for result in LabelResult::ALL {
                // Told apart by name from those of a version that has none.
                let which = format!("{model}: label {}, of no known version", result.name());
                counts.push((which, monitor.labels()[result as usize]));
            }
            let waiting = monitor.join().labels_waiting() as u64;
            counts.push((format!("{model}: label waits for its prediction"), waiting));
            for version in monitor.versions() {
                let of = if version.name.is_empty() {
                    model.to_owned()
                } else {
                    format!("{model} version {}", version.name)
                };
                let [ok, failed] = version
                    .requests
                    .iter()
                    .fold([0, 0], |[ok, failed], counts| [ok + counts[0], failed + counts[1]]);
                counts.push((format!("{of}: request"), ok + version.requests_unnamed));
                counts.push((format!("{of}: failed request"), failed));
                for (class, &count) in monitor.classes().vocabulary().names().zip(&version.predictions) {
                    // Numbers have no classes, and are counted as one.
                    let which = if is_number { String::new() } else { format!(" {class}") };
                    counts.push((format!("{of}: prediction{which}"), count));
                }
                counts.push((format!("{of}: prediction waits for its label"), version.pending));
                for result in LabelResult::ALL {
                    counts.push((format!("{of}: label {}", result.name()), version.labels[result as usize]));
                }
                for reason in Unlabeled::ALL {
                    let count = version.unlabeled[reason as usize];
                    counts.push((format!("{of}: prediction {}", reason.name()), count));
                }
            }
        }
        Self { counts }
    }

    /// What happened since `before`, a line each.
    fn since(&self, before: &Self) -> Vec<String> {
        let earlier: HashMap<&str, u64> =
            before.counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        self.counts
            .iter()
            .filter_map(|(name, count)| {
                match count.checked_sub(earlier.get(name.as_str()).copied().unwrap_or(0)) {
                    None | Some(0) => None,
                    Some(1) => Some(name.clone()),
                    Some(times) => Some(format!("{name} ({times} times)")),
                }
            })
            .collect()
    }
}

/// The mapped fields of the record, as they were written.
fn fields(log: &StreamConfig, intake: &Intake) -> Vec<(String, String)> {
    let event = &log.event;
    let fields = &event.fields;
    let mut mapped: Vec<(String, FieldId)> = Vec::new();
    let mut push = |name: &str, field: Option<FieldId>| {
        mapped.extend(field.map(|field| (name.to_owned(), field)));
    };
    if let crate::event::ModelName::Field(field) = event.model {
        push("model", Some(field));
    }
    push("id", fields.id);
    push("time", fields.time.as_ref().map(|time| time.field));
    push("version", fields.version);
    push("status", fields.status);
    push("latency", fields.latency.map(|latency| latency.field));
    push("prediction", fields.prediction);
    push("score", fields.score);
    push("label", fields.label);
    push("trace_id", fields.trace_id);
    for (class, field) in &fields.scores {
        push(&format!("scores.{class}"), Some(*field));
    }
    for (slice, field) in &fields.slices {
        push(&format!("slices.{slice}"), Some(*field));
    }
    let record = intake.record();
    let mut shown = Vec::new();
    for row in 0..record.rows() {
        for (name, field) in &mapped {
            let value = match record.value(*field, row) {
                Value::Missing => "is not there".to_owned(),
                Value::Null => "null".to_owned(),
                Value::Nested => "is an object or array where a plain value is needed".to_owned(),
                Value::Bool(truth) => truth.to_string(),
                Value::Number(number) => number.to_owned(),
                Value::Text(text) => format!("{text:?}"),
            };
            let name = if record.rows() > 1 { format!("[{row}].{name}") } else { name.clone() };
            shown.push((name, value));
        }
    }
    shown
}
