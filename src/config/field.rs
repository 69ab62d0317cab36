//! `fields` of one log: which record field every event field is.
//!
//! Field ids are given out here, once for each distinct field, whatever it is used for.

use super::problem::{Fault, suggest};
use super::schema::{FIELD, Keys, LATENCY_FIELD, TIME_FIELD};
use super::table::{Node, Table, describe, plain_text};
use super::value;
use crate::event::{Fields, LatencyField, TimeField, Unit};
use crate::limits;
use crate::record::path::Segment;
use crate::record::{Field, FieldId, Path, Step};
use serde_yaml::Value;
use std::collections::{HashMap, HashSet};

/// Slices of one log, and conditions of its `where`: more than anybody maps, and it keeps ids small.
const NAMED_FIELDS_MAX: usize = 100;
/// Nothing that is known nests its payload deeper than base64 in JSON in JSON.
const DECODE_STEPS_MAX: usize = 4;
/// How a format string is tried out: any moment will do, if its parts differ from the defaults.
const PROBE_SECONDS: i64 = 1_234_567_890;

const UNITS: [(&str, Unit); 5] = [
    ("s", Unit::Seconds),
    ("ms", Unit::Milliseconds),
    ("us", Unit::Microseconds),
    ("\u{b5}s", Unit::Microseconds),
    ("ns", Unit::Nanoseconds),
];
const STEPS: [(&str, Step); 3] = [("base64", Step::Base64), ("json", Step::Json), ("csv", Step::Csv)];

/// What names a field in the records of one log.
#[derive(Clone, Debug)]
pub(super) enum Naming {
    /// A path into nested values (JSON).
    Nested,
    /// A plain name: any (logfmt, and CSV whose header is in the file).
    Flat,
    /// A plain name, one of these.
    Among { what: &'static str, names: Vec<String> },
}

/// Gives out field ids.
#[derive(Debug)]
pub(super) struct Wanted {
    naming: Naming,
    pub(super) fields: Vec<Field>,
    /// Each field's place. Within one log, equal texts are equal paths.
    places: HashMap<(String, Vec<u8>, Option<String>), FieldId>,
}

/// The event fields of one log as they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct WrittenFields {
    pub(super) fields: Fields,
    /// `None` also where `model` is written and was reported.
    pub(super) model: Option<FieldId>,
    pub(super) names_model: bool,
}

// === impl Wanted ===

impl Wanted {
    pub(super) fn new(naming: Naming) -> Self {
        Self { naming, fields: Vec::new(), places: HashMap::new() }
    }

    /// The id of a field, the same for the same field. The bounds on scores, slices and conditions keep ids
    /// within 16 bits.
    fn id(&mut self, field: Field) -> Option<FieldId> {
        let steps = field.decode.iter().map(|step| *step as u8).collect();
        let key = (field.path.text.clone(), steps, field.then.as_ref().map(|then| then.text.clone()));
        if let Some(known) = self.places.get(&key) {
            return Some(*known);
        }
        let id = FieldId(u16::try_from(self.fields.len()).ok()?);
        self.fields.push(field);
        self.places.insert(key, id);
        Some(id)
    }

    /// The field that a path names, without `decode`.
    pub(super) fn plain(&mut self, node: &Node<'_>, text: &str) -> Option<FieldId> {
        let path = node.read(|_| self.naming.path(text))?;
        self.id(Field { path, decode: Vec::new(), then: None })
    }

