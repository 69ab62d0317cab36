//! Numbers as logs write them.
//!
//! What counts as a number is what `f64::from_str` reads: that is every spelling of Python, Go and Java,
//! with `nan`, `inf` and `infinity` in any case and with any sign.

use crate::record::slots::Kind;

/// Reads a number, correctly rounded.
#[inline]
pub(super) fn parse(text: &str) -> Option<f64> {
    parse_short(text.as_bytes()).or_else(|| text.parse().ok())
}

/// What an unquoted word of a flat format is.
pub(super) fn kind_of_word(word: &[u8]) -> Kind {
    match word {
        b"" => Kind::Null,
        b"true" => Kind::True,
        b"false" => Kind::False,
        _ if looks_like_number(word) => Kind::Number,
        _ => Kind::Text,
    }
}

/// Reads plain decimals of at most 15 digits, which is most of them: both the digits (below 2^53) and the
/// power of ten (below 10^22) are exact doubles, so that their quotient is rounded once and thus correctly.
#[inline]
fn parse_short(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    const DIGITS_MAX: usize = 15;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > DIGITS_MAX + 1 {
        return None;
    }
    let (mut whole, mut point) = (0u64, None);
    for (position, digit) in digits.iter().enumerate() {
        match digit {
            b'0'..=b'9' => whole = whole * 10 + u64::from(digit - b'0'),
            b'.' if point.is_none() => point = Some(position),
            _ => return None,
        }
    }
    let count = digits.len() - usize::from(point.is_some());
    if count == 0 || count > DIGITS_MAX {
        return None;
    }
    let decimals = point.map_or(0, |point| count - point);
    let value = whole as f64 / POWERS[decimals];
    Some(if negative { -value } else { value })
}

fn looks_like_number(word: &[u8]) -> bool {
    let unsigned = match word {
        [b'+' | b'-', unsigned @ ..] => unsigned,
        unsigned => unsigned,
    };
    match unsigned.first() {
        Some(b'0'..=b'9' | b'.') => is_decimal(unsigned),
        Some(b'n' | b'N' | b'i' | b'I') => {
            [&b"nan"[..], b"inf", b"infinity"].iter().any(|spelling| unsigned.eq_ignore_ascii_case(spelling))
        }
        _ => false,
    }
}

/// Digits with at most one point among, before or after them, and perhaps an exponent.
fn is_decimal(text: &[u8]) -> bool {
    let (whole, mut rest) = split_digits(text);
    let mut digits = whole;
    if let [b'.', after @ ..] = rest {
        let (decimals, end) = split_digits(after);
        digits += decimals;
        rest = end;
    }
    match rest {
        _ if digits == 0 => false,
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            matches!(split_digits(exponent), (1.., []))
        }
        _ => false,
    }
}

/// The number of digits that the text begins with, and what follows them.
fn split_digits(text: &[u8]) -> (usize, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits, &text[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_decimals_are_read_as_the_standard_library_does(text in r"-?[0-9]{0,17}\.?[0-9]{0,17}") {
            prop_assert_eq!(parse(&text).map(f64::to_bits), text.parse().ok().map(f64::to_bits));
        }

        #[test]
        fn a_word_is_a_number_where_the_standard_library_reads_one(
            word in r"[+-]?([0-9]{0,3}\.?[0-9]{0,3}([eE][+-]?[0-9]{0,3})?|[nN][aA][nN]|[iI]nf(inity)?|[0-9a-f.+-]{1,5})"
        ) {
            let is_number = kind_of_word(word.as_bytes()) == Kind::Number;
            prop_assert_eq!(is_number, word.parse::<f64>().is_ok(), "{}", word);
        }
    }

    #[test]
    fn words_are_what_they_look_like() {
        for (word, kind) in [
            ("", Kind::Null),
            ("true", Kind::True),
            ("false", Kind::False),
            ("True", Kind::Text),
            ("null", Kind::Text),
            ("13064851069359385115", Kind::Number),
            ("1.0e-5", Kind::Number),
            ("NaN", Kind::Number),
            ("-inf", Kind::Number),
            ("12.3ms", Kind::Text),
            ("1,5", Kind::Text),
            ("-", Kind::Text),
            ("1.2.3", Kind::Text),
        ] {
            assert_eq!(kind_of_word(word.as_bytes()), kind, "{word}");
        }
    }
}
