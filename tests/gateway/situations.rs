//! The eleven situations of a gateway's client, each against stepless and, where there is one, the real step-ca.
//!
//! docs/gateway.md lists them; examples/node/test/situations.test.ts has the same for TypeScript.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::TokenData;
use jsonwebtoken::Validation;
use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;
use stepless::client::CaClient;
use stepless::client::CaClientError;
use stepless::client::CaClientErrorKind;
use stepless::client::IssueCertRequest;
use stepless::client::IssuedCert;
use stepless::client::Retry;
use stepless::client::Settings;
use stepless::jose::PrivateJwk;
use stepless::x509::pem;

use crate::client;
use crate::client::NAME;
use crate::client::refused;
use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::ca::step_ca_available;
use crate::common::csr::Csr;
use crate::common::https::Request;
use crate::common::local::block_on;
use crate::common::token;
use crate::common::tools;
use crate::relay::Relay;

/// Runs `check` on both authorities, on one where there is no step-ca.
fn each(check: impl Fn(&Scene<'_>)) {
    for ca in authorities().iter() {
        check(&Scene { ca, relay: Relay::start(ca) });
    }
    if let Err(reason) = step_ca_available() {
        tools::skip(&reason);
    }
}

/// The authorities, shared by the tests that run at the same time: a container takes its time to start.
fn authorities() -> Arc<Vec<Ca>> {
    static SHARED: Mutex<Weak<Vec<Ca>>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let mut kinds = vec![Kind::Stepless];
    kinds.extend(step_ca_available().map(|()| Kind::StepCa));
    let started = Arc::new(kinds.into_iter().map(|kind| Ca::start(kind, "mosaic")).collect());
    *shared = Arc::downgrade(&started);
    started
}

/// An authority, and a relay that a client takes for it.
struct Scene<'a> {
    ca: &'a Ca,
    relay: Relay,
}

impl Scene<'_> {
    /// A client that has the key of one provisioner and tries once.
    fn client(&self, provisioner: &str) -> CaClient {
        CaClient::new(self.settings(provisioner)).unwrap()
    }

    fn settings(&self, provisioner: &str) -> Settings {
        let key = self.ca.fixture.provisioner_key(provisioner).to_string();
        let key = PrivateJwk::parse(key.as_bytes()).unwrap();
        Settings::new(&self.relay.url, &self.ca.fixture.root_pem(), key)
            .unwrap()
            .with_provisioner(provisioner)
            .with_retry(Retry { tries: 1, first_wait: Duration::ZERO })
    }

    fn issue(&self, request: &IssueCertRequest) -> Result<IssuedCert, CaClientError> {
        block_on(self.client("mosaic-hs").issue_cert(request))
    }

    /// The token of the only certificate asked for; its signature and its audience hold.
    fn token(&self, provisioner: &str) -> TokenData<Value> {
        let calls = self.relay.calls();
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        let key = self.ca.fixture.provisioner_key(provisioner);
        let text = |name: &str| key[name].as_str().unwrap();
        let (algorithm, key) = match text("kty") {
            "oct" => {
                let secret = URL_SAFE_NO_PAD.decode(text("k")).unwrap();
                (Algorithm::HS256, DecodingKey::from_secret(&secret))
            }
            _ => (Algorithm::ES256, DecodingKey::from_ec_components(text("x"), text("y")).unwrap()),
        };
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[format!("{}/1.0/sign", self.relay.url)]);
        jsonwebtoken::decode(call.body["ott"].as_str().unwrap(), &key, &validation).unwrap()
    }
}

fn request() -> IssueCertRequest {
    client::request(&Csr::new(NAME, &[NAME]))
}

