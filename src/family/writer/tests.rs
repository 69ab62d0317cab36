//! The text is what the `prometheus` crate writes of the same families, and what the two formats allow.

use super::*;
use crate::family;
use crate::pipeline::State;
use crate::pipeline::example::{self, Example};
use crate::record;
use prometheus::proto::{self, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use std::collections::{BTreeMap, BTreeSet};

/// A family as it was read back.
#[derive(Debug)]
struct Family {
    name: String,
    help: String,
    kind: String,
    samples: Vec<Sample>,
}

type OwnLabels = Vec<(String, String)>;

/// Values as they were written.
#[derive(Debug)]
struct Exemplar {
    labels: OwnLabels,
    value: String,
    time: Option<String>,
}

/// What is open while a histogram is read: its labels, the last bound, the count up to there.
type Open<'a> = (&'a [(String, String)], f64, u64);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: OwnLabels,
    value: String,
    exemplar: Option<Exemplar>,
}

/// The rest of a line that is being read.
struct Line<'a>(&'a str);

impl<'a> Line<'a> {
    fn until(&mut self, stop: &[char]) -> &'a str {
        let end = self.0.find(stop).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn eat(&mut self, text: &str) -> bool {
        self.0.strip_prefix(text).map(|rest| self.0 = rest).is_some()
    }

    fn expect(&mut self, text: &str) {
        assert!(self.eat(text), "expected {text:?} before {:?}", self.0);
    }

    fn labels(&mut self) -> Vec<(String, String)> {
        let mut labels: Vec<(String, String)> = Vec::new();
        while !self.eat("}") {
            if !labels.is_empty() {
                self.expect(",");
            }
            let name = self.until(&['=']).to_owned();
            assert!(name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'), "{name}");
            assert!(name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_'), "{name}");
            assert!(labels.iter().all(|(other, _)| *other != name), "{name} twice");
            self.expect("=\"");
            let mut value = String::new();
            let mut characters = self.0.char_indices();
            let end = loop {
                match characters.next().expect("a closing quote") {
                    (end, '"') => break end,
                    (_, '\\') => value.push(unescaped(characters.next().unwrap().1)),
                    (_, one) => value.push(one),
                }
            };
            self.0 = &self.0[end + 1..];
            labels.push((name, value));
        }
        labels
    }
}

fn unescaped(escape: char) -> char {
    match escape {
        'n' => '\n',
        '\\' | '"' => escape,
        other => panic!("no such escape: {other}"),
    }
}

fn unescape(text: &str) -> String {
    let mut characters = text.chars();
    let mut out = String::new();
    while let Some(one) = characters.next() {
        out.push(if one == '\\' { unescaped(characters.next().unwrap()) } else { one });
    }
    out
}

fn sample(line: &str) -> Sample {
    let mut line = Line(line);
    let name = line.until(&['{', ' ']).to_owned();
    let labels = if line.eat("{") { line.labels() } else { Vec::new() };
    line.expect(" ");
    let value = line.until(&[' ']).to_owned();
    let exemplar = line.eat(" # {").then(|| {
        let labels = line.labels();
        line.expect(" ");
        let value = line.until(&[' ']).to_owned();
        Exemplar { labels, value, time: line.eat(" ").then(|| line.until(&[' ']).to_owned()) }
    });
    assert_eq!(line.0, "", "after {name}");
    Sample { name, labels, value, exemplar }
}

/// Reads an exposition, in which every sample follows the head of its family.
fn parse(text: &str, format: Format) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    assert!(text.ends_with('\n'));
    let text = match format {
        Format::Text => text,
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("the end is marked"),
    };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(head) = line.strip_prefix("# HELP ") else {
            families.last_mut().expect("a head first").samples.push(sample(line));
            continue;
        };
        let (name, help) = head.split_once(' ').unwrap();
        let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE ")?.strip_prefix(name));
        let kind = kind.expect("TYPE after HELP").trim_start().to_owned();
        families.push(Family { name: name.to_owned(), help: unescape(help), kind, samples: Vec::new() });
    }
    families
}

