//! Formulas over classes: accuracy, precision, recall, F1, specificity, balanced accuracy, MCC and kappa.
//!
//! Classes are those met in the tally, predicted or actual, as scikit-learn's `labels=None`: a class that is
//! neither has no value and enters no average.
//!
//! Where classes were folded into one (`__other__`), that class stands for all of them: an outcome is right
//! if it was right before folding. MCC and kappa need the whole diagonal's chance agreement, which folding
//! loses, so they are undefined while any outcome was wrong within the folded class.

use super::wilson::{self, Interval};
use super::{Average, ratio};
use crate::accumulator::classes::{ClassCounts, ClassTally};

/// Part and whole of a ratio of one class; the ratio is undefined where the whole is zero.
#[derive(Clone, Copy)]
struct Share {
    part: u64,
    whole: u64,
}

/// Which part of which whole a score is, of one class out of `total` outcomes.
type ShareOf = fn(&ClassCounts, u64) -> Share;

/// Products of counts, exact: the differences between them cancel most of their digits.
struct Chance {
    squared_total: u128,
    /// total · correct
    observed: u128,
    /// Σ predicted · actual
    expected: u128,
    squared_predicted: u128,
    squared_actual: u128,
}

// === impl Share ===

impl Share {
    fn value(self) -> Option<f64> {
        ratio(self.part, self.whole)
    }
}

// === impl Chance ===

impl Chance {
    /// `None` for no outcome, and where folding has lost which classes agreed by chance.
    fn of(tally: &ClassTally) -> Option<Self> {
        let folded = tally.classes().iter().any(|class| class.wrong_within > 0);
        if tally.total() == 0 || folded {
            return None;
        }
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        let sum = |of: &dyn Fn(&ClassCounts) -> u128| tally.classes().iter().map(of).sum();
        Some(Self {
            squared_total: product(tally.total(), tally.total()),
            observed: product(tally.total(), tally.correct()),
            expected: sum(&|class| product(class.predicted, class.actual)),
            squared_predicted: sum(&|class| product(class.predicted, class.predicted)),
            squared_actual: sum(&|class| product(class.actual, class.actual)),
        })
    }
}

pub fn accuracy(tally: &ClassTally) -> Option<f64> {
    ratio(tally.correct(), tally.total())
}

pub fn accuracy_interval(tally: &ClassTally) -> Option<Interval> {
    wilson::interval(tally.correct(), tally.total())
}

pub fn precision(tally: &ClassTally, class: u16) -> Option<f64> {
    of_class(tally, class, precision_share)
}

pub fn precision_interval(tally: &ClassTally, class: u16) -> Option<Interval> {
    let counts = tally.class(class);
    wilson::interval(counts.true_positives, counts.predicted)
}

pub fn precision_average(tally: &ClassTally, average: Average) -> Option<f64> {
    over_classes(tally, average, precision_share)
}

pub fn recall(tally: &ClassTally, class: u16) -> Option<f64> {
    of_class(tally, class, recall_share)
}

pub fn recall_interval(tally: &ClassTally, class: u16) -> Option<Interval> {
    let counts = tally.class(class);
    wilson::interval(counts.true_positives, counts.actual)
}

pub fn recall_average(tally: &ClassTally, average: Average) -> Option<f64> {
    over_classes(tally, average, recall_share)
}

pub fn f1(tally: &ClassTally, class: u16) -> Option<f64> {
    of_class(tally, class, f1_share)
}

pub fn f1_average(tally: &ClassTally, average: Average) -> Option<f64> {
    over_classes(tally, average, f1_share)
}

/// Of the outcomes of other classes, those that were not predicted as this one: recall of the rest.
pub fn specificity(tally: &ClassTally, class: u16) -> Option<f64> {
    of_class(tally, class, specificity_share)
}

pub fn specificity_average(tally: &ClassTally, average: Average) -> Option<f64> {
    over_classes(tally, average, specificity_share)
}

/// Mean recall over the classes that were actual.
pub fn balanced_accuracy(tally: &ClassTally) -> Option<f64> {
    recall_average(tally, Average::Macro)
}

