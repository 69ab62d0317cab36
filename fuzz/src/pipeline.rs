//! The whole way: any bytes in, `/metrics` out.
//!
//! The first byte chooses a configuration, the second how reads cut. What follows is the content of its
//! logs, a line `%%` between one and the next. Read in pieces and read whole, the logs must come to the same
//! page, which must be well formed and add up.

use crate::exposition::{self, Samples};
use crate::{Choices, choose};
use inference_exporter::config;
use inference_exporter::family::{self, writer};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::replay::{self, Input};
use inference_exporter::pipeline::{Config, State};
use inference_exporter::report;
use inference_exporter::source::identity::Position;
use inference_exporter::source::{Error, Progress, Source};
use inference_exporter::status::Status;
use inference_exporter::time::Timestamp;
use std::sync::LazyLock;

const CONFIGS: [&str; 7] = [
    include_str!("pipeline/binary.yaml"),
    include_str!("pipeline/multiclass.yaml"),
    include_str!("pipeline/regression.yaml"),
    include_str!("pipeline/halves.yaml"),
    include_str!("pipeline/found.yaml"),
    include_str!("pipeline/containers.yaml"),
    include_str!("pipeline/tight.yaml"),
];

/// The configurations, ready to run.
pub(crate) static PLANS: LazyLock<Vec<Config>> = LazyLock::new(|| CONFIGS.map(plan).into());

/// Gives the bytes of one log in pieces.
struct Pieces {
    content: Vec<u8>,
    read: usize,
    choices: Option<Choices>,
}

pub(crate) fn run(bytes: &[u8]) {
    let Some((choice, rest)) = choose(bytes, PLANS.len()) else { return };
    let Some((seed, rest)) = choose(rest, 256) else { return };
    let config = &PLANS[choice];
    let contents = contents(rest, config.streams.len());
    let whole = replay(config, &contents, None);
    let pieces = replay(config, &contents, Some(seed as u64));
    let text = expose(&whole, writer::Format::Text);
    assert!(text == expose(&pieces, writer::Format::Text), "the page hangs on how reads cut the logs");
    check_logs(&whole, &contents);
    let samples = exposition::check(&text, writer::Format::Text);
    check_sums(&whole, &samples);
    let open = exposition::check(&expose(&whole, writer::Format::OpenMetrics), writer::Format::OpenMetrics);
    assert_eq!(open.len(), samples.len(), "the two formats have different series");
    let status = Status::new(&whole);
    let report = report::json(&status);
    let read: Result<serde_json::Value, _> = serde_json::from_slice(&report);
    assert!(read.is_ok(), "the report is no JSON");
    assert!(!report::text(&status, false).is_empty());
    let page = inference_exporter::page::html(
        &status,
        whole.logs.iter().map(|log| log.last_record).max().unwrap_or_default(),
    );
    assert!(page.ends_with("</html>\n"), "the page has no end");
}

fn plan(text: &str) -> Config {
    let loaded = config::parse(text, "fuzz.yaml", &|_| None);
    let mut config = loaded.unwrap_or_else(|errors| panic!("{errors}")).plan.pipeline;
    for model in config.models.iter_mut().chain(&mut config.found) {
        model.window_all = true;
    }
    config
}

/// The contents of so many logs; the last takes all that is left.
pub(crate) fn contents(bytes: &[u8], count: usize) -> Vec<&[u8]> {
    const BETWEEN: &[u8] = b"%%\n";
    let mut rest = bytes;
    let mut contents = Vec::new();
    while contents.len() + 1 < count {
        let found = rest.windows(BETWEEN.len()).position(|three| three == BETWEEN);
        let (first, after) = found.map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + BETWEEN.len()..]));
        contents.push(first);
        rest = after;
    }
    contents.push(rest);
    contents
}

