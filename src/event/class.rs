//! Class identity: when two values name the same class.
//!
//! A class is text; a whole number equals its integer (`1`, `1.0`, `"1"`); `true` and `false` equal a
//! declared `true` or `false`, else `1` and `0`.

use crate::record::Value;

/// A buffer long enough for every whole number that a double represents exactly.
#[derive(Default, Clone)]
pub struct Digits(itoa::Buffer);

/// The canonical text of a class, or `None` where the value names none: missing, null, nested, empty or
/// not a number. `declared` says whether a text is a class as it stands.
pub fn canonical<'a>(
    value: Value<'a>,
    declared: impl Fn(&str) -> bool,
    digits: &'a mut Digits,
) -> Option<&'a str> {
    match value {
        Value::Missing | Value::Null | Value::Nested => None,
        Value::Bool(truth) => Some(truth_class(truth, declared)),
        Value::Text(text) | Value::Number(text) => {
            let text = text.trim_ascii();
            if text.is_empty() || declared(text) {
                return Some(text).filter(|text| !text.is_empty());
            }
            // `NaN` and `Infinity` are the numbers that end in a letter.
            if matches!(value, Value::Number(_)) && text.ends_with(|last: char| last.is_ascii_alphabetic()) {
                return None;
            }
            match text.as_bytes()[0] {
                b'0'..=b'9' | b'-' | b'+' | b'.' => Some(whole_number(text, digits)),
                b't' | b'T' if text.eq_ignore_ascii_case("true") => Some(truth_class(true, declared)),
                b'f' | b'F' if text.eq_ignore_ascii_case("false") => Some(truth_class(false, declared)),
                _ => Some(text),
            }
        }
    }
}

fn truth_class(truth: bool, declared: impl Fn(&str) -> bool) -> &'static str {
    match truth {
        true if declared("true") => "true",
        false if declared("false") => "false",
        true => "1",
        false => "0",
    }
}

/// `1.0`, `+1`, `1e0` as `1`; any other text as it stands. Digits are kept however many there are.
fn whole_number<'a>(text: &'a str, digits: &'a mut Digits) -> &'a str {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let magnitude = unsigned.strip_prefix('-').unwrap_or(unsigned);
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let plain = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    if plain && fraction.bytes().all(|byte| byte == b'0') {
        if whole == "0" {
            return "0";
        }
        // A leading zero makes a code (a postcode, say), not a number, unless it is only the sign's.
        return if whole.starts_with('0') {
            text
        } else {
            &unsigned[..unsigned.len() - magnitude.len() + whole.len()]
        };
    }
    if magnitude.bytes().any(|byte| matches!(byte, b'e' | b'E')) {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        if let Ok(number) = text.parse::<f64>()
            && number.fract() == 0.0
            && number.abs() <= EXACT_MAX
        {
            return digits.0.format(number as i64);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Value<'_>, declared: &[&str], expected: Option<&str>) {
        let mut digits = Digits::default();
        assert_eq!(canonical(value, |text| declared.contains(&text), &mut digits), expected, "{value:?}");
    }

    #[test]
    fn a_whole_number_equals_its_integer() {
        for text in ["1", "1.0", "1.000", "+1", "1e0", "10E-1", " 1 "] {
            check(Value::Text(text), &[], Some("1"));
            check(Value::Number(text), &[], Some("1"));
        }
        check(Value::Number("-0.0"), &[], Some("0"));
        check(Value::Number("-3.0"), &[], Some("-3"));
        check(Value::Number("1e3"), &[], Some("1000"));
        check(Value::Number("0.5"), &[], Some("0.5"));
        check(Value::Number("13064851069359385115"), &[], Some("13064851069359385115"));
        check(Value::Text("01067"), &[], Some("01067"));
    }

    #[test]
    fn truth_is_one_unless_true_is_declared() {
        check(Value::Bool(true), &[], Some("1"));
        check(Value::Bool(false), &["0", "1"], Some("0"));
        check(Value::Bool(true), &["true", "false"], Some("true"));
        check(Value::Text("true"), &[], Some("1"));
        check(Value::Text("False"), &[], Some("0"));
        check(Value::Text("False"), &["true", "false"], Some("false"));
        check(Value::Text("True"), &["True", "False"], Some("True"));
    }

    #[test]
    fn what_names_no_class() {
        for value in [
            Value::Missing,
            Value::Null,
            Value::Nested,
            Value::Text(""),
            Value::Text("  "),
            Value::Number("NaN"),
            Value::Number("Infinity"),
            Value::Number("-Infinity"),
        ] {
            check(value, &[], None);
        }
    }

    #[test]
    fn other_text_is_a_class_as_it_stands() {
        for text in ["cat", "trout", "falsehood", "-", "1.2.3", "2026-11-23", "naïve"] {
            check(Value::Text(text), &[], Some(text));
        }
    }
}
