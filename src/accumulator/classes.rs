//! How often each class was predicted, was true, and was both.
//!
//! Not the confusion matrix (`cells`): accuracy, precision, recall, F1, specificity, their averages,
//! balanced accuracy, MCC and Cohen's kappa ask of the matrix only its diagonal and its two margins, so
//! these grow with the number of classes and not with its square.
//!
//! Invariant: Σ predicted = Σ actual = total, and Σ true positives = correct.

use super::{Accumulator, ClassOutcome};

/// Margins and diagonal of the confusion matrix.
#[derive(Clone, Debug, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct ClassTally {
    classes: Vec<ClassCounts>,
    total: u64,
    correct: u64,
}

/// What was counted of one class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct ClassCounts {
    /// Predicted as this class, and rightly so.
    pub true_positives: u64,
    pub predicted: u64,
    pub actual: u64,
    /// Both predicted and actual, and yet wrong: two classes that were folded into one (`__other__`).
    pub wrong_within: u64,
}

// === impl ClassTally ===

impl ClassTally {
    pub fn new(classes: usize) -> Self {
        Self { classes: vec![ClassCounts::default(); classes], total: 0, correct: 0 }
    }

    /// Makes room for `classes` classes ahead of time. An update makes room by itself, so that a slot made
    /// before a class was known needs no visit.
    pub fn grow(&mut self, classes: usize) {
        if classes > self.classes.len() {
            self.classes.resize(classes, ClassCounts::default());
        }
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn correct(&self) -> u64 {
        self.correct
    }

    pub fn classes(&self) -> &[ClassCounts] {
        &self.classes
    }

    /// Zeros for a class that was never met.
    pub fn class(&self, class: u16) -> ClassCounts {
        self.classes.get(usize::from(class)).copied().unwrap_or_default()
    }
}

impl Accumulator for ClassTally {
    type Input<'a> = ClassOutcome<'a>;

    fn update(&mut self, outcome: ClassOutcome<'_>) {
        let (predicted, actual) = (usize::from(outcome.predicted), usize::from(outcome.actual));
        debug_assert!(predicted == actual || !outcome.correct, "only one class is right");
        if predicted.max(actual) >= self.classes.len() {
            self.grow(predicted.max(actual) + 1);
        }
        self.total += 1;
        self.correct += u64::from(outcome.correct);
        self.classes[predicted].predicted += 1;
        let truth = &mut self.classes[actual];
        truth.actual += 1;
        truth.true_positives += u64::from(outcome.correct);
        truth.wrong_within += u64::from(predicted == actual && !outcome.correct);
    }

    fn merge(&mut self, other: &Self) {
        self.grow(other.classes.len());
        self.total += other.total;
        self.correct += other.correct;
        for (ours, theirs) in self.classes.iter_mut().zip(&other.classes) {
            ours.true_positives += theirs.true_positives;
            ours.predicted += theirs.predicted;
            ours.actual += theirs.actual;
            ours.wrong_within += theirs.wrong_within;
        }
    }

    fn reset(&mut self) {
        self.classes.fill(ClassCounts::default());
        self.total = 0;
        self.correct = 0;
    }

    fn fits(&self, other: &Self) -> bool {
        // A tally makes room for whatever class it meets.
        let is_whole = |class: &ClassCounts| class.true_positives <= class.predicted.min(class.actual);
        other.correct <= other.total && other.classes.iter().all(is_whole)
    }

    fn heap_bytes(&self) -> usize {
        self.classes.capacity() * size_of::<ClassCounts>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::laws::{class_outcome, class_outcomes, laws};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn laws_hold(outcomes in class_outcomes(5, 4)) {
            let outcomes: Vec<_> = outcomes.into_iter().map(class_outcome).collect();
            laws(&ClassTally::new(5), &outcomes, |a, b| assert_eq!(a, b));
        }

        #[test]
        fn margins_add_up(outcomes in class_outcomes(5, 4)) {
            let mut tally = ClassTally::default();
            for &outcome in &outcomes {
                tally.update(class_outcome(outcome));
            }
            let sum = |count: fn(&ClassCounts) -> u64| tally.classes().iter().map(count).sum::<u64>();
            prop_assert_eq!(sum(|class| class.predicted), outcomes.len() as u64);
            prop_assert_eq!(sum(|class| class.actual), outcomes.len() as u64);
            prop_assert_eq!(sum(|class| class.true_positives), tally.correct());
        }
    }

    #[test]
    fn a_wrong_answer_within_a_folded_class_is_no_true_positive() {
        let mut tally = ClassTally::new(2);
        tally.update(class_outcome((1, 1, false)));
        tally.update(class_outcome((1, 1, true)));
        let folded = ClassCounts { true_positives: 1, predicted: 2, actual: 2, wrong_within: 1 };
        assert_eq!(tally.class(1), folded);
        assert_eq!((tally.correct(), tally.total()), (1, 2));
    }

    #[test]
    fn a_class_beyond_those_made_for_is_counted_and_one_never_met_is_zero() {
        let mut tally = ClassTally::new(1);
        tally.update(class_outcome((3, 0, false)));
        assert_eq!(tally.class(3).predicted, 1);
        assert_eq!(tally.class(9), ClassCounts::default());
    }
}
