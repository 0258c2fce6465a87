//! What a client meets when `MiniCa` is told to misbehave: each fault, and each defect of a certificate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;
use std::time::Instant;

use std::sync::Arc;
use stepless::MiniCa;
use stepless::client::Api;
use stepless::client::Error as ClientError;
use stepless::mini::Defect;
use stepless::mini::Fault;
use stepless::wire::SignRequest;
use stepless::wire::SignResponse;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension::utf8_text;
use stepless::x509::oid;
use stepless::x509::path;
use stepless::x509::pem;
use stepless::x509::san::San;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

/// A CA that is served, and what a client asks it.
struct Scene {
    ca: MiniCa,
    client: Api,
}

impl Scene {
    async fn new() -> Self {
        let ca = MiniCa::start().await.unwrap();
        let client = Api::new(&ca.url(), &ca.root_pem()).unwrap();
        Self { ca, client }
    }

    fn request(&self) -> SignRequest {
        let csr = self.ca.csr("a.example").unwrap();
        let token = self.ca.token("a.example").grant(GRANT_ID, USER_ID).bound_to(csr.pem()).mint().unwrap();
        SignRequest { csr: Some(csr.pem().to_owned()), ott: Some(token), ..SignRequest::default() }
    }

    /// Asks once, meeting `fault`.
    async fn ask(&self, fault: Fault) -> (SignRequest, Result<SignResponse, ClientError>) {
        let request = self.request();
        self.ca.faults().push(fault);
        let answer = self.client.sign(&request).await;
        assert_eq!(self.ca.faults().pending(), 0);
        (request, answer)
    }
}

fn read(pem: &str) -> Certificate {
    Certificate::parse(&pem::decode_first(pem).unwrap().content).unwrap()
}

#[tokio::test]
async fn answers_in_the_place_of_the_ca_spend_no_token() {
    let scene = Scene::new().await;
    for status in [401, 403, 429, 500, 503] {
        let (request, answer) = scene.ask(Fault::status(status)).await;
        assert!(matches!(answer, Err(ClientError::Refused { status: s, .. }) if s == status), "{answer:?}");
        scene.client.sign(&request).await.unwrap();
    }
    let (request, answer) = scene.ask(Fault::not_json()).await;
    assert!(matches!(answer, Err(ClientError::Answer { .. })), "{answer:?}");
    scene.client.sign(&request).await.unwrap();
    let (request, answer) = scene.ask(Fault::hang_up()).await;
    assert!(matches!(answer, Err(ClientError::Interrupted { .. })), "{answer:?}");
    scene.client.sign(&request).await.unwrap();
    assert_eq!(scene.ca.issued().len(), 7);
    assert_eq!(scene.ca.refused(), []);
}

#[tokio::test]
async fn an_answer_that_is_lost_was_given() {
    let scene = Scene::new().await;
    for (index, fault) in [Fault::lost_answer(), Fault::half_answer()].into_iter().enumerate() {
        let (request, answer) = scene.ask(fault).await;
        assert!(answer.is_err());
        assert_eq!(scene.ca.issued().len(), index + 1);
        assert_eq!(scene.ca.explain(request).refusal(), Some("token.replayed"));
    }
}

#[tokio::test]
async fn members_can_be_missing() {
    let scene = Scene::new().await;
    let (_, answer) = scene.ask(Fault::without_chain()).await;
    let answer = answer.unwrap();
    assert_eq!((answer.crt.is_empty(), answer.ca.is_empty(), answer.cert_chain.len()), (false, false, 0));
    let (_, answer) = scene.ask(Fault::without_ca()).await;
    let answer = answer.unwrap();
    assert_eq!((answer.crt.is_empty(), answer.ca.is_empty(), answer.cert_chain.len()), (false, true, 2));
    let (_, answer) = scene.ask(Fault::only_crt()).await;
    let answer = answer.unwrap();
    assert_eq!((answer.crt.is_empty(), answer.ca.is_empty(), answer.cert_chain.len()), (false, true, 0));
    let (_, answer) = scene.ask(Fault::without_certificate()).await;
    assert_eq!(answer.map(|answer| answer.crt).unwrap_or_default(), "");
}

#[tokio::test]
async fn a_delay_delays() {
    let scene = Scene::new().await;
    let begun = Instant::now();
    let (_, answer) = scene.ask(Fault::delay(Duration::from_millis(80))).await;
    answer.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn a_fault_waits_for_its_path() {
    let scene = Scene::new().await;
    scene.ca.faults().push(Fault::status(500).on("/sign"));
    scene.ca.faults().push(Fault::status(502).on("/1.0/sign"));
    scene.client.health().await.unwrap();
    assert_eq!(scene.ca.faults().pending(), 2);
    for expected in [500, 502] {
        let answer = scene.client.sign(&scene.request()).await;
        assert!(matches!(answer, Err(ClientError::Refused { status, .. }) if status == expected));
    }
    scene.ca.faults().push(Fault::hang_up());
    scene.ca.faults().clear();
    scene.client.health().await.unwrap();
}

#[test]
fn retry_after_is_told() {
    use axum::body::Body;
    use tower::ServiceExt as _;
    let ca = MiniCa::builder().build().unwrap();
    ca.faults().push(Fault::status(503).retry_after(7));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let get = axum::http::Request::get("/health").body(Body::empty()).unwrap();
    let answer = runtime.block_on(ca.router().oneshot(get)).unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"7".parse().unwrap()));
}

