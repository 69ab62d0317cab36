//! The seal around a payload: what it is, which format, how long, and a checksum.
//!
//! It detects accidents of disks and file systems, and files of other programs. It is no signature: whoever
//! can write into `state_dir` can write a checkpoint. Any change of any bit makes the whole refused.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | the kind of file, in ASCII |
//! | 8..12 | `VERSION`, little-endian |
//! | 12..20 | bytes of the payload, little-endian |
//! | 20..28 | SipHash-1-3 with the key 0 of the 20 bytes before and the payload, little-endian |
//! | 28.. | the payload |

use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;

/// Format of the payload. It goes up by one with **every** change of what is written: a field that comes,
/// goes, moves or means something else, also in a type far away that is written as a part. Payloads do not
/// describe themselves, so old bytes under a new meaning would be read as wrong numbers. A format that this
/// program does not read is refused, and counting starts anew.
pub const VERSION: u32 = 1;

/// Bytes of the seal before the payload.
pub const SEAL_BYTES: usize = 28;

/// What a sealed file is for, so that none is taken for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The whole state.
    Checkpoint,
    /// How far the logs had been read when a scrape was answered.
    Shown,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// Not what was written, with what gave it away.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// Whole as far as can be told, in a format of another version of this program.
    #[error("it has format {found}, and this version of the program reads format {VERSION} only")]
    Version { found: u32 },
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
}

// === impl Kind ===

impl Kind {
    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Checkpoint => *b"infexpcp",
            Self::Shown => *b"infexpsh",
        }
    }
}

/// What goes before `payload` in the file.
pub fn seal(kind: Kind, payload: &[u8]) -> [u8; SEAL_BYTES] {
    let mut seal = [0; SEAL_BYTES];
    seal[..8].copy_from_slice(&kind.magic());
    seal[8..12].copy_from_slice(&VERSION.to_le_bytes());
    seal[12..20].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    let checksum = checksum(&seal[..20], payload);
    seal[20..].copy_from_slice(&checksum.to_le_bytes());
    seal
}

/// The payload of a whole file; `bytes` must hold nothing but the file.
///
/// # Errors
///
/// `Damaged` or `Version`. The version is looked at first: another one may have another seal.
pub fn unseal(kind: Kind, bytes: &[u8]) -> Result<&[u8], Reason> {
    const SHORT: Reason = Reason::Damaged("it ends within its first bytes");
    if bytes.is_empty() {
        return Err(Reason::Damaged("it is empty"));
    }
    let (magic, rest) = bytes.split_first_chunk().ok_or(SHORT)?;
    if *magic != kind.magic() {
        return Err(Reason::Damaged("it does not begin as this program's files do"));
    }
    let (found, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let found = u32::from_le_bytes(*found);
    if found != VERSION {
        return Err(Reason::Version { found });
    }
    let (length, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let (expected, payload) = rest.split_first_chunk().ok_or(SHORT)?;
    if u64::from_le_bytes(*length) != payload.len() as u64 {
        return Err(Reason::Damaged("it is not as long as it says"));
    }
    if u64::from_le_bytes(*expected) != checksum(&bytes[..20], payload) {
        return Err(Reason::Damaged("its checksum does not match"));
    }
    Ok(payload)
}

fn checksum(covered: &[u8], payload: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(covered);
    hasher.write(payload);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(kind: Kind, payload: &[u8]) -> Vec<u8> {
        [&seal(kind, payload)[..], payload].concat()
    }

    /// As a file of format 1 was written on the day it was fixed. If this fails, files that are out there
    /// would be refused as damaged: that is a new `VERSION`, with a new sample.
    #[test]
    fn the_format_is_the_frozen_one() {
        let frozen = b"infexpcp\x01\0\0\0\n\0\0\0\0\0\0\0\xe0\xdc!C\xde6\xa4\x0bevery line";
        assert_eq!(
            sealed(Kind::Checkpoint, b"every line").escape_ascii().to_string(),
            frozen.escape_ascii().to_string()
        );
        assert_eq!(unseal(Kind::Checkpoint, frozen).expect("whole"), b"every line");
    }

    #[test]
    fn one_kind_is_not_taken_for_another() {
        assert!(unseal(Kind::Shown, &sealed(Kind::Checkpoint, b"x")).is_err());
        assert!(unseal(Kind::Checkpoint, &sealed(Kind::Shown, b"x")).is_err());
    }

    /// The version before the checksum, and also where all else is of a shape we do not know.
    #[test]
    fn another_version_is_named() {
        let mut other = sealed(Kind::Checkpoint, b"x");
        other[8..12].copy_from_slice(&(VERSION + 1).to_le_bytes());
        for bytes in [&other[..], &other[..12]] {
            match unseal(Kind::Checkpoint, bytes) {
                Err(Reason::Version { found }) => assert_eq!(found, VERSION + 1),
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_unsealed(payload: Vec<u8>) {
            let file = sealed(Kind::Checkpoint, &payload);
            prop_assert_eq!(unseal(Kind::Checkpoint, &file).expect("whole"), &payload[..]);
        }

        #[test]
        fn a_flipped_bit_anywhere_is_refused(payload in prop::collection::vec(any::<u8>(), 0..300), place: prop::sample::Index) {
            let mut file = sealed(Kind::Checkpoint, &payload);
            let bit = place.index(file.len() * 8);
            file[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(unseal(Kind::Checkpoint, &file).is_err());
        }

        #[test]
        fn a_cut_file_is_refused(payload in prop::collection::vec(any::<u8>(), 0..300), place: prop::sample::Index) {
            let file = sealed(Kind::Checkpoint, &payload);
            prop_assert!(unseal(Kind::Checkpoint, &file[..place.index(file.len())]).is_err());
        }

        #[test]
        fn bytes_behind_it_are_refused(payload: Vec<u8>, more in prop::collection::vec(any::<u8>(), 1..40)) {
            let file = [&sealed(Kind::Checkpoint, &payload)[..], &more].concat();
            prop_assert!(unseal(Kind::Checkpoint, &file).is_err());
        }

        /// Also behind a beginning that is right.
        #[test]
        fn garbage_is_refused(garbage: Vec<u8>, is_begun: bool) {
            let begin = &sealed(Kind::Checkpoint, b"")[..12];
            let file = [if is_begun { begin } else { b"" }, &garbage].concat();
            prop_assert!(unseal(Kind::Checkpoint, &file).is_err());
        }
    }
}
