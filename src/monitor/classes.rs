//! The classes of one model: what a logged value means as a prediction or a label.

use super::vocabulary::{FOLDED, Vocabulary};
use super::{Limits, Task};
use crate::event::class;
use crate::record::Value;
use siphasher::sip::SipHasher13;

/// A class, and what tells it from others that are folded into the same `__other__`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    pub id: u16,
    /// 0 unless folded.
    pub fingerprint: u32,
}

/// The classes of a model by id: 0 is `__other__`; binary has the negative as 1, the positive as 2.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Classes {
    vocabulary: Vocabulary,
    declared: usize,
    binary: bool,
    #[serde(skip)]
    digits: class::Digits,
}

pub const NEGATIVE: Class = Class { id: 1, fingerprint: 0 };
pub const POSITIVE: Class = Class { id: 2, fingerprint: 0 };

// === impl Class ===

impl Class {
    /// Decided before folding: two classes that are both `__other__` are the same only by fingerprint.
    pub fn is(self, other: Self) -> bool {
        self == other
    }
}

// === impl Classes ===

impl Classes {
    pub fn new(task: &Task, limits: &Limits) -> Self {
        let (declared, binary) = match task {
            Task::Binary { positive, negative, .. } => (vec![negative.clone(), positive.clone()], true),
            Task::Multiclass { classes, .. } => (classes.clone(), false),
            Task::Regression => (Vec::new(), false),
        };
        Self {
            vocabulary: Vocabulary::new(&declared, limits.values, limits.value_length),
            declared: declared.len(),
            binary,
            digits: class::Digits::default(),
        }
    }

    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Ids 1 to here were declared.
    pub fn declared(&self) -> usize {
        self.declared
    }

    /// Whether these are classes of such a task: to be asked of what was read from bytes.
    pub fn are_of(&self, task: &Task) -> bool {
        let empty = Limits { series: 0, values: 0, value_length: 0, versions: 0 };
        let own = Self::new(task, &empty);
        let mut names = self.vocabulary.names();
        (self.binary, self.declared) == (own.binary, own.declared)
            && own.vocabulary.names().all(|name| names.next() == Some(name))
    }

    /// Goes on with other limits; the declared classes stay whatever they are.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.vocabulary.set_limits(limits.values.max(self.declared), limits.value_length);
    }

    /// The id of a class that a log's mapping names, which is taken whatever the limits say.
    fn declare(&mut self, class: &str) -> u16 {
        let Self { vocabulary, digits, .. } = self;
        let text = class::canonical(Value::Text(class), |text| vocabulary.find(text).is_some(), digits);
        text.map_or(FOLDED, |text| vocabulary.declare(text))
    }

    /// Both classes of an outcome, where one was folded before the other had an id of its own: a limit was
    /// reached when the one came and is not any more.
    pub fn reconcile(&self, predicted: Class, actual: Class) -> (Class, Class) {
        let is = |folded: Class, named: Class| {
            folded.id == FOLDED && named.id != FOLDED && folded.fingerprint == self.fingerprint(named.id)
        };
        match () {
            () if is(predicted, actual) => (actual, actual),
            () if is(actual, predicted) => (predicted, predicted),
            () => (predicted, actual),
        }
    }

    /// What a folded class of other classes is among these, as far as its fingerprint tells. `None`: in binary
    /// it is neither of the two.
    pub fn recall(&self, fingerprint: u32) -> Option<Class> {
        if !self.binary {
            return Some(Class { id: FOLDED, fingerprint });
        }
        [NEGATIVE, POSITIVE].into_iter().find(|class| self.fingerprint(class.id) == fingerprint)
    }

    fn fingerprint(&self, id: u16) -> u32 {
        fingerprint(self.vocabulary.name(id))
    }

    /// The class that a value names by its text as it stands, which is how most do.
    pub fn find(&self, value: Value<'_>) -> Option<Class> {
        let (Value::Text(text) | Value::Number(text)) = value else { return None };
        self.vocabulary.find(text.trim_ascii()).map(|id| Class { id, fingerprint: 0 })
    }

    /// The ids of classes that have a score of their own, taken whatever the limits say, and by class id the place of its score.
    pub fn places_of(&mut self, scored: &[String]) -> (Vec<u16>, Vec<Option<u16>>) {
        let mut ids = Vec::with_capacity(scored.len());
        let mut places = Vec::new();
        for (class, place) in scored.iter().zip(0_u16..) {
            let id = self.declare(class);
            ids.push(id);
            places.resize(places.len().max(usize::from(id) + 1), None);
            places[usize::from(id)] = Some(place);
        }
        (ids, places)
    }

    /// The class that a value names. `None` where it names none, or in binary neither of the two;
    /// `admitted` says whether a new class still fits.
    pub fn resolve(&mut self, value: Value<'_>, admitted: impl FnOnce() -> bool) -> Option<Class> {
        let Self { vocabulary, digits, .. } = self;
        let text = class::canonical(value, |text| vocabulary.find(text).is_some(), digits)?;
        if self.binary {
            return vocabulary.find(text).map(|id| Class { id, fingerprint: 0 });
        }
        let id = vocabulary.intern(text, admitted);
        Some(Class { id, fingerprint: if id == FOLDED { fingerprint(text) } else { 0 } })
    }
}

fn fingerprint(text: &str) -> u32 {
    (SipHasher13::new().hash(text.as_bytes()) >> 32) as u32 | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { series: 100, values: 2, value_length: 10, versions: 1 };

    #[test]
    fn binary_knows_its_two_classes_and_no_other() {
        let task = Task::Binary { positive: "1".into(), negative: "0".into(), threshold: 0.5 };
        let mut classes = Classes::new(&task, &LIMITS);
        for (value, expected) in [
            (Value::Number("1.0"), Some(POSITIVE)),
            (Value::Bool(true), Some(POSITIVE)),
            (Value::Text("0"), Some(NEGATIVE)),
            (Value::Text("2"), None),
            (Value::Text("__other__"), None),
            (Value::Null, None),
        ] {
            assert_eq!(classes.resolve(value, || true), expected, "{value:?}");
        }
    }

    #[test]
    fn folded_classes_are_still_told_apart() {
        let task = Task::Multiclass { classes: vec!["a".into()], top_k: vec![] };
        let mut classes = Classes::new(&task, &LIMITS);
        let mut resolve = |text| classes.resolve(Value::Text(text), || true).unwrap();
        assert_eq!(resolve("b").id, 2);
        let (c, d) = (resolve("c"), resolve("d"));
        assert_eq!((c.id, d.id), (FOLDED, FOLDED));
        assert!(!c.is(d) && c.is(resolve("c")));
        classes.set_limits(&Limits { values: 3, ..LIMITS });
        let named = classes.resolve(Value::Text("c"), || true).unwrap();
        assert_eq!(classes.reconcile(c, named), (named, named));
        assert_eq!(classes.reconcile(named, c), (named, named));
        assert_eq!(classes.reconcile(d, named), (d, named));
        assert_eq!(classes.reconcile(c, d), (c, d));
    }
}
