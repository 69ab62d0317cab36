//! From a request to its response: path, credentials, method, then the service.
//!
//! Invariant: every request is answered within its time; a rendering that takes longer finishes in the
//! background and keeps its turn until then, so that late work cannot pile up.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, body::Body};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::auth::Gate;
use super::connections::Connections;
use super::respond::{self, Page, Whole};
use super::watch::Security;
use super::{Exposition, Limits, Reload, Service, Unavailable, negotiate};

/// How long a request waits for other clients to read what is theirs: on the way to one that reads, any body
/// takes less.
const UNREAD_WAIT: Duration = Duration::from_millis(100);

/// The paths there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route {
    Status,
    Metrics,
    Healthy,
    Ready,
    Reload,
    StatusJson,
}

const ROUTES: [(&str, Route); 6] = [
    ("/", Route::Status),
    ("/metrics", Route::Metrics),
    ("/-/healthy", Route::Healthy),
    ("/-/ready", Route::Ready),
    ("/-/reload", Route::Reload),
    ("/api/v1/status", Route::StatusJson),
];

/// What all connections share to answer requests.
pub(super) struct Router {
    service: Arc<dyn Service>,
    security: Arc<Security>,
    gate: Gate,
    connections: Arc<Connections>,
    renders: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    reloads: Arc<Semaphore>,
    request_timeout: Duration,
    body_bytes_max: u64,
}

/// What a request asks of a rendering.
struct Asked {
    is_gzip_accepted: bool,
    choice: negotiate::Choice,
}

// === impl Route ===

impl Route {
    fn of(path: &str) -> Option<Self> {
        ROUTES.iter().find(|(known, _)| *known == path).map(|(_, route)| *route)
    }

    /// Probes come from a kubelet that has no credentials, and tell nothing worth them.
    fn is_open(self) -> bool {
        matches!(self, Self::Healthy | Self::Ready)
    }

    fn allows(self, method: &Method) -> bool {
        match self {
            Self::Reload => method == Method::POST || method == Method::PUT,
            _ => method == Method::GET || method == Method::HEAD,
        }
    }

    fn allowed(self) -> &'static str {
        if self == Self::Reload { "POST, PUT" } else { "GET, HEAD" }
    }
}

// === impl Router ===

impl Router {
    pub(super) fn new(
        service: Arc<dyn Service>,
        security: Arc<Security>,
        connections: Arc<Connections>,
        limits: &Limits,
    ) -> Self {
        Self {
            service,
            gate: Gate::new(security.key()),
            security,
            connections,
            renders: Arc::new(Semaphore::new(limits.renders_max)),
            bodies: Arc::new(Semaphore::new(limits.responses_max)),
            reloads: Arc::new(Semaphore::new(1)),
            request_timeout: limits.request_timeout,
            body_bytes_max: limits.body_bytes_max,
        }
    }

    pub(super) async fn respond<B: Body>(&self, request: Request<B>) -> Response<Whole> {
        let timeout = negotiate::scrape_timeout(request.headers())
            .map_or(self.request_timeout, |timeout| timeout.min(self.request_timeout));
        let answered = tokio::time::timeout(timeout, self.dispatch(&request)).await;
        let response = answered.unwrap_or_else(|_| {
            respond::text(StatusCode::SERVICE_UNAVAILABLE, "the answer took longer than the request allows")
        });
        tracing::debug!(
            method = %request.method(),
            path = ?request.uri().path(),
            status = response.status().as_u16(),
            "request answered"
        );
        response
    }

    async fn dispatch<B: Body>(&self, request: &Request<B>) -> Response<Whole> {
        if request.body().size_hint().lower() > self.body_bytes_max {
            return respond::text(StatusCode::PAYLOAD_TOO_LARGE, "no path here reads a request body");
        }
        let route = Route::of(request.uri().path());
        if !route.is_some_and(Route::is_open) {
            let users = self.security.users();
            if !self.gate.admits(&users, request.headers().get(header::AUTHORIZATION)).await {
                return unauthorized();
            }
        }
        let Some(route) = route else { return not_found() };
        if !route.allows(request.method()) {
            return not_allowed(route);
        }
        let asked = Asked {
            is_gzip_accepted: negotiate::accepts_gzip(request.headers()),
            choice: negotiate::exposition(request.headers()),
        };
        self.answer(route, asked).await
    }

