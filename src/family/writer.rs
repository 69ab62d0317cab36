//! Writes families as text, straight from the accumulators: the Prometheus text format 0.0.4 and
//! OpenMetrics 1.0.
//!
//! Not the `prometheus` crate's encoder, which wants an object for every series: at 100,000 series building
//! them costs some fifty times what writing them does. A test holds this text equal to the crate's.

use super::Kind;
use crate::accumulator::histogram::Histogram;
use crate::join::UNTIMED;
use crate::limits::EXEMPLAR_CHARACTERS_MAX;
use crate::monitor::version::Exemplar;
use std::io::Write;

/// The two expositions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Text,
    OpenMetrics,
}

/// Label names with their values, in the order they are written.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text of one scrape.
pub struct Writer {
    out: Vec<u8>,
    format: Format,
    name: String,
    kind: Kind,
    help: String,
    /// Whether the head of the present family is written: a family without samples has none.
    opened: bool,
    /// Labels that every sample of the present scope begins with, escaped.
    scope: Vec<u8>,
    series: u64,
}

impl Writer {
    pub fn new(format: Format, capacity: usize) -> Self {
        Self {
            out: Vec::with_capacity(capacity),
            format,
            name: String::new(),
            kind: Kind::Gauge,
            help: String::new(),
            opened: false,
            scope: Vec::new(),
            series: 0,
        }
    }

    /// Samples written so far.
    pub fn series(&self) -> u64 {
        self.series
    }

