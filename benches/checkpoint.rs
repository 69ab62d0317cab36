//! What a checkpoint costs with half a million predictions waiting, and what a scrape notices of it.
//!
//! Not a criterion bench: what is promised is a bound on what one thread waits for another, and shares of one
//! run. Ends with 1 where a scrape has to wait for the whole state.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program that measures in real time"
)]

use inference_exporter::checkpoint::codec;
use inference_exporter::checkpoint::seal::SEAL_BYTES;
use inference_exporter::checkpoint::store::Store;
use inference_exporter::config::{self, Plan};
use inference_exporter::family;
use inference_exporter::family::writer::{Format, Writer};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::live::Live;
use inference_exporter::pipeline::stream::lock;
use inference_exporter::pipeline::{Config, State};
use inference_exporter::time::{Span, Timestamp};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const WAITING: u64 = 500_000;
/// So many that what the operating system does to one of them is not in the middle one.
const ROUNDS: usize = 9;
/// What one hold of the lock may be of the whole encoding. Entries are written 4096 at a time, which is 1/122
/// of them, and the head of a model and a scrape's own work come to some pieces more: a tenth is several times
/// what is right, and a tenth of what it would be were the state written under one lock.
const HOLD_SHARE_MAX: f64 = 0.1;
/// How often Prometheus is usually told to scrape.
const SCRAPES_PER_MINUTE: f64 = 60.0 / 15.0;
/// 2026-01-01.
const START_SECONDS: i64 = 1_767_225_600;
/// Time from one scrape, or try of the lock, to the next.
const PAUSE: Duration = Duration::from_micros(200);

/// A pipeline whose join is as full as it usually may be, and where its checkpoints go.
struct Full {
    live: Live,
    state: Arc<Mutex<State>>,
    config: Config,
    interval: Span,
    store: Store,
    now: Timestamp,
    log: std::fs::File,
    lines: u64,
}

// === impl Full ===

impl Full {
    fn new(directory: &Path) -> Self {
        let path = directory.join("requests");
        let Plan { pipeline: config, checkpoint_interval: interval, .. } = configuration(&path);
        let state = Arc::new(Mutex::new(State::new(&config, Secret::new([3; 16]))));
        let mut live = Live::new(config.clone(), Arc::clone(&state)).expect("no malformed glob");
        live.resume(None, None);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log");
        let store = Store::open(&directory.join("state")).expect("nobody else has it");
        let now = Timestamp::from_seconds(START_SECONDS + 3600);
        let mut full = Self { live, state, config, interval, store, now, log, lines: 0 };
        full.predict(WAITING);
        let waiting: usize = lock(&full.state).monitors().iter().map(|monitor| monitor.join().len()).sum();
        assert_eq!(waiting as u64, WAITING, "all wait");
        full
    }

    /// So many predictions more, without labels.
    fn predict(&mut self, lines: u64) {
        let mut text = String::new();
        for line in self.lines..self.lines + lines {
            // The multiplier of splitmix64: as if by chance, and the same each time.
            let chance = (line + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (class, score) = (chance % 3, chance % 1000);
            writeln!(
                text,
                r#"{{"ts":{}.{:03},"id":"{:08x}-{:04x}-4abc-8def-{:012x}","version":"v{}","ms":{}.5,"p":"c{class}","s":{{"c0":0.{score:03},"c1":0.{:03},"c2":0.25}},"country":"k{}","device":"d{}"}}"#,
                START_SECONDS as u64 + line / 500,
                line % 500 * 2,
                chance >> 32,
                line & 0xffff,
                chance >> 16,
                chance % 2,
                chance % 200,
                999 - score,
                chance % 40,
                chance % 4,
            )
            .expect("text");
        }
        std::io::Write::write_all(&mut self.log, text.as_bytes()).expect("room on the disk");
        self.lines += lines;
        self.live.look(self.now);
        while self.live.turn(self.now) {}
    }

    /// Encodes `ROUNDS` times while `probe` runs again and again on another thread. By round: how long encoding
    /// took, and each time that the probe took.
    fn rounds(&self, save: bool, probe: impl Fn() -> Duration + Sync) -> Vec<(Duration, Vec<Duration>)> {
        let measure = || {
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let prober = scope.spawn(|| {
                    let mut times = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        times.push(probe());
                        std::thread::sleep(PAUSE);
                    }
                    times
                });
                // The probe is at work before the encoding begins.
                std::thread::sleep(10 * PAUSE);
                let started = Instant::now();
                let (payload, _) = codec::encode(&self.live, &mut give_way);
                let took = started.elapsed();
                if save {
                    self.store.save(&payload).expect("room on the disk");
                }
                is_over.store(true, Ordering::Relaxed);
                (took, prober.join().expect("no panic"))
            })
        };
        (0..ROUNDS).map(|_| measure()).collect()
    }

    /// As the exporter does it: windows brought up to date and the page written under the lock, then the mark.
    fn scrape(&self) -> Duration {
        let started = Instant::now();
        let mut writer = Writer::new(Format::Text, 1 << 20);
        let mut state = lock(&self.state);
        state.advance(self.now);
        family::write(&state, &mut writer);
        let mark = state.mark(self.now).expect("there are checkpoints");
        drop(state);
        self.store.note_shown(&codec::encode_mark(&mark)).expect("room on the disk");
        std::hint::black_box(writer.finish());
        started.elapsed()
    }

    /// How long the lock is waited for.
    fn wait(&self) -> Duration {
        let started = Instant::now();
        drop(lock(&self.state));
        started.elapsed()
    }

    /// How long a restart takes from the bytes on disk to a pipeline that can go on.
    fn restore(&self) -> Duration {
        let started = Instant::now();
        let payload = self.store.load().expect("whole").expect("one");
        let saved = codec::decode(&payload).expect("a state");
        let state = Arc::new(Mutex::new(State::new(&self.config, Secret::new([4; 16]))));
        let mut live = Live::new(self.config.clone(), state).expect("no malformed glob");
        live.resume(Some(saved), None);
        started.elapsed()
    }
}

