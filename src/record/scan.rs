//! Where JSON tokens end: strings, numbers, words, and whole values that nobody wants.
//!
//! Everything is checked against the grammar (RFC 8259, and Python's `NaN`, `Infinity` and `-Infinity`),
//! also what is stepped over, except that the bytes of a string need not be UTF-8. Nothing is copied.
//!
//! Every function takes the index of a token's first byte and returns the index after its last.

use crate::limits::JSON_DEPTH_MAX;
use crate::record::slots::Kind;
use crate::verdict::Reject;

/// The closing quote of a string, and whether there is an escape before it.
#[derive(Clone, Copy)]
pub(super) struct StringEnd {
    pub(super) quote: usize,
    pub(super) escaped: bool,
}

// One bit per open container, set for objects.
const _: () = assert!(JSON_DEPTH_MAX <= u128::BITS as usize);

#[inline(always)]
pub(super) fn byte(line: &[u8], at: usize) -> Result<u8, Reject> {
    line.get(at).copied().ok_or(Reject::Malformed)
}

#[inline(always)]
pub(super) fn skip_space(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = line.get(at) {
        at += 1;
    }
    at
}

/// Finds the end of a string; `at` is the byte after its opening quote.
#[inline(always)]
pub(super) fn string_end(line: &[u8], mut at: usize) -> Result<StringEnd, Reject> {
    let mut escaped = false;
    loop {
        while let Some(chunk) = line.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let hit = ends_plain_text(u64::from_le_bytes(*chunk));
            if hit != 0 {
                at += (hit.trailing_zeros() / 8) as usize;
                break;
            }
            at += 8;
        }
        match byte(line, at)? {
            b'"' => return Ok(StringEnd { quote: at, escaped }),
            b'\\' => {
                at = escape_end(line, at)?;
                escaped = true;
            }
            0..=0x1f => return Err(Reject::Malformed),
            _ => at += 1,
        }
    }
}

/// A mask whose lowest set bit belongs to the first byte that is a quote, a backslash or a control byte.
///
/// The tests are the well known ones for a zero byte and for a byte below n in a word; borrows can set bits
/// only above the first true one. Flipping bit 1 makes 0x20 of the quote (0x22) and permutes the control
/// bytes, so that one test, below 0x21, is for both.
#[inline(always)]
const fn ends_plain_text(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let flipped = word ^ (LOW * 2);
    let backslash = word ^ (LOW * b'\\' as u64);
    (flipped.wrapping_sub(LOW * 0x21) & !flipped | backslash.wrapping_sub(LOW) & !backslash) & HIGH
}

/// Steps over one escape; `at` is its backslash.
#[inline]
fn escape_end(line: &[u8], at: usize) -> Result<usize, Reject> {
    match byte(line, at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => match line.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => Err(Reject::Malformed),
        },
        _ => Err(Reject::Malformed),
    }
}

/// Steps over a value that is neither string, object nor array, and says what it is.
#[inline(always)]
pub(super) fn scalar_end(line: &[u8], at: usize) -> Result<(usize, Kind), Reject> {
    match byte(line, at)? {
        b'0'..=b'9' => Ok((digits_end(line, at)?, Kind::Number)),
        b'-' if line.get(at + 1) == Some(&b'I') => Ok((word_end(line, at, b"-Infinity")?, Kind::Number)),
        b'-' => Ok((digits_end(line, at + 1)?, Kind::Number)),
        b't' => Ok((word_end(line, at, b"true")?, Kind::True)),
        b'f' => Ok((word_end(line, at, b"false")?, Kind::False)),
        b'n' => Ok((word_end(line, at, b"null")?, Kind::Null)),
        b'N' => Ok((word_end(line, at, b"NaN")?, Kind::Number)),
        b'I' => Ok((word_end(line, at, b"Infinity")?, Kind::Number)),
        _ => Err(Reject::Malformed),
    }
}

#[inline]
fn word_end(line: &[u8], at: usize, word: &[u8]) -> Result<usize, Reject> {
    if line[at..].starts_with(word) { Ok(at + word.len()) } else { Err(Reject::Malformed) }
}

/// The end of a number without its sign. What may follow it is the caller's to check, so `01` ends
/// after its zero and fails there.
#[inline(always)]
fn digits_end(line: &[u8], at: usize) -> Result<usize, Reject> {
    let mut at = match byte(line, at)? {
        b'0' => at + 1,
        b'1'..=b'9' => skip_digits(line, at + 1),
        _ => return Err(Reject::Malformed),
    };
    if line.get(at) == Some(&b'.') {
        at = some_digits(line, at + 1)?;
    }
    if let Some(b'e' | b'E') = line.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = line.get(at) {
            at += 1;
        }
        at = some_digits(line, at)?;
    }
    Ok(at)
}

