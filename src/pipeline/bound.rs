//! The most memory that reading one log can come to: its files, what is held of their lines, the line that is
//! read and the record made of it.

use super::StreamConfig;
use super::stream::Stream;
use crate::limits::{HELD_BYTES_MAX, LOG_PATTERN_CACHE_BYTES, POSITION_BYTES};
use crate::line::Buffer;
use crate::record::{Decoder, Format, Record};
use crate::source::tailer;

/// What one log holds.
pub fn log_bytes(log: &StreamConfig) -> usize {
    let line = log.line.line_bytes_max;
    let cache = match log.record.format {
        Format::Regex { .. } => 2 * LOG_PATTERN_CACHE_BYTES,
        Format::Json | Format::Logfmt | Format::Csv { .. } => 0,
    };
    // A file whose line is too long, or that is quiet, holds its place and the bytes before it.
    let quiet = Stream::FEED_BYTES + Decoder::new(&log.record).heap_bytes() + 2 * POSITION_BYTES;
    let reading = Buffer::memory_bytes_max(&log.line)
        .saturating_add(Decoder::scratch_bytes_max(&log.record, line))
        .saturating_add(Record::heap_bytes_max(&log.record, line));
    // Where a file is entered in its middle its header is read through a buffer of its own.
    let header = match log.record.format {
        Format::Csv { columns: None, .. } => Buffer::memory_bytes_max(&log.line),
        _ => 0,
    };
    tailer::bound::bytes_max(&log.source)
        .saturating_add(tailer::bound::files_max(&log.source) * quiet)
        .saturating_add(HELD_BYTES_MAX)
        .saturating_add(reading)
        .saturating_add(header)
        .saturating_add(cache)
}
