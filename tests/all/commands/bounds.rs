//! Whatever is written into the logs and whoever asks, the process stays under what `check` says of its
//! configuration, goes on answering, and every line is counted.

#![allow(clippy::disallowed_methods, reason = "a process that runs in real time takes lines of today")]

use super::process::{Exporter, append, await_that, call, value, write};
use socket2::{Domain, Socket, Type};
use std::fmt::Write as _;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// How much more than a filled process has at its height `check` may say; it is about two and a half times here.
/// What cannot be filled in a test: every table as it grows, every number in an exposition with all its digits,
/// every thread with the memory of a page, every file of a log with a rest that has no end.
const LOOSE_MAX: f64 = 4.0;

/// How long requests in flight may take to finish after a SIGTERM, and what a loaded machine may need beside.
const DRAIN_SECONDS: f64 = 5.0;
const LOADED_SECONDS: f64 = 8.0;
const CUT_OFF: &str = "requests in flight were cut off by the shutdown";

/// A directory with a configuration, an exporter that runs on it, and what `check` says of it.
struct Bounded {
    directory: tempfile::TempDir,
    exporter: Exporter,
    /// Bytes.
    bound: f64,
    /// Lines written so far, by log.
    written: Vec<(&'static str, u64)>,
}

// === impl Bounded ===

impl Bounded {
    fn start(config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("config.yaml");
        let class = |number: usize| format!("\"{}\"", long(number));
        let scores: Vec<String> = (0..2).map(|number| format!("{}: s{number}", class(number))).collect();
        let config = config.replace("CLASSES", &(0..6).map(class).collect::<Vec<_>>().join(", "));
        let config = config.replace("SCORES", &scores.join(", "));
        write(&file, &config.replace("DIRECTORY", &directory.path().display().to_string()));
        let checked = call(directory.path(), &["check", "--config", "config.yaml"], b"");
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let bound = bound_of(&checked.out);
        let exporter = Exporter::run(&file, &[]);
        Self { directory, exporter, bound, written: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Appends whole lines, and notes them.
    fn write(&mut self, log: &'static str, file: &str, text: &[u8]) {
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        append(&self.path(file), text);
        self.note(log, lines);
    }

    fn note(&mut self, log: &'static str, lines: u64) {
        match self.written.iter_mut().find(|(name, _)| *name == log) {
            Some((_, written)) => *written += lines,
            None => self.written.push((log, lines)),
        }
    }

    /// Waits until every line that was written is counted, none of them twice.
    fn settle(&self) {
        for (log, written) in &self.written {
            self.exporter.await_value(
                &format!("inference_exporter_lines_total{{log=\"{log}\"}}"),
                &written.to_string(),
            );
        }
    }

    /// The most that the process has had resident, in bytes.
    fn height(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.exporter.id())).expect("proc");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
        };
        // The height is not always brought up to date before the present.
        of("VmHWM:").max(of("VmRSS:"))
    }

    /// Asserts that memory has never gone above the bound.
    fn assert_bounded(&self, after: &str) {
        let (height, bound) = (self.height(), self.bound);
        assert!(height <= bound, "{after}: {height} bytes of {bound}");
    }
}

/// The bytes that `check` says.
fn bound_of(checked: &str) -> f64 {
    let line = checked.lines().find(|line| line.starts_with("at most ")).expect("a line with the memory");
    let mut words = line.split(" and ").nth(1).expect("two halves").split(' ');
    let number: f64 = words.next().and_then(|word| word.parse().ok()).expect("a number");
    let unit = match words.next() {
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        unit => panic!("{unit:?} in {line}"),
    };
    // It is printed with one digit.
    (number + 0.05) * f64::from(unit)
}

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// One model whose every table can be filled in a few seconds.
const TIGHT: &str = "
listen: 127.0.0.1:0
limits: {line: 64KiB}
logs:
  - name: lines
    paths: ['DIRECTORY/lines.jsonl']
    start_at: beginning
    model: big
    fields:
      {id: id, time: t, version: v, prediction: p, label: y, status: s, latency: {path: l, unit: ms}, trace_id: r,
       scores: {SCORES}, slices: {x: x, y: z}}
models:
  big:
    task: multiclass
    classes: [CLASSES]
    slices: [x, y]
    windows: [1m, 5m]
    join: {wait: 1h, max_pending: 60000}
    limits: {series: 6000, values: 8, value_length: 24, versions: 2}
";

/// Any number of files and of models.
const MANY: &str = "
listen: 127.0.0.1:0
limits: {line: 64KiB}
logs:
  - name: files
    paths: ['DIRECTORY/files/*.jsonl']
    start_at: beginning
    rotate_wait: 1s
    fields: {id: id, model: m, version: v, prediction: p, label: y, status: s}
  - name: table
    paths: ['DIRECTORY/*.csv']
    format: csv
    start_at: beginning
    model: named
    fields: {id: id, prediction: p}
