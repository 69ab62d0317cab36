//! What is kept of a classifier's scores: log loss, Brier score, calibration, ranking and top-k hits.
//!
//! Not which class was decided for: that is `classes`. An outcome is worked out once, into `ScoreTerms`,
//! and then added to as many tallies as there are windows; only the first costs a logarithm.
//!
//! Invariant: what cannot be said of an outcome (no score, a score that is no probability, an actual class
//! that is not scored) is left out of exactly the sums it would enter, and counted.

use std::sync::Arc;

use super::ranking::{BinnedScore, ScoreBins, bin_of};
use super::sum::Sum;
use super::{Accumulator, ClassOutcome};
use crate::limits::CALIBRATION_BINS;

/// Probabilities enter the logarithm no closer to 0 and 1 than this, as in scikit-learn for doubles.
const PROBABILITY_MIN: f64 = f64::EPSILON;

/// The lowest score of every calibration bin but the first: equal widths, open to the right.
const CALIBRATION_EDGES: [f64; CALIBRATION_BINS - 1] = {
    let mut edges = [0.0; CALIBRATION_BINS - 1];
    let mut bin = 1;
    while bin < CALIBRATION_BINS {
        edges[bin - 1] = bin as f64 / CALIBRATION_BINS as f64;
        bin += 1;
    }
    edges
};

/// What one outcome adds to a `ScoreTally`. Reused from one outcome to the next.
#[derive(Clone, Debug, Default)]
pub struct ScoreTerms {
    /// Ranking bin of each scored class; binary: of the positive class alone.
    bins: Vec<u16>,
    /// Which of `bins` is that of the actual class.
    actual: Option<u16>,
    probability: Probability,
    /// Top score and whether the class it belongs to was the actual one; binary: score of the positive
    /// class and whether that was actual.
    calibration: Option<CalibrationTerm>,
    /// Multiclass: how many classes stand before the actual one when ordered by score.
    rank: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Probability {
    /// There is no score, or not one for each class.
    #[default]
    Missing,
    /// A score outside 0..1.
    OutOfRange,
    /// Scores for each class but the actual one.
    Unscored,
    Known {
        log_loss: f64,
        brier: f64,
    },
}

#[derive(Clone, Copy, Debug)]
struct CalibrationTerm {
    bin: usize,
    score: f64,
    hit: bool,
}

/// Everything that is kept of the scores of one classifier.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct ScoreTally {
    /// Outcomes in `log_loss` and `brier`.
    probabilities: u64,
    log_loss: Sum,
    brier: Sum,
    out_of_range: u64,
    unscored: u64,
    calibration: [CalibrationBin; CALIBRATION_BINS],
    /// Binary: of the positive class. Multiclass: of each scored class against the rest.
    ranking: Vec<ScoreBins>,
    top_k: Arc<[u32]>,
    top_k_counts: Vec<TopK>,
}

/// Outcomes with a score for each class, counted for one k. Each k has a base of its own, so that one that
/// is added later leaves the others as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TopK {
    pub ranked: u64,
    /// Those whose actual class is among the k of highest score.
    pub hits: u64,
}

/// Scores that fell into one bin of the calibration.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CalibrationBin {
    pub count: u64,
    pub hits: u64,
    pub score: Sum,
}

// === impl ScoreTerms ===

impl ScoreTerms {
    /// One outcome of a binary classifier with the score of its positive class.
    pub fn set_binary(&mut self, score: f64, positive: bool) {
        self.clear();
        self.bins.push(bin_of(score));
        self.actual = positive.then_some(0);
        if !is_probability(score) {
            self.probability = Probability::OutOfRange;
            return;
        }
        let of_actual = if positive { score } else { 1.0 - score };
        let miss = f64::from(u8::from(positive)) - score;
        self.probability = Probability::Known { log_loss: log_loss(of_actual), brier: miss * miss };
        self.calibration = Some(CalibrationTerm { bin: calibration_bin(score), score, hit: positive });
    }

