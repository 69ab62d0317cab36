//! Holds the hot path to its promise: once warm, a line allocates nothing.
//!
//! Measured is `Live::turn` between two looks at the file system: reading, lines, records, events, join,
//! outcomes in all windows, slices and exemplars. The slots of the windows roll over meanwhile, and the
//! join takes in and lets go. Not measured, because none of it happens once a line:
//! - a look at the file system, four times a second at most;
//! - a file's buffer, which a file that has gone quiet gives back, and takes again for its next read;
//! - what grows with what was seen so far and is bounded by limits: a new model, version, class, status or
//!   slice value, more predictions waiting than ever before, more distinct scores in a window than ever.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why; clippy knows only test functions")]

use inference_exporter::config;
use inference_exporter::family::{self, writer};
use inference_exporter::join::Secret;
use inference_exporter::pipeline::State;
use inference_exporter::pipeline::live::Live;
use inference_exporter::time::Timestamp;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The windows below are full after eleven minutes: from then on slots are used again.
const WARM_SECONDS: u64 = 720;
const MEASURED_SECONDS: u64 = 2000;
const REQUESTS_PER_SECOND: u64 = 10;
/// At least so many lines have to pass without an allocation.
const LINES_MIN: u64 = 10_000;
/// Lines at the head of what is measured that both buffers need to grow to their full size again.
const GROWING_LINES: u64 = 10_000;
/// Lines at its end that are as many as two batches: one of the files may go quiet among them.
const ENDING_LINES: u64 = 4000;
/// What makes a line as long as lines are, so that few of them fill a buffer.
const PADDING: &str =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789";
/// Labels that are not in the prediction's line come this much later.
const LABEL_DELAY_SECONDS: u64 = 60;
const START: u64 = 1_800_000_000;

const BINARY: &str = "{task: binary, positive: '1', negative: '0', slices: [country], windows: [1m, 2m, 10m],
    join: {wait: 5m}}";
const MULTICLASS: &str = "{task: multiclass, classes: [a, b, c], top_k: [2], slices: [country],
    windows: [1m, 2m, 10m], join: {wait: 5m}}";
const REGRESSION: &str = "{task: regression, slices: [country], windows: [1m, 2m, 10m], join: {wait: 5m}}";

const FIELDS: &str = "{id: id, time: ts, version: version, status: status, latency: {path: ms, unit: ms},
    trace_id: trace, prediction: y, score: p, label: label, slices: {country: country}}";

/// One log and one model, and how a request is written.
struct Case {
    name: &'static str,
    /// Of the log: format and the like.
    log: String,
    model: &'static str,
    line: fn(&Request) -> String,
}

/// One request, all of it following from its number.
struct Request {
    number: u64,
}

/// What is followed, without thread and clock.
struct Followed {
    directory: TempDir,
    live: Live,
    state: Arc<Mutex<State>>,
    line: fn(&Request) -> String,
    /// Seconds since the start that are written.
    second: u64,
}

// === impl Request ===

impl Request {
    fn pick<'a>(&self, salt: u64, values: &[&'a str]) -> &'a str {
        let mixed = (self.number + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        values[(mixed % values.len() as u64) as usize]
    }

    fn time(&self) -> String {
        let (seconds, tenths) =
            (START + self.number / REQUESTS_PER_SECOND, self.number % REQUESTS_PER_SECOND);
        format!("{seconds}.{tenths}")
    }

    fn version(&self) -> &str {
        self.pick(1, &["v1", "v2"])
    }

    fn country(&self) -> &str {
        self.pick(2, &["DE", "FR", "BR"])
    }

    fn score(&self) -> &str {
        self.pick(3, &["0.03", "0.21", "0.4", "0.55", "0.62", "0.87", "0.991"])
    }

    fn status(&self) -> &str {
        self.pick(4, &["200", "200", "200", "503"])
    }

    fn latency(&self) -> &str {
        self.pick(5, &["1.5", "12.25", "80", "310.5"])
    }

    /// Every other request has its label in its line.
    fn label(&self) -> Option<&str> {
        self.number.is_multiple_of(2).then(|| self.true_class())
    }

    fn class(&self) -> &str {
        self.pick(6, &["0", "1"])
    }

    fn true_class(&self) -> &str {
        self.pick(7, &["0", "1"])
    }
}

