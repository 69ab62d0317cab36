//! States for the tests of what is written from them: logs in, a replayed state out.
//!
//! Not the configuration: fields are named by hand, so that these tests do not depend on how a file is read.

use super::replay::{self, Input};
use super::{Config, State, StreamConfig};
use crate::event::{self, Fields, LatencyField, ModelName, TimeField, Unit};
use crate::join::{self, Labels, Secret};
use crate::limits;
use crate::line::{self, Container};
use crate::monitor::{self, Buckets, Limits, Target, Task};
use crate::record::{self, Field, FieldId, Format, Path};
use crate::source::once::Once;
use crate::source::{self, StartAt};
use crate::time::{Span, Timestamp};

/// Logs with their content, and the models that they are about.
#[derive(Default)]
pub(crate) struct Example {
    models: Vec<monitor::Config>,
    logs: Vec<(StreamConfig, Vec<u8>)>,
}

// === impl Example ===

impl Example {
    pub(crate) fn model(mut self, name: &str, task: Task, change: impl FnOnce(&mut monitor::Config)) -> Self {
        let mut model = model(name, task);
        change(&mut model);
        self.models.push(model);
        self
    }

    /// A log of a model. `fields` are pairs of event field and path; `slice:NAME` and `score:CLASS` are the
    /// fields of slices and class scores, `where` is a field and the value it must have, `zone` the time zone of times without one.
    pub(crate) fn log(
        mut self,
        name: &str,
        model: &str,
        format: Format,
        fields: &[(&str, &str)],
        content: impl Into<Vec<u8>>,
    ) -> Self {
        let mut wanted = Vec::new();
        let mut conditions = Vec::new();
        let mut mapped = Fields::default();
        let mut time_zone = jiff::tz::TimeZone::UTC;
        for &(role, path) in fields {
            if role == "zone" {
                time_zone = jiff::tz::TimeZone::get(path).unwrap();
                continue;
            }
            let field = FieldId(wanted.len() as u16);
            let (path, format) =
                path.split_once(" as ").map_or((path, None), |(path, as_)| (path, Some(as_)));
            let (path, value) = path.split_once(" is ").unwrap_or((path, ""));
            wanted.push(Field { path: Path::parse(path).unwrap(), decode: Vec::new(), then: None });
            match role {
                "id" => mapped.id = Some(field),
                "time" => mapped.time = Some(TimeField { field, format: format.map(str::to_owned) }),
                "version" => mapped.version = Some(field),
                "status" => mapped.status = Some(field),
                "latency" => mapped.latency = Some(LatencyField { field, unit: Unit::Milliseconds }),
                "trace_id" => mapped.trace_id = Some(field),
                "prediction" => mapped.prediction = Some(field),
                "score" => mapped.score = Some(field),
                "label" => mapped.label = Some(field),
                "where" => conditions.push((field, vec![value.to_owned()])),
                _ => match role.split_once(':') {
                    Some(("slice", slice)) => mapped.slices.push((slice.to_owned(), field)),
                    Some(("score", class)) => mapped.scores.push((class.to_owned(), field)),
                    _ => panic!("no such event field: {role}"),
                },
            }
        }
        let quoted = match &format {
            Format::Csv { delimiter, .. } => Some(*delimiter),
            Format::Json | Format::Logfmt | Format::Regex { .. } => None,
        };
        let stream = StreamConfig {
            name: name.to_owned(),
            source: source::Config {
                paths: Vec::new(),
                exclude: Vec::new(),
                start_at: StartAt::Beginning,
                rotate_wait: Span::ZERO,
            },
            line: line::Config { container: Container::None, line_bytes_max: limits::LINE_BYTES_MAX, quoted },
            record: record::Config { format, explode: None, fields: wanted },
            event: event::Config {
                model: ModelName::Constant(model.to_owned()),
                time_zone,
                conditions,
                fields: mapped,
            },
        };
        self.logs.push((stream, content.into()));
        self
    }

    /// The state before the first line.
    pub(crate) fn unread(self) -> State {
        let (config, _) = self.config();
        State::new(&config, Secret::new([7; 16]))
    }

    /// The state after all logs have been read, and the time of the newest record.
    pub(crate) fn replay(self) -> (State, Timestamp) {
        let (config, inputs) = self.config();
        let mut state = State::new(&config, Secret::new([7; 16]));
        let now = replay::run(&config, inputs, &mut state, &mut |_| {}).unwrap();
        (state, now)
    }

    fn config(mut self) -> (Config, Vec<Input>) {
        for model in &mut self.models {
            let of_model = |stream: &StreamConfig| matches!(&stream.event.model, ModelName::Constant(name) if *name == model.name);
            let fields: Vec<&Fields> = self
                .logs
                .iter()
                .map(|(stream, _)| stream)
                .filter(|stream| of_model(stream))
                .map(|stream| &stream.event.fields)
                .collect();
            model.maps_score =
                fields.iter().any(|fields| fields.score.is_some() || !fields.scores.is_empty());
            model.maps_latency = fields.iter().any(|fields| fields.latency.is_some());
            model.expects_labels = fields.iter().any(|fields| fields.label.is_some());
            let scores = fields.iter().flat_map(|fields| &fields.scores);
            model.scored = scores.map(|(class, _)| class.clone()).collect();
        }
        let mut streams = Vec::new();
        let mut inputs = Vec::new();
        for (stream, (config, content)) in self.logs.into_iter().enumerate() {
            inputs.push(Input {
                stream,
                source: Box::new(Once::new(std::io::Cursor::new(content), config.name.as_ref())),
            });
            streams.push(config);
        }
        (Config { streams, models: self.models, found: None }, inputs)
    }
}

