//! Numbers and times as people read them.

use crate::time::Timestamp;

/// A value with four significant digits, below 1 with four decimals: `0.9412`, `41.23`, `1.235e7`.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    // 1 itself has as many as the ratios in its column.
    let decimals = if size <= 1.0 { 4 } else { (3.0 - size.log10().floor()).max(0.0) as usize };
    format!("{value:.decimals$}")
}

/// A value and the ends of the interval it can be in.
pub fn with_interval(value: f64, lower: f64, upper: f64) -> String {
    // The ends of an interval are seldom worth more than three digits.
    let end = |end: f64| if (0.0..=1.0).contains(&end) { format!("{end:.3}") } else { figure(end) };
    format!("{} ({}–{})", figure(value), end(lower), end(upper))
}

/// A value and how far the true one can be from it.
pub fn with_bound(value: f64, bound: f64) -> String {
    // Rounded up: a bound that is shown too low is none.
    let bound = match bound {
        0.0 => "0".to_owned(),
        bound if bound < 1e-3 => {
            let unit = 10f64.powf(bound.log10().floor());
            format!("{:.0e}", (bound / unit).ceil() * unit)
        }
        bound => format!("{:.3}", (bound * 1e3).ceil() / 1e3),
    };
    format!("{} ±{bound}", figure(value))
}

/// A count with its thousands parted: `12,345`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count of bytes: `512 B`, `1.4 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A length of time in seconds: `250 ms`, `2.5 s`, `3 h`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        seconds if seconds < 0.001 => format!("{} µs", figure(seconds * 1e6)),
        seconds if seconds < 1.0 => format!("{} ms", trimmed(seconds * 1e3)),
        seconds if seconds < 120.0 => format!("{} s", trimmed(seconds)),
        seconds if seconds < 7200.0 => format!("{:.0} min", (seconds / 60.0).floor()),
        seconds if seconds < 2.0 * 86_400.0 => format!("{:.0} h", (seconds / 3600.0).floor()),
        seconds => format!("{:.0} d", (seconds / 86_400.0).floor()),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How long ago a time in seconds since the epoch was.
pub fn age(time: f64, now: Timestamp) -> String {
    let seconds = (now.as_seconds() - time).floor();
    if seconds < 1.0 { "just now".to_owned() } else { format!("{} ago", duration(seconds)) }
}

/// A time in seconds since the epoch, as `2026-03-02 19:59:07 UTC`; the number itself where no calendar has
/// it.
pub fn instant(seconds: f64) -> String {
    match jiff::Timestamp::from_second(seconds.floor() as i64) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{seconds:.0} s since 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_four_significant_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1.0000"),
            (0.99999, "1.0000"),
            (1.5, "1.500"),
            (0.94119, "0.9412"),
            (0.00123, "0.0012"),
            (-41.234, "-41.23"),
            (1234.5678, "1235"),
            (1e-7, "1.000e-7"),
            (12_345_678.0, "1.235e7"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
        assert_eq!(with_interval(0.9, 0.85, 1.0), "0.9000 (0.850–1.000)");
        for (bound, text) in [(0.0, "0"), (0.00012, "2e-4"), (0.0019, "0.002"), (0.95e-4, "1e-4")] {
            assert_eq!(with_bound(0.98765, bound), format!("0.9877 ±{text}"));
        }
    }

    #[test]
    fn counts_are_parted_by_thousands() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(value), text);
        }
        for (value, text) in [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1 << 31, "2.0 GiB")] {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn times_are_relative_in_the_largest_unit_that_says_enough() {
        let now = Timestamp::from_seconds(1_000_000);
        let cases = [
            (1_000_000.0, "just now"),
            (1_000_005.0, "just now"),
            (999_953.0, "47 s ago"),
            (999_000.0, "16 min ago"),
            (900_000.0, "27 h ago"),
            (0.0, "11 d ago"),
        ];
        for (time, text) in cases {
            assert_eq!(age(time, now), text);
        }
        assert_eq!(
            (duration(0.0), duration(0.25), duration(0.0025), duration(2.5)),
            ("0 s".into(), "250 ms".into(), "2.5 ms".into(), "2.5 s".into())
        );
        assert_eq!(instant(1_772_481_547.9), "2026-03-02 19:59:07 UTC");
        assert_eq!(instant(f64::MAX), format!("{:.0} s since 1970", f64::MAX));
    }
}
