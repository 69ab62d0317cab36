//! JSON: one object to a line.
//!
//! Our own walk over the text: it copies what is wanted, steps over the rest, and checks all of it to the
//! end of the line, so that half a line is never taken for a record.
//!
//! As Python reads it: `NaN`, `Infinity` and `-Infinity` are numbers, and of equal keys in one object the
//! last one counts, also where an earlier one held more. Unlike there, half of a surrogate pair becomes
//! U+FFFD. Bytes that are not UTF-8 are harmless in values that nobody wants.

use crate::limits::JSON_DEPTH_MAX;
use crate::record::scan::{self, byte, skip_space};
use crate::record::slots::{Base, Kind, Slot};
use crate::record::tree::Node;
use crate::record::wanted::Wanted;
use crate::record::{Decode, Decoded, Path, Record};
use crate::verdict::Reject;

/// The decoder of JSON lines.
#[derive(Clone, Debug)]
pub(super) struct Json {
    root: Node,
    explodes: bool,
    /// A key with escapes, decoded.
    key: String,
}

/// One walk over one text.
struct Walk<'l> {
    line: &'l [u8],
    record: &'l mut Record,
    key: &'l mut String,
    /// Whose slots are filled: the record's or those of the element that is being read.
    base: Base,
}

// === impl Json ===

impl Json {
    pub(super) fn new(wanted: &Wanted<'_>, explode: Option<&Path>) -> Self {
        Self { root: Node::for_lines(wanted, explode), explodes: explode.is_some(), key: String::new() }
    }
}

impl Decode for Json {
    fn decode(&mut self, line: &[u8], record: &mut Record) -> Result<Decoded, Reject> {
        let starts_like_a_record = match byte(line, skip_space(line, 0))? {
            b'{' => true,
            b'[' => self.root.wants_array(),
            _ => false,
        };
        if !starts_like_a_record {
            return Err(Reject::Malformed);
        }
        walk(line, &self.root, record, Base::RECORD, &mut self.key)?;
        if self.explodes && !record.is_exploded() {
            return Err(Reject::NotABatch);
        }
        Ok(Decoded::Record)
    }

    fn heap_bytes(&self) -> usize {
        self.root.heap_bytes() + self.key.capacity()
    }

    fn rest(&mut self) {
        self.key = String::new();
    }
}

/// Reads one JSON text, whatever its value, into the slots that `root` names.
pub(super) fn walk(
    line: &[u8],
    root: &Node,
    record: &mut Record,
    base: Base,
    key: &mut String,
) -> Result<(), Reject> {
    let mut walk = Walk { line, record, key, base };
    let end = walk.value(skip_space(line, 0), root, 0)?;
    if skip_space(line, end) == line.len() { Ok(()) } else { Err(Reject::Malformed) }
}

/// Appends the text of a JSON text that is a string.
pub(super) fn string_text(line: &[u8], out: &mut String) -> Result<(), Reject> {
    let at = skip_space(line, 0);
    if byte(line, at)? != b'"' {
        return Err(Reject::Malformed);
    }
    let end = scan::string_end(line, at + 1)?;
    if skip_space(line, end.quote + 1) != line.len() {
        return Err(Reject::Malformed);
    }
    scan::unescape(&line[at + 1..end.quote], out)
}

// === impl Walk ===

