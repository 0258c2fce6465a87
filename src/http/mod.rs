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
mod routes;
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

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use tokio::sync::SemaphorePermit;

use crate::authority::Authority;
use crate::authority::Error;
use crate::authority::Issued;
use crate::http::edge::Edge;
use crate::http::problem::Early;
use crate::http::routes::Routes;
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
struct App(Arc<Works>);

#[derive(Debug)]
struct Works {
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
    Routes::https(App::new(authority, options, Arc::new(Edge::new(options.limits)))).into_router()
}

/// The routes of the plain listener: the CRL's alone (CONTRACT.md section 10).
pub fn insecure_router(authority: Arc<Authority>, options: RouterOptions) -> Router {
    Routes::insecure(App::new(authority, options, Arc::new(Edge::new(options.limits)))).into_router()
}

impl Deref for App {
    type Target = Works;

    fn deref(&self) -> &Works {
        &self.0
    }
}

impl App {
    fn new(authority: Arc<Authority>, options: RouterOptions, edge: Arc<Edge>) -> Self {
        let trace_header = authority.config().ca.trace_header.as_deref();
        let trace_header = trace_header.and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let trace_header = trace_header.unwrap_or(HeaderName::from_static("x-smallstep-id"));
        Self(Arc::new(Works { authority, options, trace_header, edge }))
    }

    /// Answers at once if this address has asked too often.
    fn admit(&self, remote: Option<RemoteAddress>) -> Result<(), Early> {
        // Without one there is no network, and whoever calls may do as he likes.
        let Some(RemoteAddress(remote)) = remote else { return Ok(()) };
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
