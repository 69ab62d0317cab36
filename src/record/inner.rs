//! Values inside strings: `decode: [base64, json]`, `then: y`.
//!
//! A payload that cannot be decoded gives no value and no reject: the record around it is sound, and the
//! answer of a failed request, which must be counted, is often no payload at all.

use crate::record::Step;
use crate::record::csv::{Cell, Cells};
use crate::record::json;
use crate::record::path::{Path, Segment};
use crate::record::slots::{Base, Kind, Record, Slot};
use crate::record::tree::Node;
use crate::record::wanted::{Payload, Wanted};
use crate::verdict::Reject;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Decodes the payloads of one log's records.
#[derive(Clone, Debug)]
pub(super) struct Payloads {
    payloads: Vec<Plan>,
    scratch: Scratch,
}

/// What is done with one payload.
#[derive(Clone, Debug)]
struct Plan {
    /// Where the payload stands until it is decoded.
    slot: u16,
    /// All steps but the last, whose result holds the fields.
    steps: Vec<Step>,
    last: Last,
    /// The slots of the fields inside.
    fields: Vec<u16>,
}

/// What holds the fields, and where in it they are.
#[derive(Clone, Debug)]
enum Last {
    Base64,
    Json(Node),
    Csv(Vec<(u32, u16)>),
}

/// What is reused from payload to payload.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// The payload as far as it is decoded.
    text: Vec<u8>,
    /// Where a step writes before it takes the place of `text`.
    next: Vec<u8>,
    /// The text of a string inside a payload, and of a key with escapes.
    string: String,
}

/// Why there is no value: the payload is not what it is said to be.
struct Undecodable;

const BASE64: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64_STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BASE64);
const BASE64_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BASE64);

// === impl Payloads ===

impl Payloads {
    pub(super) fn new(wanted: &Wanted<'_>) -> Self {
        Self { payloads: wanted.payloads.iter().map(Plan::new).collect(), scratch: Scratch::default() }
    }

    /// Fills the fields that are inside the record's payloads.
    pub(super) fn apply(&mut self, record: &mut Record) -> Result<(), Reject> {
        if self.payloads.is_empty() {
            return Ok(());
        }
        for base in record.bases() {
            for plan in &self.payloads {
                plan.apply(&mut self.scratch, record, base)?;
            }
        }
        Ok(())
    }

    /// Gives back scratch.
    pub(super) fn rest(&mut self) {
        self.scratch = Scratch::default();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let plans = self.payloads.iter().map(|plan| size_of_val(plan) + plan.heap_bytes()).sum::<usize>();
        let scratch = &self.scratch;
        plans + scratch.text.capacity() + scratch.next.capacity() + scratch.string.capacity()
    }
}

// === impl Plan ===

impl Plan {
    fn new(payload: &Payload<'_>) -> Self {
        let (last, steps) = match payload.steps.split_last() {
            Some((Step::Json, steps)) => {
                let mut root = Node::default();
                for (then, slot) in &payload.inside {
                    root.insert(then.map_or(&[], |path| &path.steps), *slot);
                }
                (Last::Json(root), steps)
            }
            Some((Step::Csv, steps)) => {
                let cell = |(then, slot): &(Option<&Path>, u16)| Some((column(*then)?, *slot));
                (Last::Csv(payload.inside.iter().filter_map(cell).collect()), steps)
            }
            Some((Step::Base64, steps)) => (Last::Base64, steps),
            None => unreachable!("a field without steps is not a payload"),
        };
        let fields = payload.inside.iter().map(|(_, slot)| *slot).collect();
        Self { slot: payload.slot, steps: steps.to_vec(), last, fields }
    }

    fn apply(&self, scratch: &mut Scratch, record: &mut Record, base: Base) -> Result<(), Reject> {
        let Some(text) = record.text_at(base, self.slot) else {
            return Ok(());
        };
        scratch.text.clear();
        scratch.text.extend_from_slice(text.as_bytes());
        let decoded = self.steps.iter().try_for_each(|step| scratch.step(*step));
        match decoded.and_then(|()| self.put(scratch, record, base)) {
            Ok(()) => Ok(()),
            Err(Undecodable) => {
                record.fill(base, &self.fields, Slot::MISSING);
                Ok(())
            }
        }
    }

    fn put(&self, scratch: &mut Scratch, record: &mut Record, base: Base) -> Result<(), Undecodable> {
        match &self.last {
            Last::Base64 => {
                scratch.step(Step::Base64)?;
                let span = record.push(&scratch.text)?;
                record.fill(base, &self.fields, Slot { kind: Kind::Text, span });
            }
            Last::Json(root) => json::walk(&scratch.text, root, record, base, &mut scratch.string)?,
            Last::Csv(columns) => {
                for (index, cell) in (0..).zip(one_row(&scratch.text)) {
                    let cell = cell?;
                    for (column, slot) in columns {
                        if *column == index {
                            cell.put(record, base, &[*slot])?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn heap_bytes(&self) -> usize {
        let last = match &self.last {
            Last::Base64 => 0,
            Last::Json(root) => root.heap_bytes(),
            Last::Csv(columns) => size_of_val(columns.as_slice()),
        };
        self.steps.len() * size_of::<Step>() + size_of_val(self.fields.as_slice()) + last
    }
}

// === impl Scratch ===

impl Scratch {
    /// Replaces the text by what it decodes to, which is text again.
    fn step(&mut self, step: Step) -> Result<(), Undecodable> {
        self.next.clear();
        match step {
            Step::Base64 => {
                let text = self.text.trim_ascii();
                let url_safe = memchr::memchr2(b'-', b'_', text).is_some();
                let engine = if url_safe { BASE64_URL_SAFE } else { BASE64_STANDARD };
                engine.decode_vec(text, &mut self.next).map_err(|_| Undecodable)?;
            }
            Step::Json => {
                self.string.clear();
                json::string_text(&self.text, &mut self.string)?;
                self.next.extend_from_slice(self.string.as_bytes());
            }
            Step::Csv => {
                let cell = one_row(&self.text).next().ok_or(Undecodable)??;
                cell.append_to(&mut self.next);
            }
        }
        std::mem::swap(&mut self.text, &mut self.next);
        Ok(())
    }
}

// === impl Undecodable ===

impl From<Reject> for Undecodable {
    fn from(_: Reject) -> Self {
        Self
    }
}

/// The cells of a payload that is one row, with or without a line end. A second row would be a batch, of
/// which no single value can be taken.
fn one_row(text: &[u8]) -> impl Iterator<Item = Result<Cell<'_>, Undecodable>> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Cells::new(text, b',').map(|cell| {
        let cell = cell?;
        if cell.spans_lines() { Err(Undecodable) } else { Ok(cell) }
    })
}

/// The column that `then` names; the first where it names none. `None` where it is no column.
fn column(then: Option<&Path>) -> Option<u32> {
    match then.map(|path| path.steps.as_slice()) {
        None => Some(0),
        Some([Segment::Index(column)]) => Some(*column),
        Some(_) => None,
    }
}
