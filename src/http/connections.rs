//! The open connections and what each of them waits for. Not their bytes.
//!
//! Invariant: never more than `max` connections are admitted, and a client that waits on purpose cannot
//! keep the next one out: the connection that has waited longest for its client makes room.
//!
//! Age is a count of transitions, so no clock is read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Whose turn it is on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Phase {
    /// The client's: a handshake or a request has yet to arrive.
    Waiting = 0,
    /// Ours: a request is being answered.
    Handling = 1,
    /// The client's: a response has yet to be taken.
    Writing = 2,
}

#[derive(Debug)]
pub(super) struct Connections {
    max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<u64, Entry>,
    /// Counts admissions and changes of phase; orders both.
    sequence: u64,
}

#[derive(Debug)]
struct Entry {
    phase: Phase,
    since: u64,
    eviction: Arc<Notify>,
}

/// One admitted connection's place; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Slot {
    id: u64,
    phase: AtomicU8,
    eviction: Arc<Notify>,
    connections: Arc<Connections>,
}

// === impl Connections ===

impl Connections {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, table: Mutex::default() })
    }

    /// A place for a new connection, if need be that of the one that has waited longest for its client.
    /// None while all of them are being answered.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Slot> {
        let mut table = self.table();
        if table.entries.len() >= self.max && !table.evict_oldest(|phase| phase != Phase::Handling) {
            return None;
        }
        let id = table.next();
        let eviction = Arc::new(Notify::new());
        table.entries.insert(id, Entry { phase: Phase::Waiting, since: id, eviction: Arc::clone(&eviction) });
        Some(Slot { id, phase: AtomicU8::new(Phase::Waiting as u8), eviction, connections: Arc::clone(self) })
    }

    /// Closes the connection whose client has left its response unread longest; false when there is none.
    pub(super) fn evict_oldest_writing(&self) -> bool {
        self.table().evict_oldest(|phase| phase == Phase::Writing)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Table ===

impl Table {
    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn evict_oldest(&mut self, may_go: impl Fn(Phase) -> bool) -> bool {
        let candidates = self.entries.iter().filter(|(_, entry)| may_go(entry.phase));
        let Some(id) = candidates.min_by_key(|(_, entry)| entry.since).map(|(id, _)| *id) else {
            return false;
        };
        if let Some(entry) = self.entries.remove(&id) {
            entry.eviction.notify_one();
        }
        true
    }
}

// === impl Slot ===

impl Slot {
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        let mut table = self.connections.table();
        let since = table.next();
        if let Some(entry) = table.entries.get_mut(&self.id) {
            (entry.phase, entry.since) = (phase, since);
        }
    }

    pub(super) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    /// Completes once the place has been given to another connection.
    pub(super) async fn evicted(&self) {
        self.eviction.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.table().entries.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_evicted(slot: &Slot) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(slot.evicted()).as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn the_longest_wait_makes_room() {
        let connections = Connections::new(3);
        let slots: Vec<_> = (0..3).map(|_| connections.admit().unwrap()).collect();
        slots[0].enter(Phase::Handling);
        slots[1].enter(Phase::Waiting); // a fresh wait: now the third has waited longest
        let newcomer = connections.admit().unwrap();
        assert_eq!(slots.iter().map(is_evicted).collect::<Vec<_>>(), [false, false, true]);
        assert!(!is_evicted(&newcomer));
    }

    #[test]
    fn none_is_admitted_while_all_are_answered_and_a_dropped_slot_is_free() {
        let connections = Connections::new(2);
        let first = connections.admit().unwrap();
        let second = connections.admit().unwrap();
        first.enter(Phase::Handling);
        second.enter(Phase::Handling);
        assert!(connections.admit().is_none());
        drop(first);
        assert!(connections.admit().is_some());
    }

    #[test]
    fn only_an_unread_response_is_evicted_for_another_response() {
        let connections = Connections::new(2);
        let waiting = connections.admit().unwrap();
        let writing = connections.admit().unwrap();
        assert!(!connections.evict_oldest_writing());
        writing.enter(Phase::Writing);
        assert!(connections.evict_oldest_writing());
        assert!(is_evicted(&writing) && !is_evicted(&waiting));
    }
}
