//! What is said when an invariant of our own is broken: one line of the log, with the place in the code.
//!
//! Not what ends the process: that is for `main`, and for `serve` where another thread is concerned.

use std::panic::{self, PanicHookInfo};

/// From now on panics go to the log, in place of the standard message and its backtrace.
pub(super) fn report() {
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(
            thread,
            place,
            what = told(panicked),
            "this is a bug in inference-exporter: please report this line"
        );
    }));
}

/// The message, if it was written by us word for word: one that was put together may quote what was being
/// read, as those of slicing a text do, and no content of a line is logged.
fn told(panicked: &PanicHookInfo<'_>) -> &'static str {
    panicked.payload().downcast_ref::<&'static str>().copied().unwrap_or("a broken invariant")
}
