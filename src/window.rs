//! Rings of time slots that hold accumulators: what happened in the last W.
//!
//! Not a clock: `now` and the time of an observation are arguments. Nothing is ever subtracted; a slot that
//! leaves takes what it held with it, and the rest is merged again.
//!
//! Invariant: `closed` is the merge of the full slots, so that a window costs a scrape one merge, and a
//! window W covers between W and W + W/12. Slots begin at multiples of their width since the epoch, so the
//! same observations give the same windows whenever the process started.

mod saved;

use std::ops::Range;

use crate::accumulator::Accumulator;
use crate::limits::{BOX_BYTES, WINDOW_SLOTS};
use crate::time::{Span, Timestamp};

/// The full slots and the one that is being filled.
const SLOTS: usize = WINDOW_SLOTS + 1;

/// One window of one accumulator. Until the first observation it holds no slot.
#[derive(Clone, Debug)]
pub struct Ring<A> {
    window: Span,
    /// Nanoseconds of one slot.
    slot_width: i64,
    /// An empty state, the pattern of every slot.
    empty: A,
    /// Number of the slot being filled, counted from the epoch; `None` before the first time is known.
    newest: Option<i64>,
    /// Its nanoseconds. Nearly every time is in it, and comparing costs less than dividing.
    newest_nanos: Range<i64>,
    /// By slot number modulo `SLOTS`. A slot that was reset keeps its capacity.
    slots: [Option<Box<A>>; SLOTS],
    /// Which of `slots` have been updated since they were reset, by bit.
    filled: u32,
    /// The merge of all slots but the newest.
    closed: Option<Box<A>>,
}

/// The windows of one accumulator, and all of it since the start where that is asked for.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(bound(
    serialize = "A: Accumulator + serde::Serialize",
    deserialize = "A: Accumulator + serde::Deserialize<'de>"
))]
pub struct Windows<A> {
    rings: Vec<Ring<A>>,
    all: Option<Box<A>>,
}

const _: () = assert!(SLOTS <= u32::BITS as usize);

// === impl Ring ===

impl<A: Accumulator> Ring<A> {
    /// `empty` is the state of a slot in which nothing happened.
    pub fn new(window: Span, empty: A) -> Self {
        // Rounded up, so that the full slots together are never shorter than the window.
        let nanos = window.as_nanos().max(1);
        let slot_width =
            nanos.div_euclid(WINDOW_SLOTS as i64) + i64::from(nanos.rem_euclid(WINDOW_SLOTS as i64) != 0);
        Self {
            window,
            slot_width,
            empty,
            newest: None,
            newest_nanos: 0..0,
            slots: [const { None }; SLOTS],
            filled: 0,
            closed: None,
        }
    }

    pub fn window(&self) -> Span {
        self.window
    }

    /// Lets the slots that are too old at `now` go. A `now` before an earlier one changes nothing.
    pub fn advance(&mut self, now: Timestamp) {
        let number = self.number(now);
        let Some(newest) = self.newest else {
            self.open(number);
            return;
        };
        if number <= newest {
            return;
        }
        self.open(number);
        if self.filled == 0 {
            return;
        }
        let gone = self.reset_slots_between(newest, number);
        if gone {
            self.rebuild_closed(number);
        } else {
            self.close(newest);
        }
    }

    /// Applies `update` where an observation of time `at` belongs: to its slot, and where that is full
    /// already, to the merge of the full ones too. False: `at` is too old for this window, and nothing was
    /// done. A time beyond the newest slot counts as the newest; the caller has set it to `now`.
    pub fn update_at(&mut self, at: Timestamp, update: impl Fn(&mut A)) -> bool {
        let number = self.number(at);
        let newest = self.newest.unwrap_or_else(|| self.open(number));
        if newest.saturating_sub(number) > WINDOW_SLOTS as i64 {
            return false;
        }
        let number = number.min(newest);
        let position = position(number);
        self.filled |= 1 << position;
        update(self.slots[position].get_or_insert_with(|| Box::new(self.empty.clone())));
        if number < newest {
            update(self.closed.get_or_insert_with(|| Box::new(self.empty.clone())));
        }
        true
    }

    /// Whether nothing happened in the window.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The window as of the last `advance`, merged into `scratch`, whose contents are replaced.
    pub fn merge_into(&self, scratch: &mut A) {
        scratch.reset();
        if self.filled == 0 {
            return;
        }
        if let Some(closed) = &self.closed {
            scratch.merge(closed);
        }
        if let Some(newest) = self.newest.and_then(|newest| self.slot(newest)) {
            scratch.merge(newest);
        }
    }

    /// The window as of the last `advance`.
    pub fn merged(&self) -> A {
        let mut merged = self.empty.clone();
        self.merge_into(&mut merged);
        merged
    }

    /// Heap bytes held, by capacity.
    pub fn heap_bytes(&self) -> usize {
        let held = self.slots.iter().chain([&self.closed]).flatten();
        self.empty.heap_bytes() + held.map(|state| size_of::<A>() + state.heap_bytes()).sum::<usize>()
    }

    fn states(&self) -> impl Iterator<Item = &A> {
        let held = self.slots.iter().chain([&self.closed]).flatten();
        held.map(|state| &**state).chain([&self.empty])
    }

    fn number(&self, at: Timestamp) -> i64 {
        let nanos = at.as_nanos();
        match self.newest {
            Some(newest) if self.newest_nanos.contains(&nanos) => newest,
            _ => nanos.div_euclid(self.slot_width),
        }
    }

    /// Makes a slot the newest.
    fn open(&mut self, number: i64) -> i64 {
        let start = |number: i64| number.saturating_mul(self.slot_width);
        // At the ends of time the range is cut short, and `number` divides.
        self.newest_nanos = start(number)..start(number.saturating_add(1));
        self.newest = Some(number);
        number
    }

