//! Logs that are followed, stepped by hand: time is an argument and nothing waits.

use super::support::plan;
use inference_exporter::join::Secret;
use inference_exporter::pipeline::State;
use inference_exporter::pipeline::live::{LOOK_INTERVAL, Live};
use inference_exporter::status::{LogStatus, ModelStatus, Status, VersionStatus};
use inference_exporter::time::{Span, Timestamp};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// An exporter without its thread, clock and server.
struct Exporter {
    directory: TempDir,
    live: Live,
    state: Arc<Mutex<State>>,
    now: Timestamp,
}

impl Exporter {
    /// `models` is the rest of the configuration; the logs are predictions.jsonl and labels.csv.
    fn new(models: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let config = plan(&text(directory.path(), models)).pipeline;
        let state = Arc::new(Mutex::new(State::new(&config, Secret::new([3; 16]))));
        let live = Live::new(config, Arc::clone(&state)).expect("globs");
        Self { directory, live, state, now: Timestamp::from_seconds(1_800_000_000) }
    }

    fn append(&self, file: &str, content: &str) {
        let path = self.directory.path().join(file);
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a log");
        file.write_all(content.as_bytes()).expect("room on the disk");
    }

    /// Reads all there is, then lets `seconds` pass. A batch takes as long as it can without the next look,
    /// so that whatever a look does is done between any two.
    fn settle(&mut self, seconds: i64) {
        for passed in [LOOK_INTERVAL, Span::from_seconds(seconds), LOOK_INTERVAL] {
            while self.live.turn(self.now) {
                self.now = self.now.plus(LOOK_INTERVAL);
            }
            self.now = self.now.plus(passed);
        }
        while self.live.turn(self.now) {}
    }

    fn model(&self) -> ModelStatus {
        let mut state = self.state.lock().expect("no panic");
        state.advance(self.now);
        Status::new(&state).models.remove(0)
    }

    fn log(&self, name: &str) -> LogStatus {
        let status = Status::new(&self.state.lock().expect("no panic"));
        status.logs.into_iter().find(|log| log.log == name).expect("the log")
    }

    fn version(&self) -> VersionStatus {
        self.model().versions.remove(0)
    }
}

