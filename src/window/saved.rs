//! A ring as a checkpoint has it: the slots in which something happened. What follows from them is worked
//! out again.

use super::Ring;
use crate::accumulator::Accumulator;
use crate::limits::WINDOW_SLOTS;
use crate::time::Span;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

impl<A: Accumulator + Serialize> Serialize for Ring<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let slots = self.slots.iter().zip(0_u8..).filter(|(_, position)| self.filled & (1 << position) != 0);
        let slots: Vec<(u8, &A)> =
            slots.filter_map(|(slot, position)| Some((position, slot.as_deref()?))).collect();
        (self.window, &self.empty, self.newest, slots).serialize(serializer)
    }
}

impl<'de, A: Accumulator + Deserialize<'de>> Deserialize<'de> for Ring<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Parts<A> = (Span, A, Option<i64>, Vec<(u8, A)>);
        let (window, empty, newest, slots): Parts<A> = Deserialize::deserialize(deserializer)?;
        let mut ring = Self::new(window, empty);
        let Some(newest) = newest else { return Ok(ring) };
        ring.open(newest);
        for (position, state) in slots {
            if usize::from(position) > WINDOW_SLOTS || !ring.empty.fits(&state) {
                return Err(D::Error::custom("a slot that its ring has no place for"));
            }
            ring.filled |= 1 << position;
            ring.slots[usize::from(position)] = Some(Box::new(state));
        }
        ring.closed = Some(Box::new(ring.empty.clone()));
        ring.rebuild_closed(newest);
        Ok(ring)
    }
}
