//! Every formula against what scikit-learn, scipy and numpy say of the same inputs.
//!
//! Compiled for tests only. The cases and their values are written by tests/oracle/formulas/generate.py.

use std::sync::Arc;

use serde_json::Value;

use super::wilson::Interval;
use super::{Average, Estimate, classification, probability, ranking, regression};
use crate::accumulator::classes::ClassTally;
use crate::accumulator::errors::{Errors, Residual};
use crate::accumulator::scores::{ScoreTally, ScoreTerms};
use crate::accumulator::{Accumulator, ClassOutcome};

/// What the contract promises.
const TOLERANCE: f64 = 1e-9;

/// One case: its inputs, its expected values, and a name to find it by.
struct Case<'a>(&'a Value);

#[test]
fn classification_is_scikit_learns() {
    each("classification", |case| {
        let tally = class_tally(case);
        case.expect("accuracy", classification::accuracy(&tally));
        case.expect_interval(&case.0["accuracy_interval"], classification::accuracy_interval(&tally));
        case.expect("balanced_accuracy", classification::balanced_accuracy(&tally));
        case.expect("matthews", classification::matthews_correlation(&tally));
        case.expect("kappa", classification::cohen_kappa(&tally));
        for (index, label) in case.numbers("labels").into_iter().enumerate() {
            let class = label as u16;
            for (name, score) in [
                ("precision", classification::precision as fn(&ClassTally, u16) -> Option<f64>),
                ("recall", classification::recall),
                ("f1", classification::f1),
                ("specificity", classification::specificity),
            ] {
                case.expect_value(name, &case.0["by_class"][name][index], score(&tally, class));
            }
            let precision = classification::precision_interval(&tally, class);
            case.expect_interval(&case.0["precision_interval"][index], precision);
            case.expect_interval(
                &case.0["recall_interval"][index],
                classification::recall_interval(&tally, class),
            );
        }
    });
}

#[test]
fn averages_are_scikit_learns() {
    each("classification", |case| {
        let tally = class_tally(case);
        for average in Average::ALL {
            for (name, score) in [
                ("precision", classification::precision_average as fn(&ClassTally, Average) -> Option<f64>),
                ("recall", classification::recall_average),
                ("f1", classification::f1_average),
                ("specificity", classification::specificity_average),
            ] {
                case.expect_value(name, &case.0["average"][name][average.name()], score(&tally, average));
            }
        }
    });
}

#[test]
fn binary_scores_are_scikit_learns() {
    each("binary", |case| {
        let (mut tally, mut terms) = (ScoreTally::binary(), ScoreTerms::default());
        for (score, positive) in case.numbers("scores").into_iter().zip(case.numbers("positive")) {
            terms.set_binary(score, positive == 1.0);
            tally.update(&terms);
        }
        expect_probabilities(case, &tally);
        expect_ranking(case, &case.0["ranking"], &tally, 0);
    });
}

#[test]
fn multiclass_scores_are_scikit_learns() {
    each("multiclass", |case| {
        let top_k: Vec<u32> = list(&case.0["top_k"]).iter().map(|pair| number(&pair[0]) as u32).collect();
        let rows: Vec<Vec<f64>> = list(&case.0["scores"]).iter().map(numbers).collect();
        let mut tally = ScoreTally::multiclass(rows[0].len(), Arc::from(top_k));
        let mut terms = ScoreTerms::default();
        for (scores, actual) in rows.iter().zip(case.numbers("actual")) {
            let actual = actual as u16;
            let outcome = ClassOutcome { scores, actual_score: Some(actual), ..class_outcome(0, actual) };
            terms.set_multiclass(&outcome);
            tally.update(&terms);
        }
        expect_probabilities(case, &tally);
        for pair in list(&case.0["top_k"]) {
            case.expect_value("top_k", &pair[1], ranking::top_k_accuracy(&tally, number(&pair[0]) as u32));
        }
        for (class, expected) in list(&case.0["ranking"]).iter().enumerate() {
            expect_ranking(case, expected, &tally, class);
        }
    });
}

