//! Decoders: any lines, through mappings that use all that a format offers.
//!
//! The first byte chooses a log of the format's configuration; what follows are its lines. Where another
//! reader of the format exists, both must come to the same.

use inference_exporter::config;
use inference_exporter::event::mapping::Mapping;
use inference_exporter::pipeline::StreamConfig;
use inference_exporter::record::path::Segment;
use inference_exporter::record::{Config, Decoded, Decoder, Field, FieldId, Format, Path, Record, Value};
use serde::de::IgnoredAny;
use serde_json::Value as Json;
use std::sync::LazyLock;

const JSON: &str = include_str!("decode/json.yaml");
const LOGFMT: &str = include_str!("decode/logfmt.yaml");
const CSV: &str = include_str!("decode/csv.yaml");
const REGEX: &str = include_str!("decode/regex.yaml");

pub(crate) fn json(bytes: &[u8]) {
    static LOGS: LazyLock<Vec<StreamConfig>> = LazyLock::new(|| logs(JSON));
    decode_all(&LOGS, bytes, &compare_with_serde_json);
}

pub(crate) fn logfmt(bytes: &[u8]) {
    static LOGS: LazyLock<Vec<StreamConfig>> = LazyLock::new(|| logs(LOGFMT));
    decode_all(&LOGS, bytes, &write_and_read_again);
}

pub(crate) fn csv(bytes: &[u8]) {
    static LOGS: LazyLock<Vec<StreamConfig>> = LazyLock::new(|| logs(CSV));
    decode_all(&LOGS, bytes, &compare_with_csv_crate);
}

pub(crate) fn regex(bytes: &[u8]) {
    static LOGS: LazyLock<Vec<StreamConfig>> = LazyLock::new(|| logs(REGEX));
    decode_all(&LOGS, bytes, &compare_with_captures);
}

/// The logs of a configuration that is valid.
pub(crate) fn logs(text: &str) -> Vec<StreamConfig> {
    let loaded = config::parse(text, "fuzz.yaml", &|_| None);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).plan.pipeline.streams
}

/// A line, what became of it, and the record that holds it.
struct Line<'a> {
    bytes: &'a [u8],
    decoded: bool,
    record: &'a Record,
    config: &'a Config,
}

/// Decodes the lines one after the other, and each also with nothing before it.
fn decode_all(logs: &[StreamConfig], bytes: &[u8], judge: &dyn Fn(&Line<'_>)) {
    let Some((choice, lines)) = crate::choose(bytes, logs.len()) else { return };
    let log = &logs[choice];
    let config = &log.record;
    let (mut decoder, mut record) = (Decoder::new(config), Record::new(config));
    let mut mapping = Mapping::new(log.event.clone(), config.explode.is_some());
    for line in lines.split(|byte| *byte == b'\n') {
        let wanted_header = decoder.wants_header();
        let mut fresh_record = Record::new(config);
        let fresh = decoder.clone().decode(line, &mut fresh_record);
        let decoded = decoder.decode(line, &mut record);
        assert_eq!(decoded, fresh, "what was decoded before shows in the verdict");
        assert_same(&record, &fresh_record);
        assert_eq!(
            record.rows() > 0 || config.explode.is_some(),
            decoded == Ok(Decoded::Record) || config.explode.is_some()
        );
        if decoded != Ok(Decoded::Record) {
            assert_eq!(record.rows(), 0, "a line that is no record leaves rows");
            assert!(
                values(&record).all(|value| value == Value::Missing),
                "a line that is no record leaves values"
            );
        } else {
            assert!(!wanted_header, "a header was taken for a record");
            map(&mut mapping, &record);
        }
        judge(&Line { bytes: trim(line), decoded: decoded == Ok(Decoded::Record), record: &record, config });
    }
}

/// Makes events of every row, twice: the second time must give what the first gave.
pub(crate) fn map(mapping: &mut Mapping, record: &Record) {
    let ignored = mapping.ignores(record);
    assert_eq!(ignored, mapping.ignores(record));
    for row in 0..record.rows() {
        let name = mapping.model(record, row).map(str::to_owned);
        assert!(name.as_ref().is_ok_and(|name| !name.is_empty()) || name.is_err());
        let mut scores = Vec::new();
        let first = mapping.event(record, row, &mut scores).map(|(event, _)| summary(&event));
        assert!(scores.iter().all(|score| score.is_finite()), "a score is not finite");
        let wanted = mapping.config().fields.scores.len();
        assert!(scores.is_empty() || scores.len() == wanted, "some of the scores are missing");
        let mut again = vec![f64::NAN];
        let second = mapping.event(record, row, &mut again).map(|(event, _)| summary(&event));
        assert_eq!(first, second);
        assert!(first.is_err() || scores == again, "scores of the row before");
        if row == 0
            && let Ok((_, time, ..)) = &first
        {
            assert_eq!(*time, mapping.peek_time(record), "a record is ordered by another time than it has");
        }
    }
}

type Summary = (Option<String>, Option<inference_exporter::time::Timestamp>, Option<f64>, Option<f64>);

fn summary(event: &inference_exporter::event::Event<'_>) -> Summary {
    assert!(event.latency.is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0));
    assert!(event.score.is_none_or(f64::is_finite));
    assert!(event.trace_id != Some("") && event.status != Some(""));
    let id = event.id.map(|id| format!("{}{:?}", id.text, id.element));
    (id, event.time, event.latency, event.score)
}

