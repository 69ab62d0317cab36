//! Logs that are followed while the configuration changes: no line is read again, and none is left out.

use crate::support::plan;
use inference_exporter::join::Secret;
use inference_exporter::pipeline::live::{LOOK_INTERVAL, Live};
use inference_exporter::pipeline::{LogTally, State};
use inference_exporter::source::tally::Rotation;
use inference_exporter::status::{Status, VersionStatus};
use inference_exporter::time::Timestamp;
use inference_exporter::verdict::{Ignore, Reject};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// `DIR` stands for the directory of the test.
const JSON: &str = "
logs:
  - {name: p, paths: ['DIR/p.log'], format: json, start_at: beginning, model: m, fields: {id: id, prediction: y}}
models:
  m: {task: binary, positive: '1'}
";

const CRI: &str = "
logs:
  - {name: p, paths: ['DIR/p.log'], container: cri, format: json, start_at: beginning, model: m, fields: {id: id, prediction: y}}
models:
  m: {task: binary, positive: '1'}
";

struct Followed {
    directory: TempDir,
    live: Live,
    state: Arc<Mutex<State>>,
    now: Timestamp,
}

impl Followed {
    fn new(text: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let text = text.replace("DIR", &directory.path().display().to_string());
        let config = plan(&text).pipeline;
        let state = Arc::new(Mutex::new(State::new(&config, Secret::new([3; 16]))));
        let live = Live::new(config, Arc::clone(&state)).expect("globs");
        Self { directory, live, state, now: Timestamp::from_seconds(1_800_000_000) }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn append(&self, file: &str, content: &str) -> File {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(file)).expect("a log");
        file.write_all(content.as_bytes()).expect("room on the disk");
        file
    }

    fn reload(&mut self, text: &str) {
        let text = text.replace("DIR", &self.directory.path().display().to_string());
        self.live.reconfigure(plan(&text).pipeline).expect("globs");
    }

    /// Reads all there is, and what a second look finds. Quiet files that were rotated end meanwhile.
    fn settle(&mut self) {
        for _ in 0..30 {
            while self.live.turn(self.now) {}
            self.now = self.now.plus(LOOK_INTERVAL);
        }
    }

    fn log(&self, name: &str) -> LogTally {
        let state = self.state.lock().expect("no panic");
        state.logs.iter().find(|log| log.name == name).expect("the log").clone()
    }

    fn lines(&self, name: &str) -> u64 {
        self.log(name).lines
    }

    fn version(&self) -> VersionStatus {
        Status::new(&self.state.lock().expect("no panic")).models.remove(0).versions.remove(0)
    }
}

fn line(id: usize) -> String {
    format!("{{\"id\":\"{id}\",\"y\":1,\"took\":0.5}}\n")
}

fn lines(ids: std::ops::Range<usize>) -> String {
    ids.map(line).collect()
}

/// What is mapped changes what a line says, and not which lines there are.
fn with_latency(text: &str) -> String {
    text.replace("prediction: y}", "prediction: y, latency: took}")
}

#[test]
fn scenario_84_a_reload_adds_and_removes_inputs_without_reading_the_kept_ones_again() {
    let log = |name: &str| JSON.lines().nth(2).expect("the log").replace("p.log", &format!("{name}.log*"));
    let log = |name: &str| log(name).replace("name: p", &format!("name: {name}"));
    let text = |logs: &[&str]| {
        let logs: Vec<String> = logs.iter().map(|name| log(name)).collect();
        JSON.replace(JSON.lines().nth(2).expect("the log"), &logs.join("\n"))
    };
    let mut followed = Followed::new(&text(&["kept", "gone"]));
    drop((followed.append("kept.log", &lines(0..50)), followed.append("gone.log", &lines(50..60))));
    followed.settle();
    std::fs::rename(followed.path("kept.log"), followed.path("kept.log.1")).expect("renamed");
    drop((followed.append("kept.log", &lines(60..70)), followed.append("added.log", &lines(70..75))));
    followed.settle();
    assert_eq!((followed.lines("kept"), followed.lines("gone")), (60, 10));
    let before = followed.log("kept");

    followed.reload(&text(&["added", "kept"]));
    followed.settle();
    let kept = followed.log("kept");
    assert_eq!((kept.lines, kept.bytes, kept.records), (60, before.bytes, 60));
    assert_eq!(kept.files.rotation_count(Rotation::Rename), 1);
    assert_eq!((followed.lines("added"), followed.version().predictions), (5, 75));
    assert!(followed.state.lock().expect("no panic").logs.iter().all(|log| log.name != "gone"));
    // Late writes to the rotated file, and the next lines of the new one, each once.
    drop((followed.append("kept.log.1", &line(80)), followed.append("kept.log", &line(81))));
    drop(followed.append("gone.log", &line(82)));
    followed.settle();
    assert_eq!(
        (followed.lines("kept"), followed.lines("added"), followed.version().predictions),
        (62, 5, 77)
    );

    // The one that went comes back as a log that was never read.
    followed.reload(&text(&["added", "kept", "gone"]));
    followed.settle();
    assert_eq!((followed.lines("kept"), followed.lines("added"), followed.lines("gone")), (62, 5, 11));
}

