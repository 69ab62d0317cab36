//! Bytes to lines, under every framing: however reads cut them, and after a restart at any time.
//!
//! Three bytes choose the framing, the line limit and the cuts, and whether a part of the content is repeated
//! so that it outgrows the buffers; the rest is the content.

use crate::Choices;
use inference_exporter::limits::{BATCH_BYTES_MAX, CONTAINER_BYTES_MAX, POSITION_BYTES};
use inference_exporter::line::{Buffer, Committed, Config, Container, Reject};
use inference_exporter::time::Timestamp;

/// What a line was, where it began and where it ended; or why it was none.
type Found = Vec<Result<(Vec<u8>, u64, u64), Reject>>;

const LIMITS: [usize; 6] = [16, 1, 64, 300, 5000, 1 << 20];

/// Longer than a line of a container's log can be.
const LONG_BYTES: usize = CONTAINER_BYTES_MAX + (16 << 10);
/// Positions of one content that are restarted from.
const MARKS_MAX: usize = 64;

/// A place to restart at, and how many lines had been given out.
struct Mark {
    offset: u64,
    delivered: u64,
    lines: usize,
}

pub(crate) fn run(bytes: &[u8]) {
    let Some((kind, rest)) = crate::choose(bytes, 5) else { return };
    let Some((limit, rest)) = crate::choose(rest, LIMITS.len()) else { return };
    let Some((seed, rest)) = crate::choose(rest, 256) else { return };
    let (container, quoted) = [
        (Container::None, None),
        (Container::Cri, None),
        (Container::Docker, None),
        (Container::None, Some(b',')),
        (Container::Cri, Some(b';')),
    ][kind];
    let config = Config { container, line_bytes_max: LIMITS[limit], quoted };
    // Now and then long enough for what needs length: buffers that grow, lines that are too long.
    let is_long = seed >= 240;
    let content = if is_long { lengthen(rest) } else { rest.to_vec() };
    let mut choices = Choices(seed as u64);
    let mut marks = Vec::new();
    let whole = read(&config, &content, None, &mut Vec::new());
    let cut = read(&config, &content, Some(&mut choices), &mut marks);
    assert_eq!(whole, cut, "lines hang on how reads cut them");
    if let Container::None = container {
        check_coverage(&whole, &content);
    }
    // What a file of UTF-16 is, its first bytes say, and a buffer that restarts behind them cannot know.
    if !content.starts_with(b"\xFF\xFE") && !content.starts_with(b"\xFE\xFF") {
        // Each restart reads the rest of the content, which may be long.
        while is_long && marks.len() > 4 {
            marks.swap_remove(choices.below(marks.len()));
        }
        check_restarts(&config, &content, &whole, &marks, &mut choices);
    }
    check_hand_over(&config, &content, &whole, &mut choices);
}

/// Repeats what stands between two bytes 0x1e, or all of it.
fn lengthen(bytes: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = bytes.splitn(3, |byte| *byte == 0x1e).collect();
    let (head, repeated, tail) = match parts[..] {
        [head, repeated, tail] => (head, repeated, tail),
        _ => (&[][..], bytes, &[][..]),
    };
    let count = LONG_BYTES / repeated.len().max(1) + 1;
    [head, &repeated.repeat(count), tail].concat()
}

/// Takes all lines of `content`, in reads as large as the buffer offers or as small as `cuts` says, and
/// checks after each what the buffer says of its position.
fn read(config: &Config, content: &[u8], mut cuts: Option<&mut Choices>, marks: &mut Vec<Mark>) -> Found {
    let mut buffer = Buffer::new(config);
    let mut found = Found::new();
    let mut read = 0;
    while read < content.len() {
        read += fill(&mut buffer, &content[read..], cuts.as_deref_mut());
        let quiet = cuts.as_deref_mut().is_some_and(|cuts| cuts.below(16) == 0);
        loop {
            let before = buffer.committed().offset;
            let taken = take(&mut buffer, &mut found);
            check_position(&buffer, content, read, before);
            if let Some(cuts) = cuts.as_deref_mut() {
                let Committed { offset, delivered, .. } = buffer.committed();
                let is_new =
                    marks.last().is_none_or(|last| (last.offset, last.delivered) != (offset, delivered));
                if is_new {
                    marks.push(Mark { offset, delivered, lines: found.len() });
                }
                if marks.len() > MARKS_MAX {
                    marks.swap_remove(cuts.below(MARKS_MAX));
                }
            }
            if !taken {
                break;
            }
        }
        if quiet {
            buffer.rest();
            check_position(&buffer, content, read, 0);
        }
    }
    buffer.finish();
    while take(&mut buffer, &mut found) {}
    assert_eq!(buffer.pending_bytes(), 0, "a finished file holds bytes back");
    assert_eq!(buffer.committed().offset, content.len() as u64);
    found
}