    /// The state of a slot that anything happened in.
    fn slot(&self, number: i64) -> Option<&A> {
        let position = position(number);
        let filled = self.filled & (1 << position) != 0;
        self.slots[position].as_deref().filter(|_| filled)
    }

    /// Empties the places that the slots from `old` + 1 to `new` take over. Whether any held something.
    fn reset_slots_between(&mut self, old: i64, new: i64) -> bool {
        let before = self.filled;
        let steps = new.saturating_sub(old).min(SLOTS as i64);
        for number in (new - steps + 1)..=new {
            let position = position(number);
            if self.filled & (1 << position) != 0 {
                self.filled &= !(1 << position);
                self.slots[position].iter_mut().for_each(|slot| slot.reset());
            }
        }
        self.filled != before
    }

    /// The slot that was being filled until now joins the full ones.
    fn close(&mut self, number: i64) {
        let mut closed = self.closed.take().unwrap_or_else(|| Box::new(self.empty.clone()));
        if let Some(slot) = self.slot(number) {
            closed.merge(slot);
        }
        self.closed = Some(closed);
    }

    fn rebuild_closed(&mut self, newest: i64) {
        let Some(mut closed) = self.closed.take() else {
            return;
        };
        closed.reset();
        for number in newest.saturating_sub(WINDOW_SLOTS as i64)..newest {
            if let Some(slot) = self.slot(number) {
                closed.merge(slot);
            }
        }
        self.closed = Some(closed);
    }
}

// === impl Windows ===

impl<A: Accumulator> Windows<A> {
    /// One ring for each of `spans`; `all` also keeps what happened since the start.
    pub fn new(spans: &[Span], all: bool, empty: &A) -> Self {
        Self {
            rings: spans.iter().map(|&span| Ring::new(span, empty.clone())).collect(),
            all: all.then(|| Box::new(empty.clone())),
        }
    }

    /// Goes on with other windows and another empty state: a window that is in both keeps what it holds,
    /// with `change` made to each of its states, and a new one is empty. A longer window cannot be filled from
    /// a shorter one, nor `all` from any.
    pub fn reconfigure(&mut self, spans: &[Span], all: bool, empty: &A, change: impl Fn(&mut A)) {
        let mut old = std::mem::replace(self, Self::new(spans, all, empty));
        for ring in &mut self.rings {
            if let Some(kept) = old.rings.iter().position(|before| before.window == ring.window) {
                *ring = old.rings.swap_remove(kept);
                ring.empty = empty.clone();
                ring.slots.iter_mut().chain([&mut ring.closed]).flatten().for_each(|state| change(state));
            }
        }
        if let (Some(all), Some(mut kept)) = (&mut self.all, old.all) {
            change(&mut kept);
            *all = kept;
        }
    }

    pub fn advance(&mut self, now: Timestamp) {
        self.rings.iter_mut().for_each(|ring| ring.advance(now));
    }

    /// Applies `update` to every window that reaches back to `at`; without a time, to `all` only.
    pub fn update_at(&mut self, at: Option<Timestamp>, update: impl Fn(&mut A)) {
        if let Some(at) = at {
            for ring in &mut self.rings {
                ring.update_at(at, &update);
            }
        }
        if let Some(all) = &mut self.all {
            update(all);
        }
    }

    /// In the order of `spans`.
    pub fn rings(&self) -> &[Ring<A>] {
        &self.rings
    }

    /// Everything since the start, where it is kept.
    pub fn all(&self) -> Option<&A> {
        self.all.as_deref()
    }

    /// Each window with its span, `None` for `all`, merged into `scratch` one after the other.
    pub fn visit(&self, scratch: &mut A, mut visit: impl FnMut(Option<Span>, &A)) {
        for ring in &self.rings {
            ring.merge_into(scratch);
            visit(Some(ring.window), scratch);
        }
        if let Some(all) = self.all() {
            visit(None, all);
        }
    }

    /// Whether these are windows of such lengths over states like `pattern`: to be asked of what was read
    /// from bytes.
    pub fn are_of(&self, spans: &[Span], all: bool, pattern: &A) -> bool {
        self.rings.iter().map(Ring::window).eq(spans.iter().copied())
            && self.rings.iter().all(|ring| pattern.fits(&ring.empty))
            && self.all.is_some() == all
            && self.all.iter().all(|all| pattern.fits(all))
    }

    /// Every state that is held.
    pub fn states(&self) -> impl Iterator<Item = &A> {
        self.rings.iter().flat_map(Ring::states).chain(self.all())
    }

    /// The most that windows over `spans` can hold of states with so many heap bytes each.
    pub fn heap_bytes_max(spans: usize, all: bool, state_heap_bytes: usize) -> usize {
        let boxed = size_of::<A>() + state_heap_bytes + BOX_BYTES;
        // Every slot, their merge, and the pattern, which lies in the ring itself.
        let ring = size_of::<Ring<A>>() + state_heap_bytes + (SLOTS + 1) * boxed;
        spans * ring + usize::from(all) * boxed
    }

    /// Heap bytes held, by capacity.
    pub fn heap_bytes(&self) -> usize {
        self.rings.capacity() * size_of::<Ring<A>>()
            + self.rings.iter().map(Ring::heap_bytes).sum::<usize>()
            + self.all.iter().map(|all| size_of::<A>() + all.heap_bytes()).sum::<usize>()
    }
}

fn position(number: i64) -> usize {
    number.rem_euclid(SLOTS as i64) as usize
}

#[cfg(test)]
mod tests;
