//! Errors of a regression model: what its scores are made of.
//!
//! Not a histogram of errors, and no largest error: one bad row would own it for a whole window.
//!
//! Invariant: a pair out of range is in no sum and in no count but its own, so that no sum overflows,
//! however long it runs.

use super::Accumulator;
use super::sum::Sum;

/// Labels and predictions beyond this magnitude are out of range: the square of their error times the
/// number of rows that a counter can hold is still a double.
pub const MAGNITUDE_MAX: f64 = 1e100;

/// Where scikit-learn's mean absolute percentage error stops to divide by smaller labels.
const PERCENTAGE_LABEL_MIN: f64 = f64::EPSILON;

/// A prediction and its label, both finite.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Residual {
    pub prediction: f64,
    pub label: f64,
}

/// Sums over error = prediction − label.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Errors {
    count: u64,
    /// Pairs with a magnitude above `MAGNITUDE_MAX`, left out of everything else.
    out_of_range: u64,
    over: Sum,
    under: Sum,
    squared: Sum,
    percentage: Sum,
    percentage_count: u64,
    labels: Sum,
    squared_labels: Sum,
    label_min: f64,
    label_max: f64,
}

// === impl Errors ===

impl Errors {
    /// Pairs in the sums.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Pairs with a magnitude above `MAGNITUDE_MAX`.
    pub fn out_of_range(&self) -> u64 {
        self.out_of_range
    }

    /// Σ error where the prediction was above the label.
    pub fn over(&self) -> f64 {
        self.over.value()
    }

    /// Σ −error where the prediction was below the label.
    pub fn under(&self) -> f64 {
        self.under.value()
    }

    /// Σ error.
    pub fn sum(&self) -> f64 {
        self.over.minus(self.under)
    }

    /// Σ |error|.
    pub fn absolute(&self) -> f64 {
        let mut absolute = self.over;
        absolute.merge(&self.under);
        absolute.value()
    }

    /// Σ error².
    pub fn squared(&self) -> f64 {
        self.squared.value()
    }

    /// Σ |error| / |label| over the labels that are not zero.
    pub fn percentage(&self) -> f64 {
        self.percentage.value()
    }

    /// Pairs whose label is not zero.
    pub fn percentage_count(&self) -> u64 {
        self.percentage_count
    }

    /// Pairs that the percentage leaves out, their label being zero.
    pub fn zero_labels(&self) -> u64 {
        self.count - self.percentage_count
    }

    /// Σ (label − mean)². Exactly zero where all labels are equal, and only there.
    pub fn label_variation(&self) -> f64 {
        // The sums alone would leave a trace of rounding of a constant label, and R² would divide by it.
        if self.label_min >= self.label_max {
            return 0.0;
        }
        self.squared_labels.centred(self.labels, self.count) / self.count as f64
    }
}

/// No pair yet; the smallest and largest label of none are the identities of min and max.
impl Default for Errors {
    fn default() -> Self {
        Self {
            count: 0,
            out_of_range: 0,
            over: Sum::default(),
            under: Sum::default(),
            squared: Sum::default(),
            percentage: Sum::default(),
            percentage_count: 0,
            labels: Sum::default(),
            squared_labels: Sum::default(),
            label_min: f64::INFINITY,
            label_max: f64::NEG_INFINITY,
        }
    }
}

impl Accumulator for Errors {
    type Input<'a> = Residual;

