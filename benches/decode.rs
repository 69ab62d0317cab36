//! Speed of decoding, in bytes a second, by format and by how well behaved the lines are.
//!
//! Lines are those of a model server's inference log: 430 bytes of JSON with a nested object of features,
//! of which seven fields are wanted. The same seeds give the same lines.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inference_exporter::record::{Config, Decoded, Decoder, Field, FieldId, Format, Path, Record, Step};
use std::hint::black_box;

const LINES: usize = 2000;
const WANTED: [&str; 8] =
    ["ts", "request_id", "model", "version", "status", "latency_ms", "prediction", "score"];

/// Numbers that follow from a seed (splitmix64).
struct Dice(u64);

/// How a line departs from the ordinary one.
#[derive(Clone, Copy, Default)]
struct Shape {
    shuffled: bool,
    escaped: bool,
    spaced: bool,
}

// === impl Dice ===

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// The members of one line as key and JSON text, in the order of the ordinary line.
    fn members(&mut self, shape: Shape) -> Vec<(&'static str, String)> {
        let (a, b) = (self.roll(), self.roll());
        let id = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 32,
            a & 0xffff,
            b >> 52,
            b & 0xfff,
            b >> 16
        );
        let user = match (shape.escaped, self.below(1_000_000)) {
            (true, user) => format!(r#""u_{user} \"caf\u00e9\" C:\\tmp""#),
            (false, user) => format!(r#""u_{user}""#),
        };
        let features = format!(
            r#"{{"amount":{}.{:02},"country":"DE","device":"android","account_age_days":{},"merchant":"m_{}","hour":{},"new_card":{},"velocity_1h":0.{:05}}}"#,
            self.below(5000),
            self.below(100),
            self.below(4000),
            self.below(100_000),
            self.below(24),
            self.below(2) == 0,
            self.below(100_000)
        );
        let name = ["fraud", "churn", "ranker"][self.below(3) as usize];
        let name = if shape.escaped { format!(r#""{name}\u002dv\/2""#) } else { format!(r#""{name}""#) };
        let mut members = vec![
            (
                "ts",
                format!(
                    r#""2026-01-01T00:{:02}:{:02}.{:03}Z""#,
                    self.below(60),
                    self.below(60),
                    self.below(1000)
                ),
            ),
            ("request_id", format!(r#""{id}""#)),
            ("model", name),
            ("version", format!(r#""v{}""#, self.below(2) + 1)),
            ("endpoint", r#""/predict""#.to_owned()),
            ("status", "200".to_owned()),
            ("latency_ms", format!("{}.{}", self.below(200), self.below(10))),
            ("prediction", format!(r#""{}""#, self.below(2))),
            ("score", format!("0.{:04}", self.below(10_000))),
            ("label", format!(r#""{}""#, self.below(2))),
            ("features", features),
            ("user", user),
            ("trace_id", format!(r#""{:016x}{:016x}""#, self.roll(), self.roll())),
        ];
        if shape.shuffled {
            for last in (1..members.len()).rev() {
                members.swap(last, self.below(last as u64 + 1) as usize);
            }
        }
        members
    }
}

fn json_lines(shape: Shape) -> Vec<String> {
    let mut dice = Dice(7);
    let (colon, comma) = if shape.spaced { (": ", ", ") } else { (":", ",") };
    let line = |members: Vec<(&str, String)>| {
        let members: Vec<String> =
            members.iter().map(|(key, text)| format!("\"{key}\"{colon}{text}")).collect();
        format!("{{{}}}", members.join(comma))
    };
    (0..LINES).map(|_| line(dice.members(shape))).collect()
}

fn flat_lines(join: impl Fn(&str, &str) -> String, separator: &str) -> Vec<String> {
    let mut dice = Dice(7);
    let line = |members: Vec<(&str, String)>| {
        let members: Vec<String> = members
            .iter()
            .filter(|member| member.0 != "features")
            .map(|(key, text)| join(key, text))
            .collect();
        members.join(separator)
    };
    (0..LINES).map(|_| line(dice.members(Shape::default()))).collect()
}

fn fields() -> Vec<Field> {
    let plain = |text: &&str| Field { path: path(text), decode: Vec::new(), then: None };
    WANTED.iter().map(plain).collect()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn measure(criterion: &mut Criterion, name: &str, format: Format, fields: Vec<Field>, lines: &[String]) {
    let config = Config { format, explode: None, fields };
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    for line in lines {
        assert_eq!(decoder.decode(line.as_bytes(), &mut record), Ok(Decoded::Record), "{line}");
        let score = record.value(FieldId(u16::try_from(config.fields.len()).unwrap_or(0) - 1), 0).as_f64();
        assert!(score.is_some(), "{line}");
    }
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(lines.iter().map(|line| line.len() as u64 + 1).sum()));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for line in lines {
                let decoded = decoder.decode(black_box(line.as_bytes()), &mut record);
                black_box(decoded.is_ok());
            }
        });
    });
    group.finish();
}

fn json(criterion: &mut Criterion) {
    let plain = Shape::default();
    for (name, shape) in [
        ("json", plain),
        ("json, keys shuffled", Shape { shuffled: true, ..plain }),
        ("json, escapes", Shape { escaped: true, ..plain }),
        ("json, spaces", Shape { spaced: true, ..plain }),
    ] {
        measure(criterion, name, Format::Json, fields(), &json_lines(shape));
    }
    let payloads: Vec<String> = json_lines(plain)
        .iter()
        .map(|line| format!(r#"{{"id":"x","response":{}}}"#, serde_json::Value::from(line.as_str())))
        .collect();
    let inside =
        |text: &&str| Field { path: path("response"), decode: vec![Step::Json], then: Some(path(text)) };
    measure(criterion, "json in json", Format::Json, WANTED.iter().map(inside).collect(), &payloads);
}

fn flat(criterion: &mut Criterion) {
    let logfmt = flat_lines(|key, text| format!("{key}={text}"), " ");
    measure(criterion, "logfmt", Format::Logfmt, fields(), &logfmt);
    let csv = flat_lines(|_, text| text.trim_matches('"').to_owned(), ",");
    let columns = Dice(7).members(Shape::default()).into_iter().map(|member| member.0.to_owned());
    let columns = Some(columns.filter(|name| name != "features").collect());
    measure(criterion, "csv", Format::Csv { delimiter: b',', columns }, fields(), &csv);
    let group = |name: &str| format!("(?<{name}>\\S+) {}", if name == "version" { "\\S+ " } else { "" });
    let pattern = format!("^{}", WANTED.map(group).concat());
    let pattern = regex::bytes::Regex::new(&pattern).unwrap_or_else(|error| panic!("{error}"));
    let words = flat_lines(|_, text| text.trim_matches('"').to_owned(), " ");
    measure(criterion, "regex", Format::Regex { pattern }, fields(), &words);
}

criterion_group!(benches, json, flat);
criterion_main!(benches);
