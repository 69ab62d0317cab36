//! Checkpoints while the sidecar runs: when one is taken, who waits for the disk, and what is said of it.
//!
//! A thread of its own writes, so that a disk that is slow, full or gone keeps nothing from being read or
//! shown. Invariant: at most one checkpoint is held in memory as bytes.

use crate::checkpoint::codec;
use crate::checkpoint::seal::{Reason, SEAL_BYTES};
use crate::checkpoint::store::Store;
use crate::command::{Failure, clock};
use crate::family::own::Saving;
use crate::pipeline::live::Live;
use crate::pipeline::progress::Mark;
use crate::pipeline::saved::Saved;
use crate::pipeline::stream::lock;
use crate::time::{Span, Timestamp};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the end of the process may wait for the disk.
const LAST_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long a scrape has, between two pieces of a checkpoint, to take the lock that it waits for. A thread wakes
/// within some 50 µs; at 500,000 waiting predictions there are 123 pieces.
const GIVE_WAY: Duration = Duration::from_micros(100);

/// The directory of the state, and what is said of it in metrics.
pub(super) struct Keeper {
    store: Store,
    pub(super) saving: Saving,
    /// The newest mark that was noted.
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    sequence: u64,
    is_failing: bool,
}

/// Takes checkpoints of a pipeline, on the thread that owns it.
pub(super) struct Checkpoints {
    keeper: Arc<Keeper>,
    interval: Span,
    /// When the last one was due; `None` before the first.
    taken_at: Option<Timestamp>,
    /// What the one on disk, or on its way there, was taken of.
    revision: Option<[u64; 5]>,
    jobs: SyncSender<Vec<u8>>,
    done: Receiver<Done>,
    /// The number of the one that is being written.
    writing: Option<u64>,
    is_failing: bool,
}

/// What became of a checkpoint that was written.
struct Done {
    saved: io::Result<u64>,
    at: Timestamp,
    took: Duration,
}

// === impl Keeper ===

impl Keeper {
    /// # Errors
    /// Another process has the directory.
    pub(super) fn open(directory: &Path) -> Result<Self, Failure> {
        let saving = Saving::new(clock::now().as_seconds());
        let saving = saving
            .map_err(|error| Failure::Work(format!("cannot make the checkpoints' metrics: {error}")))?;
        let store = Store::open(directory).map_err(|in_use| Failure::Work(in_use.to_string()))?;
        Ok(Self { store, saving, noted: Mutex::default() })
    }

    /// Lets a pipeline go on where the last checkpoint has it.
    pub(super) fn resume(&self, live: &mut Live) {
        let saved = self.load();
        let shown = self.store.shown().as_deref().and_then(codec::decode_mark);
        live.resume(saved, shown);
    }

    fn load(&self) -> Option<Saved> {
        let refused = match self.store.load() {
            Ok(None) => return None,
            Ok(Some(payload)) => match codec::decode(&payload) {
                Ok(saved) => {
                    tracing::info!("going on from the last checkpoint");
                    self.saving.size.set(i64::try_from(SEAL_BYTES + payload.len()).unwrap_or(i64::MAX));
                    return Some(saved);
                }
                Err(error) => {
                    tracing::error!(%error, "the checkpoint makes no sense");
                    self.store.refuse(Reason::Damaged("its content is no state of this program"))
                }
            },
            Err(refused) => refused,
        };
        self.saving.failures.inc();
        tracing::error!("checkpoint {refused}");
        None
    }

    /// A checkpoint is on disk: what it holds need not be read again before anything is shown.
    fn forget(&self, checkpoint: u64, live: &Live, now: Timestamp) {
        let mut state = lock(live.state());
        state.note_checkpoint(checkpoint);
        let rest = state.mark(now);
        drop(state);
        rest.iter().for_each(|mark| self.note(mark));
    }

    /// Notes what is about to be shown. A later mark may have overtaken this one; then it holds this one too.
    pub(super) fn note(&self, mark: &Mark) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if mark.sequence < noted.sequence {
            return;
        }
        noted.sequence = mark.sequence;
        let result = self.store.note_shown(&codec::encode_mark(mark));
        let was_failing = std::mem::replace(&mut noted.is_failing, result.is_err());
        match result {
            Err(error) if !was_failing => {
                tracing::error!(%error, "what scrapes show cannot be noted, so counters may go back after a crash");
            }
            Ok(()) if was_failing => tracing::info!("what scrapes show is noted again"),
            _ => {}
        }
    }
}

