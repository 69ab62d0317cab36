//! logfmt: `key=value key="quoted \" value" bare_key`.
//!
//! As Go's logfmt libraries write it: `key=` and `key=null` are null, a bare key is true, of equal keys the
//! last one counts. Taken as they are: `=` and quotes inside an unquoted value, and a backslash before a
//! character that needs none. Malformed: a line without any `=`, a key that is empty or has a quote, a quote
//! that is not closed or has text right after it.

use crate::record::keys::Keys;
use crate::record::number::kind_of_word;
use crate::record::scan;
use crate::record::slots::{Base, Kind, Record, Slot};
use crate::record::wanted::Wanted;
use crate::record::{Decode, Decoded};
use crate::verdict::Reject;

/// The decoder of logfmt lines.
#[derive(Clone, Debug)]
pub(super) struct Logfmt {
    wanted: Keys<Vec<u16>>,
}

// === impl Logfmt ===

impl Logfmt {
    pub(super) fn new(wanted: &Wanted<'_>) -> Self {
        Self { wanted: wanted.flat() }
    }
}

impl Decode for Logfmt {
    fn decode(&mut self, line: &[u8], record: &mut Record) -> Result<Decoded, Reject> {
        let (mut at, mut pairs) = (0, 0usize);
        loop {
            at += line[at..].iter().take_while(|byte| is_space(**byte)).count();
            let rest = &line[at..];
            if rest.is_empty() {
                return if pairs == 0 { Err(Reject::Malformed) } else { Ok(Decoded::Record) };
            }
            let length = rest.iter().position(|byte| is_space(*byte) || matches!(byte, b'=' | b'"'));
            let key = &rest[..length.unwrap_or(rest.len())];
            let slots = self.wanted.get(key).map_or(&[][..], Vec::as_slice);
            at += key.len();
            match line.get(at) {
                Some(b'=') if !key.is_empty() => {
                    pairs += 1;
                    at = put_value(line, at + 1, slots, record)?;
                }
                Some(b'=' | b'"') => return Err(Reject::Malformed),
                _ => record.fill(Base::RECORD, slots, Slot::bare(Kind::True)),
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        self.wanted.heap_bytes()
            + self.wanted.values().map(|slots| size_of_val(slots.as_slice())).sum::<usize>()
    }
}

/// Fills `slots` with the value that begins at `at`; returns the index after it.
fn put_value(line: &[u8], at: usize, slots: &[u16], record: &mut Record) -> Result<usize, Reject> {
    let rest = &line[at..];
    if let Some(b'"') = rest.first() {
        let (raw, escaped) = quoted(&rest[1..])?;
        let end = at + raw.len() + 2;
        if line.get(end).is_some_and(|byte| !is_space(*byte)) {
            return Err(Reject::Malformed);
        }
        if !slots.is_empty() {
            let span = if escaped { record.append(|out| unescape(raw, out))? } else { record.push(raw)? };
            record.fill(Base::RECORD, slots, Slot { kind: Kind::Text, span });
        }
        return Ok(end);
    }
    let length = rest.iter().position(|byte| is_space(*byte)).unwrap_or(rest.len());
    let word = &rest[..length];
    if !slots.is_empty() {
        let value = match kind_of_word(word) {
            Kind::Text if word == b"null" => Slot::bare(Kind::Null),
            kind @ (Kind::Text | Kind::Number) => Slot { kind, span: record.push(word)? },
            kind => Slot::bare(kind),
        };
        record.fill(Base::RECORD, slots, value);
    }
    Ok(at + length)
}

/// The text up to the closing quote, and whether there is a backslash in it.
fn quoted(text: &[u8]) -> Result<(&[u8], bool), Reject> {
    let (mut at, mut escaped) = (0, false);
    loop {
        at += memchr::memchr2(b'"', b'\\', &text[at..]).ok_or(Reject::Malformed)?;
        if text[at] == b'"' {
            return Ok((&text[..at], escaped));
        }
        escaped = true;
        at += 2;
        if at > text.len() {
            return Err(Reject::Malformed);
        }
    }
}

/// As in JSON where the escapes are JSON's; any other backslash stays (`C:\data`).
fn unescape(mut raw: &[u8], out: &mut String) -> Result<(), Reject> {
    while let Some(backslash) = memchr::memchr(b'\\', raw) {
        let (plain, rest) = raw.split_at(backslash);
        scan::unescape(plain, out)?;
        let length = match rest {
            [_, b'u', digits @ ..] if starts_with_hex(digits) => {
                // The second half of a surrogate pair belongs to the first.
                match digits.get(4..) {
                    Some([b'\\', b'u', more @ ..]) if starts_with_hex(more) && is_pair(digits, more) => 12,
                    _ => 6,
                }
            }
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            _ => {
                out.push('\\');
                raw = &rest[1..];
                continue;
            }
        };
        scan::unescape(&rest[..length], out)?;
        raw = &rest[length..];
    }
    scan::unescape(raw, out)
}

fn starts_with_hex(digits: &[u8]) -> bool {
    digits.first_chunk::<4>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether two `\u` escapes are the halves of one character, by their first two digits: D8 to DB, DC to DF.
fn is_pair(first: &[u8], second: &[u8]) -> bool {
    matches!(first, [b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..])
        && matches!(second, [b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..])
}

const fn is_space(byte: u8) -> bool {
    byte <= b' '
}
