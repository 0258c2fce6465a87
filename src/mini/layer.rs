//! Around the routes: plays the fault that is next, and notes what is refused.

use std::sync::Arc;

use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use http_body_util::Limited;

use crate::http::Detail;
use crate::http::MAX_BODY;
use crate::mini::core::Core;
use crate::mini::records::Asked;

pub(super) async fn around(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let fault = core.faults.take(&path);
    if let Some(fault) = &fault
        && let Some(answer) = fault.before().await
    {
        return answer;
    }
    let (request, asked) = read(request).await;
    let response = next.run(request).await;
    if let Some(Detail::Refused { code, cause }) = response.extensions().get::<Detail>() {
        core.refused().push(asked.refused(&path, response.status().as_u16(), code, cause));
    }
    match fault {
        Some(fault) => fault.after(response, &core).await,
        None => response,
    }
}

/// Looks into a body and puts it back. One that is too large or breaks off is left to the routes to refuse.
async fn read(request: Request) -> (Request, Asked) {
    if request.method() != Method::POST {
        return (request, Asked::default());
    }
    let (parts, body) = request.into_parts();
    let (body, asked) = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => {
            let body: Bytes = body.to_bytes();
            let asked = Asked::of_body(&body);
            (Body::from(body), asked)
        }
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            (Body::from(vec![b' '; MAX_BODY + 1]), Asked::default())
        }
        Err(error) => (Body::new(crate::mini::faults::Half::broken(error)), Asked::default()),
    };
    (Request::from_parts(parts, body), asked)
}
