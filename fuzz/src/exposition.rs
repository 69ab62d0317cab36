//! A strict reader of both text formats: what it refuses, a scraper may refuse too.

use inference_exporter::family::writer::Format;
use inference_exporter::limits::EXEMPLAR_CHARACTERS_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Samples by name and labels as they are written.
pub(crate) type Samples = BTreeMap<String, f64>;

/// The family whose head was read last.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    /// Buckets of the present histogram so far: its labels without `le`, and the last count.
    bucket: Option<(String, f64)>,
}

/// Reads an exposition, and panics where a rule of its format is broken.
pub(crate) fn check(text: &[u8], format: Format) -> Samples {
    let text = std::str::from_utf8(text).unwrap_or_else(|error| panic!("not UTF-8: {error}"));
    let body = match format {
        Format::Text => text,
        Format::OpenMetrics => text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no # EOF at the end")),
    };
    assert!(body.is_empty() || body.ends_with('\n'), "the last line has no end");
    let (mut samples, mut seen, mut family) = (Samples::new(), BTreeSet::new(), Family::default());
    for line in body.split_terminator('\n') {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(seen.insert(name.to_owned()), "the family {name} is there twice");
            family = Family { name: name.to_owned(), kind: kind.to_owned(), bucket: None };
        } else if !line.starts_with("# HELP ") {
            let (series, value) = check_sample(line, format, &mut family);
            assert!(samples.insert(series, value).is_none(), "there twice: {line}");
        }
    }
    samples
}

fn check_sample(line: &str, format: Format, family: &mut Family) -> (String, f64) {
    let name_end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => read_labels(rest),
        None => (Vec::new(), rest),
    };
    let rest = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no space before the value: {line}"));
    let (value, exemplar) = rest.split_once(" # ").map_or((rest, None), |(value, rest)| (value, Some(rest)));
    let value: f64 = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(value.is_finite(), "an undefined value is absent: {line}");
    if let Some(exemplar) = exemplar {
        assert!(
            format == Format::OpenMetrics && name.ends_with("_bucket"),
            "no place for an exemplar: {line}"
        );
        check_exemplar(exemplar);
    }
    check_name(name, format, family);
    assert!(value >= 0.0 || family.kind == "gauge" || name.ends_with("_sum"), "less than nothing: {line}");
    if family.kind == "histogram" {
        check_histogram(name, &labels, value, family);
    }
    let series = labels.iter().map(|(name, value)| format!("{name}={value:?},")).collect::<String>();
    (format!("{name}{{{series}}}"), value)
}

/// The labels behind an opening brace, unescaped, and what follows the closing one.
fn read_labels(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut labels: Vec<(String, String)> = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {rest}"));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        assert!(!name.is_empty() && name.bytes().all(plain), "no name of a label: {name}");
        assert!(labels.iter().all(|(other, _)| other != name), "the label {name} is there twice");
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next() {
                Some((at, '"')) => break at,
                Some((_, '\\')) => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                    other => panic!("{other:?} is escaped in {after}"),
                },
                Some((_, character)) => value.push(character),
                None => panic!("a label without an end: {after}"),
            }
        };
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => {
                let rest = rest.strip_prefix('}').unwrap_or_else(|| panic!("labels without an end: {rest}"));
                return (labels, rest);
            }
        }
    }
}

fn check_name(name: &str, format: Format, family: &Family) {
    let suffix =
        name.strip_prefix(&*family.name).unwrap_or_else(|| panic!("{name} is not in {}", family.name));
    let expected: &[&str] = match (&*family.kind, format) {
        ("histogram", _) => &["_bucket", "_sum", "_count"],
        ("counter", Format::OpenMetrics) => &["_total"],
        _ => &[""],
    };
    assert!(expected.contains(&suffix), "{name} in the {} {}", family.kind, family.name);
}

/// Buckets of one histogram stand together, grow, and end with the count.
fn check_histogram(name: &str, labels: &[(String, String)], value: f64, family: &mut Family) {
    let is_bucket = name.ends_with("_bucket");
    let others: Vec<_> = labels.iter().filter(|(name, _)| name != "le" || !is_bucket).collect();
    let series = format!("{others:?}");
    if is_bucket {
        if let Some((before, count)) = &family.bucket
            && *before == series
        {
            assert!(value >= *count, "buckets of {name} shrink: {series}");
        }
        family.bucket = Some((series, value));
        let bound = labels.iter().find(|(name, _)| name == "le").map(|(_, bound)| bound);
        assert!(bound.is_some_and(|bound| bound.parse::<f64>().is_ok_and(|bound| !bound.is_nan())));
    } else if name.ends_with("_count") {
        assert_eq!(family.bucket, Some((series, value)), "the count of {name} is not its last bucket");
    }
}

fn check_exemplar(exemplar: &str) {
    let labels = exemplar.strip_prefix('{').unwrap_or_else(|| panic!("no labels: {exemplar}"));
    let (labels, rest) = read_labels(labels);
    let characters: usize =
        labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    assert!(characters <= EXEMPLAR_CHARACTERS_MAX, "an exemplar of {characters} characters");
    let numbers: Vec<f64> =
        rest.split_terminator(' ').skip(1).map(|number| number.parse().unwrap_or(f64::NAN)).collect();
    assert!(
        (1..=2).contains(&numbers.len()) && numbers.iter().all(|number| number.is_finite()),
        "{exemplar}"
    );
}
