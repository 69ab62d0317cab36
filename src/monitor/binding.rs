//! How one log feeds one model: which of its slices and scores the model keeps.

use super::{Config, Task};
use crate::event;
use crate::record::FieldId;

/// What the events of one log are to one model.
#[derive(Clone, PartialEq, Debug)]
pub struct Binding {
    pub role: Role,
    pub maps_id: bool,
    /// The field of each slice of the model's configuration.
    pub slices: Vec<Option<FieldId>>,
    /// For each score in the model's order, its place in the log's; `None` where the log does not map
    /// every scored class.
    pub scores: Option<Vec<usize>>,
}

/// What a log tells of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Requests, and the prediction of each that did not fail; labels too, if the log maps them.
    Predictions,
    /// Labels alone.
    Labels,
    /// The other half of requests whose predictions another log has.
    Halves,
    /// Requests of a model whose predictions are not logged with an id.
    Requests,
}

impl Binding {
    /// `others` are the fields of all logs that may feed the model, to tell halves from requests.
    pub fn new<'a>(
        log: &event::Fields,
        config: &Config,
        others: impl IntoIterator<Item = &'a event::Fields>,
    ) -> Self {
        let slices = config
            .slices
            .iter()
            .map(|name| log.slices.iter().find(|(mapped, _)| mapped == name).map(|(_, field)| *field));
        let scores = config.scored.iter().map(|class| log.scores.iter().position(|(name, _)| name == class));
        Self {
            role: Role::new(log, others),
            maps_id: log.id.is_some(),
            slices: slices.collect(),
            scores: match config.task {
                Task::Multiclass { .. } => scores.collect(),
                Task::Binary { .. } | Task::Regression => None,
            },
        }
    }
}

impl Role {
    fn new<'a>(log: &event::Fields, others: impl IntoIterator<Item = &'a event::Fields>) -> Self {
        if log.predicts() {
            return Self::Predictions;
        }
        if log.label.is_some() {
            return Self::Labels;
        }
        let joined = others.into_iter().any(|other| other.predicts() && other.id.is_some());
        if joined && log.id.is_some() { Self::Halves } else { Self::Requests }
    }
}
