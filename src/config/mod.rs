//! What was written becomes what will run.
//!
//! `parse` reads YAML into values (`table`, `value`), walks them against the list of all keys (`schema`) and
//! builds the components' own `Config`s (`logs`, `field`, `models`, `task`, `indicator`), then asks what logs and
//! models need of each other (`plan`). Every mistake is collected with its place (`problem`, `lines`), so
//! that one run shows them all. What a plan may cost is `estimate`'s; how it is shown, `text`'s.
//!
//! Not here: reloading, and anything that looks at the logs themselves.
//!
//! Invariant: YAML is named only in this module, and a `Plan` is only ever made of a configuration without
//! errors.

mod estimate;
mod field;
mod indicator;
mod lines;
mod logs;
mod memory;
mod models;
mod plan;
mod problem;
mod schema;
mod table;
mod task;
mod text;
mod value;
#[cfg(test)]
mod tests;

pub use problem::{Errors, Problem};
pub use schema::known_keys;
pub use text::plan_text;

use crate::pipeline;
use crate::time::Span;
use lines::Lines;
use problem::{Fault, Found, KeyPath, Problems, Severity, shorten};
use serde_yaml::Value;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use table::Node;

/// A validated configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    pub listen: SocketAddr,
    pub state_dir: Option<PathBuf>,
    pub checkpoint_interval: Span,
    pub pipeline: pipeline::Config,
}

/// A plan, and what a person should look at before it runs.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub plan: Plan,
    pub warnings: Vec<Problem>,
}

/// More than any configuration, and less than what would keep a reload waiting.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Characters of a message: enough for every list of keys, and no more of a value that is far too long.
const MESSAGE_CHARACTERS_MAX: usize = 1000;

/// Reads the configuration file. `environment` gives the value of a variable, for `${NAME}`.
pub fn load(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Errors> {
    let file = path.display().to_string();
    match read_file(path) {
        Ok(text) => parse(&text, &file, environment),
        Err(fault) => Err(Errors(vec![Problem {
            file,
            line: None,
            path: String::new(),
            what: fault.what,
            advice: fault.advice,
        }])),
    }
}

/// Reads a configuration. `file_name` is what its problems are reported under.
pub fn parse(
    text: &str,
    file_name: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Errors> {
    // Editors of some systems begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = read_yaml(text, file_name)?;
    let problems = Problems::default();
    let root = Node { value: &value, at: KeyPath::default(), problems: &problems };
    let plan = if value.is_null() {
        root.error(Fault::from("is empty").advise("it needs `logs` and `models`"));
        None
    } else {
        plan::read_plan(&root, environment)
    };
    let found = problems.into_found();
    let lines = if found.is_empty() { Lines::default() } else { Lines::of(text) };
    let (errors, warnings): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| found.severity == Severity::Error);
    match plan {
        Some(plan) if errors.is_empty() => Ok(Loaded { plan, warnings: place(warnings, &lines, file_name) }),
        _ => {
            assert!(!errors.is_empty(), "a configuration was refused without a reason");
            Err(Errors(place(errors, &lines, file_name)))
        }
    }
}

fn read_file(path: &Path) -> Result<String, Fault> {
    let fault = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Fault::from("the file does not exist").advise("name the file with --config"),
        ErrorKind::PermissionDenied => Fault::from("the file may not be read").advise(
            "let the user of this program read it; in a pod, see `defaultMode` and `fsGroup` of the volume",
        ),
        ErrorKind::IsADirectory => is_a_directory(),
        _ => Fault::from(format!("the file cannot be read: {error}")),
    };
    let metadata = std::fs::metadata(path).map_err(fault)?;
    if metadata.is_dir() {
        return Err(is_a_directory());
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Fault::from(format!(
            "the file has {}; a configuration has at most {}",
            bytesize::ByteSize(metadata.len()),
            bytesize::ByteSize(FILE_BYTES_MAX)
        ))
        .advise("is this the log instead of the configuration?"));
    }
    String::from_utf8(std::fs::read(path).map_err(fault)?).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1;
        Fault::from(format!("the file is not UTF-8: line {line} has a byte that is not"))
            .advise("save it as UTF-8")
    })
}

fn is_a_directory() -> Fault {
    Fault::from("is a directory, not a file").advise("name the file in it")
}

/// The YAML values, or what keeps the text from being YAML. Keys that are written twice are all named.
fn read_yaml(text: &str, file_name: &str) -> Result<Value, Errors> {
    let value = serde_yaml::from_str::<Value>(text).and_then(|mut value| {
        value.apply_merge()?;
        Ok(value)
    });
    value.map_err(|error| {
        let problem = |line, path: String, what, advice| Problem {
            file: file_name.to_owned(),
            line,
            path,
            what,
            advice,
        };
        let repeated = Lines::of(text).repeated;
        if !repeated.is_empty() && error.to_string().contains("duplicate entry") {
            return Errors(
                repeated
                    .into_iter()
                    .map(|key| {
                        let what = format!("is written twice, first on line {}", key.first_line);
                        problem(
                            Some(key.line),
                            key.at.to_string(),
                            what,
                            Some("remove one of the two".to_owned()),
                        )
                    })
                    .collect(),
            );
        }
        let line = error.location().map(|location| location.line());
        let what = format!("not valid YAML: {error}");
        Errors(vec![problem(line, String::new(), what, yaml_advice(&error.to_string()))])
    })
}

/// What most likely went wrong, for the slips that configurations of this kind invite.
fn yaml_advice(message: &str) -> Option<String> {
    let advice = if message.contains("alias") || message.contains("anchor") {
        "quote a value or key that begins with `*` or `&`: '*.log', \"*\""
    } else if message.contains("cannot start any token") {
        "quote a value that begins with `%`, `@` or a backquote, and indent with spaces, not tabs"
    } else if message.contains("mapping values are not allowed") {
        "quote a value that has `: ` in it; keys of one table begin in the same column"
    } else if message.contains("unknown escape") {
        "in double quotes a backslash begins an escape; write patterns in single quotes"
    } else if message.contains("more than one document") {
        "remove the line `---` between them"
    } else if message.contains("did not find expected") {
        "keys of one table begin in the same column; brackets and quotes are closed"
    } else {
        return None;
    };
    Some(advice.to_owned())
}

/// Gives each problem its line, and brings them into the order of the file.
fn place(found: Vec<Found>, lines: &Lines, file_name: &str) -> Vec<Problem> {
    let mut problems: Vec<Problem> = found
        .into_iter()
        .map(|Found { at, fault, .. }| Problem {
            file: file_name.to_owned(),
            line: lines.line(&at),
            path: at.to_string(),
            what: shorten(&fault.what, MESSAGE_CHARACTERS_MAX),
            advice: fault.advice.map(|advice| shorten(&advice, MESSAGE_CHARACTERS_MAX)),
        })
        .collect();
    problems.sort_by_key(|problem| problem.line);
    problems
}
