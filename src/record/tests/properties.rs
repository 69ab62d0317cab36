//! What holds for any input, with serde_json and the csv crate as judges.

use super::*;
use proptest::prelude::*;
use serde_json::Value as Json;

/// Choices that follow from a seed (splitmix64), so that a failing case can be run again.
struct Choices(u64);

// === impl Choices ===

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn space(&mut self, out: &mut String) {
        out.push_str(["", "", "", " ", "\t", " \r\n "][self.below(6)]);
    }

    fn write_string(&mut self, text: &str, out: &mut String) {
        if self.below(2) == 0 {
            out.push_str(&serde_json::to_string(text).unwrap());
            return;
        }
        out.push('"');
        for unit in text.encode_utf16() {
            out.push_str(&format!("\\u{unit:04x}"));
        }
        out.push('"');
    }

    /// Writes a document as no one program would: spaces, escapes and repeated keys where they may be.
    fn write(&mut self, value: &Json, out: &mut String) {
        match value {
            Json::String(text) => self.write_string(text, out),
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    self.space(out);
                    self.write(item, out);
                    self.space(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (key, member)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    if self.below(8) == 0 {
                        self.write_string(key, out);
                        out.push_str(
                            [":1,", ":{\"a\":{\"a\":[1]},\"b\":2},", ":[[3],{\"a\":4}],"][self.below(3)],
                        );
                    }
                    self.space(out);
                    self.write_string(key, out);
                    self.space(out);
                    out.push(':');
                    self.space(out);
                    self.write(member, out);
                    self.space(out);
                }
                out.push('}');
            }
            plain => out.push_str(&plain.to_string()),
        }
    }

    /// A path into the document, or beside it.
    fn path(&mut self, mut value: &Json) -> String {
        let mut text = String::new();
        for depth in 0..4 {
            match value {
                Json::Object(members) if !members.is_empty() && self.below(8) > 0 => {
                    let (key, member) = members.iter().nth(self.below(members.len())).unwrap();
                    text.push_str(&format!("[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\"")));
                    value = member;
                }
                Json::Array(items) if !items.is_empty() && depth > 0 => {
                    let index = self.below(items.len());
                    text.push_str(&format!("[{index}]"));
                    value = &items[index];
                }
                _ if depth == 0 => return "a.b".to_owned(),
                _ => {
                    text.push_str(["", "", "", ".a", "[0]"][self.below(5)]);
                    break;
                }
            }
            if depth > 0 && self.below(4) == 0 {
                break;
            }
        }
        text
    }
}

fn documents() -> impl Strategy<Value = Json> {
    let key = prop_oneof![4 => "[ab]", 2 => "[a-z_.]{1,10}", 1 => any::<String>()];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        // At most 15 digits, which serde_json reads back exactly; longer ones it may read one unit off.
        any::<i32>().prop_map(|units| Json::from(f64::from(units) / 64.0)),
        "[ -~]{0,20}".prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    let value = leaf.prop_recursive(4, 40, 6, {
        let key = key.clone();
        move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                prop::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        }
    });
    prop::collection::vec((key, value), 0..8).prop_map(|members| Json::Object(members.into_iter().collect()))
}

fn find<'j>(mut value: &'j Json, path: &Path) -> Option<&'j Json> {
    for step in &path.steps {
        value = match step {
            path::Segment::Key(key) => value.as_object()?.get(key)?,
            path::Segment::Index(index) => value.as_array()?.get(*index as usize)?,
            path::Segment::Each => return None,
        };
    }
    Some(value)
}

fn check_value(found: Value<'_>, expected: Option<&Json>) {
    match (found, expected) {
        (Value::Missing, None) | (Value::Null, Some(Json::Null)) => {}
        (Value::Bool(found), Some(Json::Bool(expected))) => assert_eq!(found, *expected),
        (Value::Number(found), Some(Json::Number(expected))) => assert_eq!(found, expected.to_string()),
        (Value::Text(found), Some(Json::String(expected))) => assert_eq!(found, expected),
        (Value::Nested, Some(Json::Object(_) | Json::Array(_))) => {}
        (found, expected) => panic!("{found:?} is not {expected:?}"),
    }
}

