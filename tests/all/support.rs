//! What the tests share: cases, replays, the binary.

use inference_exporter::checkpoint::codec;
use inference_exporter::config::{self, Plan};
use inference_exporter::family;
use inference_exporter::family::writer::{Format, Writer};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::intake::{Clock, Intake};
use inference_exporter::pipeline::live::Live;
use inference_exporter::pipeline::replay::{self, Input};
use inference_exporter::pipeline::saved::Saved;
use inference_exporter::pipeline::{Config, State};
use inference_exporter::record::Decoder;
use inference_exporter::source::once::Once;
use inference_exporter::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The plan of a configuration text; panics with every mistake.
pub(crate) fn plan(text: &str) -> Plan {
    config::parse(text, "test.yaml", &|_| None).unwrap_or_else(|errors| panic!("{errors}")).plan
}

/// As `replay` has it: with the window `all`.
pub(crate) fn replay_config(text: &str) -> Config {
    let mut config = plan(text).pipeline;
    for model in config.models.iter_mut().chain(&mut config.found) {
        model.window_all = true;
    }
    config
}

/// Replays contents, each as one of the configuration's logs by name.
pub(crate) fn replay(config: &Config, logs: &[(&str, &[u8])]) -> State {
    let inputs = logs
        .iter()
        .map(|(name, content)| Input {
            stream: config.streams.iter().position(|log| log.name == *name).expect("a log of that name"),
            source: Box::new(Once::new(Cursor::new(content.to_vec()), Path::new(name))),
        })
        .collect();
    let mut state = State::new(config, Secret::new([1; 16]));
    replay::run(config, inputs, &mut state, &mut |_| {}).expect("memory can be read");
    state
}

/// Logs that are fed line by line to a configuration that may change meanwhile.
pub(crate) struct Run {
    config: Config,
    series: Option<usize>,
    pub(crate) state: State,
    intakes: Vec<(Intake, Decoder)>,
    now: Timestamp,
}

impl Run {
    pub(crate) fn new(text: &str) -> Self {
        Self::limited(text, None)
    }

    /// With a limit of series below which the configuration itself is refused.
    pub(crate) fn limited(text: &str, series: impl Into<Option<usize>>) -> Self {
        let series = series.into();
        let config = limited(text, series);
        let state = State::new(&config, Secret::new([1; 16]));
        let intakes = intakes(&config);
        Self { config, series, state, intakes, now: Timestamp::from_seconds(1_800_000_000) }
    }

    /// Lets seconds pass, so that what has waited too long leaves.
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.set_clock(self.now.plus(Span::from_seconds(seconds)));
    }

    pub(crate) fn set_clock(&mut self, now: Timestamp) {
        self.now = now;
        self.state.advance(now);
        self.state.expire(now);
    }

    /// One line of a log, a second later.
    pub(crate) fn feed(&mut self, log: &str, line: &str) {
        self.pass(1);
        self.feed_now(log, line);
    }

    pub(crate) fn feed_now(&mut self, log: &str, line: &str) {
        let at =
            self.config.streams.iter().position(|stream| stream.name == log).expect("a log of that name");
        let (intake, decoder) = &mut self.intakes[at];
        if intake.decode(line.as_bytes(), decoder, &mut self.state.logs[at]) {
            intake.apply(&self.config, &mut self.state, &mut Clock::Wall(self.now.into()));
        }
    }

    /// Whatever is carried over can be saved and read again.
    pub(crate) fn reload(&mut self, text: &str) {
        self.config = limited(text, self.series);
        self.state.reconfigure(&self.config);
        self.go_on();
        self.saved();
    }

    /// As `reload`, by way of a checkpoint.
    pub(crate) fn restart(&mut self, text: &str) {
        let saved = self.saved();
        self.config = limited(text, self.series);
        self.state = State::new(&self.config, Secret::new([2; 16]));
        self.with_live(|live| live.resume(Some(saved), None));
        self.go_on();
    }

    fn saved(&mut self) -> Saved {
        let bytes = self.with_live(|live| codec::encode(live, &mut || {}).0);
        codec::decode(&bytes).expect("what was encoded")
    }

    fn with_live<T>(&mut self, work: impl FnOnce(&mut Live) -> T) -> T {
        let unused = State::new(&self.config, Secret::new([3; 16]));
        let state = Arc::new(Mutex::new(std::mem::replace(&mut self.state, unused)));
        let mut live = Live::new(self.config.clone(), Arc::clone(&state)).expect("globs");
        let result = work(&mut live);
        drop(live);
        self.state = Arc::into_inner(state).expect("no other owner").into_inner().expect("no panic");
        result
    }

    fn go_on(&mut self) {
        self.intakes = intakes(&self.config);
        self.state.advance(self.now);
    }

    /// All samples with their values as they are written.
    pub(crate) fn series(&self) -> BTreeMap<String, String> {
        let text = self.exposition(Format::Text);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .map(|line| line.rsplit_once(' ').expect("a value"))
            .map(|(series, value)| (series.to_owned(), value.to_owned()))
            .collect()
    }

    pub(crate) fn open_metrics(&self) -> String {
        self.exposition(Format::OpenMetrics)
    }

    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.series().get(series).map(|value| value.parse().expect("a number"))
    }

    pub(crate) fn value(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.exposition(Format::Text)))
    }

    fn exposition(&self, format: Format) -> String {
        let mut writer = Writer::new(format, 0);
        family::write(&self.state, &mut writer);
        String::from_utf8(writer.finish()).expect("an exposition is UTF-8")
    }
}

fn limited(text: &str, series: Option<usize>) -> Config {
    let mut config = plan(text).pipeline;
    for model in &mut config.models {
        model.limits.series = series.unwrap_or(model.limits.series);
    }
    config
}

fn intakes(config: &Config) -> Vec<(Intake, Decoder)> {
    let streams = config.streams.iter().enumerate();
    streams.map(|(at, stream)| (Intake::new(config, at), Decoder::new(&stream.record))).collect()
}

/// The directories below one, in the order of their names.
pub(crate) fn directories(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn read_text(path: &Path) -> String {
    String::from_utf8(read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares with a committed file, or rewrites it where UPDATE_GOLDEN is set.
pub(crate) fn assert_golden(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, actual).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return;
    }
    let differing = expected.lines().zip(actual.lines()).position(|(left, right)| left != right);
    let line = differing.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    panic!(
        "{} is not what is written now; first difference in line {}:\n  committed: {}\n  now:       {}\n\
         `make golden` rewrites it; read the diff",
        path.display(),
        line + 1,
        expected.lines().nth(line).unwrap_or("(end)"),
        actual.lines().nth(line).unwrap_or("(end)"),
    );
}
