//! Speed of the whole pipeline: a log on disk, followed from its beginning to its end into a new state.
//!
//! Elements a second are lines a second, bytes a second those of the same run. What a scrape costs is in
//! `scrape`.

mod traffic;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::live::Live;
use inference_exporter::pipeline::{Config, State};
use inference_exporter::time::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use traffic::{START_SECONDS, Traffic};

const LINES: u64 = 50_000;

fn follow(config: &Config) -> u64 {
    let state = Arc::new(Mutex::new(State::new(config, Secret::new([3; 16]))));
    let live = Live::new(config.clone(), Arc::clone(&state));
    let mut live = live.unwrap_or_else(|error| panic!("{error}"));
    let now = Timestamp::from_seconds(START_SECONDS as i64 + 3600);
    while live.turn(now) {}
    let state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.logs.iter().map(|log| log.records).sum()
}

fn measure(criterion: &mut Criterion, name: &str, traffic: Traffic) {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = traffic.config(&directory.path().display().to_string());
    let (requests, labels) = traffic.logs();
    for (file, content) in [("requests", &requests), ("labels", &labels)] {
        std::fs::write(directory.path().join(file), content).unwrap_or_else(|error| panic!("{error}"));
    }
    let lines = if traffic.inline { LINES } else { 2 * LINES };
    assert_eq!(follow(&config), lines, "every line is a record");
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(20);
    group.throughput(Throughput::ElementsAndBytes {
        elements: lines,
        bytes: (requests.len() + labels.len()) as u64,
    });
    group.bench_function(name, |bencher| {
        bencher.iter_batched(|| (), |()| follow(&config), BatchSize::PerIteration);
    });
    group.finish();
}

fn pipeline(criterion: &mut Criterion) {
    let binary = Traffic { lines: LINES, models: 3, versions: 2, classes: 2, inline: true, accuracy: 90 };
    for (name, traffic) in [
        ("binary", binary),
        ("binary, labels in a log of their own", Traffic { inline: false, ..binary }),
        ("10 classes", Traffic { classes: 10, ..binary }),
        ("regression", Traffic { classes: 0, ..binary }),
    ] {
        measure(criterion, name, traffic);
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
