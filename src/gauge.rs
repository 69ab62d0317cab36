//! What the windows come to: every quality value of every version, window and slice, worked out once for
//! whoever shows it (`family`, `status`, `report`).
//!
//! Invariant: a value that is undefined is NaN here and absent wherever it is shown.

use crate::accumulator::classes::ClassTally;
use crate::accumulator::errors::Errors;
use crate::accumulator::scores::ScoreTally;
use crate::monitor::quality::{Coverage, Quality};
use crate::monitor::version::{Slice, Version};
use crate::monitor::{Monitor, Task};
use crate::score::wilson::Interval;
use crate::score::{Average, Estimate, classification, probability, ranking, regression};
use crate::time::Span;
use crate::window::Windows;

/// The values that a window has one of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar {
    Accuracy,
    AccuracyLower,
    AccuracyUpper,
    BalancedAccuracy,
    Mcc,
    CohenKappa,
    LogLoss,
    BrierScore,
    CalibrationError,
    Mse,
    Rmse,
    Mae,
    Mape,
    Bias,
    R2,
    Coverage,
}

/// The averages over classes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Averaged {
    Precision,
    Recall,
    F1,
    Specificity,
}

/// What one class has in one window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ClassValues {
    pub class: u16,
    pub precision: [f64; 3],
    pub recall: [f64; 3],
    pub f1: f64,
    pub specificity: f64,
}

/// How well the scores of one class rank.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RankingValues {
    /// `None` in binary: the positive class.
    pub class: Option<u16>,
    pub roc_auc: [f64; 2],
    pub pr_auc: [f64; 2],
}

/// Everything that one window of a version, or of one of its slices, comes to.
#[derive(Clone, PartialEq, Debug)]
pub struct WindowValues {
    /// `None` is `all`, everything since the start.
    pub span: Option<Span>,
    /// Slice of the configuration and id of its value; `None` is everything.
    pub slice: Option<(usize, u16)>,
    pub samples: u64,
    scalars: [f64; SCALARS],
    averages: [[f64; 3]; AVERAGES],
    pub classes: Vec<ClassValues>,
    pub rankings: Vec<RankingValues>,
    pub top_k: Vec<(u32, f64)>,
}

const SCALARS: usize = Scalar::Coverage as usize + 1;
const AVERAGES: usize = Averaged::Specificity as usize + 1;

// === impl WindowValues ===

impl WindowValues {
    pub fn scalar(&self, scalar: Scalar) -> f64 {
        self.scalars[scalar as usize]
    }

    pub fn average(&self, averaged: Averaged, average: Average) -> f64 {
        self.averages[averaged as usize][average as usize]
    }

    /// The value of the `window` label: `5m`, `all`.
    pub fn window_name(&self) -> String {
        self.span.map_or_else(|| "all".to_owned(), |span| span.to_string())
    }

    /// The value of the `slice` label: `all`, `country=DE`.
    pub fn slice_name(&self, monitor: &Monitor) -> String {
        match self.slice {
            None => "all".to_owned(),
            Some((by, id)) => {
                format!("{}={}", monitor.config().slices[by], monitor.slices()[by].name(id))
            }
        }
    }

    fn new(span: Option<Span>, slice: Option<(usize, u16)>) -> Self {
        Self {
            span,
            slice,
            samples: 0,
            scalars: [f64::NAN; SCALARS],
            averages: [[f64::NAN; 3]; AVERAGES],
            classes: Vec::new(),
            rankings: Vec::new(),
            top_k: Vec::new(),
        }
    }

    fn set(&mut self, scalar: Scalar, value: Option<f64>) {
        self.scalars[scalar as usize] = value.unwrap_or(f64::NAN);
    }

    fn set_quality(&mut self, quality: &Quality, task: &Task, scored: &[u16]) {
        match quality {
            Quality::Regressor(errors) => self.set_errors(errors),
            Quality::Classifier { classes, scores } => {
                self.set_classes(classes);
                if let Some(scores) = scores {
                    self.set_scores(scores, task, scored);
                }
            }
        }
    }

    fn set_errors(&mut self, errors: &Errors) {
        self.samples = errors.count();
        self.set(Scalar::Mae, regression::mean_absolute_error(errors));
        self.set(Scalar::Bias, regression::bias(errors));
        self.set(Scalar::Rmse, regression::root_mean_squared_error(errors));
        if self.slice.is_some() {
            return;
        }
        self.set(Scalar::Mse, regression::mean_squared_error(errors));
        self.set(Scalar::Mape, regression::mean_absolute_percentage_error(errors));
        self.set(Scalar::R2, regression::r2(errors));
    }

