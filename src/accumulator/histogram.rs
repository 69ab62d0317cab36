//! Counts of values by bucket, with fixed bounds.
//!
//! Not cumulative: the exposition adds up, once a scrape instead of once a value.
//!
//! Invariant: one count more than there are bounds; the last is what lies above the highest.

use std::sync::Arc;

use super::Accumulator;
use super::sum::Sum;

/// Values by bucket. A value equal to a bound is in that bound's bucket (`le`).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Histogram {
    bounds: Arc<[f64]>,
    counts: Vec<u64>,
    sum: Sum,
}

/// Up to here comparing with all bounds, several at once, beats a search, whose every step is a guess.
const COMPARED_BOUNDS_MAX: usize = 32;

// === impl Histogram ===

impl Histogram {
    /// `bounds` ascend and are finite; the bucket up to infinity comes by itself.
    pub fn new(bounds: Arc<[f64]>) -> Self {
        assert!(bounds.is_sorted_by(|low, high| low < high), "bounds of a histogram ascend");
        let counts = vec![0; bounds.len() + 1];
        Self { bounds, counts, sum: Sum::default() }
    }

    /// Holds these bounds in place of equal ones of its own: histograms of one family share them.
    pub fn share_bounds(&mut self, bounds: &Arc<[f64]>) {
        assert_eq!(self.bounds, *bounds, "shared bounds are the same bounds");
        self.bounds = bounds.clone();
    }

    /// Counts one finite value, and says in which of `counts`.
    pub fn observe(&mut self, value: f64) -> usize {
        let bucket = self.bucket(value);
        self.counts[bucket] += 1;
        self.sum.add(value);
        bucket
    }

    fn bucket(&self, value: f64) -> usize {
        if self.bounds.len() > COMPARED_BOUNDS_MAX {
            return self.bounds.partition_point(|&bound| bound < value);
        }
        self.bounds.iter().map(|&bound| usize::from(bound < value)).sum()
    }

    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// One count for each bound and one for what lies above, each bucket for itself.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn sum(&self) -> f64 {
        self.sum.value()
    }
}

impl Accumulator for Histogram {
    type Input<'a> = f64;

    fn update(&mut self, value: f64) {
        self.observe(value);
    }

    fn merge(&mut self, other: &Self) {
        assert_eq!(self.bounds, other.bounds, "only histograms with the same bounds merge");
        self.counts.iter_mut().zip(&other.counts).for_each(|(ours, theirs)| *ours += theirs);
        self.sum.merge(&other.sum);
    }

    fn reset(&mut self) {
        self.counts.fill(0);
        self.sum = Sum::default();
    }

    fn fits(&self, other: &Self) -> bool {
        self.bounds == other.bounds && other.counts.len() == other.bounds.len() + 1
    }

    /// Without the bounds, which all histograms of a family share.
    fn heap_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::laws::{assert_close, laws};
    use proptest::prelude::*;

    fn histogram() -> Histogram {
        Histogram::new(Arc::new([0.1, 1.0, 10.0]))
    }

    #[test]
    fn a_value_on_a_bound_is_within_it() {
        let mut histogram = histogram();
        for value in [-1.0, 0.1, 0.100_001, 1.0, 10.0, 10.1, 1e300] {
            histogram.observe(value);
        }
        assert_eq!(histogram.counts(), [2, 2, 1, 2]);
        assert_eq!(histogram.count(), 7);
    }

    #[test]
    fn a_bucket_does_not_depend_on_how_many_there_are() {
        for length in [1, 31, 32, 33, 100] {
            let bounds: Vec<f64> = (0..length).map(f64::from).collect();
            let mut histogram = Histogram::new(bounds.into());
            for value in 0..length {
                assert_eq!(histogram.observe(f64::from(value)), value as usize);
                assert_eq!(histogram.observe(f64::from(value) + 0.5), value as usize + 1);
            }
        }
    }

    #[test]
    fn without_bounds_everything_is_in_the_last_bucket() {
        let mut histogram = Histogram::new(Arc::new([]));
        histogram.observe(3.0);
        assert_eq!((histogram.counts(), histogram.sum()), (&[1][..], 3.0));
    }

    #[test]
    #[should_panic(expected = "ascend")]
    fn bounds_that_do_not_ascend_are_refused() {
        Histogram::new(Arc::new([1.0, 1.0]));
    }

    proptest! {
        #[test]
        fn laws_hold(values in proptest::collection::vec(0.0_f64..20.0, 0..60)) {
            laws(&histogram(), &values, |a, b| {
                assert_eq!(a.counts, b.counts);
                assert_close(a.sum(), b.sum());
            });
        }
    }
}