#[test]
fn a_line_that_is_half_written_at_a_reload_counts_once() {
    let limited = format!("{JSON}limits: {{line: 2MiB}}\n");
    for other in [with_latency(JSON), limited, JSON.replace("p.log'", "*.log', 'DIR/more/*'")] {
        let mut followed = Followed::new(JSON);
        let (before, after) = "{\"id\":\"3\",\"y\":1}\n".split_at(7);
        drop(followed.append("p.log", &(lines(0..2) + before)));
        followed.settle();
        assert_eq!(followed.lines("p"), 2);
        followed.reload(&other);
        followed.settle();
        assert_eq!(followed.lines("p"), 2);
        drop(followed.append("p.log", &(after.to_owned() + &line(4))));
        followed.settle();
        let log = followed.log("p");
        let length = std::fs::metadata(followed.path("p.log")).expect("the log").len();
        assert_eq!((log.lines, log.records, log.bytes), (4, 4, length), "{other}");
    }
}

#[test]
fn a_line_that_a_runtime_has_split_counts_once_over_a_reload() {
    let limited = format!("{CRI}limits: {{line: 2MiB}}\n");
    let piece = |tag: &str, text: &str| format!("2026-11-24T18:00:00.000000000Z stdout {tag} {text}\n");
    let whole = |id: usize| piece("F", line(id).trim_end());
    for other in [with_latency(CRI), limited, CRI.replace("p.log'", "*.log'")] {
        let mut followed = Followed::new(CRI);
        drop(followed.append("p.log", &(whole(0) + &piece("P", "{\"id\":\"1\","))));
        // A line of the other stream is given out before the one that began earlier.
        drop(followed.append("p.log", &whole(2).replace("stdout", "stderr")));
        followed.settle();
        assert_eq!(followed.lines("p"), 2);
        followed.reload(&other);
        followed.settle();
        assert_eq!(followed.lines("p"), 2, "{other}");
        drop(followed.append("p.log", &(piece("P", "\"y\":") + &piece("F", "1}") + &whole(3))));
        followed.settle();
        let log = followed.log("p");
        assert_eq!((log.lines, log.records), (4, 4), "{other}");
        assert_eq!(log.rejected[Reject::Container as usize], 0, "{other}");
    }
}

/// Another mapping reads on from the open file: there may be no name left that leads to it.
#[test]
fn what_is_still_written_to_a_deleted_file_is_read_after_a_reload() {
    let mut followed = Followed::new(JSON);
    let mut writer = followed.append("p.log", &lines(0..3));
    followed.settle();
    std::fs::remove_file(followed.path("p.log")).expect("removed");
    writer.write_all(line(3).as_bytes()).expect("room on the disk");
    followed.reload(&with_latency(JSON));
    followed.settle();
    assert_eq!((followed.lines("p"), followed.version().predictions), (4, 4));
}

#[test]
fn the_header_of_a_table_is_known_after_a_reload() {
    let table = "
logs:
  - {name: p, paths: ['DIR/p.log'], format: csv, start_at: beginning, model: m, fields: {id: id, prediction: y}}
models:
  m: {task: regression}
";
    let mut followed = Followed::new(table);
    let mut writer = followed.append("p.log", "id,y,took\n1,2,0.5\n");
    followed.settle();
    std::fs::remove_file(followed.path("p.log")).expect("removed");
    writer.write_all(b"2,3,0.25\n").expect("room on the disk");
    followed.reload(&with_latency(table));
    followed.settle();
    let log = followed.log("p");
    assert_eq!((log.records, log.ignored[Ignore::Header as usize]), (2, 1));
    assert_eq!(followed.version().predictions, 2);
    // With columns of the configuration no line is a header any more.
    drop(followed.append("p.log", "5,6,0.5\n"));
    followed.reload(&with_latency(table).replace("format: csv", "format: csv, columns: [id, took, y]"));
    followed.settle();
    assert_eq!(followed.log("p").records, 3);
    followed.reload(&table.replace("csv", "csv, delimiter: ';'"));
    followed.settle();
    assert_eq!(followed.log("p").records, 3);
}

#[test]
fn a_log_of_another_name_is_not_read_again() {
    let mut followed = Followed::new(JSON);
    drop(followed.append("p.log", &lines(0..5)));
    followed.settle();
    // Beside it, another log may read the same file from its beginning.
    let renamed = JSON.replace("name: p", "name: renamed");
    let beside = JSON.lines().nth(2).expect("the log").replace("name: p", "name: beside");
    followed.reload(&renamed);
    drop(followed.append("p.log", &line(5)));
    followed.settle();
    assert_eq!((followed.lines("renamed"), followed.version().predictions), (1, 6));
    followed.reload(&renamed.replace("models:", &format!("{beside}\nmodels:")));
    followed.settle();
    assert_eq!((followed.lines("renamed"), followed.lines("beside")), (1, 6));
}

#[test]
fn other_paths_leave_what_was_read_and_counted() {
    let mut followed = Followed::new(JSON);
    drop(followed.append("p.log", &lines(0..5)));
    followed.settle();
    std::fs::rename(followed.path("p.log"), followed.path("p.log.1")).expect("renamed");
    drop((followed.append("p.log", &lines(5..7)), followed.append("q.log", &lines(7..9))));
    followed.settle();
    let before = followed.log("p");
    assert_eq!((before.lines, before.files.rotation_count(Rotation::Rename)), (7, 1));
    followed.reload(&JSON.replace("['DIR/p.log']", "['DIR/*.log']"));
    followed.settle();
    let after = followed.log("p");
    assert_eq!((after.lines, after.files.rotation_count(Rotation::Rename)), (9, 1));
    drop(followed.append("p.log", &line(9)));
    followed.settle();
    assert_eq!(followed.lines("p"), 10);
    // A log whose files no path names any more keeps its counts.
    followed.reload(&JSON.replace("['DIR/p.log']", "['DIR/none/*.log']"));
    followed.settle();
    assert_eq!(followed.lines("p"), 10);
}