    /// One outcome of a multiclass classifier. Where only the score of the predicted class is known it
    /// enters the calibration alone.
    pub fn set_multiclass(&mut self, outcome: &ClassOutcome<'_>) {
        self.clear();
        let scores = outcome.scores;
        let Some(top) = scores.iter().copied().reduce(f64::max) else {
            self.set_score_of_predicted(outcome);
            return;
        };
        self.bins.extend(scores.iter().map(|&score| bin_of(score)));
        self.actual = outcome.actual_score;
        let rank = outcome.actual_score.map_or(u32::MAX, |actual| rank_of(usize::from(actual), scores));
        self.rank = Some(rank);
        if !scores.iter().all(|&score| is_probability(score)) {
            self.probability = Probability::OutOfRange;
            return;
        }
        self.probability = match outcome.actual_score {
            Some(actual) => {
                let actual = usize::from(actual);
                Probability::Known { log_loss: log_loss(scores[actual]), brier: brier(actual, scores) }
            }
            None => Probability::Unscored,
        };
        self.calibration = Some(CalibrationTerm { bin: calibration_bin(top), score: top, hit: rank == 0 });
    }

    fn set_score_of_predicted(&mut self, outcome: &ClassOutcome<'_>) {
        match outcome.score {
            Some(score) if is_probability(score) => {
                let bin = calibration_bin(score);
                self.calibration = Some(CalibrationTerm { bin, score, hit: outcome.correct });
            }
            Some(_) => self.probability = Probability::OutOfRange,
            None => {}
        }
    }

    fn clear(&mut self) {
        self.bins.clear();
        self.actual = None;
        self.probability = Probability::Missing;
        self.calibration = None;
        self.rank = None;
    }
}

// === impl ScoreTally ===

impl ScoreTally {
    pub fn binary() -> Self {
        Self::multiclass(1, Arc::new([]))
    }

    /// For `scored` classes with a score each, zero where only the predicted class has one. `top_k` are the
    /// numbers of top classes of which one has to be right.
    pub fn multiclass(scored: usize, top_k: Arc<[u32]>) -> Self {
        Self {
            probabilities: 0,
            log_loss: Sum::default(),
            brier: Sum::default(),
            out_of_range: 0,
            unscored: 0,
            calibration: [CalibrationBin::default(); CALIBRATION_BINS],
            ranking: vec![ScoreBins::default(); scored],
            top_k_counts: vec![TopK::default(); top_k.len()],
            top_k,
        }
    }

    /// The same tally with its scored classes in another order (`order` has the present place of each) and
    /// for other numbers of top classes: a k that was counted so far keeps its counts.
    pub fn rearrange(&mut self, order: &[usize], top_k: &Arc<[u32]>) {
        assert_eq!(order.len(), self.ranking.len(), "only the order of the scored classes may change");
        self.ranking = order.iter().map(|&place| self.ranking[place].clone()).collect();
        let counts = |k| self.top_k().find(|&(counted, _)| counted == k).map(|(_, counts)| counts);
        self.top_k_counts = top_k.iter().map(|&k| counts(k).unwrap_or_default()).collect();
        self.top_k = Arc::clone(top_k);
    }

    /// Outcomes with a probability for their actual class.
    pub fn probabilities(&self) -> u64 {
        self.probabilities
    }

    /// Σ −ln p(actual class) over `probabilities` outcomes.
    pub fn log_loss(&self) -> f64 {
        self.log_loss.value()
    }

    /// Σ of squared distances over `probabilities` outcomes: of the positive class's score (binary), or of
    /// all scores (multiclass).
    pub fn brier(&self) -> f64 {
        self.brier.value()
    }

    /// Outcomes with a score outside 0..1. With any, log loss, Brier score and calibration are undefined:
    /// these scores are no probabilities.
    pub fn out_of_range(&self) -> u64 {
        self.out_of_range
    }

    /// Outcomes whose actual class is not among the scored ones: outside log loss and Brier score.
    pub fn unscored(&self) -> u64 {
        self.unscored
    }

    pub fn calibration(&self) -> &[CalibrationBin; CALIBRATION_BINS] {
        &self.calibration
    }

    /// Binary: one, of the positive class. Multiclass: one for each scored class.
    pub fn ranking(&self) -> &[ScoreBins] {
        &self.ranking
    }

    /// Each k with what was counted for it.
    pub fn top_k(&self) -> impl Iterator<Item = (u32, TopK)> + '_ {
        self.top_k.iter().copied().zip(self.top_k_counts.iter().copied())
    }
}

impl Accumulator for ScoreTally {
    type Input<'a> = &'a ScoreTerms;

