//! One window of a version or of one of its slices: its values by name, and why those that lack do.

use crate::gauge::{Averaged, Scalar, WindowValues};
use crate::monitor::{Monitor, Task};
use crate::score::Average;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize, Debug)]
pub struct WindowStatus {
    pub window: String,
    pub slice: String,
    pub samples: u64,
    /// Values by name, as in the metrics without `inference_` and unit; those that are undefined are not here.
    pub values: BTreeMap<&'static str, f64>,
    /// Names of values of this task that are undefined, and why.
    pub absent: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, BTreeMap<&'static str, f64>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub averages: BTreeMap<&'static str, BTreeMap<&'static str, f64>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub top_k_accuracy: BTreeMap<u32, f64>,
}

/// A value that a window has one of: its name and why it can be absent.
struct Named {
    scalar: Scalar,
    name: &'static str,
    absent: &'static str,
    /// Slices have it too.
    in_slices: bool,
}

const NO_SAMPLE: &str = "no labelled prediction in the window";
const NO_SCORES: &str = "no labelled prediction with the scores it takes, or a score outside 0..1";

const COVERAGE: Named = named(Scalar::Coverage, "label_coverage", "nothing was settled in the window", false);

const CLASSIFIER: &[Named] = &[
    named(Scalar::Accuracy, "accuracy", NO_SAMPLE, true),
    named(Scalar::AccuracyLower, "accuracy_lower", NO_SAMPLE, true),
    named(Scalar::AccuracyUpper, "accuracy_upper", NO_SAMPLE, true),
    named(Scalar::BalancedAccuracy, "balanced_accuracy", NO_SAMPLE, false),
    named(Scalar::Mcc, "mcc", "all labels or all predictions are of one class", false),
    named(Scalar::CohenKappa, "cohen_kappa", "all labels and predictions are of one class", false),
];

const SCORED: &[Named] = &[
    named(Scalar::LogLoss, "log_loss", NO_SCORES, false),
    named(Scalar::BrierScore, "brier_score", NO_SCORES, false),
    named(Scalar::CalibrationError, "calibration_error", NO_SCORES, false),
];

const REGRESSION: &[Named] = &[
    named(Scalar::Mae, "mae", NO_SAMPLE, true),
    named(Scalar::Rmse, "rmse", NO_SAMPLE, true),
    named(Scalar::Bias, "bias", NO_SAMPLE, true),
    named(Scalar::Mse, "mse", NO_SAMPLE, false),
    named(Scalar::Mape, "mape", "no label in the window that is not 0", false),
    named(Scalar::R2, "r2", "fewer than two different labels in the window", false),
];

/// Name among the averages, and name among the absent values where no average is defined.
const AVERAGED: [(Averaged, &str, &str); 4] = [
    (Averaged::Precision, "precision", "precision_average"),
    (Averaged::Recall, "recall", "recall_average"),
    (Averaged::F1, "f1", "f1_average"),
    (Averaged::Specificity, "specificity", "specificity_average"),
];

const NO_CLASS: &str = "no class of the window has it: its denominator is 0 in each";
const ONE_CLASS: &str = "it takes scores, and labels of the positive class and of the other";

const fn named(scalar: Scalar, name: &'static str, absent: &'static str, in_slices: bool) -> Named {
    Named { scalar, name, absent, in_slices }
}

// === impl WindowStatus ===

impl WindowStatus {
    pub(super) fn new(monitor: &Monitor, values: &WindowValues) -> Self {
        let mut new = Self {
            window: values.window_name(),
            slice: values.slice_name(monitor),
            samples: values.samples,
            values: BTreeMap::new(),
            absent: BTreeMap::new(),
            classes: BTreeMap::new(),
            averages: BTreeMap::new(),
            top_k_accuracy: BTreeMap::new(),
        };
        let config = monitor.config();
        if config.expects_labels {
            new.put(values, &COVERAGE);
        }
        match config.task {
            Task::Regression => REGRESSION.iter().for_each(|one| new.put(values, one)),
            Task::Binary { .. } | Task::Multiclass { .. } => {
                CLASSIFIER.iter().for_each(|one| new.put(values, one));
                if config.maps_score {
                    SCORED.iter().for_each(|one| new.put(values, one));
                }
                new.put_classes(monitor, values);
            }
        }
        new
    }

    fn put(&mut self, values: &WindowValues, one: &Named) {
        let value = values.scalar(one.scalar);
        if !value.is_nan() {
            self.values.insert(one.name, value);
        } else if values.slice.is_none() || one.in_slices {
            let unlabelled = values.samples == 0 && one.scalar != Scalar::Coverage;
            self.absent.insert(one.name, if unlabelled { NO_SAMPLE } else { one.absent });
        }
    }

    fn put_classes(&mut self, monitor: &Monitor, values: &WindowValues) {
        let class_name = |id| monitor.classes().vocabulary().name(id).to_owned();
        for class in &values.classes {
            let named = [
                ("precision", class.precision[0]),
                ("precision_lower", class.precision[1]),
                ("precision_upper", class.precision[2]),
                ("recall", class.recall[0]),
                ("recall_lower", class.recall[1]),
                ("recall_upper", class.recall[2]),
                ("f1", class.f1),
                ("specificity", class.specificity),
            ];
            self.classes.insert(class_name(class.class), defined(named));
        }
        for ranking in &values.rankings {
            let named = [
                ("roc_auc", ranking.roc_auc[0]),
                ("roc_auc_error_bound", ranking.roc_auc[1]),
                ("pr_auc", ranking.pr_auc[0]),
                ("pr_auc_error_bound", ranking.pr_auc[1]),
            ];
            match ranking.class {
                None => {
                    let absent = [named[0], named[2]].into_iter().filter(|(_, value)| value.is_nan());
                    let reason = if values.samples == 0 { NO_SAMPLE } else { ONE_CLASS };
                    self.absent.extend(absent.map(|(name, _)| (name, reason)));
                    self.values.extend(defined(named));
                }
                Some(class) => self.classes.entry(class_name(class)).or_default().extend(defined(named)),
            }
        }
        for (averaged, _, absent) in AVERAGED {
            if values.slice.is_none() && values.average(averaged, Average::Macro).is_nan() {
                self.absent.insert(absent, if values.samples == 0 { NO_SAMPLE } else { NO_CLASS });
            }
        }
        for average in Average::ALL {
            let averages = AVERAGED.map(|(averaged, name, _)| (name, values.average(averaged, average)));
            let averages = defined(averages);
            if !averages.is_empty() {
                self.averages.insert(average.name(), averages);
            }
        }
        self.top_k_accuracy = values.top_k.iter().copied().filter(|(_, value)| !value.is_nan()).collect();
    }
}

fn defined<const N: usize>(values: [(&'static str, f64); N]) -> BTreeMap<&'static str, f64> {
    values.into_iter().filter(|(_, value)| !value.is_nan()).collect()
}
