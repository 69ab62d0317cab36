//! What a record holds: one string and typed spans of it.
//!
//! Not a map: fields are numbered, and a field that was not in the line costs nothing but its empty slot.
//! Slots lie in one vector: those of the record itself, then those of each exploded element.
//!
//! Invariant: a slot that is not `Missing` was filled since the last `clear`.

use crate::limits::{BATCH_ROWS_MAX, BATCH_SLOTS_MAX};
use crate::record::wanted::Wanted;
use crate::record::{Config, FieldId, Value};
use crate::verdict::Reject;

/// The wanted fields of one line. Made once and filled again for every line.
#[derive(Clone, Debug)]
pub struct Record {
    text: String,
    slots: Vec<Slot>,
    /// Slots of the record and of each element: its fields, then its payloads that are still encoded.
    width: usize,
    fields: usize,
    /// 0 until what was decoded is known to be good.
    rows: usize,
    elements: usize,
    exploded: bool,
}

/// Where one value is in the record's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Missing,
    Null,
    False,
    True,
    Number,
    Text,
    Nested,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// The record itself (0) or one of its elements, as an offset into the slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Base(usize);

// === impl Record ===

impl Record {
    pub fn new(config: &Config) -> Self {
        let wanted = Wanted::new(config);
        let width = wanted.width();
        Self {
            text: String::new(),
            slots: vec![Slot::MISSING; width],
            width,
            fields: config.fields.len(),
            rows: 0,
            elements: 0,
            exploded: false,
        }
    }

    /// The number of events in the line: 1, or the number of elements where the record is exploded. 0 after
    /// a line that was rejected or ignored.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The number of wanted fields.
    pub const fn field_count(&self) -> usize {
        self.fields
    }

    /// The field's value for one row: the element's where it has one, else the record's. `Missing` where
    /// there is no such row.
    #[inline]
    pub fn value(&self, field: FieldId, row: usize) -> Value<'_> {
        if row >= self.rows {
            return Value::Missing;
        }
        if self.exploded {
            let slot = self.slots[self.slot_index(field, row)];
            if slot.kind != Kind::Missing {
                return self.value_of(slot);
            }
        }
        self.shared(field)
    }

    /// The field's value at the level of the record, whatever its elements hold.
    #[inline]
    pub fn shared(&self, field: FieldId) -> Value<'_> {
        assert!((field.0 as usize) < self.fields, "a field of another log");
        self.value_of(self.slots[field.0 as usize])
    }

    /// Whether `value(field, row)` comes from the exploded element and not from the record.
    pub fn is_element(&self, field: FieldId, row: usize) -> bool {
        self.exploded && row < self.rows && self.slots[self.slot_index(field, row)].kind != Kind::Missing
    }

    /// The most that a record holds of lines of so many bytes: their text, once more for every payload that is
    /// decoded from it, and slots for the elements of a batch, of which one takes two bytes of a line at least.
    /// Both double as they grow.
    pub fn heap_bytes_max(config: &Config, line_bytes_max: usize) -> usize {
        let wanted = Wanted::new(config);
        let rows = if config.explode.is_some() { (line_bytes_max / 2).min(BATCH_ROWS_MAX) } else { 0 };
        let slots = ((rows + 1) * wanted.width()).min(BATCH_SLOTS_MAX + wanted.width());
        2 * (line_bytes_max.saturating_mul(1 + wanted.payloads.len()) + slots * size_of::<Slot>())
    }

    /// Memory held on the heap, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.text.capacity() + self.slots.capacity() * size_of::<Slot>()
    }

    fn slot_index(&self, field: FieldId, row: usize) -> usize {
        assert!((field.0 as usize) < self.fields, "a field of another log");
        self.width * (row + 1) + field.0 as usize
    }

    #[inline]
    fn value_of(&self, slot: Slot) -> Value<'_> {
        match slot.kind {
            Kind::Missing => Value::Missing,
            Kind::Null => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::Number => Value::Number(self.text_of(slot.span)),
            Kind::Text => Value::Text(self.text_of(slot.span)),
            Kind::Nested => Value::Nested,
        }
    }

    #[inline]
    fn text_of(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }
}

/// What the decoders do with a record.
impl Record {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.start_rows(false);
        self.slots.fill(Slot::MISSING);
        self.rows = 0;
    }

    /// Makes what was decoded visible as rows.
    pub(super) fn finish(&mut self) {
        self.rows = if self.exploded { self.elements } else { 1 };
    }

    pub(super) const fn is_exploded(&self) -> bool {
        self.exploded
    }

    /// Forgets any elements and, with `exploded`, expects new ones.
    pub(super) fn start_rows(&mut self, exploded: bool) {
        self.slots.truncate(self.width);
        self.elements = 0;
        self.exploded = exploded;
    }

    /// Adds an element without any field. Too many elements are as a line that is too long.
    pub(super) fn push_row(&mut self) -> Result<Base, Reject> {
        let base = self.slots.len();
        let size = base + self.width;
        if size > BATCH_SLOTS_MAX || self.elements == BATCH_ROWS_MAX {
            return Err(Reject::TooLong);
        }
        self.elements += 1;
        self.slots.resize(size, Slot::MISSING);
        Ok(Base(base))
    }

    /// The record itself and each of its elements.
    pub(super) fn bases(&self) -> impl Iterator<Item = Base> + use<> {
        (0..self.slots.len()).step_by(self.width.max(1)).map(Base)
    }

    /// The text in a slot, or `None` where it holds none; a number is the text it was written as.
    pub(super) fn text_at(&self, base: Base, slot: u16) -> Option<&str> {
        self.value_of(self.slots[base.0 + slot as usize]).as_text()
    }

    /// Appends bytes that no slot refers to yet.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Span, Reject> {
        let text = std::str::from_utf8(bytes).map_err(|_| Reject::InvalidUtf8)?;
        self.append(|out| {
            out.push_str(text);
            Ok(())
        })
    }

    /// Appends what `write` appends to the text.
    #[inline]
    pub(super) fn append(
        &mut self,
        write: impl FnOnce(&mut String) -> Result<(), Reject>,
    ) -> Result<Span, Reject> {
        let start = self.text.len();
        write(&mut self.text)?;
        // Several payloads made of one long line could pass 32 bits together, though none can alone.
        match (u32::try_from(start), u32::try_from(self.text.len())) {
            (Ok(start), Ok(end)) => Ok(Span { start, end }),
            _ => Err(Reject::TooLong),
        }
    }

    /// Fills every one of `slots` with the same value.
    #[inline]
    pub(super) fn fill(&mut self, base: Base, slots: &[u16], value: Slot) {
        for &slot in slots {
            self.slots[base.0 + slot as usize] = value;
        }
    }
}

// === impl Slot ===

impl Slot {
    pub(super) const MISSING: Self = Self::bare(Kind::Missing);

    /// A value that has no text.
    pub(super) const fn bare(kind: Kind) -> Self {
        Self { kind, span: Span { start: 0, end: 0 } }
    }
}

// === impl Base ===

impl Base {
    pub(super) const RECORD: Self = Self(0);
}
