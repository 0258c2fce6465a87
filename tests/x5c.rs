//! Provisioners of type X5C: whoever has a certificate below their roots may ask, for no longer than it lasts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::csr::Csr;
use common::local::Answer;
use common::local::Local;
use common::local::NAME;
use common::local::block_on;
use common::token::sign;
use serde_json::Value;
use serde_json::json;
use stepless::authority::Authority;
use stepless::clock::Clock as _;
use stepless::config::Config;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::store::Store as _;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension;
use stepless::x509::extension::KeyUsage;
use stepless::x509::oid;
use stepless::x509::pem;
use time::Duration;

/// An authority whose provisioner `devices` trusts the hierarchy of another fixture, and a certificate of that.
struct Desk {
    ca: Local,
    factory: Local,
    der: Vec<u8>,
    key: Arc<PrivateKey>,
}

impl Desk {
    fn new(options: &Value) -> Self {
        let factory = Local::start("mosaic");
        let roots = STANDARD.encode(factory.fixture.root_pem());
        let ca = Local::start("rsa");
        let mut text: Value = serde_json::from_str(&ca.fixture.read("ca.json")).unwrap();
        text["authority"]["provisioners"] =
            json!([{"type": "X5C", "name": "devices", "roots": roots, "options": {"x509": options}}]);
        std::fs::write(ca.fixture.file("ca.json"), text.to_string()).unwrap();
        let config: Config = common::local::config(&ca.fixture);
        let authority: Authority = ca.authority.succeed_with(config).unwrap();
        let ca = Local { authority: Arc::new(authority), ..ca };
        let (der, key) = factory.issue(KeyKind::P256, &[], |_| ());
        Self { ca, factory, der, key }
    }

    fn header(&self) -> Value {
        let issuer = self.factory.authority.config().issuer().der();
        json!({"alg": "ES256", "typ": "JWT", "x5c": [STANDARD.encode(&self.der), STANDARD.encode(issuer)]})
    }

    fn claims(&self, route: &str) -> Value {
        let now = self.ca.clock.now().unix_timestamp();
        json!({
            "iss": "devices", "aud": format!("https://localhost{route}#x5c/devices"), "sub": "a.example",
            "nbf": now, "iat": now, "exp": now + 300, "jti": uuid::Uuid::new_v4().to_string(),
        })
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        sign(&self.key, header, claims)
    }

    /// Asks with a token for a certificate.
    fn ask(&self, token: &str, terms: &Value) -> Answer {
        let csr = Csr::new("a.example", &["a.example"]);
        let mut body = json!({"csr": csr.pem, "ott": token});
        for (name, value) in terms.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.ca.post("/1.0/sign", &[], &body, None)
    }
}

#[track_caller]
fn check(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code.as_str()), (status, code), "{answer:?}");
}

fn issued(answer: &Answer) -> Certificate {
    check(answer, 201, "");
    let crt = answer.body["crt"].as_str().unwrap();
    Certificate::parse(&pem::Blocks::new(crt.as_bytes()).next().unwrap().content).unwrap()
}

#[test]
fn a_device_gets_a_certificate_that_ends_with_its_own() {
    let desk = Desk::new(&Value::Null);
    let token = desk.token(&desk.header(), &desk.claims("/1.0/sign"));
    let certificate = issued(&desk.ask(&token, &Value::Null));
    let own = Certificate::parse(&desk.der).unwrap();
    assert_eq!(certificate.not_after(), own.not_after());
    let named = certificate.extension(&oid::STEP_PROVISIONER).unwrap();
    let named = extension::Provisioner::parse(&named.value).unwrap();
    assert_eq!((named.kind, named.name.as_str(), named.credential_id.as_str()), (7, "devices", ""));
    let record = block_on(desk.ca.store.certificate(certificate.serial_number())).unwrap().unwrap();
    assert_eq!(record.provisioner_id, "x5c/devices");
    check(&desk.ask(&token, &Value::Null), 401, "token.replayed");

    // The provisioner is found again to renew it.
    let renewed = desk.ca.post("/renew", &[], &Value::Null, Some(desk.ca.client(certificate.der())));
    check(&renewed, 201, "");
}

#[test]
fn its_validity_stays_within_that_of_the_device() {
    let desk = Desk::new(&Value::Null);
    for (terms, status, code) in [
        (json!({"notAfter": "30m"}), 201, ""),
        (json!({"notAfter": "2h"}), 403, "validity.outside_credential"),
        (json!({"notBefore": "-2m", "notAfter": "10m"}), 403, "validity.outside_credential"),
        (json!({"notBefore": "30m"}), 201, ""),
        (json!({"notBefore": "58m"}), 403, "validity.too_short"),
    ] {
        let token = desk.token(&desk.header(), &desk.claims("/1.0/sign"));
        check(&desk.ask(&token, &terms), status, code);
    }
}

