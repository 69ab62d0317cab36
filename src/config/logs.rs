//! `logs`: how the bytes of each log become events.
//!
//! Not here: whether the models that the logs name exist (`plan`).

use super::field::{self, Naming, Wanted, WrittenFields};
use super::problem::{Fault, KeyPath};
use super::schema::{FIELDS, LOG};
use super::table::{Node, Table, describe};
use super::value;
use crate::event::ModelName;
use crate::limits::LOG_PATTERN_CACHE_BYTES;
use crate::line::Container;
use crate::pipeline::StreamConfig;
use crate::record::Format;
use crate::source::StartAt;
use crate::time::Span;
use crate::{event, line, record, source};
use serde_yaml::Value;

const ROTATE_WAIT_DEFAULT: Span = Span::from_seconds(5);
/// The name is the value of the label `log`.
const NAME_BYTES_MAX: usize = 128;

/// What all logs share.
pub(super) struct Surroundings<'a> {
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) line_bytes_max: usize,
    /// Whether positions outlive the process.
    pub(super) has_state: bool,
}

/// One entry of `logs`, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) at: KeyPath,
    pub(super) stream: StreamConfig,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FormatName {
    Json,
    Logfmt,
    Csv,
    Regex,
}

const FORMATS: [(&str, FormatName); 4] = [
    ("json", FormatName::Json),
    ("logfmt", FormatName::Logfmt),
    ("csv", FormatName::Csv),
    ("regex", FormatName::Regex),
];
const CONTAINERS: [(&str, Container); 3] =
    [("none", Container::None), ("cri", Container::Cri), ("docker", Container::Docker)];
const START_AT: [(&str, StartAt); 2] = [("beginning", StartAt::Beginning), ("end", StartAt::End)];

/// Reads one entry. What is missing after a mistake is filled in, so that everything else is read too.
pub(super) fn read_log(node: &Node<'_>, surroundings: &Surroundings<'_>) -> Option<Log> {
    let table = node.table(LOG)?;
    // With a preset there is nothing to say about what it would have given.
    if table.has("preset") {
        return None;
    }
    let name = table.require("name", "give the log a name; it is the value of the label `log`");
    let name = name.and_then(|node| node.read(log_name)).unwrap_or_default();
    let source = read_source(&table, surroundings);
    let container =
        table.read("container", |value| value::word(value, &CONTAINERS)).unwrap_or(Container::None);
    let (format, naming) = read_format(&table);
    let mut wanted = Wanted::new(naming);
    let WrittenFields { fields, model, names_model } = match table.require("fields", "map at least one field")
    {
        Some(node) => node.table(FIELDS).map(|table| read_mapping(&table, &mut wanted)).unwrap_or_default(),
        None => WrittenFields::default(),
    };
    let conditions =
        table.get("where").map(|node| field::read_conditions(&node, &mut wanted)).unwrap_or_default();
    let event = event::Config {
        model: read_model(&table, model, names_model),
        time_zone: table.read("time_zone", time_zone).unwrap_or(jiff::tz::TimeZone::UTC),
        conditions,
        fields,
    };
    // A container runtime cuts lines before CSV can quote their ends.
    let quoted = match format {
        Format::Csv { delimiter, .. } if container == Container::None => Some(delimiter),
        _ => None,
    };
    let explode = read_explode(&table, &format);
    let line = line::Config { container, line_bytes_max: surroundings.line_bytes_max, quoted };
    let record = record::Config { format, explode, fields: wanted.fields };
    Some(Log { at: table.at.clone(), stream: StreamConfig { name, source, line, record, event } })
}

fn log_name(value: &Value) -> Result<String, Fault> {
    let name = value::text(value)?;
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("is longer than {NAME_BYTES_MAX} bytes").into());
    }
    // `replay` takes logs as NAME=FILE.
    if name.contains('=') || name.contains(char::is_control) {
        return Err(format!("`{}` has a character that is not allowed: `=`", name.escape_debug()).into());
    }
    Ok(name)
}

// === where the bytes come from ===

