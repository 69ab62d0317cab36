//! Every bound of the program that is not a configuration option, with its reason, and the defaults and
//! ceilings of those that are.

use crate::time::Span;

/// `limits.line`: longer lines are rejected. The longest true line we know of (a captured request body
/// with an inlined image) is some 100 KiB; 1 MiB bounds what an endless line may hold.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// Ceiling of `limits.line`: spans inside a record are 32 bits wide, with room to decode a payload.
pub const LINE_BYTES_CEILING: usize = 1 << 28;

/// Bytes read from one file before the next file has its turn, and so about what a scrape may wait for.
pub const BATCH_BYTES_MAX: usize = 256 << 10;

/// Bytes at the head of a file and before an offset that tell one content from another. A log line is
/// seldom longer, so that the window holds at least one time or id.
pub const POSITION_BYTES: usize = 256;
/// First allocation of a line buffer, and what it grows from.
pub const BUFFER_BYTES_MIN: usize = 16 << 10;
/// Longest CSV record with a line end inside a quoted field. A stray quote holds the lines behind it
/// back until this is reached, so it stays far below the line limit.
pub const QUOTED_BYTES_MAX: usize = 64 << 10;
/// What a container runtime may put around a message, and the longest piece it writes (16 KiB, each
/// byte escaped to six).
pub const CONTAINER_BYTES_MAX: usize = 128 << 10;
/// How long the rest of a line split by the container runtime is waited for; runtimes write the pieces
/// at once.
pub const PARTIAL_WAIT: Span = Span::from_seconds(60);

/// Steps between two checkpoints whose order a scrape notes: some 15 bytes each.
pub const STEPS_MAX: usize = 8192;
/// From so many on, steps in one file that follow each other are noted as one.
pub const STEPS_MERGED: usize = 1024;

/// Files of one log that are held open at once: a fourth of the usual limit of 1024 for a process.
pub const OPEN_FILES_MAX: usize = 256;
/// Files of one log that are followed; more are counted, not read. All rotated logs of the pods that one node
/// may run are fewer.
pub const FILES_MAX: usize = 4000;
/// What is held of one log's directories, each name with what is known of it: 20,000 of usual length. Of more,
/// those that are not held are counted, not looked at.
pub const LISTED_BYTES_MAX: usize = 2 << 20;
/// Paths of one log that are told apart as unreadable; the rest of them is not told.
pub const PROBLEMS_MAX: usize = 1000;
/// Directories below a `**`.
pub const WALK_DEPTH_MAX: usize = 32;
/// A directory whose modification time is younger is listed again: file systems stamp in ticks of some
/// milliseconds, and a second change within one tick does not show.
pub const DIRECTORY_SETTLE: Span = Span::from_seconds(2);
/// A directory is listed again after this long even if it seems unchanged, for network file systems.
pub const DIRECTORY_LIST_INTERVAL: Span = Span::from_seconds(10);
/// How long after a restart a file that had been read may still appear, as on a volume mounted late.
pub const POSITION_WAIT: Span = Span::from_seconds(3600);
/// Pause after the first failed read of a file; doubled up to the maximum.
pub const RETRY_WAIT_MIN: Span = Span::from_millis(250);
pub const RETRY_WAIT_MAX: Span = Span::from_seconds(30);

/// What may be held of all files of one log together: unterminated lines, and what decodes them. Beyond it
/// a file that rests is read again from its last whole line once it grows. Room for the rests of thousands
/// of files at a few KiB each, or for some that hold the longest line that is usual.
pub const HELD_BYTES_MAX: usize = 4 << 20;

/// Columns of a CSV header; a line of more is no header. Tables of more are matrices and not logs.
pub const CSV_COLUMNS_MAX: usize = 10_000;

/// Nesting of JSON objects and arrays; deeper is rejected, so that no line costs stack or time.
pub const JSON_DEPTH_MAX: usize = 128;

/// `explode`: elements taken from one record.
pub const BATCH_ROWS_MAX: usize = 100_000;
/// `explode`: elements times mapped fields of one record; the product is what a line of tiny elements costs
/// (12 bytes each), so 48 MiB at most.
pub const BATCH_SLOTS_MAX: usize = 1 << 22;

/// Models, those of the configuration included, up to which `"*"` makes new ones; more become `__other__`.
/// Whoever can write a name into a log could otherwise make any number of series.
pub const MODELS_MAX: usize = 100;

