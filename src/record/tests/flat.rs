//! logfmt, CSV and regular expressions, by table.

use super::*;
use Value::{Bool, Missing, Null, Number, Text};

fn csv(delimiter: u8, columns: Option<&[&str]>, paths: &[&str]) -> Config {
    let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    config(Format::Csv { delimiter, columns }, paths)
}

fn regex(pattern: &str, paths: &[&str]) -> Config {
    config(Format::Regex { pattern: ::regex::bytes::Regex::new(pattern).unwrap() }, paths)
}

#[test]
fn logfmt_pairs_are_found() {
    let config = config(Format::Logfmt, &["a", "b.c", r#"["x.y"]"#]);
    for (line, expected) in [
        ("a=1 b.c=two x.y=\"three\"", [Number("1"), Text("two"), Text("three")]),
        ("  x.y=3\tb.c=  a=\"\" \r", [Text(""), Null, Number("3")]),
        ("a b.c=1", [Bool(true), Number("1"), Missing]),
        ("b.c=1 a", [Bool(true), Number("1"), Missing]),
        ("a=true b.c=false x.y=null", [Bool(true), Bool(false), Null]),
        ("a=\"true\" b.c=\"1\" x.y=\"null\"", [Text("true"), Text("1"), Text("null")]),
        ("a=1 a=2 b.c=1 b.c", [Number("2"), Bool(true), Missing]),
        (r#"a="say \"hi\" \\ \n \u00e9 \ud83d\ude00""#, [Text("say \"hi\" \\ \n é 😀"), Missing, Missing]),
        (
            r#"a="C:\data \ud83d \u12" b.c="\d800""#,
            [Text("C:\\data \u{fffd} \\u12"), Text("\\d800"), Missing],
        ),
        ("a=/x?b=c&d=\"e\" b.c==", [Text("/x?b=c&d=\"e\""), Text("="), Missing]),
        ("level=info msg=\"no a=5 here\" aa=3 A=4", [Missing; 3]),
        ("a=NaN b.c=12.5ms x.y=-1e-3", [Number("NaN"), Text("12.5ms"), Number("-1e-3")]),
        ("a=größe b.c=\"a = b\"", [Text("größe"), Text("a = b"), Missing]),
    ] {
        check(&config, line, &expected);
    }
}

#[test]
fn broken_logfmt_is_malformed() {
    let config = config(Format::Logfmt, &["a", "b"]);
    for line in [
        "a",
        "no pair in here",
        "=1",
        "a=1 =2",
        "a=\"x",
        "a=\"x\\\"",
        "a=\"x\\",
        "a=\"x\"y",
        "a=\"x\"b=2",
        "\"a\"=1",
        "a=1 b\"=2",
        "{\"a\":1}",
    ] {
        check_reject(&config, "a=1 b=2", line, Reject::Malformed);
    }
    check_reject(&config, "a=1 b=2", b"a=\xff", Reject::InvalidUtf8);
    check_reject(&config, "a=1 b=2", b"a=\"\\n\xff\"", Reject::InvalidUtf8);
    check(&config, b"x=\xff \xff=1 a=1", &[Number("1"), Missing]);
}

#[test]
fn csv_cells_are_found_by_column() {
    let config = csv(b',', Some(&["id", "x", "label"]), &["label", "id"]);
    for (line, expected) in [
        ("r1,0.5,1", [Number("1"), Text("r1")]),
        ("r1,0.5,1\r", [Number("1"), Text("r1")]),
        ("\u{feff}r1,0.5,1", [Number("1"), Text("r1")]),
        ("r1,,", [Null, Text("r1")]),
        (",,", [Null, Null]),
        ("\"\",\"\",\"\"", [Text(""), Text("")]),
        ("\"a, \"\"b\"\"\",\"x\",\"1\"", [Text("1"), Text("a, \"b\"")]),
        ("\"two\nlines\",1,no", [Text("no"), Text("two\nlines")]),
        ("\"\"\"\",\"\"\"\"\"\",true", [Bool(true), Text("\"")]),
        ("5\" disc,x, 7 ", [Text(" 7 "), Text("5\" disc")]),
        ("13064851069359385115,x,NaN", [Number("NaN"), Number("13064851069359385115")]),
        ("007,x,NA", [Text("NA"), Number("007")]),
        ("größe,x,null", [Text("null"), Text("größe")]),
    ] {
        check(&config, line, &expected);
    }
}

#[test]
fn broken_csv_is_malformed() {
    let config = csv(b',', Some(&["id", "x", "label"]), &["label", "id"]);
    for line in [
        "r1",
        "r1,2",
        "r1,2,3,",
        "r1,2,3,4",
        "\"r1,2,3",
        "\"r1\"x,2,3",
        "\"r1\" ,2,3",
        "r1,2,\"3",
        "\"a\"\"",
        "r1,\",3",
    ] {
        check_reject(&config, "a,b,c", line, Reject::Malformed);
    }
    check_reject(&config, "a,b,c", b"\xff,2,3", Reject::InvalidUtf8);
    check_reject(&config, "a,b,c", b"\"\"\"\xff\",2,3", Reject::InvalidUtf8);
    check(&config, b"r1,\xff,3", &[Number("3"), Text("r1")]);
}

#[test]
fn csv_takes_any_delimiter() {
    for delimiter in [b';', b'\t', b'|', b' '] {
        let config = csv(delimiter, Some(&["a", "b"]), &["a", "b"]);
        let line = "x,y;\"z;,\t| \"".replace(';', &char::from(delimiter).to_string());
        let inside = format!("z{0},\t| ", char::from(delimiter));
        check(&config, &line, &[Text("x,y"), Text(&inside)]);
        check(&config, [delimiter], &[Null, Null]);
    }
}

#[test]
fn the_first_line_of_a_csv_file_is_its_header() {
    let config = csv(b',', None, &["label", "model.version", "gone", r#"["q,q"]"#]);
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    let header = Ok(Decoded::Ignored(Ignore::Header));
    assert!(decoder.wants_header());
    assert_eq!(decoder.decode(b"", &mut record), Ok(Decoded::Ignored(Ignore::Empty)));
    assert_eq!(decoder.decode(b"\"id", &mut record), Err(Reject::Malformed));
    assert!(decoder.wants_header());
    let line = "\u{feff}id, label ,model.version,\"q,q\",label\r";
    assert_eq!(decoder.decode(line.as_bytes(), &mut record), header);
    assert_empty(&record);
    assert!(!decoder.wants_header());
    assert_eq!(decoder.decode(b"r1,first,v1,x,second", &mut record), Ok(Decoded::Record));
    assert_eq!(row(&record, 0), [Text("first"), Text("v1"), Missing, Text("x")]);
    assert_eq!(decoder.clone().decode(b"r1,1,v1,x,2", &mut record), Ok(Decoded::Record));

    // A second file behind the first.
    assert_eq!(decoder.decode(&line.as_bytes()[3..], &mut record), header);
    assert_empty(&record);
}

#[test]
fn a_resumed_csv_file_is_told_its_header() {
    let config = csv(b',', None, &["b"]);
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    decoder.set_header(b"\"broken");
    assert!(decoder.wants_header());
    decoder.set_header(b"a,b\r");
    assert!(!decoder.wants_header());
    assert_eq!(decoder.decode(b"1,2", &mut record), Ok(Decoded::Record));
    assert_eq!(row(&record, 0), [Number("2")]);
    assert_eq!(decoder.decode(b"a,b", &mut record), Ok(Decoded::Ignored(Ignore::Header)));

    let mut other = Decoder::new(&config_of_json());
    other.set_header(b"a,b");
    assert!(!other.wants_header());
}

fn config_of_json() -> Config {
    config(Format::Json, &["a"])
}

#[test]
fn configured_columns_need_no_header() {
    let config = csv(b',', Some(&["a"]), &["a"]);
    assert!(!Decoder::new(&config).wants_header());
    check(&config, "x", &[Text("x")]);
}

#[test]
fn groups_of_a_pattern_are_fields() {
    let config = regex(r"^(?<id>\w+) (?<ms>[\d.]+)ms(?: (?<note>\w*))?(\d)?$", &["ms", "note", "gone", "id"]);
    check(&config, "r1 12.5ms", &[Number("12.5"), Missing, Missing, Text("r1")]);
    check(&config, "r1 12.5ms x\r", &[Number("12.5"), Text("x"), Missing, Text("r1")]);
    check(&config, "true 1ms ", &[Number("1"), Null, Missing, Bool(true)]);
    for line in ["r1", "r1 12.5s", "x r1 12.5ms"] {
        check_reject(&config, "r1 12.5ms x", line, Reject::Malformed);
    }
    let config = regex(r"(?-u)^(?<a>\S+) (?<b>\S+)$", &["a"]);
    check(&config, b"x \xff", &[Text("x")]);
    check_reject(&config, "x y", b"\xff x", Reject::InvalidUtf8);
}
