//! Faults on demand: what a client meets when a CA, or the network before it, misbehaves.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use axum::body::Bytes;
use axum::body::HttpBody;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::Value;

use crate::http::HangUp;
use crate::mini::core::Core;
use crate::mini::defect::Defect;
use crate::wire::ErrorBody;
use crate::x509::certificate::Certificate;
use crate::x509::pem;

/// One fault, for one request.
///
/// Those that answer in the CA's place ([`status`](Self::status), [`not_json`](Self::not_json),
/// [`hang_up`](Self::hang_up)) spend no token; the others let the CA answer and spoil what it says.
///
/// # Examples
///
/// ```
/// use stepless::mini::{Defect, Fault, MiniCa};
///
/// let ca = MiniCa::builder().build()?;
/// ca.faults().push(Fault::status(503).retry_after(1));
/// ca.faults().push(Fault::certificate(Defect::WithoutGrant).on("/1.0/sign"));
/// assert_eq!(ca.faults().pending(), 2);
/// # Ok::<(), stepless::mini::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    kind: Kind,
    path: Option<String>,
}

#[derive(Debug, Clone)]
enum Kind {
    Delay(Duration),
    Status { status: u16, retry_after: Option<u64> },
    NotJson,
    HangUp,
    LostAnswer,
    HalfAnswer,
    Without(&'static [&'static str]),
    Certificate(Defect),
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { kind, path: None }
    }

    /// The answer comes so much later.
    #[must_use]
    pub fn delay(duration: Duration) -> Self {
        Self::new(Kind::Delay(duration))
    }

    /// An error with this status and step-ca's body, such as 401, 403, 429 or 503. The CA is not asked.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::new(Kind::Status { status, retry_after: None })
    }

    /// Adds `Retry-After` to a [`status`](Self::status).
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let Kind::Status { retry_after, .. } = &mut self.kind {
            *retry_after = Some(seconds);
        }
        self
    }

    /// A page of HTML with status 200, as a proxy would send it. The CA is not asked.
    #[must_use]
    pub fn not_json() -> Self {
        Self::new(Kind::NotJson)
    }

    /// The connection ends without an answer. The CA is not asked.
    #[must_use]
    pub fn hang_up() -> Self {
        Self::new(Kind::HangUp)
    }

    /// The CA does what it is asked, and the connection ends without an answer: the token is spent, and the certificate
    /// exists.
    #[must_use]
    pub fn lost_answer() -> Self {
        Self::new(Kind::LostAnswer)
    }

    /// The connection ends in the middle of the answer's body.
    #[must_use]
    pub fn half_answer() -> Self {
        Self::new(Kind::HalfAnswer)
    }

    /// The answer has no `certChain`.
    #[must_use]
    pub fn without_chain() -> Self {
        Self::new(Kind::Without(&["certChain"]))
    }

    /// The answer has no `ca`.
    #[must_use]
    pub fn without_ca() -> Self {
        Self::new(Kind::Without(&["ca"]))
    }

    /// The answer has neither `ca` nor `certChain`.
    #[must_use]
    pub fn only_crt() -> Self {
        Self::new(Kind::Without(&["ca", "certChain"]))
    }

    /// The answer has no certificate at all.
    #[must_use]
    pub fn without_certificate() -> Self {
        Self::new(Kind::Without(&["crt", "ca", "certChain"]))
    }

    /// The certificate in the answer is wrong in this way. The CA has the right one on record.
    #[must_use]
    pub fn certificate(defect: Defect) -> Self {
        Self::new(Kind::Certificate(defect))
    }

    /// Waits for a request to this path; `/sign` is also `/1.0/sign`.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.trim_start_matches("/1.0").to_owned());
        self
    }

    fn fits(&self, path: &str) -> bool {
        let path = path.strip_prefix("/1.0").unwrap_or(path);
        self.path.as_deref().is_none_or(|wanted| wanted == path)
    }

    /// What is answered in the CA's place, if anything.
    pub(super) async fn before(&self) -> Option<Response> {
        match self.kind {
            Kind::Delay(duration) => {
                tokio::time::sleep(duration).await;
                None
            }
            Kind::Status { status, retry_after } => Some(refusal(status, retry_after)),
            Kind::NotJson => {
                let html = [(header::CONTENT_TYPE, "text/html")];
                Some((html, "<html><body>It works!</body></html>\n").into_response())
            }
            Kind::HangUp => Some(hang_up()),
            _ => None,
        }
    }

    /// What becomes of the CA's answer.
    pub(super) async fn after(self, response: Response, core: &Core) -> Response {
        match self.kind {
            Kind::LostAnswer => hang_up(),
            Kind::HalfAnswer => {
                let (mut parts, body) = collect(response).await;
                parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                let half = body.slice(..body.len() / 2);
                Response::from_parts(parts, Body::new(Half { data: Some(half), error: "cut".into() }))
            }
            Kind::Without(members) => {
                edited(response, |answer| {
                    for member in members {
                        answer.as_object_mut()?.shift_remove(*member);
                    }
                    Some(())
                })
                .await
            }
            Kind::Certificate(defect) => edited(response, |answer| spoil(answer, defect, core)).await,
            _ => response,
        }
    }
}

