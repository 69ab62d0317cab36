//! The line form of CRI runtimes (containerd, CRI-O): `TIME STREAM TAG MESSAGE`.
//!
//! TAG is `F` for a whole line or its last piece, `P` for a piece that goes on; more tags may follow
//! after a colon. The time is checked for its shape only: an event has a time of its own.

use super::container::{Stream, Wrapped};

/// Shortest RFC 3339 time: `2006-01-02T15:04:05Z`.
const TIME_BYTES_MIN: usize = 20;

/// None: not a line of this form.
pub(super) fn parse(line: &[u8]) -> Option<Wrapped> {
    let time_end = memchr::memchr(b' ', line)?;
    if !is_time(&line[..time_end]) {
        return None;
    }
    let rest = &line[time_end + 1..];
    let stream_end = memchr::memchr(b' ', rest)?;
    let stream = match &rest[..stream_end] {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let rest = &rest[stream_end + 1..];
    // An empty message may come without the space before it.
    let tag_end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let complete = match rest[..tag_end].split(|byte| *byte == b':').next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    let start = line.len() - rest.len() + (tag_end + 1).min(rest.len());
    Some(Wrapped { stream, complete, message: Some(start..line.len()) })
}

fn is_time(text: &[u8]) -> bool {
    text.len() >= TIME_BYTES_MIN
        && text.iter().enumerate().take(TIME_BYTES_MIN - 1).all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_what_follows_the_tag() {
        for (line, expected) in [
            ("2016-10-06T00:17:09.669794202Z stdout F a b", Some((Stream::Stdout, true, "a b"))),
            ("2016-10-06T00:17:09.669794202Z stderr P part", Some((Stream::Stderr, false, "part"))),
            ("2016-10-06T00:17:09+02:00 stdout F:x  two", Some((Stream::Stdout, true, " two"))),
            ("2016-10-06T00:17:09Z stdout F ", Some((Stream::Stdout, true, ""))),
            ("2016-10-06T00:17:09Z stdout F", Some((Stream::Stdout, true, ""))),
            ("2016-10-06T00:17:09Z stdin F a", None),
            ("2016-10-06T00:17:09Z stdout X a", None),
            ("2016-10-06T00:17:09Z stdout", None),
            ("2016-10-06 00:17:09Z stdout F a", None),
            ("yesterday stdout F a", None),
            ("{\"a\": 1}", None),
            ("", None),
        ] {
            let parsed = parse(line.as_bytes()).map(|wrapped| {
                let message = wrapped.message.expect("CRI never unescapes");
                (wrapped.stream, wrapped.complete, &line[message])
            });
            assert_eq!(parsed, expected, "{line}");
        }
    }
}
