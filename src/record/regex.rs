//! Lines that a regular expression takes apart: its named groups are the fields.
//!
//! A line that does not match is malformed; a group that took no part in the match is missing, one that
//! matched nothing is null.

use crate::record::number::kind_of_word;
use crate::record::slots::{Base, Kind, Record, Slot};
use crate::record::wanted::Wanted;
use crate::record::{Decode, Decoded};
use crate::verdict::Reject;
use regex::bytes;
use std::sync::Arc;

/// The decoder of lines that match a pattern.
#[derive(Clone, Debug)]
pub(super) struct Regex {
    /// One for all files: each clone of a pattern would come to have caches of its own.
    pattern: Arc<bytes::Regex>,
    locations: bytes::CaptureLocations,
    /// Group and the slots it fills.
    groups: Vec<(usize, Vec<u16>)>,
}

// === impl Regex ===

impl Regex {
    pub(super) fn new(wanted: &Wanted<'_>, pattern: &bytes::Regex) -> Self {
        let names = wanted.flat();
        let groups = pattern
            .capture_names()
            .enumerate()
            .filter_map(|(group, name)| Some((group, names.get(name?.as_bytes())?.clone())))
            .collect();
        Self { pattern: Arc::new(pattern.clone()), locations: pattern.capture_locations(), groups }
    }
}

impl Decode for Regex {
    fn decode(&mut self, line: &[u8], record: &mut Record) -> Result<Decoded, Reject> {
        self.pattern.captures_read(&mut self.locations, line).ok_or(Reject::Malformed)?;
        for (group, slots) in &self.groups {
            let Some((start, end)) = self.locations.get(*group) else { continue };
            let word = &line[start..end];
            let value = match kind_of_word(word) {
                kind @ (Kind::Text | Kind::Number) => Slot { kind, span: record.push(word)? },
                kind => Slot::bare(kind),
            };
            record.fill(Base::RECORD, slots, value);
        }
        Ok(Decoded::Record)
    }

    /// Without the pattern's caches, which the regex crate bounds and does not tell.
    fn heap_bytes(&self) -> usize {
        let slots = self.groups.iter().map(|group| size_of_val(group) + size_of_val(group.1.as_slice()));
        self.locations.len() * 2 * size_of::<Option<usize>>() + slots.sum::<usize>()
    }
}
