//! How well scores rank: ROC AUC and average precision of binned scores, each with a bound of its error,
//! and top-k accuracy, which is exact.
//!
//! The bounds hold for any order of the scores within a bin, ties included; they are computed from the same
//! counts as the values. They leave out the rounding of doubles, some 1e-13.

use super::{Estimate, ratio};
use crate::accumulator::ranking::{Bin, ScoreBins};
use crate::accumulator::scores::ScoreTally;

/// Fewer terms of a harmonic sum than this are added one by one.
const HARMONIC_TERMS_MAX: u64 = 64;

/// The asymptotic series of the harmonic numbers is used from here on; its first term left out,
/// 1/(240·32⁸), is 4e-15.
const HARMONIC_SERIES_MIN: u64 = 32;

/// What has been passed by a falling threshold.
#[derive(Default)]
struct Above {
    positives: u64,
    negatives: u64,
}

/// The chance that a positive is scored above a negative, ties counting half. Pairs in one bin count as
/// ties, so the value is off by at most half their share.
pub fn roc_auc(bins: &ScoreBins) -> Option<Estimate> {
    let mut negatives_below: u64 = 0;
    let mut positives: u64 = 0;
    let mut half_wins: u128 = 0;
    let mut ties: u128 = 0;
    for bin in bins.iter() {
        let tied = u128::from(bin.positives) * u128::from(bin.negatives);
        half_wins += 2 * u128::from(bin.positives) * u128::from(negatives_below) + tied;
        ties += tied;
        negatives_below += bin.negatives;
        positives += bin.positives;
    }
    let pairs = u128::from(positives) * u128::from(negatives_below);
    (pairs > 0).then(|| Estimate {
        value: half_wins as f64 / (2.0 * pairs as f64),
        error_bound: ties as f64 / (2.0 * pairs as f64),
    })
}

/// Average precision: Σ (recall step · precision) over falling thresholds, without interpolation. Scores in
/// one bin count as tied. The bound is the distance to the better of the two extremes of what order they
/// can have: all positives of a bin tied above its negatives, or each of them by itself below.
pub fn average_precision(bins: &ScoreBins) -> Option<Estimate> {
    let mut above = Above::default();
    let (mut value, mut upper, mut lower) = (0.0, 0.0, 0.0);
    for bin in bins.iter().rev() {
        let found = (above.positives + bin.positives) as f64;
        let precision_of = |false_positives: u64| found / (found + false_positives as f64);
        if bin.positives > 0 {
            let positives = bin.positives as f64;
            value += positives * precision_of(above.negatives + bin.negatives);
            upper += positives * precision_of(above.negatives);
            lower += lowest_precisions(&above, &bin);
        }
        above.positives += bin.positives;
        above.negatives += bin.negatives;
    }
    let positives = above.positives as f64;
    (above.positives > 0).then(|| Estimate {
        value: value / positives,
        error_bound: (upper - value).max(value - lower).max(0.0) / positives,
    })
}

/// The share of outcomes whose actual class is among the `k` of highest score; `None` for a k that is not
/// counted.
pub fn top_k_accuracy(tally: &ScoreTally, k: u32) -> Option<f64> {
    let (_, counts) = tally.top_k().find(|&(counted, _)| counted == k)?;
    ratio(counts.hits, counts.ranked)
}

/// Σᵢ (TP + i) / (TP + i + FP) for i = 1..=P, with FP the negatives above and in the bin: the sum of
/// precisions where all negatives of the bin come before its positives. It equals
/// P − FP · (H(TP + FP + P) − H(TP + FP)).
fn lowest_precisions(above: &Above, bin: &Bin) -> f64 {
    let false_positives = above.negatives + bin.negatives;
    if false_positives == 0 {
        return bin.positives as f64;
    }
    bin.positives as f64 - false_positives as f64 * harmonic(above.positives + false_positives, bin.positives)
}

/// Σ 1/(start + i) for i = 1..=count, within 1e-14 of itself and 4e-15 absolutely. As a difference of two
/// harmonic numbers it would lose the digits they share.
fn harmonic(start: u64, count: u64) -> f64 {
    let direct = if count <= HARMONIC_TERMS_MAX { count } else { HARMONIC_SERIES_MIN.saturating_sub(start) };
    let sum: f64 = (1..=direct).map(|i| 1.0 / (start + i) as f64).sum();
    if direct == count {
        return sum;
    }
    let (from, to) = ((start + direct) as f64, (start + count) as f64);
    // H(n) = ln n + γ + 1/2n − 1/12n² + 1/120n⁴ − 1/252n⁶ + …, with H(to) − H(from) taken term by term.
    let correction = |n: f64| {
        let squared = 1.0 / (n * n);
        0.5 / n - squared * (1.0 / 12.0 - squared * (1.0 / 120.0 - squared / 252.0))
    };
    sum + ((to - from) / from).ln_1p() + (correction(to) - correction(from))
}

#[cfg(test)]
mod tests;