fn fill(buffer: &mut Buffer, rest: &[u8], cuts: Option<&mut Choices>) -> usize {
    let space = buffer.space();
    assert!(!space.is_empty(), "no room to read into");
    // What is long is read in long pieces, or it takes too long.
    let scale = 1 + rest.len() / 1024;
    let most = cuts.map_or(usize::MAX, |cuts| cuts.read_bytes() * scale);
    let count = rest.len().min(space.len()).min(most);
    space[..count].copy_from_slice(&rest[..count]);
    buffer.filled(count, Timestamp::default());
    count
}

fn take(buffer: &mut Buffer, found: &mut Found) -> bool {
    let Some(line) = buffer.next_line() else { return false };
    found.push(line.map(|line| (line.bytes.to_vec(), line.offset, line.end)));
    true
}

fn check_position(buffer: &Buffer, content: &[u8], read: usize, before: u64) {
    let committed = buffer.committed();
    assert!(committed.offset >= before, "the position went back");
    assert!(committed.delivered >= committed.offset && committed.delivered <= read as u64);
    assert_eq!(committed.offset + buffer.pending_bytes(), read as u64, "bytes are lost or counted twice");
    let offset = committed.offset as usize;
    // After `rest` or a restart there may be fewer bytes before the position than there could be.
    assert!(content[..offset].ends_with(committed.tail), "the tail is not what is before the position");
    assert_eq!(committed.tail.len(), offset.min(POSITION_BYTES), "the tail is too short");
    // Two open lines, the physical one, what is unescaped of it, and a read; `Vec` may hold twice of each.
    let line = LIMITS[LIMITS.len() - 1] + CONTAINER_BYTES_MAX;
    assert!(buffer.memory_bytes() <= 2 * (4 * line + 2 * BATCH_BYTES_MAX), "{}", buffer.memory_bytes());
}

/// Lines are in order, do not overlap, and hold what stands at their place.
fn check_coverage(found: &Found, content: &[u8]) {
    let mut end = 0;
    for (bytes, offset, next) in found.iter().flatten() {
        assert!(*offset >= end && next >= offset, "lines overlap or are out of order");
        let raw = &content[*offset as usize..*next as usize];
        let text = raw.strip_suffix(b"\n").unwrap_or(raw);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let text = if *offset == 0 { text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text) } else { text };
        assert!(bytes == text, "a line is not what stands at its place");
        end = *next;
    }
}

/// A buffer that starts at a position gives the lines that were not given out before it.
fn check_restarts(config: &Config, content: &[u8], whole: &Found, marks: &[Mark], choices: &mut Choices) {
    for mark in marks {
        let mut buffer = Buffer::new(config);
        buffer.restart(mark.offset, mark.delivered);
        let mut found = Found::new();
        drain(&mut buffer, &content[mark.offset as usize..], choices, &mut found);
        buffer.finish();
        while take(&mut buffer, &mut found) {}
        assert_eq!(found, whole[mark.lines..], "other lines after a restart at {}", mark.offset);
    }
}

/// A container's log that was rotated between two of its lines gives the lines of the log that was not.
fn check_hand_over(config: &Config, content: &[u8], whole: &Found, choices: &mut Choices) {
    let ends: Vec<usize> = (1..=content.len()).filter(|end| content[end - 1] == b'\n').collect();
    // A byte order mark means something at the head of a file alone.
    let has_mark = content.windows(2).any(|two| matches!(two, b"\xEF\xBB" | b"\xFF\xFE" | b"\xFE\xFF"));
    if ends.is_empty() || has_mark || config.container == Container::None {
        return;
    }
    let cut = ends[choices.below(ends.len())];
    let (mut old, mut new) = (Buffer::new(config), Buffer::new(config));
    let mut found = Found::new();
    drain(&mut old, &content[..cut], choices, &mut found);
    new.inherit(&mut old);
    old.finish();
    assert!(old.next_line().is_none(), "a line was handed over and is still there");
    drain(&mut new, &content[cut..], choices, &mut found);
    new.finish();
    while take(&mut new, &mut found) {}
    let texts = |found: &Found| -> Vec<Result<Vec<u8>, Reject>> {
        found.iter().cloned().map(|line| line.map(|(text, ..)| text)).collect()
    };
    assert_eq!(texts(&found), texts(whole), "other lines with a rotation at {cut}");
}

fn drain(buffer: &mut Buffer, content: &[u8], choices: &mut Choices, found: &mut Found) {
    let mut read = 0;
    while read < content.len() {
        read += fill(buffer, &content[read..], Some(choices));
        while take(buffer, found) {}
    }
}