    fn update(&mut self, Residual { prediction, label }: Residual) {
        // Written so that NaN is out of range too.
        if !(prediction.abs() <= MAGNITUDE_MAX && label.abs() <= MAGNITUDE_MAX) {
            self.out_of_range += 1;
            return;
        }
        let error = prediction - label;
        self.count += 1;
        self.over.add(error.max(0.0));
        self.under.add((-error).max(0.0));
        self.squared.add_product(error, error);
        if label != 0.0 {
            self.percentage.add(error.abs() / label.abs().max(PERCENTAGE_LABEL_MIN));
            self.percentage_count += 1;
        }
        self.labels.add(label);
        self.squared_labels.add_product(label, label);
        self.label_min = self.label_min.min(label);
        self.label_max = self.label_max.max(label);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.out_of_range += other.out_of_range;
        self.over.merge(&other.over);
        self.under.merge(&other.under);
        self.squared.merge(&other.squared);
        self.percentage.merge(&other.percentage);
        self.percentage_count += other.percentage_count;
        self.labels.merge(&other.labels);
        self.squared_labels.merge(&other.squared_labels);
        self.label_min = self.label_min.min(other.label_min);
        self.label_max = self.label_max.max(other.label_max);
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn fits(&self, _other: &Self) -> bool {
        true
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::laws::{assert_close, laws};
    use proptest::prelude::*;

    fn residuals() -> impl Strategy<Value = Vec<Residual>> {
        let label = prop_oneof![-1e6_f64..1e6, Just(0.0), Just(2e100)];
        let residual = (-1e6_f64..1e6, label).prop_map(|(prediction, label)| Residual { prediction, label });
        proptest::collection::vec(residual, 0..60)
    }

    fn errors_of(residuals: impl IntoIterator<Item = Residual>) -> Errors {
        let mut errors = Errors::default();
        residuals.into_iter().for_each(|residual| errors.update(residual));
        errors
    }

    fn assert_same(a: &Errors, b: &Errors) {
        assert_eq!(
            (a.count, a.out_of_range, a.percentage_count),
            (b.count, b.out_of_range, b.percentage_count)
        );
        assert_eq!((a.label_min, a.label_max), (b.label_min, b.label_max));
        for sum in [Errors::over, Errors::under, Errors::absolute, Errors::squared, Errors::percentage] {
            assert_close(sum(a), sum(b));
        }
        assert_close(a.label_variation(), b.label_variation());
        // What cancels is right to the digits of what it cancels from.
        assert!((a.sum() - b.sum()).abs() <= 1e-15 * a.absolute());
    }

    proptest! {
        #[test]
        fn laws_hold(residuals in residuals()) {
            laws(&Errors::default(), &residuals, assert_same);
        }
    }

    #[test]
    fn variation_does_not_feel_an_offset() {
        let offset = |offset: f64| {
            // Multiples of 1/64 stay exact at an offset of 1e8, so both runs see the same labels.
            errors_of(
                (0..1000).map(|i| Residual { prediction: offset, label: offset + f64::from(i % 97) / 64.0 }),
            )
        };
        let reference = offset(0.0).label_variation();
        for distance in [1e8, -1e8, 1e10] {
            let variation = offset(distance).label_variation();
            // 1e10 from a spread of 0.4 costs 21 of the 32 digits.
            assert!((variation / reference - 1.0).abs() < 1e-9, "{variation} against {reference}");
        }
    }

    #[test]
    fn equal_labels_have_no_variation_at_all() {
        let errors = errors_of((0..1001).map(|_| Residual { prediction: 1.0, label: 0.1 }));
        assert_eq!(errors.label_variation(), 0.0);
    }

    #[test]
    fn a_pair_out_of_range_is_counted_and_disturbs_nothing() {
        let fine = Residual { prediction: 3.0, label: 1.0 };
        let huge = Residual { prediction: 1e101, label: 1.0 };
        let errors = errors_of([fine, huge]);
        assert_eq!((errors.count(), errors.out_of_range()), (1, 1));
        assert_eq!((errors.over(), errors.under(), errors.squared()), (2.0, 0.0, 4.0));
    }

    #[test]
    fn a_label_of_zero_is_left_out_of_the_percentage() {
        let errors =
            errors_of([Residual { prediction: 5.0, label: 0.0 }, Residual { prediction: 1.5, label: -1.0 }]);
        assert_eq!((errors.percentage(), errors.percentage_count(), errors.zero_labels()), (2.5, 1, 1));
    }
}