#[test]
fn regression_is_scikit_learns() {
    each("regression", |case| {
        let mut errors = Errors::default();
        let offset = number(&case.0["offset"]);
        for (prediction, label) in case.numbers("prediction").into_iter().zip(case.numbers("label")) {
            errors.update(Residual { prediction: prediction + offset, label: label + offset });
        }
        case.expect("mse", regression::mean_squared_error(&errors));
        case.expect("rmse", regression::root_mean_squared_error(&errors));
        case.expect("mae", regression::mean_absolute_error(&errors));
        case.expect("mape", regression::mean_absolute_percentage_error(&errors));
        case.expect("bias", regression::bias(&errors));
        case.expect("r2", regression::r2(&errors));
    });
}

// === impl Case ===

impl Case<'_> {
    fn numbers(&self, key: &str) -> Vec<f64> {
        numbers(&self.0[key])
    }

    fn expect(&self, key: &str, ours: Option<f64>) {
        self.expect_value(key, &self.0[key], ours);
    }

    /// Absolute below 1 and relative above: numbers with a unit have any size.
    fn expect_value(&self, what: &str, expected: &Value, ours: Option<f64>) {
        assert!(expected.is_null() || expected.is_number(), "{}: {what} is no expected value", self.name());
        let close = |expected: f64, ours: f64| (expected - ours).abs() <= TOLERANCE * expected.abs().max(1.0);
        let same = match (expected.as_f64(), ours) {
            (Some(expected), Some(ours)) => close(expected, ours),
            (None, None) => true,
            _ => false,
        };
        assert!(same, "{}: {what} is {ours:?}, expected {expected}", self.name());
    }

    fn expect_interval(&self, expected: &Value, ours: Option<Interval>) {
        assert_eq!(expected.is_null(), ours.is_none(), "{}", self.name());
        if let Some(ours) = ours {
            self.expect_value("lower", &expected[0], Some(ours.lower));
            self.expect_value("upper", &expected[1], Some(ours.upper));
        }
    }

    /// Within the bound that the estimate itself states.
    fn expect_within(&self, what: &str, expected: &Value, ours: Option<Estimate>) {
        assert_eq!(expected.is_null(), ours.is_none(), "{}: {what} is {ours:?}", self.name());
        if let Some(ours) = ours {
            let distance = (number(expected) - ours.value).abs();
            assert!(
                distance <= ours.error_bound + TOLERANCE,
                "{}: {what} is {ours:?}, not {expected}",
                self.name()
            );
        }
    }

    fn name(&self) -> &Value {
        &self.0["name"]
    }
}

fn expect_probabilities(case: &Case<'_>, tally: &ScoreTally) {
    case.expect("log_loss", probability::log_loss(tally));
    case.expect("brier", probability::brier_score(tally));
    case.expect("calibration_error", probability::calibration_error(tally));
}

fn expect_ranking(case: &Case<'_>, expected: &Value, tally: &ScoreTally, class: usize) {
    let bins = &tally.ranking()[class];
    case.expect_within("roc_auc", &expected["roc_auc"], ranking::roc_auc(bins));
    case.expect_within("average_precision", &expected["average_precision"], ranking::average_precision(bins));
}

fn class_tally(case: &Case<'_>) -> ClassTally {
    let mut tally = ClassTally::default();
    for (predicted, actual) in case.numbers("predicted").into_iter().zip(case.numbers("actual")) {
        tally.update(class_outcome(predicted as u16, actual as u16));
    }
    tally
}

fn class_outcome(predicted: u16, actual: u16) -> ClassOutcome<'static> {
    let correct = predicted == actual;
    ClassOutcome { predicted, actual, correct, score: None, scores: &[], actual_score: None, positive: false }
}

fn each(kind: &str, check: impl Fn(&Case<'_>)) {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/formulas/cases.json"));
    let cases: Value = serde_json::from_str(text).unwrap();
    let cases = list(&cases[kind]);
    assert!(cases.len() > 30, "the cases are there");
    cases.iter().for_each(|case| check(&Case(case)));
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}
