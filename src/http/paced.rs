//! A connection's bytes under time limits: a client may be slow, but not for ever. Knows nothing of HTTP.
//!
//! Invariant: every wait for the client ends. Between requests the idle limit runs; from a request's first
//! byte (of a new connection: from its start) the header limit, which later bytes do not extend; from a
//! response's first byte until it is flushed the write limit. No limit runs while we are at work.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::Limits;
use super::connections::{Phase, Slot};

pub(super) struct Paced<S> {
    stream: S,
    slot: Arc<Slot>,
    header_read_timeout: Duration,
    idle_timeout: Duration,
    response_write_timeout: Duration,
    /// Whether the header limit runs already, rather than the idle limit.
    is_reading_header: bool,
    reading: Timer,
    writing: Timer,
}

/// A limit that starts when it is first waited for.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

// === impl Paced ===

impl<S> Paced<S> {
    pub(super) fn new(stream: S, slot: Arc<Slot>, limits: &Limits) -> Self {
        Self {
            stream,
            slot,
            header_read_timeout: limits.header_read_timeout,
            idle_timeout: limits.idle_timeout,
            response_write_timeout: limits.response_write_timeout,
            is_reading_header: true,
            reading: Timer::default(),
            writing: Timer::default(),
        }
    }

    fn after_read(&mut self, has_bytes: bool) {
        if !self.slot.is_in(Phase::Waiting) {
            self.reading.stop();
        } else if has_bytes && !self.is_reading_header {
            self.is_reading_header = true;
            self.reading.stop();
            self.reading.start(self.header_read_timeout);
        }
    }

    fn after_flush(&mut self, context: &mut Context<'_>) {
        self.writing.stop();
        if self.slot.is_in(Phase::Writing) {
            self.is_reading_header = false;
            self.reading.stop();
            self.slot.enter(Phase::Waiting);
            // Whoever flushes has looked for the next request before, and need not look again by itself.
            if self.reading.poll(context, self.idle_timeout).is_ready() {
                context.waker().wake_by_ref();
            }
        }
    }

    /// What a read that found nothing yields.
    fn poll_reading_time(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.slot.is_in(Phase::Waiting) {
            self.reading.stop();
            return Poll::Pending;
        }
        let limit = if self.is_reading_header { self.header_read_timeout } else { self.idle_timeout };
        self.reading.poll(context, limit).map(Err)
    }

    /// Passes on what a write yielded, unless it is pending and the limit has run out.
    fn under_write_limit<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.writing.start(self.response_write_timeout);
        if outcome.is_ready() {
            return outcome;
        }
        self.writing.poll(context, self.response_write_timeout).map(Err)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => self.poll_reading_time(context),
            outcome => {
                self.after_read(buffer.filled().len() > before);
                outcome
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.under_write_limit(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.under_write_limit(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        if let Poll::Ready(Ok(())) = outcome {
            self.after_flush(context);
            return outcome;
        }
        self.under_write_limit(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.under_write_limit(context, outcome)
    }
}

// === impl Timer ===

impl Timer {
    fn start(&mut self, limit: Duration) {
        self.0.get_or_insert_with(|| Box::pin(sleep(limit)));
    }

    fn stop(&mut self) {
        self.0 = None;
    }

    fn poll(&mut self, context: &mut Context<'_>, limit: Duration) -> Poll<io::Error> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep(limit)));
        sleep.as_mut().poll(context).map(|()| io::ErrorKind::TimedOut.into())
    }
}
