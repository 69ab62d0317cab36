//! Reading the configuration again: on SIGHUP, on POST, and when the file has changed.

use super::exporter::Exporter;
use super::ingest::Control;
use crate::command::{clock, log};
use crate::config::{self, Loaded, Plan};
use siphasher::sip::SipHasher13;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::signal::unix::Signal;

/// Where the configuration comes from and what of it cannot change while running.
pub(super) struct Reloader {
    file: PathBuf,
    listen: SocketAddr,
    state_dir: Option<PathBuf>,
    control: Control,
    /// Of the content that was last tried, be it good or bad; one reload at a time.
    tried: Mutex<Option<u64>>,
}

// === impl Reloader ===

impl Reloader {
    pub(super) fn new(file: PathBuf, plan: &Plan, control: Control) -> Self {
        let tried = Mutex::new(fingerprint(&file));
        Self { file, listen: plan.listen, state_dir: plan.state_dir.clone(), control, tried }
    }

    /// Reads the file and hands it over, or says why the old configuration goes on. Blocking.
    pub(super) fn reload(&self) -> Result<(), String> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        *tried = fingerprint(&self.file);
        self.apply()
    }

    /// As `reload`, if the content is another one than was last tried; `None` if it is not. Blocking.
    fn reload_if_changed(&self) -> Option<Result<(), String>> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        // While a file is being exchanged it may be missing for a moment: what is missing has not changed.
        let found = fingerprint(&self.file).filter(|found| Some(*found) != *tried)?;
        *tried = Some(found);
        Some(self.apply())
    }

    fn apply(&self) -> Result<(), String> {
        let environment = |name: &str| std::env::var(name).ok();
        let Loaded { plan, warnings } =
            config::load(&self.file, &environment).map_err(|errors| errors.to_string())?;
        if plan.listen != self.listen {
            return Err(format!("listen has changed to {}, which takes a restart", plan.listen));
        }
        if plan.state_dir != self.state_dir {
            return Err("state_dir has changed, which takes a restart".to_owned());
        }
        log::warn_of(&warnings);
        self.control.apply(plan.pipeline, plan.checkpoint_interval)
    }
}

/// Of the file's content: a ConfigMap is exchanged by a symbolic link, so times and inodes say little.
fn fingerprint(file: &PathBuf) -> Option<u64> {
    fs::read(file).ok().map(|content| SipHasher13::new().hash(&content))
}

/// Reloads on SIGHUP, and whenever the file's content changes.
pub(super) async fn follow(
    reloader: Option<Arc<Reloader>>,
    exporter: Arc<Exporter>,
    mut hangup: Signal,
    interval: Duration,
) {
    let Some(reloader) = reloader else {
        // Without a file there is nothing to read again; SIGHUP must not end the process all the same.
        while hangup.recv().await.is_some() {}
        return;
    };
    loop {
        let by_signal = tokio::select! {
            signal = hangup.recv() => signal.is_some(),
            () = tokio::time::sleep(interval) => false,
        };
        let reloader = Arc::clone(&reloader);
        let tried = tokio::task::spawn_blocking(move || {
            if by_signal { Some(reloader.reload()) } else { reloader.reload_if_changed() }
        });
        if let Ok(Some(result)) = tried.await {
            exporter.note_reload(&result, clock::now());
        }
    }
}