fn values(record: &Record) -> impl Iterator<Item = Value<'_>> {
    (0..record.field_count() as u16).map(|field| record.shared(FieldId(field)))
}

fn assert_same(record: &Record, fresh: &Record) {
    assert_eq!(record.rows(), fresh.rows());
    for field in (0..record.field_count() as u16).map(FieldId) {
        assert_eq!(record.shared(field), fresh.shared(field), "a value of the line before");
        for row in 0..record.rows() {
            let value = record.value(field, row);
            assert_eq!(value, fresh.value(field, row), "a value of the line before");
            // Both ways to read a value must not fail, whatever it is.
            let (text, number) = (value.as_text(), value.as_f64());
            assert!(number.is_none() || text.is_some(), "a number without a text");
        }
    }
}

/// As the decoders trim: no byte order mark at the start, no carriage return at the end.
fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The plain fields, which other readers know too.
fn plain(config: &Config) -> impl Iterator<Item = (FieldId, &Field)> {
    let fields = (0..).map(FieldId).zip(&config.fields);
    fields.filter(|(_, field)| field.decode.is_empty())
}

// === JSON ===

/// Nesting beyond which the two readers may differ in what they accept.
const DEPTH_SURE: usize = 100;

fn compare_with_serde_json(line: &Line<'_>) {
    let opened = line.bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if opened > DEPTH_SURE {
        return;
    }
    let Ok(text) = std::str::from_utf8(line.bytes) else { return };
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    let is_object = text.trim_ascii_start().starts_with('{');
    // A payload is read by the same walk; a batch may be refused for what it lacks.
    if line.config.explode.is_none() {
        let has_words = text.contains("NaN") || text.contains("Infinity");
        assert!(!line.decoded || is_json || has_words, "accepted, and no JSON");
        assert!(line.decoded || !is_json || !is_object, "JSON, and refused");
    } else {
        return;
    }
    let (true, Ok(document)) = (line.decoded, serde_json::from_str::<Json>(text)) else { return };
    for (id, field) in plain(line.config) {
        check_json(line.record.shared(id), find(&document, &field.path));
    }
}

fn find<'j>(mut value: &'j Json, path: &Path) -> Option<&'j Json> {
    for step in &path.steps {
        value = match step {
            Segment::Key(key) => value.as_object()?.get(key)?,
            Segment::Index(index) => value.as_array()?.get(*index as usize)?,
            Segment::Each => return None,
        };
    }
    Some(value)
}

fn check_json(found: Value<'_>, expected: Option<&Json>) {
    match (found, expected) {
        (Value::Missing, None) | (Value::Null, Some(Json::Null)) => {}
        (Value::Bool(found), Some(Json::Bool(expected))) => assert_eq!(found, *expected),
        (Value::Number(_), Some(Json::Number(expected))) => {
            let (found, expected) =
                (found.as_f64().unwrap_or(f64::NAN), expected.as_f64().unwrap_or(f64::NAN));
            // serde_json without its feature `float_roundtrip` may read a number one unit off.
            assert!((found - expected).abs() <= expected.abs() * 2.3e-16, "{found} is not {expected}");
        }
        (Value::Text(found), Some(Json::String(expected))) => assert_eq!(found, expected),
        (Value::Nested, Some(Json::Object(_) | Json::Array(_))) => {}
        (found, expected) => panic!("{found:?} is not {expected:?}"),
    }
}