fn json(request: &Request) -> String {
    let label = request.label().map_or_else(String::new, |label| format!(r#","label":"{label}""#));
    format!(
        r#"{{"id":"r{}","ts":{},"version":"{}","status":{},"ms":{},"trace":"{:016x}","y":"{}","p":{},"country":"{}","user":"caf\u00e9 {PADDING}","features":{{"a":[1,2,{{"b":null}}]}}{label}}}"#,
        request.number,
        request.time(),
        request.version(),
        request.status(),
        request.latency(),
        request.number,
        request.class(),
        request.score(),
        request.country(),
    )
}

fn logfmt(request: &Request) -> String {
    let label = request.label().map_or_else(String::new, |label| format!(" label={label}"));
    format!(
        r#"id=r{} ts={} version={} status={} ms={} trace="{:016x}" y={} p={} country={} user="a \"b\" {PADDING}"{label}"#,
        request.number,
        request.time(),
        request.version(),
        request.status(),
        request.latency(),
        request.number,
        request.class(),
        request.score(),
        request.country(),
    )
}

fn csv(request: &Request) -> String {
    format!(
        r#"r{},{},{},{},{},{:016x},{},{},{},"a, ""b"" {PADDING}",{}"#,
        request.number,
        request.time(),
        request.version(),
        request.status(),
        request.latency(),
        request.number,
        request.class(),
        request.score(),
        request.country(),
        request.label().unwrap_or(""),
    )
}

fn words(request: &Request) -> String {
    format!(
        "{} r{} {} {} {} {:016x} {} {} {} {PADDING}",
        request.time(),
        request.number,
        request.version(),
        request.status(),
        request.latency(),
        request.number,
        request.class(),
        request.score(),
        request.country(),
    )
}

fn cri(request: &Request) -> String {
    let line = json(request);
    let (head, tail) = line.split_at(40);
    format!("2027-01-15T08:00:00.1Z stdout P {head}\n2027-01-15T08:00:00.1Z stdout F {tail}")
}

fn docker(request: &Request) -> String {
    let text = serde_json::Value::from(json(request) + "\n");
    format!(r#"{{"log":{text},"stream":"stdout","time":"2027-01-15T08:00:00.1Z"}}"#)
}

/// Captured requests: the payload is JSON in base64.
fn payload(request: &Request) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(json(request));
    format!(r#"{{"id":"r{}","body":"{encoded}"}}"#, request.number)
}

/// Two predictions in one record: one with an id of its own, one that is told by its place.
fn batch(request: &Request) -> String {
    let element = |id: &str, score: &str| format!(r#"{{{id}"y":"{}","p":{score}}}"#, request.class());
    format!(
        r#"{{"id":"b{}","ts":{},"version":"v1","outputs":[{},{}],"country":"{}","by":"{PADDING}"}}"#,
        request.number,
        request.time(),
        element(&format!(r#""id":"r{}","#, request.number), request.score()),
        element("", "0.5"),
        request.country(),
    )
}

fn scores(request: &Request) -> String {
    let [a, b, c] = match request.score().len() {
        3 => ["0.2", "0.5", "0.3"],
        4 => ["0.7", "0.2", "0.1"],
        _ => ["0.05", "0.05", "0.9"],
    };
    let label = request.label().map_or("null", |label| if label == "0" { r#""a""# } else { r#""c""# });
    format!(
        r#"{{"id":"r{}","ts":{},"version":"{}","a":{a},"b":{b},"c":{c},"country":"{}","label":{label},"by":"{PADDING}"}}"#,
        request.number,
        request.time(),
        request.version(),
        request.country(),
    )
}

fn number(request: &Request) -> String {
    let label = request.label().unwrap_or("null");
    format!(
        r#"{{"id":"r{}","ts":{},"version":"{}","y":{},"country":"{}","label":{label},"by":"{PADDING}"}}"#,
        request.number,
        request.time(),
        request.version(),
        request.score(),
        request.country(),
    )
}

/// A class out of so many, right or not.
fn one_class_of(count: u64, request: &Request) -> String {
    let (id, time) = (request.number, request.time());
    let (given, actual) = (request.number % count, request.number / count % count);
    format!(r#"{{"id":"r{id}","ts":{time},"y":"c{given}","label":"c{actual}"}}"#)
}

fn cases() -> Vec<Case> {
    let of = |format: &str| format!("{format}, fields: {FIELDS}");
    let case = |name, log, model, line| Case { name, log, model, line };
    let pattern = r"'^(?<ts>\S+) (?<id>\S+) (?<version>\S+) (?<status>\d+) (?<ms>\S+) (?<trace>\S+) (?<y>\S+) (?<p>\S+) (?<country>\S+) \S+$'";
    let regex_fields = FIELDS.replace("label: label, ", "");
    let inside = |field: &str| format!("{{path: body, decode: [base64, json], then: {field}}}");
    let payload_fields = format!(
        "{{id: id, time: {}, version: {}, prediction: {}, score: {}, label: {}, slices: {{country: {}}}}}",
        inside("ts"),
        inside("version"),
        inside("y"),
        inside("p"),
        inside("label"),
        inside("country")
    );
    let plain = "id: id, time: ts, version: version, label: label, slices: {country: country}";
    vec![
        case("json", of("format: json"), BINARY, json),
        case("logfmt", of("format: logfmt"), BINARY, logfmt),
        case(
            "csv",
            of("format: csv, columns: [id, ts, version, status, ms, trace, y, p, country, user, label]"),
            BINARY,
            csv,
        ),
        case("regex", format!("format: regex, pattern: {pattern}, fields: {regex_fields}"), BINARY, words),
        case("cri", of("format: json, container: cri"), BINARY, cri),
        case("docker", of("format: json, container: docker"), BINARY, docker),
        case("payload", format!("format: json, fields: {payload_fields}"), BINARY, payload),
        case(
            "batch",
            "format: json, explode: outputs, fields: {id: id, time: ts, version: version,
                prediction: 'outputs[].y', score: 'outputs[].p', slices: {country: country}}"
                .to_owned(),
            BINARY,
            batch,
        ),
        case(
            "multiclass",
            format!("format: json, fields: {{{plain}, scores: {{a: a, b: b, c: c}}}}"),
            MULTICLASS,
            scores,
        ),
        case("regression", format!("format: json, fields: {{{plain}, prediction: y}}"), REGRESSION, number),
    ]
}

// === impl Followed ===

impl Followed {
    fn new(case: &Case) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().display();
        let text = format!(
            "logs:
  - {{name: predictions, model: m, start_at: beginning, paths: ['{path}/predictions'], {}}}
  - {{name: labels, model: m, start_at: beginning, paths: ['{path}/labels'], format: json,
      fields: {{id: id, time: ts, label: label}}}}
models:
  m: {}
",
            case.log, case.model
        );
        let plan = config::parse(&text, "test.yaml", &|_| None);
        let config = plan.unwrap_or_else(|errors| panic!("{}: {errors}", case.name)).plan.pipeline;
        let state = Arc::new(Mutex::new(State::new(&config, Secret::new([3; 16]))));
        let live = Live::new(config, Arc::clone(&state)).expect("globs");
        Self { directory, live, state, line: case.line, second: 0 }
    }

    /// Appends so many seconds of both logs, and looks at them.
    fn write(&mut self, seconds: u64) {
        let (mut predictions, mut labels) = (String::new(), String::new());
        let numbers = self.second * REQUESTS_PER_SECOND..(self.second + seconds) * REQUESTS_PER_SECOND;
        for number in numbers {
            predictions.push_str(&(self.line)(&Request { number }));
            predictions.push('\n');
            let Some(labelled) = number.checked_sub(LABEL_DELAY_SECONDS * REQUESTS_PER_SECOND) else {
                continue;
            };
            let labelled = Request { number: labelled };
            if labelled.label().is_none() {
                let time = Request { number }.time();
                let id = labelled.number;
                let class = labelled.true_class();
                writeln!(labels, r#"{{"id":"r{id}","ts":{time},"label":"{class}","by":"{PADDING}"}}"#)
                    .expect("memory");
            }
        }
        self.second += seconds;
        for (name, content) in [("predictions", predictions), ("labels", labels)] {
            let path = self.directory.path().join(name);
            let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a log");
            file.write_all(content.as_bytes()).expect("room on the disk");
        }
        self.live.look(self.now());
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds((START + self.second) as i64)
    }

    /// Records taken in, and lines of any other kind.
    fn lines(&self) -> [u64; 2] {
        let state = self.state.lock().expect("no panic");
        let records = state.logs.iter().map(|log| log.records).sum();
        [records, state.logs.iter().map(|log| log.lines).sum::<u64>() - records]
    }

    fn outcomes(&self) -> u64 {
        let state = self.state.lock().expect("no panic");
        let versions = state.monitors().iter().flat_map(|monitor| monitor.versions());
        versions.map(|version| version.class_tally.total() + version.absolute_error.count()).sum()
    }
}

/// Allocations, and the lines they were counted in.
fn allocations(case: &Case) -> [u64; 2] {
    let mut followed = Followed::new(case);
    // A minute at a time, as it would come, and a backlog like the one that is measured: it is taken in
    // without a look in between, so the join holds more than ever.
    let minutes = std::iter::repeat_n(60, WARM_SECONDS as usize / 60);
    for seconds in minutes.chain([MEASURED_SECONDS]) {
        followed.write(seconds);
        while followed.live.turn(followed.now()) {}
    }
    followed.write(MEASURED_SECONDS);
    let end = REQUESTS_PER_SECOND * (MEASURED_SECONDS + MEASURED_SECONDS / 2) - ENDING_LINES;
    let [before, others] = followed.lines();
    assert_eq!(others, 0, "{}: every line is a record", case.name);
    let (mut allocations, mut measured) = (0, 0);
    let outcomes = followed.outcomes();
    loop {
        let [lines, _] = followed.lines();
        if lines - before >= end {
            break;
        }
        let now = followed.now();
        let live = &mut followed.live;
        let counted = allocation_counter::measure(|| assert!(live.turn(now), "there is more to read"));
        if lines - before >= GROWING_LINES {
            allocations += counted.count_total;
            measured += followed.lines()[0] - lines;
        }
    }
    assert!(measured >= LINES_MIN, "{}: only {measured} lines", case.name);
    assert!(followed.outcomes() - outcomes >= LINES_MIN / 2, "{}: labels meet predictions", case.name);
    [allocations, measured]
}

#[test]
fn no_line_allocates_once_warm() {
    let cases = cases();
    let allocating =
        cases.iter().map(|case| (case.name, allocations(case))).filter(|(_, [count, _])| *count > 0);
    let allocating: Vec<_> = allocating.collect();
    assert!(allocating.is_empty(), "[allocations, lines]: {allocating:?}");
}

/// Allocations of a scrape, and the samples it writes.
fn scrape(line: fn(&Request) -> String) -> [u64; 2] {
    let log = "format: json, fields: {id: id, time: ts, prediction: y, label: label}".to_owned();
    let mut followed = Followed::new(&Case { name: "scrape", log, model: "{task: multiclass}", line });
    followed.write(60);
    while followed.live.turn(followed.now()) {}
    let now = followed.now();
    let mut state = followed.state.lock().expect("no panic");
    let mut writer = writer::Writer::new(writer::Format::Text, 1 << 20);
    let counted = allocation_counter::measure(|| {
        state.advance(now);
        family::write(&state, &mut writer);
    });
    [counted.count_total, writer.series()]
}

/// What a scrape allocates are the values of each window and version, a few blocks each, and its text.
#[test]
fn a_scrape_allocates_for_its_windows_and_not_for_its_samples() {
    let [few, few_series] = scrape(|request| one_class_of(3, request));
    let [many, many_series] = scrape(|request| one_class_of(12, request));
    assert!(many_series > 2 * few_series, "{many_series} samples and {few_series}");
    assert_eq!(many, few, "allocations of {many_series} samples and of {few_series}");
}