/// Matthews' correlation coefficient for any number of classes (Gorodkin 2004, R_K).
pub fn matthews_correlation(tally: &ClassTally) -> Option<f64> {
    let chance = Chance::of(tally)?;
    let predicted_spread = chance.squared_total - chance.squared_predicted;
    let actual_spread = chance.squared_total - chance.squared_actual;
    if predicted_spread == 0 || actual_spread == 0 {
        return None;
    }
    let covariance = difference(chance.observed, chance.expected);
    // One root of the product, and that as doubles: where both spreads are equal it is exact, so that all
    // right is exactly 1. As integers the product would pass 2^128.
    let correlation = covariance / (predicted_spread as f64 * actual_spread as f64).sqrt();
    Some(correlation.clamp(-1.0, 1.0))
}

/// Cohen's kappa without weights: agreement beyond what the margins alone would give.
pub fn cohen_kappa(tally: &ClassTally) -> Option<f64> {
    let chance = Chance::of(tally)?;
    let room = chance.squared_total - chance.expected;
    (room != 0).then(|| difference(chance.observed, chance.expected) / room as f64)
}

fn precision_share(class: &ClassCounts, _total: u64) -> Share {
    Share { part: class.true_positives, whole: class.predicted }
}

fn recall_share(class: &ClassCounts, _total: u64) -> Share {
    Share { part: class.true_positives, whole: class.actual }
}

/// 2·tp / (2·tp + fp + fn), a true zero where a class was met but never got right.
fn f1_share(class: &ClassCounts, _total: u64) -> Share {
    Share { part: 2 * class.true_positives, whole: class.predicted + class.actual }
}

fn specificity_share(class: &ClassCounts, total: u64) -> Share {
    let both = class.true_positives + class.wrong_within;
    let either = class.predicted + class.actual - both;
    Share { part: total - either, whole: total - class.actual }
}

fn of_class(tally: &ClassTally, class: u16, share: ShareOf) -> Option<f64> {
    let counts = tally.class(class);
    is_met(&counts).then(|| share(&counts, tally.total())).and_then(Share::value)
}

fn over_classes(tally: &ClassTally, average: Average, share: ShareOf) -> Option<f64> {
    let met = || tally.classes().iter().filter(|class| is_met(class));
    let shares = met().map(|class| (share(class, tally.total()), class.actual));
    match average {
        Average::Micro => {
            let (part, whole) =
                shares.fold((0, 0), |(part, whole), (share, _)| (part + share.part, whole + share.whole));
            ratio(part, whole)
        }
        Average::Macro => weighted_mean(shares.map(|(share, _)| (share, 1))),
        Average::Weighted => weighted_mean(shares),
    }
}

fn is_met(class: &ClassCounts) -> bool {
    class.predicted > 0 || class.actual > 0
}

/// Leaves out what is undefined, with its weight.
fn weighted_mean(shares: impl Iterator<Item = (Share, u64)>) -> Option<f64> {
    let mut sum = 0.0;
    let mut weights = 0;
    for (share, weight) in shares {
        if let Some(value) = share.value() {
            sum += value * weight as f64;
            weights += weight;
        }
    }
    (weights > 0).then(|| sum / weights as f64)
}

