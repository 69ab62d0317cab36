use super::*;
use crate::event::{Fields, LatencyField, Unit};
use crate::record::{self, Decoder, Field, Format, Path};

/// A JSON log that maps `names` to fields of the same name, in that order.
fn log(names: &[&str], explode: Option<&str>) -> record::Config {
    let path = |text: &str| Path::parse(text).unwrap();
    let fields = names.iter().map(|name| Field { path: path(name), decode: Vec::new(), then: None });
    record::Config { format: Format::Json, explode: explode.map(path), fields: fields.collect() }
}

fn mapping(fields: Fields, explodes: bool) -> Mapping {
    let config = Config {
        model: ModelName::Constant("m".into()),
        time_zone: jiff::tz::TimeZone::UTC,
        conditions: Vec::new(),
        fields,
    };
    Mapping::new(config, explodes)
}

fn decode(config: &record::Config, line: &str) -> Record {
    let mut record = Record::new(config);
    Decoder::new(config).decode(line.as_bytes(), &mut record).unwrap();
    record
}

const NAMES: [&str; 7] = ["id", "ts", "y", "p", "latency", "status", "label"];

fn all_fields() -> Fields {
    Fields {
        id: Some(FieldId(0)),
        time: Some(TimeField { field: FieldId(1), format: None }),
        prediction: Some(FieldId(2)),
        score: Some(FieldId(3)),
        latency: Some(LatencyField { field: FieldId(4), unit: Unit::Milliseconds }),
        status: Some(FieldId(5)),
        label: Some(FieldId(6)),
        ..Fields::default()
    }
}

#[test]
fn values_that_cannot_be_used_are_counted_and_the_event_stands() {
    let mut mapping = mapping(all_fields(), false);
    let record = decode(
        &log(&NAMES, None),
        r#"{"id": "a", "ts": null, "y": "1", "p": NaN, "latency": "fast", "status": {"code": 200}}"#,
    );
    let mut scores = Vec::new();
    let (event, tally) = mapping.event(&record, 0, &mut scores).unwrap();
    assert_eq!(event.id, Some(Id { text: "a", element: None }));
    assert_eq!((event.time, event.score, event.latency, event.status), (None, None, None, None));
    assert_eq!(event.prediction, Value::Text("1"));
    for (role, missing, invalid) in [
        (Role::Time, 1, 0),
        (Role::Score, 0, 1),
        (Role::Latency, 0, 1),
        (Role::Status, 0, 1),
        (Role::Label, 1, 0),
        (Role::Id, 0, 0),
        (Role::Version, 0, 0),
    ] {
        assert_eq!((tally.missing(role), tally.invalid(role)), (missing, invalid), "{role:?}");
    }
}

#[test]
fn numbers_are_read_in_strings_too_and_times_in_any_form() {
    let mut mapping = mapping(all_fields(), false);
    let record = decode(
        &log(&NAMES, None),
        r#"{"id": 13064851069359385115, "ts": "1800000000.5", "p": "0.25", "latency": 12.5, "status": 503}"#,
    );
    let mut scores = Vec::new();
    let (event, _) = mapping.event(&record, 0, &mut scores).unwrap();
    assert_eq!(event.id.unwrap().text, "13064851069359385115");
    assert_eq!(event.time, Some(Timestamp::from_nanos(1_800_000_000_500_000_000)));
    assert_eq!((event.score, event.latency, event.status), (Some(0.25), Some(0.0125), Some("503")));
}

#[test]
fn a_time_that_is_none_rejects_and_so_does_a_record_with_nothing_mapped() {
    for (line, reason) in [
        (r#"{"id": "a", "ts": "yesterday", "y": 1}"#, Reject::InvalidTime),
        (r#"{"id": "a", "ts": [1], "y": 1}"#, Reject::InvalidTime),
        (r#"{"message": "started", "ts": 1800000000}"#, Reject::NothingMapped),
    ] {
        let record = decode(&log(&NAMES, None), line);
        let mut mapping = mapping(all_fields(), false);
        assert_eq!(mapping.event(&record, 0, &mut Vec::new()).err(), Some(reason), "{line}");
    }
}

#[test]
fn an_element_of_a_batch_is_named_by_its_place_unless_it_has_an_id_of_its_own() {
    let config = log(&["id", "y"], Some("rows"));
    let fields = || Fields { id: Some(FieldId(0)), prediction: Some(FieldId(1)), ..Fields::default() };
    for (line, expected) in [
        (r#"{"id": "a", "rows": [{"y": 0}, {"y": 1}]}"#, Id { text: "a", element: Some(1) }),
        (r#"{"id": "a", "rows": [{"y": 0}, {"y": 1, "id": "own"}]}"#, Id { text: "own", element: None }),
    ] {
        let record = decode(&config, line);
        let mut mapping = mapping(fields(), true);
        let mut scores = Vec::new();
        assert_eq!(mapping.event(&record, 1, &mut scores).unwrap().0.id, Some(expected));
    }
}

#[test]
fn scores_are_all_there_or_none() {
    let config = log(&["cat", "dog"], None);
    let scores = vec![("cat".to_owned(), FieldId(0)), ("dog".to_owned(), FieldId(1))];
    for (line, expected) in [
        (r#"{"cat": 0.25, "dog": "0.75"}"#, vec![0.25, 0.75]),
        (r#"{"cat": 0.25, "dog": NaN, "y": 1}"#, vec![]),
    ] {
        let record = decode(&config, line);
        let mut mapping = mapping(Fields { scores: scores.clone(), ..Fields::default() }, false);
        let mut read = vec![9.0];
        mapping.event(&record, 0, &mut read).ok();
        assert_eq!(read, expected, "{line}");
    }
}

#[test]
fn conditions_compare_as_classes_do() {
    let config = log(&["code", "ok"], None);
    let conditions =
        vec![(FieldId(0), vec!["200".to_owned(), "201".to_owned()]), (FieldId(1), vec!["true".to_owned()])];
    for (line, ignored) in [
        (r#"{"code": 200, "ok": true}"#, false),
        (r#"{"code": "201.0", "ok": "true"}"#, false),
        (r#"{"code": 404, "ok": true}"#, true),
        (r#"{"code": 200, "ok": false}"#, true),
        (r#"{"code": 200}"#, true),
    ] {
        let mut mapping = mapping(Fields::default(), false);
        mapping.config.conditions = conditions.clone();
        let found = mapping.ignores(&decode(&config, line));
        assert_eq!(found, ignored.then_some(Ignore::Condition), "{line}");
    }
}
