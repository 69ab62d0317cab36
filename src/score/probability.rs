//! Formulas over scores as probabilities: log loss, Brier score, expected calibration error.
//!
//! Undefined while a window holds a score outside 0..1: then scores are no probabilities.

use super::mean;
use crate::accumulator::scores::{CalibrationBin, ScoreTally};

/// Mean of −ln p(actual class), p kept 2.2e-16 away from 0 and 1.
pub fn log_loss(tally: &ScoreTally) -> Option<f64> {
    probabilities(tally).and_then(|tally| mean(tally.log_loss(), tally.probabilities()))
}

/// Mean squared distance of the scores from the truth: of the positive class's score in binary (0..1), of
/// all classes' scores together in multiclass (0..2), as scikit-learn's default has it.
pub fn brier_score(tally: &ScoreTally) -> Option<f64> {
    probabilities(tally).and_then(|tally| mean(tally.brier(), tally.probabilities()))
}

/// Σ over bins of their share of outcomes · |mean score − rate of hits|, over 15 equal-width bins.
pub fn calibration_error(tally: &ScoreTally) -> Option<f64> {
    let bins = probabilities(tally)?.calibration();
    let gap = |bin: &CalibrationBin| (bin.score.value() - bin.hits as f64).abs();
    mean(bins.iter().map(gap).sum(), bins.iter().map(|bin| bin.count).sum())
}

fn probabilities(tally: &ScoreTally) -> Option<&ScoreTally> {
    (tally.out_of_range() == 0).then_some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::Accumulator;
    use crate::accumulator::scores::ScoreTerms;
    use proptest::prelude::*;

    const SCORES: [fn(&ScoreTally) -> Option<f64>; 3] = [log_loss, brier_score, calibration_error];

    fn tally_of(outcomes: &[(f64, bool)]) -> ScoreTally {
        let (mut tally, mut terms) = (ScoreTally::binary(), ScoreTerms::default());
        for &(score, positive) in outcomes {
            terms.set_binary(score, positive);
            tally.update(&terms);
        }
        tally
    }

    #[test]
    fn nothing_has_no_score_and_neither_has_what_is_no_probability() {
        assert_eq!(SCORES.map(|score| score(&tally_of(&[]))), [None; 3]);
        assert_eq!(SCORES.map(|score| score(&tally_of(&[(0.5, true), (1.5, true)]))), [None; 3]);
    }

    proptest! {
        #[test]
        fn scores_stay_in_range(outcomes in proptest::collection::vec((0.0_f64..=1.0, any::<bool>()), 1..50)) {
            let [loss, brier, error] = SCORES.map(|score| score(&tally_of(&outcomes)).unwrap());
            prop_assert!((0.0..=36.05).contains(&loss));
            prop_assert!((0.0..=1.0).contains(&brier));
            prop_assert!((0.0..=1.0).contains(&error));
        }
    }
}
