//! A live window holds what a recount of its slots holds, whenever events are read and whatever their times.

use crate::support::plan;
use inference_exporter::join::Secret;
use inference_exporter::pipeline::State;
use inference_exporter::pipeline::intake::{Clock, Intake};
use inference_exporter::record::Decoder;
use inference_exporter::status::Status;
use inference_exporter::time::{Span, Timestamp};
use proptest::prelude::*;

const CONFIG: &str = "
logs:
  - {name: log, paths: [log], format: csv, columns: [t, y, truth], model: m, fields: {time: t, prediction: y, label: truth}}
models:
  m: {task: regression, windows: [1m, 7m, 1h]}
";

/// Seconds; 7 minutes are no whole number of slots of whole seconds.
const WINDOWS: [(&str, i64); 3] = [("1m", 60), ("7m", 420), ("1h", 3600)];

const START: i64 = 1_767_225_600_000;

/// How long after the one before a line is read, and how far its own time lies before that (or after, which
/// counts as now); milliseconds.
type Step = (i64, i64);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_window_is_what_a_recount_says(
        steps in prop::collection::vec((pauses(), ages()), 1..150),
        rest in prop_oneof![0..6000i64, 0..4_000_000i64],
    ) {
        let (state, times, now) = run(&steps, rest);
        let model = &Status::new(&state).models[0];
        for (name, seconds) in WINDOWS {
            let window = model.versions[0].windows.iter().find(|one| one.window == name).expect("the window");
            // Twelve full slots that together are no shorter than the window, and the one being filled.
            let width = (seconds * 1000 * 1_000_000 + 11) / 12;
            let slot = |millis: i64| (millis * 1_000_000).div_euclid(width);
            let recount = times.iter().filter(|&&at| slot(now) - slot(at) <= 12).count();
            prop_assert_eq!(window.samples, recount as u64, "{} at {}: {:?}", name, now, &times);
            // Between W and W + W/12, and 12 ns for slots that were rounded up.
            let within = |millis: i64| times.iter().filter(|&&at| now - at < millis).count() as u64;
            prop_assert!(within(seconds * 1000) <= window.samples);
            prop_assert!(window.samples <= within(seconds * 1000 / 12 * 13 + 1));
        }
    }
}

/// Mostly short, so that what was read near the end of a window is still in it when it is looked at.
fn pauses() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..200i64, 1 => 0..400_000i64]
}

/// Ahead of the clock, within the windows, and about as old as each of them is long.
fn ages() -> impl Strategy<Value = i64> {
    let around = |seconds: i64| (seconds - seconds / 12) * 1000..(seconds + 2 * seconds / 12) * 1000;
    prop_oneof![-10_000..10_000i64, 0..4_000_000i64, around(60), around(420), around(3600)]
}

/// The state after all lines at the time `rest` after the last, with the times of the outcomes and that time.
fn run(steps: &[Step], rest: i64) -> (State, Vec<i64>, i64) {
    let config = plan(CONFIG).pipeline;
    let mut state = State::new(&config, Secret::new([1; 16]));
    let mut intake = Intake::new(&config, 0);
    let mut decoder = Decoder::new(&config.streams[0].record);
    let mut now = START;
    let mut times = Vec::new();
    for (pause, age) in steps {
        now += pause;
        let at = now - age;
        times.push(at.min(now));
        let line = format!("{}.{:03},1,2", at / 1000, at % 1000);
        assert!(intake.decode(line.as_bytes(), &mut decoder, &mut state.logs[0]), "{line}");
        let clock = timestamp(now);
        // As the program does with every batch.
        state.advance(clock);
        intake.apply(&config, &mut state, &mut Clock::Wall(clock.into()));
    }
    now += rest;
    state.advance(timestamp(now));
    (state, times, now)
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_seconds(millis.div_euclid(1000)).plus(Span::from_millis(millis.rem_euclid(1000)))
}
