//! Which path and method leads where, and what surrounds every request: its id, its log line, its count.
//!
//! Written out, and not a router with layers: each of those is a future and a service of its own in every request, and
//! the paths are few and step-ca's for good. docs/performance.md tells what it saves.

use std::convert::Infallible;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;
use tower::ServiceExt;
use tower::service_fn;

use crate::authority::ClientCertificate;
use crate::http::App;
use crate::http::access_log;
use crate::http::crl;
use crate::http::people;
use crate::http::problem::Early;
use crate::http::provisioners;
use crate::http::read;
use crate::http::renew;
use crate::http::request_id::RequestId;
use crate::http::revoke;
use crate::http::server::RemoteAddress;
use crate::http::sign;

/// The label of what leads nowhere: a client must not choose how many series of metrics there are.
const NOWHERE: &str = "none";

/// The routes of one listener.
#[derive(Debug, Clone)]
pub(super) struct Routes {
    app: App,
    listener: Listener,
}

/// Which of step-ca's listeners.
#[derive(Debug, Clone, Copy)]
enum Listener {
    Https,
    /// It has the CRL alone (CONTRACT.md section 10).
    Insecure,
}

/// A request without its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) app: &'a App,
    pub(super) id: &'a RequestId,
    pub(super) head: &'a Parts,
}

/// A path that step-ca serves, each with and without the prefix `/1.0`.
#[derive(Debug, Clone, Copy)]
enum Route {
    Health,
    Version,
    Root,
    Roots,
    RootsPem,
    Federation,
    Intermediates,
    IntermediatesPem,
    Provisioners,
    EncryptedKey,
    Sign,
    Renew,
    Resign,
    Rekey,
    Revoke,
    Crl,
}

impl Routes {
    /// Those of the HTTPS listener.
    pub(super) fn https(app: App) -> Self {
        Self { app, listener: Listener::Https }
    }

    /// Those of the plain listener.
    pub(super) fn insecure(app: App) -> Self {
        Self { app, listener: Listener::Insecure }
    }

    /// The same as an axum router.
    pub(super) fn into_router(self) -> Router {
        let service = service_fn(move |request| {
            let routes = self.clone();
            async move { Ok::<_, Infallible>(routes.answer(request).await) }
        });
        Router::new().fallback_service(service)
    }

    /// Answers a request, logs and counts it.
    pub(super) async fn answer(&self, request: Request) -> Response {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let (id, id_header) = RequestId::of(&head.headers, &self.app.trace_header);
        let asked = Asked { app: &self.app, id: &id, head: &head };
        // On the heap only while it is worked on: a kept connection waits most of the time.
        let (route, mut response) = match is_usual(&head.method) {
            true => Box::pin(self.dispatch(asked, body)).await,
            false => (NOWHERE, StatusCode::METHOD_NOT_ALLOWED.into_response()),
        };
        access_log::request(asked, route, &response, started.elapsed());
        response.headers_mut().insert(RequestId::HEADER, id_header);
        if head.method == Method::HEAD {
            return without_body(response);
        }
        response
    }

    /// The answer, and the route as the table of routes has it.
    async fn dispatch(&self, asked: Asked<'_>, body: Body) -> (&'static str, Response) {
        let path = asked.head.uri.path();
        let route = Route::of(path.strip_prefix("/1.0").unwrap_or(path));
        let route = match (self.listener, route) {
            (Listener::Https, Some(route)) | (Listener::Insecure, Some(route @ Route::Crl)) => route,
            (Listener::Https, None) => return people::page(asked).unwrap_or((NOWHERE, not_found())),
            (Listener::Insecure, _) => return (NOWHERE, not_found()),
        };
        let response = match route.admits(&asked.head.method) {
            true => route.answer(asked, body).await.unwrap_or_else(IntoResponse::into_response),
            false => {
                let allowed = [(header::ALLOW, HeaderValue::from_static(route.method()))];
                (StatusCode::METHOD_NOT_ALLOWED, allowed).into_response()
            }
        };
        (route.pattern(), response)
    }
}

