//! The id of a request: the client's own, or a fresh UUID; on every answer and in every log line.

use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;

use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;

/// The id of the request at hand.
#[derive(Debug, Clone)]
pub(super) struct RequestId(String);

impl RequestId {
    /// Where it stands in an answer.
    pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

    /// What the client sends, in this header or the one that ca.json names; else a fresh one. Also as a header's value.
    pub(super) fn of(headers: &HeaderMap, trace_header: &HeaderName) -> (Self, HeaderValue) {
        let sent = [&Self::HEADER, trace_header]
            .into_iter()
            .find_map(|name| headers.get(name).filter(|value| !value.is_empty()));
        let value = sent.cloned().unwrap_or_else(fresh);
        (Self(String::from_utf8_lossy(value.as_bytes()).into_owned()), value)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not from the authority's own source: how often somebody asks must not change what is issued from a seed.
fn fresh() -> HeaderValue {
    let mut bytes = [0; 16];
    // An id only has to tell requests apart: without random bytes it is all zero, and signing fails.
    let _ = SystemEntropy::new().fill(&mut bytes);
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-"))
}
