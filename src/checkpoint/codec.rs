//! The state of the pipeline as bytes, and back.
//!
//! In turn: the head with the positions of all logs, then each monitor, the head of its join and the entries of
//! its join. Invariant: what is decoded went through every check that its types have, so that it can be worked
//! with; anything else is refused as a whole.

use crate::join::Join;
use crate::join::saved::{self, Walk};
use crate::monitor::Monitor;
use crate::pipeline::live::Live;
use crate::pipeline::progress::Mark;
use crate::pipeline::saved::{Head, Saved};
use crate::pipeline::stream::lock;
use serde::{Deserialize, Serialize};

/// Entries of a join that are written under one lock: a scrape waits for less than a millisecond.
const ENTRIES_AT_A_TIME: usize = 4096;

/// Bytes that are no state.
#[derive(thiserror::Error, Debug)]
pub enum Malformed {
    #[error("it cannot be decoded ({0})")]
    Undecodable(#[from] postcard::Error),
    #[error("{0}")]
    Inconsistent(&'static str),
    #[error("{0} bytes follow its end")]
    Surplus(usize),
}

/// What a checkpoint of the pipeline as it stands holds, and the number of the checkpoint.
///
/// To be called from the thread that owns the pipeline: nobody else changes what is known, so it may let go
/// of the lock again and again, and a scrape never waits for the whole. `give_way` is called whenever it has
/// let go of it, for so long that whoever waits can take it: a lock goes to who asks, and not to who waits.
pub fn encode(live: &Live, give_way: &mut dyn FnMut()) -> (Vec<u8>, u64) {
    let (head, number) = live.head();
    let mut bytes = append(Vec::new(), &head);
    for index in 0..head.monitors {
        bytes = append_monitor(bytes, live, index, give_way);
    }
    (bytes, number)
}

fn append_monitor(bytes: Vec<u8>, live: &Live, index: usize, give_way: &mut dyn FnMut()) -> Vec<u8> {
    let state = lock(live.state());
    let monitor = &state.monitors()[index];
    let mut bytes = append(append(bytes, monitor), &monitor.join().head());
    drop(state);
    let mut walk = Walk::default();
    loop {
        give_way();
        let state = lock(live.state());
        let join = state.monitors()[index].join();
        for _ in 0..ENTRIES_AT_A_TIME {
            match walk.next(join) {
                Some(entry) => bytes = append(bytes, &entry),
                None => return bytes,
            }
        }
    }
}

/// # Errors
/// The bytes are not what `encode` of this version writes.
pub fn decode(bytes: &[u8]) -> Result<Saved, Malformed> {
    let mut rest = bytes;
    let head: Head = take(&mut rest)?;
    let mut monitors = Vec::new();
    for _ in 0..head.monitors {
        let monitor: Monitor = take(&mut rest)?;
        let join = take_join(&mut rest, &monitor)?;
        monitors.push(monitor.revive(join).map_err(Malformed::Inconsistent)?);
    }
    if !rest.is_empty() {
        return Err(Malformed::Surplus(rest.len()));
    }
    Saved::new(head, monitors).map_err(Malformed::Inconsistent)
}

fn take_join(rest: &mut &[u8], monitor: &Monitor) -> Result<Join, Malformed> {
    let head: saved::Head = take(rest)?;
    if !monitor.joins_like(&head) {
        return Err(Malformed::Inconsistent("a join is not that of its model"));
    }
    let mut join = Join::restore(&head);
    for _ in 0..head.length {
        let entry: saved::Saved<'_> = take(rest)?;
        join.put_back(&head, &entry).map_err(Malformed::Inconsistent)?;
    }
    Ok(join)
}

pub fn encode_mark(mark: &Mark) -> Vec<u8> {
    append(Vec::new(), mark)
}

/// `None` where the bytes are no mark of this version.
pub fn decode_mark(bytes: &[u8]) -> Option<Mark> {
    postcard::from_bytes(bytes).ok()
}

fn append(bytes: Vec<u8>, value: &impl Serialize) -> Vec<u8> {
    match postcard::to_extend(value, bytes) {
        Ok(bytes) => bytes,
        Err(error) => unreachable!("a state has a form in bytes: {error}"),
    }
}

fn take<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, Malformed> {
    let (value, left) = postcard::take_from_bytes(rest)?;
    *rest = left;
    Ok(value)
}
