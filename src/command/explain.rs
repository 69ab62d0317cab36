//! `explain`: what becomes of each line of standard input.
//!
//! The lines go through the same decoder, mapping and monitor as everywhere; what is said is what changed.
//! This is the one command that shows the content of lines, to whoever typed them in.

use super::{ConfigArguments, Failure, Outcome, clock, load_and_warn, print, secret};
use crate::event::mapping::Role;
use crate::monitor::tally::{LabelResult, Unlabeled};
use crate::pipeline::intake::{Clock, Intake};
use crate::pipeline::{Config, State};
use crate::record::{Decoder, FieldId, Value};
use crate::verdict::{Ignore, Reject};
use clap::Args;
use std::fmt::Write;
use std::io::{self, BufRead};

#[derive(Args)]
pub(super) struct ExplainArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The log that the lines are of [default: every log is tried]
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
}

/// One log, with what it reads lines by.
struct Reader {
    stream: usize,
    decoder: Decoder,
    intake: Intake,
}

/// Counts that tell what a line did.
#[derive(Clone, PartialEq, Eq, Default)]
struct Counts {
    /// What each is called, and how many.
    counts: Vec<(String, u64)>,
}

pub(super) fn run(arguments: &ExplainArguments) -> Outcome {
    let config = load_and_warn(&arguments.config.config)?.pipeline;
    let mut readers = readers(&config, arguments.log.as_deref())?;
    let mut state = State::new(&config, secret()?);
    for (number, line) in io::stdin().lock().split(b'\n').enumerate() {
        let line = line.map_err(|error| Failure::Work(format!("cannot read standard input: {error}")))?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let mut text = format!("line {}\n", number + 1);
        for reader in &mut readers {
            reader.explain(&config, &mut state, line, &mut text);
        }
        print(text.as_bytes())?;
    }
    Ok(())
}

fn readers(config: &Config, log: Option<&str>) -> Result<Vec<Reader>, Failure> {
    let chosen: Vec<usize> = (0..config.streams.len())
        .filter(|&stream| log.is_none_or(|name| config.streams[stream].name == name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = config.streams.iter().map(|log| log.name.as_str()).collect();
        return Err(Failure::Usage(format!(
            "no log is named `{}`; the configuration has {}",
            log.unwrap_or_default(),
            names.join(", ")
        )));
    }
    let reader = |stream: usize| Reader {
        stream,
        decoder: Decoder::new(&config.streams[stream].record),
        intake: Intake::new(config, stream),
    };
    Ok(chosen.into_iter().map(reader).collect())
}

impl Reader {
    fn explain(&mut self, config: &Config, state: &mut State, line: &[u8], text: &mut String) {
        let log = &config.streams[self.stream];
        let mut say = |what: &str| {
            if writeln!(text, "  {}: {what}", log.name).is_err() {
                unreachable!("writing to a string does not fail");
            }
        };
        if line.len() > log.line.line_bytes_max {
            return say("rejected as too_long: longer than limits.line");
        }
        let before = state.logs[self.stream].clone();
        if !self.intake.decode(line, &mut self.decoder, &mut state.logs[self.stream]) {
            let now = &state.logs[self.stream];
            let rejected = Reject::ALL
                .into_iter()
                .find(|&one| now.rejected[one as usize] > before.rejected[one as usize]);
            let ignored =
                Ignore::ALL.into_iter().find(|&one| now.ignored[one as usize] > before.ignored[one as usize]);
            return match (rejected, ignored) {
                (Some(reason), _) => say(&format!("rejected as {}: {}", reason.name(), reason.meaning())),
                (None, Some(reason)) => say(&format!("ignored as {}: {}", reason.name(), reason.meaning())),
                (None, None) => unreachable!("a line that is no record is counted"),
            };
        }
        let counts_before = Counts::of(state);
        self.intake.apply(config, state, &mut Clock::Wall { now: clock::now() });
        let now = &state.logs[self.stream];
        let rejected =
            Reject::ALL.into_iter().find(|&one| now.rejected[one as usize] > before.rejected[one as usize]);
        match rejected {
            Some(reason) => say(&format!("rejected as {}: {}", reason.name(), reason.meaning())),
            None => say("a record"),
        }
        for (name, value) in self.fields(config) {
            text.push_str(&format!("    {name:<12} {value}\n"));
        }
        for role in Role::ALL {
            if now.values.invalid(role) > before.values.invalid(role) {
                text.push_str(&format!("    the {} cannot be used and is counted as invalid\n", role.name()));
            }
        }
        for change in Counts::of(state).since(&counts_before) {
            text.push_str(&format!("    -> {change}\n"));
        }
    }

    /// The mapped fields of the record, as they were written.
    fn fields(&self, config: &Config) -> Vec<(String, String)> {
        let event = &config.streams[self.stream].event;
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
        let record = self.intake.record();
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
}

impl Counts {
    fn of(state: &State) -> Self {
        let mut counts = Vec::new();
        for monitor in state.monitors() {
            let model = monitor.name();
            for result in LabelResult::ALL {
                counts.push((format!("{model}: label {}", result.name()), monitor.labels()[result as usize]));
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
                    counts.push((format!("{of}: prediction {class}"), count));
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
        let earlier =
            |name: &str| before.counts.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
        self.counts
            .iter()
            .filter_map(|(name, count)| match count.checked_sub(earlier(name)) {
                None | Some(0) => None,
                Some(1) => Some(name.clone()),
                Some(times) => Some(format!("{name} ({times} times)")),
            })
            .collect()
    }
}