models:
  named: {task: binary, positive: \"1\"}
  \"*\":
    task: regression
    windows: [1m]
    join: {wait: 1h, max_pending: 100}
    limits: {series: 120, values: 5, value_length: 24, versions: 1}
";

/// Text of 24 characters that ends in a number: quotes, which an exposition writes as two characters each.
fn long(number: usize) -> String {
    format!("{}{number:06}", "\\\"".repeat(18))
}

/// One line, each of whose values is as long as may be kept. Its time is within the last windows. `few` values
/// fill what the limits let in, each with each; of more, every line has its own.
fn prediction(number: usize, few: Option<usize>) -> String {
    let at = seconds() - (number % if number.is_multiple_of(4) { 290 } else { 40 }) as f64;
    let of = |place: usize| long(few.map_or(number, |few| number / place % few));
    format!(
        "{{\"id\": \"id-{number}\", \"t\": {at:.3}, \"v\": \"{}\", \"p\": \"{}\", \"s\": \"{}\", \"l\": {number}, \
         \"r\": \"{number:0128}\", \"s0\": 0.{number:06}, \"s1\": 0.25, \"x\": \"{}\", \"z\": \"{}\"}}\n",
        of(1),
        of(2),
        of(3),
        of(5),
        of(7)
    )
}

/// Predictions and labels, more than the join may hold: first such as fill every table, then such of which each
/// is unlike all others.
fn write_labels(bounded: &mut Bounded, count: usize) {
    let mut text = String::new();
    for number in 0..count {
        let few = (number < count / 2).then_some(9);
        text.push_str(&prediction(number, few));
        if number % 3 == 0 {
            let label = long(few.map_or(number, |few| number / 11 % few));
            writeln!(text, "{{\"id\": \"id-{number}\", \"y\": \"{label}\"}}").expect("a string");
        }
    }
    bounded.write("lines", "lines.jsonl", text.as_bytes());
    bounded.settle();
}

/// A line of so many bytes that does not end, in pieces, and then its end.
fn write_endless(bounded: &mut Bounded, log: &'static str, file: &str, bytes: usize) {
    let piece = vec![b'a'; 4 << 20];
    for _ in 0..bytes / piece.len() {
        append(&bounded.path(file), &piece);
    }
    let read = |bounded: &Bounded| {
        let lag = format!("inference_exporter_lag_bytes{{log=\"{log}\"}}");
        bounded.exporter.value(&lag)?.parse::<f64>().ok()
    };
    // All of it is read while it has no end.
    await_that("the lag of an endless line", || (read(bounded)? >= bytes as f64).then_some(()));
    bounded.write(log, file, b"\n");
    bounded.settle();
}

/// Many files, of which some hold a line that is nearly as long as may be and has no end yet; and the ends.
fn write_files(bounded: &mut Bounded, whole: usize, partial: usize) {
    std::fs::create_dir(bounded.path("files")).expect("a directory");
    let begun = format!("{{\"id\": \"p\", \"m\": \"a\", \"p\": 1, \"more\": \"{}", "m".repeat(60_000));
    for number in 0..partial {
        append(&bounded.path(&format!("files/a{number:04}.jsonl")), begun.as_bytes());
    }
    for number in 0..whole {
        let line =
            format!("{{\"id\": {number}, \"m\": \"m{number}\", \"v\": \"{number}\", \"p\": {number}}}\n");
        bounded.write("files", &format!("files/b{number:04}.jsonl"), line.as_bytes());
    }
    bounded.settle();
    bounded.assert_bounded("files with lines that do not end");
    for number in 0..partial {
        let file = format!("files/a{number:04}.jsonl");
        if number % 10 == 0 {
            // Rotated, it is a line as it stands once it has been quiet: one that is no record.
            std::fs::rename(bounded.path(&file), bounded.path(&format!("{file}.1"))).expect("renamed");
            bounded.note("files", 1);
        } else {
            bounded.write("files", &file, b"\"}\n");
        }
    }
    bounded.settle();
}

/// Clients that never finish asking, and after them such as ask and never read what is answered.
fn slow_clients(exporter: &Exporter, hesitant: usize, deaf: usize) -> Vec<TcpStream> {
    let say = |words: &[u8]| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // An answer must wait on the other side, in the process.
        socket.set_recv_buffer_size(4096).expect("an option");
        socket.connect(&exporter.address.into()).expect("a connection");
        let mut stream = TcpStream::from(socket);
        // It may have been closed to make room for others.
        drop(stream.write_all(words));
        stream
    };
    let hesitant = (0..hesitant).map(|_| say(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: "));
    let mut streams: Vec<_> = hesitant.collect();
    // One answer alone may fit into what the kernel holds for the sender.
    let again_and_again = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20);
    streams.extend((0..deaf).map(|_| say(&again_and_again)));
    streams
}

/// Many clients at once, each asking for everything again and again.
fn flood(exporter: &Exporter, clients: usize, rounds: usize) -> usize {
    const PATHS: [&str; 3] = ["/metrics", "/api/v1/status", "/"];
    const HEADERS: [&str; 3] = [
        "",
        "Accept-Encoding: gzip\r\n",
        "Accept: application/openmetrics-text; version=1.0.0\r\nAccept-Encoding: gzip\r\n",
    ];
    std::thread::scope(|scope| {
        let client = |number: usize| {
            scope.spawn(move || {
                let mut answered = 0;
                for round in 0..rounds {
                    let path = PATHS[if round % 4 == 3 { 1 + number % 2 } else { 0 }];
                    let answer = exporter.try_ask("GET", path, HEADERS[(number + round) % 3]);
                    answered += usize::from(answer.is_ok_and(|answer| answer.status == 200));
                }
                answered
            })
        };
        let clients: Vec<_> = (0..clients).map(client).collect();
        clients.into_iter().map(|client| client.join().expect("no panic")).sum()
    })
}

/// What `inference_exporter_…_lines_total` has of a log, by reason.
fn reasons(exposition: &str, family: &str, log: &str) -> u64 {
    let start = format!("inference_exporter_{family}_lines_total{{log=\"{log}\"");
    let of = exposition.lines().filter(|line| line.starts_with(&start));
    of.map(|line| line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a count")).sum()
}

fn assert_all_counted(bounded: &Bounded) {
    let exposition = bounded.exporter.metrics();
    for (log, written) in &bounded.written {
        let records = value(&exposition, &format!("inference_exporter_records_total{{log=\"{log}\"}}"));
        let records: u64 = records.and_then(|count| count.parse().ok()).expect("a count");
        let (rejected, ignored) =
            (reasons(&exposition, "rejected", log), reasons(&exposition, "ignored", log));
        assert_eq!(records + rejected + ignored, *written, "{log}: {records} {rejected} {ignored}");
    }
}

#[test]
fn a_filled_process_under_a_flood_is_near_what_check_says_and_below() {
    let mut bounded = Bounded::start(TIGHT);
    write_labels(&mut bounded, 70_000);
    bounded.assert_bounded("labels");
    write_endless(&mut bounded, "lines", "lines.jsonl", 64 << 20);
    let deep = "{\"a\":".repeat(12_000);
    bounded.write("lines", "lines.jsonl", format!("{deep}\n{}\n", "[".repeat(60_000)).as_bytes());
    bounded.settle();
    bounded.assert_bounded("a line without an end, and deep ones");

    let slow = slow_clients(&bounded.exporter, 60, 8);
    assert!(flood(&bounded.exporter, 10, 4) > 0, "nobody was answered");
    bounded.assert_bounded("a flood of scrapes");
    // With clients that hold what they can hold, lines are read all the same.
    bounded.write("lines", "lines.jsonl", prediction(1, None).as_bytes());
    bounded.settle();
    let exposition = bounded.exporter.metrics();
    assert!(value(&exposition, "inference_exporter_series_overflow_total").is_some_and(|count| count != "0"));
    assert_all_counted(&bounded);

    let height = bounded.height();
    assert!(bounded.bound <= LOOSE_MAX * height, "{} is far from {height}", bounded.bound);
    drop(slow);

    // The end waits for clients that hold an answer half read, but not for ever.
    let deaf = slow_clients(&bounded.exporter, 0, 4);
    for stream in &deaf {
        await_that("an answer on its way", || (stream.peek(&mut [0]).ok()? > 0).then_some(()));
    }
    // Pages are made for them until there is no more room in the kernel.
    let scrapes = || bounded.exporter.value("inference_exporter_scrape_duration_seconds_count");
    let (mut before, mut alone) = (0, 0);
    await_that("no scrapes but ours, several times", || {
        let now: usize = scrapes()?.parse().ok()?;
        alone = if std::mem::replace(&mut before, now) + 1 == now { alone + 1 } else { 0 };
        (alone == 8).then_some(())
    });
    let asked = seconds();
    bounded.exporter.signal("TERM");
    assert_eq!(bounded.exporter.end().code(), Some(0), "{}", bounded.exporter.stderr());
    let cut_off = bounded.exporter.events();
    let cut_off = cut_off.iter().filter(|event| event["message"] == CUT_OFF).count();
    assert_eq!(cut_off, 1, "{}", bounded.exporter.stderr());
    assert!(seconds() - asked < DRAIN_SECONDS + LOADED_SECONDS, "{} s", seconds() - asked);
    drop(deaf);
}

#[test]
fn any_number_of_files_and_models_stays_under_what_check_says() {
    let mut bounded = Bounded::start(MANY);
    write_files(&mut bounded, 1200, 300);
    bounded.assert_bounded("files");
    let columns = ",".repeat(60_000);
    bounded.write("table", "wide.csv", format!("{columns}\nid,p\n1,1\n").as_bytes());
    // A quote that is never closed: what follows is held back until it is too much to be one record.
    let stray = format!("id,p\n\"1,1\n{}", "2,1\n".repeat(30_000));
    bounded.write("table", "stray.csv", stray.as_bytes());
    bounded.settle();
    let mut text = String::new();
    for number in 0..30_000 {
        let model = long(number % 150);
        writeln!(text, "{{\"id\": {number}, \"m\": \"{model}\", \"v\": \"{model}\", \"p\": {number}}}")
            .expect("a string");
    }
    bounded.write("files", "files/models.jsonl", text.as_bytes());
    bounded.settle();
    bounded.assert_bounded("models");
    assert_all_counted(&bounded);
}
