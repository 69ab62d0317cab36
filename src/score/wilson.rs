//! The Wilson score interval of a ratio, at 95 %.
//!
//! Not the normal approximation, which leaves 0..1 and has no width at a ratio of 1, where good models are.
//! Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
//!
//! Invariant: 0 ≤ lower ≤ ratio ≤ upper ≤ 1.

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Where a ratio lies with 95 % confidence.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    pub lower: f64,
    pub upper: f64,
}

/// The interval of `part` out of `whole`; `None` where `whole` is zero.
pub fn interval(part: u64, whole: u64) -> Option<Interval> {
    assert!(part <= whole, "a part is within its whole");
    if whole == 0 {
        return None;
    }
    let count = whole as f64;
    let ratio = part as f64 / count;
    let rest = (whole - part) as f64 / count;
    let shrink = 1.0 + Z * Z / count;
    let centre = (ratio + Z * Z / (2.0 * count)) / shrink;
    let half_width = Z * (ratio * rest / count + Z * Z / (4.0 * count * count)).sqrt() / shrink;
    // At the ends one bound is the ratio itself, which rounding must not pass.
    let lower = if part == 0 { 0.0 } else { (centre - half_width).clamp(0.0, ratio) };
    let upper = if part == whole { 1.0 } else { (centre + half_width).clamp(ratio, 1.0) };
    Some(Interval { lower, upper })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_has_no_interval_and_the_ends_are_exact() {
        assert_eq!(interval(0, 0), None);
        assert_eq!(interval(0, 7).unwrap().lower, 0.0);
        assert_eq!(interval(7, 7).unwrap().upper, 1.0);
    }

    proptest! {
        #[test]
        fn the_interval_contains_the_ratio_and_stays_within_0_and_1(whole in 1u64..=u64::MAX, share in 0.0_f64..=1.0) {
            let part = ((whole as f64 * share) as u64).min(whole);
            let ratio = part as f64 / whole as f64;
            let Interval { lower, upper } = interval(part, whole).unwrap();
            prop_assert!(0.0 <= lower && lower <= ratio && ratio <= upper && upper <= 1.0);
        }

        #[test]
        fn what_is_left_has_the_mirrored_interval(whole in 1u64..1_000_000, part in 0u64..1_000_000) {
            let part = part.min(whole);
            let (a, b) = (interval(part, whole).unwrap(), interval(whole - part, whole).unwrap());
            // A few roundings of numbers below 1.
            prop_assert!((a.lower - (1.0 - b.upper)).abs() < 1e-14);
            prop_assert!((a.upper - (1.0 - b.lower)).abs() < 1e-14);
        }

        #[test]
        fn more_of_the_same_narrows_it(whole in 1u64..100_000, part in 0u64..100_000) {
            let part = part.min(whole);
            let (one, ten) = (interval(part, whole).unwrap(), interval(10 * part, 10 * whole).unwrap());
            prop_assert!(ten.upper - ten.lower < one.upper - one.lower);
        }
    }
}
