//! Formulas over the errors of a regression model.
//!
//! Error is prediction − label. While a window holds a pair that is out of range (beyond 1e100) all of them
//! are undefined, as the sums leave it out and would show a model better than it was.

use super::mean;
use crate::accumulator::errors::Errors;

pub fn mean_squared_error(errors: &Errors) -> Option<f64> {
    mean(errors.squared(), count(errors))
}

pub fn root_mean_squared_error(errors: &Errors) -> Option<f64> {
    mean_squared_error(errors).map(f64::sqrt)
}

pub fn mean_absolute_error(errors: &Errors) -> Option<f64> {
    mean(errors.absolute(), count(errors))
}

/// Mean of |error| / |label| over the labels that are not zero.
pub fn mean_absolute_percentage_error(errors: &Errors) -> Option<f64> {
    if count(errors) == 0 {
        return None;
    }
    mean(errors.percentage(), errors.percentage_count())
}

/// Mean error: above zero where the model says too much.
pub fn bias(errors: &Errors) -> Option<f64> {
    mean(errors.sum(), count(errors))
}

/// 1 − Σ error² / Σ (label − mean)²; undefined where all labels are equal.
pub fn r2(errors: &Errors) -> Option<f64> {
    if count(errors) == 0 {
        return None;
    }
    // Equal labels have a variation of exactly zero, and the quotient is not finite.
    Some(1.0 - errors.squared() / errors.label_variation()).filter(|r2| r2.is_finite())
}

/// The pairs that a mean is over; none where the sums do not hold them all.
fn count(errors: &Errors) -> u64 {
    if errors.out_of_range() == 0 { errors.count() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulator::Accumulator;
    use crate::accumulator::errors::Residual;

    const SCORES: [fn(&Errors) -> Option<f64>; 6] = [
        mean_squared_error,
        root_mean_squared_error,
        mean_absolute_error,
        mean_absolute_percentage_error,
        bias,
        r2,
    ];

    fn errors_of(pairs: &[(f64, f64)]) -> Errors {
        let mut errors = Errors::default();
        pairs.iter().for_each(|&(prediction, label)| errors.update(Residual { prediction, label }));
        errors
    }

    #[test]
    fn nothing_has_no_score() {
        assert_eq!(SCORES.map(|score| score(&Errors::default())), [None; 6]);
    }

    #[test]
    fn a_pair_out_of_range_unsets_all() {
        let pairs = [(1.0, 2.0), (4.0, 3.0), (1e200, 3.0)];
        assert!(SCORES.iter().all(|score| score(&errors_of(&pairs[..2])).is_some()));
        assert_eq!(SCORES.map(|score| score(&errors_of(&pairs))), [None; 6]);
    }

    #[test]
    fn a_constant_label_has_no_r2_and_labels_of_zero_no_percentage() {
        let errors = errors_of(&[(0.5, 0.0), (1.0, 0.0)]);
        assert_eq!((r2(&errors), mean_absolute_percentage_error(&errors)), (None, None));
        assert_eq!(mean_absolute_error(&errors), Some(0.75));
        assert_eq!(r2(&errors_of(&[(0.1, 0.1), (0.1, 0.1), (0.1, 0.1)])), None);
    }

    #[test]
    fn values_at_the_ends_of_the_range_give_a_number_or_nothing() {
        for magnitude in [1e100, 1e-100, f64::MIN_POSITIVE] {
            let errors = errors_of(&[(magnitude, -magnitude), (-magnitude, magnitude), (0.0, magnitude)]);
            assert!(SCORES.iter().filter_map(|score| score(&errors)).all(f64::is_finite), "{magnitude}");
        }
    }
}