/// What is wrong with a certificate, in the eyes of one who knows what was asked for.
fn faults_of(leaf: &Certificate, issuer: &Certificate, ca: &MiniCa, key: &[u8]) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let root = [Arc::new(read(&ca.root_pem()))];
    for (usage, now) in [(&oid::SERVER_AUTH, ca.clock().now()), (&oid::CODE_SIGNING, leaf.not_after())] {
        let rules = path::Rules { anchors: &root, at: now, usage };
        let result = rules.verify(leaf, std::slice::from_ref(issuer));
        match (usage == &oid::SERVER_AUTH, result) {
            (true, Err(_)) => faults.push("path"),
            (false, Ok(_)) => faults.push("usage"),
            _ => {}
        }
    }
    if leaf.not_after() < ca.clock().now() {
        faults.push("expired");
    }
    if leaf.not_before() > ca.clock().now() {
        faults.push("early");
    }
    if leaf.issuer_der() != read(&ca.intermediate_pem()).subject_der() {
        faults.push("issuer");
    } else if leaf.verify_signature(&issuer.public_key().unwrap()).is_err() {
        faults.push("signature");
    }
    if leaf.spki_der() != key {
        faults.push("key");
    }
    if leaf.subject_alt_names().names != [San::Dns("a.example".to_owned())] {
        faults.push("names");
    }
    let oids = ca.authority().grant_oids();
    for (oid, id, fault) in [(&oids.grant_id, GRANT_ID, "grant"), (&oids.subject_user_id, USER_ID, "user")] {
        let text = leaf.extension(oid).map(|extension| utf8_text(&extension.value));
        match text {
            None => faults.push(if fault == "grant" { "no grant" } else { "no user" }),
            Some(text) if text.as_deref() != Some(id) => faults.push(fault),
            _ => {}
        }
    }
    faults
}

const DEFECTS: [(Defect, &[&str]); 11] = [
    (Defect::Expired, &["path", "expired"]),
    (Defect::NotYetValid, &["path", "early"]),
    (Defect::OtherIssuer, &["path", "issuer"]),
    (Defect::ForgedSignature, &["path", "signature"]),
    (Defect::OtherKey, &["key"]),
    (Defect::WrongUsage, &["path", "usage"]),
    (Defect::OtherName, &["names"]),
    (Defect::WithoutGrant, &["no grant", "no user"]),
    (Defect::HalfGrant, &["no user"]),
    (Defect::MalformedGrant, &["grant"]),
    (Defect::OtherGrant, &["grant"]),
];

#[test]
fn a_certificate_is_wrong_in_the_chosen_way_alone() {
    let ca = MiniCa::builder().build().unwrap();
    let issue = || ca.issue("a.example").grant(GRANT_ID, USER_ID);
    let check = |leaf: &stepless::mini::Leaf, expected: &[&str], defect: Option<Defect>| {
        let issuer = Certificate::parse(&leaf.chain_der()[1]).unwrap();
        let key = stepless::crypto::PrivateKey::from_pkcs8_der(leaf.key_der().secret_der()).unwrap();
        let faults = faults_of(leaf.certificate(), &issuer, &ca, key.public_key().spki_der());
        assert_eq!(faults, expected, "{defect:?}");
    };
    check(&issue().sign().unwrap(), &[], None);
    for (defect, expected) in DEFECTS {
        let leaf = issue().with(defect).sign().unwrap();
        check(&leaf, expected, Some(defect));
        // On record is the right one.
        let record = ca.issued().pop().unwrap();
        assert_eq!(record.serial.to_string(), leaf.serial());
        assert_ne!(record.der, leaf.certificate().der());
    }
}

#[tokio::test]
async fn the_same_over_https() {
    let scene = Scene::new().await;
    for (defect, expected) in DEFECTS {
        let (request, answer) = scene.ask(Fault::certificate(defect)).await;
        let answer = answer.unwrap();
        assert_eq!(answer.cert_chain, [answer.crt.clone(), answer.ca.clone()], "{defect:?}");
        let csr = pem::decode_first(&request.csr.unwrap()).unwrap();
        let csr = stepless::x509::csr::Csr::parse(&csr.content).unwrap().verify().unwrap();
        let key = csr.public_key().spki_der();
        let faults = faults_of(&read(&answer.crt), &read(&answer.ca), &scene.ca, key);
        assert_eq!(faults, expected, "{defect:?}");
    }
}
