//! Comma separated values as in RFC 4180, with any delimiter.
//!
//! Stricter than most readers in two places, where the value would be a guess: text after a closing quote,
//! and a quote that is never closed, make a line malformed. A record may contain line ends inside quotes;
//! joining such lines is the work of `line`.
//!
//! Only an empty cell without quotes is `Null`; words like `NA` or `null` are text.

use crate::record::keys::Keys;
use crate::record::number::kind_of_word;
use crate::record::slots::{Base, Kind, Record, Slot};
use crate::record::wanted::Wanted;
use crate::record::{Decode, Decoded};
use crate::verdict::{Ignore, Reject};

/// The decoder of one CSV file.
#[derive(Clone, Debug)]
pub(super) struct Csv {
    delimiter: u8,
    /// Slots by column name.
    wanted: Keys<Vec<u16>>,
    /// Slots by column; `None` until the header is known.
    columns: Option<Vec<Vec<u16>>>,
    /// The header as it was written; empty where the columns come from the configuration.
    header: Vec<u8>,
}

/// The cells of one record.
pub(super) struct Cells<'l> {
    line: &'l [u8],
    delimiter: u8,
    /// Where the next cell begins; `None` after the last.
    at: Option<usize>,
}

/// One cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cell<'l> {
    /// Without the quotes around it.
    raw: &'l [u8],
    quoted: bool,
    /// A doubled quote in it stands for one.
    doubled: bool,
}

// === impl Csv ===

impl Csv {
    pub(super) fn new(wanted: &Wanted<'_>, delimiter: u8, columns: Option<&[String]>) -> Self {
        let mut csv = Self { delimiter, wanted: wanted.flat(), columns: None, header: Vec::new() };
        csv.columns = columns.map(|names| csv.slots_of(names.iter().map(String::as_bytes)));
        csv
    }

    pub(super) const fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(super) const fn wants_header(&self) -> bool {
        self.columns.is_none()
    }

    pub(super) fn header(&self) -> Option<&[u8]> {
        (!self.header.is_empty()).then_some(&self.header)
    }

    /// Takes the line as the file's header, unless it cannot be one.
    pub(super) fn set_header(&mut self, line: &[u8]) {
        let name = |cell: Result<Cell<'_>, Reject>| {
            let mut name = Vec::new();
            cell?.append_to(&mut name);
            Ok::<_, Reject>(name)
        };
        let names: Result<Vec<_>, _> = Cells::new(line, self.delimiter).map(name).collect();
        if let Ok(names) = names {
            self.columns = Some(self.slots_of(names.iter().map(|name| name.trim_ascii())));
            self.header = line.to_vec();
        }
    }

    /// Of two columns with one name, the first is meant.
    fn slots_of<'n>(&self, names: impl Iterator<Item = &'n [u8]>) -> Vec<Vec<u16>> {
        let mut seen = Keys::<bool>::new();
        names
            .map(|name| {
                let again = std::mem::replace(seen.entry(name), true);
                if again { Vec::new() } else { self.wanted.get(name).cloned().unwrap_or_default() }
            })
            .collect()
    }
}

impl Decode for Csv {
    fn decode(&mut self, line: &[u8], record: &mut Record) -> Result<Decoded, Reject> {
        let Some(columns) = &self.columns else {
            self.set_header(line);
            return if self.wants_header() {
                Err(Reject::Malformed)
            } else {
                Ok(Decoded::Ignored(Ignore::Header))
            };
        };
        // Files that were concatenated bring their headers along.
        if line == self.header {
            return Ok(Decoded::Ignored(Ignore::Header));
        }
        let mut cells = Cells::new(line, self.delimiter);
        for slots in columns {
            let cell = cells.next().ok_or(Reject::Malformed)??;
            if !slots.is_empty() {
                cell.put(record, Base::RECORD, slots)?;
            }
        }
        if cells.next().is_some() { Err(Reject::Malformed) } else { Ok(Decoded::Record) }
    }

    fn heap_bytes(&self) -> usize {
        let columns =
            self.columns.iter().flatten().map(|slots| size_of_val(slots) + size_of_val(slots.as_slice()));
        let names = self.wanted.values().map(|slots| size_of_val(slots.as_slice()));
        self.wanted.heap_bytes() + self.header.capacity() + columns.sum::<usize>() + names.sum::<usize>()
    }
}

// === impl Cells ===

impl<'l> Cells<'l> {
    pub(super) const fn new(line: &'l [u8], delimiter: u8) -> Self {
        Self { line, delimiter, at: Some(0) }
    }

    fn quoted(&mut self, start: usize) -> Result<Cell<'l>, Reject> {
        let (mut at, mut doubled) = (start, false);
        loop {
            let quote = memchr::memchr(b'"', &self.line[at..]).ok_or(Reject::Malformed)? + at;
            match self.line.get(quote + 1) {
                Some(b'"') => {
                    doubled = true;
                    at = quote + 2;
                    continue;
                }
                Some(next) if *next == self.delimiter => self.at = Some(quote + 2),
                Some(_) => return Err(Reject::Malformed),
                None => self.at = None,
            }
            return Ok(Cell { raw: &self.line[start..quote], quoted: true, doubled });
        }
    }
}

impl<'l> Iterator for Cells<'l> {
    type Item = Result<Cell<'l>, Reject>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at.take()?;
        let rest = &self.line[start..];
        if rest.first() == Some(&b'"') {
            return Some(self.quoted(start + 1));
        }
        // Most cells are short: a search that has to be set up would cost more than it saves.
        let raw = match rest.iter().position(|byte| *byte == self.delimiter) {
            Some(end) => {
                self.at = Some(start + end + 1);
                &rest[..end]
            }
            None => rest,
        };
        Some(Ok(Cell { raw, quoted: false, doubled: false }))
    }
}

// === impl Cell ===

impl<'l> Cell<'l> {
    /// Fills `slots` with the cell's value.
    pub(super) fn put(self, record: &mut Record, base: Base, slots: &[u16]) -> Result<(), Reject> {
        let kind = if self.quoted { Kind::Text } else { kind_of_word(self.raw) };
        let value = match kind {
            Kind::Text if self.doubled => Slot { kind, span: record.append(|out| undouble(self.raw, out))? },
            Kind::Number | Kind::Text => Slot { kind, span: record.push(self.raw)? },
            _ => Slot::bare(kind),
        };
        record.fill(base, slots, value);
        Ok(())
    }

    /// Appends the cell's text.
    pub(super) fn append_to(self, out: &mut Vec<u8>) {
        let mut rest = self.raw;
        while self.doubled
            && let Some(quote) = memchr::memchr(b'"', rest)
        {
            out.extend_from_slice(&rest[..=quote]);
            rest = rest.get(quote + 2..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
    }

    /// Whether the cell runs over a line end, without quotes that would make it part of the value.
    pub(super) fn spans_lines(self) -> bool {
        !self.quoted && memchr::memchr2(b'\n', b'\r', self.raw).is_some()
    }
}

fn undouble(mut raw: &[u8], out: &mut String) -> Result<(), Reject> {
    while let Some(quote) = memchr::memchr(b'"', raw) {
        out.push_str(std::str::from_utf8(&raw[..=quote]).map_err(|_| Reject::InvalidUtf8)?);
        raw = raw.get(quote + 2..).unwrap_or_default();
    }
    out.push_str(std::str::from_utf8(raw).map_err(|_| Reject::InvalidUtf8)?);
    Ok(())
}
