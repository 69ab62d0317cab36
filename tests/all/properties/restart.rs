//! Whenever a process is killed, and however often: what is counted in the end is what one that was never stopped
//! counts, and nothing that was shown is shown lower.

use super::super::golden::exposition;
use super::super::support::plan;
use super::traffic::{CONFIG, Event, events};
use inference_exporter::checkpoint::codec;
use inference_exporter::family::writer::Format;
use inference_exporter::join::Secret;
use inference_exporter::pipeline::live::Live;
use inference_exporter::pipeline::{Config, State};
use inference_exporter::time::{Span, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// What happens next to the logs or to the process.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many bytes of both logs are written, wherever that cuts a line.
    Write(usize),
    Rotate,
    Read,
    Scrape,
    Checkpoint,
    Crash,
}

/// When a process is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Death {
    /// All is read as soon as it is written, and it is killed right after a scrape.
    Shown,
    /// Whatever was read since the last scrape.
    Sudden,
}

/// A process that may be killed, and the disk that outlives it.
struct Process {
    directory: TempDir,
    live: Live,
    state: Arc<Mutex<State>>,
    now: Timestamp,
    checkpoint: Option<Vec<u8>>,
    shown: Option<Vec<u8>>,
    /// The counters of the last scrape.
    seen: BTreeMap<String, f64>,
    rotations: usize,
    can_die: bool,
}

impl Process {
    /// As the program does it: what is there at the very first look is known from then on.
    fn new(start: Timestamp, can_die: bool) -> Self {
        let mut new = Self::without_logs(start, can_die);
        new.write("predictions", b"\n");
        new.write("labels", b"\n");
        new.live.look(new.now);
        new.take_checkpoint();
        new
    }

    fn without_logs(now: Timestamp, can_die: bool) -> Self {
        let directory = TempDir::new().expect("a directory");
        let (live, state) = start_live(&directory);
        let (checkpoint, shown, seen) = (None, None, BTreeMap::new());
        let mut new = Self { directory, live, state, now, checkpoint, shown, seen, rotations: 0, can_die };
        new.resume();
        new
    }

    fn resume(&mut self) {
        let saved = self.checkpoint.as_deref().map(|bytes| codec::decode(bytes).expect("what was encoded"));
        let shown = self.shown.as_deref().map(|bytes| codec::decode_mark(bytes).expect("what was encoded"));
        self.live.resume(saved, shown);
    }

    fn write(&self, log: &str, bytes: &[u8]) {
        let path = self.directory.path().join(log);
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a log");
        file.write_all(bytes).expect("room on the disk");
    }

    fn rotate(&mut self) {
        self.rotations += 1;
        for log in ["predictions", "labels"] {
            let path = self.directory.path().join(log);
            if path.exists() {
                fs::rename(&path, path.with_extension(self.rotations.to_string())).expect("renamed");
            }
        }
    }

    /// Reads all there is.
    fn read(&mut self) {
        self.now = self.now.plus(Span::from_millis(250));
        while self.live.turn(self.now) {}
    }

    fn scrape(&mut self) {
        let mut state = self.state.lock().expect("no panic");
        if !state.can_be_shown {
            return;
        }
        self.shown = state.mark(self.now).as_ref().map(codec::encode_mark);
        let counters = counters(&exposition(&state, Format::Text));
        for (series, before) in &self.seen {
            let now = counters.get(series).unwrap_or_else(|| panic!("{series} was {before} and is gone"));
            assert!(now >= before, "{series} went back from {before} to {now}");
        }
        self.seen = counters;
    }

    fn take_checkpoint(&mut self) {
        if self.live.is_catching_up() {
            return;
        }
        self.live.settle(self.now);
        let (bytes, number) = codec::encode(&self.live, &mut || {});
        self.checkpoint = Some(bytes);
        self.state.lock().expect("no panic").note_checkpoint(number);
    }

    fn crash(&mut self) {
        (self.live, self.state) = start_live(&self.directory);
        self.resume();
    }

