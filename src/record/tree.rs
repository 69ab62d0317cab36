//! The wanted paths of nested records as a tree: one node for every place a path goes through or ends at.
//!
//! Built once from the configuration; its depth is that of the longest path, whatever a line holds.

use crate::record::keys::Keys;
use crate::record::path::{Path, Segment};
use crate::record::wanted::Wanted;

/// A place in a record.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) keys: Keys<Node>,
    /// Wanted elements of an array, in no order: there are few.
    pub(super) indexes: Vec<(u32, Node)>,
    /// Slots of the paths that end here.
    pub(super) slots: Vec<u16>,
    /// Slots of the paths that go on from here.
    pub(super) below: Vec<u16>,
    /// This is the array whose elements are rows: what is wanted of each.
    pub(super) element: Option<Box<Node>>,
    /// The array whose elements are rows is here or below.
    pub(super) leads_to_rows: bool,
}

// === impl Node ===

impl Node {
    /// What is wanted of a line.
    pub(super) fn for_lines(wanted: &Wanted<'_>, explode: Option<&Path>) -> Self {
        let mut root = Self::default();
        let mut element = Self::default();
        for (path, slot) in &wanted.values {
            if let Some(steps) = explode.and_then(|array| path.inside(array)) {
                element.insert(steps, *slot);
                continue;
            }
            root.insert(&path.steps, *slot);
            if let Some(Segment::Key(_)) = path.steps.first() {
                element.insert(&path.steps, *slot);
            }
        }
        if let Some(array) = explode {
            let mut node = &mut root;
            node.leads_to_rows = true;
            for step in array.array_steps() {
                node = node.child(step);
                node.leads_to_rows = true;
            }
            node.element = Some(Box::new(element));
        }
        root
    }

    pub(super) fn insert(&mut self, steps: &[Segment], slot: u16) {
        let Some((step, rest)) = steps.split_first() else {
            return self.slots.push(slot);
        };
        self.below.push(slot);
        self.child(step).insert(rest, slot);
    }

    /// Whether any path goes through here to a place below.
    pub(super) const fn is_inner(&self) -> bool {
        !self.below.is_empty() || self.leads_to_rows
    }

    /// Whether an array can stand here and be looked into.
    pub(super) const fn wants_array(&self) -> bool {
        self.element.is_some() || !self.indexes.is_empty()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let keys = self.keys.heap_bytes() + self.keys.values().map(Self::heap_bytes).sum::<usize>();
        let indexes = self.indexes.capacity() * size_of::<(u32, Self)>()
            + self.indexes.iter().map(|(_, node)| node.heap_bytes()).sum::<usize>();
        let slots = (self.slots.capacity() + self.below.capacity()) * size_of::<u16>();
        let element = self.element.as_ref().map_or(0, |node| size_of::<Self>() + node.heap_bytes());
        keys + indexes + slots + element
    }

    fn child(&mut self, step: &Segment) -> &mut Self {
        match step {
            Segment::Key(key) => self.keys.entry(key.as_bytes()),
            Segment::Index(index) => self.element_at(*index),
            // Never the index of an element, because no array of a line has 2^32 of them: a path with `[]`
            // elsewhere than after the exploded array is not found, as `Path::has_stray_each` says.
            Segment::Each => self.element_at(u32::MAX),
        }
    }

    fn element_at(&mut self, index: u32) -> &mut Self {
        let position = self.indexes.iter().position(|(known, _)| *known == index).unwrap_or_else(|| {
            self.indexes.push((index, Self::default()));
            self.indexes.len() - 1
        });
        &mut self.indexes[position].1
    }
}

impl<T> Default for Keys<T> {
    fn default() -> Self {
        Self::new()
    }
}