impl Walk<'_> {
    /// Reads the value that begins at `at` and returns the index after it. `depth` counts the containers
    /// around it. Recursion goes as deep as the wanted paths, not as the line.
    fn value(&mut self, at: usize, node: &Node, depth: usize) -> Result<usize, Reject> {
        if node.is_inner() {
            self.forget(node);
        }
        match byte(self.line, at)? {
            b'"' => self.string(at + 1, node),
            b'{' => {
                self.record.fill(self.base, &node.slots, Slot::bare(Kind::Nested));
                if node.keys.is_empty() {
                    scan::nested_end(self.line, at, depth)
                } else {
                    self.object(at, node, depth)
                }
            }
            b'[' => {
                self.record.fill(self.base, &node.slots, Slot::bare(Kind::Nested));
                if node.wants_array() {
                    self.array(at, node, depth)
                } else {
                    scan::nested_end(self.line, at, depth)
                }
            }
            _ => self.scalar(at, node),
        }
    }

    /// Empties what an earlier value under the same key has left below.
    fn forget(&mut self, node: &Node) {
        self.record.fill(self.base, &node.below, Slot::MISSING);
        if node.leads_to_rows {
            self.record.start_rows(false);
        }
    }

    #[inline]
    fn string(&mut self, at: usize, node: &Node) -> Result<usize, Reject> {
        let end = scan::string_end(self.line, at)?;
        if !node.slots.is_empty() {
            let raw = &self.line[at..end.quote];
            let span = if end.escaped {
                self.record.append(|out| scan::unescape(raw, out))?
            } else {
                self.record.push(raw)?
            };
            self.record.fill(self.base, &node.slots, Slot { kind: Kind::Text, span });
        }
        Ok(end.quote + 1)
    }

    #[inline]
    fn scalar(&mut self, at: usize, node: &Node) -> Result<usize, Reject> {
        let (end, kind) = scan::scalar_end(self.line, at)?;
        let value = match kind {
            Kind::Number => Slot { kind, span: self.record.push(&self.line[at..end])? },
            _ => Slot::bare(kind),
        };
        self.record.fill(self.base, &node.slots, value);
        Ok(end)
    }

    fn object(&mut self, at: usize, node: &Node, depth: usize) -> Result<usize, Reject> {
        let depth = deeper(depth)?;
        let line = self.line;
        let mut at = skip_space(line, at + 1);
        if byte(line, at)? == b'}' {
            return Ok(at + 1);
        }
        loop {
            let (key, value) = scan::key_end(line, at)?;
            let raw = &line[at + 1..key.quote];
            let child = if key.escaped { self.child_of_escaped(raw, node) } else { node.keys.get(raw) };
            let end = match child {
                Some(child) => self.value(value, child, depth)?,
                None => scan::value_end(line, value, depth)?,
            };
            at = skip_space(line, end);
            match byte(line, at)? {
                b',' => at = skip_space(line, at + 1),
                b'}' => return Ok(at + 1),
                _ => return Err(Reject::Malformed),
            }
        }
    }

    #[cold]
    fn child_of_escaped<'n>(&mut self, raw: &[u8], node: &'n Node) -> Option<&'n Node> {
        self.key.clear();
        scan::unescape(raw, self.key).ok()?;
        node.keys.get(self.key.as_bytes())
    }

    fn array(&mut self, at: usize, node: &Node, depth: usize) -> Result<usize, Reject> {
        let depth = deeper(depth)?;
        let line = self.line;
        if node.element.is_some() {
            self.record.start_rows(true);
        }
        let mut at = skip_space(line, at + 1);
        if byte(line, at)? == b']' {
            return Ok(at + 1);
        }
        for index in 0.. {
            let end = match (&node.element, node.indexes.iter().find(|(wanted, _)| *wanted == index)) {
                (Some(element), _) => self.row(at, element, depth)?,
                (None, Some((_, child))) => self.value(at, child, depth)?,
                (None, None) => scan::value_end(line, at, depth)?,
            };
            at = skip_space(line, end);
            match byte(line, at)? {
                b',' => at = skip_space(line, at + 1),
                b']' => return Ok(at + 1),
                _ => break,
            }
        }
        Err(Reject::Malformed)
    }

    fn row(&mut self, at: usize, element: &Node, depth: usize) -> Result<usize, Reject> {
        self.base = self.record.push_row()?;
        let end = self.value(at, element, depth);
        self.base = Base::RECORD;
        end
    }
}

fn deeper(depth: usize) -> Result<usize, Reject> {
    if depth == JSON_DEPTH_MAX { Err(Reject::Malformed) } else { Ok(depth + 1) }
}
