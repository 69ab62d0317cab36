//! Queues threaded through the join's slab: each entry is in exactly one, in the order it came in.
//!
//! A queue is ordered by arrival and not by deadline. For logs in time order the two are the same; where
//! times are out of order an entry behind a younger one leaves late by as much, which moves when it is
//! counted and not as what: lateness is decided by the times themselves.

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// The links of one entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    pub previous: u32,
    pub next: u32,
}

/// First and last entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    pub first: u32,
    last: u32,
    pub length: usize,
}

impl Links {
    pub(super) const UNLINKED: Self = Self { previous: NONE, next: NONE };
}

impl Queue {
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE, length: 0 };

    pub(super) fn push(&mut self, links: &mut [Links], entry: u32) {
        links[entry as usize] = Links { previous: self.last, next: NONE };
        match self.last {
            NONE => self.first = entry,
            last => links[last as usize].next = entry,
        }
        self.last = entry;
        self.length += 1;
    }

    pub(super) fn remove(&mut self, links: &mut [Links], entry: u32) {
        let Links { previous, next } = links[entry as usize];
        match previous {
            NONE => self.first = next,
            previous => links[previous as usize].next = next,
        }
        match next {
            NONE => self.last = previous,
            next => links[next as usize].previous = previous,
        }
        links[entry as usize] = Links::UNLINKED;
        self.length -= 1;
    }
}