/// What both formats ask for, and what this exporter promises on top: no value that is not finite.
fn check(families: &[Family], format: Format) {
    let (mut names, mut series) = (BTreeSet::new(), BTreeSet::new());
    for family in families {
        assert!(names.insert(&family.name), "{} twice", family.name);
        assert!(!family.samples.is_empty(), "{} has a head and no samples", family.name);
        assert!(!family.help.is_empty() && family.help.ends_with('.'), "{}", family.name);
        if family.kind == "counter" {
            assert_eq!(family.name.ends_with("_total"), format == Format::Text, "{}", family.name);
        }
        for sample in &family.samples {
            let suffix = sample.name.strip_prefix(&family.name).expect("a sample belongs to its family");
            let allowed: &[&str] = match (&*family.kind, format) {
                ("histogram", _) => &["_bucket", "_sum", "_count"],
                ("counter", Format::OpenMetrics) => &["_total"],
                ("counter" | "gauge", _) => &[""],
                (kind, _) => panic!("no such type: {kind}"),
            };
            assert!(allowed.contains(&suffix), "{} in {} {}", sample.name, family.kind, family.name);
            let value: f64 = sample.value.parse().unwrap();
            assert!(value.is_finite(), "{sample:?}");
            assert!(family.kind == "gauge" || value >= 0.0, "{sample:?}");
            let labels: BTreeMap<_, _> = sample.labels.iter().cloned().collect();
            assert!(series.insert((sample.name.clone(), labels)), "{sample:?} twice");
            check_exemplar(sample, suffix, format);
        }
        if family.kind == "histogram" {
            check_buckets(family, format);
        }
    }
}

fn check_exemplar(sample: &Sample, suffix: &str, format: Format) {
    let Some(Exemplar { labels, value, time }) = &sample.exemplar else { return };
    assert_eq!((suffix, format), ("_bucket", Format::OpenMetrics));
    let characters: usize =
        labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    assert!(characters <= 128, "{sample:?}");
    let value: f64 = value.parse().unwrap();
    assert!(value <= bound(sample), "{sample:?}");
    assert!(time.as_ref().is_none_or(|time| time.parse::<f64>().unwrap() > 0.0));
}

fn bound(sample: &Sample) -> f64 {
    let (_, text) = sample.labels.iter().find(|(name, _)| name == "le").expect("a bucket has a bound");
    if text == "+Inf" { f64::INFINITY } else { text.parse().unwrap() }
}

/// Buckets ascend, add up, end at infinity, and agree with the count; sum and count follow them.
fn check_buckets(family: &Family, format: Format) {
    let mut open: Option<Open<'_>> = None;
    let mut count = None;
    for sample in &family.samples {
        if sample.name.ends_with("_bucket") {
            let (last, own) = sample.labels.split_last().unwrap();
            assert_eq!(last.0, "le");
            let is_float = last.1 == "+Inf" || last.1.contains('.');
            assert!(is_float || format == Format::Text, "{sample:?}");
            let (bound, value) = (bound(sample), sample.value.parse().unwrap());
            if let Some((labels, below, held)) = open {
                assert!(labels == own && bound > below && value >= held, "{sample:?}");
            }
            open = Some((own, bound, value));
        } else if sample.name.ends_with("_sum") {
            let (labels, last, held) = open.take().expect("buckets before the sum");
            assert_eq!((labels, last), (&*sample.labels, f64::INFINITY));
            count = Some((labels, held));
        } else {
            assert_eq!(count.take(), Some((&*sample.labels, sample.value.parse().unwrap())));
        }
    }
    assert_eq!((open, count), (None, None), "{} ends within a histogram", family.name);
}

/// The same families as the objects that the `prometheus` crate encodes.
fn objects(families: &[Family]) -> Vec<MetricFamily> {
    families.iter().map(object).collect()
}

