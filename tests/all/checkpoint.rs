//! What checkpoints and marks of the current format look like: files that are out there must go on being read, or
//! be refused by their version.

use super::golden::exposition;
use super::support::{replay, replay_config, root};
use inference_exporter::checkpoint::codec;
use inference_exporter::checkpoint::seal::{self, Kind, VERSION};
use inference_exporter::family::writer::Format;
use inference_exporter::join::Secret;
use inference_exporter::pipeline::State;
use inference_exporter::pipeline::live::Live;
use inference_exporter::pipeline::progress::{FileMark, LogMark, Mark, Step};
use inference_exporter::source::identity::{Identity, Mark as Hash, Position};
use inference_exporter::time::{Span, Timestamp};
use std::sync::{Arc, Mutex};

/// A model of each task with slices, scores, waiting predictions and a half.
const CONFIG: &str = "
logs:
  - name: predictions
    paths: [predictions.jsonl]
    format: json
    fields:
      model: model
      id: id
      time: t
      version: v
      prediction: y
      score: p
      scores: {a: pa, b: pb}
      label: truth
      latency: took
      trace_id: trace
      status: status
      slices: {country: country}
  - name: rest
    paths: [rest.jsonl]
    format: json
    fields: {model: model, id: id, time: t, latency: took, status: status, slices: {country: country}}
models:
  binary: {task: binary, positive: '1', windows: [5m], slices: [country], targets: {accuracy: 90%}, join: {wait: 1h}}
  classes: {task: multiclass, classes: [a, b], top_k: [1], windows: [5m], slices: [country], join: {wait: 1h}}
  number: {task: regression, windows: [5m], slices: [country], join: {wait: 1h}}
";

const PREDICTIONS: &str = r#"
{"model": "binary", "id": "1", "t": 1700000000, "v": "1", "y": "1", "p": 0.9, "took": 0.01, "trace": "cafe", "status": "200", "country": "DE"}
{"model": "binary", "id": "1", "t": 1700000001, "truth": "0"}
{"model": "binary", "id": "2", "t": 1700000002, "v": "2", "y": "0", "p": 0.1, "status": "500"}
{"model": "binary", "id": "3", "t": 1700000002, "truth": "1"}
{"model": "classes", "id": "1", "t": 1700000000, "v": "1", "y": "a", "pa": 0.75, "pb": 0.25, "truth": "b", "country": "FR"}
{"model": "classes", "id": "2", "t": 1700000000, "v": "1", "y": "c", "pa": 0.5, "pb": 0.5}
{"model": "number", "id": "1", "t": 1700000000, "v": "1", "y": 2.5, "truth": 2, "country": "DE"}
{"model": "number", "id": "2", "t": 1700000000, "v": "1", "y": 3}
no record
"#;

const REST: &str = r#"
{"model": "binary", "id": "4", "t": 1700000002, "took": 0.2, "status": "200", "country": "DE"}
"#;

const ADVICE: &str = "the format of checkpoints has changed: raise checkpoint::seal::VERSION, then run with UPDATE_GOLDEN=1, \
     which writes the sample of the new version; never rewrite that of a version that was released";

/// Also where a type far away has another field: what the sample holds is shown as the state that it was made of.
#[test]
fn a_checkpoint_of_this_version_is_read_as_it_was_written() {
    let config = replay_config(CONFIG);
    let state = replay(&config, &[("predictions", PREDICTIONS.as_bytes()), ("rest", REST.as_bytes())]);
    let expected = exposition(&state, Format::OpenMetrics);
    let live = Live::new(config.clone(), Arc::new(Mutex::new(state))).expect("globs");
    let file = root().join(format!("tests/checkpoint/v{VERSION}.bin"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let payload = codec::encode(&live, &mut || {}).0;
        let bytes = [&seal::seal(Kind::Checkpoint, &payload)[..], &payload].concat();
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("made");
        std::fs::write(&file, bytes).expect("written");
    }
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}; {ADVICE}", file.display()));
    let payload = seal::unseal(Kind::Checkpoint, &bytes).expect("a sample of this version");
    let saved = codec::decode(payload).unwrap_or_else(|error| panic!("{error}; {ADVICE}"));
    let state = Arc::new(Mutex::new(State::new(&config, Secret::new([2; 16]))));
    Live::new(config, Arc::clone(&state)).expect("globs").resume(Some(saved), None);
    let state = state.lock().expect("no panic");
    let shown = exposition(&state, Format::OpenMetrics);
    let differing = shown.lines().zip(expected.lines()).find(|(shown, expected)| shown != expected);
    assert_eq!((differing, shown.len()), (None, expected.len()), "{ADVICE}");
    let waiting: Vec<usize> = state.monitors().iter().map(|monitor| monitor.join().len()).collect();
    assert_eq!(waiting, [3, 1, 1], "{ADVICE}");
}

const FILE: Identity = Identity { device: 1, inode: 2, born: 3 };

#[test]
fn a_position_of_this_version_is_the_frozen_one() {
    let position = Position {
        identity: FILE,
        offset: 4,
        delivered: 5,
        head: Hash { length: 6, hash: 7 },
        tail: Hash { length: 8, hash: 9 },
        modified: 10,
        departed: true,
        origin: "log".to_owned(),
    };
    let bytes = postcard::to_stdvec(&position).expect("bytes");
    assert_eq!(bytes, [1, 2, 6, 4, 5, 6, 7, 8, 9, 20, 1, 3, b'l', b'o', b'g'], "{ADVICE}");
}

#[test]
fn a_mark_of_this_version_is_the_frozen_one() {
    let at = Timestamp::from_nanos(1);
    let took = Step::Took { log: 0, file: 0, delivered: 4, at, lasted: Span::from_nanos(2) };
    let mark = Mark {
        sequence: 9,
        checkpoint: 5,
        shown_at: Timestamp::from_nanos(6),
        settled_to: Timestamp::from_nanos(7),
        logs: vec![LogMark {
            log: "a".to_owned(),
            until_end: true,
            files: vec![FileMark { file: FILE, delivered: 8 }],
        }],
        steps: Some(vec![(5, took), (6, Step::Settled { to: at, at })]),
    };
    let bytes = codec::encode_mark(&mark);
    let head = [5, 12, 14, 1, 1, b'a', 1, 1, 1, 2, 6, 8];
    let steps = [1, 2, 5, 0, 0, 0, 4, 2, 4, 6, 1, 2, 2];
    assert_eq!(bytes, [&head[..], &steps].concat(), "{ADVICE}");
    assert_eq!(codec::decode_mark(&bytes), Some(Mark { sequence: 0, ..mark }));
}