    fn set_classes(&mut self, tally: &ClassTally) {
        self.samples = tally.total();
        let [accuracy, lower, upper] =
            with_bounds(classification::accuracy(tally), classification::accuracy_interval(tally));
        self.scalars[Scalar::Accuracy as usize] = accuracy;
        self.scalars[Scalar::AccuracyLower as usize] = lower;
        self.scalars[Scalar::AccuracyUpper as usize] = upper;
        self.classes.reserve_exact(tally.classes().len());
        for class in 0..tally.classes().len() as u16 {
            let values = ClassValues::new(tally, class);
            if values.is_defined() {
                self.classes.push(values);
            }
        }
        if self.slice.is_some() {
            return;
        }
        self.set(Scalar::BalancedAccuracy, classification::balanced_accuracy(tally));
        self.set(Scalar::Mcc, classification::matthews_correlation(tally));
        self.set(Scalar::CohenKappa, classification::cohen_kappa(tally));
        for average in Average::ALL {
            let averages = [
                (Averaged::Precision, classification::precision_average(tally, average)),
                (Averaged::Recall, classification::recall_average(tally, average)),
                (Averaged::F1, classification::f1_average(tally, average)),
                (Averaged::Specificity, classification::specificity_average(tally, average)),
            ];
            for (averaged, value) in averages {
                self.averages[averaged as usize][average as usize] = value.unwrap_or(f64::NAN);
            }
        }
    }

    fn set_scores(&mut self, tally: &ScoreTally, task: &Task, scored: &[u16]) {
        self.set(Scalar::LogLoss, probability::log_loss(tally));
        self.set(Scalar::BrierScore, probability::brier_score(tally));
        self.set(Scalar::CalibrationError, probability::calibration_error(tally));
        self.rankings.reserve_exact(tally.ranking().len());
        for (place, bins) in tally.ranking().iter().enumerate() {
            let values = RankingValues {
                class: match task {
                    Task::Binary { .. } => None,
                    Task::Multiclass { .. } | Task::Regression => scored.get(place).copied(),
                },
                roc_auc: with_error_bound(ranking::roc_auc(bins)),
                pr_auc: with_error_bound(ranking::average_precision(bins)),
            };
            self.rankings.push(values);
        }
        let accuracies =
            tally.top_k().map(|(k, _)| (k, ranking::top_k_accuracy(tally, k).unwrap_or(f64::NAN)));
        self.top_k.extend(accuracies);
    }
}

impl ClassValues {
    fn new(tally: &ClassTally, class: u16) -> Self {
        let value = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Self {
            class,
            precision: with_bounds(
                classification::precision(tally, class),
                classification::precision_interval(tally, class),
            ),
            recall: with_bounds(
                classification::recall(tally, class),
                classification::recall_interval(tally, class),
            ),
            f1: value(classification::f1(tally, class)),
            specificity: value(classification::specificity(tally, class)),
        }
    }

    fn is_defined(&self) -> bool {
        [self.precision[0], self.recall[0], self.f1, self.specificity].iter().any(|value| !value.is_nan())
    }
}

fn with_bounds(value: Option<f64>, interval: Option<Interval>) -> [f64; 3] {
    match (value, interval) {
        (Some(value), Some(Interval { lower, upper })) => [value, lower, upper],
        _ => [f64::NAN; 3],
    }
}

fn with_error_bound(estimate: Option<Estimate>) -> [f64; 2] {
    estimate.map_or([f64::NAN; 2], |Estimate { value, error_bound }| [value, error_bound])
}

/// All windows of one version, and of its slices, as of the last `advance`.
pub fn of_version(monitor: &Monitor, version: &Version) -> Vec<WindowValues> {
    let mut values = Vec::new();
    let mut scratch = monitor.empty_quality(true);
    push_windows(&mut values, monitor, &version.quality, None, &mut scratch);
    let mut coverage = Coverage::default();
    let mut place = 0;
    version.coverage.visit(&mut coverage, |_, settled| {
        let all = settled.joined + settled.lost;
        let ratio = (all > 0).then(|| settled.joined as f64 / all as f64);
        values[place].set(Scalar::Coverage, ratio);
        place += 1;
    });
    let mut scratch = monitor.empty_quality(false);
    for (by, id, slice) in slices(version) {
        push_windows(&mut values, monitor, &slice.windows, Some((by, id)), &mut scratch);
    }
    values
}

/// The slices of a version that have had an outcome: slice of the configuration, id of the value, state.
pub fn slices(version: &Version) -> impl Iterator<Item = (usize, u16, &Slice)> {
    version.slices.iter().enumerate().flat_map(|(by, values)| {
        values.iter().enumerate().filter_map(move |(id, slice)| Some((by, id as u16, slice.as_deref()?)))
    })
}

fn push_windows(
    values: &mut Vec<WindowValues>,
    monitor: &Monitor,
    windows: &Windows<Quality>,
    slice: Option<(usize, u16)>,
    scratch: &mut Quality,
) {
    windows.visit(scratch, |span, quality| {
        let mut window = WindowValues::new(span, slice);
        window.set_quality(quality, &monitor.config().task, monitor.scored());
        values.push(window);
    });
}