    /// A field as it is written: a path, or a table with `path`, `decode`, `then`. Gives the table too, for
    /// the keys that only some fields have.
    fn field<'a>(&mut self, node: &Node<'a>, keys: Keys) -> Option<(FieldId, Option<Table<'a>>)> {
        if let Some(text) = plain_text(node.value) {
            return Some((self.plain(node, &text)?, None));
        }
        if !matches!(node.value, Value::Mapping(_)) {
            node.error(
                Fault::from(format!("expected a field, found {}", describe(node.value))).advise(
                    "write the field's path, or a table: {path: payload, decode: [json], then: score}",
                ),
            );
            return None;
        }
        let table = node.table(keys)?;
        let path = table.require("path", "name the field that holds the value");
        let path = path.and_then(|node| node.read(|value| self.naming.path(&value::text(value)?)));
        let decode = match table.get("decode") {
            Some(node) => read_steps(&node)?,
            None => Vec::new(),
        };
        let then = table.read("then", |value| nested_path(&value::text(value)?));
        if then.is_some() && !matches!(decode.last(), Some(Step::Json | Step::Csv)) {
            table.problems.error(
                &table.path("then"),
                Fault::from("needs a value that was decoded")
                    .advise("end `decode` with json or csv, or put the whole path into `path`"),
            );
        }
        Some((self.id(Field { path: path?, decode, then })?, Some(table)))
    }

    fn named_fields(&mut self, node: &Node<'_>, entries_max: usize) -> Option<Vec<(String, FieldId)>> {
        let entries = node.entries()?;
        if entries.len() > entries_max {
            node.error(format!("has {} entries; at most {entries_max} are allowed", entries.len()));
            return None;
        }
        let read = |(name, node): (String, Node<'_>)| Some((name, self.field(&node, FIELD)?.0));
        Some(entries.into_iter().filter_map(read).collect())
    }
}

// === impl Naming ===

impl Naming {
    fn path(&self, text: &str) -> Result<Path, Fault> {
        if text.is_empty() {
            return Err("must not be empty".into());
        }
        match self {
            Self::Nested => nested_path(text),
            Self::Flat => Ok(flat_path(text)),
            Self::Among { names, .. } if names.iter().any(|name| name == text) => Ok(flat_path(text)),
            Self::Among { what, names } => {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                Err(Fault::from(format!("`{text}` is none of the {what}"))
                    .advise(suggest(text, what, &names)))
            }
        }
    }
}

/// Reads `fields`.
pub(super) fn read_fields(table: &Table<'_>, wanted: &mut Wanted) -> WrittenFields {
    let mut plain = |key| Some(wanted.field(&table.get(key)?, FIELD)?.0);
    let fields = Fields {
        id: plain("id"),
        version: plain("version"),
        status: plain("status"),
        trace_id: plain("trace_id"),
        prediction: plain("prediction"),
        score: plain("score"),
        label: plain("label"),
        ..Fields::default()
    };
    let model = plain("model");
    let scores = table.get("scores").and_then(|node| read_scores(&node, wanted));
    let slices = table.get("slices").and_then(|node| read_slices(&node, wanted));
    let fields = Fields {
        time: table.get("time").and_then(|node| read_time(&node, wanted)),
        latency: table.get("latency").and_then(|node| read_latency(&node, wanted)),
        scores: scores.unwrap_or_default(),
        slices: slices.unwrap_or_default(),
        ..fields
    };
    WrittenFields { fields, model, names_model: table.has("model") }
}

/// `where`: each field with the values it may have.
pub(super) fn read_conditions(node: &Node<'_>, wanted: &mut Wanted) -> Vec<(FieldId, Vec<String>)> {
    let entries = node.entries().unwrap_or_default();
    if entries.len() > NAMED_FIELDS_MAX {
        node.error(format!("has {} conditions; at most {NAMED_FIELDS_MAX} are allowed", entries.len()));
        return Vec::new();
    }
    let mut conditions = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let values = match entry.value {
            Value::Sequence(_) => {
                entry.list(value::text).unwrap_or_default().into_iter().map(|(_, v)| v).collect()
            }
            _ => entry.read(value::text).into_iter().collect::<Vec<_>>(),
        };
        if matches!(entry.value, Value::Sequence(elements) if elements.is_empty()) {
            entry.error("names no value, so no line would ever be read");
        }
        if let Some(id) = wanted.plain(&entry, &name) {
            conditions.push((id, values));
        }
    }
    conditions
}