fn text(directory: &Path, models: &str) -> String {
    format!(
        "logs:
  - name: predictions
    paths: ['{0}/predictions.jsonl']
    format: json
    start_at: beginning
    model: m
    fields: {{id: id, time: ts, prediction: y}}
  - name: labels
    paths: ['{0}/labels.csv']
    format: csv
    columns: [id, ts, y]
    start_at: beginning
    model: m
    fields: {{id: id, time: ts, label: y}}
models:
  m: {{task: binary, positive: \"1\", {models}}}
",
        directory.display()
    )
}

fn prediction(id: usize, at: i64) -> String {
    // The padding makes the predictions' log some times as long as the labels', as it is in real life.
    format!("{{\"id\": \"r{id}\", \"ts\": {at}, \"y\": 1, \"features\": \"{}\"}}\n", "x".repeat(300))
}

fn label(id: usize, at: i64) -> String {
    format!("r{id},{at},{}\n", id % 2)
}

#[test]
fn a_backlog_of_a_day_joins_as_if_it_had_been_read_while_it_was_written() {
    let mut exporter = Exporter::new("join: {wait: 1h}, windows: [1h, 24h]");
    let start = exporter.now.as_nanos() / 1_000_000_000 - 24 * 3600;
    let (mut predictions, mut labels) = (String::new(), String::new());
    let count = 20_000;
    for id in 0..count {
        let at = start + id as i64 * 4;
        predictions.push_str(&prediction(id, at));
        labels.push_str(&label(id, at + 1800));
    }
    assert!(predictions.len() > 20 * (256 << 10), "the backlog must take many batches");
    exporter.append("predictions.jsonl", &predictions);
    exporter.append("labels.csv", &labels);
    exporter.settle(0);
    let version = exporter.version();
    assert_eq!(version.predictions, count as u64);
    assert_eq!(version.labels.get("joined"), Some(&(count as u64)), "{version:?}");
    assert_eq!(version.labels.get("late"), None);
    assert_eq!(version.unlabeled.get("expired"), None);
    // Outcomes count when they happened, not when they were read: the last hour has 900 of them at most,
    // and a window reaches back by a twelfth more at most.
    let hour = version.windows.iter().find(|window| window.window == "1h").expect("the window");
    assert!((0..=975).contains(&hour.samples), "{}", hour.samples);
    let day = version.windows.iter().find(|window| window.window == "24h").expect("the window");
    assert!(day.samples > 19_000, "{}", day.samples);
}

/// Files that are quiet are looked at every other time; a symbolic link is not left out, as only the target that is
/// current at a look is followed.
#[test]
fn a_quiet_log_is_looked_at_less_often_and_a_linked_one_is_not() {
    for is_linked in [false, true] {
        let mut exporter = Exporter::new("windows: [1h]");
        let at = exporter.now.as_nanos() / 1_000_000_000;
        exporter.append("labels.csv", &label(0, at));
        exporter.append("file", &prediction(1, at));
        let [file, log] = ["file", "predictions.jsonl"].map(|name| exporter.directory.path().join(name));
        if is_linked {
            std::os::unix::fs::symlink(&file, &log).expect("linked");
        } else {
            std::fs::rename(&file, &log).expect("renamed");
        }
        for _ in 0..30 {
            while exporter.live.turn(exporter.now) {}
            exporter.now = exporter.now.plus(LOOK_INTERVAL);
        }
        // Just after a look.
        while exporter.live.turn(exporter.now.plus(LOOK_INTERVAL)) {}
        exporter.now = exporter.now.plus(LOOK_INTERVAL);
        exporter.append("predictions.jsonl", &prediction(2, at));
        let mut seen = Vec::new();
        for _ in 0..2 {
            exporter.now = exporter.now.plus(LOOK_INTERVAL);
            while exporter.live.turn(exporter.now) {}
            seen.push(exporter.log("predictions").lines);
        }
        assert_eq!(seen[1], 2, "within half a second");
        if is_linked {
            assert_eq!(seen[0], 2, "at the next look");
        }
    }
}

/// Where no log maps a version, the one there is counts from the start and for ever: `increase()` sees a first
/// event only if the counter was there before it.
#[test]
fn a_model_without_versions_keeps_its_counters_however_long_nothing_comes() {
    let mut exporter = Exporter::new("expire_after: 48h");
    let at = exporter.now.as_nanos() / 1_000_000_000;
    exporter.append("predictions.jsonl", &prediction(1, at));
    exporter.append("labels.csv", &label(1, at));
    exporter.settle(1);
    exporter.settle(72 * 3600);
    assert_eq!((exporter.version().labels["joined"], exporter.version().pending), (1, 0));
}

#[test]
fn nothing_expires_while_the_log_of_the_labels_is_still_unread() {
    let mut exporter = Exporter::new("join: {wait: 1h}");
    let now = exporter.now.as_nanos() / 1_000_000_000;
    // The first batch of predictions has both: one that waits, and a time far beyond its wait.
    exporter.append("predictions.jsonl", &(prediction(1, now - 7200) + &prediction(2, now)));
    exporter.append("labels.csv", &label(1, now - 7000));
    exporter.settle(0);
    let version = exporter.version();
    assert_eq!(version.labels.get("joined"), Some(&1), "{version:?}");
}

#[test]
fn a_prediction_expires_once_the_clock_has_passed_its_wait() {
    let mut exporter = Exporter::new("join: {wait: 1m}");
    let now = exporter.now.as_nanos() / 1_000_000_000;
    exporter.append("predictions.jsonl", &prediction(1, now));
    exporter.settle(0);
    assert_eq!((exporter.version().pending, exporter.version().unlabeled.len()), (1, 0));
    exporter.settle(61);
    let version = exporter.version();
    assert_eq!((version.pending, version.unlabeled.get("expired")), (0, Some(&1)));
    exporter.append("labels.csv", &label(1, now + 62));
    exporter.settle(0);
    assert_eq!(exporter.version().labels.get("late"), Some(&1));
}

#[test]
fn a_log_that_is_written_all_the_time_is_not_behind_and_a_backlog_is() {
    let mut exporter = Exporter::new("join: {wait: 1h}");
    let now = exporter.now.as_nanos() / 1_000_000_000;
    for id in 0..5 {
        exporter.append("predictions.jsonl", &prediction(id, now));
        exporter.settle(0);
        let log = exporter.log("predictions");
        assert_eq!((log.lag_seconds, log.lag_bytes), (Some(0.0), Some(0)));
    }
    let backlog: String = (5..10_000).map(|id| prediction(id, now)).collect();
    exporter.append("predictions.jsonl", &backlog);
    for _ in 0..4 {
        exporter.live.turn(exporter.now);
        exporter.now = exporter.now.plus(Span::from_seconds(1));
    }
    let log = exporter.log("predictions");
    assert!(log.lag_seconds >= Some(1.0) && log.lag_seconds < Some(5.0), "{log:?}");
    assert!(log.lag_bytes > Some(1 << 20), "{log:?}");
    exporter.settle(0);
    let log = exporter.log("predictions");
    assert_eq!((log.lag_seconds, log.lag_bytes), (Some(0.0), Some(0)));
}

#[test]
fn a_time_ahead_of_the_clock_is_now() {
    let mut exporter = Exporter::new("join: {wait: 1m}");
    let now = exporter.now.as_nanos() / 1_000_000_000;
    exporter.append("predictions.jsonl", &prediction(1, now + 1_000_000));
    exporter.settle(0);
    let seen = exporter.version().last_seen.expect("a time");
    assert!(seen <= exporter.now.as_seconds(), "{seen}");
    exporter.settle(62);
    assert_eq!(exporter.version().unlabeled.get("expired"), Some(&1));
}

#[test]
fn another_configuration_keeps_counts_positions_and_waiting_predictions() {
    let mut exporter = Exporter::new("join: {wait: 1h}");
    let now = exporter.now.as_nanos() / 1_000_000_000;
    exporter.append("predictions.jsonl", &(prediction(1, now) + &prediction(3, now)));
    exporter.append("labels.csv", &label(1, now));
    exporter.settle(0);
    let before = exporter.version();
    let new = plan(&text(exporter.directory.path(), "join: {wait: 2h}, targets: {accuracy: 0.9}")).pipeline;
    exporter.live.reconfigure(new).expect("globs");
    assert_eq!(format!("{before:?}"), format!("{:?}", exporter.version()), "to the digit");
    assert_eq!(exporter.model().targets.len(), 1);
    exporter.append("labels.csv", &label(3, now + 3700));
    exporter.settle(0);
    let after = exporter.version();
    assert_eq!((after.predictions, after.pending), (2, 0));
    assert_eq!(after.labels.get("joined"), Some(&2), "the longer wait is in force: {after:?}");
}

#[test]
fn a_change_of_what_the_numbers_mean_starts_them_anew() {
    let mut exporter = Exporter::new("join: {wait: 1h}");
    let now = exporter.now.as_nanos() / 1_000_000_000;
    exporter.append("predictions.jsonl", &prediction(1, now));
    exporter.settle(0);
    let other = text(exporter.directory.path(), "threshold: 0.9").replace("\"1\"", "\"0\"");
    exporter.live.reconfigure(plan(&other).pipeline).expect("globs");
    assert_eq!(exporter.version().predictions, 0);
    exporter.append("predictions.jsonl", &prediction(2, now));
    exporter.settle(0);
    assert_eq!(exporter.version().predictions, 1, "no line is read again");
}