    fn update(&mut self, terms: &ScoreTerms) {
        debug_assert!(
            terms.bins.is_empty() || terms.bins.len() == self.ranking.len(),
            "one score for each class"
        );
        match terms.probability {
            Probability::Known { log_loss, brier } => {
                self.probabilities += 1;
                self.log_loss.add(log_loss);
                self.brier.add(brier);
            }
            Probability::OutOfRange => self.out_of_range += 1,
            Probability::Unscored => self.unscored += 1,
            Probability::Missing => {}
        }
        if let Some(term) = terms.calibration {
            let bin = &mut self.calibration[term.bin];
            bin.count += 1;
            bin.hits += u64::from(term.hit);
            bin.score.add(term.score);
        }
        for (class, (ranking, &bin)) in self.ranking.iter_mut().zip(&terms.bins).enumerate() {
            ranking.update(BinnedScore { bin, positive: terms.actual.map(usize::from) == Some(class) });
        }
        if let Some(rank) = terms.rank {
            for (counts, &k) in self.top_k_counts.iter_mut().zip(self.top_k.iter()) {
                counts.ranked += 1;
                counts.hits += u64::from(rank < k);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        assert_eq!(self.ranking.len(), other.ranking.len(), "only tallies of the same classes merge");
        assert_eq!(self.top_k, other.top_k, "only tallies of the same k merge");
        self.probabilities += other.probabilities;
        self.log_loss.merge(&other.log_loss);
        self.brier.merge(&other.brier);
        self.out_of_range += other.out_of_range;
        self.unscored += other.unscored;
        for (ours, theirs) in self.calibration.iter_mut().zip(&other.calibration) {
            ours.count += theirs.count;
            ours.hits += theirs.hits;
            ours.score.merge(&theirs.score);
        }
        self.ranking.iter_mut().zip(&other.ranking).for_each(|(ours, theirs)| ours.merge(theirs));
        for (ours, theirs) in self.top_k_counts.iter_mut().zip(&other.top_k_counts) {
            ours.ranked += theirs.ranked;
            ours.hits += theirs.hits;
        }
    }

    fn reset(&mut self) {
        self.probabilities = 0;
        self.log_loss = Sum::default();
        self.brier = Sum::default();
        self.out_of_range = 0;
        self.unscored = 0;
        self.calibration = [CalibrationBin::default(); CALIBRATION_BINS];
        self.ranking.iter_mut().for_each(ScoreBins::reset);
        self.top_k_counts.fill(TopK::default());
    }

    fn fits(&self, other: &Self) -> bool {
        self.top_k == other.top_k
            && self.top_k_counts.len() == other.top_k_counts.len()
            && self.ranking.len() == other.ranking.len()
            && self.ranking.iter().zip(&other.ranking).all(|(ours, theirs)| ours.fits(theirs))
    }

    fn heap_bytes(&self) -> usize {
        self.ranking.capacity() * size_of::<ScoreBins>()
            + self.ranking.iter().map(ScoreBins::heap_bytes).sum::<usize>()
            + self.top_k_counts.capacity() * size_of::<TopK>()
    }
}

fn is_probability(score: f64) -> bool {
    (0.0..=1.0).contains(&score)
}

fn log_loss(probability_of_actual: f64) -> f64 {
    -probability_of_actual.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN).ln()
}

/// Σ (score − 1 for the actual class, − 0 for the others)², in 0..2 as scikit-learn has it for more than
/// two classes.
fn brier(actual: usize, scores: &[f64]) -> f64 {
    let distances =
        scores.iter().enumerate().map(|(class, &score)| score - f64::from(u8::from(class == actual)));
    distances.map(|distance| distance * distance).sum()
}

/// How many classes come before `actual`; of equal scores the later class comes first, as in
/// scikit-learn's `top_k_accuracy_score`.
fn rank_of(actual: usize, scores: &[f64]) -> u32 {
    let score_of_actual = scores[actual];
    let before = |(class, &score): (usize, &f64)| {
        u32::from(score > score_of_actual) + u32::from(score == score_of_actual && class > actual)
    };
    scores.iter().enumerate().map(before).sum()
}

fn calibration_bin(score: f64) -> usize {
    CALIBRATION_EDGES.iter().map(|&edge| usize::from(edge <= score)).sum()
}

#[cfg(test)]
mod tests;
