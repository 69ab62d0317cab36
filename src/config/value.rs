//! The forms of single values: durations, sizes, ratios, classes, words, patterns.
//!
//! Each reader takes a YAML value and says what is wrong with it; where it is, its caller knows.

use super::problem::{Fault, suggest};
use super::table::{describe, plain_text};
use crate::time::Span;
use serde_yaml::Value;
use std::ops::RangeInclusive;

/// Text that is not empty. Numbers and booleans count as the text YAML gives them.
pub(super) fn text(value: &Value) -> Result<String, Fault> {
    match plain_text(value) {
        Some(text) if text.is_empty() => Err("must not be empty".into()),
        Some(text) => Ok(text),
        None => Err(format!("expected text, found {}", describe(value)).into()),
    }
}

/// The identity of a class: text, with a whole number in the form of its integer (`1.0` is `1`).
pub(super) fn class(value: &Value) -> Result<String, Fault> {
    if let Value::Number(number) = value
        && !number.is_finite()
    {
        return Err(format!("expected a class, found {}", describe(value)).into());
    }
    Ok(class_identity(&text(value)?).to_owned())
}

/// The identity of a class as it was written. The same as in records: `-0.0`, `0` and `"0"` are one class.
pub(super) fn class_identity(text: &str) -> &str {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_whole = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && fraction.bytes().all(|byte| byte == b'0')
        && (digits == "0" || !digits.starts_with('0'))
        && !text.ends_with('.');
    match (is_whole, digits) {
        (true, "0") => "0",
        (true, _) => whole,
        (false, _) => text,
    }
}

/// A length of time above zero, as people write it: `250ms`, `24h`, `1h30m`.
pub(super) fn duration(value: &Value) -> Result<Span, Fault> {
    let span = duration_or_zero(value)?;
    if span == Span::ZERO { Err("must be more than zero".into()) } else { Ok(span) }
}

pub(super) fn duration_or_zero(value: &Value) -> Result<Span, Fault> {
    const EXAMPLES: &str = "write a number with its unit: 250ms, 5s, 1h30m, 24h, 7days";
    let wrong = || Fault::from(format!("expected a duration, found {}", describe(value))).advise(EXAMPLES);
    let Value::String(text) = value else {
        return match value {
            Value::Number(number) if number.as_u64() == Some(0) => Ok(Span::ZERO),
            _ => Err(wrong()),
        };
    };
    let duration = humantime::parse_duration(text.trim()).map_err(|_| wrong())?;
    // Beyond a century nobody waits, and sums of a few of them stay far from the end of time.
    if duration.as_secs() > 100 * 366 * 86_400 {
        return Err(Fault::from(format!("{} is more than 100 years", describe(value))));
    }
    Ok(Span::from(duration))
}

/// A number of bytes: `1MiB`, `64kB`, or a plain number.
pub(super) fn size(value: &Value, range: RangeInclusive<usize>) -> Result<usize, Fault> {
    let wrong = || {
        Fault::from(format!("expected a size, found {}", describe(value)))
            .advise("write a number of bytes, or one with its unit: 512KiB, 1MiB")
    };
    let bytes = match value {
        Value::Number(number) => number.as_u64().ok_or_else(wrong)?,
        Value::String(text) => text.trim().parse::<bytesize::ByteSize>().map_err(|_| wrong())?.as_u64(),
        _ => return Err(wrong()),
    };
    match usize::try_from(bytes) {
        Ok(bytes) if range.contains(&bytes) => Ok(bytes),
        _ => Err(format!(
            "must be between {} and {}, found {}",
            size_text(*range.start()),
            size_text(*range.end()),
            describe(value)
        )
        .into()),
    }
}

/// Bytes with the unit that a person would choose, as in `1.0 MiB`.
pub(super) fn size_text(bytes: usize) -> String {
    bytesize::ByteSize(bytes as u64).to_string()
}

/// A whole number within `range`.
pub(super) fn count(value: &Value, range: RangeInclusive<usize>) -> Result<usize, Fault> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    match number {
        Some(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "expected a whole number between {} and {}, found {}",
            range.start(),
            range.end(),
            describe(value)
        )
        .into()),
    }
}

/// A finite number. Text is read too, because quoted numbers are common.
pub(super) fn number(value: &Value) -> Result<f64, Fault> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number.is_finite() => Ok(number),
        _ => Err(format!("expected a number, found {}", describe(value)).into()),
    }
}

/// A number where `97%` means 0.97.
pub(super) fn number_or_percent(value: &Value) -> Result<f64, Fault> {
    match value {
        Value::String(text) => match text.trim().strip_suffix('%') {
            // Shifting the decimal point in the text keeps 99.9% the same double as 0.999.
            Some(percent) => match format!("{}e-2", percent.trim()).parse::<f64>() {
                Ok(ratio) if ratio.is_finite() => Ok(ratio),
                _ => Err(format!("expected a number or a percentage, found {}", describe(value)).into()),
            },
            None => number(value),
        },
        _ => number(value),
    }
}

