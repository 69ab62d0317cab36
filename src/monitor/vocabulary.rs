//! Names ⇄ small ids, capped: the values that one label may take.
//!
//! Id 0 is `__other__`, into which everything beyond a limit is folded and counted.

use crate::limits::OTHER;
use std::collections::HashMap;

/// The id of `__other__`.
pub const FOLDED: u16 = 0;

/// Up to here a scan beats hashing.
const SCAN_MAX: usize = 8;

/// The values of one label in the order in which they were declared or first seen.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Saved")]
pub struct Vocabulary {
    names: Vec<Box<str>>,
    #[serde(skip_serializing)]
    index: HashMap<Box<str>, u16>,
    limit: usize,
    length_max: usize,
    folded: u64,
}

/// A vocabulary as a checkpoint has it.
#[derive(serde::Deserialize)]
struct Saved {
    names: Vec<Box<str>>,
    limit: usize,
    length_max: usize,
    folded: u64,
}

impl TryFrom<Saved> for Vocabulary {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        let Saved { names, limit, length_max, folded } = saved;
        let is_whole =
            names.first().is_some_and(|name| **name == *OTHER) && names.len() <= usize::from(u16::MAX);
        if !is_whole {
            return Err("no list of label values");
        }
        let index = names.iter().zip(0..).skip(1).map(|(name, id)| (name.clone(), id)).collect();
        Ok(Self { names, index, limit, length_max, folded })
    }
}

impl Vocabulary {
    /// At most `limit` values beside `__other__`, each of at most `length_max` bytes. Declared values are
    /// taken as they are.
    pub fn new(declared: &[String], limit: usize, length_max: usize) -> Self {
        let mut new = Self {
            names: vec![OTHER.into()],
            index: HashMap::new(),
            limit: limit.max(declared.len()),
            length_max,
            folded: 0,
        };
        for name in declared {
            new.push(name);
        }
        new
    }

    /// Ids below this one are in use; id 0 is `__other__`.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.len() == 1
    }

    /// Whether every further value is folded.
    pub fn is_full(&self) -> bool {
        self.names.len() > self.limit
    }

    pub fn name(&self, id: u16) -> &str {
        &self.names[usize::from(id)]
    }

    /// All names by id, `__other__` first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// How often a value was folded into `__other__`.
    pub fn folded(&self) -> u64 {
        self.folded
    }

    pub fn find(&self, name: &str) -> Option<u16> {
        if self.names.len() <= SCAN_MAX + 1 {
            let position = self.names[1..].iter().position(|known| **known == *name)?;
            return Some(position as u16 + 1);
        }
        self.index.get(name).copied()
    }

    /// The id of a value, a new one where it is new, within the limits and `admitted`; else `FOLDED`.
    pub fn intern(&mut self, name: &str, admitted: impl FnOnce() -> bool) -> u16 {
        if let Some(id) = self.find(name) {
            return id;
        }
        let fits = !self.is_full() && name.len() <= self.length_max && name != OTHER;
        if fits && admitted() {
            return self.push(name);
        }
        self.folded += 1;
        FOLDED
    }

    /// The id of a declared value, which is taken whatever the limits say.
    pub fn declare(&mut self, name: &str) -> u16 {
        match self.find(name) {
            Some(id) => id,
            None if name == OTHER => FOLDED,
            None => self.push(name),
        }
    }

    /// Goes on with other limits: the values that are known stay, and those that were folded stay folded.
    pub fn set_limits(&mut self, limit: usize, length_max: usize) {
        (self.limit, self.length_max) = (limit, length_max);
    }

    fn push(&mut self, name: &str) -> u16 {
        let id = self.names.len() as u16;
        self.names.push(name.into());
        self.index.insert(name.into(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_a_limit_are_folded_and_counted() {
        let mut vocabulary = Vocabulary::new(&["a".into()], 2, 3);
        assert_eq!(vocabulary.find("a"), Some(1));
        assert_eq!(vocabulary.intern("long", || true), FOLDED);
        assert_eq!(vocabulary.intern("b", || false), FOLDED);
        assert_eq!(vocabulary.intern("b", || true), 2);
        assert_eq!(vocabulary.intern("c", || true), FOLDED);
        assert_eq!(vocabulary.intern(OTHER, || true), FOLDED);
        assert_eq!(vocabulary.intern("b", || false), 2);
        assert_eq!(vocabulary.folded(), 4);
        assert_eq!(vocabulary.names().collect::<Vec<_>>(), [OTHER, "a", "b"]);
    }

    #[test]
    fn other_limits_hold_from_now_on() {
        let mut vocabulary = Vocabulary::new(&[], 2, 3);
        assert_eq!(["a", "b", "c"].map(|name| vocabulary.intern(name, || true)), [1, 2, FOLDED]);
        vocabulary.set_limits(1, 1);
        assert_eq!(["a", "b", "c"].map(|name| vocabulary.intern(name, || true)), [1, 2, FOLDED]);
        assert_eq!(vocabulary.declare("declared"), 3);
        assert_eq!(vocabulary.declare(OTHER), FOLDED);
        vocabulary.set_limits(5, 1);
        assert_eq!(["c", "long", "declared"].map(|name| vocabulary.intern(name, || true)), [4, FOLDED, 3]);
        assert_eq!(vocabulary.folded(), 3);
    }

    #[test]
    fn finding_does_not_depend_on_how_many_there_are() {
        let mut vocabulary = Vocabulary::new(&[], 100, 128);
        for count in 0..100 {
            assert_eq!(vocabulary.intern(&count.to_string(), || true), count + 1);
            for id in 0..=count {
                assert_eq!(vocabulary.find(&id.to_string()), Some(id + 1));
            }
            assert_eq!(vocabulary.find("absent"), None);
        }
    }
}