#[test]
fn a_grant_certificate_is_issued() {
    each(|scene| {
        let csr = Csr::new(NAME, &[NAME, "10.0.0.1"]);
        let request = IssueCertRequest { ttl: Some(Duration::from_secs(3600)), ..client::request(&csr) };
        let issued = scene.issue(&request).unwrap();
        let answer = &scene.relay.calls()[0].answer;
        assert_eq!(issued.cert_pem, answer["crt"]);
        assert_eq!(issued.cert_chain_pem, issued.cert_pem.clone() + answer["ca"].as_str().unwrap());
        let leaf = client::parse(&issued.cert_pem);
        let names: Vec<String> = leaf.subject_alt_names().names.iter().map(ToString::to_string).collect();
        assert_eq!(names, [NAME, "10.0.0.1"]);
        assert_eq!(issued.serial, leaf.serial_number().to_string());
        assert_eq!(issued.not_after, leaf.not_after());
        // A minute of backdating before it.
        assert_eq!((leaf.not_after() - leaf.not_before()).whole_seconds(), 3660);
        for (oid, id) in
            [("1.3.6.1.4.1.99999.1", request.grant_id), ("1.3.6.1.4.1.99999.2", request.subject_user_id)]
        {
            assert_eq!(client::extension(&leaf, oid), format!("\x0c\x24{id}").as_bytes());
        }
    });
}

#[test]
fn without_a_chain_it_is_crt_and_ca() {
    each(|scene| {
        scene.relay.leave_out(&["certChain"]);
        let issued = scene.issue(&request()).unwrap();
        let intermediate = scene.ca.fixture.read("certs/intermediate_ca.crt");
        assert_eq!(issued.cert_chain_pem, issued.cert_pem + &intermediate);
    });
}

#[test]
fn without_chain_and_ca_it_is_crt_alone() {
    each(|scene| {
        scene.relay.leave_out(&["certChain", "ca"]);
        let issued = scene.issue(&request()).unwrap();
        assert_eq!(issued.cert_chain_pem, issued.cert_pem);
        // Its issuer is asked for, to check it.
        let paths: Vec<String> = scene.relay.calls().into_iter().map(|call| call.path).collect();
        assert_eq!(paths, ["/1.0/sign", "/1.0/intermediates"]);
        scene.relay.change(|(status, body)| {
            let body: Value = serde_json::from_slice(&body).unwrap();
            match body.get("crts") {
                Some(_) => (404, b"{}".to_vec()),
                None => (status, json!({ "crt": body["crt"] }).to_string().into_bytes()),
            }
        });
        refused(scene.issue(&request()), CaClientErrorKind::Rejected, Some(404));
    });
}

#[test]
fn a_token_that_is_not_accepted_is_unauthorized() {
    each(|scene| {
        // The key of one provisioner in the name of another.
        let impostor = CaClient::new(scene.settings("mosaic-hs").with_provisioner("mosaic-fed")).unwrap();
        let result = block_on(impostor.issue_cert(&request()));
        let error = refused(result, CaClientErrorKind::Unauthorized, Some(401));
        assert!(error.to_string().contains("lacked necessary authorization"), "{error}");
    });
}

#[test]
fn another_refusal_comes_with_its_reason() {
    each(|scene| {
        let long = IssueCertRequest { ttl: Some(Duration::from_secs(48 * 3600)), ..request() };
        let error = refused(scene.issue(&long), CaClientErrorKind::Forbidden, Some(403));
        assert!(
            error.to_string().contains("more than the authorized maximum certificate duration"),
            "{error}"
        );
        for (status, kind) in [
            (400, CaClientErrorKind::Rejected),
            (404, CaClientErrorKind::Rejected),
            (429, CaClientErrorKind::Rejected),
            (500, CaClientErrorKind::Server),
            (503, CaClientErrorKind::Server),
        ] {
            let reason = format!("because of {status}");
            let body = json!({ "status": status, "message": reason }).to_string();
            scene.relay.change(move |_| (status, body.clone().into_bytes()));
            let error = refused(scene.issue(&request()), kind, Some(status));
            assert!(error.to_string().ends_with(&reason), "{error}");
        }
    });
}

