//! States that many observations fold into, and that fold into each other. No time, no names, no logs.
//!
//! Invariant: a state only ever grows or is reset. Nothing can be taken out of one, so no rounding and no
//! bad value outlives the slot of time that saw it.

pub mod sum;
pub mod classes;
pub mod cells;
pub mod errors;
pub mod histogram;
pub mod ranking;
pub mod scores;

#[cfg(test)]
pub(crate) mod laws;

/// State that many observations fold into, and that folds into itself.
///
/// Laws, checked for every implementation (exact for counts, within the stated rounding for sums): merge is
/// associative and commutative, a reset state is its identity, and folding a sequence equals merging the
/// folds of its parts.
pub trait Accumulator: Clone {
    /// One observation.
    type Input<'a>: Copy;
    fn update(&mut self, input: Self::Input<'_>);
    fn merge(&mut self, other: &Self);
    /// Back to the identity. Keeps capacity: sliding a window allocates nothing.
    fn reset(&mut self);
    /// Heap bytes held, by capacity and not by length.
    fn heap_bytes(&self) -> usize;
    /// Whether `other` is whole and of the same shape, so that it merges into this one. Always so for states
    /// that were made alike; to be asked of one that was read from bytes.
    fn fits(&self, other: &Self) -> bool;
}

/// One labelled prediction of a classifier. Classes are small indices; a state makes room for the highest.
#[derive(Clone, Copy, Debug)]
pub struct ClassOutcome<'a> {
    pub predicted: u16,
    pub actual: u16,
    /// Decided before either class was folded into `__other__`; otherwise `predicted == actual`.
    pub correct: bool,
    /// Binary: the score of the positive class. Multiclass: that of the predicted class.
    pub score: Option<f64>,
    /// Multiclass: one score for each scored class, or empty where any is missing or not finite.
    pub scores: &'a [f64],
    /// Multiclass: where `actual` stands in `scores`, if it is scored at all.
    pub actual_score: Option<u16>,
    /// Binary: whether `actual` is the positive class.
    pub positive: bool,
}
