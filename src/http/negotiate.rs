//! What a client accepts: the exposition's format and its encoding. Not the rendering of either.
//!
//! Sources: RFC 9110 §12.5 for quality values; for Prometheus's use of them its page "Scrape protocol
//! content negotiation".
//!
//! Invariant: no header leaves a client without an answer. Where nothing we have is accepted the answer is
//! the text format, unencoded, as every Prometheus client library has it.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use super::Exposition;

/// A scrape's format and the `Content-Type` it is announced with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    pub(super) exposition: Exposition,
    pub(super) content_type: String,
}

/// One element of an `Accept` header.
#[derive(Debug)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    escaping: Option<&'a str>,
    quality: u16,
}

/// What can be offered, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Offer {
    OpenMetrics1,
    OpenMetrics0,
    Text,
}

const SCRAPE_TIMEOUT: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// Quality values have three decimals at most, so thousandths are exact.
const QUALITY_ONE: u16 = 1000;

/// Chooses the offer with the highest quality; of equals the one the client named first.
pub(super) fn exposition(headers: &HeaderMap) -> Choice {
    let accept = joined(headers, &ACCEPT);
    let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
    let (mut best, mut range_of_best): (Offer, Option<&Range<'_>>) = (Offer::Text, text_range(&ranges));
    let mut place_of_best = place(&ranges, range_of_best);
    for range in &ranges {
        let Some(offer) = range.open_metrics() else { continue };
        let best_quality = range_of_best.map_or(0, |range| range.quality);
        let here = place(&ranges, Some(range));
        if range.quality > best_quality || (range.quality == best_quality && here < place_of_best) {
            (best, range_of_best, place_of_best) = (offer, Some(range), here);
        }
    }
    let escaping = range_of_best.and_then(|range| range.escaping).and_then(escaping_granted);
    Choice { exposition: best.exposition(), content_type: best.content_type(escaping) }
}

/// Whether the client prefers gzip to nothing.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = joined(headers, &ACCEPT_ENCODING);
    let quality_of = |names: &[&str]| {
        accepted.split(',').find_map(|element| {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let is_named = names.iter().any(|wanted| name.trim().eq_ignore_ascii_case(wanted));
            if is_named { quality(parameters.split(';')) } else { None }
        })
    };
    let gzip = quality_of(&["gzip", "x-gzip"]).or_else(|| quality_of(&["*"])).unwrap_or(0);
    gzip > 0 && gzip >= quality_of(&["identity"]).unwrap_or(0)
}

/// The time after which the scraper no longer waits, where it says so.
pub(super) fn scrape_timeout(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(SCRAPE_TIMEOUT)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero())
}

// === impl Range ===

impl<'a> Range<'a> {
    /// None for what is no range or must not be served (quality 0).
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = element.split(';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let parameter = |wanted: &str| {
            element.split(';').skip(1).find_map(|part| {
                let (name, value) = part.split_once('=')?;
                name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
            })
        };
        let quality = quality(parts)?;
        let (version, escaping) = (parameter("version"), parameter("escaping"));
        (quality > 0).then_some(Self { kind, subtype, version, escaping, quality })
    }

    fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// OpenMetrics is only for those who name it: it is not what `*/*` used to get.
    fn open_metrics(&self) -> Option<Offer> {
        if !self.is("application", "openmetrics-text") {
            return None;
        }
        match self.version {
            None | Some("1.0.0") => Some(Offer::OpenMetrics1),
            Some("0.0.1") => Some(Offer::OpenMetrics0),
            Some(_) => None,
        }
    }
}

// === impl Offer ===

impl Offer {
    fn exposition(self) -> Exposition {
        match self {
            Self::Text => Exposition::Text,
            Self::OpenMetrics1 | Self::OpenMetrics0 => Exposition::OpenMetrics,
        }
    }

    fn content_type(self, escaping: Option<&str>) -> String {
        let plain = match self {
            Self::OpenMetrics1 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::OpenMetrics0 => "application/openmetrics-text; version=0.0.1; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        };
        escaping.map_or_else(|| plain.to_owned(), |scheme| format!("{plain}; escaping={scheme}"))
    }
}

/// The range that decides the quality of the text format: the most specific one that matches (RFC 9110
/// §12.5.1), with any version, as names that need no escaping read the same in all of them.
fn text_range<'r, 'a>(ranges: &'r [Range<'a>]) -> Option<&'r Range<'a>> {
    let exact =
        |range: &&Range<'_>| range.is("text", "plain") && matches!(range.version, None | Some("0.0.4"));
    let find = |wanted: &dyn Fn(&&Range<'_>) -> bool| ranges.iter().find(|range| wanted(range));
    find(&exact)
        .or_else(|| find(&|range| range.is("text", "plain")))
        .or_else(|| find(&|range| range.is("text", "*")))
        .or_else(|| find(&|range| range.is("*", "*")))
}

fn place(ranges: &[Range<'_>], range: Option<&Range<'_>>) -> usize {
    range.and_then(|wanted| ranges.iter().position(|range| std::ptr::eq(range, wanted))).unwrap_or(usize::MAX)
}

/// The escaping scheme to announce. Names of legacy characters are the same under all of them except
/// `dots`, which doubles underscores: who asks for it is told that underscores are what was done.
fn escaping_granted(asked: &str) -> Option<&'static str> {
    match asked {
        "allow-utf-8" => Some("allow-utf-8"),
        "underscores" | "dots" => Some("underscores"),
        "values" => Some("values"),
        _ => None,
    }
}

/// The `q` among parameters in thousandths, 1 where it is absent, None where it is no quality value.
fn quality<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if !name.trim().eq_ignore_ascii_case("q") {
            continue;
        }
        let value: f64 = value.trim().parse().ok()?;
        let is_valid = (0.0..=1.0).contains(&value);
        return is_valid.then(|| (value * f64::from(QUALITY_ONE)).round() as u16);
    }
    Some(QUALITY_ONE)
}

/// Repeated headers read as one list (RFC 9110 §5.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

#[cfg(test)]
#[path = "negotiate/tests.rs"]
mod tests;