fn formats() -> Vec<Config> {
    let paths = ["a", "b.a", "[0]", "b", "a[1].b"];
    let pattern = ::regex::bytes::Regex::new(r"(?-u)^(?<a>[^ ]*) ?(?<b>.*)$").unwrap();
    let columns = Some(vec!["a".to_owned(), "b".to_owned()]);
    let mut configs = vec![
        config(Format::Json, &paths),
        Config { explode: Some(path("a")), ..config(Format::Json, &paths) },
        config(Format::Logfmt, &paths),
        config(Format::Csv { delimiter: b',', columns }, &paths),
        config(Format::Csv { delimiter: b',', columns: None }, &paths),
        config(Format::Regex { pattern }, &paths),
    ];
    for steps in [&[Step::Json][..], &[Step::Csv], &[Step::Base64], &[Step::Json, Step::Base64, Step::Json]] {
        let payload = Field { path: path("a"), decode: steps.to_vec(), then: Some(path("[0]")) };
        configs.push(Config {
            format: Format::Json,
            explode: None,
            fields: vec![payload.clone(), field("b")],
        });
        configs.push(Config { format: Format::Logfmt, explode: None, fields: vec![payload, field("b")] });
    }
    configs
}

/// Pieces of all formats, so that random lines get past the first byte.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"{"[..],
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\"a\"",
        b"\"a\":",
        b"\"b\":",
        b":",
        b",",
        b" ",
        b"\\",
        b"\\u12",
        b"1",
        b"-",
        b".5",
        b"e9",
        b"null",
        b"true",
        b"NaN",
        b"a",
        b"=",
        b"a=",
        b"b=\"",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"\xc3\xa9",
        b"MQ==",
        b"{\"a\":",
        b"{\"a\":1}",
        b"[{\"b\":[",
        b"\"a\":\"[\\\"1\\\"]\"",
        b"\xef\xbb\xbf",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat()),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_harmless_and_leave_nothing_behind(lines in prop::collection::vec(soup(), 1..6)) {
        for config in formats() {
            let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
            for line in &lines {
                let mut fresh_record = Record::new(&config);
                let fresh = decoder.clone().decode(line, &mut fresh_record);
                prop_assert_eq!(decoder.decode(line, &mut record), fresh);
                if fresh != Ok(Decoded::Record) {
                    assert_empty(&record);
                }
                prop_assert_eq!(record.rows(), fresh_record.rows());
                for index in 0..record.rows() {
                    prop_assert_eq!(row(&record, index), row(&fresh_record, index));
                }
            }
        }
    }

    #[test]
    fn json_values_are_those_of_serde_json(document in documents(), seed in any::<u64>()) {
        let mut choices = Choices(seed);
        let mut line = String::new();
        choices.write(&document, &mut line);
        // As read, not as made: numbers and repeated keys are what the text says.
        let read: Json = serde_json::from_str(&line).unwrap();
        let paths: Vec<String> = (0..6).map(|_| choices.path(&document)).collect();
        let config = config(Format::Json, &paths.iter().map(String::as_str).collect::<Vec<_>>());
        let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
        prop_assert_eq!(decoder.decode(line.as_bytes(), &mut record), Ok(Decoded::Record), "{}", line);
        for (index, field) in (0..).zip(&config.fields) {
            check_value(record.value(FieldId(index), 0), find(&read, &field.path));
        }
    }

    #[test]
    fn a_truncated_json_line_is_no_record(document in documents(), seed in any::<u64>()) {
        let mut choices = Choices(seed);
        let mut line = String::new();
        choices.write(&document, &mut line);
        let config = config(Format::Json, &[&choices.path(&document), &choices.path(&document)]);
        let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
        for length in 1..line.len() {
            let decoded = decoder.decode(&line.as_bytes()[..length], &mut record);
            prop_assert!(
                matches!(decoded, Err(Reject::Malformed | Reject::InvalidUtf8)),
                "{:?} {:?}", decoded, &line.as_bytes()[..length]
            );
            assert_empty(&record);
        }
    }

    #[test]
    fn json_is_accepted_where_serde_json_accepts_it(
        document in documents(),
        seed in any::<u64>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3u8, "[ -~\t\r\n]"), 1..3),
    ) {
        let mut choices = Choices(seed);
        let mut line = String::new();
        choices.write(&document, &mut line);
        for (place, edit, text) in edits {
            let places: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
            if places.is_empty() {
                break;
            }
            let at = *place.get(&places);
            match edit {
                0 => drop(line.remove(at)),
                1 => line.insert_str(at, &text),
                _ => {
                    line.remove(at);
                    line.insert_str(at, &text);
                }
            }
        }
        let config = config(Format::Json, &[&choices.path(&document), "a", "b.a"]);
        let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
        let accepted = decoder.decode(line.as_bytes(), &mut record) == Ok(Decoded::Record);
        // Half a surrogate pair is the one thing here that serde_json refuses in values; in what it ignores
        // it takes it as we do.
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&line).is_ok();
        prop_assert_eq!(accepted, is_json && line.trim_ascii_start().starts_with('{'), "{}", line);
    }

    #[test]
    fn csv_cells_are_those_of_the_csv_crate(
        cells in prop::collection::vec("[a1,;\" \n\ré.-]{0,6}", 1..6),
        always_quoted in any::<bool>(),
        delimiter in prop::sample::select(vec![b',', b';', b'\t']),
    ) {
        let style = if always_quoted { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary };
        let mut writer = ::csv::WriterBuilder::new().quote_style(style).delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(&cells).unwrap();
        let line = writer.into_inner().unwrap();
        let line = line.strip_suffix(b"\n").unwrap();
        let names: Vec<String> = (0..cells.len()).map(|column| format!("c{column}")).collect();
        let paths: Vec<&str> = names.iter().map(String::as_str).collect();
        let config = config(Format::Csv { delimiter, columns: Some(names.clone()) }, &paths);
        let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
        let decoded = decoder.decode(line, &mut record);
        if line.trim_ascii().is_empty() && cells.len() == 1 {
            prop_assert_eq!(decoded, Ok(Decoded::Ignored(Ignore::Empty)));
            return Ok(());
        }
        prop_assert_eq!(decoded, Ok(Decoded::Record));
        for (value, cell) in row(&record, 0).into_iter().zip(&cells) {
            match value {
                Value::Null => prop_assert_eq!("", cell),
                value => prop_assert_eq!(value.as_text(), Some(cell.as_str())),
            }
        }
    }

    #[test]
    fn any_csv_that_is_accepted_is_read_as_the_csv_crate_does(line in "[a,\" ]{1,12}") {
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let judged = reader.records().next().unwrap().unwrap();
        let names: Vec<String> = (0..judged.len()).map(|column| format!("c{column}")).collect();
        let paths: Vec<&str> = names.iter().map(String::as_str).collect();
        let config = config(Format::Csv { delimiter: b',', columns: Some(names.clone()) }, &paths);
        let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
        if decoder.decode(line.as_bytes(), &mut record) == Ok(Decoded::Record) {
            for (value, cell) in row(&record, 0).into_iter().zip(&judged) {
                prop_assert_eq!(value.as_text().unwrap_or(""), cell, "{}", line);
            }
        }
    }

    #[test]
    fn logfmt_pairs_come_back_as_they_were_written(
        pairs in prop::collection::btree_map("[a-z.]{1,4}", any::<String>(), 1..6)
    ) {
        let quoted = |text: &String| serde_json::to_string(text).unwrap();
        let line: Vec<String> = pairs.iter().map(|(key, text)| format!("{key}={}", quoted(text))).collect();
        let paths: Vec<String> = pairs.keys().map(|key| format!("[\"{key}\"]")).collect();
        let config = config(Format::Logfmt, &paths.iter().map(String::as_str).collect::<Vec<_>>());
        let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
        prop_assert_eq!(decoder.decode(line.join(" ").as_bytes(), &mut record), Ok(Decoded::Record));
        let expected: Vec<Value<'_>> = pairs.values().map(|text| Value::Text(text)).collect();
        prop_assert_eq!(row(&record, 0), expected);
    }
}