fn read_source(table: &Table<'_>, surroundings: &Surroundings<'_>) -> source::Config {
    let environment = surroundings.environment;
    let paths = table
        .require("paths", "name the files, for example [/var/log/model/*.jsonl]")
        .and_then(|node| {
            let paths = node.list(|value| path_glob(&value::expand(&value::text(value)?, environment)?))?;
            if matches!(node.value, Value::Sequence(elements) if elements.is_empty()) {
                node.error(Fault::from("names no file").advise("name at least one, or remove the log"));
            }
            Some(paths)
        })
        .unwrap_or_default();
    for (node, path) in &paths {
        if let Some(extension) = [".gz", ".bz2", ".xz", ".zst"].iter().find(|end| path.ends_with(*end)) {
            node.error(
                Fault::from(format!("`{extension}` files are never read"))
                    .advise("name the uncompressed file; it is followed through rotation by its identity"),
            );
        }
    }
    let exclude = table.get("exclude").and_then(|node| node.list(glob)).unwrap_or_default();
    for (node, _) in exclude.iter().filter(|(_, glob)| glob.contains("${")) {
        node.problems.warn(&node.at, "variables are replaced in `paths` and `state_dir` only");
    }
    let default = if surroundings.has_state { StartAt::Beginning } else { StartAt::End };
    let start_at = table.read("start_at", |value| value::word(value, &START_AT));
    if start_at == Some(StartAt::Beginning) && !surroundings.has_state {
        table.problems.warn(
            &table.path("start_at"),
            Fault::from("without `state_dir`, every restart reads the files from their beginning again")
                .advise("set `state_dir`, or leave `start_at` out"),
        );
    }
    source::Config {
        paths: paths.into_iter().map(|(_, path)| path).collect(),
        exclude: exclude.into_iter().map(|(_, glob)| glob).collect(),
        start_at: start_at.unwrap_or(default),
        rotate_wait: table.read("rotate_wait", value::duration_or_zero).unwrap_or(ROTATE_WAIT_DEFAULT),
    }
}

fn glob(value: &Value) -> Result<String, Fault> {
    path_glob(&value::text(value)?)
}

fn path_glob(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    match globset::GlobBuilder::new(text).literal_separator(true).build() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Fault::from(format!("`{text}` is not a glob: {}", error.kind()))
            .advise("`*` stands for any name, `**` for any directories, [ab] for one of the characters")),
    }
}

// === what a line is ===

/// The format, and what its fields are called.
fn read_format(table: &Table<'_>) -> (Format, Naming) {
    let written = table.read("format", |value| value::word(value, &FORMATS));
    let name = written.unwrap_or(FormatName::Json);
    // After a mistake in `format` nothing is known about what belongs to it.
    let is_known = written.is_some() || !table.has("format");
    for (key, owner) in
        [("pattern", FormatName::Regex), ("delimiter", FormatName::Csv), ("columns", FormatName::Csv)]
    {
        if is_known && table.has(key) && name != owner {
            let [owner, name] = [owner, name].map(format_text);
            table.problems.error(
                &table.path(key),
                Fault::from(format!("is for `format: {owner}`, and the format is {name}"))
                    .advise(format!("remove it, or write `format: {owner}`")),
            );
        }
    }
    match name {
        FormatName::Json => (Format::Json, Naming::Nested),
        FormatName::Logfmt => (Format::Logfmt, Naming::Flat),
        FormatName::Csv => read_csv(table),
        FormatName::Regex => read_pattern(table).unwrap_or((Format::Logfmt, Naming::Flat)),
    }
}

fn format_text(format: FormatName) -> &'static str {
    FORMATS.iter().find(|(_, known)| *known == format).map_or("", |(name, _)| name)
}

fn read_csv(table: &Table<'_>) -> (Format, Naming) {
    let delimiter = table.read("delimiter", delimiter).unwrap_or(b',');
    let Some(node) = table.get("columns") else {
        return (Format::Csv { delimiter, columns: None }, Naming::Flat);
    };
    let mut columns: Vec<String> = Vec::new();
    for (node, column) in node.list(value::text).unwrap_or_default() {
        if columns.contains(&column) {
            node.error(format!("column `{column}` is named twice"));
        }
        columns.push(column);
    }
    if matches!(node.value, Value::Sequence(elements) if elements.is_empty()) {
        node.error(
            Fault::from("names no column")
                .advise("remove it where the first line of each file is its header"),
        );
    }
    // After a mistake the columns are not known, and no field can be missed among them.
    let naming = match columns.is_empty() {
        true => Naming::Flat,
        false => Naming::Among { what: "columns", names: columns.clone() },
    };
    (Format::Csv { delimiter, columns: Some(columns) }, naming)
}

