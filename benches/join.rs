//! Speed of the join with half a million predictions waiting: elements a second are predictions and labels.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inference_exporter::event::Id;
use inference_exporter::join::{Config, Join, Label, Labels, Prediction, Secret};
use inference_exporter::time::{Span, Timestamp};
use std::hint::black_box;

const PENDING: u64 = 500_000;
const SECRET: Secret = Secret::new([7; 16]);

/// A join in its steady state: as many predictions wait as may, and each new one meets its label later.
struct Steady {
    join: Join,
    /// The ids as they are in a log, each 36 bytes.
    ids: Vec<String>,
    /// Requests predicted so far.
    number: u64,
}

impl Steady {
    fn new(slices: usize, scores: usize) -> Self {
        // Ids that are done are remembered for as long as predictions wait, so twice as many fit.
        let config = Config {
            wait: Span::from_seconds(PENDING as i64),
            max_pending: 2 * PENDING as usize + 2,
            labels: Labels::Own,
            sample: 1.0,
        };
        let mut steady = Self {
            join: Join::new(config, slices, scores),
            ids: (0..4 * PENDING).map(|number| format!("{number:08x}-6b65-406c-8514-fcc7888eb791")).collect(),
            number: 0,
        };
        for _ in 0..PENDING {
            steady.predict();
        }
        for _ in 0..2 * PENDING {
            steady.step();
        }
        steady
    }

    fn id(&self, number: u64) -> Id<'_> {
        Id { text: &self.ids[(number % self.ids.len() as u64) as usize], element: None }
    }

    fn predict(&mut self) {
        let prediction = Prediction { time: self.now(), version: 1, class: 1, fingerprint: 0, value: 0.5 };
        let key = SECRET.key(self.id(self.number));
        let clock = self.now();
        let (slices, scores) = ([1; 2], [0.1; 10]);
        black_box(self.join.predict(key, &prediction, &slices, &scores, clock, &mut |settled| {
            black_box(settled);
        }));
        self.number += 1;
    }

    /// One prediction, the label of the one that has waited longest, and what is over leaves.
    fn step(&mut self) {
        self.predict();
        self.join.expire(self.now(), &mut |settled| {
            black_box(settled);
        });
        let label = Label { time: self.now(), class: 1, fingerprint: 0, value: f64::NAN };
        let key = SECRET.key(self.id(self.number - PENDING));
        let clock = self.now();
        black_box(self.join.label(key, &label, clock, &mut |settled| {
            black_box(settled);
        }));
    }

    /// A request a second.
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.number as i64)
    }
}

fn join(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("join");
    group.throughput(Throughput::Elements(2));
    let mut steady = Steady::new(0, 0);
    assert!(steady.join.len() as u64 > PENDING, "the table is as full as it gets");
    group.bench_function("prediction and label, 500k waiting", |bencher| bencher.iter(|| steady.step()));
    drop(steady);
    let mut steady = Steady::new(2, 10);
    group.bench_function("the same with 2 slices and 10 scores", |bencher| bencher.iter(|| steady.step()));
    group.finish();
}

criterion_group!(benches, join);
criterion_main!(benches);