/// One of a closed set of words.
pub(super) fn word<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, Fault> {
    let written = plain_text(value).unwrap_or_default();
    match words.iter().find(|(word, _)| *word == written) {
        Some((_, meaning)) => Ok(*meaning),
        None => {
            let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            Err(Fault::from(format!("unknown value {}", describe(value))).advise(suggest(
                &written,
                "possible values",
                &names,
            )))
        }
    }
}

/// A regular expression, for its own sake: what it is compiled with is the caller's.
pub(super) fn regular_expression(value: &Value) -> Result<String, Fault> {
    let text = text(value)?;
    match regex::Regex::new(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(regex_fault(&text, &error)),
    }
}

/// The message of a broken regular expression, on one line, with the position that the library marks by a
/// caret under the pattern.
pub(super) fn regex_fault(pattern: &str, error: &regex::Error) -> Fault {
    let regex::Error::Syntax(message) = error else {
        return Fault::from(format!("the regular expression `{pattern}` cannot be used: {error}"));
    };
    let reason = message.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("not valid");
    // The library indents pattern and caret by four characters. With several lines it marks none.
    let caret =
        message.lines().find(|line| line.trim_start().starts_with('^')).and_then(|line| line.find('^'));
    let position = match caret {
        Some(column) if column >= 4 && !pattern.contains('\n') => format!(" at character {}", column - 3),
        _ => String::new(),
    };
    Fault::from(format!("the regular expression `{pattern}` is not valid{position}: {reason}"))
}

/// Replaces each `${NAME}` by the variable's value. Every other `$` stands for itself.
pub(super) fn expand(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        expanded.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            return Err(Fault::from(format!("`${{` without `}}` in `{text}`")));
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(Fault::from(format!("`{name}` is not the name of an environment variable"))
                .advise("write ${NAME}, with letters, digits and `_`"));
        }
        let Some(value) = environment(name) else {
            return Err(Fault::from(format!("the environment variable `{name}` is not set")).advise(
                format!(
                    "set {name} where this program is started, or write its value in place of ${{{name}}}"
                ),
            ));
        };
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Value {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn a_whole_number_is_the_class_of_its_integer() {
        for (written, identity) in [
            ("1", "1"),
            ("1.0", "1"),
            ("\"1.00\"", "1"),
            ("-0.0", "0"),
            ("-3.0", "-3"),
            ("10", "10"),
            ("007", "007"),
            ("\"007\"", "007"),
            ("1.5", "1.5"),
            ("\"1.\"", "1."),
            ("v1.0", "v1.0"),
            ("true", "true"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(class(&yaml(written)), Ok(identity.to_owned()), "{written}");
        }
        for written in [".nan", "[1]", "''"] {
            assert!(class(&yaml(written)).is_err(), "{written}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration(&yaml("1h30m")), Ok(Span::from_seconds(5400)));
        assert_eq!(duration(&yaml("250ms")), Ok(Span::from_millis(250)));
        assert_eq!(duration_or_zero(&yaml("0s")), Ok(Span::ZERO));
        assert_eq!(duration_or_zero(&yaml("0")), Ok(Span::ZERO));
        for wrong in ["5", "0s", "-5s", "5 minute things", "[1s]", "'500000 years'", "''"] {
            assert!(duration(&yaml(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn percentages_are_ratios() {
        assert_eq!(number_or_percent(&yaml("97%")), Ok(0.97));
        assert_eq!(number_or_percent(&yaml("'99.9 %'")), Ok(0.999));
        assert_eq!(number_or_percent(&yaml("0.97")), Ok(0.97));
        assert!(number_or_percent(&yaml("NaN%")).is_err());
    }

    #[test]
    fn sizes_are_bytes_with_or_without_a_unit() {
        assert_eq!(size(&yaml("1MiB"), 1..=usize::MAX), Ok(1 << 20));
        assert_eq!(size(&yaml("64kB"), 1..=usize::MAX), Ok(64_000));
        assert_eq!(size(&yaml("4096"), 1..=usize::MAX), Ok(4096));
        assert!(size(&yaml("2GiB"), 1..=1 << 20).is_err());
        assert!(size(&yaml("-1"), 1..=1 << 20).is_err());
    }

    #[test]
    fn only_a_name_in_braces_is_replaced() {
        let environment = |name: &str| (name == "POD").then(|| "web-0".to_owned());
        assert_eq!(expand("/v/${POD}/a-$POD-$$.log", &environment), Ok("/v/web-0/a-$POD-$$.log".to_owned()));
        assert_eq!(expand("${POD}${POD}", &environment), Ok("web-0web-0".to_owned()));
        for wrong in ["${NODE}", "${POD", "${}", "${a b}"] {
            assert!(expand(wrong, &environment).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_broken_regular_expression_is_shown_with_its_position() {
        let fault = regular_expression(&yaml("'ab(c'")).unwrap_err();
        assert_eq!(fault.what, "the regular expression `ab(c` is not valid at character 3: unclosed group");
    }
}
