//! A sum of doubles kept as two of them, so that its value does not depend on the order of its terms.
//!
//! Not exact: with u = 2⁻⁵³, every step errs by at most 3.1·u² of the partial sum (Joldes, Muller and
//! Popescu 2017, "Tight and rigorous error bounds for basic building blocks of double-word arithmetic",
//! algorithms 4 and 6), so n terms are off by at most 4·n·2⁻¹⁰⁶·Σ|x| before the rounding to a double: a
//! billion terms keep 22 digits of Σ|x|. Products of magnitudes in 1e-140..1e140 enter without error.
//!
//! Invariant: |low| ≤ ½ ulp(high), and both are finite: a sum beyond the range of a double stays at its end.

/// Σx or Σa·b, within 4·n·2⁻¹⁰⁶·Σ|x| before the last rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sum {
    high: f64,
    low: f64,
}

// === impl Sum ===

impl Sum {
    /// Adds a finite number.
    pub fn add(&mut self, term: f64) {
        debug_assert!(term.is_finite(), "values that are not finite are turned away before they are summed");
        let (sum, error) = two_sum(self.high, term);
        self.replace(sum, error + self.low, sum);
    }

    /// Adds a·b without rounding the product first.
    pub fn add_product(&mut self, a: f64, b: f64) {
        let (high, low) = two_product(a, b);
        self.merge(&Self { high, low });
    }

    pub fn merge(&mut self, other: &Self) {
        let (sum, error) = two_sum(self.high, other.high);
        let (low, low_error) = two_sum(self.low, other.low);
        let (high, rest) = fast_two_sum(sum, error + low);
        self.replace(high, low_error + rest, sum);
    }

    /// The nearest double.
    pub fn value(self) -> f64 {
        self.high
    }

    /// The difference, rounded to a double only at the end.
    pub fn minus(self, other: Self) -> f64 {
        let mut difference = self;
        difference.merge(&Self { high: -other.high, low: -other.low });
        difference.value()
    }

    /// n·Σx² − (Σx)² for `self` = Σx² and `total` = Σx: n times the sum of squares about the mean, never
    /// negative. Off by at most 20·2⁻¹⁰⁶·n·Σx², beside what the two sums are off by: of 32 digits it loses
    /// twice as many as the mean has more than the deviations from it.
    pub fn centred(self, total: Self, count: u64) -> f64 {
        self.times(count as f64).minus(total.squared()).max(0.0)
    }

    fn times(self, factor: f64) -> Self {
        let (product, error) = two_product(self.high, factor);
        Self::normalised(product, error + self.low * factor)
    }

    fn squared(self) -> Self {
        let (product, error) = two_product(self.high, self.high);
        Self::normalised(product, error + 2.0 * (self.high * self.low))
    }

    fn normalised(high: f64, low: f64) -> Self {
        let (high, low) = fast_two_sum(high, low);
        Self { high, low }
    }

    /// `plain` is the sum of the doubles alone: which end it is at where the rest has no value any more.
    fn replace(&mut self, high: f64, low: f64, plain: f64) {
        let (sum, error) = fast_two_sum(high, low);
        if sum.is_finite() && error.is_finite() {
            *self = Self { high: sum, low: error };
        } else {
            self.saturate(plain);
        }
    }

    /// A counter must not become infinite, nor NaN when the other infinity follows.
    #[cold]
    fn saturate(&mut self, plain: f64) {
        if !plain.is_nan() {
            *self = Self { high: plain.clamp(f64::MIN, f64::MAX), low: 0.0 };
        }
    }
}

/// a + b and what rounding took from it, exactly (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

/// As `two_sum`, for |a| ≥ |b| or a = 0 (Dekker).
fn fast_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// a·b and what rounding took from it, exactly while nothing under- or overflows (Dekker). Without the
/// fused multiply-add that the baseline of our targets lacks.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    let (a_high, a_low) = split(a);
    let (b_high, b_low) = split(b);
    let error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    (product, if error.is_finite() { error } else { 0.0 })
}

