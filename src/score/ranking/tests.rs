//! Values and bounds against exact computation from the scores themselves.

use super::*;
use crate::accumulator::Accumulator;
use crate::accumulator::ranking::{BinnedScore, bin_of};
use proptest::prelude::*;

/// Rounding of the double arithmetic on both sides, some hundred operations on numbers below 1, and the
/// harmonic series cut off.
const ROUNDING: f64 = 1e-12;

type Scores = Vec<(f64, bool)>;

fn bins_of(scores: &[(f64, bool)]) -> ScoreBins {
    let mut bins = ScoreBins::default();
    for &(score, positive) in scores {
        bins.update(BinnedScore { bin: bin_of(score), positive });
    }
    bins
}

/// Every pair of a positive and a negative, by definition.
fn exact_roc_auc(scores: &[(f64, bool)]) -> Option<f64> {
    let of = |wanted: bool| {
        scores.iter().filter(move |&&(_, positive)| positive == wanted).map(|&(score, _)| score)
    };
    let pairs: Vec<f64> = of(true)
        .flat_map(|hit| {
            of(false).map(move |miss| {
                if hit > miss {
                    1.0
                } else if hit == miss {
                    0.5
                } else {
                    0.0
                }
            })
        })
        .collect();
    (!pairs.is_empty()).then(|| pairs.iter().sum::<f64>() / pairs.len() as f64)
}

/// The mean over positives of the precision at the threshold that each of them sets.
fn exact_average_precision(scores: &[(f64, bool)]) -> Option<f64> {
    let precision_at = |threshold: f64| {
        let found: Vec<bool> =
            scores.iter().filter(|&&(score, _)| score >= threshold).map(|&(_, positive)| positive).collect();
        found.iter().filter(|&&positive| positive).count() as f64 / found.len() as f64
    };
    let precisions: Vec<f64> =
        scores.iter().filter(|&&(_, positive)| positive).map(|&(score, _)| precision_at(score)).collect();
    (!precisions.is_empty()).then(|| precisions.iter().sum::<f64>() / precisions.len() as f64)
}

/// Scores that meet in few bins, with and without ties, out of range now and then.
fn scores() -> impl Strategy<Value = Scores> {
    let score = prop_oneof![
        0.0_f64..1.0,
        0.500_f64..0.510,
        (0u8..5).prop_map(|tenth| f64::from(tenth) / 10.0),
        -1.0_f64..0.0,
        0.999_99_f64..2.0,
    ];
    let share = prop_oneof![Just(0.5), Just(0.05), Just(0.95)];
    (share, proptest::collection::vec((score, 0.0_f64..1.0), 0..120))
        .prop_map(|(share, scores)| scores.into_iter().map(|(score, draw)| (score, draw < share)).collect())
}

fn assert_within(estimate: Option<Estimate>, exact: Option<f64>) {
    assert_eq!(estimate.is_some(), exact.is_some(), "{estimate:?} against {exact:?}");
    if let Some((estimate, exact)) = estimate.zip(exact) {
        assert!(
            (estimate.value - exact).abs() <= estimate.error_bound + ROUNDING,
            "{estimate:?} against {exact}"
        );
    }
}

