//! The body of a request, whole and bounded.

use axum::body::Body;
use axum::body::Bytes;
use axum::response::Response;
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use http_body_util::Limited;

use crate::http::MAX_BODY;
use crate::http::problem;

/// Reads a body of at most [`MAX_BODY`] bytes, or says what to answer (CONTRACT.md D10).
pub(super) async fn read(body: Body) -> Result<Bytes, Box<Response>> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Box::new(problem::body_too_large())),
        Err(_) => Err(Box::new(problem::body_cut())),
    }
}
