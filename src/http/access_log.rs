//! One log line for each request: what was asked, what was answered, and why.
//!
//! Never a token, a key or a body (CONTRACT.md D21).

use std::time::Duration;

use axum::body::HttpBody;
use axum::response::Response;

use crate::authority::Issued;
use crate::authority::Revoked;
use crate::duration::format_rfc3339;
use crate::http::metrics::Refusal;
use crate::http::request_id::RequestId;
use crate::http::routes::Asked;

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

/// Logs and counts a request of this route, and its answer.
pub(super) fn request(asked: Asked<'_>, route: &'static str, response: &Response, took: Duration) {
    log_details(asked.id, response);
    count(asked, route, response, took);
    if asked.app.authority.config().ca.log_format.is_none() {
        return;
    }
    tracing::info!(
        request_id = asked.id.as_str(),
        remote_address = asked.remote().map(|remote| remote.to_string()).unwrap_or_default(),
        method = %asked.head.method,
        path = asked.head.uri.path(),
        status = response.status().as_u16(),
        size = response.body().size_hint().exact().unwrap_or_default(),
        duration_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        "request",
    );
}

fn count(asked: Asked<'_>, route: &'static str, response: &Response, took: Duration) {
    let (app, status, extensions) = (asked.app, response.status().as_u16(), response.extensions());
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
            request_id: asked.id.as_str().to_owned(),
        }),
        Some(Detail::TurnedAway(code)) => app.edge.turned_away(code),
        None => {}
    }
}

/// Reasons and certificates are logged even where ca.json asks for no request log.
fn log_details(request_id: &RequestId, response: &Response) {
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
}
