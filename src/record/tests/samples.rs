//! True output of real servers (tests/samples/README.md says whose).

use super::*;
use Value::{Missing, Nested, Null, Number, Text};

/// Decodes a whole file and compares every line's verdict.
#[track_caller]
fn check_sample(config: &Config, sample: &str, expected: &[Result<&[Value<'_>], Reject>]) {
    let (mut decoder, mut record) = (Decoder::new(config), Record::new(config));
    assert_eq!(sample.lines().count(), expected.len());
    for (line, expected) in sample.lines().zip(expected) {
        let decoded = decoder.decode(line.as_bytes(), &mut record);
        assert_eq!(decoded, (*expected).map(|_| Decoded::Record), "{line}");
        if let Ok(values) = expected {
            assert_eq!(row(&record, 0), *values, "{line}");
        }
    }
}

#[test]
fn bentoml_monitor() {
    let sample = include_str!("../../../tests/samples/bentoml-monitor-data.log");
    let ids = config(Format::Json, &["prediction_id", "score", "request_id"]);
    let batch = Text("11009725765682154252");
    check_sample(
        &ids,
        sample,
        &[
            Ok(&[Text("p-0001"), Number("0.00021007888980921675"), Text("13064851069359385115")]),
            Ok(&[Text("p-0003"), Number("0.007973359701452904"), Text("6531476398315756308")]),
            Ok(&[Text("p-0007"), Number("0.13198754916944788"), batch]),
            Ok(&[Text("p-0009"), Number("0.0013450842454671777"), batch]),
            Ok(&[Text("p-0011"), Number("0.0018973997792246775"), batch]),
            Ok(&[Missing, Number("NaN"), Text("None")]),
        ],
    );
    let oddities = config(Format::Json, &["x", "txt", "missing", "trace_id", "label"]);
    let last = sample.lines().last().unwrap();
    check(&oddities, last, &[Number("Infinity"), Text("a\"b\nc"), Null, Text("0"), Missing]);
}

#[test]
fn bentoml_schema_columns_are_rows() {
    let config = Config {
        explode: Some(path("columns")),
        ..config(Format::Json, &["meta_data.bento_name", "columns[].name", "columns[].role"])
    };
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    let line = include_str!("../../../tests/samples/bentoml-monitor-schema.log").lines().next().unwrap();
    assert_eq!(decoder.decode(line.as_bytes(), &mut record), Ok(Decoded::Record));
    assert_eq!(record.rows(), 5);
    assert_eq!(row(&record, 3), [Text("Cancer"), Text("score"), Text("prediction")]);
}

#[test]
fn bentoml_access() {
    let pattern = r"path=(?<path>[^,]*).*\(status=(?<status>\d+).*\) (?<ms>[\d.]+)ms \(trace=(?<trace>\w+)";
    let pattern = ::regex::bytes::Regex::new(pattern).unwrap();
    let config = config(Format::Regex { pattern }, &["path", "status", "ms", "trace"]);
    let line = |status, ms, trace| [Text("/predict"), Number(status), Number(ms), Text(trace)];
    check_sample(
        &config,
        include_str!("../../../tests/samples/bentoml-access.log"),
        &[
            Ok(&line("200", "36.037", "1276f086bc0f1de34f336ef2c991dd68")),
            Ok(&line("200", "3.673", "8b897eeee94e9d2d591c11e1b69dce9e")),
            Ok(&line("200", "2.993", "ebfa393ce2bf44b05197cc2232d176f5")),
            Ok(&line("500", "9.370", "688a4857225b2cc9c0bc1b5a1cd3b5ae")),
        ],
    );
}

#[test]
fn mlserver_mixes_json_with_other_lines() {
    let config = config(Format::Json, &["time", "model_name"]);
    let json = |time| Ok([Text(time), Missing]);
    let loaded = Ok([Text("2026-11-23 21:28:50,137"), Text("iris")]);
    let plain = Err(Reject::Malformed);
    let expected = [
        plain,
        json("2026-11-23 21:28:49,332"),
        plain,
        plain,
        json("2026-11-23 21:28:49,345"),
        json("2026-11-23 21:28:49,346"),
        plain,
        plain,
        loaded,
        plain,
        json("2026-11-23 21:28:50,138"),
        plain,
        plain,
        plain,
    ];
    let expected: Vec<_> =
        expected.iter().map(|line| line.as_ref().map(|values| &values[..]).map_err(|e| *e)).collect();
    check_sample(&config, include_str!("../../../tests/samples/mlserver-structured.log"), &expected);
}

#[test]
fn mlserver_bodies_nest() {
    let config = config(
        Format::Json,
        &["response.id", "status", "response.outputs[0].data[0]", "response.outputs[1].data", "response"],
    );
    check_sample(
        &config,
        include_str!("../../../tests/samples/mlserver-v2-pairs.jsonl"),
        &[
            Ok(&[Text("req-0001"), Number("200"), Number("0"), Nested, Nested]),
            Ok(&[Text("req-0002"), Number("200"), Number("0"), Nested, Nested]),
            Ok(&[Text("fe2b6064-f082-4aeb-abcc-cfc12b5effd0"), Number("200"), Number("0"), Missing, Nested]),
            Ok(&[Missing, Number("500"), Missing, Missing, Text("Internal Server Error")]),
        ],
    );
    let exploding = Config {
        explode: Some(path("response.outputs[0].data")),
        ..super::config(Format::Json, &["response.outputs[0].data[]", "response.id"])
    };
    let (mut decoder, mut record) = (Decoder::new(&exploding), Record::new(&exploding));
    let mut lines = include_str!("../../../tests/samples/mlserver-v2-pairs.jsonl").lines().skip(1);
    let batch = lines.next().unwrap();
    assert_eq!(decoder.decode(batch.as_bytes(), &mut record), Ok(Decoded::Record));
    assert_eq!(record.rows(), 2);
    assert_eq!(row(&record, 1), [Number("1"), Text("req-0002")]);
    let failure = lines.nth(1).unwrap();
    assert_eq!(decoder.decode(failure.as_bytes(), &mut record), Err(Reject::NotABatch));
}

#[test]
fn litellm_logging_objects() {
    let config = config(
        Format::Json,
        &[
            "status",
            "stream",
            "metadata.requester_metadata.tags[0]",
            "response_time",
            "status_fields",
            "model_group",
        ],
    );
    let line = |status, stream, tag, time| [Text(status), stream, tag, Number(time), Nested];
    let expected = [
        line("success", Null, Text("web"), "0.01829814910888672"),
        line("success", Value::Bool(true), Missing, "0.14067411422729492"),
        line("success", Null, Missing, "0.0014460086822509766"),
        line("failure", Null, Missing, "0.0025298595428466797"),
    ];
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    let sample = include_str!("../../../tests/samples/litellm-standard-logging.jsonl");
    for (text, expected) in sample.lines().zip(expected) {
        assert_eq!(decoder.decode(text.as_bytes(), &mut record), Ok(Decoded::Record));
        assert_eq!(row(&record, 0)[..5], expected);
    }
}

#[test]
fn litellm_proxy_lines_hold_escaped_colours() {
    let config = config(Format::Json, &["color_message", "component"]);
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    let sample = include_str!("../../../tests/samples/litellm-proxy-json.log");
    for (number, line) in sample.lines().enumerate() {
        assert_eq!(decoder.decode(line.as_bytes(), &mut record), Ok(Decoded::Record), "{line}");
        if number == 0 {
            let colour = "Started server process [\u{1b}[36m7034\u{1b}[0m]";
            assert_eq!(row(&record, 0), [Text(colour), Text("uvicorn.error")]);
        }
    }
}
