//! Reads events out of records by the `fields` of one log.

use super::{Config, Event, Fields, Id, ModelName, TimeField, class, instant, latency};
use crate::record::{FieldId, Record, Value};
use crate::time::Timestamp;
use crate::verdict::{Ignore, Reject};

/// What an event field is called in the configuration: the value of a `field` label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Id,
    Time,
    Version,
    Status,
    Latency,
    Prediction,
    Score,
    Scores,
    Label,
}

/// Values that were mapped and not there, or there and not usable, by field.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ValueTally {
    missing: [u64; Role::ALL.len()],
    invalid: [u64; Role::ALL.len()],
}

/// The mapping of one log.
#[derive(Clone)]
pub struct Mapping {
    config: Config,
    explodes: bool,
    digits: class::Digits,
    tally: ValueTally,
}

// === impl Role ===

impl Role {
    pub const ALL: [Self; 9] = [
        Self::Id,
        Self::Time,
        Self::Version,
        Self::Status,
        Self::Latency,
        Self::Prediction,
        Self::Score,
        Self::Scores,
        Self::Label,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Time => "time",
            Self::Version => "version",
            Self::Status => "status",
            Self::Latency => "latency",
            Self::Prediction => "prediction",
            Self::Score => "score",
            Self::Scores => "scores",
            Self::Label => "label",
        }
    }

    pub fn is_mapped(self, fields: &Fields) -> bool {
        match self {
            Self::Id => fields.id.is_some(),
            Self::Time => fields.time.is_some(),
            Self::Version => fields.version.is_some(),
            Self::Status => fields.status.is_some(),
            Self::Latency => fields.latency.is_some(),
            Self::Prediction => fields.prediction.is_some(),
            Self::Score => fields.score.is_some(),
            Self::Scores => !fields.scores.is_empty(),
            Self::Label => fields.label.is_some(),
        }
    }
}

// === impl ValueTally ===

impl ValueTally {
    pub fn count_missing(&mut self, role: Role) {
        self.missing[role as usize] += 1;
    }

    pub fn count_invalid(&mut self, role: Role) {
        self.invalid[role as usize] += 1;
    }

    /// Adds the counts of another tally.
    pub fn add(&mut self, other: &Self) {
        self.missing.iter_mut().zip(other.missing).for_each(|(count, more)| *count += more);
        self.invalid.iter_mut().zip(other.invalid).for_each(|(count, more)| *count += more);
    }

    pub fn missing(&self, role: Role) -> u64 {
        self.missing[role as usize]
    }

    pub fn invalid(&self, role: Role) -> u64 {
        self.invalid[role as usize]
    }
}

// === impl Mapping ===

