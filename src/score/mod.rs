//! Formulas: pure functions of accumulators.
//!
//! No state, no time, no names of metrics. Definitions are scikit-learn's, with one difference: where a
//! denominator is zero the value is undefined, also where scikit-learn puts a number, and an average leaves
//! out the class and its weight (`zero_division=nan`).
//!
//! Invariant: `None` or a finite number. Nothing here returns NaN.

pub mod wilson;
pub mod classification;
pub mod regression;
pub mod probability;
pub mod ranking;

#[cfg(test)]
mod oracle;

/// How values of classes become one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Average {
    /// The mean over classes.
    Macro,
    /// The value of all classes' counts together.
    Micro,
    /// The mean over classes, each weighted by how often it was actual.
    Weighted,
}

/// An estimate, and how far the true value can be from it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    pub value: f64,
    pub error_bound: f64,
}

// === impl Average ===

impl Average {
    pub const ALL: [Self; 3] = [Self::Macro, Self::Micro, Self::Weighted];

    /// The value of the `average` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Macro => "macro",
            Self::Micro => "micro",
            Self::Weighted => "weighted",
        }
    }
}

/// `None` where there is nothing to divide by.
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// `None` over nothing; a sum that is not finite has no mean either.
fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64).filter(|mean| mean.is_finite())
}