pub(crate) fn replay(config: &Config, contents: &[&[u8]], seed: Option<u64>) -> State {
    let inputs = contents.iter().enumerate().map(|(stream, content)| {
        let source = Pieces { content: content.to_vec(), read: 0, choices: seed.map(Choices) };
        Input { stream, source: Box::new(source) }
    });
    let mut state = State::new(config, Secret::new([1; 16]));
    let mut read = 0;
    let replayed = replay::run(config, inputs.collect(), &mut state, &mut |count| read += count);
    replayed.unwrap_or_else(|error| panic!("memory can be read: {error}"));
    assert_eq!(read, contents.iter().map(|content| content.len() as u64).sum::<u64>());
    state
}

pub(crate) fn expose(state: &State, format: writer::Format) -> Vec<u8> {
    let mut writer = writer::Writer::new(format, 1 << 14);
    family::write(state, &mut writer);
    writer.finish()
}

/// Every line is one thing, every byte is counted.
fn check_logs(state: &State, contents: &[&[u8]]) {
    for (log, content) in state.logs.iter().zip(contents) {
        let rejected: u64 = log.rejected.iter().sum();
        let ignored: u64 = log.ignored.iter().sum();
        assert_eq!(log.lines, log.records + rejected + ignored, "{}: lines are lost", log.name);
        assert_eq!(log.bytes, content.len() as u64, "{}: bytes are lost", log.name);
        let ends = content.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert!(log.lines <= ends + 2, "{}: {} lines of {ends} line ends", log.name, log.lines);
    }
}

/// The page says of logs and models what adds up.
fn check_sums(state: &State, samples: &Samples) {
    let sum = |name: &str, labels: &[(&str, &str)]| -> f64 {
        let head = format!("{name}{{");
        let is_one = |series: &str| {
            series.starts_with(&head)
                && labels.iter().all(|(label, value)| series.contains(&format!("{label}={value:?},")))
        };
        samples
            .range(head.clone()..)
            .take_while(|(series, _)| series.starts_with(&head))
            .filter(|(series, _)| is_one(series))
            .map(|(_, value)| value)
            .sum()
    };
    for log in &state.logs {
        let of = |name: &str| sum(name, &[("log", &log.name)]);
        let parts = of("inference_exporter_records_total")
            + of("inference_exporter_rejected_lines_total")
            + of("inference_exporter_ignored_lines_total");
        assert_eq!(of("inference_exporter_lines_total"), parts, "{}", log.name);
    }
    for monitor in state.monitors() {
        let of = |name: &str, label: (&str, &str)| sum(name, &[("model", monitor.name()), label]);
        let waiting: u64 = monitor.versions().map(|version| version.pending).sum();
        assert!(waiting <= monitor.join().len() as u64, "{}: {waiting} predictions wait", monitor.name());
        for version in monitor.versions() {
            let of = |name: &str| of(name, ("version", &version.name));
            let joined = version.labels[0] as f64;
            let settled =
                joined + of("inference_predictions_pending") + of("inference_predictions_unlabeled_total");
            let predictions = of("inference_predictions_total");
            assert!(settled <= predictions, "{}: {settled} of {predictions}", monitor.name());
            assert!(of("inference_label_delay_seconds_count") <= joined);
            let outcomes = of("inference_outcomes_total");
            assert!(
                outcomes == joined || outcomes == 0.0,
                "{}: {outcomes} outcomes of {joined}",
                monitor.name()
            );
        }
    }
}

impl Source for Pieces {
    fn read(&mut self, space: &mut [u8], _now: Timestamp) -> Result<Progress, Error> {
        let rest = &self.content[self.read..];
        if rest.is_empty() {
            return Ok(Progress::Ended);
        }
        let most = self.choices.as_mut().map_or(usize::MAX, Choices::read_bytes);
        let count = most.min(rest.len()).min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(Progress::Bytes(count))
    }

    fn position(&self) -> Position {
        unreachable!("a replay does not ask how far it came")
    }
}
