//! One log line for each request: what was asked, what was answered, and why.
//!
//! Never a token, a key or a body (CONTRACT.md D21).

use std::time::Duration;
use std::time::Instant;

use axum::Extension;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;

use crate::authority::Issued;
use crate::authority::Revoked;
use crate::duration::format_rfc3339;
use crate::http::App;
use crate::http::metrics::Refusal;
use crate::http::metrics::Route;
use crate::http::request_id::RequestId;
use crate::http::server::RemoteAddress;

/// What a handler tells the log about its answer.
#[derive(Debug, Clone)]
pub(crate) enum Detail {
    Issued(Box<Issued>),
    Revoked(Revoked),
    Refused {
        code: &'static str,
        cause: String,
    },
    /// Refused without being looked at. Neither logged nor kept one by one.
    TurnedAway(&'static str),
}

/// The provisioner that a refused request named.
#[derive(Debug, Clone)]
pub(super) struct NamedProvisioner(pub(super) String);

pub(super) async fn layer(
    State(app): State<App>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let remote = request.extensions().get::<RemoteAddress>().map(ToString::to_string).unwrap_or_default();
    let response = log_details(&request_id, next.run(request).await);
    let took = started.elapsed();
    count(&app, &request_id, &response, took);
    if app.authority.config().ca.log_format.is_none() {
        return response;
    }
    tracing::info!(
        request_id = request_id.as_str(),
        remote_address = remote,
        %method,
        path,
        status = response.status().as_u16(),
        size = response.body().size_hint().exact().unwrap_or_default(),
        duration_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        "request",
    );
    response
}

fn count(app: &App, request_id: &RequestId, response: &Response, took: Duration) {
    let (status, extensions) = (response.status().as_u16(), response.extensions());
    // All that leads nowhere counts as one: a client must not choose how many series there are.
    let route = extensions.get::<Route>().map_or("none", |route| route.0);
    app.edge.metrics.request(route, status, took);
    match extensions.get::<Detail>() {
        Some(Detail::Issued(_)) => app.edge.metrics.issued(route),
        Some(Detail::Revoked(_)) => app.edge.metrics.revoked(),
        Some(Detail::Refused { code, cause }) => app.edge.metrics.refused(Refusal {
            at: app.authority.clock().now(),
            route,
            status,
            code,
            cause: cause.clone(),
            provisioner: extensions.get::<NamedProvisioner>().map(|named| named.0.clone()),
            request_id: request_id.as_str().to_owned(),
        }),
        Some(Detail::TurnedAway(code)) => app.edge.turned_away(code),
        None => {}
    }
}

/// Reasons and certificates are logged even where ca.json asks for no request log.
fn log_details(request_id: &RequestId, response: Response) -> Response {
    let request_id = request_id.as_str();
    match response.extensions().get::<Detail>() {
        Some(Detail::Issued(issued)) => tracing::info!(
            request_id,
            serial = issued.serial_number,
            subject = issued.subject,
            token_id = issued.token_id,
            sans = issued.names.join(","),
            provisioner = issued.provisioner,
            grant_id = issued.grant.as_ref().map(|g| g.grant_id.as_str()),
            subject_user_id = issued.grant.as_ref().map(|g| g.subject_user_id.as_str()),
            valid_from = format_rfc3339(issued.not_before),
            valid_to = format_rfc3339(issued.not_after),
            "certificate issued",
        ),
        Some(Detail::Revoked(revoked)) => tracing::info!(
            request_id,
            serial = revoked.serial_number,
            reason_code = revoked.reason_code,
            provisioner = revoked.provisioner,
            "certificate revoked",
        ),
        Some(Detail::Refused { code, cause }) => {
            let status = response.status().as_u16();
            if status >= 500 {
                tracing::error!(request_id, status, refusal = code, cause, "request failed");
            } else {
                tracing::warn!(request_id, status, refusal = code, cause, "request refused");
            }
        }
        Some(Detail::TurnedAway(_)) | None => {}
    }
    response
}