/// One model of three classes with their scores and two slices.
fn configuration(path: &Path) -> Plan {
    let text = format!(
        "logs: [{{name: requests, paths: ['{}'], format: json, start_at: beginning, model: m, fields: {{id: id, \
         time: ts, version: version, latency: ms, prediction: p, scores: {{c0: s.c0, c1: s.c1, c2: s.c2}}, label: label, \
         slices: {{country: country, device: device}}}}}}]\n\
         models: {{m: {{task: multiclass, classes: [c0, c1, c2], slices: [country, device], \
         join: {{max_pending: {}}}}}}}\n",
        path.display(),
        WAITING + 1000,
    );
    match config::parse(&text, "bench.yaml", &|_| None) {
        Ok(checked) => checked.plan,
        Err(errors) => panic!("{errors}"),
    }
}

/// The one in the middle.
fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

/// As the program does between two pieces.
fn give_way() {
    std::thread::sleep(Duration::from_micros(100));
}

fn main() -> ExitCode {
    // What cargo asks of every bench, which this one does not know.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut full = Full::new(directory.path());
    let idle = median((0..100).map(|_| full.scrape()));
    let rounds = full.rounds(false, || full.wait());
    let whole = median(rounds.iter().map(|round| round.0));
    let wait = median(rounds.into_iter().map(|round| round.1.into_iter().max().unwrap_or_default()));
    let rounds = full.rounds(true, || full.scrape());
    let scrapes: Vec<Duration> = rounds.into_iter().flat_map(|round| round.1).collect();
    let (busy, busiest) =
        (median(scrapes.iter().copied()), scrapes.iter().max().copied().unwrap_or_default());

    let started = Instant::now();
    let (payload, number) = codec::encode(&full.live, &mut give_way);
    let bytes = full.store.save(&payload).expect("room on the disk");
    let written = started.elapsed();
    drop(payload);
    let restored = median((0..3).map(|_| full.restore()));
    lock(&full.state).note_checkpoint(number);
    // What comes in 15 s at 60 lines a second, some at a time.
    (0..30).for_each(|_| full.predict(30));
    let mark = lock(&full.state).mark(full.now).expect("there are checkpoints");
    let mark = codec::encode_mark(&mark);
    let noted = median((0..100).map(|_| {
        let started = Instant::now();
        full.store.note_shown(&mark).expect("room on the disk");
        started.elapsed()
    }));
    let mark_bytes = (SEAL_BYTES + mark.len()) as f64;
    let checkpoints_per_minute = 60e9 / full.interval.as_nanos() as f64;
    let per_minute = checkpoints_per_minute * bytes as f64 + SCRAPES_PER_MINUTE * mark_bytes;

    let share = wait.as_secs_f64() / whole.as_secs_f64();
    println!("{WAITING} predictions wait, each with 3 scores and 2 slices");
    println!(
        "checkpoint       {:.1} MiB, {:.0} bytes a prediction",
        mib(bytes as f64),
        bytes as f64 / WAITING as f64
    );
    println!("encoding         {whole:.1?}; encoding, writing and fsync {written:.1?}");
    println!(
        "longest wait     {wait:.2?} for the lock meanwhile, {share:.3} of it (at most {HOLD_SHARE_MAX})"
    );
    println!(
        "scrape           {idle:.2?} idle, {busy:.2?} while checkpoints are written ({:.1} times), {busiest:.1?} at most",
        busy.as_secs_f64() / idle.as_secs_f64()
    );
    println!(
        "mark             {mark_bytes} bytes in {noted:.1?}, {:.4} of a checkpoint's bytes",
        mark_bytes / bytes as f64
    );
    println!(
        "written          {:.1} MiB a minute: a checkpoint every {}, a mark every 15 s",
        mib(per_minute),
        full.interval
    );
    println!(
        "restoring        {restored:.1?}, {:.1} times the encoding",
        restored.as_secs_f64() / whole.as_secs_f64()
    );
    if share <= HOLD_SHARE_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
