//! The laws for both kinds of tally, and what happens to scores that fit none of the sums.

use super::*;
use crate::accumulator::laws::{assert_close, laws};
use proptest::prelude::*;

const TOP_K: [u32; 2] = [1, 2];

fn assert_same(a: &ScoreTally, b: &ScoreTally) {
    let counts = |t: &ScoreTally| (t.probabilities, t.out_of_range, t.unscored, t.top_k_counts.clone());
    assert_eq!(counts(a), counts(b));
    assert_close(a.log_loss(), b.log_loss());
    assert_close(a.brier(), b.brier());
    for (a, b) in a.calibration.iter().zip(&b.calibration) {
        assert_eq!((a.count, a.hits), (b.count, b.hits));
        assert_close(a.score.value(), b.score.value());
    }
    assert!(a.ranking.iter().zip(&b.ranking).all(|(a, b)| a.iter().eq(b.iter())));
}

fn binary_terms((score, positive): (f64, bool)) -> ScoreTerms {
    let mut terms = ScoreTerms::default();
    terms.set_binary(score, positive);
    terms
}

fn multiclass_terms(scores: &[f64], actual_score: Option<u16>, score: Option<f64>) -> ScoreTerms {
    let (predicted, actual) = (0, actual_score.unwrap_or(3));
    let correct = predicted == actual;
    let mut terms = ScoreTerms::default();
    terms.set_multiclass(&ClassOutcome {
        predicted,
        actual,
        correct,
        score,
        scores,
        actual_score,
        positive: false,
    });
    terms
}

fn tally_of(mut tally: ScoreTally, terms: &[ScoreTerms]) -> ScoreTally {
    terms.iter().for_each(|terms| tally.update(terms));
    tally
}

proptest! {
    #[test]
    fn laws_hold_for_binary(outcomes in proptest::collection::vec((-0.05_f64..1.05, any::<bool>()), 0..60)) {
        let terms: Vec<_> = outcomes.into_iter().map(binary_terms).collect();
        laws(&ScoreTally::binary(), &terms.iter().collect::<Vec<_>>(), assert_same);
    }

    #[test]
    fn laws_hold_for_multiclass(
        outcomes in proptest::collection::vec(
            (proptest::array::uniform3(-0.01_f64..1.0), proptest::option::of(0u16..3), any::<bool>()),
            0..60,
        ),
    ) {
        let terms: Vec<_> = outcomes
            .iter()
            .map(|(scores, actual, all)| multiclass_terms(if *all { scores } else { &[] }, *actual, Some(scores[0])))
            .collect();
        laws(&ScoreTally::multiclass(3, Arc::new(TOP_K)), &terms.iter().collect::<Vec<_>>(), assert_same);
    }
}

#[test]
fn certainty_that_was_wrong_costs_what_scikit_learn_says() {
    for wrong in [(0.0, true), (1.0, false)] {
        let tally = tally_of(ScoreTally::binary(), &[binary_terms(wrong)]);
        assert_eq!(tally.log_loss(), 36.043_653_389_117_15, "{wrong:?}");
    }
}

#[test]
fn a_score_that_is_no_probability_is_ranked_and_nothing_else() {
    let tally = tally_of(ScoreTally::binary(), &[binary_terms((3.5, true)), binary_terms((0.5, false))]);
    assert_eq!((tally.out_of_range(), tally.probabilities()), (1, 1));
    assert_eq!(tally.ranking()[0].iter().count(), 2);
    assert_eq!(tally.calibration().iter().map(|bin| bin.count).sum::<u64>(), 1);
}

#[test]
fn of_equal_scores_the_later_class_is_on_top() {
    let tally = ScoreTally::multiclass(3, Arc::new(TOP_K));
    let tie = [0.4, 0.4, 0.2];
    for (actual, hits) in [(0, [(1, 0), (2, 1)]), (1, [(1, 1), (2, 1)]), (2, [(1, 0), (2, 0)])] {
        let tally = tally_of(tally.clone(), &[multiclass_terms(&tie, Some(actual), None)]);
        assert!(tally.top_k().map(|(k, counts)| (k, counts.hits)).eq(hits), "{actual}");
    }
}

#[test]
fn an_actual_class_without_a_score_misses_and_has_no_loss() {
    let terms = multiclass_terms(&[0.2, 0.3, 0.5], None, None);
    let tally = tally_of(ScoreTally::multiclass(3, Arc::new([3])), &[terms]);
    assert_eq!((tally.unscored(), tally.probabilities()), (1, 0));
    assert!(tally.top_k().eq([(3, TopK { ranked: 1, hits: 0 })]));
    assert!(tally.ranking().iter().all(|bins| bins.iter().all(|bin| bin.positives == 0)));
}

#[test]
fn the_score_of_the_predicted_class_alone_is_calibrated() {
    let terms = multiclass_terms(&[], Some(0), Some(0.9));
    let tally = tally_of(ScoreTally::multiclass(0, Arc::new([1])), &[terms]);
    let bin = tally.calibration()[13];
    assert_eq!((bin.count, bin.hits, bin.score.value()), (1, 1, 0.9));
    assert_eq!(tally.probabilities(), 0);
    assert!(tally.top_k().eq([(1, TopK::default())]));
}

#[test]
fn scored_classes_in_another_order_and_another_k_lose_nothing() {
    let scores = [0.2, 0.5, 0.3];
    let mut tally = tally_of(
        ScoreTally::multiclass(3, Arc::new([1, 3])),
        &[multiclass_terms(&scores, Some(1), None), multiclass_terms(&scores, Some(2), None)],
    );
    let before = tally.clone();
    let top_k: Arc<[u32]> = Arc::new([2, 1]);
    tally.rearrange(&[2, 0, 1], &top_k);
    assert!(tally.ranking()[0].iter().eq(before.ranking()[2].iter()));
    assert!(tally.ranking()[2].iter().eq(before.ranking()[1].iter()));
    assert_eq!(tally.log_loss(), before.log_loss());
    tally.update(&multiclass_terms(&scores, Some(2), None));
    let counts = [(2, TopK { ranked: 1, hits: 1 }), (1, TopK { ranked: 3, hits: 1 })];
    assert!(tally.top_k().eq(counts), "{tally:?}");
}

#[test]
fn calibration_bins_are_open_to_the_right() {
    for (score, bin) in [(0.0, 0), (1.0 / 15.0, 1), (0.2, 3), (0.6, 9), (0.999, 14), (1.0, 14)] {
        assert_eq!(calibration_bin(score), bin, "{score}");
    }
}
