//! What one window holds of the outcomes of one model: the states that its task calls for.

use super::{Config, Shape, Task};
use crate::accumulator::classes::ClassTally;
use crate::accumulator::errors::{Errors, Residual};
use crate::accumulator::scores::{ScoreTally, ScoreTerms};
use crate::accumulator::{Accumulator, ClassOutcome};

/// A labelled prediction.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// `terms` are there where the outcome has a score.
    Class {
        outcome: ClassOutcome<'a>,
        terms: Option<&'a ScoreTerms>,
    },
    Number(Residual),
}

/// The states behind every quality gauge of one window.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Quality {
    /// `scores` is there where the model's logs map scores, and never for a slice.
    Classifier {
        classes: ClassTally,
        scores: Option<Box<ScoreTally>>,
    },
    Regressor(Errors),
}

/// What was settled in a window: predictions that got their label, and those that will not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Coverage {
    pub joined: u64,
    pub lost: u64,
}

impl Quality {
    /// The empty states for a window of a version (`whole`) or of one of its slices.
    pub fn new(config: &Config, shape: &Shape, whole: bool) -> Self {
        let scores = match &config.task {
            Task::Regression => return Self::Regressor(Errors::default()),
            Task::Binary { .. } => ScoreTally::binary(),
            Task::Multiclass { .. } => ScoreTally::multiclass(config.scored.len(), shape.top_k.clone()),
        };
        let scores = (whole && config.maps_score).then(|| Box::new(scores));
        Self::Classifier { classes: ClassTally::new(shape.classes), scores }
    }

    /// Classes that there is room for; none in regression.
    pub fn classes(&self) -> usize {
        match self {
            Self::Classifier { classes, scores: _ } => classes.classes().len(),
            Self::Regressor(_) => 0,
        }
    }
}

impl Accumulator for Quality {
    type Input<'a> = Outcome<'a>;

    fn update(&mut self, outcome: Outcome<'_>) {
        match (self, outcome) {
            (Self::Classifier { classes, scores }, Outcome::Class { outcome, terms }) => {
                classes.update(outcome);
                if let (Some(scores), Some(terms)) = (scores, terms) {
                    scores.update(terms);
                }
            }
            (Self::Regressor(errors), Outcome::Number(residual)) => errors.update(residual),
            _ => unreachable!("an outcome is of its model's task"),
        }
    }

    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Classifier { classes, scores }, Self::Classifier { classes: more, scores: others }) => {
                classes.merge(more);
                if let (Some(scores), Some(others)) = (scores, others) {
                    scores.merge(others);
                }
            }
            (Self::Regressor(errors), Self::Regressor(more)) => errors.merge(more),
            _ => unreachable!("states of one model are of one task"),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Classifier { classes, scores } => {
                classes.reset();
                if let Some(scores) = scores {
                    scores.reset();
                }
            }
            Self::Regressor(errors) => errors.reset(),
        }
    }

    fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Classifier { classes, scores }, Self::Classifier { classes: more, scores: others }) => {
                let scores_fit = match (scores, others) {
                    (Some(scores), Some(others)) => scores.fits(others),
                    (None, None) => true,
                    _ => false,
                };
                scores_fit && classes.fits(more)
            }
            (Self::Regressor(errors), Self::Regressor(more)) => errors.fits(more),
            _ => false,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Classifier { classes, scores } => {
                classes.heap_bytes()
                    + scores.as_ref().map_or(0, |scores| size_of::<ScoreTally>() + scores.heap_bytes())
            }
            Self::Regressor(errors) => errors.heap_bytes(),
        }
    }
}

impl Accumulator for Coverage {
    type Input<'a> = bool;

    fn update(&mut self, joined: bool) {
        if joined {
            self.joined += 1;
        } else {
            self.lost += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.joined += other.joined;
        self.lost += other.lost;
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn fits(&self, _other: &Self) -> bool {
        true
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}
