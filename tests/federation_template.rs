//! `templates/federation.tpl` and `claimExtensions` make the same certificate, and refuse the same tokens.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::Map;
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
use stepless::jose::PrivateJwk;
use stepless::store::MemoryStore;
use stepless::token::mint::NewToken;
use stepless::x509::certificate::Certificate;
use stepless::x509::csr::Csr;
use stepless::x509::oid;
use stepless::x509::pem;
use time::OffsetDateTime;
use tower::ServiceExt;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";
const PROVISIONER: &str = "mosaic-fed";

/// An authority whose provisioner makes grants in one way or the other.
struct Ca {
    router: axum::Router,
    key: PrivateJwk,
    now: OffsetDateTime,
}

impl Ca {
    fn new(x509: &Value) -> Self {
        let base = root().join("tests/contract/fixtures/mosaic");
        let json = |name: &str| -> Value {
            serde_json::from_str(&std::fs::read_to_string(base.join(name)).unwrap()).unwrap()
        };
        let mut ca = json("ca.json");
        let provisioners = ca["authority"]["provisioners"].as_array_mut().unwrap();
        provisioners.retain(|provisioner| provisioner["name"] == PROVISIONER);
        provisioners[0]["options"]["x509"] = x509.clone();
        let about = json("fixture.json");
        let now = parse_rfc3339(about["startedAt"].as_str().unwrap()).unwrap();
        let ca = stepless::config::parse(ca.to_string().as_bytes()).unwrap();
        let password = about["password"].as_str().map(str::as_bytes);
        let config = Config::load(ca, &DirectoryFiles::new(&base, &base, &base), password, now).unwrap();
        let of_provisioner = |warning: &&String| warning.contains(PROVISIONER);
        assert_eq!(config.ca.warnings.iter().find(of_provisioner), None);
        let options = Options {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(FixedClock::new(now)),
            entropy: Arc::new(SystemEntropy::new()),
        };
        let authority = Authority::new(config, options).unwrap();
        let key = &json("provisioner-keys.json")[PROVISIONER];
        Self {
            router: stepless::http::router(Arc::new(authority), RouterOptions::default()),
            key: PrivateJwk::parse(key.to_string().as_bytes()).unwrap(),
            now,
        }
    }

    /// By the template of this repository.
    fn by_template() -> Self {
        Self::new(&json!({ "templateFile": root().join("templates/federation.tpl") }))
    }

    /// By `claimExtensions`, below the default arc.
    fn by_claim_extensions() -> Self {
        let extension = |oid: &str, claim: &str| json!({"oid": oid, "claim": claim, "type": "utf8String", "format": "uuid", "required": true});
        Self::new(&json!({"claimExtensions": [
            extension(".1", "mosaic_grant_id"),
            extension(".2", "mosaic_subject_user_id"),
        ]}))
    }