fn object(family: &Family) -> MetricFamily {
    let mut object = MetricFamily::default();
    object.set_name(family.name.clone());
    object.set_help(family.help.clone());
    object.set_field_type(match &*family.kind {
        "counter" => MetricType::COUNTER,
        "gauge" => MetricType::GAUGE,
        _ => MetricType::HISTOGRAM,
    });
    let (mut metrics, mut buckets, mut sum) = (Vec::new(), Vec::new(), 0.0);
    for sample in &family.samples {
        let mut metric = Metric::from_label(sample.labels.iter().map(pair).collect());
        let value: f64 = sample.value.parse().unwrap();
        match &*family.kind {
            "counter" => {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            "gauge" => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            _ if sample.name.ends_with("_bucket") => {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(bound(sample));
                bucket.set_cumulative_count(value as u64);
                buckets.push(bucket);
                continue;
            }
            _ if sample.name.ends_with("_sum") => {
                sum = value;
                continue;
            }
            _ => {
                let mut histogram = proto::Histogram::default();
                // The crate writes the last bucket itself.
                buckets.pop();
                histogram.set_bucket(std::mem::take(&mut buckets));
                histogram.set_sample_sum(sum);
                histogram.set_sample_count(value as u64);
                metric.set_histogram(histogram);
            }
        }
        metrics.push(metric);
    }
    object.set_metric(metrics);
    object
}

fn pair((name, value): &(String, String)) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.clone());
    pair.set_value(value.clone());
    pair
}

/// A model whose every name holds what has to be escaped, with traces of every length around the limit.
fn awkward() -> Example {
    let mut predictions = String::new();
    let mut labels = String::new();
    let long = [1, 119, 120, 121, 200].map(|length| "é".repeat(length));
    for (number, trace) in long.iter().enumerate() {
        for (place, class) in ["tab\\t \"é\"\n", "}\n# EOF", "日本"].iter().enumerate() {
            let id = number * 3 + place;
            let latency = [5e-5, 0.3, 60.0, 300.0, 20_000.0][number];
            let line = serde_json::json!({
                "id": id, "time": 1_700_000_000 + id, "version": "v\"1\"\\\n",
                "prediction": class, "trace": trace, "latency": latency,
                "country": "D\"E\\\n", "status": "2\"00\n",
            });
            predictions.push_str(&format!("{line}\n"));
            let actual = if number == 0 { "日本" } else { class };
            labels.push_str(&format!("{}\n", serde_json::json!({"id": id, "label": actual})));
        }
    }
    let name = "a\"b\\c\nd é {}";
    Example::default()
        .model(name, example::multiclass(&[], &[]), |model| {
            model.slices = vec!["cou\"ntry".to_owned()];
            model.targets =
                vec![example::target("recall", "日\"本\n", 0.1), example::target("mae", "", 1e21)];
            // Bounds that a float may be written as in more than one way.
            model.buckets.latency = vec![1e-7, 0.001, 0.1, 1.0, 10.0];
        })
        .log(
            name,
            name,
            record::Format::Json,
            &[
                ("id", "id"),
                ("time", "time"),
                ("version", "version"),
                ("prediction", "prediction"),
                ("latency", "latency"),
                ("trace_id", "trace"),
                ("status", "status"),
                ("slice:cou\"ntry", "country"),
            ],
            predictions,
        )
        .log("labels", name, record::Format::Json, &[("id", "id"), ("label", "label")], labels)
}

fn text(state: &State, format: Format) -> String {
    let mut writer = Writer::new(format, 0);
    family::write(state, &mut writer);
    String::from_utf8(writer.finish()).unwrap()
}

fn states() -> [State; 3] {
    [example::oracle().replay().0, awkward().replay().0, example::oracle().unread()]
}

fn assert_same(own: &str, theirs: &str) {
    for (number, (own, theirs)) in own.lines().zip(theirs.lines()).enumerate() {
        assert_eq!(own, theirs, "line {}", number + 1);
    }
    assert_eq!(own.len(), theirs.len());
}

#[test]
fn the_text_is_byte_for_byte_what_the_prometheus_crate_writes() {
    for state in states() {
        let own = text(&state, Format::Text);
        let families = parse(&own, Format::Text);
        let mut theirs = Vec::new();
        TextEncoder::new().encode(&objects(&families), &mut theirs).unwrap();
        assert_same(&own, std::str::from_utf8(&theirs).unwrap());
    }
}