fn delimiter(value: &Value) -> Result<u8, Fault> {
    let text = value::text(value)?;
    match text.as_bytes() {
        [b'"' | b'\r' | b'\n'] => Err("a quote or a line end cannot be the delimiter".into()),
        [byte] => Ok(*byte),
        _ => Err(Fault::from(format!("expected one byte, found {}", describe(value)))
            .advise(r#"write ',' or ';' or, for a tab, "\t" in double quotes"#)),
    }
}

fn read_pattern(table: &Table<'_>) -> Option<(Format, Naming)> {
    let node = table.require("pattern", "write a regular expression with a named group for each field")?;
    let text = node.read(value::text)?;
    let pattern = regex::bytes::RegexBuilder::new(&text).dfa_size_limit(LOG_PATTERN_CACHE_BYTES).build();
    let pattern = match pattern {
        Ok(pattern) => pattern,
        Err(error) => {
            node.error(value::regex_fault(&text, &error));
            return None;
        }
    };
    let names: Vec<String> = pattern.capture_names().flatten().map(str::to_owned).collect();
    if names.is_empty() {
        node.error(
            Fault::from("has no named group, so no field can be read")
                .advise("name the groups: (?P<latency>[0-9.]+)ms"),
        );
        return None;
    }
    Some((Format::Regex { pattern }, Naming::Among { what: "named groups of `pattern`", names }))
}

fn read_explode(table: &Table<'_>, format: &Format) -> Option<record::Path> {
    let node = table.get("explode")?;
    if !matches!(format, Format::Json) {
        node.error(Fault::from("is for `format: json`: other formats have no arrays").advise("remove it"));
        return None;
    }
    node.read(|value| field::nested_path(&value::text(value)?))
}

// === what a record means ===

fn read_mapping(table: &Table<'_>, wanted: &mut Wanted) -> WrittenFields {
    let written = field::read_fields(table, wanted);
    if FIELDS.iter().all(|key| !table.has(key.name)) {
        table
            .problems
            .error(&table.at, Fault::from("maps no field").advise("map at least `prediction` or `label`"));
    }
    // By what is written, so that a mistake in `id` is not told twice.
    let has_prediction = ["prediction", "score", "scores"].iter().any(|key| table.has(key));
    if table.has("label") && !table.has("id") && !has_prediction {
        table.problems.error(
            &table.at,
            Fault::from("`label` is mapped and `id` is not: a label finds its prediction by the id")
                .advise("map `id`, or map `prediction` too if both are in one record"),
        );
    }
    written
}

/// Exactly one of `model` and `fields.model`.
fn read_model(table: &Table<'_>, field: Option<record::FieldId>, has_field: bool) -> ModelName {
    const EITHER: &str = "write `model: NAME` where the log has one model, or `fields: {model: PATH}` where \
                          its records name theirs";
    match (table.has("model"), has_field) {
        (false, false) => {
            table.problems.error(&table.at, Fault::from("no model is named").advise(EITHER));
        }
        (true, true) => {
            let fault = Fault::from("the model is named twice, here and in `fields.model`");
            table.problems.error(&table.path("model"), fault.advise(EITHER));
        }
        (true, false) | (false, true) => {}
    }
    match field {
        Some(field) => ModelName::Field(field),
        // Empty after a mistake; such a log is not asked for its model again.
        None => ModelName::Constant(table.read("model", value::text).unwrap_or_default()),
    }
}

fn time_zone(value: &Value) -> Result<jiff::tz::TimeZone, Fault> {
    let name = value::text(value)?;
    jiff::tz::TimeZone::get(&name).map_err(|_| {
        Fault::from(format!("unknown time zone `{name}`"))
            .advise("write UTC or a name of the IANA database, like Europe/Berlin or America/New_York")
    })
}
