//! The thread that owns the pipeline, and how it is told what to do.

use super::checkpoints::Checkpoints;
use crate::command::clock;
use crate::pipeline::Config;
use crate::pipeline::live::{LOOK_INTERVAL, Live};
use crate::time::{Span, Timestamp};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// Everything that the thread can be told.
enum Command {
    /// Go on with another configuration and interval of checkpoints, and answer.
    Apply(Box<Config>, Span, SyncSender<Result<(), String>>),
    /// Read what is already written, then end.
    Stop,
}

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Control {
    commands: SyncSender<Command>,
    /// `true` once the thread has ended, however it ended.
    ended: watch::Receiver<bool>,
}

/// How long reading to the end may take after a stop; a writer may be faster than we are.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Looks at the files after a stop.
const DRAIN_LOOKS: usize = 3;

/// Tells that the thread has ended, also when it panics.
struct Farewell(watch::Sender<bool>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// Starts the thread.
pub(super) fn start(live: Live, checkpoints: Option<Checkpoints>) -> io::Result<(JoinHandle<()>, Control)> {
    let (commands, received) = sync_channel(4);
    let (farewell, ended) = watch::channel(false);
    let farewell = Farewell(farewell);
    let thread = std::thread::Builder::new().name("ingest".to_owned()).spawn(move || {
        let _farewell = farewell;
        ingest(live, checkpoints, &received);
    })?;
    Ok((thread, Control { commands, ended }))
}

fn ingest(mut live: Live, mut checkpoints: Option<Checkpoints>, commands: &Receiver<Command>) {
    loop {
        let read = live.turn(clock::now());
        let idle_for = match &mut checkpoints {
            Some(checkpoints) => {
                let now = clock::now();
                checkpoints.turn(&mut live, now);
                checkpoints.idle_for(now).min(LOOK_INTERVAL)
            }
            None => LOOK_INTERVAL,
        };
        let command = if read {
            match commands.try_recv() {
                Ok(command) => Some(command),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            // The one place where this thread waits.
            match commands.recv_timeout(idle_for.into()) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        };
        match command {
            None => {}
            Some(Command::Stop) => {
                drain(&mut live);
                if let Some(checkpoints) = checkpoints {
                    checkpoints.finish(&mut live, clock::now());
                }
                return;
            }
            Some(Command::Apply(config, interval, answer)) => {
                let applied =
                    live.reconfigure(*config).map_err(|error| format!("a path is no glob: {error}"));
                if let (Ok(()), Some(checkpoints)) = (&applied, &mut checkpoints) {
                    checkpoints.reconfigure(interval);
                }
                // Whoever asked may have given up waiting.
                answer.send(applied).ok();
            }
        }
    }
}

/// Reads what is there now. What a look finds may take a second look to settle: a truncation, say.
fn drain(live: &mut Live) {
    let started: Timestamp = clock::now();
    for _ in 0..DRAIN_LOOKS {
        live.look(clock::now());
        while live.turn(clock::now()) {
            if clock::now().since(started) > DRAIN_MAX.into() {
                tracing::warn!("logs are written faster than they are read: their end is left unread");
                return;
            }
        }
        if live.is_caught_up() {
            return;
        }
    }
}

// === impl Control ===

impl Control {
    /// Completes when the thread has ended.
    pub(super) async fn ended(&self) {
        let mut ended = self.ended.clone();
        // An error means that the sender is gone, and so is the thread.
        ended.wait_for(|ended| *ended).await.ok();
    }

    /// Tells the thread to end, and waits until it has.
    pub(super) async fn stop(&self) {
        // If nobody receives any more, the thread has ended already.
        self.commands.try_send(Command::Stop).ok();
        self.ended().await;
    }

    /// Hands over a configuration and waits until it is in force. Blocking.
    pub(super) fn apply(&self, config: Config, checkpoint_interval: Span) -> Result<(), String> {
        let gone = "the thread that reads the logs has ended";
        let (answer, answered) = sync_channel(1);
        self.commands
            .send(Command::Apply(Box::new(config), checkpoint_interval, answer))
            .map_err(|_| gone.to_owned())?;
        answered.recv().map_err(|_| gone.to_owned())?
    }
}
