//! What operators see, on a listener of its own that only the loopback interface reaches: page, metrics, readiness.
//!
//! Nobody is asked who they are, so nothing can be changed here, and a request whose `Host` is no loopback name is
//! refused: a page elsewhere whose name leads to this machine (DNS rebinding) shall read nothing.

mod certificate;
mod exposition;
mod pages;
mod refusals;
mod table;
mod timeline;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;

use crate::authority::Authority;
use crate::hex;
use crate::http::admin::exposition::Expiry;
use crate::http::edge::Edge;
use crate::http::generation::Current;
use crate::http::html;
use crate::http::json;

/// How long the store may take to answer `/ready`.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// What the routes work with.
#[derive(Debug, Clone)]
struct Desk {
    current: Arc<Current>,
    edge: Arc<Edge>,
    started_at: i64,
}

/// The routes.
pub(super) fn router(current: Arc<Current>, edge: Arc<Edge>) -> Router {
    let started_at = current.get().authority().clock().now().unix_timestamp();
    Router::new()
        .route("/", get(pages::overview))
        .route("/certificates", get(pages::search))
        .route("/certificates/{serial}", get(pages::certificate))
        .route("/revoked", get(pages::revoked))
        .route("/refusals", get(refusals::page))
        .route("/style.css", get(|| async { html::style() }))
        .route("/metrics", get(metrics_text))
        .route("/ready", get(ready))
        .route("/health", get(|| async { html::guarded(json(StatusCode::OK, &status("ok"))) }))
        .fallback(|| async { html::guarded((StatusCode::NOT_FOUND, "404 page not found\n")) })
        .layer(middleware::from_fn(refuse_other_hosts))
        .with_state(Desk { current, edge, started_at })
}

async fn refuse_other_hosts(request: Request, next: Next) -> Response {
    if !is_for_loopback(&request) {
        let text = "this address answers to loopback names only, such as 127.0.0.1 or localhost\n";
        return html::guarded((StatusCode::MISDIRECTED_REQUEST, text));
    }
    next.run(request).await
}

/// Whether a request names its host, and nothing but loopback names.
fn is_for_loopback(request: &Request) -> bool {
    let hosts = request.headers().get_all(header::HOST).into_iter();
    let hosts = hosts.map(|host| host.to_str().unwrap_or_default());
    // A request may carry its host in the target as well.
    let target = request.uri().authority().map(|authority| authority.as_str());
    let named: Vec<&str> = hosts.chain(target).collect();
    !named.is_empty() && named.into_iter().all(is_loopback)
}

/// Whether `host` or `host:port` names this machine to itself.
fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn status(text: &str) -> serde_json::Value {
    serde_json::json!({"status": text})
}

async fn ready(State(desk): State<Desk>) -> Response {
    let generation = desk.current.get();
    html::guarded(match store_fault(generation.authority()).await {
        None => json(StatusCode::OK, &status("ok")),
        Some(reason) => {
            let body = serde_json::json!({"status": "unavailable", "reason": reason});
            json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    })
}

/// Why nothing can be recorded now, if so.
async fn store_fault(authority: &Authority) -> Option<String> {
    let now = authority.clock().now().unix_timestamp();
    match tokio::time::timeout(STORE_PATIENCE, authority.store().health(now)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("the store has not answered for {} seconds", STORE_PATIENCE.as_secs())),
    }
}

async fn metrics_text(State(desk): State<Desk>) -> Response {
    let generation = desk.current.get();
    let authority = generation.authority();
    let config = authority.config();
    let mut expiries = Vec::new();
    for (name, certificates) in [("root", &config.roots), ("intermediate", &config.intermediates)] {
        expiries.extend(certificates.iter().map(|certificate| Expiry {
            certificate: name,
            fingerprint: hex::encode(&certificate.fingerprint()),
            not_after: certificate.not_after().unix_timestamp(),
        }));
    }
    expiries.push(Expiry {
        certificate: "server",
        fingerprint: String::new(),
        not_after: generation.certificate_end().unix_timestamp(),
    });
    let store = authority.store();
    let fault = store_fault(authority).await;
    let crl = match config.ca.crl.is_some() && fault.is_none() {
        true => store.crl().await.ok().flatten(),
        false => None,
    };
    let state = exposition::State {
        started_at: desk.started_at,
        expiries,
        crl: crl.map(|crl| (crl.number, crl.next_update)),
        store_is_up: fault.is_none(),
        connections: desk.edge.seats.census(),
        accept_failures: desk.edge.accept_failures.load(Ordering::Relaxed),
    };
    let text = exposition::write(&desk.edge.metrics.snapshot(), &state);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    html::guarded(([(header::CONTENT_TYPE, kind)], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_answered() {
        let check = |host: &str, expected: bool| assert_eq!(is_loopback(host), expected, "{host:?}");
        for host in ["localhost", "LOCALHOST:9444", "127.0.0.1:9444", "127.8.8.8", "[::1]:9444", "[::1]"] {
            check(host, true);
        }
        for host in ["", ":9444", "evil.example", "localhost.evil.example:9444", "127.0.0.1.evil.example"] {
            check(host, false);
        }
        for host in ["10.0.0.1:9444", "[::]:9444", "0.0.0.0", "127.0.0.1@evil.example", "localhost:x"] {
            check(host, false);
        }
    }
}
