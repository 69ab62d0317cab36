//! The line form of Docker's json-file driver: `{"log":"…\n","stream":"stdout","time":"…"}`.
//!
//! A message that does not end in a line end goes on in the next object of the same stream: Docker
//! splits at 16 KiB. Not a JSON parser: values other than strings and flat objects (`attrs`) are refused.

use super::container::{Stream, Wrapped};

/// None: not a line of this form. The message is unescaped into `text`.
pub(super) fn parse(line: &[u8], text: &mut Vec<u8>) -> Option<Wrapped> {
    let mut cursor = Cursor { line, at: 0 };
    let mut stream = Stream::Stdout;
    let mut found = false;
    cursor.expect(b'{')?;
    loop {
        let key = cursor.string()?;
        cursor.expect(b':')?;
        match key {
            b"log" => {
                text.clear();
                unescape(cursor.string()?, text)?;
                found = true;
            }
            b"stream" => {
                stream = match cursor.string()? {
                    b"stdout" => Stream::Stdout,
                    b"stderr" => Stream::Stderr,
                    _ => return None,
                }
            }
            _ => cursor.skip_value()?,
        }
        match cursor.token()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    if !found || cursor.token().is_some() {
        return None;
    }
    let complete = text.last() == Some(&b'\n');
    if complete {
        text.pop();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
    }
    Some(Wrapped { stream, complete, message: None })
}

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    /// The next byte that is no white space.
    fn token(&mut self) -> Option<u8> {
        loop {
            let byte = *self.line.get(self.at)?;
            self.at += 1;
            if !byte.is_ascii_whitespace() {
                return Some(byte);
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.token()? == wanted).then_some(())
    }

    /// A string, still escaped.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.line.get(self.at..)?)?;
            if self.line[self.at] == b'"' {
                self.at += 1;
                return Some(&self.line[start..self.at - 1]);
            }
            self.at += 2;
        }
    }

    /// A string, or an object of strings.
    fn skip_value(&mut self) -> Option<()> {
        match self.token()? {
            b'"' => {
                self.at -= 1;
                self.string().map(|_| ())
            }
            b'{' => loop {
                match self.token()? {
                    b'}' => return Some(()),
                    b'"' => {
                        self.at -= 1;
                        self.string()?;
                    }
                    b',' | b':' => {}
                    _ => return None,
                }
            },
            _ => None,
        }
    }
}

/// Appends the characters that `escaped` stands for. A lone surrogate becomes U+FFFD.
fn unescape(escaped: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let mut rest = escaped;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        text.extend_from_slice(&rest[..at]);
        let code = *rest.get(at + 1)?;
        rest = &rest[at + 2..];
        match code {
            b'"' | b'\\' | b'/' => text.push(code),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'u' => {
                let (character, length) = unescape_unit(rest)?;
                rest = &rest[length..];
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return None,
        }
    }
    text.extend_from_slice(rest);
    Some(())
}

/// The character of one or two UTF-16 units, and how many bytes they took.
fn unescape_unit(rest: &[u8]) -> Option<(char, usize)> {
    let first = hex(rest.get(..4)?)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 4));
    }
    let second = rest.get(4..10).filter(|next| next.starts_with(b"\\u")).and_then(|next| hex(&next[2..]));
    match second {
        Some(second) if first < 0xDC00 && (0xDC00..0xE000).contains(&second) => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            Some((char::from_u32(code)?, 10))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 4)),
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<(Stream, bool, String)> {
        let mut text = b"left over".to_vec();
        let wrapped = parse(line.as_bytes(), &mut text)?;
        Some((wrapped.stream, wrapped.complete, String::from_utf8(text).expect("UTF-8")))
    }

    #[test]
    fn the_message_is_unescaped_and_its_line_end_taken_off() {
        for (line, expected) in [
            (r#"{"log":"a\n","stream":"stdout","time":"t"}"#, Some((Stream::Stdout, true, "a"))),
            (r#"{"log":"a\r\n","stream":"stderr","time":"t"}"#, Some((Stream::Stderr, true, "a"))),
            (r#"{ "time": "t", "log": "part", "stream": "stdout" }"#, Some((Stream::Stdout, false, "part"))),
            (
                r#"{"log":"\"\\\/\t\b\f\u00e9\ud83d\ude00\ud83d!\n","attrs":{"tag":"x","n":"y"}}"#,
                Some((Stream::Stdout, true, "\"\\/\t\u{8}\u{c}é😀\u{FFFD}!")),
            ),
            (r#"{"log":"\n"}"#, Some((Stream::Stdout, true, ""))),
            (r#"{"stream":"stdout","time":"t"}"#, None),
            (r#"{"log":"a\n","stream":"stdin"}"#, None),
            (r#"{"log":"a\n"} x"#, None),
            (r#"{"log":"a\n""#, None),
            (r#"{"log":"a\"#, None),
            (r#"{"log":"\x"}"#, None),
            (r#"{"log":"\u12"}"#, None),
            (r#"{"log":1}"#, None),
            ("a plain line", None),
            ("", None),
        ] {
            let expected = expected.map(|(stream, complete, text)| (stream, complete, text.to_string()));
            assert_eq!(read(line), expected, "{line}");
        }
    }
}
