//! step-ca's routes over axum, and the HTTPS server around them; decides no certificate.
//!
//! [`router`] is the whole of it without a network, [`server::Server`] puts it behind rustls.
//! CONTRACT.md sections 1 to 3 and 8 to 10. What is for operators is served apart, by `admin`.

mod access_log;
mod admin;
mod body;
mod client_auth;
mod connection;
mod crl;
mod edge;
mod generation;
mod html;
mod limits;
mod listeners;
mod metrics;
mod path;
mod people;
mod problem;
mod provisioners;
mod rates;
mod read;
mod renew;
mod request_id;
mod revoke;
mod seats;
pub mod server;
mod sign;
mod stall;
mod streams;
pub mod tls;
mod visit;

pub(crate) use access_log::Detail;
pub use limits::Limits;
pub use limits::Rate;
pub use limits::RateError;
#[cfg(feature = "embed")]
pub(crate) use visit::HangUp;

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodRouter;
use tokio::sync::SemaphorePermit;

use crate::authority::Authority;
use crate::authority::Error;
use crate::authority::Issued;
use crate::http::edge::Edge;
use crate::http::metrics::Route;
use crate::http::problem::Early;
use crate::http::server::RemoteAddress;
use crate::json;
use crate::wire::SignResponse;

/// The largest body that is read, in bytes (CONTRACT.md D10).
pub const MAX_BODY: usize = 1 << 20;

/// Settings of the routes, and of a server for them.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RouterOptions {
    /// Whether refusals carry their code in the header `x-stepless-refusal`. For development only: a
    /// 401 of step-ca never says why.
    pub reveal_refusals: bool,
    /// What clients may have; those on connections hold in a [`server::Server`] alone.
    pub limits: Limits,
}

impl RouterOptions {
    /// Options for development: refusals say their code.
    #[must_use]
    pub fn development() -> Self {
        Self { reveal_refusals: true, ..Self::default() }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What every handler works with.
#[derive(Debug, Clone)]
pub(crate) struct App {
    authority: Arc<Authority>,
    options: RouterOptions,
    trace_header: HeaderName,
    edge: Arc<Edge>,
}

/// step-ca's routes, each with and without the prefix `/1.0`.
/// # Examples
///
/// Beside routes of your own, behind a TLS that you bring:
///
/// ```no_run
/// # async fn serve(authority: std::sync::Arc<stepless::authority::Authority>) -> std::io::Result<()> {
/// use stepless::http::{RouterOptions, router};
///
/// let routes = axum::Router::new().nest("/ca", router(authority, RouterOptions::default()));
/// # let _ = routes;
/// # Ok(())
/// # }
/// ```
pub fn router(authority: Arc<Authority>, options: RouterOptions) -> Router {
    routes(App::new(authority, options, Arc::new(Edge::new(options.limits))))
}

fn routes(app: App) -> Router {
    let mut router = Router::new();
    for prefix in ["", "/1.0"] {
        let mut route = |path: &'static str, methods: MethodRouter<App>| {
            let methods = methods.layer(middleware::map_response(move |response| counted(path, response)));
            router = std::mem::take(&mut router).route(&format!("{prefix}{path}"), methods);
        };
        route("/health", get(read::health));
        route("/version", get(read::version));
        route("/root/{sha}", get(read::root));
        route("/roots", get(read::roots));
        route("/roots.pem", get(read::roots_pem));
        route("/federation", get(read::federation));
        route("/intermediates", get(read::intermediates));
        route("/intermediates.pem", get(read::intermediates_pem));
        route("/provisioners", get(provisioners::list));
        route("/provisioners/{kid}/encrypted-key", get(provisioners::encrypted_key));
        route("/sign", post(sign::sign));
        route("/renew", post(renew::renew));
        route("/re-sign", post(renew::renew));
        route("/rekey", post(renew::rekey));
        route("/revoke", post(revoke::revoke));
        route("/crl", get(crl::crl));
    }
    finish(router.fallback(people::or_not_found), app)
}

/// The routes of the plain listener: the CRL's alone (CONTRACT.md section 10).
pub fn insecure_router(authority: Arc<Authority>, options: RouterOptions) -> Router {
    insecure_routes(App::new(authority, options, Arc::new(Edge::new(options.limits))))
}

fn insecure_routes(app: App) -> Router {
    let counted = middleware::map_response(|response| counted("/crl", response));
    let crl = get(crl::crl).layer(counted);
    finish(Router::new().route("/crl", crl.clone()).route("/1.0/crl", crl).fallback(not_found), app)
}

/// Tells the metrics which route answered.
async fn counted(route: &'static str, mut response: Response) -> Response {
    response.extensions_mut().insert(Route(route));
    response
}

/// What surrounds all routes; `router` has its fallback.
fn finish(router: Router<App>, app: App) -> Router {
    let routes: Router = router.with_state(app.clone());
    // A router of its own: within the routes' one, axum would add what a route allows.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn(refuse_unusual_methods))
        .layer(middleware::from_fn_with_state(app.clone(), access_log::layer))
        .layer(middleware::from_fn_with_state(app.clone(), request_id::layer))
        .with_state(app)
}

impl App {
    fn new(authority: Arc<Authority>, options: RouterOptions, edge: Arc<Edge>) -> Self {
        let trace_header = authority.config().ca.trace_header.as_deref();
        let trace_header = trace_header.and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let trace_header = trace_header.unwrap_or(HeaderName::from_static("x-smallstep-id"));
        Self { authority, options, trace_header, edge }
    }

