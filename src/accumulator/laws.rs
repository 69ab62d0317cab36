//! The laws of `Accumulator`, for any implementation, and the inputs that several of its tests share.
//!
//! Compiled for tests only.

use proptest::prelude::*;

use super::{Accumulator, ClassOutcome};

/// Predicted class, actual class, correct.
pub(crate) type ClassTriple = (u16, u16, bool);

/// Checks every law on one sequence of inputs, cut at every third of it. `assert_same` panics where two
/// states differ: exactly for counts, within the stated rounding for sums.
pub(crate) fn laws<A: Accumulator>(prototype: &A, inputs: &[A::Input<'_>], assert_same: impl Fn(&A, &A)) {
    let fold = |inputs: &[A::Input<'_>]| {
        let mut state = prototype.clone();
        inputs.iter().for_each(|&input| state.update(input));
        state
    };
    let merge = |a: &A, b: &A| {
        let mut merged = a.clone();
        merged.merge(b);
        merged
    };
    let whole = fold(inputs);
    let (first, second) = (inputs.len() / 3, inputs.len() * 2 / 3);
    let (a, b, c) = (fold(&inputs[..first]), fold(&inputs[first..second]), fold(&inputs[second..]));

    assert_same(&merge(&merge(&a, &b), &c), &whole);
    assert_same(&merge(&a, &merge(&b, &c)), &whole);
    assert_same(&merge(&merge(&c, &b), &a), &whole);
    assert_same(&merge(&whole, prototype), &whole);
    assert_same(&merge(prototype, &whole), &whole);

    let mut reset = whole.clone();
    let held = reset.heap_bytes();
    reset.reset();
    assert_same(&reset, prototype);
    assert_same(&merge(&reset, &whole), &whole);
    assert_eq!(reset.heap_bytes(), held, "a reset keeps capacity");
    for &input in inputs {
        reset.update(input);
        assert_eq!(reset.heap_bytes(), held, "what was held once suffices for the same inputs");
    }
    assert_same(&reset, &whole);
}

/// Two sums of the same terms in different orders: the bound of `Sum` is far below the last digit, so only
/// its rounding may differ.
#[track_caller]
pub(crate) fn assert_close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-15 * a.abs().max(b.abs()), "{a} is not {b}");
}

/// Outcomes among `classes` classes, of which `folded` may be wrong although predicted is actual.
pub(crate) fn class_outcomes(classes: u16, folded: u16) -> impl Strategy<Value = Vec<ClassTriple>> {
    let outcome = (0..classes, 0..classes, any::<bool>()).prop_map(move |(predicted, actual, right)| {
        (predicted, actual, predicted == actual && (right || actual != folded))
    });
    proptest::collection::vec(outcome, 0..80)
}

pub(crate) fn class_outcome((predicted, actual, correct): ClassTriple) -> ClassOutcome<'static> {
    ClassOutcome { predicted, actual, correct, score: None, scores: &[], actual_score: None, positive: false }
}