    /// Puts a request to the authority; status and body of the answer.
    async fn sign(
        &self,
        csr_pem: &str,
        sans: &[&str],
        claims: &Map<String, Value>,
        bound: bool,
    ) -> (u16, Value) {
        let csr = read(csr_pem);
        let token = NewToken {
            issuer: PROVISIONER.to_owned(),
            audience: "https://localhost/1.0/sign".to_owned(),
            subject: "grant.example".to_owned(),
            sans: sans.iter().map(|name| (*name).to_owned()).collect(),
            fingerprint: bound.then(|| csr.fingerprint()),
            claims: claims.clone(),
        };
        let token = token.sign(&self.key, self.now, &SystemEntropy::new()).unwrap();
        let body = json!({"csr": csr_pem, "ott": token.as_str()});
        let request = Request::post("/1.0/sign").body(Body::from(body.to_string())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(csr_pem: &str) -> Csr {
    Csr::parse(&pem::decode_first(csr_pem).unwrap().content).unwrap().verify().unwrap()
}

/// The request of a recorded exchange: `grant.example` with a key of one kind.
fn recorded_csr(exchange: &str) -> String {
    let path = root().join("tests/contract/exchanges/grant").join(exchange);
    let exchange: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    exchange["request"]["body"]["csr"].as_str().unwrap().to_owned()
}

fn both_ids() -> Map<String, Value> {
    [("mosaic_grant_id", GRANT_ID), ("mosaic_subject_user_id", USER_ID)]
        .into_iter()
        .map(|(name, id)| (name.to_owned(), id.into()))
        .collect()
}

/// A subject, and extensions by object identifier, criticality and value.
type Content = (Vec<u8>, Vec<(String, bool, Vec<u8>)>);

/// Subject and extensions of the certificate in an answer; the serial number and the key are its own.
fn content((status, body): &(u16, Value)) -> Content {
    assert_eq!(*status, 201, "{body}");
    let certificate = body["crt"].as_str().unwrap();
    let certificate = Certificate::parse(&pem::decode_first(certificate).unwrap().content).unwrap();
    let extensions = certificate.extensions().iter();
    let extensions = extensions.map(|e| (e.oid.to_string(), e.critical, e.value.clone())).collect();
    (certificate.subject_der().to_vec(), extensions)
}

#[tokio::test]
async fn the_certificates_are_the_same() {
    let (template, claims) = (Ca::by_template(), Ca::by_claim_extensions());
    let names: [&[&str]; 2] =
        [&["grant.example"], &["grant.example", "https://a.example/x", "10.0.0.1", "ops@a.example", "::1"]];
    for exchange in ["ok-mosaic-fed.json", "ok-rsa.json", "ok-ed25519.json"] {
        let csr = recorded_csr(exchange);
        // A request names all names of a kind or none, so that the longer list needs a request without names.
        let one = content(&template.sign(&csr, names[0], &both_ids(), true).await);
        let other = content(&claims.sign(&csr, names[0], &both_ids(), true).await);
        assert_eq!(one, other, "{exchange}");
        let oids: Vec<&str> = one.1.iter().map(|(oid, ..)| oid.as_str()).collect();
        let provisioner = oid::STEP_PROVISIONER.to_string();
        assert_eq!(oids[5..], ["1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2", &provisioner]);
        assert_eq!(one.1[5].2, [b"\x0c\x24", GRANT_ID.as_bytes()].concat());
        assert_eq!(one.1[6].2, [b"\x0c\x24", USER_ID.as_bytes()].concat());

        let one = content(&template.sign(&csr, names[1], &both_ids(), true).await);
        let other = content(&claims.sign(&csr, names[1], &both_ids(), true).await);
        assert_eq!(one, other, "{exchange}, several names");
    }
}

/// Both refuse a token with these claims; the message names the claim.
async fn check_refused(claims: Map<String, Value>, bound: bool, named: &str) {
    let csr = recorded_csr("ok-mosaic-fed.json");
    for (way, ca) in [("template", Ca::by_template()), ("claimExtensions", Ca::by_claim_extensions())] {
        let (status, body) = ca.sign(&csr, &["grant.example"], &claims, bound).await;
        let message = body["message"].as_str().expect("a message");
        assert_eq!(status, 403, "{way}: {message}");
        assert!(message.contains(named), "{way}: {message}");
    }
}

#[tokio::test]
async fn a_token_without_two_uuids_is_refused() {
    for claim in ["mosaic_grant_id", "mosaic_subject_user_id"] {
        let mut claims = both_ids();
        claims.remove(claim);
        check_refused(claims, true, claim).await;
        for bad in [
            json!("3f2504e0-4f89-41d3-9a0c-0305e82c330"),
            json!("3f2504e0-4f89-41d3-9a0c-0305e82c330g"),
            json!("printable:x"),
            json!(""),
            json!(7),
            json!(null),
            json!([GRANT_ID]),
        ] {
            let mut claims = both_ids();
            claims.insert(claim.to_owned(), bad);
            check_refused(claims, true, claim).await;
        }
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_no_request_is_refused() {
    check_refused(both_ids(), false, "step.sha or cnf").await;
}