    /// Answers at once if this address has asked too often.
    fn admit(&self, remote: Option<Extension<RemoteAddress>>) -> Result<(), Early> {
        // Without one there is no network, and whoever calls may do as he likes.
        let Some(Extension(RemoteAddress(remote))) = remote else { return Ok(()) };
        let admitted = self.edge.admit_address(remote, self.authority.clock());
        admitted.map_err(|wait| problem::address_throttled(self, wait).into())
    }

    /// Waits for a request's turn, or answers that too many are before it. It is over when what is returned is dropped.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Early> {
        self.edge.turn().await.map_err(|_| problem::no_turn(self).into())
    }
}

/// The answer to a request for a certificate.
fn issued(app: &App, result: Result<(Issued, SignResponse), Error>) -> Response {
    match result {
        Ok((issued, answer)) => {
            let mut response = json(StatusCode::CREATED, &answer);
            response.extensions_mut().insert(Detail::Issued(Box::new(issued)));
            response
        }
        Err(error) => problem::refusal(app, &error),
    }
}

/// A route for GET, and HEAD with it.
fn get<H, T>(handler: H) -> MethodRouter<App>
where
    H: Handler<T, App>,
    T: 'static,
{
    axum::routing::get(handler).fallback(|| async { method_not_allowed("GET") })
}

fn post<H, T>(handler: H) -> MethodRouter<App>
where
    H: Handler<T, App>,
    T: 'static,
{
    axum::routing::post(handler).fallback(|| async { method_not_allowed("POST") })
}

fn method_not_allowed(allowed: &'static str) -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, HeaderValue::from_static(allowed))]).into_response()
}

/// What Go's server says on a path that has no route.
async fn not_found() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (StatusCode::NOT_FOUND, headers, "404 page not found\n").into_response()
}

/// Methods that step-ca's router has not heard of are a 405 on any path, and nothing is allowed.
async fn refuse_unusual_methods(request: Request, next: Next) -> Response {
    const USUAL: [Method; 9] = [
        Method::CONNECT,
        Method::DELETE,
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::POST,
        Method::PUT,
        Method::TRACE,
    ];
    if USUAL.contains(request.method()) {
        return next.run(request).await;
    }
    StatusCode::METHOD_NOT_ALLOWED.into_response()
}

/// A JSON answer in Go's form: escaped for HTML, with a final newline.
fn json<T: serde::Serialize>(status: StatusCode, body: &T) -> Response {
    match json::to_go_json(body) {
        Ok(mut text) => {
            text.push('\n');
            (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text)
                .into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
