//! Points and lengths of time, as integers of nanoseconds.
//!
//! Not a clock: nothing here reads one. `now` is an argument everywhere below `command`.

use std::time::Duration;

/// A point in time: nanoseconds since the Unix epoch, which covers the years 1677 to 2262.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Timestamp(i64);

/// A length of time in nanoseconds, never negative, at most 292 years.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "i64")]
pub struct Span(i64);

pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

// === impl Timestamp ===

impl Timestamp {
    pub const MIN: Self = Self(i64::MIN);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// Seconds since the epoch, to the nearest double: at today's dates they are some 200 ns apart.
    pub fn as_seconds(self) -> f64 {
        // Nanoseconds of today do not fit a double, so that dividing them would round twice: 0.137 s would
        // read 0.1369998.
        let (seconds, nanos) = (self.0.div_euclid(NANOS_PER_SECOND), self.0.rem_euclid(NANOS_PER_SECOND));
        seconds as f64 + nanos as f64 / NANOS_PER_SECOND as f64
    }

    /// The time that has passed since `earlier`; zero where `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }

    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

// === impl Span ===

impl Span {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_nanos(nanos: i64) -> Self {
        assert!(nanos >= 0, "a span is never negative");
        Self(nanos)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_nanos(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    pub const fn from_millis(millis: i64) -> Self {
        Self::from_nanos(millis.saturating_mul(1_000_000))
    }

    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Nanoseconds, as they are kept in bytes.
impl TryFrom<i64> for Span {
    type Error = &'static str;

    fn try_from(nanos: i64) -> Result<Self, Self::Error> {
        if nanos < 0 { Err("a span is never negative") } else { Ok(Self(nanos)) }
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_nanos(span.0.unsigned_abs())
    }
}

/// The largest unit that divides the span, as in `5m`, `24h`, `250ms`: the form of window labels.
impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(i64, &str); 6] = [
            (3600 * NANOS_PER_SECOND, "h"),
            (60 * NANOS_PER_SECOND, "m"),
            (NANOS_PER_SECOND, "s"),
            (1_000_000, "ms"),
            (1000, "us"),
            (1, "ns"),
        ];
        for (nanos, unit) in UNITS {
            if self.0 != 0 && self.0 % nanos == 0 {
                return write!(f, "{}{unit}", self.0 / nanos);
            }
        }
        f.write_str("0s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_with_the_largest_unit_that_divides_it() {
        for (seconds, text) in [(0, "0s"), (300, "5m"), (3600, "1h"), (86_400, "24h"), (90, "90s")] {
            assert_eq!(Span::from_seconds(seconds).to_string(), text);
        }
        assert_eq!(Span::from_millis(250).to_string(), "250ms");
    }

    #[test]
    fn seconds_are_the_nearest_to_what_was_logged() {
        for (nanos, seconds) in [
            (1_795_469_330_137_000_000, 1_795_469_330.137),
            (1_782_900_000_250_000_000, 1_782_900_000.25),
            (1_795_468_557_294_860_000, 1_795_468_557.294_86),
            (-250_000_000, -0.25),
        ] {
            assert_eq!(Timestamp::from_nanos(nanos).as_seconds(), seconds);
        }
    }

    #[test]
    fn arithmetic_saturates_at_the_ends_of_time() {
        assert_eq!(Timestamp::MAX.plus(Span::from_seconds(1)), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.minus(Span::from_seconds(1)), Timestamp::MIN);
        assert_eq!(Timestamp::from_seconds(1).since(Timestamp::from_seconds(2)), Span::ZERO);
    }
}
