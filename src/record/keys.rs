//! A fixed set of names, looked up by their bytes.
//!
//! Not a general map: it is built once from the configuration, and a lookup touches the first and last
//! bytes of a name, which for most are the whole of it. Names that others choose are only ever looked up, so
//! a lookup costs at most the collisions among the configured names.

/// Values by name.
#[derive(Clone, Debug)]
pub(super) struct Keys<T> {
    entries: Vec<(Box<[u8]>, T)>,
    /// Open addressing at most half full: a name's ends and its index into `entries` plus one; 0 is free.
    table: Vec<(Ends, u32)>,
}

/// Length and ends of a name. Up to `WHOLE_MAX` bytes they tell it from every other name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Ends {
    first: u64,
    last: u64,
    length: usize,
}

/// The two words of `Ends` cover a name of this length.
const WHOLE_MAX: usize = 16;

// === impl Keys ===

impl<T> Keys<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), table: Vec::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, value)| value)
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<&T> {
        self.position(name).map(|position| &self.entries[position].1)
    }

    /// The value of `name`, made by `T::default` where there is none yet.
    pub(super) fn entry(&mut self, name: &[u8]) -> &mut T
    where
        T: Default,
    {
        let position = self.position(name).unwrap_or_else(|| {
            self.entries.push((name.into(), T::default()));
            self.rehash();
            self.entries.len() - 1
        });
        &mut self.entries[position].1
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let names: usize = self.entries.iter().map(|(name, _)| name.len()).sum();
        names
            + self.entries.capacity() * size_of::<(Box<[u8]>, T)>()
            + self.table.capacity() * size_of::<(Ends, u32)>()
    }

    #[inline]
    fn position(&self, name: &[u8]) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let mask = self.table.len() - 1;
        let ends = Ends::of(name);
        let mut at = ends.hash() & mask;
        loop {
            let (known, position) = self.table[at];
            let position = (position as usize).checked_sub(1)?;
            if known == ends && (name.len() <= WHOLE_MAX || *self.entries[position].0 == *name) {
                return Some(position);
            }
            at = (at + 1) & mask;
        }
    }

    fn rehash(&mut self) {
        let size = (self.entries.len() * 4).next_power_of_two();
        self.table.clear();
        self.table.resize(size, (Ends::default(), 0));
        for (position, (name, _)) in (1..).zip(&self.entries) {
            let ends = Ends::of(name);
            let mut at = ends.hash() & (size - 1);
            while self.table[at].1 != 0 {
                at = (at + 1) & (size - 1);
            }
            self.table[at] = (ends, position);
        }
    }
}

// === impl Ends ===

impl Ends {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
                (Some(first), Some(last)) => {
                    (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
                }
                _ => match name {
                    [] => (0, 0),
                    [first, .., last] => ((*first).into(), u64::from(*last) << 8 | u64::from(name[1])),
                    [only] => ((*only).into(), 0),
                },
            },
        };
        Self { first, last, length: name.len() }
    }

    /// Most names differ in their length or at their ends, and no loop is needed.
    #[inline]
    fn hash(self) -> usize {
        // The multiplier is 2^64 divided by the golden ratio, made odd.
        let mixed = self.first ^ self.last.rotate_left(29) ^ self.length as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_any_byte_are_told_apart() {
        for length in 1..40 {
            let name = vec![b'a'; length];
            let mut keys = Keys::<usize>::new();
            *keys.entry(&name) = length;
            for at in 0..length {
                let mut other = name.clone();
                other[at] = b'b';
                assert!(keys.get(&other).is_none(), "{length} {at}");
            }
            assert!(keys.get(&name[1..]).is_none());
            assert_eq!(keys.get(&name), Some(&length));
        }
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        let mut keys = Keys::<usize>::new();
        assert!(keys.get(b"").is_none());
        let names: Vec<String> = (0..300).map(|n| "x".repeat(n % 17) + &n.to_string()).collect();
        for (n, name) in names.iter().enumerate() {
            *keys.entry(name.as_bytes()) = n;
        }
        for (n, name) in names.iter().enumerate() {
            assert_eq!(keys.get(name.as_bytes()), Some(&n), "{name}");
            assert!(keys.get(format!("{name}.").as_bytes()).is_none());
        }
        assert!(keys.get(b"").is_none());
        *keys.entry(b"") = 7;
        assert_eq!(keys.get(b""), Some(&7));
        assert_eq!(keys.values().count(), 301);
    }
}
