//! A record becomes an event: what its fields mean.
//!
//! An event borrows from the record it was made of. It carries values as they were written: whether
//! `1.0` is the class `1` or a number is the model's to say (`monitor`).

pub mod class;
pub mod instant;
pub mod latency;
pub mod mapping;

use crate::record::{FieldId, Record, Value};
use crate::time::Timestamp;

/// What the fields of one log mean. Every `FieldId` indexes `record::Config::fields` of the same log.
#[derive(Clone, Debug)]
pub struct Config {
    pub model: ModelName,
    /// For times without a zone of their own.
    pub time_zone: jiff::tz::TimeZone,
    /// `where`: each field must equal one of its values; otherwise the line is ignored.
    pub conditions: Vec<(FieldId, Vec<String>)>,
    pub fields: Fields,
}

#[derive(Clone, PartialEq, Debug)]
pub enum ModelName {
    Constant(String),
    Field(FieldId),
}

/// Event field → record field; `None` and empty where the log does not map it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Fields {
    pub id: Option<FieldId>,
    pub time: Option<TimeField>,
    pub version: Option<FieldId>,
    pub status: Option<FieldId>,
    pub latency: Option<LatencyField>,
    pub trace_id: Option<FieldId>,
    pub prediction: Option<FieldId>,
    pub score: Option<FieldId>,
    /// Class as it was written and the field of its score, in the order of the model's `classes` where
    /// they are declared, else as written.
    pub scores: Vec<(String, FieldId)>,
    pub label: Option<FieldId>,
    /// Slice name and field, in the order they were written.
    pub slices: Vec<(String, FieldId)>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct TimeField {
    pub field: FieldId,
    /// strptime format; `None` reads RFC 3339 and its relatives, or an epoch by magnitude.
    pub format: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LatencyField {
    pub field: FieldId,
    pub unit: Unit,
}

/// The unit of a bare number; a value with a unit of its own (`512.4µs`) keeps that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Fields {
    /// Whether the log has predictions.
    pub fn predicts(&self) -> bool {
        self.prediction.is_some() || self.score.is_some() || !self.scores.is_empty()
    }
}

/// The id of a request as it was logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id<'a> {
    pub text: &'a str,
    /// The element's index where `explode` made several events of one record.
    pub element: Option<u32>,
}

/// One inference, one label, or half of either. What the log does not map is `Missing` or `None`.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    record: &'a Record,
    row: usize,
    pub id: Option<Id<'a>>,
    /// The event's own time; `None` where the record has none.
    pub time: Option<Timestamp>,
    /// Empty where there is none.
    pub version: &'a str,
    pub status: Option<&'a str>,
    /// Seconds, finite and not negative.
    pub latency: Option<f64>,
    pub trace_id: Option<&'a str>,
    pub prediction: Value<'a>,
    pub score: Option<f64>,
    pub label: Value<'a>,
}

impl<'a> Event<'a> {
    /// The value of any field of the record: slices are read when it is known that they are kept.
    pub fn value(&self, field: FieldId) -> Value<'a> {
        self.record.value(field, self.row)
    }
}
