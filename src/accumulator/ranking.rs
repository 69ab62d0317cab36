//! Scores of positives and negatives by bin: what is kept of how well a score ranks.
//!
//! Not exact: within a bin the order of scores is lost, and `score::ranking` says how much that can matter.
//! 1024 bins equispaced in logit resolve the ends, where the scores of rare events live; equal widths would
//! err by a third on one positive in a thousand.
//!
//! Invariant: a higher score never has a lower bin, to the last bit, or the bounds would not hold. So bins
//! are found by comparing with edges and not by computing a logarithm, which promises no order.

use std::sync::LazyLock;

use super::Accumulator;
use crate::limits::{SCORE_BINS, SCORE_LOGIT_MAX};

/// Bins that are kept as a list before all of them are laid out: 3 KiB of 16, and few enough that
/// insertion in order costs less than a cache miss.
const SPARSE_BINS_MAX: usize = 128;

/// Equal widths in which a score looks up where among the edges to compare: all but those at the ends hold
/// one edge at most.
const CELLS: usize = 1024;

static EDGES: LazyLock<Edges> = LazyLock::new(Edges::new);

/// Where the bins part.
struct Edges {
    /// The lowest score of every bin but the first, ascending.
    edges: Vec<f64>,
    /// By cell: how many edges are in the cells below. One more than there are cells.
    below: Vec<u16>,
}

/// Positives and negatives by bin of their score.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct ScoreBins {
    /// Bins in use, ascending; empty once `dense` is laid out.
    sparse: Vec<Bin>,
    /// All bins: negatives, positives. Empty while `sparse` suffices.
    dense: Vec<[u64; 2]>,
}

/// What one bin holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Bin {
    pub index: u16,
    pub negatives: u64,
    pub positives: u64,
}

/// A score, as `ScoreBins` keeps it, and whether it was that of a positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BinnedScore {
    /// As `bin_of` gives it.
    pub bin: u16,
    pub positive: bool,
}

/// The bin of a score. Scores at or beyond the ends, also those outside 0..1, are in the end bins.
pub fn bin_of(score: f64) -> u16 {
    let Edges { edges, below } = &*EDGES;
    let cell = cell_of(score);
    let (first, last) = (below[cell], below[cell + 1]);
    let within = &edges[usize::from(first)..usize::from(last)];
    first + within.partition_point(|&edge| edge <= score) as u16
}

/// The cell of a score. Scaling by a power of two and cutting off keep the order, so that edges in a cell
/// below are lower than the score, and those in a cell above are higher.
fn cell_of(score: f64) -> usize {
    ((score * CELLS as f64) as usize).min(CELLS - 1)
}

// === impl Edges ===

impl Edges {
    fn new() -> Self {
        let step = 2.0 * SCORE_LOGIT_MAX / SCORE_BINS as f64;
        let edges: Vec<f64> =
            (1..SCORE_BINS).map(|bin| sigmoid(bin as f64 * step - SCORE_LOGIT_MAX)).collect();
        let below = (0..=CELLS).map(|cell| edges.partition_point(|&edge| cell_of(edge) < cell) as u16);
        Self { below: below.collect(), edges }
    }
}

// === impl ScoreBins ===

impl ScoreBins {
    /// All bins laid out. Sparse ones never take as much, also while they become dense.
    pub const HEAP_BYTES_MAX: usize = SCORE_BINS * size_of::<[u64; 2]>();

    /// The bins that hold anything, by ascending score.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Bin> + '_ {
        let dense = self.dense.iter().enumerate().map(|(index, &[negatives, positives])| Bin {
            index: index as u16,
            negatives,
            positives,
        });
        self.sparse.iter().copied().chain(dense).filter(|bin| bin.negatives | bin.positives != 0)
    }

    fn add(&mut self, index: u16, counts: [u64; 2]) {
        if self.dense.is_empty() {
            self.add_sparse(index, counts);
        } else {
            add_counts(&mut self.dense[usize::from(index)], counts);
        }
    }

    fn add_sparse(&mut self, index: u16, [negatives, positives]: [u64; 2]) {
        match self.sparse.binary_search_by_key(&index, |bin| bin.index) {
            Ok(at) => {
                self.sparse[at].negatives += negatives;
                self.sparse[at].positives += positives;
            }
            Err(at) if self.sparse.len() < SPARSE_BINS_MAX => {
                self.sparse.insert(at, Bin { index, negatives, positives });
            }
            Err(_) => {
                self.lay_out();
                add_counts(&mut self.dense[usize::from(index)], [negatives, positives]);
            }
        }
    }

    #[cold]
    fn lay_out(&mut self) {
        self.dense = vec![[0, 0]; SCORE_BINS];
        for bin in std::mem::take(&mut self.sparse) {
            self.dense[usize::from(bin.index)] = [bin.negatives, bin.positives];
        }
    }
}

impl Accumulator for ScoreBins {
    type Input<'a> = BinnedScore;

    fn update(&mut self, score: BinnedScore) {
        self.add(score.bin, [u64::from(!score.positive), u64::from(score.positive)]);
    }

