//! Names that rotation gives.
//!
//! Only names: which file is behind one is for `identity` to say.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// What compression appends. Such files are never read: their lines were, before.
const COMPRESSED: [&str; 6] = ["gz", "zst", "xz", "bz2", "lz4", "zip"];
/// Words that rotation puts in place of a number or time.
const WORDS: [&str; 5] = ["old", "bak", "prev", "backup", "orig"];

/// Whether the name says that the content is compressed.
pub(super) fn is_compressed(name: &OsStr) -> bool {
    let name = name.as_bytes();
    memchr::memrchr(b'.', name).is_some_and(|dot| {
        COMPRESSED.iter().any(|extension| name[dot + 1..].eq_ignore_ascii_case(extension.as_bytes()))
    })
}

/// What rotation added to the name `base` to make `name`: `.1`, `-20240131`, `.2024-01-31_10-00`, `.old`,
/// at the end or before the extension. None: `name` is no rotated `base`.
pub(super) fn rotation_suffix<'a>(name: &'a OsStr, base: &OsStr) -> Option<&'a [u8]> {
    let (name, base) = (name.as_bytes(), base.as_bytes());
    if let Some(suffix) = name.strip_prefix(base) {
        return is_suffix(suffix).then_some(suffix);
    }
    let (stem, extension) = base.split_at(memchr::memrchr(b'.', base)?);
    let suffix = name.strip_prefix(stem)?.strip_suffix(extension)?;
    is_suffix(suffix).then_some(suffix)
}

/// Bytes that every rotated name of `base` begins with.
pub(super) fn stem(base: &OsStr) -> &OsStr {
    let bytes = base.as_bytes();
    OsStr::from_bytes(&bytes[..memchr::memrchr(b'.', bytes).filter(|dot| *dot > 0).unwrap_or(bytes.len())])
}

/// Which of two suffixes is the older file's: the greater number, the earlier time. Between a number and
/// a time nothing is known; the time comes first.
pub(super) fn older_first(one: &[u8], other: &[u8]) -> Ordering {
    match (number(one), number(other)) {
        (Some(one), Some(other)) => other.cmp(&one),
        (None, None) => one.cmp(other),
        (one, other) => one.is_some().cmp(&other.is_some()),
    }
}

fn is_suffix(suffix: &[u8]) -> bool {
    let Some((separator, rest)) = suffix.split_first() else {
        return false;
    };
    if *separator == b'~' {
        return rest.is_empty();
    }
    matches!(separator, b'.' | b'-' | b'_')
        && !rest.is_empty()
        && (rest.iter().all(|byte| byte.is_ascii_digit() || b".-_:+TZ".contains(byte))
            || WORDS.iter().any(|word| rest.eq_ignore_ascii_case(word.as_bytes())))
}

/// The number of a backup; longer ones are dates.
fn number(suffix: &[u8]) -> Option<u32> {
    let digits = suffix.get(1..).filter(|digits| digits.len() < 6)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenario_57_rotated_names_are_known_whatever_the_style() {
        for (name, base, expected) in [
            ("app.log.1", "app.log", Some(".1")),
            ("app.log-20240131", "app.log", Some("-20240131")),
            ("app.log.2024-01-31_10-00", "app.log", Some(".2024-01-31_10-00")),
            ("app-2024-01-31T10-00-00.000.log", "app.log", Some("-2024-01-31T10-00-00.000")),
            ("app.3.log", "app.log", Some(".3")),
            ("0.log.20240131-100000", "0.log", Some(".20240131-100000")),
            ("app.log.old", "app.log", Some(".old")),
            ("app.log~", "app.log", Some("~")),
            ("app.log", "app.log", None),
            ("application.log", "app.log", None),
            ("app-errors.log", "app.log", None),
            ("app.log.lock", "app.log", None),
            ("1.log", "0.log", None),
            ("log", "app.log", None),
        ] {
            let found = rotation_suffix(OsStr::new(name), OsStr::new(base));
            assert_eq!(found, expected.map(str::as_bytes), "{name}");
            if found.is_some() {
                assert!(name.as_bytes().starts_with(stem(OsStr::new(base)).as_bytes()), "{name}");
            }
        }
    }

    #[test]
    fn the_older_of_two_backups_comes_first() {
        for (one, other) in [(".10", ".9"), (".2024-01-31", ".2024-02-01"), ("-20240131", "-20240201")] {
            assert_eq!(older_first(one.as_bytes(), other.as_bytes()), Ordering::Less, "{one} {other}");
        }
    }

    #[test]
    fn scenario_58_compressed_files_are_known_by_name() {
        for (name, expected) in [
            ("app.log.1.gz", true),
            ("app.log.GZ", true),
            ("app.zst", true),
            ("app.log", false),
            ("gz", false),
        ] {
            assert_eq!(is_compressed(OsStr::new(name)), expected, "{name}");
        }
    }
}
