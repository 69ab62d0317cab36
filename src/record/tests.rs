//! Tests of all formats through the public face of the module.

use super::*;

mod flat;
mod json;
mod payload;
mod properties;
mod samples;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn field(text: &str) -> Field {
    Field { path: path(text), decode: Vec::new(), then: None }
}

fn config(format: Format, paths: &[&str]) -> Config {
    Config { format, explode: None, fields: paths.iter().map(|text| field(text)).collect() }
}

/// What all fields of one row are.
fn row(record: &Record, row: usize) -> Vec<Value<'_>> {
    (0..record_width(record)).map(|index| record.value(FieldId(index), row)).collect()
}

fn record_width(record: &Record) -> u16 {
    u16::try_from(record.field_count()).unwrap()
}

/// Decodes one line with a decoder of its own and compares its first row.
#[track_caller]
fn check(config: &Config, line: impl AsRef<[u8]>, expected: &[Value<'_>]) {
    let (mut decoder, mut record) = (Decoder::new(config), Record::new(config));
    let line = line.as_ref();
    let text = String::from_utf8_lossy(line);
    assert_eq!(decoder.decode(line, &mut record), Ok(Decoded::Record), "{text}");
    assert_eq!(row(&record, 0), expected, "{text}");
}

/// Fills the record first, so that what a reject leaves behind would be seen.
#[track_caller]
fn check_reject(config: &Config, good: &str, line: impl AsRef<[u8]>, expected: Reject) {
    let (mut decoder, mut record) = (Decoder::new(config), Record::new(config));
    assert_eq!(decoder.decode(good.as_bytes(), &mut record), Ok(Decoded::Record), "{good}");
    let line = line.as_ref();
    let text = String::from_utf8_lossy(line);
    assert_eq!(decoder.decode(line, &mut record), Err(expected), "{text}");
    assert_empty(&record);
}

#[track_caller]
fn assert_empty(record: &Record) {
    assert_eq!(record.rows(), 0);
    for index in 0..record_width(record) {
        assert_eq!(record.shared(FieldId(index)), Value::Missing);
        assert_eq!(record.value(FieldId(index), 0), Value::Missing);
        assert!(!record.is_element(FieldId(index), 0));
    }
}

#[test]
fn blank_lines_are_ignored_in_every_format() {
    let csv = Format::Csv { delimiter: b',', columns: Some(vec!["a".to_owned()]) };
    let regex = Format::Regex { pattern: ::regex::bytes::Regex::new("(?<a>.*)").unwrap() };
    for format in [Format::Json, Format::Logfmt, csv, regex] {
        let config = config(format, &["a"]);
        let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
        for blank in ["", " ", "\r", "\t \r", "\u{feff}", "\u{feff} \r"] {
            let decoded = decoder.decode(blank.as_bytes(), &mut record);
            assert_eq!(decoded, Ok(Decoded::Ignored(Ignore::Empty)), "{blank:?} {config:?}");
            assert_empty(&record);
        }
    }
}

#[test]
fn values_are_read_as_numbers_where_they_are_numbers() {
    let number = |value: Value<'_>| value.as_f64();
    assert_eq!(number(Value::Number("0.875")), Some(0.875));
    assert_eq!(number(Value::Text(" 0.875 ")), Some(0.875));
    assert_eq!(number(Value::Text("1e-7")), Some(1e-7));
    assert_eq!(number(Value::Text("-inf")), Some(f64::NEG_INFINITY));
    assert_eq!(number(Value::Number("Infinity")), Some(f64::INFINITY));
    assert!(number(Value::Number("NaN")).is_some_and(f64::is_nan));
    assert!(number(Value::Text("nan")).is_some_and(f64::is_nan));
    for value in [Value::Text("1.23s"), Value::Text(""), Value::Bool(true), Value::Null, Value::Nested] {
        assert_eq!(number(value), None, "{value:?}");
    }
}

#[test]
fn values_are_texts_as_they_were_written() {
    assert_eq!(Value::Number("1.0").as_text(), Some("1.0"));
    assert_eq!(Value::Text("x").as_text(), Some("x"));
    assert_eq!(Value::Bool(true).as_text(), Some("true"));
    assert_eq!(Value::Bool(false).as_text(), Some("false"));
    for value in [Value::Missing, Value::Null, Value::Nested] {
        assert_eq!(value.as_text(), None);
    }
}

#[test]
fn a_decoder_tells_its_memory() {
    let config = config(Format::Json, &["a.b", "c"]);
    let (decoder, record) = (Decoder::new(&config), Record::new(&config));
    assert!(decoder.heap_bytes() > 0);
    assert!(record.heap_bytes() > 0);
}

#[test]
fn decoders_can_be_cloned_and_sent() {
    fn check<T: Clone + Send>() {}
    check::<Decoder>();
    check::<Record>();
}
