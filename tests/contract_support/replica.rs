//! A fixture's authority in process, with a clock that shows the time of the recording.

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use http_body_util::BodyExt;
use serde_json::Value;
use serde_json::json;
use stepless::authority::Authority;
use stepless::authority::Options;
use stepless::clock::FixedClock;
use stepless::config::Config;
use stepless::config::DirectoryFiles;
use stepless::duration::parse_rfc3339;
use stepless::entropy::SystemEntropy;
use stepless::http::RouterOptions;
use stepless::store::MemoryStore;
use tower::ServiceExt;

use super::Exchange;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An authority on a fixture.
pub(crate) struct Replica {
    clock: Arc<FixedClock>,
    authority: Arc<Authority>,
    router: axum::Router,
    /// The plain listener's.
    insecure: axum::Router,
}

impl Replica {
    /// Starts an authority, and the first CRL with it.
    pub(crate) async fn start(folder: &Path, fixture: &str, claim_extensions: bool) -> Self {
        let base = folder.join("fixtures").join(fixture);
        let read = |name: &str| std::fs::read_to_string(base.join(name)).expect("a fixture's file");
        let about: Value = serde_json::from_str(&read("fixture.json")).expect("JSON");
        let mut ca_json = with_free_text(&read("ca.json"));
        if claim_extensions {
            ca_json = with_claim_extensions(&ca_json);
        }
        let started_at = parse_rfc3339(about["startedAt"].as_str().expect("startedAt")).expect("a time");
        let clock = Arc::new(FixedClock::new(started_at));
        let ca = stepless::config::parse(ca_json.as_bytes()).expect("a configuration");
        let password = about["password"].as_str().map(str::as_bytes);
        let config = Config::load(ca, &DirectoryFiles::new(&base, &base, &base), password, started_at)
            .expect("its files");
        let options = Options {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SystemEntropy::new()),
        };
        let authority = Arc::new(Authority::new(config, options).expect("an authority"));
        authority.renew_crl_if_due().await.expect("a CRL");
        let router = stepless::http::router(Arc::clone(&authority), RouterOptions::default());
        let insecure = stepless::http::insecure_router(Arc::clone(&authority), RouterOptions::default());
        Self { clock, authority, router, insecure }
    }

    /// Sends a request; no answer means that the handshake has failed.
    pub(crate) async fn send(&self, exchange: &Exchange) -> Option<Answer> {
        self.clock.set(parse_rfc3339(&exchange.now).expect("the time of a request"));
        let request = &exchange.request;
        let text = |member: &str| request[member].as_str().unwrap_or_default();
        let mut builder = Request::builder().method(text("method")).uri(text("path"));
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            builder = builder.header(name, value.as_str().unwrap_or_default());
        }
        let router = if text("listener") == "insecure" { &self.insecure } else { &self.router };
        let mut request = builder.body(Body::from(body(request))).expect("a request");
        if let Some(pem) = exchange.client_certificate["chain"].as_str() {
            let chain: Vec<_> = stepless::x509::pem::Blocks::new(pem.as_bytes()).collect();
            let chain = chain.iter().map(|block| block.content.as_slice());
            request.extensions_mut().insert(self.authority.verify_client(chain).ok()?);
        }
        let response = match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

fn body(request: &Value) -> Vec<u8> {
    if let Some(body) = request.get("body") {
        return body.to_string().into_bytes();
    }
    if let Some(text) = request["bodyText"].as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(text) = request["bodyBase64"].as_str() {
        return base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    }
    let parts = request["bodyRepeat"].as_array().into_iter().flatten();
    let parts = parts.map(|part| {
        let times = usize::try_from(part["times"].as_u64().unwrap_or_default()).unwrap_or_default();
        part["text"].as_str().unwrap_or_default().repeat(times)
    });
    parts.collect::<String>().into_bytes()
}

/// Declares the extension that the template `user.tpl` fills with plain text, `<nil>` included.
fn with_free_text(ca_json: &str) -> String {
    let mut value: Value = serde_json::from_str(ca_json).expect("JSON");
    for provisioner in value["authority"]["provisioners"].as_array_mut().into_iter().flatten() {
        if provisioner["options"]["x509"]["templateFile"] == "./templates/user.tpl" {
            provisioner["options"]["x509"]["rawExtensions"] = json!([".4"]);
        }
    }
    value.to_string()
}

/// Puts `claimExtensions` in place of the template of the two grant provisioners.
fn with_claim_extensions(ca_json: &str) -> String {
    let mut value: Value = serde_json::from_str(ca_json).expect("JSON");
    for provisioner in value["authority"]["provisioners"].as_array_mut().into_iter().flatten() {
        if matches!(provisioner["name"].as_str(), Some("mosaic-fed" | "mosaic-hs")) {
            let extension = |oid: &str, claim: &str| json!({"oid": oid, "claim": claim, "type": "utf8String", "format": "uuid", "required": true});
            provisioner["options"]["x509"] = json!({"claimExtensions": [
                extension(".1", "mosaic_grant_id"),
                extension(".2", "mosaic_subject_user_id"),
            ]});
        }
    }
    value.to_string()
}
