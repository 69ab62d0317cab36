//! What it costs to follow 1,000 quiet files, and how soon a line in one of them shows on `/metrics`.
//!
//! Of the program as it runs, and not of its parts: the CPU time is what the kernel says of the process. A
//! criterion bench would measure how long a look takes; what is promised is the share of a core, and the time
//! from a write to a scrape that shows it. Ends with 1 where either is not kept.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program that measures in real time"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const FILES: usize = 1000;
/// Until looks are as seldom as they get.
const SETTLING: Duration = Duration::from_secs(7);
/// Long enough for forty looks, and two listings of the directory.
const QUIET: Duration = Duration::from_secs(20);
const SHARE_MAX: f64 = 0.008;
const APPENDS: usize = 20;
/// Of these, so many come when looks are as seldom as they get.
const CALM_APPENDS: usize = 4;
const DELAY_MAX: Duration = Duration::from_secs(1);

struct Exporter {
    child: Child,
    address: String,
}

// === impl Exporter ===

impl Exporter {
    fn start(directory: &Path) -> Self {
        let config = format!(
            "listen: 127.0.0.1:0\nlogs: [{{name: quiet, paths: ['{}/*.jsonl'], start_at: beginning, model: m, \
             fields: {{prediction: p}}}}]\nmodels: {{m: {{task: regression}}}}\n",
            directory.display()
        );
        let file = directory.join("config.yaml");
        std::fs::write(&file, config).expect("room on the disk");
        let mut child = Command::new(env!("CARGO_BIN_EXE_inference-exporter"))
            .args(["run", "--config"])
            .arg(&file)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut lines = said.lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let event: serde_json::Value = serde_json::from_str(&line).ok()?;
            event["address"].as_str().map(ToOwned::to_owned)
        });
        // Whatever else it says must be read, or it would wait.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("an address") }
    }

    fn lines(&self) -> usize {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let series = "inference_exporter_lines_total{log=\"quiet\"} ";
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// How long until so many lines are counted.
    fn await_lines(&self, lines: usize) -> Duration {
        let started = Instant::now();
        while self.lines() < lines {
            assert!(started.elapsed() < Duration::from_secs(60), "{} of {lines} lines", self.lines());
            std::thread::sleep(Duration::from_millis(5));
        }
        started.elapsed()
    }

    /// Seconds of CPU, of all threads.
    fn cpu_seconds(&self) -> f64 {
        let schedules = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("proc");
        let nanos = schedules.map(|task| {
            let text =
                std::fs::read_to_string(task.expect("a task").path().join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0)
        });
        nanos.sum::<f64>() / 1e9
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn append(directory: &Path, number: usize) {
    let path = directory.join(format!("{number:04}.jsonl"));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log");
    file.write_all(b"{\"p\": 1}\n").expect("room on the disk");
}

fn main() -> ExitCode {
    // What cargo asks of every bench, which this one does not know.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let directory = tempfile::tempdir().expect("a directory");
    (0..FILES).for_each(|number| append(directory.path(), number));
    let exporter = Exporter::start(directory.path());
    exporter.await_lines(FILES);

    std::thread::sleep(SETTLING);
    let (used, started) = (exporter.cpu_seconds(), Instant::now());
    std::thread::sleep(QUIET);
    let share = (exporter.cpu_seconds() - used) / started.elapsed().as_secs_f64();
    println!("{FILES} quiet files: {:.2} % of a core (at most {:.1} %)", share * 100.0, SHARE_MAX * 100.0);

    let mut delays: Vec<Duration> = (0..APPENDS)
        .map(|number| {
            if number < CALM_APPENDS {
                std::thread::sleep(SETTLING);
            }
            append(directory.path(), number * FILES / APPENDS);
            exporter.await_lines(FILES + number + 1)
        })
        .collect();
    delays.sort_unstable();
    let (middle, longest) = (delays[APPENDS / 2], delays[APPENDS - 1]);
    println!("a line in one of them on /metrics: {middle:.0?} in the middle, {longest:.0?} at most");
    if share <= SHARE_MAX && longest <= DELAY_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
