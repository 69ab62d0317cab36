//! Times as logs write them become timestamps: RFC 3339 and its relatives, and epochs by magnitude.
//!
//! The common forms are read by hand without a table or an allocation; jiff reads strptime formats and
//! knows time zones.

use crate::time::{NANOS_PER_SECOND, Timestamp};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads RFC 3339, also with a space for the `T`, a comma before the fraction, without seconds or without
/// a zone (then in `zone`), or a number since the epoch in the unit that its magnitude tells.
pub fn parse(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim_ascii();
    match text.as_bytes().get(4) {
        Some(b'-') => parse_calendar(text.as_bytes(), zone),
        _ => parse_epoch(text),
    }
}

/// Reads `text` by a strptime format; a format without `%z` or the like is in `zone`.
pub fn parse_format(format: &str, text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let broken_down = jiff::fmt::strtime::parse(format, text.trim_ascii()).ok()?;
    if broken_down.offset().is_some() {
        return from_jiff(broken_down.to_timestamp().ok()?);
    }
    let civil = broken_down
        .to_datetime()
        .or_else(|_| broken_down.to_date().map(|date| date.to_datetime(jiff::civil::Time::midnight())))
        .ok()?;
    in_zone(civil, zone)
}

fn from_jiff(timestamp: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(timestamp.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

fn in_zone(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    from_jiff(zone.to_timestamp(civil).ok()?)
}

/// Two digits at `at` as a number.
fn two(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (*text.get(at)?, *text.get(at + 1)?);
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Days from the epoch to a date of the proleptic Gregorian calendar; the date must exist.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    const LENGTHS: [i64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = *LENGTHS.get(usize::try_from(month - 1).ok()?)?;
    if day < 1 || day > length || (month == 2 && day == 29 && !leap) {
        return None;
    }
    // Years are counted from March, so that the leap day is the last of a year; 153 days are five months.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let leap_days = shifted_year.div_euclid(4) - shifted_year.div_euclid(100) + shifted_year.div_euclid(400);
    Some(365 * shifted_year + leap_days + day_of_year - 719_468)
}

fn parse_calendar(text: &[u8], zone: &TimeZone) -> Option<Timestamp> {
    let year = two(text, 0)? * 100 + two(text, 2)?;
    let (month, day) = (two(text, 5)?, two(text, 8)?);
    if text[7] != b'-' {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    let mut seconds = days * 86_400;
    let mut nanos = 0;
    let mut at = 10;
    if text.len() > 10 {
        if !matches!(text[10], b'T' | b't' | b' ') || *text.get(13)? != b':' {
            return None;
        }
        let (hour, minute) = (two(text, 11)?, two(text, 14)?);
        let mut second = 0;
        at = 16;
        if text.get(16) == Some(&b':') {
            second = two(text, 17)?;
            at = 19;
            if matches!(text.get(19), Some(b'.' | b',')) {
                (nanos, at) = parse_fraction(text, 20)?;
            }
        }
        // A leap second is the second after it, as POSIX time has it.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        seconds += hour * 3600 + minute * 60 + second;
    }
    let offset = match text.get(at..)? {
        [] => return without_zone(seconds, nanos, zone),
        rest => parse_offset(rest.trim_ascii_start())?,
    };
    (seconds - offset).checked_mul(NANOS_PER_SECOND)?.checked_add(nanos).map(Timestamp::from_nanos)
}

fn without_zone(seconds: i64, nanos: i64, zone: &TimeZone) -> Option<Timestamp> {
    let utc = seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(nanos)?;
    if *zone == TimeZone::UTC {
        return Some(Timestamp::from_nanos(utc));
    }
    let civil = TimeZone::UTC.to_datetime(jiff::Timestamp::from_nanosecond(i128::from(utc)).ok()?);
    in_zone(civil, zone)
}

/// Digits after the point as nanoseconds, and where they end; digits below a nanosecond are dropped.
fn parse_fraction(text: &[u8], start: usize) -> Option<(i64, usize)> {
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        let digit = if place < digits { i64::from(text[start + place] - b'0') } else { 0 };
        nanos = nanos * 10 + digit;
    }
    Some((nanos, start + digits))
}

/// `Z`, `UTC`, `+01:00`, `+0100` or `+01` as seconds east of Greenwich.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let sign = match text {
        [b'Z' | b'z'] | b"UTC" | b"GMT" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let hours = two(text, 1)?;
    let minutes = match text.len() {
        3 => 0,
        5 => two(text, 3)?,
        6 if text[3] == b':' => two(text, 4)?,
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Below 1e11 a number is seconds (until the year 5138), below 1e14 milliseconds, below 1e17
/// microseconds, else nanoseconds.
fn parse_epoch(text: &str) -> Option<Timestamp> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = !whole.is_empty()
        && whole.len() <= 19
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !plain {
        return parse_epoch_float(text);
    }
    let whole: i64 = whole.parse().ok()?;
    let unit = unit_nanos(whole as f64);
    let mut nanos = whole.checked_mul(unit)?;
    let mut place = unit / 10;
    for digit in fraction.bytes() {
        nanos = nanos.checked_add(i64::from(digit - b'0') * place)?;
        place /= 10;
    }
    Some(Timestamp::from_nanos(if text.starts_with('-') { -nanos } else { nanos }))
}

/// Numbers with an exponent: `1.7954685568e9`.
fn parse_epoch_float(text: &str) -> Option<Timestamp> {
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    let nanos = number * unit_nanos(number.abs()) as f64;
    (nanos.abs() < 9.2e18).then(|| Timestamp::from_nanos(nanos as i64))
}

fn unit_nanos(magnitude: f64) -> i64 {
    match magnitude {
        m if m < 1e11 => NANOS_PER_SECOND,
        m if m < 1e14 => 1_000_000,
        m if m < 1e17 => 1000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utc(text: &str) -> Option<i64> {
        parse(text, &TimeZone::UTC).map(Timestamp::as_nanos)
    }

    #[test]
    fn every_form_of_one_instant() {
        let expected = Some(1_795_468_303_853_665_000);
        for text in [
            "2026-11-23T21:11:43.853665Z",
            "2026-11-23T21:11:43.853665",
            "2026-11-23 21:11:43,853665",
            "2026-11-23T22:11:43.853665+01:00",
            "2026-11-23T22:11:43.853665+0100",
            "2026-11-23T22:11:43.853665+01",
            "2026-11-23 21:11:43.853665 UTC",
            "1795468303.853665",
            "1795468303853.665",
            "1795468303853665",
            "1795468303853665000",
        ] {
            assert_eq!(utc(text), expected, "{text}");
        }
    }

    #[test]
    fn shorter_forms() {
        assert_eq!(utc("1970-01-01"), Some(0));
        assert_eq!(utc("1970-01-01T00:01"), Some(60 * NANOS_PER_SECOND));
        assert_eq!(utc("1970-01-01T00:01Z"), Some(60 * NANOS_PER_SECOND));
        assert_eq!(utc("-1.5"), Some(-1_500_000_000));
        assert_eq!(utc("1.5e1"), Some(15 * NANOS_PER_SECOND));
    }

    #[test]
    fn what_is_not_a_time() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-29",
            "2026-01-01T25:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00Q",
            "2026-01-01X00:00:00Z",
            "2026-01",
            "NaN",
            "inf",
            "1e400",
            "--1",
            "1.2.3",
            "2026-01-01T00:00:00+1",
            "99999999999999999999",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_in_the_logs_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let summer = parse("2026-07-01T12:00:00", &berlin);
        assert_eq!(summer, parse("2026-07-01T10:00:00Z", &berlin));
        assert_eq!(
            parse_format("%d/%b/%Y:%H:%M:%S", "01/Jul/2026:12:00:00", &berlin),
            parse("2026-07-01T10:00:00Z", &berlin)
        );
        assert_eq!(
            parse_format("%d/%b/%Y:%H:%M:%S %z", "01/Jul/2026:12:00:00 +0000", &berlin),
            parse("2026-07-01T12:00:00Z", &berlin)
        );
        assert_eq!(
            parse_format("%d/%b/%Y", "01/Jul/2026", &TimeZone::UTC),
            parse("2026-07-01", &TimeZone::UTC)
        );
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(nanos in -2_000_000_000_000_000_000i64..8_000_000_000_000_000_000) {
            let text = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap().to_string();
            prop_assert_eq!(utc(&text), Some(nanos), "{}", text);
        }

        #[test]
        fn any_text_is_harmless(text in ".{0,40}") {
            let _ = utc(&text);
        }

        #[test]
        fn any_text_that_looks_like_a_time_is_harmless(text in "[0-9T:.,+Z -]{0,40}") {
            let _ = utc(&text);
        }
    }
}