#[inline(always)]
fn skip_digits(line: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = line.get(at) {
        at += 1;
    }
    at
}

#[inline(always)]
fn some_digits(line: &[u8], at: usize) -> Result<usize, Reject> {
    let end = skip_digits(line, at);
    if end == at { Err(Reject::Malformed) } else { Ok(end) }
}

/// Steps from a key's opening quote to the first byte of its value. Returns where the key's text ends as
/// well; it begins at `at + 1`.
#[inline(always)]
pub(super) fn key_end(line: &[u8], at: usize) -> Result<(StringEnd, usize), Reject> {
    if byte(line, at)? != b'"' {
        return Err(Reject::Malformed);
    }
    let end = string_end(line, at + 1)?;
    let colon = skip_space(line, end.quote + 1);
    if byte(line, colon)? != b':' {
        return Err(Reject::Malformed);
    }
    Ok((end, skip_space(line, colon + 1)))
}

/// Steps over any value. `depth` counts the containers that are open around it.
#[inline(always)]
pub(super) fn value_end(line: &[u8], at: usize, depth: usize) -> Result<usize, Reject> {
    match byte(line, at)? {
        b'"' => Ok(string_end(line, at + 1)?.quote + 1),
        b'{' | b'[' => nested_end(line, at, depth),
        _ => Ok(scalar_end(line, at)?.0),
    }
}

/// Steps over an object or array. No recursion: the open containers are the bits of a word.
#[inline(never)]
pub(super) fn nested_end(line: &[u8], mut at: usize, depth: usize) -> Result<usize, Reject> {
    let (mut objects, mut open) = (0u128, 0);
    loop {
        match byte(line, at)? {
            opening @ (b'{' | b'[') => {
                open += 1;
                if depth + open > JSON_DEPTH_MAX {
                    return Err(Reject::Malformed);
                }
                objects = objects << 1 | u128::from(opening == b'{');
                at = skip_space(line, at + 1);
                // An empty container is closed below, like any other.
                if !matches!(line.get(at), Some(b'}' | b']')) {
                    if opening == b'{' {
                        at = key_end(line, at)?.1;
                    }
                    continue;
                }
            }
            b'"' => at = string_end(line, at + 1)?.quote + 1,
            _ => at = scalar_end(line, at)?.0,
        }
        loop {
            at = skip_space(line, at);
            let in_object = objects & 1 == 1;
            match byte(line, at)? {
                b',' if in_object => {
                    at = key_end(line, skip_space(line, at + 1))?.1;
                    break;
                }
                b',' => {
                    at = skip_space(line, at + 1);
                    break;
                }
                b'}' if in_object => {}
                b']' if !in_object => {}
                _ => return Err(Reject::Malformed),
            }
            at += 1;
            objects >>= 1;
            open -= 1;
            if open == 0 {
                return Ok(at);
            }
        }
    }
}

/// Appends the text of a string whose escapes `string_end` has found well formed. Half of a surrogate pair
/// becomes U+FFFD.
pub(super) fn unescape(raw: &[u8], out: &mut String) -> Result<(), Reject> {
    let mut text = std::str::from_utf8(raw).map_err(|_| Reject::InvalidUtf8)?;
    while let Some((plain, escape)) = text.split_once('\\') {
        out.push_str(plain);
        let (character, length) = match escape.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => code_point(escape.as_bytes()),
            Some(&itself) => (char::from(itself), 1),
            None => return Err(Reject::Malformed),
        };
        out.push(character);
        text = escape.get(length..).ok_or(Reject::Malformed)?;
    }
    out.push_str(text);
    Ok(())
}

/// The character of `uXXXX`, or of two such with a backslash between, and the bytes it takes.
fn code_point(escape: &[u8]) -> (char, usize) {
    let unit = |at: usize, mark: &[u8]| {
        let digits = escape.get(at..)?.strip_prefix(mark)?.first_chunk::<4>()?;
        digits.iter().try_fold(0u32, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    };
    let first = unit(0, b"u").unwrap_or_else(|| unreachable!("the digits of an escape are checked before"));
    if let (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) = (first, unit(5, b"\\u")) {
        let pair = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER), 11);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5)
}