pub(crate) fn binary() -> Task {
    Task::Binary { positive: "1".to_owned(), negative: "0".to_owned(), threshold: 0.5 }
}

pub(crate) fn multiclass(classes: &[&str], top_k: &[u32]) -> Task {
    let classes = classes.iter().map(|&class| class.to_owned()).collect();
    Task::Multiclass { classes, top_k: top_k.to_vec() }
}

pub(crate) fn csv(delimiter: u8, columns: &[&str]) -> Format {
    let columns = columns.iter().map(|&column| column.to_owned()).collect::<Vec<_>>();
    Format::Csv { delimiter, columns: (!columns.is_empty()).then_some(columns) }
}

pub(crate) fn target(indicator: &str, class: &str, value: f64) -> Target {
    Target { indicator: indicator.to_owned(), class: class.to_owned(), value }
}

/// Three models of the oracle (binary, multiclass, regression) with targets, rejects and absent values.
pub(crate) fn oracle() -> Example {
    tumour(progression(digits(Example::default())))
}

fn read(file: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cases").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn digits(example: Example) -> Example {
    let digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let columns = digits.map(|digit| (format!("score:{digit}"), format!("p{digit}")));
    let mut fields = vec![
        ("id", "id"),
        ("time", "when as %d/%b/%Y:%H:%M:%S %z"),
        ("version", "version"),
        ("prediction", "digit"),
        ("latency", "latency"),
        ("slice:ink", "ink"),
    ];
    fields.extend(columns.iter().map(|(role, path)| (&**role, &**path)));
    let labels = [("id", "id"), ("time", "at"), ("label", "digit")];
    example
        .model("digits", multiclass(&digits, &[2, 3]), |model| {
            model.slices = vec!["ink".to_owned()];
            model.join.wait = Span::from_seconds(3 * 3600);
            model.targets = vec![target("accuracy", "", 0.9), target("recall", "3", 0.9)];
        })
        .log("digits-predictions", "digits", csv(b';', &[]), &fields, read("digits_csv/predictions.csv"))
        .log(
            "digits-labels",
            "digits",
            csv(b',', &["digit", "at", "id"]),
            &labels,
            read("digits_csv/labels.csv"),
        )
}

fn progression(example: Example) -> Example {
    let pattern = r"^(?P<at>\S+ \S+) INFO predict id=(?P<id>\S+) version=(?P<version>\S+) sex=(?P<sex>\w+) bmi=(?P<bmi>\w+) took (?P<took>\S+) -> (?P<value>\S+)$";
    let fields = [
        ("zone", "Europe/Berlin"),
        ("id", "id"),
        ("time", "at"),
        ("version", "version"),
        ("prediction", "value"),
        ("latency", "took"),
        ("slice:sex", "sex"),
        ("slice:bmi", "bmi"),
    ];
    let labels = [("id", "id"), ("time", "at"), ("label", "outcome")];
    let format = Format::Regex { pattern: regex::bytes::Regex::new(pattern).unwrap() };
    example
        .model("progression", Task::Regression, |model| {
            model.slices = vec!["sex".to_owned(), "bmi".to_owned()];
            model.targets = vec![target("mae", "", 40.0), target("availability", "", 0.999)];
        })
        .log(
            "progression-predictions",
            "progression",
            format,
            &fields,
            read("diabetes_regex/predictions.log"),
        )
        .log("progression-labels", "progression", Format::Logfmt, &labels, read("diabetes_regex/labels.log"))
}

fn tumour(example: Example) -> Example {
    let fields = [
        ("id", "request.id"),
        ("time", "ts"),
        ("version", r#"deployment["model.version"]"#),
        ("prediction", "outputs[0].data[0]"),
        ("score", "outputs[1].data[0]"),
        ("latency", "latency_ms"),
        ("status", "http.status"),
        ("slice:radius", r#"features["radius.tercile"]"#),
        ("where", "kind is inference"),
    ];
    let labels = [("id", "id"), ("time", "at"), ("label", "malignant")];
    let content = read("breast_cancer_json/predictions.jsonl");
    example
        .model("tumour", binary(), |model| {
            model.slices = vec!["radius".to_owned()];
            model.targets = vec![
                target("accuracy", "", 0.9),
                target("recall", "", 0.99),
                target("latency_p99", "", 0.25),
            ];
        })
        .log("tumour-predictions", "tumour", Format::Json, &fields, content)
        .log("tumour-labels", "tumour", csv(b',', &[]), &labels, read("breast_cancer_json/labels.csv"))
}

fn model(name: &str, task: Task) -> monitor::Config {
    monitor::Config {
        name: name.to_owned(),
        task,
        failed: regex::Regex::new("^(?:5..|error)$").unwrap(),
        windows: vec![Span::from_seconds(300), Span::from_seconds(3600), Span::from_seconds(24 * 3600)],
        window_all: true,
        slices: Vec::new(),
        scored: Vec::new(),
        maps_score: false,
        maps_latency: false,
        maps_version: true,
        expects_labels: false,
        join: join::Config {
            wait: Span::from_seconds(2 * 3600),
            max_pending: limits::MAX_PENDING_DEFAULT,
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
        expire_after: limits::EXPIRE_AFTER_DEFAULT,
        limits: Limits {
            series: limits::SERIES_DEFAULT,
            values: limits::VALUES_DEFAULT,
            value_length: limits::VALUE_LENGTH_DEFAULT,
            versions: limits::VERSIONS_DEFAULT,
        },
    }
}