#[test]
fn numbers_and_escapes_are_what_the_prometheus_crate_writes() {
    let values = [
        0.0,
        -0.0,
        1.0,
        -3.0,
        0.1,
        1e-7,
        1.5e-300,
        1e15,
        1e15 - 1.0,
        1e15 + 0.5,
        9_007_199_254_740_993.0,
        1e21,
        1e300,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        1.0 / 3.0,
        4_503_599_627_370_497.5,
    ];
    let texts = ["", "plain", "\\", "\n", "\"", "\\n", "a\\\"b\n\n", "é日本\u{1F600}", "\r\t\0", "{}=,#"];
    let mut writer = Writer::new(Format::Text, 0);
    let mut family = MetricFamily::default();
    let help = "All \\ of \n \"it\".";
    family.set_name("numbers".to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(MetricType::GAUGE);
    writer.begin("numbers", Kind::Gauge, help);
    for (number, value) in values.into_iter().enumerate() {
        let text = texts[number % texts.len()];
        let number = number.to_string();
        writer.scope(&[("scope", text)]);
        writer.value(&[("number", &number), ("text", text)], value);
        let labels = [("scope", text), ("number", &number), ("text", text)];
        let labels = labels.map(|(name, value)| pair(&(name.to_owned(), value.to_owned())));
        let mut metric = Metric::from_label(labels.to_vec());
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
        family.mut_metric().push(metric);
    }
    assert_eq!(writer.series(), values.len() as u64);
    let own = String::from_utf8(writer.finish()).unwrap();
    assert_same(&own, &TextEncoder::new().encode_to_string(&[family]).unwrap());
}

#[test]
fn both_expositions_keep_the_rules_of_their_format() {
    for state in states() {
        for format in [Format::Text, Format::OpenMetrics] {
            let text = text(&state, format);
            check(&parse(&text, format), format);
        }
    }
}

#[test]
fn both_expositions_say_the_same() {
    for state in states() {
        let [plain, open] =
            [Format::Text, Format::OpenMetrics].map(|format| parse(&text(&state, format), format));
        assert_eq!(plain.len(), open.len());
        for (plain, open) in plain.iter().zip(&open) {
            assert_eq!(plain.help, open.help);
            for (plain, open) in plain.samples.iter().zip(&open.samples) {
                assert_eq!((&plain.name, &plain.value), (&open.name, &open.value));
                let bounds = plain.name.ends_with("_bucket").then(|| (bound(plain), bound(open)));
                assert!(bounds.is_none_or(|(one, other)| one == other), "{open:?}");
            }
        }
    }
}

#[test]
fn an_exemplar_longer_than_the_format_allows_is_not_shown() {
    let (state, _) = awkward().replay();
    let families = parse(&text(&state, Format::OpenMetrics), Format::OpenMetrics);
    let exemplars: Vec<usize> = families
        .iter()
        .flat_map(|family| &family.samples)
        .filter_map(|sample| sample.exemplar.as_ref())
        .map(|exemplar| exemplar.labels[0].1.chars().count())
        .collect();
    // `trace_id` has 8 characters, so 120 are left; 121 and 200 are too long.
    assert_eq!(exemplars, [1, 119, 120]);
    assert!(!text(&state, Format::Text).contains(" # {"), "text 0.0.4 has no exemplars");
}

#[test]
fn an_undefined_value_is_absent_and_so_is_the_head_of_a_family_without_samples() {
    let mut writer = Writer::new(Format::Text, 0);
    writer.begin("empty", Kind::Gauge, "Nothing.");
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        writer.value(&[], value);
    }
    assert_eq!((writer.series(), writer.finish()), (0, Vec::new()));
}

#[test]
fn a_scrape_changes_nothing() {
    let (state, _) = example::oracle().replay();
    assert_eq!(text(&state, Format::OpenMetrics), text(&state, Format::OpenMetrics));
}

#[test]
fn the_exporters_own_families_keep_the_rules_too() {
    let own = family::own::Own::new(None).unwrap();
    own.scrape_duration.observe(0.002);
    for format in [Format::Text, Format::OpenMetrics] {
        let mut writer = Writer::new(format, 0);
        own.write(&mut writer);
        let text = String::from_utf8(writer.finish()).unwrap();
        check(&parse(&text, format), format);
    }
}
