//! Cost of a scrape: windows brought up to date and the whole exposition written, as it is done under the
//! lock. Elements a second are series; the time is what the pipeline may have to wait.

mod traffic;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inference_exporter::family;
use inference_exporter::family::writer::{Format, Writer};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::State;
use inference_exporter::pipeline::live::Live;
use inference_exporter::time::Timestamp;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use traffic::{START_SECONDS, Traffic};

/// Lines that fill the confusion matrix of one version of ten classes.
const LINES_PER_VERSION: u64 = 800;

fn follow(traffic: Traffic) -> Arc<Mutex<State>> {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = traffic.config(&directory.path().display().to_string());
    let (requests, _) = traffic.logs();
    std::fs::write(directory.path().join("requests"), requests).unwrap_or_else(|error| panic!("{error}"));
    let state = Arc::new(Mutex::new(State::new(&config, Secret::new([3; 16]))));
    let live = Live::new(config, Arc::clone(&state));
    let mut live = live.unwrap_or_else(|error| panic!("{error}"));
    while live.turn(end(traffic)) {}
    state
}

/// The time of the last line.
fn end(traffic: Traffic) -> Timestamp {
    Timestamp::from_seconds((START_SECONDS + traffic.lines / 500) as i64)
}

fn scrape(criterion: &mut Criterion) {
    for (name, models, versions) in [("1k", 1, 2), ("10k", 2, 11), ("100k", 20, 11)] {
        let lines = models * versions * LINES_PER_VERSION;
        let traffic = Traffic { lines, models, versions, classes: 10, inline: true, accuracy: 10 };
        let state = follow(traffic);
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        for (format, of) in [(Format::Text, "text"), (Format::OpenMetrics, "OpenMetrics")] {
            let mut measured = Writer::new(format, 0);
            family::write(&state, &mut measured);
            let series = measured.series();
            let size = measured.finish().len();
            let mut group = criterion.benchmark_group("scrape");
            group.sample_size(30);
            group.throughput(Throughput::ElementsAndBytes { elements: series, bytes: size as u64 });
            group.bench_function(format!("{of}, {name}"), |bencher| {
                bencher.iter(|| {
                    // As the exporter does it: with room for the last size and a quarter.
                    let mut writer = Writer::new(format, size * 5 / 4);
                    state.advance(end(traffic));
                    family::write(&state, &mut writer);
                    black_box(writer.finish())
                });
            });
            group.finish();
        }
    }
}

criterion_group!(benches, scrape);
criterion_main!(benches);
