//! What anybody may read: health, version, certificates.

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::http::App;
use crate::http::json;
use crate::http::path;
use crate::http::problem;
use crate::http::routes::Asked;
use crate::wire::CertificatesResponse;
use crate::wire::HealthResponse;
use crate::wire::RootResponse;
use crate::wire::VersionResponse;
use crate::x509::certificate::Certificate;

/// The step-ca release whose contract is served.
const CONTRACT_VERSION: &str = "0.30.2";

pub(super) fn health() -> Response {
    json(StatusCode::OK, &HealthResponse { status: "ok".to_owned() })
}

pub(super) fn version() -> Response {
    json(StatusCode::OK, &VersionResponse { version: CONTRACT_VERSION.to_owned() })
}

pub(super) fn root(asked: Asked<'_>) -> Response {
    let fingerprint = path::parameter(asked.head.uri.path(), 0);
    match asked.app.authority.root(&fingerprint) {
        Some(root) => json(StatusCode::OK, &RootResponse { ca: root.to_pem() }),
        None => problem::unknown_root(&fingerprint),
    }
}

/// 201, since step-ca answers so.
pub(super) fn roots(app: &App) -> Response {
    certificates(app.authority.config().roots.iter())
}

pub(super) fn federation(app: &App) -> Response {
    let config = app.authority.config();
    certificates(config.roots.iter().chain(&config.federated_roots))
}

pub(super) fn intermediates(app: &App) -> Response {
    certificates(app.authority.config().intermediates.iter())
}

pub(super) fn roots_pem(app: &App) -> Response {
    pem_file(app.authority.config().roots.iter())
}

pub(super) fn intermediates_pem(app: &App) -> Response {
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