impl Route {
    /// Those whose path has no part that clients choose.
    const LITERAL: [Self; 14] = [
        Self::Sign,
        Self::Renew,
        Self::Resign,
        Self::Rekey,
        Self::Revoke,
        Self::Health,
        Self::Version,
        Self::Roots,
        Self::RootsPem,
        Self::Federation,
        Self::Intermediates,
        Self::IntermediatesPem,
        Self::Provisioners,
        Self::Crl,
    ];

    /// The route of a path without its prefix.
    fn of(path: &str) -> Option<Self> {
        let is_segment = |text: &str| !text.is_empty() && !text.contains('/');
        let kid = path.strip_prefix("/provisioners/").and_then(|rest| rest.strip_suffix("/encrypted-key"));
        let literal = Self::LITERAL.into_iter().find(|route| route.pattern() == path);
        literal
            .or(path.strip_prefix("/root/").is_some_and(is_segment).then_some(Self::Root))
            .or(kid.is_some_and(is_segment).then_some(Self::EncryptedKey))
    }

    /// The path as documentation writes it.
    fn pattern(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::Version => "/version",
            Self::Root => "/root/{sha}",
            Self::Roots => "/roots",
            Self::RootsPem => "/roots.pem",
            Self::Federation => "/federation",
            Self::Intermediates => "/intermediates",
            Self::IntermediatesPem => "/intermediates.pem",
            Self::Provisioners => "/provisioners",
            Self::EncryptedKey => "/provisioners/{kid}/encrypted-key",
            Self::Sign => "/sign",
            Self::Renew => "/renew",
            Self::Resign => "/re-sign",
            Self::Rekey => "/rekey",
            Self::Revoke => "/revoke",
            Self::Crl => "/crl",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Sign | Self::Renew | Self::Resign | Self::Rekey | Self::Revoke => "POST",
            _ => "GET",
        }
    }

    /// Whether it takes this method; with GET it takes HEAD.
    fn admits(self, method: &Method) -> bool {
        method == self.method() || (method == Method::HEAD && self.method() == "GET")
    }

    async fn answer(self, asked: Asked<'_>, body: Body) -> Result<Response, Early> {
        Ok(match self {
            Self::Health => read::health(),
            Self::Version => read::version(),
            Self::Root => read::root(asked),
            Self::Roots => read::roots(asked.app),
            Self::RootsPem => read::roots_pem(asked.app),
            Self::Federation => read::federation(asked.app),
            Self::Intermediates => read::intermediates(asked.app),
            Self::IntermediatesPem => read::intermediates_pem(asked.app),
            Self::Provisioners => provisioners::list(asked),
            Self::EncryptedKey => provisioners::encrypted_key(asked),
            Self::Sign => sign::sign(asked, body).await?,
            Self::Renew | Self::Resign => renew::renew(asked).await?,
            Self::Rekey => renew::rekey(asked, body).await?,
            Self::Revoke => revoke::revoke(asked, body).await?,
            Self::Crl => crl::crl(asked).await?,
        })
    }
}

impl<'a> Asked<'a> {
    /// Where it comes from, if there is a network.
    pub(super) fn remote(self) -> Option<RemoteAddress> {
        self.head.extensions.get().copied()
    }

    /// The certificate of its TLS client.
    pub(super) fn client(self) -> Option<&'a ClientCertificate> {
        self.head.extensions.get()
    }

    /// The query without its question mark.
    pub(super) fn query(self) -> &'a str {
        self.head.uri.query().unwrap_or_default()
    }
}

/// What a router of axum's answers.
pub(super) async fn answer_of(router: Router, request: Request) -> Response {
    let Ok(response) = router.oneshot(request).await;
    response
}

/// Methods that step-ca's router has not heard of are a 405 on any path, and nothing is allowed.
fn is_usual(method: &Method) -> bool {
    const USUAL: [Method; 9] = [
        Method::POST,
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    USUAL.contains(method)
}

/// What Go's server says on a path that has no route.
fn not_found() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (StatusCode::NOT_FOUND, headers, "404 page not found\n").into_response()
}

/// The answer to HEAD: the headers alone, and how long the body would be.
fn without_body(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    response.map(|_| Body::empty())
}
