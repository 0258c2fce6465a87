//! The list of provisioners, and their encrypted keys.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::Response;

use crate::http::App;
use crate::http::json;
use crate::http::path;
use crate::http::problem;
use crate::wire::EncryptedKeyResponse;
use crate::wire::ProvisionersResponse;

pub(super) async fn list(State(app): State<App>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let page = app
        .authority
        .provisioners()
        .page(&path::query_value(query, "cursor"), &path::query_value(query, "limit"));
    match page {
        Ok(page) => json(
            StatusCode::OK,
            &ProvisionersResponse { provisioners: page.provisioners, next_cursor: page.next_cursor },
        ),
        Err(error) => problem::invalid_limit(&error),
    }
}

pub(super) async fn encrypted_key(State(app): State<App>, uri: Uri) -> Response {
    let kid = path::parameter(uri.path(), 1);
    match app.authority.provisioners().encrypted_key(&kid) {
        Some(key) => json(StatusCode::OK, &EncryptedKeyResponse { key: key.to_owned() }),
        None => problem::no_encrypted_key(&kid),
    }
}
