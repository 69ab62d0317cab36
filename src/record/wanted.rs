//! Which values a decoder has to find, and the slots they fill.
//!
//! A plain field has a slot of its own. Fields inside one encoded value share a slot past those of all
//! fields, which holds that value until it is decoded, once, for all of them.

use crate::record::keys::Keys;
use crate::record::{Config, Field, Path, Step};

/// The compiled list of wanted fields.
pub(super) struct Wanted<'c> {
    /// Where each value is in the line, and the slot it fills.
    pub(super) values: Vec<(&'c Path, u16)>,
    pub(super) payloads: Vec<Payload<'c>>,
    fields: usize,
}

/// An encoded value, and the fields inside it.
pub(super) struct Payload<'c> {
    pub(super) slot: u16,
    pub(super) path: &'c Path,
    pub(super) steps: &'c [Step],
    pub(super) inside: Vec<(Option<&'c Path>, u16)>,
}

// === impl Wanted ===

impl<'c> Wanted<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        let mut wanted = Self { values: Vec::new(), payloads: Vec::new(), fields: config.fields.len() };
        for (index, field) in config.fields.iter().enumerate() {
            wanted.add(slot(index), field);
        }
        wanted
    }

    fn add(&mut self, field_slot: u16, field: &'c Field) {
        if field.decode.is_empty() {
            self.values.push((&field.path, field_slot));
            return;
        }
        let inside = (field.then.as_ref(), field_slot);
        let known = self.payloads.iter_mut().find(|payload| {
            payload.path.steps == field.path.steps && payload.steps == field.decode.as_slice()
        });
        if let Some(payload) = known {
            payload.inside.push(inside);
            return;
        }
        let slot = slot(self.width());
        self.values.push((&field.path, slot));
        self.payloads.push(Payload { slot, path: &field.path, steps: &field.decode, inside: vec![inside] });
    }

    /// The number of slots of a record.
    pub(super) fn width(&self) -> usize {
        self.fields + self.payloads.len()
    }

    /// The slots by the field's name, for formats that do not nest.
    pub(super) fn flat(&self) -> Keys<Vec<u16>> {
        let mut names = Keys::<Vec<u16>>::new();
        for (path, slot) in &self.values {
            names.entry(path.flat_name().as_bytes()).push(*slot);
        }
        names
    }
}

fn slot(index: usize) -> u16 {
    u16::try_from(index).unwrap_or_else(|_| panic!("a log maps at most 32768 fields; this is slot {index}"))
}
