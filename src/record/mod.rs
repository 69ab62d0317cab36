//! A line becomes a record: the fields that were asked for, and no others.
//!
//! The record copies the few wanted bytes into one reused string and keeps typed slots, so no lifetime
//! climbs through the layers. Nothing here knows what a field means; `event` does.
//!
//! Invariant: `decode` replaces all that a record held. A field that is missing never inherits anything
//! from the record before, and a rejected line leaves an empty record.

pub mod path;

mod csv;
mod inner;
mod json;
mod keys;
mod logfmt;
mod number;
mod regex;
mod scan;
mod slots;
mod tree;
mod wanted;

pub use path::{Path, PathError};
pub use slots::Record;

use crate::verdict::{Ignore, Reject};

/// The index of a field in `Config::fields`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FieldId(pub u16);

/// How the lines of one log are decoded.
#[derive(Clone, Debug)]
pub struct Config {
    pub format: Format,
    /// The array whose elements are events of their own (JSON only). Where it is `outputs`, the paths
    /// `outputs.x` and `outputs[].x` are `x` of the element; other paths are looked for in the element and,
    /// where they are not there, in the record. `[]` is a line that is itself an array.
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
        pattern: ::regex::bytes::Regex,
    },
}

/// One wanted field: where it is, and how to get at it where it is inside a string.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub path: Path,
    /// What the value at `path` is decoded by, in order; empty for a plain field. A value that cannot be
    /// decoded so is `Missing`: the answer of a failed request is often no payload, and still counts.
    pub decode: Vec<Step>,
    /// Where in the decoded value the field is; `None` is the whole of it (of CSV, the first cell).
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

/// What a line that is no reject turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// The record now holds the line's fields.
    Record,
    /// The line was rightly passed over; the record is empty.
    Ignored(Ignore),
}

/// Turns the lines of one file into records.
///
/// One per file, because the header of a CSV file is that file's own. A clone knows the same header.
#[derive(Clone, Debug)]
pub struct Decoder {
    decode: Formats,
    payloads: inner::Payloads,
}

/// The one place that lists the decoders; a new format is a variant here and in `Format`.
#[derive(Clone, Debug)]
enum Formats {
    Json(json::Json),
    Logfmt(logfmt::Logfmt),
    Csv(csv::Csv),
    Regex(regex::Regex),
}

/// What a format is: bytes in, slots filled.
///
/// The line has no byte order mark and is not blank; the record is empty when `decode` begins, and is
/// emptied by the caller where it fails. Implementations keep their scratch and allocate nothing once warm.
trait Decode: Send {
    fn decode(&mut self, line: &[u8], record: &mut Record) -> Result<Decoded, Reject>;

    fn heap_bytes(&self) -> usize;
}

// === impl Config ===

impl Config {
    /// Whether lines decode to the same records. Patterns compare as they were written.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_format = match (&self.format, &other.format) {
            (Format::Json, Format::Json) | (Format::Logfmt, Format::Logfmt) => true,
            (
                Format::Csv { delimiter, columns },
                Format::Csv { delimiter: other_delimiter, columns: other_columns },
            ) => delimiter == other_delimiter && columns == other_columns,
            (Format::Regex { pattern }, Format::Regex { pattern: other_pattern }) => {
                pattern.as_str() == other_pattern.as_str()
            }
            _ => false,
        };
        same_format && self.explode == other.explode && self.fields == other.fields
    }
}

// === impl Value ===

impl<'a> Value<'a> {
    /// The number that is written here, also inside a string (`"0.87"`). `NaN` and the infinities are
    /// numbers in every spelling that logs have (`nan`, `-inf`, `Infinity`); whether one is finite is the
    /// caller's to check.
    #[inline]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(text) => number::parse(text),
            Self::Text(text) => number::parse(text.trim_ascii()),
            _ => None,
        }
    }

    /// The value as it was written; `None` where it is missing, null or nested.
    #[inline]
    pub const fn as_text(&self) -> Option<&'a str> {
        match *self {
            Self::Number(text) | Self::Text(text) => Some(text),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Missing | Self::Null | Self::Nested => None,
        }
    }
}

// === impl Decoder ===

impl Decoder {
    pub fn new(config: &Config) -> Self {
        let wanted = wanted::Wanted::new(config);
        let decode = match &config.format {
            Format::Json => Formats::Json(json::Json::new(&wanted, config.explode.as_ref())),
            Format::Logfmt => Formats::Logfmt(logfmt::Logfmt::new(&wanted)),
            Format::Csv { delimiter, columns } => {
                Formats::Csv(csv::Csv::new(&wanted, *delimiter, columns.as_deref()))
            }
            Format::Regex { pattern } => Formats::Regex(regex::Regex::new(&wanted, pattern)),
        };
        Self { decode, payloads: inner::Payloads::new(&wanted) }
    }

    /// Whether the next line will be taken as the file's header.
    pub fn wants_header(&self) -> bool {
        matches!(&self.decode, Formats::Csv(csv) if csv.wants_header())
    }

    /// The header that the file was found to have, as it was written.
    pub fn header(&self) -> Option<&[u8]> {
        match &self.decode {
            Formats::Csv(csv) => csv.header(),
            Formats::Json(_) | Formats::Logfmt(_) | Formats::Regex(_) => None,
        }
    }

    /// Tells the header of a file that is resumed in the middle. Formats without one ignore it, and so is a
    /// line that cannot be a header.
    pub fn set_header(&mut self, line: &[u8]) {
        if let Formats::Csv(csv) = &mut self.decode {
            csv.set_header(trim(line));
        }
    }

    /// Replaces what `record` holds by the fields of one line, given without its line feed; a carriage
    /// return at its end and a byte order mark at its start are not part of it.
    ///
    /// `record` must have been made from the same configuration. Where the line is rejected or ignored it is
    /// left empty, with no rows.
    pub fn decode(&mut self, line: &[u8], record: &mut Record) -> Result<Decoded, Reject> {
        record.clear();
        let line = trim(line);
        let verdict = if self.is_blank(line) {
            Ok(Decoded::Ignored(Ignore::Empty))
        } else {
            self.decode.get_mut().decode(line, record)
        };
        let verdict = verdict.and_then(|decoded| {
            if decoded == Decoded::Record {
                self.payloads.apply(record)?;
                record.finish();
            }
            Ok(decoded)
        });
        if verdict != Ok(Decoded::Record) {
            record.clear();
        }
        verdict
    }

    /// Memory held on the heap, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.decode.get().heap_bytes() + self.payloads.heap_bytes()
    }

    /// Nothing but white space; where the delimiter is white space, one makes cells.
    fn is_blank(&self, line: &[u8]) -> bool {
        let delimiter = match &self.decode {
            Formats::Csv(csv) => Some(csv.delimiter()),
            _ => None,
        };
        line.iter().all(|byte| byte.is_ascii_whitespace() && Some(*byte) != delimiter)
    }
}

// === impl Formats ===

impl Formats {
    fn get(&self) -> &dyn Decode {
        match self {
            Self::Json(json) => json,
            Self::Logfmt(logfmt) => logfmt,
            Self::Csv(csv) => csv,
            Self::Regex(regex) => regex,
        }
    }

    fn get_mut(&mut self) -> &mut dyn Decode {
        match self {
            Self::Json(json) => json,
            Self::Logfmt(logfmt) => logfmt,
            Self::Csv(csv) => csv,
            Self::Regex(regex) => regex,
        }
    }
}

/// A line without a byte order mark at its start and one carriage return at its end.
fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests;