// === logfmt ===

/// What was read, written as logfmt with quotes around every value, reads the same.
fn write_and_read_again(line: &Line<'_>) {
    if !line.decoded {
        return;
    }
    let mut written = String::new();
    for (id, field) in plain(line.config) {
        if let Some(text) = line.record.shared(id).as_text() {
            let quoted = serde_json::to_string(text).unwrap_or_else(|error| panic!("{error}"));
            written.push_str(&format!("{}={quoted} ", field.path.flat_name()));
        }
    }
    if written.is_empty() {
        return;
    }
    let (mut decoder, mut record) = (Decoder::new(line.config), Record::new(line.config));
    assert_eq!(decoder.decode(written.as_bytes(), &mut record), Ok(Decoded::Record), "{written}");
    for (id, _) in plain(line.config) {
        assert_eq!(record.shared(id).as_text(), line.record.shared(id).as_text(), "{written}");
    }
}

// === CSV ===

fn compare_with_csv_crate(line: &Line<'_>) {
    let Format::Csv { delimiter, columns: Some(columns) } = &line.config.format else { return };
    // A line end within a line is for the splitter of lines to judge.
    let Ok(text) = std::str::from_utf8(line.bytes) else { return };
    if text.contains('\r') {
        return;
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(*delimiter)
        .from_reader(line.bytes);
    let judged = reader.records().next().and_then(Result::ok).unwrap_or_default();
    if !line.decoded {
        // Stricter than the crate about quotes alone.
        let is_space = |one: char| one.is_ascii_whitespace() && one != *delimiter as char;
        let is_blank = text.trim_matches(is_space).is_empty();
        assert!(
            is_blank || judged.len() != columns.len() || !has_plain_quotes(text, *delimiter as char),
            "refused, and nothing is wrong with it"
        );
        return;
    }
    assert_eq!(judged.len(), columns.len(), "accepted with a wrong number of cells");
    for (id, field) in plain(line.config) {
        let column = columns.iter().position(|column| column == field.path.flat_name());
        let cell = column.and_then(|column| judged.get(column));
        let found = line.record.shared(id);
        match found {
            Value::Missing => assert_eq!(cell, None),
            Value::Null => assert_eq!(cell, Some("")),
            _ => assert_eq!(found.as_text(), cell),
        }
    }
}

/// Whether every quote is where it may be: around a whole cell, doubled inside it, or in a cell without.
fn has_plain_quotes(text: &str, delimiter: char) -> bool {
    let mut rest = text;
    loop {
        let cell_end = match rest.strip_prefix('"') {
            None => rest.find(delimiter).unwrap_or(rest.len()),
            Some(inside) => {
                let mut at = 0;
                loop {
                    let Some(quote) = inside[at..].find('"') else { return false };
                    at += quote + 1;
                    if !inside[at..].starts_with('"') {
                        break;
                    }
                    at += 1;
                }
                at + 1
            }
        };
        match rest[cell_end..].chars().next() {
            None => return true,
            Some(next) if next == delimiter => rest = &rest[cell_end + delimiter.len_utf8()..],
            Some(_) => return false,
        }
    }
}

// === regex ===

fn compare_with_captures(line: &Line<'_>) {
    let Format::Regex { pattern } = &line.config.format else { return };
    let blank = line.bytes.iter().all(u8::is_ascii_whitespace);
    let captures = pattern.captures(line.bytes).filter(|_| !blank);
    let Some(captures) = captures else {
        assert!(!line.decoded, "accepted without a match");
        return;
    };
    if !line.decoded {
        let utf8 = |(_, field): (_, &Field)| {
            let group = captures.name(field.path.flat_name());
            group.is_none_or(|group| std::str::from_utf8(group.as_bytes()).is_ok())
        };
        assert!(!plain(line.config).all(utf8), "a match that was refused");
        return;
    }
    for (id, field) in plain(line.config) {
        let group = captures.name(field.path.flat_name()).map(|group| group.as_bytes());
        match line.record.shared(id) {
            Value::Missing => assert_eq!(group, None),
            Value::Null => assert_eq!(group, Some(&b""[..])),
            found => assert_eq!(found.as_text().map(str::as_bytes), group),
        }
    }
}