    async fn answer(&self, route: Route, asked: Asked) -> Response<Whole> {
        match route {
            Route::Healthy => probe(self.service.healthy(), "healthy"),
            Route::Ready => probe(self.service.ready(), "ready"),
            Route::Reload => self.reload().await,
            Route::Status => {
                let page =
                    self.page(asked.is_gzip_accepted, |service| Ok(service.status_page().into_bytes()));
                page.await.map_or_else(failed, respond::html)
            }
            Route::StatusJson => {
                let page = self.page(asked.is_gzip_accepted, |service| Ok(service.status_json()));
                page.await.map_or_else(failed, respond::json)
            }
            Route::Metrics => {
                let format: Exposition = asked.choice.exposition;
                let page = self.page(asked.is_gzip_accepted, move |service| service.metrics(format));
                let content_type = asked.choice.content_type;
                page.await.map_or_else(failed, |page| respond::exposition(page, &content_type))
            }
        }
    }

    /// Renders on the blocking pool. The permits go with the work: a client that hangs up, or a time that
    /// runs out, frees them only when the work is done.
    async fn page(
        &self,
        is_gzip_accepted: bool,
        render: impl FnOnce(&dyn Service) -> Result<Vec<u8>, Unavailable> + Send + 'static,
    ) -> Result<Page, Failure> {
        let body_permit = self.room_for_body().await;
        let Ok(turn) = Arc::clone(&self.renders).acquire_owned().await else {
            unreachable!("this semaphore is never closed");
        };
        let service = Arc::clone(&self.service);
        let rendered = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            render(&*service).map(|bytes| Page::new(bytes, is_gzip_accepted, body_permit))
        });
        rendered.await.map_err(Failure::from)?.map_err(Failure::Unavailable)
    }

    /// Room for one more body. Again and again the client that has left its own unread longest makes room: at
    /// first there may be none, where all bodies are still in the making, and who gets them may read none.
    async fn room_for_body(&self) -> OwnedSemaphorePermit {
        let mut permit = pin!(Arc::clone(&self.bodies).acquire_owned());
        loop {
            match tokio::time::timeout(UNREAD_WAIT, permit.as_mut()).await {
                Ok(Ok(permit)) => return permit,
                Ok(Err(_)) => unreachable!("this semaphore is never closed"),
                Err(_) => self.connections.evict_oldest_writing(),
            };
        }
    }

    async fn reload(&self) -> Response<Whole> {
        let Ok(turn) = Arc::clone(&self.reloads).acquire_owned().await else {
            unreachable!("this semaphore is never closed");
        };
        let service = Arc::clone(&self.service);
        let reloaded = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            service.reload()
        });
        match reloaded.await {
            Ok(Reload::Done) => respond::text(StatusCode::OK, "reloaded"),
            Ok(Reload::Refused(reason)) => respond::text(StatusCode::INTERNAL_SERVER_ERROR, &reason),
            Ok(Reload::Disabled(reason)) => respond::text(StatusCode::FORBIDDEN, &reason),
            Err(error) => failed(Failure::from(error)),
        }
    }
}

/// Why there is no page.
enum Failure {
    Unavailable(Unavailable),
    /// The service panicked, or the runtime is stopping.
    Lost,
}

// === impl Failure ===

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        if error.is_panic() {
            tracing::error!("a page could not be made because of a bug");
        }
        Self::Lost
    }
}

fn failed(failure: Failure) -> Response<Whole> {
    match failure {
        Failure::Unavailable(unavailable) => {
            respond::text(StatusCode::SERVICE_UNAVAILABLE, &unavailable.reason)
        }
        Failure::Lost => respond::text(StatusCode::INTERNAL_SERVER_ERROR, "internal error, see the log"),
    }
}

fn probe(state: Result<(), String>, fine: &str) -> Response<Whole> {
    match state {
        Ok(()) => respond::text(StatusCode::OK, fine),
        Err(reason) => respond::text(StatusCode::SERVICE_UNAVAILABLE, &reason),
    }
}

fn unauthorized() -> Response<Whole> {
    let mut response = respond::text(StatusCode::UNAUTHORIZED, "user name and password are needed");
    let challenge = HeaderValue::from_static("Basic realm=\"metrics\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn not_found() -> Response<Whole> {
    let paths = ROUTES.map(|(path, _)| path).join(" ");
    respond::text(StatusCode::NOT_FOUND, &format!("no such path; there are: {paths}"))
}

fn not_allowed(route: Route) -> Response<Whole> {
    let allowed = route.allowed();
    let sentence = format!("this path takes {allowed}");
    let mut response = respond::text(StatusCode::METHOD_NOT_ALLOWED, &sentence);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
