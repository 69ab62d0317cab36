//! Every key there is.
//!
//! One table per mapping of the file; the reader accepts what stands here and nothing else, and the
//! reference file is held against it. What the values mean is the readers' (`logs`, `fields`, `models`).
//!
//! Invariant: a reader can ask a table only for keys that are listed in it (`table` asserts that).

use std::collections::BTreeSet;

/// The keys of one mapping.
pub(super) type Keys = &'static [Key];

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) inside: Inside,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Built,
    /// Known by name, and refused because running without it would mislead. What to do instead.
    Refused(&'static str),
    /// Accepted and not used: nothing else comes out wrong without it.
    Unused,
}

/// What the value of a key holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inside {
    /// A plain value or a list of them.
    Value,
    Table(Keys),
    /// A list of tables.
    List(Keys),
    /// A mapping whose keys are the user's.
    Named(&'static Inside),
    /// The path of a field, or a table that begins with `path`.
    Field(Keys),
}

pub(super) const ROOT: Keys = &[
    value("listen"),
    value("state_dir"),
    value("checkpoint_interval"),
    holds("logs", Inside::List(LOG)),
    holds("models", Inside::Named(&Inside::Table(MODEL))),
    holds("limits", Inside::Table(ROOT_LIMITS)),
];

pub(super) const ROOT_LIMITS: Keys = &[value("line")];

pub(super) const LOG: Keys = &[
    value("name"),
    value("paths"),
    value("exclude"),
    value("format"),
    value("pattern"),
    value("delimiter"),
    value("columns"),
    value("container"),
    value("start_at"),
    value("rotate_wait"),
    value("time_zone"),
    holds("where", Inside::Named(&Inside::Value)),
    value("model"),
    value("explode"),
    holds("fields", Inside::Table(FIELDS)),
    refused("preset", "write `format` and `fields` instead"),
];

pub(super) const FIELDS: Keys = &[
    holds("id", Inside::Field(FIELD)),
    holds("time", Inside::Field(TIME_FIELD)),
    holds("model", Inside::Field(FIELD)),
    holds("version", Inside::Field(FIELD)),
    holds("prediction", Inside::Field(FIELD)),
    holds("score", Inside::Field(FIELD)),
    holds("scores", Inside::Named(&Inside::Field(FIELD))),
    holds("label", Inside::Field(FIELD)),
    holds("latency", Inside::Field(LATENCY_FIELD)),
    holds("status", Inside::Field(FIELD)),
    holds("trace_id", Inside::Field(FIELD)),
    holds("slices", Inside::Named(&Inside::Field(FIELD))),
    unused("features", Inside::Named(&Inside::Field(FIELD))),
    unused("client", Inside::Field(FIELD)),
    unused("feedback", Inside::Field(FIELD)),
    unused("tokens_input", Inside::Field(FIELD)),
    unused("tokens_output", Inside::Field(FIELD)),
    unused("time_to_first_token", Inside::Field(LATENCY_FIELD)),
    unused("finish_reason", Inside::Field(FIELD)),
    unused("prompt", Inside::Field(FIELD)),
    unused("completion", Inside::Field(FIELD)),
    unused("relevance", Inside::Field(FIELD)),
];

pub(super) const FIELD: Keys = &[value("path"), value("decode"), value("then")];
pub(super) const TIME_FIELD: Keys = &[value("path"), value("decode"), value("then"), value("format")];
pub(super) const LATENCY_FIELD: Keys = &[value("path"), value("decode"), value("then"), value("unit")];

pub(super) const MODEL: Keys = &[
    value("task"),
    value("positive"),
    value("negative"),
    value("threshold"),
    value("classes"),
    value("top_k"),
    value("failed"),
    value("windows"),
    value("slices"),
    holds("join", Inside::Table(JOIN)),
    holds("targets", Inside::Named(&Inside::Value)),
    holds("buckets", Inside::Table(BUCKETS)),
    value("expire_after"),
    holds("limits", Inside::Table(MODEL_LIMITS)),
    refused("drift", "remove it; the other metrics of this model do not need it"),
];

pub(super) const JOIN: Keys =
    &[value("wait"), value("max_pending"), value("labels"), value("shared_wait"), value("sample")];

pub(super) const BUCKETS: Keys = &[value("latency"), value("error"), value("score"), value("delay")];

pub(super) const MODEL_LIMITS: Keys =
    &[value("series"), value("values"), value("value_length"), value("versions")];

/// Every key that works in this version, as in `logs[].fields.time` or `models.*.join.wait`; `*` stands for
/// a name of the user's, or for any field of a log. Sorted.
pub fn known_keys() -> Vec<String> {
    let mut found = BTreeSet::new();
    collect(&mut found, "", ROOT);
    found.into_iter().collect()
}

fn collect(found: &mut BTreeSet<String>, above: &str, keys: Keys) {
    for key in keys.iter().filter(|key| key.state == State::Built) {
        let path = format!("{above}{}", key.name);
        match key.inside {
            // The keys inside of a field are the same for all: listed once for each table of fields.
            Inside::Field(inside) => collect(found, &format!("{above}*."), inside),
            other => collect_inside(found, &path, &other),
        }
        found.insert(path);
    }
}

fn collect_inside(found: &mut BTreeSet<String>, path: &str, inside: &Inside) {
    match *inside {
        Inside::Value => {}
        Inside::Table(keys) => collect(found, &format!("{path}."), keys),
        Inside::List(keys) => collect(found, &format!("{path}[]."), keys),
        Inside::Named(Inside::Table(keys)) => collect(found, &format!("{path}.*."), keys),
        Inside::Named(_) | Inside::Field(_) => {
            found.insert(format!("{path}.*"));
        }
    }
}

const fn value(name: &'static str) -> Key {
    holds(name, Inside::Value)
}

const fn holds(name: &'static str, inside: Inside) -> Key {
    Key { name, state: State::Built, inside }
}

const fn refused(name: &'static str, instead: &'static str) -> Key {
    Key { name, state: State::Refused(instead), inside: Inside::Value }
}

const fn unused(name: &'static str, inside: Inside) -> Key {
    Key { name, state: State::Unused, inside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_names_what_works_and_nothing_else() {
        let keys = known_keys();
        for key in [
            "listen",
            "logs[].fields.time",
            "logs[].fields.*.format",
            "logs[].fields.slices.*",
            "models.*.join.wait",
            "models.*.targets.*",
            "limits.line",
        ] {
            assert!(keys.iter().any(|known| known == key), "{key} is not in {keys:#?}");
        }
        for key in ["logs[].preset", "logs[].fields.features", "models.*.drift"] {
            assert!(!keys.iter().any(|known| known == key), "{key} does not work yet");
        }
    }
}
