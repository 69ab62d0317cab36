//! Walks the YAML values with their key path, and reports what does not fit.
//!
//! Every reader returns `None` both where a key is absent and where its value was reported, so that a
//! caller can go on with the default either way. Not here: the form of single values (`value`).

use super::problem::{Fault, KeyPath, Problems, shorten, suggest};
use super::schema::{Key, Keys, State};
use serde_yaml::{Mapping, Value};
use std::collections::HashSet;

/// Characters of a value that a message repeats.
const VALUE_CHARACTERS_MAX: usize = 60;

/// A value and where it is.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) at: KeyPath,
    pub(super) problems: &'a Problems,
}

/// A mapping with keys of ours.
#[derive(Clone, Debug)]
pub(super) struct Table<'a> {
    mapping: &'a Mapping,
    keys: Keys,
    pub(super) at: KeyPath,
    pub(super) problems: &'a Problems,
}

// === impl Node ===

impl<'a> Node<'a> {
    pub(super) fn error(&self, fault: impl Into<Fault>) {
        self.problems.error(&self.at, fault);
    }

    /// Applies a reader of single values.
    pub(super) fn read<T>(&self, reader: impl FnOnce(&Value) -> Result<T, Fault>) -> Option<T> {
        match reader(self.value) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.error(fault);
                None
            }
        }
    }

    /// The value as a table of `keys`. Reports every key that is none of them.
    pub(super) fn table(&self, keys: Keys) -> Option<Table<'a>> {
        let Value::Mapping(mapping) = self.value else {
            self.error(
                Fault::from(format!("expected a table, found {}", describe(self.value)))
                    .advise(format!("known keys: {}", built_names(keys).join(", "))),
            );
            return None;
        };
        let table = Table { mapping, keys, at: self.at.clone(), problems: self.problems };
        table.report_keys();
        Some(table)
    }

    /// The value as a list.
    pub(super) fn elements(&self) -> Option<Vec<Self>> {
        let Value::Sequence(elements) = self.value else {
            let fault = Fault::from(format!("expected a list, found {}", describe(self.value)));
            self.error(match self.value {
                Value::Mapping(_) => fault.advise("begin each element with `- `"),
                _ => fault.advise("put it into brackets: [...]"),
            });
            return None;
        };
        let node = |(index, value)| Node { value, at: self.at.index(index), problems: self.problems };
        Some(elements.iter().enumerate().map(node).collect())
    }

    /// The value as a mapping whose keys are the user's: names, classes, indicators.
    pub(super) fn entries(&self) -> Option<Vec<(String, Self)>> {
        let Value::Mapping(mapping) = self.value else {
            let found = describe(self.value);
            self.error(
                Fault::from(format!("expected names with values, found {found}"))
                    .advise("write it as `name: value`, one a line"),
            );
            return None;
        };
        let mut entries: Vec<(String, Self)> = Vec::with_capacity(mapping.len());
        let mut seen = HashSet::with_capacity(mapping.len());
        for (key, value) in mapping {
            match plain_text(key) {
                // To YAML, 1 and "1" are two keys.
                Some(name) if !seen.insert(name.clone()) => {
                    self.problems.error(&self.at.key(&name), format!("`{name}` is written twice"));
                }
                Some(name) => {
                    let at = self.at.key(&name);
                    entries.push((name, Node { value, at, problems: self.problems }));
                }
                None => self.error(format!("a name must be text, found {}", describe(key))),
            }
        }
        Some(entries)
    }

    /// Reads a list of single values, each by `reader`; leaves out those that are reported.
    pub(super) fn list<T>(&self, reader: impl Fn(&Value) -> Result<T, Fault>) -> Option<Vec<(Self, T)>> {
        let elements = self.elements()?;
        Some(
            elements
                .into_iter()
                .filter_map(|element| {
                    let value = element.read(&reader)?;
                    Some((element, value))
                })
                .collect(),
        )
    }
}

// === impl Table ===

impl<'a> Table<'a> {
    /// Where `key` is, or would be.
    pub(super) fn path(&self, key: &str) -> KeyPath {
        self.at.key(key)
    }

    /// The value of `key`, which must be one of the table's keys. A key without a value is reported.
    pub(super) fn get(&self, key: &'static str) -> Option<Node<'a>> {
        self.get_or_advise(key, "give it a value, or remove the key")
    }

    fn get_or_advise(&self, key: &'static str, advice: &str) -> Option<Node<'a>> {
        assert!(self.keys.iter().any(|known| known.name == key), "`{key}` is missing in config::schema");
        let value = self.mapping.get(key)?;
        let node = Node { value, at: self.path(key), problems: self.problems };
        if value.is_null() {
            node.error(Fault::from("has no value").advise(advice));
            return None;
        }
        Some(node)
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.mapping.contains_key(key)
    }

    pub(super) fn read<T>(
        &self,
        key: &'static str,
        reader: impl FnOnce(&Value) -> Result<T, Fault>,
    ) -> Option<T> {
        self.get(key)?.read(reader)
    }

    /// Like `get`; reports a missing key with `advice`.
    pub(super) fn require(&self, key: &'static str, advice: &str) -> Option<Node<'a>> {
        if !self.has(key) {
            self.problems.error(&self.at, Fault::from(format!("`{key}` is missing")).advise(advice));
            return None;
        }
        self.get_or_advise(key, advice)
    }

    fn report_keys(&self) {
        for key in self.mapping.keys() {
            let Some(name) = plain_text(key) else {
                self.problems.error(&self.at, format!("a key must be text, found {}", describe(key)));
                continue;
            };
            let at = self.at.key(&name);
            match self.keys.iter().find(|known| known.name == name) {
                None => {
                    let advice = suggest(&name, "known keys", &built_names(self.keys));
                    self.problems.error(&at, Fault::from("unknown key").advise(advice));
                }
                Some(Key { state: State::Refused(instead), .. }) => {
                    self.problems
                        .error(&at, Fault::from("is not available in this version").advise(*instead));
                }
                Some(Key { state: State::Unused, .. }) => self.problems.warn(
                    &at,
                    Fault::from("is not used by this version")
                        .advise("nothing is measured from it; every other field works"),
                ),
                Some(Key { state: State::Built, .. }) => {}
            }
        }
    }
}

/// The keys that an error message offers.
fn built_names(keys: Keys) -> Vec<&'static str> {
    keys.iter().filter(|key| key.state == State::Built).map(|key| key.name).collect()
}

/// The text of a scalar: numbers and booleans as YAML reads them.
pub(super) fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}

/// A value as an error message names it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("`{number}`"),
        Value::String(text) => format!("`{}`", shorten(text, VALUE_CHARACTERS_MAX)),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a table".to_owned(),
        Value::Tagged(tagged) => format!("the YAML tag `{}`", tagged.tag),
    }
}
