//! Lengths of time as logs write them: a number in the mapped unit, or with a unit of its own.

use super::Unit;
use crate::record::Value;

/// Seconds; `None` where `text` is no length of time, not finite or negative.
pub fn parse(text: &str, unit: Unit) -> Option<f64> {
    let text = text.trim_ascii();
    let number_end = text
        .bytes()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_end);
    let divisor = match suffix.trim_ascii_start() {
        "" => unit.per_second(),
        "s" | "sec" => 1.0,
        "ms" => 1e3,
        // The micro sign and the Greek letter look alike; Rust's Debug writes the former.
        "us" | "µs" | "μs" => 1e6,
        "ns" => 1e9,
        "m" | "min" => 1.0 / 60.0,
        _ => return None,
    };
    // Dividing by an exact power of ten rounds once; multiplying by 0.001 would round twice.
    let seconds = Value::Number(number).as_f64()? / divisor;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

impl Unit {
    const fn per_second(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e3,
            Self::Microseconds => 1e6,
            Self::Nanoseconds => 1e9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_mapped_unit_and_suffixes_their_own() {
        for (text, unit, expected) in [
            ("12.5", Unit::Milliseconds, Some(0.0125)),
            ("12.5", Unit::Seconds, Some(12.5)),
            ("3e2", Unit::Milliseconds, Some(0.3)),
            ("1.23s", Unit::Milliseconds, Some(1.23)),
            ("512.4µs", Unit::Milliseconds, Some(0.000_512_4)),
            ("46μs", Unit::Seconds, Some(0.000_046)),
            ("36.7ms", Unit::Seconds, Some(0.0367)),
            (" 9.370ms ", Unit::Seconds, Some(0.009_37)),
            ("250 ns", Unit::Seconds, Some(2.5e-7)),
            ("2m", Unit::Seconds, Some(120.0)),
            ("NaN", Unit::Seconds, None),
            ("-1", Unit::Seconds, None),
            ("1e999", Unit::Seconds, None),
            ("", Unit::Seconds, None),
            ("fast", Unit::Seconds, None),
            ("5 parsecs", Unit::Seconds, None),
        ] {
            assert_eq!(parse(text, unit), expected, "{text}");
        }
    }
}
