//! Cases made for the moment they run in, and scenes that take more than one request to tell.

use std::fs;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::cases::Case;
use crate::cases::Stricter;
use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::csr::Csr;
use crate::common::fixture::Fixture;
use crate::common::https::Request;
use crate::common::token;

/// A difference that shows in more than one answer.
pub(crate) struct Scene {
    /// `<area>/<case>`.
    pub(crate) name: &'static str,
    /// The rule it shows.
    pub(crate) rule: &'static str,
    /// What comes out of it with stepless.
    pub(crate) stricter: &'static str,
    /// Plays it with a CA of the given kind and says what came out.
    pub(crate) play: fn(Kind) -> String,
}

/// The scenes.
pub(crate) fn scenes() -> Vec<Scene> {
    vec![
        Scene { name: "start/weak-hmac-key", rule: "D20", stricter: "does not start", play: weak_hmac_key },
        Scene {
            name: "log/token",
            rule: "D21",
            stricter: "keeps the token out of the log",
            play: token_in_log,
        },
        Scene { name: "template/changed-after-start", rule: "D24", stricter: "201", play: template_changed },
    ]
}

fn weak_hmac_key(kind: Kind) -> String {
    let fixture = Fixture::copy("mosaic");
    let key = fixture.provisioner_key("mosaic-hs");
    // Eight bytes.
    fixture.replace(key["k"].as_str().unwrap(), "c2hvcnRrZXk");
    match Ca::try_start(kind, fixture) {
        Ok(_) => "starts",
        Err(_) => "does not start",
    }
    .to_owned()
}

fn token_in_log(kind: Kind) -> String {
    let ca = Ca::start(kind, "mosaic");
    let csr = Csr::new("log.example", &["log.example"]);
    let ott = mint(&ca.fixture, "plain", &token::claims("plain", "log.example"));
    let answer = ca.client().send(&sign(&csr.pem, &ott, &json!({})));
    assert_eq!(answer.unwrap().status, 201);
    // The answer may come before the line about it.
    let until = Instant::now() + Duration::from_secs(10);
    let mut log = ca.log();
    while !log.contains("log.example") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
        log = ca.log();
    }
    assert!(log.contains("log.example"), "the request is logged:\n{log}");
    if log.contains(&ott) { "logs the token".to_owned() } else { "keeps the token out of the log".to_owned() }
}

fn template_changed(kind: Kind) -> String {
    let ca = Ca::start(kind, "mosaic");
    let changed = r#"{{ fail "changed" }}"#;
    fs::write(ca.fixture.file("templates/federation.tpl"), changed).unwrap();
    let csr = Csr::new("grant.example", &["grant.example"]);
    let ott = mint(&ca.fixture, "mosaic-hs", &grant("mosaic-hs", &csr));
    let answer = ca.client().send(&sign(&csr.pem, &ott, &json!({})));
    answer.unwrap().status.to_string()
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let fixture = Fixture::copy("mosaic");
    let csr = || Csr::new("a.example", &["a.example"]);
    let changed = |changes: &Value| changed(token::claims("plain", "a.example"), changes);
    let now = token::now();

    for (name, changes) in [
        ("plain", json!({})),
        ("exp-past-50", json!({ "exp": now - 50 })),
        ("exp-past-70", json!({ "exp": now - 70 })),
        ("nbf-future-40", json!({ "nbf": now + 40 })),
        ("nbf-future-90", json!({ "nbf": now + 90 })),
        ("iat-future-40", json!({ "iat": now + 40 })),
        ("iat-future-90", json!({ "iat": now + 90 })),
        ("exp-far", json!({ "exp": now + 3_000_000 })),
        ("audience-list", json!({ "aud": ["https://a.example", "https://127.0.0.1:1/sign"] })),
        ("subject-missing", json!({ "sub": null })),
    ] {
        let ott = mint(&fixture, "plain", &changed(&changes));
        cases.push(case(name, "mosaic", sign(&csr().pem, &ott, &json!({})), None));
    }
    let ott = mint(&fixture, "plain", &changed(&json!({ "exp": null })));
    cases.push(case("exp-missing", "mosaic", sign(&csr().pem, &ott, &json!({})), Some(("D9", 401))));

    for (name, more) in [
        ("duration", json!({ "notAfter": "1h" })),
        ("both-durations", json!({ "notBefore": "-10m", "notAfter": "2h30m" })),
        ("too-long", json!({ "notAfter": "24h1m1s" })),
        ("too-short", json!({ "notAfter": "3m" })),
        ("reversed", json!({ "notBefore": "2036-01-01T00:00:00Z", "notAfter": "2035-01-01T00:00:00Z" })),
        ("past", json!({ "notAfter": "2020-01-01T00:00:00Z" })),
    ] {
        let ott = mint(&fixture, "plain", &changed(&json!({})));
        let name = format!("validity-{name}");
        cases.push(case(&name, "mosaic", sign(&csr().pem, &ott, &more), None));
    }

    for provisioner in ["mosaic-fed", "mosaic-hs"] {
        let csr = Csr::new("grant.example", &["grant.example", "10.0.0.1"]);
        let ott = mint(&fixture, provisioner, &grant(provisioner, &csr));
        let request = sign(&csr.pem, &ott, &json!({}));
        cases.push(case(&format!("grant-{provisioner}"), "mosaic", request, None));
    }

    let ott = mint(&fixture, "plain", &changed(&json!({})));
    let two = csr().pem + &csr().pem;
    cases.push(case("two-requests", "mosaic", sign(&two, &ott, &json!({})), Some(("D15", 400))));
    let ott = mint(&fixture, "plain", &changed(&json!({})));
    let padding = json!({ "unknown": "x".repeat(1 << 20) });
    cases.push(case("body-over-1-mib", "mosaic", sign(&csr().pem, &ott, &padding), Some(("D10", 413))));

    // The check of iat against the start: the future is after it, whenever it was.
    let defaults = Fixture::copy("defaults");
    for (name, iat) in [("iat-before-start", now - 3600), ("iat-after-start", now + 55)] {
        let ott = mint(&defaults, "plain", &changed(&json!({ "iat": iat })));
        cases.push(case(name, "defaults", sign(&csr().pem, &ott, &json!({})), None));
    }
    cases
}

fn case(name: &str, fixture: &str, request: Request, stricter: Option<(&str, u16)>) -> Case {
    let stricter = stricter.map(|(rule, status)| Stricter { rule: rule.to_owned(), status, body: None });
    Case { stricter, ..Case::new(&format!("fresh/{name}"), fixture, request) }
}

/// The claims with members replaced, or left out where the replacement is `null`.
fn changed(mut claims: Value, changes: &Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().into_iter().flatten() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// The claims of a complete grant request, bound to `csr`.
fn grant(provisioner: &str, csr: &Csr) -> Value {
    changed(
        token::claims(provisioner, "grant.example"),
        &json!({
            "sans": ["grant.example", "10.0.0.1"],
            "mosaic_grant_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "mosaic_subject_user_id": "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
            "step": { "sha": csr.sha256_hex() },
        }),
    )
}

pub(crate) fn mint(fixture: &Fixture, provisioner: &str, claims: &Value) -> String {
    token::mint(&fixture.provisioner_key(provisioner), claims)
}

/// A request to sign `csr`, with more members of the body in `more`.
pub(crate) fn sign(csr: &str, ott: &str, more: &Value) -> Request {
    let body = changed(json!({ "csr": csr, "ott": ott }), more);
    Request::post("/1.0/sign", &body)
}