#[test]
fn a_malformed_csr_is_never_sent() {
    each(|scene| {
        let csr = Csr::new(NAME, &[NAME]);
        let mut forged = csr.der.clone();
        *forged.last_mut().unwrap() ^= 1;
        let longer = [csr.der.as_slice(), b"\0"].concat();
        let check = |csr_pem: String, expected: &str| {
            let result = scene.issue(&IssueCertRequest { csr_pem, ..request() });
            let error = refused(result, CaClientErrorKind::MalformedCsr, None);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check("not a request".to_owned(), "there is no PEM block");
        check(csr.pem.clone() + &csr.pem, "more than one PEM block");
        check(csr.pem.replacen("MI", "M*", 1), "PEM");
        check(pem::encode("CERTIFICATE REQUEST", &csr.der[..csr.der.len() - 1]), "not one DER structure");
        check(pem::encode("CERTIFICATE REQUEST", &longer), "not one DER structure");
        check(pem::encode("CERTIFICATE REQUEST", b"\x30\x00"), "CertificationRequest");
        check(pem::encode("CERTIFICATE REQUEST", &forged), "signature");
        check(Csr::new("", &[]).pem, "neither a common name nor a subjectAltName");
        assert!(scene.relay.calls().is_empty());
    });
}

#[test]
fn an_answer_that_is_not_json_is_told_apart() {
    each(|scene| {
        scene.relay.change(|(status, _)| (status, b"<html>maintenance</html>".to_vec()));
        refused(scene.issue(&request()), CaClientErrorKind::NotJson, None);
        scene.relay.change(|(status, _)| (status, b"{}".to_vec()));
        refused(scene.issue(&request()), CaClientErrorKind::NoCertificate, None);
    });
}

#[test]
fn an_authority_that_is_not_there_is_a_connection_error() {
    each(|scene| {
        let gone = Scene { ca: scene.ca, relay: Relay::start(scene.ca) };
        let client = gone.client("mosaic-hs");
        drop(gone);
        let error = refused(block_on(client.issue_cert(&request())), CaClientErrorKind::Connection, None);
        assert!(error.to_string().contains("connection refused"), "{error}");
    });
}

#[test]
fn the_token_names_provisioner_and_authority() {
    each(|scene| {
        for (provisioner, algorithm) in [("mosaic-hs", Algorithm::HS256), ("mosaic-fed", Algorithm::ES256)] {
            block_on(scene.client(provisioner).issue_cert(&request())).unwrap();
            let TokenData { header, claims, .. } = scene.token(provisioner);
            assert_eq!((header.alg, header.typ.as_deref()), (algorithm, Some("JWT")));
            assert_eq!(header.kid.unwrap(), scene.ca.fixture.provisioner_key(provisioner)["kid"]);
            assert_eq!(claims["iss"], provisioner);
            assert_eq!(claims["aud"], format!("{}/1.0/sign", scene.relay.url));
        }
    });
}

#[test]
fn the_token_names_request_and_grant() {
    each(|scene| {
        let csr = Csr::new(NAME, &[NAME, "10.0.0.1"]);
        let request = client::request(&csr);
        scene.issue(&request).unwrap();
        let claims = scene.token("mosaic-hs").claims;
        assert_eq!(claims["sub"], NAME);
        assert_eq!(claims["sans"], json!([NAME, "10.0.0.1"]));
        assert_eq!(claims["mosaic_grant_id"], request.grant_id.to_string());
        assert_eq!(claims["mosaic_subject_user_id"], request.subject_user_id.to_string());
        assert_eq!(claims["step"], json!({ "sha": csr.sha256_hex() }));
        let fingerprint = URL_SAFE_NO_PAD.encode(Sha256::digest(&csr.der));
        assert_eq!(claims["cnf"], json!({ "x5rt#S256": fingerprint }));
    });
}

#[test]
fn the_token_is_for_once_and_for_minutes() {
    each(|scene| {
        let before = token::now();
        let mut ids = BTreeSet::new();
        for _ in 0..3 {
            scene.issue(&request()).unwrap();
            let claims = scene.token("mosaic-hs").claims;
            let issued_at = claims["iat"].as_i64().unwrap();
            assert!((before..=token::now()).contains(&issued_at), "{claims}");
            assert_eq!((&claims["nbf"], &claims["exp"]), (&json!(issued_at), &json!(issued_at + 300)));
            ids.insert(claims["jti"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids.len(), 3);
        // The authority keeps to it.
        scene.issue(&request()).unwrap();
        let again = Request::post("/1.0/sign", &scene.relay.calls()[0].body);
        assert_eq!(scene.ca.client().send(&again).unwrap().status, 401);
    });
}