    /// The whole text.
    pub fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
        self.out
    }

    /// What follows belongs to this family.
    pub fn begin(&mut self, name: &str, kind: Kind, help: &str) {
        name.clone_into(&mut self.name);
        help.clone_into(&mut self.help);
        (self.kind, self.opened) = (kind, false);
        self.scope.clear();
    }

    /// What follows begins with these labels.
    pub fn scope(&mut self, labels: Labels<'_>) {
        self.scope.clear();
        push_labels(&mut self.scope, labels);
    }

    /// As `scope`, with labels that were escaped before.
    pub fn scope_escaped(&mut self, labels: &[u8]) {
        self.scope.clear();
        self.scope.extend_from_slice(labels);
    }

    /// A sample that counts.
    pub fn count(&mut self, labels: Labels<'_>, value: u64) {
        self.open_sample("", labels);
        self.push_integer(value);
        self.out.push(b'\n');
    }

    /// A sample that measures. What is not finite is undefined, and an undefined value is absent.
    pub fn value(&mut self, labels: Labels<'_>, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.open_sample("", labels);
        self.push_float(value);
        self.out.push(b'\n');
    }

    /// A histogram with an exemplar for each bucket, or none at all.
    pub fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram, exemplars: &[Option<Exemplar>]) {
        let mut cumulative = 0;
        let bounds = histogram.bounds().iter().copied().chain([f64::INFINITY]);
        for (bucket, (bound, count)) in bounds.zip(histogram.counts()).enumerate() {
            cumulative += count;
            self.bucket(labels, bound, cumulative, exemplars.get(bucket).and_then(Option::as_ref));
        }
        self.sum_and_count(labels, histogram.sum(), cumulative);
    }

    /// A histogram whose buckets, without the one up to infinity, are added up already.
    pub fn cumulative(
        &mut self,
        labels: Labels<'_>,
        buckets: impl Iterator<Item = (f64, u64)>,
        sum: f64,
        count: u64,
    ) {
        for (bound, cumulative) in buckets {
            self.bucket(labels, bound, cumulative, None);
        }
        self.bucket(labels, f64::INFINITY, count, None);
        self.sum_and_count(labels, sum, count);
    }

    fn sum_and_count(&mut self, labels: Labels<'_>, sum: f64, count: u64) {
        self.open_sample("_sum", labels);
        self.push_float(sum);
        self.out.push(b'\n');
        self.open_sample("_count", labels);
        self.push_integer(count);
        self.out.push(b'\n');
    }

    fn bucket(&mut self, labels: Labels<'_>, bound: f64, cumulative: u64, exemplar: Option<&Exemplar>) {
        self.open_bucket(labels, bound);
        self.push_integer(cumulative);
        if let Some(exemplar) = exemplar
            && self.format == Format::OpenMetrics
        {
            self.push_exemplar(exemplar);
        }
        self.out.push(b'\n');
    }

    fn open_family(&mut self) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        // In OpenMetrics a counter's family is named without the suffix that its samples have.
        let name = match (self.format, self.kind) {
            (Format::OpenMetrics, Kind::Counter) => self.name.strip_suffix("_total").unwrap_or(&self.name),
            _ => &self.name,
        };
        let kind = self.kind.name();
        for part in ["# HELP ", name, " "] {
            self.out.extend_from_slice(part.as_bytes());
        }
        push_escaped(&mut self.out, &self.help, self.format == Format::OpenMetrics);
        for part in ["\n# TYPE ", name, " ", kind, "\n"] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn open_sample(&mut self, suffix: &str, labels: Labels<'_>) {
        self.open_family();
        self.series += 1;
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        if !self.scope.is_empty() || !labels.is_empty() {
            self.out.push(b'{');
            self.out.extend_from_slice(&self.scope);
            push_labels_after(&mut self.out, !self.scope.is_empty(), labels);
            self.out.push(b'}');
        }
        self.out.push(b' ');
    }

    fn open_bucket(&mut self, labels: Labels<'_>, bound: f64) {
        self.open_family();
        self.series += 1;
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(b"_bucket{");
        self.out.extend_from_slice(&self.scope);
        push_labels_after(&mut self.out, !self.scope.is_empty(), labels);
        if !self.scope.is_empty() || !labels.is_empty() {
            self.out.push(b',');
        }
        self.out.extend_from_slice(b"le=\"");
        if bound == f64::INFINITY {
            self.out.extend_from_slice(b"+Inf");
        } else {
            self.push_float(bound);
            // OpenMetrics wants bounds written as floats, so that 1 and 1.0 are one series.
            if self.format == Format::OpenMetrics && bound.fract() == 0.0 {
                self.out.extend_from_slice(b".0");
            }
        }
        self.out.extend_from_slice(b"\"} ");
    }

    fn push_exemplar(&mut self, exemplar: &Exemplar) {
        // The limit counts names and values of labels; a longer trace id is not shown at all.
        if "trace_id".len() + exemplar.trace_id.chars().count() > EXEMPLAR_CHARACTERS_MAX {
            return;
        }
        self.out.extend_from_slice(b" # {");
        push_labels(&mut self.out, &[("trace_id", &exemplar.trace_id)]);
        self.out.extend_from_slice(b"} ");
        self.push_float(exemplar.value);
        if exemplar.time != UNTIMED {
            self.out.push(b' ');
            self.push_float(exemplar.time.as_seconds());
        }
    }

    fn push_integer(&mut self, value: u64) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn push_float(&mut self, value: f64) {
        // Small whole numbers are most of what a float sample holds, and Display writes them the same.
        if value.fract() == 0.0 && value.abs() < 1e15 && !(value == 0.0 && value.is_sign_negative()) {
            self.out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        } else if let Err(error) = write!(self.out, "{value}") {
            unreachable!("writing to memory does not fail: {error}");
        }
    }
}

/// Labels as they stand between braces.
pub fn escaped(labels: Labels<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    push_labels(&mut out, labels);
    out
}

fn push_labels(out: &mut Vec<u8>, labels: Labels<'_>) {
    push_labels_after(out, false, labels);
}

fn push_labels_after(out: &mut Vec<u8>, follows: bool, labels: Labels<'_>) {
    for (index, (name, value)) in labels.iter().enumerate() {
        if follows || index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        push_escaped(out, value, true);
        out.push(b'"');
    }
}

/// Backslashes and line ends escaped, and double quotes where `quotes`.
fn push_escaped(out: &mut Vec<u8>, text: &str, quotes: bool) {
    if !text.bytes().any(|byte| matches!(byte, b'\\' | b'\n' | b'"')) {
        return out.extend_from_slice(text.as_bytes());
    }
    for &byte in text.as_bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' if quotes => out.extend_from_slice(b"\\\""),
            byte => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests;