/// Two halves of at most 26 bits (Veltkamp), so that their products are exact.
fn split(a: f64) -> (f64, f64) {
    const SPLITTER: f64 = ((1_u64 << 27) + 1) as f64;
    let shifted = SPLITTER * a;
    let high = shifted - (shifted - a);
    (high, a - high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Integers up to 2⁴⁰ scaled by a power of two: their sums and products are exact in an i128.
    fn scaled_integers() -> impl Strategy<Value = Vec<i64>> {
        proptest::collection::vec(-(1_i64 << 40)..(1_i64 << 40), 0..200)
    }

    fn sum_of(terms: impl IntoIterator<Item = f64>) -> Sum {
        let mut sum = Sum::default();
        terms.into_iter().for_each(|term| sum.add(term));
        sum
    }

    #[test]
    fn small_terms_survive_large_ones_that_cancel() {
        assert_eq!(sum_of([1e16, 1.0, -1e16]).value(), 1.0);
        assert_eq!(sum_of([1.0, 1e30, 1.0, -1e30]).value(), 2.0);
    }

    #[test]
    fn ten_tenths_are_one() {
        assert_ne!((0..10).map(|_| 0.1).sum::<f64>(), 1.0);
        assert_eq!(sum_of([0.1; 10]).value(), 1.0);
    }

    #[test]
    fn a_sum_stays_at_the_end_of_the_range() {
        let mut sum = sum_of([f64::MAX, f64::MAX]);
        assert_eq!(sum.value(), f64::MAX);
        sum.merge(&sum_of([f64::MIN, f64::MIN]));
        assert_eq!(sum.value(), 0.0);
        let mut product = Sum::default();
        product.add_product(1e200, 1e200);
        assert_eq!(product.value(), f64::MAX);
    }

    proptest! {
        #[test]
        fn sums_of_integers_are_exact(terms in scaled_integers()) {
            let exact: i128 = terms.iter().map(|&term| i128::from(term)).sum();
            prop_assert_eq!(sum_of(terms.iter().map(|&term| term as f64 * 0.125)).value(), exact as f64 * 0.125);
        }

        #[test]
        fn sums_of_products_of_integers_are_exact(terms in scaled_integers()) {
            let mut sum = Sum::default();
            let mut exact: i128 = 0;
            for pair in terms.windows(2) {
                sum.add_product(pair[0] as f64, pair[1] as f64);
                exact += i128::from(pair[0]) * i128::from(pair[1]);
            }
            prop_assert_eq!(sum.value(), exact as f64);
        }

        #[test]
        fn the_order_of_terms_is_not_seen(terms in proptest::collection::vec(-1e12_f64..1e12, 1..100), at in 0usize..100) {
            let forward = sum_of(terms.iter().copied());
            let backward = sum_of(terms.iter().rev().copied());
            let at = at.min(terms.len());
            let mut parts = sum_of(terms[at..].iter().copied());
            parts.merge(&sum_of(terms[..at].iter().copied()));
            // The stated bound, for both sums that are compared.
            let bound = 8.0 * terms.len() as f64 * 2f64.powi(-106) * terms.iter().map(|x| x.abs()).sum::<f64>();
            prop_assert!(forward.minus(backward).abs() <= bound);
            prop_assert!(forward.minus(parts).abs() <= bound);
        }

        /// At large offsets the sums need both doubles, and what is left of them is small.
        #[test]
        fn the_centred_sum_keeps_what_does_not_cancel(
            terms in proptest::collection::vec(-1000_i64..1000, 1..50),
            offset in prop_oneof![-1000_i64..1000, -(1_i64 << 50)..(1_i64 << 50)],
        ) {
            let mut total = Sum::default();
            let mut squares = Sum::default();
            for &term in &terms {
                total.add((term + offset) as f64);
                squares.add_product((term + offset) as f64, (term + offset) as f64);
            }
            let count = terms.len() as i128;
            let sum: i128 = terms.iter().map(|&term| i128::from(term)).sum();
            let square_sum: i128 = terms.iter().map(|&term| i128::from(term).pow(2)).sum();
            let exact = (count * square_sum - sum * sum) as f64;
            // The stated bound, and the last rounding.
            let bound = 20.0 * 2f64.powi(-106) * count as f64 * squares.value() + exact * f64::EPSILON;
            prop_assert!((squares.centred(total, count as u64) - exact).abs() <= bound);
        }
    }
}
