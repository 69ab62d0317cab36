//! A line becomes a record: the fields that were asked for, and no others.
//!
//! The record copies the few wanted bytes into one reused string and keeps typed slots, so no lifetime
//! climbs through the layers. Nothing here knows what a field means; `event` does.
//!
//! Invariant: `decode` replaces all that a record held. A field that is missing never inherits anything
//! from the record before.

pub mod path;

pub use path::Path;

/// The index of a field in `Config::fields`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FieldId(pub u16);

/// How the lines of one log are decoded.
#[derive(Clone, Debug)]
pub struct Config {
    pub format: Format,
    /// The array whose elements are events of their own (JSON only).
    pub explode: Option<Path>,
    /// The fields that are wanted; `FieldId` counts them.
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub enum Format {
    Json,
    Logfmt,
    /// Without `columns`, the first line of every file is its header.
    Csv {
        delimiter: u8,
        columns: Option<Vec<String>>,
    },
    /// Named groups are the record's fields.
    Regex {
        pattern: regex::bytes::Regex,
    },
}

/// One wanted field: where it is, and how to get at it where it is inside a string.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub path: Path,
    /// What the value at `path` is decoded by, in order; empty for a plain field.
    pub decode: Vec<Step>,
    /// Where in the decoded value the field is.
    pub then: Option<Path>,
}

/// One step of `decode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Base64,
    Json,
    /// One line of comma separated values; `then: '[0]'` is the first.
    Csv,
}

/// What stands in one field of a record.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    Missing,
    Null,
    Bool(bool),
    /// The number as it was written, so that whole numbers beyond 2^53 keep every digit. `NaN`,
    /// `Infinity` and `-Infinity` are numbers.
    Number(&'a str),
    Text(&'a str),
    /// An object or array, where a plain value was wanted.
    Nested,
}
