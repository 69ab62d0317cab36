//! What values mean: times in every form, lengths of time, classes, and a record's events as a whole.
//!
//! The first byte chooses a time zone and a unit; the lines that follow are a time, a strptime format, a
//! latency, a class, a score and an id, each on its own and all of them together in one record.

use crate::decode;
use inference_exporter::event::class::{self, Digits};
use inference_exporter::event::mapping::Mapping;
use inference_exporter::event::{Unit, instant, latency};
use inference_exporter::pipeline::StreamConfig;
use inference_exporter::record::{Decoded, Decoder, Record, Value};
use inference_exporter::time::Timestamp;
use jiff::tz::TimeZone;
use std::sync::LazyLock;

const CONFIG: &str = "
logs:
  - name: log
    paths: [log]
    format: json
    model: m
    time_zone: America/St_Johns
    where: {kind: [\"1\", \"true\", predict]}
    fields: {id: id, time: t, latency: {path: ms, unit: us}, prediction: y, score: p, label: y, status: y, version: v}
models: {m: {task: multiclass}}
";

const UNITS: [Unit; 4] = [Unit::Seconds, Unit::Milliseconds, Unit::Microseconds, Unit::Nanoseconds];

pub(crate) fn run(bytes: &[u8]) {
    static ZONES: LazyLock<Vec<TimeZone>> = LazyLock::new(|| {
        let zone = |name| TimeZone::get(name).unwrap_or_else(|error| panic!("{error}"));
        vec![TimeZone::UTC, zone("Europe/Berlin"), zone("Australia/Lord_Howe"), zone("America/St_Johns")]
    });
    let Some((choice, rest)) = crate::choose(bytes, ZONES.len() * UNITS.len()) else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (time, format, took, class, score, id) = (next(), next(), next(), next(), next(), next());
    check_time(time, format, &ZONES[choice % ZONES.len()]);
    check_latency(took, UNITS[choice / ZONES.len()]);
    check_class(class, score);
    check_record([time, took, class, score, id]);
}

fn check_time(text: &str, format: &str, zone: &TimeZone) {
    let parsed = instant::parse(text, zone);
    if let Some(time) = parsed {
        let exact = jiff::Timestamp::from_nanosecond(i128::from(time.as_nanos()));
        let written = exact.unwrap_or_else(|error| panic!("{error}")).to_string();
        assert_eq!(instant::parse(&written, zone), Some(time), "{text:?} was written as {written}");
        // An instant is one, wherever the reader is.
        if text.trim_ascii().ends_with(['Z', 'z']) || !text.contains('-') {
            assert_eq!(instant::parse(text, &TimeZone::UTC), Some(time), "{text:?} hangs on the zone");
        }
        // jiff takes a leap second for the one before it, POSIX for the one after it.
        let judged = text.trim_ascii().parse::<jiff::Timestamp>().ok().filter(|_| !text.contains(":60"));
        if let Some(judged) = judged {
            let nanos = i64::try_from(judged.as_nanosecond());
            assert_eq!(nanos, Ok(time.as_nanos()), "{text:?} is {judged}");
        }
    }
    for format in [format, "%Y-%m-%d %H:%M:%S%.f", "%d/%b/%Y:%H:%M:%S %z", "%s", "%A %I %p %j %U %C %Q"] {
        let formatted: Option<Timestamp> = instant::parse_format(format, text, zone);
        assert_eq!(formatted, instant::parse_format(format, text, zone));
    }
}

fn check_latency(text: &str, unit: Unit) {
    let Some(seconds) = latency::parse(text, unit) else { return };
    assert!(seconds.is_finite() && seconds >= 0.0, "{text:?} is {seconds} s");
    // Written with its unit, it means the same whatever unit a bare number has.
    let again = latency::parse(&format!("{seconds}s"), Unit::Nanoseconds);
    assert_eq!(again, Some(seconds), "{text:?}");
}

/// A class is the same however often it is read, and a number the same class as its text.
fn check_class(text: &str, declared: &str) {
    let (mut first, mut second) = (Digits::default(), Digits::default());
    for (text, as_declared) in [(text, "\0"), (text, declared), (text, text), (declared, text)] {
        let is_declared = |class: &str| class == as_declared;
        let Some(class) = class::canonical(Value::Text(text), is_declared, &mut first) else {
            assert!(text.trim_ascii().is_empty(), "{text:?} is no class");
            continue;
        };
        assert!(!class.is_empty());
        if let Some(whole) = whole_number(text).filter(|_| text.trim_ascii() != as_declared) {
            assert_eq!(class, whole.to_string(), "{text:?}");
        }
        let again = class::canonical(Value::Text(class), is_declared, &mut second);
        assert_eq!(again, Some(class), "{text:?} is {class:?} at first, with {as_declared:?} declared");
        if text.parse::<f64>().is_ok_and(f64::is_finite) {
            let mut third = Digits::default();
            let number = class::canonical(Value::Number(text), is_declared, &mut third);
            assert_eq!(number, again, "{text:?} as a number");
        }
    }
}

/// The whole number that a text writes plainly or with an exponent, if it is no code such as a postcode.
fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    let magnitude = text.trim_start_matches(['+', '-']);
    let is_code = magnitude.starts_with('0') && !["0", "0.0"].contains(&magnitude);
    let is_plain = magnitude.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e'));
    // As a double, what is far down a fraction would be lost.
    let has_fraction =
        magnitude.split_once('.').is_some_and(|(_, fraction)| fraction.bytes().any(|byte| byte != b'0'));
    if has_fraction {
        return None;
    }
    if is_code || !is_plain || !magnitude.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    // Up to 2^53 a double is the number that was written.
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() < 9e15 && magnitude.len() < 20).then_some(number as i64)
}

fn check_record([time, took, class, score, id]: [&str; 5]) {
    static LOG: LazyLock<StreamConfig> = LazyLock::new(|| decode::logs(CONFIG).swap_remove(0));
    let config = &LOG.record;
    let (mut decoder, mut record) = (Decoder::new(config), Record::new(config));
    let mut mapping = Mapping::new(LOG.event.clone(), false);
    let text = |value: &str| serde_json::to_string(value).unwrap_or_else(|error| panic!("{error}"));
    // What is a number may stand without quotes.
    let bare = |value: &str| {
        if value == value.trim_ascii() && serde_json::from_str::<f64>(value).is_ok() {
            value.to_owned()
        } else {
            text(value)
        }
    };
    for value in [&text as &dyn Fn(&str) -> String, &bare] {
        let line = format!(
            "{{\"id\":{},\"t\":{},\"ms\":{},\"y\":{},\"p\":{},\"v\":{},\"kind\":{}}}",
            value(id),
            value(time),
            value(took),
            value(class),
            value(score),
            value(class),
            value(class)
        );
        assert_eq!(decoder.decode(line.as_bytes(), &mut record), Ok(Decoded::Record), "{line}");
        decode::map(&mut mapping, &record);
        if let Ok((event, _)) = mapping.event(&record, 0, &mut Vec::new()) {
            assert_eq!(
                event.time,
                if time.is_empty() { None } else { instant::parse(time, &LOG.event.time_zone) }
            );
            assert_eq!(event.latency, latency::parse(took, Unit::Microseconds));
            assert_eq!(event.id.map(|id| id.text), Some(id).filter(|id| !id.is_empty()));
        }
    }
}