// === impl Checkpoints ===

impl Checkpoints {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(super) fn start(keeper: Arc<Keeper>, interval: Span) -> io::Result<Self> {
        let (jobs, received) = sync_channel::<Vec<u8>>(1);
        let (finished, done) = sync_channel(1);
        let writer = Arc::clone(&keeper);
        std::thread::Builder::new().name("checkpoint".to_owned()).spawn(move || {
            for payload in received {
                let started = clock::instant();
                let saved = writer.store.save(&payload);
                drop(payload);
                let done = Done { saved, at: clock::now(), took: started.elapsed() };
                if finished.send(done).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self {
            keeper,
            interval,
            taken_at: None,
            revision: None,
            jobs,
            done,
            writing: None,
            is_failing: false,
        })
    }

    /// Goes on under another configuration. What was read under the old one is to be in a checkpoint at once:
    /// if it were read again, that would be under the new one.
    pub(super) fn reconfigure(&mut self, interval: Span) {
        (self.interval, self.taken_at) = (interval, None);
    }

    /// How long there is nothing to do.
    pub(super) fn idle_for(&self, now: Timestamp) -> Span {
        self.taken_at.map_or(Span::ZERO, |before| before.plus(self.interval).since(now))
    }

    /// Takes a checkpoint if one is due, and notes what became of the one before.
    pub(super) fn turn(&mut self, live: &mut Live, now: Timestamp) {
        self.receive(live);
        let is_due = self.taken_at.is_none_or(|before| now.since(before) >= self.interval || now < before);
        if is_due {
            self.taken_at = Some(now);
            self.take(live, now);
        }
    }

    /// The last checkpoint, and the end of waiting for the disk.
    pub(super) fn finish(mut self, live: &mut Live, now: Timestamp) {
        self.wait(live);
        self.take(live, now);
        self.wait(live);
        if self.writing.is_some() {
            tracing::error!("the disk did not take the last checkpoint in time; the one before it stands");
        }
    }

    fn take(&mut self, live: &mut Live, now: Timestamp) {
        if live.is_catching_up() {
            // The last one and what was shown since then stand.
            return;
        }
        live.settle(now);
        if self.writing.is_some() {
            return;
        }
        let revision = live.revision();
        if self.revision == Some(revision) {
            // What is on disk is all there is.
            self.keeper.saving.last_success.set(now.as_seconds());
            return;
        }
        let (payload, number) = codec::encode(live, &mut || std::thread::sleep(GIVE_WAY));
        if self.jobs.try_send(payload).is_ok() {
            (self.writing, self.revision) = (Some(number), Some(revision));
        }
    }

    fn wait(&mut self, live: &Live) {
        if self.writing.is_some()
            && let Ok(done) = self.done.recv_timeout(LAST_WAIT_MAX)
        {
            self.note(done, live);
        }
    }

    fn receive(&mut self, live: &Live) {
        match self.done.try_recv() {
            Ok(done) => self.note(done, live),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                unreachable!("the thread that writes ends only when it is told to, or by a bug")
            }
        }
    }

    fn note(&mut self, Done { saved, at, took }: Done, live: &Live) {
        let number = self.writing.take();
        let saving = &self.keeper.saving;
        let was_failing = std::mem::replace(&mut self.is_failing, saved.is_err());
        match saved {
            Ok(bytes) => {
                saving.last_success.set(at.as_seconds());
                saving.duration.set(took.as_secs_f64());
                saving.size.set(i64::try_from(bytes).unwrap_or(i64::MAX));
                if let Some(number) = number {
                    self.keeper.forget(number, live, at);
                }
                if was_failing {
                    tracing::info!("checkpoints are written again");
                }
            }
            Err(error) => {
                saving.failures.inc();
                self.revision = None;
                if !was_failing {
                    tracing::error!(%error, "a checkpoint cannot be written; counting goes on, and it is tried again");
                }
            }
        }
    }
}
