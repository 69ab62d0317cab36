//! On which line of the file a key is, which the YAML values do not keep.
//!
//! One pass over the parser's events, made only when there is something to report. What an alias stands
//! for has no line of its own: it is found at the key that holds the alias.

use super::problem::KeyPath;
use saphyr_parser::{Event, Parser};
use std::collections::HashMap;

/// The line of every key and element, and the keys that are written twice.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: HashMap<KeyPath, usize>,
    pub(super) repeated: Vec<Repeated>,
}

/// A key that its table already has.
#[derive(Debug)]
pub(super) struct Repeated {
    pub(super) at: KeyPath,
    pub(super) line: usize,
    pub(super) first_line: usize,
}

/// A collection that is being walked.
enum Open {
    /// The key whose value comes next; `None` where a key comes next.
    Mapping {
        at: KeyPath,
        key: Option<KeyPath>,
    },
    Sequence {
        at: KeyPath,
        next: usize,
    },
    /// A key that is itself a collection, or what is inside one: of no interest.
    Ignored,
}

// === impl Lines ===

impl Lines {
    /// Where the text stops being YAML, so do the lines.
    pub(super) fn of(text: &str) -> Self {
        let mut walk = Walk::default();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            walk.step(&event, span.start.line());
        }
        walk.lines
    }

    /// The line of the key, or of the nearest key above it.
    pub(super) fn line(&self, at: &KeyPath) -> Option<usize> {
        let mut at = at.clone();
        loop {
            if let Some(line) = self.lines.get(&at) {
                return Some(*line);
            }
            at = at.parent()?;
        }
    }

    fn insert(&mut self, at: &KeyPath, line: usize) {
        if let Some(first_line) = self.lines.get(at) {
            // Of a table that is written twice, its keys need not be named as well.
            if self.repeated.last().is_some_and(|outer| at.is_below(&outer.at)) {
                return;
            }
            self.repeated.push(Repeated { at: at.clone(), line, first_line: *first_line });
        } else {
            self.lines.insert(at.clone(), line);
        }
    }
}

#[derive(Default)]
struct Walk {
    lines: Lines,
    open: Vec<Open>,
}

// === impl Walk ===

impl Walk {
    fn step(&mut self, event: &Event<'_>, line: usize) {
        match event {
            Event::Scalar(text, ..) => self.scalar(text, line),
            Event::Alias(_) => {
                self.begin_value(line);
            }
            Event::MappingStart(..) => {
                let open = match self.begin_value(line) {
                    Some(at) => Open::Mapping { at, key: None },
                    None => Open::Ignored,
                };
                self.open.push(open);
            }
            Event::SequenceStart(..) => {
                let open = match self.begin_value(line) {
                    Some(at) => Open::Sequence { at, next: 0 },
                    None => Open::Ignored,
                };
                self.open.push(open);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
            }
            _ => {}
        }
    }

    fn scalar(&mut self, text: &str, line: usize) {
        if !self.take_key(text, line) {
            self.begin_value(line);
        }
    }

    /// Takes a scalar as the key of the mapping that is open, if that waits for one.
    fn take_key(&mut self, text: &str, line: usize) -> bool {
        let Some(Open::Mapping { at, key: key @ None }) = self.open.last_mut() else { return false };
        let path = at.key(text);
        self.lines.insert(&path, line);
        *key = Some(path);
        true
    }

    /// Where the value that begins here is; `None` where nobody will ask for it.
    fn begin_value(&mut self, line: usize) -> Option<KeyPath> {
        match self.open.last_mut() {
            None => Some(KeyPath::default()),
            Some(Open::Mapping { key, at }) => match key.take() {
                Some(path) => Some(path),
                // A key that is no scalar: what follows is its value.
                None => {
                    *key = Some(at.key(""));
                    None
                }
            },
            Some(Open::Sequence { at, next }) => {
                let path = at.index(*next);
                *next += 1;
                self.lines.insert(&path, line);
                Some(path)
            }
            Some(Open::Ignored) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# comment
logs:
  - name: a
    paths: [x,
            y]
  - {name: b}
base: &base
  wait: 1h
models:
  fraud:
    join: *base
";

    #[test]
    fn every_key_and_element_has_its_line() {
        let lines = Lines::of(TEXT);
        let logs = KeyPath::default().key("logs");
        assert_eq!(lines.line(&logs), Some(2));
        assert_eq!(lines.line(&logs.index(0).key("name")), Some(3));
        assert_eq!(lines.line(&logs.index(0).key("paths").index(1)), Some(5));
        assert_eq!(lines.line(&logs.index(1).key("name")), Some(6));
        assert_eq!(lines.line(&KeyPath::default().key("base").key("wait")), Some(8));
    }

    #[test]
    fn what_has_no_line_is_found_at_the_key_above() {
        let lines = Lines::of(TEXT);
        let models = KeyPath::default().key("models");
        assert_eq!(lines.line(&models.key("fraud").key("join").key("wait")), Some(11));
        assert_eq!(lines.line(&models.key("fraud").key("task")), Some(10));
        assert_eq!(lines.line(&KeyPath::default()), None);
    }

    #[test]
    fn a_key_that_is_written_twice_is_found_with_both_lines() {
        let lines = Lines::of("a: {d: 1}\nb: {c: 1,\n c: 2}\na: {d: 2}\n");
        let found: Vec<_> = lines.repeated.iter().map(|r| (r.at.to_string(), r.line, r.first_line)).collect();
        assert_eq!(found, [("b.c".to_owned(), 3, 2), ("a".to_owned(), 4, 1)]);
    }

    #[test]
    fn keys_that_are_collections_do_not_confuse_the_walk() {
        let lines = Lines::of("? [1, 2]\n: x\nb: {c: 1,\n d: 2}\n");
        assert_eq!(lines.line(&KeyPath::default().key("b").key("d")), Some(4));
    }
}