proptest! {
    #[test]
    fn the_bound_of_roc_auc_holds(scores in scores()) {
        assert_within(roc_auc(&bins_of(&scores)), exact_roc_auc(&scores));
    }

    #[test]
    fn the_bound_of_average_precision_holds(scores in scores()) {
        assert_within(average_precision(&bins_of(&scores)), exact_average_precision(&scores));
    }

    #[test]
    fn changing_sides_mirrors_roc_auc(scores in scores()) {
        let mirrored: Scores = scores.iter().map(|&(score, positive)| (score, !positive)).collect();
        let (a, b) = (roc_auc(&bins_of(&scores)), roc_auc(&bins_of(&mirrored)));
        prop_assert_eq!(a.is_some(), b.is_some());
        if let Some((a, b)) = a.zip(b) {
            prop_assert!((a.value + b.value - 1.0).abs() <= ROUNDING);
            prop_assert_eq!(a.error_bound, b.error_bound);
        }
    }

    #[test]
    fn scores_in_bins_of_their_own_leave_nothing_to_bound(picks in proptest::collection::vec((0u8..99, any::<bool>()), 1..60)) {
        // Percents are at least four bins apart, and equal ones are true ties of one kind.
        let mut scores: Scores = picks.iter().map(|&(pick, positive)| (f64::from(pick + 1) / 100.0, positive)).collect();
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        scores.dedup_by_key(|(score, _)| *score);
        if let Some((auc, exact)) = roc_auc(&bins_of(&scores)).zip(exact_roc_auc(&scores)) {
            prop_assert_eq!(auc.error_bound, 0.0);
            prop_assert!((auc.value - exact).abs() <= ROUNDING);
        }
        if let Some((precision, exact)) = average_precision(&bins_of(&scores)).zip(exact_average_precision(&scores)) {
            prop_assert!(precision.error_bound <= ROUNDING);
            prop_assert!((precision.value - exact).abs() <= ROUNDING);
        }
    }

    #[test]
    fn harmonic_sums_are_right(start in 0u64..1000, count in 1u64..1000) {
        let direct: f64 = (1..=count).rev().map(|i| 1.0 / (start + i) as f64).sum();
        // The stated error, and that of adding the terms up one by one.
        prop_assert!((harmonic(start, count) - direct).abs() <= 4e-15 + 1e-14 * direct);
    }
}

/// One bin with everything in it: the extremes are reached, so no smaller bound would do.
#[test]
fn the_bounds_are_reached() {
    let apart = |positive_score: f64, negative_score: f64| -> Scores {
        // A millionth of a bin between them; the side at the higher score is all tied.
        (0..40).map(|i| if i % 2 == 0 { (positive_score, true) } else { (negative_score, false) }).collect()
    };
    let (low, high) = (0.501, 0.501_000_1);
    assert_eq!(bin_of(low), bin_of(high));
    let best = apart(high, low);
    let auc = roc_auc(&bins_of(&best)).unwrap();
    assert_eq!((auc.value, auc.error_bound), (0.5, 0.5));
    assert_eq!(exact_roc_auc(&best), Some(1.0));
    let precision = average_precision(&bins_of(&best)).unwrap();
    assert_eq!(exact_average_precision(&best), Some(1.0));
    assert!(precision.error_bound >= 0.5 && precision.value == 0.5);

    // Positives below, each by itself: the other extreme, the larger one where positives are many.
    let mut worst: Scores = (0..500).map(|i| (low + f64::from(i) * 1e-8, true)).collect();
    worst.extend([(low + 1e-4, false); 20]);
    assert!(worst.iter().all(|&(score, _)| bin_of(score) == bin_of(low)));
    let precision = average_precision(&bins_of(&worst)).unwrap();
    let exact = exact_average_precision(&worst).unwrap();
    assert!(
        (precision.value - exact - precision.error_bound).abs() <= ROUNDING,
        "{precision:?} against {exact}"
    );
}

#[test]
fn one_side_alone_has_no_roc_auc_and_no_positive_no_average_precision() {
    let positives = bins_of(&[(0.3, true), (0.6, true)]);
    assert_eq!(roc_auc(&positives), None);
    assert_eq!(average_precision(&positives), Some(Estimate { value: 1.0, error_bound: 0.0 }));
    let negatives = bins_of(&[(0.3, false)]);
    assert_eq!((roc_auc(&negatives), average_precision(&negatives)), (None, None));
    assert_eq!((roc_auc(&ScoreBins::default()), average_precision(&ScoreBins::default())), (None, None));
}

/// Where a difference of two harmonic numbers would keep no digit.
#[test]
fn harmonic_sums_far_out_keep_their_digits() {
    let start = 1_000_000_000_000;
    let direct = harmonic(start, 64);
    let series = harmonic(start, 65);
    assert!(((series - direct) * (start + 65) as f64 - 1.0).abs() < 1e-12, "{series} against {direct}");
}
