//! Field paths: any text is a path or an error with its place, and a path finds what it names.

use inference_exporter::record::path::Segment;
use inference_exporter::record::{Config, Decoded, Decoder, Field, FieldId, Format, Path, Record, Value};
use serde_json::Value as Json;

/// Longer arrays would be built for nothing.
const INDEX_MAX: u32 = 40;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = match Path::parse(text) {
        Ok(path) => path,
        Err(error) => {
            let characters = text.chars().count();
            assert!((1..=characters + 1).contains(&error.column), "{error} of {characters} characters");
            assert!(!error.expected.is_empty());
            return;
        }
    };
    assert_eq!(path.text, text);
    assert!(!path.steps.is_empty());
    let written = write(&path.steps);
    assert_eq!(
        Path::parse(&written).map(|path| path.steps).as_ref(),
        Ok(&path.steps),
        "{text:?} is {written}"
    );
    assert!(path.inside(&path).is_some_and(<[Segment]>::is_empty) || path.steps.ends_with(&[Segment::Each]));
    assert!(
        !path.flat_name().is_empty()
            || matches!(path.steps.as_slice(), [Segment::Key(key)] if key.is_empty())
    );
    let strays = path.has_stray_each(None);
    assert_eq!(strays, path.steps.contains(&Segment::Each));
    if !strays {
        check_found(&path);
    }
}

/// The path with every key in quotes.
fn write(steps: &[Segment]) -> String {
    let step = |step: &Segment| match step {
        Segment::Key(key) => format!("[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\"")),
        Segment::Index(index) => format!("[{index}]"),
        Segment::Each => "[]".to_owned(),
    };
    steps.iter().map(step).collect()
}

/// Builds a record that has a value at the path, and looks for it there.
fn check_found(path: &Path) {
    let is_long = |step: &Segment| matches!(step, Segment::Index(index) if *index > INDEX_MAX);
    let first_is_key = matches!(path.steps.first(), Some(Segment::Key(_)));
    if !first_is_key || path.steps.iter().any(is_long) {
        return;
    }
    let mut value = Json::from("here");
    for step in path.steps.iter().rev() {
        value = match step {
            Segment::Key(key) => Json::Object(
                [("other".to_owned() + key, Json::Null), (key.clone(), value)].into_iter().collect(),
            ),
            Segment::Index(index) => {
                let mut items = vec![Json::Null; *index as usize];
                items.push(value);
                Json::Array(items)
            }
            Segment::Each => unreachable!("such a path is not looked for"),
        };
    }
    let field = Field { path: path.clone(), decode: Vec::new(), then: None };
    let config = Config { format: Format::Json, explode: None, fields: vec![field] };
    let (mut decoder, mut record) = (Decoder::new(&config), Record::new(&config));
    let line = value.to_string();
    assert_eq!(decoder.decode(line.as_bytes(), &mut record), Ok(Decoded::Record), "{line}");
    assert_eq!(record.value(FieldId(0), 0), Value::Text("here"), "{:?} in {line}", path.text);
}
