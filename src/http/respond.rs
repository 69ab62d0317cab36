//! Responses: bodies, headers and compression. Not which page says what.
//!
//! Invariant: a body in memory holds a permit until its last byte was taken or its connection is gone.

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

/// Below this, headers and a packet's overhead outweigh what compression saves.
const GZIP_BYTES_MIN: usize = 1 << 10;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// What a browser may do with the page: show it with its inline styles, and nothing else.
const PAGE_HEADERS: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// A body that is there as a whole.
pub(super) struct Whole(Option<Bytes>);

/// A rendered page on its way into a response.
pub(super) struct Page {
    body: Bytes,
    is_gzip: bool,
}

struct Held {
    bytes: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

/// A short text, for people.
pub(super) fn text(status: StatusCode, sentence: &str) -> Response<Whole> {
    let mut response = Response::new(Whole(Some(Bytes::from(format!("{sentence}\n")))));
    *response.status_mut() = status;
    with_headers(response, HeaderValue::from_static(TEXT))
}

pub(super) fn html(page: Page) -> Response<Whole> {
    let mut response = rendered(page, HeaderValue::from_static(HTML), "Accept-Encoding");
    for (name, value) in PAGE_HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) fn json(page: Page) -> Response<Whole> {
    rendered(page, HeaderValue::from_static(JSON), "Accept-Encoding")
}

pub(super) fn exposition(page: Page, content_type: &str) -> Response<Whole> {
    let content_type = HeaderValue::from_str(content_type).unwrap_or(HeaderValue::from_static(TEXT));
    rendered(page, content_type, "Accept, Accept-Encoding")
}

fn rendered(page: Page, content_type: HeaderValue, vary: &'static str) -> Response<Whole> {
    let mut response = Response::new(Whole(Some(page.body)));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static(vary));
    if page.is_gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    with_headers(response, content_type)
}

fn with_headers(mut response: Response<Whole>, content_type: HeaderValue) -> Response<Whole> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

// === impl Whole ===

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}

// === impl Page ===

impl Page {
    /// Compresses where the client likes it and the size is worth it; blocking work.
    pub(super) fn new(bytes: Vec<u8>, accepts_gzip: bool, permit: OwnedSemaphorePermit) -> Self {
        let is_gzip = accepts_gzip && bytes.len() >= GZIP_BYTES_MIN;
        let mut bytes = if is_gzip { gzip(&bytes) } else { bytes };
        // It may be held for as long as a client takes to read it, so it holds no more than is read.
        bytes.shrink_to_fit();
        Self { body: Bytes::from_owner(Held { bytes, _permit: permit }), is_gzip }
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    // An exposition shrinks to a tenth or less.
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
    let outcome = encoder.write_all(bytes).and_then(|()| encoder.finish());
    outcome.unwrap_or_else(|error| unreachable!("writing to memory cannot fail: {error}"))
}
