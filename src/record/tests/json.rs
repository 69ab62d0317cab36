//! JSON lines, by table.

use super::*;
use crate::limits::{BATCH_ROWS_MAX, JSON_DEPTH_MAX};
use Value::{Bool, Missing, Nested, Null, Number, Text};

fn json(paths: &[&str]) -> Config {
    config(Format::Json, paths)
}

fn exploding(array: &str, paths: &[&str]) -> Config {
    Config { explode: Some(path(array)), ..json(paths) }
}

#[track_caller]
fn check_rows(config: &Config, line: &str, expected: &[&[Value<'_>]]) {
    let (mut decoder, mut record) = (Decoder::new(config), Record::new(config));
    assert_eq!(decoder.decode(line.as_bytes(), &mut record), Ok(Decoded::Record), "{line}");
    let rows: Vec<_> = (0..record.rows()).map(|index| row(&record, index)).collect();
    assert_eq!(rows, expected, "{line}");
    assert_eq!(record.value(FieldId(0), record.rows()), Missing, "there is no such row");
}

#[test]
fn wanted_fields_are_found_wherever_they_are() {
    let config = json(&["a", "b.c", "d[1]", "d[2].e", r#"usage["x.y"]"#]);
    check(
        &config,
        r#"{"x":[{"a":9}],"a":"1","b":{"c":2,"a":8},"d":[0,-1.5e3,{"e":true}],"usage":{"x.y":null,"x":{"y":7}}}"#,
        &[Text("1"), Number("2"), Number("-1.5e3"), Bool(true), Null],
    );
    check(
        &config,
        " { \"usage\" : { \"x.y\" : false } , \"d\" : [ 1 , 2 ] , \"b\" : { \"c\" : \"\" } , \"a\" : 0 } \t\r",
        &[Number("0"), Text(""), Number("2"), Missing, Bool(false)],
    );
    check(&config, "{}", &[Missing; 5]);
    check(&config, r#"{"a":{},"b":7,"d":{"1":2},"usage":[]}"#, &[Nested, Missing, Missing, Missing, Missing]);
    check(&config, r#"{"a":[],"b":{"c":[1,2]},"d":[[],[]]}"#, &[Nested, Nested, Nested, Missing, Missing]);
}

#[test]
fn a_field_and_a_field_inside_it_are_both_found() {
    let config = json(&["a", "a.b", "a", "a[0]"]);
    check(&config, r#"{"a":{"b":1}}"#, &[Nested, Number("1"), Nested, Missing]);
    check(&config, r#"{"a":"x"}"#, &[Text("x"), Missing, Text("x"), Missing]);
    check(&config, r#"{"a":[2]}"#, &[Nested, Missing, Nested, Number("2")]);
}

#[test]
fn of_equal_keys_the_last_counts() {
    let config = json(&["a", "b.c", "b.d"]);
    check(&config, r#"{"a":1,"a":"2"}"#, &[Text("2"), Missing, Missing]);
    check(&config, r#"{"a":1,"a":null,"b":{"c":1},"b":{"d":2}}"#, &[Null, Missing, Number("2")]);
    check(&config, r#"{"b":{"c":1,"c":2},"b":3}"#, &[Missing, Missing, Missing]);
    check(&config, r#"{"a":1,"\u0061":2}"#, &[Number("2"), Missing, Missing]);
}

#[test]
fn strings_are_decoded() {
    let config = json(&["a"]);
    for (written, text) in [
        (r#""plain""#, "plain"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""caf\u00e9 \u20AC""#, "café €"),
        (r#""\ud83d\ude00!""#, "😀!"),
        (r#""\uD83D\uDE00""#, "😀"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ud83dx""#, "\u{fffd}x"),
        (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
        (r#""\u0000""#, "\0"),
        ("\"größe 😀\"", "größe 😀"),
        ("\"\u{7f}\"", "\u{7f}"),
        (r#""0123456\"89abcdef\\""#, r#"0123456"89abcdef\"#),
    ] {
        check(&config, format!(r#"{{"a":{written}}}"#), &[Text(text)]);
        check(&config, format!(r#"{{"b":{written},"a":{written},"c":{written}}}"#), &[Text(text)]);
    }
}

#[test]
fn keys_with_escapes_are_found() {
    let config = json(&["größe", r#"["say \"hi\""].x"#]);
    check(&config, r#"{"gr\u00f6\u00DFe":1,"say \"hi\"":{"x":2}}"#, &[Number("1"), Number("2")]);
    check(&config, r#"{"größe":1,"say":{"x":2}}"#, &[Number("1"), Missing]);
}

#[test]
fn numbers_keep_what_was_written() {
    let config = json(&["a"]);
    for number in [
        "0",
        "-0",
        "0.0",
        "1",
        "-12.50",
        "1e5",
        "1E+5",
        "1.5e-07",
        "13064851069359385115",
        "24543673406515705560211137978602478952",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
    ] {
        for line in
            [format!(r#"{{"a":{number}}}"#), format!(r#"{{"b":{number},"a" : {number} ,"c":[{number}]}}"#)]
        {
            check(&config, line, &[Number(number)]);
        }
    }
}

/// One broken line a line.
const BROKEN_STRUCTURE: &str = r#"null
1
"a"
[1]
[]
a
INFO: started
{
}
:
{"a":1
{"a":1}}
{"a":1},
{"a":1}{"a":2}
{"a":1} x
{"a":1,}
{,"a":1}
{"a":1 "b":2}
{"a" 1}
{"a":}
{"a"}
{a:1}
{'a':1}
{"a":1;"b":2}
{"x":[1,]}
{"x":[,1]}
{"x":[1 2]}
{"x":[1}}
{"x":{"y":1]}
{"x":{"y"}}
{"x":{"y":1,}}
{"x":{1:2}}
{"x":[1:2]}
{"x":{]}
{"x":[}}
{"b":{"c":1]}
{"b":{"c":1}
{"a":1}]
{"x":{"y":[]}
{"a":1}"a":2}"#;

/// Scalars, wanted (`a`) and not (`x`).
const BROKEN_SCALARS: &str = r#"{"a":01}
{"x":01}
{"a":1.}
{"x":.5}
{"a":-}
{"x":+1}
{"a":1e}
{"x":1e+}
{"a":nul}
{"x":nulll}
{"a":tru}
{"x":True}
{"x":None}
{"a":nan}
{"x":-NaN}
{"x":-Inf}
{"x":Infinit}
{"x":0x1}
{"x":1_000}
{"x":[truefalse]}
{"a":"x}
{"a":"\x"}
{"x":"\x"}
{"a":"\u12"}
{"x":"\u12g4"}
{"x":"\"}
{"\q":1}"#;

const CONTROL_BYTES: [&str; 6] = [
    "{\"a\":\"\t\"}",
    "{\"x\":\"\n\"}",
    "{\"x\":\"\0\"}",
    "{\"x\ty\":1}",
    "{\"x\":\"0123456789\u{1}\"}",
    "\u{1b}[32m{\"a\":1}\u{1b}[0m",
];

#[test]
fn broken_lines_are_malformed() {
    let config = json(&["a", "b.c"]);
    for line in BROKEN_STRUCTURE.lines().chain(BROKEN_SCALARS.lines()).chain(CONTROL_BYTES) {
        check_reject(&config, r#"{"a":1,"b":{"c":2}}"#, line, Reject::Malformed);
    }
}

#[test]
fn a_message_that_is_not_escaped_is_malformed() {
    // MLServer's structured log is a template: a quote in a message breaks the line.
    let line = r#"{"time": "2026-11-23 21:28:50,137", "level": "INFO", "message": "Loaded "iris" now." }"#;
    check_reject(&json(&["time"]), r#"{"time":"x"}"#, line, Reject::Malformed);
}

#[test]
fn depth_is_bounded_for_wanted_and_unwanted_values() {
    let nested =
        |key: &str, depth: usize| format!("{{\"{key}\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let deep_path = format!("a{}", "[0]".repeat(JSON_DEPTH_MAX - 1));
    let config = json(&["a", &deep_path]);
    for key in ["a", "x"] {
        check_depth(&config, &nested(key, JSON_DEPTH_MAX - 1), true);
        check_depth(&config, &nested(key, JSON_DEPTH_MAX), false);
        check_depth(&config, &nested(key, 1_000_000), false);
    }
    let objects = |depth: usize| "{\"x\":".repeat(depth) + "1" + &"}".repeat(depth);
    check_depth(&config, &objects(JSON_DEPTH_MAX), true);
    check_depth(&config, &objects(JSON_DEPTH_MAX + 1), false);
}

#[track_caller]
fn check_depth(config: &Config, line: &str, accepted: bool) {
    let (mut decoder, mut record) = (Decoder::new(config), Record::new(config));
    assert_eq!(decoder.decode(line.as_bytes(), &mut record).is_ok(), accepted);
}

#[test]
fn scenario_30_invalid_utf8_matters_only_where_it_is_wanted() {
    let config = json(&["a", "b"]);
    check(&config, b"{\"x\":\"\xff\",\"\xff\":1,\"a\":1}", &[Number("1"), Missing]);
    check(&config, b"{\"x\":[\"\xc3\"],\"a\":\"\\n\"}", &[Text("\n"), Missing]);
    for line in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"a\":\"\\n\xff\"}",
        b"{\"a\":\"\xff\\n\"}",
        b"{\"a\":1,\"b\":\"x\xc3\"}",
    ] {
        check_reject(&config, r#"{"a":1,"b":2}"#, line, Reject::InvalidUtf8);
    }
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_line() {
    check(&json(&["a"]), "\u{feff}{\"a\":1}\r", &[Number("1")]);
}

#[test]
fn a_top_level_array_is_read_where_a_path_asks_for_it() {
    check(&json(&["[1].a", "[0]"]), r#"[{"a":1},{"a":2}]"#, &[Number("2"), Nested]);
    check(&json(&["[1].a", "b"]), r#"{"b":1}"#, &[Missing, Number("1")]);
}

#[test]
fn elements_of_the_exploded_array_are_rows() {
    let config = exploding("outputs", &["id", "outputs[].x", "outputs.y[0]", "name"]);
    check_rows(
        &config,
        r#"{"id":"r1","outputs":[{"x":1,"y":[5]},{"y":[],"x":2,"name":"own"},7],"name":"shared"}"#,
        &[
            &[Text("r1"), Number("1"), Number("5"), Text("shared")],
            &[Text("r1"), Number("2"), Missing, Text("own")],
            &[Text("r1"), Missing, Missing, Text("shared")],
        ],
    );
    check_rows(&config, r#"{"outputs":[{"id":null}],"id":"late"}"#, &[&[Null, Missing, Missing, Missing]]);
    check_rows(&config, r#"{"id":1,"outputs":[]}"#, &[]);
}

#[test]
fn elements_can_be_plain_values() {
    let config = exploding("response.data", &["response.data", "response.data[0]", "response.model", "x"]);
    check_rows(
        &config,
        r#"{"response":{"data":[0.5,[1,2],{"x":3}],"model":"m"},"x":4}"#,
        &[
            &[Number("0.5"), Missing, Text("m"), Number("4")],
            &[Nested, Number("1"), Text("m"), Number("4")],
            &[Nested, Missing, Text("m"), Number("3")],
        ],
    );
}

#[test]
fn a_line_can_itself_be_the_array() {
    let config = exploding("[]", &["id", "[].y"]);
    check_rows(
        &config,
        r#"[{"id":1,"y":2},{"id":3}]"#,
        &[&[Number("1"), Number("2")], &[Number("3"), Missing]],
    );
    check_reject(&config, "[]", r#"{"id":1}"#, Reject::NotABatch);
}

#[test]
fn the_last_of_several_arrays_is_exploded() {
    let config = exploding("a.b", &["a.b", "id"]);
    check_rows(&config, r#"{"a":{"b":[1,2]},"id":5,"a":{"b":[3]}}"#, &[&[Number("3"), Number("5")]]);
    check_reject(&config, r#"{"a":{"b":[1]}}"#, r#"{"a":{"b":[1]},"a":{}}"#, Reject::NotABatch);
    check_reject(&config, r#"{"a":{"b":[1]}}"#, r#"{"a":{"b":[1]},"a":2}"#, Reject::NotABatch);
    check_reject(&config, r#"{"a":{"b":[1]}}"#, r#"{"a":{"b":[1],"b":{}}}"#, Reject::NotABatch);
}

#[test]
fn what_is_not_an_array_is_no_batch() {
    let config = exploding("outputs", &["id"]);
    for line in [r#"{"id":1}"#, r#"{"outputs":null}"#, r#"{"outputs":{"id":1}}"#, r#"{"outputs":"[1]"}"#] {
        check_reject(&config, r#"{"outputs":[1]}"#, line, Reject::NotABatch);
    }
    check_reject(&config, r#"{"outputs":[1]}"#, r#"{"outputs":[1"#, Reject::Malformed);
    check_reject(&config, r#"{"outputs":[1]}"#, r#"{"id":1"#, Reject::Malformed);
}

#[test]
fn the_number_of_rows_is_bounded() {
    let lines = |rows: usize| format!("{{\"o\":[0{}]}}", ",0".repeat(rows - 1));
    let config = exploding("o", &["o"]);
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    assert_eq!(decoder.decode(lines(BATCH_ROWS_MAX).as_bytes(), &mut record), Ok(Decoded::Record));
    assert_eq!(record.rows(), BATCH_ROWS_MAX);
    assert_eq!(decoder.decode(lines(BATCH_ROWS_MAX + 1).as_bytes(), &mut record), Err(Reject::TooLong));
    assert_empty(&record);

    let many: Vec<String> = (0..100).map(|n| format!("f{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let config = exploding("o", &many);
    check_reject(&config, "{\"o\":[0]}", lines(BATCH_ROWS_MAX), Reject::TooLong);
}

#[test]
fn an_element_is_told_from_the_record() {
    let config = exploding("o", &["id", "o.id", "z"]);
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    decoder.decode(br#"{"id":1,"z":2,"o":[{"id":3},{"z":null},4]}"#, &mut record).unwrap();
    let elements =
        |row: usize| (0..3).map(|field| record.is_element(FieldId(field), row)).collect::<Vec<_>>();
    assert_eq!(elements(0), [true, true, false]);
    assert_eq!(elements(1), [false, false, true]);
    assert_eq!(elements(2), [false, false, false]);
    assert_eq!(elements(3), [false, false, false]);
    assert_eq!(record.value(FieldId(0), 0), Number("3"));
    assert_eq!(record.shared(FieldId(0)), Number("1"));
    assert_eq!(record.shared(FieldId(1)), Missing);
    assert_eq!(record.value(FieldId(2), 1), Null);
}

#[test]
fn rows_never_inherit_from_the_line_before() {
    let config = exploding("o", &["o.x", "s"]);
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    decoder.decode(br#"{"s":1,"o":[{"x":1},{"x":2}]}"#, &mut record).unwrap();
    decoder.decode(br#"{"o":[{},{},{}]}"#, &mut record).unwrap();
    assert_eq!(record.rows(), 3);
    for index in 0..3 {
        assert_eq!(row(&record, index), [Missing, Missing]);
    }
}