    fn take(&mut self, step: Step, contents: &mut [(&str, &[u8]); 2], death: Death) {
        match step {
            Step::Write(count) => {
                for (log, content) in contents {
                    let (written, rest) = content.split_at(count.min(content.len()));
                    *content = rest;
                    self.write(log, written);
                }
                if death == Death::Shown {
                    // Of logs that are both behind, either may be read first.
                    self.read();
                }
            }
            Step::Rotate => {
                if death == Death::Shown {
                    // The rest of a rotated file becomes a line some seconds after anyone has seen it rotated.
                    ["predictions", "labels"].iter().for_each(|log| self.write(log, b"\n"));
                    self.read();
                }
                self.rotate();
            }
            Step::Read => self.read(),
            Step::Scrape => self.scrape(),
            Step::Checkpoint => self.take_checkpoint(),
            Step::Crash => {
                if death == Death::Shown {
                    self.scrape();
                }
                if self.can_die {
                    self.crash();
                }
                if death == Death::Shown {
                    self.read();
                    assert!(!self.live.is_catching_up(), "all that was shown is still there");
                }
            }
        }
    }

    /// Everything that was ever written, read and settled; sorted, as the order of reading decides that of
    /// names.
    fn finish(&mut self) -> Vec<String> {
        for _ in 0..30 {
            self.read();
        }
        self.take_checkpoint();
        self.scrape();
        let state = self.state.lock().expect("no panic");
        assert!(state.can_be_shown, "it is shown in the end");
        let exposition = exposition(&state, Format::Text);
        // How long a file is held that was seen to be rotated, and when the rest of it becomes a line without a
        // time, begins anew with each process.
        let by_process = ["inference_exporter_files{", "inference_exporter_last_record_timestamp_seconds{"];
        let lines = exposition.lines().filter(|line| !by_process.iter().any(|name| line.starts_with(name)));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

fn start_live(directory: &TempDir) -> (Live, Arc<Mutex<State>>) {
    start_live_with(config(directory, CONFIG))
}

fn config(directory: &TempDir, text: &str) -> Config {
    let root = directory.path().display();
    plan(&text.replace("paths: [", &format!("start_at: beginning\n    paths: [{root}/"))).pipeline
}

fn start_live_with(config: Config) -> (Live, Arc<Mutex<State>>) {
    let state = Arc::new(Mutex::new(State::new(&config, Secret::new([1; 16]))));
    let live = Live::new(config, Arc::clone(&state)).expect("globs");
    (live, state)
}

fn counters(exposition: &str) -> BTreeMap<String, f64> {
    let samples = exposition.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.filter_map(|line| line.rsplit_once(' '));
    let is_counter = |series: &str| {
        let name = series.split('{').next().unwrap_or_default();
        ["_total", "_bucket", "_count"].iter().any(|end| name.ends_with(end))
    };
    samples
        .filter(|(series, _)| is_counter(series))
        .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
        .collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..2000usize).prop_map(Step::Write),
        1 => Just(Step::Rotate),
        4 => Just(Step::Read),
        3 => Just(Step::Scrape),
        2 => Just(Step::Checkpoint),
        2 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

fn run(events: &[Event], steps: &[Step], death: Death, can_die: bool) -> Vec<String> {
    let logs = super::whole(events);
    let mut contents = [("predictions", &logs[0].1[..]), ("labels", &logs[1].1[..])];
    let last = events.iter().map(|event| event.time).max().unwrap_or_default();
    let start = Timestamp::from_nanos(i64::try_from(last).expect("a time") * 1_000_000);
    let mut process = Process::new(start.plus(Span::from_seconds(1)), can_die);
    for &step in steps {
        process.take(step, &mut contents, death);
    }
    process.take(Step::Write(usize::MAX), &mut contents, death);
    process.finish()
}

fn differing<'a>(left: &'a [String], right: &'a [String]) -> Vec<(&'a String, &'a String)> {
    assert_eq!(left.len(), right.len(), "{left:#?} {right:#?}");
    left.iter().zip(right).filter(|(left, right)| left != right).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// To the last digit: what was shown is read again in the order in which it was read.
    #[test]
    fn scenario_74_killed_after_a_scrape_it_counts_as_if_it_had_never_been(events in events(), steps in steps()) {
        let (killed, never) = (run(&events, &steps, Death::Shown, true), run(&events, &steps, Death::Shown, false));
        prop_assert_eq!(differing(&killed, &never), Vec::<(&String, &String)>::new());
    }

    /// What nobody has seen may be read in another order of logs, on which it depends whether a second label
    /// knows its version. What does not depend on it is the same.
    #[test]
    fn scenario_74_killed_at_any_time_it_counts_every_line_once(events in events(), steps in steps()) {
        let of_lines = |lines: Vec<String>| -> Vec<String> {
            let names = ["exporter_lines", "exporter_bytes", "exporter_rejected", "exporter_rotations", "requests_total", "predictions_total"];
            lines.into_iter().filter(|line| names.iter().any(|name| line.contains(name))).collect()
        };
        let killed = of_lines(run(&events, &steps, Death::Sudden, true));
        let never = of_lines(run(&events, &steps, Death::Sudden, false));
        prop_assert_eq!(differing(&killed, &never), Vec::<(&String, &String)>::new());
    }
}

/// The first look lists a directory and then opens what it found; a file that is renamed in between is in neither
/// place, and is found by the next look.
#[test]
fn a_file_that_is_renamed_during_the_first_look_is_waited_for() {
    let mut process = Process::new(Timestamp::from_seconds(1_700_000_000), true);
    let line =
        br#"{"model": "binary", "id": "a", "t": 1700000000, "v": "1", "y": "1", "p": 0.9, "status": "200"}"#;
    let write = |process: &mut Process| {
        process.write("predictions", &[&line[..], b"\n"].concat());
        process.read();
    };
    write(&mut process);
    process.take_checkpoint();
    write(&mut process);
    process.scrape();

    let elsewhere = TempDir::new().expect("a directory");
    let hidden = elsewhere.path().join("hidden");
    fs::rename(process.directory.path().join("predictions"), &hidden).expect("renamed");
    process.crash();
    process.read();
    assert!(process.live.is_catching_up(), "it may only have been renamed");
    fs::rename(&hidden, process.directory.path().join("predictions.1")).expect("renamed");
    process.read();
    assert!(!process.live.is_catching_up(), "all that was shown is there");
    process.scrape();
}

/// Its position is in no checkpoint; that it was not there when the checkpoint was taken says that it is ours.
#[test]
fn a_first_file_that_is_rotated_before_any_checkpoint_holds_it_is_read_again() {
    let mut process = Process::without_logs(Timestamp::from_seconds(1_700_000_000), true);
    process.read();
    process.take_checkpoint();
    process.write("predictions", b"no record\n");
    process.read();
    process.scrape();
    process.rotate();
    process.write("predictions", b"no record either\n");
    process.crash();
    process.read();
    process.scrape();
    assert_eq!(process.seen["inference_exporter_lines_total{log=\"predictions\"}"], 2.0);
}

const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// The lines of a prediction and of its label at so many seconds after `START`.
fn prediction(id: usize, at: i64) -> String {
    let at = 1_700_000_000 + at;
    format!(
        r#"{{"model": "binary", "id": "{id}", "t": {at}, "v": "1", "y": "1", "p": 0.9, "status": "200"}}"#
    ) + "\n"
}

fn label(id: usize, at: i64) -> String {
    format!("model=binary id={id} t={} truth=1\n", 1_700_000_000 + at)
}

const JOINED: &str = "inference_labels_total{model=\"binary\",version=\"1\",result=\"joined\"}";
const PREDICTIONS: &str = "inference_predictions_total{model=\"binary\",version=\"1\",predicted=\"1\"}";

/// What was expired before the checkpoint is not expired again after it: the clock was set back, and what is that
/// old has come since.
#[test]
fn a_mark_that_is_older_than_the_checkpoint_does_nothing_again() {
    let mut process = Process::new(START, true);
    process.write("predictions", prediction(1, 0).as_bytes());
    process.read();
    process.live.settle(process.now);
    process.scrape();
    process.now = START.minus(Span::from_seconds(7200));
    process.write("predictions", prediction(2, -7200).as_bytes());
    process.read();
    process.take_checkpoint();
    process.crash();
    assert!(!process.live.is_catching_up(), "the checkpoint holds all of it");
    process.write("labels", label(2, -7190).as_bytes());
    process.read();
    process.scrape();
    assert_eq!(process.seen.get(JOINED), Some(&1.0), "{:#?}", process.seen);
}

/// As above, for a checkpoint that was on its way to the disk when the mark was made.
#[test]
fn of_a_mark_only_what_follows_the_checkpoint_is_done_again() {
    let mut process = Process::new(START, true);
    process.read();
    process.live.settle(process.now);
    process.now = START.minus(Span::from_seconds(7200));
    process.write("predictions", prediction(2, -7200).as_bytes());
    process.read();
    let (bytes, _) = codec::encode(&process.live, &mut || {});
    process.write("predictions", prediction(3, -7200).as_bytes());
    process.read();
    process.scrape();
    process.checkpoint = Some(bytes);
    process.crash();
    process.write("labels", [label(2, -7190), label(3, -7190)].concat().as_bytes());
    process.read();
    process.scrape();
    assert_eq!(process.seen.get(JOINED), Some(&2.0), "{:#?}", process.seen);
}

/// A writer whose clock is ahead: what was taken to have happened when it was read is so again.
#[test]
fn an_event_of_the_future_has_the_same_time_when_it_is_read_again() {
    let mut process = Process::new(START, true);
    process.take_checkpoint();
    process.write("predictions", prediction(1, 0).as_bytes());
    process.write("labels", label(1, 100).as_bytes());
    process.read();
    process.scrape();
    process.now = START.plus(Span::from_seconds(200));
    process.crash();
    process.read();
    process.scrape();
    assert_eq!(process.seen.get(JOINED), Some(&1.0));
}

/// More than is read at once, so that a state could be shown that holds some of it.
const MANY: usize = 5000;

#[test]
fn a_log_with_another_name_after_a_crash_is_read_again_before_anything_is_shown() {
    let mut process = Process::new(START, true);
    let lines: String = (0..MANY).map(|id| prediction(id, 0)).collect();
    process.write("predictions", lines.as_bytes());
    process.read();
    process.scrape();
    assert_eq!(process.seen.get(PREDICTIONS), Some(&(MANY as f64)));
    let renamed = config(&process.directory, &CONFIG.replace("name: predictions", "name: renamed"));
    (process.live, process.state) = start_live_with(renamed);
    process.resume();
    // What was counted of a log goes by its name.
    process.seen.retain(|series, _| !series.contains("predictions\""));
    while process.live.is_catching_up() {
        process.live.turn(process.now);
    }
    process.scrape();
}

#[test]
fn a_reload_that_renames_a_log_forgets_nothing_of_what_is_to_be_read_again() {
    let mut process = Process::new(START, true);
    process.write("predictions", prediction(1, 0).as_bytes());
    process.read();
    let first = "logs:\n  - name: first\n    paths: [first]\n    format: logfmt\n    fields: {model: model, id: id, time: t, label: truth}\n";
    let text = CONFIG.replace("name: predictions", "name: renamed").replace("logs:\n", first);
    let renamed = config(&process.directory, &text);
    process.live.reconfigure(renamed).expect("globs");
    let mark = process.state.lock().expect("no panic").mark(process.now).expect("checkpoints");
    let files = |name: &str| mark.logs.iter().find(|log| log.log == name).map(|log| log.files.len());
    // Both logs began with an empty line that no checkpoint holds yet.
    assert_eq!((files("renamed"), mark.steps.map(|steps| steps.len())), (Some(1), Some(2)));
}

#[test]
fn what_had_waited_too_long_when_it_was_shown_is_let_go_again() {
    let mut process = Process::new(START, true);
    process.write("predictions", prediction(1, -7200).as_bytes());
    process.read();
    process.live.settle(process.now);
    process.scrape();
    process.crash();
    process.read();
    process.scrape();
    let expired = process.seen.iter().find(|(series, _)| series.contains("reason=\"expired\""));
    assert_eq!(expired.map(|(_, count)| *count), Some(1.0));
}
