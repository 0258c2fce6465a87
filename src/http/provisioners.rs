//! The list of provisioners, and their encrypted keys.

use axum::http::StatusCode;
use axum::response::Response;

use crate::http::json;
use crate::http::path;
use crate::http::problem;
use crate::http::routes::Asked;
use crate::wire::EncryptedKeyResponse;
use crate::wire::ProvisionersResponse;

pub(super) fn list(asked: Asked<'_>) -> Response {
    let query = asked.query();
    let page = asked
        .app
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

pub(super) fn encrypted_key(asked: Asked<'_>) -> Response {
    let kid = path::parameter(asked.head.uri.path(), 1);
    match asked.app.authority.provisioners().encrypted_key(&kid) {
        Some(key) => json(StatusCode::OK, &EncryptedKeyResponse { key: key.to_owned() }),
        None => problem::no_encrypted_key(&kid),
    }
}