/// What an allocator takes for itself of a small allocation: a header, and rounding up to 16 bytes.
pub const BOX_BYTES: usize = 24;

/// What matching `failed` may keep of what it has matched; a regular expression that would like more is
/// matched more slowly.
pub const PATTERN_CACHE_BYTES: usize = 64 << 10;
/// The same of a log's `pattern`, of which there are fewer: the regex crate's own default.
pub const LOG_PATTERN_CACHE_BYTES: usize = 2 << 20;

/// Connections at a time, bytes of a request's head, pages in the making and pages held for their clients, as
/// `http` has them.
pub const CONNECTIONS_MAX: usize = 64;
pub const HEADER_BYTES_MAX: usize = 16 << 10;
pub const RENDERS_MAX: usize = 2;
pub const RESPONSES_MAX: usize = 4;
/// Threads for renderings, a password's check and reloads. Every thread that ever rendered may keep the memory
/// of it.
pub const BLOCKING_THREADS_MAX: usize = 4;

/// The value every label takes once its limit is reached.
pub const OTHER: &str = "__other__";

/// Classes up to which the confusion cells are exposed; above, only tp, fp and fn by class: the cells
/// grow with the square of the number of classes.
pub const CELL_CLASSES_MAX: usize = 16;

/// Classes that `classes` may declare: ids are 16 bits wide, and one is kept for `__other__`.
pub const CLASSES_CEILING: usize = 10_000;

/// Slots of a window. With 12 full slots and the one being filled, a window W covers W to W + W/12.
pub const WINDOW_SLOTS: usize = 12;

/// Score bins of ROC AUC and PR AUC: 1024, equispaced in logit over ±12.
pub const SCORE_BINS: usize = 1024;
pub const SCORE_LOGIT_MAX: f64 = 12.0;

/// Equal-width bins of the calibration error.
pub const CALIBRATION_BINS: usize = 15;

/// Length of an exemplar's label set allowed by OpenMetrics 1.0, in characters.
pub const EXEMPLAR_CHARACTERS_MAX: usize = 128;

/// Bytes of a trace id that is kept: as many as the characters allowed can take.
pub const TRACE_ID_BYTES_MAX: usize = 4 * EXEMPLAR_CHARACTERS_MAX;

pub const WAIT_DEFAULT: Span = Span::from_seconds(24 * 3600);
pub const SHARED_WAIT_DEFAULT: Span = Span::from_seconds(60);
pub const MAX_PENDING_DEFAULT: usize = 500_000;
pub const SERIES_DEFAULT: usize = 5000;
pub const VALUES_DEFAULT: usize = 100;
pub const VALUE_LENGTH_DEFAULT: usize = 128;
pub const VERSIONS_DEFAULT: usize = 10;
pub const EXPIRE_AFTER_DEFAULT: Span = Span::from_seconds(48 * 3600);
pub const WINDOWS_DEFAULT: [Span; 3] =
    [Span::from_seconds(300), Span::from_seconds(3600), Span::from_seconds(24 * 3600)];

/// Upper bounds in seconds of the request duration histogram: 1 ms to 10 s, as client libraries have
/// them, with 1 ms and 2.5 ms for small models.
pub const LATENCY_BOUNDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of the score histogram: tenths, with the ends where rare events live.
pub const SCORE_BOUNDS: [f64; 13] = [0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.0];
/// Upper bounds of the absolute error histogram, in the label's unit: 1-2-5 over eight decades would be
/// 24 series; halves of a decade keep it at 15.
pub const ERROR_BOUNDS: [f64; 15] =
    [0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 25.0, 100.0, 250.0, 1000.0, 2500.0, 10_000.0];
/// Upper bounds in seconds of the label delay: 1 s to 30 days.
pub const DELAY_BOUNDS: [f64; 12] =
    [1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 604_800.0, 2_592_000.0];

const _: () = assert!(CELL_CLASSES_MAX < VALUES_DEFAULT);
const _: () = assert!(CLASSES_CEILING < u16::MAX as usize);
const _: () = assert!(LINE_BYTES_MAX <= LINE_BYTES_CEILING);
const _: () = assert!(LINE_BYTES_CEILING < u32::MAX as usize / 4);
const _: () = assert!(BUFFER_BYTES_MIN > 2 * POSITION_BYTES);
const _: () = assert!(BUFFER_BYTES_MIN <= BATCH_BYTES_MAX);
const _: () = assert!(QUOTED_BYTES_MAX <= BATCH_BYTES_MAX);
