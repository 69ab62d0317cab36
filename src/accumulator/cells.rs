//! The confusion matrix: how often each class was predicted where each class was true.
//!
//! Not for many classes: the matrix is dense and grows with their square. What the formulas need is in
//! `classes`; the cells are there to be shown.
//!
//! Invariant: an outcome is in exactly one cell; the cells of one class with itself hold right answers
//! only, and wrong ones between two classes that were folded into one are beside them.

use super::{Accumulator, ClassOutcome};

/// Dense counts by predicted class, actual class and whether that was correct.
#[derive(Clone, Debug, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Cells {
    classes: usize,
    /// Row by predicted class, column by actual class.
    counts: Vec<u64>,
    /// By class: both predicted and actual, and yet wrong.
    wrong_within: Vec<u64>,
}

/// One cell that can hold outcomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    pub predicted: u16,
    pub actual: u16,
    pub correct: bool,
    pub count: u64,
}

// === impl Cells ===

impl Cells {
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes], wrong_within: vec![0; classes] }
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Makes room for `classes` classes; those counted so far keep their cells.
    pub fn grow(&mut self, classes: usize) {
        if classes <= self.classes {
            return;
        }
        let mut grown = Self::new(classes);
        grown.merge(self);
        *self = grown;
    }

    /// Every predicted class with every actual class, and after them each class with itself where it was
    /// wrong (zero but for the folded class).
    pub fn iter(&self) -> impl Iterator<Item = Cell> + '_ {
        let matrix = self.counts.iter().enumerate().map(|(index, &count)| {
            let (predicted, actual) = (index / self.classes, index % self.classes);
            Cell { predicted: predicted as u16, actual: actual as u16, correct: predicted == actual, count }
        });
        let within = self.wrong_within.iter().enumerate().map(|(class, &count)| Cell {
            predicted: class as u16,
            actual: class as u16,
            correct: false,
            count,
        });
        matrix.chain(within)
    }
}

impl Accumulator for Cells {
    type Input<'a> = ClassOutcome<'a>;

    fn update(&mut self, outcome: ClassOutcome<'_>) {
        let (predicted, actual) = (usize::from(outcome.predicted), usize::from(outcome.actual));
        debug_assert!(predicted == actual || !outcome.correct, "only one class is right");
        if predicted.max(actual) >= self.classes {
            self.grow(predicted.max(actual) + 1);
        }
        if predicted == actual && !outcome.correct {
            self.wrong_within[actual] += 1;
        } else {
            self.counts[predicted * self.classes + actual] += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.classes == 0 {
            return;
        }
        self.grow(other.classes);
        let rows = self.counts.chunks_exact_mut(self.classes).zip(other.counts.chunks_exact(other.classes));
        for (ours, theirs) in rows {
            ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours += theirs);
        }
        self.wrong_within.iter_mut().zip(&other.wrong_within).for_each(|(ours, theirs)| *ours += theirs);
    }

    fn reset(&mut self) {
        self.counts.fill(0);
        self.wrong_within.fill(0);
    }

    fn fits(&self, other: &Self) -> bool {
        let classes = other.classes;
        classes.checked_mul(classes) == Some(other.counts.len()) && other.wrong_within.len() == classes
    }

    fn heap_bytes(&self) -> usize {
        (self.counts.capacity() + self.wrong_within.capacity()) * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::laws::{class_outcome, class_outcomes, laws};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn laws_hold(outcomes in class_outcomes(4, 3)) {
            let outcomes: Vec<_> = outcomes.into_iter().map(class_outcome).collect();
            laws(&Cells::new(4), &outcomes, |a, b| assert_eq!(a, b));
        }

        #[test]
        fn every_outcome_is_in_its_cell(outcomes in class_outcomes(4, 3)) {
            let mut cells = Cells::default();
            outcomes.iter().for_each(|&outcome| cells.update(class_outcome(outcome)));
            prop_assert_eq!(cells.iter().map(|cell| cell.count).sum::<u64>(), outcomes.len() as u64);
            for cell in cells.iter() {
                let expected = outcomes.iter().filter(|&&outcome| outcome == (cell.predicted, cell.actual, cell.correct));
                prop_assert_eq!(cell.count, expected.count() as u64);
            }
        }

        #[test]
        fn growing_moves_no_count(outcomes in class_outcomes(4, 3)) {
            let (mut grown, mut cells) = (Cells::default(), Cells::new(9));
            for &outcome in &outcomes {
                grown.update(class_outcome(outcome));
                cells.update(class_outcome(outcome));
            }
            grown.grow(9);
            prop_assert_eq!(grown, cells);
        }
    }
}
