//! What anybody may read: health, version, certificates.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::App;
use crate::http::json;
use crate::http::path;
use crate::http::problem;
use crate::wire::CertificatesResponse;
use crate::wire::HealthResponse;
use crate::wire::RootResponse;
use crate::wire::VersionResponse;
use crate::x509::certificate::Certificate;

/// The step-ca release whose contract is served.
const CONTRACT_VERSION: &str = "0.30.2";

pub(super) async fn health() -> Response {
    json(StatusCode::OK, &HealthResponse { status: "ok".to_owned() })
}

pub(super) async fn version() -> Response {
    json(StatusCode::OK, &VersionResponse { version: CONTRACT_VERSION.to_owned() })
}

pub(super) async fn root(State(app): State<App>, uri: Uri) -> Response {
    let fingerprint = path::parameter(uri.path(), 0);
    match app.authority.root(&fingerprint) {
        Some(root) => json(StatusCode::OK, &RootResponse { ca: root.to_pem() }),
        None => problem::unknown_root(&fingerprint),
    }
}

/// 201, since step-ca answers so.
pub(super) async fn roots(State(app): State<App>) -> Response {
    certificates(app.authority.config().roots.iter())
}

pub(super) async fn federation(State(app): State<App>) -> Response {
    let config = app.authority.config();
    certificates(config.roots.iter().chain(&config.federated_roots))
}

pub(super) async fn intermediates(State(app): State<App>) -> Response {
    certificates(app.authority.config().intermediates.iter())
}

pub(super) async fn roots_pem(State(app): State<App>) -> Response {
    pem_file(app.authority.config().roots.iter())
}

pub(super) async fn intermediates_pem(State(app): State<App>) -> Response {
    pem_file(app.authority.config().intermediates.iter())
}

fn certificates<'a>(certificates: impl Iterator<Item = &'a std::sync::Arc<Certificate>>) -> Response {
    let crts = certificates.map(|c| c.to_pem()).collect();
    json(StatusCode::CREATED, &CertificatesResponse { crts })
}

fn pem_file<'a>(certificates: impl Iterator<Item = &'a std::sync::Arc<Certificate>>) -> Response {
    let text: String = certificates.map(|c| c.to_pem()).collect();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"))], text).into_response()
}
