//! Values inside strings.

use super::*;
use Value::{Bool, Missing, Nested, Null, Number, Text};

fn inside(at: &str, decode: &[Step], then: Option<&str>) -> Field {
    Field { path: path(at), decode: decode.to_vec(), then: then.map(path) }
}

fn json(fields: Vec<Field>) -> Config {
    Config { format: Format::Json, explode: None, fields }
}

#[test]
fn payloads_are_decoded_step_by_step() {
    use Step::{Base64, Csv, Json};
    for (steps, then, written, expected) in [
        (&[Json][..], Some("y[1]"), r#"{\"y\":[1,2.50]}"#, Number("2.50")),
        (&[Json], Some("y"), r#" {\"y\":{\"z\":1}} "#, Nested),
        (&[Json], Some("x"), r#"{\"y\":1}"#, Missing),
        (&[Json], Some("[0].p"), r#"[{\"p\":\"caf\\u00e9\"}]"#, Text("café")),
        (&[Json], None, "0.87", Number("0.87")),
        (&[Json], None, "true", Bool(true)),
        (&[Json], None, "null", Null),
        (&[Json, Json], Some("y"), r#"\"{\\\"y\\\":1}\""#, Number("1")),
        (&[Json, Base64], None, r#"\"Y2F0\""#, Text("cat")),
        (&[Csv], Some("[1]"), "5.1,3.5", Number("3.5")),
        (&[Csv], Some("[1]"), r#"5.1,\"a \"\"b\"\"\"\r\n"#, Text("a \"b\"")),
        (&[Csv], None, "0.87", Number("0.87")),
        (&[Csv], Some("[0]"), "", Null),
        (&[Csv], Some("[2]"), "5.1,3.5", Missing),
        (&[Csv], Some("y"), "5.1,3.5", Missing),
        (&[Csv, Json], Some("y"), r#"\"{\"\"y\"\":1}\",2"#, Number("1")),
        (&[Base64], None, "Y2F0", Text("cat")),
        (&[Base64, Json], Some("y"), "eyJ5IjoxfQ==", Number("1")),
        (&[Base64, Json], Some("y"), "eyJ5IjoxfQ", Number("1")),
        (&[Base64], None, "Pz8_Pj4-", Text("???>>>")),
        (&[Base64], None, r"Pz8\/Pj4+", Text("???>>>")),
        (&[Base64, Csv], Some("[1]"), "MSwyCg==", Number("2")),
    ] {
        let config = json(vec![inside("p", steps, then)]);
        check(&config, format!(r#"{{"p":"{written}"}}"#), &[expected]);
    }
}

#[test]
fn what_cannot_be_decoded_is_missing_and_the_record_stands() {
    use Step::{Base64, Csv, Json};
    for (steps, then, written) in [
        (&[Json][..], Some("y"), r#""Internal Server Error""#),
        (&[Json], Some("y"), r#""{\"y\":1""#),
        (&[Json], Some("y"), r#""{\"y\":1} x""#),
        (&[Json], Some("y"), "{\"y\":1}"),
        (&[Json], Some("y"), "null"),
        (&[Json, Json], Some("y"), r#""{\"y\":1}""#),
        (&[Json, Json], Some("y"), r#""\"{}\" x""#),
        (&[Csv], Some("[0]"), r#""1,\"x""#),
        (&[Csv], Some("[0]"), r#""0.1\n0.2\n""#),
        (&[Base64], None, r#""!!!""#),
        (&[Base64], None, r#""_w""#),
        (&[Base64, Json], Some("y"), r#""Y2F0""#),
        (&[Base64, Json], Some("y"), r#""eyJ5Ijoi_yJ9""#),
    ] {
        let config = json(vec![inside("p", steps, then), field("id")]);
        check(&config, format!(r#"{{"p":{written},"id":1}}"#), &[Missing, Number("1")]);
    }
}

#[test]
fn fields_of_one_payload_and_the_payload_itself_are_all_found() {
    let config = json(vec![
        inside("p", &[Step::Json], Some("a")),
        field("id"),
        inside("p", &[Step::Json], Some("b.c")),
        field("p"),
        inside("q", &[Step::Json], Some("a")),
    ]);
    let line = r#"{"p":"{\"a\":1,\"b\":{\"c\":2}}","id":3,"q":"{\"a\":4}"}"#;
    let text = r#"{"a":1,"b":{"c":2}}"#;
    check(&config, line, &[Number("1"), Number("3"), Number("2"), Text(text), Number("4")]);
    check(&config, r#"{"id":3}"#, &[Missing, Number("3"), Missing, Missing, Missing]);
    // The first field was read before the payload turned out to be broken.
    check(
        &config,
        r#"{"p":"{\"a\":1,\"b\":}","id":3}"#,
        &[Missing, Number("3"), Missing, Text(r#"{"a":1,"b":}"#), Missing],
    );
}

#[test]
fn payloads_are_found_in_elements_and_in_flat_formats() {
    let fields = vec![inside("o.p", &[Step::Json], Some("y")), inside("q", &[Step::Base64], None)];
    let config = Config { explode: Some(path("o")), ..json(fields) };
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    let line = br#"{"o":[{"p":"{\"y\":1}"},{"p":"{\"y\":2}","q":"Y2F0"}],"q":"ZG9n"}"#;
    assert_eq!(decoder.decode(line, &mut record), Ok(Decoded::Record));
    assert_eq!(row(&record, 0), [Number("1"), Text("dog")]);
    assert_eq!(row(&record, 1), [Number("2"), Text("cat")]);
    assert!(record.is_element(FieldId(1), 1) && !record.is_element(FieldId(1), 0));

    let fields = vec![inside("p", &[Step::Json], Some("y"))];
    let config = Config { format: Format::Logfmt, explode: None, fields };
    check(&config, r#"p="{\"y\":1}""#, &[Number("1")]);
    check(&config, r#"p={"y":1}"#, &[Number("1")]);
}

#[test]
fn captured_requests_of_sagemaker_are_read() {
    let output = "captureData.endpointOutput";
    let config = json(vec![
        field("eventMetadata.eventId"),
        inside(&format!("{output}.data"), &[Step::Csv], Some("[0]")),
        field(&format!("{output}.encoding")),
    ]);
    check(
        &config,
        r#"{"captureData":{"endpointInput":{"mode":"INPUT","data":"5.1,3.5","encoding":"CSV"},"endpointOutput":{"observedContentType":"text/csv","mode":"OUTPUT","data":"0.87","encoding":"CSV"}},"eventMetadata":{"eventId":"e-1"},"eventVersion":"0"}"#,
        &[Text("e-1"), Number("0.87"), Text("CSV")],
    );
}
