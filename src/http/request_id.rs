//! The id of a request: the client's own, or a fresh UUID; on every answer and in every log line.

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;

use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::http::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request at hand.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(String);

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let sent = [&REQUEST_ID, &app.trace_header]
        .into_iter()
        .find_map(|name| request.headers().get(name).filter(|value| !value.is_empty()));
    let value = sent.cloned().unwrap_or_else(fresh);
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    request.extensions_mut().insert(RequestId(text));
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, value);
    response
}

/// Not from the authority's own source: how often somebody asks must not change what is issued from a seed.
fn fresh() -> HeaderValue {
    let mut bytes = [0; 16];
    // An id only has to tell requests apart: without random bytes it is all zero, and signing fails.
    let _ = SystemEntropy::new().fill(&mut bytes);
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-"))
}
