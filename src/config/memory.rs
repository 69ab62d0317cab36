//! The most memory that a process under a plan can come to, part by part: for the memory limit of a pod.
//!
//! Every part is an upper bound of what is resident, from the limits that hold it. Not an expectation: most
//! processes never come near it.

use super::estimate::Bound;
use super::{Plan, value};
use crate::limits::{
    BLOCKING_THREADS_MAX, CONNECTIONS_MAX, HEADER_BYTES_MAX, MODELS_MAX, RENDERS_MAX, RESPONSES_MAX,
};
use crate::pipeline;
use std::fmt::{self, Write};

/// Code and what it reads of itself, the runtime, stacks, zones of time: what an idle process with no log has
/// resident. Measured: 8 MiB in a release build, 18 MiB in a debug build, most of it mapped code.
const PROCESS_BYTES: usize = 16 << 20;
/// What lies between what is used, and what an allocator keeps for the next time: an allowance of a quarter.
/// The test of the whole bound fills a process with hostile input.
const SLACK_DIVISOR: usize = 4;
/// The exporter's own series, and those of one log.
const OWN_TEXT_BYTES: usize = 64 << 10;
const LOG_TEXT_BYTES: usize = 16 << 10;
/// The state of one compression.
const GZIP_BYTES: usize = 512 << 10;
/// A connection beside what it reads and writes: its task, and the records of TLS.
const CONNECTION_BYTES: usize = 72 << 10;
/// One checkpoint is held as bytes at a time, in a buffer that doubles as it grows.
const CHECKPOINT_BUFFERS: usize = 2;
/// Steps in which a pod's limit is advised.
const ADVICE_BYTES: usize = 16 << 20;

/// The most that each part of a process can come to, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Memory {
    pub(super) models: usize,
    /// By log, in the order of the plan.
    pub(super) logs: Vec<usize>,
    /// One exposition as text.
    pub(super) text: usize,
    pub(super) serving: usize,
    pub(super) checkpoint: usize,
    pub(super) process: usize,
}

// === impl Memory ===

impl Memory {
    /// `named` and `found` are the bounds of the models that are named, and of one that `"*"` finds.
    pub(super) fn new(plan: &Plan, named: &[Bound], found: Option<&Bound>) -> Self {
        let found_count = found_most(named.len());
        let all = |part: fn(&Bound) -> usize| {
            let found = found.map_or(0, |bound| part(bound).saturating_mul(found_count));
            named.iter().map(part).fold(found, usize::saturating_add)
        };
        let growth = named.iter().chain(found).map(|bound| bound.growth_bytes).max().unwrap_or(0);
        let models = all(Bound::bytes);
        let logs: Vec<usize> = plan.pipeline.streams.iter().map(pipeline::bound::log_bytes).collect();
        let text = all(|bound| bound.text_bytes).saturating_add(OWN_TEXT_BYTES + logs.len() * LOG_TEXT_BYTES);
        Self {
            models: models.saturating_add(growth),
            text,
            serving: serving_bytes(text),
            checkpoint: if plan.state_dir.is_some() { checkpoint_bytes(models) } else { 0 },
            process: PROCESS_BYTES,
            logs,
        }
    }

    pub(super) fn log_bytes(&self) -> usize {
        self.logs.iter().copied().fold(0, usize::saturating_add)
    }

    /// What the allocator takes on top.
    pub(super) fn slack(&self) -> usize {
        // What is kept of serving is reckoned there.
        let parts = [self.models, self.log_bytes(), self.checkpoint];
        parts.into_iter().fold(0, usize::saturating_add) / SLACK_DIVISOR
    }

    pub(super) fn total(&self) -> usize {
        let parts =
            [self.models, self.log_bytes(), self.serving, self.checkpoint, self.process, self.slack()];
        parts.into_iter().fold(0, usize::saturating_add)
    }

    pub(super) fn write(&self, out: &mut String, found: usize) -> fmt::Result {
        let of_models = match found {
            0 => String::new(),
            found => format!(" (with {found} that \"*\" finds, the most there can be)"),
        };
        let of_pages = format!(
            " ({RESPONSES_MAX} pages of at most {}, {RENDERS_MAX} more in the making, {CONNECTIONS_MAX} connections)",
            value::size_text(self.text)
        );
        let of_checkpoint = if self.checkpoint == 0 {
            " (no state_dir)"
        } else {
            " (one as bytes, in a buffer that grows by doubling)"
        };
        let parts = [
            ("models", self.models, of_models.as_str()),
            ("logs", self.log_bytes(), ""),
            ("serving", self.serving, of_pages.as_str()),
            ("checkpoint", self.checkpoint, of_checkpoint),
            ("process", self.process, ""),
            ("allocator", self.slack(), " (a quarter of models, logs and checkpoint)"),
        ];
        for (name, bytes, note) in parts {
            writeln!(out, "  {name}: {}{note}", value::size_text(bytes))?;
        }
        let advised = self.total().div_ceil(ADVICE_BYTES).saturating_mul(ADVICE_BYTES);
        writeln!(
            out,
            "a pod's memory limit of {} holds whatever the logs say; for less, lower join.max_pending, limits, windows",
            value::size_text(advised)
        )
    }
}

/// Models that `"*"` may find beside so many that are named: `__other__` comes on top.
pub(super) fn found_most(named: usize) -> usize {
    MODELS_MAX.saturating_sub(named) + 1
}

/// What is held of so many bytes of states on their way to the disk. An encoded state is no longer than the
/// state: integers are written in as many bytes as they need.
pub(super) fn checkpoint_bytes(states: usize) -> usize {
    states.saturating_mul(CHECKPOINT_BUFFERS)
}

/// Pages that are held for their clients, what every thread that ever made one may keep of it (the text, and
/// either what it was copied from as it grew or what it is compressed to), and connections, of which as many
/// again may be on their way out.
fn serving_bytes(text: usize) -> usize {
    let rendering = text.saturating_mul(2).saturating_add(GZIP_BYTES);
    let connections = CONNECTIONS_MAX * (2 * 2 * HEADER_BYTES_MAX + CONNECTION_BYTES);
    text.saturating_mul(RESPONSES_MAX)
        .saturating_add(rendering.saturating_mul(BLOCKING_THREADS_MAX))
        .saturating_add(connections)
}