fn difference(a: u128, b: u128) -> f64 {
    if a >= b { (a - b) as f64 } else { -((b - a) as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::Accumulator;
    use crate::accumulator::laws::{ClassTriple, class_outcome, class_outcomes};
    use proptest::prelude::*;

    fn tally_of(outcomes: &[ClassTriple]) -> ClassTally {
        let mut tally = ClassTally::default();
        outcomes.iter().for_each(|&outcome| tally.update(class_outcome(outcome)));
        tally
    }

    /// All scores of a tally, those of classes included.
    fn every_score(tally: &ClassTally) -> Vec<Option<f64>> {
        let whole = [accuracy, balanced_accuracy].map(|score| score(tally));
        let by_class =
            (0..6).flat_map(|class| [precision, recall, f1, specificity].map(|score| score(tally, class)));
        let averages = Average::ALL.into_iter().flat_map(|average| {
            [precision_average, recall_average, f1_average, specificity_average]
                .map(|score| score(tally, average))
        });
        whole.into_iter().chain(by_class).chain(averages).collect()
    }

    #[test]
    fn all_right_is_exactly_one_and_all_wrong_exactly_minus_one() {
        for count in 1..100 {
            let outcomes = |wrong: u16| {
                let pair = [(1, 1 + wrong, wrong == 0), (2, 2 - wrong, wrong == 0)];
                pair.into_iter().cycle().take(2 * count).collect::<Vec<_>>()
            };
            assert_eq!(matthews_correlation(&tally_of(&outcomes(0))), Some(1.0));
            assert_eq!(matthews_correlation(&tally_of(&outcomes(1))), Some(-1.0));
        }
    }

    #[test]
    fn nothing_has_no_score() {
        let tally = ClassTally::new(3);
        assert!(every_score(&tally).iter().all(Option::is_none));
        assert_eq!((matthews_correlation(&tally), cohen_kappa(&tally)), (None, None));
        assert_eq!(accuracy_interval(&tally), None);
    }

    #[test]
    fn a_class_that_was_never_met_has_no_specificity() {
        assert_eq!(specificity(&tally_of(&[(0, 0, true), (1, 0, false)]), 2), None);
    }

    #[test]
    fn wrong_within_the_folded_class_lowers_its_scores_and_unsets_chance_corrected_ones() {
        // Class 2 is folded: of 8 outcomes both predicted and actual 2, one is right.
        let mut outcomes = vec![(0, 2, false), (2, 0, false), (2, 2, true)];
        outcomes.extend([(2, 2, false); 7]);
        let tally = tally_of(&outcomes);
        assert_eq!(accuracy(&tally), Some(0.1));
        assert_eq!(precision(&tally, 2), Some(1.0 / 9.0));
        assert_eq!(recall(&tally, 2), Some(1.0 / 9.0));
        assert_eq!(specificity(&tally, 2), Some(0.0));
        // From the margins both would be (10·1 − 82) / (100 − 82) = −4, below any correlation.
        assert_eq!((matthews_correlation(&tally), cohen_kappa(&tally)), (None, None));
    }

    proptest! {
        #[test]
        fn scores_are_ratios(outcomes in class_outcomes(5, 4)) {
            let scores = every_score(&tally_of(&outcomes));
            prop_assert!(scores.into_iter().flatten().all(|score| (0.0..=1.0).contains(&score)));
        }

        #[test]
        fn micro_averages_and_weighted_recall_are_accuracy(outcomes in class_outcomes(5, 4)) {
            let tally = tally_of(&outcomes);
            for average in [precision_average, recall_average, f1_average] {
                prop_assert_eq!(average(&tally, Average::Micro), accuracy(&tally));
            }
            let weighted = recall_average(&tally, Average::Weighted);
            // Rounding of at most five quotients below 1.
            prop_assert!(weighted.zip(accuracy(&tally)).is_none_or(|(a, b)| (a - b).abs() < 1e-14));
        }

        #[test]
        fn chance_corrected_scores_stay_in_range_and_know_no_sides(outcomes in class_outcomes(4, 9)) {
            let mirrored: Vec<_> = outcomes.iter().map(|&(predicted, actual, correct)| (actual, predicted, correct)).collect();
            let (tally, mirrored) = (tally_of(&outcomes), tally_of(&mirrored));
            for score in [matthews_correlation, cohen_kappa] {
                prop_assert!(score(&tally).is_none_or(|score| (-1.0..=1.0).contains(&score)));
                // The two roots of MCC change places.
                prop_assert_eq!(score(&tally).is_some(), score(&mirrored).is_some());
                prop_assert!(score(&tally).zip(score(&mirrored)).is_none_or(|(a, b)| (a - b).abs() < 1e-15));
            }
        }
    }
}