    fn merge(&mut self, other: &Self) {
        for bin in &other.sparse {
            self.add(bin.index, [bin.negatives, bin.positives]);
        }
        if other.dense.is_empty() {
            return;
        }
        if self.dense.is_empty() {
            self.lay_out();
        }
        for (ours, &theirs) in self.dense.iter_mut().zip(&other.dense) {
            add_counts(ours, theirs);
        }
    }

    fn reset(&mut self) {
        self.sparse.clear();
        self.dense.fill([0, 0]);
    }

    fn fits(&self, other: &Self) -> bool {
        let is_sorted = other.sparse.is_sorted_by(|low, high| low.index < high.index);
        let is_within = other.sparse.last().is_none_or(|bin| usize::from(bin.index) < SCORE_BINS);
        let is_laid_out =
            other.dense.is_empty() || (other.dense.len() == SCORE_BINS && other.sparse.is_empty());
        is_sorted && is_within && is_laid_out && other.sparse.len() <= SPARSE_BINS_MAX
    }

    fn heap_bytes(&self) -> usize {
        self.sparse.capacity() * size_of::<Bin>() + self.dense.capacity() * size_of::<[u64; 2]>()
    }
}

fn add_counts(counts: &mut [u64; 2], [negatives, positives]: [u64; 2]) {
    counts[0] += negatives;
    counts[1] += positives;
}

/// The score whose logit is `logit`; the small end is computed as such and not as 1 minus the other.
fn sigmoid(logit: f64) -> f64 {
    if logit < 0.0 {
        let odds = logit.exp();
        odds / (1.0 + odds)
    } else {
        1.0 / (1.0 + (-logit).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::laws::laws;
    use proptest::prelude::*;

    fn assert_same(a: &ScoreBins, b: &ScoreBins) {
        assert!(a.iter().eq(b.iter()), "{a:?} is not {b:?}");
    }

    fn binned(scores: impl IntoIterator<Item = (f64, bool)>) -> Vec<BinnedScore> {
        scores.into_iter().map(|(score, positive)| BinnedScore { bin: bin_of(score), positive }).collect()
    }

    fn bins_of(scores: &[BinnedScore]) -> ScoreBins {
        let mut bins = ScoreBins::default();
        scores.iter().for_each(|&score| bins.update(score));
        bins
    }

    #[test]
    fn bins_are_equispaced_in_logit() {
        for (logit, bin) in [(-11.99, 0), (-0.001, 511), (0.001, 512), (11.99, 1023)] {
            assert_eq!(bin_of(sigmoid(logit)), bin, "{logit}");
        }
        assert_eq!(bin_of(0.5), 512, "a score on an edge belongs to the bin above");
        assert!(EDGES.edges.is_sorted_by(|low, high| low < high));
    }

    #[test]
    fn scores_beyond_the_ends_are_in_the_end_bins() {
        for score in [0.0, -0.0, -3.0, 1e-9, f64::MIN] {
            assert_eq!(bin_of(score), 0, "{score}");
        }
        for score in [1.0, 7.0, 1.0 - 1e-9, f64::MAX] {
            assert_eq!(bin_of(score), 1023, "{score}");
        }
    }

    #[test]
    fn a_few_distinct_scores_cost_little_and_many_cost_the_whole_layout() {
        let few = bins_of(&binned((0..100_000).map(|i| (f64::from(i % 10) / 10.0, i % 3 == 0))));
        assert!(few.heap_bytes() <= 16 * size_of::<Bin>());
        let many = bins_of(&binned((0..1000).map(|i| (f64::from(i) / 1000.0, true))));
        assert_eq!(many.heap_bytes(), 16 * 1024);
    }

    proptest! {
        #[test]
        fn a_bin_is_the_number_of_edges_up_to_its_scores(score in -0.5_f64..1.5, edge in 0..SCORE_BINS - 1, ulp in -1_i64..2) {
            let by_edge = f64::from_bits(EDGES.edges[edge].to_bits().wrapping_add_signed(ulp));
            for score in [score, by_edge, score.powi(20)] {
                prop_assert_eq!(usize::from(bin_of(score)), EDGES.edges.partition_point(|&edge| edge <= score));
            }
        }

        #[test]
        fn a_higher_score_has_no_lower_bin(a in -0.5_f64..1.5, b in -0.5_f64..1.5, ulps in 0u64..3) {
            prop_assert_eq!(a.min(b) == a, bin_of(a) <= bin_of(b) && a <= b);
            let next = f64::from_bits(a.abs().to_bits() + ulps);
            prop_assert!(bin_of(a.abs()) <= bin_of(next));
        }

        #[test]
        fn laws_hold(scores in proptest::collection::vec((0.0_f64..1.0, any::<bool>()), 0..60)) {
            laws(&ScoreBins::default(), &binned(scores), assert_same);
        }

        /// Thirds of 300 are sparse and the whole is dense, so every kind meets every other.
        #[test]
        fn laws_hold_across_the_layouts(scores in proptest::collection::vec((0.0_f64..1.0, any::<bool>()), 250..350)) {
            laws(&ScoreBins::default(), &binned(scores), assert_same);
        }
    }
}
