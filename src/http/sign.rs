//! `POST /sign`.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use crate::authority::Error;
use crate::authority::RequestError;
use crate::http::App;
use crate::http::body;
use crate::http::issued;
use crate::http::problem;
use crate::http::request_id::RequestId;
use crate::wire::SignRequest;

pub(super) async fn sign(
    State(app): State<App>,
    Extension(request_id): Extension<RequestId>,
    body: Body,
) -> Response {
    let bytes = match body::read(body).await {
        Ok(bytes) => bytes,
        Err(answer) => return *answer,
    };
    match SignRequest::decode(&bytes) {
        Ok(request) => issued(&app, app.authority.sign(request, request_id.as_str()).await),
        Err(error) => problem::refusal(&app, &Error::Request(RequestError::Json(error))),
    }
}