#[test]
fn tokens_are_for_one_provisioner_and_one_use() {
    let desk = Desk::new(&Value::Null);
    let now = desk.ca.clock.now().unix_timestamp();
    for (claim, value, code) in [
        ("aud", json!("https://localhost/1.0/sign"), "provisioner.unknown"),
        ("aud", json!("https://localhost/1.0/sign#devices"), "provisioner.unknown"),
        ("aud", json!("https://localhost/1.0/sign#x5c/others"), "provisioner.unknown"),
        ("aud", json!("https://localhost/1.0/revoke#x5c/devices"), "token.audience_mismatch"),
        ("aud", json!("https://other/1.0/sign#x5c/devices"), "token.audience_mismatch"),
        ("iss", json!("others"), "token.issuer_mismatch"),
        ("sub", json!(""), "token.subject_missing"),
        ("exp", Value::Null, "token.expiry_missing"),
        ("exp", json!(now - 61), "token.expired"),
        ("nbf", json!(now + 62), "token.not_yet_valid"),
    ] {
        let mut claims = desk.claims("/1.0/sign");
        claims[claim] = value;
        check(&desk.ask(&desk.token(&desk.header(), &claims), &Value::Null), 401, code);
    }
}

#[test]
fn only_certificates_below_the_roots_vouch() {
    let mut desk = Desk::new(&Value::Null);
    let claims = desk.claims("/1.0/sign");
    let chain = desk.header()["x5c"].clone();
    for list in [Value::Null, json!([]), json!([chain[0]])] {
        let header = json!({"alg": "ES256", "x5c": list});
        check(&desk.ask(&desk.token(&header, &claims), &Value::Null), 401, "token.chain_untrusted");
    }
    // The header that serves renew tokens does not count here.
    let header = json!({"alg": "ES256", "x5cInsecure": chain});
    check(&desk.ask(&desk.token(&header, &claims), &Value::Null), 401, "token.chain_untrusted");

    let stranger = PrivateKey::generate(KeyKind::P256, &stepless::entropy::SystemEntropy::new()).unwrap();
    let forged = sign(&stranger, &desk.header(), &claims);
    check(&desk.ask(&forged, &Value::Null), 401, "token.signature_invalid");

    // Certificates that are not there to sign, or for clients.
    for (extensions, usage) in [
        (vec![], KeyUsage::KEY_AGREEMENT),
        (vec![extension::extended_key_usage(&[oid::SERVER_AUTH])], KeyUsage::DIGITAL_SIGNATURE),
    ] {
        (desk.der, desk.key) =
            desk.factory.issue(KeyKind::P256, &extensions, |draft| draft.key_usage = usage);
        let token = desk.token(&desk.header(), &claims);
        check(&desk.ask(&token, &Value::Null), 401, "token.chain_untrusted");
    }

    // One of the authority itself is no device's, and an expired one was.
    let ca = Local::start("rsa");
    (desk.der, desk.key) = ca.issue(KeyKind::P256, &[], |_| ());
    let token = desk.token(&desk.header(), &claims);
    check(&desk.ask(&token, &Value::Null), 401, "token.chain_untrusted");
    (desk.der, desk.key) = desk.factory.issue(KeyKind::P256, &[], |_| ());
    desk.ca.clock.set(desk.ca.clock.now() + Duration::hours(2));
    let token = desk.token(&desk.header(), &desk.claims("/1.0/sign"));
    check(&desk.ask(&token, &Value::Null), 401, "token.chain_untrusted");
}

#[test]
fn a_device_revokes_with_a_token_too() {
    let desk = Desk::new(&Value::Null);
    let mut claims = desk.claims("/1.0/revoke");
    claims["sub"] = json!("77");
    let body = |token: &str| json!({"serial": "77", "ott": token, "passive": true});
    let token = desk.token(&desk.header(), &claims);
    let answer = desk.ca.post("/revoke", &[], &body(&token), None);
    check(&answer, 200, "");
}

#[test]
fn templates_see_the_certificate_that_asks() {
    let template = r#"{"subject": {"commonName": {{ toJson .AuthorizationCrt.Subject.CommonName }}}, "sans": {{ toJson .SANs }}}"#;
    let desk = Desk::new(&json!({"template": template}));
    let token = desk.token(&desk.header(), &desk.claims("/1.0/sign"));
    assert_eq!(issued(&desk.ask(&token, &Value::Null)).common_name().as_deref(), Some(NAME));
}

#[test]
fn the_list_shows_the_roots() {
    let desk = Desk::new(&Value::Null);
    let page = desk.ca.authority.provisioners().page("", "").unwrap();
    let shown = page.provisioners.unwrap().remove(0);
    let names: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names[..3], ["type", "name", "roots"]);
    let roots = STANDARD.decode(shown["roots"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(roots).unwrap(), desk.factory.fixture.root_pem());
}
