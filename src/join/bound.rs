//! The most memory that a join can come to, from its limit. Not what it holds: that is `Join::heap_bytes`.

use super::entry::{Entry, PLACES_MIN};
use super::queue::Links;
use super::{Config, Join};

/// Of the hash table: what a slot holds, its control byte, and the control bytes repeated at its end.
const SLOT_BYTES: usize = size_of::<u32>() + 1;
const GROUP_BYTES: usize = 16;

// === impl Join ===

impl Join {
    /// What a full table holds: entries with links, slices and scores, halves where any log brings them, and
    /// the index.
    pub fn heap_bytes_max(
        config: &Config,
        slice_count: usize,
        score_count: usize,
        has_halves: bool,
    ) -> usize {
        let places = places(config);
        let halves = if has_halves { size_of::<(f64, Option<u16>)>() } else { 0 };
        let entry = size_of::<Entry>()
            + size_of::<Links>()
            + slice_count * size_of::<u16>()
            + score_count * size_of::<f64>()
            + halves;
        places.saturating_mul(entry).saturating_add(index_bytes(places))
    }

    /// What growing takes on top for a moment: the old index, half of the new one, or the entries where they
    /// must move. Beyond `moved_bytes_max` memory is not copied but mapped elsewhere.
    pub fn growth_bytes_max(config: &Config, moved_bytes_max: usize) -> usize {
        let places = places(config);
        (index_bytes(places) / 2).max(places.saturating_mul(size_of::<Entry>()).min(moved_bytes_max))
    }
}

/// Places that are made: never for more than may be held, but some at a time while there are few.
fn places(config: &Config) -> usize {
    config.max_pending.max(PLACES_MIN)
}

/// A power of two of slots, of which an eighth stays free. Where entries come and go the marks that removed
/// ones leave behind make it grow once more; then there are so many slots that clearing the marks suffices.
fn index_bytes(places: usize) -> usize {
    let slots = (places / 7).saturating_add(1).saturating_mul(8).checked_next_power_of_two();
    slots.map_or(usize::MAX, |slots| slots.saturating_mul(2 * SLOT_BYTES).saturating_add(GROUP_BYTES))
}

#[cfg(test)]
mod tests {
    use super::super::{Half, Key, Labels, Prediction};
    use super::*;
    use crate::time::{Span, Timestamp};

    #[test]
    fn a_full_table_holds_no_more_than_its_bound_and_no_less_than_half_of_it() {
        for max_pending in [1, 60, 1000, 40_000] {
            let config =
                Config { wait: Span::from_seconds(10), max_pending, labels: Labels::Own, sample: 1.0 };
            let mut join = Join::new(config, 3, 2);
            for number in 0..4 * max_pending as u64 {
                let at = Timestamp::from_seconds(number as i64);
                // As hashes are: spread over the table.
                let key = Key(u128::from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
                if number % 2 == 0 {
                    let half = Half { time: at, latency: 1.0, status: None };
                    join.half(key, half, &[1, 2, 3], &mut |_| {});
                } else {
                    let prediction =
                        Prediction { time: at, version: 1, class: 1, fingerprint: 0, value: 0.5 };
                    join.predict(key, &prediction, &[1, 2, 3], &[0.5, 0.5], at, &mut |_| {});
                }
            }
            let (held, bound) = (join.heap_bytes(), Join::heap_bytes_max(&config, 3, 2, true));
            assert!(held <= bound, "{held} of {bound} for {max_pending}");
            // The index may have grown once less; it is the smaller part.
            assert!(bound <= 2 * held || max_pending < PLACES_MIN, "{held} of {bound} for {max_pending}");
        }
    }
}