/// Replaces the certificate of an answer, and what leads to it.
fn spoil(answer: &mut Value, defect: Defect, core: &Core) -> Option<()> {
    let block = pem::decode_first(answer["crt"].as_str()?)?;
    let spoilt = defect.spoil(&Certificate::parse(&block.content).ok()?, core).ok()?;
    let crt = pem::encode("CERTIFICATE", &spoilt.der);
    if let Some(chain) = answer["certChain"].as_array_mut() {
        *chain.first_mut()? = crt.as_str().into();
        if let (Some(issuer), Some(second)) = (&spoilt.issuer, chain.get_mut(1)) {
            *second = issuer.to_pem().into();
        }
    }
    if let Some(issuer) = &spoilt.issuer {
        answer["ca"] = issuer.to_pem().into();
    }
    answer["crt"] = crt.into();
    Some(())
}

fn refusal(status: u16, retry_after: Option<u64>) -> Response {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = format!("The mini CA was told to answer {status}.");
    let body = serde_json::to_string(&ErrorBody { status, message }).unwrap_or_default();
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (code, json, body).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Behind a server of someone else, the body breaks off at its beginning; our own sends nothing.
fn hang_up() -> Response {
    let mut response = Response::new(Body::new(Half { data: None, error: "hung up".into() }));
    response.extensions_mut().insert(HangUp);
    response
}

async fn collect(response: Response) -> (axum::http::response::Parts, Bytes) {
    let (parts, body) = response.into_parts();
    // The routes' bodies are in memory.
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (parts, body)
}

/// Changes the JSON of an answer that is no refusal.
async fn edited(response: Response, change: impl FnOnce(&mut Value) -> Option<()>) -> Response {
    if !response.status().is_success() {
        return response;
    }
    let (mut parts, body) = collect(response).await;
    let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if change(&mut answer).is_none() {
        return Response::from_parts(parts, Body::from(body));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(answer.to_string()))
}

/// A body that breaks off.
pub(super) struct Half {
    data: Option<Bytes>,
    error: BoxError,
}

impl Half {
    pub(super) fn broken(error: BoxError) -> Self {
        Self { data: None, error }
    }
}

impl HttpBody for Half {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(match self.data.take() {
            Some(data) => Ok(Frame::data(data)),
            None => Err(std::mem::replace(&mut self.error, "broken off".into())),
        }))
    }
}

/// The faults to come, each for one request; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<VecDeque<Fault>>>);

impl Faults {
    /// Appends a fault. Each request meets the first one that is for its path, if there is one.
    pub fn push(&self, fault: Fault) {
        self.queue().push_back(fault);
    }

    /// How many have not been met yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue().len()
    }

    /// Forgets those to come.
    pub fn clear(&self) {
        self.queue().clear();
    }

    pub(super) fn take(&self, path: &str) -> Option<Fault> {
        let mut queue = self.queue();
        let index = queue.iter().position(|fault| fault.fits(path))?;
        queue.remove(index)
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
