//! What the HTTP server shows: the state, as text.

use super::checkpoints::Keeper;
use super::reload::Reloader;
use crate::command::clock;
use crate::family;
use crate::family::own::Own;
use crate::family::writer::{Format, Writer};
use crate::http::{Exposition, Reload, Service, Unavailable};
use crate::pipeline::State;
use crate::pipeline::stream::lock;
use crate::status::Status;
use crate::time::Timestamp;
use crate::{page, report};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Why there is nothing to show for a moment after a restart.
const CATCHING_UP: &str = "reading again what was shown before the restart, so that no counter goes back";

/// The state and what is asked of it.
pub(super) struct Exporter {
    state: Arc<Mutex<State>>,
    own: Own,
    /// Where there is a `state_dir`.
    keeper: Option<Arc<Keeper>>,
    reloader: Option<Arc<Reloader>>,
    enable_lifecycle: bool,
    /// Once ready, always ready: what follows is a reload, which keeps what there is.
    is_ready: AtomicBool,
    /// Bytes of the last exposition: about what the next will take.
    size_last: AtomicUsize,
}

// === impl Exporter ===

impl Exporter {
    pub(super) fn new(
        state: Arc<Mutex<State>>,
        keeper: Option<Arc<Keeper>>,
        reloader: Option<Arc<Reloader>>,
        enable_lifecycle: bool,
    ) -> prometheus::Result<Self> {
        let own = Own::new(keeper.as_ref().map(|keeper| &keeper.saving))?;
        own.config_last_reload_successful.set(1);
        own.config_last_reload_timestamp.set(clock::now().as_seconds());
        Ok(Self {
            state,
            own,
            keeper,
            reloader,
            enable_lifecycle,
            is_ready: AtomicBool::new(false),
            size_last: AtomicUsize::new(1 << 16),
        })
    }

    /// Notes in metrics and log what became of a reload.
    pub(super) fn note_reload(&self, result: &Result<(), String>, now: Timestamp) {
        match result {
            Ok(()) => {
                self.own.config_last_reload_successful.set(1);
                self.own.config_last_reload_timestamp.set(now.as_seconds());
                tracing::info!("configuration reloaded");
            }
            Err(reason) => {
                self.own.config_last_reload_successful.set(0);
                tracing::error!(reason, "configuration refused, the one in force goes on");
            }
        }
    }

    fn status(&self) -> Status {
        let mut state = lock(&self.state);
        state.advance(clock::now());
        Status::new(&state)
    }
}

impl Service for Exporter {
    fn metrics(&self, format: Exposition) -> Result<Vec<u8>, Unavailable> {
        let started = clock::instant();
        let format = match format {
            Exposition::Text => Format::Text,
            Exposition::OpenMetrics => Format::OpenMetrics,
        };
        let mut writer = Writer::new(format, self.size_last.load(Ordering::Relaxed) * 5 / 4);
        let mark = {
            let mut state = lock(&self.state);
            if !state.can_be_shown {
                return Err(Unavailable::new(CATCHING_UP));
            }
            let now = clock::now();
            state.advance(now);
            family::write(&state, &mut writer);
            self.own.note_series(writer.series(), state.folded());
            state.mark(now)
        };
        if let (Some(keeper), Some(mark)) = (&self.keeper, mark) {
            keeper.note(&mark);
        }
        self.own.write(&mut writer);
        let text = writer.finish();
        self.size_last.store(text.len(), Ordering::Relaxed);
        self.own.scrape_duration.observe(started.elapsed().as_secs_f64());
        Ok(text)
    }

    fn status_json(&self) -> Vec<u8> {
        report::json(&self.status())
    }

    fn status_page(&self) -> String {
        page::html(&self.status(), clock::now())
    }

    fn healthy(&self) -> Result<(), String> {
        // A pipeline that ends takes the process along, so whoever can ask is healthy.
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        // Asked on the server's own threads, which must not wait for a batch or a scrape.
        if self.is_ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.state.try_lock() {
            Ok(state) if !state.can_be_shown => Err(CATCHING_UP.to_owned()),
            Ok(state) if state.looked_once => {
                self.is_ready.store(true, Ordering::Relaxed);
                Ok(())
            }
            _ => Err("the logs have not been looked at yet".to_owned()),
        }
    }

    fn reload(&self) -> Reload {
        let Some(reloader) = self.reloader.as_ref().filter(|_| self.enable_lifecycle) else {
            let how = "reloading over HTTP is off: start with --web.enable-lifecycle, or send SIGHUP";
            return Reload::Disabled(how.to_owned());
        };
        let result = reloader.reload();
        self.note_reload(&result, clock::now());
        match result {
            Ok(()) => Reload::Done,
            Err(reason) => Reload::Refused(reason),
        }
    }
}