fn read_scores(node: &Node<'_>, wanted: &mut Wanted) -> Option<Vec<(String, FieldId)>> {
    let mut scores: Vec<(String, FieldId)> = Vec::new();
    let mut seen = HashSet::new();
    for (class, id) in wanted.named_fields(node, limits::CLASSES_CEILING)? {
        let class = value::class_identity(&class).to_owned();
        if !seen.insert(class.clone()) {
            node.error(format!("class `{class}` has two scores"));
        }
        scores.push((class, id));
    }
    if scores.is_empty() {
        node.error(
            Fault::from("names no class").advise("write the field of each class: {cat: p_cat, dog: p_dog}"),
        );
    }
    Some(scores)
}

fn read_slices(node: &Node<'_>, wanted: &mut Wanted) -> Option<Vec<(String, FieldId)>> {
    let slices = wanted.named_fields(node, NAMED_FIELDS_MAX)?;
    for (name, _) in &slices {
        // The label reads `country=DE`, and `all` is no slice.
        if name.is_empty() || name.contains('=') || name == "all" {
            let fault = Fault::from("cannot be the name of a slice");
            node.problems
                .error(&node.at.key(name), fault.advise("choose one that is not `all` and has no `=`"));
        }
    }
    Some(slices)
}

fn read_time(node: &Node<'_>, wanted: &mut Wanted) -> Option<TimeField> {
    let (field, table) = wanted.field(node, TIME_FIELD)?;
    let format = table.and_then(|table| table.read("format", time_format));
    Some(TimeField { field, format })
}

fn read_latency(node: &Node<'_>, wanted: &mut Wanted) -> Option<LatencyField> {
    let (field, table) = wanted.field(node, LATENCY_FIELD)?;
    let unit = table.and_then(|table| table.read("unit", unit));
    Some(LatencyField { field, unit: unit.unwrap_or(Unit::Seconds) })
}

fn unit(value: &Value) -> Result<Unit, Fault> {
    match value.as_str() {
        // U+03BC, the Greek letter, is what NFKC makes of U+00B5, the micro sign.
        Some("\u{3bc}s") => Ok(Unit::Microseconds),
        _ => value::word(value, &UNITS),
    }
}

/// A strptime format that reads what it writes, and gives a date.
fn time_format(value: &Value) -> Result<String, Fault> {
    const ADVICE: &str = "formats are strptime's: '%d/%b/%Y:%H:%M:%S %z', '%Y-%m-%d %H:%M:%S,%f'";
    let format = value::text(value)?;
    let wrong =
        |reason: String| Fault::from(format!("`{format}` is not a time format: {reason}")).advise(ADVICE);
    let probe = jiff::Timestamp::from_second(PROBE_SECONDS).map_err(|error| wrong(error.to_string()))?;
    let probe = probe.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let written = jiff::fmt::strtime::format(&format, &probe).map_err(|error| wrong(error.to_string()))?;
    let read = jiff::fmt::strtime::parse(&format, &written).map_err(|error| wrong(error.to_string()))?;
    if read.to_date().is_err() && read.to_timestamp().is_err() {
        return Err(wrong("it gives no date".to_owned()));
    }
    Ok(format)
}

fn read_steps(node: &Node<'_>) -> Option<Vec<Step>> {
    let read = |value: &Value| value::word(value, &STEPS);
    let steps: Vec<Step> = match node.value {
        Value::Sequence(_) => node.list(read)?.into_iter().map(|(_, step)| step).collect(),
        _ => vec![node.read(read)?],
    };
    if steps.len() > DECODE_STEPS_MAX {
        node.error(format!("has {} steps; at most {DECODE_STEPS_MAX} are allowed", steps.len()));
        return None;
    }
    Some(steps)
}

pub(super) fn nested_path(text: &str) -> Result<Path, Fault> {
    Path::parse(text).map_err(|error| {
        Fault::from(format!("`{text}` is not a path: {error}"))
            .advise(r#"paths read like model.version, outputs[0].score or usage["key.with.dots"]"#)
    })
}

/// In flat formats the whole text is the name, whatever is in it.
fn flat_path(text: &str) -> Path {
    Path { text: text.to_owned(), steps: vec![Segment::Key(text.to_owned())] }
}