impl Mapping {
    /// The mapping of a log; `explodes` says whether its records hold batches.
    pub fn new(config: Config, explodes: bool) -> Self {
        Self { config, explodes, digits: class::Digits::default(), tally: ValueTally::default() }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was counted since this was last taken.
    pub fn take_tally(&mut self) -> ValueTally {
        std::mem::take(&mut self.tally)
    }

    /// Whether a `where` condition sorts the record out.
    pub fn ignores(&mut self, record: &Record) -> Option<Ignore> {
        for (field, wanted) in &self.config.conditions {
            let value = record.shared(*field);
            // Conditions compare as classes do, so that `200` matches 200.0 and `true` matches true.
            let declared = |text: &str| wanted.iter().any(|one| one == text);
            let matches = class::canonical(value, declared, &mut self.digits).is_some_and(declared);
            if !matches {
                return Some(Ignore::Condition);
            }
        }
        None
    }

    /// The model that an event of the record is about.
    ///
    /// # Errors
    /// `MissingModel` where the mapped field names none.
    pub fn model<'a>(&'a self, record: &'a Record, row: usize) -> Result<&'a str, Reject> {
        match &self.config.model {
            ModelName::Constant(name) => Ok(name),
            ModelName::Field(field) => record
                .value(*field, row)
                .as_text()
                .filter(|name| !name.is_empty())
                .ok_or(Reject::MissingModel),
        }
    }

    /// The time of a record's first event, counting nothing; `None` where it has none that can be read.
    pub fn peek_time(&self, record: &Record) -> Option<Timestamp> {
        let mapped = self.config.fields.time.as_ref()?;
        self.parse_time(mapped, record.value(mapped.field, 0).as_text()?)
    }

    fn time(&mut self, record: &Record, row: usize) -> Result<Option<Timestamp>, Reject> {
        let Some(mapped) = &self.config.fields.time else { return Ok(None) };
        let text = match record.value(mapped.field, row) {
            Value::Missing | Value::Null => {
                self.tally.count_missing(Role::Time);
                return Ok(None);
            }
            value => value.as_text().ok_or(Reject::InvalidTime)?,
        };
        self.parse_time(mapped, text).map(Some).ok_or(Reject::InvalidTime)
    }

    fn parse_time(&self, mapped: &TimeField, text: &str) -> Option<Timestamp> {
        match &mapped.format {
            None => instant::parse(text, &self.config.time_zone),
            Some(format) => instant::parse_format(format, text, &self.config.time_zone),
        }
    }

    /// The event in one row of the record, and where its values are counted. `scores` takes the values of
    /// the mapped scores in their order, and is empty where any of them is missing or not finite.
    ///
    /// # Errors
    /// `NothingMapped` where the record has nothing that the log maps beside model, time and version;
    /// `InvalidTime` where the mapped time is there and is none.
    pub fn event<'a>(
        &mut self,
        record: &'a Record,
        row: usize,
        scores: &mut Vec<f64>,
    ) -> Result<(Event<'a>, &mut ValueTally), Reject> {
        let time = self.time(record, row)?;
        let fields = &self.config.fields;
        let tally = &mut self.tally;
        let read = |field: Option<FieldId>| field.map_or(Value::Missing, |field| record.value(field, row));
        let id = id(record, fields.id, self.explodes, row, tally);
        let status = text(read(fields.status), fields.status, Role::Status, tally);
        let seconds = fields.latency.and_then(|mapped| {
            let value = text(record.value(mapped.field, row), Some(mapped.field), Role::Latency, tally)?;
            let seconds = latency::parse(value, mapped.unit);
            if seconds.is_none() {
                tally.count_invalid(Role::Latency);
            }
            seconds
        });
        let score = number(read(fields.score), fields.score, Role::Score, tally);
        read_scores(record, row, &fields.scores, scores, tally);
        let event = Event {
            record,
            row,
            id,
            time,
            version: text(read(fields.version), fields.version, Role::Version, tally).unwrap_or(""),
            status,
            latency: seconds,
            trace_id: read(fields.trace_id).as_text().filter(|text| !text.is_empty()),
            prediction: read(fields.prediction),
            score,
            label: read(fields.label),
        };
        if is_missing(event.prediction) && fields.prediction.is_some() {
            tally.count_missing(Role::Prediction);
        }
        if is_missing(event.label) && fields.label.is_some() {
            tally.count_missing(Role::Label);
        }
        let nothing = id.is_none()
            && status.is_none()
            && seconds.is_none()
            && score.is_none()
            && scores.is_empty()
            && is_missing(event.prediction)
            && is_missing(event.label)
            && fields.slices.iter().all(|(_, field)| is_missing(record.value(*field, row)));
        if nothing { Err(Reject::NothingMapped) } else { Ok((event, tally)) }
    }
}

fn is_missing(value: Value<'_>) -> bool {
    matches!(value, Value::Missing | Value::Null)
}

fn id<'a>(
    record: &'a Record,
    field: Option<FieldId>,
    explodes: bool,
    row: usize,
    tally: &mut ValueTally,
) -> Option<Id<'a>> {
    let field = field?;
    let text = text(record.value(field, row), Some(field), Role::Id, tally)?;
    let element = (explodes && !record.is_element(field, row)).then_some(row as u32);
    Some(Id { text, element })
}

/// The text of a mapped value; `None`, counted, where there is none.
fn text<'a>(value: Value<'a>, field: Option<FieldId>, role: Role, tally: &mut ValueTally) -> Option<&'a str> {
    field?;
    let text = match value {
        Value::Missing | Value::Null => None,
        Value::Nested => {
            tally.count_invalid(role);
            return None;
        }
        value => value.as_text().filter(|text| !text.is_empty()),
    };
    if text.is_none() {
        tally.count_missing(role);
    }
    text
}

/// The finite number of a mapped value; `None`, counted, where there is none.
fn number(value: Value<'_>, field: Option<FieldId>, role: Role, tally: &mut ValueTally) -> Option<f64> {
    field?;
    if is_missing(value) {
        tally.count_missing(role);
        return None;
    }
    let number = value.as_f64().filter(|number| number.is_finite());
    if number.is_none() {
        tally.count_invalid(role);
    }
    number
}

fn read_scores(
    record: &Record,
    row: usize,
    fields: &[(String, FieldId)],
    scores: &mut Vec<f64>,
    tally: &mut ValueTally,
) {
    scores.clear();
    for (_, field) in fields {
        match number(record.value(*field, row), Some(*field), Role::Scores, tally) {
            Some(score) => scores.push(score),
            None => {
                scores.clear();
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
