//! Bytes whose checksum is right and whose content no version wrote: refused, whatever it is that does not fit.
//!
//! A monitor is damaged in memory and then made whole, as if it had been read.

use super::*;
use crate::accumulator::ClassOutcome;
use crate::join::{Half, Key, Labels};
use crate::limits;
use crate::monitor::classes::Classes;
use crate::monitor::quality::Coverage;
use crate::monitor::vocabulary::Vocabulary;
use crate::monitor::{Buckets, Limits, Task};
use crate::time::Timestamp;

/// A binary model that has met a status and a slice value.
fn binary() -> Monitor {
    let config = Config {
        name: "m".to_owned(),
        task: Task::Binary { positive: "1".into(), negative: "0".into(), threshold: 0.5 },
        failed: regex::Regex::new("^$").expect("an expression"),
        windows: vec![Span::from_seconds(300)],
        window_all: true,
        slices: vec!["country".to_owned()],
        scored: Vec::new(),
        maps_score: true,
        maps_latency: true,
        maps_version: false,
        expects_labels: true,
        join: join::Config {
            wait: Span::from_seconds(60),
            max_pending: 10,
            labels: Labels::Own,
            sample: 1.0,
        },
        targets: Vec::new(),
        buckets: Buckets {
            latency: limits::LATENCY_BOUNDS.to_vec(),
            error: limits::ERROR_BOUNDS.to_vec(),
            score: limits::SCORE_BOUNDS.to_vec(),
            delay: limits::DELAY_BOUNDS.to_vec(),
        },
        expire_after: Span::MAX,
        limits: Limits { series: 1000, values: 10, value_length: 20, versions: 2 },
    };
    let mut monitor = Monitor::new(config, "m", join::Secret::new([1; 16]));
    let status = monitor.statuses.intern("200", || true);
    let country = monitor.slices[0].intern("DE", || true);
    let slice = Slice::new(&monitor.config, &monitor.shape);
    let version = version(&mut monitor);
    version.count_request(status, false);
    version.slices[0].resize_with(usize::from(country), || None);
    version.slices[0].push(Some(Box::new(slice)));
    postcard::from_bytes(&postcard::to_stdvec(&monitor).expect("bytes")).expect("a monitor")
}

fn join_of(monitor: &Monitor) -> Join {
    Join::new(monitor.config.join, monitor.config.slices.len(), monitor.config.scored.len())
}

fn revive(monitor: Monitor) -> Result<Monitor, &'static str> {
    let join = join_of(&monitor);
    monitor.revive(join)
}

fn version(monitor: &mut Monitor) -> &mut Version {
    monitor.versions.iter_mut().flatten().next().expect("a version")
}

const UNKNOWN: ClassOutcome<'_> = ClassOutcome {
    predicted: 9,
    actual: 9,
    correct: true,
    score: None,
    scores: &[],
    actual_score: None,
    positive: true,
};

#[test]
fn what_was_written_is_revived() {
    assert!(revive(binary()).is_ok());
}

#[test]
fn counts_that_have_no_name_are_refused() {
    type Damage = fn(&mut Monitor);
    let damages: [(&str, Damage); 7] = [
        ("a status", |monitor| version(monitor).requests.resize(9, [1; 2])),
        ("a predicted class", |monitor| version(monitor).predictions.resize(9, 1)),
        ("a cell", |monitor| version(monitor).cells.as_mut().expect("cells").update(UNKNOWN)),
        ("a class", |monitor| version(monitor).class_tally.update(UNKNOWN)),
        ("a class in a window", |monitor| {
            let at = Some(Timestamp::from_seconds(1_000_000));
            version(monitor).quality.update_at(at, |quality| match quality {
                Quality::Classifier { classes, .. } => classes.update(UNKNOWN),
                Quality::Regressor(_) => panic!("a classifier"),
            });
        }),
        ("a cell of a slice", |monitor| {
            let slice = version(monitor).slices.iter_mut().flatten().flatten().next().expect("a slice");
            slice.cells.as_mut().expect("cells").update(UNKNOWN);
        }),
        ("a slice value", |monitor| monitor.slices[0] = Vocabulary::new(&[], 9, 9)),
    ];
    for (what, damage) in damages {
        let mut damaged = binary();
        damage(&mut damaged);
        assert!(revive(damaged).is_err(), "{what}");
    }
}

#[test]
fn the_classes_must_be_those_of_the_task() {
    let mut damaged = binary();
    damaged.config.task = Task::Binary { positive: "yes".into(), negative: "0".into(), threshold: 0.5 };
    assert!(revive(damaged).is_err());
    let mut damaged = binary();
    damaged.classes = Classes::new(&Task::Regression, &damaged.config.limits);
    assert!(revive(damaged).is_err());
}

/// With as many slices and scores as the model: what an entry takes follows from it.
#[test]
fn a_join_of_another_shape_is_refused() {
    let monitor = binary();
    assert!(monitor.joins_like(&join_of(&monitor).head()));
    let config = monitor.config.join;
    for other in [Join::new(config, 0, 0), Join::new(config, 1, usize::MAX)] {
        assert!(!monitor.joins_like(&other.head()));
    }
    let config = join::Config { max_pending: config.max_pending + 1, ..config };
    assert!(!monitor.joins_like(&Join::new(config, 1, 0).head()));
}

#[test]
fn a_half_with_a_status_that_nobody_knows_is_refused() {
    for (status, is_known) in [(1, true), (9, false)] {
        let monitor = binary();
        let mut join = join_of(&monitor);
        let half = Half { time: Timestamp::from_seconds(1), latency: 1.0, status: Some(status) };
        join.half(Key(1), half, &[0], &mut |_| {});
        assert_eq!(monitor.revive(join).is_ok(), is_known, "status {status}");
    }
}

#[test]
fn a_window_of_no_length_does_not_divide_by_it() {
    let mut windows = Windows::new(&[Span::ZERO], false, &Coverage::default());
    windows.advance(Timestamp::from_seconds(1));
}
